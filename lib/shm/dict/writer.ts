import { isLatin1 } from '../../values/buffer-text';
import type { Encoder } from '../../values/codec';
import { DictEntries } from './entries';
import type { DictEviction } from './eviction';
import type { DictExpiry } from './expiry';
import { DictRoom } from './room';
import { none, type DictTable } from './table';
import type { StructureState } from '../structure/structure-state';

/** Entries of a quarter of what is wanted are like it: a few that were used least lately leave room. */
const likeFactor = 4;
/** How many times what is wanted is freed here and there before it is freed at one place. */
const mostFreedFactor = 2;

/** Puts entries into a table, and makes the room that they take. Within a change of the structure. */
export class DictWriter {
  readonly #structure: StructureState;
  readonly #entries: DictEntries;
  readonly #table: DictTable;
  readonly #expiry: DictExpiry;
  readonly #eviction: DictEviction | undefined;
  readonly #room: DictRoom;

  constructor(
    structure: StructureState,
    entries: DictEntries,
    table: DictTable,
    expiry: DictExpiry,
    eviction: DictEviction | undefined,
  ) {
    this.#structure = structure;
    this.#entries = entries;
    this.#table = table;
    this.#expiry = expiry;
    this.#eviction = eviction;
    const { memory, arena } = structure;
    const evicts = eviction !== undefined;
    this.#room = new DictRoom(memory, arena, entries, table, evicts, () => this.#commit());
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
   * Removes entries until there is a block, each by a change of its own: by their time, as long as those
   * are about as large as what is to come, and so soon leave room for it; else by their place.
   *
   * @throws SharedMemoryError `ERR_CAPACITY`, `ENOSPC` there can be no room; nothing was removed but what
   * was over, as far as can be told before.
   */
  #makeRoom(bytes: number): number {
    const structure = this.#structure;
    const { arena } = structure;
    if (bytes > arena.capacity) throw structure.full(bytes);
    const { used } = arena;
    while (this.#removeOne(bytes, used - arena.used)) {
      this.#commit();
      const pointer = structure.allocate(bytes);
      if (pointer !== 0) return pointer;
    }
    const { failure } = structure.memory;
    const near = this.#eviction?.choose() === true ? this.#eviction.victim : none;
    if (this.#room.make(bytes, near, arena.used < used)) {
      const pointer = structure.allocate(bytes);
      if (pointer !== 0) return pointer;
    }
    structure.memory.failure ??= failure;
    throw structure.full(bytes);
  }

  /** @param freed - how many bytes were freed before. */
  #removeOne(bytes: number, freed: number): boolean {
    const eviction = this.#eviction;
    if (freed > mostFreedFactor * bytes) return false;
    if (this.#expiry.makeRoom()) return true;
    if (eviction?.choose() !== true) return false;
    const { arena } = this.#structure;
    const isAlike = likeFactor * arena.room(eviction.victim / 2) >= bytes;
    // Of so much it is not sure that it can be stored at all.
    if (!isAlike || likeFactor * bytes > arena.capacity) return false;
    this.#table.remove(eviction.victim, eviction.victimLink);
    return true;
  }

  #commit(): void {
    this.#structure.log.commit();
    this.#table.settle();
  }
}
