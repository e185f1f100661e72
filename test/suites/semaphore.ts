// What a semaphore promises, wherever its two sides are.
import type { contract } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { expectRejection } from '../support/errors';
import type { Place, Remote } from '../support/places';
import { describeHolding } from './holding';

export function describeSemaphore(place: Place): void {
  const share = (options?: object) => place.share<contract.Semaphore>('semaphore', options);

  describeHolding(place, 'semaphore', {
    called: 'a semaphore',
    options: { value: 1 },
    acquire: (semaphore, options) => semaphore.acquire(options),
    tryAcquire: (semaphore) => semaphore.tryAcquire(),
    isHeld: async (semaphore) => (await semaphore.value()) === 0,
    tellsOfDeath: false,
    staysUnlinked: true,
  });

  describe('permits', () => {
    it('are as many for both sides, whoever takes them', async () => {
      const { here, there } = await share({ value: 3, max: 4 });
      const name = await here.name();
      expect([await here.max(), await there.max(), await there.value()]).toEqual([4, 4, 3]);
      const guards = [await there.acquire(), await here.acquire(), (await there.tryAcquire())!];
      expect([await here.value(), await there.value()]).toEqual([0, 0]);
      expect([await here.tryAcquire(), await there.tryAcquire()]).toEqual([null, null]);
      for (const [i, guard] of guards.entries()) {
        await guard.release();
        await expectRejection(guard.release(), 'ERR_NOT_HELD', name);
        expect([await here.value(), await there.value()]).toEqual([i + 1, i + 1]);
      }
      expect(await (await share()).there.max()).toBeUndefined();
    });

    it('are released in any number by the side that has them', async () => {
      const { here, there } = await share({ value: 5, max: 5 });
      for (let i = 0; i < 5; i++) await there.acquire();
      await there.release(3);
      expect([await here.value(), await there.value()]).toEqual([3, 3]);
      await there.release();
      await there.release();
      expect(await here.value()).toBe(5);
    });

    it('are never more than there may be: a release beyond that gives back none', async () => {
      const { here, there } = await share({ value: 2, max: 2 });
      const name = await here.name();
      await expectRejection(there.release(), 'ERR_NOT_HELD', name);
      await there.acquire();
      await expectRejection(there.release(2), 'ERR_NOT_HELD', name);
      expect([await here.value(), await there.value()]).toEqual([1, 1]);
      await there.release();
      await expectRejection(there.release(), 'ERR_NOT_HELD');
      expect(await here.value()).toBe(2);
    });

    it('come to those who wait there as they are released here', async () => {
      const { here, there } = await share({ value: 3, max: 3 });
      const own = [await here.acquire(), await here.acquire(), await here.acquire()];
      let served = 0;
      const waits = own.map(async () => {
        const guard = await there.acquire();
        served++;
        return guard;
      });
      await place.begun();
      expect([served, await there.tryAcquire()]).toEqual([0, null]);
      await own[0]!.release();
      const first = await Promise.race(waits);
      expect([served, await here.value()]).toEqual([1, 0]);
      await here.release(2);
      const guards = await Promise.all(waits);
      expect([guards.includes(first), await here.value()]).toEqual([true, 0]);
      for (const guard of guards) await guard.release();
      expect(await here.value()).toBe(3);
    });

    it('let in as many of both sides at a time, and no more', async () => {
      const { here, there } = await share({ value: 3, max: 3 });
      let inside = 0;
      const found: number[] = [];
      const enter = async (semaphore: Remote<contract.Semaphore>) => {
        const guard = await semaphore.acquire();
        found.push(++inside);
        expect(await semaphore.value()).toBeLessThanOrEqual(2);
        inside--;
        await guard.release();
      };
      await Promise.all(Array.from({ length: 60 }, (_, i) => enter(i % 2 === 0 ? here : there)));
      expect([found.length, inside, await there.value()]).toEqual([60, 0, 3]);
      expect(Math.max(...found)).toBeLessThanOrEqual(3);
    });

    it('keep the handle open through which they were taken there', async () => {
      const { here, there } = await share({ value: 3 });
      const name = await here.name();
      const guards = [await there.acquire(), await there.acquire()];
      for (const guard of guards) {
        await expectRejection(there.close(), 'EBUSY', name);
        await guard.release();
      }
      await there.close();
      expect(await here.value()).toBe(3);
    });

    it.runIf(place.traits.addsPermits)('are added by a release there, and taken here', async () => {
      const { here, there } = await share({ value: 0 });
      expect(await here.tryAcquire()).toBeNull();
      await there.release(2);
      expect(await here.value()).toBe(2);
      await here.acquire();
      await here.acquire();
      const waiting = here.acquire();
      await place.begun();
      await there.release();
      await waiting;
      expect(await there.value()).toBe(0);
      await here.release(3);
    });
  });

  describe('a mistake made there with permits', () => {
    it('is told here by its code, and gives back none', async () => {
      const { here, there } = await share({ value: 2 });
      const guard = await there.acquire();
      for (const [count, code] of [
        [0, 'ERR_OUT_OF_RANGE'],
        [-1, 'ERR_OUT_OF_RANGE'],
        [1.5, 'ERR_OUT_OF_RANGE'],
        ['1', 'ERR_INVALID_ARG_TYPE'],
        [null, 'ERR_INVALID_ARG_TYPE'],
      ] as const) {
        await expectRejection(there.release(count as number), code, 'count');
      }
      expect(await here.value()).toBe(1);
      await guard.release();
      for (const [options, code, said] of [
        [{ value: -1 }, 'ERR_OUT_OF_RANGE', 'value'],
        [{ value: '1' }, 'ERR_INVALID_ARG_TYPE', 'value'],
        [{ max: 2, value: 3 }, 'ERR_OUT_OF_RANGE', 'value'],
        [{ values: 1 }, 'ERR_INVALID_ARG_VALUE', 'values'],
      ] as const) {
        await expectRejection(place.makerThere('semaphore').create(options), code, said);
      }
    });
  });

  describe.runIf(place.canEnd)('a place that ends', () => {
    it('gives back the permits that it has, and no others', async () => {
      const { here, there } = await share({ value: 5, max: 5 });
      const other = await place.another();
      const away = await other.attach<contract.Semaphore>('semaphore', here);
      const guards = [await here.acquire(), await there.acquire()];
      for (let i = 0; i < 3; i++) await away.acquire();
      expect([await here.value(), await here.tryAcquire()]).toEqual([0, null]);
      const waits = [there.acquire(), here.acquire(), here.acquire()];
      await place.begun();
      await other.end();
      guards.push(...(await Promise.all(waits)));
      expect([await here.value(), await there.tryAcquire()]).toEqual([0, null]);
      for (const guard of guards) await guard.release();
      expect(await here.value()).toBe(5);
      await expectRejection(here.release(), 'ERR_NOT_HELD');
    });

    it.runIf(place.traits.addsPermits)('leaves the permits that it added', async () => {
      const { here } = await share({ value: 0 });
      const other = await place.another();
      await (await other.attach<contract.Semaphore>('semaphore', here)).release(2);
      await other.end();
      expect(await here.value()).toBe(2);
      await (await here.acquire()).release();
    });
  });
}
