import { Attachment } from '../core/attachment';
import { Disposition, native } from '../core/binding';
import { sinceBoot } from '../core/clock';
import { LockSeat, isSeat } from '../core/lock-seat';
import { toAttach } from '../core/named-object';
import { called, isSpilled } from '../core/names';
import { noContents, type SeatState } from '../core/object-seat';
import { Roster, entryLayout } from '../core/roster';
import { SharedMemoryError } from '../../common/errors';
import { defaultMode } from '../../common/options';
import { domainWords, presenceDomain } from './domain';
import { keepUntilTaken, letTakenGo } from './in-flight';
import { heldBy } from './sealed-front';
import { Weight } from './weight';

/**
 * How long a hold that was handed over waits for its taker after the thread that handed it over has ended, in
 * milliseconds. They are counted by the clock that counts from the start of the machine, which nobody can set.
 */
export const parcelLifetime = 60_000;

/**
 * How long this thread waits for another one that is changing the holds of an object, in milliseconds, where it can go on
 * without.
 */
const patience = 1000;

/** The index of the words that say who can see the presence of the holders, if the object is a file elsewhere. */
const domainAt = 0;

/** The index of the word that is not 0 as long as a structure keeps the object. */
const keptAt = 4;

/** The index of the first word of this thread's entry when it has just made the object. */
const newEntry = Roster.firstEntry;

/**
 * The first words of a new object, which its creator holds.
 *
 * @param isHandedOver - whether there is also a hold for whoever takes it.
 */
export function firstWords(name: string, isHandedOver: boolean): Uint8Array {
  const bytes = Roster.initialWords('object', name);
  const words = new Int32Array(bytes.buffer);
  words[newEntry + entryLayout.held] = 1;
  if (isHandedOver) writeParcel(words, newEntry, 1);
  if (isSpilled(name)) words.set(presenceDomain(), domainAt);
  return bytes;
}

/**
 * Who holds an object: what all handles of one thread to it share. An object exists as long as anybody holds it.
 *
 * A thread holds the object from the time when it makes it or attaches to it, until its last handle is closed or the
 * thread ends. A parcel is a hold in flight: one that a thread hands over to whoever takes it. A thread's entry in
 * the roster says whether the thread holds the object, and how many of its parcels were not taken yet. Invariants,
 * by number:
 *
 * - O1  The name leads to the object as long as there is a hold or a parcel. A thread attaches under the lock.
 *       Under the same lock, the thread that finds nobody else takes the name away, and marks the object dead.
 *       So an attaching thread either gets a hold, or finds that the object is gone.
 * - O2  A hold of a dead thread counts for nothing. A parcel of a dead thread counts for {@link parcelLifetime}
 *       after it was handed over.
 * - O3  A taker has its own hold before it takes the parcel. So a death in between loses nothing.
 * - O4  If all holders die, the object is gone. Its name stays until somebody comes across it and takes it away: a
 *       thread that wants to attach, the manager's end, or {@link Holds.removeIfOrphan}. So nobody gets an object of
 *       which others may be removing a part (O5).
 * - O5  Whoever holds an object holds the objects in its value. A thread takes these holds before it releases the lock
 *       under which it attaches, and gives them up after it has let go of the outer object under that lock. So
 *       somebody holds the inner objects as long as somebody holds the outer one.
 * - O6  A parcel of an object comes with parcels of the objects in its value. These are handed over before it, and
 *       taken after it. So a death in between may leave one that nobody takes, but it never takes one away.
 * - O7  A structure that keeps an object counts as somebody who holds it, until it has let go of it; see `OutOfBand`.
 */
export class Holds implements SeatState {
  readonly #seat: LockSeat;
  readonly #roster: Roster;
  /** Holds of the shared objects in the value (O5). */
  #references: readonly Reference[] | undefined;
  /** Whether this thread could hold all of them. */
  #isWhole = true;
  readonly #weight = new Weight();

  constructor(seat: LockSeat) {
    this.#seat = seat;
    this.#roster = new Roster(seat, undefined, (at) => !this.#mayBeTaken(at));
  }

  /** The number of threads that hold the object now. */
  count(): number {
    return this.#seat.exclusively(() => {
      this.#roster.reap(() => true);
      const { words } = this.#roster;
      return [...this.#roster.entries()].filter((at) => isHeldIn(words, at)).length;
    });
  }

  /**
   * Called when this thread has made the object, which it holds from the beginning.
   *
   * @param references - the holds of the objects in its value.
   */
  begin(references: readonly Reference[]): void {
    letTakenGo(isAwaited);
    this.#roster.adopt();
    this.#references = references;
    this.#weight.set(this.#seat.size);
    releaseAtExit(this);
  }

  /**
   * Takes a hold for this thread, and a parcel if there is one.
   *
   * @param takesParcel - whether a parcel is meant for the caller.
   * @param timeout - how long to wait while others change the holds, in milliseconds.
   * @throws SharedMemoryError `ENOENT` nobody holds the object any more; `ERR_CAPACITY`; `ERR_TIMEOUT`
   */
  join(takesParcel: boolean, timeout?: number): void {
    if (this.#isForeign()) throw foreignError(this.#seat);
    if (this.#roster.own === 0) {
      this.#underLock(timeout, () => {
        if (this.#removeIfDead()) throw this.#seat.freedError();
        this.#holdReferences();
        // The last holder may have died in between, and others may have removed a part since then.
        if (!this.#isWhole && this.#removeIfDead()) throw this.#seat.freedError();
        const own = this.#roster.join(true);
        this.#roster.words[own + entryLayout.held] = 1;
      });
      this.#weight.set(this.#seat.size);
      releaseAtExit(this);
    }
    if (takesParcel) this.takeParcel();
  }

  /** Called when there are ArrayBuffers over so many bytes of the object, as long as this thread holds it. */
  noteShown(bytes: number): void {
    this.#weight.set(Math.max(this.#seat.size - bytes, 0));
  }

  /** Hands a hold over to whoever takes it, beside the one that this thread has (O6). */
  handOver(): void {
    for (const each of this.#holdReferences()) each.holds.handOver();
    this.#underLock(patience, () => {
      const { words, own } = this.#roster;
      if (own !== 0) writeParcel(words, own, parcelsIn(words, own) + 1);
    });
  }

  /** Takes a parcel, if there is one. This thread holds the object already (O3). */
  takeParcel(): void {
    this.#underLock(patience, () => this.#takeParcel());
    for (const each of this.#holdReferences()) each.holds.takeParcel();
  }

  /** Whether somebody is still to take over the object. */
  get isAwaited(): boolean {
    const { words } = this.#roster;
    for (const at of this.#roster.entries()) if (parcelsIn(words, at) > 0) return true;
    return false;
  }

  /** Takes the object's name away if nobody holds the object. */
  removeIfOrphan(): boolean {
    if (this.#isForeign()) return false;
    let isRemoved = false;
    this.#underLock(patience, () => {
      isRemoved = this.#roster.own === 0 && this.#removeIfLast();
    });
    return isRemoved;
  }

  /** From now on, a structure keeps the object, which this thread holds. */
  keep(): void {
    this.#roster.words[keptAt] = 1;
  }

  /** The structure that keeps the object lets go of it. */
  letGo(): boolean {
    this.#underLock(patience, () => {
      this.#roster.words[keptAt] = 0;
      if (this.#roster.own === 0) this.#removeIfLast();
    });
    return true;
  }

  /**
   * Takes away the name of an object to which no record of its structure refers, unless somebody holds it: its maker may
   * still be about to write the record.
   */
  removeIfForgotten(): boolean {
    let isRemoved = false;
    this.#underLock(patience, () => {
      if (this.#isUsed()) return;
      this.#roster.words[keptAt] = 0;
      isRemoved = this.#removeIfLast();
    });
    return isRemoved;
  }

  /** Whether a thread that lives holds the object. */
  get isHeld(): boolean {
    let isHeld = true;
    this.#underLock(patience, () => (isHeld = this.#isUsed()));
    return isHeld;
  }

  #isUsed(): boolean {
    const roster = this.#roster;
    roster.reap(() => true);
    return [...roster.entries()].some((at) => isUsed(roster.words, at));
  }

  get #isKept(): boolean {
    return this.#roster.words[keptAt] !== 0;
  }

  /** Whether this process cannot see who of the holders is alive. */
  #isForeign(): boolean {
    if (!isSpilled(this.#seat.name)) return false;
    const found = this.#roster.words.subarray(domainAt, domainAt + domainWords);
    return presenceDomain().some((word, i) => word !== found[i]);
  }

  close(): void {
    this.release();
  }

  /** What cannot be held is left out: reading the value says why. */
  #holdReferences(): readonly Reference[] {
    if (this.#references !== undefined) return this.#references;
    this.#isWhole = true;
    this.#references = []; // bytes that were overwritten may say that the object refers to itself
    const held: Reference[] = [];
    for (const name of heldBy(this.#seat)) {
      try {
        held.push(new Reference(name));
      } catch {
        this.#isWhole = false;
      }
    }
    return (this.#references = held);
  }

  /** Gives up this thread's hold. If it was the last one, the object's name is removed. */
  release(): void {
    if (open.delete(this) && open.size === 0) process.off('exit', releaseAll);
    this.#weight.set(0);
    const roster = this.#roster;
    try {
      if (roster.own !== 0) this.#underLock(patience, () => this.#leave());
    } catch {
      // The object has ended with its manager, or it is damaged, or a process was stopped while it changed the holds.
      // The hold counts for nothing when this thread has ended (O2).
      roster.forget();
    }
    const references = this.#references ?? [];
    this.#references = undefined;
    for (const each of references) each.release();
  }

  #leave(): void {
    const roster = this.#roster;
    const { words, own } = roster;
    if (parcelsIn(words, own) > 0) {
      keepUntilTaken(this.#seat.name);
      words[own + entryLayout.held] = 0;
      roster.forget();
    } else if (!this.#removeIfLast()) {
      roster.leave();
    }
  }

  #underLock(timeout: number | undefined, act: () => void): void {
    this.#seat.enter(timeout);
    try {
      act();
    } finally {
      this.#seat.exit();
    }
  }

  /** Marks the object as dead if nobody but this thread holds it. Its name is removed when the lock is released. */
  #removeIfLast(): boolean {
    const roster = this.#roster;
    if (this.#isKept) return false;
    roster.reap(() => true);
    for (const at of roster.entries()) {
      if (at !== roster.own && isUsed(roster.words, at)) return false;
    }
    // The entry stays, because the object is not gone before the lock is released: if this thread is killed here, the
    // object has a dead holder.
    native.lockUnlink(this.#seat.index, true);
    roster.forget();
    return true;
  }

  /** The same, if everybody who holds it is dead. This stops at the first thread that lives. */
  #removeIfDead(): boolean {
    const roster = this.#roster;
    if (this.#isKept) return false;
    for (const at of roster.entries()) {
      if (isUsed(roster.words, at) && (roster.isPresent(at) || this.#mayBeTaken(at))) return false;
    }
    return this.#removeIfLast();
  }

  #takeParcel(): void {
    const { words } = this.#roster;
    for (const at of this.#roster.entries()) {
      const parcels = parcelsIn(words, at);
      if (parcels === 0) continue;
      words[at + entryLayout.first] = parcels - 1;
      // If this thread dies here, the entry stays, but says nothing.
      if (!isUsed(words, at)) words[at + entryLayout.token] = 0;
      return;
    }
  }

  /** Whether a parcel in that entry may still be taken, if its thread is dead. */
  #mayBeTaken(at: number): boolean {
    const { words } = this.#roster;
    if (parcelsIn(words, at) === 0) return false;
    const since = sinceBoot() - (timeIn(words, at)[0] ?? 0);
    return since >= 0 && since < parcelLifetime;
  }
}

function foreignError({ kind, name }: LockSeat): SharedMemoryError {
  return new SharedMemoryError(
    'ENOTSUP',
    `${called(kind, name)} was made by a process that has another ${native.place ?? 'directory of shared memory'} (in ` +
      'another container, or before the machine was restarted): this process cannot see whether its holders are alive',
    { resource: name },
  );
}

/** Asks about an object without holding it. The answer is undefined if it is not there, or cannot be used. */
export function askOf<T>(name: string, ask: (holds: Holds, seat: LockSeat) => T): T | undefined {
  const seat = LockSeat.tryTake('object', name, defaultMode, Disposition.Attach, noContents);
  if (!isSeat(seat)) return undefined;
  try {
    return ask(
      seat.state(() => new Holds(seat)),
      seat,
    );
  } catch {
    return undefined; // it is damaged, or was removed in the meantime
  } finally {
    seat.leave();
  }
}

/** Whether somebody is still to take over the object of that name. */
const isAwaited = (name: string): boolean => askOf(name, (holds) => holds.isAwaited) ?? false;

/** A hold of an object that another object's value contains. */
export class Reference {
  readonly holds: Holds;
  readonly #attachment: Attachment;

  /** @throws what attaching to the object throws. */
  constructor(name: string) {
    this.#attachment = new Attachment(toAttach('object', name));
    const { seat } = this.#attachment;
    try {
      this.holds = seat.state(() => new Holds(seat));
      this.holds.join(false, patience);
    } catch (error) {
      this.#attachment.close();
      throw error;
    }
  }

  release(): void {
    this.#attachment.close();
  }
}

/**
 * Holds the objects that the value of a new object contains.
 *
 * @param isHandedOver - whether these holds are handed over as well, together with the new object.
 * @throws what attaching to one of them throws; then none is held.
 */
export function holdAll(names: readonly string[], isHandedOver: boolean): readonly Reference[] {
  const held: Reference[] = [];
  try {
    for (const name of names) {
      const reference = new Reference(name);
      held.push(reference);
      if (isHandedOver) reference.holds.handOver();
    }
    return held;
  } catch (error) {
    releaseReferences(held, isHandedOver);
    throw error;
  }
}

/** Takes back what {@link holdAll} has done. */
export function releaseReferences(references: readonly Reference[], isHandedOver: boolean): void {
  for (const each of references) {
    if (isHandedOver) each.holds.takeParcel();
    each.release();
  }
}

const isHeldIn = (words: Int32Array, at: number): boolean => words[at + entryLayout.held] !== 0;

const isUsed = (words: Int32Array, at: number): boolean =>
  isHeldIn(words, at) || parcelsIn(words, at) > 0;

function parcelsIn(words: Int32Array, at: number): number {
  return Math.max(words[at + entryLayout.first] ?? 0, 0);
}

/** The time when the last parcel of an entry was handed over, in milliseconds since the machine was started. */
function timeIn(words: Int32Array, at: number): Float64Array {
  return new Float64Array(words.buffer, words.byteOffset + 4 * (at + entryLayout.word), 1);
}

function writeParcel(words: Int32Array, at: number, parcels: number): void {
  timeIn(words, at)[0] = sinceBoot();
  words[at + entryLayout.first] = parcels;
}

/** The objects that this thread holds. */
const open = new Set<Holds>();

function releaseAtExit(holds: Holds): void {
  if (open.size === 0) process.on('exit', releaseAll);
  open.add(holds);
}

/** Lets go of everything when the thread ends in an orderly way. */
function releaseAll(): void {
  for (const holds of [...open]) {
    try {
      holds.release();
    } catch {
      // The hold counts for nothing when this thread has ended.
    }
  }
}
