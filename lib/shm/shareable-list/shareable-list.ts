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

/** What {@link ShareableList.attach} takes. */
export interface ShareableListAttachOptions {
  /**
   * Do each read and each change under this lock; `true` is the {@link NamedLock} of the list's own
   * name, made when it is absent. All processes have to use the same. Default: none.
   */
  readonly lock?: boolean | NamedLock | undefined;
}

/** What {@link ShareableList.create} takes. */
export interface ShareableListCreateOptions extends ShareableListAttachOptions {
  /**
   * The elements, from first to last. Each gets a slot that is never larger than its first value
   * needs; see {@link ShareableList}. The numbers of a `Float64Array` or `Float32Array` become
   * Python's floats, whatever they are.
   */
  readonly from: Iterable<ShareableValue>;
  /** Without one, a name that nobody has is made up; see {@link ShareableList.name}. */
  readonly name?: string | undefined;
  /** Permission bits, of the lock too, whatever the umask. Default `0o600`. */
  readonly mode?: number | undefined;
}

/** What {@link ShareableList.open} takes. */
export type ShareableListOpenOptions = Omit<ShareableListCreateOptions, 'name'>;

/** A list as plain data, to be sent to another process; see {@link ShareableList.toJSON}. */
export interface ShareableListHandle {
  readonly shmkit: 'shareable-list';
  readonly name: string;
  /** Of the lock that the list was created or attached to with; its own has the list's name. */
  readonly lock?: NamedLockHandle | undefined;
}

/** The least that a new list takes. */
const example = { from: [1, 'a', null] };

/** How a list is locked, and whose the lock is. */
interface Guard {
  readonly lock: NamedLock;
  /** It is the lock of the list's own name, and goes with it. */
  readonly isOwn: boolean;
  /** This handle opened it, and closes it. */
  readonly isOpenedHere: boolean;
}

/**
 * A list of fixed length in shared memory, in the very bytes of Python's
 * `multiprocessing.shared_memory.ShareableList`: Python attaches to it by its name, and this class
 * to what Python made.
 *
 * | here                                        | Python             |
 * | ------------------------------------------- | ------------------ |
 * | a safe integer; any bigint of 64 bits       | `int`              |
 * | other numbers: fractions, -0, NaN, ±Infinity, integers beyond 2^53 | `float` |
 * | string; Uint8Array; boolean; null           | `str`; `bytes`; `bool`; `None` |
 *
 * A Python int beyond 2^53 comes as a bigint, any other as a number. A number that is assigned to an
 * element that is a float now stays a float, so that Python does not find an int there each time a
 * computation happens to come out even; a bigint always is an int.
 *
 * The slot of an element keeps the size that its first value got: 8 bytes, or, for a string
 * (measured in UTF-8) or bytes, the next multiple of 8 above their length. Whatever fits may be
 * assigned. **NUL characters at the end of a string, and zero bytes at the end of bytes, are lost**:
 * CPython's layout does not tell them from padding. Let such values end with another byte.
 *
 * Without a lock, a change within one type of 8 bytes (a number by a number, say) is seen whole or
 * not at all. While somebody changes an element's type, or a longer text, a reader may see neither
 * the old nor the new value, or get `ERR_CORRUPT`; and so for good, when that somebody is killed,
 * until the element is set again.
 *
 * With {@link ShareableListAttachOptions.lock}, all that have the list with the lock exclude each
 * other. When the list was *created* with it, they are also safe from each other's deaths
 * ({@link ShareableList.crashSafe}): a change of an element is there whole or not at all, wherever
 * its author was killed. For that the segment has a journal after the list's last byte, where
 * Python sees padding. Python's own processes take no lock: exclude them by other means.
 *
 * Reads and changes block this thread while somebody else holds the lock. A thread that holds it
 * through {@link ShareableList.lock} goes ahead: all tasks of that thread do, as with an RLock.
 * A dead owner's news ({@link LockGuard.abandoned}) goes to whoever is next, which may be a method
 * of this class; so let a lock that guards other data as well be another one.
 *
 * All else is JavaScript's where Python differs: negative indices count from the end, and beyond
 * either end `at()` gives undefined and `set()` throws.
 *
 * Needs zero copy: {@link SharedMemory.buffer} says where there is none.
 *
 * @see https://docs.python.org/3/library/multiprocessing.shared_memory.html#multiprocessing.shared_memory.ShareableList
 */
export class ShareableList extends Unassignable implements Iterable<ShareableValue> {
  /** What kind of object it is, by the name that handles have for it. */
  declare readonly shmkit: 'shareable-list';
  /** The name that others attach by; a segment's, here and in Python. */
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
    // A lock's clone is its handle.
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
   * Makes a new list, which others see finished or not at all. Nothing was made when it throws.
   *
   * @throws SharedMemoryError `EEXIST` the name is taken; `ERR_CAPACITY` a string or bytes of more
   * than 9,999,991 bytes; `ENOSPC`; `EINVAL`, `ENAMETOOLONG` it cannot be a name;
   * `ERR_ZERO_COPY_UNAVAILABLE`.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` a value of another type.
   * @throws RangeError `ERR_OUT_OF_RANGE` a bigint of more than 64 bits; a string with half a
   * surrogate pair, which has no UTF-8 form.
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
   * Attaches to a list, or makes it when it is absent. Of any number of processes that open one name
   * at once, one makes it; its `from` and `mode` count.
   *
   * @throws SharedMemoryError as {@link ShareableList.create} (but `EEXIST`) and
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
   * Attaches to a list that exists, made here or by Python.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES`; `ERR_CORRUPT` the segment's bytes
   * are no list, or none yet; `ERR_ZERO_COPY_UNAVAILABLE`.
   */
  static attach(name: string, options: ShareableListAttachOptions = {}): ShareableList {
    checkOptions(options, ['lock']);
    const lock = checkLock(options.lock);
    return ShareableList.#attach(name, () => guardOf(lock, name));
  }

  /** @internal What {@link attach} does with a handle: the list is the only user of its lock. */
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
   * Removes a list's name, and its lock's when it was created with `lock: true`. Whoever is
   * attached keeps both until they close.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES` or `EPERM` it is somebody else's.
   */
  static unlink(name: string): void {
    const hasLock = hasOwnLock(name);
    SharedMemory.unlink(name);
    if (hasLock) unlinkLock(name);
  }

  /** The segment underneath. Its bytes are the list; to overwrite them is to corrupt it. */
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
   * The lock, to make several reads and changes one:
   * `list.lock.runExclusiveSync(() => list.set(0, list.at(0) + 1))`.
   */
  get lock(): NamedLock | undefined {
    return this.#guard?.lock;
  }

  /** Whether a change through this handle is there whole or not at all, should its author die. */
  get crashSafe(): boolean {
    return this.#guard !== undefined && this.#journal !== undefined;
  }

  /** The formats of all elements one after another, as of Python's struct module. */
  get format(): string {
    return this.#exclusively(() =>
      Array.from({ length: this.length }, (_, i) => this.#elements.formatOf(i)).join(''),
    );
  }

  /**
   * The element at an index; a negative one counts from the end. Bytes are copied.
   *
   * @returns undefined beyond either end.
   * @throws SharedMemoryError `ERR_CORRUPT` its bytes are no element; `ERR_CLOSED`; with a lock,
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
   * Assigns an element; a negative index counts from the end. What throws has changed nothing.
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

  /** Copies of the elements from `start` to before `end`, read under one lock; as an array's. */
  slice(start?: number, end?: number): ShareableValue[] {
    return this.toArray().slice(start, end);
  }

  /** Copies of all elements, read under one lock. */
  toArray(): ShareableValue[] {
    return this.#exclusively(() => Array.from({ length: this.length }, (_, i) => this.#read(i)));
  }

  /** Pairs of index and element, each read when its turn comes. */
  *entries(): Generator<[number, ShareableValue], void, undefined> {
    for (let i = 0; i < this.length; i++) yield [i, this.at(i) as ShareableValue];
  }

  /** The elements, each read when its turn comes. */
  *values(): Generator<ShareableValue, void, undefined> {
    for (const [, value] of this.entries()) yield value;
  }

  /** The same as {@link values}. */
  [Symbol.iterator](): Generator<ShareableValue, void, undefined> {
    return this.values();
  }

  /**
   * Where a value is first, or -1. Numbers and bigints are equal by value, bytes by content; NaN
   * equals nothing.
   */
  indexOf(value: ShareableValue): number {
    return this.toArray().findIndex((element) => isEqual(element, value));
  }

  /** How often a value is there; equality as in {@link indexOf}. */
  count(value: ShareableValue): number {
    return this.toArray().filter((element) => isEqual(element, value)).length;
  }

  /** Whether a value is there; as {@link indexOf}, but NaN is found. */
  includes(value: ShareableValue): boolean {
    return this.toArray().some((element) => isEqual(element, value) || Object.is(element, value));
  }

  /**
   * Lets go of the memory, and of the lock if it was opened here. Idempotent.
   *
   * @throws SharedMemoryError `EBUSY` that lock is held through {@link ShareableList.lock}: release
   * it first. Nothing is closed then.
   */
  close(): void {
    const { name, closed } = this;
    if (closed) return;
    if (this.#guard?.isOpenedHere) this.#guard.lock.close();
    this.#shm.close();
    if (this.#guard?.isOwn && !exists(name)) tidyLock(name);
  }

  /**
   * Removes the name, while it still leads to this very list, and that of the lock if it is its
   * own; also after {@link close}.
   *
   * @throws SharedMemoryError `ENOENT` the name is gone, or another segment's by now.
   */
  unlink(): void {
    this.#shm.unlink();
    if (this.#guard?.isOwn) unlinkLock(this.name);
  }

  /** The same as {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** A handle to send to another process, which gives it to {@link attach}. */
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
      if (this.#journal?.replay() === false) throw corrupt(this.name, 'its journal is none');
      return fn();
    } finally {
      guard?.release();
    }
  }

  #closedError(): SharedMemoryError {
    return new SharedMemoryError('ERR_CLOSED', `${called(this.name)} was closed here`, {
      resource: this.name,
    });
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

/** Also one of another realm's class, or of another copy's; a handle is none. */
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

/** A new list's shape, and its bytes in ordinary memory. */
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
      return outOfRange(what, 'an integer of 64 bits', value);
    case 'surrogate':
      return outOfRange(what, 'a string without half a surrogate pair', value);
    case 'length':
      return new SharedMemoryError(
        'ERR_CAPACITY',
        `${name === undefined ? 'a list' : called(name)}: element ${i} has room for ${why.room} ` +
          `bytes, and the value takes ${why.bytes}`,
        name === undefined ? {} : { resource: name },
      );
  }
}

function corrupt(name: string, why: string): SharedMemoryError {
  return new SharedMemoryError('ERR_CORRUPT', `${called(name)} is no list: ${why}`, {
    resource: name,
  });
}

function corruptElement(name: string, elements: Elements, i: number): SharedMemoryError {
  const format = JSON.stringify(elements.formatOf(i));
  return new SharedMemoryError(
    'ERR_CORRUPT',
    `${called(name)}: element ${i} has the format ${format} and the code ${elements.codeOf(i)}, ` +
      'which do not go together, or a text that is not UTF-8; whoever was changing it may have ' +
      'died, and set() makes it whole',
    { resource: name },
  );
}

/** NaN equals nothing, as in Python. */
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
    return false; // what is wrong with it, unlinking tells
  }
}

/** Whoever uses a list after its lock's name was removed has made that name anew. */
function tidyLock(name: string): void {
  try {
    NamedLock.unlink(name);
  } catch {
    // Another has done so, or may: to close a list needs no permission.
  }
}

/** It is gone already when another has removed it, or nobody ever used it. */
function unlinkLock(name: string): void {
  try {
    NamedLock.unlink(name);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}
