import type * as contract from '../../contract/index';
import { invalidType, outOfRange } from '../../common/errors';
import {
  checkInteger,
  checkOptions,
  checkSignal,
  checkTimeout,
  throwIfAborted,
  type ChangeOptions,
  type WaitOptions,
} from '../../common/options';
import { atOnce, changing, checkCallback, checkSyncCallback } from '../../common/sync-callbacks';
import type { Answer } from '../wire/wire';
import type { Said, Session } from '../lease/session';
import {
  addToEntry,
  claimEntry,
  clearDict,
  deleteEntry,
  fulfilClaim,
  getEntry,
  hasEntry,
  renounceClaim,
  scanDict,
  setEntry,
  sizeOfDict,
  swapEntry,
  useEntry,
} from '../scripts/dict';
import { fieldOf, keyOf } from './dict-keys';
import { fenceArguments, type FenceOptions } from './fencing';
import { OwnLock } from './own-lock';
import { called } from './names';
import { absent, decode, doubleOf, encode, numberMark, storedDouble } from './stored';
import {
  ServedObject,
  attachTo,
  create,
  freshName,
  managedBy,
  open,
  unlinkName,
  type Contents,
  type Found,
  type KindKeys,
} from './served-object';

const keys: KindKeys = {
  kind: 'dict',
  isOfName: false,
  ends: ['m', 'l', 'q', 'w', 'd', 'x', 'u', 'f', 'c'],
};

/** The options of {@link SharedDict.open}. */
export interface SharedDictOptions {
  /** The time to live of entries of a new dict, in milliseconds. Default: they stay. */
  readonly ttl?: number | undefined;
  /**
   * The maximum size of all entries of a new dict: the bytes of keys and stored values, and 64 for each entry. Default:
   * there is none but the server's own.
   */
  readonly capacity?: number | undefined;
  /** With `'lru'`, a new dict that is full removes entries that were not used recently. Default: it refuses new ones. */
  readonly eviction?: 'lru' | undefined;
}

/** The options of a change of an entry. */
export interface EntryChangeOptions extends contract.TtlOptions, ChangeOptions, FenceOptions {}

/** The options of {@link SharedDict.getOrSet}. */
export interface GetOrSetOptions extends contract.TtlOptions, WaitOptions {}

/** How long a computation stays another's when it falls silent, unless the session's lease is shorter. */
const mostClaimMs = 5000;

/** How often an update is tried before it waits for the dict's lock, which then nobody else's update can get past. */
const optimisticTries = 4;

/** About how many entries an iteration gets at a time. */
const scanned = 100;

/**
 * A map of keys to values, which processes of any machine change. Each method that changes it is one step for all of
 * them. A change that was sent, and whose answer was lost, is not sent again: the method throws `ERR_UNCERTAIN`.
 *
 * An entry whose time is over is absent for everybody. It still counts in {@link size} until a later change removes it.
 */
export class SharedDict<V = unknown> extends ServedObject<'dict'> implements contract.Dict<V> {
  readonly #ttl: number | undefined;
  readonly #isEvicting: boolean;
  readonly #lock: OwnLock;
  /** The computations that this handle has claimed. Closing it renounces them. */
  readonly #claims = new Map<string, () => void>();

  /** @internal */
  static readonly kindKeys = keys;

  private constructor(found: Found) {
    super(keys, found);
    const { ttl, eviction } = found.options as { ttl?: number; eviction?: string };
    this.#ttl = ttl;
    this.#isEvicting = eviction === 'lru';
    this.#lock = new OwnLock(this);
  }

  /** @internal Opens an object of a manager. */
  static async openManaged<V = unknown>(
    session: Session,
    name: string,
    id: string,
    options: SharedDictOptions = {},
  ): Promise<SharedDict<V>> {
    checkOptions(options, ['ttl', 'capacity', 'eviction']);
    const contents = managedBy(id, contentsOf(options));
    return new SharedDict<V>(await open(session, keys, name, contents));
  }

  /** @throws SharedMemoryError `EEXIST` */
  static async create<V = unknown>(
    session: Session,
    options: SharedDictOptions & { readonly name?: string } = {},
  ): Promise<SharedDict<V>> {
    checkOptions(options, ['name', 'ttl', 'capacity', 'eviction']);
    const contents = contentsOf(options);
    return new SharedDict<V>(await create(session, keys, options.name ?? freshName(), contents));
  }

  /** @throws SharedMemoryError `ENOENT` */
  static async attach<V = unknown>(session: Session, name: string): Promise<SharedDict<V>> {
    return new SharedDict<V>(await attachTo(session, keys, name));
  }

  /** The options are those of a new dict: an existing one is taken as it is. */
  static async open<V = unknown>(
    session: Session,
    name: string,
    options: SharedDictOptions = {},
  ): Promise<SharedDict<V>> {
    checkOptions(options, ['ttl', 'capacity', 'eviction']);
    return new SharedDict<V>(await open(session, keys, name, contentsOf(options)));
  }

  /** @throws SharedMemoryError `ENOENT` */
  static unlink(session: Session, name: string): Promise<void> {
    return unlinkName(session, keys, name);
  }

  /** The number of entries. */
  async size(): Promise<number> {
    const { rest } = await this.ask({ script: sizeOfDict, args: [], repeats: true });
    return Number(rest[0]);
  }

  /** The default time to live of entries, in milliseconds, or undefined when they stay. */
  get ttl(): number | undefined {
    return this.#ttl;
  }

  /**
   * The value of a key, or undefined when there is none.
   *
   * @throws SharedMemoryError `ERR_CORRUPT`, `ERR_ABI_MISMATCH` the value cannot be read; what attaching to a shared
   * object in it throws.
   */
  async get(key: string): Promise<V | undefined> {
    this.checkOpen();
    const said = await this.ask({
      script: this.#isEvicting ? useEntry : getEntry,
      args: [fieldOf(key)],
      repeats: true,
    });
    return said.word === 'is' ? ((await this.#decode(said.rest[0], key)) as V) : undefined;
  }

  /** Whether there is an entry with this key. */
  async has(key: string): Promise<boolean> {
    this.checkOpen();
    const { word } = await this.ask({ script: hasEntry, args: [fieldOf(key)], repeats: true });
    return word === 'yes';
  }

  /**
   * Sets the value of a key.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` the value cannot be cloned. SharedMemoryError `ERR_CAPACITY` there is no
   * room for it, and nothing was changed; `ENOSPC` the server has no memory left; `ERR_UNCERTAIN`, `ERR_FENCED`.
   */
  async set(key: string, value: V, options?: EntryChangeOptions): Promise<this> {
    await this.#set(key, value, options, 'always');
    return this;
  }

  /**
   * Sets the value of a key that has none.
   *
   * @returns whether it was set.
   * @throws as {@link set}
   */
  async setIfAbsent(key: string, value: V, options?: EntryChangeOptions): Promise<boolean> {
    return (await this.#set(key, value, options, 'absent')) === 'set';
  }

  /** Removes an entry. @returns whether there was one. @throws as {@link set} */
  async delete(key: string, options?: ChangeOptions & FenceOptions): Promise<boolean> {
    this.checkOpen();
    const fence = changeOf(options, ['timeout', 'fence']);
    const said = await this.#change(deleteEntry, [...fence, fieldOf(key)], false);
    return said.word === 'was';
  }

  /** Removes all entries, in one step. @throws as {@link set} */
  async clear(options?: ChangeOptions & FenceOptions): Promise<void> {
    this.checkOpen();
    await this.#change(clearDict, changeOf(options, ['timeout', 'fence']), false);
  }

  /**
   * Adds to the number that a key has as its value. A key without a value counts as 0. An existing entry keeps its
   * expiry time.
   *
   * @returns the number before.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` the value is not a number; as {@link set}.
   */
  async add(key: string, delta: number, options?: EntryChangeOptions): Promise<number> {
    this.checkOpen();
    const field = fieldOf(key);
    if (typeof delta !== 'number') throw invalidType('delta', 'a number', delta);
    const fence = changeOf(options);
    const args = [...fence, field, storedDouble(delta), this.#timeOf(options), numberMark];
    const said = await this.#change(addToEntry, args, false);
    if (said.word === 'was') return doubleOf(said.rest[0] as Buffer);
    throw invalidType(`the value of ${JSON.stringify(key)}`, 'a number', await this.get(key));
  }

  /**
   * Replaces a value by the result of a function. The function gets the current value, or undefined when there is none.
   * It is called again where another process has changed the value meanwhile. An existing entry keeps its expiry time
   * unless `ttl` is given.
   *
   * @returns the new value.
   * @throws what the function throws (then nothing was changed); as {@link set} and {@link get}; `ERR_TIMEOUT` others
   * update the same dict all the time.
   */
  async update(
    key: string,
    fn: (value: V | undefined) => V,
    options?: EntryChangeOptions,
  ): Promise<V> {
    this.checkOpen();
    const field = fieldOf(key);
    checkSyncCallback('fn', fn, changing);
    const fence = changeOf(options);
    const time = options?.ttl === undefined ? '' : this.#timeOf(options);
    const attempt = async (token: string): Promise<{ value: V } | undefined> => {
      const said = await this.ask({ script: getEntry, args: [field], repeats: true });
      const before = said.word === 'is' ? (said.rest[0] as Buffer) : undefined;
      const current = before && ((await this.#decode(before, key)) as V);
      const value = atOnce(fn(current), changing);
      const stored = encode('what fn returns', value);
      const args = [...fence, field, before ?? absent, absent, stored, time, token];
      const { word } = await this.#change(swapEntry, args, false);
      return word === 'set' ? { value } : undefined;
    };
    for (let i = 0; i < optimisticTries; i++) {
      // Who holds the lock of the dict goes first.
      const done = await attempt('');
      if (done) return done.value;
    }
    const { timeout } = options ?? {};
    return this.#lock.runApart(
      async (guard) => {
        for (;;) {
          guard.check();
          const done = await attempt(guard.token);
          if (done) return done.value;
        }
      },
      { timeout },
    );
  }

  /**
   * Sets the value of a key if the current value is `expected`. A missing key counts as undefined.
   *
   * @returns whether it was set.
   * @throws as {@link set}
   */
  async compareAndSet(
    key: string,
    expected: V | undefined,
    value: V,
    options?: EntryChangeOptions,
  ): Promise<boolean> {
    this.checkOpen();
    const field = fieldOf(key);
    const fence = changeOf(options);
    const before = encode('expected', expected);
    const after = encode('value', value);
    const args = [...fence, field, before, absent, after, this.#timeOf(options), '-'];
    return (await this.#change(swapEntry, args, false)).word === 'set';
  }

  /**
   * The value of a key, computed if there is none. One task of one process computes it, and all others wait for the
   * result. If that process dies or the function throws, another one computes it. If the key is set meanwhile, all get
   * that value. If it is deleted meanwhile, it stays without a value.
   *
   * @throws what the function throws; SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`, `ERR_UNAVAILABLE`; as {@link set}.
   * The signal's reason.
   */
  async getOrSet(
    key: string,
    fn: (key: string) => V | PromiseLike<V>,
    options: GetOrSetOptions = {},
  ): Promise<V> {
    this.checkOpen();
    const field = fieldOf(key);
    checkCallback('fn', fn);
    checkOptions(options, ['ttl', 'timeout', 'signal']);
    const time = this.#timeOf(options);
    const timeout = checkTimeout(options.timeout);
    const signal = checkSignal(options.signal);
    throwIfAborted(signal);
    const { session } = this;
    const { token, number } = session.token();
    const leaseMs = Math.min(mostClaimMs, session.options.leaseMs);
    const livesMs = session.options.leaseMs;
    const claim = await this.pending.wait<Said>({
      session,
      number,
      attempt: async (isOver) => {
        const args = [field, token, String(leaseMs), String(livesMs)];
        const said = await this.ask({ script: claimEntry, args, repeats: true, isOver });
        return said.word === 'waits' ? { lookInMs: Number(said.rest[0]) } : { got: said };
      },
      timeout,
      signal,
      expired: (limit) => {
        const what = `has no value of ${JSON.stringify(key)} after ${limit} ms`;
        return this.error('ERR_TIMEOUT', `${what}: another caller is still computing it`);
      },
      calledOff: () => this.#renounce(field, token),
    });
    if (claim.word === 'is') return (await this.#decode(claim.rest[0], key)) as V;
    if (this.closed) {
      this.#renounce(field, token);
      throw this.closedError();
    }
    const hold = session.leases.begin(
      {
        renewal: 'claim',
        keys: this.allKeys,
        token,
        more: [field],
        leaseMs,
        called: `the computation of ${JSON.stringify(key)} of ${called('dict', this.name)}`,
      },
      claim,
    );
    const end = () => {
      hold.end();
      this.#claims.delete(token);
    };
    this.#claims.set(token, () => {
      end();
      this.#renounce(field, token);
    });
    let value: V;
    let stored: Buffer;
    try {
      value = await fn(key);
      stored = encode('what fn returns', value);
    } catch (error) {
      if (this.#claims.has(token)) {
        end();
        this.#renounce(field, token);
      }
      throw error;
    }
    // A handle that was closed has given the computation up. Its caller gets the value all the same.
    if (!this.#claims.has(token)) return value;
    try {
      const args = [field, token, stored, time];
      const { word, rest } = await this.#change(fulfilClaim, args, true);
      return word === 'is' ? ((await this.#decode(rest[0], key)) as V) : value;
    } catch (error) {
      this.#renounce(field, token);
      throw error;
    } finally {
      end();
    }
  }

  /** The keys. What stays in the dict throughout is met once. */
  async *keys(): AsyncGenerator<string, undefined, undefined> {
    for await (const [key] of this.#pairs()) yield key;
  }

  /** The values; as {@link keys}. */
  async *values(): AsyncGenerator<V, undefined, undefined> {
    for await (const [, value] of this.entries()) yield value;
  }

  /** Keys and values; as {@link keys}. @throws as {@link get} */
  async *entries(): AsyncGenerator<[string, V], undefined, undefined> {
    for await (const [key, stored] of this.#pairs()) {
      yield [key, (await this.#decode(stored, key)) as V];
    }
  }

  /** The same as {@link entries}. */
  [Symbol.asyncIterator](): AsyncGenerator<[string, V], undefined, undefined> {
    return this.entries();
  }

  /** @internal */
  protected override letGo(): void {
    for (const renounce of [...this.#claims.values()]) renounce();
  }

  async *#pairs(): AsyncGenerator<[string, Buffer], undefined, undefined> {
    // The server may answer an entry twice while its table grows or shrinks.
    const met = new Set<string>();
    let cursor = '0';
    do {
      const args = [cursor, String(scanned)];
      const { rest } = await this.ask({ script: scanDict, args, repeats: true });
      cursor = String(rest[0]);
      const entries = rest[1] as readonly Buffer[];
      for (let i = 0; i + 1 < entries.length; i += 2) {
        const [field, stored] = [entries[i], entries[i + 1]];
        if (field === undefined || stored === undefined) continue;
        const key = keyOf(field);
        if (met.has(key)) continue;
        met.add(key);
        yield [key, stored];
      }
    } while (cursor !== '0');
  }

  async #set(
    key: string,
    value: V,
    options: EntryChangeOptions | undefined,
    when: 'always' | 'absent',
  ): Promise<string> {
    this.checkOpen();
    const field = fieldOf(key);
    const fence = changeOf(options);
    const args = [...fence, field, encode('value', value), this.#timeOf(options), when];
    return (await this.#change(setEntry, args, false)).word;
  }

  async #change(
    script: typeof setEntry,
    args: readonly (string | Buffer)[],
    repeats: boolean,
  ): Promise<Said> {
    const said = await this.ask({ script, args, repeats });
    if (said.word === 'full') {
      throw this.error('ERR_CAPACITY', 'has no room for the value; nothing was changed');
    }
    if (said.word === 'fenced') {
      throw this.error('ERR_FENCED', 'was changed by a later holder of that lock');
    }
    return said;
  }

  #renounce(field: Buffer, token: string): void {
    this.session.tell({ script: renounceClaim, keys: this.allKeys, args: [field, token] });
  }

  #decode(stored: Answer | undefined, key: string): Promise<unknown> {
    if (!Buffer.isBuffer(stored)) {
      throw this.error('ERR_CORRUPT', 'has an entry that is no value');
    }
    return decode(this.session, stored, called('dict', this.name), key);
  }

  /** The time to live of an entry, as scripts take it. */
  #timeOf(options: contract.TtlOptions | undefined): string {
    const ttl = options?.ttl === undefined ? (this.#ttl ?? Infinity) : checkTtl(options.ttl);
    return ttl === Infinity ? '0' : String(Math.ceil(ttl));
  }
}

/** Checks the options of a change, and returns what scripts take of them. */
function changeOf(
  options: EntryChangeOptions | undefined,
  known: readonly string[] = ['ttl', 'timeout', 'fence'],
): [string, string] {
  if (options !== undefined) {
    checkOptions(options, known);
    checkTimeout(options.timeout);
  }
  return fenceArguments(options);
}

function checkTtl(ttl: unknown): number {
  if (typeof ttl !== 'number') throw invalidType('ttl', 'a number of milliseconds', ttl);
  if (!(ttl > 0)) {
    throw outOfRange('ttl', 'a number of milliseconds, more than 0 (Infinity: for ever)', ttl);
  }
  return ttl;
}

function contentsOf({ ttl, capacity, eviction }: SharedDictOptions): Contents {
  if (eviction !== undefined && (eviction as unknown) !== 'lru') {
    throw outOfRange('eviction', "'lru'", eviction);
  }
  if (capacity !== undefined) {
    checkInteger('capacity', capacity, 1, Number.MAX_SAFE_INTEGER, 'bytes');
  } else if (eviction !== undefined) {
    throw invalidType('capacity', 'the number of bytes at which entries are removed', capacity);
  }
  const lives = ttl === undefined ? Infinity : checkTtl(ttl);
  const isFinite = lives !== Infinity;
  return {
    options: {
      ...(isFinite && { ttl: lives }),
      ...(capacity !== undefined && { capacity }),
      ...(eviction !== undefined && { eviction }),
    },
    fields: [
      ...['ttl', isFinite ? String(Math.ceil(lives)) : '0'],
      ...['capacity', String(capacity ?? 0)],
      ...['lru', eviction === 'lru' ? '1' : '0', 'bytes', '0'],
    ],
  };
}
