import { Attachment } from '../core/attachment';
import { native, type SegmentHandle } from '../core/binding';
import { explain, isFailure } from '../core/failures';
import { layout } from '../core/layout';
import { toAttach } from '../core/named-object';
import { managerOf, systemName } from '../core/names';
import { PlaceInSegment, notePlace, placeOf, type Place } from '../core/places';
import { participantsIn } from '../core/roster';
import { SharedMemoryError } from '../../common/errors';
import { CorruptError } from '../../values/corrupt-error';
import type { AnyHandle } from '../../common/handles';
import { explainWithin } from '../../values/handles';
import { byteLengthOf } from '../../values/intrinsics';

/** A range of the data of a shared object, which a value refers to instead of containing a copy. */
export interface Range {
  readonly handle: AnyHandle;
  readonly at: number;
}

/** What is known about a new object that may refer to others. */
export interface Borrower {
  readonly name: string;
  readonly mode: number;
  readonly participants: number;
}

/**
 * The range that an ArrayBuffer is. Undefined if it is none, or if not all who use the new object would find the same
 * bytes there, as long as that object exists.
 */
export function rangeOf(buffer: ArrayBuffer, borrower: Borrower): Range | undefined {
  const place = placeOf(buffer);
  if (place === undefined || !suffices(place, borrower)) return undefined;
  return place.isFoundBy(byteLengthOf(buffer)) ? place : undefined;
}

/** Whether others write into the buffer, or could. */
export function isChanging(buffer: ArrayBufferLike): boolean {
  const place = placeOf(buffer as ArrayBuffer);
  return place !== undefined && place.handle.shmkit !== 'object';
}

function suffices({ handle, wordsBytes }: Place, { name, mode, participants }: Borrower): boolean {
  const manager = managerOf(handle.name)?.manager;
  if (manager !== undefined && manager !== managerOf(name)?.manager) return false;
  // The other object may be for its owner only.
  if ((mode & 0o077) !== 0) return false;
  return handle.shmkit !== 'object' || participantsIn(wordsBytes) >= participants;
}

/** What the buffers of a value are borrowed from. Each shared object is attached to when it is first used. */
export class Lenders {
  readonly #handles: readonly AnyHandle[];
  readonly #borrower: object;
  readonly #open = new Map<number, Lender>();

  /** @param borrower - the user's handle. It stays alive as long as one of the buffers of other objects does. */
  constructor(handles: readonly AnyHandle[], borrower: object) {
    this.#handles = handles;
    this.#borrower = borrower;
  }

  /**
   * Some bytes of the data of a shared object.
   *
   * @param index - the number of its handle.
   * @throws CorruptError; what attaching to the object throws.
   */
  show(index: number, at: number, bytes: number): ArrayBuffer {
    let lender = this.#open.get(index);
    if (lender === undefined) {
      const handle = this.#handles[index];
      if (handle === undefined) throw new CorruptError('a value in it refers to nothing');
      lender = lenderOf(handle, this.#borrower);
      this.#open.set(index, lender);
    }
    return lender.show(at, bytes);
  }

  /** All buffers become empty. */
  close(): void {
    for (const each of this.#open.values()) each.close();
    this.#open.clear();
  }
}

interface Lender {
  show(at: number, bytes: number): ArrayBuffer;
  close(): void;
}

function lenderOf(handle: AnyHandle, borrower: object): Lender {
  const { shmkit: kind, name } = handle;
  try {
    if (kind === 'object') return new LendingObject(name, borrower);
    if (kind === 'memory' || kind === 'array') return new LendingSegment(kind, handle);
  } catch (error) {
    throw explainWithin(error, handle);
  }
  throw new CorruptError(`a value in it refers to bytes of an object of kind '${kind}'`);
}

/** Lends the buffers of the value of another immutable object. */
class LendingObject implements Lender {
  readonly #attachment: Attachment;
  readonly #borrower: object;

  constructor(name: string, borrower: object) {
    this.#attachment = new Attachment(toAttach('object', name));
    this.#attachment.belongTo(borrower);
    this.#borrower = borrower;
  }

  show(at: number, bytes: number): ArrayBuffer {
    const { seat } = this.#attachment;
    checkInside(at, bytes, seat.size - seat.dataAt);
    return this.#attachment.show(seat.dataAt + at, bytes, this.#borrower);
  }

  close(): void {
    this.#attachment.close();
  }
}

const found = new Float64Array(1);

/**
 * Lends the bytes of an array or a segment, which others may change. What this process writes into them stays private, as
 * everything that is written into the value of an immutable object.
 */
class LendingSegment implements Lender {
  readonly #handle: AnyHandle;
  readonly #name: string;
  readonly #segment: SegmentHandle;
  readonly #dataAt: number;
  readonly #size: number;
  readonly #buffers: ArrayBuffer[] = [];

  constructor(kind: 'memory' | 'array', handle: AnyHandle) {
    this.#handle = handle;
    this.#name = systemName(kind, handle.name);
    const segment = native.segmentAttach(this.#name, true, found);
    if (isFailure(segment)) throw explain(segment, kind, handle.name);
    this.#segment = segment;
    const [size = 0] = found;
    this.#dataAt = kind === 'memory' ? 0 : dataAtOf(segment, size);
    this.#size = size - this.#dataAt;
  }

  show(at: number, bytes: number): ArrayBuffer {
    checkInside(at, bytes, this.#size);
    const buffer = native.segmentBuffer(this.#segment, this.#dataAt + at, bytes);
    if (buffer === undefined) {
      throw new SharedMemoryError(
        'ERR_ZERO_COPY_UNAVAILABLE',
        `this runtime does not accept ${bytes} bytes of external memory as an ArrayBuffer`,
        { resource: this.#handle.name },
      );
    }
    this.#buffers.push(buffer);
    const place = [this.#handle, this.#segment, this.#name, this.#dataAt, true, at] as const;
    notePlace(buffer, new PlaceInSegment(...place));
    return buffer;
  }

  close(): void {
    for (const buffer of this.#buffers) native.bufferDetach(buffer);
    native.segmentClose(this.#segment, undefined);
  }
}

/** Where the data begins in an object with a header. */
function dataAtOf(segment: SegmentHandle, size: number): number {
  const word = new Uint32Array(1);
  if (size >= layout.headerBytes) {
    native.segmentCopyOut(segment, layout.dataAtAt, new Uint8Array(word.buffer));
  }
  const [dataAt = 0] = word;
  const isRight = dataAt >= layout.headerBytes && dataAt % layout.dataAlignment === 0;
  if (!isRight || dataAt > size) throw new CorruptError('a value in it refers to invalid bytes');
  return dataAt;
}

/** The object may have been replaced by another of the same name. */
function checkInside(at: number, bytes: number, size: number): void {
  if (at + bytes > size) {
    throw new CorruptError(
      `a value in it refers to ${bytes} bytes at ${at} of an object of ${size}`,
    );
  }
}
