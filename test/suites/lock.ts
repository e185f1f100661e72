// What a lock promises, wherever its two sides are.
import type { contract } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { expectRejection } from '../support/errors';
import { stuck, untilTrue, type Place } from '../support/places';
import { describeHolding } from './holding';

export function describeLock(place: Place): void {
  const share = () => place.share<contract.NamedLock>('lock');

  describeHolding(place, 'lock', {
    called: 'a lock',
    acquire: (lock, options) => lock.acquire(options),
    tryAcquire: (lock) => lock.tryAcquire(),
    isHeld: (lock) => lock.locked(),
    tellsOfDeath: true,
    staysUnlinked: false,
  });

  describe('a lock', () => {
    it('is held through one handle, and is locked for both', async () => {
      const { here, there } = await share();
      await using another = await place.makerThere('lock').attach(await here.name());
      const state = async () => [
        await there.held(),
        await another.held(),
        await here.held(),
        await there.locked(),
        await here.locked(),
      ];
      expect(await state()).toEqual([false, false, false, false, false]);
      const guard = await there.acquire();
      expect(await state()).toEqual([true, false, false, true, true]);
      await guard.release();
      expect(await state()).toEqual([false, false, false, false, false]);
    });

    it('is released by its handle, and by no other', async () => {
      const { here, there } = await share();
      const name = await here.name();
      await using another = await place.makerThere('lock').attach(await here.name());
      await expectRejection(there.release(), 'ERR_NOT_HELD', name);
      const guard = await there.acquire();
      for (const other of [here, another]) await expectRejection(other.release(), 'ERR_NOT_HELD');
      expect(await here.locked()).toBe(true);
      await there.release();
      expect(await here.locked()).toBe(false);
      await expectRejection(guard.release(), 'ERR_NOT_HELD');
      await expectRejection(there.release(), 'ERR_NOT_HELD');
    });

    it('is not acquired again by who has it, and is waited for all the same', async () => {
      const { here, there } = await share();
      const name = await here.name();
      const guard = await there.acquire();
      expect(await there.tryAcquire()).toBeNull();
      await expectRejection(there.acquire({ timeout: 1 }), 'ERR_TIMEOUT', name);
      const waiting = there.acquire();
      await place.begun();
      await guard.release();
      await (await waiting).release();
      await untilTrue(async () => !(await here.locked()));
    });

    it('comes to the tasks of one side in the order in which they asked', async () => {
      const { here, there } = await share();
      const own = await here.acquire();
      const order: number[] = [];
      const tasks = Array.from({ length: 20 }, async (_, i) => {
        const guard = await there.acquire();
        order.push(i);
        await guard.release();
      });
      await place.begun();
      expect(await there.tryAcquire()).toBeNull();
      await own.release();
      await Promise.all(tasks);
      expect(order).toEqual(tasks.map((_, i) => i));
    });

    it('comes to those who still wait when one before them gives up', async () => {
      const { here, there } = await share();
      const own = await here.acquire();
      const abort = new AbortController();
      const off = expect(there.acquire({ signal: abort.signal })).rejects.toThrow('enough');
      const over = expectRejection(there.acquire({ timeout: 1 }), 'ERR_TIMEOUT');
      const waiting = there.acquire();
      await place.begun();
      abort.abort(new Error('enough'));
      await Promise.all([off, over]);
      await own.release();
      await (await waiting).release();
      await untilTrue(async () => !(await here.locked()));
    });
  });

  describe('a function that has the lock there', () => {
    it('has it until it is over, and gives its result', async () => {
      const { here, there } = await share();
      const result = await there.runExclusive(async ({ abandoned }) => {
        expect(abandoned).toBe(false);
        expect([await here.locked(), await there.held(), await here.held()]).toEqual([
          true,
          true,
          false,
        ]);
        expect(await here.tryAcquire()).toBeNull();
        return { x: ['żółw'] };
      });
      expect(result).toEqual({ x: ['żółw'] });
      expect(await here.locked()).toBe(false);
    });

    it('gives it back when it throws, and may release it before', async () => {
      const { here, there } = await share();
      const failing = there.runExclusive(() => Promise.reject(new RangeError('not this')));
      await expect(failing).rejects.toThrow(new RangeError('not this'));
      expect(await here.locked()).toBe(false);
      await there.runExclusive(async () => {
        await there.release();
        expect(await here.locked()).toBe(false);
      });
      expect(await here.locked()).toBe(false);
    });

    it('is called in its turn, or not at all', async () => {
      const { here, there } = await share();
      const calls: string[] = [];
      const own = await here.acquire();
      const first = there.runExclusive(() => calls.push('first'));
      const second = there.runExclusive(() => calls.push('second'));
      await expectRejection(
        there.runExclusive(() => calls.push('third'), { timeout: 1 }),
        'ERR_TIMEOUT',
      );
      await place.begun();
      expect(calls).toEqual([]);
      await own.release();
      await Promise.all([first, second]);
      expect(calls).toEqual(['first', 'second']);
      await expectRejection(there.runExclusive(1 as never), 'ERR_INVALID_ARG_TYPE', 'fn');
      await untilTrue(async () => !(await here.locked()));
    });

    it.each(place.traits.forms)('is told of it, and is called once: %s', async (form) => {
      const { here, there } = await share();
      const lock = place.inForm(form, there);
      expect(await lock.runExclusive(({ abandoned }) => ({ abandoned }))).toEqual({
        abandoned: false,
      });
      expect(await here.locked()).toBe(false);
    });

    it.runIf(place.canEnd && place.traits.forms.includes('sync'))(
      'and ends with its place leaves it to another, who is told once',
      async () => {
        const { here, there } = await share();
        const other = await place.another();
        const away = other.inForm('sync', await other.attach<contract.NamedLock>('lock', here));
        const cut = expect(away.runExclusive(stuck)).rejects.toThrow('gone');
        await other.isStuck;
        expect(await here.tryAcquire()).toBeNull();
        const waiting = there.runExclusive(({ abandoned }) => abandoned);
        await place.begun();
        await other.end();
        await cut;
        expect(await waiting).toBe(true);
        expect(await here.runExclusive(({ abandoned }) => abandoned)).toBe(false);
      },
    );
  });
}
