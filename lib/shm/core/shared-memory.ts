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

/** What {@link SharedMemory.create} takes. */
export interface SharedMemoryCreateOptions {
  /** Bytes, at least 1. */
  readonly size: number;
  /** Without one, a name that nobody has is made up; see {@link SharedMemory.name}. */
  readonly name?: string | undefined;
  /** Permission bits, whatever the umask. Default `0o600`, its owner alone. */
  readonly mode?: number | undefined;
  /**
   * Do not reserve memory now. Creation is then fast whatever the size, and a machine that runs out
   * of memory later kills whoever touches a new page (SIGBUS). Default false.
   */
  readonly sparse?: boolean | undefined;
}

/** What {@link SharedMemory.attach} takes. */
export interface SharedMemoryAttachOptions {
  /**
   * Attach for reading. What others write is seen, until this process itself writes to the same
   * page: such a write stays private, is never seen by others, and ends the view of theirs on that
   * page. Needs no permission to write. Default false.
   */
  readonly readOnly?: boolean | undefined;
}

/** What {@link SharedMemory.open} takes. */
export type SharedMemoryOpenOptions = Omit<SharedMemoryCreateOptions, 'name'>;

/** A segment as plain data, to be sent to another process; see {@link SharedMemory.toJSON}. */
export interface SharedMemoryHandle {
  readonly shmkit: 'memory';
  readonly name: string;
  readonly readOnly?: boolean;
}

/** What {@link SharedMemory.list} tells of an object. */
export interface SharedObjectInfo {
  readonly name: string;
  readonly kind: Kind;
  /** Bytes. */
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
  /** The owner's user id. */
  readonly uid: number;
}

/** Where the native calls leave the size of the segment they give. */
const sizeOut = new Float64Array(1);

/** A segment that was made or attached to. Only the library makes one: see construction.ts. */
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

/** Beyond a 47-bit address space nothing can be mapped. */
const mostBytes = 2 ** 47;

/**
 * A lost race between creating and attaching means that another process made progress; this many
 * in a row mean that something else is wrong.
 */
export const mostRounds = 10_000;

/** What a segment ends with that a manager gave. */
export interface Lifetime {
  readonly hasEnded: boolean;
  endedError(): Error;
}

/** Has a segment be of no use any more when something has ended. */
export let endsWith: (memory: SharedMemory, lifetime: Lifetime) => void;

/**
 * A named run of bytes that any process on the machine can attach to.
 *
 * The segment has no header: byte 0 is the first of yours, and Python's
 * `multiprocessing.shared_memory.SharedMemory(name=…)` attaches to it by the same name, and this
 * class to what Python made. It lives until somebody unlinks it, or the machine restarts, even when
 * nobody is attached.
 *
 * No method blocks, beyond the time the system takes to map or copy the memory.
 *
 * @see https://docs.python.org/3/library/multiprocessing.shared_memory.html
 */
export class SharedMemory extends Unassignable {
  /** What kind of object it is, by the name that handles have for it. */
  declare readonly shmkit: 'memory';
  /** The name that others attach by. */
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
   * Makes a new segment of zero bytes, visible to others only when it is complete.
   *
   * @throws SharedMemoryError `EEXIST` the name is taken; `ENOSPC` there is no memory for it, and
   * nothing was made; `EINVAL`, `ENAMETOOLONG` it cannot be a name.
   * @throws RangeError `ERR_OUT_OF_RANGE` for a size that is no positive integer.
   */
  static create(options: SharedMemoryCreateOptions): SharedMemory {
    checkOptions(options, ['size', 'name', 'mode', 'sparse'], { size: 4096 });
    return SharedMemory.createFilled(options, undefined);
  }

  /** @internal The same, with what it has in it when others first see it. */
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
   * Attaches to a segment that exists, whoever made it.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES` its mode forbids it; `EINVAL` it has
   * no bytes.
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
   * Attaches to a segment, or creates it when it is absent. Of any number of processes that open
   * one name at once, one creates it; its `mode` and `sparse` count.
   *
   * @throws SharedMemoryError `ERR_WRONG_KIND` when one is there with fewer bytes than `size`; and as
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
   * Removes a name. Whoever is attached keeps the memory until they close.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES` or `EPERM` it is somebody else's.
   */
  static unlink(name: string): void {
    const failure = native.segmentUnlink(systemName('memory', name), undefined);
    if (failure) throw explainOpening(failure, 'memory', name, 'unlink');
  }

  /**
   * Every shared object of the machine, plain segments (whoever made them) and this library's other
   * kinds, in the order of their names.
   *
   * @throws SharedMemoryError `ENOTSUP` on macOS and Windows, which do not tell.
   */
  static list(): SharedObjectInfo[] {
    const result = native.segmentList();
    if (isFailure(result)) throw explainList(result);
    return result
      .map(({ name, size, mode, uid }) => ({ ...parseSystemName(name), size, mode, uid }))
      .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }

  /**
   * Bytes. macOS rounds them up to whole pages, and so does Windows where another program than one
   * with this library made the segment.
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
   * The segment's bytes themselves, without a copy; the same object each time, unless it was
   * transferred away. `Atomics` work on
   * views of it between processes, but for `Atomics.wait` and `Atomics.notify`. When the handle is
   * closed it becomes empty, with every view on it.
   *
   * @throws SharedMemoryError `ERR_CLOSED`; `ERR_ZERO_COPY_UNAVAILABLE` where the runtime takes no
   * memory from outside (Electron), or none so large: {@link SharedMemory.read} and
   * {@link SharedMemory.write} work there.
   */
  get buffer(): ArrayBuffer {
    this.#checkOpen();
    // One that was transferred away is empty here; whoever has it now keeps it until close().
    const isGone = this.#buffer === undefined || this.#buffer.byteLength === 0;
    if (isGone && this.size <= constants.MAX_LENGTH) {
      this.#buffer = native.segmentBuffer(this.#handle);
      // `buffer[0] = 1`, as Python has it, would be a property of the object, and no byte.
      Object.preventExtensions(this.#buffer);
    }
    if (this.#buffer === undefined) {
      throw new SharedMemoryError(
        'ERR_ZERO_COPY_UNAVAILABLE',
        `${called('memory', this.name)}: this runtime takes no outside memory of ${this.size} ` +
          'bytes as an ArrayBuffer; read() and write() copy instead',
        { resource: this.name },
      );
    }
    return this.#buffer;
  }

  /**
   * A typed array over the segment.
   *
   * @param byteOffset - where it begins; a multiple of the element's size. Default 0.
   * @param length - in elements. Default: as many whole ones as there is room for.
   * @throws RangeError `ERR_OUT_OF_RANGE` where that is not inside the segment; and as
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
   * A copy of `length` bytes at `offset`; by default, of all that follow. A segment of more bytes
   * than an ArrayBuffer can have (4 GiB on Node 20) is read in parts.
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
   * @param bytes - any view; its bytes are copied as they lie in memory.
   * @throws SharedMemoryError `ERR_CLOSED`; `EACCES` when attached read-only.
   * @throws RangeError `ERR_OUT_OF_RANGE` when they do not fit; nothing is written then.
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
   * Lets go of the memory. Idempotent. {@link SharedMemory.buffer} and all views become empty; I/O
   * still under way into one of them ends in memory that belongs to nobody. A segment that is never
   * closed is let go when it is collected as garbage.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    native.segmentClose(this.#handle, this.#buffer);
    this.#buffer = undefined;
  }

  /**
   * Removes the name, while it still leads to this very segment; also after {@link close}. On
   * Windows, where a name goes with its last handle, it is no error then that it has.
   *
   * @throws SharedMemoryError `ENOENT` the name is gone, or another segment's by now.
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

  /** A handle to send to another process, which gives it to {@link attach}. */
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
      `${called('memory', this.name)} is there with ${this.size} bytes, and ${size} were asked for`,
      { resource: this.name },
    );
  }

  #checkOpen(): void {
    if (!this.#closed) {
      if (this.#lifetime?.hasEnded) throw this.#lifetime.endedError();
      return;
    }
    throw new SharedMemoryError('ERR_CLOSED', `${called('memory', this.name)} was closed here`, {
      resource: this.name,
    });
  }
}

changedBy('memory', { buffer: 'write()' });
assignedBy('memory', (key, value) =>
  /^\d+$/.test(key) ? `array('uint8')[${key}] = ${shown(value)}` : undefined,
);

/** What `console.log` shows of one: as CPython does, also how large it is. */
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
