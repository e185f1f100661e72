import { tellClass } from '../core/classes';
import type * as contract from '../../contract/index';
import { assignedBy, changedBy } from '../core/assignments';
import type { Request } from '../core/attachment';
import type { Typed } from '../core/handle';
import { toAttach, toCreate, toOpen } from '../core/named-object';
import { callForeign } from '../core/foreign';
import {
  beginOperation,
  endHeldOperation,
  endOperation,
  holdOperation,
  settleOperations,
} from '../core/operations';
import { invalidType, outOfRange } from '../../common/errors';
import { quoted, shown } from '../../common/shown';
import {
  checkOptions,
  checkTimeout,
  timeoutOf,
  waitOf,
  type ChangeOptions,
  type TimeoutOptions,
  type WaitOptions,
} from '../../common/options';
import { changing, checkCallback, checkSyncCallback, computing } from '../../common/sync-callbacks';
import { Computation } from './computations';
import type { Claim, Claiming, SyncComputation } from './claims';
import { pending } from './entries';
import { PassedOver, type IterationOptions } from '../structure/passed-over';
import { dictContents, evicting, longestKey } from './layout';
import { DictState, When } from './state';
import { ValueWait } from './value-wait';
import {
  Structure,
  unlinkStructure,
  type StructureCreateOptions,
  type StructureOptions,
} from '../structure/structure';
import { tellStates } from '../structure/states';
import { checkCapacity, checkOutOfBand } from '../structure/structure-layout';

/** The options of {@link SharedDict.open}. */
export interface SharedDictOptions extends StructureOptions {
  /**
   * The default lifetime of entries of a new dict, in milliseconds. {@link SharedDict.set} can override it.
   * By default, entries never expire.
   */
  readonly ttl?: number | undefined;
  /**
   * With `'lru'`, a new dict that is full removes entries that were not used recently. By default, a full
   * dict refuses new entries. See {@link SharedDict}.
   */
  readonly eviction?: 'lru' | undefined;
}

/** The options of {@link SharedDict.create}. */
export interface SharedDictCreateOptions extends SharedDictOptions, StructureCreateOptions {}

/** The lifetime of an entry. */
export interface TtlOptions {
  /** Milliseconds from now. `Infinity` means that the entry never expires. Default: {@link SharedDict.ttl}. */
  readonly ttl?: number | undefined;
}

/** The options of methods that change an entry. */
export interface EntryChangeOptions extends TtlOptions, ChangeOptions {}

/** The options of {@link SharedDict.getOrSet}. */
export interface GetOrSetOptions extends TtlOptions, WaitOptions {}

/** The options of {@link SharedDict.getOrSetSync}. */
export interface GetOrSetSyncOptions extends TtlOptions, TimeoutOptions {}

/** The plain-data form of a dict that is sent to other processes; see {@link SharedDict.toJSON}. */
export interface SharedDictHandle<V = unknown> extends Typed<V> {
  readonly shmkit: 'dict';
  readonly name: string;
}

/**
 * A Map in shared memory that any number of processes can use: Python's `Manager().dict()`, without a server.
 *
 * Keys are strings. Values can be anything that the structured clone algorithm accepts, except objects of
 * runtime classes such as `Blob`. Values can also be the library's own named objects. A reader gets these
 * back attached. A value that you read is a copy. To change a value in the dict, set it again.
 *
 * A value that could not be restored completely is refused when it is written, with
 * `ERR_INVALID_ARG_TYPE`. Errors keep `stack`, `cause`, `code` and their other properties. For a view, its
 * whole ArrayBuffer is stored. For a Buffer, only its own bytes are stored.
 *
 * Readers take no lock and never wait. They see a change as a whole or not at all, even if the process
 * that makes the change is killed. Changes are made one at a time and wait for each other. This wait is
 * short, except for an {@link update}: it lasts as long as the function that `update` was given. All
 * methods that make changes have a `timeout` for this wait.
 *
 * Iteration is weakly consistent. An entry that exists during the whole iteration is seen exactly once,
 * with a value that it had during the iteration. An entry that is set or deleted during the iteration may
 * or may not be seen. The order of the entries has no meaning.
 *
 * An entry that has expired (`ttl`) is no longer visible to anyone. It still counts in {@link size}, and
 * uses memory, until a later change removes it. A dict with `eviction: 'lru'` that has reached its
 * capacity, or for which the system has no more memory, looks at eight random entries and removes the
 * least recently used of them. The time of the last use is recorded by hash, in a table that has one word
 * for every 512 bytes of capacity. Entries that share a word therefore keep each other alive.
 */
export class SharedDict<V = unknown> extends Structure implements contract.Dict<V> {
  declare readonly shmkit: 'dict';
  readonly #state: DictState;
  /** The values that this handle is computing for {@link getOrSet}. */
  readonly #claims = new Set<Claim>();

  private constructor(request: Request) {
    super(request);
    this.#state = this.stateBy((seat) => new DictState(seat));
  }

  /** @internal */
  protected override get state(): DictState {
    return this.#state;
  }

  /** @internal */
  protected override open(): DictState {
    if (this.attachment.guarded) this.attachment.open();
    const state = this.#state;
    if (state.inside) state.putRight();
    return state;
  }

  /**
   * Creates a new dict.
   *
   * @throws SharedMemoryError `EEXIST` the name is already in use; `ENOSPC`; `EINVAL`, `ENAMETOOLONG` the
   * name is not valid; `ERR_ZERO_COPY_UNAVAILABLE`.
   * @throws TypeError, RangeError the options are not valid.
   */
  static create<V = unknown>(options: SharedDictCreateOptions = {}): SharedDict<V> {
    checkOptions(options, ['name', 'mode', 'capacity', 'outOfBand', 'ttl', 'eviction']);
    return new SharedDict(toCreate('dict', options, contentsOf(options)));
  }

  /**
   * Attaches to an existing dict.
   *
   * @throws SharedMemoryError `ENOENT` it does not exist; `EACCES`; `ERR_CORRUPT`, `ERR_ABI_MISMATCH`,
   * `ERR_ZERO_COPY_UNAVAILABLE`.
   */
  static attach<V = unknown>(name: string): SharedDict<V> {
    return new SharedDict(toAttach('dict', name));
  }

  /**
   * Attaches to a dict, or creates it if it does not exist. If several processes open the same name at the
   * same time, one of them creates the dict, and the options of that process apply. The others take the
   * dict as it is: see {@link capacity}, {@link ttl} and {@link eviction} for its actual settings.
   *
   * @throws SharedMemoryError as {@link SharedDict.create} (except `EEXIST`) and {@link SharedDict.attach}.
   */
  static open<V = unknown>(name: string, options: SharedDictOptions = {}): SharedDict<V> {
    checkOptions(options, ['mode', 'capacity', 'outOfBand', 'ttl', 'eviction']);
    return new SharedDict(toOpen('dict', name, options, contentsOf(options)));
  }

  /**
   * Removes a name. Processes that are attached keep the dict until they close it.
   *
   * @throws SharedMemoryError `ENOENT` it does not exist; `EACCES`; `ERR_ABI_MISMATCH`.
   */
  static unlink(name: string): void {
    unlinkStructure('dict', name);
  }

  /**
   * The number of entries. If another process or thread is making a change, this call briefly blocks this
   * thread.
   *
   * @throws SharedMemoryError `ERR_CLOSED`, `ERR_CORRUPT`.
   */
  get size(): number {
    return this.open().size;
  }

  /**
   * The default lifetime of entries, in milliseconds. {@link set} can override it. Undefined when entries
   * never expire by default.
   */
  get ttl(): number | undefined {
    const { ttl } = this.open();
    return ttl === 0 ? undefined : ttl;
  }

  /** What happens to a new entry when the dict is full. `'lru'`: other entries make room; else it is refused. */
  get eviction(): 'lru' | undefined {
    return this.attachment.open().type === evicting ? 'lru' : undefined;
  }

  /**
   * Returns the value of a key, or undefined. Takes no lock.
   *
   * @throws SharedMemoryError `ERR_CLOSED`. If the value cannot be read: `ERR_CORRUPT` its bytes make no
   * sense; `ERR_ABI_MISMATCH` this version cannot read them. If the value contains a shared object: what
   * attaching to that object throws, for example `ENOENT` when it no longer exists. The properties `key` and
   * `cause` of the error say which value cannot be read and why.
   */
  get(key: string): V | undefined {
    const value = this.open().get(checkKey(key));
    return typeof value === 'symbol' ? undefined : (value as V);
  }

  /**
   * Whether the dict has an entry for the key. Takes no lock.
   *
   * @throws SharedMemoryError `ERR_CLOSED`, `ERR_CORRUPT`.
   */
  has(key: string): boolean {
    return this.open().has(checkKey(key));
  }

  /**
   * Sets the value of a key. If another process or thread is making a change, this call briefly blocks this
   * thread.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` the value cannot be cloned.
   * @throws SharedMemoryError `ERR_CAPACITY` the dict is full, or the value is larger than the maximum
   * (2 GiB less 64 bytes); `ENOSPC` the memory file system is full; in both cases nothing was changed.
   * `ERR_CLOSED`, `ERR_CORRUPT`; `ERR_DEADLOCK` the call was made within a function that {@link update} was
   * given; `ERR_TIMEOUT`.
   */
  set(key: string, value: V, options?: EntryChangeOptions): this {
    const state = this.open();
    const ttl = ttlOf(options, state);
    state.set(checkKey(key), value, ttl, When.Always, limitOf(options));
    return this;
  }

  /**
   * Sets the value of a key if it has none.
   *
   * @returns whether it was set.
   * @throws as {@link set}.
   */
  setIfAbsent(key: string, value: V, options?: EntryChangeOptions): boolean {
    const state = this.open();
    const ttl = ttlOf(options, state);
    return state.set(checkKey(key), value, ttl, When.Absent, limitOf(options));
  }

  /**
   * Removes an entry.
   *
   * @returns whether there was one.
   * @throws as {@link set}.
   */
  delete(key: string, options?: ChangeOptions): boolean {
    return this.open().delete(checkKey(key), timeoutOf(options));
  }

  /**
   * Removes all entries in one change. This also works on a corrupt dict. The dict keeps its memory for new
   * entries. The memory goes back to the system when the dict is unlinked and all handles are closed.
   *
   * @throws SharedMemoryError `ERR_CLOSED`; `ERR_DEADLOCK`, `ERR_TIMEOUT` as {@link set}.
   */
  clear(options?: ChangeOptions): void {
    this.open().clear(timeoutOf(options));
  }

  /**
   * Atomically adds to a number. A key without a value counts as 0. An existing entry keeps its expiry time.
   *
   * @returns the number before the addition.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` the value is not a number; and as {@link set}.
   */
  add(key: string, delta: number, options?: EntryChangeOptions): number {
    const state = this.open();
    if (typeof delta !== 'number') throw invalidType('delta', 'a number', delta);
    return state.add(checkKey(key), delta, ttlOf(options, state), limitOf(options));
  }

  /**
   * Replaces a value by what the function returns. The function gets the current value, or undefined when
   * there is none. Nobody else can change the dict while the function runs. The function may read the dict
   * but must not change it. An existing entry keeps its expiry time unless `ttl` is given.
   *
   * All other changes of the dict wait until the function returns. Only its author knows how long that takes.
   * There is a risk of deadlock: if the function changes another object, and an `update` of that object in
   * another process changes this dict, both wait for ever. Give such a change a `timeout`, and let its
   * `ERR_TIMEOUT` end the function.
   *
   * @returns the new value.
   * @throws what the function throws (then nothing was changed); and as {@link set} and {@link get}. A
   * value that cannot be read is not replaced.
   */
  update(key: string, fn: (value: V | undefined) => V, options?: EntryChangeOptions): V {
    const state = this.open();
    checkSyncCallback('fn', fn, changing);
    const given = ttlOf(options, state);
    const ttl = options?.ttl === undefined ? undefined : given;
    const change = fn as (value: unknown) => unknown;
    return state.update(checkKey(key), change, ttl, state.ttl, limitOf(options)) as V;
  }

  /**
   * Sets the value of a key if its current value is `expected`. Values are compared in their stored form.
   * Objects are equal if they have the same contents in the same order. A key that does not exist counts as
   * undefined.
   *
   * @returns whether it was set.
   * @throws as {@link set}.
   */
  compareAndSet(
    key: string,
    expected: V | undefined,
    value: V,
    options?: EntryChangeOptions,
  ): boolean {
    const state = this.open();
    const ttl = ttlOf(options, state);
    return state.compareAndSet(checkKey(key), expected, value, ttl, limitOf(options));
  }

  /**
   * Returns the value of a key, and computes it if there is none. Only one task of one process computes the
   * value. Other callers wait for it. If that process dies, or the function throws, another caller computes
   * the value. If the key is set during the computation, it keeps the value that was set. If the key is
   * deleted during the computation, it stays without a value. An existing value that cannot be read is not
   * computed again: {@link delete} it first.
   *
   * The function may ask for other values. If a call would wait for itself in this way, through any chain of
   * values, dicts, threads and processes, it gets `ERR_DEADLOCK`. If the chain is within this thread, the
   * call gets the error at once. Otherwise, one call of the chain gets it, soon after the last of them has
   * begun to wait. The library assumes that a function needs every value that it asks for. If the function
   * can do without a value, it should ask for that value with a `timeout` or a `signal`. Two kinds of
   * deadlock across threads are not detected, and the calls keep waiting: when a call of the chain has such a
   * limit (the limit then ends the wait), and when a function of the chain asks for several values at once.
   *
   * @throws what the function throws; as {@link get}; SharedMemoryError `ERR_TIMEOUT` another caller was still
   * computing the value when the time was over; `ERR_DEADLOCK`; the signal's reason; and as {@link set}.
   */
  async getOrSet(
    key: string,
    fn: (key: string) => V | PromiseLike<V>,
    options: GetOrSetOptions = {},
  ): Promise<V> {
    const state = this.open();
    checkCallback('fn', fn);
    checkOptions(options, ['ttl', 'timeout', 'signal']);
    const ttl = ttlOf(ttlOnly(options), state);
    const { timeout, signal } = waitOf(waitOnly(options));
    const there = state.get(checkKey(key));
    if (typeof there !== 'symbol') return there as V;
    const waiting = ValueWait.ofTask(timeout === undefined && signal === undefined);
    const claiming = state.claims.claiming();
    const claim = await state.claims.computed
      .wait<{ value: unknown } | Claim>({
        handle: this,
        attempt: (look) => {
          claiming.claim = undefined;
          beginOperation(claiming);
          const outcome = this.#attempt(key, look, waiting, claiming);
          endOperation();
          return outcome;
        },
        timeout,
        signal,
        expired: (limit) => this.#late(key, limit),
        calledOff: () => waiting.end(),
      })
      .finally(() => waiting.end());
    if ('value' in claim) return claim.value as V;
    return this.#fulfil(claim, ttl, () => fn(key));
  }

  /**
   * The same as {@link getOrSet}, but blocks this thread, also while another caller computes the value.
   *
   * @throws SharedMemoryError `ERR_DEADLOCK` this same thread is computing the value; and as {@link getOrSet}.
   */
  getOrSetSync(key: string, fn: (key: string) => V, options: GetOrSetSyncOptions = {}): V {
    const state = this.open();
    checkSyncCallback('fn', fn, computing);
    checkOptions(options, ['ttl', 'timeout']);
    const ttl = ttlOf(ttlOnly(options), state);
    const timeout = timeoutOf(waitOnly(options));
    const there = state.get(checkKey(key));
    if (typeof there !== 'symbol') return there as V;
    settleOperations();
    if (there === pending && state.claims.isOwn(key)) {
      throw this.attachment.error(
        'ERR_DEADLOCK',
        `cannot wait for the value of ${JSON.stringify(key)}: this thread is already computing it`,
      );
    }
    const waiting = ValueWait.ofThread(timeout === undefined);
    const computation = state.claims.computation(waiting);
    holdOperation(computation);
    try {
      const claim = state.claims.computed.waitSync<{ value: unknown } | Claim>({
        handle: this,
        attempt: (look) => this.#attempt(key, look, waiting, computation),
        timeout,
        expired: (limit) => this.#late(key, limit),
      });
      return 'value' in claim ? (claim.value as V) : this.#compute(claim, computation, ttl, fn);
    } finally {
      waiting.end();
      endHeldOperation(computation);
    }
  }

  #compute(claim: Claim, held: SyncComputation, ttl: number, fn: (key: string) => V): V {
    const { claims } = this.state;
    this.#claims.add(claim);
    const computation = (held.computation = this.#computation(claim));
    try {
      const value = computation.runSync(() => callForeign(fn, claim.key, computing));
      this.#settle(claim, () => claims.fulfil(claim, value, ttl));
      return value;
    } catch (error) {
      this.#settle(claim, () => claims.renounce(claim));
      throw error;
    }
  }

  /**
   * Iterates over the keys, including keys whose values cannot be read.
   *
   * @throws as {@link entries}, but only for entries whose key makes no sense.
   */
  *keys(options: IterationOptions = {}): Generator<string, undefined, undefined> {
    for (const [key] of this.#pairs(false, options)) yield key;
  }

  /**
   * Iterates over the values.
   *
   * @throws as {@link entries}
   */
  *values(options: IterationOptions = {}): Generator<V, undefined, undefined> {
    for (const [, value] of this.#pairs(true, options)) yield value as V;
  }

  /**
   * Iterates over the entries, as pairs of key and value. See {@link SharedDict} for the guarantees of an
   * iteration. An entry that cannot be read is skipped. Without `onUnreadable`, the iteration throws an error
   * for the first skipped entry after all other entries were returned. With `onUnreadable`, that callback is
   * called for each skipped entry instead.
   *
   * @throws SharedMemoryError `ERR_CLOSED`; `ERR_CORRUPT`; at the end, as {@link get}, with the `key`.
   */
  *entries(options: IterationOptions = {}): Generator<[string, V], undefined, undefined> {
    for (const [key, value] of this.#pairs(true, options)) yield [key, value as V];
  }

  /** The same as {@link entries}. */
  [Symbol.iterator](): Generator<[string, V], undefined, undefined> {
    return this.entries();
  }

  /**
   * Calls a function for each entry.
   *
   * @throws what the function throws, and as {@link entries}
   */
  forEach(fn: (value: V, key: string, dict: this) => void, thisArg?: unknown): void {
    checkCallback('fn', fn);
    for (const [key, value] of this) fn.call(thisArg, value, key, this);
  }

  /** The tag that `Object.prototype.toString()` uses. It is on the prototype, like that of Map. */
  declare readonly [Symbol.toStringTag]: 'SharedDict';

  static {
    const tag = { value: 'SharedDict', configurable: true };
    Object.defineProperty(this.prototype, Symbol.toStringTag, tag);
  }

  /** Returns a handle as plain data, to send to another process, which passes it to {@link attach}. */
  toJSON(): SharedDictHandle<V> {
    return { shmkit: 'dict', name: this.name };
  }

  /** @internal */
  protected override letGo(): void {
    const { attachment, state } = this;
    if (!state.inside) {
      state.claims.computed.giveUp(this, attachment.closedMeanwhile());
      for (const claim of this.#claims) state.claims.renounce(claim);
      this.#claims.clear();
    }
    super.letGo();
  }

  *#pairs(
    withValues: boolean,
    options: IterationOptions,
  ): Generator<[string, unknown], undefined, undefined> {
    const passedOver = new PassedOver(options);
    const cursor = this.open().scan.begin();
    while (this.open().scan.next(cursor)) {
      const { found } = cursor;
      for (let i = 0; i < found.length; i += 2) {
        const state = this.open();
        const key = found[i] as string | undefined;
        if (key === undefined) {
          passedOver.note(state.unreadableEntry());
          continue;
        }
        let value: unknown;
        if (withValues) {
          try {
            value = state.finish(found[i + 1], key);
          } catch (error) {
            passedOver.note(error);
            continue;
          }
          // It was removed meanwhile.
          if (typeof value === 'symbol') continue;
        }
        yield [key, value];
      }
    }
    passedOver.end();
    return undefined;
  }

  #attempt(
    key: string,
    look: boolean,
    waiting: ValueWait,
    computation: Claiming,
  ): { value: unknown } | Claim | undefined {
    let isOver = true;
    try {
      const state = this.open();
      const claim = state.claim(key, waiting.looks(look), waiting, computation);
      if (claim !== pending) return claim;
      if (!waiting.goOn(() => state.claims.computationOf(key))) {
        const what = `cannot wait for the value of ${JSON.stringify(key)}: its computation waits for this call, so both would wait for ever`;
        throw this.attachment.error('ERR_DEADLOCK', what);
      }
      isOver = false;
      return undefined;
    } finally {
      if (isOver) waiting.end();
    }
  }

  #computation(claim: Claim): Computation {
    return new Computation(
      (label) => !this.#claims.has(claim) || this.state.claims.note(claim, label),
    );
  }

  async #fulfil(claim: Claim, ttl: number, compute: () => V | PromiseLike<V>): Promise<V> {
    const { state } = this;
    this.#claims.add(claim);
    try {
      const value = await state.claims.compute(claim.key, this.#computation(claim), compute);
      this.#settle(claim, () => state.claims.fulfil(claim, value, ttl));
      return value;
    } catch (error) {
      this.#settle(claim, () => state.claims.renounce(claim));
      throw error;
    }
  }

  /**
   * Settles a claim, which is the right to compute a value: `by` stores the value or gives the claim up. Does
   * nothing if the claim is settled already, or if this handle was closed: closing it has given up all its
   * claims.
   */
  #settle(claim: Claim, by: () => void): void {
    if (!this.#claims.has(claim)) return;
    by();
    this.#claims.delete(claim);
  }

  #late(key: string, timeout: number): never {
    throw this.attachment.error(
      'ERR_TIMEOUT',
      `has no value of ${JSON.stringify(key)} after ${timeout} ms: another caller is still computing it`,
    );
  }
}

changedBy('dict', { size: 'delete() or clear()' });
assignedBy(
  'dict',
  (key, value) =>
    `set(${quoted(key)}, ${shown(value)})` +
    (Number.isNaN(value) ? ', or add() or update() to change an existing value' : ''),
);

tellStates('dict', (seat) => new DictState(seat));

function contentsOf({ capacity, outOfBand, ttl, eviction }: SharedDictOptions) {
  if (eviction !== undefined && (eviction as unknown) !== 'lru') {
    throw outOfRange('eviction', "'lru'", eviction);
  }
  return dictContents(
    checkCapacity(capacity),
    ttl === undefined ? 0 : checkTtl(ttl),
    eviction === 'lru',
    checkOutOfBand(outOfBand),
  );
}

function checkKey(key: string): string {
  if (typeof key !== 'string') throw invalidType('key', 'a string', key);
  if (key.length > longestKey) {
    throw outOfRange('key', `at most ${longestKey} characters long`, key.length);
  }
  return key;
}

/** Returns milliseconds; 0 means that entries never expire. */
function checkTtl(ttl: unknown): number {
  if (typeof ttl !== 'number') throw invalidType('ttl', 'a number of milliseconds', ttl);
  if (!(ttl > 0)) {
    throw outOfRange('ttl', 'a number of milliseconds, more than 0 (Infinity: for ever)', ttl);
  }
  return ttl === Infinity ? 0 : ttl;
}

function ttlOf(options: EntryChangeOptions | undefined, state: DictState): number {
  if (options === undefined) return state.ttl;
  checkOptions(options, ['ttl', 'timeout']);
  return options.ttl === undefined ? state.ttl : checkTtl(options.ttl);
}

/** The time that a change waits. The options have already been checked. */
function limitOf(options: EntryChangeOptions | undefined): number | undefined {
  return options === undefined ? undefined : checkTimeout(options.timeout);
}

function ttlOnly({ ttl }: TtlOptions): TtlOptions {
  return ttl === undefined ? {} : { ttl };
}

function waitOnly({ timeout, signal }: WaitOptions): WaitOptions {
  return { ...(timeout !== undefined && { timeout }), ...(signal !== undefined && { signal }) };
}

tellClass('dict', SharedDict);
