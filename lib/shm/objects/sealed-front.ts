import type { Attachment } from '../core/attachment';
import { native } from '../core/binding';
import type { LockSeat } from '../core/lock-seat';
import { unreadable } from '../structure/unreadable';
import { CorruptError, MismatchError } from '../../values/corrupt-error';
import type { AnyHandle } from '../../common/handles';
import { parseHandle } from '../../values/handles';
import { makeBuffer } from '../../values/array-buffers';
import {
  hasBuffers,
  headBytes as packedHeadBytes,
  mergedInto,
  version,
} from '../../values/packed-format';
import { forgetUnpacked, unpack } from '../../values/unpacker';
import { Lenders } from './borrowed';
import {
  bufferAlignment,
  entry,
  hasReferences,
  head,
  headBytes,
  isKept,
  objectFormat,
} from './layout';

/** The names of the objects that an object's value refers to. Empty if the bytes make no sense. */
export function heldBy(seat: LockSeat): string[] {
  if ((seat.type & hasReferences) === 0) return [];
  try {
    const handles = withFront(new SeatSource(seat), (front) => front.references());
    return handles.filter(({ shmkit }) => shmkit === 'object').map(({ name }) => name);
  } catch {
    return [];
  }
}

/**
 * The structure that keeps an object.
 *
 * @throws CorruptError, MismatchError
 */
export function keeperIn(seat: LockSeat): AnyHandle {
  const [keeper] = withFront(new SeatSource(seat), (front) => front.references());
  if (keeper === undefined) throw invalid();
  return keeper;
}

/** A value that was read, and what lends it its buffers. */
export interface ReadValue {
  readonly value: unknown;
  readonly lenders: Lenders;
  /** How many bytes of the object there are ArrayBuffers over. */
  readonly shownBytes: number;
}

/**
 * Reads the value of an object. Its large buffers are not copied.
 *
 * @param handle - what must stay alive as long as one of these buffers does.
 * @throws SharedMemoryError `ERR_CORRUPT`, `ERR_ABI_MISMATCH`, `ERR_ZERO_COPY_UNAVAILABLE`, and what attaching to a
 * shared object in the value throws.
 */
export function readSealed(attachment: Attachment, handle: object): ReadValue {
  const { seat } = attachment;
  const { kind, name } = seat;
  let lenders: Lenders | undefined;
  const shown: ArrayBuffer[] = [];
  try {
    return withFront(new SeatSource(seat), (front) => {
      const own = (at: number, bytes: number) => {
        const buffer = attachment.show(seat.dataAt + at, bytes, handle);
        shown.push(buffer);
        return buffer;
      };
      const lent = (lenders = new Lenders(front.references(), handle));
      const value = front.value(own, lent);
      const shownBytes = shown.reduce((sum, { byteLength }) => sum + byteLength, 0);
      return { value, lenders: lent, shownBytes };
    });
  } catch (error) {
    lenders?.close();
    attachment.hide(shown);
    throw unreadable(error, { kind, name, key: undefined });
  } finally {
    forgetUnpacked();
  }
}

/** Where the bytes of an object are read from. */
export interface SealedSource {
  readonly type: number;
  /** The size of the front. */
  readonly length: number;
  readonly dataBytes: number;
  /** Calls a function with some bytes of the object's data, which are valid only during the call. */
  within<T>(at: number, bytes: number, read: (shown: ArrayBuffer) => T): T;
}

class SeatSource implements SealedSource {
  readonly type: number;
  readonly length: number;
  readonly dataBytes: number;
  readonly #seat: LockSeat;

  constructor(seat: LockSeat) {
    this.type = seat.type;
    this.length = seat.length;
    this.dataBytes = seat.size - seat.dataAt;
    this.#seat = seat;
  }

  within<T>(at: number, bytes: number, read: (shown: ArrayBuffer) => T): T {
    const seat = this.#seat;
    const shown = seat.showWithin(seat.dataAt + at, bytes);
    try {
      return read(shown);
    } finally {
      native.objectHide(seat.index, shown);
    }
  }
}

/**
 * Reads the value of an object that refers to no other one.
 *
 * @param show - makes an ArrayBuffer over some bytes of the object's data.
 * @throws CorruptError, MismatchError
 */
export function readFrom(source: SealedSource, show: Show): unknown {
  try {
    return withFront(source, (front) => front.value(show, new Lenders([], {})));
  } finally {
    forgetUnpacked();
  }
}

function withFront<T>(source: SealedSource, read: (front: Front) => T): T {
  const { dataBytes, length } = source;
  const format = source.type & ~(hasReferences | isKept);
  if (format !== objectFormat) {
    throw new MismatchError(
      `a value in it is stored in format ${format}; this version reads ${objectFormat}`,
    );
  }
  if (dataBytes < headBytes) throw invalid();
  const start = source.within(0, headBytes, (shown) => new Float64Array(shown).slice());
  const frontAt = start[head.frontAt] ?? NaN;
  const isInside = isCount(frontAt) && frontAt % 8 === 0 && frontAt + length <= dataBytes;
  if (!isInside) throw invalid();
  return source.within(frontAt, length, (shown) =>
    read(new Front(start, shown, frontAt, dataBytes)),
  );
}

const invalid = () => new CorruptError('a value in it has invalid bytes');

const isCount = (number: number): boolean => Number.isSafeInteger(number) && number >= 0;

/** Makes an ArrayBuffer over a range of the object's data. */
export type Show = (at: number, bytes: number) => ArrayBuffer;

/** The front of an object's data. All numbers in it are checked before they are used. */
class Front {
  readonly #bytes: Buffer<ArrayBuffer>;
  /** Its offset in the data. */
  readonly #at: number;
  readonly #dataBytes: number;
  readonly #table: Float64Array;
  readonly #packedBytes: number;
  readonly #referencesBytes: number;

  constructor(start: Float64Array, shown: ArrayBuffer, at: number, dataBytes: number) {
    this.#bytes = Buffer.from(shown);
    this.#at = at;
    this.#dataBytes = dataBytes;
    const packedBytes = start[head.packedBytes] ?? NaN;
    const count = start[head.buffers] ?? NaN;
    const referencesBytes = start[head.referencesBytes] ?? NaN;
    const floats = entry.floats * count;
    const isWhole =
      [packedBytes, count, referencesBytes].every(isCount) &&
      8 * floats + packedBytes + referencesBytes <= shown.byteLength;
    if (!isWhole) throw invalid();
    // A copy, so that what is checked is what is used.
    this.#table = new Float64Array(shown, 0, floats).slice();
    this.#packedBytes = packedBytes;
    this.#referencesBytes = referencesBytes;
  }

  references(): AnyHandle[] {
    if (this.#referencesBytes === 0) return [];
    const from = this.#table.byteLength + this.#packedBytes;
    const text = this.#bytes.subarray(from, from + this.#referencesBytes).toString();
    const handles: unknown = parsed(text);
    if (!Array.isArray(handles)) throw invalid();
    return handles.map((each) => parseHandle(JSON.stringify(each)));
  }

  value(own: Show, lenders: Lenders): unknown {
    const from = this.#table.byteLength;
    const first = this.#bytes[from] ?? 0;
    const isPacked = this.#packedBytes >= packedHeadBytes;
    if (!isPacked || this.#bytes[from + 1] !== (~first & 0xff)) throw invalid();
    const found = first & ~hasBuffers;
    if (found !== version) {
      throw new MismatchError(
        `a value in it was packed by another version of shmkit, in format ${found}; this version reads ${version}`,
      );
    }
    const { buffers, bases } = this.#buffers(own, lenders);
    const end = from + this.#packedBytes;
    return unpack(this.#bytes, from + packedHeadBytes, end, buffers, bases);
  }

  #buffers(own: Show, lenders: Lenders): { buffers: ArrayBuffer[]; bases: number[] } {
    const buffers: ArrayBuffer[] = [];
    const bases: number[] = [];
    for (let i = 0; i < this.#table.length; i += entry.floats) {
      const row = this.#table.subarray(i, i + entry.floats);
      const merged = mergedInto - (row[entry.most] ?? NaN);
      const whole = buffers[merged];
      const base = whole === undefined ? (row[entry.base] ?? NaN) : (bases[merged] ?? 0);
      if (!isCount(base)) throw invalid();
      buffers.push(whole ?? this.#buffer(row, own, lenders));
      bases.push(base);
    }
    return { buffers, bases };
  }

  #buffer(row: Float64Array, own: Show, lenders: Lenders): ArrayBuffer {
    const [at = NaN, bytes = NaN, , most = NaN, source = NaN] = row;
    if (![at, bytes, source].every(isCount) || !isCount(at + bytes)) throw invalid();
    if (at % bufferAlignment !== 0) throw invalid();
    if (source > 0) return lenders.show(source - 1, at, bytes);
    if (at + bytes > this.#dataBytes) throw invalid();
    const from = at - this.#at;
    const isInFront = from >= 0 && from + bytes <= this.#bytes.length;
    if (!isInFront && most === -1) return own(at, bytes);
    const made = isInFront ? makeBuffer(bytes, most) : undefined;
    if (made === undefined) throw invalid();
    new Uint8Array(made).set(this.#bytes.subarray(from, from + bytes));
    return made;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalid();
  }
}
