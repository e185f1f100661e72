import { native, thread } from './binding';
import { SharedMemoryError } from '../../common/errors';
import { called } from './names';
import { reasonOf } from '../../common/options';
import { deadlineOf, now } from './clock';
import type { ObjectSeat } from './object-seat';
import { layout } from './layout';
import {
  endBeginning,
  endHeldOperation,
  holdOperation,
  undoInterrupted,
  type Operation,
} from './operations';
import { loadAfterAtomic } from './ordered';
import { PendingTask } from './pending-task';

/**
 * A slice is the longest time that a waiter sleeps before it looks again. A process that dies wakes nobody:
 * neither those that it was about to wake, nor those that wait for what it held. So waiters look again from
 * time to time, even if nobody wakes them. The slices are short at first, and get longer while nothing changes.
 */
const shortestSliceMs = 10;
const longestSliceMs = 160;

/**
 * Where tasks of a thread wait for many words, the slices are longer, so that the thread need not look at one of them
 * more often than this.
 */
const leastBetweenLooksMs = 20;

/**
 * How often in a row a thread gives something to its own tasks without offering it to other threads in
 * between.
 */
const mostHandovers = 16;

const everybody = 0xffff_ffff;

const watches = thread.watches as Map<number, { hear(): void }>;

/** The words that are watched for tasks of this thread. */
const watched = new Set<Word>();

/** For waits of tasks. */
function longestSlice(): number {
  return Math.max(longestSliceMs, watched.size * leastBetweenLooksMs);
}

/** Wakes up to `count` waiters of a word. The word must have been changed before, by an atomic operation. */
export function wake(seat: ObjectSeat, at: number, count = everybody): void {
  if (loadAfterAtomic(seat.words, at + 1) !== 0) native.wordWake(seat.index, offsetOf(at), count);
}

function offsetOf(at: number): number {
  return layout.headerBytes + 4 * at;
}

/**
 * Opens a watch: a wait for a word, done by a thread of the library. Returns its number, or undefined if the object
 * has no such word. If this is interrupted before the caller has the number, the watch is closed with the seat.
 *
 * @param at - the index of the word in the seat's words.
 * @param listener - called when there is news.
 */
export function openWatch(
  seat: ObjectSeat,
  at: number,
  listener: { hear(): void },
): number | undefined {
  const watch = native.watchOpen(seat.index, offsetOf(at));
  if (watch !== undefined) watches.set(watch, listener);
  return watch;
}

export function closeWatch(watch: number): void {
  watches.delete(watch);
  native.watchClose(watch);
}

/**
 * An attempt to get what a waiter waits for. It is made again whenever it may succeed.
 *
 * @param look - whether nothing has changed for a while. The threads that are waited for may be dead, so the
 * attempt should check for that.
 * @returns undefined while the waiter must go on waiting.
 */
export type Attempt<T> = (look: boolean) => T | undefined;

/** How a wait ends, and what happens when it takes too long. */
export interface Wait<T> {
  /** The handle through which the caller waits. */
  readonly handle: object;
  readonly attempt: Attempt<T>;
  /** Milliseconds, or undefined for a wait without a time limit. */
  readonly timeout: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /**
   * Called when the time limit is over. It cleans up and throws, or returns a result if it finds that the
   * wait succeeded at the last moment.
   */
  readonly expired: (timeout: number) => T;
  /** Called when the wait was aborted, to clean up. */
  readonly calledOff?: () => void;
  /**
   * The operation (see operations.ts) that is still active after a failed attempt. If the beginning of the wait
   * is interrupted, this operation is undone.
   */
  readonly noted?: Operation;
  /**
   * The operation that the caller has passed to {@link holdOperation}. It ends when the caller has the result, or
   * a promise of it.
   */
  readonly beginning?: Operation;
}

/**
 * A word of a shared object that changes whenever there is news for its waiters, together with all tasks of
 * this thread that wait for it. It is built on the contract of native/os/waiter.h.
 */
export class Word {
  readonly #seat: ObjectSeat;
  readonly #offset: number;
  readonly #at: number;
  readonly #isQueue: boolean;
  readonly #tasks = new Set<WordTask<unknown>>();
  #watch: number | undefined;
  #slice = shortestSliceMs;
  #seen = 0;
  #handovers = 0;
  #reviewing = false;
  /** If a review is interrupted, the remaining tasks go on waiting. */
  readonly #reviewal = {
    undo: () => {
      this.#reviewing = false;
      if (this.#tasks.size > 0) this.#wait(this.value - 1);
    },
  };

  /**
   * @param at - the index of the word in the seat's words. The word after it counts the waiters.
   * @param isQueue - whether tasks of this thread are served strictly in their order: while the first one
   * must wait, the others must wait too.
   */
  constructor(seat: ObjectSeat, at: number, isQueue: boolean) {
    this.#seat = seat;
    this.#at = at;
    this.#offset = offsetOf(at);
    this.#isQueue = isQueue;
  }

  get value(): number {
    return Atomics.load(this.#seat.words, this.#at);
  }

  set value(value: number) {
    Atomics.store(this.#seat.words, this.#at, value);
  }

  /** Whether tasks of this thread wait. */
  get awaited(): boolean {
    return this.#tasks.size > 0;
  }

  /** Tells up to `count` waiters that there is news. */
  announce(count = everybody): void {
    Atomics.add(this.#seat.words, this.#at, 1);
    this.wake(count);
  }

  /** Wakes up to `count` waiters. The word must have been changed before, by an atomic operation. */
  wake(count = everybody): void {
    wake(this.#seat, this.#at, count);
  }

  /** Called when this thread has just given something up. Lets its own tasks try to get that. */
  offer(): void {
    if (this.#tasks.size === 0 || this.#reviewing) return;
    if (this.#handovers++ < mostHandovers) {
      this.review();
    } else {
      this.#handovers = 0; // the thread that watches the word reports this change like any other
    }
  }

  /** Blocks this thread until the attempt succeeds. */
  waitSync<T>({ attempt, timeout, expired }: Wait<T>): T {
    const deadline = deadlineOf(timeout) ?? Infinity;
    let slice = shortestSliceMs;
    let look = false;
    for (;;) {
      const seen = this.value;
      const result = attempt(look);
      if (result !== undefined) return result;
      if (this.#seat.hasEnded) throw this.#seat.endedError();
      const left = deadline - now();
      if (left <= 0) return expired(timeout ?? 0);
      native.wordWait(this.#seat.index, this.#offset, seen, Math.min(left, slice));
      look = this.value === seen;
      slice = look ? Math.min(2 * slice, longestSliceMs) : shortestSliceMs;
    }
  }

  /** Waits without blocking the thread. */
  async wait<T>(wait: Wait<T>): Promise<T> {
    // An attempt would do that, but sometimes none is made.
    undoInterrupted();
    let result: T | Promise<T>;
    try {
      result = this.#begin(wait);
    } catch (error) {
      // The caller has the error, and cleans up. So nothing must be undone later.
      if (wait.beginning !== undefined) endBeginning(undefined, wait.beginning);
      throw error;
    }
    return result;
  }

  #begin<T>(wait: Wait<T>): T | Promise<T> {
    if (wait.signal?.aborted) {
      wait.calledOff?.();
      throw reasonOf(wait.signal);
    }
    const seen = this.value;
    if (!this.#isQueue || this.#tasks.size === 0) {
      const result = wait.attempt(true);
      if (result !== undefined) {
        if (wait.beginning !== undefined) endBeginning(undefined, wait.beginning);
        return result;
      }
    }
    if (wait.timeout === 0) {
      const result = wait.expired(0);
      endBeginning(undefined, wait.noted, wait.beginning);
      return result;
    }
    if (this.#tasks.size === 0) this.#slice = shortestSliceMs;
    const task = new WordTask<T>(this, wait);
    holdOperation(task);
    this.#tasks.add(task as WordTask<unknown>);
    task.arm();
    // If the word is watched for other tasks already, the watch reports all changes since the last attempts of
    // those tasks. These include all changes since `seen` was read.
    if (!watched.has(this)) this.#wait(seen);
    endBeginning(task, wait.noted, wait.beginning);
    return task.promise;
  }

  /**
   * Called when the thread that watches the word reports that the word has changed, or that the time slice is
   * over.
   */
  hear(): void {
    // If this thread was woken for nothing because its tasks have left, it passes the wake-up on.
    if (this.#tasks.size === 0) this.wake(1);
    this.review(true);
  }

  /** Makes the attempts of all waiting tasks. Tasks whose attempt fails go on waiting. */
  review(isOverdue = false): void {
    if (this.#reviewing) return;
    holdOperation(this.#reviewal);
    this.#reviewing = true;
    if (this.#seat.hasEnded) {
      watched.delete(this);
      this.#giveUp(() => true, this.#seat.endedError());
      this.#reviewing = false;
      endHeldOperation(this.#reviewal);
      return;
    }
    const seen = this.value;
    const isSame = watched.has(this) && seen === this.#seen;
    const look = isSame && isOverdue;
    if (look) this.#slice = Math.min(2 * this.#slice, longestSlice());
    if (!isSame) this.#slice = shortestSliceMs;
    watched.delete(this);
    try {
      for (const task of this.#tasks) {
        if (task.attempt(look)) {
          this.#tasks.delete(task);
        } else if (this.#isQueue) {
          break;
        }
      }
    } finally {
      this.#reviewing = false;
      endHeldOperation(this.#reviewal);
      if (this.#tasks.size > 0) this.#wait(seen);
    }
  }

  /** @internal */
  leave(task: WordTask<unknown>): void {
    this.#tasks.delete(task);
    if (this.#tasks.size > 0) {
      // The next task may have waited only for this one.
      if (this.#isQueue) this.review();
    } else {
      if (this.#watch !== undefined) native.watchCancel(this.#watch);
      watched.delete(this);
    }
  }

  /** Rejects the tasks that wait through a handle that was closed. Returns how many there were. */
  giveUp(handle: object, reason: unknown): number {
    return this.#giveUp((task) => task.handle === handle, reason);
  }

  /** Called when no handle of this thread uses the object any more. */
  close(): void {
    if (this.#watch === undefined) return;
    closeWatch(this.#watch);
    this.#watch = undefined;
    watched.delete(this);
  }

  #wait(seen: number): void {
    this.#seen = seen;
    this.#watch ??= openWatch(this.#seat, this.#at, this);
    if (this.#watch !== undefined && native.watchWait(this.#watch, seen, this.#slice, true)) {
      watched.add(this);
    } else {
      watched.delete(this);
      this.#giveUp(
        () => true,
        new SharedMemoryError(
          'EAGAIN',
          `${called(this.#seat.kind, this.#seat.name)}: the system could not create a thread to wait for it`,
          { resource: this.#seat.name },
        ),
      );
    }
  }

  #giveUp(which: (task: WordTask<unknown>) => boolean, reason: unknown): number {
    const all = [...this.#tasks].filter(which);
    for (const task of all) task.giveUp(reason);
    return all.length;
  }
}

/** A task that waits for news of a word. */
class WordTask<T> extends PendingTask<T> {
  readonly #word: Word;
  readonly #wait: Wait<T>;
  /**
   * The result, once an attempt has succeeded. If this thread was interrupted before the task was told of the
   * result, the task is told by the next call of `attempt`, `giveUp` or `expire`.
   */
  #result: T | undefined;

  constructor(word: Word, wait: Wait<T>) {
    super(wait.timeout, wait.signal);
    this.#word = word;
    this.#wait = wait;
  }

  get handle(): object {
    return this.#wait.handle;
  }

  override undo(): void {
    super.undo();
    this.#wait.calledOff?.();
  }

  /** Returns whether the wait is over. */
  attempt(look: boolean): boolean {
    try {
      if (!this.hasBegun) {
        this.undo();
        return true;
      }
      this.#result ??= this.#wait.attempt(look);
      if (this.#result === undefined) {
        if (this.#wait.noted !== undefined) endBeginning(undefined, this.#wait.noted);
        return false;
      }
      this.resolve(this.#result);
    } catch (error) {
      this.reject(error);
    }
    return true;
  }

  override giveUp(reason: unknown): void {
    if (this.#result !== undefined) {
      this.leave();
      this.resolve(this.#result);
      return;
    }
    try {
      this.#wait.calledOff?.();
    } catch (error) {
      super.giveUp(error); // the object is corrupt, which matters more than the original reason
      return;
    }
    super.giveUp(reason);
  }

  protected override leave(): void {
    this.#word.leave(this as WordTask<unknown>);
  }

  protected override expire(timeout: number): void {
    this.leave();
    try {
      this.resolve(this.#result ?? this.#wait.expired(timeout));
    } catch (error) {
      this.reject(error);
    }
  }
}
