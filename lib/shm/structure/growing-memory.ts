import { isFailure } from '../core/failures';
import { native, type NativeFailure } from '../core/binding';
import { layout } from '../core/layout';
import type { ObjectSeat } from '../core/object-seat';
import type { Views } from '../../values/codec';
import { CorruptError } from '../../values/corrupt-error';

/** What memory is reserved by. */
const pageBytes = 4096;
const pageWords = pageBytes / 4;
/** Growth comes in pieces: an eighth of what is there, but no less and no more than these. */
const leastPieceBytes = 1 << 16;
const mostPieceBytes = 1 << 22;

/** Engines count the bytes of a view as memory that is taken; so it shows as much again as there is. */
const viewFactor = 2;
const leastViewBytes = 1 << 16;
/** Any engine that has views at all has them of so many bytes. */
const surelyShownBytes = 2 ** 31;

/** An object's address space, as its growing memory sees it. */
export interface AddressSpace {
  /** Of the data, in bytes: a multiple of 8. */
  readonly bytes: number;
  /** Where the data begin, in the object. */
  readonly offset: number;
  /** A new ArrayBuffer over so many of their bytes, or more. */
  show(bytes: number): ArrayBuffer;
  /** Empties such a one, which nobody uses any more. */
  hide(buffer: ArrayBuffer): void;
  /** Asks for memory: so many bytes from an offset in the object on. */
  commit(offset: number, bytes: number): NativeFailure | undefined;
}

/**
 * The data of an object that grows: address space of its whole size, and memory in its first part. A
 * word of it says how far the memory reaches. Invariants, by number:
 *
 * - G1  The word is written under the structure's lock, after the memory is there, and never becomes
 *       less.
 * - G2  Nothing beyond is read or written: a full file system would end the process (SIGBUS). So
 *       whatever a pointer leads to is asked about first ({@link reaches}).
 * - G3  The views show a part of the address space. They are others once {@link reaches} or
 *       {@link grow} has been asked about a place beyond them, and what these said yes to, the views
 *       show. So nobody keeps a view across such a question, but through {@link follow}, or where it
 *       is {@link fixed}. An index beyond a view is read as undefined, and written nowhere.
 *
 * All places are in words of 4 bytes from the beginning of the data.
 */
export class GrowingMemory implements Views {
  ints!: Int32Array<ArrayBuffer>;
  bytes!: Uint8Array<ArrayBuffer>;
  shorts!: Uint16Array<ArrayBuffer>;
  floats!: Float64Array<ArrayBuffer>;
  buffer!: Buffer<ArrayBuffer>;
  /** What there is memory for from the first moment on. The view stays the same one. */
  readonly fixed: Int32Array<ArrayBuffer>;
  /** How many words there are address space for. */
  readonly words: number;
  /** Why the last growth failed, if it did. */
  failure: NativeFailure | undefined;
  readonly #at: number;
  readonly #space: AddressSpace;
  readonly #followers: (() => void)[] = [];
  /** Former views, and the present one: none is emptied while somebody may be at work with it. */
  readonly #shown: ArrayBuffer[] = [];
  #isTidying = false;
  /** As far as this thread knows, and its views show: there may be more. */
  #there = 0;

  /**
   * @param at - the word that says how many pages of the whole object there are.
   * @param firstWords - how many words there is memory for from the first moment on.
   */
  constructor(space: AddressSpace, at: number, firstWords: number) {
    this.#space = space;
    this.#at = at;
    this.words = Math.floor(space.bytes / 8) * 2;
    if (space.bytes > surelyShownBytes) space.hide(space.show(space.bytes));
    this.#show(firstWords);
    this.fixed = this.ints;
    if (!this.#look(1)) throw new CorruptError('its memory ends nowhere');
  }

  /** That of an object, which is shown to nobody else. */
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

  /** What the word says of a new object of which so many bytes are there. */
  static pages(firstBytes: number): number {
    return Math.floor(firstBytes / pageBytes);
  }

  /** How many bytes of an object have to be there at first, for so many bytes of data. */
  static firstBytes(wordsBytes: number, dataBytes: number): number {
    return Math.ceil((layout.headerBytes + wordsBytes + dataBytes) / pageBytes) * pageBytes;
  }

  /** How many words there are memory for. */
  get there(): number {
    return Math.max(this.#said(), this.#there);
  }

  /** Has somebody who keeps a view told, now and whenever there are others. */
  follow(adopt: () => void): void {
    adopt();
    this.#followers.push(adopt);
  }

  /** Whether the memory reaches so far. Views may be others afterwards (G3). */
  reaches(words: number): boolean {
    return words <= this.#there || this.#look(words);
  }

  /**
   * Makes sure that the memory reaches so far. Under the lock. Views may be others afterwards (G3).
   *
   * @returns false when it does not, and then {@link failure} says why.
   */
  grow(words: number): boolean {
    if (this.reaches(words)) return true;
    if (words > this.words) return false;
    // Not from where the word says, which somebody may have overwritten: to reserve what is reserved is
    // harmless.
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

  /** What the word says, in words of the data, or 0 when that cannot be. */
  #said(): number {
    const { offset, bytes } = this.#space;
    const pages = this.fixed[this.#at] ?? 0;
    if (pages < 1 || pages > Math.ceil((offset + bytes) / pageBytes)) return 0;
    return Math.min(pages * pageWords - offset / 4, this.words);
  }

  /** Whether the word says that the memory reaches so far; then the views do. */
  #look(words: number): boolean {
    const said = this.#said();
    if (said < words) return false;
    if (words > this.ints.length) this.#show(said);
    // It never becomes less, whatever somebody has overwritten the word by.
    this.#there = Math.max(Math.min(said, this.ints.length), this.#there);
    return true;
  }

  /** Makes views that show so many words, and more. */
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

  /** Former views are emptied when nobody can be at work with them: at once the engine is told that. */
  #tidySoon(): void {
    if (this.#isTidying || this.#shown.length <= 2) return;
    this.#isTidying = true;
    queueMicrotask(() => {
      this.#isTidying = false;
      // The first one is that of the fixed view.
      for (const former of this.#shown.splice(1, this.#shown.length - 2)) this.#space.hide(former);
    });
  }
}
