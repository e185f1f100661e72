import { readLatin1, readUtf16 } from './buffer-text';
import { CorruptError, MismatchError } from './corrupt-error';
import { attachShared, parseHandle } from './handles';
import { objectPrototype, OwnDOMException } from './intrinsics';
import {
  Code,
  codeOf,
  domException,
  errorClasses,
  ErrorPart,
  mostDepth,
  shortText,
  viewClasses,
} from './packed-format';

type Fields = Record<string, unknown>;

/** Keys that were read before, by a hash of their bytes. Most keys are read again. */
const keySlots = 1024;
const knownKeys = new Array<string>(keySlots).fill('');

const mostLength = 2 ** 32 - 1;

const firstShortText: number = Code.ShortText;
const lastShortText = firstShortText + shortText;
const hole: number = Code.Hole;

const errors = [
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
] as const;

/**
 * The keys of an object. Properties are assigned, because that is faster. But if all objects inherit one of
 * the keys, properties are defined: an inherited accessor would take the value, and an inherited frozen
 * property would reject it.
 */
class Keys {
  readonly names: string[];
  areInherited = false;

  constructor(length: number) {
    this.names = new Array<string>(length);
  }

  add(index: number, name: string): void {
    this.names[index] = name;
    if (name in objectPrototype) this.areInherited = true;
  }
}

/** An object that was begun, and whose contents follow later. */
type Later = [code: Code, value: object, parts: number];

/**
 * Makes values from packed bytes; packed-format.ts describes the format. The bytes are untrusted input: any
 * process may have written anything, so everything is checked before it is used.
 */
class Unpacker {
  #bytes = Buffer.alloc(0);
  #view = new DataView(new ArrayBuffer(0));
  #at = 0;
  #end = 0;
  #buffers: readonly ArrayBuffer[] = [];
  #bases: readonly number[] = [];
  readonly #objects: unknown[] = [];
  /** The keys of the last object at each depth. */
  readonly #keys: (Keys | undefined)[] = [];
  readonly #later: Later[] = [];

  unpack(
    bytes: Buffer<ArrayBuffer>,
    at: number,
    end: number,
    buffers: readonly ArrayBuffer[],
    bases: readonly number[],
  ): unknown {
    if (this.#bytes.buffer !== bytes.buffer) {
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
    this.#buffers = buffers;
    this.#bases = bases;
    try {
      const value = this.#value(0);
      // These calls may add more to the list.
      for (const each of this.#later) this.#contents(each);
      if (this.#at !== end) throw new CorruptError('a value in it has extra bytes at its end');
      return value;
    } finally {
      this.#buffers = [];
      this.#bases = [];
      this.#objects.length = 0;
      this.#keys.length = 0;
      this.#later.length = 0;
    }
  }

  /** Releases the bytes that were unpacked. */
  forget(): void {
    this.#bytes = Buffer.alloc(0);
    this.#view = new DataView(new ArrayBuffer(0));
  }

  #value(depth: number): unknown {
    const byte = this.#byte();
    if (byte < firstShortText) return byte;
    if (byte <= lastShortText) return this.#latin1(byte - firstShortText);
    const code = codeOf(byte);
    switch (code) {
      case Code.Undefined:
        return undefined;
      case Code.Null:
        return null;
      case Code.False:
        return false;
      case Code.True:
        return true;
      case Code.Int16:
        return this.#view.getInt16(this.#skip(2), true);
      case Code.Int32:
        return this.#view.getInt32(this.#skip(4), true);
      case Code.Float64:
        return this.#float();
      case Code.BigInt64:
        return this.#view.getBigInt64(this.#skip(8), true);
      case Code.BigInt:
        return this.#bigint();
      case Code.Latin1:
      case Code.Utf16:
        return this.#longText(code);
      default:
        return this.#object(code, depth);
    }
  }

  #object(code: Code, depth: number): unknown {
    if (depth >= mostDepth && isContainer(code)) throw nonsense();
    switch (code) {
      case Code.Reference: {
        const index = this.#length();
        if (index >= this.#objects.length) throw nonsense();
        return this.#objects[index];
      }
      case Code.Object:
      case Code.SameObject:
        return this.#record(this.#note({}), code, depth);
      case Code.Array:
      case Code.SparseArray:
        return this.#array(this.#note<unknown[]>([]), code, depth);
      case Code.Map:
        return this.#map(this.#note(new Map<unknown, unknown>()), depth);
      case Code.Set:
        return this.#set(this.#note(new Set<unknown>()), depth);
      case Code.Date:
        return this.#note(new Date(this.#float()));
      case Code.RegExp:
        return this.#note(makeRegExp(this.#text(), this.#text()));
      case Code.Boxed:
        return this.#boxed();
      case Code.Error: {
        const [error, parts] = this.#errorTexts();
        this.#errorContents(error, parts, depth);
        return error;
      }
      case Code.Buffer: {
        const index = this.#length();
        const buffer = this.#buffers[index];
        if (buffer === undefined || this.#bases[index] !== 0) throw nonsense();
        return this.#note(buffer);
      }
      case Code.View:
        return this.#note(this.#viewOn());
      case Code.Shared:
        return this.#shared();
      case Code.Later:
        return this.#begun();
      default:
        throw nonsense();
    }
  }

  #begun(): object {
    const code = codeOf(this.#byte());
    let value: object;
    let parts = 0;
    switch (code) {
      case Code.Object:
        value = this.#note({});
        break;
      case Code.Array:
        value = this.#note([]);
        break;
      case Code.Map:
        value = this.#note(new Map());
        break;
      case Code.Set:
        value = this.#note(new Set());
        break;
      case Code.Error:
        [value, parts] = this.#errorTexts();
        break;
      default:
        throw nonsense();
    }
    this.#later.push([code, value, parts]);
    return value;
  }

  #contents([code, value, parts]: Later): void {
    if (code === Code.Error) {
      this.#errorContents(value as Error, parts, 0);
      return;
    }
    const found = codeOf(this.#byte());
    if (code === Code.Object && (found === Code.Object || found === Code.SameObject)) {
      this.#record(value as Fields, found, 0);
    } else if (code === Code.Array && (found === Code.Array || found === Code.SparseArray)) {
      this.#array(value as unknown[], found, 0);
    } else if (code === Code.Map && found === Code.Map) {
      this.#map(value as Map<unknown, unknown>, 0);
    } else if (code === Code.Set && found === Code.Set) {
      this.#set(value as Set<unknown>, 0);
    } else {
      throw nonsense();
    }
  }

  #record(object: Fields, code: Code, depth: number): Fields {
    let keys = this.#keys[depth];
    if (code === Code.Object) {
      const count = this.#count(1);
      const read = new Keys(count);
      for (let i = 0; i < count; i++) read.add(i, this.#key());
      this.#keys[depth] = keys = read;
    } else if (keys === undefined) {
      throw nonsense();
    }
    const { names, areInherited } = keys;
    for (const key of names) {
      if (this.#bytes[this.#at] === hole && this.#at < this.#end) this.#at++;
      else if (areInherited) define(object, key, this.#value(depth + 1), true);
      else object[key] = this.#value(depth + 1);
    }
    return object;
  }

  #array(array: unknown[], code: Code, depth: number): unknown[] {
    if (code === Code.Array) {
      const length = this.#count(1);
      for (let i = 0; i < length; i++) array.push(this.#value(depth + 1));
      return array;
    }
    const length = this.#length();
    if (length > mostLength) throw nonsense();
    array.length = length;
    const count = this.#count(2);
    for (let i = 0; i < count; i++) {
      const key = this.#value(mostDepth);
      if (
        typeof key === 'number'
          ? !Number.isInteger(key) || key < 0 || key >= length
          : typeof key !== 'string' || key === 'length'
      ) {
        throw nonsense();
      }
      const value = this.#value(depth + 1);
      if (typeof key === 'number') array[key] = value;
      else define(array, String(key), value, true);
    }
    if (array.length !== length) throw nonsense();
    return array;
  }

  #map(map: Map<unknown, unknown>, depth: number): Map<unknown, unknown> {
    const count = this.#count(2);
    for (let i = 0; i < count; i++) map.set(this.#value(depth + 1), this.#value(depth + 1));
    return map;
  }

  #set(set: Set<unknown>, depth: number): Set<unknown> {
    const count = this.#count(1);
    for (let i = 0; i < count; i++) set.add(this.#value(depth + 1));
    return set;
  }

  #errorTexts(): [Error, number] {
    const index = this.#byte();
    const parts = this.#byte();
    const name = index === domException ? this.#text() : '';
    const message = (parts & ErrorPart.Message) === 0 ? undefined : this.#text();
    const error = this.#note(makeError(index, name, message));
    if ((parts & ErrorPart.Stack) !== 0) hide(error, 'stack', this.#text());
    // If there was no stack, the error must not have the reader's.
    else if (Object.hasOwn(error, 'stack')) hide(error, 'stack', undefined);
    return [error, parts];
  }

  #errorContents(error: Error, parts: number, depth: number): void {
    if ((parts & ErrorPart.Cause) !== 0) hide(error, 'cause', this.#value(depth + 1));
    if ((parts & ErrorPart.Errors) !== 0) hide(error, 'errors', this.#value(depth + 1));
    if ((parts & ErrorPart.More) === 0) return;
    const count = this.#count(2);
    for (let i = 0; i < count; i++) {
      const key = this.#text();
      define(error, key, this.#value(depth + 1), true);
    }
  }

  #boxed(): unknown {
    const place = this.#objects.push(undefined) - 1;
    const primitive = this.#value(mostDepth);
    const isPrimitive = ['boolean', 'number', 'bigint', 'string'].includes(typeof primitive);
    if (!isPrimitive) throw nonsense();
    const boxed: unknown = Object(primitive);
    this.#objects[place] = boxed;
    return boxed;
  }

  #shared(): object {
    const place = this.#objects.push(undefined) - 1;
    const shared = attachShared(parseHandle(this.#text()));
    this.#objects[place] = shared;
    return shared;
  }

  #viewOn(): ArrayBufferView {
    const name = viewClasses[this.#byte()];
    const index = this.#length();
    const buffer = this.#buffers[index];
    const offset = this.#length() - (this.#bases[index] ?? 0);
    const length = this.#length() - 1;
    if (name === undefined || buffer === undefined) throw nonsense();
    const Class = viewMakers[name];
    if (Class === undefined) {
      throw new MismatchError(`a value in it is a ${name}, which this runtime does not have`);
    }
    const { BYTES_PER_ELEMENT: one = 1 } = Class as { BYTES_PER_ELEMENT?: number };
    const isInside =
      offset >= 0 && offset % one === 0 && offset + Math.max(length, 0) * one <= buffer.byteLength;
    if (!isInside || (length < 0 && (buffer as { resizable?: boolean }).resizable !== true)) {
      throw nonsense();
    }
    return length < 0 ? new Class(buffer, offset) : new Class(buffer, offset, length);
  }

  #bigint(): bigint {
    const isNegative = this.#byte() === 1;
    const length = this.#length();
    const at = this.#skip(length);
    if (length === 0) throw nonsense();
    const magnitude = BigInt(`0x${this.#bytes.subarray(at, at + length).toString('hex')}`);
    return isNegative ? -magnitude : magnitude;
  }

  #float(): number {
    return this.#view.getFloat64(this.#skip(8), true);
  }

  #text(): string {
    const byte = this.#byte();
    return byte >= firstShortText && byte <= lastShortText
      ? this.#latin1(byte - firstShortText)
      : this.#longText(codeOf(byte));
  }

  #longText(code: Code): string {
    const length = this.#length();
    if (code === Code.Latin1) return this.#latin1(length);
    if (code !== Code.Utf16) throw nonsense();
    return readUtf16(this.#bytes, this.#skip(2 * length), length);
  }

  #latin1(length: number): string {
    return readLatin1(this.#bytes, this.#skip(length), length);
  }

  /**
   * Reads the key of a property. Returns a string that was made before if it is the same, because most keys
   * occur again.
   */
  #key(): string {
    const byte = this.#byte();
    if (byte < firstShortText || byte > lastShortText) return this.#longText(codeOf(byte));
    const length = byte - firstShortText;
    const at = this.#skip(length);
    const bytes = this.#bytes;
    let hash = length;
    for (let i = 0; i < length; i++) hash = (Math.imul(hash, 31) + (bytes[at + i] ?? 0)) | 0;
    const slot = hash & (keySlots - 1);
    const known = knownKeys[slot] ?? '';
    if (known.length === length) {
      let i = 0;
      while (i < length && known.charCodeAt(i) === bytes[at + i]) i++;
      if (i === length) return known;
    }
    return (knownKeys[slot] = readLatin1(bytes, at, length));
  }

  /** Reads a count of items, each of which takes at least this many bytes. */
  #count(leastBytes: number): number {
    const count = this.#length();
    if (count * leastBytes > this.#end - this.#at) throw nonsense();
    return count;
  }

  #length(): number {
    let length = this.#byte();
    if (length < 0x80) return length;
    length -= 0x80;
    for (let unit = 0x80; unit < 2 ** 49; unit *= 0x80) {
      const byte = this.#byte();
      if (byte < 0x80) return length + unit * byte;
      length += unit * (byte - 0x80);
    }
    throw nonsense();
  }

  #byte(): number {
    if (this.#at >= this.#end) throw nonsense();
    return this.#bytes[this.#at++] ?? 0;
  }

  /** Moves past this many bytes. Returns where they begin. */
  #skip(bytes: number): number {
    const at = this.#at;
    if (bytes > this.#end - at) throw nonsense();
    this.#at = at + bytes;
    return at;
  }

  /** Records an object, so that a later {@link Code.Reference} can refer to it. Returns it. */
  #note<T>(object: T): T {
    this.#objects.push(object);
    return object;
  }
}

let idle: Unpacker | undefined;

/**
 * @param at - where the value begins, after its version.
 * @param bases - the offset in its original at which each buffer begins.
 * @throws CorruptError, MismatchError; what attaching to a shared object throws.
 */
export function unpack(
  bytes: Buffer<ArrayBuffer>,
  at: number,
  end: number,
  buffers: readonly ArrayBuffer[] = [],
  bases: readonly number[] = [],
): unknown {
  // Attaching to a shared object may unpack another value in the meantime.
  const unpacker = idle ?? new Unpacker();
  idle = undefined;
  try {
    return unpacker.unpack(bytes, at, end, buffers, bases);
  } finally {
    idle = unpacker;
  }
}

/** Releases the bytes that were unpacked. */
export function forgetUnpacked(): void {
  idle?.forget();
}

type ViewClass = new (buffer: ArrayBuffer, offset: number, length?: number) => ArrayBufferView;

const { Float16Array } = globalThis as { Float16Array?: ViewClass };

const viewMakers: Record<(typeof viewClasses)[number], ViewClass | undefined> = {
  DataView,
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  Float16Array,
};

const nonsense = () => new CorruptError('a value in it has invalid bytes');

function isContainer(code: Code): boolean {
  return (
    code === Code.Object ||
    code === Code.SameObject ||
    code === Code.Array ||
    code === Code.SparseArray ||
    code === Code.Map ||
    code === Code.Set ||
    code === Code.Error
  );
}

function define(object: object, key: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(object, key, { value, enumerable, writable: true, configurable: true });
}

/** Defines a property that is not enumerable, as JavaScript does for the standard properties of an error. */
function hide(error: Error, key: string, value: unknown): void {
  define(error, key, value, false);
}

function makeError(index: number, name: string, message: string | undefined): Error {
  if (index === domException) {
    if (OwnDOMException === undefined) {
      throw new MismatchError('a value in it is a DOMException, which this runtime does not have');
    }
    return new OwnDOMException(message, name);
  }
  if (errorClasses[index] === 'AggregateError') {
    const error = new AggregateError([], message);
    // The constructor has made an empty list of errors. The list of the packed error is assigned later, if it
    // has one.
    delete (error as Partial<AggregateError>).errors;
    return error;
  }
  const Class = errors[index];
  if (Class === undefined) throw nonsense();
  return message === undefined ? new Class() : new Class(message);
}

function makeRegExp(source: string, flags: string): RegExp {
  try {
    return new RegExp(source, flags);
  } catch (cause) {
    const message = `a value in it is a RegExp that this runtime does not support: ${JSON.stringify(source)}`;
    throw new MismatchError(message, { cause });
  }
}
