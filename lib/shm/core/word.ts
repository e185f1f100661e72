import { native, thread } from './binding';
import { SharedMemoryError } from '../../common/errors';
import { called } from './names';
import { reasonOf } from '../../common/options';
import { deadlineOf, now } from './clock';
import type { ObjectSeat } from './object-seat';
import { layout } from './layout';
import { endBeginning, endHeldOperation, holdOperation, type Operation } from './operations';
import { PendingTask } from './pending-task';

/**
 * How long a wait lasts at most before those who wait look again. A process that dies wakes nobody,
 * neither those whom it was about to wake nor those who wait for what it held; so each wait ends
 * now and then, more often in its beginning.
 */
const shortestSliceMs = 10;
const longestSliceMs = 160;

/**
 * How often in a row tasks of a thread profit from what the same thread gave up, without others
 * having been offered it in between.
 */
const mostHandovers = 16;

const everybody = 0xffff_ffff;

const watches = thread.watches as Map<number, { hear(): void }>;

/** Wakes so many of those who wait for a word, which has been changed before. */
export function wake(seat: ObjectSeat, at: number, count = everybody): void {
  if (Atomics.load(seat.words, at + 1) !== 0) native.wordWake(seat.index, offsetOf(at), count);
}

function offsetOf(at: number): number {
  return layout.headerBytes + 4 * at;
}

/** Has somebody hear of news of a watch; nobody any more without one. */
export function tellOf(watch: number, listener: { hear(): void } | undefined): void {
  if (listener === undefined) watches.delete(watch);
  else watches.set(watch, listener);
}

/**
 * What somebody who waits does whenever it may have become possible.
 *
 * @param look - whether nothing has changed for a while, so that those who are waited for may be
 * dead: see whether they are.
 * @returns undefined while it has to wait.
 */
export type Attempt<T> = (look: boolean) => T | undefined;

/** How a wait ends, and what is said when it does not in time. */
export interface Wait<T> {
  /** The handle through which somebody waits. */
  readonly handle: object;
  readonly attempt: Attempt<T>;
  /** Milliseconds, or undefined for a wait without end. */
  readonly timeout: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Throws, after whatever has to be put right, or finds that it is done in the last moment. */
  readonly expired: (timeout: number) => T;
  /** The wait was called off: puts right what has to be. */
  readonly calledOff?: () => void;
  /** What an attempt in vain leaves noted, so that it is taken back should the beginning be interrupted. */
  readonly noted?: Operation;
  /** What who waits holds until there is a promise of it. */
  readonly beginning?: Operation;
}

/**
 * A word of a shared object that changes whenever there is something new to those who wait for it,
 * and all tasks of this thread that do. The contract underneath is native/os/waiter.h.
 */
export class Word {
  readonly #seat: ObjectSeat;
  readonly #offset: number;
  readonly #at: number;
  readonly #isQueue: boolean;
  readonly #tasks = new Set<WordTask<unknown>>();
  #watch: number | undefined;
  #watching = false;
  #slice = shortestSliceMs;
  #seen = 0;
  #handovers = 0;
  #reviewing = false;
  /** Were it interrupted, those who are left wait on. */
  readonly #reviewal = {
    undo: () => {
      this.#reviewing = false;
      if (this.#tasks.size > 0) this.#wait(this.value - 1);
    },
  };

  /**
   * @param at - which of the seat's words; the one after it counts those who wait.
   * @param isQueue - tasks of this thread are served strictly in their order: while the first has to
   * wait, so have the others.
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

  /** Says that there is something new, to so many of those who wait. */
  announce(count = everybody): void {
    Atomics.add(this.#seat.words, this.#at, 1);
    this.wake(count);
  }

  /** Wakes so many of those who wait; the word has been changed before. */
  wake(count = everybody): void {
    wake(this.#seat, this.#at, count);
  }

  /** Lets tasks of this thread have what it has just given up. */
  offer(): void {
    if (this.#tasks.size === 0 || this.#reviewing) return;
    if (this.#handovers++ < mostHandovers) {
      this.review();
    } else {
      this.#handovers = 0; // the thread that watches the word tells of it as it tells of others
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

  /** Waits without blocking anything. */
  async wait<T>(wait: Wait<T>): Promise<T> {
    if (wait.signal?.aborted) {
      wait.calledOff?.();
      throw reasonOf(wait.signal);
    }
    const seen = this.value;
    if (!this.#isQueue || this.#tasks.size === 0) {
      const result = wait.attempt(true);
      if (result !== undefined) {
        endBeginning(undefined, wait.beginning);
        return result;
      }
    }
    if (wait.timeout === 0) {
      const result = wait.expired(0);
      endBeginning(wait.noted, wait.beginning);
      return result;
    }
    const task = new WordTask<T>(this, wait);
    holdOperation(task);
    this.#tasks.add(task as WordTask<unknown>);
    task.arm();
    // Whoever watches it for others tells of whatever came after they looked, and so after this look.
    if (!this.#watching) this.#wait(seen);
    endBeginning(wait.noted, task, wait.beginning);
    task.hasBegun = true;
    return task.promise;
  }

  /** The word has changed, or its time is over, as the thread that watches it tells. */
  hear(): void {
    // One that was woken in vain, for its tasks went away meanwhile, passes it on.
    if (this.#tasks.size === 0) this.wake(1);
    this.review(true);
  }

  /** Makes the attempts of those who wait, and waits on for those to whom it brought nothing. */
  review(isOverdue = false): void {
    if (this.#reviewing) return;
    this.#reviewing = true;
    if (this.#seat.hasEnded) {
      this.#watching = false;
      this.#giveUp(() => true, this.#seat.endedError());
      this.#reviewing = false;
      return;
    }
    holdOperation(this.#reviewal);
    const seen = this.value;
    const isSame = this.#watching && seen === this.#seen;
    const look = isSame && isOverdue;
    if (look) this.#slice = Math.min(2 * this.#slice, longestSliceMs);
    if (!isSame) this.#slice = shortestSliceMs;
    this.#watching = false;
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
      // Who comes next may have waited for this one only.
      if (this.#isQueue) this.review();
    } else {
      if (this.#watch !== undefined) native.watchCancel(this.#watch);
      this.#watching = false;
    }
  }

  /** Gives up those who wait through a handle that was closed; returns how many. */
  giveUp(handle: object, reason: unknown): number {
    return this.#giveUp((task) => task.handle === handle, reason);
  }

  /** The last handle of this thread lets go. */
  close(): void {
    if (this.#watch === undefined) return;
    watches.delete(this.#watch);
    native.watchClose(this.#watch);
    this.#watch = undefined;
  }

  #wait(seen: number): void {
    this.#seen = seen;
    if (this.#watch === undefined) {
      this.#watch = native.watchOpen(this.#seat.index, this.#offset);
      if (this.#watch !== undefined) watches.set(this.#watch, this);
    }
    this.#watching =
      this.#watch !== undefined && native.watchWait(this.#watch, seen, this.#slice, true);
    if (!this.#watching) {
      this.#giveUp(
        () => true,
        new SharedMemoryError(
          'EAGAIN',
          `${called(this.#seat.kind, this.#seat.name)}: the system gives no thread to wait for it`,
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

/** A task that awaits something at a word. */
class WordTask<T> extends PendingTask<T> {
  readonly #word: Word;
  readonly #wait: Wait<T>;
  /** What it has got and was perhaps not told of: were it interrupted then, it is the next time. */
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

  /** Whether it is done waiting. */
  attempt(look: boolean): boolean {
    try {
      if (!this.hasBegun) {
        this.undo();
        return true;
      }
      this.#result ??= this.#wait.attempt(look);
      if (this.#result === undefined) {
        endBeginning(this.#wait.noted);
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
      super.giveUp(error); // its object is corrupt, which is worse to know than why it gave up
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
