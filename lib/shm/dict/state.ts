import type { LockSeat } from '../core/lock-seat';
import { loadFirst, loadLast } from '../core/ordered';
import { invalidType } from '../../common/errors';
import { changing, atOnce } from '../../common/sync-callbacks';
import { Encoder, Tag, finish } from '../../values/codec';
import { DictClaims, type Claim, type Claiming } from './claims';
import { DictEntries, absent, nonsenseValue, pending } from './entries';
import { DictEviction } from './eviction';
import { DictExpiry, expiryOf } from './expiry';
import { DictScan } from './scan';
import { DictTable, mostTries, none, nonsense } from './table';
import { DictWriter } from './writer';
import { Sequences } from '../structure/sequences';
import { dictShape, dictWords, evicting } from './layout';
import { mostCopies } from '../structure/structure-layout';
import { StructureState } from '../structure/structure-state';
import { GoneError } from '../../values/out-of-band';
import { unreadableEntry, type UnreadableError } from '../structure/unreadable';
import type { ValueWait } from './value-wait';

/** How long to wait for the changes of others to remove entries that the system needs the memory of, in milliseconds. */
const patience = 1000;

/** When {@link DictState.set} sets the value: always, or only if there is no entry. */
export const enum When {
  Always = 0,
  Absent = 1,
}

/**
 * The operations of a dict, shared by all its handles in one thread. Invariants, by number:
 *
 * - D1  All changes are made under the lock and through the undo log, with two exceptions. First, a number
 *       that becomes another number, or true, false, null or undefined that becomes another of these: such
 *       a change is one store, which readers see or do not see. Second, the label of a pending entry: each
 *       store to it leaves a complete label or none.
 * - D2  A stripe is the set of keys whose hashes have the same low 6 bits. Anything that a reader of a
 *       stripe may reach, including freed memory, is changed only while the stripe's sequence is odd. So
 *       what was read is consistent if the sequence was even before and has the same value afterwards.
 * - D3  Splitting a bucket moves entries within one stripe only, because there are never fewer buckets than
 *       stripes. Readers of other stripes find their bucket with the old or the new number of buckets.
 * - D4  An entry is reachable only after it is complete.
 * - D5  The block of an entry with a large value is freed only while its stripe's sequence of large values
 *       is odd. Suppose that sequence was even, and the entry was reachable after that. Then the value that
 *       was read is consistent if the sequence is the same afterwards, whatever happened to other entries
 *       of the stripe.
 */
export class DictState extends StructureState {
  /** The default lifetime of entries, in milliseconds; 0: entries never expire. */
  readonly ttl: number;
  readonly claims: DictClaims;
  readonly scan: DictScan;
  /** The words that contain the sequences: the counters by which readers notice changes (D2, D5). */
  readonly #ints: Int32Array<ArrayBuffer>;
  #floats!: Float64Array<ArrayBuffer>;
  readonly #entries: DictEntries;
  readonly #table: DictTable;
  readonly #writer: DictWriter;
  /** Undefined for a dict that does not evict. */
  readonly #eviction: DictEviction | undefined;
  readonly #encoder = new Encoder(this);
  readonly #expected = new Encoder();

  constructor(seat: LockSeat) {
    const evicts = seat.type === evicting;
    super(seat, dictShape(evicts));
    const { memory, log, arena } = this;
    const { length: capacity } = seat;
    const ints = (this.#ints = memory.fixed);
    memory.follow(() => (this.#floats = memory.floats));
    // Never changes, so it is read only once.
    const ttl = this.#floats[dictWords.ttl / 2] ?? 0;
    this.ttl = ttl > 0 ? ttl : 0;
    const sequences = new Sequences(ints, dictWords.sequences);
    const large = new Sequences(ints, dictWords.large);
    const entries = (this.#entries = new DictEntries(memory));
    const table = new DictTable(
      memory,
      log,
      arena,
      sequences,
      large,
      entries,
      this.outOfBand,
      capacity,
    );
    const eviction = evicts ? new DictEviction(memory, entries, table, capacity) : undefined;
    const expiry = new DictExpiry(memory, log, entries, table);
    const writer = new DictWriter(this, entries, table, expiry, eviction);
    this.#table = table;
    this.#eviction = eviction;
    this.#writer = writer;
    this.claims = new DictClaims(seat, this, entries, table, writer, eviction);
    this.scan = new DictScan(this, entries, table);
    if (evicts) this.outOfBand.relieve = (bytes) => this.#relieve(bytes);
  }

  /** The number of entries, without pending ones. */
  get size(): number {
    return this.settled(() => this.#table.size);
  }

  /** The value, or `absent`, or `pending`. */
  get(key: string): unknown {
    const table = this.#table;
    const hash = table.hash(key);
    const ints = this.#ints;
    const sequence = dictWords.sequences + (hash & (Sequences.count - 1));
    for (let tries = 0; tries < mostTries; tries++) {
      const before = loadFirst(ints, sequence);
      if ((before & 1) !== 0) continue;
      const at = table.find(key, hash);
      if (at === nonsense) continue;
      const value = at === none ? absent : this.#entries.read(at);
      if (value === nonsenseValue) {
        if (this.#entries.isLarge(at)) return this.#getLarge(key, hash);
        continue;
      }
      if (loadLast(ints, sequence) !== before) continue;
      if (at !== none) this.#eviction?.use(hash);
      return this.finish(value, key);
    }
    return this.finish(this.#readSlowly(key, hash), key);
  }

  /** Whether there is a value. */
  has(key: string): boolean {
    const table = this.#table;
    const hash = table.hash(key);
    const ints = this.#ints;
    const sequence = dictWords.sequences + (hash & (Sequences.count - 1));
    for (let tries = 0; tries < mostTries; tries++) {
      const before = loadFirst(ints, sequence);
      if ((before & 1) !== 0) continue;
      const at = table.find(key, hash);
      if (at === nonsense) continue;
      const is = at !== none && this.#entries.isVisible(at);
      if (loadLast(ints, sequence) === before) return is;
    }
    return this.#hasSlowly(key, hash);
  }

  /**
   * Sets a value.
   *
   * @param ttl - milliseconds; 0: the entry never expires.
   * @param timeout - how long to wait for the changes of others, here and in the methods below; see
   * {@link enter}.
   * @returns whether it was set.
   */
  set(key: string, value: unknown, ttl: number, when: When, timeout?: number): boolean {
    // To store a value apart for nothing would take long.
    if (when === When.Absent && this.outOfBand.from < Infinity && this.has(key)) return false;
    const encoder = this.#encoder.encode('value', value);
    const table = this.#table;
    const hash = table.hash(key);
    this.enter(timeout);
    try {
      const at = table.locate(key, hash);
      if (when === When.Absent && at !== none && this.#entries.isVisible(at)) {
        this.leave();
        return false;
      }
      if (ttl === 0 && at !== none && this.#entries.overwrite(at, encoder)) {
        this.#eviction?.use(hash);
      } else {
        this.#writer.put(key, hash, at, encoder, expiryOf(ttl));
      }
    } catch (error) {
      throw this.abort(error);
    }
    this.leave();
    return true;
  }

  delete(key: string, timeout?: number): boolean {
    const table = this.#table;
    const hash = table.hash(key);
    this.enter(timeout);
    let is = false;
    try {
      const at = table.locate(key, hash);
      if (at !== none) {
        is = this.#entries.isVisible(at);
        table.remove(at, table.link);
      }
    } catch (error) {
      throw this.abort(error);
    }
    this.leave();
    return is;
  }

  /** Adds to a number. Returns the number before the addition. */
  add(key: string, delta: number, ttl: number, timeout?: number): number {
    const table = this.#table;
    const entries = this.#entries;
    const hash = table.hash(key);
    this.enter(timeout);
    let before = 0;
    try {
      const at = table.locate(key, hash);
      if (at !== none && entries.isVisible(at)) {
        if (entries.tagOf(at) !== Tag.Number) throw this.#notANumber(key, at);
        const place = entries.bodyOfWords(at, 2) / 2;
        before = this.#floats[place] ?? NaN;
        this.#floats[place] = before + delta;
        this.#eviction?.use(hash);
      } else {
        this.#writer.put(key, hash, at, this.#encoder.encode('value', delta), expiryOf(ttl));
      }
    } catch (error) {
      throw this.abort(error);
    }
    this.leave();
    return before;
  }

  /**
   * Replaces a value by what the function returns. The function gets the current value, or undefined.
   *
   * @param ttl - undefined: an existing entry keeps its expiry time.
   */
  update(
    key: string,
    fn: (value: unknown) => unknown,
    ttl: number | undefined,
    initialTtl: number,
    timeout?: number,
  ) {
    const entries = this.#entries;
    const hash = this.#table.hash(key);
    return this.change(() => {
      const before = this.finish(this.#readLocked(key, hash), key);
      const encoder = this.#encoder;
      const after = this.call(() => {
        const after = atOnce(fn(typeof before === 'symbol' ? undefined : before), changing);
        encoder.encode('what fn returns', after);
        return after;
      });
      const at = this.#table.locate(key, hash);
      const expiry =
        ttl === undefined && at !== none && entries.isVisible(at)
          ? entries.expiryAt(at)
          : expiryOf(ttl ?? initialTtl);
      if (expiry !== 0 || at === none || !entries.overwrite(at, encoder)) {
        this.#writer.put(key, hash, at, encoder, expiry);
      }
      return after;
    }, timeout);
  }

  /** Sets a value if the current one is the expected one. No value counts as undefined. */
  compareAndSet(
    key: string,
    expected: unknown,
    value: unknown,
    ttl: number,
    timeout?: number,
  ): boolean {
    const entries = this.#entries;
    const hash = this.#table.hash(key);
    const wanted = this.#expected.encode('expected', expected);
    const encoder = this.#encoder.encode('value', value);
    return this.change(() => {
      const at = this.#table.locate(key, hash);
      const isThere = at !== none && entries.isVisible(at);
      const matches = isThere ? entries.matches(at, wanted) : expected === undefined;
      if (matches) this.#writer.put(key, hash, at, encoder, expiryOf(ttl));
      return matches;
    }, timeout);
  }

  clear(timeout?: number): void {
    this.changeAnew(() => this.#table.empty(), timeout);
    this.claims.computed.announce();
  }

  /**
   * Returns the value of a key if there is one. If another caller is computing it, returns `pending`.
   * Otherwise returns a claim: from now on this thread is to compute the value.
   *
   * @param look - whether to check that the thread that computes the value still exists.
   */
  claim(
    key: string,
    look: boolean,
    waiting: ValueWait,
    computation: Claiming,
  ): { value: unknown } | Claim | typeof pending {
    const there = this.get(key);
    if (typeof there !== 'symbol') return { value: there };
    if (there === pending && !look) return pending;
    return this.claims.claim(key, waiting, computation);
  }

  /**
   * Makes the value from the intermediate result of reading it. If its entry was replaced or removed meanwhile, the
   * result may be the new value, or `absent`, or `pending`.
   *
   * @throws UnreadableError its bytes are not a valid value, or a shared object in it cannot be attached to.
   */
  finish(value: unknown, key: string): unknown {
    if (typeof value !== 'object' || value === null) return value;
    try {
      return finish(value);
    } catch (error) {
      if (error instanceof GoneError && !this.inside) return this.#finishLocked(key);
      throw this.unreadable(error, key);
    }
  }

  /** The error for an entry of which not even the key makes sense. */
  unreadableEntry(): UnreadableError {
    return unreadableEntry(this.seat.kind, this.seat.name);
  }

  override close(): void {
    this.claims.computed.close();
    super.close();
  }

  protected override allApart(): string[] {
    return this.#table.apart();
  }

  protected override settle(): void {
    this.#table.settle();
  }

  protected override recover(): void {
    this.#table.repair();
  }

  /** The same as {@link get}, for a large value (D5). */
  #getLarge(key: string, hash: number): unknown {
    const ints = this.#ints;
    const entries = this.#entries;
    const stripe = hash & (Sequences.count - 1);
    let copies = 0;
    for (let tries = 0; tries < mostTries && copies < mostCopies; tries++) {
      const large = loadFirst(ints, dictWords.large + stripe);
      const before = loadFirst(ints, dictWords.sequences + stripe);
      if (((large | before) & 1) !== 0) continue;
      const at = this.#table.find(key, hash);
      if (at === none || at === nonsense || !entries.isLarge(at)) break;
      if (loadLast(ints, dictWords.sequences + stripe) !== before) continue;
      const value = entries.readWhole(at);
      copies++;
      if (value === nonsenseValue || loadLast(ints, dictWords.large + stripe) !== large) continue;
      this.#eviction?.use(hash);
      return this.finish(value, key);
    }
    return this.finish(this.#readSlowly(key, hash), key);
  }

  /** Reads a value under the lock. This is a separate method, so that its callers need not create closures. */
  #readSlowly(key: string, hash: number): unknown {
    return this.look(() => {
      this.#table.evenOut();
      return this.#readLocked(key, hash);
    });
  }

  /** Reads a value that is stored apart: see B3 of `OutOfBand`. */
  #finishLocked(key: string): unknown {
    const hash = this.#table.hash(key);
    return this.look(() => {
      this.#table.evenOut();
      return this.finish(this.#readLocked(key, hash), key);
    });
  }

  #hasSlowly(key: string, hash: number): boolean {
    return this.look(() => {
      this.#table.evenOut();
      const at = this.#table.locate(key, hash);
      return at !== none && this.#entries.isVisible(at);
    });
  }

  /**
   * Returns the intermediate result of reading a value, from which {@link finish} makes the value; or
   * `absent`, or `pending`.
   */
  #readLocked(key: string, hash: number): unknown {
    const at = this.#table.locate(key, hash);
    if (at === none) return absent;
    const value = this.#entries.readLocked(at);
    this.#eviction?.use(hash);
    return value;
  }

  /** Removes entries with values that are stored apart, because the system has no memory for another one. */
  #relieve(bytes: number): boolean {
    if (this.inside) return false;
    try {
      return this.change(() => this.#writer.freeApart(bytes), patience);
    } catch {
      return false; // the caller gets the error of the system
    }
  }

  #notANumber(key: string, at: number): unknown {
    const value = this.finish(this.#entries.readLocked(at), key);
    return invalidType(`the value of ${JSON.stringify(key)}`, 'a number', value);
  }
}
