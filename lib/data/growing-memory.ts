import { isFailure } from '../failures';
import { native, type NativeFailure } from '../binding';
import { layout } from '../core/layout';
import type { ObjectSeat } from '../core/object-seat';
import type { Views } from './codec';
import { CorruptError } from './corrupt-error';

/** What memory is reserved by. */
const pageBytes = 4096;
const pageWords = pageBytes / 4;
/** Growth comes in pieces: an eighth of what is there, but no less and no more than these. */
const leastPieceBytes = 1 << 16;
const mostPieceBytes = 1 << 22;

/** What more memory is asked of: so many bytes from an offset in the object on. */
export type Commit = (offset: number, bytes: number) => NativeFailure | undefined;

/**
 * The data of an object that grows: address space of its whole size, and memory in its first part. A
 * word of it says how far the memory reaches. Invariants, by number:
 *
 * - G1  The word is written under the structure's lock, after the memory is there, and never becomes
 *       less.
 * - G2  Nothing beyond is read or written: a full file system would end the process (SIGBUS). So
 *       whatever a pointer leads to is asked about first ({@link reaches}).
 *
 * All places are in words of 4 bytes from the beginning of the data.
 */
export class GrowingMemory implements Views {
  readonly ints: Int32Array<ArrayBuffer>;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly shorts: Uint16Array<ArrayBuffer>;
  readonly floats: Float64Array<ArrayBuffer>;
  readonly buffer: Buffer<ArrayBuffer>;
  /** Why the last growth failed, if it did. */
  failure: NativeFailure | undefined;
  readonly #at: number;
  readonly #offset: number;
  readonly #commit: Commit;
  /** As far as this thread knows: there may be more. */
  #there = 0;

  /**
   * @param at - the word that says how many pages of the whole object there are.
   * @param offset - where the data begin, in the object.
   */
  constructor(data: ArrayBuffer, at: number, offset: number, commit: Commit) {
    this.ints = new Int32Array(data, 0, Math.floor(data.byteLength / 8) * 2);
    this.bytes = new Uint8Array(data);
    this.shorts = new Uint16Array(data, 0, Math.floor(data.byteLength / 2));
    this.floats = new Float64Array(data, 0, Math.floor(data.byteLength / 8));
    this.buffer = Buffer.from(data);
    this.#at = at;
    this.#offset = offset;
    this.#commit = commit;
    if (this.#look() === 0) throw new CorruptError('its memory ends nowhere');
  }

  /** That of an object, which is shown to nobody else. */
  static of(seat: ObjectSeat, at: number): GrowingMemory {
    const { dataAt, size, index } = seat;
    const data = seat.show(dataAt, size - dataAt);
    return new GrowingMemory(data, at, dataAt, (offset, bytes) =>
      native.objectCommit(index, offset, bytes),
    );
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
    return this.#look();
  }

  /** Whether the memory reaches so far. */
  reaches(words: number): boolean {
    return words <= this.#there || words <= this.#look();
  }

  /**
   * Makes sure that the memory reaches so far. Under the lock.
   *
   * @returns false when it does not, and then {@link failure} says why.
   */
  grow(words: number): boolean {
    if (words <= this.#there || words <= this.#look()) return true;
    if (words > this.ints.length) return false;
    // Not from where the word says, which somebody may have overwritten: to reserve what is reserved is
    // harmless.
    const from = Math.floor((this.#offset + 4 * this.#there) / pageBytes) * pageBytes;
    const least = this.#offset + 4 * words;
    const size = this.#offset + this.bytes.length;
    const piece = Math.min(Math.max(from / 8, leastPieceBytes), mostPieceBytes);
    return (
      this.#extend(from, Math.min(Math.max(least, from + piece), size)) || this.#extend(from, least)
    );
  }

  /** Empties all views. */
  detach(): void {
    native.bufferDetach(this.ints.buffer);
  }

  #extend(from: number, until: number): boolean {
    const to = Math.min(Math.ceil(until / pageBytes) * pageBytes, this.#offset + this.bytes.length);
    this.failure = this.#commit(from, to - from);
    if (isFailure(this.failure)) return false;
    Atomics.store(this.ints, this.#at, Math.ceil(to / pageBytes));
    this.#look();
    return true;
  }

  /** What the word says, or 0 when that cannot be. */
  #pages(): number {
    const pages = this.ints[this.#at] ?? 0;
    const most = Math.ceil((this.#offset + this.bytes.length) / pageBytes);
    return pages >= 1 && pages <= most ? pages : 0;
  }

  #look(): number {
    const words = this.#pages() * pageWords - this.#offset / 4;
    // It never becomes less, whatever somebody has overwritten the word by.
    if (words > this.#there) this.#there = Math.min(words, this.ints.length);
    return this.#there;
  }
}
