import type { LockSeat } from '../core/lock-seat';
import { invalidType, outOfRange } from '../errors';
import { Encoder, Tag, finish, read, tagIn } from './codec';
import { CorruptError } from './corrupt-error';
import { ListRing } from './list-ring';
import { Sequence } from './sequence';
import {
  Turning,
  chunkSlots,
  inlineBytes,
  listShape,
  listWords,
  mostValueBytes,
  slotLayout,
} from './shared-list-layout';
import { blocksAt, structureLayout } from './structure-layout';
import { StructureState } from './structure-state';

/** How often a reader that finds things changing looks again before it takes the lock. */
const mostTries = 64;
/** The same of one that reads many elements. */
const mostLongTries = 4;

/** What the undo log must have room for, for one more step of a change that takes many. */
const stepRoom = 128;

/** There is no such element. */
export const absent = Symbol('absent');

/**
 * The elements of a list. Invariants, by number:
 *
 * - N1  All is changed under the lock and through the undo log, but for what is one store: a number
 *       that becomes another number, a length that becomes another. Slots where no element is are
 *       nobody's, and written without the log.
 * - N2  Whatever a reader may come by is changed, freed memory included, only while the sequence is
 *       odd, or by one store.
 * - N3  A change of many steps is committed in parts. Up to then, what is new is aside: slots next to
 *       the list that are none of it. One word makes them the list's. What it no longer has is put
 *       aside by the same commit and freed in parts. Who comes after one that died frees what is
 *       aside, so the change is made as a whole, or not at all.
 * - N4  In the middle, what is new changes places with what goes: an exchange of the first and the
 *       last of three parts (see `#turn`). Once begun it will be completed, by whomever.
 */
export class ListState extends StructureState {
  readonly #ints: Int32Array<ArrayBuffer>;
  readonly #floats: Float64Array<ArrayBuffer>;
  readonly #ring: ListRing;
  readonly #sequence: Sequence;
  readonly #encoder = new Encoder();
  /** Of what is searched for or expected. */
  readonly #wanted = new Encoder();
  readonly #at = structureLayout.own;

  constructor(seat: LockSeat, shape = listShape) {
    super(seat, shape);
    const { memory, log, arena } = this;
    const own = this.#at;
    this.#ints = memory.ints;
    this.#floats = memory.floats;
    this.#ring = new ListRing(memory, log, arena, own, blocksAt(shape, seat.length));
    this.#sequence = new Sequence(memory.ints, own + listWords.sequence);
  }

  get length(): number {
    return this.#read(mostTries, () => this.#length());
  }

  /** An element, or {@link absent}. */
  get(index: number): unknown {
    const sequence = this.#sequence;
    for (let tries = 0; tries < mostTries && !this.inside; tries++) {
      const before = sequence.before;
      if ((before & 1) !== 0) continue;
      let value: unknown;
      try {
        value = this.#peek(index);
      } catch (error) {
        if (sequence.after !== before) continue;
        throw this.explain(error);
      }
      if (sequence.after === before) return this.#finished(value);
    }
    return this.#look(() => finish(this.#peek(index)));
  }

  /** The elements from `start` to before `end`, as of one moment. */
  slice(start: number, end: number): unknown[] {
    return this.#read(mostLongTries, (isSteady) => {
      const length = this.#length();
      const values: unknown[] = [];
      const last = clamp(end, length);
      for (let i = clamp(start, length); i < last; i++) {
        const value = this.#peek(i);
        // What it takes to make a value of bytes is not spent on half of one and half of another.
        if (typeof value === 'object' && value !== null && !isSteady()) return values;
        values.push(finish(value));
      }
      return values;
    });
  }

  /**
   * Where a value is first found, or -1.
   *
   * @param findsNaN - whether NaN is equal to itself.
   */
  find(value: unknown, from: number, findsNaN: boolean): number {
    return this.#search(value, (length, matches) => {
      for (let i = clamp(from, length); i < length; i++) if (matches(i, findsNaN)) return i;
      return -1;
    });
  }

  findLast(value: unknown, from: number): number {
    return this.#search(value, (length, matches) => {
      const last = from < 0 ? length + from : Math.min(from, length - 1);
      for (let i = last; i >= 0; i--) if (matches(i, false)) return i;
      return -1;
    });
  }

  set(index: number, value: unknown): void {
    this.#encoder.encode('value', value);
    this.mutate(() => this.#assign(this.#slotAt(index)));
  }

  /** @returns what it is now. */
  update(index: number, fn: (value: unknown) => unknown): unknown {
    return this.mutate(() => {
      const slot = this.#slotAt(index);
      const after = fn(finish(this.#valueIn(slot)));
      this.#encoder.encode('what fn returns', after);
      this.#assign(slot);
      return after;
    });
  }

  /** @returns what it was. */
  add(index: number, delta: number): number {
    return this.mutate(() => {
      const slot = this.#slotAt(index);
      if (this.#tagOf(slot) !== Tag.Number) {
        throw invalidType(`element ${index}`, 'a number', finish(this.#valueIn(slot)));
      }
      const before = this.#floats[slot / 2 + 1] ?? NaN;
      this.#floats[slot / 2 + 1] = before + delta;
      this.#sequence.step();
      return before;
    });
  }

  compareAndSet(index: number, expected: unknown, value: unknown): boolean {
    const wanted = this.#wanted.encode('expected', expected);
    this.#encoder.encode('value', value);
    return this.mutate(() => {
      const slot = this.#slotAt(index);
      const { at, tag, size } = this.#placeOf(slot);
      if (!wanted.matches(this.memory, tag, at, size)) return false;
      this.#assign(slot);
      return true;
    });
  }

  /** @returns the length. */
  push(values: readonly unknown[]): number {
    if (values.length === 1) this.#encoder.encode('values[0]', values[0]);
    return this.mutate(() => {
      const length = this.#length();
      const count = values.length;
      if (count === 0) return length;
      if (count === 1) {
        this.#append(length);
      } else {
        this.#sequence.open();
        this.#widen(length, count);
        this.#stageBehind(values);
        this.#write(listWords.asideCount, 0);
        this.#write(listWords.length, length + count);
      }
      return length + count;
    });
  }

  /** Adds an element at the end, within a change: by itself, whatever becomes of that. */
  protected append(value: unknown): void {
    this.#encoder.encode('value', value);
    this.#append(this.#length());
    this.log.commit();
  }

  /** @returns the length. */
  unshift(values: readonly unknown[]): number {
    if (values.length === 1) this.#encoder.encode('values[0]', values[0]);
    return this.mutate(() => {
      const length = this.#length();
      const count = values.length;
      if (count === 0) return length;
      this.#sequence.open();
      this.#widen(length, count);
      if (count === 1) {
        this.#fill(this.#head - 1);
      } else {
        this.#stageInFront(values);
        this.#write(listWords.asideCount, 0);
      }
      this.#write(listWords.head, this.#around(this.#head - count));
      this.#write(listWords.length, length + count);
      return length + count;
    });
  }

  pop(): unknown {
    return this.mutate(() => {
      const length = this.#length();
      if (length === 0) return undefined;
      const end = this.#head + length;
      const slot = this.#ring.slot(end - 1);
      const value = finish(this.#valueIn(slot));
      this.#sequence.open();
      this.#freeValue(slot);
      // The chunk that the list just ended before is not needed for the next that is pushed.
      if (ListRing.begins(end)) this.#ring.vacate(end);
      this.#commitWord(listWords.length, length - 1);
      return value;
    });
  }

  shift(): unknown {
    return this.mutate(() => {
      const length = this.#length();
      if (length === 0) return undefined;
      const head = this.#head;
      const slot = this.#ring.slot(head);
      const value = finish(this.#valueIn(slot));
      this.#sequence.open();
      this.#freeValue(slot);
      if (ListRing.begins(head + 1)) this.#ring.vacate(head);
      this.#write(listWords.head, this.#around(head + 1));
      this.#write(listWords.length, length - 1);
      return value;
    });
  }

  /** @returns the elements that were removed. */
  splice(start: number, count: number, values: readonly unknown[]): unknown[] {
    return this.mutate(() => {
      const length = this.#length();
      const first = clamp(start, length);
      const gone = Math.min(Math.max(count, 0), length - first);
      const removed: unknown[] = [];
      for (let i = first; i < first + gone; i++) removed.push(finish(this.#peek(i)));
      if (gone === 0 && values.length === 0) return removed;
      this.#sequence.open();
      if (ListRing.begins(this.#head + length)) this.#ring.vacate(this.#head + length);
      if (values.length > 0) this.#widen(length, values.length);
      const behind = length - first - gone;
      if (behind <= first) {
        this.#stageBehind(values);
        this.#beginTurn(Turning.AtEnd, this.#head + first, gone, behind, values.length);
      } else {
        this.#stageInFront(values);
        const from = this.#head - values.length;
        this.#beginTurn(Turning.AtFront, from, values.length, first, gone);
      }
      this.#goOn();
      return removed;
    });
  }

  /** Needs no memory, and makes whole what was overwritten. */
  clear(): void {
    this.changeAnew(() => {
      this.#sequence.open();
      for (let word: number = listWords.length; word < listWords.count; word++)
        this.#write(word, 0);
      this.arena.reset();
    });
  }

  protected override settle(): void {
    try {
      this.#goOn();
    } catch {
      this.#giveUp();
    }
    this.#sequence.close();
  }

  protected override recover(): void {
    // Whoever comes in goes on with it, or makes all of it anew.
  }

  /** Has a look under the lock; goes ahead within a change. */
  #look<T>(act: () => T): T {
    return this.inside ? act() : this.mutate(act);
  }

  /** Leaves what makes no sense as it is: whoever comes next finds the same, and says so. */
  #giveUp(): void {
    try {
      this.log.rollBack(structureLayout.arena);
    } catch {
      // The log makes no sense either.
    }
  }

  /** A change, after what somebody may have left. */
  protected mutate<T>(act: () => T): T {
    this.enter();
    let result: T;
    try {
      this.#goOn();
      result = act();
    } catch (error) {
      throw this.abort(error);
    }
    this.leave();
    return result;
  }

  /** Reads without the lock as often as that may work, then with it. */
  #read<T>(mostTries: number, act: (isSteady: () => boolean) => T): T {
    const sequence = this.#sequence;
    for (let tries = 0; tries < mostTries && !this.inside; tries++) {
      const before = sequence.before;
      if ((before & 1) !== 0) continue;
      let result: T;
      try {
        result = act(() => sequence.after === before);
      } catch (error) {
        if (sequence.after !== before) continue;
        throw this.explain(error);
      }
      if (sequence.after === before) return result;
    }
    return this.#look(() => act(() => true));
  }

  /** The encoded value becomes the last element. */
  #append(length: number): void {
    this.#sequence.open();
    this.#widen(length, 1);
    this.#fill(this.#head + length);
    this.#commitWord(listWords.length, length + 1);
  }

  #finished(value: unknown): unknown {
    try {
      return finish(value);
    } catch (error) {
      throw this.explain(error);
    }
  }

  #search(
    value: unknown,
    act: (length: number, matches: (index: number, findsNaN: boolean) => boolean) => number,
  ): number {
    const encoder = this.#wanted.encode('value', value);
    const { tag, number } = encoder;
    const matches = (index: number, findsNaN: boolean): boolean => {
      const slot = this.#ring.slot(this.#head + index);
      if (this.#tagOf(slot) !== tag) return false;
      if (tag !== Tag.Number) {
        const place = this.#placeOf(slot);
        return encoder.matches(this.memory, tag, place.at, place.size);
      }
      const there = this.#floats[slot / 2 + 1] ?? NaN;
      return there === number || (findsNaN && Number.isNaN(there) && Number.isNaN(number));
    };
    return this.#read(mostLongTries, () => act(this.#length(), matches));
  }

  /** What is read of an element, to be finished, or {@link absent}. */
  #peek(index: number): unknown {
    const length = this.#length();
    const i = index < 0 ? index + length : index;
    return i >= 0 && i < length ? this.#valueIn(this.#ring.slot(this.#head + i)) : absent;
  }

  #valueIn(slot: number): unknown {
    if (this.#tagOf(slot) === Tag.Number) return this.#floats[slot / 2 + 1];
    const { at, tag, size } = this.#placeOf(slot);
    return read(this.memory, tag, at, size);
  }

  /** Where the value of a slot is, in bytes. */
  #placeOf(slot: number): { at: number; tag: Tag; size: number } {
    const what = this.#ints[slot + slotLayout.what] ?? 0;
    const tag = tagIn(what);
    const size = what >>> 4;
    if (size <= inlineBytes) return { at: 4 * (slot + slotLayout.value), tag, size };
    const pointer = this.#ints[slot + slotLayout.pointer] ?? 0;
    this.#ring.reach(pointer, Math.ceil(size / 4));
    return { at: 8 * pointer, tag, size };
  }

  #tagOf(slot: number): Tag {
    return tagIn(this.#ints[slot + slotLayout.what] ?? 0);
  }

  #slotAt(index: number): number {
    const length = this.#length();
    const i = index < 0 ? index + length : index;
    if (i >= 0 && i < length) return this.#ring.slot(this.#head + i);
    const range = length === 0 ? 'of an element, of which there is none' : rangeOf(length);
    throw outOfRange('index', range, index);
  }

  /** The encoded value takes the place of another. */
  #assign(slot: number): void {
    const encoder = this.#encoder;
    if (encoder.tag === Tag.Number && this.#tagOf(slot) === Tag.Number) {
      this.#floats[slot / 2 + 1] = encoder.number;
      this.#sequence.step();
      return;
    }
    this.#sequence.open();
    const pointer = this.#store();
    this.#freeValue(slot);
    for (let i = 0; i < 4; i++) this.log.keep(slot + i);
    this.#describe(slot, pointer);
  }

  /** The encoded value comes to where no element is. */
  #fill(position: number): void {
    this.#orFull(this.#ring.occupy(position));
    const pointer = this.#store();
    this.#describe(this.#ring.slot(position), pointer);
  }

  /** A block with the encoded value, or 0 where it needs none. */
  #store(): number {
    const { size } = this.#encoder;
    if (size <= inlineBytes) return 0;
    const pointer = size > mostValueBytes ? 0 : this.allocate(size);
    if (pointer === 0) throw this.full(size);
    this.#encoder.write(this.memory, 8 * pointer);
    return pointer;
  }

  #describe(slot: number, pointer: number): void {
    const { tag, size } = this.#encoder;
    this.#ints[slot + slotLayout.what] = (size << 4) | tag;
    this.#ints[slot + slotLayout.pointer] = pointer;
    if (size <= inlineBytes) this.#encoder.write(this.memory, 4 * (slot + slotLayout.value));
  }

  /** Frees the block of a slot's value, if it has one. */
  #freeValue(slot: number): void {
    if ((this.#ints[slot + slotLayout.what] ?? 0) >>> 4 <= inlineBytes) return;
    this.arena.free(this.#ints[slot + slotLayout.pointer] ?? 0);
  }

  /** Puts values aside, behind the list, in parts. */
  #stageBehind(values: readonly unknown[]): void {
    const end = this.#head + this.#length();
    this.#putAside(end, 0, false);
    for (let i = 0; i < values.length; i++) {
      this.#breathe();
      this.#encoder.encode(`values[${i}]`, values[i]);
      this.#fill(end + i);
      this.#write(listWords.asideCount, i + 1);
    }
  }

  /** The same in front of it. */
  #stageInFront(values: readonly unknown[]): void {
    const head = this.#head;
    this.#putAside(head, 0, true);
    for (let i = values.length - 1; i >= 0; i--) {
      this.#breathe();
      this.#encoder.encode(`values[${i}]`, values[i]);
      this.#fill(head - values.length + i);
      this.#write(listWords.aside, this.#around(head - values.length + i));
      this.#write(listWords.asideCount, values.length - i);
    }
  }

  #putAside(position: number, count: number, isInFront: boolean): void {
    this.#write(listWords.aside, this.#around(position));
    this.#write(listWords.asideCount, count);
    this.#write(listWords.asideInFront, isInFront ? 1 : 0);
  }

  /** What is aside from now on takes part in an exchange, which somebody will complete (N4). */
  #beginTurn(turning: Turning, at: number, first: number, middle: number, last: number): void {
    this.#breathe();
    this.#write(listWords.asideCount, 0);
    this.#write(listWords.turnAt, this.#around(at));
    this.#write(listWords.turnFirst, first);
    this.#write(listWords.turnMiddle, middle);
    this.#write(listWords.turnLast, last);
    this.#write(listWords.turned, 0);
    this.#write(listWords.turning, turning);
    this.log.commit();
  }

  /** Completes what was begun. */
  #goOn(): void {
    if (this.#turning !== Turning.None) this.#turn();
    if (this.#word(listWords.asideCount) !== 0) this.#freeAside();
  }

  /**
   * Exchanges the first and the last of three neighbouring parts. All are reversed as one, and then
   * each by itself; where first and last are of one length, they just change places. Each step swaps
   * two slots, so that at any time each element is somewhere, once.
   */
  #turn(): void {
    const at = this.#word(listWords.turnAt);
    const first = this.#word(listWords.turnFirst);
    const middle = this.#word(listWords.turnMiddle);
    const last = this.#word(listWords.turnLast);
    const all = first + middle + last;
    if (Math.min(first, middle, last) < 0 || all > this.#ring.slots) {
      throw new CorruptError('a change of it makes no sense');
    }
    this.#sequence.open();
    if (middle === 0 && (first === 0 || last === 0)) {
      // It is where it belongs.
    } else if (first === last) {
      this.#swaps(0, first, (i) => this.#swap(at + i, at + first + middle + i));
    } else {
      let done = 0;
      for (const [from, length] of [
        [0, all],
        [0, last],
        [last, middle],
        [last + middle, first],
      ] as const) {
        const until = at + from + length - 1;
        this.#swaps(done, length >>> 1, (i) => this.#swap(at + from + i, until - i));
        done += length >>> 1;
      }
    }
    this.#breathe();
    const isAtEnd = this.#turning === Turning.AtEnd;
    const length = this.#length();
    if (isAtEnd) {
      this.#write(listWords.length, length - first + last);
      this.#putAside(at + last + middle, first, false);
    } else {
      this.#write(listWords.length, length - last + first);
      this.#write(listWords.head, this.#around(at + last));
      this.#putAside(at, last, true);
    }
    this.#write(listWords.turning, Turning.None);
    this.log.commit();
  }

  /** Takes so many steps, which come after `before` others, unless they are taken already. */
  #swaps(before: number, count: number, step: (i: number) => void): void {
    const done = this.#word(listWords.turned) - before;
    if (done < 0) throw new CorruptError('a change of it makes no sense');
    for (let i = done; i < count; i++) {
      step(i);
      if (this.log.room >= stepRoom) continue;
      this.#write(listWords.turned, before + i + 1);
      this.log.commit();
    }
    if (done < count) this.#write(listWords.turned, before + count);
  }

  #swap(one: number, other: number): void {
    const ints = this.#ints;
    const a = this.#ring.slot(one);
    const b = this.#ring.slot(other);
    for (let i = 0; i < 4; i++) {
      const word = ints[a + i] ?? 0;
      this.log.write(a + i, ints[b + i] ?? 0);
      this.log.write(b + i, word);
    }
  }

  /** Frees what is aside, from its far end on, in parts. */
  #freeAside(): void {
    const ring = this.#ring;
    const isInFront = this.#word(listWords.asideInFront) !== 0;
    const from = this.#word(listWords.aside);
    const count = this.#word(listWords.asideCount);
    if (count < 0 || count > ring.slots) throw new CorruptError('a change of it makes no sense');
    this.#sequence.open();
    for (let left = count; left > 0; left--) {
      this.#breathe();
      const position = isInFront ? from + count - left : from + left - 1;
      this.#freeValue(ring.slot(position));
      if (ListRing.begins(isInFront ? position + 1 : position)) ring.vacate(position);
      if (isInFront) this.#write(listWords.aside, this.#around(position + 1));
      this.#write(listWords.asideCount, left - 1);
    }
    this.log.commit();
  }

  /** Commits when the log is about to be full: a part of a change of many steps. */
  #breathe(): void {
    if (this.log.room < stepRoom) this.log.commit();
  }

  #widen(length: number, count: number): void {
    this.memory.failure = undefined;
    this.#orFull(this.#ring.widen(length, count));
    // What is written next, without the log, may come to where the old directory was.
    this.log.commit();
  }

  #orFull(missing: number): void {
    if (missing !== 0) throw this.full(missing);
  }

  /** Sets the one word by which a change is made; without the log if there is nothing else in it. */
  #commitWord(word: number, value: number): void {
    if (this.log.pending) {
      this.#write(word, value);
    } else {
      this.#ints[this.#at + word] = value;
    }
  }

  #write(word: number, value: number): void {
    this.log.write(this.#at + word, value);
  }

  #word(word: number): number {
    return this.#ints[this.#at + word] ?? 0;
  }

  get #turning(): Turning {
    return turningIn(this.#word(listWords.turning));
  }

  get #head(): number {
    return this.#word(listWords.head);
  }

  #length(): number {
    const length = this.#word(listWords.length);
    // Most lists that anybody has are much shorter than what there is room for.
    if (length < 0 || (length > chunkSlots && length > this.#ring.slots)) {
      throw new CorruptError('it has no such length');
    }
    return length;
  }

  /** A position, within the ring. */
  #around(position: number): number {
    return position & (this.#ring.slots - 1);
  }
}

/** An index as arrays take them where a range begins or ends. */
function clamp(index: number, length: number): number {
  return index < 0 ? Math.max(length + index, 0) : Math.min(index, length);
}

function rangeOf(length: number): string {
  return `an integer from ${-length} to ${length - 1}`;
}

const turningIn: (word: number) => Turning = (word) => word;
