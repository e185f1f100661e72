import { now } from '../core/clock';
import { Holders } from '../core/holders';
import type { LockSeat } from '../core/lock-seat';
import type { SeatState } from '../core/object-seat';
import { beginOperation, endOperation, undoInterrupted, type Operation } from '../core/operations';
import { Roster, entryLayout } from '../core/roster';
import { Word } from '../core/word';

/** The lock's own words; its roster follows. */
const at = {
  /** Changes when somebody gave something back, or waits no more. */
  freed: 0,
  /** The number of the last ticket that was given out. */
  lastTicket: 2,
  /** 1 when a writer died whose successor has not come. */
  writerDied: 3,
} as const;

/** What its entries are used for. */
const of = {
  /** How many reads the thread has, or -1: it writes. */
  held: entryLayout.held,
  /** The ticket by which the thread waits, or 0. */
  ticket: entryLayout.first,
  /** What for. Written before the ticket. */
  wants: entryLayout.second,
} as const;

const writing = -1;

/** How long a free lock is left to those whose turn it is. */
const patienceMs = 200;

/** How a thread may hold the lock. */
export const enum Mode {
  Read = 1,
  Write = 2,
}

/** A task that wants the lock. */
export interface Claim {
  readonly mode: Mode;
  /** A sync read of a thread that reads: it goes ahead, for those reads wait for its end. */
  readonly nested: boolean;
  /** Since when it has seen the lock be free, and not taken by those whose turn it is. */
  passedOver?: number | undefined;
}

/** A change of what this thread holds. */
interface Step {
  /** Undefined: a release. */
  readonly claim: Claim | undefined;
  readonly heldBefore: number;
  /** Whether a writer had died whose successor has not come. */
  readonly newsBefore: number;
  /** Of a release, with what tells the guard that it has no more to give. */
  readonly heldAfter?: number;
  readonly released?: () => void;
}

/** That a claim was granted. */
export interface Granted {
  /** Whether a writer died holding it, and no other has come since. */
  readonly abandoned: boolean;
}

/**
 * What the read-write locks of one thread share: who reads, who writes, who waits.
 *
 * Who has to wait takes a ticket. A reader goes ahead of nobody with an earlier ticket who wants to
 * write, and a writer of nobody with an earlier ticket at all; so all get their turn. A thread has
 * one ticket at most: that of the first of its tasks.
 *
 * A grant is one word, the entry's `held`, made under the lock; so is its end. Freeing the entry of
 * a dead thread (Roster R1) ends what it held or waited for; that it was writing is noted before.
 */
export class RWLockState implements SeatState, Operation {
  readonly freed: Word;
  /** Handles of this thread through which something is held. */
  readonly holders = new Holders();
  readonly #seat: LockSeat;
  readonly #roster: Roster;
  readonly #words: Int32Array;
  /** Whose ticket this thread's is. */
  #ticketOf: Claim | undefined;
  /** What is under way, and what was held before. */
  #step: Step | undefined;

  constructor(seat: LockSeat) {
    this.#seat = seat;
    this.#roster = new Roster(seat, (entry) => {
      if (this.#word(entry + of.held) < 0) this.#set(at.writerDied, 1);
    });
    this.#words = seat.words;
    this.freed = new Word(seat, at.freed, true);
  }

  get participants(): number {
    return this.#roster.capacity;
  }

  /** How this thread holds it: how many reads, or -1 when it writes. */
  get held(): number {
    const { own } = this.#roster;
    return own === 0 ? 0 : this.#word(own + of.held);
  }

  /** How many reads there are, and whether somebody writes. */
  survey(): { readers: number; isWriting: boolean } {
    return this.#seat.exclusively(() => {
      this.#reap();
      let readers = 0;
      let isWriting = false;
      for (const entry of this.#roster.entries()) {
        const held = this.#word(entry + of.held);
        if (held > 0) readers += held;
        if (held < 0) isWriting = true;
      }
      return { readers, isWriting };
    });
  }

  /**
   * @param look - whether the others may have died
   * @param waits - whether who is refused waits for its turn
   */
  take(claim: Claim, look: boolean, waits: boolean): Granted | undefined {
    return this.#seat.exclusively(() => {
      if (look) this.#reap();
      const own = this.#roster.join();
      if (!this.#mayTake(claim, own, look)) {
        if (waits) this.#queue(claim, own);
        return undefined;
      }
      const held = claim.mode === Mode.Write ? writing : this.#word(own + of.held) + 1;
      this.#set(own + of.held, held);
      this.#set(own + of.ticket, 0);
      this.#ticketOf = undefined;
      const abandoned = this.#word(at.writerDied) !== 0;
      if (claim.mode === Mode.Write) this.#set(at.writerDied, 0);
      return { abandoned };
    });
  }

  /** A claim is made; {@link done} is called when there is a guard for it, or it is given up. */
  begin(claim: Claim): void {
    undoInterrupted();
    this.#step = { claim, heldBefore: this.held, newsBefore: this.#word(at.writerDied) };
    // It is noted last: what would be undone is this step then, and none before it.
    beginOperation(this);
  }

  done(): void {
    endOperation();
    this.#step = undefined;
  }

  /** What nobody has a guard for is given back, and nobody waits for more. A release is completed. */
  undo(): void {
    const step = this.#step;
    this.#step = undefined;
    if (step === undefined) return;
    const { claim, heldBefore, newsBefore, heldAfter = heldBefore } = step;
    step.released?.();
    if (claim !== undefined) this.withdraw(claim);
    if (this.held !== heldAfter) {
      this.#seat.exclusively(() => {
        if (claim !== undefined && newsBefore !== 0) this.#set(at.writerDied, 1);
        this.#set(this.#roster.own + of.held, heldAfter);
      });
    }
    this.freed.announce();
    this.freed.offer();
  }

  /** A task waits no more. */
  withdraw(claim: Claim): void {
    if (this.#ticketOf !== claim) return;
    this.#ticketOf = undefined;
    this.#seat.exclusively(() => this.#set(this.#roster.own + of.ticket, 0));
    this.freed.announce();
  }

  release(mode: Mode, released: () => void): void {
    undoInterrupted();
    const heldBefore = this.held;
    const heldAfter = mode === Mode.Write ? 0 : heldBefore - 1;
    this.#step = { claim: undefined, heldBefore, newsBefore: 0, heldAfter, released };
    beginOperation(this);
    released();
    this.#seat.exclusively(() => this.#set(this.#roster.own + of.held, heldAfter));
    this.done();
    this.freed.announce();
    this.freed.offer();
  }

  close(): void {
    this.freed.close();
    this.#roster.leaveUnderLock();
  }

  #mayTake(claim: Claim, own: number, look: boolean): boolean {
    const { mode, nested } = claim;
    const held = this.#word(own + of.held);
    if (held !== 0) claim.passedOver = undefined;
    if (held < 0 || (held > 0 && mode === Mode.Write)) return false;
    if (nested && held > 0) return true;
    const ticket = this.#word(own + of.ticket);
    let isFree = held === 0;
    let isTurn = true;
    for (const entry of this.#roster.entries()) {
      if (entry === own) continue;
      const others = this.#word(entry + of.held);
      if (others !== 0) claim.passedOver = undefined;
      if (others < 0 || (others > 0 && mode === Mode.Write)) return false;
      if (others > 0) isFree = false;
      const theirs = this.#word(entry + of.ticket);
      if (theirs === 0 || (ticket !== 0 && !isEarlier(theirs, ticket))) continue;
      const forWriting = this.#word(entry + of.wants) === (Mode.Write as number);
      if (mode === Mode.Write || forWriting) isTurn = false;
    }
    // A thread may be stopped, or busy, when its turn has come: who has waited for a while goes ahead
    // of one who does not take what is free.
    return isTurn || (look && ticket !== 0 && isFree && isPassedOver(claim));
  }

  #queue(claim: Claim, own: number): void {
    // Another task's: it serves this one as well, and says what that one waits for.
    if (this.#word(own + of.ticket) !== 0) return;
    this.#set(own + of.wants, claim.mode);
    this.#ticketOf = claim;
    // 0 means none, so it is left out when the numbers begin anew.
    const ticket = (this.#word(at.lastTicket) + 1) | 0 || 1;
    this.#set(at.lastTicket, ticket);
    this.#set(own + of.ticket, ticket);
  }

  #reap(): void {
    const gone = this.#roster.reap(
      (entry) => this.#word(entry + of.held) !== 0 || this.#word(entry + of.ticket) !== 0,
    );
    if (gone > 0) this.freed.announce();
  }

  #word(index: number): number {
    return this.#words[index] ?? 0;
  }

  #set(index: number, value: number): void {
    Atomics.store(this.#words, index, value);
  }
}

/** Tickets wrap around. */
function isEarlier(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

/** Whether the lock has been free for long, as far as a claim has seen, and could not be had. */
function isPassedOver(claim: Claim): boolean {
  const time = now();
  claim.passedOver ??= time;
  return time - claim.passedOver >= patienceMs;
}
