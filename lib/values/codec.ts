import { extentOf, isUint8Array, lengthOf } from '../common/element-types';
import { invalidType } from '../common/errors';
import { isLength, makeBuffer } from './array-buffers';
import { isLatin1, readLatin1, readUtf16, writeLatin1, writeUtf16 } from './buffer-text';
import { Kind, kindOf, refusal } from './cloneable';
import { CorruptError, MismatchError } from './corrupt-error';
import { SharedMemoryError } from '../common/errors';
import { attachShared, handleText, parseHandle } from './handles';
import { byteLengthOf, isArrayBuffer, isBuffer } from './intrinsics';
import { readOutOfBand, type OutOfBandStore, type StoredApart } from './out-of-band';
import { pack, type Packed } from './packer';
import type { Pieces } from './packed-pieces';
import {
  hasBuffers,
  headBytes,
  mergedInto,
  padded,
  tableFloats,
  trailerBytes,
  version,
} from './packed-format';
import { forgetUnpacked, unpack } from './unpacker';

/** How a value is stored, in 4 bits. */
export const enum Tag {
  /** There is no value yet: a thread is computing it. */
  Pending = 0,
  Undefined = 1,
  Null = 2,
  False = 3,
  True = 4,
  /** 8 bytes, float64. */
  Number = 5,
  /** A string, one byte per character. */
  Latin1 = 6,
  /** A string, two bytes per character. */
  Utf16 = 7,
  /** Anything else that can be cloned. packed-format.ts describes the format. */
  Packed = 8,
  /** In a shared object of its own: the size of the object (float64), and its handle, as JSON in ASCII. */
  OutOfBand = 9,
  /** One of the library's named objects: its handle, as JSON in ASCII. */
  Handle = 10,
  /** A Uint8Array. */
  Bytes = 11,
}

/** The tag in the lowest 4 bits of a word. Any number is accepted, even if there is no such tag. */
export const tagIn: (word: number) => Tag = (word) => word & 15;

/** The bytes before the handle of a value that is stored apart. */
const apartHeadBytes = 8;

/** Up to this many bytes are copied in a loop, because that is faster than a call. */
const fewBytes = 64;

/** The buffer that a value is unpacked from is kept for the next value if it is no larger than this. */
const largestScratchBytes = 1 << 16;

/** The views of one memory through which values are read and written. */
export interface Views {
  readonly ints: Int32Array;
  readonly bytes: Uint8Array;
  readonly shorts: Uint16Array;
  readonly floats: Float64Array;
  readonly buffer: Buffer;
}

const nothing = new Uint8Array(0);

/** The maximum size of a value at its destination, and the error for a larger one. */
export interface SizeLimit {
  readonly mostValueBytes: number;
  /** For values that are stored apart. Undefined if none is. */
  readonly outOfBand?: OutOfBandStore | undefined;
  tooLarge(size: number): Error;
}

/**
 * A value on its way into shared memory. The encoder is reused for each value, so that no new object is
 * needed. Its result is valid until the next value is encoded.
 */
export class Encoder {
  tag: Tag = Tag.Undefined;
  /** The value, if it is a number. */
  number = 0;
  /** The number of bytes that the value takes, beginning at a multiple of 8. */
  size = 0;
  #text = '';
  #packed: Uint8Array = nothing;
  /** The ArrayBuffers that follow the packed bytes. */
  #pieces: Pieces | undefined;
  #apart: StoredApart | undefined;
  /** See {@link Encoder.#anew}. */
  #renewed: Encoder | undefined;
  #serial = 0;
  readonly #limit: SizeLimit | undefined;

  /** @param limit - undefined if values are only compared with stored ones. */
  constructor(limit?: SizeLimit) {
    this.#limit = limit;
  }

  /**
   * @param what - how messages describe the value.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` the value cannot be cloned; SharedMemoryError `ERR_CAPACITY` it
   * is larger than a value may be.
   */
  encode(what: string, value: unknown): this {
    switch (typeof value) {
      case 'number':
        this.number = value;
        return this.#is(Tag.Number, 8);
      case 'string':
        this.#text = value;
        return isLatin1(value)
          ? this.#isLong(Tag.Latin1, value.length)
          : this.#isLong(Tag.Utf16, 2 * value.length);
      case 'boolean':
        return this.#is(value ? Tag.True : Tag.False, 0);
      case 'undefined':
        return this.#is(Tag.Undefined, 0);
      case 'function':
      case 'symbol':
        throw invalidType(what, 'a value that can be cloned', value);
      case 'bigint':
        return this.#isPacked(pack(what, value));
      default:
        return value === null ? this.#is(Tag.Null, 0) : this.#encodeObject(what, value as object);
    }
  }

  /** Writes the value to memory that nothing refers to yet. */
  write({ bytes, floats, buffer }: Views, at: number): void {
    const text = this.#text;
    switch (this.tag) {
      case Tag.Number:
        floats[at / 8] = this.number;
        break;
      case Tag.Pending:
        floats[at / 8] = this.number;
        floats[at / 8 + 1] = this.#serial;
        floats[at / 8 + 2] = floats[at / 8 + 3] = 0;
        break;
      case Tag.Latin1:
      case Tag.Handle:
        writeLatin1(buffer, text, at);
        break;
      case Tag.OutOfBand:
        this.#writeApart(floats, buffer, at);
        break;
      case Tag.Utf16:
        writeUtf16(buffer, text, at);
        break;
      case Tag.Packed:
      case Tag.Bytes:
        bytes.set(this.#packed, at);
        this.#pieces?.forEach((piece, offset) => {
          bytes.set(piece, at + offset);
        });
        break;
      default:
    }
  }

  /** How many bytes the value takes in an object of its own. */
  get apartBytes(): number {
    return this.tag === Tag.OutOfBand ? (this.#apart?.bytes ?? 0) : 0;
  }

  /**
   * Whether the stored value is equal to this one in its stored form.
   *
   * @throws GoneError
   */
  matches(views: Views, tag: Tag, at: number, size: number): boolean {
    if (tag === this.tag && size === this.size && this.#matchesBytes(views, at)) return true;
    // The stored form of a part of an ArrayBuffer says where in it the part was. That is no difference.
    return this.#mayBeLike(views, tag, at, size) && this.#isLike(views, tag, at, size);
  }

  /** Whether the buffers of the stored value have as many bytes as those of this one. */
  #mayBeLike(views: Views, tag: Tag, at: number, size: number): boolean {
    if (tag === Tag.OutOfBand) {
      if (this.tag !== Tag.Packed && this.tag !== Tag.Bytes) return false;
      const content = this.#pieces?.contentBytes ?? this.size;
      return (apartAt(views, at, size)?.bytes ?? 0) >= content;
    }
    if (tag !== Tag.Packed || this.tag !== Tag.Packed || this.#pieces === undefined) return false;
    const lengths = bufferLengths(views, at, size);
    const mine = this.#pieces.lengths;
    return lengths.length === mine.length && mine.every((length, i) => length === lengths[i]);
  }

  #matchesBytes({ bytes, shorts, floats }: Views, at: number): boolean {
    const { tag, size } = this;
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
      case Tag.Bytes: {
        let isSame = areThere(bytes, at, this.#packed, lengthOf(this.#packed));
        this.#pieces?.forEach((piece, offset) => {
          isSame &&= areThere(bytes, at + offset, piece, piece.length);
        });
        return isSame;
      }
      default:
        return true;
    }
  }

  /** Whether the stored value has the same form as this one when both were read and stored anew. */
  #isLike(views: Views, tag: Tag, at: number, size: number): boolean {
    let there: unknown;
    try {
      there = finish(readApart(views, tag, at, size));
    } catch (error) {
      const isUnreadable =
        error instanceof CorruptError ||
        error instanceof MismatchError ||
        error instanceof SharedMemoryError;
      if (!isUnreadable) throw error;
      return false;
    }
    return new Encoder().encode('value', there).#equals((this.#renewed ??= this.#anew()));
  }

  /** What this value becomes when it is stored, read and stored again. */
  #anew(): Encoder {
    if (this.tag !== Tag.Packed || this.#pieces === undefined) return this;
    const { buffers, bases } = this.#pieces.copies();
    const packed = Buffer.from(this.#packed);
    return new Encoder().encode('value', unpack(packed, headBytes, packed.length, buffers, bases));
  }

  #equals(other: Encoder): boolean {
    const mine = this.#allBytes();
    const others = other.#allBytes();
    return (
      this.tag === other.tag &&
      this.size === other.size &&
      mine.length === others.length &&
      mine.every((each, i) => areSame(each, others[i] ?? nothing))
    );
  }

  #allBytes(): Uint8Array[] {
    const all = [this.#packed];
    this.#pieces?.forEach((piece) => all.push(piece));
    return all;
  }

  /**
   * Encodes the placeholder of a value that is being computed. It says which thread computes the value, and
   * the number of the computation within that thread. Its label is empty: the computation does not wait for
   * another one yet (see `ValueWait` of the dict).
   */
  promise(token: number, serial: number): this {
    this.number = token;
    this.#serial = serial;
    return this.#is(Tag.Pending, 32);
  }

  /**
   * Makes a private copy of the encoded bytes, so that the original bytes of the value may change afterwards.
   * The copy is valid until the next value is encoded.
   */
  keep(): this {
    // Packed bytes are private already. (Not slice(): that of a Buffer copies nothing.)
    if (this.tag === Tag.Bytes) this.#packed = new Uint8Array(this.#packed);
    this.#pieces?.keep();
    return this;
  }

  /**
   * A value that is stored apart outlives the changes of the structure, until it is written or {@link forget} is
   * called.
   */
  hold(): this {
    if (this.tag === Tag.OutOfBand && this.#apart) this.#limit?.outOfBand?.hold(this.#apart);
    return this;
  }

  /** The value will not be written any more. */
  forget(): void {
    if (this.tag === Tag.OutOfBand && this.#apart) this.#limit?.outOfBand?.forget(this.#apart);
  }

  #encodeObject(what: string, value: object): this {
    switch (kindOf(value)) {
      case Kind.Refused:
        throw refusal(what, value, value);
      case Kind.Shared:
        this.#text = handleText(value);
        return this.#is(Tag.Handle, this.#text.length);
      case Kind.View:
        if (isUint8Array(value) && areAlone(value)) {
          if (lengthOf(value) >= this.#mostInBand) return this.#isApart(pack(what, value));
          this.#packed = value;
          this.#pieces = undefined;
          return this.#isLong(Tag.Bytes, lengthOf(value));
        }
    }
    return this.#isPacked(pack(what, value));
  }

  #isPacked(packed: Packed): this {
    const { bytes, pieces } = packed;
    if (pieces !== undefined && pieces.contentBytes >= this.#mostInBand) {
      return this.#isApart(packed);
    }
    this.#packed = bytes;
    this.#pieces = pieces;
    return this.#isLong(Tag.Packed, pieces?.size ?? bytes.length);
  }

  /** From how many bytes in buffers on a value is stored apart. */
  get #mostInBand(): number {
    return this.#limit?.outOfBand?.from ?? Infinity;
  }

  #isApart(packed: Packed): this {
    this.#pieces = undefined;
    this.#packed = nothing;
    this.#apart = this.#limit?.outOfBand?.store(packed);
    return this.#isLong(Tag.OutOfBand, apartHeadBytes + (this.#apart?.text.length ?? 0));
  }

  #writeApart(floats: Float64Array, buffer: Buffer, at: number): void {
    const apart = this.#apart;
    if (apart === undefined) return;
    floats[at / 8] = apart.bytes;
    writeLatin1(buffer, apart.text, at + apartHeadBytes);
    this.#limit?.outOfBand?.written(apart);
  }

  /** Like `#is`, but also checks the size, for values that may have any size. */
  #isLong(tag: Tag, size: number): this {
    const limit = this.#limit;
    if (limit !== undefined && size > limit.mostValueBytes) throw limit.tooLarge(size);
    return this.#is(tag, size);
  }

  #is(tag: Tag, size: number): this {
    this.tag = tag;
    this.size = size;
    this.#renewed = undefined;
    return this;
  }
}

/** Whether the stored form of a Uint8Array consists only of its bytes. */
function areAlone(bytes: Uint8Array): boolean {
  const { buffer, byteLength: length } = extentOf(bytes);
  if (!isArrayBuffer(buffer)) return false;
  if (isBuffer(bytes)) return length > 0 || byteLengthOf(buffer) > 0;
  return (
    length > 0 &&
    length === byteLengthOf(buffer) &&
    (buffer as { resizable?: boolean }).resizable !== true
  );
}

function areThere(bytes: Uint8Array, at: number, wanted: Uint8Array, length: number): boolean {
  for (let i = 0; i < length; i++) if (bytes[at + i] !== wanted[i]) return false;
  return true;
}

function areSame(some: Uint8Array, others: Uint8Array): boolean {
  return Buffer.compare(some, others) === 0;
}

const noBuffers: ArrayBuffer[] = [];
const noBases: number[] = [];

/**
 * The intermediate result of reading a value that must be unpacked. The bytes are copied first, and unpacked
 * later, when it is known that nothing has changed in the meantime. The unpacker must not see a mix of two
 * values.
 */
class Copy {
  bytes = Buffer.alloc(0);
  size = 0;
  tag = Tag.Packed;
  /**
   * The ArrayBuffers of the value. Their contents are not copied again: these are the buffers that the
   * finished value will contain. For each, `bases` has the offset in the original buffer at which it begins.
   */
  buffers = noBuffers;
  bases = noBases;
  /** Whether it is not a valid value for any version. */
  isNonsense = false;
}

const copy = new Copy();

/**
 * Reads a value from memory that may be changing.
 *
 * @param at - the offset in bytes; a multiple of 8.
 * @returns an intermediate result, from which {@link finish} makes the value. {@link finish} must be called
 * before anything else is read.
 */
export function read(views: Views, tag: Tag, at: number, size: number): unknown {
  return readInto(copy, views, tag, at, size);
}

/** Like {@link read}, but other values may be read before {@link finish} is called for the result. */
export function readApart(views: Views, tag: Tag, at: number, size: number): unknown {
  return tag >= Tag.Packed
    ? readInto(new Copy(), views, tag, at, size)
    : read(views, tag, at, size);
}

function readInto(copy: Copy, views: Views, tag: Tag, at: number, size: number): unknown {
  switch (tag) {
    case Tag.Number:
      return views.floats[at / 8];
    case Tag.Pending:
    case Tag.Undefined:
      return undefined;
    case Tag.Null:
      return null;
    case Tag.True:
      return true;
    case Tag.False:
      return false;
    case Tag.Latin1:
      return readLatin1(views.buffer, at, size);
    case Tag.Utf16:
      return readUtf16(views.buffer, at, size >>> 1);
    case Tag.Bytes:
      return views.bytes.slice(at, at + size);
    case Tag.Packed:
      copy.tag = tag;
      copyPacked(copy, views, at, size);
      return copy;
    case Tag.Handle:
    case Tag.OutOfBand:
      copy.tag = tag;
      copyOut(copy, views, at, size);
      return copy;
    default:
      // Nothing is known about its bytes.
      copy.tag = tag;
      return copy;
  }
}

/** Whether the intermediate result is one of a value that is stored apart. */
export function isApart(read: unknown): boolean {
  return read instanceof Copy && read.tag === Tag.OutOfBand;
}

/**
 * What a record says about a value that is stored apart. Undefined if the bytes make no sense.
 *
 * @param at - the offset in bytes; a multiple of 8.
 */
export function apartAt(views: Views, at: number, size: number): StoredApart | undefined {
  if (size <= apartHeadBytes) return undefined;
  const bytes = views.floats[at / 8] ?? NaN;
  const text = readLatin1(views.buffer, at + apartHeadBytes, size - apartHeadBytes);
  return isLength(bytes) ? { text, bytes } : undefined;
}

/** The result of reading something that is not a value. */
export const noValue: unknown = new Copy();

/**
 * Makes the intermediate result of {@link read} independent of later reads, so that {@link finish} can be
 * called for it again. For use after {@link finish} has thrown.
 */
export function apart(read: unknown): unknown {
  if (!(read instanceof Copy)) return read;
  const own = Object.assign(new Copy(), read);
  read.bytes = Buffer.alloc(0);
  return own;
}

/**
 * Makes the value from the intermediate result of reading it.
 *
 * @throws CorruptError the bytes are not a valid value; MismatchError they may be one for another version or
 * runtime; what attaching to a shared object throws.
 */
export function finish(read: unknown): unknown {
  if (!(read instanceof Copy)) return read;
  const value = unpackCopy(read);
  // The buffers are kept after an error, because this function may be called for the same result again.
  read.buffers = noBuffers;
  read.bases = noBases;
  if (read.bytes.length > largestScratchBytes) {
    read.bytes = Buffer.alloc(0);
    forgetUnpacked();
  }
  return value;
}

function unpackCopy(copy: Copy): unknown {
  const { bytes, size, tag, buffers, bases } = copy;
  if (tag === Tag.Handle) return attachShared(parseHandle(readLatin1(bytes, 0, size)));
  if (tag === Tag.OutOfBand) {
    return readOutOfBand(readLatin1(bytes, apartHeadBytes, Math.max(size - apartHeadBytes, 0)));
  }
  if (tag !== Tag.Packed) {
    throw new MismatchError(
      `a value in it is stored in form ${tag}, which this version does not know`,
    );
  }
  const head = bytes[0] ?? 0;
  if (copy.isNonsense || size < headBytes || bytes[1] !== (~head & 0xff)) {
    throw new CorruptError('a value in it has invalid bytes');
  }
  const found = head & ~hasBuffers;
  if (found !== version) {
    throw new MismatchError(
      `a value in it was packed by another version of shmkit, in format ${found}; this version reads ${version}`,
    );
  }
  return unpack(bytes, headBytes, size, buffers, bases);
}

/** The lengths of the ArrayBuffers of a packed value. Empty if it has none, or makes no sense. */
function bufferLengths({ ints, floats, bytes }: Views, at: number, size: number): number[] {
  if (size < headBytes || size % 8 !== 0 || bytes[at] !== (version | hasBuffers)) return [];
  const count = ints[(at + size - trailerBytes) / 4 + 1] ?? 0;
  const tableAt = size - trailerBytes - 8 * tableFloats * count;
  if (count < 0 || tableAt < 0) return [];
  return Array.from({ length: count }, (_, i) => floats[(at + tableAt) / 8 + tableFloats * i] ?? 0);
}

/** Copies a packed value together with its ArrayBuffers, each of which is copied once. */
function copyPacked(copy: Copy, views: Views, at: number, size: number): void {
  copy.isNonsense = false;
  const { ints, floats, bytes } = views;
  // Nothing more is known about values of another version.
  if (size < headBytes || bytes[at] !== (version | hasBuffers)) {
    copyOut(copy, views, at, size);
    return;
  }
  const trailer = (at + size - trailerBytes) / 4;
  const mainBytes = ints[trailer] ?? 0;
  const count = ints[trailer + 1] ?? 0;
  const tableAt = size - trailerBytes - 8 * tableFloats * count;
  let from = padded(mainBytes);
  if (size % 8 !== 0 || mainBytes < 0 || count < 0 || from > tableAt) {
    copy.isNonsense = true;
    return;
  }
  copyOut(copy, views, at, mainBytes);
  copy.buffers = [];
  copy.bases = [];
  for (let i = 0; i < count; i++) {
    const entry = (at + tableAt) / 8 + tableFloats * i;
    const length = floats[entry] ?? 0;
    const base = floats[entry + 1] ?? 0;
    const most = floats[entry + 2] ?? 0;
    const whole = copy.buffers[mergedInto - most];
    if (whole) {
      copy.buffers.push(whole);
      copy.bases.push(copy.bases[mergedInto - most] ?? 0);
      continue;
    }
    const buffer = isLength(length) && from + length <= tableAt && makeBuffer(length, most);
    if (!buffer || !isLength(base)) {
      copy.isNonsense = true;
      return;
    }
    new Uint8Array(buffer).set(bytes.subarray(at + from, at + from + length));
    copy.buffers.push(buffer);
    copy.bases.push(base);
    from += padded(length);
  }
}

function copyOut(copy: Copy, { bytes }: Views, at: number, size: number): void {
  if (size > copy.bytes.length) {
    // Not from Node's pool, because others have views of that.
    copy.bytes = Buffer.from(new ArrayBuffer(Math.max(2 * copy.bytes.length, size, 256)));
  }
  const to = copy.bytes;
  copy.size = size;
  if (size > fewBytes) to.set(bytes.subarray(at, at + size));
  else for (let i = 0; i < size; i++) to[i] = bytes[at + i] ?? 0;
}
