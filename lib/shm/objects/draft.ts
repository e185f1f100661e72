import { constants } from 'node:buffer';
import { native, type DraftHandle } from '../core/binding';
import { explain, isFailure } from '../core/failures';
import { called } from '../core/names';
import { SharedMemoryError } from '../../common/errors';
import { byteLengthOf } from '../../values/intrinsics';
import { allocatedAt, type Allocated } from './sealed-value';
import { withSpill } from './spilling';

/** Memory that becomes a part of a new object without being copied, where the system can do that. */
export class Draft {
  readonly #name: string;
  readonly #size: number;
  /** The offset of the bytes in the memory, which also has room for the object's header and words. */
  readonly #offset: number;
  /** Undefined if the bytes are ordinary memory, which will be copied. */
  #file: DraftHandle | undefined;
  #directory: string | undefined;
  #buffer: ArrayBuffer | undefined;
  #isOpen = true;

  /**
   * @param startBytes - how many bytes are before the data of the object.
   * @param spill - a directory for what has no room in memory.
   * @throws SharedMemoryError `ENOSPC`; `ERR_ZERO_COPY_UNAVAILABLE`
   */
  constructor(name: string, size: number, startBytes: number, spill: string | undefined) {
    this.#name = name;
    this.#size = size;
    this.#offset = startBytes + allocatedAt;
    // Before memory is reserved that nobody could use.
    if (size > constants.MAX_LENGTH) throw this.#tooLarge();
    this.#file = withSpill(spill, (directory) => this.#begin(directory));
    try {
      this.#buffer = this.#show(this.#file);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The directory that the object must be in, unless it is in the usual place. */
  get directory(): string | undefined {
    return this.#directory;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** The bytes. After a failed `seal`, this is another ArrayBuffer with the same contents. */
  get buffer(): ArrayBuffer {
    return (this.#buffer ??= this.#show(this.#checkOpen()));
  }

  /** The memory that is already in its place, if there is any. */
  get allocated(): Allocated | undefined {
    const { buffer } = this;
    if (this.#file === undefined) return undefined;
    return { buffer, bytes: this.#size, check: () => this.#checkBuffer(buffer) };
  }

  /**
   * Makes the object out of the memory. All views of the buffer become empty.
   *
   * @param make - makes it out of a draft, or out of a copy of the bytes.
   */
  use<T>(make: (draft: DraftHandle | undefined, copied: Uint8Array | undefined) => T): T {
    const made = this.#use(make);
    this.close();
    return made;
  }

  #use<T>(make: (draft: DraftHandle | undefined, copied: Uint8Array | undefined) => T): T {
    const file = this.#checkOpen();
    if (file === undefined) return make(undefined, undefined);
    this.#hide(file);
    try {
      return make(file, undefined);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOTSUP') throw error;
    }
    // The system has no way to name the memory.
    return make(undefined, new Uint8Array(this.buffer, 0, this.#size));
  }

  /** Frees the memory, unless an object was made out of it. Idempotent. */
  close(): void {
    this.#isOpen = false;
    if (this.#file !== undefined) {
      this.#hide(this.#file);
      native.draftEnd(this.#file);
    } else if (this.#buffer !== undefined) {
      native.bufferDetach(this.#buffer);
    }
    this.#file = this.#buffer = undefined;
  }

  #begin(directory: string | undefined): DraftHandle | undefined {
    const begun = native.draftBegin(this.#offset + this.#size, directory ?? '');
    if (!isFailure(begun)) {
      this.#directory = directory;
      return begun;
    }
    if (begun.code === 'ENOTSUP' && directory === undefined) return undefined;
    throw explain(begun, 'object', this.#name);
  }

  #show(file: DraftHandle | undefined): ArrayBuffer {
    if (file === undefined) return new ArrayBuffer(this.#size);
    const shown = native.draftShow(file, this.#offset);
    if (isFailure(shown)) throw explain(shown, 'object', this.#name);
    if (shown === undefined) throw this.#tooLarge();
    return shown;
  }

  #tooLarge(): SharedMemoryError {
    return this.#error(
      'ERR_ZERO_COPY_UNAVAILABLE',
      `cannot be allocated: this runtime does not accept ${this.#size} bytes of external memory as an ArrayBuffer`,
    );
  }

  #hide(file: DraftHandle): void {
    native.draftHide(file, this.#buffer);
    this.#buffer = undefined;
  }

  #checkBuffer(buffer: ArrayBuffer): void {
    this.#checkOpen();
    if (buffer === this.#buffer && byteLengthOf(buffer) === this.#size) return;
    throw this.#error(
      'ERR_CLOSED',
      'cannot be sealed: its buffer was transferred, by postMessage(), transfer() or a stream',
    );
  }

  #checkOpen(): DraftHandle | undefined {
    if (this.#isOpen) return this.#file;
    throw this.#error('ERR_CLOSED', 'is no draft any more: it was sealed, or the draft was closed');
  }

  #error(code: string, what: string): SharedMemoryError {
    return new SharedMemoryError(code, `${called('object', this.#name)} ${what}`, {
      resource: this.#name,
    });
  }
}
