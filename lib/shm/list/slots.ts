import { Encoder, Tag, apartAt, noValue, read, tagIn } from '../../values/codec';
import type { StoredApart } from '../../values/out-of-band';
import type { GrowingMemory } from '../structure/growing-memory';
import type { ListRing } from './ring';
import type { Sequence } from '../structure/sequence';
import { largeBytes } from '../structure/structure-layout';
import { inlineBytes, slotLayout, slotWords } from './layout';
import type { StructureState } from '../structure/structure-state';

/** The place of a value whose pointer is not valid. */
const nowhere = -1;

/** Where a value is, in bytes, and how it is stored. */
interface Place {
  readonly at: number;
  readonly tag: Tag;
  readonly size: number;
}

/**
 * The values in the slots of a list. A value is in the slot itself, or in a block that the slot points to. A
 * slot is identified by the word where it begins.
 *
 * A value is encoded before it is written, so that a value that cannot be encoded changes nothing.
 */
export class ListSlots {
  /** Encodes the value that is to be written. */
  readonly encoder: Encoder;
  readonly #state: StructureState;
  readonly #ring: ListRing;
  readonly #sequence: Sequence;
  readonly #large: Sequence;
  readonly #memory: GrowingMemory;
  #ints!: Int32Array<ArrayBuffer>;
  #floats!: Float64Array<ArrayBuffer>;

  constructor(state: StructureState, ring: ListRing, sequence: Sequence, large: Sequence) {
    this.#state = state;
    this.encoder = new Encoder(state);
    this.#ring = ring;
    this.#sequence = sequence;
    this.#large = large;
    const memory = (this.#memory = state.memory);
    memory.follow(() => {
      this.#ints = memory.ints;
      this.#floats = memory.floats;
    });
  }

  tag(slot: number): Tag {
    return tagIn(this.#ints[slot + slotLayout.what] ?? 0);
  }

  /** The number in a slot whose tag says that it contains one. */
  number(slot: number): number {
    return this.#floats[slot / 2 + 1] ?? NaN;
  }

  /** Reads a value. Returns an intermediate result, from which `finish` of codec.ts makes the value. */
  read(slot: number): unknown {
    if (this.tag(slot) === Tag.Number) return this.#floats[slot / 2 + 1];
    return this.readPlace(this.place(slot));
  }

  /** Like {@link read}, when the place of the value is already known. */
  readPlace({ at, tag, size }: Place): unknown {
    return at === nowhere ? noValue : read(this.#memory, tag, at, size);
  }

  /** Whether a slot has a large value. */
  isLarge(slot: number): boolean {
    return (this.#ints[slot + slotLayout.what] ?? 0) >>> 4 >= largeBytes;
  }

  /** Whether the value is equal to the encoded one. */
  matches(slot: number, wanted: Encoder): boolean {
    const { at, tag, size } = this.place(slot);
    return at !== nowhere && wanted.matches(this.#memory, tag, at, size);
  }

  /** Replaces a number by another. */
  setNumber(slot: number, value: number): void {
    this.#floats[slot / 2 + 1] = value;
    this.#sequence.step();
  }

  /** Replaces a value by the encoded one. */
  assign(slot: number): void {
    const { encoder } = this;
    if (encoder.tag === Tag.Number && this.tag(slot) === Tag.Number) {
      this.setNumber(slot, encoder.number);
      return;
    }
    const { log } = this.#state;
    this.#sequence.open();
    const pointer = this.#store(this.apartOf(slot)?.bytes);
    this.free(slot);
    for (let i = 0; i < 4; i++) log.keep(slot + i);
    this.#describe(slot, pointer);
  }

  /** Writes the encoded value to a position without an element. */
  fill(position: number): void {
    this.#orFull(this.#ring.occupy(position));
    const pointer = this.#store();
    this.#describe(this.#ring.slot(position), pointer);
  }

  /** Makes room for more positions. No elements may be set aside (N3 of `ListState`) when this is called. */
  widen(length: number, count: number): void {
    this.#memory.failure = undefined;
    this.#orFull(this.#ring.widen(length, count));
    // The next writes are made without the log, and may go to the memory of the old directory.
    this.#state.log.commit();
  }

  /**
   * Moves a value from the slot `from` to the slot `to`, and frees the value that was in `to`. Afterwards,
   * `from` must not be used as an element any more.
   */
  move(from: number, to: number): void {
    const { log } = this.#state;
    this.#sequence.open();
    this.free(to);
    for (let i = 0; i < slotWords; i++) log.write(to + i, this.#ints[from + i] ?? 0);
  }

  /** Frees the block of a slot's value, if it has one. */
  free(slot: number): void {
    if ((this.#ints[slot + slotLayout.what] ?? 0) >>> 4 <= inlineBytes) return;
    if (this.tag(slot) === Tag.OutOfBand) this.#state.outOfBand.drop(this.apartOf(slot));
    if (this.isLarge(slot)) this.#large.open();
    this.#state.arena.free(this.#ints[slot + slotLayout.pointer] ?? 0);
  }

  /** What a slot says about its value, if that is stored apart. */
  apartOf(slot: number): StoredApart | undefined {
    if (this.tag(slot) !== Tag.OutOfBand) return undefined;
    const { at, size } = this.place(slot);
    return at === nowhere ? undefined : apartAt(this.#memory, at, size);
  }

  /** Returns where the value of a slot is, in bytes, or {@link nowhere}. */
  place(slot: number): Place {
    const what = this.#ints[slot + slotLayout.what] ?? 0;
    const tag = tagIn(what);
    const size = what >>> 4;
    if (size <= inlineBytes) return { at: 4 * (slot + slotLayout.value), tag, size };
    const pointer = this.#ints[slot + slotLayout.pointer] ?? 0;
    const isThere = this.#ring.reaches(pointer, Math.ceil(size / 4));
    return { at: isThere ? 8 * pointer : nowhere, tag, size };
  }

  /**
   * Stores the encoded value in a new block. Returns the pointer to the block, or 0 if the value needs no
   * block.
   *
   * @param freed - how many bytes that are stored apart are freed at the same time.
   */
  #store(freed = 0): number {
    const { size, apartBytes } = this.encoder;
    if (size <= inlineBytes) return 0;
    if (apartBytes > 0 || this.#state.outOfBand.bytes > 0) {
      this.#state.checkRoomApart(size + apartBytes, freed);
    }
    const pointer = this.#state.allocate(size);
    if (pointer === 0) throw this.#state.full(size);
    this.encoder.write(this.#memory, 8 * pointer);
    return pointer;
  }

  #describe(slot: number, pointer: number): void {
    const { tag, size } = this.encoder;
    this.#ints[slot + slotLayout.what] = (size << 4) | tag;
    this.#ints[slot + slotLayout.pointer] = pointer;
    if (size <= inlineBytes) this.encoder.write(this.#memory, 4 * (slot + slotLayout.value));
  }

  #orFull(missing: number): void {
    if (missing !== 0) throw this.#state.full(missing);
  }
}
