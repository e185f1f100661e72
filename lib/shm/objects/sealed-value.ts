import type { DraftHandle, NativePieces } from '../core/binding';
import type { Contents } from '../core/object-seat';
import type { AnyHandle } from '../../common/handles';
import { tableFloats } from '../../values/packed-format';
import { pack, type Packed } from '../../values/packer';
import { rangeOf, type Borrower, type Range } from './borrowed';
import {
  alignedToBuffer,
  entry,
  hasReferences,
  head,
  headBytes,
  largeBytes,
  objectFormat,
  wordsBytesFor,
} from './layout';

/** The offset in the data of memory that was allocated before the value was known. */
export const allocatedAt = alignedToBuffer(headBytes);

/** Memory that was allocated before the value was known. */
export interface Allocated {
  readonly buffer: ArrayBuffer;
  readonly bytes: number;
  /** Throws if the buffer has lost the memory. Called when the value was packed, which may run code of the user. */
  check(): void;
}

/** A value in the form in which a new object gets it. */
export interface SealedValue {
  readonly frontBytes: number;
  readonly bytes: number;
  readonly pieces: NativePieces;
  /** The names of the objects in it that exist as long as somebody holds them. */
  readonly held: readonly string[];
  readonly hasReferences: boolean;
}

/**
 * Places a value in memory; see layout.ts. The pieces are valid until the next value is packed.
 *
 * @param what - how errors call the value.
 * @param borrower - what the new object is like, which may refer to others.
 * @param allocated - what is in memory already.
 */
export function seal(
  what: string,
  value: unknown,
  borrower: Borrower,
  allocated?: Allocated,
): SealedValue {
  const packed = pack(what, value);
  allocated?.check();
  const references = new References();
  for (const each of packed.shared) references.addHeld((each as { toJSON(): AnyHandle }).toJSON());
  const known = (whole: ArrayBuffer) =>
    whole === allocated?.buffer ? { at: allocatedAt } : rangeOf(whole, borrower);
  return place(packed, references, known, allocated);
}

/**
 * Places a value that a structure keeps. It refers to nothing else, but says which structure that is. Nobody holds the
 * shared objects in it: as everywhere in a structure, they may disappear.
 */
export function sealFor(keeper: AnyHandle, packed: Packed): SealedValue {
  const references = new References();
  references.indexOf(keeper);
  return place(packed, references, () => undefined);
}

/**
 * @param known - where the bytes of an ArrayBuffer are, if they need no copy.
 */
function place(
  packed: Packed,
  references: References,
  known: (whole: ArrayBuffer) => Range | { readonly at: number } | undefined,
  allocated?: Allocated,
): SealedValue {
  const buffers = [...buffersOf(packed)];
  const table = new Float64Array(entry.floats * buffers.length);
  const small: Placed[] = [];
  const large: Placed[] = [];
  buffers.forEach(({ bytes, base, most }, i) => {
    const row = table.subarray(entry.floats * i, entry.floats * (i + 1));
    row[entry.most] = most;
    if (bytes === undefined) return;
    const whole = bytes.buffer as ArrayBuffer;
    const range = known(whole);
    if (range === undefined) {
      row.set([0, bytes.length, base]);
      (isLarge(bytes.length, most) ? large : small).push({ row, bytes });
      return;
    }
    row.set([range.at, whole.byteLength, 0]);
    row[entry.source] = 'handle' in range ? references.indexOf(range.handle) : 0;
  });
  const text = Buffer.from(references.text());
  const start = new Float64Array(head.floats);
  const layout = new Layout();
  layout.add(new Uint8Array(start.buffer));
  if (allocated !== undefined) layout.skip(allocatedAt + allocated.bytes);
  start.set([packed.bytes.length, buffers.length, text.length, layout.align(8)]);
  const from = layout.end;
  for (const bytes of [new Uint8Array(table.buffer), packed.bytes, text]) layout.add(bytes);
  for (const each of small) layout.place(each);
  const frontBytes = layout.end - from;
  for (const each of large) layout.place(each);
  return {
    frontBytes,
    bytes: layout.end,
    pieces: layout.pieces(),
    held: references.held(),
    hasReferences: text.length > 0,
  };
}

/**
 * The contents of a new object.
 *
 * @param draft - has the bytes that were allocated before.
 * @param copied - has them if there is no draft.
 */
export function sealedContents(
  sealed: SealedValue,
  words: Uint8Array,
  participants: number,
  draft: DraftHandle | undefined,
  copied: Uint8Array | undefined,
): Contents {
  const { pieces } = sealed;
  return {
    type: sealed.hasReferences ? objectFormat | hasReferences : objectFormat,
    length: sealed.frontBytes,
    wordsBytes: wordsBytesFor(participants),
    dataBytes: sealed.bytes,
    words,
    pieces: copied === undefined ? pieces : withPiece(pieces, copied, allocatedAt),
    draft,
  };
}

function withPiece({ bytes, at }: NativePieces, more: Uint8Array, moreAt: number): NativePieces {
  return { bytes: [...bytes, more], at: Float64Array.of(...at, moreAt) };
}

/** Whether an ArrayBuffer is read without a copy. One that can change its size cannot be. */
const isLarge = (bytes: number, most: number): boolean => bytes >= largeBytes && most === -1;

/** A buffer of the value, and its row of the table. */
interface Placed {
  readonly row: Float64Array;
  readonly bytes: Uint8Array;
}

/** What is where in the data. */
class Layout {
  readonly #bytes: Uint8Array[] = [];
  readonly #at: number[] = [];
  end = 0;

  add(bytes: Uint8Array): void {
    this.#bytes.push(bytes);
    this.#at.push(this.end);
    this.end += bytes.length;
  }

  place({ row, bytes }: Placed): void {
    this.end = alignedToBuffer(this.end);
    row[entry.at] = this.end;
    this.add(bytes);
  }

  /** Leaves out what is in memory already. */
  skip(to: number): void {
    this.end = to;
  }

  align(to: number): number {
    return (this.end = Math.ceil(this.end / to) * to);
  }

  pieces(): NativePieces {
    return { bytes: this.#bytes, at: Float64Array.from(this.#at) };
  }
}

/** The handles of the shared objects that the value refers to, each once. */
class References {
  readonly #texts: string[] = [];

  /** The number of a handle, which counts from 1. */
  indexOf(handle: AnyHandle): number {
    const text = JSON.stringify(handle);
    const known = this.#texts.indexOf(text);
    return known >= 0 ? known + 1 : this.#texts.push(text);
  }

  /** Adds a shared object in the value if it exists only as long as somebody holds it. */
  addHeld({ shmkit, name }: AnyHandle): void {
    if (shmkit === 'object') this.indexOf({ shmkit, name });
  }

  held(): string[] {
    const handles = this.#texts.map((text) => JSON.parse(text) as AnyHandle);
    return handles.filter(({ shmkit }) => shmkit === 'object').map(({ name }) => name);
  }

  text(): string {
    return this.#texts.length > 0 ? `[${this.#texts.join(',')}]` : '';
  }
}

/** The ArrayBuffers of a value. One that is part of an earlier one has no bytes. */
function* buffersOf({ pieces }: Packed) {
  const { table = new Float64Array(0) } = pieces ?? {};
  for (let i = 0; i < table.length / tableFloats; i++) {
    const [, base = 0, most = -1] = table.subarray(tableFloats * i, tableFloats * (i + 1));
    yield { bytes: pieces?.bytesOf(i), base, most };
  }
}
