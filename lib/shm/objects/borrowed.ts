import { Attachment } from '../core/attachment';
import { toAttach } from '../core/named-object';
import { placeOf } from '../core/places';
import { SharedMemory } from '../core/shared-memory';
import { CorruptError } from '../../values/corrupt-error';
import { explainWithin, type AnyHandle } from '../../values/handles';
import { byteLengthOf } from '../../values/intrinsics';

/** A range of the data of a shared object, which a value refers to instead of containing a copy. */
export interface Range {
  readonly handle: AnyHandle;
  readonly at: number;
}

/** The range that an ArrayBuffer is, if others find the same bytes there. */
export function rangeOf(buffer: ArrayBuffer): Range | undefined {
  const place = placeOf(buffer);
  return place?.isFoundBy(byteLengthOf(buffer)) === true ? place : undefined;
}

/** What the buffers of a value are borrowed from. Each shared object is attached to when it is first used. */
export class Lenders {
  readonly #handles: readonly AnyHandle[];
  readonly #borrower: object;
  readonly #open = new Map<number, Lender>();

  /** @param borrower - the user's handle. It stays alive as long as one of the buffers does. */
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
    if (kind === 'memory') return new LendingMemory(handle);
    if (kind === 'array' || kind === 'object') return new LendingObject(kind, name, borrower);
  } catch (error) {
    throw explainWithin(error, handle);
  }
  throw new CorruptError(`a value in it refers to bytes of an object of kind '${kind}'`);
}

class LendingObject implements Lender {
  readonly #attachment: Attachment;
  readonly #borrower: object;

  constructor(kind: 'array' | 'object', name: string, borrower: object) {
    this.#attachment = new Attachment(toAttach(kind, name));
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

class LendingMemory implements Lender {
  readonly #memory: SharedMemory;

  constructor({ name, readOnly = false }: AnyHandle & { readonly readOnly?: boolean }) {
    this.#memory = SharedMemory.attach(name, { readOnly });
  }

  show(at: number, bytes: number): ArrayBuffer {
    const { buffer } = this.#memory;
    checkInside(at, bytes, buffer.byteLength);
    if (at !== 0 || bytes !== buffer.byteLength) {
      throw new CorruptError(
        `a value in it is memory of another size than ${this.#memory.name} has`,
      );
    }
    return buffer;
  }

  close(): void {
    this.#memory.close();
  }
}

/** The object may have been replaced by another of the same name. */
function checkInside(at: number, bytes: number, size: number): void {
  if (at + bytes > size) {
    throw new CorruptError(
      `a value in it refers to ${bytes} bytes at ${at} of an object of ${size}`,
    );
  }
}
