import { native } from './binding';
import { SharedMemoryError } from '../../common/errors';
import { explainPresence, isFailure } from './failures';
import { called } from './names';
import { aligned, layout, type ObjectKind } from './layout';
import type { LockSeat } from './lock-seat';
import { loadAfterAtomic } from './ordered';

/** How many threads an object has room for, unless its creator says otherwise. */
export const defaultParticipants = 192;
export const mostParticipants = 65_536;

/** Words that an object keeps for itself before its roster begins. */
const rosterAt = 16;

/** The fields of an entry, in words. */
export const entryLayout = {
  /** Together the token, each plus 1; the first is written last, and is 0 in an entry that is free. */
  token: 0,
  tokenHigh: 1,
  /** For people to read: the process, and when it started, in milliseconds since 1970 (float64). */
  pid: 2,
  started: 4,
  /** What its thread holds. */
  held: 3,
  /** A word to wait for, and how many do. */
  word: 6,
  waiters: 7,
  /** What else the object's class keeps of it. */
  first: 8,
  second: 9,
  words: 10,
} as const;

/** How many entries have ever been used, in the words before the roster. */
const usedAt = 15;

/** When this process started, in milliseconds since 1970. */
const started = native.timeOfDay() - 1000 * process.uptime();

/** A token has 52 bits. */
const half = 2 ** 26;

/** Where native finds who takes part in an object, in bytes from its first. */
export const rosterPlaces = {
  usedAt: layout.headerBytes + 4 * usedAt,
  rosterAt: layout.headerBytes + 4 * rosterAt,
  entryBytes: 4 * entryLayout.words,
  tokenHalf: half,
} as const;

/** Bytes of words for an object with a roster. */
export function rosterBytes(participants: number): number {
  return aligned(4 * (rosterAt + participants * entryLayout.words));
}

/**
 * Which threads take part in an object, and what each of them holds of it: so that anyone can tell
 * that a participant died, and take back what it held.
 *
 * A thread that takes something for the first time gets an entry, with the token of its presence
 * (native/os/presence.h), which the system lets go of when the thread or its process ends, by
 * whatever end. What is held stands in the entries alone, and counts for as long as the entry is
 * taken; so freeing the entry of a dead thread gives back all it held, by one word. Invariants, by
 * number:
 *
 * - R1  Entries are taken and freed under the object's lock; one that holds nothing may be freed by
 *       its own thread without. An entry is taken exactly while its first token word is not 0: that
 *       is the last to be written and the first to be cleared.
 * - R2  A thread has at most one entry, and writes to no other but to free it (R3), except where the
 *       object's class says so.
 * - R3  An entry is freed by its own thread, or by anyone who has seen that its thread is gone.
 */
export class Roster {
  readonly #seat: LockSeat;
  readonly #beforeFreeing: (at: number) => void;
  readonly #capacity: number;
  /** Where this thread's entry begins, in the seat's words; 0 while it has none. */
  #own = 0;

  /**
   * @param beforeFreeing - what has to be done before the entry of a dead thread is freed, so that a
   * death in between loses nothing. Under the lock.
   */
  constructor(seat: LockSeat, beforeFreeing: (at: number) => void = () => undefined) {
    this.#seat = seat;
    this.#beforeFreeing = beforeFreeing;
    const { length } = seat.wordsOf(rosterAt + entryLayout.words);
    this.#capacity = Math.floor((length - rosterAt) / entryLayout.words);
  }

  get words(): Int32Array {
    return this.#seat.words;
  }

  /** How many entries there may be. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Where this thread's entry is, or 0 when it has none. */
  get own(): number {
    return this.#own;
  }

  /**
   * This thread's entry, taken if it has none yet. Under the lock.
   *
   * @throws SharedMemoryError `ERR_CAPACITY` as many threads take part as there is room for.
   */
  join(): number {
    if (this.#own !== 0) return this.#own;
    const token = native.presenceToken();
    if (isFailure(token)) throw explainPresence(token, this.#seat.kind, this.#seat.name);
    const at = this.#find(token) ?? this.#free() ?? this.#reapFor();
    const { words } = this;
    words.fill(0, at, at + entryLayout.words);
    writeEntry(words, at, token);
    return (this.#own = at);
  }

  /** The entry that this thread's creation of the object began with: see {@link Roster.initialWords}. */
  adopt(): void {
    this.#own = rosterAt;
  }

  /** What the words of a new object begin with that its creator takes part in from the beginning. */
  static initialWords(kind: ObjectKind, name: string): Uint8Array {
    const token = native.presenceToken();
    if (isFailure(token)) throw explainPresence(token, kind, name);
    const words = new Int32Array(rosterAt + entryLayout.words);
    words[usedAt] = 1;
    writeEntry(words, rosterAt, token);
    return new Uint8Array(words.buffer);
  }

  /** Frees this thread's entry, with all that it holds; under the lock, if that is anything. */
  leave(): void {
    if (this.#own !== 0) Atomics.store(this.words, this.#own + entryLayout.token, 0);
    this.#own = 0;
  }

  /** The same, with the lock taken for it, if that can be had: not of an object that has ended, or is corrupt. */
  leaveUnderLock(): void {
    if (this.#own === 0) return;
    try {
      this.#seat.exclusively(() => this.leave());
    } catch {
      // Nothing that ends here depends on it, and the finalizer of a handle may be who calls. An entry
      // that stays is one of a thread that holds nothing, and is freed with the thread.
      this.#own = 0;
    }
  }

  /** Whether there is an entry that begins there, and is taken. */
  has(at: number): boolean {
    const { words } = this;
    const used = Math.min(Math.max(words[usedAt] ?? 0, 0), this.#capacity);
    const index = (at - rosterAt) / entryLayout.words;
    return Number.isInteger(index) && index >= 0 && index < used && words[at] !== 0;
  }

  /** The entries that are taken, by where they begin. */
  *entries(): Generator<number, void, undefined> {
    const { words } = this;
    // Shared bytes are input: no more than there is room for.
    const used = Math.min(Math.max(words[usedAt] ?? 0, 0), this.#capacity);
    for (let i = 0, at = rosterAt; i < used; i++, at += entryLayout.words) {
      if (words[at] !== 0) yield at;
    }
  }

  /**
   * What all hold together, and no less than what others had added before the last atomic operation
   * of this thread.
   */
  held(): number {
    const { words } = this;
    let sum = 0;
    const used = Math.min(Math.max(loadAfterAtomic(words, usedAt), 0), this.#capacity);
    for (let i = 0, at = rosterAt; i < used; i++, at += entryLayout.words) {
      if (words[at] !== 0) sum += loadAfterAtomic(words, at + entryLayout.held);
    }
    return sum;
  }

  /**
   * Frees the entries of those who are gone. Under the lock.
   *
   * @param matters - which entries are worth asking about: it is a system call each.
   * @returns how many there were.
   */
  reap(matters: (at: number) => boolean): number {
    const { words } = this;
    let gone = 0;
    for (const at of this.entries()) {
      if (at === this.#own || !matters(at) || this.#isPresent(at)) continue;
      this.#beforeFreeing(at);
      Atomics.store(words, at + entryLayout.token, 0);
      gone++;
    }
    return gone;
  }

  #isPresent(at: number): boolean {
    const token = this.#tokenAt(at);
    return token !== undefined && native.isPresent(token);
  }

  #tokenAt(at: number): number | undefined {
    const { words } = this;
    const low = (words[at + entryLayout.token] ?? 0) - 1;
    const high = (words[at + entryLayout.tokenHigh] ?? 0) - 1;
    const isToken = low >= 0 && low < half && high >= 0 && high < half;
    return isToken ? high * half + low : undefined;
  }

  /** The entry of this thread, if it was interrupted when it had just taken it. */
  #find(token: number): number | undefined {
    for (const at of this.entries()) if (this.#tokenAt(at) === token) return at;
    return undefined;
  }

  #free(): number | undefined {
    const { words } = this;
    const used = Math.min(Math.max(words[usedAt] ?? 0, 0), this.#capacity);
    for (let i = 0, at = rosterAt; i < used; i++, at += entryLayout.words) {
      if (words[at] === 0) return at;
    }
    if (used === this.#capacity) return undefined;
    const at = rosterAt + used * entryLayout.words;
    words[at] = 0;
    words[usedAt] = used + 1;
    return at;
  }

  #reapFor(): number {
    if (this.reap(() => true) > 0) {
      const at = this.#free();
      if (at !== undefined) return at;
    }
    throw new SharedMemoryError(
      'ERR_CAPACITY',
      `${called(this.#seat.kind, this.#seat.name)} has room for ${this.#capacity} threads, and as ` +
        'many take part; create it with a greater participants',
      { resource: this.#seat.name },
    );
  }
}

function writeEntry(words: Int32Array, at: number, token: number): void {
  words[at + entryLayout.pid] = process.pid;
  new Float64Array(words.buffer, words.byteOffset + 4 * (at + entryLayout.started), 1)[0] = started;
  words[at + entryLayout.tokenHigh] = Math.floor(token / half) + 1;
  Atomics.store(words, at + entryLayout.token, (token % half) + 1);
}
