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

/** What {@link SharedValue.open} takes. */
export interface SharedValueOptions<T extends ElementType> extends OpenOptions {
  /** The type, by numpy's name. */
  readonly type: T;
  /** What a new value is at first; one that is there stays as it is. Default 0. */
  readonly value?: ElementOf<T> | undefined;
}

/** What {@link SharedValue.create} takes. */
export interface SharedValueCreateOptions<T extends ElementType>
  extends SharedValueOptions<T>, CreateOptions {}

/** What {@link SharedValue.attach} takes. */
export interface SharedValueAttachOptions<T extends ElementType> {
  /** Refuse a value of another type. */
  readonly type?: T | undefined;
}

/** A value as plain data, to be sent to another process; see {@link SharedValue.toJSON}. */
export interface SharedValueHandle<T extends ElementType = ElementType> extends Typed<T> {
  readonly shmkit: 'value';
  readonly name: string;
}

/** The least that a new one takes. */
const example = { type: 'float64' };

/**
 * One number in shared memory, with a lock of its own: Python's `multiprocessing.Value`.
 *
 * Reads, writes, {@link add}, {@link exchange} and {@link compareExchange} are atomic without the
 * lock, for every type, and sequentially consistent with each other; they do not block. A value that
 * the type cannot hold (300 in `uint8`, 1.5 in `int32`) is an error, and so is a number for `int64`
 * and `uint64`, which are BigInt. `float32` rounds, as a Float32Array does.
 *
 * The number lies at the offset that the object's header names (docs/memory-layout.md), so that
 * programs in other languages can share it.
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
   * Makes a new value.
   *
   * @throws SharedMemoryError `EEXIST` the name is taken; `ENOSPC`; `EINVAL`, `ENAMETOOLONG` it
   * cannot be a name; `ERR_ZERO_COPY_UNAVAILABLE`.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` it is no such type, or no
   * value of it.
   */
  static create<T extends ElementType>(options: SharedValueCreateOptions<T>): SharedValue<T> {
    checkOptions(options, ['type', 'value', 'name', 'mode'], example);
    const contents = contentsOf(options);
    return new SharedValue(toCreate('value', options, contents), options.type);
  }

  /**
   * Attaches to a value that exists.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES`; `ERR_WRONG_KIND` it is of another
   * type; `ERR_CORRUPT`, `ERR_ABI_MISMATCH`, `ERR_ZERO_COPY_UNAVAILABLE`.
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
   * Attaches to a value, or makes it when it is absent. Of any number of processes that open one
   * name at once, one makes it; its `value` and `mode` count.
   *
   * @throws SharedMemoryError `ERR_WRONG_KIND` it is there with another type; and as {@link SharedValue.create} (but `EEXIST`) and
   * {@link SharedValue.attach}.
   */
  static open<T extends ElementType>(name: string, options: SharedValueOptions<T>): SharedValue<T> {
    systemName('value', name);
    checkOptions(options, ['type', 'value', 'mode'], example);
    return new SharedValue(toOpen('value', name, options, contentsOf(options)), options.type);
  }

  /**
   * Removes a name. Whoever is attached keeps the value until they close.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES`; `ERR_ABI_MISMATCH`.
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
   * Adds to the number; atomic.
   *
   * @param delta - a value of the type, or the negative of one.
   * @returns the number before.
   * @throws RangeError `ERR_OUT_OF_RANGE` the sum would be beyond the type; nothing was changed.
   * @throws SharedMemoryError `ERR_CLOSED`
   */
  add(delta: ElementOf<T>): ElementOf<T> {
    this.#check();
    return this.addAt(0, delta);
  }

  /**
   * Replaces the number; atomic.
   *
   * @returns the number before.
   */
  exchange(value: ElementOf<T>): ElementOf<T> {
    this.#check();
    return this.cells.exchange(0, this.cells.check('value', value));
  }

  /**
   * Replaces the number if it is `expected`; atomic. Floats are compared by their bits: NaN is equal
   * to itself, and 0 is not -0.
   *
   * @returns the number before: `expected`, if it was replaced.
   */
  compareExchange(expected: ElementOf<T>, value: ElementOf<T>): ElementOf<T> {
    this.#check();
    const { cells } = this;
    const before = cells.check('expected', expected);
    return cells.compareExchange(0, before, cells.check('value', value));
  }

  /**
   * Replaces the number by what the function makes of it, under {@link TypedData.lock}. Blocks this
   * thread while somebody else has the lock; when it is held through this handle, goes ahead. A function
   * that changes another object waits for that object's lock with this one held: give that a `timeout`.
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
   * Waits until the number is not `expected`, without blocking anything. It is looked at now, when
   * somebody calls {@link TypedData.notify}, and now and then in case who changed it died before.
   *
   * @returns the number that it is then.
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`; the signal's reason when it aborts.
   */
  async wait(expected: ElementOf<T>, options?: WaitOptions): Promise<ElementOf<T>> {
    this.#check();
    return this.waitFor(0, expected, options);
  }

  /**
   * Waits until the number is not `expected`, as {@link wait}, blocking this thread.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`.
   */
  waitSync(expected: ElementOf<T>, options?: TimeoutOptions): ElementOf<T> {
    this.#check();
    return this.waitForSync(0, expected, options);
  }

  /**
   * @internal What arithmetic asks for: the handle is no number, and `value + 1` would make a text of it.
   */
  [Symbol.toPrimitive](hint: string): string {
    if (hint === 'string') return `SharedValue ${quoted(this.name)}`;
    throw invalidType('an operand', 'a number, which its value property is', this);
  }

  /** A handle to send to another process, which gives it to {@link attach}. */
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
