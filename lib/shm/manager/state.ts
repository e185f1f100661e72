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
import { keeperIdIn } from '../objects/kept-names';
import { structureContents, type StructureShape } from '../structure/structure-layout';
import { hasCode, type SharedMemoryError } from '../../common/errors';
import { managedHead, managerOf, systemName } from '../core/names';
import { classOf, managedKinds, noteOf, parseNote, type ManagedKind } from './kinds';

/** The maximum number of participants at one time. */
const participants = 1024;

/** The default address space for the notes: enough for more than a hundred thousand objects. */
export const defaultCapacity = 1 << 24;

/**
 * With fewer notes than this, nobody checks whether the objects that they name still exist. A note is the
 * record that a manager keeps of an object that was made in it.
 */
const fewNotes = 64;

const shape: StructureShape = {
  wordsBytes: rosterBytes(participants),
  ownWords: (capacity) => listShape.ownWords(capacity),
  mostValueBytes: listShape.mostValueBytes,
};

/** The manager's own words; its roster follows. The first can be waited for: it says whether the end has begun. */
export const endAt = 0;
/** The default permission bits of the objects that are made in it. */
const modeAt = 2;
/** The number of sweeps for notes of objects that are gone, and the number of notes at which the next is due. */
const sweepsAt = 3;
const sweepWhenAt = 4;

/** The owner of a manager, as the type in its header. */
export const enum Ownership {
  /** It belongs to its creator, which ends it. */
  Creator = 0,
  /** It belongs to all its participants, and ends with the last of them. */
  Peers = 1,
}

/** The progress of a manager's end: `ManagerEnd` in manager_end.h. */
export const enum End {
  Not = 0,
  /** No more objects can be made, and the existing ones are being unlinked. */
  Begun = 1,
  /** All objects are unlinked, but not yet the manager itself. */
  Done = 2,
}

/** A manager that the native code was entrusted with ending. */
export interface Entrusted {
  /** The number by which the native code knows it. */
  readonly number: number;
  /** Whether the native code listens for signals that end the process. */
  readonly hearsSignals: boolean;
}

/** The initial contents of a new manager. Its creator is a participant from the beginning. */
export function managerContents(
  name: string,
  ownership: Ownership,
  mode: number,
  capacity: number,
): Contents {
  const bytes = Roster.initialWords('manager', name);
  new Int32Array(bytes.buffer)[modeAt] = mode;
  return { ...structureContents(shape, ownership, capacity, 0), words: bytes };
}

/**
 * What all handles of one thread to a manager share: a list of notes of all objects that were made, and a
 * roster of the participating threads. Invariants, by number:
 *
 * - M1  An object is noted before it is made, and both happen under the lock. So a noted object may not
 *       exist, but every object that exists is noted. Notes of objects that are gone are removed by a sweep.
 *       Objects that exist only as long as somebody holds them (SharedObject) are made before they are noted,
 *       because to make one may take long. If their maker dies in between, nobody holds them.
 *       The next sweep is due when there are twice as many notes as were left after the last one.
 * - M2  A manager is alive as long as it has not ended and a thread on its roster lives. Its creator is on
 *       the roster when others first see the manager. A manager of peers ends when the last thread on the
 *       roster leaves, in the same change that removes that thread from the roster. If that thread is killed
 *       instead, the manager is dead.
 * - M3  The end has two steps, and goes from one to the next under the lock. The manager's name is removed
 *       last. So nobody can make a manager of that name while the objects that are noted here are being
 *       unlinked, and nothing is unlinked after that.
 */
export class ManagerState extends ListState {
  readonly #roster: Roster;
  readonly #words: Int32Array;
  /** Whether the manager ends with its last participant. */
  readonly isOfPeers: boolean;
  /**
   * A cache of the notes, so that each is read only once: the notes that this thread has read, their number,
   * and the number of sweeps that there had been when they were read.
   */
  readonly #known = new Set<unknown>();
  #knownCount = 0;
  #knownSweeps = 0;
  /** The number of participating handles of this thread. */
  #members = 0;

  constructor(seat: LockSeat) {
    super(seat, shape);
    this.#words = seat.words;
    this.isOfPeers = seat.type === ofPeers;
    this.#roster = new Roster(seat);
  }

  /** The default permission bits of the objects that are made in it. */
  get mode(): number {
    return (this.#words[modeAt] ?? 0) & 0o777;
  }

  /**
   * Called when this thread has just made the manager. Makes the new handle a participant: the entry of this
   * thread is already in the roster.
   */
  begin(): void {
    this.#roster.adopt();
    this.#members++;
  }

  /**
   * Makes a handle of this thread a participant.
   *
   * @throws SharedMemoryError `ENOENT` the manager is dead, or was shut down; `ERR_CAPACITY`
   */
  join(): void {
    this.mutate(() => {
      if (this.#end !== End.Not) throw this.error('ENOENT', 'was shut down');
      if (!this.#isInUse()) {
        throw this.error(
          'ENOENT',
          'is dead: all its participants have died; Manager.create() removes what they left',
        );
      }
      this.#roster.join();
    });
    this.#members++;
  }

  /**
   * Ends the participation of a handle of this thread. The last participant of a manager of peers also removes
   * everything.
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
   * Calls a function that makes an object.
   *
   * @param make - makes the object; its argument says whether the object was already noted before.
   * @throws SharedMemoryError `ERR_SHUTDOWN` the manager has ended.
   */
  make<T>(kind: ManagedKind, name: string, make: (isNoted: boolean) => T): T {
    try {
      return this.#make(kind, name, make);
    } catch (error) {
      const isFull = hasCode(error, 'ERR_CAPACITY') && error.resource === this.seat.name;
      if (!isFull) throw error;
    }
    // The manager is full of notes. Some of them may be of objects that are gone.
    this.mutate(() => this.#sweep());
    return this.#make(kind, name, make);
  }

  #make<T>(kind: ManagedKind, name: string, make: (isNoted: boolean) => T): T {
    return this.mutate(() => make(this.#note(kind, name)));
  }

  /**
   * Notes an object that was made already. Only for objects that somebody else removes if this thread dies before it
   * has made the note (M1).
   *
   * @throws SharedMemoryError `ERR_SHUTDOWN` the manager has ended; `ERR_CAPACITY`
   */
  note(kind: ManagedKind, name: string): void {
    this.make(kind, name, () => undefined);
  }

  /** @returns whether the object was noted before. */
  #note(kind: ManagedKind, name: string): boolean {
    if (this.hasEnded) throw this.endedError();
    const note = noteOf(kind, name);
    if (this.#isNoted(note)) return true;
    this.#sweepInTime();
    this.append(note);
    return false;
  }

  /**
   * Unlinks all objects that were made, and the manager.
   *
   * @param isAtEnd - whether this thread is ending, so that it will not release anything any more.
   */
  shutDown(isAtEnd = false): void {
    this.mutate(() => this.#shutDown(isAtEnd));
  }

  /**
   * Does the same as {@link shutDown}, but only if the manager is dead.
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

  /**
   * Entrusts the native code with ending this manager, as {@link shutDown} or {@link withdraw} would do, when
   * this thread ends.
   */
  entrust(hearsSignals: boolean): Entrusted {
    const { name, index } = this.seat;
    const heads = managedKinds
      .map((kind) => `${howToEnd(kind)}${managedHead(kind, name)}\0`)
      .join('');
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

  /** Whether the manager's end has begun, no matter which thread began it. */
  get hasEnded(): boolean {
    return this.#end !== End.Not;
  }

  endedError(): SharedMemoryError {
    return this.error('ERR_SHUTDOWN', 'has ended: it was shut down, or its owner has ended');
  }

  get #end(): End {
    return endIn(this.#words[endAt] ?? 0);
  }

  /** Whether any participant is alive. */
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

  /**
   * Whether an object is noted. Notes are added at the end, and only removed by a sweep. So a thread needs to
   * read each of them only once.
   */
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
   * Removes the notes of objects that are gone, when there are twice as many notes as were left the last
   * time. So there are never many more notes than objects, at a constant cost for each object that is made.
   */
  #sweepInTime(): void {
    const words = this.#words;
    if (this.ring.length >= Math.max(words[sweepWhenAt] ?? 0, fewNotes)) this.#sweep();
  }

  #sweep(): void {
    const words = this.#words;
    // The sweep is counted before it begins. So if this thread dies in the middle of it, other threads still
    // notice that the notes that they have read are out of date.
    words[sweepsAt] = ((words[sweepsAt] ?? 0) + 1) | 0;
    const notes = this.slice(0, Infinity);
    for (let index = notes.length - 1; index >= 0; index--) {
      const note = parseNote(notes[index]);
      if (note === undefined || !isStillThere(note.kind, note.name)) this.drop(index);
    }
    words[sweepWhenAt] = 2 * this.ring.length;
  }

  #unlinkAll(isAtEnd: boolean): void {
    // Read one by one: a note that was overwritten must not prevent the other objects from being unlinked.
    const { length } = this.ring;
    for (let index = 0; index < length; index++) {
      const note = this.#noteAt(index);
      if (note === undefined) continue;
      const { kind, name } = note;
      try {
        end(kind, name, isAtEnd);
      } catch {
        // The object was never made, or was already unlinked, or this process is not permitted to unlink it.
      }
    }
    for (const name of keptBy(this.seat.name)) {
      try {
        end('object', name, isAtEnd);
      } catch {
        // As above.
      }
    }
  }

  /** Returns a note, or undefined if it cannot be read. */
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
  // All bytes of a memory segment belong to its users, so the end cannot be marked in it. Those who got the
  // segment from this manager are told of the end by the manager.
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

/** The objects that a manager's structures keep. They have no notes, because they come and go with each value. */
function keptBy(manager: string): string[] {
  // Elsewhere, structures keep no objects.
  if (native.place === undefined) return [];
  try {
    return SharedMemory.list()
      .filter(({ kind, name }) => kind === 'object' && managerOf(name)?.manager === manager)
      .map(({ name }) => name)
      .filter((name) => keeperIdIn(name) !== undefined);
  } catch {
    return []; // this process lacks a resource: they are orphans
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
