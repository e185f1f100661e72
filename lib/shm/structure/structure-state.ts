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
import { GrowingMemory } from './growing-memory';
import {
  blocksAt,
  isCapacity,
  logOf,
  structureLayout,
  type StructureShape,
} from './structure-layout';
import type { UndoLog } from './undo-log';
import { unreadable } from './unreadable';

/** What this thread does with a structure. */
const enum Inside {
  Not = 0,
  /** It makes a change. */
  Changing = 1,
  /** The same, and calls others' code meanwhile, which may ask for more. */
  Calling = 2,
}

/**
 * What the structures have in common, for all handles of one thread: the memory of a shared object,
 * and changes of it that are there as a whole or not at all.
 *
 * A change is made between {@link enter} and {@link leave}, or {@link abort}; or by
 * {@link change}, which costs a closure.
 */
export class StructureState implements SeatState, SizeLimit {
  readonly memory: GrowingMemory;
  readonly log: UndoLog;
  readonly arena: Arena;
  readonly mostValueBytes: number;
  protected readonly seat: LockSeat;
  #isClosed = false;
  #inside: Inside = Inside.Not;
  #anew = false;

  /** @throws SharedMemoryError `ERR_CORRUPT` its header is none of such a structure. */
  constructor(seat: LockSeat, shape: StructureShape) {
    this.seat = seat;
    this.mostValueBytes = shape.mostValueBytes;
    const { length: capacity, dataAt, size } = seat;
    const isWhole =
      isCapacity(capacity) &&
      size - dataAt === capacity &&
      4 * (blocksAt(shape, capacity) + 2) <= capacity &&
      seat.words.byteLength === shape.wordsBytes;
    if (!isWhole)
      throw this.error('ERR_CORRUPT', 'has a header that makes no sense; unlink() removes it');
    try {
      const firstWords = blocksAt(shape, capacity) + 2;
      this.memory = GrowingMemory.of(seat, structureLayout.pages, firstWords);
    } catch (error) {
      throw this.explain(error);
    }
    this.log = logOf(this.memory, shape, capacity);
    this.arena = new Arena(this.memory, this.log, structureLayout.arena, blocksAt(shape, capacity));
  }

  /** Bytes that the contents take, with what is kept of each. */
  get bytesUsed(): number {
    return this.settled(() => this.arena.used);
  }

  /** Bytes that they may take. */
  get capacity(): number {
    return this.arena.capacity;
  }

  /** Whether this thread is making a change. */
  get inside(): boolean {
    return this.#inside !== Inside.Not;
  }

  /** Whether a change of this thread's was interrupted; see {@link putRight}. */
  get isInterrupted(): boolean {
    return this.#inside === Inside.Changing || this.seat.isCallInterrupted;
  }

  /**
   * Has what this thread left of a change undone, if it was interrupted in one: to be called whenever
   * a method of a handle is, for then it is making none, unless it calls others' code meanwhile.
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
   * Acquires the lock, and puts right what somebody may have left who died.
   *
   * @param timeout - how many milliseconds to wait at most for others' changes; undefined: for ever.
   * @throws SharedMemoryError `ERR_CORRUPT`; `ERR_DEADLOCK` this thread is making a change;
   * `ERR_TIMEOUT`; `ERR_CLOSED`.
   */
  enter(timeout?: number): void {
    const wasInterrupted = this.#inside !== Inside.Not;
    // Only others' code could ask for it within a change, be it one of another realm's classes.
    const mayBeCalled = this.#inside === Inside.Calling || (!wasInterrupted && this.seat.isInside);
    if (mayBeCalled && !this.seat.isCallInterrupted) {
      throw this.error(
        'ERR_DEADLOCK',
        'is being changed by this thread: it waits for the function that was given',
      );
    }
    // By a getter of the value, after the handle was asked; the seat may be another object's by now.
    if (this.#isClosed) throw this.error('ERR_CLOSED', 'was closed here');
    const abandoned = this.seat.enter(timeout);
    this.#inside = Inside.Changing;
    if (abandoned || wasInterrupted || this.log.pending) this.#recover();
  }

  /** Calls code that is not the library's, within a change. */
  call<T>(fn: () => T): T {
    this.seat.noteCall();
    this.#inside = Inside.Calling;
    const result = callForeign(fn, undefined);
    this.#inside = Inside.Changing;
    return result;
  }

  /** Commits, and releases the lock. */
  leave(): void {
    this.log.commit();
    this.settle();
    this.#inside = Inside.Not;
    this.seat.exit();
  }

  /**
   * Undoes what was changed since {@link enter}, and releases the lock.
   *
   * @returns what to throw.
   */
  abort(error: unknown): unknown {
    try {
      this.log.rollBack(structureLayout.arena);
      this.settle();
    } catch {
      // Whoever comes next finds the same, and says so.
    }
    this.#inside = Inside.Not;
    this.seat.exit();
    return this.explain(error);
  }

  /** Makes a change, as a whole or, when the function throws, not at all. */
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

  /** A change that makes everything new, so that it does not matter what was there before. */
  protected changeAnew(act: () => void, timeout?: number): void {
    this.#anew = true;
    try {
      this.change(act, timeout);
    } finally {
      this.#anew = false;
    }
  }

  /** Has a look under the lock; goes ahead within a change. */
  look<T>(act: () => T): T {
    return this.inside ? act() : this.change(act);
  }

  /** What is so when no change is under way, be it of somebody who died. */
  protected settled<T>(look: () => T): T {
    return this.log.pending ? this.look(look) : look();
  }

  /**
   * A block, or 0 when there is no room for it.
   *
   * @see full
   */
  allocate(bytes: number): number {
    this.memory.failure = undefined;
    return this.arena.allocate(bytes);
  }

  /** Why there was no block. */
  full(bytes: number): SharedMemoryError {
    const { failure } = this.memory;
    const { kind, name } = this.seat;
    if (failure) return explainGrowth(failure, kind, name);
    const { used, capacity } = this.arena;
    const isScattered = bytes <= capacity - used;
    return this.error(
      'ERR_CAPACITY',
      `has no room for ${bytes} bytes${isScattered ? ' in one piece' : ''}: ` +
        `${used} of ${capacity} are used; create it with a greater capacity`,
    );
  }

  /** @param size - `Infinity`: more than could be counted. */
  tooLarge(size: number): SharedMemoryError {
    const most = this.mostValueBytes;
    const bytes = size === Infinity ? 'so many' : String(size);
    return this.error(
      'ERR_CAPACITY',
      `cannot store ${bytes} bytes: a value may have at most ${most} bytes`,
    );
  }

  /** What people are told of an error. */
  explain(error: unknown): unknown {
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
   * What people are told of a value that cannot be read.
   *
   * @param key - of the entry, or the index of the element; none of an item.
   */
  unreadable(error: unknown, key?: string | number): unknown {
    const { kind, name } = this.seat;
    return unreadable(error, { kind, name, key });
  }

  /** Why this thread cannot show others that it is there. */
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
    // Whoever looks at it meanwhile sees nothing; no view of it is anybody's but the library's.
    this.memory.detach();
  }

  /** What is left to do when a change was committed or undone: by whomever, so it may be done before. */
  protected settle(): void {
    // Most have nothing.
  }

  /** The same, when somebody died: what this thread knows of a change says nothing then. */
  protected recover(): void {
    this.settle();
  }

  #recover(): void {
    try {
      this.log.rollBack(structureLayout.arena);
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
