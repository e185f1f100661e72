import { isLatin1 } from './buffer-text';
import type { Encoder } from './codec';
import { DictEntries } from './dict-entries';
import type { DictEviction } from './dict-eviction';
import type { DictExpiry } from './dict-expiry';
import { none, type DictTable } from './dict-table';
import type { Sequences } from './sequences';
import type { StructureState } from './structure-state';

/** Puts entries into a table, and makes the room that they take. Within a change of the structure. */
export class DictWriter {
  readonly #structure: StructureState;
  readonly #sequences: Sequences;
  readonly #entries: DictEntries;
  readonly #table: DictTable;
  readonly #expiry: DictExpiry;
  readonly #eviction: DictEviction | undefined;

  constructor(
    structure: StructureState,
    sequences: Sequences,
    entries: DictEntries,
    table: DictTable,
    expiry: DictExpiry,
    eviction: DictEviction | undefined,
  ) {
    this.#structure = structure;
    this.#sequences = sequences;
    this.#entries = entries;
    this.#table = table;
    this.#expiry = expiry;
    this.#eviction = eviction;
  }

  /**
   * Puts an entry in the place of the one at `at`, or where there is none, as {@link DictTable.find} has
   * left it. It is reachable once it is complete (D4); what was found stays as it is.
   */
  put(key: string, hash: number, at: number, encoder: Encoder, expiry: number): void {
    const isWide = !isLatin1(key);
    const bytes = DictEntries.bytes(key, isWide, encoder, expiry);
    const table = this.#table;
    let pointer = this.#structure.allocate(bytes);
    if (pointer === 0) {
      pointer = this.#makeRoom(bytes);
      at = table.locate(key, hash);
    }
    const made = 2 * pointer;
    this.#entries.write(made, key, hash, isWide, encoder, expiry);
    table.place(made, hash, at);
    this.#eviction?.useAnew(hash);
    if (at !== none) return;
    table.grow();
    this.#expiry.step();
  }

  /**
   * Removes entries until there is a block, each by a change of its own.
   *
   * @throws SharedMemoryError `ERR_CAPACITY`, `ENOSPC` nothing is left to remove.
   */
  #makeRoom(bytes: number): number {
    const structure = this.#structure;
    for (;;) {
      if (bytes > structure.arena.capacity || !this.#removeSome()) throw structure.full(bytes);
      structure.log.commit();
      this.#sequences.closeAll();
      const pointer = structure.allocate(bytes);
      if (pointer !== 0) return pointer;
    }
  }

  #removeSome(): boolean {
    return this.#expiry.makeRoom() || this.#eviction?.makeRoom() === true;
  }
}
