import type { Arena } from '../structure/arena';
import type { DictEntries } from './entries';
import type { DictTable } from './table';
import type { GrowingMemory } from '../structure/growing-memory';
import { Tag } from '../../values/codec';

const nowhere = 0;

/**
 * Room for one large entry, made at one place: what lies there goes, instead of entries here and there
 * whose blocks are no neighbours. A run of blocks is looked for that are free, or are entries' that may
 * go, or the table's own, which are moved to the front of it. Nothing is changed before there is such a
 * run. Blocks are spoken of by the word that they begin with. Under the lock.
 */
export class DictRoom {
  readonly #memory: GrowingMemory;
  readonly #arena: Arena;
  readonly #entries: DictEntries;
  readonly #table: DictTable;
  readonly #evicts: boolean;
  readonly #commit: () => void;
  /** The table's own blocks, and which part of it each has. */
  #chunks: ReadonlyMap<number, number> = new Map();
  /** Whether an entry was come by that has to stay. */
  #sawPinned = false;
  /** How far the last search has come. */
  #searched = 0;

  /**
   * @param evicts - whether entries may go whose time is not over.
   * @param commit - ends a change, and begins the next.
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
   * Makes room for so many bytes.
   *
   * @param near - an entry that may go, or 0: the run that is taken is the next one from there on.
   * @param isWide - whether there are likely to be entries that may go where only those may whose time
   * is over.
   * @returns false when there can be none; then nothing was changed.
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

  /** Where no entry may go, all other blocks that are neighbours are one already. */
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
   * Where the first run begins that can become so large.
   *
   * @param isOne - whether only the run that begins there will do.
   */
  #find(from: number, size: number, isOne: boolean): number {
    const arena = this.#arena;
    const { top } = arena;
    let head = from;
    /** How much of the run is free in the end, behind what is moved to the front of it. */
    let free = 0;
    let block = from;
    while (block !== top) {
      const units = arena.unitsAt(block);
      const behind = block + 2 * units;
      if (this.#chunks.has(block)) {
        // What it is moved to may be larger by a unit.
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
    // What is missing has never been used, or is free again.
    return arena.canExtend(size - free) ? head : nowhere;
  }

  #mayGo(at: number): boolean {
    return this.#evicts ? this.#entries.tagOf(at) !== Tag.Pending : this.#entries.isExpired(at);
  }

  /** Makes a run one free block, or the end of the memory. */
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

  /** Whether all entries go rather than that there is no room: the table's own blocks are in the way. */
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
