import { Holders } from '../core/holders';
import type { LockSeat } from '../core/lock-seat';
import type { SeatState } from '../core/object-seat';
import { beginOperation, endOperation, undoInterrupted, type Operation } from '../core/operations';
import { Roster, entryLayout } from '../core/roster';
import { Turns, type Waiting } from '../core/turns';
import { Word } from '../core/word';

/** More permits than anybody needs, and few enough for sums of them to be exact. */
export const mostPermits = 2 ** 30;

/** The semaphore's own words; its roster follows. */
const at = {
  /** Changes when a permit was given back. */
  freed: 0,
  /** How many permits there are that belong to whoever holds them. */
  pool: 2,
  /** How many more were released, for anyone to use up. */
  loose: 3,
  /** See {@link Turns}: two words. */
  turns: 4,
} as const;

/** A permit that belongs to its thread now, or that was used up. */
export type Permit = 'held' | 'loose';

/** What a new semaphore's words begin with. */
export function initialWords(value: number, robust: boolean): Uint8Array {
  const words = new Int32Array(at.loose + 1);
  words[robust ? at.pool : at.loose] = value;
  return new Uint8Array(words.buffer);
}

/**
 * What the semaphores of one thread share: how permits are counted.
 *
 *     value = pool - what all on the roster hold + loose
 *
 * Every change is one word: an entry's `held`, or `loose`. So a kill leaves no count half-changed,
 * and freeing the entry of a dead thread (Roster R1) gives its permits back. Invariants, by number:
 *
 * - S1  Who takes a permit of the pool adds it to its own `held` first and counts afterwards; if
 *       there are too many now, it takes it off again and says that something was freed. Of several
 *       who do so at once, each sees those that came before it, so never do too many stay.
 * - S2  Two that come for the last permit at once may both go away. So who had to try and failed
 *       tries again under the lock, and waits only if it fails there, too.
 * - S3  Who has waited for long has its turn before others ({@link Turns}): while it stands, permits
 *       are taken under the lock only, and whoever gives one back tells all who wait.
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
  /** How many this thread held before it began to take a permit, or to release one. */
  #heldBefore = 0;
  #tookLoose = false;
  #isReleasing = false;

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

  /** How many this thread holds. */
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
   * Takes a permit if there is one; {@link took} is called when there is a guard for it.
   *
   * @param look - whether the holders may have died
   * @param waiting - of the task that waits for it, if one does
   */
  take(look: boolean, waiting?: Waiting): Permit | undefined {
    undoInterrupted();
    this.#heldBefore = this.held;
    this.#isReleasing = false;
    beginOperation(this);
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
        // There may be more, for those who were refused meanwhile.
        this.freed.announce();
      }
      return taken;
    });
  }

  /** A task waits no more. */
  withdraw(waiting: Waiting): void {
    if (this.#turns.withdraw(waiting)) this.freed.announce();
  }

  /** There is a guard for what was taken, or nothing was. */
  took(): void {
    endOperation();
    this.#tookLoose = false;
  }

  /** A permit that was taken, and that nobody has a guard for, goes back; as one that was being released. */
  undo(): void {
    const { own } = this.#roster;
    const before = this.#heldBefore;
    const isHeld = this.#isReleasing ? this.held === before : this.held > before;
    if (own !== 0 && isHeld) this.#decrement(own + entryLayout.held);
    if (this.#tookLoose) Atomics.add(this.#words, at.loose, 1);
    this.#tookLoose = false;
    // Somebody may have what was given back.
    this.freed.announce();
    this.freed.offer();
  }

  /** A guard's permit is about to be released: {@link release} does it. */
  beginRelease(): void {
    undoInterrupted();
    this.#heldBefore = this.held;
    this.#isReleasing = true;
    beginOperation(this);
  }

  /** Why not, if not: there would be more than `max`. */
  release(count: number): { max: number; value: number } | undefined {
    if (count !== 1 || !this.#releaseOne()) {
      const tooMany = this.#seat.exclusively(() => this.#releaseSeveral(count));
      if (tooMany !== undefined) return tooMany;
    }
    if (this.#turns.standing) this.freed.announce();
    else this.freed.announce(count);
    this.freed.offer();
    return undefined;
  }

  close(): void {
    this.freed.close();
    this.#roster.leaveUnderLock();
  }

  /** Under the lock. */
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

  /** S1. This thread is on the roster, or there is no pool. */
  #takeFromPool(): 'held' | 'again' | undefined {
    const pool = this.#word(at.pool);
    // Not even tried when there is none: to try and fail is news to others.
    if (pool === 0 || this.#roster.held() >= pool) return undefined;
    const held = this.#roster.own + entryLayout.held;
    Atomics.add(this.#words, held, 1);
    if (this.#roster.held() <= pool) return 'held';
    this.#decrement(held);
    this.freed.announce(1);
    return 'again';
  }

  /** Without the lock, where it takes none: this thread holds one, or no permit belongs to anyone. */
  #releaseOne(): boolean {
    const { own } = this.#roster;
    if (own !== 0 && this.#decrement(own + entryLayout.held)) return true;
    if (this.max !== undefined || this.#word(at.pool) !== 0) return false;
    Atomics.add(this.#words, at.loose, 1);
    return true;
  }

  /** Under the lock. */
  #releaseSeveral(count: number): { max: number; value: number } | undefined {
    const { max = mostPermits } = this;
    const value = this.#value();
    if (value + count > max) return { max, value };
    let left = count;
    while (left > 0 && this.#releaseHeld()) left--;
    Atomics.add(this.#words, at.loose, left);
    return undefined;
  }

  /** One that this thread holds, else one of any that does. */
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

  /** Gives back what the dead held. */
  #reap(): number {
    const gone = this.#roster.reap((entry) => this.#word(entry + entryLayout.held) > 0);
    if (gone > 0) this.freed.announce();
    return gone;
  }

  /** Takes one off a word, if it has any; others may do the same. */
  #decrement(index: number): boolean {
    const words = this.#words;
    for (;;) {
      const before = words[index] ?? 0;
      if (before <= 0) return false;
      if (Atomics.compareExchange(words, index, before, before - 1) === before) return true;
    }
  }

  #word(index: number): number {
    return Atomics.load(this.#words, index);
  }
}
