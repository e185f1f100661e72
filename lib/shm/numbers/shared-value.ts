import { tellClass } from '../core/classes';
import type * as contract from '../../contract/index';
import { unlinkObject, type Request } from '../core/attachment';
import type { Typed } from '../core/handle';
import {
  toAttach,
  toCreate,
  toOpen,
  type CreateOptions,
  type OpenOptions,
} from '../core/named-object';
import { checkType, type ElementOf, type ElementType } from '../../common/element-types';
import { invalidType } from '../../common/errors';
import { systemName } from '../core/names';
import { quoted } from '../../common/shown';
import {
  checkOptions,
  type ChangeOptions,
  type TimeoutOptions,
  type WaitOptions,
} from '../../common/options';
import { changing, checkSyncCallback } from '../../common/sync-callbacks';
import { encodeElements } from './cells';
import { TypedData, typedContents } from './typed-data';

/** The options of {@link SharedValue.open}. */
export interface SharedValueOptions<T extends ElementType> extends OpenOptions {
  /** The type, by its numpy name. */
  readonly type: T;
  /** The initial number of a new value. An existing value keeps its number. Default 0. */
  readonly value?: ElementOf<T> | undefined;
}

/** The options of {@link SharedValue.create}. */
export interface SharedValueCreateOptions<T extends ElementType>
  extends SharedValueOptions<T>, CreateOptions {}

/** The options of {@link SharedValue.attach}. */
export interface SharedValueAttachOptions<T extends ElementType> {
  /** If given, a value of another type is refused. */
  readonly type?: T | undefined;
}

/** The plain-data form of a value that is sent to other processes; see {@link SharedValue.toJSON}. */
export interface SharedValueHandle<T extends ElementType = ElementType> extends Typed<T> {
  readonly shmkit: 'value';
  readonly name: string;
}

/** An example of the options that a new value needs. */
const example = { type: 'float64' };

/**
 * One number in shared memory, with a lock of its own: Python's `multiprocessing.Value`.
 *
 * Reads, writes, {@link add}, {@link exchange} and {@link compareExchange} are atomic without the lock, for
 * every type. They are sequentially consistent with each other and do not block. A value that the type cannot
 * represent is an error, for example 300 for `uint8` or 1.5 for `int32`. The values of `int64` and `uint64`
 * are BigInts, so a number is an error there. `float32` rounds, as a Float32Array does.
 *
 * The number is at the offset that the object's header names (docs/memory-layout.md), so that programs in other
 * languages can share it.
 */
export class SharedValue<T extends ElementType = ElementType>
  extends TypedData<T>
  implements contract.Value<T>
{
  declare readonly shmkit: 'value';

  private constructor(request: Request, type?: T) {
    super(request, { type, length: 1 });
  }

  /**
   * Creates a new value.
   *
   * @throws SharedMemoryError `EEXIST` the name is already in use; `ENOSPC`; `EINVAL`, `ENAMETOOLONG` the
   * name is not valid; `ERR_ZERO_COPY_UNAVAILABLE`.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` the type does not exist, or
   * `value` is not a value of the type.
   */
  static create<T extends ElementType>(options: SharedValueCreateOptions<T>): SharedValue<T> {
    checkOptions(options, ['type', 'value', 'name', 'mode'], example);
    const contents = contentsOf(options);
    return new SharedValue(toCreate('value', options, contents), options.type);
  }

  /**
   * Attaches to an existing value.
   *
   * @throws SharedMemoryError `ENOENT` it does not exist; `EACCES`; `ERR_WRONG_KIND` it has another type;
   * `ERR_CORRUPT`, `ERR_ABI_MISMATCH`, `ERR_ZERO_COPY_UNAVAILABLE`.
   */
  static attach<T extends ElementType>(
    name: string,
    options: SharedValueAttachOptions<T> = {},
  ): SharedValue<T> {
    checkOptions(options, ['type']);
    const { type } = options;
    return new SharedValue(toAttach('value', name), type && checkType(type));
  }

  /**
   * Attaches to a value, or creates it if it does not exist. If several processes open the same name at the
   * same time, one of them creates the value, and the `value` and `mode` of that process apply.
   *
   * @throws SharedMemoryError `ERR_WRONG_KIND` it exists with another type; and as {@link SharedValue.create}
   * (except `EEXIST`) and {@link SharedValue.attach}.
   */
  static open<T extends ElementType>(name: string, options: SharedValueOptions<T>): SharedValue<T> {
    systemName('value', name);
    checkOptions(options, ['type', 'value', 'mode'], example);
    return new SharedValue(toOpen('value', name, options, contentsOf(options)), options.type);
  }

  /**
   * Removes a name. Processes that are attached keep the value until they close it.
   *
   * @throws SharedMemoryError `ENOENT` it does not exist; `EACCES`; `ERR_ABI_MISMATCH`.
   */
  static unlink(name: string): void {
    unlinkObject('value', name);
  }

  /**
   * The number. Reading and writing it are atomic.
   *
   * @throws SharedMemoryError `ERR_CLOSED`
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` on writing.
   */
  get value(): ElementOf<T> {
    this.#check();
    return this.cells.load(0);
  }

  set value(value: ElementOf<T>) {
    this.#check();
    this.cells.store(0, this.cells.check('value', value));
  }

  /**
   * Atomically adds to the number.
   *
   * @param delta - a value of the type, or the negative of one.
   * @returns the number before the addition.
   * @throws RangeError `ERR_OUT_OF_RANGE` the sum would be outside the range of the type; nothing was changed.
   * @throws SharedMemoryError `ERR_CLOSED`
   */
  add(delta: ElementOf<T>): ElementOf<T> {
    this.#check();
    return this.addAt(0, delta);
  }

  /**
   * Atomically replaces the number.
   *
   * @returns the number before the call.
   */
  exchange(value: ElementOf<T>): ElementOf<T> {
    this.#check();
    return this.cells.exchange(0, this.cells.check('value', value));
  }

  /**
   * Atomically replaces the number if it is `expected`. Floats are compared by their bits: NaN is equal to
   * itself, and 0 is not equal to -0.
   *
   * @returns the number before the call. If it was replaced, this is `expected`.
   */
  compareExchange(expected: ElementOf<T>, value: ElementOf<T>): ElementOf<T> {
    this.#check();
    const { cells } = this;
    const before = cells.check('expected', expected);
    return cells.compareExchange(0, before, cells.check('value', value));
  }

  /**
   * Replaces the number by what the function returns, under {@link TypedData.lock}. The function gets the
   * current number. Blocks this thread while another thread or process has the lock. If the lock is already
   * held through this handle, the call does not wait. A function that changes another object waits for the
   * lock of that object while this lock is held: give that change a `timeout`.
   *
   * @returns the new number.
   * @throws what the function throws (then nothing was changed), and as {@link Lock.acquireSync}.
   */
  update(fn: (value: ElementOf<T>) => ElementOf<T>, options?: ChangeOptions): ElementOf<T> {
    checkSyncCallback('fn', fn, changing);
    this.#check();
    return this.updateAt(0, fn, options);
  }

  /**
   * Waits until the number is not `expected`. Does not block the thread. The number is checked at once, whenever
   * {@link TypedData.notify} is called, and from time to time, in case the process that changed it died before it
   * called that.
   *
   * @returns the number at that time.
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`; the signal's reason when it aborts.
   */
  async wait(expected: ElementOf<T>, options?: WaitOptions): Promise<ElementOf<T>> {
    this.#check();
    return this.waitFor(0, expected, options);
  }

  /**
   * Waits until the number is not `expected`, as {@link wait} does, but blocks this thread.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`.
   */
  waitSync(expected: ElementOf<T>, options?: TimeoutOptions): ElementOf<T> {
    this.#check();
    return this.waitForSync(0, expected, options);
  }

  /**
   * @internal Used by arithmetic operators. The handle is not a number, so `value + 1` would give a string.
   */
  [Symbol.toPrimitive](hint: string): string {
    if (hint === 'string') return `SharedValue ${quoted(this.name)}`;
    throw invalidType('an operand', 'a number (use its value property)', this);
  }

  /** Returns a handle as plain data, to send to another process, which passes it to {@link attach}. */
  toJSON(): SharedValueHandle<T> {
    return { shmkit: 'value', name: this.name };
  }

  #check(): void {
    if (this.attachment.guarded) this.attachment.open();
  }
}

function contentsOf<T extends ElementType>({ type, value }: SharedValueOptions<T>) {
  checkType(type);
  const data = value === undefined ? undefined : encodeElements(type, [value], () => 'value');
  return typedContents(type, 1, data);
}

tellClass('value', SharedValue);
