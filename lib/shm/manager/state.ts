import { ManagedAs, native } from '../core/binding';
import { endObject, isThere, movesOn, unlinkObject } from '../core/attachment';
import { kindNumbers, layout } from '../core/layout';
import type { LockSeat } from '../core/lock-seat';
import type { Contents } from '../core/object-seat';
import { Roster, rosterBytes, rosterPlaces } from '../core/roster';
import { SharedMemory } from '../core/shared-memory';
import { wake } from '../core/word';
import { ListState } from '../list/state';
import { listShape } from '../list/layout';
import { structureContents, type StructureShape } from '../structure/structure-layout';
import { hasCode, type SharedMemoryError } from '../../common/errors';
import { managedHead, systemName } from '../core/names';
import { classOf, managedKinds, noteOf, parseNote, type ManagedKind } from './kinds';

/** How many threads may take part at a time. */
const participants = 1024;

/** Address space for the notes of what there is, unless told otherwise: enough for a hundred thousand and more. */
export const defaultCapacity = 1 << 24;

/** Notes below which nobody looks whether what they are of is still there. */
const fewNotes = 64;

const shape: StructureShape = {
  wordsBytes: rosterBytes(participants),
  ownWords: (capacity) => listShape.ownWords(capacity),
  mostValueBytes: listShape.mostValueBytes,
};

/** The manager's own words; its roster follows. The first is waited for: whether the end has begun. */
export const endAt = 0;
/** The permission bits of what is made in it. */
const modeAt = 2;
/** How often notes of what is gone were looked for, and how many notes there are when it is time again. */
const sweepsAt = 3;
const sweepWhenAt = 4;

/** Whose a manager is, as the type in its header. */
export const enum Ownership {
  /** Its creator's, who ends it. */
  Creator = 0,
  /** Of all who take part: it ends with the last of them. */
  Peers = 1,
}

/** How far the end of a manager has come: `ManagerEnd` in manager_end.h. */
export const enum End {
  Not = 0,
  /** Nothing is made any more, and what was made is being unlinked. */
  Begun = 1,
  /** All is unlinked but the manager itself. */
  Done = 2,
}

/** What native was entrusted with. */
export interface Entrusted {
  /** By which native knows of it. */
  readonly number: number;
  /** Whether native hears of signals that end the process. */
  readonly hearsSignals: boolean;
}

/** What a new manager is made of: its creator takes part from the beginning. */
export function managerContents(
  name: string,
  ownership: Ownership,
  mode: number,
  capacity: number,
): Contents {
  const bytes = Roster.initialWords('manager', name);
  new Int32Array(bytes.buffer)[modeAt] = mode;
  return { ...structureContents(shape, ownership, capacity), words: bytes };
}

/**
 * What the manager's handles of one thread share: a list of notes of all that was made, and a roster of
 * the threads that take part. Invariants, by number:
 *
 * - M1  What is made is noted before, and both is done under the lock. So what is noted may not be
 *       there, but nothing is there that is not noted.
 *       Notes of what is gone go, whenever there are twice as many notes as there were things then.
 * - M2  A manager lives while it has not ended, and somebody on its roster does. Its creator is on the
 *       roster when others first see it. One of peers ends when the last on the roster leaves, by the
 *       same change that takes it off. If that one is killed instead, the manager is dead.
 * - M3  The end has two steps, and goes from one to the next under the lock. Its name is removed last,
 *       so that nobody makes a manager of that name while what is noted here is being unlinked, and
 *       nothing is unlinked after.
 */
export class ManagerState extends ListState {
  readonly #roster: Roster;
  readonly #words: Int32Array;
  /** Whether it ends with the last who takes part. */
  readonly isOfPeers: boolean;
  /** The notes that this thread has read, how many, and after how many sweeps. */
  readonly #known = new Set<unknown>();
  #knownCount = 0;
  #knownSweeps = 0;
  /** Handles of this thread that take part. */
  #members = 0;

  constructor(seat: LockSeat) {
    super(seat, shape);
    this.#words = seat.words;
    this.isOfPeers = seat.type === ofPeers;
    this.#roster = new Roster(seat);
  }

  /** The permission bits of what is made in it, unless its options say otherwise. */
  get mode(): number {
    return (this.#words[modeAt] ?? 0) & 0o777;
  }

  /** This thread has just made it. */
  begin(): void {
    this.#roster.adopt();
    this.#members++;
  }

  /**
   * A handle of this thread takes part.
   *
   * @throws SharedMemoryError `ENOENT` it is dead, or was shut down; `ERR_CAPACITY`
   */
  join(): void {
    this.mutate(() => {
      if (this.#end !== End.Not) throw this.error('ENOENT', 'was shut down');
      if (!this.#isInUse()) {
        throw this.error(
          'ENOENT',
          'is dead: all who took part in it have died; Manager.create() removes what they left',
        );
      }
      this.#roster.join();
    });
    this.#members++;
  }

  /**
   * A handle of this thread takes part no more. Of a manager of peers, the last of them all takes
   * everything with it.
   *
   * @param isAtEnd - as for {@link shutDown}.
   * @throws SharedMemoryError `ERR_CORRUPT`
   */
  withdraw(isAtEnd: boolean): void {
    if (--this.#members > 0) return;
    if (!this.isOfPeers) {
      this.#roster.leave();
      return;
    }
    this.mutate(() => {
      this.#roster.leave();
      if (this.#end !== End.Done && !this.#isInUse()) this.#shutDown(isAtEnd);
    });
  }

  /**
   * Does something that makes an object.
   *
   * @param make - is told whether the object was noted before.
   * @throws SharedMemoryError `ERR_SHUTDOWN` the manager has ended.
   */
  make<T>(kind: ManagedKind, name: string, make: (isNoted: boolean) => T): T {
    try {
      return this.#make(kind, name, make);
    } catch (error) {
      const isFull = hasCode(error, 'ERR_CAPACITY') && error.resource === this.seat.name;
      if (!isFull) throw error;
    }
    // Full of notes, perhaps of what is gone.
    this.mutate(() => this.#sweep());
    return this.#make(kind, name, make);
  }

  #make<T>(kind: ManagedKind, name: string, make: (isNoted: boolean) => T): T {
    return this.mutate(() => {
      if (this.hasEnded) throw this.endedError();
      const note = noteOf(kind, name);
      const isNoted = this.#isNoted(note);
      if (!isNoted) {
        this.#sweepInTime();
        this.append(note);
      }
      return make(isNoted);
    });
  }

  /**
   * Unlinks all that was made, and the manager.
   *
   * @param isAtEnd - whether this thread ends, and releases nothing any more.
   */
  shutDown(isAtEnd = false): void {
    this.mutate(() => this.#shutDown(isAtEnd));
  }

  /**
   * The same, if it does not live.
   *
   * @returns whether it was dead.
   */
  unlinkDead(): boolean {
    return this.mutate(() => {
      if (this.#end === End.Not && this.#isInUse()) return false;
      this.#shutDown(false);
      return true;
    });
  }

  /** Has native bring it to the same end when this thread ends. */
  entrust(hearsSignals: boolean): Entrusted {
    const { name, index } = this.seat;
    const kinds = Object.keys(managedKinds) as ManagedKind[];
    const heads = kinds.map((kind) => `${howToEnd(kind)}${managedHead(kind, name)}\0`).join('');
    const { usedAt, rosterAt, entryBytes, tokenHalf } = rosterPlaces;
    const numbers = Float64Array.of(
      kindNumbers.manager,
      Number(this.isOfPeers),
      layout.headerBytes + 4 * endAt,
      ...[usedAt, rosterAt, entryBytes, tokenHalf],
      0,
    );
    const system = systemName('manager', name);
    const number = native.endingAdd(index, system, heads, numbers, hearsSignals);
    return { number, hearsSignals: numbers[numbers.length - 1] === 1 };
  }

  override close(): void {
    this.#roster.leave();
    super.close();
  }

  /** Whether its end has begun, by whomever. */
  get hasEnded(): boolean {
    return this.#end !== End.Not;
  }

  endedError(): SharedMemoryError {
    return this.error('ERR_SHUTDOWN', 'has ended: it was shut down, or its owner has ended');
  }

  get #end(): End {
    return endIn(this.#words[endAt] ?? 0);
  }

  /** Whether anybody takes part who lives. */
  #isInUse(): boolean {
    this.#roster.reap(() => true);
    return !this.#roster.entries().next().done;
  }

  #shutDown(isAtEnd: boolean): void {
    if (this.#end !== End.Done) {
      Atomics.store(this.#words, endAt, End.Begun);
      wake(this.seat, endAt);
      this.#unlinkAll(isAtEnd);
      this.#words[endAt] = End.Done;
    }
    ignoringAbsent(() => this.seat.removeName());
  }

  /** Notes come at the end, and go by a sweep only. So a thread reads each of them once. */
  #isNoted(note: string): boolean {
    const sweeps = this.#words[sweepsAt] ?? 0;
    const { length } = this.ring;
    if (sweeps !== this.#knownSweeps || length < this.#knownCount) {
      this.#known.clear();
      this.#knownCount = 0;
      this.#knownSweeps = sweeps;
    }
    for (const each of this.slice(this.#knownCount, length)) this.#known.add(each);
    this.#knownCount = length;
    return this.#known.has(note);
  }

  /**
   * Takes away the notes of what is gone, when there are twice as many as there were things the last time:
   * so there are never many more than things, at a cost that is the same for each that is made.
   */
  #sweepInTime(): void {
    const words = this.#words;
    if (this.ring.length >= Math.max(words[sweepWhenAt] ?? 0, fewNotes)) this.#sweep();
  }

  #sweep(): void {
    const words = this.#words;
    // Before: whoever dies in the middle leaves others with what they know no more.
    words[sweepsAt] = ((words[sweepsAt] ?? 0) + 1) | 0;
    const notes = this.slice(0, Infinity);
    for (let index = notes.length - 1; index >= 0; index--) {
      const note = parseNote(notes[index]);
      if (note === undefined || !isStillThere(note.kind, note.name)) this.drop(index);
    }
    words[sweepWhenAt] = 2 * this.ring.length;
  }

  #unlinkAll(isAtEnd: boolean): void {
    // One by one: what cannot be read of one that was overwritten keeps no other from being unlinked.
    const { length } = this.ring;
    for (let index = 0; index < length; index++) {
      const note = this.#noteAt(index);
      if (note === undefined) continue;
      const { kind, name } = note;
      try {
        end(kind, name, isAtEnd);
      } catch {
        // It was never made, or somebody has unlinked it; or it may not be unlinked by us.
      }
    }
  }

  /** A note, if it is one that can be read. */
  #noteAt(index: number): ReturnType<typeof parseNote> {
    try {
      return parseNote(this.get(index));
    } catch {
      return undefined;
    }
  }
}

function howToEnd(kind: ManagedKind): ManagedAs {
  if (kind === 'memory') return ManagedAs.Memory;
  return movesOn(kind) ? ManagedAs.Lock : ManagedAs.Object;
}

function isStillThere(kind: ManagedKind, name: string): boolean {
  if (kind !== 'memory') return isThere(kind, name);
  try {
    SharedMemory.attach(name).close();
    return true;
  } catch (error) {
    return !hasCode(error, 'ENOENT');
  }
}

function end(kind: ManagedKind, name: string, isAtEnd: boolean): void {
  // A segment's bytes are all its users': who was given it is told of the end by its manager.
  if (kind === 'memory') {
    classOf(kind).unlink(name);
    return;
  }
  try {
    endObject(kind, name, isAtEnd);
  } catch (error) {
    if (!hasCode(error, 'ERR_CORRUPT') && !hasCode(error, 'ERR_WRONG_KIND')) throw error;
    unlinkObject(kind, name);
  }
}

function ignoringAbsent(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

const endIn: (word: number) => End = (word) => word;

const ofPeers: number = Ownership.Peers;
