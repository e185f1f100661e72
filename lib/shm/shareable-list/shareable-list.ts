import { tellClass } from '../core/classes';
import { isUint8Array, typedArrayName } from '../../common/element-types';
import { assignedBy, assignedByIndex, Unassignable } from '../core/assignments';
import { checkConstruction } from '../core/construction';
import { showHandle } from '../core/handle';
import { NamedLock, type NamedLockHandle } from '../core/named-lock';
import { SharedMemory, mostRounds } from '../core/shared-memory';
import { SharedMemoryError, hasCode, invalidType, outOfRange } from '../../common/errors';
import { systemName } from '../core/names';
import { checkInteger, checkMode, checkOptions } from '../../common/options';
import { Journal } from './journal';
import { Elements, Shape, encode, type Encoded, type Refusal, type ShareableValue } from './layout';

export type { ShareableValue } from './layout';

/** The options of {@link ShareableList.attach}. */
export interface ShareableListAttachOptions {
  /**
   * If given, each read and each change is made under this lock. `true` means the {@link NamedLock} that has
   * the same name as the list. It is created if it does not exist. All processes must use the same lock.
   * Default: no lock.
   */
  readonly lock?: boolean | NamedLock | undefined;
}

/** The options of {@link ShareableList.create}. */
export interface ShareableListCreateOptions extends ShareableListAttachOptions {
  /**
   * The elements, from first to last. Each gets a slot of the size that its first value needs, which never
   * grows; see {@link ShareableList}. All numbers of a `Float64Array` or `Float32Array` become Python floats,
   * even integers.
   */
  readonly from: Iterable<ShareableValue>;
  /** The name. By default, an unused name is generated; see {@link ShareableList.name}. */
  readonly name?: string | undefined;
  /** The permission bits of the list and its lock. The umask is not applied. Default `0o600`. */
  readonly mode?: number | undefined;
}

/** The options of {@link ShareableList.open}. */
export type ShareableListOpenOptions = Omit<ShareableListCreateOptions, 'name'>;

/** The plain-data form of a list that is sent to other processes; see {@link ShareableList.toJSON}. */
export interface ShareableListHandle {
  readonly shmkit: 'shareable-list';
  readonly name: string;
  /**
   * The handle of the lock that was given to `create()`, `open()` or `attach()`. If this is the list's own
   * lock (`lock: true`), it has the same name as the list.
   */
  readonly lock?: NamedLockHandle | undefined;
}

/** An example of the options that a new list needs. */
const example = { from: [1, 'a', null] };

/** The lock of a list, and who owns that lock. */
interface Guard {
  readonly lock: NamedLock;
  /** Whether it is the lock with the list's own name, which is removed together with the list. */
  readonly isOwn: boolean;
  /** Whether this handle has opened the lock, and so closes it. */
  readonly isOpenedHere: boolean;
}

/**
 * A list of fixed length in shared memory, with exactly the byte layout of Python's
 * `multiprocessing.shared_memory.ShareableList`. Python can attach to it by its name, and this class can
 * attach to a list that Python made.
 *
 * | here                                        | Python             |
 * | ------------------------------------------- | ------------------ |
 * | a safe integer; any bigint of 64 bits       | `int`              |
 * | other numbers: fractions, -0, NaN, ±Infinity, integers beyond 2^53 | `float` |
 * | string; Uint8Array; boolean; null           | `str`; `bytes`; `bool`; `None` |
 *
 * A Python int beyond 2^53 is read as a bigint, any other int as a number. If an element is a float, a number
 * that is assigned to it is stored as a float. So Python does not find an int there each time that a
 * computation happens to give an integer. A bigint is always stored as an int.
 *
 * The slot of an element keeps the size that its first value needed. This is 8 bytes; for a string (measured
 * in UTF-8) or bytes, it is the next multiple of 8 above the length. Any value that fits into the slot can be
 * assigned. **NUL characters at the end of a string, and zero bytes at the end of bytes, are lost**:
 * CPython's layout does not distinguish them from padding. Let such values end with another byte.
 *
 * Without a lock, a change within one type of 8 bytes (for example from one number to another) is seen as a
 * whole or not at all. While another process changes the type of an element, or a longer text, a reader may
 * see neither the old nor the new value, or may get `ERR_CORRUPT`. If that process is killed, this remains so
 * until the element is set again.
 *
 * With {@link ShareableListAttachOptions.lock}, all processes that use the list with the lock exclude each
 * other. If the list was also *created* with it, they are safe if one of them dies
 * ({@link ShareableList.crashSafe}): a change of an element is there as a whole or not at all, even if its
 * process was killed. For that purpose, the segment has a journal after the list's last byte, where Python
 * sees padding. Python processes take no lock: exclude them by other means.
 *
 * Reads and changes block this thread while another thread or process holds the lock. If this thread holds
 * the lock through {@link ShareableList.lock}, they do not wait. This applies to all tasks of the thread, as
 * with an RLock. The report that an owner has died ({@link LockGuard.abandoned}) goes to the next owner of
 * the lock, which may be a method of this class. So use another lock to guard other data.
 *
 * Where Python and JavaScript differ otherwise, the list behaves as in JavaScript: negative indices count
 * from the end, and beyond either end `at()` returns undefined and `set()` throws.
 *
 * Requires zero copy: {@link SharedMemory.buffer} says where it is not available.
 *
 * @see
 * https://docs.python.org/3/library/multiprocessing.shared_memory.html#multiprocessing.shared_memory.ShareableList
 */
export class ShareableList extends Unassignable implements Iterable<ShareableValue> {
  /** The kind of object, as it is named in plain-data handles. */
  declare readonly shmkit: 'shareable-list';
  /** The name by which others attach. It is the name of a segment, here and in Python. */
  declare readonly name: string;

  readonly #shm: SharedMemory;
  readonly #length: number;
  readonly #elements: Elements;
  readonly #journal: Journal | undefined;
  readonly #guard: Guard | undefined;

  private constructor(
    shm: SharedMemory,
    elements: Elements,
    journal: Journal | undefined,
    guard: Guard | undefined,
  ) {
    checkConstruction(elements instanceof Elements, new.target);
    super();
    // When this list is cloned, its lock is cloned too. The clone of a lock is its plain-data handle.
    showHandle(this, {
      shmkit: 'shareable-list',
      name: shm.name,
      ...(guard && { lock: guard.lock }),
    });
    this.#shm = shm;
    this.#length = elements.shape.length;
    this.#elements = elements;
    this.#journal = journal;
    this.#guard = guard;
  }

  /**
   * Creates a new list. Others see it completely filled or not at all. If this method throws, nothing was
   * created.
   *
   * @throws SharedMemoryError `EEXIST` the name is already in use; `ERR_CAPACITY` a string or bytes of more than
   * 9,999,991 bytes; `ENOSPC`; `EINVAL`, `ENAMETOOLONG` the name is not valid; `ERR_ZERO_COPY_UNAVAILABLE`.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` a value of another type.
   * @throws RangeError `ERR_OUT_OF_RANGE` a bigint of more than 64 bits; a string with half a surrogate pair,
   * which has no UTF-8 form.
   */
  static create(options: ShareableListCreateOptions): ShareableList {
    checkOptions(options, ['from', 'name', 'mode', 'lock'], example);
    const lock = checkLock(options.lock);
    const mode = checkMode(options.mode);
    const { name } = options;
    const { shape, bytes } = compose(options.from, name, lock);
    const request = { size: bytes.length, mode, ...(name !== undefined && { name }) };
    const shm = SharedMemory.createFilled(request, bytes);
    try {
      const elements = new Elements(shm.buffer, shape);
      return new ShareableList(
        shm,
        elements,
        Journal.find(elements),
        guardOf(lock, shm.name, mode),
      );
    } catch (error) {
      shm.unlink();
      shm.close();
      throw error;
    }
  }

  /**
   * Attaches to a list, or creates it if it does not exist. If several processes open the same name at the
   * same time, one of them creates the list, and the `from` and `mode` of that process apply.
   *
   * @throws SharedMemoryError as {@link ShareableList.create} (except `EEXIST`) and
   * {@link ShareableList.attach}.
   */
  static open(name: string, options: ShareableListOpenOptions): ShareableList {
    systemName('memory', name);
    checkOptions(options, ['from', 'mode', 'lock'], example);
    const { lock = false } = options;
    checkLock(lock);
    checkMode(options.mode);
    checkElements(options.from);
    for (let round = 0; ; round++) {
      try {
        return ShareableList.attach(name, { lock });
      } catch (error) {
        if (!hasCode(error, 'ENOENT') || round === mostRounds) throw error;
      }
      try {
        return ShareableList.create({ name, ...options });
      } catch (error) {
        if (!hasCode(error, 'EEXIST') || round === mostRounds) throw error;
      }
    }
  }

  /**
   * Attaches to an existing list that was made by this library or by Python.
   *
   * @throws SharedMemoryError `ENOENT` it does not exist; `EACCES`; `ERR_CORRUPT` the segment's bytes are not
   * a list, or not yet a complete one; `ERR_ZERO_COPY_UNAVAILABLE`.
   */
  static attach(name: string, options: ShareableListAttachOptions = {}): ShareableList {
    checkOptions(options, ['lock']);
    const lock = checkLock(options.lock);
    return ShareableList.#attach(name, () => guardOf(lock, name));
  }

  /**
   * @internal The same as {@link attach}, for the plain-data form of a list. The new list opens a handle to
   * its lock for itself, and closes it when the list is closed.
   */
  static fromHandle({ name, lock }: ShareableListHandle): ShareableList {
    if (lock === undefined) return ShareableList.attach(name);
    if (lock.name === name) return ShareableList.attach(name, { lock: true });
    return ShareableList.#attach(name, () => ({
      lock: NamedLock.attach(lock.name),
      isOwn: false,
      isOpenedHere: true,
    }));
  }

  static #attach(name: string, guard: () => Guard | undefined): ShareableList {
    const shm = SharedMemory.attach(name);
    try {
      const shape = Shape.read(shm.buffer);
      if (typeof shape === 'string') throw corrupt(name, shape);
      const elements = new Elements(shm.buffer, shape);
      const foreign = elements.findForeign();
      if (foreign >= 0) throw corruptElement(name, elements, foreign);
      return new ShareableList(shm, elements, Journal.find(elements), guard());
    } catch (error) {
      shm.close();
      throw error;
    }
  }

  /**
   * Removes a list's name. If the list was created with `lock: true`, also removes the name of its lock.
   * Processes that are attached keep both until they close them.
   *
   * @throws SharedMemoryError `ENOENT` it does not exist; `EACCES` or `EPERM` it belongs to another user.
   */
  static unlink(name: string): void {
    const hasLock = hasOwnLock(name);
    SharedMemory.unlink(name);
    if (hasLock) unlinkLock(name);
  }

  /** The underlying segment. Its bytes are the list, so overwriting them corrupts the list. */
  get shm(): SharedMemory {
    return this.#shm;
  }

  /** The number of elements. It never changes. */
  get length(): number {
    return this.#length;
  }

  /** Whether this handle was closed. */
  get closed(): boolean {
    return this.#shm.closed;
  }

  /**
   * The lock of the list; undefined when there is none. Use it to make several reads and changes atomic:
   * `list.lock.runExclusiveSync(() => list.set(0, list.at(0) + 1))`.
   */
  get lock(): NamedLock | undefined {
    return this.#guard?.lock;
  }

  /** Whether a change through this handle is there as a whole or not at all if this process dies. */
  get crashSafe(): boolean {
    return this.#guard !== undefined && this.#journal !== undefined;
  }

  /** The formats of all elements one after another, in the notation of Python's struct module. */
  get format(): string {
    return this.#exclusively(() =>
      Array.from({ length: this.length }, (_, i) => this.#elements.formatOf(i)).join(''),
    );
  }

  /**
   * Returns the element at an index. A negative index counts from the end. Bytes are copied.
   *
   * @returns undefined if the index is beyond either end.
   * @throws SharedMemoryError `ERR_CORRUPT` the bytes are not a valid element; `ERR_CLOSED`; with a lock,
   * also what {@link NamedLock.acquireSync} throws.
   */
  at(index: number): ShareableValue | undefined {
    const i = this.#place(index);
    if (i < 0 || i >= this.length) {
      if (this.#elements.gone) throw this.#closedError();
      return undefined;
    }
    if (this.#guard !== undefined) return this.#exclusively(() => this.#read(i));
    return this.#read(i);
  }

  /**
   * Assigns an element. A negative index counts from the end. If this method throws, nothing was changed.
   *
   * @throws SharedMemoryError `ERR_CAPACITY` a string or bytes that are longer than the slot;
   * `ERR_CLOSED`; with a lock, also what {@link NamedLock.acquireSync} throws.
   * @throws RangeError `ERR_OUT_OF_RANGE` there is no such element; and as
   * {@link ShareableList.create}.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`
   */
  set(index: number, value: ShareableValue): void {
    const i = this.#place(index);
    if (i < 0 || i >= this.length) {
      throw outOfRange('index', `an integer from ${-this.length} to ${this.length - 1}`, index);
    }
    if (this.#guard !== undefined) {
      this.#exclusively(() => this.#write(i, value));
    } else {
      this.#write(i, value);
    }
  }

  /**
   * Returns copies of the elements from `start` up to, but not including, `end`. All of them are read while
   * the lock is held once. The indices are those of `Array.prototype.slice`.
   */
  slice(start?: number, end?: number): ShareableValue[] {
    return this.toArray().slice(start, end);
  }

  /** Returns copies of all elements, which are read while the lock is held once. */
  toArray(): ShareableValue[] {
    return this.#exclusively(() => Array.from({ length: this.length }, (_, i) => this.#read(i)));
  }

  /** Iterates over pairs of index and element. Each element is read when its turn comes. */
  *entries(): Generator<[number, ShareableValue], void, undefined> {
    for (let i = 0; i < this.length; i++) yield [i, this.at(i) as ShareableValue];
  }

  /** Iterates over the elements. Each element is read when its turn comes. */
  *values(): Generator<ShareableValue, void, undefined> {
    for (const [, value] of this.entries()) yield value;
  }

  /** The same as {@link values}. */
  [Symbol.iterator](): Generator<ShareableValue, void, undefined> {
    return this.values();
  }

  /**
   * Returns the first index of a value, or -1. Numbers and bigints are compared by value, and bytes by
   * content. NaN is not equal to anything.
   */
  indexOf(value: ShareableValue): number {
    return this.toArray().findIndex((element) => isEqual(element, value));
  }

  /** Returns how often the list contains a value. Compares as {@link indexOf} does. */
  count(value: ShareableValue): number {
    return this.toArray().filter((element) => isEqual(element, value)).length;
  }

  /** Whether the list contains a value. Compares as {@link indexOf} does, but also finds NaN. */
  includes(value: ShareableValue): boolean {
    return this.toArray().some((element) => isEqual(element, value) || Object.is(element, value));
  }

  /**
   * Closes this handle. Also closes the lock if this handle has opened it. Idempotent.
   *
   * @throws SharedMemoryError `EBUSY` that lock is held through {@link ShareableList.lock}: release it first.
   * Nothing is closed then.
   */
  close(): void {
    const { name, closed } = this;
    if (closed) return;
    if (this.#guard?.isOpenedHere) this.#guard.lock.close();
    this.#shm.close();
    if (this.#guard?.isOwn && !exists(name)) tidyLock(name);
  }

  /**
   * Removes the name if it still belongs to this same list. Also removes the name of the lock if it is the
   * list's own. Also works after {@link close}.
   *
   * @throws SharedMemoryError `ENOENT` the name does not exist any more, or now belongs to another segment.
   */
  unlink(): void {
    this.#shm.unlink();
    if (this.#guard?.isOwn) unlinkLock(this.name);
  }

  /** The same as {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Returns a handle as plain data, to send to another process, which passes it to {@link attach}. */
  toJSON(): ShareableListHandle {
    const lock = this.#guard?.lock.toJSON();
    return { shmkit: 'shareable-list', name: this.name, ...(lock && { lock }) };
  }

  #place(index: number): number {
    if (!Number.isInteger(index)) checkInteger('index', index, -this.length, this.length - 1);
    return index < 0 ? index + this.length : index;
  }

  #read(i: number): ShareableValue {
    const value = this.#elements.read(i);
    if (value !== undefined) return value;
    if (this.#elements.gone) throw this.#closedError();
    throw corruptElement(this.name, this.#elements, i);
  }

  #write(i: number, value: ShareableValue): void {
    const elements = this.#elements;
    if (elements.overwrite(i, value)) return;
    if (elements.gone) throw this.#closedError();
    const encoded = encode(value, elements.shape.room(i));
    if ('refused' in encoded) throw refusal(this.name, i, value, encoded);
    if (this.#guard !== undefined && this.#journal !== undefined) {
      this.#journal.write(i, encoded);
    } else {
      elements.write(i, encoded);
    }
  }

  #exclusively<T>(fn: () => T): T {
    if (this.#elements.gone) throw this.#closedError();
    const lock = this.#guard?.lock;
    if (lock === undefined) return fn();
    const guard = lock.held ? undefined : lock.acquireScoped();
    try {
      if (this.#journal?.replay() === false) throw corrupt(this.name, 'its journal is invalid');
      return fn();
    } finally {
      guard?.release();
    }
  }

  #closedError(): SharedMemoryError {
    return new SharedMemoryError(
      'ERR_CLOSED',
      `${called(this.name)} cannot be used: this handle was closed`,
      { resource: this.name },
    );
  }
}

assignedBy('shareable-list', assignedByIndex('set'));

function called(name: string): string {
  return `list '${name}'`;
}

function checkLock(lock: unknown = false): boolean | NamedLock {
  if (typeof lock === 'boolean' || isLock(lock)) return lock;
  throw invalidType('lock', 'a boolean or a NamedLock', lock);
}

/** Also accepts a lock of another realm, or of another copy of the library. Does not accept a plain-data handle. */
function isLock(value: unknown): value is NamedLock {
  if (value instanceof NamedLock) return true;
  return (
    typeof value === 'object' &&
    value !== null &&
    (value as Partial<NamedLock>).shmkit === 'lock' &&
    typeof (value as Partial<NamedLock>).acquireScoped === 'function'
  );
}

function guardOf(lock: boolean | NamedLock, name: string, mode?: number): Guard | undefined {
  if (lock === false) return undefined;
  if (lock !== true) return { lock, isOwn: false, isOpenedHere: false };
  const own = NamedLock.open(name, mode === undefined ? {} : { mode });
  return { lock: own, isOwn: true, isOpenedHere: true };
}

/** Makes the shape of a new list, and its bytes in ordinary memory. */
function compose(
  from: Iterable<ShareableValue>,
  name: string | undefined,
  lock: boolean | NamedLock,
): { shape: Shape; bytes: Uint8Array } {
  const all = encodeAll(from, name);
  const shape = Shape.of(all.map(({ size }) => size));
  const buffer = new ArrayBuffer(lock === false ? shape.size : Journal.bytes(shape));
  const elements = new Elements(buffer, shape);
  if (lock !== false) Journal.create(elements, lock === true);
  elements.fill(all);
  return { shape, bytes: elements.bytes };
}

function checkElements(from: unknown): void {
  const isIterable =
    typeof from === 'string' ||
    (typeof from === 'object' && from !== null && Symbol.iterator in from);
  if (!isIterable) throw invalidType('from', 'an iterable of elements', from);
}

function encodeAll(from: Iterable<ShareableValue>, name: string | undefined): Encoded[] {
  checkElements(from);
  const asFloat = ['Float64Array', 'Float32Array'].includes(typedArrayName(from) ?? '');
  return Array.from(from, (value, i) => {
    const encoded = encode(value, undefined, asFloat);
    if ('refused' in encoded) throw refusal(name, i, value, encoded);
    return encoded;
  });
}

function refusal(name: string | undefined, i: number, value: unknown, why: Refusal): Error {
  const what = `the value of element ${i}`;
  switch (why.refused) {
    case 'type':
      return invalidType(what, 'a string, number, bigint, boolean, Uint8Array or null', value);
    case 'range':
      return outOfRange(what, 'a signed 64-bit integer', value);
    case 'surrogate':
      return outOfRange(what, 'a string without lone surrogates', value);
    case 'length':
      return new SharedMemoryError(
        'ERR_CAPACITY',
        `${name === undefined ? 'a list' : called(name)}: element ${i} has room for ${why.room} ` +
          `bytes, but the value needs ${why.bytes}`,
        name === undefined ? {} : { resource: name },
      );
  }
}

function corrupt(name: string, why: string): SharedMemoryError {
  return new SharedMemoryError('ERR_CORRUPT', `${called(name)} is not a valid list: ${why}`, {
    resource: name,
  });
}

function corruptElement(name: string, elements: Elements, i: number): SharedMemoryError {
  const format = JSON.stringify(elements.formatOf(i));
  return new SharedMemoryError(
    'ERR_CORRUPT',
    `${called(name)}: element ${i} has the format ${format} and the code ${elements.codeOf(i)}, ` +
      'which do not match, or a text that is not UTF-8; a process may have died while it was changing ' +
      'the element; set() repairs it',
    { resource: name },
  );
}

/** NaN is not equal to anything, as in Python. */
function isEqual(a: ShareableValue, b: ShareableValue): boolean {
  if (isUint8Array(a) && isUint8Array(b)) return Buffer.compare(a, b) === 0;
  if (isNumeric(a) && isNumeric(b)) return a <= b && a >= b;
  return a === b;
}

function isNumeric(value: ShareableValue): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}

function exists(name: string): boolean {
  try {
    SharedMemory.attach(name).close();
    return true;
  } catch (error) {
    return !hasCode(error, 'ENOENT');
  }
}

function hasOwnLock(name: string): boolean {
  try {
    using shm = SharedMemory.attach(name);
    const shape = Shape.read(shm.buffer);
    if (typeof shape === 'string') return false;
    return Journal.find(new Elements(shm.buffer, shape))?.ownLock ?? false;
  } catch {
    return false; // unlinking will report what is wrong with it
  }
}

/**
 * Removes the name of the lock of a list that does not exist any more. Usually, the lock was unlinked
 * together with the list. But a process that still had the list open may have created the lock again by using
 * it.
 */
function tidyLock(name: string): void {
  try {
    NamedLock.unlink(name);
  } catch {
    // There is no such lock any more, or only another user may remove it. The latter is no error: closing a
    // list must not need a permission.
  }
}

/**
 * Removes the name of the list's own lock. The lock does not exist if another process has removed it, or if
 * it was never used.
 */
function unlinkLock(name: string): void {
  try {
    NamedLock.unlink(name);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

tellClass('shareable-list', ShareableList, (handle: ShareableListHandle) =>
  ShareableList.fromHandle(handle),
);
