import { isArrayBuffer } from './intrinsics';
import { padded, tableFloats, trailerBytes } from './packed-format';

/** Bytes of an ArrayBuffer. */
export interface Piece {
  readonly buffer: ArrayBuffer;
  from: number;
  to: number;
  isWhole: boolean;
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
    const isWhole = length < 0 || length === own.byteLength;
    const to = isWhole ? own.byteLength : from + length;
    let known = this.#known.get(own);
    if (known === undefined) this.#known.set(own, (known = []));
    for (const index of known) {
      const piece = this.#pieces[index];
      if (piece === undefined) continue;
      if (!isWhole && !piece.isWhole && (piece.to <= from || to <= piece.from)) continue;
      piece.isWhole ||= isWhole;
      piece.from = piece.isWhole ? 0 : Math.min(piece.from, from);
      piece.to = Math.max(piece.to, to);
      return index;
    }
    const index = this.#pieces.push({ buffer: own, from: isWhole ? 0 : from, to, isWhole }) - 1;
    known.push(index);
    return index;
  }

  /** All are there. */
  close(mainBytes: number): void {
    const tail = new Float64Array(tableFloats * this.#pieces.length + trailerBytes / 8);
    let size = padded(mainBytes);
    this.#pieces.forEach(({ buffer, from, to, isWhole }, i) => {
      const { resizable, maxByteLength } = buffer as {
        resizable?: boolean;
        maxByteLength?: number;
      };
      tail[tableFloats * i] = to - from;
      tail[tableFloats * i + 1] = from;
      tail[tableFloats * i + 2] = isWhole && resizable === true ? (maxByteLength ?? -1) : -1;
      size += padded(to - from);
    });
    new Uint32Array(tail.buffer, tail.byteLength - trailerBytes).set([
      mainBytes,
      this.#pieces.length,
    ]);
    this.#tail = tail;
    this.#mainBytes = mainBytes;
    this.#size = size + tail.byteLength;
  }

  /** What lies where, from the beginning of the value on. */
  forEach(act: (bytes: Uint8Array, at: number) => void): void {
    let at = padded(this.#mainBytes);
    for (const { buffer, from, to } of this.#pieces) {
      act(new Uint8Array(buffer, from, to - from), at);
      at += padded(to - from);
    }
    act(new Uint8Array(this.#tail.buffer), at);
  }

  /** Takes the bytes as they are now: those they are of may change. */
  keep(): void {
    this.#pieces.forEach(({ buffer, from, to, isWhole }, i) => {
      // The table says already what there was to be said of the buffer.
      this.#pieces[i] = { buffer: buffer.slice(from, to), from: 0, to: to - from, isWhole };
    });
  }
}

function isDetached(buffer: ArrayBuffer): boolean {
  if (buffer.byteLength > 0) return false;
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}
