import type { Arena } from '../structure/arena';
import type { DictEntries } from './entries';
import type { DictTable } from './table';
import type { GrowingMemory } from '../structure/growing-memory';
import { Tag } from '../../values/codec';

const nowhere = 0;

/**
 * Makes one free block that is large enough for one large entry. It removes entries whose blocks are
 * adjacent, instead of entries in scattered blocks. For that it searches for a run of adjacent blocks. Each
 * block of the run is free, or belongs to an entry that may be removed, or is one of the table's own blocks.
 * The table's blocks are moved to the front of the run. Nothing is changed before such a run is found. A
 * block is identified by the word where it begins. Used under the lock.
 */
export class DictRoom {
  readonly #memory: GrowingMemory;
  readonly #arena: Arena;
  readonly #entries: DictEntries;
  readonly #table: DictTable;
  readonly #evicts: boolean;
  readonly #commit: () => void;
  /** The table's own blocks, and which chunk of the table each contains. */
  #chunks: ReadonlyMap<number, number> = new Map();
  /** Whether the search has met an entry that must stay. */
  #sawPinned = false;
  /** Where the last search has stopped. */
  #searched = 0;

  /**
   * @param evicts - whether entries that have not expired may be removed.
   * @param commit - ends a change and begins the next one.
   */
  constructor(
    memory: GrowingMemory,
    arena: Arena,
    entries: DictEntries,
    table: DictTable,
    evicts: boolean,
    commit: () => void,
  ) {
    this.#memory = memory;
    this.#arena = arena;
    this.#entries = entries;
    this.#table = table;
    this.#evicts = evicts;
    this.#commit = commit;
  }

  /**
   * Makes room for the given number of bytes.
   *
   * @param near - an entry that may be removed, or 0. The search for a run begins there.
   * @param isWide - for a dict that does not evict: whether expired entries are likely to exist, so that the
   * whole memory has to be searched.
   * @returns false when no room can be made; then nothing was changed.
   */
  make(bytes: number, near: number, isWide: boolean): boolean {
    const arena = this.#arena;
    const mayFit = this.#evicts || arena.capacity - arena.used >= bytes;
    if (!mayFit && this.#table.size > 0) return false;
    this.#chunks = this.#table.chunks();
    this.#sawPinned = false;
    const size = arena.unitsFor(bytes);
    const head = this.#evicts || isWide ? this.#findNear(size, near) : this.#findAroundChunks(size);
    if (head === nowhere) return this.#mayEmpty(bytes) && this.#empty(size);
    this.#clear(head, size);
    return true;
  }

  #findNear(size: number, near: number): number {
    const arena = this.#arena;
    const head = near === 0 ? nowhere : this.#find(arena.beginOf(near / 2), size, false);
    return head === nowhere ? this.#find(arena.first, size, false) : head;
  }

  /**
   * Searches for a run, supposing that no entry may be removed. Adjacent free blocks are always joined into
   * one. So a run of several blocks contains at least one of the table's own blocks, and it is enough to
   * search from each of these, or from the free block in front of it.
   */
  #findAroundChunks(size: number): number {
    let searched = 0;
    for (const chunk of Float64Array.from(this.#chunks.keys()).sort()) {
      if (chunk < searched) continue;
      const head = this.#find(this.#arena.beginOf((chunk + 1) / 2), size, true);
      if (head !== nowhere) return head;
      searched = this.#searched;
    }
    return nowhere;
  }

  /**
   * Returns where the first run begins that can become large enough, or `nowhere`.
   *
   * @param isOne - whether to stop the search at the first block that can neither be freed nor moved.
   */
  #find(from: number, size: number, isOne: boolean): number {
    const arena = this.#arena;
    const { top } = arena;
    let head = from;
    /** How much of the run will be free behind the blocks that are moved to its front. */
    let free = 0;
    let block = from;
    while (block !== top) {
      const units = arena.unitsAt(block);
      const behind = block + 2 * units;
      if (this.#chunks.has(block)) {
        // The block that the chunk is moved to may be larger by one unit.
        free = free > units ? free - 1 : 0;
        if (free === 0) head = behind;
      } else if (arena.isFree(block) || this.#mayGo(block + 1)) {
        free += units;
        if (free >= size) return head;
      } else {
        this.#sawPinned = true;
        if (isOne) break;
        free = 0;
        head = behind;
      }
      block = behind;
    }
    this.#searched = block;
    if (block !== top) return nowhere;
    // The rest of the run is behind the last block: it was never used, or is free again.
    return arena.canExtend(size - free) ? head : nowhere;
  }

  #mayGo(at: number): boolean {
    return this.#evicts ? this.#entries.tagOf(at) !== Tag.Pending : this.#entries.isExpired(at);
  }

  /** Makes a run into one free block, or into a part of the unused memory behind the last block. */
  #clear(head: number, size: number): void {
    const arena = this.#arena;
    for (let front = head; front !== arena.top;) {
      const units = arena.isFree(front) ? arena.unitsAt(front) : 0;
      if (units >= size) return;
      const block = front + 2 * units;
      if (block === arena.top) return;
      const chunk = this.#chunks.get(block);
      if (chunk === undefined) {
        this.#table.removeAt(block + 1);
      } else {
        this.#table.moveChunk(chunk, arena.takeAt(front, arena.unitsAt(block)));
        front += 2 * arena.unitsAt(front);
      }
      this.#commit();
    }
  }

  /**
   * Whether to remove all entries when there is no other way to make room, because the table's own blocks are
   * in the way.
   */
  #mayEmpty(bytes: number): boolean {
    const arena = this.#arena;
    if (bytes > arena.capacity) return false;
    if (this.#evicts) return !this.#sawPinned && 2 * bytes >= arena.capacity;
    let own = 0;
    for (const chunk of this.#chunks.keys()) own += 8 * arena.unitsAt(chunk);
    return arena.used === own;
  }

  #empty(size: number): boolean {
    if (!this.#memory.grow(this.#arena.first + 2 * size + 1)) return false;
    this.#table.empty();
    this.#commit();
    return true;
  }
}
