import type * as contract from '../../contract/index';
import { assignedBy, assignedByIndex, changedBy } from '../core/assignments';
import { unlinkObject, type Request } from '../core/attachment';
import type { Typed } from '../core/handle';
import { toAttach, toCreate, toOpen } from '../core/named-object';
import { invalidType } from '../../common/errors';
import { checkInteger, checkOptions, timeoutOf, type ChangeOptions } from '../../common/options';
import { changing, checkCallback, checkSyncCallback } from '../../common/sync-callbacks';
import { absent } from './reader';
import { PassedOver, type IterationOptions } from '../structure/passed-over';
import { listShape } from './layout';
import { ListState } from './state';
import {
  Structure,
  type StructureCreateOptions,
  type StructureOptions,
} from '../structure/structure';
import { checkCapacity, structureContents } from '../structure/structure-layout';

/** What {@link SharedList.open} takes. */
export type SharedListOptions = StructureOptions;
/** What {@link SharedList.create} takes. */
export type SharedListCreateOptions = StructureCreateOptions;

/** A list as plain data, to be sent to another process; see {@link SharedList.toJSON}. */
export interface SharedListHandle<V = unknown> extends Typed<V> {
  readonly shmkit: 'list';
  readonly name: string;
}

/**
 * An array by its verbs, in shared memory: what Python's `Manager().list()` is, without a server.
 *
 * Elements are anything that the structured clone algorithm takes, and the library's named objects,
 * which come back attached. An element that is read is a copy: to change what is in it, assign it
 * again, best by {@link update}.
 *
 * An element is reached in the same time wherever it is, and so are both ends. To insert or to remove
 * in the middle takes time by the distance to the nearer end.
 *
 * Every change is atomic: others see it as a whole or not at all, even if whoever makes it is killed
 * meanwhile, and a change that throws has changed nothing. Changes wait for each other, which blocks
 * this thread for as long as the others take: a moment, unless one is an {@link update}, whose function
 * takes what it takes. All but {@link push}, {@link unshift} and {@link splice}, which take any number of
 * values, have a `timeout` for that. Reading takes no lock, unless others keep changing the list: then it
 * waits like a change.
 */
export class SharedList<V = unknown> extends Structure implements contract.List<V> {
  declare readonly shmkit: 'list';
  readonly #state: ListState;

  private constructor(request: Request) {
    super(request);
    this.#state = this.stateBy((seat) => new ListState(seat));
  }

  /** @internal */
  protected override get state(): ListState {
    return this.#state;
  }

  /** @internal */
  protected override open(): ListState {
    if (this.attachment.guarded) this.attachment.open();
    const state = this.#state;
    if (state.inside) state.putRight();
    return state;
  }

  /**
   * Makes a new list, which is empty.
   *
   * @throws SharedMemoryError `EEXIST` the name is taken; `ENOSPC`; `EINVAL`, `ENAMETOOLONG` it
   * cannot be a name; `ERR_ZERO_COPY_UNAVAILABLE`.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE`
   */
  static create<V = unknown>(options: SharedListCreateOptions = {}): SharedList<V> {
    checkOptions(options, ['name', 'mode', 'capacity']);
    return new SharedList(toCreate('list', options, contentsOf(options)));
  }

  /**
   * Attaches to a list that exists.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES`; `ERR_CORRUPT`, `ERR_WRONG_KIND`,
   * `ERR_ABI_MISMATCH` what bears the name is not a list that this process can use;
   * `ERR_ZERO_COPY_UNAVAILABLE`.
   */
  static attach<V = unknown>(name: string): SharedList<V> {
    return new SharedList(toAttach('list', name));
  }

  /**
   * Attaches to a list, or makes it when it is absent. Of any number of processes that open one name
   * at once, one makes it; its options count.
   *
   * @throws SharedMemoryError as {@link SharedList.create} (but `EEXIST`) and
   * {@link SharedList.attach}.
   */
  static open<V = unknown>(name: string, options: SharedListOptions = {}): SharedList<V> {
    checkOptions(options, ['mode', 'capacity']);
    return new SharedList(toOpen('list', name, options, contentsOf(options)));
  }

  /**
   * Removes a name. Whoever is attached keeps the list until they close.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES`; `ERR_ABI_MISMATCH`.
   */
  static unlink(name: string): void {
    unlinkObject('list', name);
  }

  /**
   * How many elements there are.
   *
   * @throws SharedMemoryError `ERR_CLOSED`, `ERR_CORRUPT`
   */
  get length(): number {
    return this.open().length;
  }

  /**
   * The element at an index; a negative one counts from the end.
   *
   * @returns undefined beyond either end.
   * @throws SharedMemoryError `ERR_CLOSED`; it cannot be read: `ERR_CORRUPT` its bytes make no sense, or
   * `ERR_ABI_MISMATCH` not to this version; of a shared object in it, what attaching to it throws, as
   * `ENOENT` when it is gone. `key` is its index, and `cause` says why. {@link set} replaces it.
   */
  at(index: number): V | undefined {
    const value = this.open().get(checkIndex(index));
    return value === absent ? undefined : (value as V);
  }

  /**
   * Assigns an element; a negative index counts from the end.
   *
   * @throws RangeError `ERR_OUT_OF_RANGE` there is no such element.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` the value cannot be cloned.
   * @throws SharedMemoryError `ERR_CAPACITY` it has no room for it, or the value is larger than one may
   * be (256 MiB less one byte); `ENOSPC` the memory file system has none; `ERR_CLOSED`,
   * `ERR_CORRUPT`; `ERR_DEADLOCK` a function that this thread gave to {@link update} is running;
   * `ERR_TIMEOUT`.
   */
  set(index: number, value: V, options?: ChangeOptions): void {
    this.open().set(checkIndex(index), value, timeoutOf(options));
  }

  /**
   * Adds elements at the end.
   *
   * @returns the length.
   * @throws as {@link set}
   */
  push(...values: V[]): number {
    return this.open().push(values);
  }

  /**
   * Removes the last element.
   *
   * @returns the element, or undefined when there is none.
   * @throws SharedMemoryError as {@link at}, and `ERR_DEADLOCK`, `ERR_TIMEOUT` as {@link set}; it stays
   * then. To remove one that cannot be read, {@link set} another value first.
   */
  pop(options?: ChangeOptions): V | undefined {
    return this.open().pop(timeoutOf(options)) as V | undefined;
  }

  /**
   * Removes the first element.
   *
   * @returns the element, or undefined when there is none.
   * @throws as {@link pop}
   */
  shift(options?: ChangeOptions): V | undefined {
    return this.open().shift(timeoutOf(options)) as V | undefined;
  }

  /**
   * Adds elements at the front, in their order.
   *
   * @returns the length.
   * @throws as {@link set}
   */
  unshift(...values: V[]): number {
    return this.open().unshift(values);
  }

  /**
   * The elements from `start` to before `end`, as of one moment; indices as an array's.
   *
   * @throws as {@link at}
   */
  slice(start = 0, end = Infinity): V[] {
    return this.open().slice(toIndex('start', start), toIndex('end', end)) as V[];
  }

  /**
   * Removes `deleteCount` elements from `start` on, by default all, and puts others in their place.
   *
   * @returns the elements that were removed.
   * @throws as {@link set} and {@link at}: if one of them cannot be read, nothing is changed.
   */
  splice(start: number, deleteCount = Infinity, ...values: V[]): V[] {
    const state = this.open();
    const count = toIndex('deleteCount', deleteCount);
    return state.splice(toIndex('start', start), count, values) as V[];
  }

  /**
   * The first index of a value from `from` on, or -1. Objects are equal if they are stored as the same
   * bytes: if their contents are, in the same order.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` the value cannot be cloned; SharedMemoryError
   * `ERR_CLOSED`, `ERR_CORRUPT`.
   */
  indexOf(value: V, from = 0): number {
    return this.open().find(value, toIndex('from', from), false);
  }

  /**
   * The last index of a value, at `from` or before, or -1.
   *
   * @throws as {@link indexOf}
   */
  lastIndexOf(value: V, from = Infinity): number {
    return this.open().findLast(value, toIndex('from', from));
  }

  /**
   * Whether a value is there, at `from` or behind; as {@link indexOf}, and finds NaN.
   *
   * @throws as {@link indexOf}
   */
  includes(value: V, from = 0): boolean {
    return this.open().find(value, toIndex('from', from), true) >= 0;
  }

  /**
   * Replaces an element by what the function makes of it, while nobody else changes the list. The
   * function cannot change the list either.
   *
   * All changes of the list wait for the function, and nobody but the function's author knows for how long.
   * If it changes another object, whose `update` in another process changes this one, both wait for ever:
   * give such a change a `timeout`, and let its `ERR_TIMEOUT` end the function.
   *
   * @returns the new element.
   * @throws what the function throws (then nothing was changed), and as {@link set} and {@link at}.
   */
  update(index: number, fn: (value: V) => V, options?: ChangeOptions): V {
    checkSyncCallback('fn', fn, changing);
    const change = fn as (value: unknown) => unknown;
    return this.open().update(checkIndex(index), change, timeoutOf(options)) as V;
  }

  /**
   * Adds to an element that is a number.
   *
   * @returns the number before.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` it is no number; and as {@link set}.
   */
  add(index: number, delta: number, options?: ChangeOptions): number {
    if (typeof delta !== 'number') throw invalidType('delta', 'a number', delta);
    return this.open().add(checkIndex(index), delta, timeoutOf(options));
  }

  /**
   * Replaces an element if it is `expected`. Objects are compared as by {@link indexOf}, numbers by
   * their bits: NaN is equal to itself, and 0 is not -0.
   *
   * @returns whether it was replaced.
   * @throws as {@link set}
   */
  compareAndSet(index: number, expected: V, value: V, options?: ChangeOptions): boolean {
    return this.open().compareAndSet(checkIndex(index), expected, value, timeoutOf(options));
  }

  /**
   * Removes all elements. Also makes whole a list whose bytes were overwritten. The memory stays the
   * list's, for new elements: it goes back to the system once the list is unlinked and everybody has
   * closed it.
   *
   * @throws SharedMemoryError `ERR_CLOSED`; `ERR_DEADLOCK`, `ERR_TIMEOUT` as {@link set}.
   */
  clear(options?: ChangeOptions): void {
    this.open().clear(timeoutOf(options));
  }

  /** All elements, as of one moment. */
  toArray(): V[] {
    return this.slice();
  }

  /**
   * The indices, up to the length at the time that each is asked for.
   *
   * @throws SharedMemoryError `ERR_CLOSED`, `ERR_CORRUPT`
   */
  *keys(): Generator<number, void, undefined> {
    for (let i = 0; i < this.length; i++) yield i;
  }

  /**
   * The elements, each read when its turn comes: what is changed meanwhile is seen or not, and if
   * elements are inserted or removed in front of it, one may be met twice or not at all. For all as of
   * one moment, see {@link toArray}. One that cannot be read is passed over: all others come, and then an
   * error of the first such, unless `onUnreadable` is told of each.
   *
   * @throws SharedMemoryError `ERR_CLOSED`, `ERR_CORRUPT`; at the end, as {@link at}.
   */
  *values(options: IterationOptions = {}): Generator<V, void, undefined> {
    for (const [, value] of this.entries(options)) yield value;
  }

  /** Indices and elements, as {@link values}. */
  *entries(options: IterationOptions = {}): Generator<[number, V], void, undefined> {
    const passedOver = new PassedOver(options);
    for (let i = 0; ; i++) {
      let value: unknown;
      try {
        value = this.open().get(i);
      } catch (error) {
        passedOver.note(error);
        continue;
      }
      if (value === absent) break;
      yield [i, value as V];
    }
    passedOver.end();
  }

  /** The same as {@link values}. */
  [Symbol.iterator](): Generator<V, void, undefined> {
    return this.values();
  }

  /** Calls a function for each element, as {@link values}. */
  forEach(fn: (value: V, index: number, list: this) => void): void {
    checkCallback('fn', fn);
    for (const [index, value] of this.entries()) fn(value, index, this);
  }

  /** A handle to send to another process, which gives it to {@link attach}. */
  toJSON(): SharedListHandle<V> {
    return { shmkit: 'list', name: this.name };
  }
}

assignedBy('list', assignedByIndex('set'));
changedBy('list', { length: 'pop(), splice() or clear()' });

function contentsOf({ capacity }: SharedListOptions) {
  return structureContents(listShape, 0, checkCapacity(capacity));
}

function checkIndex(index: number): number {
  if (!Number.isInteger(index)) {
    checkInteger('index', index, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  }
  return index;
}

/** As arrays take them: whole, and no number is 0. */
function toIndex(what: string, value: number): number {
  if (typeof value !== 'number') throw invalidType(what, 'a number', value);
  return Math.trunc(value) || 0;
}
