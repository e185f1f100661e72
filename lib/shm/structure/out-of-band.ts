import { SharedMemoryError, hasCode } from '../../common/errors';
import { native } from '../core/binding';
import { needClass } from '../core/classes';
import { called } from '../core/names';
import { CorruptError } from '../../values/corrupt-error';
import type { LockSeat } from '../core/lock-seat';
import {
  readOutOfBand,
  tellOutOfBand,
  type OutOfBandStore,
  type StoredApart,
} from '../../values/out-of-band';
import type { Packed } from '../../values/packer';
import type { GrowingMemory } from './growing-memory';
import { structureLayout } from './structure-layout';
import type { UndoLog } from './undo-log';

/** An object that has a value of a structure. It was made by this thread, which still holds it. */
export interface Made extends StoredApart {
  /** From now on, the structure keeps it as well. */
  keep(): void;
  /** This thread does not hold it any more. If the structure does not keep it, it is removed. */
  release(): void;
  /** Removes it. */
  discard(): void;
}

/** What a structure needs of the objects that have its values. They are on a higher floor (layer of the code). */
export interface Keeping {
  /** Whether this thread can store values of a structure in objects that others can use and remove. */
  canStore(structure: LockSeat): boolean;
  /** A new name for an object of the structure. */
  nameFor(structure: LockSeat): string;
  /** Makes an object with a value. This thread holds it. */
  make(packed: Packed, structure: LockSeat, name: string): Made;
  /** Removes what was made of an object, although this thread holds it. */
  remove(name: string): void;
  /**
   * Removes an object that no record of the structure refers to any more.
   *
   * @param id - the id of the structure.
   */
  letGo(text: string, id: string): void;
}

let keeping: Keeping | undefined;

export function tellKeeping(given: Keeping): void {
  keeping = given;
}

/** The part of the library that has these objects may not have been evaluated yet. */
function neededKeeping(): Keeping | undefined {
  if (keeping === undefined) needClass('object');
  return keeping;
}

// The same for values that are read. Replaced when that part is evaluated.
tellOutOfBand((text) => {
  needClass('object');
  return readOutOfBand(text);
});

/**
 * Removes objects that no record of a structure refers to any more.
 *
 * @param id - the id of the structure.
 */
export function letGo(texts: Iterable<string>, id: string): void {
  for (const text of texts) neededKeeping()?.letGo(text, id);
}

/**
 * The values of a structure that are stored apart, each in a shared object of its own. A record of the structure has
 * the handle of the object. Invariants, by number:
 *
 * - B1  An object is made, and complete, before a record refers to it. It says which structure it belongs to. Its maker
 *       holds it until the record is committed. The structure keeps it from before that commit on.
 * - B2  No two records refer to one object, and no record ever refers to an object again that another one has
 *       referred to.
 * - B3  Who removes a record, removes the object after that is committed. So a reader that finds the object gone reads
 *       the record again, under the lock if necessary: there, each record has its object, unless the structure has lost
 *       its name.
 * - B4  If a thread dies between these steps, there is an object that no thread holds and no record refers to.
 *       Nobody will ever refer to it (B2), so whoever comes across it and may remove it does so; see `removeOrphans`.
 */
export class OutOfBand implements OutOfBandStore {
  /** The option; undefined if it was not used. */
  readonly limit: number | undefined;
  readonly #seat: LockSeat;
  readonly #memory: GrowingMemory;
  readonly #log: UndoLog;
  /** The structure's id. Read while the seat is surely in use. */
  #id: string | undefined;
  #canStore: boolean | undefined;
  #isClosed = false;
  /** The name of an object that is being made. */
  #making: string | undefined;
  /** What was made, and has no record yet. */
  readonly #loose = new Set<Made>();
  /** The same, but for a value that waits for room. */
  readonly #held = new Set<Made>();
  /** What has a record since the last commit, and what has lost its record. */
  #written: Made[] = [];
  #dropped: string[] = [];
  /** What is to be done about them as soon as the lock is released. */
  readonly #kept: Made[] = [];
  readonly #gone: string[] = [];
  /** Whether there may be something to settle. */
  #isBusy = false;
  /** Removes other values because the system has no memory for so many bytes. Returns whether there were any. */
  relieve: ((bytes: number) => boolean) | undefined;

  constructor(seat: LockSeat, memory: GrowingMemory, log: UndoLog) {
    this.#seat = seat;
    this.#memory = memory;
    this.#log = log;
    // Never changes, so it is read only once.
    const from = memory.floats[structureLayout.outOfBandFrom / 2] ?? 0;
    this.limit = from > 0 ? from : undefined;
  }

  /** Whether there may be values that are stored apart. */
  get mayHave(): boolean {
    return this.limit !== undefined && native.place !== undefined;
  }

  get from(): number {
    if (this.limit === undefined) return Infinity;
    return this.#mayStore() ? this.limit : Infinity;
  }

  /** The bytes of all these objects. */
  get bytes(): number {
    if (this.limit === undefined) return 0;
    const bytes = this.#memory.floats[structureLayout.outOfBandBytes / 2] ?? 0;
    return bytes >= 0 ? bytes : 0;
  }

  /** From now on, nobody stores values of this structure apart. */
  end(): void {
    this.#memory.fixed[structureLayout.outOfBandEnded] = 1;
  }

  store(packed: Packed): StoredApart {
    this.#isBusy = true;
    const made = this.#make(packed);
    this.#loose.add(made);
    this.#making = undefined;
    return made;
  }

  hold(stored: StoredApart): void {
    const made = stored as Made;
    if (this.#loose.delete(made)) this.#held.add(made);
  }

  forget(stored: StoredApart): void {
    const made = stored as Made;
    if (this.#held.delete(made)) made.discard();
  }

  written(stored: StoredApart): void {
    const made = stored as Made;
    if (!this.#loose.has(made) && !this.#held.has(made)) {
      // This thread was interrupted while it put the value. It may have a record already (B2).
      throw new CorruptError('a value was interrupted while it was stored');
    }
    this.#count(made.bytes);
    made.keep();
    this.#written.push(made);
    this.#isChanged();
  }

  /** Called when a record is removed that refers to an object. Within a change. */
  drop(stored: StoredApart | undefined): void {
    // Undefined: its bytes were overwritten. The object is an orphan then (B4).
    if (stored === undefined) return;
    this.#count(-stored.bytes);
    this.#dropped.push(stored.text);
    this.#isChanged();
  }

  /** The same for all records at once. */
  dropAll(all: () => readonly string[]): void {
    if (this.limit === undefined || this.#floats[structureLayout.outOfBandBytes / 2] === 0) return;
    this.#keepCount();
    this.#floats[structureLayout.outOfBandBytes / 2] = 0;
    try {
      for (const text of all()) this.#dropped.push(text);
    } catch {
      // The bytes of the structure make no sense. The objects are orphans then (B4).
    }
    this.#isChanged();
  }

  /**
   * Called when this thread was interrupted in a change. Whether its last part was committed is not known. What it has
   * made is either in use or an orphan (B4).
   */
  interrupted(): void {
    this.#take(this.#written);
    this.#undone();
  }

  /** Called when this thread has released the lock, or could not acquire it. Does not throw. */
  settle(): void {
    if (!this.#isBusy) return;
    try {
      this.#settle();
      this.#isBusy = this.#loose.size > 0;
    } catch {
      // This thread has run out of stack. The next call goes on.
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#settle();
    for (const made of this.#held) made.discard();
    this.#held.clear();
  }

  #settle(): void {
    this.#tidy();
    drain(this.#kept, (made) => made.release());
    for (const made of this.#loose) {
      // Within a call of user code, the change around it goes on.
      if (this.#written.includes(made)) continue;
      made.discard();
      this.#loose.delete(made);
    }
    drain(this.#gone, (text) => neededKeeping()?.letGo(text, this.#id ?? ''));
  }

  get #floats(): Float64Array {
    return this.#memory.floats;
  }

  #mayStore(): boolean {
    if (native.place === undefined || this.#memory.fixed[structureLayout.outOfBandEnded] !== 0) {
      return false;
    }
    return (this.#canStore ??= neededKeeping()?.canStore(this.#seat) === true);
  }

  #make(packed: Packed): Made {
    // The value may have a getter that has closed the structure. The seat may be in use for another object now.
    if (this.#isClosed || keeping === undefined) {
      const { kind, name } = this.#seat;
      const message = `${called(kind, name)} cannot be used: this handle was closed`;
      throw new SharedMemoryError('ERR_CLOSED', message, { resource: name });
    }
    this.#id ??= this.#seat.id;
    const name = keeping.nameFor(this.#seat);
    try {
      this.#making = name;
      return keeping.make(packed, this.#seat, name);
    } catch (error) {
      this.#making = undefined;
      const isFull = hasCode(error, 'ENOSPC');
      if (!isFull || this.relieve?.(packed.pieces?.size ?? 0) !== true) throw error;
    }
    this.#making = name;
    return keeping.make(packed, this.#seat, name);
  }

  /** Removes an object in the making of which this thread was interrupted. */
  #tidy(): void {
    if (this.#making === undefined) return;
    keeping?.remove(this.#making);
    this.#making = undefined;
  }

  #isChanged(): void {
    this.#isBusy = true;
    this.#id ??= this.#seat.id;
    this.#log.committed = this.#committed;
    this.#log.undone = this.#undone;
  }

  readonly #committed = (): void => {
    this.#take(this.#written);
    for (const text of this.#dropped) this.#gone.push(text);
    this.#undone();
  };

  readonly #undone = (): void => {
    this.#written = [];
    this.#dropped = [];
    this.#log.committed = this.#log.undone = undefined;
  };

  #take(written: readonly Made[]): void {
    for (const made of written) {
      this.#loose.delete(made);
      this.#held.delete(made);
      this.#kept.push(made);
    }
  }

  #count(bytes: number): void {
    this.#keepCount();
    const at = structureLayout.outOfBandBytes / 2;
    this.#floats[at] = (this.#floats[at] ?? 0) + bytes;
  }

  #keepCount(): void {
    this.#log.keep(structureLayout.outOfBandBytes);
    this.#log.keep(structureLayout.outOfBandBytes + 1);
  }
}

/**
 * Calls a function for each element, and removes the element after that. One by one: this thread may be interrupted in
 * between, or run out of stack. The rest is done the next time.
 */
function drain<T>(list: T[], act: (each: T) => void): void {
  for (;;) {
    const { length } = list;
    if (length === 0) return;
    act(list[length - 1] as T);
    list.length = length - 1;
  }
}
