/**
 * The bytes of a packed value. Any value is packed, except a number, a string, plain bytes, a handle of a
 * shared object, true, false, null and undefined. The bytes are the same in every runtime, and do not depend
 * on anything else.
 *
 * The first byte is the version. The second is its complement, which distinguishes an unknown version from
 * bytes that were overwritten. The value follows: a {@link Code}, and what belongs to it. Lengths, counts and
 * indices are unsigned LEB128. Numbers are little-endian. If a change of the library gives a code or a class
 * a new meaning, values that use it get the next version, and all others keep this one.
 *
 * - {@link Code.Reference} refers to an object by its position in the order in which objects begin.
 * ArrayBuffers have an order of their own: that of the table.
 * - An object that has the same keys in the same order as the last one at its depth omits the keys.
 * - An object that is deeper than {@link mostDepth} begins at its place, but its contents follow after
 * everything else, first in, first out. So deeper values need no more stack, neither for the writer nor for
 * the reader.
 *
 * If the value has ArrayBuffers, the version byte has {@link hasBuffers} set. The contents of the buffers
 * follow the value, each at a multiple of 8. Then comes the table, with {@link tableFloats} float64 for each
 * buffer. Then come two words: the length of the value before the contents, and the number of buffers. So
 * each buffer is copied only once, directly to its destination.
 */
export const version = 1;

export const hasBuffers = 0x80;

/**
 * For each ArrayBuffer: its number of bytes; the offset in the original at which they began; the maximum size
 * that it can grow to, or -1. If it is a part of an earlier buffer, it has no bytes, and the third number is
 * {@link mergedInto} minus the index of that buffer.
 */
export const tableFloats = 3;

export const mergedInto = -2;

export const trailerBytes = 8;

/** The number of bytes before the value. */
export const headBytes = 2;

export const mostDepth = 64;

/** Texts up to this many characters have their length in the code. */
export const shortText = 63;

/** The first byte of each value. The comment of a code says what follows it. */
export const enum Code {
  // 0 to 0x7f: the number itself.
  /** Up to 0xbf: Latin-1 text. The code contains the number of characters. */
  ShortText = 0x80,
  Undefined = 0xc0,
  Null = 0xc1,
  False = 0xc2,
  True = 0xc3,
  /** Stands for a property or element that does not exist. */
  Hole = 0xc4,
  Int16 = 0xc5,
  Int32 = 0xc6,
  Float64 = 0xc7,
  BigInt64 = 0xc8,
  /** Whether the number is negative; the number of bytes; the magnitude, highest byte first. */
  BigInt = 0xc9,
  /** The number of characters; then one byte each. */
  Latin1 = 0xca,
  /** The number of characters; then two bytes each. */
  Utf16 = 0xcb,
  Reference = 0xcc,
  /** The number of keys; the keys; the values. */
  Object = 0xcd,
  /** The values. */
  SameObject = 0xce,
  /** The number of elements; the elements. */
  Array = 0xcf,
  /** The length; the number of properties; the key and value of each. An index is stored as a number. */
  SparseArray = 0xd0,
  Map = 0xd1,
  Set = 0xd2,
  Date = 0xd3,
  /** The source and the flags. */
  RegExp = 0xd4,
  /** An object that wraps a boolean, number, bigint or string. */
  Boxed = 0xd5,
  /** The class; the {@link ErrorPart}s that it has; these parts in their order. */
  Error = 0xd6,
  /** The index in the table. */
  Buffer = 0xd7,
  /**
   * The index of the class; the index of the buffer; the offset; 1 + the length, or 0 for a view that is as
   * long as the buffer.
   */
  View = 0xd8,
  /** The handle of a shared object, as JSON. */
  Shared = 0xd9,
  /**
   * The contents follow later. The code of an object, an array, a map or a set; or that of an error, with its
   * texts.
   */
  Later = 0xda,
}

/** The code of a byte. Any byte is accepted, even if there is no such code. */
export const codeOf: (byte: number) => Code = (byte) => byte & 0xff;

export const enum ErrorPart {
  // Texts
  Message = 1,
  Stack = 2,
  // Contents
  Cause = 4,
  Errors = 8,
  /** Other properties: their number; the key and value of each. */
  More = 16,
}

/** Error classes. The format stores the index in this list. */
export const errorClasses = [
  'Error',
  'EvalError',
  'RangeError',
  'ReferenceError',
  'SyntaxError',
  'TypeError',
  'URIError',
  'AggregateError',
] as const;

/** The index that stands for DOMException. For this class, the name of the error comes before its message. */
export const domException = 8;

/** View classes. The format stores the index in this list. */
export const viewClasses = [
  'DataView',
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
  'Float16Array',
] as const;

/** Rounds up a number of bytes to a multiple of 8, at which the next item begins. */
export const padded = (bytes: number): number => Math.ceil(bytes / 8) * 8;
