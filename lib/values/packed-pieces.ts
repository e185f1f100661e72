import { byteLengthOf, isArrayBuffer } from './intrinsics';
import { mergedInto, padded, tableFloats, trailerBytes } from './packed-format';

/** Bytes of an ArrayBuffer. */
export interface Piece {
  readonly buffer: ArrayBuffer;
  from: number;
  to: number;
  isWhole: boolean;
  /** Of which piece it has become a part, or -1. */
  into: number;
}

/**
 * The ArrayBuffers of a value that is packed: all of each, but of one that only Buffers look at no more
 * than they see. (Node's are parts of pools, whose other bytes are not the value's.) Buffers whose
 * bytes overlap still share them.
 */
export class Pieces {
  readonly #pieces: Piece[] = [];
  readonly #known = new Map<ArrayBuffer, number[]>();
  #tail = new Float64Array(0);
  #mainBytes = 0;
  #size = 0;

  /** The bytes of the whole value. */
  get size(): number {
    return this.#size;
  }

  /**
   * @param length - how many bytes, or -1: all.
   * @returns its index, or -1 where it has no bytes of its own.
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
        // They had nothing in common until now.
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
   * All are there.
   *
   * @returns a buffer that has become another size since, by a getter in the value; or undefined.
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

  /** What lies where, from the beginning of the value on. */
  forEach(act: (bytes: Uint8Array, at: number) => void): void {
    let at = padded(this.#mainBytes);
    for (const { buffer, from, to, into } of this.#pieces) {
      if (into >= 0) continue;
      act(new Uint8Array(buffer, from, to - from), at);
      at += padded(to - from);
    }
    act(new Uint8Array(this.#tail.buffer), at);
  }

  /** Takes the bytes as they are now: those they are of may change. */
  keep(): void {
    this.#pieces.forEach(({ buffer, from, to, isWhole, into }, i) => {
      if (into >= 0) return;
      // The table says already what there was to be said of the buffer.
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
