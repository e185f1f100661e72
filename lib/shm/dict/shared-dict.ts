import type * as contract from '../../contract/index';
import { assignedBy, changedBy } from '../core/assignments';
import { unlinkObject, type Request } from '../core/attachment';
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
  type StructureCreateOptions,
  type StructureOptions,
} from '../structure/structure';
import { checkCapacity } from '../structure/structure-layout';

/** What {@link SharedDict.open} takes. */
export interface SharedDictOptions extends StructureOptions {
  /**
   * How long entries of a new dict live, in milliseconds, unless {@link SharedDict.set} says
   * otherwise. Default: for ever.
   */
  readonly ttl?: number | undefined;
  /**
   * `'lru'`: a new dict that is full removes entries that were not used lately, instead of refusing
   * to take more; see {@link SharedDict}.
   */
  readonly eviction?: 'lru' | undefined;
}

/** What {@link SharedDict.create} takes. */
export interface SharedDictCreateOptions extends SharedDictOptions, StructureCreateOptions {}

/** How long an entry lives. */
export interface TtlOptions {
  /** Milliseconds from now; `Infinity`: for ever. Default: as the dict's creator has said. */
  readonly ttl?: number | undefined;
}

/** What changes of an entry take. */
export interface EntryChangeOptions extends TtlOptions, ChangeOptions {}

/** What {@link SharedDict.getOrSet} takes. */
export interface GetOrSetOptions extends TtlOptions, WaitOptions {}

/** What {@link SharedDict.getOrSetSync} takes. */
export interface GetOrSetSyncOptions extends TtlOptions, TimeoutOptions {}

/** A dict as plain data, to be sent to another process; see {@link SharedDict.toJSON}. */
export interface SharedDictHandle<V = unknown> extends Typed<V> {
  readonly shmkit: 'dict';
  readonly name: string;
}

/**
 * A Map in shared memory, of any number of processes: Python's `Manager().dict()`, without a server.
 *
 * Keys are strings. Values are whatever the structured clone algorithm takes, but for objects of classes
 * of the runtime's such as `Blob`, and the library's own named objects, which come back attached. A value
 * is a copy: to change one, set it again.
 *
 * What cannot come back whole is refused where it is written, `ERR_INVALID_ARG_TYPE`. Errors come back with
 * `stack`, `cause`, `code` and what else they have. A view brings its whole ArrayBuffer along, a Buffer
 * its own bytes only.
 *
 * Readers take no lock, and wait for nobody: they see a change as a whole or not at all, whoever is
 * killed at it. Changes are made one at a time, and wait for each other: a moment, unless one is an
 * {@link update}, whose function takes what it takes. All have a `timeout` for that.
 *
 * Iteration is weak: it sees each entry that is there from its beginning to its end exactly once, with
 * a value that it had meanwhile; one that is set or deleted meanwhile, it may see or not. Order means
 * nothing.
 *
 * An entry whose time is over (`ttl`) is there for nobody any more; it counts in {@link size}, and
 * takes memory, until a change comes by that removes it. A dict with `eviction: 'lru'` that has no
 * more memory, by its capacity or by the system's, looks at eight entries at random and removes the
 * one that was used least lately. Uses are noted by hash, in a table of a word to 512 bytes of
 * capacity, so that entries with the same word keep each other alive.
 */
export class SharedDict<V = unknown> extends Structure implements contract.Dict<V> {
  declare readonly shmkit: 'dict';
  readonly #state: DictState;
  /** What this handle computes for {@link getOrSet}. */
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
   * Makes a new dict.
   *
   * @throws SharedMemoryError `EEXIST` the name is taken; `ENOSPC`; `EINVAL`, `ENAMETOOLONG` it
   * cannot be a name; `ERR_ZERO_COPY_UNAVAILABLE`.
   * @throws TypeError, RangeError when the options are none.
   */
  static create<V = unknown>(options: SharedDictCreateOptions = {}): SharedDict<V> {
    checkOptions(options, ['name', 'mode', 'capacity', 'ttl', 'eviction']);
    return new SharedDict(toCreate('dict', options, contentsOf(options)));
  }

  /**
   * Attaches to a dict that exists.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES`; `ERR_CORRUPT`, `ERR_ABI_MISMATCH`,
   * `ERR_ZERO_COPY_UNAVAILABLE`.
   */
  static attach<V = unknown>(name: string): SharedDict<V> {
    return new SharedDict(toAttach('dict', name));
  }

  /**
   * Attaches to a dict, or makes it when it is absent. Of any number of processes that open one name
   * at once, one makes it, and its options count: whoever finds it there takes it as it is, which
   * {@link capacity}, {@link ttl} and {@link eviction} tell.
   *
   * @throws SharedMemoryError as {@link SharedDict.create} (but `EEXIST`) and {@link SharedDict.attach}.
   */
  static open<V = unknown>(name: string, options: SharedDictOptions = {}): SharedDict<V> {
    checkOptions(options, ['mode', 'capacity', 'ttl', 'eviction']);
    return new SharedDict(toOpen('dict', name, options, contentsOf(options)));
  }

  /**
   * Removes a name. Whoever is attached keeps the dict until they close.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES`; `ERR_ABI_MISMATCH`.
   */
  static unlink(name: string): void {
    unlinkObject('dict', name);
  }

  /**
   * How many entries there are. Blocks this thread for the moment that somebody else's change takes.
   *
   * @throws SharedMemoryError `ERR_CLOSED`, `ERR_CORRUPT`.
   */
  get size(): number {
    return this.open().size;
  }

  /** How long entries live unless {@link set} says otherwise, in milliseconds; undefined: for ever. */
  get ttl(): number | undefined {
    const { ttl } = this.open();
    return ttl === 0 ? undefined : ttl;
  }

  /** What a new entry does when the dict is full: `'lru'` makes room, else it is refused. */
  get eviction(): 'lru' | undefined {
    return this.attachment.open().type === evicting ? 'lru' : undefined;
  }

  /**
   * The value of a key, or undefined. Takes no lock.
   *
   * @throws SharedMemoryError `ERR_CLOSED`; the value cannot be read: `ERR_CORRUPT` its bytes make no
   * sense, or `ERR_ABI_MISMATCH` not to this version; of a shared object in it, what attaching to it
   * throws, as `ENOENT` when it is gone. `key` and `cause` say of what and why.
   */
  get(key: string): V | undefined {
    const value = this.open().get(checkKey(key));
    return typeof value === 'symbol' ? undefined : (value as V);
  }

  /**
   * Whether there is an entry of that key. Takes no lock.
   *
   * @throws SharedMemoryError `ERR_CLOSED`, `ERR_CORRUPT`.
   */
  has(key: string): boolean {
    return this.open().has(checkKey(key));
  }

  /**
   * Sets the value of a key. Blocks this thread for the moment that somebody else's change takes.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` the value cannot be cloned.
   * @throws SharedMemoryError `ERR_CAPACITY` the dict is full, or the value is larger than one may be
   * (2 GiB less 64 bytes); `ENOSPC` the memory file system is; nothing was changed. `ERR_CLOSED`,
   * `ERR_CORRUPT`; `ERR_DEADLOCK` within a function that {@link update} was given; `ERR_TIMEOUT`.
   */
  set(key: string, value: V, options?: EntryChangeOptions): this {
    const state = this.open();
    const ttl = ttlOf(options, state);
    state.set(checkKey(key), value, ttl, When.Always, limitOf(options));
    return this;
  }

  /**
   * Sets the value of a key that has none.
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
   * Removes all entries, in one change; also of a dict that is corrupt. The memory stays the dict's, for
   * new entries: it goes back to the system once the dict is unlinked and everybody has closed it.
   *
   * @throws SharedMemoryError `ERR_CLOSED`; `ERR_DEADLOCK`, `ERR_TIMEOUT` as {@link set}.
   */
  clear(options?: ChangeOptions): void {
    this.open().clear(timeoutOf(options));
  }

  /**
   * Adds to a number; atomic. A key without a value has 0. An entry that is there lives on for as long
   * as it would have.
   *
   * @returns the number before.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` it is no number; and as {@link set}.
   */
  add(key: string, delta: number, options?: EntryChangeOptions): number {
    const state = this.open();
    if (typeof delta !== 'number') throw invalidType('delta', 'a number', delta);
    return state.add(checkKey(key), delta, ttlOf(options, state), limitOf(options));
  }

  /**
   * Replaces a value by what the function makes of it, or of undefined; nobody else changes the dict
   * meanwhile. The function may read the dict, and must not change it. An entry that is there lives on
   * for as long as it would have, unless `ttl` says otherwise.
   *
   * All changes of the dict wait for the function, and nobody but the function's author knows for how long.
   * If it changes another object, whose `update` in another process changes this one, both wait for ever:
   * give such a change a `timeout`, and let its `ERR_TIMEOUT` end the function.
   *
   * @returns the new value.
   * @throws what the function throws (then nothing was changed), and as {@link set} and {@link get}: a
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
   * Sets the value of a key if it is `expected`. Values are compared as they are stored: objects by
   * what is in them, in the same order; undefined is also what a key has that is not there.
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
   * The value of a key, computed if there is none: by one task of one process only, while others wait
   * for it. When that process dies, or the function throws, another computes it. A key that is set
   * meanwhile keeps that value; one that is deleted stays without. A value that is there and cannot be read
   * is not computed anew: {@link delete} it first.
   *
   * The function may ask for other values. A call that would so wait for itself, by whatever chain of values,
   * dicts, threads and processes, gets `ERR_DEADLOCK`: at once if the chain is within this thread, else soon
   * after the last of them has begun to wait, one of them only. A function that asks for a value is taken to
   * need it, so what it can do without it is to ask for with a `timeout` or a `signal`. Across threads two
   * cases are not found out, and wait: where one of the chain has such a limit, for that ends it, and where one
   * asks for several values at once.
   *
   * @throws what the function throws; as {@link get}; SharedMemoryError `ERR_TIMEOUT` somebody else computes it for
   * longer; `ERR_DEADLOCK`; the signal's reason; and as {@link set}.
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
   * The same, and blocks this thread, also while somebody else computes.
   *
   * @throws SharedMemoryError `ERR_DEADLOCK` this very thread computes it; and as {@link getOrSet}.
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
      throw this.attachment.error('ERR_DEADLOCK', `: this thread computes '${key}' already`);
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
   * The keys, also of values that cannot be read.
   *
   * @throws as {@link entries}, but of entries only whose key makes no sense.
   */
  *keys(options: IterationOptions = {}): Generator<string, undefined, undefined> {
    for (const [key] of this.#pairs(false, options)) yield key;
  }

  /**
   * The values.
   *
   * @throws as {@link entries}
   */
  *values(options: IterationOptions = {}): Generator<V, undefined, undefined> {
    for (const [, value] of this.#pairs(true, options)) yield value as V;
  }

  /**
   * The entries, each a key and its value; see {@link SharedDict} for what it is to iterate. One that cannot
   * be read is passed over: all others come, and then an error of the first such, unless
   * `onUnreadable` is told of each.
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

  /** As Map has it. */
  declare readonly [Symbol.toStringTag]: 'SharedDict';

  static {
    const tag = { value: 'SharedDict', configurable: true };
    Object.defineProperty(this.prototype, Symbol.toStringTag, tag);
  }

  /** A handle to send to another process, which gives it to {@link attach}. */
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
        const what = `: what computes ${JSON.stringify(key)} waits for this call, which would wait for it`;
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

  /** Once, and only while this handle is open: to close it has renounced all claims. */
  #settle(claim: Claim, by: () => void): void {
    if (!this.#claims.has(claim)) return;
    by();
    this.#claims.delete(claim);
  }

  #late(key: string, timeout: number): never {
    throw this.attachment.error(
      'ERR_TIMEOUT',
      `: somebody else computes ${JSON.stringify(key)}, and did not end within ${timeout} ms`,
    );
  }
}

changedBy('dict', { size: 'delete() or clear()' });
assignedBy(
  'dict',
  (key, value) =>
    `set(${quoted(key)}, ${shown(value)})` +
    (Number.isNaN(value) ? ', or to change what is there, add() or update()' : ''),
);

function contentsOf({ capacity, ttl, eviction }: SharedDictOptions) {
  if (eviction !== undefined && (eviction as unknown) !== 'lru') {
    throw outOfRange('eviction', "'lru'", eviction);
  }
  return dictContents(
    checkCapacity(capacity),
    ttl === undefined ? 0 : checkTtl(ttl),
    eviction === 'lru',
  );
}

function checkKey(key: string): string {
  if (typeof key !== 'string') throw invalidType('key', 'a string', key);
  if (key.length > longestKey) {
    throw outOfRange('key', `at most ${longestKey} characters long`, key.length);
  }
  return key;
}

/** Milliseconds; 0: for ever. */
function checkTtl(ttl: unknown): number {
  if (typeof ttl !== 'number') throw invalidType('ttl', 'a number of milliseconds', ttl);
  if (!(ttl > 0)) throw outOfRange('ttl', 'milliseconds, more than 0 (Infinity: for ever)', ttl);
  return ttl === Infinity ? 0 : ttl;
}

function ttlOf(options: EntryChangeOptions | undefined, state: DictState): number {
  if (options === undefined) return state.ttl;
  checkOptions(options, ['ttl', 'timeout']);
  return options.ttl === undefined ? state.ttl : checkTtl(options.ttl);
}

/** How long a change waits, of options that were checked to be some. */
function limitOf(options: EntryChangeOptions | undefined): number | undefined {
  return options === undefined ? undefined : checkTimeout(options.timeout);
}

function ttlOnly({ ttl }: TtlOptions): TtlOptions {
  return ttl === undefined ? {} : { ttl };
}

function waitOnly({ timeout, signal }: WaitOptions): WaitOptions {
  return { ...(timeout !== undefined && { timeout }), ...(signal !== undefined && { signal }) };
}
