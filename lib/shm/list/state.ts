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
 * - N1  All changes are made under the lock and through the undo log, except those that are one store: a
 *       number that becomes another number, or a length that becomes another length. Slots that contain no
 *       element belong to nobody and are written without the log.
 * - N2  Anything that a reader may reach, including freed memory, is changed only while the sequence is odd,
 *       or by one store.
 * - N3  A change of many steps is committed in parts. New elements are first set aside: in slots next to the
 *       list that do not belong to it yet. Then one word makes these slots part of the list. The same commit
 *       sets aside the elements that are removed, which are then freed in parts. If a thread dies in between,
 *       the next one that makes a change frees what is set aside. So the change is made as a whole or not at
 *       all.
 * - N4  In the middle of the list, new elements exchange places with those that are removed. This is an
 *       exchange of the first and the last of three parts (see {@link ListSplicer}). An exchange that has
 *       begun is always completed, if necessary by another thread.
 * - N5  The block of a large value is freed only while the sequence of large values is odd. Suppose that
 *       sequence was even, and a value was reachable after that. Then what was read of it is consistent if
 *       the sequence is the same afterwards.
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

  /** @returns the new element. */
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

  /** @returns the number before the addition. */
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

  /**
   * Adds an element at the end, within another change. Commits the element at once, so it stays even if the
   * other change is undone later.
   */
  protected append(value: unknown): void {
    this.slots.encoder.encode('value', value);
    this.#append(this.ring.length);
    this.log.commit();
  }

  /**
   * Removes an element within another change, and commits the removal at once. The last element of the list
   * takes the place of the removed one. Needs no memory.
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
      // No element is in the chunk that begins at `end`, and the next push will go to the chunk before it.
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

  /** Needs no memory. Also repairs a list whose bytes were overwritten. */
  clear(timeout?: number): void {
    this.changeAnew(() => {
      this.sequence.open();
      this.large.open();
      const { own } = structureLayout;
      this.outOfBand.dropAll(() => this.allApart());
      for (let word: number = listWords.length; word < listWords.large; word++)
        this.log.write(own + word, 0);
      this.arena.reset();
    }, timeout);
  }

  protected override allApart(): string[] {
    const found: string[] = [];
    const { head, length } = this.ring;
    for (let i = 0; i < length; i++) {
      const stored = this.slots.apartOf(this.ring.slot(head + i));
      if (stored !== undefined) found.push(stored.text);
    }
    return found;
  }

  override apart(timeout: number): Set<string> {
    return new Set(this.mutate(() => this.allApart(), timeout));
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
    // The next caller that enters continues the unfinished change, or clears the list.
  }

  /**
   * Undoes the change in progress if that is possible. Otherwise leaves the invalid data as it is: the next
   * caller finds it too, and throws the error.
   */
  #giveUp(): void {
    try {
      this.log.rollBack(structureLayout.outOfBandBytes);
    } catch {
      // The log makes no sense either.
    }
  }

  /** Makes a change, after completing a change that a dead thread may have left unfinished. */
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

  /** Adds the encoded value as the last element. */
  #append(length: number): void {
    const { ring, slots } = this;
    this.sequence.open();
    slots.widen(length, 1);
    slots.fill(ring.head + length);
    ring.commitLength(length + 1);
  }

  /** Adds the encoded value as the first element. */
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
    const range = length === 0 ? 'the index of an element (the list is empty)' : rangeOf(length);
    throw outOfRange('index', range, index);
  }
}

function rangeOf(length: number): string {
  return `an integer from ${-length} to ${length - 1}`;
}
