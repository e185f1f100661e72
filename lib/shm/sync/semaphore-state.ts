import { Holders, type Use } from '../core/holders';
import type { LockSeat } from '../core/lock-seat';
import type { SeatState } from '../core/object-seat';
import { beginOperation, endOperation, undoInterrupted, type Operation } from '../core/operations';
import { loadFirst } from '../core/ordered';
import { Roster, entryLayout } from '../core/roster';
import { Turns, type Waiting } from '../core/turns';
import { Word } from '../core/word';

/** More permits than any program needs, and few enough that sums of them are exact. */
export const mostPermits = 2 ** 30;

/** The semaphore's own words. Its roster follows them. */
const at = {
  /** Changes when a permit was given back. */
  freed: 0,
  /**
   * The number of permits that belong to the thread that acquires them, and come back when it dies. Those that are
   * held now are included.
   */
  pool: 2,
  /** The number of extra permits, which are used up by the thread that acquires them. */
  loose: 3,
  /** Two words; see {@link Turns}. */
  turns: 4,
} as const;

/** Whether a permit that was taken belongs to the thread now, or was used up. */
export type Permit = 'held' | 'loose';

/** The first words of a new semaphore. */
export function initialWords(value: number, robust: boolean): Uint8Array {
  const words = new Int32Array(at.loose + 1);
  words[robust ? at.pool : at.loose] = value;
  return new Uint8Array(words.buffer);
}

/**
 * What the handles of one thread to one semaphore share: the accounting of permits.
 *
 *     value = pool - what all on the roster hold + loose
 *
 * Every change writes one word: an entry's `held`, or `loose`. So if a process is killed, no count is left
 * half changed. Freeing the entry of a dead thread (Roster R1) gives its permits back. Invariants, by number:
 *
 * - S1  A thread that takes a permit of the pool first adds it to its own `held`, and counts
 *       afterwards. If there are too many now, it subtracts the permit again and announces that one
 *       was freed. If several threads do this at the same time, each sees the additions before its
 *       own, so there are never too many in the end.
 * - S2  If two threads try to take the last permit at the same time, both may fail. So a thread that
 *       tried and failed tries again under the lock. It waits only if that fails too.
 * - S3  A thread that has waited for long is served before others ({@link Turns}). While it has its
 *       ticket, permits are taken only under the lock, and a thread that gives one back tells all
 *       waiters.
 */
export class SemaphoreState implements SeatState, Operation {
  readonly freed: Word;
  /** Handles of this thread through which something is held. */
  readonly holders = new Holders();
  readonly max: number | undefined;
  readonly robust: boolean;
  readonly #seat: LockSeat;
  readonly #roster: Roster;
  readonly #words: Int32Array;
  readonly #turns: Turns;
  /** How many permits this thread held before it began to take or to release one, and how many of them by which handle. */
  #heldBefore = 0;
  #use: Use | undefined;
  #usedBefore = 0;
  #tookLoose = false;
  #isReleasing = false;
  /** Whether the last attempt to take a permit of the pool succeeded. */
  #isPlenty = false;

  constructor(seat: LockSeat) {
    this.#seat = seat;
    this.#roster = new Roster(seat);
    this.#words = seat.words;
    this.#turns = new Turns(this.#roster, at.turns);
    this.freed = new Word(seat, at.freed, true);
    this.max = seat.length === 0 ? undefined : seat.length;
    this.robust = seat.type !== 0;
  }

  get participants(): number {
    return this.#roster.capacity;
  }

  /** The number of permits that this thread holds. */
  get held(): number {
    const { own } = this.#roster;
    return own === 0 ? 0 : this.#word(own + entryLayout.held);
  }

  value(): number {
    return this.#seat.exclusively(() => {
      this.#reap();
      return this.#value();
    });
  }

  /**
   * Takes a permit if there is one. {@link done} must be called when there is a guard for it.
   *
   * @param look - whether to check for holders that have died
   * @param waiting - the wait of the task that wants the permit, if it waits
   */
  take(look: boolean, use: Use, waiting?: Waiting): Permit | undefined {
    this.#begin(false, use);
    const { own } = this.#roster;
    if ((own !== 0 || this.#word(at.pool) === 0) && !this.#turns.standing) {
      const outcome = this.#takeFromPool() ?? this.#takeLoose() ?? 'none';
      if (outcome === 'held' || outcome === 'loose') return outcome;
      if (outcome === 'none' && !look && waiting?.isLong !== true) return undefined;
    }
    return this.#seat.exclusively(() => {
      const { standing } = this.#turns;
      const isOurs = !standing || this.#turns.isOurs(look, this.#value() > 0);
      let taken = isOurs ? this.#take() : undefined;
      if (taken === undefined && look && this.#reap() > 0 && isOurs) taken = this.#take();
      if (taken === undefined) {
        if (waiting !== undefined) this.#turns.take(waiting);
      } else if (this.#turns.end()) {
        // There may be more permits for threads that were refused in the meantime.
        this.freed.announce();
      }
      return taken;
    });
  }

  /** Called when a task no longer waits. Ends its ticket, if it has one. */
  withdraw(waiting: Waiting): void {
    if (this.#turns.withdraw(waiting)) this.freed.announce();
  }

  /**
   * To be called when there is a guard for the permit that was taken, or when none was taken; and when a guard's permit
   * was released.
   */
  done(): void {
    endOperation();
    this.#tookLoose = false;
    // The handle must not be kept alive.
    this.#use = undefined;
  }

  /**
   * After an interruption, gives back a permit that was taken but for which there is no guard, or that was
   * being released.
   */
  undo(): void {
    const { own } = this.#roster;
    const before = this.#heldBefore;
    if (this.#use !== undefined) {
      const used = this.#usedBefore - Number(this.#isReleasing);
      this.holders.count(this.#use, Math.max(used, 0));
      this.#use = undefined;
    }
    const isHeld = this.#isReleasing ? this.held === before : this.held > before;
    if (own !== 0 && isHeld) this.#decrement(own + entryLayout.held);
    if (this.#tookLoose) Atomics.add(this.#words, at.loose, 1);
    this.#tookLoose = false;
    // There may be waiters for what was given back.
    this.freed.announce();
    this.freed.offer();
  }

  /** To be called before {@link release} for a guard's permit. */
  beginRelease(use: Use): void {
    this.#begin(true, use);
  }

  #begin(isReleasing: boolean, use: Use): void {
    undoInterrupted();
    this.#heldBefore = this.held;
    this.#isReleasing = isReleasing;
    this.#use = use;
    this.#usedBefore = use.held;
    beginOperation(this);
  }

  /**
   * Releases permits. If there would be more than `max`, releases nothing and returns the numbers for the
   * error. {@link offer} must be called afterwards.
   */
  release(count: number): { max: number; value: number } | undefined {
    if (count !== 1 || !this.#releaseOne()) {
      const tooMany = this.#seat.exclusively(() => this.#releaseSeveral(count));
      if (tooMany !== undefined) return tooMany;
    }
    if (this.#turns.standing) this.freed.announce();
    else this.freed.announce(count);
    return undefined;
  }

  /**
   * Lets tasks of this thread try to get what was released. These attempts are operations, so the one of the release
   * must have ended.
   */
  offer(): void {
    this.freed.offer();
  }

  close(): void {
    this.freed.close();
    this.#roster.leaveUnderLock();
  }

  /** Takes a permit if there is one. Must be called under the lock. */
  #take(): Permit | undefined {
    if (this.#word(at.pool) > 0) {
      this.#roster.join();
      if (this.#takeFromPool() === 'held') return 'held';
    }
    return this.#takeLoose();
  }

  #takeLoose(): 'loose' | undefined {
    if (!this.#decrement(at.loose)) return undefined;
    this.#tookLoose = true;
    return 'loose';
  }

  /**
   * Takes a permit of the pool if one is left (S1). Returns 'again' if another thread tried at the same time: then the
   * attempt must be repeated under the lock (S2). This thread must be on the roster, unless the pool is 0.
   */
  #takeFromPool(): 'held' | 'again' | undefined {
    const pool = this.#word(at.pool);
    if (pool === 0) return undefined;
    // There is no attempt when no permit is left, because a failed attempt wakes other threads. To count takes about as
    // long as the attempt, so it is left out while there are permits whenever this thread asks.
    if (!this.#isPlenty && this.#roster.held() >= pool) return undefined;
    const held = this.#roster.own + entryLayout.held;
    Atomics.add(this.#words, held, 1);
    this.#isPlenty = this.#roster.held() <= pool;
    if (this.#isPlenty) return 'held';
    this.#decrement(held);
    this.freed.announce(this.#turns.standing ? undefined : 1);
    return 'again';
  }

  /**
   * Releases without the lock if that is possible: this thread holds a permit, or no permit belongs to a
   * thread.
   */
  #releaseOne(): boolean {
    const { own } = this.#roster;
    if (own !== 0 && this.#decrement(own + entryLayout.held)) return true;
    if (this.max !== undefined || this.#word(at.pool) !== 0) return false;
    Atomics.add(this.#words, at.loose, 1);
    return true;
  }

  /** Must be called under the lock. */
  #releaseSeveral(count: number): { max: number; value: number } | undefined {
    const { max = mostPermits } = this;
    const value = this.#value();
    if (value + count > max) return { max, value };
    let left = count;
    while (left > 0 && this.#releaseHeld()) left--;
    Atomics.add(this.#words, at.loose, left);
    return undefined;
  }

  /** Releases a permit that this thread holds, or else one of any thread that holds one. */
  #releaseHeld(): boolean {
    const { own } = this.#roster;
    if (own !== 0 && this.#decrement(own + entryLayout.held)) return true;
    for (const entry of this.#roster.entries()) {
      if (this.#decrement(entry + entryLayout.held)) return true;
    }
    return false;
  }

  #value(): number {
    return Math.max(this.#word(at.pool) - this.#roster.held(), 0) + this.#word(at.loose);
  }

  /** Gives back what dead threads held. */
  #reap(): number {
    const gone = this.#roster.reap((entry) => this.#word(entry + entryLayout.held) > 0);
    if (gone > 0) this.freed.announce();
    return gone;
  }

  /** Subtracts 1 from a word if it is greater than 0. Other threads may do the same at the same time. */
  #decrement(index: number): boolean {
    const words = this.#words;
    for (;;) {
      const before = words[index] ?? 0;
      if (before <= 0) return false;
      if (Atomics.compareExchange(words, index, before, before - 1) === before) return true;
    }
  }

  #word(index: number): number {
    return loadFirst(this.#words, index);
  }
}
