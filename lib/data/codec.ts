import { invalidType } from '../errors';
import { CorruptError } from './corrupt-error';
import { attachShared, isShared, type AnyHandle } from './handles';
import { Way, wayToPack } from './cloneable';
import { pack, packExactly, packShared, unpack, unpackExactly } from './packing';

/** What a value is stored as, in 4 bits. */
export const enum Tag {
  /** No value yet: somebody computes it. */
  Pending = 0,
  Undefined = 1,
  Null = 2,
  False = 3,
  True = 4,
  /** 8 bytes, float64. */
  Number = 5,
  /** A string, one byte a character. */
  Latin1 = 6,
  /** A string, two bytes a character. */
  Utf16 = 7,
  /** Anything else that can be cloned, as msgpackr has it. */
  Packed = 8,
  /** The same as the engine has it, where msgpackr would lose something. */
  Exact = 9,
  /** One of the library's named objects: its handle, as JSON in ASCII. */
  Handle = 10,
  /** A Uint8Array. */
  Bytes = 11,
}

/** The tag in the lowest 4 bits of a word; any number reads as one, if as none that there is. */
export const tagIn: (word: number) => Tag = (word) => word & 15;

/** Strings up to so many characters are read, and written, in a loop, faster than by a call. */
const fewToRead = 12;
const fewToWrite = 64;

/** What is unpacked from is kept for the next if it is no larger. */
const largestScratchBytes = 1 << 16;

/** The views of one memory that values are read from and written to. */
export interface Views {
  readonly ints: Int32Array;
  readonly bytes: Uint8Array;
  readonly shorts: Uint16Array;
  readonly floats: Float64Array;
  readonly buffer: Buffer;
}

const nothing = new Uint8Array(0);

/**
 * A value on its way into shared memory. It is used again for each value, so that none is made; it is
 * of no use after the next.
 */
export class Encoder {
  tag: Tag = Tag.Undefined;
  /** Of a number. */
  number = 0;
  /** Bytes that it takes, from a multiple of 8 on. */
  size = 0;
  #text = '';
  #packed = nothing;
  #serial = 0;

  /**
   * @param what - how messages speak of the value.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` it cannot be cloned.
   */
  encode(what: string, value: unknown): this {
    switch (typeof value) {
      case 'number':
        this.number = value;
        return this.#is(Tag.Number, 8);
      case 'string':
        this.#text = value;
        return isLatin1(value)
          ? this.#is(Tag.Latin1, value.length)
          : this.#is(Tag.Utf16, 2 * value.length);
      case 'boolean':
        return this.#is(value ? Tag.True : Tag.False, 0);
      case 'undefined':
        return this.#is(Tag.Undefined, 0);
      case 'function':
      case 'symbol':
        throw invalidType(what, 'a value that can be cloned', value);
      case 'bigint':
        return this.#isPacked(Tag.Packed, pack(value));
      default:
        return value === null ? this.#is(Tag.Null, 0) : this.#encodeObject(what, value as object);
    }
  }

  /** Writes it to where nothing leads yet. */
  write({ bytes, shorts, floats, buffer }: Views, at: number): void {
    const text = this.#text;
    switch (this.tag) {
      case Tag.Number:
        floats[at / 8] = this.number;
        break;
      case Tag.Pending:
        floats[at / 8] = this.number;
        floats[at / 8 + 1] = this.#serial;
        break;
      case Tag.Latin1:
      case Tag.Handle:
        if (text.length > fewToWrite) {
          buffer.write(text, at, 'latin1');
        } else {
          for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
        }
        break;
      case Tag.Utf16:
        for (let i = 0; i < text.length; i++) shorts[at / 2 + i] = text.charCodeAt(i);
        break;
      case Tag.Packed:
      case Tag.Exact:
      case Tag.Bytes:
        bytes.set(this.#packed, at);
        break;
      default:
    }
  }

  /** Whether what is stored there is this value, byte by byte. */
  matches({ bytes, shorts, floats }: Views, tag: Tag, at: number, size: number): boolean {
    if (tag !== this.tag || size !== this.size) return false;
    const text = this.#text;
    switch (tag) {
      case Tag.Number:
        return Object.is(floats[at / 8], this.number);
      case Tag.Latin1:
      case Tag.Handle:
        for (let i = 0; i < size; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
        return true;
      case Tag.Utf16:
        for (let i = 0; i < text.length; i++) {
          if (shorts[at / 2 + i] !== text.charCodeAt(i)) return false;
        }
        return true;
      case Tag.Packed:
      case Tag.Exact:
      case Tag.Bytes:
        for (let i = 0; i < size; i++) if (bytes[at + i] !== this.#packed[i]) return false;
        return true;
      default:
        return true;
    }
  }

  /** A value that somebody computes: who, and which of their computations it is. */
  promise(token: number, serial: number): this {
    this.number = token;
    this.#serial = serial;
    return this.#is(Tag.Pending, 16);
  }

  /** Keeps its bytes for itself, until the next value: those they are of may change meanwhile. */
  keep(): this {
    this.#packed = this.#packed.slice();
    return this;
  }

  #encodeObject(what: string, value: object): this {
    // Of which the clone is a plain Uint8Array, too, of the same bytes.
    if (value instanceof Uint8Array) return this.#isPacked(Tag.Bytes, value);
    if (isShared(value)) {
      this.#text = toAscii(JSON.stringify(value));
      return this.#is(Tag.Handle, this.#text.length);
    }
    const way = wayToPack(what, value);
    try {
      switch (way) {
        case Way.Fast:
          return this.#isPacked(Tag.Packed, pack(value));
        case Way.Shared:
          return this.#isPacked(Tag.Packed, packShared(value));
        case Way.Exact:
          return this.#isPacked(Tag.Exact, packExactly(value));
      }
    } catch (cause) {
      const error = invalidType(what, 'a value that can be cloned', value);
      throw Object.assign(error, { cause });
    }
  }

  #isPacked(tag: Tag, packed: Uint8Array): this {
    this.#packed = packed as Uint8Array<ArrayBuffer>;
    return this.#is(tag, packed.length);
  }

  #is(tag: Tag, size: number): this {
    this.tag = tag;
    this.size = size;
    return this;
  }
}

/**
 * What was read of a value that is to be unpacked. Copied first and unpacked later, when it is known
 * that nothing changed meanwhile: what unpacks must not see half of one and half of another.
 */
class Copy {
  bytes = Buffer.alloc(0);
  size = 0;
  tag = Tag.Packed;
}

const copy = new Copy();

/**
 * Reads a value from memory that may be changing.
 *
 * @param at - in bytes; a multiple of 8.
 * @returns what {@link finish} makes the value of, before anything else is read.
 */
export function read(views: Views, tag: Tag, at: number, size: number): unknown {
  return readInto(copy, views, tag, at, size);
}

/** The same, and what it returns may be finished after others were read. */
export function readApart(views: Views, tag: Tag, at: number, size: number): unknown {
  return tag >= Tag.Packed
    ? readInto(new Copy(), views, tag, at, size)
    : read(views, tag, at, size);
}

function readInto(copy: Copy, views: Views, tag: Tag, at: number, size: number): unknown {
  switch (tag) {
    case Tag.Number:
      return views.floats[at / 8];
    case Tag.Null:
      return null;
    case Tag.True:
      return true;
    case Tag.False:
      return false;
    case Tag.Latin1:
      return readLatin1(views, at, size);
    case Tag.Utf16:
      return views.buffer.toString('utf16le', at, at + size);
    case Tag.Bytes:
      return views.bytes.slice(at, at + size);
    case Tag.Packed:
    case Tag.Exact:
    case Tag.Handle:
      copyOut(copy, views, at, size);
      copy.tag = tag;
      return copy;
    default:
      return undefined;
  }
}

/**
 * The value, of what was read of it.
 *
 * @throws CorruptError its bytes make none; what attaching to a shared object throws.
 */
export function finish(read: unknown): unknown {
  return read instanceof Copy ? unpackCopy(read) : read;
}

function unpackCopy(copy: Copy): unknown {
  const { bytes, size, tag } = copy;
  if (tag === Tag.Handle) return attachShared(parseHandle(bytes.toString('latin1', 0, size)));
  try {
    return tag === Tag.Packed ? unpack(bytes, size) : unpackExactly(bytes.subarray(0, size));
  } catch (cause) {
    // A shared object within it may be gone.
    if (cause instanceof Error && 'resource' in cause) throw cause;
    throw new CorruptError('a value of it makes no sense', { cause });
  } finally {
    if (bytes.length > largestScratchBytes) copy.bytes = Buffer.alloc(0);
  }
}

function copyOut(copy: Copy, { bytes, buffer }: Views, at: number, size: number): void {
  if (size > copy.bytes.length) {
    // Not of Node's pool, which others have views of.
    copy.bytes = Buffer.from(new ArrayBuffer(Math.max(2 * copy.bytes.length, size, 256)));
  }
  const to = copy.bytes;
  copy.size = size;
  if (size > 64) {
    buffer.copy(to, 0, at, at + size);
  } else {
    for (let i = 0; i < size; i++) to[i] = bytes[at + i] ?? 0;
  }
}

function parseHandle(text: string): AnyHandle {
  try {
    const handle = JSON.parse(text) as Partial<AnyHandle> | null;
    if (typeof handle?.shmkit === 'string' && typeof handle.name === 'string') {
      return handle as AnyHandle;
    }
  } catch {
    // As any other text that is none.
  }
  throw new CorruptError('a value of it is no handle');
}

function readLatin1({ bytes, buffer }: Views, at: number, size: number): string {
  if (size > fewToRead) return buffer.toString('latin1', at, at + size);
  let text = '';
  for (let i = 0; i < size; i++) text += String.fromCharCode(bytes[at + i] ?? 0);
  return text;
}

/** Whether one byte a character is enough. */
export function isLatin1(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0xff) return false;
  return true;
}

function toAscii(text: string): string {
  return text.replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
