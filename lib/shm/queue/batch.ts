import type { Encoder, Views } from '../../values/codec';
import { record, recordUnits, unitsOf } from './record';

/** The bytes of all records together. */
const batchBytes = 1 << 16;

/** Larger values are put one by one: to copy them twice takes longer than to acquire the lock. */
const largestValue = 1 << 12;

/** A batch that is not in use. To make one takes longer than to fill it. */
let spare: Batch | undefined;

/** Returns a batch without records. */
export function borrowBatch(): Batch {
  const batch = spare ?? new Batch();
  spare = undefined;
  return batch;
}

/** To be called when a batch is not used any more. */
export function returnBatch(batch: Batch): void {
  batch.drop(batch.count);
  spare = batch;
}

/**
 * Records that are written before the lock is acquired, in the form and the order that they have in the ring. So
 * putting all of them into the ring is one copy.
 */
export class Batch {
  readonly #views: Views;
  /** The places of the first record and behind the last one, in units of 8 bytes. */
  #begin = 0;
  #end = 0;
  #count = 0;

  constructor() {
    const bytes = new ArrayBuffer(batchBytes);
    this.#views = {
      ints: new Int32Array(bytes),
      bytes: new Uint8Array(bytes),
      shorts: new Uint16Array(bytes),
      floats: new Float64Array(bytes),
      buffer: Buffer.from(bytes),
    };
  }

  /** The number of records. */
  get count(): number {
    return this.#count;
  }

  /** Appends a value. Returns false if there is no room for it, or if it is to be put alone. */
  add(encoder: Encoder): boolean {
    const { size, apartBytes, tag } = encoder;
    const units = unitsOf(size);
    const at = this.#end;
    if (size > largestValue || apartBytes > 0 || 8 * (at + units) > batchBytes) return false;
    const { ints } = this.#views;
    ints[2 * at + record.units] = units;
    ints[2 * at + record.size] = size;
    ints[2 * at + record.state] = tag;
    encoder.write(this.#views, 8 * (at + recordUnits));
    this.#end = at + units;
    this.#count++;
    return true;
  }

  /** The units that the first records take together. */
  unitsOf(count: number): number {
    let at = this.#begin;
    for (let i = 0; i < count; i++) at += this.#unitsAt(at);
    return at - this.#begin;
  }

  /**
   * Copies the first records.
   *
   * @param at - where to, in units of 8 bytes.
   * @param number - the number of the first record; the others have the numbers that follow.
   */
  copy(count: number, units: number, to: Int32Array, at: number, number: number): void {
    const { ints } = this.#views;
    let from = this.#begin;
    for (let i = 0; i < count; i++) {
      ints[2 * from + record.number] = (number + i) | 0;
      from += this.#unitsAt(from);
    }
    to.set(ints.subarray(2 * this.#begin, 2 * (this.#begin + units)), 2 * at);
  }

  /** Removes the first records. */
  drop(count: number): void {
    this.#begin += this.unitsOf(count);
    this.#count -= count;
    if (this.#count === 0) this.#begin = this.#end = 0;
  }

  #unitsAt(at: number): number {
    return this.#views.ints[2 * at + record.units] ?? 0;
  }
}
