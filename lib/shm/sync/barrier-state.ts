import type { LockSeat } from '../core/lock-seat';
import type { SeatState } from '../core/object-seat';
import type { Operation } from '../core/operations';
import { Roster, entryLayout } from '../core/roster';
import { Word } from '../core/word';

/** The word that contains the current generation and its status. */
const turnAt = 0;

/** What the words of a roster entry are used for. The roster has an entry for each thread that takes part. */
const at = {
  /** How many parties of this thread have arrived in the generation that `generation` names. */
  arrived: entryLayout.held,
  generation: entryLayout.first,
  /** The last generation that was broken while this thread was in it, plus 1. */
  broken: entryLayout.second,
} as const;

/** The status of a generation. */
export const enum Status {
  /** Parties are arriving. */
  Filling = 0,
  /** All parties have arrived, and the last one runs the action. */
  Acting = 1,
  /** A party left. Waiters must leave and nobody may arrive until the barrier is reset. */
  Broken = 2,
}

/** The statuses by the two lowest bits of the turn. The fourth value is not used. */
const statuses = [Status.Filling, Status.Acting, Status.Broken];

/** How a generation ended for a party, or undefined while it has not ended. */
export type Outcome = 'passed' | 'broken' | undefined;

/** One party that arrived. */
export interface Arrival {
  readonly generation: number;
  /** The position in which the party arrived, from 0. */
  readonly index: number;
  /** Whether all have arrived, and this party runs the action, and then lets the others go on. */
  readonly acts: boolean;
  /** Whether all have arrived, and this party has let the others go on. */
  readonly hasPassed: boolean;
}

/**
 * What the handles of one thread to one barrier share: which parties have arrived.
 *
 * Generations follow one another. Each has as many arrivals as there are parties. The word `turn` contains
 * the current generation and its status. Everything that happens to a generation is one change of this word,
 * under the lock. Invariants, by number:
 *
 * - B1  An arrival is counted by one word, the entry's `arrived`. It counts arrivals only for the
 *       entry's `generation`, and only while that is the current generation.
 * - B2  A generation that is no longer current was passed, except for those threads that were marked
 *       `broken` in it. Threads are marked before the turn goes on. If a marked thread finds that its
 *       generation is still current, it completes the breaking.
 * - B3  While a generation fills or acts, the death of any party that arrived in it breaks it.
 */
export class BarrierState implements SeatState {
  readonly turn: Word;
  readonly parties: number;
  readonly #seat: LockSeat;
  readonly #roster: Roster;
  readonly #words: Int32Array;

  constructor(seat: LockSeat) {
    this.#seat = seat;
    // Called before the entry of a dead thread is freed. If a party of that thread has arrived, the barrier must be
    // broken first. Otherwise the others would wait for a party that is no longer counted.
    this.#roster = new Roster(seat, (entry) => {
      if (this.#arrivedBy(entry) > 0) this.#break();
    });
    this.#words = seat.words;
    this.turn = new Word(seat, turnAt, false);
    this.parties = seat.length;
  }

  get participants(): number {
    return this.#roster.capacity;
  }

  get status(): Status {
    return this.#status;
  }

  /** How many parties wait. Parties that died are not counted: their death breaks the barrier. */
  waiting(): number {
    return this.#exclusively(() => {
      this.#breakForTheDead();
      return this.#status === Status.Filling ? this.#arrived() : 0;
    });
  }

  broken(): boolean {
    return this.#exclusively(() => {
      this.#breakForTheDead();
      return this.#status === Status.Broken;
    });
  }

  /**
   * Must be called before {@link arrive}: waiting tasks of this thread find out how their generation ended. An entry
   * can be marked as broken in one generation only (B2), so they must read the mark before this thread takes part in
   * another generation. An operation must not have begun, because they begin operations themselves.
   */
  prepare(): void {
    if (this.turn.awaited) this.turn.review();
  }

  /**
   * Records that a party has arrived. Returns 'broken' if the barrier is broken. Returns undefined if all parties of
   * the current generation have arrived already, so that this party must wait for the next generation.
   *
   * @param look - whether to check for parties that have died.
   * @param hasAction - whether the last party runs an action. Otherwise its arrival lets all go on.
   */
  arrive(look: boolean, hasAction: boolean): Arrival | 'broken' | undefined {
    return this.#exclusively(() => {
      // The last party lets all others go on, so it must check for deaths too (B3).
      if (look || this.#arrived() === this.parties - 1) this.#breakForTheDead();
      const generation = this.#generation;
      if (this.#status === Status.Broken) return 'broken';
      const index = this.#arrived();
      if (this.#status === Status.Acting || index >= this.parties) return undefined;
      const own = this.#roster.join();
      // To make room for this thread may have shown that a party has died.
      if (this.status !== Status.Filling) return 'broken';
      if (this.#word(own + at.generation) !== generation) {
        this.#set(own + at.arrived, 0);
        this.#set(own + at.generation, generation);
      }
      this.#set(own + at.arrived, this.#word(own + at.arrived) + 1);
      const isLast = index === this.parties - 1;
      const acts = isLast && hasAction;
      const hasPassed = isLast && !hasAction;
      if (acts) this.#turnTo(generation, Status.Acting);
      if (hasPassed) this.#turnTo(next(generation), Status.Filling);
      return { generation, index, acts, hasPassed };
    });
  }

  /**
   * Returns the operation of an arrival that is about to be made (see operations.ts). If the arrival is interrupted,
   * the operation breaks the barrier, as any party does that leaves it.
   */
  arrival(): Operation {
    const { own } = this.#roster;
    const generation = this.#generation;
    const arrived = own === 0 ? 0 : this.#arrivedBy(own);
    return {
      undo: () => {
        // The arrival may have ended the generation, but was interrupted before it woke the others.
        this.turn.wake();
        const { own } = this.#roster;
        if (own === 0 || this.#status === Status.Broken) return;
        const isSame = this.#generation === generation;
        if (this.#arrivedBy(own) > (isSame ? arrived : 0)) this.break();
      },
    };
  }

  /**
   * Called when the action is done: lets all parties go on. Returns false if the barrier was broken in the
   * meantime.
   */
  pass({ generation }: Arrival): boolean {
    return this.#exclusively(() => {
      if (this.#generation !== generation || this.#status !== Status.Acting) return false;
      this.#turnTo(next(generation), Status.Filling);
      return true;
    });
  }

  /**
   * Returns how the generation ended for an arrival of this thread.
   *
   * @param look - whether to check for parties that have died.
   */
  outcome({ generation }: Arrival, look: boolean): Outcome {
    if (look) this.#exclusively(() => this.#breakForTheDead());
    // The turn is read only once, and before the mark. If the generation is over according to the turn, then it has
    // been decided whether this thread is marked in it, because threads are marked first (B2).
    const turn = this.turn.value;
    const isMarked = this.#word(this.#roster.own + at.broken) === markOf(generation);
    if (isMarked) {
      this.break(generation);
      return 'broken';
    }
    if (generationOf(turn) !== generation) return 'passed';
    return statusOf(turn) === Status.Broken ? 'broken' : undefined;
  }

  /** Breaks a generation, unless it is no longer current. */
  break(generation = this.#generation): void {
    this.#exclusively(() => {
      if (this.#generation === generation) this.#break();
    });
  }

  /** Breaks the current generation, and begins one that is not broken. */
  reset(): void {
    this.#exclusively(() => {
      if (this.#status === Status.Filling && this.#arrived() === 0) return;
      const generation = this.#generation;
      this.#mark(generation);
      this.#turnTo(next(generation), Status.Filling);
    });
  }

  close(): void {
    this.turn.close();
    this.#roster.leaveUnderLock();
  }

  /**
   * Runs the body under the lock. If that decides how a generation ends, wakes all who wait for it. They are woken
   * after the lock is released, because most of them acquire it next. While the last party acts, there is nothing to do
   * for the others.
   */
  #exclusively<T>(body: () => T): T {
    const generation = { hasEnded: false };
    try {
      return this.#seat.exclusively(() => {
        const before = this.turn.value;
        try {
          return body();
        } finally {
          generation.hasEnded = this.turn.value !== before && this.#status !== Status.Acting;
        }
      });
    } finally {
      if (generation.hasEnded) this.turn.wake();
    }
  }

  /** Breaks the current generation if a party that arrived in it has died (B3). Must be called under the lock. */
  #breakForTheDead(): void {
    if (this.#status === Status.Broken) return;
    this.#roster.reap((entry) => this.#arrivedBy(entry) > 0);
  }

  #break(): void {
    if (this.#status === Status.Broken) return;
    const generation = this.#generation;
    this.#mark(generation);
    this.#turnTo(generation, Status.Broken);
  }

  #mark(generation: number): void {
    for (const entry of this.#roster.entries()) {
      if (this.#arrivedBy(entry) > 0) this.#set(entry + at.broken, markOf(generation));
    }
  }

  #arrived(): number {
    let sum = 0;
    for (const entry of this.#roster.entries()) sum += this.#arrivedBy(entry);
    return sum;
  }

  #arrivedBy(entry: number): number {
    const isOfNow = this.#word(entry + at.generation) === this.#generation;
    return isOfNow ? Math.max(this.#word(entry + at.arrived), 0) : 0;
  }

  get #generation(): number {
    return generationOf(this.turn.value);
  }

  get #status(): Status {
    return statusOf(this.turn.value);
  }

  #turnTo(generation: number, status: Status): void {
    this.turn.value = (generation << 2) | status;
  }

  #word(index: number): number {
    return Atomics.load(this.#words, index);
  }

  #set(index: number, value: number): void {
    Atomics.store(this.#words, index, value);
  }
}

function generationOf(turn: number): number {
  return turn >> 2;
}

function statusOf(turn: number): Status {
  return statuses[turn & 3] ?? Status.Broken;
}

/** The numbers of generations start again after 2^30. */
function next(generation: number): number {
  return ((generation + 1) << 2) >> 2;
}

function markOf(generation: number): number {
  return (generation + 1) | 0;
}
