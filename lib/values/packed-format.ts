/**
 * The bytes of a packed value: what is more than a number, a word, a string or plain bytes. They are the
 * same in every runtime, and stand by themselves.
 *
 * The first byte is the version, the second its complement, by which a version that is not known is told
 * from bytes that were overwritten. The value follows: a {@link Code}, and what belongs to it. Lengths,
 * counts and indices are unsigned LEB128, numbers little-endian. Whoever gives a code, or a class, a
 * meaning that it does not have yet gives values that use it the next version, and others this one.
 *
 * - An object's place in the order in which objects begin is what {@link Code.Reference} means.
 *   ArrayBuffers have an order of their own, that of the table.
 * - An object that has the same keys, in the same order, as the last one at its depth leaves them out.
 * - What lies deeper than {@link mostDepth} is begun at its place, and its contents follow behind all else,
 *   first in, first out. So neither side needs more stack for a deeper value.
 *
 * With ArrayBuffers, the version byte has {@link hasBuffers} set, and behind the value come their contents,
 * each from a multiple of 8 on; then the table, {@link tableFloats} float64 for each; then, as two
 * words, the length of the value before the contents, and how many there are. So each is copied once,
 * from where it is to where it goes.
 */
export const version = 1;

export const hasBuffers = 0x80;

/**
 * Of an ArrayBuffer: its bytes; at which offset of the original they began; how far it grows, or -1.
 * One that is a part of an earlier one has no bytes, and {@link mergedInto} less the index of that.
 */
export const tableFloats = 3;

export const mergedInto = -2;

export const trailerBytes = 8;

/** What comes before the value. */
export const headBytes = 2;

export const mostDepth = 64;

/** Texts up to so many characters have their length in the code. */
export const shortText = 63;

export const enum Code {
  // 0 to 0x7f: the number itself.
  ShortText = 0x80,
  /** To 0xbf: Latin-1, of so many characters. */
  Undefined = 0xc0,
  Null = 0xc1,
  False = 0xc2,
  True = 0xc3,
  /** In the place of a property or element that is not there. */
  Hole = 0xc4,
  Int16 = 0xc5,
  Int32 = 0xc6,
  Float64 = 0xc7,
  BigInt64 = 0xc8,
  /** Whether it is negative; how many bytes; the magnitude, the highest byte first. */
  BigInt = 0xc9,
  /** How many characters; a byte each. */
  Latin1 = 0xca,
  /** How many characters; two bytes each. */
  Utf16 = 0xcb,
  Reference = 0xcc,
  /** How many keys; the keys; the values. */
  Object = 0xcd,
  /** The values. */
  SameObject = 0xce,
  /** How many; the elements. */
  Array = 0xcf,
  /** The length; how many properties; key and value of each. An index is a number. */
  SparseArray = 0xd0,
  Map = 0xd1,
  Set = 0xd2,
  Date = 0xd3,
  /** Source and flags. */
  RegExp = 0xd4,
  /** An object of a boolean, number, bigint or string. */
  Boxed = 0xd5,
  /** Which class; which {@link ErrorPart}s it has; these in their order. */
  Error = 0xd6,
  /** Index in the table. */
  Buffer = 0xd7,
  /** Index of the class; of the buffer; offset; 1 + length, or 0: as long as the buffer. */
  View = 0xd8,
  /** The handle of a shared object, as JSON. */
  Shared = 0xd9,
  /** Contents follow later: the code of an object, an array, a map or a set; or of an error, with its texts. */
  Later = 0xda,
}

/** What a byte says; any reads as one, if as none that there is. */
export const codeOf: (byte: number) => Code = (byte) => byte & 0xff;

export const enum ErrorPart {
  // Texts.
  Message = 1,
  Stack = 2,
  // Contents.
  Cause = 4,
  Errors = 8,
  /** Other properties: how many; key and value of each. */
  More = 16,
}

/** Errors, by what the format says of their class. */
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

/** A DOMException, whose name comes before its message. */
export const domException = 8;

/** Views, by what the format says of their class. */
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

/** Where something of so many bytes ends that others follow at a multiple of 8. */
export const padded = (bytes: number): number => Math.ceil(bytes / 8) * 8;
