import { native } from './binding';
import { SharedMemoryError } from '../../common/errors';
import { explainPresence, isFailure } from './failures';
import { called } from './names';
import { aligned, layout, type ObjectKind } from './layout';
import type { LockSeat } from './lock-seat';
import { loadAfterAtomic } from './ordered';

/** How many threads an object has room for by default. */
export const defaultParticipants = 192;
export const mostParticipants = 65_536;

/** The number of words before the roster. An object uses them for itself. */
const rosterAt = 16;

/** The fields of an entry, in words. */
export const entryLayout = {
  /** The two parts of the token, each plus 1. The first part is written last. It is 0 in a free entry. */
  token: 0,
  tokenHigh: 1,
  /** For people to read: the process id, and the start time in milliseconds since 1970 (float64). */
  pid: 2,
  started: 4,
  /** What the thread holds. */
  held: 3,
  /** A word to wait for, and the number of its waiters. */
  word: 6,
  waiters: 7,
  /** Two more words, for the object's class. */
  first: 8,
  second: 9,
  words: 10,
} as const;

/** The index of the word that has the number of entries ever used. It is before the roster. */
const usedAt = 15;

/** The start time of this process in milliseconds since 1970. */
const started = native.timeOfDay() - 1000 * process.uptime();

/** A token has 52 bits. */
const half = 2 ** 26;

/** Where native code finds the participants of an object, in bytes from its beginning. */
export const rosterPlaces = {
  usedAt: layout.headerBytes + 4 * usedAt,
  rosterAt: layout.headerBytes + 4 * rosterAt,
  entryBytes: 4 * entryLayout.words,
  tokenHalf: half,
} as const;

/** The number of bytes for the words of an object that has a roster. */
export function rosterBytes(participants: number): number {
  return aligned(4 * (rosterAt + participants * entryLayout.words));
}

/** For how many threads there is room in so many bytes of words. */
export function participantsIn(wordsBytes: number): number {
  return Math.floor((wordsBytes / 4 - rosterAt) / entryLayout.words);
}

/**
 * Which threads take part in an object, and what each of them holds of it. So any participant can find out
 * that another one died, and take back what it held.
 *
 * A thread that takes something for the first time gets an entry. The entry contains the token of the
 * thread's presence (native/os/presence.h). The system releases the presence when the thread or its process
 * ends in any way. What is held is recorded only in the entries, and counts for as long as the entry is
 * taken. So when the entry of a dead thread is freed, which takes only one store, everything that the thread
 * held is given back. Invariants, by number:
 *
 * - R1  Entries are taken and freed under the object's lock. An entry that holds nothing may be freed by
 *       its own thread without the lock. An entry is taken exactly while its first token word is not 0:
 *       that word is the last to be written and the first to be cleared.
 * - R2  A thread has at most one entry. It writes to other entries only to free them (R3), except where
 *       the object's class says otherwise.
 * - R3  An entry is freed by its own thread, or by any thread that has seen that the entry's thread is
 *       gone.
 */
export class Roster {
  readonly #seat: LockSeat;
  readonly #beforeFreeing: (at: number) => void;
  readonly #mayFree: (at: number) => boolean;
  readonly #capacity: number;
  /** The index in the seat's words where this thread's entry begins; 0 while it has none. */
  #own = 0;

  /**
   * @param beforeFreeing - called under the lock, before the entry of a dead thread is freed. It does
   * everything else that the death requires. Nothing is lost if this thread dies between this call and the
   * freeing: the entry is still there, so another thread makes the call again.
   * @param mayFree - whether the entry of a thread may be freed if the thread is dead.
   */
  constructor(
    seat: LockSeat,
    beforeFreeing: (at: number) => void = () => undefined,
    mayFree: (at: number) => boolean = () => true,
  ) {
    this.#seat = seat;
    this.#beforeFreeing = beforeFreeing;
    this.#mayFree = mayFree;
    const { length } = seat.wordsOf(rosterAt + entryLayout.words);
    this.#capacity = participantsIn(4 * length);
  }

  get words(): Int32Array {
    return this.#seat.words;
  }

  /** The maximum number of entries. */
  get capacity(): number {
    return this.#capacity;
  }

  /** The index of this thread's entry, or 0 when it has none. */
  get own(): number {
    return this.#own;
  }

  /**
   * This thread's entry. It is taken if the thread has none yet. Must be called under the lock.
   *
   * @param keeps - whether an entry that this thread took before keeps what it contains.
   * @throws SharedMemoryError `ERR_CAPACITY` as many threads take part as there is room for.
   */
  join(keeps = false): number {
    if (this.#own !== 0) return this.#own;
    const token = native.presenceToken();
    if (isFailure(token)) throw explainPresence(token, this.#seat.kind, this.#seat.name);
    const known = this.#find(token);
    if (known !== undefined && keeps) return (this.#own = known);
    const at = known ?? this.#free() ?? this.#reapFor();
    const { words } = this;
    words.fill(0, at, at + entryLayout.words);
    writeEntry(words, at, token);
    return (this.#own = at);
  }

  /** Uses the entry that this thread wrote when it created the object: see {@link Roster.initialWords}. */
  adopt(): void {
    this.#own = rosterAt;
  }

  /** The index of the entry that the creator of an object has from the beginning. */
  static readonly firstEntry = rosterAt;

  /** The first words of a new object whose creator takes part in it from the beginning. */
  static initialWords(kind: ObjectKind, name: string): Uint8Array {
    const token = native.presenceToken();
    if (isFailure(token)) throw explainPresence(token, kind, name);
    const words = new Int32Array(rosterAt + entryLayout.words);
    words[usedAt] = 1;
    writeEntry(words, rosterAt, token);
    return new Uint8Array(words.buffer);
  }

  /**
   * Frees this thread's entry, with all that it holds. Must be called under the lock if it holds anything.
   */
  leave(): void {
    if (this.#own !== 0) Atomics.store(this.words, this.#own + entryLayout.token, 0);
    this.#own = 0;
  }

  /**
   * The same, with the lock acquired for it. It does nothing if the lock cannot be acquired because the
   * object has ended or is corrupt.
   */
  leaveUnderLock(): void {
    if (this.#own === 0) return;
    try {
      this.#seat.exclusively(() => this.leave());
    } catch {
      // The error is ignored. This thread needs nothing more from the object, and the caller may be the
      // finalizer of a handle. If the entry stays, it belongs to a thread that holds nothing, and it is freed
      // when the thread ends.
      this.#own = 0;
    }
  }

  /** Gives up this thread's entry without freeing it: what it contains outlives its use. */
  forget(): void {
    this.#own = 0;
  }

  /** Whether an entry begins at that index and is taken. */
  has(at: number): boolean {
    const { words } = this;
    const used = Math.min(Math.max(words[usedAt] ?? 0, 0), this.#capacity);
    const index = (at - rosterAt) / entryLayout.words;
    return Number.isInteger(index) && index >= 0 && index < used && words[at] !== 0;
  }

  /** The indices of the entries that are taken. */
  *entries(): Generator<number, void, undefined> {
    const { words } = this;
    // Shared bytes are untrusted input, so the number is limited to the capacity.
    const used = Math.min(Math.max(words[usedAt] ?? 0, 0), this.#capacity);
    for (let i = 0, at = rosterAt; i < used; i++, at += entryLayout.words) {
      if (words[at] !== 0) yield at;
    }
  }

  /**
   * The sum of what all participants hold. It includes at least everything that others had added before the
   * last atomic operation of this thread.
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
   * Frees the entries of threads that are gone. Must be called under the lock.
   *
   * @param matters - which entries are worth checking: each check is a system call.
   * @returns how many entries were freed.
   */
  reap(matters: (at: number) => boolean): number {
    const { words } = this;
    let gone = 0;
    for (const at of this.entries()) {
      if (at === this.#own || !matters(at) || this.isPresent(at) || !this.#mayFree(at)) continue;
      this.#beforeFreeing(at);
      Atomics.store(words, at + entryLayout.token, 0);
      gone++;
    }
    return gone;
  }

  /** Whether the thread of an entry lives. This is a system call. */
  isPresent(at: number): boolean {
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

  /** The entry of this thread, if the thread was interrupted right after it had taken the entry. */
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
      `${called(this.#seat.kind, this.#seat.name)} has room for ${this.#capacity} threads, and all ` +
        'places are taken; create it with a larger value of participants',
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
