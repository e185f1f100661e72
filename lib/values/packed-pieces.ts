import { makeBuffer } from './array-buffers';
import { byteLengthOf, isArrayBuffer } from './intrinsics';
import { mergedInto, padded, tableFloats, trailerBytes } from './packed-format';

/** A range of bytes of an ArrayBuffer. */
export interface Piece {
  readonly buffer: ArrayBuffer;
  from: number;
  to: number;
  isWhole: boolean;
  /** The index of the piece that this one was merged into, or -1. */
  into: number;
}

/**
 * The ArrayBuffers of a value that is being packed. A buffer is included as a whole. But if only Node Buffers
 * refer to it, only the bytes that they cover are included, because Node's ArrayBuffers are pools whose other
 * bytes do not belong to the value. Buffers whose bytes overlap still share them afterwards.
 */
export class Pieces {
  readonly #pieces: Piece[] = [];
  readonly #known = new Map<ArrayBuffer, number[]>();
  #tail = new Float64Array(0);
  #mainBytes = 0;
  #size = 0;

  /** The size of the whole value in bytes. */
  get size(): number {
    return this.#size;
  }

  /**
   * Adds a range of bytes of a buffer. If it overlaps with pieces that were added before, they become one
   * piece.
   *
   * @param length - the number of bytes, or -1 for all.
   * @returns the index of the piece, or -1 for a buffer that is detached or is not an ArrayBuffer.
   */
  indexOf(buffer: ArrayBufferLike, from: number, length: number): number {
    if (!isArrayBuffer(buffer) || isDetached(buffer as ArrayBuffer)) return -1;
    const own = buffer as ArrayBuffer;
    const isWhole = length < 0 || length === byteLengthOf(own);
    const to = isWhole ? byteLengthOf(own) : from + length;
    let known = this.#known.get(own);
    if (known === undefined) this.#known.set(own, (known = []));
    let found = -1;
    for (const index of known) {
      const piece = this.#pieces[index];
      if (piece === undefined || piece.into >= 0) continue;
      if (!isWhole && !piece.isWhole && (piece.to <= from || to <= piece.from)) continue;
      const first = this.#pieces[found];
      if (first === undefined) {
        found = index;
        extend(piece, from, to, isWhole);
      } else {
        // Until now, these pieces did not overlap.
        piece.into = found;
        extend(first, piece.from, piece.to, piece.isWhole);
      }
    }
    if (found >= 0) return found;
    const start = isWhole ? 0 : from;
    const index = this.#pieces.push({ buffer: own, from: start, to, isWhole, into: -1 }) - 1;
    known.push(index);
    return index;
  }

  /**
   * Called when all pieces have been added. Makes the table that follows them, and determines the size of the
   * whole value.
   *
   * @returns a buffer whose size was changed in the meantime by a getter in the value; otherwise undefined.
   */
  close(mainBytes: number): ArrayBuffer | undefined {
    const tail = new Float64Array(tableFloats * this.#pieces.length + trailerBytes / 8);
    let size = padded(mainBytes);
    for (const [i, { buffer, from, to, isWhole, into }] of this.#pieces.entries()) {
      if (into >= 0) {
        tail[tableFloats * i + 2] = mergedInto - into;
        continue;
      }
      const bytes = byteLengthOf(buffer);
      if (isWhole ? bytes !== to || isDetached(buffer) : bytes < to) return buffer;
      const { resizable, maxByteLength } = buffer as {
        resizable?: boolean;
        maxByteLength?: number;
      };
      tail[tableFloats * i] = to - from;
      tail[tableFloats * i + 1] = from;
      tail[tableFloats * i + 2] = isWhole && resizable === true ? (maxByteLength ?? -1) : -1;
      size += padded(to - from);
    }
    new Uint32Array(tail.buffer, tail.byteLength - trailerBytes).set([
      mainBytes,
      this.#pieces.length,
    ]);
    this.#tail = tail;
    this.#mainBytes = mainBytes;
    this.#size = size + tail.byteLength;
    return undefined;
  }

  /**
   * The numbers of {@link tableFloats} for each buffer, in the order of their indices, for code that stores the
   * buffers in its own way. Valid after {@link close}.
   */
  get table(): Float64Array {
    return this.#tail.subarray(0, tableFloats * this.#pieces.length);
  }

  /** The numbers of bytes of the buffers; 0 for one that is part of an earlier one. Valid after {@link close}. */
  get lengths(): number[] {
    return this.#pieces.map(({ from, to, into }) => (into >= 0 ? 0 : to - from));
  }

  /** How many bytes all buffers have. */
  get contentBytes(): number {
    let bytes = 0;
    for (const { from, to, into } of this.#pieces) if (into < 0) bytes += to - from;
    return bytes;
  }

  /** The bytes of a buffer, or undefined if it is part of an earlier one. Valid after {@link close}. */
  bytesOf(index: number): Uint8Array | undefined {
    const piece = this.#pieces[index];
    if (piece === undefined || piece.into >= 0) return undefined;
    return new Uint8Array(piece.buffer, piece.from, piece.to - piece.from);
  }

  /** Calls a function with the bytes of each piece, and their offset from the beginning of the value. */
  forEach(act: (bytes: Uint8Array, at: number) => void): void {
    let at = padded(this.#mainBytes);
    for (const { buffer, from, to, into } of this.#pieces) {
      if (into >= 0) continue;
      act(new Uint8Array(buffer, from, to - from), at);
      at += padded(to - from);
    }
    act(new Uint8Array(this.#tail.buffer), at);
  }

  /** Copies of the buffers, as a reader of the value gets them. Valid after {@link close}. */
  copies(): { buffers: ArrayBuffer[]; bases: number[] } {
    const buffers: ArrayBuffer[] = [];
    const bases: number[] = [];
    this.#pieces.forEach(({ buffer, from, to, into }, i) => {
      const most = this.table[tableFloats * i + 2] ?? -1;
      const copy = buffers[into] ?? makeBuffer(to - from, most) ?? new ArrayBuffer(to - from);
      if (into < 0) new Uint8Array(copy).set(new Uint8Array(buffer, from, to - from));
      buffers.push(copy);
      bases.push(into < 0 ? from : (bases[into] ?? 0));
    });
    return { buffers, bases };
  }

  /** Copies the bytes as they are now, because the original buffers may change. */
  keep(): void {
    this.#pieces.forEach(({ buffer, from, to, isWhole, into }, i) => {
      if (into >= 0) return;
      // The table already contains everything about the original buffer.
      const { buffer: copy } = new Uint8Array(new Uint8Array(buffer, from, to - from));
      this.#pieces[i] = { buffer: copy, from: 0, to: to - from, isWhole, into };
    });
  }
}

function extend(piece: Piece, from: number, to: number, isWhole: boolean): void {
  piece.isWhole ||= isWhole;
  piece.from = piece.isWhole ? 0 : Math.min(piece.from, from);
  piece.to = Math.max(piece.to, to);
}

function isDetached(buffer: ArrayBuffer): boolean {
  if (byteLengthOf(buffer) > 0) return false;
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}
