import { invalidType } from '../../common/errors';
import type { Encoder } from '../../values/codec';
import { borrowBatch, returnBatch, type Batch } from './batch';

/** Packs one of the values, and throws if it cannot be put. */
type Pack = (what: string, value: unknown) => Encoder;

/**
 * The values that one call puts. They are packed in batches, while no lock is held: an iterator is code of the
 * user, and so are the getters of a value.
 */
export class Bulk {
  readonly #values: Iterable<unknown>;
  readonly #pack: Pack;
  readonly #batch = borrowBatch();
  #packed = 0;

  constructor(values: Iterable<unknown>, pack: Pack) {
    // A text is iterable, too. But who passes one has hardly meant its characters.
    const isObject = typeof values === 'object' && (values as unknown) !== null;
    if (!isObject || !(Symbol.iterator in values)) {
      throw invalidType('values', 'an iterable object, such as an array', values);
    }
    this.#values = values;
    this.#pack = pack;
  }

  /** How many of the values were put. All of them are before all others. To be called once, at the end. */
  end(): number {
    const count = this.#packed - this.#batch.count;
    returnBatch(this.#batch);
    return count;
  }

  /**
   * The values, packed. The caller puts each batch, or value, before it asks for the next one. If a value cannot be
   * packed, or the iterator throws, the values before it are still given.
   */
  *[Symbol.iterator](): Generator<Batch | Encoder, void, undefined> {
    const batch = this.#batch;
    try {
      for (const value of this.#values) {
        const encoder = this.#pack(`values[${this.#packed}]`, value);
        try {
          if (!batch.add(encoder)) {
            encoder.keep();
            if (batch.count > 0) yield batch;
            if (!batch.add(encoder)) yield encoder;
          }
        } finally {
          encoder.forget();
        }
        this.#packed++;
      }
    } catch (error) {
      if (batch.count > 0) yield batch;
      throw error;
    }
    if (batch.count > 0) yield batch;
  }
}
