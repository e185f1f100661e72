import { Tag, apartAt, noValue, read, readApart, tagIn, type Encoder } from '../../values/codec';
import { CorruptError } from '../../values/corrupt-error';
import type { GrowingMemory } from '../structure/growing-memory';
import type { StoredApart } from '../../values/out-of-band';
import type { OutOfBand } from '../structure/out-of-band';
import type { UndoLog } from '../structure/undo-log';
import type { Batch } from './batch';
import {
  done,
  nobody,
  offeredBefore,
  ownerOf,
  record,
  recordUnits,
  unitsOf,
  withOwner,
} from './record';

/** The ring's own words. */
const word = {
  /** The place of the first record that is not done. Places are in units of 8 bytes. */
  head: 0,
  /** The place of the next record to be put. */
  tail: 1,
  /** No record before this place is free: each of them has an owner or is done. */
  next: 2,
  /** The number of records that are not done, and how many of them have an owner. */
  there: 3,
  taken: 4,
  /** The place where the records end and continue at the beginning, if tail is before head. */
  wrap: 5,
  /** The number of the last record that was put. */
  last: 6,
  /** How often records were moved. */
  moves: 7,
} as const;

export const ringWords = 8;

/** What is needed to find a record again. */
export interface Held {
  readonly number: number;
  /** Where the record was when the count of moves was `moves`. */
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
 * Records of any size, first in, first out, in a ring of memory that grows. The records lie one after the other,
 * from `head` to `tail`, or from `head` to `wrap` and then on from the beginning. Memory is reused as soon as
 * there is room for a record before the head. If there is none, the memory grows.
 *
 * A record may have an owner that is not done with it. The record then keeps its place, and others take the
 * records behind it. Its memory is freed when it and all records before it are done.
 *
 * Every change goes through the undo log, under the structure's lock. The contents of a record are written before
 * `tail` moves behind it: until then nothing points to it.
 */
export class Ring {
  readonly #memory: GrowingMemory;
  #ints!: Int32Array<ArrayBuffer>;
  readonly #log: UndoLog;
  readonly #outOfBand: OutOfBand;
  readonly #at: number;
  readonly #begin: number;

  /**
   * @param at - where the ring's own words are.
   * @param begin - the word where the records begin.
   */
  constructor(
    memory: GrowingMemory,
    log: UndoLog,
    outOfBand: OutOfBand,
    at: number,
    begin: number,
  ) {
    this.#memory = memory;
    memory.follow(() => (this.#ints = memory.ints));
    this.#log = log;
    this.#outOfBand = outOfBand;
    this.#at = at;
    this.#begin = Ring.beginOf(begin);
  }

  /** Writes the own words of a new ring. */
  static initialize(words: Int32Array, begin: number): void {
    words[word.head] = words[word.tail] = words[word.next] = Ring.beginOf(begin);
  }

  static beginOf(begin: number): number {
    return Math.ceil(begin / 2);
  }

  /** The number of records without an owner that are not done. */
  get ready(): number {
    return this.#get(word.there) - this.#get(word.taken);
  }

  /** The number of records that have an owner. */
  get taken(): number {
    return this.#get(word.taken);
  }

  /** The bytes from the first record to the last, and of the values that are stored apart. */
  get bytesUsed(): number {
    const [head, tail] = [this.#get(word.head), this.#get(word.tail)];
    const units = tail >= head ? tail - head : this.#get(word.wrap) - head + (tail - this.#begin);
    return 8 * units + this.#outOfBand.bytes;
  }

  get capacity(): number {
    return 4 * this.#memory.words - 8 * (this.#begin + 1);
  }

  /** The bytes that a value of the given size takes. */
  static bytesOf(size: number): number {
    return 8 * unitsOf(size);
  }

  /**
   * Appends a record. Returns false when there is no room for it now, or when the system has no memory for
   * it. In the second case, the `failure` of the memory says why.
   */
  put(encoder: Encoder): boolean {
    this.#memory.failure = undefined;
    const { size, apartBytes } = encoder;
    const units = unitsOf(size);
    const at = this.#roomFor(units, apartBytes);
    if (at === 0) return false;
    const ints = this.#ints;
    const number = (this.#get(word.last) + 1) | 0;
    const first = 2 * at;
    ints[first + record.units] = units;
    ints[first + record.size] = size;
    ints[first + record.number] = number;
    ints[first + record.state] = encoder.tag;
    encoder.write(this.#memory, 8 * (at + recordUnits));
    this.#hasPut(1, number, at + units);
    return true;
  }

  /**
   * Appends the first records of a batch, as many as there is room for now. Returns how many. If it returns 0,
   * the `failure` of the memory may say why.
   *
   * @param most - how many at most.
   */
  putBatch(batch: Batch, most: number): number {
    this.#memory.failure = undefined;
    for (let count = Math.min(batch.count, most); count > 0; count >>>= 1) {
      const units = batch.unitsOf(count);
      const at = this.#roomFor(units);
      if (at === 0) continue;
      const last = this.#get(word.last);
      batch.copy(count, units, this.#ints, at, last + 1);
      this.#hasPut(count, (last + count) | 0, at + units);
      return count;
    }
    return 0;
  }

  /** Records that records were put. */
  #hasPut(count: number, last: number, tail: number): void {
    this.#set(word.last, last);
    this.#set(word.there, this.#get(word.there) + count);
    this.#set(word.tail, tail);
  }

  /**
   * Takes the first record without an owner.
   *
   * @param owner - the new owner. If undefined, the record is done at once.
   * @param isOne - whether nothing else is read before the value is made: see {@link read} and {@link readApart}.
   */
  take(owner: number | undefined, isOne = true): Found | undefined {
    if (this.ready <= 0) return undefined;
    const walk = this.#from(word.next);
    while (ownerOf(this.#stateAt(walk.at)) !== nobody) this.#step(walk);
    const { at } = walk;
    const ints = this.#ints;
    const state = this.#stateAt(at);
    const size = ints[2 * at + record.size] ?? 0;
    const isWhole = size >= 0 && unitsOf(size) === walk.units;
    const readValue = isOne ? read : readApart;
    const found: Found = {
      at,
      moves: this.#get(word.moves),
      number: ints[2 * at + record.number] ?? 0,
      isOfferedAgain: (state & offeredBefore) !== 0,
      read: isWhole ? readValue(this.#memory, tagIn(state), 8 * (at + recordUnits), size) : noValue,
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

  /** Marks a record of the owner as done. Returns false when the owner does not have it. */
  finish(held: Held, owner: number): boolean {
    const place = this.#locate(held, owner);
    if (place === 0) return false;
    this.#set(word.taken, this.taken - 1);
    // Removes the owner. Otherwise the bytes could be taken for a record of that owner later, even when there
    // is no record at that place any more.
    const state = 2 * place + record.state;
    this.#log.write(state, withOwner(this.#ints[state] ?? 0, done));
    this.#finish(place);
    return true;
  }

  /** Whether the owner has a record. */
  has(held: Held, owner: number): boolean {
    return this.#locate(held, owner) !== 0;
  }

  /** Offers a record of the owner again. Returns false when the owner does not have it. */
  giveBack(held: Held, owner: number): boolean {
    const place = this.#locate(held, owner);
    if (place === 0) return false;
    this.#giveBack(place);
    return true;
  }

  /** Removes all records, whatever they contain. */
  reset(): void {
    this.#outOfBand.dropAll(() => []);
    this.#rewind();
    this.#set(word.there, 0);
    this.#set(word.taken, 0);
    this.#set(word.moves, (this.#get(word.moves) + 1) | 0);
  }

  /**
   * Called after all records without an owner have been taken. Makes sure that the number of the other records,
   * from head to tail, is the stored one, and that the next record to be put will be found. Throws if the number
   * differs.
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
      throw new CorruptError('its ring buffer is inconsistent: its counts do not match its items');
    }
    this.#set(word.next, head);
  }

  /**
   * The owner of the first record, if it is not done with that record. No memory becomes free until it is.
   * Undefined if the first record has no owner.
   */
  get firstOwner(): number | undefined {
    if (this.#get(word.there) <= 0) return undefined;
    const owner = ownerOf(this.#stateAt(this.#from(word.head).at));
    return owner === nobody || owner === done ? undefined : owner;
  }

  /** All owners of records. */
  owners(): Set<number> {
    const owners = new Set<number>();
    for (const at of this.#taken()) owners.add(ownerOf(this.#stateAt(at)));
    return owners;
  }

  /** The handles of all values that are stored apart. Under the lock. */
  apart(): string[] {
    const found: string[] = [];
    let left = this.#get(word.there);
    if (left <= 0) return found;
    const walk = this.#from(word.head);
    for (;;) {
      if (ownerOf(this.#stateAt(walk.at)) !== done) {
        const stored = this.#apartAt(walk.at);
        if (stored !== undefined) found.push(stored.text);
        if (--left === 0) return found;
      }
      this.#step(walk);
    }
  }

  /** What a record says about its value, if that is stored apart. */
  #apartAt(at: number): StoredApart | undefined {
    if (tagIn(this.#stateAt(at)) !== Tag.OutOfBand) return undefined;
    const size = this.#ints[2 * at + record.size] ?? 0;
    const isInside = size >= 0 && unitsOf(size) === this.#unitsAt(at);
    return isInside ? apartAt(this.#memory, 8 * (at + recordUnits), size) : undefined;
  }

  /** Offers one record of the owner again. Returns false when it has none. */
  giveOneBack(owner: number): boolean {
    for (const at of this.#taken()) {
      if (ownerOf(this.#stateAt(at)) !== owner) continue;
      this.#giveBack(at);
      return true;
    }
    return false;
  }

  /** Finds room for records that lie one after the other. Returns its place, or 0. */
  #roomFor(units: number, apartBytes = 0): number {
    const hasApart = apartBytes > 0 || this.#outOfBand.bytes > 0;
    if (hasApart && this.bytesUsed + 8 * units + apartBytes > this.capacity) return 0;
    return this.#place(units);
  }

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
    // One unit more, for a mark that may be written there: that the next record is at the beginning.
    if (memory.reaches(2 * (tail + units + 1))) return tail;
    if (begin + units < head) {
      this.#ints[2 * tail + record.units] = 0;
      this.#set(word.wrap, tail);
      return begin;
    }
    return memory.grow(2 * (tail + units + 1)) ? tail : 0;
  }

  /**
   * Makes the records one row again: moves those at the beginning of the memory behind the ones that come
   * before them in the order. Then makes room for a new record behind all of them.
   */
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

  /**
   * Marks a record as done, and moves the head past all records at the front that are done. If the head
   * passes `next`, `next` moves with it. Returns whether the head has moved.
   */
  #finish(at: number): boolean {
    if (tagIn(this.#stateAt(at)) === Tag.OutOfBand) this.#outOfBand.drop(this.#apartAt(at));
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

  /**
   * Called when there is no record that is not done. Makes the next record be put at the beginning of the
   * memory.
   */
  #rewind(): void {
    const begin = this.#begin;
    this.#set(word.head, begin);
    this.#set(word.tail, begin);
    this.#set(word.next, begin);
    this.#set(word.wrap, 0);
  }

  /** The place of a record that the owner has, or 0. */
  #locate({ number, at, moves }: Held, owner: number): number {
    const isIt = (place: number) =>
      this.#ints[2 * place + record.number] === number && ownerOf(this.#stateAt(place)) === owner;
    if (moves === this.#get(word.moves)) {
      return this.#memory.reaches(2 * (at + recordUnits)) && isIt(at) ? at : 0;
    }
    for (const place of this.#taken()) if (isIt(place)) return place;
    return 0;
  }

  /** The places of all records that have an owner. */
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

  /**
   * The place of the record that one of the ring's words points to. If the word points to a mark (`units` 0),
   * the record is at the beginning of the memory.
   */
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
    if (walk.at === this.#get(word.tail)) {
      throw new CorruptError('its ring buffer is inconsistent: it has fewer items than it counts');
    }
    const units = this.#unitsAt(walk.at);
    if (units !== 0) {
      walk.units = units;
      return;
    }
    if (walk.wrapped) throw new CorruptError('its ring buffer is inconsistent: it has no end');
    walk.wrapped = true;
    walk.at = this.#begin;
    walk.units = this.#unitsAt(walk.at);
    if (walk.units === 0) throw new CorruptError('its ring buffer is inconsistent: it has no end');
  }

  #unitsAt(at: number): number {
    if (!this.#memory.reaches(2 * (at + 1))) {
      throw new CorruptError('its ring buffer is inconsistent: a position is out of bounds');
    }
    const units = this.#ints[2 * at + record.units] ?? 0;
    if (units === 0) return 0;
    if (units < recordUnits || !this.#memory.reaches(2 * (at + units))) {
      throw new CorruptError('its ring buffer is inconsistent: the size of a record is invalid');
    }
    return units;
  }

  #stateAt(at: number): number {
    return this.#ints[2 * at + record.state] ?? 0;
  }

  #placeIn(which: number): number {
    const place = this.#get(which);
    if (place < this.#begin || !this.#memory.reaches(2 * (place + 1))) {
      throw new CorruptError('its ring buffer is inconsistent: a position is out of bounds');
    }
    return place;
  }

  #wrapBehind(head: number): number {
    const wrap = this.#placeIn(word.wrap);
    if (wrap < head) {
      throw new CorruptError('its ring buffer is inconsistent: it ends before its first item');
    }
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
