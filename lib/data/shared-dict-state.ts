import { native } from '../binding';
import type { LockSeat } from '../core/lock-seat';
import { loadFirst, loadLast } from '../core/ordered';
import { Word } from '../core/word';
import { isFailure } from '../failures';
import { invalidType } from '../errors';
import { Encoder, Tag, finish, isLatin1, read, readApart, tagIn } from './codec';
import { CorruptError } from './corrupt-error';
import { Sequences } from './sequences';
import {
  chunkBuckets,
  chunkShift,
  computedAt,
  dictShape,
  dictWords,
  directoryAt,
  entryWords,
  evicting,
  leastBuckets,
  meta,
  mostChunks,
  usesAt,
  usesOf,
} from './shared-dict-layout';
import { StructureState } from './structure-state';

/** How often a reader that finds things changing looks again before it takes the lock. */
const mostTries = 64;

/** No chain is so long, unless its bytes were overwritten. */
const mostSteps = 1 << 16;
/** Longer ones are not split: a change has only so many steps. */
const longestSplit = 200;

/** How many entries are looked at for the one that was used least lately. */
const samples = 8;

/** What the undo log must have room for, for one more entry to be removed. */
const removalRoom = 64;

/** There is no such entry. */
export const absent = Symbol('absent');
/** There is none yet: somebody computes it. */
export const pending = Symbol('pending');

/** An entry as a reader finds it: where it begins, or one of these. */
const none = 0;
const nonsense = -1;

/** Who computes a value: a thread, and which of its computations. */
export interface Claim {
  readonly key: string;
  readonly token: number;
  readonly serial: number;
}

/** What {@link DictState.put} is to do when there is an entry, and when there is none. */
export const enum When {
  Always = 0,
  Absent = 1,
}

let serials = 0;

/**
 * The table of a dict: hashing that grows by one bucket at a time (Litwin, "Linear hashing", 1980), in
 * shared memory. Invariants, by number:
 *
 * - D1  All is changed under the lock and through the undo log, except a number that becomes another
 *       number, and true, false, null or undefined that becomes another of them: that is one store,
 *       which readers see or not.
 * - D2  Whatever a reader of a stripe (the keys whose hashes have the same low 6 bits) may come by is
 *       changed, freed memory included, only while the stripe's sequence is odd. So what was read is
 *       of one piece if the sequence was even before, and the same afterwards.
 * - D3  To split a bucket moves entries within one stripe, since there are never fewer buckets than
 *       stripes; readers of others find their bucket by the old number of buckets or the new.
 * - D4  An entry is reachable only once it is complete.
 */
export class DictState extends StructureState {
  /** Changes whenever somebody has computed something, or has given it up. */
  readonly computed: Word;
  /** How long entries live unless told otherwise, in milliseconds; 0: for ever. */
  readonly ttl: number;
  readonly #ints: Int32Array<ArrayBuffer>;
  readonly #floats: Float64Array<ArrayBuffer>;
  readonly #sequences: Sequences;
  readonly #seed: number;
  readonly #mostBuckets: number;
  readonly #encoder = new Encoder();
  readonly #expected = new Encoder();
  /** Where it is said how lately entries were used; 0 where nothing is evicted. */
  readonly #usesAt: number;
  readonly #usesMask: number;
  #random: number;
  /** What led to the entry that was found, or leads to the first of its bucket where there was none. */
  #link = 0;

  constructor(seat: LockSeat) {
    const evicts = seat.type === evicting;
    super(seat, dictShape(evicts));
    const ints = (this.#ints = this.memory.ints);
    this.#floats = this.memory.floats;
    this.#sequences = new Sequences(ints, dictWords.sequences);
    // Neither ever changes, so neither is read again.
    this.#seed = ints[dictWords.seed] ?? 0;
    const ttl = this.#floats[dictWords.ttl / 2] ?? 0;
    this.ttl = ttl > 0 ? ttl : 0;
    this.#mostBuckets = mostChunks(seat.length) * chunkBuckets;
    this.#usesAt = evicts ? usesAt(seat.length) : 0;
    this.#usesMask = usesOf(seat.length) - 1;
    this.#random = (this.#seed ^ process.pid) | 1;
    this.computed = new Word(seat, computedAt, false);
  }

  get size(): number {
    return Math.max(this.#ints[dictWords.size] ?? 0, 0);
  }

  /** The value, or `absent`, or `pending`. */
  get(key: string): unknown {
    const hash = this.#hash(key);
    const ints = this.#ints;
    const sequence = dictWords.sequences + (hash & (Sequences.count - 1));
    for (let tries = 0; tries < mostTries; tries++) {
      const before = loadFirst(ints, sequence);
      if ((before & 1) !== 0) continue;
      const at = this.#find(key, hash);
      if (at === nonsense) continue;
      const value = at === none ? absent : this.#read(at);
      if (value === nonsenseValue) continue;
      if (loadLast(ints, sequence) !== before) continue;
      if (at !== none && this.#usesAt !== 0) this.#use(hash);
      return this.#finish(value);
    }
    return this.#getSlowly(key, hash);
  }

  /** Whether there is a value. */
  has(key: string): boolean {
    const hash = this.#hash(key);
    const ints = this.#ints;
    const sequence = dictWords.sequences + (hash & (Sequences.count - 1));
    for (let tries = 0; tries < mostTries; tries++) {
      const before = loadFirst(ints, sequence);
      if ((before & 1) !== 0) continue;
      const at = this.#find(key, hash);
      if (at === nonsense) continue;
      const is = at !== none && this.#isVisible(at);
      if (loadLast(ints, sequence) === before) return is;
    }
    return typeof this.#getSlowly(key, hash) !== 'symbol';
  }

  /**
   * Sets a value.
   *
   * @param ttl - milliseconds; 0: for ever.
   * @returns whether it was set.
   */
  set(key: string, value: unknown, ttl: number, when: When): boolean {
    const encoder = this.#encoder.encode('value', value);
    const hash = this.#hash(key);
    this.enter();
    try {
      const at = this.#locate(key, hash);
      if (when === When.Absent && at !== none && this.#isVisible(at)) {
        this.leave();
        return false;
      }
      if (ttl === 0 && at !== none && this.#overwrite(at, encoder)) {
        if (this.#usesAt !== 0) this.#use(hash);
      } else {
        this.#put(key, hash, at, encoder, expiryOf(ttl));
      }
    } catch (error) {
      throw this.abort(error);
    }
    this.leave();
    return true;
  }

  delete(key: string): boolean {
    const hash = this.#hash(key);
    this.enter();
    let is = false;
    try {
      const at = this.#locate(key, hash);
      if (at !== none) {
        is = this.#isVisible(at);
        this.#remove(at, this.#link);
      }
    } catch (error) {
      throw this.abort(error);
    }
    this.leave();
    return is;
  }

  /** Adds to a number; returns what it was. */
  add(key: string, delta: number, ttl: number): number {
    const hash = this.#hash(key);
    this.enter();
    let before = 0;
    try {
      const at = this.#locate(key, hash);
      if (at !== none && this.#isVisible(at)) {
        if (this.#tagOf(at) !== Tag.Number) throw this.#notANumber(key, at);
        const place = this.#bodyOf(at) / 2;
        before = this.#floats[place] ?? NaN;
        this.#floats[place] = before + delta;
        if (this.#usesAt !== 0) this.#use(hash);
      } else {
        this.#put(key, hash, at, this.#encoder.encode('value', delta), expiryOf(ttl));
      }
    } catch (error) {
      throw this.abort(error);
    }
    this.leave();
    return before;
  }

  /**
   * Replaces a value by what a function makes of it, or of undefined.
   *
   * @param ttl - undefined: as long as it had.
   */
  update(
    key: string,
    fn: (value: unknown) => unknown,
    ttl: number | undefined,
    initialTtl: number,
  ) {
    const hash = this.#hash(key);
    return this.change(() => {
      const before = this.#getLocked(key, hash);
      const after = fn(typeof before === 'symbol' ? undefined : before);
      const encoder = this.#encoder.encode('what fn returns', after);
      const at = this.#locate(key, hash);
      const expiry =
        ttl === undefined && at !== none && this.#isVisible(at)
          ? this.#expiryAt(at)
          : expiryOf(ttl ?? initialTtl);
      if (expiry !== 0 || at === none || !this.#overwrite(at, encoder)) {
        this.#put(key, hash, at, encoder, expiry);
      }
      return after;
    });
  }

  /** Sets a value if it is what is expected; undefined is also none. */
  compareAndSet(key: string, expected: unknown, value: unknown, ttl: number): boolean {
    const hash = this.#hash(key);
    const wanted = this.#expected.encode('expected', expected);
    const encoder = this.#encoder.encode('value', value);
    return this.change(() => {
      const at = this.#locate(key, hash);
      const isThere = at !== none && this.#isVisible(at);
      const matches = isThere
        ? wanted.matches(this.memory, this.#tagOf(at), 4 * this.#bodyOf(at), this.#sizeAt(at))
        : expected === undefined;
      if (matches) this.#put(key, hash, at, encoder, expiryOf(ttl));
      return matches;
    });
  }

  clear(): void {
    this.changeAnew(() => {
      const { log } = this;
      const ints = this.#ints;
      this.#sequences.openAll();
      this.arena.reset();
      for (let bucket = 0; bucket < leastBuckets; bucket++) {
        const at = dictWords.table + bucket;
        if (ints[at] !== 0) log.write(at, 0);
      }
      log.write(dictWords.buckets, leastBuckets);
      log.write(dictWords.size, 0);
      log.write(dictWords.cursor, 0);
    });
    this.computed.announce();
  }

  /**
   * The entries by groups, each of one moment: {@link Entries.next} until it says that there are no
   * more. Whatever is there throughout is in one group exactly, however the table grows.
   */
  entries(): Entries {
    return { buckets: this.#bucketCount(), bucket: 0, found: [] };
  }

  /** @returns whether there was another group. */
  next(entries: Entries): boolean {
    const { buckets, bucket } = entries;
    if (bucket >= buckets) return false;
    entries.bucket++;
    // The keys of one bucket, as it was in the beginning: by so many bits of their hashes.
    const level = levelOf(buckets);
    const isSplit = bucket >= level || bucket + level < buckets;
    const period = isSplit ? 2 * level : level;
    const sequence = dictWords.sequences + (bucket & (Sequences.count - 1));
    for (let tries = 0; tries < mostTries; tries++) {
      const before = loadFirst(this.#ints, sequence);
      if ((before & 1) !== 0) continue;
      if (this.#collect(entries, bucket, period) && loadLast(this.#ints, sequence) === before) {
        return true;
      }
    }
    this.#collectSlowly(entries, bucket, period);
    return true;
  }

  #collectSlowly(entries: Entries, bucket: number, period: number): void {
    this.look(() => {
      this.#evenOut();
      if (!this.#collect(entries, bucket, period)) throw new CorruptError(noTable);
    });
  }

  /** The value of a group's entry. */
  valueIn(found: unknown): unknown {
    return this.#finish(found);
  }

  /**
   * What there is of a key: its value; or who is to compute it, which is this thread from now on; or
   * `pending`, when somebody else does.
   *
   * @param look - whether to see if who computes it is still there.
   */
  claim(key: string, look: boolean): { value: unknown } | Claim | typeof pending {
    const there = this.get(key);
    if (typeof there !== 'symbol') return { value: there };
    if (there === pending && !look) return pending;
    const token = native.presenceToken();
    if (isFailure(token)) {
      throw this.error(token.code, `cannot show that this thread is there (${token.code})`);
    }
    const hash = this.#hash(key);
    return this.change(() => {
      const at = this.#locate(key, hash);
      if (at !== none && this.#isVisible(at)) {
        return { value: this.#getLocked(key, hash) };
      }
      if (at !== none && this.#tagOf(at) === Tag.Pending) {
        const body = this.#bodyOf(at) / 2;
        const whose = this.#floats[body] ?? NaN;
        if (isToken(whose) && native.isPresent(whose)) return pending;
      }
      const serial = ++serials;
      this.#put(key, hash, at, this.#encoder.promise(token, serial), 0);
      return { key, token, serial };
    });
  }

  /** Whether this very thread computes it. */
  isOwn(key: string): boolean {
    const token = native.presenceToken();
    const hash = this.#hash(key);
    return this.look(() => {
      const at = this.#locate(key, hash);
      if (at === none || this.#tagOf(at) !== Tag.Pending) return false;
      return this.#floats[this.#bodyOf(at) / 2] === token;
    });
  }

  /** A value was computed. One that was set meanwhile stays, one that was deleted stays away. */
  fulfil(claim: Claim, value: unknown, ttl: number): void {
    const encoder = this.#encoder.encode('what fn returns', value);
    const hash = this.#hash(claim.key);
    this.change(() => {
      const at = this.#locate(claim.key, hash);
      if (at !== none && this.#isClaimedBy(at, claim)) {
        this.#put(claim.key, hash, at, encoder, expiryOf(ttl));
      }
    });
    this.computed.announce();
  }

  /** A value was not computed: others may. */
  renounce(claim: Claim): void {
    const hash = this.#hash(claim.key);
    this.change(() => {
      const at = this.#locate(claim.key, hash);
      if (at !== none && this.#isClaimedBy(at, claim)) this.#remove(at, this.#link);
    });
    this.computed.announce();
  }

  override close(): void {
    this.computed.close();
    super.close();
  }

  protected override settle(): void {
    this.#sequences.closeAll();
  }

  protected override recover(): void {
    this.#sequences.repair();
  }

  /** Apart from where it is called, which has no closures to make that way. */
  #getSlowly(key: string, hash: number): unknown {
    return this.look(() => {
      this.#evenOut();
      return this.#getLocked(key, hash);
    });
  }

  /** A sequence that somebody has overwritten would have all its readers take the lock. */
  #evenOut(): void {
    if (!this.log.pending) this.#sequences.repair();
  }

  #getLocked(key: string, hash: number): unknown {
    const at = this.#locate(key, hash);
    if (at === none) return absent;
    const value = this.#read(at);
    if (value === nonsenseValue) throw new CorruptError('a value of it is of no length');
    if (this.#usesAt !== 0) this.#use(hash);
    return this.#finish(value);
  }

  #finish(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value;
    try {
      return finish(value);
    } catch (error) {
      throw this.explain(error);
    }
  }

  #hash(key: string): number {
    let hash = this.#seed ^ key.length;
    for (let i = 0; i < key.length; i++) {
      hash = Math.imul(hash ^ key.charCodeAt(i), 0x9e3779b1);
    }
    hash ^= hash >>> 16;
    hash = Math.imul(hash, 0x85ebca6b);
    hash ^= hash >>> 13;
    hash = Math.imul(hash, 0xc2b2ae35);
    return hash ^ (hash >>> 16);
  }

  /** The entry of a key, as `#find` has it. Under the lock. */
  #locate(key: string, hash: number): number {
    const at = this.#find(key, hash);
    if (at === nonsense) throw new CorruptError(noTable);
    return at;
  }

  /** Where the entry of a key begins, or `none`, or `nonsense`. */
  #find(key: string, hash: number): number {
    const ints = this.#ints;
    const { memory } = this;
    const head = this.#headOf(hash);
    if (head === nonsense) return nonsense;
    let link = head;
    for (let steps = 0; steps < mostSteps; steps++) {
      const pointer = ints[link] ?? 0;
      if (pointer === 0) {
        this.#link = head;
        return none;
      }
      const at = 2 * pointer;
      if (pointer < 0 || !memory.reaches(at + entryWords.body + 2)) return nonsense;
      if (ints[at + entryWords.hash] === hash && this.#isKey(at, key)) {
        this.#link = link;
        return at;
      }
      link = at;
    }
    return nonsense;
  }

  /** The word that leads to the first entry of the bucket of a hash, or `nonsense`. */
  #headOf(hash: number): number {
    const buckets = this.#ints[dictWords.buckets] ?? 0;
    if (buckets < leastBuckets || buckets > this.#mostBuckets) return nonsense;
    const level = levelOf(buckets);
    let bucket = hash & (2 * level - 1);
    if (bucket >= buckets) bucket &= level - 1;
    return this.#headAt(bucket);
  }

  #headAt(bucket: number): number {
    if (bucket < chunkBuckets) return dictWords.table + bucket;
    const pointer = this.#ints[directoryAt() + (bucket >>> chunkShift)] ?? 0;
    const chunk = 2 * pointer;
    if (pointer <= 0 || !this.memory.reaches(chunk + chunkBuckets)) return nonsense;
    return chunk + (bucket & (chunkBuckets - 1));
  }

  #bucketCount(): number {
    const buckets = this.#ints[dictWords.buckets] ?? 0;
    return Math.min(Math.max(buckets, leastBuckets), this.#mostBuckets);
  }

  #isKey(at: number, key: string): boolean {
    const ints = this.#ints;
    const what = ints[at + entryWords.meta] ?? 0;
    const length = key.length;
    if (what >>> meta.lengthShift !== length) return false;
    const from = this.#keyAt(at, what);
    if ((what & meta.wide) === 0) {
      if (!this.#isInside(from, length)) return false;
      const { bytes } = this.memory;
      for (let i = 0; i < length; i++) if (bytes[from + i] !== key.charCodeAt(i)) return false;
    } else {
      if (!this.#isInside(from, 2 * length)) return false;
      const { shorts } = this.memory;
      for (let i = 0; i < length; i++) if (shorts[from / 2 + i] !== key.charCodeAt(i)) return false;
    }
    return true;
  }

  /** Where an entry's key begins, in bytes. */
  #keyAt(at: number, what: number): number {
    const body = 4 * (at + entryWords.body) + ((what & meta.expires) === 0 ? 0 : 8);
    const size = this.#ints[at + entryWords.size] ?? 0;
    return body + size + (size & 1);
  }

  #keyOf(at: number): string | undefined {
    const what = this.#ints[at + entryWords.meta] ?? 0;
    const from = this.#keyAt(at, what);
    const isWide = (what & meta.wide) !== 0;
    const size = (what >>> meta.lengthShift) * (isWide ? 2 : 1);
    if (!this.#isInside(from, size)) return undefined;
    return this.memory.buffer.toString(isWide ? 'utf16le' : 'latin1', from, from + size);
  }

  /** Whether so many bytes from there on are memory. */
  #isInside(from: number, size: number): boolean {
    return from >= 0 && size >= 0 && this.memory.reaches(Math.ceil((from + size) / 4));
  }

  /** Where an entry's value begins, in words. */
  #bodyOf(at: number): number {
    const expires = ((this.#ints[at + entryWords.meta] ?? 0) & meta.expires) !== 0;
    return at + entryWords.body + (expires ? 2 : 0);
  }

  #sizeAt(at: number): number {
    return this.#ints[at + entryWords.size] ?? 0;
  }

  #tagOf(at: number): Tag {
    return tagIn(this.#ints[at + entryWords.meta] ?? 0);
  }

  /** When its time is over; 0: never. */
  #expiryAt(at: number): number {
    const expires = ((this.#ints[at + entryWords.meta] ?? 0) & meta.expires) !== 0;
    return expires ? (this.#floats[(at + entryWords.body) / 2] ?? 0) : 0;
  }

  #isExpired(at: number): boolean {
    const expires = ((this.#ints[at + entryWords.meta] ?? 0) & meta.expires) !== 0;
    return expires && (this.#floats[(at + entryWords.body) / 2] ?? 0) <= Date.now();
  }

  #isVisible(at: number): boolean {
    return this.#tagOf(at) !== Tag.Pending && !this.#isExpired(at);
  }

  /**
   * Gives an entry whose time is not limited another value by one store, where that is enough: a number
   * for a number, a word for a word.
   */
  #overwrite(at: number, { tag, number }: Encoder): boolean {
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

  #isClaimedBy(at: number, { token, serial }: Claim): boolean {
    if (this.#tagOf(at) !== Tag.Pending) return false;
    const body = this.#bodyOf(at) / 2;
    return this.#floats[body] === token && this.#floats[body + 1] === serial;
  }

  /** What is to be finished of an entry's value; `absent`, `pending`, or that it is none. */
  #read(at: number): unknown {
    const what = this.#ints[at + entryWords.meta] ?? 0;
    if ((what & (meta.tag | meta.expires)) === plainNumber) {
      return this.#floats[(at + entryWords.body) / 2];
    }
    return this.#readOther(at, what, read);
  }

  #readOther(at: number, what: number, by: typeof read): unknown {
    if ((what & meta.expires) !== 0 && this.#isExpired(at)) return absent;
    const tag = tagIn(what);
    if (tag === Tag.Pending) return pending;
    const from = 4 * (at + entryWords.body) + ((what & meta.expires) === 0 ? 0 : 8);
    const size = this.#sizeAt(at);
    if (!this.#isInside(from, size)) return nonsenseValue;
    return by(this.memory, tag, from, size);
  }

  /** Puts an entry in the place of the one at `at`, or where there is none. What was found stays so. */
  #put(key: string, hash: number, at: number, encoder: Encoder, expiry: number): void {
    const isWide = !isLatin1(key);
    const valueBytes = encoder.size + (encoder.size & 1);
    const bytes =
      4 * entryWords.body +
      (expiry === 0 ? 0 : 8) +
      valueBytes +
      (isWide ? 2 * key.length : key.length);
    let pointer = this.allocate(bytes);
    if (pointer === 0) {
      pointer = this.#makeRoom(bytes);
      at = this.#locate(key, hash);
    }
    const { log } = this;
    const ints = this.#ints;
    const made = 2 * pointer;
    const isPending = encoder.tag === Tag.Pending;
    const wasCounted = at !== none && this.#tagOf(at) !== Tag.Pending;
    this.#write(made, key, hash, isWide, encoder, expiry);
    this.#sequences.open(hash & (Sequences.count - 1));
    if (at === none) {
      ints[made] = ints[this.#link] ?? 0;
      log.write(this.#link, pointer);
    } else {
      ints[made] = ints[at] ?? 0;
      log.write(this.#link, pointer);
      this.arena.free(at / 2);
    }
    const delta = Number(!isPending) - Number(wasCounted);
    if (delta !== 0) log.write(dictWords.size, (ints[dictWords.size] ?? 0) + delta);
    if (this.#usesAt !== 0) this.#useAnew(hash);
    if (at !== none) return;
    if (this.size > (ints[dictWords.buckets] ?? 0)) this.#split();
    if (ints[dictWords.expires] !== 0) this.#sweep(1);
  }

  #write(
    at: number,
    key: string,
    hash: number,
    isWide: boolean,
    encoder: Encoder,
    expiry: number,
  ): void {
    const ints = this.#ints;
    const { memory } = this;
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

  /** @param link - what leads to it. */
  #remove(at: number, link: number): void {
    const { log } = this;
    const ints = this.#ints;
    const wasCounted = this.#tagOf(at) !== Tag.Pending;
    this.#sequences.open((ints[at + entryWords.hash] ?? 0) & (Sequences.count - 1));
    log.write(link, ints[at] ?? 0);
    this.arena.free(at / 2);
    if (wasCounted) log.write(dictWords.size, (ints[dictWords.size] ?? 0) - 1);
  }

  /** The table gets one bucket more, if there is room for it. */
  #split(): void {
    const { log } = this;
    const ints = this.#ints;
    const buckets = this.#bucketCount();
    if (buckets >= this.#mostBuckets) return;
    const level = levelOf(buckets);
    const from = this.#headAt(buckets - level);
    if (from === nonsense || !this.#isShort(from)) return;
    if (buckets % chunkBuckets === 0) {
      const chunk = this.allocate(4 * chunkBuckets);
      if (chunk === 0) return;
      log.write(directoryAt() + (buckets >>> chunkShift), chunk);
    }
    const to = this.#headAt(buckets);
    if (to === nonsense) return;
    this.#sequences.open(buckets & (Sequences.count - 1));
    let stays = from;
    let goes = to;
    for (let pointer = ints[from] ?? 0; pointer !== 0;) {
      const at = 2 * pointer;
      const next = ints[at] ?? 0;
      if (((ints[at + entryWords.hash] ?? 0) & (2 * level - 1)) === buckets) {
        this.#lead(goes, pointer);
        goes = at;
      } else {
        this.#lead(stays, pointer);
        stays = at;
      }
      pointer = next;
    }
    this.#lead(stays, 0);
    this.#lead(goes, 0);
    log.write(dictWords.buckets, buckets + 1);
  }

  #lead(link: number, pointer: number): void {
    if (this.#ints[link] !== pointer) this.log.write(link, pointer);
  }

  /** Whether a chain ends within what one change can split. */
  #isShort(head: number): boolean {
    let link = head;
    for (let steps = 0; steps < longestSplit; steps++) {
      const pointer = this.#ints[link] ?? 0;
      if (pointer === 0) return true;
      link = 2 * pointer;
      if (pointer < 0 || !this.memory.reaches(link + entryWords.body)) return false;
    }
    return false;
  }

  /**
   * Removes entries until there is a block, each by a change of its own.
   *
   * @throws SharedMemoryError `ERR_CAPACITY`, `ENOSPC` nothing is left to remove.
   */
  #makeRoom(bytes: number): number {
    for (;;) {
      if (bytes > this.arena.capacity || !this.#removeSome()) throw this.full(bytes);
      this.log.commit();
      this.#sequences.closeAll();
      const pointer = this.allocate(bytes);
      if (pointer !== 0) return pointer;
    }
  }

  #removeSome(): boolean {
    if (this.#ints[dictWords.expires] !== 0) {
      for (let swept = 0; swept < this.#bucketCount(); swept += 256) {
        if (this.#sweep(256) > 0) return true;
      }
    }
    return this.#usesAt !== 0 && this.#evict();
  }

  /** Removes entries whose time is over from the next few buckets; returns how many. */
  #sweep(buckets: number): number {
    const ints = this.#ints;
    let removed = 0;
    const count = this.#bucketCount();
    let bucket = Math.max(ints[dictWords.cursor] ?? 0, 0);
    for (let swept = 0; swept < buckets; swept++, bucket++) {
      if (bucket >= count) bucket = 0;
      let link = this.#headAt(bucket);
      if (link === nonsense) break;
      for (let steps = 0; steps < mostSteps; steps++) {
        const pointer = ints[link] ?? 0;
        if (pointer === 0) break;
        const at = 2 * pointer;
        if (pointer < 0 || !this.memory.reaches(at + entryWords.body + 2)) break;
        if (this.log.room < removalRoom) break;
        if (this.#isExpired(at)) {
          this.#remove(at, link);
          removed++;
        } else {
          link = at;
        }
      }
    }
    ints[dictWords.cursor] = bucket;
    return removed;
  }

  /** Removes the one of a few entries that was used least lately. */
  #evict(): boolean {
    const ints = this.#ints;
    const count = this.#bucketCount();
    const clock = ints[dictWords.clock] ?? 0;
    let oldest = -1;
    let victim = none;
    let victimLink = 0;
    let seen = 0;
    let bucket = this.#nextRandom() % count;
    for (let tries = 0; tries < count && seen < samples; tries++) {
      let link = this.#headAt(bucket);
      if (link === nonsense) return false;
      const before = seen;
      for (let steps = 0; steps < mostSteps && seen < samples; steps++) {
        const pointer = ints[link] ?? 0;
        if (pointer === 0) break;
        const at = 2 * pointer;
        if (pointer < 0 || !this.memory.reaches(at + entryWords.body)) return false;
        if (this.#tagOf(at) !== Tag.Pending) {
          seen++;
          const used = ints[this.#useOf(ints[at + entryWords.hash] ?? 0)] ?? 0;
          const age = (clock - used) >>> 0;
          if (age > oldest) {
            oldest = age;
            victim = at;
            victimLink = link;
          }
        }
        link = at;
      }
      // From anywhere, but past empty buckets one after the other, so that it ends.
      bucket = seen > before ? this.#nextRandom() % count : (bucket + 1) % count;
    }
    if (victim === none) return false;
    this.#remove(victim, victimLink);
    return true;
  }

  #useOf(hash: number): number {
    return this.#usesAt + ((hash >>> 6) & this.#usesMask);
  }

  #use(hash: number): void {
    const at = this.#useOf(hash);
    const clock = this.#ints[dictWords.clock] ?? 0;
    // So that those who only read a key that is read a lot do not contend for the word.
    if (this.#ints[at] !== clock) this.#ints[at] = clock;
  }

  #useAnew(hash: number): void {
    this.#ints[dictWords.clock] = (this.#ints[dictWords.clock] ?? 0) + 1;
    this.#use(hash);
  }

  #nextRandom(): number {
    let random = this.#random;
    random ^= random << 13;
    random ^= random >>> 17;
    random ^= random << 5;
    this.#random = random;
    return random >>> 0;
  }

  /** The entries of a group; false when that makes no sense, now. */
  #collect(entries: Entries, bucket: number, period: number): boolean {
    entries.found.length = 0;
    const ints = this.#ints;
    const buckets = ints[dictWords.buckets] ?? 0;
    if (buckets < leastBuckets || buckets > this.#mostBuckets) return false;
    const level = levelOf(buckets);
    let from = bucket & (2 * level - 1);
    if (from >= buckets) from &= level - 1;
    let steps = 0;
    for (; from < buckets; from += period) {
      let link = this.#headAt(from);
      if (link === nonsense) return false;
      for (;;) {
        const pointer = ints[link] ?? 0;
        if (pointer === 0) break;
        link = 2 * pointer;
        if (
          ++steps > mostSteps ||
          pointer < 0 ||
          !this.memory.reaches(link + entryWords.body + 2)
        ) {
          return false;
        }
        if (((ints[link + entryWords.hash] ?? 0) & (period - 1)) !== bucket) continue;
        const what = ints[link + entryWords.meta] ?? 0;
        const value = this.#readOther(link, what, readApart);
        if (value === absent || value === pending) continue;
        const key = this.#keyOf(link);
        if (key === undefined || value === nonsenseValue) return false;
        entries.found.push(key, value);
      }
    }
    return true;
  }

  #notANumber(key: string, at: number): TypeError {
    return invalidType(
      `the value of ${JSON.stringify(key)}`,
      'a number',
      this.#finish(this.#read(at)),
    );
  }
}

/** How far an iteration has come. */
export interface Entries {
  /** Of the table, when it began. */
  readonly buckets: number;
  bucket: number;
  /** Keys, and what {@link DictState.valueIn} makes their values of. */
  readonly found: unknown[];
}

const noTable = 'its table makes no sense; clear() empties it';

/** What the `meta` of a number's entry says whose time is not limited, but for its key. */
const plainNumber: number = Tag.Number;

/** The value of an entry is none: its bytes were changed, or overwritten. */
const nonsenseValue = Symbol('nonsense');

/** A value that its tag says all of. */
const isWord = (tag: Tag): boolean => tag >= Tag.Undefined && tag <= Tag.True;

/** The greatest power of two that is not greater. */
function levelOf(buckets: number): number {
  return 1 << (31 - Math.clz32(buckets));
}

function expiryOf(ttl: number): number {
  return ttl === 0 ? 0 : Date.now() + ttl;
}

function isToken(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value < 2 ** 52;
}
