import { CorruptError } from '../../values/corrupt-error';
import type { GrowingMemory } from './growing-memory';
import type { UndoLog } from './undo-log';

/**
 * A bounded allocator over shared memory: two-level segregated fit (Masmano et al., "TLSF: a new
 * dynamic memory allocator for real-time systems", 2004).
 *
 * Sizes and places are in units of 8 bytes. A block begins with one word. Its payload follows, and is aligned
 * to 8 bytes. A pointer is the place of a payload. Free blocks are in lists by size, with 16 lists for each
 * power of two. A block that is freed is joined with free neighbours at once, so a block that is allocated
 * and freed again leaves no trace. Both operations take a bounded number of steps.
 *
 * ```
 * word 0             size << 2 | previous block is free << 1 | this block is free
 * payload            of a free block: next, previous in its list; its last word: size
 * ```
 *
 * A request takes a block from the first list in which all blocks are large enough. Only if there is none, it
 * looks at the first few blocks of the list in which some blocks are large enough.
 *
 * Behind the last block is the rest of the memory, which was never used or is free again. It begins with a
 * word of size 0. The memory grows as blocks are made there.
 *
 * Every change goes through the undo log, under the structure's lock.
 */
export class Arena {
  readonly #memory: GrowingMemory;
  #ints!: Int32Array<ArrayBuffer>;
  readonly #log: UndoLog;
  readonly #at: number;
  /** The word where the first block begins, and the word where the memory ends. */
  readonly #begin: number;
  readonly #end: number;

  /**
   * @param at - where the arena's own words are.
   * @param begin - the word where the blocks begin.
   */
  constructor(memory: GrowingMemory, log: UndoLog, at: number, begin: number) {
    this.#memory = memory;
    memory.follow(() => (this.#ints = memory.ints));
    this.#log = log;
    this.#at = at;
    this.#begin = begin | 1;
    // Odd, like all beginnings of blocks. The word where the rest begins must still be inside the memory.
    this.#end = (memory.words - 2) | 1;
  }

  /**
   * Writes the initial values of the own words of a new arena to ordinary memory. Only the word that says
   * where the rest begins is not 0.
   */
  static initialize(words: Int32Array, at: number, begin: number): void {
    words[at + word.top] = begin | 1;
  }

  /** The bytes in allocated blocks, including their first words. */
  get used(): number {
    return 8 * ((this.#ints[this.#at + word.used] ?? 0) >>> 0);
  }

  /** The maximum number of bytes in all blocks. */
  get capacity(): number {
    return 4 * (this.#end - this.#begin);
  }

  /** The size of a block's payload, in bytes. */
  room(pointer: number): number {
    return 8 * this.#sizeOf(2 * pointer - 1) - 4;
  }

  /** Frees all blocks at once. */
  reset(): void {
    // The words of the lists stay as they are: nobody reads the word of a list whose bit says that it is empty.
    for (let at = this.#at + word.used; at < this.#at + word.lists; at++) {
      if (this.#ints[at] !== 0) this.#log.write(at, 0);
    }
    this.#rest(this.#begin, 0);
  }

  /**
   * Allocates a block of at least this many bytes.
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
   * Allocates the first part of a free block, or all of it.
   *
   * @param head - where the free block begins.
   * @param units - how many units to allocate.
   */
  takeAt(head: number, units: number): number {
    const whole = this.#sizeOf(head);
    if (whole < units || !this.isFree(head)) {
      throw new CorruptError('its memory blocks are inconsistent: a block is in use or too small');
    }
    this.#unlink(head, whole);
    this.#cut(head, whole, units);
    this.#add(word.used, this.#sizeOf(head));
    return (head + 1) >>> 1;
  }

  /** The units of 8 bytes that a block for this many bytes takes. */
  unitsFor(bytes: number): number {
    return Math.max(leastSize, Math.ceil((bytes + 4) / 8));
  }

  /** Where the first block begins. From there, the blocks follow each other up to {@link top}. */
  get first(): number {
    return this.#begin;
  }

  /** The size, in units, of the block that begins at a word. */
  unitsAt(head: number): number {
    return this.#sizeOf(head);
  }

  isFree(head: number): boolean {
    return (this.#flags(head) & isFree) !== 0;
  }

  /**
   * Returns the word where an allocated block begins. If there is a free block directly in front of it,
   * returns where that one begins.
   */
  beginOf(pointer: number): number {
    const head = 2 * pointer - 1;
    this.#sizeOf(head);
    if ((this.#flags(head) & previousIsFree) === 0) return head;
    const before = this.#ints[head - 1] ?? 0;
    if (this.#sizeOf(head - 2 * before) !== before) {
      throw new CorruptError('its memory blocks are inconsistent: two sizes of one block differ');
    }
    return head - 2 * before;
  }

  /** Makes sure that there is memory for this many more units behind the last block. */
  canExtend(units: number): boolean {
    const behind = this.top + 2 * units;
    return behind <= this.#end && this.#memory.grow(behind + 1);
  }

  free(pointer: number): void {
    let head = 2 * pointer - 1;
    let size = this.#sizeOf(head);
    if (this.#flags(head) & isFree) {
      throw new CorruptError('its memory blocks are inconsistent: a block would be freed twice');
    }
    this.#add(word.used, -size);
    if (this.#flags(head) & previousIsFree) {
      const before = this.#ints[head - 1] ?? 0;
      head -= 2 * before;
      if (this.#sizeOf(head) !== before) {
        throw new CorruptError('its memory blocks are inconsistent: two sizes of one block differ');
      }
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

  /** Takes a free block that is large enough, and cuts it to the size. Returns 0 when there is none. */
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
      throw new CorruptError(
        'its memory blocks are inconsistent: a block is in the wrong free list',
      );
    }
    this.#unlink(head, found);
    this.#cut(head, found, size);
    return head;
  }

  /**
   * Like `#find`, but looks at the first few blocks of the list in which some blocks are large enough,
   * though not all.
   */
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

  /** Allocates the first part of a block that is in no list, and frees the second part. */
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

  /** Makes a new block at the beginning of the rest. Returns 0 when there is no room for it. */
  #extend(size: number): number {
    const head = this.top;
    const behind = head + 2 * size;
    if (behind > this.#end || !this.#memory.grow(behind + 1)) return 0;
    const flags = this.#flags(head) & previousIsFree;
    this.#rest(behind, 0);
    this.#log.write(head, (size << 2) | flags);
    return head;
  }

  /** Sets where the rest of the memory begins. */
  #rest(head: number, flags: number): void {
    this.#log.write(head, flags);
    this.#log.write(this.#at + word.top, head);
  }

  /** Puts a block into its list, and marks it as free for the block behind it. */
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

  /** Takes a free block out of its list. The old contents of its payload are kept in the log. */
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
      throw new CorruptError('the end of its memory is invalid');
    }
    return top;
  }

  #flags(head: number): number {
    return (this.#ints[head] ?? 0) & 3;
  }

  /** The size of the block that begins there. Checks that the whole block is inside the memory. */
  #sizeOf(head: number): number {
    // Read first: others may have made blocks that the views do not show yet (GrowingMemory G3).
    const { top } = this;
    const size = (this.#ints[head] ?? 0) >>> 2;
    if (head < this.#begin || size < leastSize || head + 2 * size > top) {
      throw new CorruptError('its memory blocks are inconsistent: the size of a block is invalid');
    }
    return size;
  }

  #payload(pointer: number): number {
    const at = 2 * pointer;
    if (at <= this.#begin || at + 2 > this.top) {
      throw new CorruptError('a pointer in it is out of bounds');
    }
    return at;
  }

  #add(which: number, delta: number): void {
    const at = this.#at + which;
    this.#log.write(at, (this.#ints[at] ?? 0) + delta);
  }
}

/** The smallest size: a free block must have room for its first word, two links and a size. */
const leastSize = 2;
const mostSize = 2 ** 29 - 1;

const isFree = 1;
const previousIsFree = 2;

/** How many blocks of a list are looked at one by one. */
const mostLooks = 32;

/** The number of powers of two for which there are lists. */
const firstsThere = 27;

/** The arena's own words. */
const word = {
  top: 0,
  used: 1,
  /** Bits for the powers of two that have free blocks; then for each of these, bits for its 16 lists. */
  firsts: 2,
  seconds: 3,
  lists: 3 + firstsThere,
} as const;

/** The number of an arena's own words. */
export const arenaWords = word.lists + 16 * firstsThere;

/** The list for blocks of a size. There are 16 lists for each power of two, and one for each size below 32. */
function listOf(size: number): number {
  if (size < 16) return size;
  const log = 31 - Math.clz32(size);
  return ((log - 3) << 4) | ((size >>> (log - 4)) & 15);
}

/** How many sizes share the list of a size. */
function stepOf(size: number): number {
  return size < 32 ? 1 : 1 << (31 - Math.clz32(size) - 4);
}
