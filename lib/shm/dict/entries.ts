import { sinceBoot } from '../core/clock';
import { readLatin1, readUtf16 } from '../../values/buffer-text';
import { Tag, apartAt, read, readApart, tagIn, type Encoder } from '../../values/codec';
import { CorruptError } from '../../values/corrupt-error';
import type { StoredApart } from '../../values/out-of-band';
import type { GrowingMemory } from '../structure/growing-memory';
import { dictWords, entryWords, meta } from './layout';
import { largeBytes } from '../structure/structure-layout';

/** There is no entry for the key. */
export const absent = Symbol('absent');
/** There is no value yet: it is being computed. */
export const pending = Symbol('pending');
/** The bytes are not a valid value: they were changed during the reading, or overwritten. */
export const nonsenseValue = Symbol('nonsense');

/** Stands for a value that is read later because it is large. Says where its entry is. */
export class Later {
  readonly at: number;

  constructor(at: number) {
    this.at = at;
  }
}

/** The `meta` of an entry whose value is a number and which never expires, without the bits for the key. */
const plainNumber: number = Tag.Number;

/**
 * The entries of a dict, each in a block of its own. A block contains the pointer to the next entry of the
 * same bucket, the hash, the key, the value, and the expiry time. An entry is identified by the word where it
 * begins.
 *
 * Readers use these methods without the lock, so each length in an entry is checked before it is used. The
 * caller that found the entry has already checked that its first words are within the memory.
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
   * The size in bytes of an entry with the encoded value.
   *
   * @param isWide - whether the key has two bytes per character.
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

  /** The key, or undefined if its length is not valid. */
  keyOf(at: number): string | undefined {
    const what = this.#ints[at + entryWords.meta] ?? 0;
    const from = this.#keyAt(at, what);
    const isWide = (what & meta.wide) !== 0;
    const size = (what >>> meta.lengthShift) * (isWide ? 2 : 1);
    if (!this.#isInside(from, size)) return undefined;
    const { buffer } = this.#memory;
    return isWide ? readUtf16(buffer, from, size / 2) : readLatin1(buffer, from, size);
  }

  /** The word where an entry's value begins. */
  bodyOf(at: number): number {
    const expires = ((this.#ints[at + entryWords.meta] ?? 0) & meta.expires) !== 0;
    return at + entryWords.body + (expires ? 2 : 0);
  }

  /**
   * Like {@link bodyOf}, but checks that a value of the given number of words is within the memory.
   *
   * @throws CorruptError the memory ends before the end of the value.
   */
  bodyOfWords(at: number, words: number): number {
    const body = this.bodyOf(at);
    if (!this.#memory.reaches(body + words)) {
      throw new CorruptError('a value in it has an invalid length');
    }
    return body;
  }

  /** When an entry expires, by the clock of {@link sinceBoot}; 0: never. */
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
   * Reads an entry's value. Returns an intermediate result, from which `finish` of codec.ts makes the value;
   * or `absent`, `pending` or `nonsenseValue`. For a large value, always returns `nonsenseValue`: use
   * {@link readWhole} for such values.
   */
  read(at: number): unknown {
    const what = this.#ints[at + entryWords.meta] ?? 0;
    if ((what & (meta.tag | meta.expires)) === plainNumber) {
      return this.#floats[(at + entryWords.body) / 2];
    }
    return this.isLarge(at) ? nonsenseValue : this.#readOther(at, what, read);
  }

  /** Like {@link read}, but also reads large values. */
  readWhole(at: number): unknown {
    return this.#readOther(at, this.#ints[at + entryWords.meta] ?? 0, read);
  }

  /** Like {@link readWhole}, but other values may be read before `finish` is called for the result. */
  readApart(at: number): unknown {
    return this.#readOther(at, this.#ints[at + entryWords.meta] ?? 0, readApart);
  }

  /**
   * Like {@link readWhole}, but called under the lock, so that nothing changes during the reading. Throws
   * CorruptError instead of returning `nonsenseValue`.
   */
  readLocked(at: number): unknown {
    const value = this.readWhole(at);
    if (value === nonsenseValue) throw new CorruptError('a value in it has an invalid length');
    return value;
  }

  /** Whether an entry's value is equal to the encoded one. */
  matches(at: number, encoder: Encoder): boolean {
    const size = this.#ints[at + entryWords.size] ?? 0;
    const from = 4 * this.bodyOf(at);
    if (!this.#isInside(from, size)) return false;
    return encoder.matches(this.#memory, this.tagOf(at), from, size);
  }

  /** What an entry says about its value, if that is stored apart. */
  apartOf(at: number): StoredApart | undefined {
    if (this.tagOf(at) !== Tag.OutOfBand) return undefined;
    const size = this.#ints[at + entryWords.size] ?? 0;
    const from = 4 * this.bodyOf(at);
    return this.#isInside(from, size) ? apartAt(this.#memory, from, size) : undefined;
  }

  /** Writes an entry to a block that nothing points to yet. The table sets the pointer to the next entry. */
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
   * Changes the value of an entry that never expires, if one store is enough: if a number replaces a number,
   * or if both values are stored in the tag alone.
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

  /** The byte where an entry's key begins. */
  #keyAt(at: number, what: number): number {
    const body = 4 * (at + entryWords.body) + ((what & meta.expires) === 0 ? 0 : 8);
    const size = this.#ints[at + entryWords.size] ?? 0;
    return body + size + (size & 1);
  }

  /** Whether the given range of bytes is within the memory. */
  #isInside(from: number, size: number): boolean {
    return from >= 0 && size >= 0 && this.#memory.reaches(Math.ceil((from + size) / 4));
  }
}

/** Whether the tag alone is the whole value. */
const isWord = (tag: Tag): boolean => tag >= Tag.Undefined && tag <= Tag.True;
