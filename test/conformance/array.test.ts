import { SharedArray, SharedMemory } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { start } from '../support/children';
import { expectCode } from '../support/errors';
import { temporary } from '../support/temporaries';

const numbers = [680, 626, 934, 821, 150, 233, 548, 982, 714, 831];
const assigned = [...numbers.slice(0, 4), 1, 2, 3, 4, ...numbers.slice(8)];

/** Each element plus all elements before it. */
function sums(all: readonly number[]): number[] {
  let sum = 0;
  return all.map((n) => (sum += n));
}

const zeroToNine = Array.from({ length: 10 }, (_, i) => i);

describe('Array', () => {
  it('test_array: has the elements it was given, assigned here and by another process', async () => {
    using array = temporary(SharedArray.create({ type: 'int32', from: numbers }));
    expect(array.length).toBe(10);
    expect(array.at(3)).toBe(numbers[3]);
    expect([...array.slice(2, 7)]).toEqual(numbers.slice(2, 7));

    array.set(Int32Array.of(1, 2, 3, 4), 4);
    expect([...array]).toEqual(assigned);

    await start('conformance/sums', ['array', array.name]).succeed();
    expect([...array]).toEqual(sums(assigned));
    expect([...array.array]).toEqual(sums(assigned));
  });

  it('test_array_from_size: is zero at first, and can be assigned as a whole', () => {
    for (let i = 0; i < 3; i++) {
      using array = temporary(SharedArray.create({ type: 'int32', length: 10 }));
      expect(array.length).toBe(10);
      expect([...array]).toEqual(Array(10).fill(0));
      array.set(zeroToNine);
      expect([...array]).toEqual(zeroToNine);
    }
  });

  it('test_rawarray: the same of a typed array over a segment, which has no lock', async () => {
    using memory = temporary(SharedMemory.create({ size: 40 }));
    const array = memory.array('int32', 0, 10);
    array.set(numbers);
    expect(array.length).toBe(10);
    expect(array[3]).toBe(numbers[3]);
    expect([...array.slice(2, 7)]).toEqual(numbers.slice(2, 7));

    array.set(Int32Array.of(1, 2, 3, 4), 4);
    expect([...array]).toEqual(assigned);

    await start('conformance/sums', ['memory', memory.name]).succeed();
    expect([...array]).toEqual(sums(assigned));
  });

  it('test_getobj_getlock_obj: has a lock of its own, which takes no other and goes with no raw array', async () => {
    using array = temporary(SharedArray.create({ type: 'int32', from: zeroToNine }));
    using other = temporary(SharedArray.create({ type: 'int32', from: zeroToNine }));
    const { lock } = array;
    expect(array.lock).toBe(lock);
    expect(other.lock).not.toBe(lock);
    expect(array.array, 'the object underneath').toBeInstanceOf(Int32Array);
    expect(array.array).toBe(array.array);

    {
      using held = await lock.acquire();
      expect([held.abandoned, lock.held, other.lock.locked]).toEqual([false, true, false]);
      using again = SharedArray.attach(array.name);
      expect([again.lock.tryAcquire(), again.lock.locked]).toEqual([null, true]);
      expect(array.update(9, (n) => n + 1)).toBe(10);
    }
    expect(lock.locked).toBe(false);
    expectCode(() => lock.release(), 'ERR_NOT_HELD');

    for (const given of [undefined, true, false, null, 'no lock', lock]) {
      const options = { type: 'int32', from: zeroToNine, lock: given } as const;
      expectCode(() => SharedArray.create(options), 'ERR_INVALID_ARG_VALUE', 'lock');
    }

    using memory = temporary(SharedMemory.create({ size: 40 }));
    expect(memory.array('int32')).not.toHaveProperty('lock');
  });
});
