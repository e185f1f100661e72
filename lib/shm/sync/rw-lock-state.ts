import { now } from '../core/clock';
import { Holders, type Use } from '../core/holders';
import type { LockSeat } from '../core/lock-seat';
import type { SeatState } from '../core/object-seat';
import { beginOperation, endOperation, undoInterrupted, type Operation } from '../core/operations';
import { loadFirst, storeLast } from '../core/ordered';
import { Roster, entryLayout } from '../core/roster';
import { Word } from '../core/word';

/** The lock's own words. Its roster follows them. */
const at = {
  /** Changes when a thread has released the lock, or no longer waits. */
  freed: 0,
  /** The number of the last ticket that was given out. */
  lastTicket: 2,
  /** 1 when a writer died and no other writer has acquired the lock since. */
  writerDied: 3,
  /** 0 while readers need not ask: see W1. */
  gate: 4,
} as const;

/** What the words of a roster entry are used for. The roster has an entry for each thread that takes part. */
const of = {
  /** How many reads the thread holds, or -1 when it writes. */
  held: entryLayout.held,
  /** The ticket with which the thread waits, or 0. */
  ticket: entryLayout.first,
  /** What the thread waits for. Written before the ticket. */
  wants: entryLayout.second,
} as const;

const writing = -1;
const open = 0;
const closed = 1;

/** How long a free lock is reserved for the threads whose turn it is. */
const patienceMs = 200;

/** How a thread may hold the lock. */
export const enum Mode {
  Read = 1,
  Write = 2,
}

/** A task that wants the lock. */
export interface Claim {
  readonly mode: Mode;
  /**
   * Whether the task blocks its thread. If that thread reads already, it may read once more at once, even if a writer
   * is waiting. The thread could not end its other reads while it is blocked.
   */
  readonly nested: boolean;
  /** Since when the task has seen that the lock is free but not taken by the threads whose turn it is. */
  passedOver?: number | undefined;
}

/** A change of what this thread holds. */
interface Step {
  /** Undefined for a release. */
  readonly claim: Claim | undefined;
  /** The handle, and how much was held through it before. */
  readonly use: Use;
  readonly usedBefore: number;
  readonly heldBefore: number;
  /** Whether a writer had died and no other writer had acquired the lock since. */
  readonly newsBefore: number;
  /** For a release: what the thread holds afterwards. */
  readonly heldAfter?: number;
}

/** The result of a claim that was granted. */
export interface Granted {
  /** Whether a writer died while it held the lock, and no other writer has acquired it since. */
  readonly abandoned: boolean;
}

const granted: Granted = { abandoned: false };
const grantedAbandoned: Granted = { abandoned: true };

/**
 * What the handles of one thread to one read-write lock share: which threads read, write and wait.
 *
 * A thread that must wait takes a ticket. A reader is not served before a writer that has an earlier ticket.
 * A writer is not served before any earlier ticket. So all get their turn. A thread has at most one ticket:
 * that of its first waiting task.
 *
 * A grant is one word, the entry's `held`, and so is its end. Freeing the entry of a dead thread (Roster R1) ends
 * what it held or waited for. If it was writing, this is recorded before. Invariants, by number:
 *
 * - W1  A reader takes the lock without the structure's lock while the gate is open: it adds 1 to its `held`, and
 *       then looks at the gate. A writer closes the gate, and then looks at what all threads hold. So of a reader and a
 *       writer that come at the same time, at least one sees the other. A reader that finds the gate closed takes
 *       back what it added, tells those who wait, and asks under the lock.
 * - W2  The gate is closed while a writer holds the lock or has a ticket. All other grants, all tickets and every
 *       change of the gate happen under the structure's lock. A reader that is granted the lock there opens the
 *       gate if it may be open. If a writer dies or gives up, the gate stays closed until then.
 * - W3  A release takes no lock.
 */
export class RWLockState implements SeatState, Operation {
  readonly freed: Word;
  /** Handles of this thread through which something is held. */
  readonly holders = new Holders();
  readonly #seat: LockSeat;
  readonly #roster: Roster;
  readonly #words: Int32Array;
  /** The task that this thread's ticket belongs to. */
  #ticketOf: Claim | undefined;
  /** The step that is in progress, with what was held before it. */
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

  /** What this thread holds: how many reads, or -1 when it writes. */
  get held(): number {
    const { own } = this.#roster;
    return own === 0 ? 0 : this.#word(own + of.held);
  }

  /** How many reads there are, and whether there is a writer. */
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
   * Takes the lock if the claim may have it now. Returns undefined if it may not.
   *
   * @param look - whether to check for threads that have died
   * @param waits - whether the caller will wait for its turn if it is refused
   */
  take(claim: Claim, look: boolean, waits: boolean): Granted | undefined {
    if (claim.mode === Mode.Read) {
      const read = this.#readAtOnce();
      if (read !== undefined) return read;
    }
    return this.#takeInTurn(claim, look, waits);
  }

  /** W1. A thread that has a ticket must ask under the lock, where the ticket ends. */
  #readAtOnce(): Granted | undefined {
    const { own } = this.#roster;
    if (own === 0 || this.#word(at.gate) !== open || this.#word(own + of.ticket) !== 0) {
      return undefined;
    }
    Atomics.add(this.#words, own + of.held, 1);
    if (this.#word(at.gate) === open) return this.#news();
    Atomics.sub(this.#words, own + of.held, 1);
    this.freed.announce();
    return undefined;
  }

  #takeInTurn(claim: Claim, look: boolean, waits: boolean): Granted | undefined {
    return this.#seat.exclusively(() => {
      if (look) this.#reap();
      const own = this.#roster.join();
      if (claim.mode === Mode.Write) this.#set(at.gate, closed);
      if (!this.#mayTake(claim, own, look)) {
        if (waits) this.#queue(claim, own);
        return undefined;
      }
      const held = claim.mode === Mode.Write ? writing : this.#word(own + of.held) + 1;
      this.#set(own + of.held, held);
      this.#set(own + of.ticket, 0);
      this.#ticketOf = undefined;
      const news = this.#news();
      if (claim.mode === Mode.Write) this.#set(at.writerDied, 0);
      else if (this.#mayOpen()) this.#set(at.gate, open);
      return news;
    });
  }

  #news(): Granted {
    return this.#word(at.writerDied) === 0 ? granted : grantedAbandoned;
  }

  /** Whether no writer holds the lock or has a ticket (W2). */
  #mayOpen(): boolean {
    for (const entry of this.#roster.entries()) {
      const isWriter = this.#word(entry + of.wants) === (Mode.Write as number);
      if (this.#word(entry + of.held) < 0 || (isWriter && this.#word(entry + of.ticket) !== 0)) {
        return false;
      }
    }
    return true;
  }

  /** Begins a claim. {@link done} must be called when there is a guard for it, or when it is given up. */
  begin(claim: Claim, use: Use): void {
    undoInterrupted();
    this.#step = {
      claim,
      use,
      usedBefore: use.held,
      heldBefore: this.held,
      newsBefore: this.#word(at.writerDied),
    };
    // The operation is recorded last: undoing it then undoes this step, and not an earlier one.
    beginOperation(this);
  }

  /** See {@link begin}. */
  done(): void {
    endOperation();
    this.#step = undefined;
  }

  /**
   * After an interruption, gives back what nobody has a guard for, and stops waiting for more. A release is
   * completed.
   */
  undo(): void {
    const step = this.#step;
    this.#step = undefined;
    if (step === undefined) return;
    const { claim, use, usedBefore, heldBefore, newsBefore, heldAfter = heldBefore } = step;
    this.holders.count(use, claim === undefined ? Math.max(usedBefore - 1, 0) : usedBefore);
    if (claim !== undefined) this.withdraw(claim);
    if (this.held !== heldAfter) {
      this.#seat.exclusively(() => {
        if (claim?.mode === Mode.Write && newsBefore !== 0) this.#set(at.writerDied, 1);
        this.#set(this.#roster.own + of.held, heldAfter);
      });
    }
    this.freed.announce();
    this.freed.offer();
  }

  /** Called when a task no longer waits. Ends its ticket, if it has one. */
  withdraw(claim: Claim): void {
    if (this.#ticketOf !== claim) return;
    this.#ticketOf = undefined;
    this.#seat.exclusively(() => this.#set(this.#roster.own + of.ticket, 0));
    this.freed.announce();
  }

  /** To be called before {@link release}. */
  beginRelease(mode: Mode, use: Use): void {
    undoInterrupted();
    const heldBefore = this.held;
    const heldAfter = mode === Mode.Write ? 0 : Math.max(heldBefore - 1, 0);
    const usedBefore = use.held;
    this.#step = { claim: undefined, use, usedBefore, heldBefore, newsBefore: 0, heldAfter };
    beginOperation(this);
  }

  release(use: Use): void {
    const { own } = this.#roster;
    this.holders.count(use, Math.max(use.held - 1, 0));
    if (own !== 0) storeLast(this.#words, own + of.held, this.#step?.heldAfter ?? 0);
    this.freed.announce();
    this.done();
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
    // A thread may be stopped or busy when its turn has come. A thread that has waited for a while is served
    // before a thread that does not take what is free.
    return isTurn || (look && ticket !== 0 && isFree && isPassedOver(claim));
  }

  #queue(claim: Claim, own: number): void {
    // Another task of this thread has taken a ticket, which serves this task as well. The entry continues to say
    // what that other task waits for.
    if (this.#word(own + of.ticket) !== 0) return;
    this.#set(own + of.wants, claim.mode);
    this.#ticketOf = claim;
    // 0 means no ticket, so it is skipped when the numbers wrap around.
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
    return loadFirst(this.#words, index);
  }

  #set(index: number, value: number): void {
    Atomics.store(this.#words, index, value);
  }
}

/** Ticket numbers wrap around. */
function isEarlier(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

/** Whether the lock has been free for long, as far as the claim has seen, but could not be acquired. */
function isPassedOver(claim: Claim): boolean {
  const time = now();
  claim.passedOver ??= time;
  return time - claim.passedOver >= patienceMs;
}
