import { isFailure } from '../core/failures';
import { native, type NativeFailure } from '../core/binding';
import { layout } from '../core/layout';
import type { ObjectSeat } from '../core/object-seat';
import type { Views } from '../../values/codec';
import { CorruptError } from '../../values/corrupt-error';

/** The unit in which memory is reserved. */
const pageBytes = 4096;
const pageWords = pageBytes / 4;
/** Memory grows in pieces of an eighth of what is there, but within these limits. */
const leastPieceBytes = 1 << 16;
const mostPieceBytes = 1 << 22;

/**
 * Engines count the bytes of a view as used memory, also where no memory is reserved. So a view shows only
 * twice as many bytes as have memory.
 */
const viewFactor = 2;
const leastViewBytes = 1 << 16;
/**
 * Every engine that can make an ArrayBuffer over shared memory can make one of this size. For larger objects,
 * this is tried once at the beginning.
 */
const surelyShownBytes = 2 ** 31;

/** The address space of an object, as its growing memory uses it. */
export interface AddressSpace {
  /** The size of the data, in bytes: a multiple of 8. */
  readonly bytes: number;
  /** The offset of the data in the object. */
  readonly offset: number;
  /** Makes a new ArrayBuffer over at least this many bytes of the data. */
  show(bytes: number): ArrayBuffer;
  /** Empties such an ArrayBuffer, which must not be in use any more. */
  hide(buffer: ArrayBuffer): void;
  /** Reserves memory: this many bytes, beginning at an offset in the object. */
  commit(offset: number, bytes: number): NativeFailure | undefined;
}

/**
 * The data of an object that grows. There is address space for its maximum size, and memory for the first
 * part of it. A word of the data says how far the memory reaches. Invariants, by number:
 *
 * - G1  The word is written under the structure's lock, after the memory was reserved. It never becomes smaller.
 * - G2  Nothing beyond that is read or written: on a full file system, this would end the process (SIGBUS).
 *       So before a pointer is followed, its target is checked with {@link reaches}.
 * - G3  The views show a part of the address space. They are replaced when {@link reaches} or {@link grow} is
 *       called for a place beyond them. If these calls return true, the views show that place. So no code may
 *       keep a view across such a call, unless it uses {@link follow}, or the view is {@link fixed}. Reading
 *       an index beyond a view gives undefined, and writing there has no effect.
 *
 * All places are in words of 4 bytes from the beginning of the data.
 */
export class GrowingMemory implements Views {
  ints!: Int32Array<ArrayBuffer>;
  bytes!: Uint8Array<ArrayBuffer>;
  shorts!: Uint16Array<ArrayBuffer>;
  floats!: Float64Array<ArrayBuffer>;
  buffer!: Buffer<ArrayBuffer>;
  /** A view of the part that has memory from the beginning. This view is never replaced. */
  readonly fixed: Int32Array<ArrayBuffer>;
  /** The number of words that the address space has. */
  readonly words: number;
  /** Why the last growth failed; undefined when it did not. */
  failure: NativeFailure | undefined;
  readonly #at: number;
  readonly #space: AddressSpace;
  readonly #followers: (() => void)[] = [];
  /** The former views and the current one. A former view is emptied only when it cannot be in use any more. */
  readonly #shown: ArrayBuffer[] = [];
  #isTidying = false;
  /** How many words of memory this thread knows of and its views show. There may be more. */
  #there = 0;

  /**
   * @param at - the word that says how many pages of the whole object have memory.
   * @param firstWords - how many words have memory from the beginning.
   */
  constructor(space: AddressSpace, at: number, firstWords: number) {
    this.#space = space;
    this.#at = at;
    this.words = Math.floor(space.bytes / 8) * 2;
    if (space.bytes > surelyShownBytes) space.hide(space.show(space.bytes));
    this.#show(firstWords);
    this.fixed = this.ints;
    if (!this.#look(1)) throw new CorruptError('the end of its memory is invalid');
  }

  /** Makes the memory of an object. Its views are not given to user code. */
  static of(seat: ObjectSeat, at: number, firstWords: number): GrowingMemory {
    const { dataAt: offset, size, index } = seat;
    const space: AddressSpace = {
      bytes: size - offset,
      offset,
      show: (bytes) => seat.showWithin(offset, bytes),
      hide: (buffer) => native.objectHide(index, buffer),
      commit: (from, bytes) => native.objectCommit(index, from, bytes),
    };
    return new GrowingMemory(space, at, firstWords);
  }

  /**
   * The initial content of the word that says how far the memory reaches, for a new object that has memory
   * for this many bytes.
   */
  static pages(firstBytes: number): number {
    return Math.floor(firstBytes / pageBytes);
  }

  /** How many bytes of a new object need memory, if this many bytes of its data do. */
  static firstBytes(wordsBytes: number, dataBytes: number): number {
    return Math.ceil((layout.headerBytes + wordsBytes + dataBytes) / pageBytes) * pageBytes;
  }

  /** How many words have memory. */
  get there(): number {
    return Math.max(this.#said(), this.#there);
  }

  /** Calls a function now, and whenever the views are replaced. For code that keeps a view. */
  follow(adopt: () => void): void {
    adopt();
    this.#followers.push(adopt);
  }

  /** Whether the memory has this many words. The views may be replaced by this (G3). */
  reaches(words: number): boolean {
    return words <= this.#there || this.#look(words);
  }

  /**
   * Makes sure that the memory has this many words. Under the lock. The views may be replaced by this (G3).
   *
   * @returns false when that is not possible. Then {@link failure} says why, unless the address space is too
   * small.
   */
  grow(words: number): boolean {
    if (this.reaches(words)) return true;
    if (words > this.words) return false;
    // The new memory does not begin where the word says that the memory ends, because that word may have been
    // overwritten. Reserving the same memory twice is harmless.
    const { offset, bytes } = this.#space;
    const from = Math.floor((offset + 4 * this.#there) / pageBytes) * pageBytes;
    const least = offset + 4 * words;
    const size = offset + bytes;
    const piece = Math.min(Math.max(from / 8, leastPieceBytes), mostPieceBytes);
    return (
      this.#extend(from, Math.min(Math.max(least, from + piece), size), words) ||
      this.#extend(from, least, words)
    );
  }

  /** Empties all views. */
  detach(): void {
    for (const buffer of this.#shown) this.#space.hide(buffer);
    this.#shown.length = 0;
  }

  #extend(from: number, until: number, words: number): boolean {
    const size = this.#space.offset + this.#space.bytes;
    const to = Math.min(Math.ceil(until / pageBytes) * pageBytes, size);
    this.failure = this.#space.commit(from, to - from);
    if (isFailure(this.failure)) return false;
    Atomics.store(this.fixed, this.#at, Math.ceil(to / pageBytes));
    return this.#look(words);
  }

  /** The content of the word, converted to words of the data; or 0 if it is not valid. */
  #said(): number {
    const { offset, bytes } = this.#space;
    const pages = this.fixed[this.#at] ?? 0;
    if (pages < 1 || pages > Math.ceil((offset + bytes) / pageBytes)) return 0;
    return Math.min(pages * pageWords - offset / 4, this.words);
  }

  /** Whether the memory has this many words, according to the word. If so, the views also show them. */
  #look(words: number): boolean {
    const said = this.#said();
    if (said < words) return false;
    if (words > this.ints.length) this.#show(said);
    // It never becomes smaller, even if the word was overwritten.
    this.#there = Math.max(Math.min(said, this.ints.length), this.#there);
    return true;
  }

  /** Replaces the views by ones that show this many words and more. */
  #show(words: number): void {
    const { bytes } = this.#space;
    const wanted = Math.min(Math.max(viewFactor * 4 * words, leastViewBytes), bytes);
    const data = this.#space.show(wanted);
    this.#shown.push(data);
    this.ints = new Int32Array(data, 0, Math.floor(data.byteLength / 8) * 2);
    this.bytes = new Uint8Array(data);
    this.shorts = new Uint16Array(data, 0, Math.floor(data.byteLength / 2));
    this.floats = new Float64Array(data, 0, Math.floor(data.byteLength / 8));
    this.buffer = Buffer.from(data);
    for (const adopt of this.#followers) adopt();
    this.#tidySoon();
  }

  /** Empties former views when no code can be using them. So the engine knows at once that they are unused. */
  #tidySoon(): void {
    if (this.#isTidying || this.#shown.length <= 2) return;
    this.#isTidying = true;
    queueMicrotask(() => {
      this.#isTidying = false;
      // The first one belongs to the fixed view.
      for (const former of this.#shown.splice(1, this.#shown.length - 2)) this.#space.hide(former);
    });
  }
}
