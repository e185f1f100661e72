// The allocator, the undo log and growth, over ordinary memory.
import { describe, expect, it } from 'vitest';
import { CorruptError } from '../../../lib/values/corrupt-error';
import { blocksAt, ordinaryArena, randomNumbers } from '../../support/structures';

/** Allocates and frees at random, and undoes some of it. Each block keeps its content throughout. */
function exercise(seed: number, rounds: number) {
  const parts = ordinaryArena(1 << 16);
  const { memory, log, arena, least } = parts;
  const { ints } = memory;
  const random = randomNumbers(seed);
  const live: { pointer: number; words: number }[] = [];
  const isIntact = ({ pointer, words }: { pointer: number; words: number }) =>
    ints.subarray(2 * pointer, 2 * pointer + words).every((word) => word === pointer);
  let refused = 0;
  for (let round = 0; round < rounds; round++) {
    const undo = random(10) === 0;
    if (random(2) === 0 || live.length === 0) {
      const bytes = random(20) === 0 ? random(20_000) : random(300);
      const pointer = arena.allocate(bytes);
      if (pointer === 0) {
        refused++;
        log.rollBack(least);
        continue;
      }
      const room = arena.room(pointer);
      if (room < bytes) throw new Error('too small');
      const words = Math.floor(room / 4);
      if (2 * pointer + words > memory.there) throw new Error('beyond the memory');
      ints.fill(pointer, 2 * pointer, 2 * pointer + words);
      if (undo) {
        log.rollBack(least);
      } else {
        live.push({ pointer, words });
        log.commit();
      }
    } else {
      const i = random(live.length);
      const block = live[i]!;
      if (!isIntact(block)) throw new Error('overwritten');
      arena.free(block.pointer);
      if (undo) {
        log.rollBack(least);
        if (!isIntact(block)) throw new Error('not as it was');
      } else {
        live[i] = live[live.length - 1]!;
        live.pop();
        log.commit();
      }
    }
  }
  return { ...parts, live, refused };
}

describe('the arena', () => {
  it('gives each block its own bytes, and takes back what is freed or undone, without trace', () => {
    for (const seed of [1, 12_345, 777]) {
      const { arena, log, live, words, arenaAt, refused } = exercise(seed, 200_000);
      expect(refused).toBeGreaterThan(0);
      expect(arena.used).toBeGreaterThan(0);
      for (const { pointer } of live) {
        arena.free(pointer);
        log.commit();
      }
      expect(arena.used).toBe(0);
      expect(words[arenaAt]).toBe(blocksAt | 1);
    }
  });

  it('frees everything at once, and can undo that', () => {
    const { arena, log, live, words, arenaAt, least } = exercise(5, 2000);
    const before = words.slice(arenaAt);
    arena.reset();
    expect(arena.used).toBe(0);
    log.rollBack(least);
    expect(words.subarray(arenaAt, arenaAt + 400)).toEqual(before.subarray(0, 400));
    const one = live[0]!;
    arena.free(one.pointer);
    log.commit();
    arena.reset();
    log.commit();
    expect(arena.used).toBe(0);
    const again = arena.allocate(100);
    log.commit();
    arena.free(again);
    log.commit();
    expect(words[arenaAt]).toBe(blocksAt | 1);
  });

  it('grows piece by piece, and refuses a block that there is no memory for, with why', () => {
    const { arena, memory, log, least, grown } = ordinaryArena(8 << 20, 100);
    const pointers: number[] = [];
    for (;;) {
      const pointer = arena.allocate(5000);
      if (pointer === 0) break;
      pointers.push(pointer);
      log.commit();
    }
    expect(memory.failure?.code).toBe('ENOSPC');
    log.rollBack(least);
    expect(memory.there).toBe((100 * 4096) / 4);
    expect(grown.length).toBeLessThan(20);
    arena.free(pointers.pop()!);
    log.commit();
    expect(arena.allocate(4000)).not.toBe(0);
  });

  it('refuses what no arena could ever hold', () => {
    const { arena } = ordinaryArena(1 << 20);
    for (const bytes of [1 << 20, 2 ** 31, 2 ** 32, 2 ** 33]) expect(arena.allocate(bytes)).toBe(0);
  });

  it('finds hostile words out or is wrong, but ends, and stays inside its memory', () => {
    const random = randomNumbers(99);
    let found = 0;
    for (let round = 0; round < 300; round++) {
      const { arena, log, live, words, least } = exercise(round + 1, 300);
      for (let i = 0; i < 20; i++) {
        const anywhere = random(3) === 0 ? random(blocksAt) : blocksAt + random(13_000);
        words[anywhere] = random(2) === 0 ? random(2 ** 32) : random(5000);
      }
      for (let i = 0; i < 100; i++) {
        try {
          if (random(2) === 0 && live.length > 0) arena.free(live.pop()!.pointer);
          else arena.allocate(random(500));
          log.commit();
        } catch (error) {
          expect(error).toBeInstanceOf(CorruptError);
          found++;
          try {
            log.rollBack(least);
          } catch (again) {
            expect(again).toBeInstanceOf(CorruptError);
            log.discard();
          }
        }
      }
    }
    expect(found).toBeGreaterThan(100);
  });
});

describe('the undo log', () => {
  it('puts back words in reverse order, whoever wrote them, and does so twice without harm', () => {
    const { log, memory, words, least, logAt } = ordinaryArena(1 << 20);
    const { ints } = memory;
    const at = blocksAt + 10;
    ints[at] = 1;
    log.write(at, 2);
    log.write(at + 1, 5);
    log.write(at, 3);
    expect([ints[at], ints[at + 1]]).toEqual([3, 5]);
    const records = words.slice(logAt, logAt + 10);
    log.rollBack(least);
    expect([ints[at], ints[at + 1], log.pending]).toEqual([1, 0, false]);
    ints.set(records, logAt);
    expect(log.pending).toBe(true);
    log.rollBack(least);
    expect([ints[at], ints[at + 1]]).toEqual([1, 0]);
  });

  it('refuses to follow records that lead out of the memory, or into what it must not write', () => {
    const { log, words, least, logAt } = ordinaryArena(1 << 20);
    for (const [count, index] of [
      [1, -1],
      [1, 0],
      [1, 2 ** 30],
      [-1, 0],
      [100_000, 0],
    ]) {
      words[logAt] = count!;
      words[logAt + 1] = index!;
      expect(() => log.rollBack(least)).toThrow(CorruptError);
    }
    log.discard();
    expect(log.pending).toBe(false);
  });

  it('refuses a change of too many words, which can be undone', () => {
    const { log, memory, least } = ordinaryArena(1 << 20);
    expect(memory.grow(blocksAt + 3000)).toBe(true);
    const act = () => {
      for (let i = 0; i < 2000; i++) log.write(blocksAt + i, 7);
    };
    expect(act).toThrow(CorruptError);
    log.rollBack(least);
    expect(memory.ints.subarray(blocksAt + 2, memory.there).every((word) => word === 0)).toBe(true);
  });
});
