import { hasCode } from '../../common/errors';
import { now } from './clock';
import { entryLayout, type Roster } from './roster';

/** How long somebody waits for what others take ahead of it, before it has its turn. */
const longMs = 10;

/** How long what is free is left to one whose turn it is. */
const patienceMs = 200;

/** A task's wait, for as long as it lasts. */
export class Waiting {
  readonly #since = now();

  get isLong(): boolean {
    return now() - this.#since >= longMs;
  }
}

/**
 * Whose turn it is at an object that serves whoever comes first: which is fast, for who waits takes a
 * while to wake, and would let those starve who always come too late, or want more than others leave.
 *
 * So who has waited for long takes a ticket, and nobody goes ahead of an earlier one. A ticket is a
 * word of its thread's entry on the roster, written under the object's lock; a thread has one at most,
 * that of the first of its tasks that took one. It ends with its wait, with its thread, or when its
 * thread has not taken for a while what it could have: it may be stopped, or busy.
 */
export class Turns {
  readonly #roster: Roster;
  readonly #at: number;
  #waiting: Waiting | undefined;
  /** Since when this thread has been refused what is free. */
  #refusedSince: number | undefined;

  /**
   * @param at - where two of the object's own words are: the number of the last ticket that was given
   * out, and whether there may be one.
   */
  constructor(roster: Roster, at: number) {
    this.#roster = roster;
    this.#at = at;
  }

  /** Whether somebody may have a ticket. Without the lock: a moment ago. */
  get standing(): boolean {
    return this.#word(this.#at + 1) !== 0;
  }

  /**
   * Whether nobody else has a ticket, or an earlier one than this thread. Under the lock.
   *
   * @param look - whether those who have may be dead.
   * @param isFree - whether they could have what they wait for.
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
    // Theirs are over. Who is there still takes new ones.
    this.#isEarliest((entry) => this.#set(entry + entryLayout.first, 0));
    return true;
  }

  /** Takes a ticket for a task that has waited for long, if there is room for one. Under the lock. */
  take(waiting: Waiting): void {
    if (!waiting.isLong) return;
    let own: number;
    try {
      own = this.#roster.join();
    } catch (error) {
      // It waits on as one of those who come first or not at all.
      if (hasCode(error, 'ERR_CAPACITY')) return;
      throw error;
    }
    if (this.#ticketOf(own) !== 0) return;
    this.#waiting = waiting;
    this.#set(this.#at + 1, 1);
    // 0 means none, so it is left out when the numbers begin anew.
    const ticket = (this.#word(this.#at) + 1) | 0 || 1;
    this.#set(this.#at, ticket);
    this.#set(own + entryLayout.first, ticket);
  }

  /** This thread got what it waited for: returns whether it had a ticket. Under the lock. */
  end(): boolean {
    this.#waiting = undefined;
    const { own } = this.#roster;
    if (own === 0 || this.#ticketOf(own) === 0) return false;
    this.#set(own + entryLayout.first, 0);
    return true;
  }

  /**
   * A task waits no more: its ticket is over. One word, of this thread's own, so it takes no lock.
   *
   * @returns whether it had one, so that others are to be told.
   */
  withdraw(waiting: Waiting): boolean {
    return this.#waiting === waiting && this.end();
  }

  /** @param pass - is told of each that is before this thread's. */
  #isEarliest(pass?: (entry: number) => void): boolean {
    const { own } = this.#roster;
    const ticket = own === 0 ? 0 : this.#ticketOf(own);
    let [isEarliest, isStanding] = [true, ticket !== 0];
    for (const entry of this.#roster.entries()) {
      const theirs = this.#ticketOf(entry);
      if (entry === own || theirs === 0) continue;
      isStanding = true;
      // Numbers wrap around.
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
