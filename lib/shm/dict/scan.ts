import { loadFirst, loadLast } from '../core/ordered';
import { noValue } from '../../values/codec';
import { CorruptError } from '../../values/corrupt-error';
import { Later, absent, nonsenseValue, pending, type DictEntries } from './entries';
import {
  bucketOf,
  levelOf,
  mostSteps,
  mostTries,
  noTable,
  nonsense,
  type DictTable,
} from './table';
import { Sequences } from '../structure/sequences';
import { dictWords, entryWords } from './layout';
import { mostCopies } from '../structure/structure-layout';
import type { StructureState } from '../structure/structure-state';

/** The position of an iteration. */
export interface Cursor {
  /** The number of buckets of the table when the iteration began. */
  readonly buckets: number;
  bucket: number;
  /**
   * The group that was read last: each key, followed by the intermediate result of reading its value, from
   * which `finish` of codec.ts makes the value. The key of an invalid entry is undefined.
   */
  readonly found: unknown[];
}

/**
 * Reads the entries in groups. Each group is a consistent snapshot. An entry that exists during the whole
 * iteration is in exactly one group, however the table grows: a group consists of the entries whose hashes
 * belonged to one bucket of the table as it was when the iteration began.
 */
export class DictScan {
  readonly #structure: StructureState;
  #ints!: Int32Array<ArrayBuffer>;
  readonly #entries: DictEntries;
  readonly #table: DictTable;

  constructor(structure: StructureState, entries: DictEntries, table: DictTable) {
    this.#structure = structure;
    const { memory } = structure;
    memory.follow(() => (this.#ints = memory.ints));
    this.#entries = entries;
    this.#table = table;
  }

  /** Begins an iteration. Call {@link next} until it returns false. */
  begin(): Cursor {
    return { buckets: this.#table.buckets, bucket: 0, found: [] };
  }

  /** @returns whether there was another group. */
  next(cursor: Cursor): boolean {
    const { buckets, bucket } = cursor;
    const { fixed } = this.#structure.memory;
    if (bucket >= buckets) return false;
    cursor.bucket++;
    // The hashes of the keys in one bucket of the original table are equal modulo this power of two.
    const level = levelOf(buckets);
    const isSplit = bucket >= level || bucket + level < buckets;
    const period = isSplit ? 2 * level : level;
    const sequence = dictWords.sequences + (bucket & (Sequences.count - 1));
    const largeSequence = dictWords.large + (bucket & (Sequences.count - 1));
    for (let tries = 0, copies = 0; tries < mostTries && copies < mostCopies; tries++) {
      const large = loadFirst(fixed, largeSequence);
      const before = loadFirst(fixed, sequence);
      if (((large | before) & 1) !== 0) continue;
      const isFound = this.#collect(cursor, bucket, period, false);
      if (!isFound || loadLast(fixed, sequence) !== before) continue;
      if (!cursor.found.some((one) => one instanceof Later)) return true;
      // D5 of `DictState`: large values are read after it is certain where they are.
      copies++;
      if (this.#readLater(cursor, false) && loadLast(fixed, largeSequence) === large) return true;
    }
    this.#collectSlowly(cursor, bucket, period);
    return true;
  }

  #collectSlowly(cursor: Cursor, bucket: number, period: number): void {
    this.#structure.look(() => {
      this.#table.evenOut();
      if (!this.#collect(cursor, bucket, period, true)) throw new CorruptError(noTable);
      this.#readLater(cursor, true);
    });
  }

  /**
   * Reads the large values of a group. If the bytes of one make no sense: without the lock, returns false, so
   * that the caller can try again; under the lock, records that the value cannot be read.
   */
  #readLater({ found }: Cursor, isLocked: boolean): boolean {
    for (let i = 1; i < found.length; i += 2) {
      const later = found[i];
      if (!(later instanceof Later)) continue;
      const value = this.#entries.readApart(later.at);
      if (typeof value === 'symbol' && !isLocked) return false;
      found[i] = typeof value === 'symbol' ? noValue : value;
    }
    return true;
  }

  /**
   * Collects the entries of a group. Without the lock, returns false if something makes no sense at the
   * moment, so that the caller can try again. Under the lock, trying again would not help. There, each thing
   * that makes no sense is recorded as an entry that cannot be read, and the rest is collected.
   */
  #collect(cursor: Cursor, bucket: number, period: number, isLocked: boolean): boolean {
    cursor.found.length = 0;
    const table = this.#table;
    const entries = this.#entries;
    const { memory } = this.#structure;
    const buckets = table.checkedBuckets;
    if (buckets === nonsense) return false;
    let steps = 0;
    for (let from = bucketOf(bucket, buckets); from < buckets; from += period) {
      let link = table.headAt(from);
      if (link === nonsense) {
        if (!isLocked) return false;
        cursor.found.push(undefined, noValue);
        continue;
      }
      for (;;) {
        const pointer = this.#ints[link] ?? 0;
        if (pointer === 0) break;
        link = 2 * pointer;
        if (++steps > mostSteps || pointer < 0 || !memory.reaches(link + entryWords.body + 2)) {
          if (!isLocked) return false;
          // A chain that forms a loop gives the same entries again and again.
          if (steps > mostSteps) cursor.found.length = 0;
          cursor.found.push(undefined, noValue);
          if (steps > mostSteps) return true;
          break;
        }
        if ((entries.hashOf(link) & (period - 1)) !== bucket) continue;
        const isLater = entries.isLarge(link) && entries.isVisible(link);
        const value = isLater ? new Later(link) : entries.readApart(link);
        if (value === absent || value === pending) continue;
        const key = entries.keyOf(link);
        if (key === undefined || value === nonsenseValue) {
          if (!isLocked) return false;
          cursor.found.push(undefined, noValue);
          continue;
        }
        cursor.found.push(key, value);
      }
    }
    return true;
  }
}
