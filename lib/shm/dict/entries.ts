import { sinceBoot } from '../core/clock';
import { readLatin1, readUtf16 } from '../../values/buffer-text';
import { Tag, read, readApart, tagIn, type Encoder } from '../../values/codec';
import { CorruptError } from '../../values/corrupt-error';
import type { GrowingMemory } from '../structure/growing-memory';
import { dictWords, entryWords, meta } from './layout';
import { largeBytes } from '../structure/structure-layout';

/** There is no such entry. */
export const absent = Symbol('absent');
/** There is none yet: somebody computes it. */
export const pending = Symbol('pending');
/** The value of an entry is none: its bytes were changed, or overwritten. */
export const nonsenseValue = Symbol('nonsense');

/** A value that is read later, for it is large: where its entry is. */
export class Later {
  readonly at: number;

  constructor(at: number) {
    this.at = at;
  }
}

/** What the `meta` of a number's entry says whose time is not limited, but for its key. */
const plainNumber: number = Tag.Number;

/**
 * Entries, each in a block: what the table needs of one, its key, its value, and when its time is over.
 * An entry is meant by the word that it begins at.
 *
 * Readers without the lock come by here, so what an entry says of lengths is checked before it is
 * followed. That its first words are memory, who found it has made sure.
 */
export class DictEntries {
  readonly #memory: GrowingMemory;
  #ints!: Int32Array<ArrayBuffer>;
  #floats!: Float64Array<ArrayBuffer>;

  constructor(memory: GrowingMemory) {
    this.#memory = memory;
    memory.follow(() => {
      this.#ints = memory.ints;
      this.#floats = memory.floats;
    });
  }

  /**
   * Bytes that an entry takes with what was encoded.
   *
   * @param isWide - whether the key takes two bytes a character.
   */
  static bytes(key: string, isWide: boolean, { size }: Encoder, expiry: number): number {
    const keyBytes = isWide ? 2 * key.length : key.length;
    return 4 * entryWords.body + (expiry === 0 ? 0 : 8) + size + (size & 1) + keyBytes;
  }

  hashOf(at: number): number {
    return this.#ints[at + entryWords.hash] ?? 0;
  }

  tagOf(at: number): Tag {
    return tagIn(this.#ints[at + entryWords.meta] ?? 0);
  }

  isKey(at: number, key: string): boolean {
    const ints = this.#ints;
    const what = ints[at + entryWords.meta] ?? 0;
    const length = key.length;
    if (what >>> meta.lengthShift !== length) return false;
    const from = this.#keyAt(at, what);
    if ((what & meta.wide) === 0) {
      if (!this.#isInside(from, length)) return false;
      const { bytes } = this.#memory;
      for (let i = 0; i < length; i++) if (bytes[from + i] !== key.charCodeAt(i)) return false;
    } else {
      if (!this.#isInside(from, 2 * length)) return false;
      const { shorts } = this.#memory;
      for (let i = 0; i < length; i++) if (shorts[from / 2 + i] !== key.charCodeAt(i)) return false;
    }
    return true;
  }

  /** The key, or undefined where it is none. */
  keyOf(at: number): string | undefined {
    const what = this.#ints[at + entryWords.meta] ?? 0;
    const from = this.#keyAt(at, what);
    const isWide = (what & meta.wide) !== 0;
    const size = (what >>> meta.lengthShift) * (isWide ? 2 : 1);
    if (!this.#isInside(from, size)) return undefined;
    const { buffer } = this.#memory;
    return isWide ? readUtf16(buffer, from, size / 2) : readLatin1(buffer, from, size);
  }

  /** Where an entry's value begins, in words. */
  bodyOf(at: number): number {
    const expires = ((this.#ints[at + entryWords.meta] ?? 0) & meta.expires) !== 0;
    return at + entryWords.body + (expires ? 2 : 0);
  }

  /**
   * The same, of a value of so many words.
   *
   * @throws CorruptError there are not so many.
   */
  bodyOfWords(at: number, words: number): number {
    const body = this.bodyOf(at);
    if (!this.#memory.reaches(body + words))
      throw new CorruptError('a value of it is of no length');
    return body;
  }

  /** When its time is over, by the clock of {@link sinceBoot}; 0: never. */
  expiryAt(at: number): number {
    const expires = ((this.#ints[at + entryWords.meta] ?? 0) & meta.expires) !== 0;
    return expires ? (this.#floats[(at + entryWords.body) / 2] ?? 0) : 0;
  }

  isExpired(at: number): boolean {
    const expires = ((this.#ints[at + entryWords.meta] ?? 0) & meta.expires) !== 0;
    return expires && (this.#floats[(at + entryWords.body) / 2] ?? 0) <= sinceBoot();
  }

  isVisible(at: number): boolean {
    return this.tagOf(at) !== Tag.Pending && !this.isExpired(at);
  }

  /** Whether an entry has a large value. */
  isLarge(at: number): boolean {
    return (this.#ints[at + entryWords.size] ?? 0) >= largeBytes;
  }

  /**
   * What is to be finished of an entry's value; `absent`, `pending`, or that it is none, as a large one
   * is here: see {@link readWhole}.
   */
  read(at: number): unknown {
    const what = this.#ints[at + entryWords.meta] ?? 0;
    if ((what & (meta.tag | meta.expires)) === plainNumber) {
      return this.#floats[(at + entryWords.body) / 2];
    }
    return this.isLarge(at) ? nonsenseValue : this.#readOther(at, what, read);
  }

  /** The same, of whatever size. */
  readWhole(at: number): unknown {
    return this.#readOther(at, this.#ints[at + entryWords.meta] ?? 0, read);
  }

  /** The same, and it may be finished after others were read. */
  readApart(at: number): unknown {
    return this.#readOther(at, this.#ints[at + entryWords.meta] ?? 0, readApart);
  }

  /** The same as {@link readWhole}, under the lock, where nothing changes meanwhile. */
  readLocked(at: number): unknown {
    const value = this.readWhole(at);
    if (value === nonsenseValue) throw new CorruptError('a value of it is of no length');
    return value;
  }

  /** Whether an entry's value is the one that was encoded, byte by byte. */
  matches(at: number, encoder: Encoder): boolean {
    const size = this.#ints[at + entryWords.size] ?? 0;
    const from = 4 * this.bodyOf(at);
    if (!this.#isInside(from, size)) return false;
    return encoder.matches(this.#memory, this.tagOf(at), from, size);
  }

  /** Writes an entry to where nothing leads yet; which one is next is up to the table. */
  write(
    at: number,
    key: string,
    hash: number,
    isWide: boolean,
    encoder: Encoder,
    expiry: number,
  ): void {
    const ints = this.#ints;
    const memory = this.#memory;
    const expires = expiry !== 0;
    ints[at + entryWords.hash] = hash;
    ints[at + entryWords.meta] =
      encoder.tag |
      (isWide ? meta.wide : 0) |
      (expires ? meta.expires : 0) |
      (key.length << meta.lengthShift);
    ints[at + entryWords.size] = encoder.size;
    let body = at + entryWords.body;
    if (expires) {
      this.#floats[body / 2] = expiry;
      body += 2;
      if (ints[dictWords.expires] === 0) ints[dictWords.expires] = 1;
    }
    encoder.write(memory, 4 * body);
    const from = 4 * body + encoder.size + (encoder.size & 1);
    if (isWide) {
      for (let i = 0; i < key.length; i++) memory.shorts[from / 2 + i] = key.charCodeAt(i);
    } else {
      for (let i = 0; i < key.length; i++) memory.bytes[from + i] = key.charCodeAt(i);
    }
  }

  /**
   * Gives an entry whose time is not limited another value by one store, where that is enough: a number
   * for a number, a word for a word.
   */
  overwrite(at: number, { tag, number }: Encoder): boolean {
    const what = this.#ints[at + entryWords.meta] ?? 0;
    if ((what & meta.expires) !== 0) return false;
    const before = tagIn(what);
    if (tag === Tag.Number && before === Tag.Number) {
      this.#floats[(at + entryWords.body) / 2] = number;
      return true;
    }
    if (!isWord(tag) || !isWord(before)) return false;
    this.#ints[at + entryWords.meta] = (what & ~meta.tag) | tag;
    return true;
  }

  #readOther(at: number, what: number, by: typeof read): unknown {
    if ((what & meta.expires) !== 0 && this.isExpired(at)) return absent;
    const tag = tagIn(what);
    if (tag === Tag.Pending) return pending;
    const from = 4 * (at + entryWords.body) + ((what & meta.expires) === 0 ? 0 : 8);
    const size = this.#ints[at + entryWords.size] ?? 0;
    if (!this.#isInside(from, size)) return nonsenseValue;
    return by(this.#memory, tag, from, size);
  }

  /** Where an entry's key begins, in bytes. */
  #keyAt(at: number, what: number): number {
    const body = 4 * (at + entryWords.body) + ((what & meta.expires) === 0 ? 0 : 8);
    const size = this.#ints[at + entryWords.size] ?? 0;
    return body + size + (size & 1);
  }

  /** Whether so many bytes from there on are memory. */
  #isInside(from: number, size: number): boolean {
    return from >= 0 && size >= 0 && this.#memory.reaches(Math.ceil((from + size) / 4));
  }
}

/** A value that its tag says all of. */
const isWord = (tag: Tag): boolean => tag >= Tag.Undefined && tag <= Tag.True;
