import { isLatin1 } from '../../values/buffer-text';
import type { Encoder } from '../../values/codec';
import { DictEntries } from './entries';
import type { DictEviction } from './eviction';
import type { DictExpiry } from './expiry';
import { DictRoom } from './room';
import { none, type DictTable } from './table';
import type { StructureState } from '../structure/structure-state';

/** Entries of at least a quarter of the wanted size count as similar: removing a few of them makes room. */
const likeFactor = 4;
/**
 * Entries are removed one by one, wherever they are, until this many times the wanted size was freed. If
 * there is still no block then, room is made in one place.
 */
const mostFreedFactor = 2;
/** How often an entry is chosen to find some with values that are stored apart. */
const mostLooks = 1000;

/** Puts entries into a table, and makes room for them. Used within a change of the structure. */
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
   * Writes an entry and replaces the one at `at` by it, or adds it if `at` is `none`. To be called right after
   * {@link DictTable.find}. The new entry is reachable only after it is complete (D4). The old entry itself is
   * not modified.
   */
  put(key: string, hash: number, at: number, encoder: Encoder, expiry: number): void {
    const isWide = !isLatin1(key);
    const bytes = DictEntries.bytes(key, isWide, encoder, expiry);
    const table = this.#table;
    const { apartBytes } = encoder;
    if (apartBytes > 0 || this.#structure.outOfBand.bytes > 0) {
      at = this.#makeRoomApart(key, hash, bytes + apartBytes);
    }
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
   * Removes entries until there is a block, each in a change of its own. At first it removes expired entries,
   * and then the least recently used ones, as long as these are about as large as the new entry: removing
   * them soon makes room. Otherwise it removes entries whose blocks are adjacent ({@link DictRoom}).
   *
   * @throws SharedMemoryError `ERR_CAPACITY`, `ENOSPC` no room can be made. As far as that can be known in
   * advance, only expired entries were removed.
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

  /**
   * In a dict that has values that are stored apart, or gets one: removes entries, each in a change of its own, until
   * there is room. First expired entries, and then the least recently used ones.
   *
   * @returns where the entry of the key is now, or `none`.
   * @throws SharedMemoryError `ERR_CAPACITY`
   */
  #makeRoomApart(key: string, hash: number, bytes: number): number {
    const { arena, outOfBand } = this.#structure;
    const entries = this.#entries;
    const table = this.#table;
    for (;;) {
      const at = table.locate(key, hash);
      const replaced = at === none ? 0 : (entries.apartOf(at)?.bytes ?? 0);
      if (arena.used + outOfBand.bytes - replaced + bytes <= arena.capacity) return at;
      if (bytes > arena.capacity - table.ownBytes || !this.#removeAny()) {
        throw this.#structure.full(bytes);
      }
      this.#commit();
    }
  }

  /**
   * Removes entries with values that are stored apart, beginning with those that were used least recently, until so many
   * bytes are free.
   *
   * @returns whether there were any.
   */
  freeApart(bytes: number): boolean {
    const { outOfBand } = this.#structure;
    const before = outOfBand.bytes;
    for (let looks = 0; looks < mostLooks && before - outOfBand.bytes < bytes; looks++) {
      const eviction = this.#eviction;
      if (outOfBand.bytes === 0 || eviction?.choose() !== true) break;
      if (this.#entries.apartOf(eviction.victim) === undefined) continue;
      this.#table.remove(eviction.victim, eviction.victimLink);
      this.#commit();
    }
    return outOfBand.bytes < before;
  }

  #removeAny(): boolean {
    if (this.#expiry.makeRoom()) return true;
    if (this.#eviction?.choose() !== true) return false;
    this.#table.remove(this.#eviction.victim, this.#eviction.victimLink);
    return true;
  }

  /** @param freed - how many bytes have been freed so far. */
  #removeOne(bytes: number, freed: number): boolean {
    const eviction = this.#eviction;
    if (freed > mostFreedFactor * bytes) return false;
    if (this.#expiry.makeRoom()) return true;
    if (eviction?.choose() !== true) return false;
    const { arena } = this.#structure;
    const isAlike = likeFactor * arena.room(eviction.victim / 2) >= bytes;
    // An entry this large may not fit at all, so no entry is removed for it here.
    if (!isAlike || likeFactor * bytes > arena.capacity) return false;
    this.#table.remove(eviction.victim, eviction.victimLink);
    return true;
  }

  #commit(): void {
    this.#structure.log.commit();
    this.#table.settle();
  }
}
