import type { LockSeat } from '../core/lock-seat';
import { invalidType, outOfRange } from '../../common/errors';
import { changing, atOnce } from '../../common/sync-callbacks';
import { Tag } from '../../values/codec';
import { ListReader, clamp } from './reader';
import { ListRing } from './ring';
import { ListSplicer } from './splicer';
import { listShape, listWords } from './layout';
import { structureLayout } from '../structure/structure-layout';

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
 *       last of three parts (see {@link ListSplicer}). Once begun it will be completed, by whomever.
 * - N5  The block of a large value is freed only while the sequence of large values is odd. So what was
 *       reachable after it was seen even is of one piece if it is the same afterwards.
 */
export class ListState extends ListReader {
  readonly #splicer: ListSplicer;

  constructor(seat: LockSeat, shape = listShape) {
    super(seat, shape);
    this.#splicer = new ListSplicer(this, this.ring, this.slots, this.sequence);
  }

  set(index: number, value: unknown, timeout?: number): void {
    this.slots.encoder.encode('value', value);
    this.mutate(() => this.slots.assign(this.#slotAt(index)), timeout);
  }

  /** @returns what it is now. */
  update(index: number, fn: (value: unknown) => unknown, timeout?: number): unknown {
    return this.mutate(() => {
      const slot = this.#slotAt(index);
      const before = this.finish(this.slots.read(slot), index);
      const after = this.call(() => {
        const after = atOnce(fn(before), changing);
        this.slots.encoder.encode('what fn returns', after);
        return after;
      });
      this.slots.assign(slot);
      return after;
    }, timeout);
  }

  /** @returns what it was. */
  add(index: number, delta: number, timeout?: number): number {
    return this.mutate(() => {
      const slot = this.#slotAt(index);
      if (this.slots.tag(slot) !== Tag.Number) {
        const value = this.finish(this.slots.read(slot), index);
        throw invalidType(`element ${index}`, 'a number', value);
      }
      const before = this.slots.number(slot);
      this.slots.setNumber(slot, before + delta);
      return before;
    }, timeout);
  }

  compareAndSet(index: number, expected: unknown, value: unknown, timeout?: number): boolean {
    const wanted = this.wanted.encode('expected', expected);
    this.slots.encoder.encode('value', value);
    return this.mutate(() => {
      const slot = this.#slotAt(index);
      if (!this.slots.matches(slot, wanted)) return false;
      this.slots.assign(slot);
      return true;
    }, timeout);
  }

  /** @returns the length. */
  push(values: readonly unknown[]): number {
    if (values.length === 1) this.slots.encoder.encode('values[0]', values[0]);
    return this.mutate(() => {
      const { length } = this.ring;
      if (values.length === 1) {
        this.#append(length);
      } else if (values.length > 1) {
        this.#splicer.append(values);
      }
      return length + values.length;
    });
  }

  /** Adds an element at the end, within a change: by itself, whatever becomes of that. */
  protected append(value: unknown): void {
    this.slots.encoder.encode('value', value);
    this.#append(this.ring.length);
    this.log.commit();
  }

  /**
   * Removes an element, within a change, by itself: the last one takes its place. Needs no memory.
   */
  protected drop(index: number): void {
    const { ring, slots } = this;
    const last = ring.length - 1;
    const end = ring.head + last + 1;
    const slot = ring.slot(end - 1);
    this.sequence.open();
    if (index === last) slots.free(slot);
    else slots.move(slot, ring.slot(ring.head + index));
    if (ListRing.begins(end)) ring.vacate(end);
    ring.commitLength(last);
    this.log.commit();
  }

  /** @returns the length. */
  unshift(values: readonly unknown[]): number {
    if (values.length === 1) this.slots.encoder.encode('values[0]', values[0]);
    return this.mutate(() => {
      const { length } = this.ring;
      if (values.length === 1) {
        this.#prepend(length);
      } else if (values.length > 1) {
        this.#splicer.prepend(values);
      }
      return length + values.length;
    });
  }

  pop(timeout?: number): unknown {
    return this.mutate(() => {
      const { ring } = this;
      const { length } = ring;
      if (length === 0) return undefined;
      const end = ring.head + length;
      const slot = ring.slot(end - 1);
      const value = this.finish(this.slots.read(slot), length - 1);
      this.sequence.open();
      this.slots.free(slot);
      // The chunk that the list just ended before is not needed for the next that is pushed.
      if (ListRing.begins(end)) ring.vacate(end);
      ring.commitLength(length - 1);
      return value;
    }, timeout);
  }

  shift(timeout?: number): unknown {
    return this.mutate(() => {
      const { ring } = this;
      const { length, head } = ring;
      if (length === 0) return undefined;
      const slot = ring.slot(head);
      const value = this.finish(this.slots.read(slot), 0);
      this.sequence.open();
      this.slots.free(slot);
      if (ListRing.begins(head + 1)) ring.vacate(head);
      ring.setHead(head + 1);
      ring.setLength(length - 1);
      return value;
    }, timeout);
  }

  /** @returns the elements that were removed. */
  splice(start: number, count: number, values: readonly unknown[]): unknown[] {
    return this.mutate(() => {
      const { length } = this.ring;
      const first = clamp(start, length);
      const gone = Math.min(Math.max(count, 0), length - first);
      const removed = this.slice(first, first + gone);
      if (gone > 0 || values.length > 0) this.#splicer.splice(first, gone, values);
      return removed;
    });
  }

  /** Needs no memory, and makes whole what was overwritten. */
  clear(timeout?: number): void {
    this.changeAnew(() => {
      this.sequence.open();
      this.large.open();
      const { own } = structureLayout;
      for (let word: number = listWords.length; word < listWords.large; word++)
        this.log.write(own + word, 0);
      this.arena.reset();
    }, timeout);
  }

  protected override settle(): void {
    try {
      this.#splicer.goOn();
    } catch {
      this.#giveUp();
    }
    this.sequence.close();
    this.large.close();
  }

  protected override recover(): void {
    // Whoever comes in goes on with it, or makes all of it anew.
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
  protected override mutate<T>(act: () => T, timeout?: number): T {
    this.enter(timeout);
    let result: T;
    try {
      this.#splicer.goOn();
      result = act();
    } catch (error) {
      throw this.abort(error);
    }
    this.leave();
    return result;
  }

  /** The encoded value becomes the last element. */
  #append(length: number): void {
    const { ring, slots } = this;
    this.sequence.open();
    slots.widen(length, 1);
    slots.fill(ring.head + length);
    ring.commitLength(length + 1);
  }

  /** The encoded value becomes the first element. */
  #prepend(length: number): void {
    const { ring, slots } = this;
    this.sequence.open();
    slots.widen(length, 1);
    slots.fill(ring.head - 1);
    ring.setHead(ring.head - 1);
    ring.setLength(length + 1);
  }

  #slotAt(index: number): number {
    const { ring } = this;
    const { length } = ring;
    const i = index < 0 ? index + length : index;
    if (i >= 0 && i < length) return ring.slot(ring.head + i);
    const range = length === 0 ? 'of an element, of which there is none' : rangeOf(length);
    throw outOfRange('index', range, index);
  }
}

function rangeOf(length: number): string {
  return `an integer from ${-length} to ${length - 1}`;
}
