import { CorruptError } from '../../values/corrupt-error';
import type { GrowingMemory } from './growing-memory';
import type { UndoLog } from './undo-log';

/**
 * A bounded allocator over shared memory: two-level segregated fit (Masmano et al., "TLSF: a new
 * dynamic memory allocator for real-time systems", 2004).
 *
 * Sizes and places are in units of 8 bytes. A block begins with one word, so that what follows, its
 * payload, is aligned to 8 bytes; a pointer is the place of a payload. Free blocks are in lists by
 * size, 16 lists to each power of two, and are joined with free neighbours at once: what was
 * allocated and is freed again leaves no trace. Both operations take a bounded number of steps.
 *
 * ```
 * word 0             size << 2 | previous block is free << 1 | this block is free
 * payload            of a free block: next, previous in its list; its last word: size
 * ```
 *
 * A request takes a block from the first list all of whose blocks are large enough. Only when there
 * is none, it looks at the first few of the list of which some are.
 *
 * Behind the last block lies the rest of the memory, which has never been used or is free again; it
 * begins with a word of size 0. The memory grows as blocks are made there.
 *
 * Every change goes through the undo log, under the structure's lock.
 */
export class Arena {
  readonly #memory: GrowingMemory;
  #ints!: Int32Array<ArrayBuffer>;
  readonly #log: UndoLog;
  readonly #at: number;
  /** The word at which the first block begins, and the one behind the memory. */
  readonly #begin: number;
  readonly #end: number;

  /**
   * @param at - where the arena's own words lie.
   * @param begin - the word from which on there are blocks.
   */
  constructor(memory: GrowingMemory, log: UndoLog, at: number, begin: number) {
    this.#memory = memory;
    memory.follow(() => (this.#ints = memory.ints));
    this.#log = log;
    this.#at = at;
    this.#begin = begin | 1;
    // Odd, as all beginnings of blocks, and with the word that begins the rest still inside.
    this.#end = (memory.words - 2) | 1;
  }

  /** What a new arena's words say, in ordinary memory: the place of the rest. */
  static initialize(words: Int32Array, at: number, begin: number): void {
    words[at + word.top] = begin | 1;
  }

  /** Bytes in blocks that are allocated, with their first words. */
  get used(): number {
    return 8 * ((this.#ints[this.#at + word.used] ?? 0) >>> 0);
  }

  /** Bytes that there may be in all. */
  get capacity(): number {
    return 4 * (this.#end - this.#begin);
  }

  /** How many bytes a block has for its user. */
  room(pointer: number): number {
    return 8 * this.#sizeOf(2 * pointer - 1) - 4;
  }

  /** Frees all blocks at once. */
  reset(): void {
    // Of a list that is empty by its bit nobody reads the word.
    for (let at = this.#at + word.used; at < this.#at + word.lists; at++) {
      if (this.#ints[at] !== 0) this.#log.write(at, 0);
    }
    this.#rest(this.#begin, 0);
  }

  /**
   * A block of at least so many bytes.
   *
   * @returns its pointer, or 0 when there is none.
   */
  allocate(bytes: number): number {
    const size = this.unitsFor(bytes);
    if (size > mostSize) return 0;
    const head = this.#find(size) || this.#extend(size);
    if (head === 0) return 0;
    this.#add(word.used, this.#sizeOf(head));
    return (head + 1) >>> 1;
  }

  /**
   * A part of a free block, from its beginning on, or all of it.
   *
   * @param head - where the block begins, which has so many units.
   */
  takeAt(head: number, units: number): number {
    const whole = this.#sizeOf(head);
    if (whole < units || !this.isFree(head)) throw new CorruptError('a free block is none');
    this.#unlink(head, whole);
    this.#cut(head, whole, units);
    this.#add(word.used, this.#sizeOf(head));
    return (head + 1) >>> 1;
  }

  /** Units of 8 bytes that a block takes of so many bytes. */
  unitsFor(bytes: number): number {
    return Math.max(leastSize, Math.ceil((bytes + 4) / 8));
  }

  /** Where the first block begins: one follows the other from there, up to {@link top}. */
  get first(): number {
    return this.#begin;
  }

  /** How many units the block has that begins at a word. */
  unitsAt(head: number): number {
    return this.#sizeOf(head);
  }

  isFree(head: number): boolean {
    return (this.#flags(head) & isFree) !== 0;
  }

  /** Where a block begins that is allocated, or the free block in front of it. */
  beginOf(pointer: number): number {
    const head = 2 * pointer - 1;
    this.#sizeOf(head);
    if ((this.#flags(head) & previousIsFree) === 0) return head;
    const before = this.#ints[head - 1] ?? 0;
    if (this.#sizeOf(head - 2 * before) !== before) {
      throw new CorruptError('its free blocks contradict');
    }
    return head - 2 * before;
  }

  /** Makes sure that there is memory for so many more units behind the last block. */
  canExtend(units: number): boolean {
    const behind = this.top + 2 * units;
    return behind <= this.#end && this.#memory.grow(behind + 1);
  }

  free(pointer: number): void {
    let head = 2 * pointer - 1;
    let size = this.#sizeOf(head);
    if (this.#flags(head) & isFree) throw new CorruptError('a free block was freed');
    this.#add(word.used, -size);
    if (this.#flags(head) & previousIsFree) {
      const before = this.#ints[head - 1] ?? 0;
      head -= 2 * before;
      if (this.#sizeOf(head) !== before) throw new CorruptError('its free blocks contradict');
      this.#unlink(head, before);
      size += before;
    }
    const behind = head + 2 * size;
    if (behind === this.top) {
      this.#rest(head, this.#flags(head) & previousIsFree);
      return;
    }
    if (this.#flags(behind) & isFree) {
      const after = this.#sizeOf(behind);
      this.#unlink(behind, after);
      size += after;
    }
    this.#link(head, size);
  }

  /** A free block of that size, taken and cut to it; 0 when there is none. */
  #find(size: number): number {
    let list = listOf(size + stepOf(size) - 1);
    let first = list >>> 4;
    let seconds = (this.#ints[this.#at + word.seconds + first] ?? 0) & (-1 << (list & 15));
    if (seconds === 0) {
      const firsts = first === 31 ? 0 : (this.#ints[this.#at + word.firsts] ?? 0) & (-2 << first);
      if (firsts === 0) return this.#findAmongSimilar(size);
      first = 31 - Math.clz32(firsts & -firsts);
      seconds = this.#ints[this.#at + word.seconds + first] ?? 0;
    }
    list = (first << 4) | (31 - Math.clz32(seconds & -seconds));
    const pointer = this.#ints[this.#at + word.lists + list] ?? 0;
    const head = 2 * pointer - 1;
    const found = this.#sizeOf(head);
    if (found < size || !(this.#flags(head) & isFree)) {
      throw new CorruptError('its free blocks are not where they should be');
    }
    this.#unlink(head, found);
    this.#cut(head, found, size);
    return head;
  }

  /** The same in the list of blocks of which some are large enough, as far as the first few go. */
  #findAmongSimilar(size: number): number {
    const list = listOf(size);
    const seconds = this.#ints[this.#at + word.seconds + (list >>> 4)] ?? 0;
    if ((seconds & (1 << (list & 15))) === 0) return 0;
    let pointer = this.#ints[this.#at + word.lists + list] ?? 0;
    for (let looks = 0; looks < mostLooks && pointer !== 0; looks++) {
      const payload = this.#payload(pointer);
      const head = payload - 1;
      const found = this.#sizeOf(head);
      if (found >= size && listOf(found) === list && this.#flags(head) & isFree) {
        this.#unlink(head, found);
        this.#cut(head, found, size);
        return head;
      }
      pointer = this.#ints[payload] ?? 0;
    }
    return 0;
  }

  /** Allocates the first part of a block that is in no list, and frees the rest of it. */
  #cut(head: number, whole: number, size: number): void {
    const log = this.#log;
    const rest = whole - size;
    const behind = head + 2 * whole;
    if (rest < leastSize) {
      log.write(head, (whole << 2) | (this.#flags(head) & previousIsFree));
      log.write(behind, (this.#ints[behind] ?? 0) & ~previousIsFree);
      return;
    }
    log.write(head, (size << 2) | (this.#flags(head) & previousIsFree));
    const second = head + 2 * size;
    log.keep(second);
    this.#ints[second] = 0;
    this.#link(second, rest);
  }

  /** A new block at the beginning of the rest; 0 when that has no room. */
  #extend(size: number): number {
    const head = this.top;
    const behind = head + 2 * size;
    if (behind > this.#end || !this.#memory.grow(behind + 1)) return 0;
    const flags = this.#flags(head) & previousIsFree;
    this.#rest(behind, 0);
    this.#log.write(head, (size << 2) | flags);
    return head;
  }

  /** The rest of the memory begins there from now on. */
  #rest(head: number, flags: number): void {
    this.#log.write(head, flags);
    this.#log.write(this.#at + word.top, head);
  }

  /** Puts a block into its list, and says so to its neighbour. */
  #link(head: number, size: number): void {
    const log = this.#log;
    const list = listOf(size);
    const first = list >>> 4;
    const at = this.#at + word.lists + list;
    const isEmpty = ((this.#ints[this.#at + word.seconds + first] ?? 0) & (1 << (list & 15))) === 0;
    const next = isEmpty ? 0 : (this.#ints[at] ?? 0);
    const pointer = (head + 1) >>> 1;
    const behind = head + 2 * size;
    log.write(head, (size << 2) | (this.#flags(head) & previousIsFree) | isFree);
    log.write(head + 1, next);
    log.write(head + 2, 0);
    log.write(behind - 1, size);
    log.write(behind, (this.#ints[behind] ?? 0) | previousIsFree);
    if (next !== 0) log.write(this.#payload(next) + 1, pointer);
    log.write(at, pointer);
    if (next !== 0) return;
    const seconds = this.#at + word.seconds + first;
    log.write(seconds, (this.#ints[seconds] ?? 0) | (1 << (list & 15)));
    log.write(this.#at + word.firsts, (this.#ints[this.#at + word.firsts] ?? 0) | (1 << first));
  }

  /** Takes a free block out of its list. What its payload said stays in the log. */
  #unlink(head: number, size: number): void {
    const log = this.#log;
    const list = listOf(size);
    const at = this.#at + word.lists + list;
    const next = this.#ints[head + 1] ?? 0;
    const previous = this.#ints[head + 2] ?? 0;
    log.keep(head + 1);
    log.keep(head + 2);
    log.keep(head + 2 * size - 1);
    if (next !== 0) log.write(this.#payload(next) + 1, previous);
    if (previous !== 0) {
      log.write(this.#payload(previous), next);
      return;
    }
    log.write(at, next);
    if (next !== 0) return;
    const first = list >>> 4;
    const seconds = this.#at + word.seconds + first;
    const others = (this.#ints[seconds] ?? 0) & ~(1 << (list & 15));
    log.write(seconds, others);
    if (others === 0) {
      log.write(this.#at + word.firsts, (this.#ints[this.#at + word.firsts] ?? 0) & ~(1 << first));
    }
  }

  /** Where the rest begins, behind the last block. */
  get top(): number {
    const top = this.#ints[this.#at + word.top] ?? 0;
    if (top < this.#begin || top > this.#end || (top & 1) === 0 || !this.#memory.reaches(top + 1)) {
      throw new CorruptError('its memory ends nowhere');
    }
    return top;
  }

  #flags(head: number): number {
    return (this.#ints[head] ?? 0) & 3;
  }

  /** Of the block that begins there, which is inside the memory as a whole. */
  #sizeOf(head: number): number {
    // First: others may have made blocks that the views do not show yet (GrowingMemory G3).
    const { top } = this;
    const size = (this.#ints[head] ?? 0) >>> 2;
    if (head < this.#begin || size < leastSize || head + 2 * size > top) {
      throw new CorruptError('a block is none');
    }
    return size;
  }

  #payload(pointer: number): number {
    const at = 2 * pointer;
    if (at <= this.#begin || at + 2 > this.top) throw new CorruptError('a pointer leads astray');
    return at;
  }

  #add(which: number, delta: number): void {
    const at = this.#at + which;
    this.#log.write(at, (this.#ints[at] ?? 0) + delta);
  }
}

/** First word, two links and a size: what a free block has to hold. */
const leastSize = 2;
const mostSize = 2 ** 29 - 1;

const isFree = 1;
const previousIsFree = 2;

/** How many blocks are looked at one by one. */
const mostLooks = 32;

/** How many powers of two of sizes there are lists for. */
const firstsThere = 27;

/** The arena's own words. */
const word = {
  top: 0,
  used: 1,
  /** Which powers of two have free blocks, and of each, which sixteenths. */
  firsts: 2,
  seconds: 3,
  lists: 3 + firstsThere,
} as const;

/** How many words an arena has for itself. */
export const arenaWords = word.lists + 16 * firstsThere;

/** The list of the blocks of a size: 16 for each power of two, one a size below 32. */
function listOf(size: number): number {
  if (size < 16) return size;
  const log = 31 - Math.clz32(size);
  return ((log - 3) << 4) | ((size >>> (log - 4)) & 15);
}

/** How many sizes share a list with a size. */
function stepOf(size: number): number {
  return size < 32 ? 1 : 1 << (31 - Math.clz32(size) - 4);
}
