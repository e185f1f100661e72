import { noValue, read, tagIn, type Encoder } from '../../values/codec';
import { CorruptError } from '../../values/corrupt-error';
import type { GrowingMemory } from '../structure/growing-memory';
import type { UndoLog } from '../structure/undo-log';

/** The ring's own words. */
const word = {
  /** Where the first record is that is not done; places are in units of 8 bytes. */
  head: 0,
  /** Where the next record will be. */
  tail: 1,
  /** From where on there are records that nobody has: all before it somebody has or is done with. */
  next: 2,
  /** How many records there are that are not done, and how many of them somebody has. */
  there: 3,
  taken: 4,
  /** Where records stop and go on at the beginning, if tail is before head. */
  wrap: 5,
  /** The number of the last record that was put. */
  last: 6,
  /** How often records were moved. */
  moves: 7,
} as const;

export const ringWords = 8;

/** A record's words; its value follows. One whose units are 0 says that the next is at the beginning. */
const record = { units: 0, size: 1, number: 2, state: 3 } as const;
const recordUnits = 2;

/**
 * A record's last word: how its value is stored, in 4 bits; whether it was offered before; and who
 * has it, as the place of an entry of the roster, or nobody.
 */
const offeredBefore = 16;
const ownerShift = 5;
/** Where no entry can be. */
const nobody = 0;
const done = 1;

/** By which a record is found again. */
export interface Held {
  readonly number: number;
  /** Where it was when records had been moved so often. */
  readonly at: number;
  readonly moves: number;
}

/** A record that was found. */
export interface Found extends Held {
  readonly isOfferedAgain: boolean;
  /** See {@link read}. */
  readonly read: unknown;
}

/**
 * Records of any size, first in, first out, in a ring of memory that grows: one after the other, from
 * `head` to `tail`, or to `wrap` and from the beginning on. Memory is used again as soon as there is
 * room for a record before the head, and grows when there is none.
 *
 * Somebody may have a record without being done with it: it keeps its place then, others behind it
 * are had by others, and its memory is free when all before it are done.
 *
 * Every change goes through the undo log, under the structure's lock. What a record says is written
 * before `tail` goes behind it: until then nothing leads there.
 */
export class Ring {
  readonly #memory: GrowingMemory;
  #ints!: Int32Array<ArrayBuffer>;
  readonly #log: UndoLog;
  readonly #at: number;
  readonly #begin: number;

  /**
   * @param at - where the ring's own words lie.
   * @param begin - the word from which on there are records.
   */
  constructor(memory: GrowingMemory, log: UndoLog, at: number, begin: number) {
    this.#memory = memory;
    memory.follow(() => (this.#ints = memory.ints));
    this.#log = log;
    this.#at = at;
    this.#begin = Ring.beginOf(begin);
  }

  /** What a new ring's own words say. */
  static initialize(words: Int32Array, begin: number): void {
    words[word.head] = words[word.tail] = words[word.next] = Ring.beginOf(begin);
  }

  static beginOf(begin: number): number {
    return Math.ceil(begin / 2);
  }

  /** How many records there are that nobody has. */
  get ready(): number {
    return this.#get(word.there) - this.#get(word.taken);
  }

  /** How many somebody has. */
  get taken(): number {
    return this.#get(word.taken);
  }

  /** Bytes from the first record to the last. */
  get bytesUsed(): number {
    const [head, tail] = [this.#get(word.head), this.#get(word.tail)];
    const units = tail >= head ? tail - head : this.#get(word.wrap) - head + (tail - this.#begin);
    return 8 * units;
  }

  get capacity(): number {
    return 4 * this.#memory.words - 8 * (this.#begin + 1);
  }

  /** Bytes that a value of so many takes. */
  static bytesOf(size: number): number {
    return 8 * unitsOf(size);
  }

  /** Appends a record; false when there is no room for it now, or no memory: that says why. */
  put(encoder: Encoder): boolean {
    this.#memory.failure = undefined;
    const { size } = encoder;
    const units = unitsOf(size);
    const at = this.#place(units);
    if (at === 0) return false;
    const ints = this.#ints;
    const number = (this.#get(word.last) + 1) | 0;
    const first = 2 * at;
    ints[first + record.units] = units;
    ints[first + record.size] = size;
    ints[first + record.number] = number;
    ints[first + record.state] = encoder.tag;
    encoder.write(this.#memory, 8 * (at + recordUnits));
    this.#set(word.last, number);
    this.#set(word.there, this.#get(word.there) + 1);
    this.#set(word.tail, at + units);
    return true;
  }

  /**
   * Takes the first record that nobody has.
   *
   * @param owner - who has it from now on, or undefined: it is done at once.
   */
  take(owner: number | undefined): Found | undefined {
    if (this.ready <= 0) return undefined;
    const walk = this.#from(word.next);
    while (ownerOf(this.#stateAt(walk.at)) !== nobody) this.#step(walk);
    const { at } = walk;
    const ints = this.#ints;
    const state = this.#stateAt(at);
    const size = ints[2 * at + record.size] ?? 0;
    const isWhole = size >= 0 && unitsOf(size) === walk.units;
    const found: Found = {
      at,
      moves: this.#get(word.moves),
      number: ints[2 * at + record.number] ?? 0,
      isOfferedAgain: (state & offeredBefore) !== 0,
      read: isWhole ? read(this.#memory, tagIn(state), 8 * (at + recordUnits), size) : noValue,
    };
    if (owner !== undefined) {
      this.#log.write(2 * at + record.state, withOwner(state, owner));
      this.#set(word.taken, this.taken + 1);
    } else if (this.#finish(at)) {
      return found;
    }
    this.#set(word.next, at + walk.units);
    return found;
  }

  /** Is done with a record that the owner has; false when it has it not. */
  finish(held: Held, owner: number): boolean {
    const place = this.#locate(held, owner);
    if (place === 0) return false;
    this.#set(word.taken, this.taken - 1);
    // So that nobody takes it for its owner's any more, even where it is no record any more.
    const state = 2 * place + record.state;
    this.#log.write(state, withOwner(this.#ints[state] ?? 0, done));
    this.#finish(place);
    return true;
  }

  /** Offers a record again that the owner has; false when it has it not. */
  giveBack(held: Held, owner: number): boolean {
    const place = this.#locate(held, owner);
    if (place === 0) return false;
    this.#giveBack(place);
    return true;
  }

  /** Forgets all records, whatever they say. */
  reset(): void {
    this.#rewind();
    this.#set(word.there, 0);
    this.#set(word.taken, 0);
    this.#set(word.moves, (this.#get(word.moves) + 1) | 0);
  }

  /**
   * After all have been taken that nobody has: makes sure that the others, from head to tail, are as
   * many as it says, and that the next to be put will be found. Throws where they are not.
   */
  settle(): void {
    if (this.#get(word.there) === 0 && this.taken === 0) {
      this.#rewind();
      return;
    }
    const head = this.#placeIn(word.head);
    const tail = this.#placeIn(word.tail);
    if (tail < head) this.#wrapBehind(head);
    let [taken, ready] = [0, 0];
    const walk = this.#from(word.head);
    for (;;) {
      const owner = ownerOf(this.#stateAt(walk.at));
      if (owner === nobody) ready++;
      else if (owner !== done) taken++;
      if (walk.at + walk.units === tail) break;
      this.#step(walk);
    }
    if (taken !== this.taken || ready !== 0 || this.ready !== 0) {
      throw new CorruptError('its ring has not what it says');
    }
    this.#set(word.next, head);
  }

  /** Who has the first record without being done with it: no room is free before it is. */
  get firstOwner(): number | undefined {
    if (this.#get(word.there) <= 0) return undefined;
    const owner = ownerOf(this.#stateAt(this.#from(word.head).at));
    return owner === nobody || owner === done ? undefined : owner;
  }

  /** Who has records. */
  owners(): Set<number> {
    const owners = new Set<number>();
    for (const at of this.#taken()) owners.add(ownerOf(this.#stateAt(at)));
    return owners;
  }

  /** A record that the owner has, offered again; false when it has none. */
  giveOneBack(owner: number): boolean {
    for (const at of this.#taken()) {
      if (ownerOf(this.#stateAt(at)) !== owner) continue;
      this.#giveBack(at);
      return true;
    }
    return false;
  }

  /** Room for a record, or 0. */
  #place(units: number): number {
    const memory = this.#memory;
    const begin = this.#begin;
    if (this.#get(word.there) === 0) {
      if (!memory.grow(2 * (begin + units + 1))) return 0;
      if (this.#get(word.head) !== begin) this.#rewind();
      return begin;
    }
    const head = this.#placeIn(word.head);
    const tail = this.#placeIn(word.tail);
    if (tail < head) return tail + units < head ? tail : this.#unwrap(head, tail, units);
    // One unit more, for the record that may say there that the next is at the beginning.
    if (memory.reaches(2 * (tail + units + 1))) return tail;
    if (begin + units < head) {
      this.#ints[2 * tail + record.units] = 0;
      this.#set(word.wrap, tail);
      return begin;
    }
    return memory.grow(2 * (tail + units + 1)) ? tail : 0;
  }

  /** Moves the records at the beginning to behind those before them, and more room behind that. */
  #unwrap(head: number, tail: number, units: number): number {
    const begin = this.#begin;
    const wrap = this.#wrapBehind(head);
    const moved = wrap - begin;
    if (!this.#memory.grow(2 * (tail + moved + units + 1))) return 0;
    this.#log.keep(2 * wrap + record.units);
    this.#ints.copyWithin(2 * wrap, 2 * begin, 2 * tail);
    const next = this.#placeIn(word.next);
    if (next < head) this.#set(word.next, next + moved);
    this.#set(word.wrap, 0);
    this.#set(word.moves, (this.#get(word.moves) + 1) | 0);
    this.#set(word.tail, tail + moved);
    return tail + moved;
  }

  /** Returns whether the head has moved, and `next` with it if it was there. */
  #finish(at: number): boolean {
    const left = this.#get(word.there) - 1;
    this.#set(word.there, left);
    if (left === 0) {
      this.#rewind();
      return true;
    }
    const walk = this.#from(word.head);
    if (walk.at !== at) {
      const state = 2 * at + record.state;
      this.#log.write(state, withOwner(this.#ints[state] ?? 0, done));
      return false;
    }
    const next = this.#recordAt(word.next);
    let isPassed = false;
    do {
      if (walk.at === next) isPassed = true;
      this.#step(walk);
    } while (ownerOf(this.#stateAt(walk.at)) === done);
    this.#set(word.head, walk.at);
    if (isPassed || walk.at === next) this.#set(word.next, walk.at);
    return true;
  }

  #giveBack(at: number): void {
    const state = 2 * at + record.state;
    const before = this.#ints[state] ?? 0;
    this.#log.write(state, withOwner(before, nobody) | offeredBefore);
    this.#set(word.taken, this.taken - 1);
    this.#set(word.next, this.#get(word.head));
  }

  /** All is done: the next record is the first. */
  #rewind(): void {
    const begin = this.#begin;
    this.#set(word.head, begin);
    this.#set(word.tail, begin);
    this.#set(word.next, begin);
    this.#set(word.wrap, 0);
  }

  /** Where a record is that the owner has, or 0. */
  #locate({ number, at, moves }: Held, owner: number): number {
    const isIt = (place: number) =>
      this.#ints[2 * place + record.number] === number && ownerOf(this.#stateAt(place)) === owner;
    if (moves === this.#get(word.moves)) {
      return this.#memory.reaches(2 * (at + recordUnits)) && isIt(at) ? at : 0;
    }
    for (const place of this.#taken()) if (isIt(place)) return place;
    return 0;
  }

  /** The records that somebody has. */
  *#taken(): Generator<number, void, undefined> {
    let left = this.taken;
    if (left <= 0) return;
    const walk = this.#from(word.head);
    for (;;) {
      const owner = ownerOf(this.#stateAt(walk.at));
      const { at } = walk;
      if (owner !== nobody && owner !== done) {
        yield at;
        if (--left === 0) return;
      }
      this.#step(walk);
    }
  }

  /** Where the record is that a word leads to: at the beginning, if it says so there. */
  #recordAt(which: number): number {
    const place = this.#placeIn(which);
    return place !== this.#get(word.tail) && this.#unitsAt(place) === 0 ? this.#begin : place;
  }

  #from(which: number): Walk {
    const walk = { at: this.#placeIn(which), units: 0, wrapped: false };
    this.#arrive(walk);
    return walk;
  }

  #step(walk: Walk): void {
    walk.at += walk.units;
    this.#arrive(walk);
  }

  #arrive(walk: Walk): void {
    if (walk.at === this.#get(word.tail)) throw new CorruptError('its ring has fewer than it says');
    const units = this.#unitsAt(walk.at);
    if (units !== 0) {
      walk.units = units;
      return;
    }
    if (walk.wrapped) throw new CorruptError('its ring has no end');
    walk.wrapped = true;
    walk.at = this.#begin;
    walk.units = this.#unitsAt(walk.at);
    if (walk.units === 0) throw new CorruptError('its ring has no end');
  }

  #unitsAt(at: number): number {
    if (!this.#memory.reaches(2 * (at + 1))) throw new CorruptError('its ring leads astray');
    const units = this.#ints[2 * at + record.units] ?? 0;
    if (units === 0) return 0;
    if (units < recordUnits || !this.#memory.reaches(2 * (at + units))) {
      throw new CorruptError('a record of it has no end');
    }
    return units;
  }

  #stateAt(at: number): number {
    return this.#ints[2 * at + record.state] ?? 0;
  }

  #placeIn(which: number): number {
    const place = this.#get(which);
    if (place < this.#begin || !this.#memory.reaches(2 * (place + 1))) {
      throw new CorruptError('its ring leads astray');
    }
    return place;
  }

  #wrapBehind(head: number): number {
    const wrap = this.#placeIn(word.wrap);
    if (wrap < head) throw new CorruptError('its ring is none');
    return wrap;
  }

  #get(which: number): number {
    return this.#ints[this.#at + which] ?? 0;
  }

  #set(which: number, value: number): void {
    this.#log.write(this.#at + which, value);
  }
}

interface Walk {
  at: number;
  units: number;
  wrapped: boolean;
}

function unitsOf(size: number): number {
  return recordUnits + Math.ceil(size / 8);
}

function ownerOf(state: number): number {
  return state >>> ownerShift;
}

function withOwner(state: number, owner: number): number {
  return (state & ((1 << ownerShift) - 1)) | (owner << ownerShift);
}
