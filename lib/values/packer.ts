import { extentOf, lengthOf, typedArrayName } from '../common/element-types';
import { isLatin1, writeLatin1, writeUtf16 } from './buffer-text';
import { Kind, kindOf, refusal } from './cloneable';
import { handleText } from './handles';
import {
  entriesOf,
  flagsOf,
  isBuffer,
  membersOf,
  primitiveOf,
  sourceOf,
  timeOf,
} from './intrinsics';
import { Pieces } from './packed-pieces';
import {
  Code,
  domException,
  errorClasses,
  ErrorPart,
  hasBuffers,
  headBytes,
  mostDepth,
  shortText,
  version,
  viewClasses,
} from './packed-format';

const scratchBytes = 1 << 16;
/**
 * If at least this many bytes of the scratch buffer are left, the next value is packed there. Otherwise there is a
 * new scratch buffer.
 */
const enoughBytes = 1 << 10;

/** Up to this many objects, a linear search finds earlier objects. Beyond that, a Map is used. */
const fewObjects = 16;

const most7 = 0x7f;
const most16 = 2 ** 15 - 1;
const least16 = -(2 ** 15);
const most32 = 2 ** 31 - 1;
const least32 = -(2 ** 31);
const mostLength = 2 ** 32 - 1;

const viewIndex = new Map<string | undefined, number>(viewClasses.map((name, i) => [name, i]));
const errorIndex = new Map<unknown, number>(errorClasses.map((name, i) => [name, i]));

type Fields = Record<string, unknown>;

const noObjects: readonly object[] = [];

/** The parts of an error, as they were when its packing began. A getter may change the error afterwards. */
interface ErrorShape {
  readonly parts: number;
  /** The keys of the error's other properties, which are the part {@link ErrorPart.More}. */
  readonly keys: readonly string[];
}

/** An object whose beginning has been written. Its contents are written later, after everything else. */
type Later = [value: object, kind: Kind, shape?: ErrorShape];

/** A packed value. Its bytes do not change any more, but the buffers of its pieces may. */
export interface Packed {
  readonly bytes: Uint8Array;
  /** The ArrayBuffers in the value, which are not in the bytes. */
  readonly pieces: Pieces | undefined;
  /** The shared objects in the value. */
  readonly shared: readonly object[];
}

/** Packs values into bytes; packed-format.ts describes the format. */
class Packer {
  #bytes = Buffer.allocUnsafeSlow(scratchBytes);
  #view = viewOf(this.#bytes);
  #start = 0;
  #at = 0;
  #what = '';
  #root: unknown;
  /** The objects, in the order in which their packing began. */
  readonly #objects: object[] = [];
  #places: Map<object, number> | undefined;
  /** The keys of the last object at each depth. */
  readonly #keys: (readonly string[] | undefined)[] = [];
  readonly #later: Later[] = [];
  #pieces: Pieces | undefined;
  #shared = noObjects;

  pack(what: string, value: unknown): Packed {
    this.#start = this.#at;
    this.#what = what;
    this.#root = value;
    try {
      this.#need(headBytes);
      this.#at += headBytes;
      this.#value(value, 0);
      // These calls may add more to the list.
      for (const each of this.#later) this.#contents(...each);
      const pieces = this.#pieces;
      const head = version | (pieces ? hasBuffers : 0);
      this.#bytes[this.#start] = head;
      this.#bytes[this.#start + 1] = ~head;
      const bytes = this.#bytes.subarray(this.#start, this.#at);
      const changed = pieces?.close(bytes.length);
      if (changed) throw this.#refusal(changed, wholeBuffer);
      return { bytes, pieces, shared: this.#shared };
    } finally {
      this.#forget();
    }
  }

  #forget(): void {
    this.#root = undefined;
    this.#pieces = undefined;
    this.#shared = noObjects;
    this.#places = undefined;
    this.#objects.length = 0;
    this.#keys.length = 0;
    this.#later.length = 0;
    const { length } = this.#bytes;
    if (length === scratchBytes && length - this.#at >= enoughBytes) return;
    // The packed bytes now belong to their receiver.
    this.#bytes = Buffer.allocUnsafeSlow(scratchBytes);
    this.#view = viewOf(this.#bytes);
    this.#at = 0;
  }

  #value(value: unknown, depth: number): void {
    this.#need(16);
    switch (typeof value) {
      case 'string':
        this.#text(value);
        break;
      case 'number':
        this.#number(value);
        break;
      case 'boolean':
        this.#put(value ? Code.True : Code.False);
        break;
      case 'undefined':
        this.#put(Code.Undefined);
        break;
      case 'bigint':
        this.#bigint(value);
        break;
      case 'object':
        if (value === null) this.#put(Code.Null);
        else this.#object(value, depth);
        break;
      default:
        throw this.#refusal(value);
    }
  }

  #number(value: number): void {
    if (!Number.isInteger(value) || value < least32 || value > most32 || Object.is(value, -0)) {
      this.#put(Code.Float64);
      this.#float(value);
    } else if (value >= 0 && value <= most7) {
      this.#put(value);
    } else if (value >= least16 && value <= most16) {
      this.#put(Code.Int16);
      this.#view.setInt16(this.#at, value, true);
      this.#at += 2;
    } else {
      this.#put(Code.Int32);
      this.#view.setInt32(this.#at, value, true);
      this.#at += 4;
    }
  }

  #float(value: number): void {
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  #bigint(value: bigint): void {
    if (BigInt.asIntN(64, value) === value) {
      this.#put(Code.BigInt64);
      this.#view.setBigInt64(this.#at, value, true);
      this.#at += 8;
      return;
    }
    const digits = (value < 0n ? -value : value).toString(16);
    const magnitude = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
    this.#put(Code.BigInt);
    this.#put(value < 0n ? 1 : 0);
    this.#length(magnitude.length);
    this.#need(magnitude.length);
    this.#bytes.set(magnitude, this.#at);
    this.#at += magnitude.length;
  }

  #text(text: string): void {
    const { length } = text;
    if (length <= shortText) {
      this.#need(length + 16);
      const bytes = this.#bytes;
      const from = this.#at + 1;
      let i = 0;
      for (; i < length; i++) {
        const unit = text.charCodeAt(i);
        if (unit > 0xff) break;
        bytes[from + i] = unit;
      }
      if (i === length) {
        bytes[from - 1] = Code.ShortText + length;
        this.#at = from + length;
        return;
      }
    } else if (isLatin1(text)) {
      this.#need(length + 16);
      this.#put(Code.Latin1);
      this.#length(length);
      writeLatin1(this.#bytes, text, this.#at);
      this.#at += length;
      return;
    }
    this.#need(2 * length + 16);
    this.#put(Code.Utf16);
    this.#length(length);
    writeUtf16(this.#bytes, text, this.#at);
    this.#at += 2 * length;
  }

  #object(value: object, depth: number): void {
    const before = this.#placeOf(value);
    if (before >= 0) {
      this.#put(Code.Reference);
      this.#length(before);
      return;
    }
    const kind = kindOf(value);
    switch (kind) {
      case Kind.Plain:
        if (depth >= mostDepth) this.#begin(value, Code.Object, kind);
        else this.#record(value, depth);
        break;
      case Kind.Array:
        if (depth >= mostDepth) this.#begin(value, Code.Array, kind);
        else this.#array(value as unknown[], depth);
        break;
      case Kind.Map:
        if (depth >= mostDepth) this.#begin(value, Code.Map, kind);
        else this.#map(value, depth);
        break;
      case Kind.Set:
        if (depth >= mostDepth) this.#begin(value, Code.Set, kind);
        else this.#set(value, depth);
        break;
      case Kind.Error:
      case Kind.DOMException:
        if (depth >= mostDepth) {
          this.#put(Code.Later);
          this.#later.push([value, kind, this.#errorTexts(value as Error, kind)]);
        } else {
          this.#errorContents(value as Error, this.#errorTexts(value as Error, kind), depth);
        }
        break;
      case Kind.Date:
        this.#put(Code.Date);
        this.#float(timeOf(value));
        break;
      case Kind.RegExp:
        this.#put(Code.RegExp);
        this.#text(sourceOf(value));
        this.#text(flagsOf(value));
        break;
      case Kind.Boxed:
        this.#put(Code.Boxed);
        this.#value(primitiveOf(value), depth);
        break;
      case Kind.ArrayBuffer:
        this.#put(Code.Buffer);
        this.#length(this.#piece(value, value as ArrayBuffer, 0, -1));
        break;
      case Kind.View:
        this.#viewOn(value as ArrayBufferView);
        break;
      case Kind.Shared:
        this.#put(Code.Shared);
        this.#text(handleText(value));
        this.#shared = [...this.#shared, value];
        break;
      case Kind.Refused:
        throw this.#refusal(value);
    }
  }

  #begin(value: object, code: Code, kind: Kind): void {
    this.#put(Code.Later);
    this.#put(code);
    this.#later.push([value, kind]);
  }

  /** Writes the contents of an object whose beginning has been written. */
  #contents(value: object, kind: Kind, shape?: ErrorShape): void {
    if (kind === Kind.Plain) this.#record(value, 0);
    else if (kind === Kind.Array) this.#array(value as unknown[], 0);
    else if (kind === Kind.Map) this.#map(value, 0);
    else if (kind === Kind.Set) this.#set(value, 0);
    else if (shape !== undefined) this.#errorContents(value as Error, shape, 0);
  }

  #record(value: object, depth: number): void {
    const keys = Object.keys(value);
    const before = this.#keys[depth];
    this.#need(16);
    if (before !== undefined && areSame(before, keys)) {
      this.#put(Code.SameObject);
    } else {
      this.#put(Code.Object);
      this.#length(keys.length);
      for (const key of keys) this.#text(key);
      this.#keys[depth] = keys;
    }
    for (const key of keys) {
      const each = (value as Fields)[key];
      // A getter may have deleted it.
      if (each === undefined && !Object.hasOwn(value, key)) {
        this.#need(1);
        this.#put(Code.Hole);
      } else {
        this.#value(each, depth + 1);
      }
    }
  }

  #array(value: readonly unknown[], depth: number): void {
    const { length } = value;
    const keys = Object.keys(value);
    this.#need(16);
    if (keys.length === length && (length === 0 || keys[length - 1] === String(length - 1))) {
      this.#put(Code.Array);
      this.#length(length);
      for (let i = 0; i < length; i++) this.#value(value[i], depth + 1);
      return;
    }
    this.#put(Code.SparseArray);
    this.#length(length);
    this.#length(keys.length);
    for (const key of keys) {
      this.#need(16);
      const index = Number(key);
      if (index < mostLength && String(index >>> 0) === key) this.#number(index);
      else this.#text(key);
      this.#value((value as unknown as Fields)[key], depth + 1);
    }
  }

  #map(value: object, depth: number): void {
    const entries = entriesOf(value);
    this.#need(16);
    this.#put(Code.Map);
    this.#length(entries.length / 2);
    for (const each of entries) this.#value(each, depth + 1);
  }

  #set(value: object, depth: number): void {
    const members = membersOf(value);
    this.#need(16);
    this.#put(Code.Set);
    this.#length(members.length);
    for (const each of members) this.#value(each, depth + 1);
  }

  #errorTexts(error: Error, kind: Kind): ErrorShape {
    const { stack, name } = error as { stack?: unknown; name?: unknown };
    const message = messageOf(error, kind);
    const isNamed = kind === Kind.DOMException || errorIndex.has(name);
    const keys = moreKeys(error, isNamed);
    const parts =
      (message === undefined ? 0 : ErrorPart.Message) |
      (typeof stack === 'string' ? ErrorPart.Stack : 0) |
      (Object.hasOwn(error, 'cause') ? ErrorPart.Cause : 0) |
      (hasErrors(error) ? ErrorPart.Errors : 0) |
      (keys.length > 0 ? ErrorPart.More : 0);
    this.#put(Code.Error);
    this.#put(kind === Kind.DOMException ? domException : (errorIndex.get(name) ?? 0));
    this.#put(parts);
    if (kind === Kind.DOMException) this.#text(String(name));
    if (message !== undefined) this.#text(message);
    if (typeof stack === 'string') this.#text(stack);
    return { parts, keys };
  }

  #errorContents(error: Error, { parts, keys }: ErrorShape, depth: number): void {
    if ((parts & ErrorPart.Cause) !== 0) this.#value(error.cause, depth + 1);
    if ((parts & ErrorPart.Errors) !== 0) this.#value((error as AggregateError).errors, depth + 1);
    if (keys.length === 0) return;
    this.#need(16);
    this.#length(keys.length);
    for (const key of keys) {
      this.#text(key);
      this.#value((error as unknown as Fields)[key], depth + 1);
    }
  }

  #viewOn(view: ArrayBufferView): void {
    const name = typedArrayName(view);
    const index = viewIndex.get(name ?? 'DataView');
    if (index === undefined) throw this.#refusal(view);
    const { buffer, byteOffset, byteLength } = extentOf(view);
    const canGrow = (buffer as Partial<Resizable>).resizable === true;
    const tracks = canGrow && isLengthTracking(view);
    if (tracks === undefined) throw this.#refusal(view);
    const piece =
      isBuffer(view) && !canGrow
        ? this.#piece(view, buffer, byteOffset, byteLength)
        : this.#piece(view, buffer, 0, -1);
    this.#put(Code.View);
    this.#put(index);
    this.#length(piece);
    this.#length(byteOffset);
    this.#length(tracks ? 0 : 1 + (name === undefined ? byteLength : lengthOf(view)));
  }

  /**
   * The index of the piece that contains these bytes of a buffer, for a view or for the buffer itself. A
   * length of -1 means all bytes.
   */
  #piece(part: object, buffer: ArrayBufferLike, from: number, length: number): number {
    const index = (this.#pieces ??= new Pieces()).indexOf(buffer, from, length);
    if (index < 0) throw this.#refusal(part, ownBuffer);
    this.#need(48);
    return index;
  }

  /** The position of an object among the earlier objects. Returns -1 if it is new; then it is added. */
  #placeOf(value: object): number {
    const objects = this.#objects;
    if (this.#places === undefined) {
      for (let i = 0; i < objects.length; i++) if (objects[i] === value) return i;
      if (objects.length === fewObjects) {
        this.#places = new Map(objects.map((each, i) => [each, i]));
        this.#places.set(value, fewObjects);
      }
    } else {
      const before = this.#places.get(value);
      if (before !== undefined) return before;
      this.#places.set(value, objects.length);
    }
    objects.push(value);
    return -1;
  }

  #length(length: number): void {
    let rest = length;
    while (rest >= 0x80) {
      this.#put((rest % 0x80) + 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.#put(rest);
  }

  /** Writes a byte. There must be room for it. */
  #put(byte: number): void {
    this.#bytes[this.#at++] = byte;
  }

  #need(bytes: number): void {
    if (this.#at + bytes > this.#bytes.length) this.#grow(bytes);
  }

  #grow(bytes: number): void {
    const written = this.#bytes.subarray(this.#start, this.#at);
    const size = written.length + bytes;
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(Math.ceil(1.5 * size), scratchBytes));
    this.#bytes.set(written);
    this.#view = viewOf(this.#bytes);
    this.#at = written.length;
    this.#start = 0;
  }

  #refusal(part: unknown, expected?: string): TypeError {
    return refusal(this.#what, this.#root, part, expected);
  }
}

const ownBuffer = 'an ArrayBuffer that is not detached or shared (slice() copies a shared one)';

const wholeBuffer = 'a value whose getters do not resize its ArrayBuffers';

let idle: Packer | undefined;

/**
 * Packs a value.
 *
 * @param what - how messages describe the value.
 * @throws TypeError `ERR_INVALID_ARG_TYPE` something in the value cannot be cloned. If a getter of the value
 * throws, its error is thrown.
 */
export function pack(what: string, value: unknown): Packed {
  // A getter may pack another value in the meantime.
  const packer = idle ?? new Packer();
  idle = undefined;
  try {
    return packer.pack(what, value);
  } finally {
    idle = packer;
  }
}

function viewOf({ buffer, byteOffset, length }: Buffer): DataView {
  return new DataView(buffer, byteOffset, length);
}

function areSame(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function messageOf(error: Error, kind: Kind): string | undefined {
  if (kind === Kind.DOMException) return error.message;
  const own = Object.getOwnPropertyDescriptor(error, 'message');
  // As in the structured clone algorithm, a getter does not count as a message.
  return own === undefined || !('value' in own) ? undefined : String(own.value);
}

/** Whether the error has an own property `errors` like that of an AggregateError, which is not enumerable. */
function hasErrors(error: Error): boolean {
  return Object.getOwnPropertyDescriptor(error, 'errors')?.enumerable === false;
}

/**
 * The keys of the own properties of an error that are not stored as one of its other parts.
 *
 * @param isNamed - whether the class of the error determines its name.
 */
function moreKeys(error: Error, isNamed: boolean): string[] {
  return Object.keys(error).filter(
    (key) =>
      key !== 'message' &&
      key !== 'stack' &&
      key !== 'cause' &&
      // The class determines the name.
      !(key === 'name' && isNamed),
  );
}

interface Resizable {
  readonly resizable?: boolean;
  readonly maxByteLength: number;
  resize(bytes: number): void;
}

/**
 * Whether a view always ends where its resizable buffer ends. Undefined if the view is beyond the end of the
 * buffer.
 */
function isLengthTracking(view: ArrayBufferView): boolean | undefined {
  let copy: ArrayBufferView;
  try {
    // The only way to find out is to resize a buffer, so a copy is used.
    copy = structuredClone(view);
  } catch {
    return undefined;
  }
  const { byteLength } = copy;
  const resized = copy.buffer as ArrayBufferLike & Resizable;
  const { maxByteLength } = resized;
  if (maxByteLength >= resized.byteLength + 8) {
    resized.resize(maxByteLength);
    return copy.byteLength !== byteLength;
  }
  const { byteOffset } = copy;
  const { BYTES_PER_ELEMENT: one = 1 } = copy as { BYTES_PER_ELEMENT?: number };
  if (byteLength > one) {
    resized.resize(byteOffset + one);
    return copy.byteLength > 0;
  }
  resized.resize(byteOffset);
  // A view that is beyond the end of its buffer has no offset any more.
  return byteOffset > 0 && copy.byteOffset === byteOffset;
}
