import { Disposition, native } from './binding';
import { SharedMemoryError } from '../../common/errors';
import { explain, isFailure, wentWithLastHandle } from './failures';
import { called, systemName, type Kind } from './names';
import { defaultMode } from '../../common/options';
import type { ObjectKind } from './layout';
import { LockSeat, isSeat, type LockHandle } from './lock-seat';
import { noContents, type Contents } from './object-seat';
import { explainOpening } from './missing';
import { isLitter, refused } from './refusals';

/** What to attach to, or to make. Only the library makes one: see construction.ts. */
export class Request {
  readonly kind: ObjectKind;
  readonly name: string;
  readonly disposition: Disposition;
  readonly mode: number;
  readonly contents: Contents;

  constructor(
    kind: ObjectKind,
    name: string,
    disposition: Disposition,
    mode: number = defaultMode,
    contents: Contents = noContents,
  ) {
    this.kind = kind;
    this.name = name;
    this.disposition = disposition;
    this.mode = mode;
    this.contents = contents;
  }
}

const forgotten = new FinalizationRegistry<Attachment>((attachment) => attachment.letGo());

/** Keeps a handle for as long as one of its ArrayBuffers is in use. */
const keepers = new WeakMap<ArrayBuffer, unknown>();

/**
 * Locks are removed so that two owners of one name never meet, and handles to one that was removed
 * move on to its successor. Other objects just lose their name.
 */
export function movesOn(kind: Kind): kind is 'lock' | 'rlock' {
  return kind === 'lock' || kind === 'rlock';
}

/**
 * One handle's use of a shared object. Apart from the handle itself, so that it is still there when
 * the handle was collected as garbage without having been closed.
 */
export class Attachment {
  readonly kind: ObjectKind;
  readonly name: string;
  seat: LockSeat;
  closed = false;
  /** Whether to ask {@link open} before it is used: it was closed, or may have ended. */
  guarded: boolean;
  readonly #mode: number;
  readonly #reopening: Disposition;
  /**
   * Weakly: this is what is known of a handle after its end, and were it to keep its buffers, these
   * would keep the handle.
   */
  readonly #buffers: WeakRef<ArrayBuffer>[] = [];
  /** Which object it was when the handle was closed. */
  #closedId: string | undefined;
  #unlinked = false;

  /** @throws what opening throws, as SharedMemoryError. */
  constructor({ kind, name, mode, disposition, contents }: Request) {
    this.kind = kind;
    this.name = name;
    this.#mode = mode;
    this.#reopening = disposition === Disposition.Open ? Disposition.Open : Disposition.Attach;
    this.seat = LockSeat.take(kind, name, mode, disposition, contents);
    this.guarded = this.seat.isManaged;
  }

  /** Lets go by itself should the handle be collected. */
  belongTo(handle: object): void {
    forgotten.register(handle, this, this);
  }

  /** The seat, of a handle that must not be closed, to an object that has not ended. */
  open(): LockSeat {
    if (this.guarded) this.#check();
    return this.seat;
  }

  /** Whether what it belongs to has ended: nothing of it is worth holding any more. */
  get hasEnded(): boolean {
    return this.guarded && this.seat.hasEnded;
  }

  #check(): void {
    if (this.closed) throw this.error('ERR_CLOSED', 'was closed here');
    if (this.seat.hasEnded) throw this.seat.endedError();
  }

  /** Zero copy views for the handle's users; they become empty when it is closed. */
  show(offset: number, length: number, handle: object): ArrayBuffer {
    const buffer = this.seat.show(offset, length);
    this.#buffers.push(new WeakRef(buffer));
    keepers.set(buffer, handle);
    return buffer;
  }

  /**
   * Idempotent. Those who wait for the lock through this handle get `ERR_CLOSED`.
   *
   * @throws SharedMemoryError `EBUSY` the lock is held through this handle.
   */
  close(lock?: LockHandle): void {
    if (this.closed) return;
    if (lock?.held && !this.seat.reclaim()) {
      if (!this.hasEnded)
        throw this.error('EBUSY', 'is held through this handle; release it first');
      lock.release();
    }
    this.closed = true;
    this.guarded = true;
    if (lock !== undefined) {
      for (const waiter of this.seat.waitersOf(lock)) waiter.giveUp(this.closedMeanwhile());
    }
    forgotten.unregister(this);
    this.#closedId = this.seat.id;
    this.letGo();
  }

  letGo(): void {
    for (const each of this.#buffers) {
      const buffer = each.deref();
      if (buffer !== undefined) native.bufferDetach(buffer);
    }
    this.seat.leave();
  }

  /** Removes the name while it leads to this object; also after {@link close}. */
  unlink(): void {
    if (!this.closed) {
      removeFrom(this.seat);
      this.#unlinked = true;
      return;
    }
    const seat = this.#takeAgain();
    if (seat !== undefined) removeAndLeave(seat, this.#closedId);
    this.#unlinked = true;
  }

  /** Nothing when the name went with the last handle, where it does, as it was to go. */
  #takeAgain(): LockSeat | undefined {
    try {
      return LockSeat.take(this.kind, this.name, defaultMode, Disposition.Attach, noContents);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (!this.#unlinked && wentWithLastHandle(code)) return undefined;
      throw error;
    }
  }

  /** Sits down at the object that has the name now, since the old one was unlinked. */
  reopen(): LockSeat {
    const { kind, name } = this;
    if (!movesOn(kind)) throw this.error('ERR_CORRUPT', 'has a header that was overwritten');
    const seat = LockSeat.take(kind, name, this.#mode, this.#reopening, noContents);
    this.seat.leave();
    this.seat = seat;
    return seat;
  }

  closedMeanwhile(): SharedMemoryError {
    return this.error('ERR_CLOSED', 'was closed while this task waited for it');
  }

  error(code: string, what: string): SharedMemoryError {
    return new SharedMemoryError(code, `${called(this.kind, this.name)} ${what}`, {
      resource: this.name,
    });
  }
}

/** Removes the name of an object, whatever it leads to, unless that is of another version. */
export function unlinkObject(kind: ObjectKind, name: string): void {
  const full = systemName(kind, name);
  const seat = LockSeat.tryTake(kind, name, defaultMode, Disposition.Attach, noContents);
  if (isSeat(seat)) {
    removeAndLeave(seat);
    return;
  }
  if (isFailure(seat)) throw explainOpening(seat, kind, name, 'unlink');
  if (!isLitter(seat)) throw refused(seat, kind, name);
  const failure = native.segmentUnlink(full, undefined);
  if (failure) throw explain(failure, kind, name);
}

/** Whether there is something of that name, be it what cannot be used here. */
export function isThere(kind: ObjectKind, name: string): boolean {
  const seat = LockSeat.tryTake(kind, name, defaultMode, Disposition.Attach, noContents);
  if (isSeat(seat)) {
    seat.leave();
    return true;
  }
  return !isFailure(seat) || seat.code !== 'ENOENT';
}

/**
 * Ends an object: who has it gets `ERR_SHUTDOWN`, and its name goes.
 *
 * @param isAtEnd - whether this thread ends, and releases nothing any more: what it holds of a lock it
 * gives back here, and nobody gets the lock by that.
 */
export function endObject(kind: ObjectKind, name: string, isAtEnd: boolean): void {
  const seat = LockSeat.tryTake(kind, name, defaultMode, Disposition.Attach, noContents);
  // What is gone is nothing to look for among other kinds.
  if (!isSeat(seat)) throw isFailure(seat) ? explain(seat, kind, name) : refused(seat, kind, name);
  try {
    seat.end();
    if (!isAtEnd || !movesOn(kind)) return;
    if (seat.holder !== null) seat.release();
    // Which may do so for this thread.
    native.agentAwaitReturn(seat.index);
  } finally {
    seat.leave();
  }
}

/** @param only - the object that it must be, if any */
function removeFrom(seat: LockSeat, only?: string): void {
  if (movesOn(seat.kind)) {
    seat.unlinkLocked(only);
  } else {
    seat.removeName(only);
  }
}

function removeAndLeave(seat: LockSeat, only?: string): void {
  try {
    removeFrom(seat, only);
  } finally {
    seat.leave();
  }
}
