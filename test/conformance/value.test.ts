import { SharedMemory, SharedValue } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { codes } from '../fixtures/conformance/codes';
import { start } from '../support/children';
import { expectCode } from '../support/errors';
import { Temporaries, temporary } from '../support/temporaries';

describe('Value', () => {
  it('test_value: keeps a value of each type, and what another process makes of it', async () => {
    using all = new Temporaries();
    const values = codes.map(([type, value]) => all.add(SharedValue.create({ type, value })));
    expect(values.map(({ value }) => value)).toEqual(codes.map(([, first]) => first));
    await start('conformance/values', [values]).succeed();
    expect(values.map(({ value }) => value)).toEqual(codes.map(([, , second]) => second));
  });

  it('test_rawvalue: the same of typed arrays over segments, which have no lock', async () => {
    using all = new Temporaries();
    const segments = codes.map(([type, value]) => {
      const memory = all.add(SharedMemory.create({ size: 8 }));
      memory.array(type)[0] = value;
      return memory;
    });
    const values = (): unknown[] => segments.map((memory, i) => memory.array(codes[i]![0])[0]);
    expect(values()).toEqual(codes.map(([, first]) => first));
    await start('conformance/values', [segments]).succeed();
    expect(values()).toEqual(codes.map(([, , second]) => second));
  });

  it('test_getobj_getlock: has a lock of its own, which takes no other and goes with no raw value', async () => {
    using value = temporary(SharedValue.create({ type: 'int32', value: 5 }));
    using other = temporary(SharedValue.create({ type: 'int32', value: 5 }));
    const { lock } = value;
    expect(value.lock).toBe(lock);
    expect(other.lock).not.toBe(lock);

    {
      using held = await lock.acquire();
      expect([held.abandoned, lock.held, other.lock.locked]).toEqual([false, true, false]);
      using again = SharedValue.attach(value.name);
      expect([again.lock.tryAcquire(), again.lock.locked]).toEqual([null, true]);
      expect(value.update((n) => n + 1)).toBe(6);
    }
    expect(lock.locked).toBe(false);
    expectCode(() => lock.release(), 'ERR_NOT_HELD');

    for (const given of [undefined, true, false, null, 'no lock', lock]) {
      const options = { type: 'int32', value: 5, lock: given } as const;
      expectCode(() => SharedValue.create(options), 'ERR_INVALID_ARG_VALUE', 'lock');
    }

    using memory = temporary(SharedMemory.create({ size: 4 }));
    expect(memory.array('int32')).not.toHaveProperty('lock');
  });
});
