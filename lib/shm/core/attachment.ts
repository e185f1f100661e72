import { Disposition, native } from './binding';
import { SharedMemoryError } from '../../common/errors';
import { explain, isFailure, wentWithLastHandle } from './failures';
import { called, systemName, type Kind } from './names';
import { defaultMode } from '../../common/options';
import { layout, sealedKinds, type ObjectKind } from './layout';
import { LockSeat, isSeat, type LockHandle } from './lock-seat';
import { noContents, type Contents } from './object-seat';
import { explainOpening } from './missing';
import { notePlace, type Place } from './places';
import { isLitter, refused } from './refusals';

/** What to attach to, or to make. Only the library can make a request: see construction.ts. */
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

/**
 * What is left of an attachment when its handle was garbage collected without having been closed. The finalization
 * registry holds it. It must not hold the attachment, whose buffers keep the handle alive.
 */
interface Remains {
  seat: LockSeat;
}

const forgotten = new FinalizationRegistry<Remains>(({ seat }) => seat.leave());

/** A place in an object. It keeps the user's handle alive as long as the ArrayBuffer is in use. */
class PlaceInObject implements Place {
  readonly handle: { readonly shmkit: ObjectKind; readonly name: string };
  readonly at: number;
  readonly wordsBytes: number;
  readonly user: object;
  readonly #seat: LockSeat;

  constructor(seat: LockSeat, offset: number, user: object) {
    this.handle = { shmkit: seat.kind, name: seat.name };
    this.at = offset - seat.dataAt;
    this.wordsBytes = seat.dataAt - layout.headerBytes;
    this.user = user;
    this.#seat = seat;
  }

  isFoundBy(bytes: number): boolean {
    const seat = this.#seat;
    const { kind, name, index, dataAt } = seat;
    const isPrivate = sealedKinds.has(kind);
    if (isPrivate && !native.objectIsUnwritten(index, dataAt + this.at, bytes)) return false;
    const found = LockSeat.tryTake(kind, name, defaultMode, Disposition.Attach, noContents);
    if (!isSeat(found)) return false;
    found.leave();
    return found === seat;
  }
}

/**
 * Whether handles to a removed object of that kind move on to the object that has the name next. This is so for
 * locks, which are removed in such a way that there are never two owners of one name. Objects of other kinds
 * just lose their name.
 */
export function movesOn(kind: Kind): kind is 'lock' | 'rlock' {
  return kind === 'lock' || kind === 'rlock';
}

/** One handle's use of a shared object. */
export class Attachment {
  readonly kind: ObjectKind;
  readonly name: string;
  seat: LockSeat;
  closed = false;
  /** Whether {@link open} must be called before use: the handle was closed, or the object may have ended. */
  guarded: boolean;
  readonly #mode: number;
  readonly #reopening: Disposition;
  readonly #buffers: ArrayBuffer[] = [];
  readonly #remains: Remains;
  /** The id that the object had when the handle was closed. */
  #closedId: string | undefined;
  #unlinked = false;

  /** @throws what opening the object throws, as SharedMemoryError. */
  constructor({ kind, name, mode, disposition, contents }: Request) {
    this.kind = kind;
    this.name = name;
    this.#mode = mode;
    this.#reopening = disposition === Disposition.Open ? Disposition.Open : Disposition.Attach;
    this.seat = LockSeat.take(kind, name, mode, disposition, contents);
    this.#remains = { seat: this.seat };
    this.guarded = this.seat.isManaged;
  }

  /** Makes the garbage collection of the handle end the use of the object. */
  belongTo(handle: object): void {
    forgotten.register(handle, this.#remains, this);
  }

  /**
   * Returns the seat: what all handles of this thread to the object share. Throws if the handle was closed or the
   * object has ended.
   */
  open(): LockSeat {
    if (this.guarded) this.#check();
    return this.seat;
  }

  /** Identifies the object among all objects that ever have its name, also after {@link close}. */
  get id(): string {
    return this.#closedId ?? this.seat.id;
  }

  /**
   * Whether the object has ended together with its manager. What is still held of it is of no use then, so it does
   * not prevent closing.
   */
  get hasEnded(): boolean {
    return this.guarded && this.seat.hasEnded;
  }

  #check(): void {
    if (this.closed) throw this.error('ERR_CLOSED', 'cannot be used: this handle was closed');
    if (this.seat.hasEnded) throw this.seat.endedError();
  }

  /** A zero-copy view for the users of the handle. It becomes empty when the handle is closed. */
  show(offset: number, length: number, handle: object): ArrayBuffer {
    const buffer = this.seat.show(offset, length);
    this.#buffers.push(buffer);
    notePlace(buffer, new PlaceInObject(this.seat, offset, handle));
    return buffer;
  }

  /** Makes views empty that {@link show} has made, because nobody gets them. */
  hide(buffers: readonly ArrayBuffer[]): void {
    for (const buffer of buffers) {
      native.bufferDetach(buffer);
      this.#buffers.splice(this.#buffers.indexOf(buffer), 1);
    }
  }

  /**
   * Idempotent. Tasks that wait for the lock through this handle get `ERR_CLOSED`.
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
    // All views of this handle become empty.
    for (const buffer of this.#buffers) native.bufferDetach(buffer);
    this.#buffers.length = 0;
    this.seat.leave();
  }

  /** Removes the name if it still leads to this object. This also works after {@link close}. */
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

  /**
   * Opens the object of this name again, after this handle was closed. Returns undefined if the name has
   * disappeared with its last handle, as names do on some systems. There is nothing to remove then.
   */
  #takeAgain(): LockSeat | undefined {
    try {
      return LockSeat.take(this.kind, this.name, defaultMode, Disposition.Attach, noContents);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (!this.#unlinked && wentWithLastHandle(code)) return undefined;
      throw error;
    }
  }

  /** Called when the lock was unlinked. Takes a seat at the lock that has the name now, and leaves the old seat. */
  reopen(): LockSeat {
    const { kind, name } = this;
    if (!movesOn(kind)) throw this.error('ERR_CORRUPT', 'has a header that was overwritten');
    const seat = LockSeat.take(kind, name, this.#mode, this.#reopening, noContents);
    this.seat.leave();
    this.seat = this.#remains.seat = seat;
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

/**
 * Removes a name. This also works if the object with that name is damaged. But it throws if another version of the
 * library may be able to use the object.
 */
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

/** Whether there is anything with that name, even if it cannot be used here. */
export function isThere(kind: ObjectKind, name: string): boolean {
  const seat = LockSeat.tryTake(kind, name, defaultMode, Disposition.Attach, noContents);
  if (isSeat(seat)) {
    seat.leave();
    return true;
  }
  return !isFailure(seat) || seat.code !== 'ENOENT';
}

/**
 * Ends an object: its users get `ERR_SHUTDOWN`, and its name is removed.
 *
 * @param isAtEnd - whether this thread is ending and will not release anything later. If it holds the lock,
 * the lock is released here. Nobody else can acquire the lock then, because the object has ended.
 */
export function endObject(kind: ObjectKind, name: string, isAtEnd: boolean): void {
  const seat = LockSeat.tryTake(kind, name, defaultMode, Disposition.Attach, noContents);
  // Not explainOpening: when the object is gone, a hint at objects of other kinds would not help.
  if (!isSeat(seat)) throw isFailure(seat) ? explain(seat, kind, name) : refused(seat, kind, name);
  try {
    seat.end();
    if (!isAtEnd || !movesOn(kind)) return;
    if (seat.holder !== null) seat.release();
    // The lock may be held by the agent: a thread of the library that acquires and releases a lock on behalf of
    // this thread. The agent needs a moment to release it.
    native.agentAwaitReturn(seat.index);
  } finally {
    seat.leave();
  }
}

/** @param only - the id of the object that the name must lead to, if any */
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
