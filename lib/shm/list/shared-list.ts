import { tellClass } from '../core/classes';
import type * as contract from '../../contract/index';
import { assignedBy, assignedByIndex, changedBy } from '../core/assignments';
import type { Request } from '../core/attachment';
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
  unlinkStructure,
  type StructureCreateOptions,
  type StructureOptions,
} from '../structure/structure';
import { tellStates } from '../structure/states';
import { checkCapacity, checkOutOfBand, structureContents } from '../structure/structure-layout';

/** The options of {@link SharedList.open}. */
export type SharedListOptions = StructureOptions;
/** The options of {@link SharedList.create}. */
export type SharedListCreateOptions = StructureCreateOptions;

/** The plain-data form of a list that is sent to other processes; see {@link SharedList.toJSON}. */
export interface SharedListHandle<V = unknown> extends Typed<V> {
  readonly shmkit: 'list';
  readonly name: string;
}

/**
 * A list in shared memory with the methods of an array: Python's `Manager().list()`, without a server.
 *
 * Elements can be anything that the structured clone algorithm accepts. They can also be the library's named
 * objects. A reader gets these back attached. An element that you read is a copy. To change an element in
 * the list, assign it again, preferably with {@link update}.
 *
 * Access takes the same time for every element, wherever it is in the list. Inserting or removing in the
 * middle takes time proportional to the distance to the nearer end.
 *
 * Every change is atomic. Others see it as a whole or not at all, even if the process that makes it is
 * killed. A change that throws has changed nothing. Changes wait for each other, and this blocks the thread.
 * The wait is short, except for an {@link update}: it lasts as long as the function that `update` was given.
 * All methods that make changes have a `timeout` for this wait, except {@link push}, {@link unshift} and
 * {@link splice}, because these take any number of values. Reading takes no lock, unless others keep
 * changing the list. Then it waits like a change.
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
   * Creates a new, empty list.
   *
   * @throws SharedMemoryError `EEXIST` the name is already in use; `ENOSPC`; `EINVAL`, `ENAMETOOLONG` the
   * name is not valid; `ERR_ZERO_COPY_UNAVAILABLE`.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE`
   */
  static create<V = unknown>(options: SharedListCreateOptions = {}): SharedList<V> {
    checkOptions(options, ['name', 'mode', 'capacity', 'outOfBand']);
    return new SharedList(toCreate('list', options, contentsOf(options)));
  }

  /**
   * Attaches to an existing list.
   *
   * @throws SharedMemoryError `ENOENT` it does not exist; `EACCES`; `ERR_CORRUPT`, `ERR_WRONG_KIND`,
   * `ERR_ABI_MISMATCH` the object with this name is not a list that this process can use;
   * `ERR_ZERO_COPY_UNAVAILABLE`.
   */
  static attach<V = unknown>(name: string): SharedList<V> {
    return new SharedList(toAttach('list', name));
  }

  /**
   * Attaches to a list, or creates it if it does not exist. If several processes open the same name at the
   * same time, one of them creates the list, and the options of that process apply.
   *
   * @throws SharedMemoryError as {@link SharedList.create} (except `EEXIST`) and
   * {@link SharedList.attach}.
   */
  static open<V = unknown>(name: string, options: SharedListOptions = {}): SharedList<V> {
    checkOptions(options, ['mode', 'capacity', 'outOfBand']);
    return new SharedList(toOpen('list', name, options, contentsOf(options)));
  }

  /**
   * Removes a name. Processes that are attached keep the list until they close it.
   *
   * @throws SharedMemoryError `ENOENT` it does not exist; `EACCES`; `ERR_ABI_MISMATCH`.
   */
  static unlink(name: string): void {
    unlinkStructure('list', name);
  }

  /**
   * The number of elements.
   *
   * @throws SharedMemoryError `ERR_CLOSED`, `ERR_CORRUPT`
   */
  get length(): number {
    return this.open().length;
  }

  /**
   * Returns the element at an index. A negative index counts from the end.
   *
   * @returns undefined if the index is beyond either end.
   * @throws SharedMemoryError `ERR_CLOSED`. If the element cannot be read: `ERR_CORRUPT` its bytes make no
   * sense; `ERR_ABI_MISMATCH` this version cannot read them. If the element contains a shared object: what
   * attaching to that object throws, for example `ENOENT` when it no longer exists. The error's `key` is the
   * index of the element, and its `cause` says why it cannot be read. {@link set} replaces such an element.
   */
  at(index: number): V | undefined {
    const value = this.open().get(checkIndex(index));
    return value === absent ? undefined : (value as V);
  }

  /**
   * Assigns an element. A negative index counts from the end.
   *
   * @throws RangeError `ERR_OUT_OF_RANGE` there is no such element.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` the value cannot be cloned.
   * @throws SharedMemoryError `ERR_CAPACITY` the list has no room for the value, or the value is larger than
   * the maximum (256 MiB less one byte); `ENOSPC` the memory file system has no room; `ERR_CLOSED`,
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
   * @throws SharedMemoryError as {@link at}, and `ERR_DEADLOCK`, `ERR_TIMEOUT` as {@link set}. The element
   * then stays in the list. To remove an element that cannot be read, {@link set} another value first.
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
   * Adds elements at the front. They keep their order.
   *
   * @returns the length.
   * @throws as {@link set}
   */
  unshift(...values: V[]): number {
    return this.open().unshift(values);
  }

  /**
   * Returns the elements from `start` up to, but not including, `end`, as one consistent snapshot. The indices
   * are those of `Array.prototype.slice`.
   *
   * @throws as {@link at}
   */
  slice(start = 0, end = Infinity): V[] {
    return this.open().slice(toIndex('start', start), toIndex('end', end)) as V[];
  }

  /**
   * Removes `deleteCount` elements beginning at `start`, by default all up to the end, and puts `values` in
   * their place.
   *
   * @returns the elements that were removed.
   * @throws as {@link set} and {@link at}. If one of the removed elements cannot be read, nothing is changed.
   */
  splice(start: number, deleteCount = Infinity, ...values: V[]): V[] {
    const state = this.open();
    const count = toIndex('deleteCount', deleteCount);
    return state.splice(toIndex('start', start), count, values) as V[];
  }

  /**
   * Returns the first index of a value, at `from` or later, or -1. Objects are equal if they have the same
   * contents in the same order.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` the value cannot be cloned; SharedMemoryError
   * `ERR_CLOSED`, `ERR_CORRUPT`.
   */
  indexOf(value: V, from = 0): number {
    return this.open().find(value, toIndex('from', from), false);
  }

  /**
   * Returns the last index of a value, at `from` or before, or -1.
   *
   * @throws as {@link indexOf}
   */
  lastIndexOf(value: V, from = Infinity): number {
    return this.open().findLast(value, toIndex('from', from));
  }

  /**
   * Whether the list contains a value, at `from` or later. Compares as {@link indexOf} does, but also finds NaN.
   *
   * @throws as {@link indexOf}
   */
  includes(value: V, from = 0): boolean {
    return this.open().find(value, toIndex('from', from), true) >= 0;
  }

  /**
   * Replaces an element by what the function returns. The function gets the current element. Nobody else can
   * change the list while the function runs. The function itself cannot change the list either.
   *
   * All other changes of the list wait until the function returns. Only its author knows how long that takes.
   * There is a risk of deadlock: if the function changes another object, and an `update` of that object in
   * another process changes this list, both wait for ever. Give such a change a `timeout`, and let its
   * `ERR_TIMEOUT` end the function.
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
   * @returns the number before the addition.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` the element is not a number; and as {@link set}.
   */
  add(index: number, delta: number, options?: ChangeOptions): number {
    if (typeof delta !== 'number') throw invalidType('delta', 'a number', delta);
    return this.open().add(checkIndex(index), delta, timeoutOf(options));
  }

  /**
   * Replaces an element if it is equal to `expected`. Objects are compared as by {@link indexOf}. Numbers are
   * compared by their bits: NaN is equal to itself, and 0 is not equal to -0.
   *
   * @returns whether it was replaced.
   * @throws as {@link set}
   */
  compareAndSet(index: number, expected: V, value: V, options?: ChangeOptions): boolean {
    return this.open().compareAndSet(checkIndex(index), expected, value, timeoutOf(options));
  }

  /**
   * Removes all elements. Also repairs a list whose bytes were overwritten. The list keeps its memory for new
   * elements. The memory goes back to the system when the list is unlinked and all handles are closed.
   *
   * @throws SharedMemoryError `ERR_CLOSED`; `ERR_DEADLOCK`, `ERR_TIMEOUT` as {@link set}.
   */
  clear(options?: ChangeOptions): void {
    this.open().clear(timeoutOf(options));
  }

  /** Returns all elements, as one consistent snapshot. */
  toArray(): V[] {
    return this.slice();
  }

  /**
   * Iterates over the indices. The length is read again for each index.
   *
   * @throws SharedMemoryError `ERR_CLOSED`, `ERR_CORRUPT`
   */
  *keys(): Generator<number, void, undefined> {
    for (let i = 0; i < this.length; i++) yield i;
  }

  /**
   * Iterates over the elements. Each element is read when its turn comes. Changes during the iteration may or
   * may not be seen. If elements are inserted or removed before the current one, an element may be returned
   * twice or not at all. For a consistent snapshot, use {@link toArray}. An element that cannot be read is
   * skipped. Without `onUnreadable`, the iteration throws an error for the first skipped element after all
   * other elements were returned. With `onUnreadable`, that callback is called for each skipped element
   * instead.
   *
   * @throws SharedMemoryError `ERR_CLOSED`, `ERR_CORRUPT`; at the end, as {@link at}.
   */
  *values(options: IterationOptions = {}): Generator<V, void, undefined> {
    for (const [, value] of this.entries(options)) yield value;
  }

  /** Iterates over pairs of index and element. Otherwise the same as {@link values}. */
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

  /** Calls a function for each element. Iterates as {@link values} does. */
  forEach(fn: (value: V, index: number, list: this) => void): void {
    checkCallback('fn', fn);
    for (const [index, value] of this.entries()) fn(value, index, this);
  }

  /** Returns a handle as plain data, to send to another process, which passes it to {@link attach}. */
  toJSON(): SharedListHandle<V> {
    return { shmkit: 'list', name: this.name };
  }
}

assignedBy('list', assignedByIndex('set'));
changedBy('list', { length: 'pop(), splice() or clear()' });

tellStates('list', (seat) => new ListState(seat));

function contentsOf({ capacity, outOfBand }: SharedListOptions) {
  return structureContents(listShape, 0, checkCapacity(capacity), checkOutOfBand(outOfBand));
}

function checkIndex(index: number): number {
  if (!Number.isInteger(index)) {
    checkInteger('index', index, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  }
  return index;
}

/** Converts an index as arrays do: it truncates fractions, and NaN becomes 0. */
function toIndex(what: string, value: number): number {
  if (typeof value !== 'number') throw invalidType(what, 'a number', value);
  return Math.trunc(value) || 0;
}

tellClass('list', SharedList);
