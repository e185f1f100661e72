import { hasCode } from '../../common/errors';
import { now } from './clock';
import { entryLayout, type Roster } from './roster';

/** How long a task waits while others are served before it, until it takes a ticket. */
const longMs = 10;

/** How long something free is reserved for the task whose turn it is. */
const patienceMs = 200;

/** The wait of a task. It exists for as long as the wait lasts. */
export class Waiting {
  readonly #since = now();

  get isLong(): boolean {
    return now() - this.#since >= longMs;
  }
}

/**
 * Decides whose turn it is, for objects that normally serve the first thread that comes. That is fast,
 * because a waiter takes a while to wake up. But a waiter would starve if it always came too late, or wanted
 * more than others leave.
 *
 * So a task that has waited for long takes a ticket, and no thread is served before an earlier ticket. A
 * ticket is a word in its thread's entry on the roster, written under the object's lock. A thread has at most
 * one ticket: that of its first task that took one. A ticket ends in one of three ways: its wait ends, its
 * thread ends, or the thread has not taken for a while what it could have had, because it may be stopped or
 * busy.
 */
export class Turns {
  readonly #roster: Roster;
  readonly #at: number;
  #waiting: Waiting | undefined;
  /** Since when something was free but this thread had to leave it to a ticket. */
  #refusedSince: number | undefined;

  /**
   * @param at - the index of two of the object's own words: the number of the last ticket that was given out,
   * and whether there may be any ticket.
   */
  constructor(roster: Roster, at: number) {
    this.#roster = roster;
    this.#at = at;
  }

  /** Whether there may be a ticket. Read without the lock, so it may be out of date. */
  get standing(): boolean {
    return this.#word(this.#at + 1) !== 0;
  }

  /**
   * Whether no other thread has a ticket that is earlier than this thread's. A thread without a ticket comes
   * after all tickets. Must be called under the lock.
   *
   * @param look - whether to check for dead threads that still have tickets.
   * @param isFree - whether what the threads with tickets wait for is available now.
   */
  isOurs(look: boolean, isFree: boolean): boolean {
    if (!this.standing) return true;
    if (look) this.#roster.reap((entry) => this.#ticketOf(entry) !== 0);
    const isOurs = this.#isEarliest();
    if (isOurs || !isFree) {
      this.#refusedSince = undefined;
      return isOurs;
    }
    const time = now();
    this.#refusedSince ??= time;
    if (time - this.#refusedSince < patienceMs) return false;
    this.#refusedSince = undefined;
    // The other tickets end here. Threads that are still alive take new ones.
    this.#isEarliest((entry) => this.#set(entry + entryLayout.first, 0));
    return true;
  }

  /**
   * Takes a ticket for a task that has waited for long, if there is room for one. Must be called under the
   * lock.
   */
  take(waiting: Waiting): void {
    if (!waiting.isLong) return;
    let own: number;
    try {
      own = this.#roster.join();
    } catch (error) {
      // The task goes on waiting without a ticket.
      if (hasCode(error, 'ERR_CAPACITY')) return;
      throw error;
    }
    if (this.#ticketOf(own) !== 0) return;
    this.#waiting = waiting;
    this.#set(this.#at + 1, 1);
    // 0 means no ticket, so it is skipped when the numbers wrap around.
    const ticket = (this.#word(this.#at) + 1) | 0 || 1;
    this.#set(this.#at, ticket);
    this.#set(own + entryLayout.first, ticket);
  }

  /**
   * Called when this thread got what it waited for. Ends its ticket, and returns whether it had one. Must be called
   * under the lock.
   */
  end(): boolean {
    this.#waiting = undefined;
    const { own } = this.#roster;
    if (own === 0 || this.#ticketOf(own) === 0) return false;
    this.#set(own + entryLayout.first, 0);
    return true;
  }

  /**
   * Called when a task no longer waits. Ends its ticket, if it has one. This writes one word that belongs to this
   * thread, so it needs no lock.
   *
   * @returns whether the task had a ticket. If so, the caller must wake the other waiters.
   */
  withdraw(waiting: Waiting): boolean {
    return this.#waiting === waiting && this.end();
  }

  /**
   * Whether no other thread has an earlier ticket than this thread.
   *
   * @param pass - called with each entry on the roster whose ticket is earlier than this thread's.
   */
  #isEarliest(pass?: (entry: number) => void): boolean {
    const { own } = this.#roster;
    const ticket = own === 0 ? 0 : this.#ticketOf(own);
    let [isEarliest, isStanding] = [true, ticket !== 0];
    for (const entry of this.#roster.entries()) {
      const theirs = this.#ticketOf(entry);
      if (entry === own || theirs === 0) continue;
      isStanding = true;
      // Ticket numbers wrap around.
      if (ticket !== 0 && ((theirs - ticket) | 0) > 0) continue;
      isEarliest = false;
      pass?.(entry);
    }
    if (!isStanding) this.#set(this.#at + 1, 0);
    return isEarliest;
  }

  #ticketOf(entry: number): number {
    return this.#word(entry + entryLayout.first);
  }

  #word(index: number): number {
    return this.#roster.words[index] ?? 0;
  }

  #set(index: number, value: number): void {
    Atomics.store(this.#roster.words, index, value);
  }
}
