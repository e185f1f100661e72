import type { LockSeat } from '../core/lock-seat';
import { Encoder, Tag, finish, isApart } from '../../values/codec';
import { GoneError } from '../../values/out-of-band';
import { ListRing } from './ring';
import { ListSlots } from './slots';
import { Sequence } from '../structure/sequence';
import { listWords } from './layout';
import {
  blocksAt,
  mostCopies,
  structureLayout,
  type StructureShape,
} from '../structure/structure-layout';
import { StructureState } from '../structure/structure-state';

/** How often a reader that sees changes in progress tries again before it takes the lock. */
const mostTries = 64;
/** How often a reader of many elements tries again before it takes the lock. */
const mostLongTries = 4;

/** Stands for no slot: no slot begins there. */
const none = 0;

/** There is no element at the index. */
export const absent = Symbol('absent');

/**
 * The methods of a list that read. They read without the lock, and use the sequence to make sure that nobody
 * changed the list meanwhile. If others keep changing the list, they read under the lock, as a change that
 * changes nothing.
 */
export abstract class ListReader extends StructureState {
  protected readonly ring: ListRing;
  protected readonly slots: ListSlots;
  protected readonly sequence: Sequence;
  /** The sequence of large values: see N5 of `ListState`. */
  protected readonly large: Sequence;
  /** Encodes the value that is searched for or expected. */
  protected readonly wanted = new Encoder();

  constructor(seat: LockSeat, shape: StructureShape) {
    super(seat, shape);
    const { memory, log, arena } = this;
    const { own } = structureLayout;
    this.ring = new ListRing(memory, log, arena, own, blocksAt(shape, seat.length));
    this.sequence = new Sequence(memory.fixed, own + listWords.sequence);
    this.large = new Sequence(memory.fixed, own + listWords.large);
    this.slots = new ListSlots(this, this.ring, this.sequence, this.large);
  }

  get length(): number {
    return this.#steadily(mostTries, () => this.ring.length);
  }

  /** Returns an element, or {@link absent}. */
  get(index: number): unknown {
    const sequence = this.sequence;
    for (let tries = 0; tries < mostTries && !this.inside; tries++) {
      const before = sequence.before;
      if ((before & 1) !== 0) continue;
      let isLarge: boolean;
      let value: unknown;
      try {
        const slot = this.#slotOf(index);
        isLarge = slot !== none && this.slots.isLarge(slot);
        value = isLarge ? undefined : this.#read(slot);
      } catch (error) {
        if (sequence.after !== before) continue;
        throw this.explain(error);
      }
      if (isLarge) return this.#getLarge(index);
      if (sequence.after !== before) continue;
      try {
        return this.finish(value, index);
      } catch (error) {
        if (!(error instanceof GoneError)) throw error;
        break;
      }
    }
    return this.#getLocked(index);
  }

  /** Returns the elements from `start` up to, but not including, `end`, as one consistent snapshot. */
  slice(start: number, end: number): unknown[] {
    return this.#steadily(mostLongTries, (isSteady) => {
      const { length } = this.ring;
      const values: unknown[] = [];
      const last = clamp(end, length);
      for (let i = clamp(start, length); i < last; i++) {
        const slot = this.#slotOf(i);
        const value = this.#read(slot);
        // Checks the sequence before it spends time on decoding bytes that may be a mix of two values, and
        // after a copy that took long.
        const takesLong = (typeof value === 'object' && value !== null) || this.slots.isLarge(slot);
        if (takesLong && !isSteady()) return values;
        values.push(this.finish(value, i));
      }
      return values;
    });
  }

  /**
   * Returns the first index of a value, or -1.
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

  /**
   * Makes an element from the intermediate result of reading it.
   *
   * @throws UnreadableError its bytes are not a valid value, or a shared object in it cannot be attached to. GoneError
   * without the lock: see B3 of `OutOfBand`.
   */
  protected finish(value: unknown, index: number): unknown {
    if (typeof value !== 'object' || value === null) return value;
    try {
      return finish(value);
    } catch (error) {
      if (error instanceof GoneError && !this.inside) throw error;
      throw this.unreadable(error, index);
    }
  }

  /** Makes a change, after completing a change that a dead thread may have left unfinished. */
  protected abstract mutate<T>(act: () => T, timeout?: number): T;

  /** Reads under the lock. Within a change, this thread already has the lock. */
  #look<T>(act: () => T): T {
    return this.inside ? act() : this.mutate(act);
  }

  /** Tries to read without the lock a limited number of times, then reads under the lock. */
  #steadily<T>(mostTries: number, act: (isSteady: () => boolean) => T): T {
    const sequence = this.sequence;
    for (let tries = 0; tries < mostTries && !this.inside; tries++) {
      const before = sequence.before;
      if ((before & 1) !== 0) continue;
      let result: T;
      try {
        result = act(() => sequence.after === before);
      } catch (error) {
        if (sequence.after !== before || error instanceof GoneError) continue;
        throw this.explain(error);
      }
      if (sequence.after === before) return result;
    }
    return this.#look(() => act(() => true));
  }

  /** The same as {@link get}, for a large value (N5 of `ListState`). */
  #getLarge(index: number): unknown {
    const { sequence, large } = this;
    let copies = 0;
    for (let tries = 0; tries < mostTries && copies < mostCopies; tries++) {
      const largeBefore = large.before;
      const before = sequence.before;
      if (((largeBefore | before) & 1) !== 0) continue;
      let place;
      try {
        const slot = this.#slotOf(index);
        if (slot === none || !this.slots.isLarge(slot)) break;
        place = this.slots.place(slot);
      } catch (error) {
        if (sequence.after !== before) continue;
        throw this.explain(error);
      }
      if (sequence.after !== before) continue;
      const value = this.slots.readPlace(place);
      copies++;
      if (large.after === largeBefore) return this.finish(value, index);
    }
    return this.#getLocked(index);
  }

  #getLocked(index: number): unknown {
    const value = this.#look(() => {
      const read = this.#peek(index);
      // B3 of `OutOfBand`: without the lock, the object may be gone. Everything else may take long.
      return isApart(read) ? this.finish(read, index) : read;
    });
    return this.finish(value, index);
  }

  #search(
    value: unknown,
    act: (length: number, matches: (index: number, findsNaN: boolean) => boolean) => number,
  ): number {
    const encoder = this.wanted.encode('value', value);
    const { tag, number } = encoder;
    const { ring, slots } = this;
    const matches = (index: number, findsNaN: boolean): boolean => {
      const slot = ring.slot(ring.head + index);
      const found = slots.tag(slot);
      if (found !== tag) return found === Tag.OutOfBand && slots.matches(slot, encoder);
      if (tag !== Tag.Number) return slots.matches(slot, encoder);
      const there = slots.number(slot);
      return there === number || (findsNaN && Number.isNaN(there) && Number.isNaN(number));
    };
    return this.#steadily(mostLongTries, () => act(this.ring.length, matches));
  }

  /**
   * Returns the intermediate result of reading an element, from which {@link finish} makes the element; or
   * {@link absent}.
   */
  #peek(index: number): unknown {
    return this.#read(this.#slotOf(index));
  }

  #read(slot: number): unknown {
    return slot === none ? absent : this.slots.read(slot);
  }

  /** Returns where the slot of an element begins, or {@link none}. */
  #slotOf(index: number): number {
    const { ring } = this;
    const { length } = ring;
    const i = index < 0 ? index + length : index;
    return i >= 0 && i < length ? ring.slot(ring.head + i) : none;
  }
}

/** Converts the index of a range's beginning or end as arrays do. */
export function clamp(index: number, length: number): number {
  return index < 0 ? Math.max(length + index, 0) : Math.min(index, length);
}
