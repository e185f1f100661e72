import type { Arena } from '../structure/arena';
import { CorruptError } from '../../values/corrupt-error';
import type { GrowingMemory } from '../structure/growing-memory';
import {
  chunkShift,
  chunkSlots,
  chunkWords,
  leastChunks,
  listWords,
  mostChunks,
  slotWords,
} from './layout';
import type { UndoLog } from '../structure/undo-log';

/**
 * The slots of a list, and which of them contain its elements. The slots are in a ring of chunks. A directory
 * contains the pointers to the chunks. So an element is found in two steps, and each end grows and shrinks
 * chunk by chunk. A directory that is too small is replaced by one of twice the size.
 *
 * A position says where in the ring a slot is. Positions wrap around; callers need not care about that. There
 * are chunks at all positions with elements, including elements that are set aside. There may also be a chunk
 * where the next element will be pushed. As many positions as one chunk has always stay free, so that the two
 * ends never share a chunk.
 */
export class ListRing {
  readonly #memory: GrowingMemory;
  #ints!: Int32Array<ArrayBuffer>;
  readonly #log: UndoLog;
  readonly #arena: Arena;
  readonly #at: number;
  /** The smallest valid pointer. */
  readonly #least: number;
  /** The directory that was checked last, and its size. */
  #directory = 0;
  #chunks = 0;

  /**
   * @param at - where the list's own words are.
   * @param begin - the word where the blocks begin.
   */
  constructor(memory: GrowingMemory, log: UndoLog, arena: Arena, at: number, begin: number) {
    this.#memory = memory;
    memory.follow(() => (this.#ints = memory.ints));
    this.#log = log;
    this.#arena = arena;
    this.#at = at;
    this.#least = (begin + 1) >>> 1;
  }

  /** The number of positions. */
  get slots(): number {
    const chunks = this.#ints[this.#at + listWords.chunks] ?? 0;
    if (chunks === 0) return 0;
    this.#checked();
    return chunks << chunkShift;
  }

  /** The number of elements. They begin at the head. */
  get length(): number {
    const length = this.#ints[this.#at + listWords.length] ?? 0;
    // Short lists skip the check against the number of slots. Most lists are much shorter than that.
    if (length < 0 || (length > chunkSlots && length > this.slots)) {
      throw new CorruptError('its length is invalid');
    }
    return length;
  }

  /** The position of the first element. */
  get head(): number {
    return this.#ints[this.#at + listWords.head] ?? 0;
  }

  setLength(length: number): void {
    this.#log.write(this.#at + listWords.length, length);
  }

  /**
   * Sets the length as the last step of a change. If the change has recorded nothing in the undo log, the log
   * is not used here either: this one store makes the whole change visible.
   */
  commitLength(length: number): void {
    if (this.#log.pending) {
      this.setLength(length);
    } else {
      this.#ints[this.#at + listWords.length] = length;
    }
  }

  setHead(position: number): void {
    this.#log.write(this.#at + listWords.head, this.around(position));
  }

  /** Wraps a position around to its place within the ring. */
  around(position: number): number {
    return position & (this.slots - 1);
  }

  /**
   * Returns the word where the slot of a position begins.
   *
   * @throws CorruptError there is no such slot.
   */
  slot(position: number): number {
    const directory = this.#checked();
    const place = position & ((this.#chunks << chunkShift) - 1);
    const chunk = this.#ints[directory + (place >>> chunkShift)] ?? 0;
    this.reach(chunk, chunkWords);
    return 2 * chunk + slotWords * (place & (chunkSlots - 1));
  }

  /**
   * Makes sure that a pointer leads to the given number of words within the memory.
   *
   * @throws CorruptError it does not.
   */
  reach(pointer: number, words: number): void {
    if (!this.reaches(pointer, words)) throw new CorruptError('a pointer in it is out of bounds');
  }

  /** Whether a pointer leads to the given number of words within the memory. */
  reaches(pointer: number, words: number): boolean {
    return pointer >= this.#least && this.#memory.reaches(2 * pointer + words);
  }

  /**
   * Makes room for more positions. No elements may be set aside (N3 of `ListState`) when this is called.
   *
   * @param used - how many positions are in use.
   * @param more - how many more are needed.
   * @returns 0, or how many bytes could not be allocated.
   */
  widen(used: number, more: number): number {
    const at = this.#at;
    const needed = used + more + chunkSlots;
    const { slots } = this;
    if (needed <= slots) return 0;
    const before = slots >>> chunkShift;
    let after = Math.max(before, leastChunks);
    while (after << chunkShift < needed && after < mostChunks) after *= 2;
    const bytes = 4 * after;
    const pointer = after << chunkShift < needed ? 0 : this.#arena.allocate(bytes);
    if (pointer === 0) return bytes;
    const ints = this.#ints;
    const old = ints[at + listWords.directory] ?? 0;
    const { head } = this;
    const first = (head & (slots - 1)) >>> chunkShift;
    ints.fill(0, 2 * pointer, 2 * pointer + after);
    for (let i = 0; i < before; i++) {
      ints[2 * pointer + i] = ints[2 * old + ((first + i) & (before - 1))] ?? 0;
    }
    this.#log.write(at + listWords.head, head & (chunkSlots - 1));
    this.#log.write(at + listWords.directory, pointer);
    this.#log.write(at + listWords.chunks, after);
    if (before !== 0) this.#arena.free(old);
    return 0;
  }

  /**
   * Makes sure that there is a chunk at a position.
   *
   * @returns 0, or how many bytes could not be allocated.
   */
  occupy(position: number): number {
    const entry = this.#entry(position);
    if (this.#ints[entry] !== 0) return 0;
    const pointer = this.#arena.allocate(4 * chunkWords);
    if (pointer === 0) return 4 * chunkWords;
    this.#log.write(entry, pointer);
    return 0;
  }

  /** Frees the chunk at a position, if there is one. */
  vacate(position: number): void {
    if (this.slots === 0) return;
    const entry = this.#entry(position);
    const pointer = this.#ints[entry] ?? 0;
    if (pointer === 0) return;
    this.#arena.free(pointer);
    this.#log.write(entry, 0);
  }

  /** Whether a position is the first of its chunk. */
  static begins(position: number): boolean {
    return (position & (chunkSlots - 1)) === 0;
  }

  #entry(position: number): number {
    const directory = this.#checked();
    return directory + ((position & ((this.#chunks << chunkShift) - 1)) >>> chunkShift);
  }

  /** Returns where the directory begins, after checking that it is valid. */
  #checked(): number {
    const ints = this.#ints;
    const directory = ints[this.#at + listWords.directory] ?? 0;
    const chunks = ints[this.#at + listWords.chunks] ?? 0;
    if (directory !== this.#directory || chunks !== this.#chunks) {
      const isSize = chunks >= leastChunks && chunks <= mostChunks && (chunks & (chunks - 1)) === 0;
      if (!isSize) throw new CorruptError('the size of its directory is invalid');
      this.reach(directory, chunks);
      if (this.#arena.room(directory) < 4 * chunks) {
        throw new CorruptError('its directory is too small');
      }
      this.#directory = directory;
      this.#chunks = chunks;
    }
    return 2 * directory;
  }
}
