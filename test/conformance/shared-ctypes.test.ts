import { NamedLock, SharedArray, SharedMemory, SharedValue } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { recordBytes, recordOf, textOf } from '../fixtures/conformance/record';
import { start } from '../support/children';
import { Temporaries, temporary } from '../support/temporaries';

const zeroToNine = Array.from({ length: 10 }, (_, i) => i);

/** Lets another process double everything, each with its lock or without one. */
async function double(isLocked: boolean): Promise<void> {
  using all = new Temporaries();
  const x = all.add(SharedValue.create({ type: 'int32', value: 7 }));
  const y = all.add(SharedValue.create({ type: 'float64', value: 1 / 3 }));
  const z = all.add(SharedValue.create({ type: 'int64', value: 2n ** 33n }));
  const segment = all.add(SharedMemory.create({ size: recordBytes }));
  const record = recordOf(segment);
  record.x[0] = 3;
  record.y[0] = 2;
  const lock = isLocked ? all.add(NamedLock.create()) : undefined;
  const array = all.add(SharedArray.create({ type: 'float64', from: zeroToNine }));
  const text = all.add(SharedArray.create({ type: 'uint8', length: 20 }));
  text.set(Buffer.from('hello'));

  const names = {
    x: x.name,
    y: y.name,
    z: z.name,
    record: segment.name,
    lock: lock?.name ?? null,
    array: array.name,
    text: text.name,
  };
  await start('conformance/doubles', [names]).succeed();

  expect([x.value, y.value, z.value]).toEqual([14, 2 / 3, 2n ** 34n]);
  expect([record.x[0], record.y[0], record.z[0]]).toEqual([6, 4, 0n]);
  expect([...array]).toEqual(zeroToNine.map((n) => n * 2));
  expect(textOf(text.array)).toBe('hellohello');
}

describe('SharedCTypes', () => {
  it('test_sharedctypes: numbers, a record, an array and a text, doubled by another process', async () => {
    await double(false);
  });

  it('test_synchronize: the same, each under its lock', async () => {
    await double(true);
  });

  it('test_copy: a copy does not change with the original', () => {
    using segment = temporary(SharedMemory.create({ size: recordBytes }));
    const record = recordOf(segment);
    record.x[0] = 2;
    record.y[0] = 5;
    record.z[0] = 2n ** 33n;
    using array = temporary(SharedArray.create({ type: 'float64', from: [2, 5, 2 ** 33] }));

    using copied = temporary(SharedMemory.create({ size: recordBytes }));
    copied.write(0, segment.read());
    const copy = recordOf(copied);
    const slice = array.slice();
    using another = temporary(SharedArray.create({ from: array.array, type: 'float64' }));
    segment.write(0, new Uint8Array(recordBytes));
    array.set([0, 0, 0]);

    expect([copy.x[0], copy.y[0], copy.z[0]]).toEqual([2, 5, 2n ** 33n]);
    expect([...slice]).toEqual([2, 5, 2 ** 33]);
    expect([...another]).toEqual([2, 5, 2 ** 33]);
    expect([...array, record.x[0], record.y[0], record.z[0]]).toEqual([0, 0, 0, 0, 0, 0n]);
  });
});
