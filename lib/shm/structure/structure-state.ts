import type { NativeFailure } from '../core/binding';
import { callForeign } from '../core/foreign';
import type { LockSeat } from '../core/lock-seat';
import type { SeatState } from '../core/object-seat';
import { SharedMemoryError } from '../../common/errors';
import { explainGrowth, explainPresence } from '../core/failures';
import { called } from '../core/names';
import { Arena } from './arena';
import type { SizeLimit } from '../../values/codec';
import { CorruptError, MismatchError } from '../../values/corrupt-error';
import { GoneError } from '../../values/out-of-band';
import { GrowingMemory } from './growing-memory';
import { OutOfBand } from './out-of-band';
import {
  blocksAt,
  isCapacity,
  logOf,
  structureLayout,
  type StructureShape,
} from './structure-layout';
import type { UndoLog } from './undo-log';
import { unreadable } from './unreadable';

/** What this thread is doing with a structure. */
const enum Inside {
  Not = 0,
  /** It is making a change. */
  Changing = 1,
  /** It is making a change and is calling user code within it. That code may call the structure again. */
  Calling = 2,
}

/**
 * The base class of the states of all structures. A state is shared by all handles of one thread. It provides the
 * memory of a shared object, and atomic changes of it.
 *
 * A change is made between {@link enter} and {@link leave} or {@link abort}; or by {@link change}, which costs a
 * closure.
 */
export class StructureState implements SeatState, SizeLimit {
  readonly memory: GrowingMemory;
  readonly log: UndoLog;
  readonly arena: Arena;
  readonly outOfBand: OutOfBand;
  readonly mostValueBytes: number;
  protected readonly seat: LockSeat;
  #isClosed = false;
  #inside: Inside = Inside.Not;
  #anew = false;

  /** @throws SharedMemoryError `ERR_CORRUPT` the header is not valid for such a structure. */
  constructor(seat: LockSeat, shape: StructureShape) {
    this.seat = seat;
    this.mostValueBytes = shape.mostValueBytes;
    const { length: capacity, dataAt, size } = seat;
    const isWhole =
      isCapacity(capacity) &&
      size - dataAt === capacity &&
      4 * (blocksAt(shape, capacity) + 2) <= capacity &&
      seat.words.byteLength === shape.wordsBytes;
    if (!isWhole) throw this.error('ERR_CORRUPT', 'has an invalid header; unlink() removes it');
    try {
      const firstWords = blocksAt(shape, capacity) + 2;
      this.memory = GrowingMemory.of(seat, structureLayout.pages, firstWords);
    } catch (error) {
      throw this.explain(error);
    }
    this.log = logOf(this.memory, shape, capacity);
    this.arena = new Arena(this.memory, this.log, structureLayout.arena, blocksAt(shape, capacity));
    this.outOfBand = new OutOfBand(seat, this.memory, this.log);
  }

  /** The bytes that the contents take, including the overhead of each part. */
  get bytesUsed(): number {
    return this.settled(() => this.arena.used + this.outOfBand.bytes);
  }

  /** The maximum number of bytes that the contents can take. */
  get capacity(): number {
    return this.arena.capacity;
  }

  /** Whether this thread is making a change. */
  get inside(): boolean {
    return this.#inside !== Inside.Not;
  }

  /** Whether a change of this thread was interrupted; see {@link putRight}. */
  get isInterrupted(): boolean {
    return this.#inside === Inside.Changing || this.seat.isCallInterrupted;
  }

  /**
   * Undoes the unfinished change of this thread, if it was interrupted in one. To be called at the beginning
   * of each method of a handle. At that time, this thread cannot be in the middle of a change, unless it is
   * calling user code within one.
   */
  putRight(): void {
    if (this.#inside !== Inside.Changing) return;
    this.enter();
    this.leave();
  }

  /** @see SeatState.interrupted */
  interrupted(): void {
    if (this.#inside === Inside.Calling) this.#inside = Inside.Changing;
  }

  /**
   * Acquires the lock, and undoes an unfinished change of an owner that died.
   *
   * @param timeout - how many milliseconds to wait at most for the changes of others; undefined: no limit.
   * @throws SharedMemoryError `ERR_CORRUPT`; `ERR_DEADLOCK` this thread is making a change;
   * `ERR_TIMEOUT`; `ERR_CLOSED`.
   */
  enter(timeout?: number): void {
    const wasInterrupted = this.#inside !== Inside.Not;
    // If this thread is making a change, only user code that the change has called can get here. The change
    // may also have been begun through the class of another realm. This state does not know of such a change,
    // but the seat does.
    const mayBeCalled = this.#inside === Inside.Calling || (!wasInterrupted && this.seat.isInside);
    if (mayBeCalled && !this.seat.isCallInterrupted) {
      this.outOfBand.settle();
      throw this.error(
        'ERR_DEADLOCK',
        'is already being changed by this thread, which is still running the function given to that change',
      );
    }
    // The value may have a getter that has closed this structure after the handle was checked. The seat may
    // be in use for another object now.
    if (this.#isClosed) throw this.error('ERR_CLOSED', 'cannot be used: this handle was closed');
    const abandoned = this.#acquire(timeout);
    this.#inside = Inside.Changing;
    if (abandoned || wasInterrupted || this.log.pending) this.#recover();
  }

  #acquire(timeout: number | undefined): boolean {
    try {
      return this.seat.enter(timeout);
    } catch (error) {
      this.outOfBand.settle();
      throw error;
    }
  }

  /** Calls user code within a change. */
  call<T>(fn: () => T): T {
    this.seat.noteCall();
    this.#inside = Inside.Calling;
    const result = callForeign(fn, undefined);
    this.#inside = Inside.Changing;
    return result;
  }

  /** Commits the change, and releases the lock. */
  leave(): void {
    this.log.commit();
    this.settle();
    this.#inside = Inside.Not;
    this.seat.exit();
    this.outOfBand.settle();
  }

  /**
   * Undoes what was changed since {@link enter}, and releases the lock.
   *
   * @returns what to throw.
   */
  abort(error: unknown): unknown {
    try {
      this.rollBack();
      this.settle();
    } catch {
      // The next caller finds the same problem and throws the error.
    }
    this.#inside = Inside.Not;
    this.seat.exit();
    this.outOfBand.settle();
    return this.explain(error);
  }

  /** Undoes what was changed since the last commit. Under the lock. */
  protected rollBack(): void {
    this.log.rollBack(structureLayout.outOfBandBytes);
  }

  /** Makes a change as a whole; or not at all, if the function throws. */
  change<T>(act: () => T, timeout?: number): T {
    this.enter(timeout);
    let result: T;
    try {
      result = act();
    } catch (error) {
      throw this.abort(error);
    }
    this.leave();
    return result;
  }

  /**
   * Makes a change that replaces all contents. So it also works if the old contents, or the undo log, are not
   * valid.
   */
  protected changeAnew(act: () => void, timeout?: number): void {
    this.#anew = true;
    try {
      this.change(act, timeout);
    } finally {
      this.#anew = false;
    }
  }

  /** Reads under the lock. Within a change, this thread already has the lock. */
  look<T>(act: () => T): T {
    return this.inside ? act() : this.change(act);
  }

  /** Reads a committed state. Takes the lock if a change is in progress, which may be one of a dead thread. */
  protected settled<T>(look: () => T): T {
    return this.log.pending ? this.look(look) : look();
  }

  /**
   * Allocates a block. Returns its pointer, or 0 when there is no room for it.
   *
   * @see full
   */
  allocate(bytes: number): number {
    this.memory.failure = undefined;
    return this.arena.allocate(bytes);
  }

  /**
   * Checks whether there is room, in a structure that has values that are stored apart, or gets one.
   *
   * @param bytes - the size of the value, and of its object.
   * @param freed - how many bytes are freed at the same time.
   * @throws SharedMemoryError `ERR_CAPACITY`
   */
  checkRoomApart(bytes: number, freed = 0): void {
    const { arena, outOfBand } = this;
    if (arena.used + outOfBand.bytes - freed + bytes > arena.capacity) throw this.full(bytes);
  }

  /**
   * The handles of all values that are stored apart. Not within a change: what is not committed does not count.
   *
   * @throws SharedMemoryError `ERR_CORRUPT`, `ERR_DEADLOCK`, `ERR_TIMEOUT`
   */
  apart(timeout: number): Set<string> {
    return new Set(this.change(() => this.allApart(), timeout));
  }

  /** The same. Under the lock. */
  protected allApart(): string[] {
    return [];
  }

  /** The error that says why no block could be allocated. */
  full(bytes: number): SharedMemoryError {
    const { failure } = this.memory;
    const { kind, name } = this.seat;
    if (failure) return explainGrowth(failure, kind, name);
    const { capacity } = this.arena;
    const used = this.arena.used + this.outOfBand.bytes;
    const isScattered = bytes <= capacity - used;
    return this.error(
      'ERR_CAPACITY',
      `has no room for ${bytes} bytes${isScattered ? ' in one piece' : ''}: ` +
        `${used} of ${capacity} bytes are used; create it with a larger capacity`,
    );
  }

  /** @param size - the size in bytes; `Infinity` if it was too large to count. */
  tooLarge(size: number): SharedMemoryError {
    const most = this.mostValueBytes;
    const bytes = size === Infinity ? 'that many' : String(size);
    return this.error(
      'ERR_CAPACITY',
      `cannot store ${bytes} bytes: a value may have at most ${most} bytes`,
    );
  }

  /** Converts an internal error to the one that the caller gets. */
  explain(error: unknown): unknown {
    if (error instanceof GoneError) return this.unreadable(error);
    const isMismatch = error instanceof MismatchError;
    if (!isMismatch && !(error instanceof CorruptError)) return error;
    const { kind, name } = this.seat;
    const code = isMismatch ? 'ERR_ABI_MISMATCH' : 'ERR_CORRUPT';
    return new SharedMemoryError(code, `${called(kind, name)}: ${error.message}`, {
      resource: name,
      cause: error.cause,
    });
  }

  /**
   * Converts an error about a value that cannot be read to the one that the caller gets.
   *
   * @param key - the key of the entry, or the index of the element; undefined for an item of a queue.
   */
  unreadable(error: unknown, key?: string | number): unknown {
    const { kind, name } = this.seat;
    return unreadable(error, { kind, name, key });
  }

  /** The error that says why this thread cannot show others that it is alive. */
  withoutPresence(failure: NativeFailure): SharedMemoryError {
    const { kind, name } = this.seat;
    return explainPresence(failure, kind, name);
  }

  error(code: string, what: string): SharedMemoryError {
    const { kind, name } = this.seat;
    return new SharedMemoryError(code, `${called(kind, name)} ${what}`, { resource: name });
  }

  close(): void {
    this.#isClosed = true;
    this.outOfBand.close();
    // Code that still reads it sees empty views. Only the library has views of this memory.
    this.memory.detach();
  }

  /**
   * Called after a change was committed or undone, no matter by which thread. Does what is left to do then,
   * for example makes the sequences even. May be called again when all of that was done already.
   */
  protected settle(): void {
    // Nothing by default.
  }

  /**
   * Called instead of {@link settle} after the changes of a lock owner that died were undone. What this
   * thread remembers of its own changes, such as the sequences that it has made odd, does not help then.
   */
  protected recover(): void {
    this.settle();
  }

  #recover(): void {
    this.outOfBand.interrupted();
    try {
      this.rollBack();
      this.recover();
    } catch (error) {
      if (this.#anew) {
        this.log.discard();
        this.recover();
        return;
      }
      this.#inside = Inside.Not;
      this.seat.exit();
      throw this.explain(error);
    }
  }
}
