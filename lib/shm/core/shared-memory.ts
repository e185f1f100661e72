import { tellClass } from './classes';
import { constants } from 'node:buffer';
import { native, type NativeFailure, type SegmentHandle } from './binding';
import {
  constructorOf,
  extentOf,
  type ElementType,
  type TypedArrays,
} from '../../common/element-types';
import { SharedMemoryError, hasCode, invalidType, outOfRange } from '../../common/errors';
import { explain, explainList, isFailure, wentWithLastHandle } from './failures';
import { called, checkMayBeMade, freshName, parseSystemName, systemName, type Kind } from './names';
import { shown } from '../../common/shown';
import { checkBoolean, checkInteger, checkMode, checkOptions } from '../../common/options';
import { assignedBy, changedBy, Unassignable } from './assignments';
import { checkConstruction } from './construction';
import { showHandle } from './handle';
import { explainOpening } from './missing';
import { PlaceInSegment, notePlace } from './places';

/** Options of {@link SharedMemory.create}. */
export interface SharedMemoryCreateOptions {
  /** The size in bytes, at least 1. */
  readonly size: number;
  /** By default, a new unique name is made up; see {@link SharedMemory.name}. */
  readonly name?: string | undefined;
  /** Permission bits. They are exact, whatever the umask. Default `0o600`, access for the owner only. */
  readonly mode?: number | undefined;
  /**
   * Do not reserve memory now. Creation is then fast whatever the size. But if the machine runs out of memory
   * later, a process that touches a new page is killed (SIGBUS). Default false.
   */
  readonly sparse?: boolean | undefined;
}

/** Options of {@link SharedMemory.attach}. */
export interface SharedMemoryAttachOptions {
  /**
   * Attach for reading. This process sees what others write, until it writes to the same page itself. Such a
   * write stays private: others never see it, and from then on this process no longer sees their writes to
   * that page. Needs no permission to write. Default false.
   */
  readonly readOnly?: boolean | undefined;
}

/** Options of {@link SharedMemory.open}. */
export type SharedMemoryOpenOptions = Omit<SharedMemoryCreateOptions, 'name'>;

/** The plain-data form of a segment, to be sent to another process; see {@link SharedMemory.toJSON}. */
export interface SharedMemoryHandle {
  readonly shmkit: 'memory';
  readonly name: string;
  readonly readOnly?: boolean;
}

/** The information about an object that {@link SharedMemory.list} returns. */
export interface SharedObjectInfo {
  readonly name: string;
  readonly kind: Kind;
  /** The size in bytes. */
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
  /** The owner's user id. */
  readonly uid: number;
}

/** Native calls write the size of the segment that they return here. */
const sizeOut = new Float64Array(1);

/** A segment that was created or attached to. Only the library can make one: see construction.ts. */
class Segment {
  readonly name: string;
  readonly readOnly: boolean;
  readonly size: number;
  readonly handle: SegmentHandle;

  constructor(name: string, readOnly: boolean, handle: SegmentHandle) {
    this.name = name;
    this.readOnly = readOnly;
    [this.size = 0] = sizeOut;
    this.handle = handle;
  }
}

/** Nothing larger can be mapped in a 47-bit address space. */
const mostBytes = 2 ** 47;

/**
 * Losing a race between creating and attaching means that another process made progress. Losing this many in
 * a row means that something else is wrong.
 */
export const mostRounds = 10_000;

/** The lifetime of the manager that made a segment. When it has ended, the segment can no longer be used. */
export interface Lifetime {
  readonly hasEnded: boolean;
  endedError(): Error;
}

/** Makes a segment unusable once a lifetime has ended. */
export let endsWith: (memory: SharedMemory, lifetime: Lifetime) => void;

/**
 * A named block of bytes that any process on the machine can attach to.
 *
 * The segment has no header: byte 0 is the first byte of yours. Python's
 * `multiprocessing.shared_memory.SharedMemory(name=…)` attaches to it by the same name, and this class
 * attaches to segments that Python made. A segment exists until it is unlinked or the machine restarts, even
 * when no process is attached.
 *
 * No method blocks longer than the time that the system takes to map or copy the memory.
 *
 * @see https://docs.python.org/3/library/multiprocessing.shared_memory.html
 */
export class SharedMemory extends Unassignable {
  /** The kind of the object, as in its plain-data form. */
  declare readonly shmkit: 'memory';
  /** The name by which others attach to the segment. */
  declare readonly name: string;

  readonly #size: number;
  readonly #readOnly: boolean;
  #handle: SegmentHandle;
  #buffer: ArrayBuffer | undefined;
  #closed = false;
  #unlinked = false;
  #lifetime: Lifetime | undefined;

  static {
    endsWith = (memory, lifetime) => (memory.#lifetime = lifetime);
  }

  private constructor(segment: Segment) {
    checkConstruction(segment instanceof Segment, new.target);
    super();
    const { name, readOnly, size, handle } = segment;
    showHandle(this, handleOf(name, readOnly));
    this.#readOnly = readOnly;
    this.#size = size;
    this.#handle = handle;
  }

  /**
   * Makes a new segment of zero bytes. It becomes visible to others only when it is complete.
   *
   * @throws SharedMemoryError `EEXIST` the name is taken; `ENOSPC` there is no memory for the segment, and
   * nothing was made; `EINVAL`, `ENAMETOOLONG` it cannot be a name.
   * @throws RangeError `ERR_OUT_OF_RANGE` the size is not a positive integer.
   */
  static create(options: SharedMemoryCreateOptions): SharedMemory {
    checkOptions(options, ['size', 'name', 'mode', 'sparse'], { size: 4096 });
    return SharedMemory.createFilled(options, undefined);
  }

  /** @internal The same, with initial contents. Others never see the segment without them. */
  static createFilled(
    options: SharedMemoryCreateOptions,
    contents: Uint8Array | undefined,
  ): SharedMemory {
    const { name } = options;
    if (name !== undefined) return SharedMemory.#create(name, options, contents);
    for (let round = 0; ; round++) {
      try {
        return SharedMemory.#create(freshName(), options, contents);
      } catch (error) {
        if (!hasCode(error, 'EEXIST') || round === mostRounds) throw error;
      }
    }
  }

  /**
   * Attaches to an existing segment, whichever program made it.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES` its mode forbids it; `EINVAL` it has no bytes.
   */
  static attach(name: string, options: SharedMemoryAttachOptions = {}): SharedMemory {
    checkOptions(options, ['readOnly']);
    const readOnly = checkBoolean('readOnly', options.readOnly);
    const result = SharedMemory.#tryAttach(name, readOnly);
    if (isFailure(result)) throw explainOpening(result, 'memory', name);
    return result;
  }

  static #tryAttach(name: string, readOnly: boolean): SharedMemory | NativeFailure {
    const result = native.segmentAttach(systemName('memory', name), readOnly, sizeOut);
    return isFailure(result) ? result : new SharedMemory(new Segment(name, readOnly, result));
  }

  /**
   * Attaches to a segment, or creates it if it does not exist. If several processes open one name at the same
   * time, one of them creates the segment, with its own `mode` and `sparse`.
   *
   * @throws SharedMemoryError `ERR_WRONG_KIND` a segment exists and has fewer bytes than `size`; and as
   * {@link SharedMemory.create} and {@link SharedMemory.attach}.
   */
  static open(name: string, options: SharedMemoryOpenOptions): SharedMemory {
    systemName('memory', name);
    checkOptions(options, ['size', 'mode', 'sparse'], { size: 4096 });
    const size = checkSize(options.size);
    checkMode(options.mode);
    checkBoolean('sparse', options.sparse);
    checkMayBeMade('memory', name);
    for (let round = 0; ; round++) {
      const there = SharedMemory.#tryAttach(name, false);
      if (!isFailure(there)) return there.#ofAtLeast(size);
      if (there.code !== 'ENOENT' || round === mostRounds) throw explain(there, 'memory', name);
      try {
        return SharedMemory.#create(name, options);
      } catch (error) {
        if (!hasCode(error, 'EEXIST') || round === mostRounds) throw error;
      }
    }
  }

  /**
   * Removes a name. Processes that are attached keep the memory until they close it.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES` or `EPERM` it belongs to another user.
   */
  static unlink(name: string): void {
    const failure = native.segmentUnlink(systemName('memory', name), undefined);
    if (failure) throw explainOpening(failure, 'memory', name, 'unlink');
  }

  /**
   * All shared objects of the machine: plain segments, whichever program made them, and this library's other
   * kinds. They are sorted by name.
   *
   * @throws SharedMemoryError `ENOTSUP` on macOS and Windows, which do not provide this information.
   */
  static list(): SharedObjectInfo[] {
    const result = native.segmentList();
    if (isFailure(result)) throw explainList(result);
    return result
      .map(({ name, size, mode, uid }) => ({ ...parseSystemName(name), size, mode, uid }))
      .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }

  /**
   * The size in bytes. macOS rounds it up to whole pages. So does Windows if the segment was made by a
   * program that does not use this library.
   */
  get size(): number {
    return this.#size;
  }

  /** Whether writes stay private to this process. */
  get readOnly(): boolean {
    return this.#readOnly;
  }

  /** Whether this handle was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * The segment's bytes themselves, without a copy. It is the same object each time, unless it was
   * transferred. `Atomics` work between processes on views of it, except for `Atomics.wait` and
   * `Atomics.notify`. When the handle is closed, the buffer and every view on it become empty.
   *
   * @throws SharedMemoryError `ERR_CLOSED`; `ERR_ZERO_COPY_UNAVAILABLE` the runtime does not accept external
   * memory (Electron), or not of this size: {@link SharedMemory.read} and {@link SharedMemory.write} work
   * there.
   */
  get buffer(): ArrayBuffer {
    this.#checkOpen();
    // A buffer that was transferred is empty here. Its new owner keeps it until close().
    const isGone = this.#buffer === undefined || this.#buffer.byteLength === 0;
    if (isGone && this.size <= constants.MAX_LENGTH) {
      this.#buffer = native.segmentBuffer(this.#handle, 0, this.size);
      // `buffer[0] = 1`, as in Python, would set a property of the object instead of a byte.
      Object.preventExtensions(this.#buffer);
      if (this.#buffer !== undefined) this.#notePlace(this.#buffer);
    }
    if (this.#buffer === undefined) {
      throw new SharedMemoryError(
        'ERR_ZERO_COPY_UNAVAILABLE',
        `${called('memory', this.name)}: this runtime does not accept ${this.size} bytes of external ` +
          'memory as an ArrayBuffer; use read() and write(), which copy',
        { resource: this.name },
      );
    }
    return this.#buffer;
  }

  #notePlace(buffer: ArrayBuffer): void {
    const full = systemName('memory', this.name);
    notePlace(buffer, new PlaceInSegment(this.toJSON(), this.#handle, full, 0, this.#readOnly));
  }

  /**
   * A typed array over the segment.
   *
   * @param byteOffset - where it begins; a multiple of the element's size. Default 0.
   * @param length - the number of elements. Default: as many whole elements as fit.
   * @throws RangeError `ERR_OUT_OF_RANGE` the range is not inside the segment; and as
   * {@link SharedMemory.buffer}.
   */
  array<T extends ElementType>(type: T, byteOffset = 0, length?: number): TypedArrays[T] {
    const constructor = constructorOf(type);
    const { buffer } = this;
    const { BYTES_PER_ELEMENT: bytes } = constructor;
    checkInteger('byteOffset', byteOffset, 0, this.size);
    if (byteOffset % bytes !== 0) {
      throw outOfRange('byteOffset', `a multiple of ${bytes} for ${type}`, byteOffset);
    }
    const most = Math.floor((this.size - byteOffset) / bytes);
    return new constructor(
      buffer,
      byteOffset,
      length === undefined ? most : checkInteger('length', length, 0, most),
    );
  }

  /**
   * A copy of `length` bytes at `offset`; by default, of all bytes that follow. A segment that is larger than
   * an ArrayBuffer can be (4 GiB on Node 20) must be read in parts.
   *
   * @throws SharedMemoryError `ERR_CLOSED`
   * @throws RangeError `ERR_OUT_OF_RANGE`
   */
  read(offset = 0, length = this.size - offset): Uint8Array<ArrayBuffer> {
    this.#checkOpen();
    checkInteger('offset', offset, 0, this.size);
    const most = Math.min(this.size - offset, constants.MAX_LENGTH);
    const copy = new Uint8Array(checkInteger('length', length, 0, most));
    native.segmentCopyOut(this.#handle, offset, copy);
    return copy;
  }

  /**
   * Copies bytes into the segment.
   *
   * @param bytes - any view; its bytes are copied as they are in memory.
   * @throws SharedMemoryError `ERR_CLOSED`; `EACCES` the segment is attached read-only.
   * @throws RangeError `ERR_OUT_OF_RANGE` the bytes do not fit; nothing is written then.
   */
  write(offset: number, bytes: ArrayBufferView): void {
    this.#checkOpen();
    checkInteger('offset', offset, 0, this.size);
    if (!ArrayBuffer.isView(bytes))
      throw invalidType('bytes', 'a Buffer, TypedArray or DataView', bytes);
    const { buffer, byteOffset, byteLength } = extentOf(bytes);
    if (byteLength > this.size - offset) {
      throw outOfRange('bytes', `at most ${this.size - offset} bytes long`, byteLength);
    }
    if (this.readOnly) {
      throw new SharedMemoryError(
        'EACCES',
        `${called('memory', this.name)} is attached read-only`,
        {
          resource: this.name,
        },
      );
    }
    const source = new Uint8Array(buffer, byteOffset, byteLength);
    native.segmentCopyIn(this.#handle, offset, source);
  }

  /**
   * Releases the memory. Idempotent. {@link SharedMemory.buffer} and all its views become empty. I/O that is
   * still writing into one of them finishes in memory that nothing else uses. A segment that is never closed
   * is released when it is garbage collected.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    native.segmentClose(this.#handle, this.#buffer);
    this.#buffer = undefined;
  }

  /**
   * Removes the name if it still leads to this very segment. This also works after {@link close}. On Windows
   * a name disappears with its last handle. That is not an error here.
   *
   * @throws SharedMemoryError `ENOENT` the name is gone, or leads to another segment now.
   */
  unlink(): void {
    const failure = native.segmentUnlink(systemName('memory', this.name), this.#handle);
    const wentByItself = this.#closed && !this.#unlinked && wentWithLastHandle(failure?.code);
    if (failure && !wentByItself) throw explain(failure, 'memory', this.name);
    this.#unlinked = true;
  }

  /** The same as {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** The plain-data form. Send it to another process, which passes it to {@link attach}. */
  toJSON(): SharedMemoryHandle {
    return handleOf(this.name, this.#readOnly);
  }

  static #create(
    name: string,
    options: SharedMemoryOpenOptions,
    contents?: Uint8Array,
  ): SharedMemory {
    const size = checkSize(options.size);
    const mode = checkMode(options.mode);
    const sparse = checkBoolean('sparse', options.sparse);
    const full = systemName('memory', name);
    checkMayBeMade('memory', name);
    const result = native.segmentCreate(full, size, mode, sparse, sizeOut, contents);
    if (isFailure(result)) throw explain(result, 'memory', name);
    return new SharedMemory(new Segment(name, false, result));
  }

  #ofAtLeast(size: number): this {
    if (this.size >= size) return this;
    this.close();
    throw new SharedMemoryError(
      'ERR_WRONG_KIND',
      `${called('memory', this.name)} has ${this.size} bytes, but ${size} were requested`,
      { resource: this.name },
    );
  }

  #checkOpen(): void {
    if (!this.#closed) {
      if (this.#lifetime?.hasEnded) throw this.#lifetime.endedError();
      return;
    }
    throw new SharedMemoryError(
      'ERR_CLOSED',
      `${called('memory', this.name)} cannot be used: this handle was closed`,
      { resource: this.name },
    );
  }
}

changedBy('memory', { buffer: 'write()' });
assignedBy('memory', (key, value) =>
  /^\d+$/.test(key) ? `array('uint8')[${key}] = ${shown(value)}` : undefined,
);

/** What `console.log` shows of a segment: its name and, as in CPython, its size. */
Object.defineProperty(SharedMemory.prototype, Symbol.for('nodejs.util.inspect.custom'), {
  value(this: SharedMemory) {
    return `SharedMemory { name: '${this.name}', size: ${this.size} }`;
  },
});

function handleOf(name: string, readOnly: boolean): SharedMemoryHandle {
  return { shmkit: 'memory', name, ...(readOnly && { readOnly: true }) };
}

function checkSize(size: unknown): number {
  return checkInteger('size', size, 1, mostBytes, 'bytes');
}

tellClass('memory', SharedMemory, ({ name, readOnly }: SharedMemoryHandle) =>
  SharedMemory.attach(name, { readOnly: readOnly ?? false }),
);
