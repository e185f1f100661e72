import { isUint8Array } from '../../common/element-types';
import { readLatin1, readUtf8 } from '../../values/buffer-text';
import { order } from '../core/ordered';

/**
 * The byte layout of a `ShareableList` in CPython 3.9 and later. Only this file knows where things are and how an
 * element is written. docs/memory-layout.md describes the layout.
 *
 * ```
 * 0          int64 N, the number of elements
 * 8          int64 off[0..N], relative to D, multiples of 8; off[0] = 0
 * D=8(N+2)   the slots: element i has the bytes from off[i] to off[i+1]
 * F=D+off[N] N × 8 bytes: a format of Python's struct module, in ASCII, NUL-padded
 * T=F+8N     N × int8: the code, by which Python knows how to read the element
 * ```
 *
 * Whatever follows is padding for Python. There may be a {@link Journal} there.
 *
 * The format and the code of an element give its type. Only these pairs are valid:
 *
 * - int      `q`         0   int64
 * - float    `d`         0   float64
 * - bool     `xxxxxxx?`  0   value in byte 7
 * - text     `%ds`       1   UTF-8, or 2: bytes; NUL-padded to the slot
 * - None     `xxxxxx?x`  3   zeros
 *
 * Invariants, by number:
 *
 * - E1  Slots never move or change their size. So they are checked once, and then kept in private memory.
 * - E2  A change within one type that fits into a word is one aligned store. It is seen as a whole or not at all.
 * - E3  Any other change first sets the code to 3, and sets it to its final value last. In between, the pair
 *       is not valid, or the element is None. So nobody takes the bytes of one type for those of another. On
 *       processors that may reorder stores and loads, they are kept in this order.
 */

/** What an element of a `ShareableList` can be. */
export type ShareableValue = string | number | bigint | boolean | null | Uint8Array;

const wordBytes = 8;

/** The format has 8 characters, and one of them is the `s`. So this is the greatest multiple of 8 with 7 digits. */
const mostSlotBytes = 9_999_992;

const emptyListBytes = 16;

/** The smallest size of an element: an offset, a slot, a format and a code. */
const leastElementBytes = 25;

const enum Code {
  Plain = 0,
  String = 1,
  Bytes = 2,
  None = 3,
}

/** The lower and upper halves of formats as little-endian numbers. */
const enum Half {
  Int = 0x71,
  Float = 0x64,
  BooleanOrNone = 0x78787878,
  Boolean = 0x3f787878,
  None = 0x783f7878,
}

const formats = {
  int: formatWord('q'),
  float: formatWord('d'),
  boolean: formatWord('xxxxxxx?'),
  none: formatWord('xxxxxx?x'),
};

const trueWord = 1n << 56n;

const leastInt64 = -(2n ** 63n);
const mostInt64 = 2n ** 63n - 1n;

/** How often an element that seems to be changing is read again before it is reported as corrupt. */
const mostRereads = 100;

/** An element's new bytes. */
export interface Encoded {
  readonly format: bigint;
  readonly code: number;
  /** The value's own bytes; zeros follow up to `size`. */
  readonly payload: Uint8Array;
  /** The number of bytes that are written: 8, or the whole slot for text. */
  readonly size: number;
}

/** Why a value cannot be an element. `ShareableList` makes the error message from it. */
export type Refusal = { readonly refused: 'type' | 'range' | 'surrogate' } | TooLong;
interface TooLong {
  readonly refused: 'length';
  readonly bytes: number;
  readonly room: number;
}

const scratch = new Uint8Array(wordBytes);
const scratchWords = new BigInt64Array(scratch.buffer);
const scratchFloats = new Float64Array(scratch.buffer);

/** The places of the parts of a list. */
export class Shape {
  readonly length: number;
  /** The beginning of each slot, and the end of the last one, in words from the list's beginning. */
  readonly slots: Float64Array;
  /** The size of Python's list in bytes, T + N. What follows it does not belong to Python's list. */
  readonly size: number;
  /** The size of the largest slot, in bytes. */
  readonly largestSlot: number;

  private constructor(slots: Float64Array, largestSlot: number) {
    this.length = slots.length - 1;
    this.slots = slots;
    this.size = wordBytes * (slots[this.length] ?? 0) + (wordBytes + 1) * this.length;
    this.largestSlot = largestSlot;
  }

  /** Makes the shape of a new list from the size of each slot in bytes. */
  static of(sizes: readonly number[]): Shape {
    const slots = new Float64Array(sizes.length + 1);
    let end = sizes.length + 2;
    slots[0] = end;
    sizes.forEach((size, i) => (slots[i + 1] = end += size / wordBytes));
    return new Shape(
      slots,
      sizes.reduce((most, size) => Math.max(most, size), 0),
    );
  }

  /** Reads the shape of an existing list, or returns what is wrong with it. Reads each offset once. */
  static read(buffer: ArrayBuffer): Shape | string {
    if (buffer.byteLength < emptyListBytes) {
      return `${buffer.byteLength} bytes are too few for a list`;
    }
    const words = wordsOf(buffer);
    // The creator writes the length last, so it is read first.
    const length = Number(Atomics.load(words, 0));
    const most = Math.floor((buffer.byteLength - emptyListBytes) / leastElementBytes);
    if (length === 0 && !canBeEmpty(buffer.byteLength)) {
      return `its length is 0, but it has ${buffer.byteLength} bytes: its creator has not finished it`;
    }
    if (length < 0 || length > most) {
      return `its length is ${length}, but ${buffer.byteLength} bytes can hold at most ${most} elements`;
    }
    const slots = new Float64Array(length + 1);
    let largestSlot = 0;
    let before = 0;
    for (let i = 0; i <= length; i++) {
      const offset = Number(words[i + 1]);
      const size = offset - before;
      if (i === 0 ? offset !== 0 : !isSlot(size)) {
        return `its offset no. ${i} is invalid: ${offset}`;
      }
      largestSlot = Math.max(largestSlot, size);
      slots[i] = offset / wordBytes + length + 2;
      before = offset;
    }
    const shape = new Shape(slots, largestSlot);
    if (shape.size <= buffer.byteLength) return shape;
    return `it needs ${shape.size} bytes, but has ${buffer.byteLength}`;
  }

  /** The size of a slot, in bytes. */
  room(i: number): number {
    return wordBytes * ((this.slots[i + 1] ?? 0) - (this.slots[i] ?? 0));
  }
}

/** The elements of a list, over its bytes. The caller has checked the indices. */
export class Elements {
  readonly shape: Shape;
  readonly ints: Int32Array;
  readonly words: BigInt64Array;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #text: Buffer;
  readonly #floats: Float64Array;
  readonly #slots: Float64Array;
  /** Where the formats begin, as an index of `ints`. */
  readonly #formatsAt: number;
  /** Where the codes begin, as an index of `bytes`. */
  readonly #codesAt: number;

  constructor(buffer: ArrayBuffer, shape: Shape) {
    this.shape = shape;
    this.words = wordsOf(buffer);
    this.#floats = new Float64Array(buffer, 0, this.words.length);
    this.ints = new Int32Array(buffer, 0, 2 * this.words.length);
    this.bytes = new Uint8Array(buffer);
    this.#text = Buffer.from(buffer);
    this.#slots = shape.slots;
    this.#codesAt = shape.size - shape.length;
    this.#formatsAt = 2 * (shape.slots[shape.length] ?? 0);
  }

  /** Whether the memory was released, so that the views are empty. */
  get gone(): boolean {
    return this.ints.length === 0;
  }

  /** Returns the value of an element, or undefined when its bytes are not a valid element. */
  read(i: number): ShareableValue | undefined {
    const { ints, bytes } = this;
    const formatAt = this.#formatsAt + 2 * i;
    const codeAt = this.#codesAt + i;
    for (let round = 0; round < mostRereads; round++) {
      const low = ints[formatAt];
      const high = ints[formatAt + 1];
      const code = bytes[codeAt];
      order();
      const value = this.#decode(i, low, high, code);
      order();
      // E3: if they are the same before and after, the type was not changed, or was changed back.
      if (ints[formatAt] !== low || ints[formatAt + 1] !== high || bytes[codeAt] !== code) continue;
      if (value !== undefined || this.gone || this.isValid(i, low, high, code)) return value;
    }
    return undefined;
  }

  #decode(
    i: number,
    low: number | undefined,
    high: number | undefined,
    code: number | undefined,
  ): ShareableValue | undefined {
    const slot = this.#slots[i] ?? 0;
    if (low === Half.Int && high === 0) {
      const word = this.words[slot];
      return code === Code.Plain && word !== undefined ? numberOf(word) : undefined;
    }
    if (low === Half.Float && high === 0) {
      return code === Code.Plain ? this.#floats[slot] : undefined;
    }
    if (low === Half.BooleanOrNone) {
      if (high === Half.None) return code === Code.None ? null : undefined;
      if (high !== Half.Boolean || code !== Code.Plain) return undefined;
      return this.bytes[wordBytes * slot + 7] !== 0;
    }
    const stated = statedBytes(low ?? 0, high ?? 0);
    const room = this.shape.room(i);
    if (stated < 0 || stated > room) return undefined;
    const begin = wordBytes * slot;
    // A format shorter than the slot gives the length of the text. Otherwise NULs at the end are padding.
    const end = stated < room ? begin + stated : this.#endOfText(begin, begin + stated);
    if (code === Code.Bytes) return this.bytes.slice(begin, end);
    return code === Code.String ? this.#decodeText(begin, end) : undefined;
  }

  #endOfText(begin: number, end: number): number {
    const { ints, bytes } = this;
    while (end > begin && ints[end / 4 - 1] === 0) end -= 4;
    while (end > begin && bytes[end - 1] === 0) end--;
    return end;
  }

  #decodeText(begin: number, end: number): string | undefined {
    const text = readUtf8(this.#text, begin, end);
    // The decoder replaces invalid UTF-8 by U+FFFD. That character is seldom part of the text itself.
    if (!text.includes('\ufffd')) return text;
    return Buffer.from(text).equals(this.#text.subarray(begin, end)) ? text : undefined;
  }

  /**
   * Writes a value of the type that the element already has, in one store (E2).
   *
   * @returns false when that is not possible; then nothing was written.
   */
  overwrite(i: number, value: ShareableValue): boolean {
    const { ints, words } = this;
    const formatAt = this.#formatsAt + 2 * i;
    const low = ints[formatAt];
    const high = ints[formatAt + 1];
    if (this.bytes[this.#codesAt + i] !== Code.Plain) return false;
    const slot = this.#slots[i] ?? 0;
    if (typeof value === 'number') {
      if (high !== 0) return false;
      if (low === Half.Float) this.#floats[slot] = value;
      else if (low === Half.Int && isInt(value)) words[slot] = BigInt(value);
      else return false;
      return true;
    }
    if (typeof value === 'bigint') {
      if (low !== Half.Int || high !== 0 || !isInt64(value)) return false;
      words[slot] = value;
      return true;
    }
    if (typeof value !== 'boolean') return false;
    if (low !== Half.BooleanOrNone || high !== Half.Boolean) return false;
    words[slot] = value ? trueWord : 0n;
    return true;
  }

  /** Writes an element in any case. Processes that do not use the lock may see an intermediate state. */
  write(i: number, encoded: Encoded): void {
    const { bytes, words } = this;
    const { payload, size, format, code } = encoded;
    const slot = this.#slots[i] ?? 0;
    if (this.isOneWord(i, encoded)) {
      words[slot] = wordOf(payload);
      return;
    }
    const begin = wordBytes * slot;
    const codeAt = this.#codesAt + i;
    Atomics.store(bytes, codeAt, Code.None);
    order(); // an atomic store is not moved before earlier stores, but later ones may be moved before it
    bytes.set(payload, begin);
    bytes.fill(0, begin + payload.length, begin + size);
    words[this.#formatsAt / 2 + i] = format;
    Atomics.store(bytes, codeAt, code);
  }

  /** Whether writing the value takes only one store. */
  isOneWord(i: number, { size, format, code }: Encoded): boolean {
    return (
      size === wordBytes &&
      this.bytes[this.#codesAt + i] === code &&
      this.words[this.#formatsAt / 2 + i] === format
    );
  }

  /** Whether the format and the code belong to one type, and fit the slot. */
  isValid(
    i: number,
    low: number | undefined,
    high: number | undefined,
    code: number | undefined,
  ): boolean {
    if (low === Half.BooleanOrNone) {
      return code === Code.None ? high === Half.None : high === Half.Boolean && code === Code.Plain;
    }
    if (high === 0 && (low === Half.Int || low === Half.Float)) return code === Code.Plain;
    if (code !== Code.String && code !== Code.Bytes) return false;
    const stated = statedBytes(low ?? 0, high ?? 0);
    return stated >= 0 && stated <= this.shape.room(i);
  }

  /**
   * Returns the first element whose format or code does not exist in this layout, or -1. An element that another
   * process is changing is accepted, whether that process is a Python one or not.
   */
  findForeign(): number {
    const { length } = this.shape;
    for (let i = 0; i < length; i++) {
      let round = 0;
      while (!this.#isKnown(i)) if (++round === mostRereads) return i;
    }
    return -1;
  }

  #isKnown(i: number): boolean {
    const low = this.ints[this.#formatsAt + 2 * i];
    const high = this.ints[this.#formatsAt + 2 * i + 1];
    const code = this.bytes[this.#codesAt + i] ?? -1;
    if (code < 0 || code > (Code.None as number)) return false;
    return [Code.Plain, Code.String, Code.None].some((any) => this.isValid(i, low, high, any));
  }

  /** The format as text, for people to read. */
  formatOf(i: number): string {
    const at = 4 * (this.#formatsAt + 2 * i);
    return readLatin1(this.#text, at, wordBytes).replace(/\0+$/, '');
  }

  codeOf(i: number): number | undefined {
    return this.bytes[this.#codesAt + i];
  }

  /** Fills zeroed memory. The length is written last: until then, the list is empty. */
  fill(all: readonly Encoded[]): void {
    const { words, bytes, shape } = this;
    const first = shape.length + 2;
    for (let i = 0; i <= shape.length; i++) {
      words[i + 1] = BigInt(wordBytes * ((shape.slots[i] ?? 0) - first));
    }
    all.forEach(({ payload, format, code }, i) => {
      bytes.set(payload, wordBytes * (shape.slots[i] ?? 0));
      words[this.#formatsAt / 2 + i] = format;
      bytes[this.#codesAt + i] = code;
    });
    Atomics.store(words, 0, BigInt(shape.length));
  }
}

/**
 * Encodes a value.
 *
 * @param room - the size of the slot for the value; by default, the size that a new list gives it.
 * @param asFloat - whether to write a number as a float even if it is an integer.
 */
export function encode(value: unknown, room?: number, asFloat = false): Encoded | Refusal {
  switch (typeof value) {
    case 'number':
      if (asFloat || !isInt(value)) {
        scratchFloats[0] = value;
        return word(formats.float, Code.Plain);
      }
      scratchWords[0] = BigInt(value);
      return word(formats.int, Code.Plain);
    case 'bigint':
      if (!isInt64(value)) return { refused: 'range' };
      scratchWords[0] = value;
      return word(formats.int, Code.Plain);
    case 'boolean':
      scratchWords[0] = value ? trueWord : 0n;
      return word(formats.boolean, Code.Plain);
    case 'string':
      // Half a surrogate pair has no UTF-8 form. The encoder would replace it by another character.
      if (/\p{Surrogate}/u.test(value)) return { refused: 'surrogate' };
      return text(Buffer.from(value), Code.String, room);
    default:
      if (value === null) {
        scratchWords[0] = 0n;
        return word(formats.none, Code.None);
      }
      if (isUint8Array(value)) return text(new Uint8Array(value), Code.Bytes, room);
      return { refused: 'type' };
  }
}

function word(format: bigint, code: Code): Encoded {
  return { format, code, payload: new Uint8Array(scratch), size: wordBytes };
}

function text(payload: Uint8Array, code: Code, given?: number): Encoded | Refusal {
  const bytes = payload.length;
  const room = given ?? wordBytes * (Math.floor(bytes / wordBytes) + 1);
  if (room > mostSlotBytes) return { refused: 'length', bytes, room: mostSlotBytes - 1 };
  if (bytes > room) return { refused: 'length', bytes, room };
  // The format has the size of the whole slot, however short the text is. CPython keeps the format
  // that it finds, and would truncate longer values that it assigns later.
  return { format: textFormat(room), code, payload, size: room };
}

/** The number of bytes in a text format, or -1 when it is not a text format. */
export function statedBytes(low: number, high: number): number {
  let bytes = 0;
  for (let at = 0; at < wordBytes; at++) {
    const rest = at < 4 ? low >>> (8 * at) : high >>> (8 * (at - 4));
    const character = rest & 0xff;
    if (character === 0x73) {
      const isLast = rest === character && (at >= 4 || high === 0);
      return isLast && at > 0 ? bytes : -1;
    }
    if (character < 0x30 || character > 0x39) return -1;
    bytes = 10 * bytes + character - 0x30;
  }
  return -1;
}

/**
 * Whether a number is stored as a Python int: safe integers are. -0 is not, because a Python int cannot be
 * -0.
 */
function isInt(value: number): boolean {
  return Number.isSafeInteger(value) && !Object.is(value, -0);
}

function isInt64(value: bigint): boolean {
  return value >= leastInt64 && value <= mostInt64;
}

function numberOf(word: bigint): number | bigint {
  const number = Number(word);
  return Number.isSafeInteger(number) ? number : word;
}

/**
 * Whether a list in this many bytes may be empty. Other lists whose length is 0 are unfinished. But on
 * systems where segments consist of whole pages, an empty list looks like an unfinished one, so whole pages
 * are accepted.
 */
function canBeEmpty(bytes: number): boolean {
  return (
    bytes === emptyListBytes || bytes === emptyListBytes + journalHeadBytes || bytes % 4096 === 0
  );
}

function isSlot(size: number): boolean {
  return size >= wordBytes && size <= mostSlotBytes && size % wordBytes === 0;
}

function wordsOf(buffer: ArrayBuffer): BigInt64Array {
  return new BigInt64Array(buffer, 0, Math.floor(buffer.byteLength / wordBytes));
}

function wordOf(payload: Uint8Array): bigint {
  scratch.fill(0);
  scratch.set(payload);
  return scratchWords[0] ?? 0n;
}

/** A cache: slots have only a few sizes, and making their formats takes longer than everything else. */
const textFormats = new Map<number, bigint>();
const mostTextFormats = 64;

function textFormat(room: number): bigint {
  let format = textFormats.get(room);
  if (format === undefined) {
    format = formatWord(`${room}s`);
    if (textFormats.size < mostTextFormats) textFormats.set(room, format);
  }
  return format;
}

function formatWord(format: string): bigint {
  return Buffer.from(format.padEnd(wordBytes, '\0'), 'latin1').readBigInt64LE();
}

const journalHeadBytes = 32;

/** The layout of a journal, in bytes from its beginning. */
export const journalLayout = {
  /** "SHLJ" in memory. */
  magic: 0x4a4c4853,
  magicAt: 0,
  stateAt: 4,
  indexAt: 8,
  sizeAt: 12,
  formatAt: 16,
  codeAt: 24,
  /** 1 when the lock with the list's own name guards the list. */
  ownLockAt: 28,
  payloadAt: journalHeadBytes,

  /**
   * Where the journal begins, in bytes from the beginning of the list: at the first multiple of 8 behind the
   * list.
   */
  begin: (shape: Shape): number => wordBytes * Math.ceil(shape.size / wordBytes),
  end: (shape: Shape): number => journalLayout.begin(shape) + journalHeadBytes + shape.largestSlot,
} as const;
