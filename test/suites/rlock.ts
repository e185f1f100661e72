// What an rlock promises, wherever its two sides are. Its owner is a thread, so sides of one thread have it together.
import type { contract } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { expectRejection } from '../support/errors';
import { stuck, untilTrue, type Place } from '../support/places';
import { describeHolding } from './holding';

export function describeRLock(place: Place): void {
  const share = () => place.share<contract.RLock>('rlock');
  const betweenThreads = it.runIf(place.canEnd);

  describeHolding(place, 'rlock', {
    called: 'an rlock',
    acquire: (lock, options) => lock.acquire(options),
    tryAcquire: (lock) => lock.tryAcquire(),
    isHeld: (lock) => lock.locked(),
    isOfThread: true,
    tellsOfDeath: true,
    staysUnlinked: false,
  });

  describe('an rlock that is held there', () => {
    it('is acquired again there in every way, and is free after as many releases', async () => {
      const { here, there } = await share();
      const name = await here.name();
      expect([await there.held(), await there.locked()]).toEqual([false, false]);
      const guards = [
        await there.acquire(),
        await there.acquire({ timeout: 0 }),
        (await there.tryAcquire())!,
      ];
      for (const form of place.traits.forms) {
        guards.push(await place.inForm(form, there).acquire());
      }
      // Each guard is one acquisition, in any order.
      for (const guard of [guards[0]!, ...guards.slice(2)]) {
        await guard.release();
        await expectRejection(guard.release(), 'ERR_NOT_HELD', name);
        expect([await there.held(), await here.locked()]).toEqual([true, true]);
      }
      await there.release();
      expect([await there.held(), await here.locked()]).toEqual([false, false]);
      await expectRejection(there.release(), 'ERR_NOT_HELD', name);
    });

    betweenThreads('is neither held nor acquired nor released here', async () => {
      const { here, there } = await share();
      const name = await here.name();
      const guards = [await there.acquire(), await there.acquire()];
      for (const guard of guards) {
        expect([await there.held(), await here.held(), await here.locked()]).toEqual([
          true,
          false,
          true,
        ]);
        expect(await here.tryAcquire()).toBeNull();
        await expectRejection(here.release(), 'ERR_NOT_HELD', name);
        await expectRejection(here.acquire({ timeout: 1 }), 'ERR_TIMEOUT');
        await guard.release();
      }
      const own = (await here.tryAcquire())!;
      expect([await here.held(), await there.held()]).toEqual([true, false]);
      await expectRejection(guards[0]!.release(), 'ERR_NOT_HELD');
      await own.release();
    });

    betweenThreads('is waited for here until the last release', async () => {
      const { here, there } = await share();
      const guards = [await there.acquire(), await there.acquire(), await there.acquire()];
      let isOver = false;
      const waiting = here.acquire().finally(() => (isOver = true));
      await place.begun();
      for (const guard of guards) {
        expect([isOver, await there.held()]).toEqual([false, true]);
        await guard.release();
      }
      const guard = await waiting;
      expect([guard.abandoned, await here.held(), await there.held()]).toEqual([
        false,
        true,
        false,
      ]);
      await guard.release();
    });

    it('runs functions within functions there, and is free when they are over', async () => {
      const { here, there } = await share();
      const result = await there.runExclusive(async () => {
        const inner = await there.runExclusive(({ abandoned }) => ({ abandoned }));
        expect(inner).toEqual({ abandoned: false });
        const failing = there.runExclusive(() => Promise.reject(new RangeError('not this')));
        await expect(failing).rejects.toThrow(new RangeError('not this'));
        for (const form of place.traits.forms) {
          expect(await place.inForm(form, there).runExclusive(() => 7)).toBe(7);
        }
        expect([await there.held(), await here.locked()]).toEqual([true, true]);
        return 'żółw';
      });
      expect([result, await there.held(), await here.locked()]).toEqual(['żółw', false, false]);
      await expectRejection(there.runExclusive(1 as never), 'ERR_INVALID_ARG_TYPE', 'fn');
    });
  });

  describe('tasks of one side that wait for an rlock', () => {
    betweenThreads('have it together, and it is free when all have released it', async () => {
      const { here, there } = await share();
      const own = await here.acquire();
      const waits = [there.acquire(), there.acquire(), there.acquire()];
      // The first function is over only when the second has been called.
      let enter!: () => void;
      const entered = new Promise<void>((resolve) => (enter = resolve));
      const functions = [there.runExclusive(() => entered), there.runExclusive(enter)];
      await place.begun();
      await own.release();
      await Promise.all(functions);
      for (const guard of await Promise.all(waits)) {
        expect([await there.held(), await here.tryAcquire()]).toEqual([true, null]);
        await guard.release();
      }
      expect(await there.held()).toBe(false);
      // A side that had to wait for it may need a moment more to release it.
      await untilTrue(async () => !(await here.locked()));
    });
  });

  describe.runIf(place.canEnd)('a place that ends', () => {
    it('leaves an rlock free however deep it held it, and one acquisition is told', async () => {
      const { here, there } = await share();
      const other = await place.another();
      const away = await other.attach<contract.RLock>('rlock', here);
      for (let i = 0; i < 3; i++) await away.acquire();
      const waiting = there.acquire();
      await place.begun();
      await other.end();
      const outer = await waiting;
      const inner = await there.acquire();
      expect([outer.abandoned, inner.abandoned]).toEqual([true, false]);
      await inner.release();
      await outer.release();
      const next = await here.acquire();
      expect(next.abandoned).toBe(false);
      await next.release();
    });

    it.runIf(place.traits.forms.includes('sync'))(
      'within functions that have an rlock leaves it to another',
      async () => {
        const { here } = await share();
        const other = await place.another();
        const away = await other.attach<contract.RLock>('rlock', here);
        await away.acquire();
        const cut = expect(other.inForm('sync', away).runExclusive(stuck)).rejects.toThrow('gone');
        await other.isStuck;
        expect(await here.tryAcquire()).toBeNull();
        await other.end();
        await cut;
        expect(await here.runExclusive(({ abandoned }) => abandoned)).toBe(true);
        expect(await here.runExclusive(({ abandoned }) => abandoned)).toBe(false);
      },
    );
  });
}
