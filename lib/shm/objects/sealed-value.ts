import type { Attachment } from '../core/attachment';
import { native, type NativePieces } from '../core/binding';
import type { LockSeat } from '../core/lock-seat';
import type { Contents } from '../core/object-seat';
import { unreadable } from '../structure/unreadable';
import { CorruptError, MismatchError } from '../../values/corrupt-error';
import { parseHandle, type AnyHandle } from '../../values/handles';
import { makeBuffer } from '../../values/codec';
import {
  hasBuffers,
  headBytes,
  mergedInto,
  tableFloats,
  version,
} from '../../values/packed-format';
import { pack, type Packed } from '../../values/packer';
import { forgetUnpacked, unpack } from '../../values/unpacker';
import {
  alignedToBuffer,
  bufferAlignment,
  entry,
  hasReferences,
  head,
  largeBytes,
  objectFormat,
  wordsBytesFor,
} from './layout';

/** A value in the form in which a new object gets it. */
export interface SealedValue {
  /** The bytes of the front, up to the first large buffer. */
  readonly frontBytes: number;
  readonly bytes: number;
  readonly pieces: NativePieces;
  /** The names of the objects in it that exist as long as somebody holds them. */
  readonly references: readonly string[];
}

/** Places a value in memory; see layout.ts. The pieces are valid until the next value is packed. */
export function seal(value: unknown): SealedValue {
  const packed = pack('from', value);
  const names = referencesOf(packed);
  const references = Buffer.from(
    names.length > 0 ? JSON.stringify(names.map((name) => ({ shmkit: 'object', name }))) : '',
  );
  const count = (packed.pieces?.table.length ?? 0) / tableFloats;
  const start = new Float64Array(head.floats + entry.floats * count);
  start[head.packedBytes] = packed.bytes.length;
  start[head.buffers] = count;
  start[head.referencesBytes] = references.length;
  const bytes: Uint8Array[] = [new Uint8Array(start.buffer), packed.bytes, references];
  const at = [0, start.byteLength, start.byteLength + packed.bytes.length];
  let end = start.byteLength + packed.bytes.length + references.length;
  const place = (isLarge: boolean) => {
    for (let i = 0; i < count; i++) {
      const [length = 0, base = 0, most = -1] = entryOf(packed, i);
      const buffer = packed.pieces?.bytesOf(i);
      const to = head.floats + entry.floats * i;
      if (buffer === undefined) {
        start[to + entry.most] = most;
        continue;
      }
      if (isShown(length, most) !== isLarge) continue;
      end = alignedToBuffer(end);
      start.set([end, length, base, most], to);
      bytes.push(buffer);
      at.push(end);
      end += length;
    }
  };
  place(false);
  const frontBytes = end;
  place(true);
  const pieces = { bytes, at: Float64Array.from(at) };
  return { frontBytes, bytes: end, pieces, references: names };
}

/** The contents of a new object. */
export function sealedContents(
  { frontBytes, bytes, pieces, references }: SealedValue,
  words: Uint8Array,
  participants: number,
): Contents {
  return {
    type: references.length > 0 ? objectFormat | hasReferences : objectFormat,
    length: frontBytes,
    wordsBytes: wordsBytesFor(participants),
    dataBytes: bytes,
    words,
    pieces,
  };
}

/** Whether an ArrayBuffer is over shared memory. One that can change its size cannot be. */
const isShown = (bytes: number, most: number): boolean => bytes >= largeBytes && most === -1;

function entryOf({ pieces }: Packed, index: number): Float64Array {
  const from = tableFloats * index;
  return pieces?.table.subarray(from, from + tableFloats) ?? new Float64Array(tableFloats);
}

/** The names of the objects in the value that exist as long as somebody holds them. */
function referencesOf({ shared }: Packed): string[] {
  const handles = shared.map((each) => (each as { toJSON(): AnyHandle }).toJSON());
  const objects = handles.filter(({ shmkit }) => shmkit === 'object');
  return [...new Set(objects.map(({ name }) => name))];
}

/** The names of the objects that an object's value refers to. Empty if the bytes make no sense. */
export function referencesIn(seat: LockSeat): string[] {
  if ((seat.type & hasReferences) === 0) return [];
  try {
    return withFront(seat, (front) => {
      const handles: unknown = JSON.parse(front.text());
      if (!Array.isArray(handles)) return [];
      return handles.map((each) => parseHandle(JSON.stringify(each)).name);
    });
  } catch {
    return [];
  }
}

/**
 * Reads the value of an object. Its large buffers are not copied.
 *
 * @param handle - what must stay alive as long as one of these buffers does.
 * @throws SharedMemoryError `ERR_CORRUPT`, `ERR_ABI_MISMATCH`, `ERR_ZERO_COPY_UNAVAILABLE`, and what attaching to a
 * shared object in the value throws.
 */
export function readSealed(attachment: Attachment, handle: object): unknown {
  const { seat } = attachment;
  const { kind, name } = seat;
  try {
    return withFront(seat, (front) => {
      const show = (at: number, bytes: number) => attachment.show(seat.dataAt + at, bytes, handle);
      return front.value(show);
    });
  } catch (error) {
    throw unreadable(error, { kind, name, key: undefined });
  } finally {
    forgetUnpacked();
  }
}

function withFront<T>(seat: LockSeat, read: (front: Front) => T): T {
  const format = seat.type & ~hasReferences;
  if (format !== objectFormat) {
    throw new MismatchError(
      `a value in it is stored in format ${format}; this version reads ${objectFormat}`,
    );
  }
  const dataBytes = seat.size - seat.dataAt;
  const frontBytes = seat.length;
  if (frontBytes > dataBytes || frontBytes < 8 * head.floats) throw invalid();
  const shown = seat.showWithin(seat.dataAt, frontBytes);
  try {
    return read(new Front(shown, dataBytes));
  } finally {
    native.objectHide(seat.index, shown);
  }
}

const invalid = () => new CorruptError('a value in it has invalid bytes');

const isCount = (number: number): boolean => Number.isSafeInteger(number) && number >= 0;

/** The front of an object's data. All numbers in it are checked before they are used. */
class Front {
  readonly #bytes: Buffer<ArrayBuffer>;
  readonly #dataBytes: number;
  readonly #table: Float64Array;
  readonly #packedAt: number;
  readonly #packedBytes: number;
  readonly #referencesBytes: number;

  constructor(shown: ArrayBuffer, dataBytes: number) {
    this.#bytes = Buffer.from(shown);
    this.#dataBytes = dataBytes;
    const floats = new Float64Array(shown, 0, Math.floor(shown.byteLength / 8));
    const packedBytes = floats[head.packedBytes] ?? NaN;
    const count = floats[head.buffers] ?? NaN;
    const referencesBytes = floats[head.referencesBytes] ?? NaN;
    const tableEnd = head.floats + entry.floats * count;
    const isWhole =
      [packedBytes, count, referencesBytes].every(isCount) &&
      8 * tableEnd + packedBytes + referencesBytes <= shown.byteLength;
    if (!isWhole) throw invalid();
    // A copy, so that what is checked is what is used.
    this.#table = floats.slice(head.floats, tableEnd);
    this.#packedAt = 8 * tableEnd;
    this.#packedBytes = packedBytes;
    this.#referencesBytes = referencesBytes;
  }

  /** The references, as JSON. */
  text(): string {
    const from = this.#packedAt + this.#packedBytes;
    return this.#bytes.subarray(from, from + this.#referencesBytes).toString();
  }

  value(show: (at: number, bytes: number) => ArrayBuffer): unknown {
    const from = this.#packedAt;
    const first = this.#bytes[from] ?? 0;
    if (this.#packedBytes < headBytes || this.#bytes[from + 1] !== (~first & 0xff)) throw invalid();
    const found = first & ~hasBuffers;
    if (found !== version) {
      throw new MismatchError(
        `a value in it was packed by another version of shmkit, in format ${found}; this version reads ${version}`,
      );
    }
    const { buffers, bases } = this.#buffers(show);
    return unpack(this.#bytes, from + headBytes, from + this.#packedBytes, buffers, bases);
  }

  #buffers(show: (at: number, bytes: number) => ArrayBuffer): {
    buffers: ArrayBuffer[];
    bases: number[];
  } {
    const table = this.#table;
    const buffers: ArrayBuffer[] = [];
    const bases: number[] = [];
    for (let i = 0; i < table.length; i += entry.floats) {
      const most = table[i + entry.most] ?? NaN;
      const whole = buffers[mergedInto - most];
      if (whole !== undefined) {
        buffers.push(whole);
        bases.push(bases[mergedInto - most] ?? 0);
        continue;
      }
      const base = table[i + entry.base] ?? NaN;
      if (!isCount(base)) throw invalid();
      buffers.push(
        this.#buffer(table[i + entry.at] ?? NaN, table[i + entry.bytes] ?? NaN, most, show),
      );
      bases.push(base);
    }
    return { buffers, bases };
  }

  #buffer(
    at: number,
    bytes: number,
    most: number,
    show: (at: number, bytes: number) => ArrayBuffer,
  ): ArrayBuffer {
    const isInside = [at, bytes].every(isCount) && at % bufferAlignment === 0;
    if (!isInside || at + bytes > this.#dataBytes) throw invalid();
    if (isShown(bytes, most)) return show(at, bytes);
    const made = at + bytes <= this.#bytes.length ? makeBuffer(bytes, most) : undefined;
    if (made === undefined) throw invalid();
    new Uint8Array(made).set(this.#bytes.subarray(at, at + bytes));
    return made;
  }
}
