import type { LockSeat } from '../core/lock-seat';
import type { SeatState } from '../core/object-seat';
import type { Operation } from '../core/operations';
import { Roster, entryLayout } from '../core/roster';
import { Word, wake } from '../core/word';

/** The index of the roster entry at which the next notification begins to look for a waiter. */
const turnAt = 0;

/**
 * What the words of a roster entry are used for. The roster has an entry for each thread that takes part. Each word
 * is a count that wraps around at 2^32.
 */
const at = {
  /** How many waits the thread has begun. A wait that was given up is subtracted again. */
  entered: entryLayout.held,
  /** How many of these waits were notified. This is the word that the thread waits for. */
  notified: entryLayout.word,
  /** How many of these notifications were received by a wait that has ended. */
  taken: entryLayout.first,
} as const;

/**
 * The operation of a wait (see operations.ts), which ends the wait if it is interrupted. A wait that blocks the
 * thread is such an operation until its end. An async wait is one until the caller has the promise.
 */
export class Waiting implements Operation {
  isNotified = false;
  /** How many waits the thread had begun before this one. */
  #before: number | undefined;
  readonly #end: (before: number, isNotified: boolean) => void;

  constructor(end: (before: number, isNotified: boolean) => void) {
    this.#end = end;
  }

  /**
   * Called when the wait is about to be counted.
   *
   * @param before - how many waits the thread has begun before this one.
   */
  begin(before: number): void {
    this.#before = before;
  }

  /** Called when the wait has ended, so that there is nothing to undo any more. */
  done(): void {
    this.#before = undefined;
  }

  undo(): void {
    if (this.#before !== undefined) this.#end(this.#before, this.isNotified);
    this.#before = undefined;
  }
}

/**
 * What the handles of one thread to one condition share: which threads wait, and which were notified.
 *
 * Each count is one word, so none is left half changed if a process is killed. Counts are changed and read
 * under the lock. The only exception is the read of `notified` that ends a wait:
 *
 *     entered - notified   are waiting for a notification
 *     notified - taken     were notified and have not gone on. If they are killed, these notifications
 *                          would be lost. So they are passed to others when the entry is freed.
 */
export class ConditionState implements SeatState {
  /** The word that this thread waits for. */
  notified: Word;
  readonly #seat: LockSeat;
  readonly #roster: Roster;
  readonly #words: Int32Array;
  /** How many notifications the waits of this thread have claimed. `taken` will reach this number. */
  #claimed = 0;

  constructor(seat: LockSeat) {
    this.#seat = seat;
    this.#roster = new Roster(seat, (entry) => this.#passOn(entry));
    this.#words = seat.words;
    this.notified = new Word(seat, turnAt, true);
  }

  get participants(): number {
    return this.#roster.capacity;
  }

  /**
   * Returns the operation of a wait. If the wait is interrupted, the operation ends it, and passes a notification that
   * it got to another waiter.
   */
  waiting(): Waiting {
    return new Waiting((before, isNotified) => {
      if (this.#words[this.#roster.own + at.entered] === before) return;
      const has = isNotified || this.claim(false) === true;
      this.leave(has);
      if (has) this.#seat.exclusivelyIfFree(() => this.#notify(1));
    });
  }

  /** Begins a wait. Must be called under the lock. */
  enter(waiting?: Waiting): void {
    if (this.#roster.own === 0) {
      const own = this.#roster.join();
      this.notified = new Word(this.#seat, own + at.notified, true);
      this.#claimed = 0;
    }
    const entered = this.#roster.own + at.entered;
    if (waiting) waiting.begin(this.#words[entered] ?? 0);
    this.#add(entered, 1);
  }

  /**
   * Claims a notification for a wait of this thread. Returns undefined when there is none.
   *
   * @param look - whether to check for waiters that have died: a notification that they got is passed on.
   */
  claim(look: boolean, waiting?: Waiting): true | undefined {
    const { own } = this.#roster;
    if (this.#difference(own + at.notified, this.#claimed) > 0) {
      this.#claimed = (this.#claimed + 1) | 0;
      if (waiting) waiting.isNotified = true;
      return true;
    }
    if (look) this.#seat.exclusivelyIfFree(() => this.#reap());
    return undefined;
  }

  /** Ends a wait. Must be called under the lock. */
  leave(isNotified: boolean, waiting?: Waiting): void {
    const { own } = this.#roster;
    this.#add(own + (isNotified ? at.taken : at.entered), isNotified ? 1 : -1);
    waiting?.done();
  }

  /** Subtracts waits that nobody will end, because their handle was closed. */
  forget(count: number): void {
    // This does not acquire the lock, because others may hold it for long. A notification that comes at this
    // very moment is lost with the wait, as it is when a waiter is killed.
    if (count > 0) this.#add(this.#roster.own + at.entered, -count);
  }

  /** Notifies up to `count` waiters, and returns how many. Must be called under the lock. */
  notify(count: number): number {
    this.#reap();
    return this.#notify(count);
  }

  close(): void {
    this.notified.close();
    this.#roster.leave();
  }

  #notify(count: number, except = 0): number {
    const words = this.#words;
    const all = [...this.#roster.entries()];
    const turn = all.length === 0 ? 0 : (words[turnAt] ?? 0) % all.length;
    words[turnAt] = Math.max(turn, 0) + 1;
    let notified = 0;
    for (let i = 0; i < all.length && notified < count; i++) {
      const entry = all[(i + Math.max(turn, 0)) % all.length] ?? 0;
      const waiting = entry === except ? 0 : this.#waiting(entry);
      const chosen = Math.min(waiting, count - notified);
      if (chosen <= 0) continue;
      this.#add(entry + at.notified, chosen);
      this.#wake(entry);
      notified += chosen;
    }
    if (this.#roster.own !== 0) this.notified.offer();
    return notified;
  }

  #waiting(entry: number): number {
    return this.#difference(entry + at.entered, this.#words[entry + at.notified] ?? 0);
  }

  /** Frees the entries of dead threads. */
  #reap(): void {
    const words = this.#words;
    this.#roster.reap((entry) => words[entry + at.entered] !== words[entry + at.taken]);
  }

  /**
   * Passes on the notifications that a dead thread got and did not act on. If this thread dies before the
   * entry is freed, other waiters are notified twice rather than never.
   */
  #passOn(entry: number): void {
    const taken = this.#words[entry + at.taken] ?? 0;
    const lost = this.#difference(entry + at.notified, taken);
    if (lost > 0) this.#notify(lost, entry);
  }

  #wake(entry: number): void {
    const act = () => wake(this.#seat, entry + at.notified);
    // A thread that is woken now would only wait for the lock.
    if (this.#seat.holder === null) act();
    else this.#seat.afterwards(act);
  }

  /** How far a count is ahead of another. Counts wrap around. */
  #difference(index: number, than: number): number {
    return ((this.#words[index] ?? 0) - than) | 0;
  }

  #add(index: number, delta: number): void {
    Atomics.add(this.#words, index, delta);
  }
}
