import type { LockSeat } from '../core/lock-seat';
import type { SeatState } from '../core/object-seat';
import type { Operation } from '../core/operations';
import { Roster, entryLayout } from '../core/roster';
import { Word } from '../core/word';

/** The word that says of which generation it is the turn, and how that stands. */
const turnAt = 0;

/** What a barrier's entries are used for. */
const at = {
  /** How many parties of this thread have arrived, in the generation of `generation`. */
  arrived: entryLayout.held,
  generation: entryLayout.first,
  /** The last generation that was broken while this thread was in it, plus 1. */
  broken: entryLayout.second,
} as const;

/** How a generation stands. */
export const enum Status {
  /** Parties arrive. */
  Filling = 0,
  /** All have arrived, and the last of them does the action. */
  Acting = 1,
  /** A party went away; who waits has to, and who comes may not, until it is reset. */
  Broken = 2,
}

/** By the two lowest bits of the turn; a fourth is nobody's. */
const statuses = [Status.Filling, Status.Acting, Status.Broken];

/** How a generation ended for a party, or that it has not. */
export type Outcome = 'passed' | 'broken' | undefined;

/** One party that arrived. */
export interface Arrival {
  readonly generation: number;
  /** Which it was, from 0. */
  readonly index: number;
  /** All have arrived: this one does the action, then lets the others go. */
  readonly isLast: boolean;
}

/**
 * What the barriers of one thread share: who has arrived.
 *
 * Generations follow one another, each of as many arrivals as there are parties. The word `turn` has
 * the present generation and its status: everything that happens to a generation is one change of
 * it, under the lock. Invariants, by number:
 *
 * - B1  An arrival is counted by one word, the entry's `arrived`, in which only arrivals of the entry's
 *       `generation` count, if that has the turn.
 * - B2  A generation that has lost its turn was passed, but for those threads that were marked
 *       `broken` in it. They are marked before the turn goes on; a marked one that finds the turn
 *       still its own does the rest.
 * - B3  While a generation fills or acts, the death of anyone who arrived in it breaks it.
 */
export class BarrierState implements SeatState {
  readonly turn: Word;
  readonly parties: number;
  readonly #seat: LockSeat;
  readonly #roster: Roster;
  readonly #words: Int32Array;

  constructor(seat: LockSeat) {
    this.#seat = seat;
    // Broken before the entry is freed: who died there must not be missing only.
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

  /** How many wait, those who died among them not counted: their death breaks it. */
  waiting(): number {
    return this.#seat.exclusively(() => {
      this.#breakForTheDead();
      return this.#status === Status.Filling ? this.#arrived() : 0;
    });
  }

  broken(): boolean {
    return this.#seat.exclusively(() => {
      this.#breakForTheDead();
      return this.#status === Status.Broken;
    });
  }

  /** A party arrives; 'broken' when it may not, undefined while it has to wait for a generation. */
  arrive(look: boolean): Arrival | 'broken' | undefined {
    // So that each entry is marked as broken in one generation at a time (B2).
    if (this.turn.awaited) this.turn.review();
    return this.#seat.exclusively(() => {
      // The last to come lets all go, and so has to look, too (B3).
      if (look || this.#arrived() === this.parties - 1) this.#breakForTheDead();
      const generation = this.#generation;
      if (this.#status === Status.Broken) return 'broken';
      const index = this.#arrived();
      if (this.#status === Status.Acting || index >= this.parties) return undefined;
      const own = this.#roster.join();
      if (this.#word(own + at.generation) !== generation) {
        this.#set(own + at.arrived, 0);
        this.#set(own + at.generation, generation);
      }
      this.#set(own + at.arrived, this.#word(own + at.arrived) + 1);
      const isLast = index === this.parties - 1;
      if (isLast) this.#turnTo(generation, Status.Acting);
      return { generation, index, isLast };
    });
  }

  /** An arrival that is going to be made: were it interrupted, it breaks the barrier as others that fail. */
  arrival(): Operation {
    const { own } = this.#roster;
    const generation = this.#generation;
    const arrived = own === 0 ? 0 : this.#arrivedBy(own);
    return {
      undo: () => {
        const { own } = this.#roster;
        if (own === 0 || this.#status === Status.Broken) return;
        const isSame = this.#generation === generation;
        if (this.#arrivedBy(own) > (isSame ? arrived : 0)) this.break();
      },
    };
  }

  /** The action is done: lets all go. False when it was broken meanwhile. */
  pass({ generation }: Arrival): boolean {
    return this.#seat.exclusively(() => {
      if (this.#generation !== generation || this.#status !== Status.Acting) return false;
      this.#turnTo(next(generation), Status.Filling);
      return true;
    });
  }

  /** How it stands with an arrival of this thread. */
  outcome({ generation }: Arrival, look: boolean): Outcome {
    if (look) this.#seat.exclusively(() => this.#breakForTheDead());
    // Once, and before the mark: a turn that went on says that the mark is there if ever (B2).
    const turn = this.turn.value;
    const isMarked = this.#word(this.#roster.own + at.broken) === markOf(generation);
    if (isMarked) {
      this.break(generation);
      return 'broken';
    }
    if (generationOf(turn) !== generation) return 'passed';
    return statusOf(turn) === Status.Broken ? 'broken' : undefined;
  }

  /** Breaks a generation, unless it has lost its turn. */
  break(generation = this.#generation): void {
    this.#seat.exclusively(() => {
      if (this.#generation === generation) this.#break();
    });
  }

  /** Breaks what is under way, and begins a generation that is not broken. */
  reset(): void {
    this.#seat.exclusively(() => {
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

  /** B3, under the lock. */
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
    this.turn.wake();
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

/** Generations begin anew after 2^30. */
function next(generation: number): number {
  return ((generation + 1) << 2) >> 2;
}

function markOf(generation: number): number {
  return (generation + 1) | 0;
}
