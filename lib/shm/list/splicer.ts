import { CorruptError } from '../../values/corrupt-error';
import { ListRing } from './ring';
import type { ListSlots } from './slots';
import type { Sequence } from '../structure/sequence';
import { Turning, listWords } from './layout';
import { structureLayout } from '../structure/structure-layout';
import type { StructureState } from '../structure/structure-state';
import type { UndoLog } from '../structure/undo-log';

/** How many records the undo log must have room for before one more step of a change of many steps. */
const stepRoom = 128;

/**
 * The changes of a list that take many steps. N3 and N4 of `ListState` say how such a change is made as a
 * whole or not at all. Used within a change, after any unfinished change of a dead thread was completed.
 */
export class ListSplicer {
  readonly #state: StructureState;
  readonly #ring: ListRing;
  readonly #slots: ListSlots;
  readonly #sequence: Sequence;
  readonly #log: UndoLog;
  #ints!: Int32Array<ArrayBuffer>;
  readonly #at = structureLayout.own;

  constructor(state: StructureState, ring: ListRing, slots: ListSlots, sequence: Sequence) {
    this.#state = state;
    this.#ring = ring;
    this.#slots = slots;
    this.#sequence = sequence;
    this.#log = state.log;
    const { memory } = state;
    memory.follow(() => (this.#ints = memory.ints));
  }

  /** Adds values at the end. */
  append(values: readonly unknown[]): void {
    const ring = this.#ring;
    const { length } = ring;
    this.#sequence.open();
    this.#slots.widen(length, values.length);
    this.#stageBehind(values);
    this.#write(listWords.asideCount, 0);
    ring.setLength(length + values.length);
  }

  /** Adds values at the front. They keep their order. */
  prepend(values: readonly unknown[]): void {
    const ring = this.#ring;
    const { length } = ring;
    this.#sequence.open();
    this.#slots.widen(length, values.length);
    this.#stageInFront(values);
    this.#write(listWords.asideCount, 0);
    ring.setHead(ring.head - values.length);
    ring.setLength(length + values.length);
  }

  /** Replaces `gone` elements, beginning at the index `first`, by values. */
  splice(first: number, gone: number, values: readonly unknown[]): void {
    const ring = this.#ring;
    const { length } = ring;
    this.#sequence.open();
    if (ListRing.begins(ring.head + length)) ring.vacate(ring.head + length);
    if (values.length > 0) this.#slots.widen(length, values.length);
    const behind = length - first - gone;
    if (behind <= first) {
      this.#stageBehind(values);
      this.#beginTurn(Turning.AtEnd, ring.head + first, gone, behind, values.length);
    } else {
      this.#stageInFront(values);
      const from = ring.head - values.length;
      this.#beginTurn(Turning.AtFront, from, values.length, first, gone);
    }
    this.goOn();
  }

  /** Completes a change that has begun, no matter which thread began it. */
  goOn(): void {
    if (this.#turning !== Turning.None) this.#turn();
    if (this.#word(listWords.asideCount) !== 0) this.#freeAside();
  }

  /** Sets new values aside behind the list (N3). Commits them in several parts if there are many. */
  #stageBehind(values: readonly unknown[]): void {
    const ring = this.#ring;
    const end = ring.head + ring.length;
    this.#putAside(end, 0, false);
    for (let i = 0; i < values.length; i++) {
      this.#breathe();
      this.#encode(values, i);
      this.#slots.fill(end + i);
      this.#write(listWords.asideCount, i + 1);
    }
  }

  /** Sets new values aside in front of the list. Otherwise like `#stageBehind`. */
  #stageInFront(values: readonly unknown[]): void {
    const { head } = this.#ring;
    this.#putAside(head, 0, true);
    for (let i = values.length - 1; i >= 0; i--) {
      this.#breathe();
      this.#encode(values, i);
      this.#slots.fill(head - values.length + i);
      this.#write(listWords.aside, this.#ring.around(head - values.length + i));
      this.#write(listWords.asideCount, values.length - i);
    }
  }

  /**
   * Encodes one of the values. A value may have getters, which are user code. So the encoding is done as a
   * call of user code.
   */
  #encode(values: readonly unknown[], i: number): void {
    this.#state.call(() => this.#slots.encoder.encode(`values[${i}]`, values[i]));
  }

  #putAside(position: number, count: number, isInFront: boolean): void {
    this.#write(listWords.aside, this.#ring.around(position));
    this.#write(listWords.asideCount, count);
    this.#write(listWords.asideInFront, isInFront ? 1 : 0);
  }

  /**
   * Begins an exchange that includes the elements that are set aside. From now on, it will be completed, if
   * necessary by another thread (N4).
   */
  #beginTurn(turning: Turning, at: number, first: number, middle: number, last: number): void {
    this.#breathe();
    this.#write(listWords.asideCount, 0);
    this.#write(listWords.turnAt, this.#ring.around(at));
    this.#write(listWords.turnFirst, first);
    this.#write(listWords.turnMiddle, middle);
    this.#write(listWords.turnLast, last);
    this.#write(listWords.turned, 0);
    this.#write(listWords.turning, turning);
    this.#log.commit();
  }

  /**
   * Exchanges the first and the last of three adjacent parts. First, all three are reversed together. Then
   * each part is reversed by itself. If the first and the last part have the same length, they are simply
   * swapped. Each step swaps two slots, so at any time each element is in exactly one place.
   */
  #turn(): void {
    const ring = this.#ring;
    const at = this.#word(listWords.turnAt);
    const first = this.#word(listWords.turnFirst);
    const middle = this.#word(listWords.turnMiddle);
    const last = this.#word(listWords.turnLast);
    const all = first + middle + last;
    if (Math.min(first, middle, last) < 0 || all > ring.slots) {
      throw new CorruptError('its record of an unfinished change is invalid');
    }
    this.#sequence.open();
    if (middle === 0 && (first === 0 || last === 0)) {
      // Everything is already in its place.
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
    const { length } = ring;
    if (isAtEnd) {
      ring.setLength(length - first + last);
      this.#putAside(at + last + middle, first, false);
    } else {
      ring.setLength(length - last + first);
      ring.setHead(at + last);
      this.#putAside(at, last, true);
    }
    this.#write(listWords.turning, Turning.None);
    this.#log.commit();
  }

  /**
   * Takes `count` steps of an exchange, where `before` steps come before them. Leaves out the steps that were
   * already taken, perhaps by a thread that died.
   */
  #swaps(before: number, count: number, step: (i: number) => void): void {
    const done = this.#word(listWords.turned) - before;
    if (done < 0) throw new CorruptError('its record of an unfinished change is invalid');
    for (let i = done; i < count; i++) {
      step(i);
      if (this.#log.room >= stepRoom) continue;
      this.#write(listWords.turned, before + i + 1);
      this.#log.commit();
    }
    if (done < count) this.#write(listWords.turned, before + count);
  }

  #swap(one: number, other: number): void {
    const a = this.#ring.slot(one);
    const b = this.#ring.slot(other);
    const ints = this.#ints;
    for (let i = 0; i < 4; i++) {
      const word = ints[a + i] ?? 0;
      this.#log.write(a + i, ints[b + i] ?? 0);
      this.#log.write(b + i, word);
    }
  }

  /** Frees what is set aside, in parts, beginning at the end that is farther from the list. */
  #freeAside(): void {
    const ring = this.#ring;
    const isInFront = this.#word(listWords.asideInFront) !== 0;
    const from = this.#word(listWords.aside);
    const count = this.#word(listWords.asideCount);
    if (count < 0 || count > ring.slots) {
      throw new CorruptError('its record of an unfinished change is invalid');
    }
    this.#sequence.open();
    for (let left = count; left > 0; left--) {
      this.#breathe();
      const position = isInFront ? from + count - left : from + left - 1;
      this.#slots.free(ring.slot(position));
      if (ListRing.begins(isInFront ? position + 1 : position)) ring.vacate(position);
      if (isInFront) this.#write(listWords.aside, this.#ring.around(position + 1));
      this.#write(listWords.asideCount, left - 1);
    }
    this.#log.commit();
  }

  /** Commits a part of a change of many steps when the log is almost full. */
  #breathe(): void {
    if (this.#log.room < stepRoom) this.#log.commit();
  }

  #write(word: number, value: number): void {
    this.#log.write(this.#at + word, value);
  }

  #word(word: number): number {
    return this.#ints[this.#at + word] ?? 0;
  }

  get #turning(): Turning {
    return turningIn(this.#word(listWords.turning));
  }
}

const turningIn: (word: number) => Turning = (word) => word;
