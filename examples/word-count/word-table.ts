import { hashOn, hashSeed, letters } from './tokenize';

/**
 * How often each word occurs: a hash table whose keys are bytes. The keys of a Map would have to be
 * strings, and a new string would have to be created for every word of the text.
 *
 * Words are numbered in the order of their first occurrence. Word i is `pool[ends[i - 1] … ends[i]]`. Its
 * number + 1 is in the first free slot from `hash % slots` on.
 */
export class WordTable {
  /** The number of different words. */
  size = 0;
  /** The number of words. */
  total = 0;
  #slots = new Int32Array(1 << 12);
  #hashes = new Int32Array(1 << 11);
  #counts = new Float64Array(1 << 11);
  #ends = new Int32Array(1 << 11);
  #pool = new Uint8Array(1 << 14);

  clear(): void {
    this.size = this.total = 0;
    this.#slots.fill(0);
  }

  /** Counts the word `bytes[start … end]` the given number of times. Case is ignored. */
  add(bytes: Uint8Array, start: number, end: number, hash: number, times: number): void {
    const slot = this.#find(bytes, start, end, hash);
    const entry = this.#slots[slot]!;
    this.total += times;
    if (entry !== 0) {
      this.#counts[entry - 1]! += times;
      return;
    }
    const word = this.size++;
    this.#slots[slot] = word + 1;
    this.#hashes[word] = hash;
    this.#counts[word] = times;
    this.#keep(word, bytes, start, end);
    if (this.size === this.#counts.length) this.#grow();
  }

  /** Whether both have the same words the same number of times. */
  equals(other: WordTable): boolean {
    if (this.size !== other.size || this.total !== other.total) return false;
    for (let word = 0; word < this.size; word++) {
      const [start, end, hash] = [this.#start(word), this.#ends[word]!, this.#hashes[word]!];
      const entry = other.#slots[other.#find(this.#pool, start, end, hash)]!;
      if (entry === 0 || other.#counts[entry - 1] !== this.#counts[word]) return false;
    }
    return true;
  }

  /** The most frequent words, the most frequent one first. */
  top(most: number): { word: string; count: number }[] {
    return Array.from({ length: this.size }, (_, word) => word)
      .sort((a, b) => this.#counts[b]! - this.#counts[a]!)
      .slice(0, most)
      .map((word) => ({
        word: Buffer.from(this.#pool.subarray(this.#start(word), this.#ends[word])).toString(),
        count: this.#counts[word]!,
      }));
  }

  /**
   * The size of the encoded table: for each word its length, its letters, its count.
   *
   * This is never more than 4/3 of the text it came from, if a byte separates every two words. A word of n
   * letters that occurs once takes n + 1 bytes in the text and n + 2 here, and n is at least 2. Longer and
   * more frequent words take less.
   */
  get encodedBytes(): number {
    let bytes = this.size === 0 ? 0 : this.#ends[this.size - 1]!;
    for (let word = 0; word < this.size; word++) {
      bytes += varintBytes(this.#ends[word]! - this.#start(word));
      bytes += varintBytes(this.#counts[word]!);
    }
    return bytes;
  }

  encodeInto(target: Uint8Array): void {
    let at = 0;
    for (let word = 0; word < this.size; word++) {
      const [start, end] = [this.#start(word), this.#ends[word]!];
      at = writeVarint(target, at, end - start);
      for (let from = start; from < end; from++) target[at++] = this.#pool[from]!;
      at = writeVarint(target, at, this.#counts[word]!);
    }
  }

  /**
   * Adds all counts of an encoded table. The table comes from another process, so it is checked while it is
   * read.
   */
  addEncoded(source: Uint8Array): void {
    let at = 0;
    const readVarint = (): number => {
      let value = 0;
      for (let scale = 1; at < source.length && scale < 2 ** 49; scale *= 128) {
        const byte = source[at++]!;
        value += (byte & 0x7f) * scale;
        if (byte < 0x80) return value;
      }
      throw new Error('an encoded table is torn');
    };
    while (at < source.length) {
      const length = readVarint();
      const start = at;
      at += length;
      if (at > source.length) throw new Error('an encoded table is torn');
      let hash = hashSeed;
      for (let from = start; from < at; from++) hash = hashOn(hash, source[from]!);
      this.add(source, start, start + length, hash, readVarint());
    }
  }

  #start(word: number): number {
    return word === 0 ? 0 : this.#ends[word - 1]!;
  }

  #equals(word: number, bytes: Uint8Array, start: number, end: number): boolean {
    let at = this.#start(word);
    if (this.#ends[word]! - at !== end - start) return false;
    for (let from = start; from < end; from++) {
      if (this.#pool[at++] !== letters[bytes[from]!]) return false;
    }
    return true;
  }

  /** The slot that a word is in, or would be in. */
  #find(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot]!;
      if (entry === 0) return slot;
      if (this.#hashes[entry - 1] === hash && this.#equals(entry - 1, bytes, start, end)) {
        return slot;
      }
    }
  }

  #keep(word: number, bytes: Uint8Array, start: number, end: number): void {
    let at = this.#start(word);
    while (at + end - start > this.#pool.length) this.#pool = doubled(this.#pool);
    for (let from = start; from < end; from++) this.#pool[at++] = letters[bytes[from]!]!;
    this.#ends[word] = at;
  }

  /** Doubles the room for words. At most half of the slots are ever in use. */
  #grow(): void {
    this.#hashes = doubled(this.#hashes);
    this.#counts = doubled(this.#counts);
    this.#ends = doubled(this.#ends);
    this.#slots = new Int32Array(2 * this.#slots.length);
    const mask = this.#slots.length - 1;
    for (let word = 0; word < this.size; word++) {
      let slot = this.#hashes[word]! & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = word + 1;
    }
  }
}

type Growable = Int32Array<ArrayBuffer> | Uint8Array<ArrayBuffer> | Float64Array<ArrayBuffer>;

function doubled<T extends Growable>(array: T): T {
  const larger = new (array.constructor as new (length: number) => T)(2 * array.length);
  larger.set(array);
  return larger;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (; value >= 128; value = Math.floor(value / 128)) bytes++;
  return bytes;
}

function writeVarint(target: Uint8Array, at: number, value: number): number {
  for (; value >= 128; value = Math.floor(value / 128)) target[at++] = (value % 128) | 0x80;
  target[at++] = value;
  return at;
}
