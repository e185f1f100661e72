// What is true of the lock that an object has of its own, wherever its two sides are.
import type { contract } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { expectRejection } from '../support/errors';
import { untilTrue, type Place, type Remote } from '../support/places';
import { articled } from './handles';
import { expectRefusals, expectTimeout } from './waits';

interface WithLock extends contract.Named {
  readonly lock: contract.Lock;
}

/** A release does not wait, so it may be seen elsewhere only a moment later. */
const untilFree = ({ lock }: Remote<WithLock>) => untilTrue(async () => !(await lock.locked()));

/** @param options - what a new object needs. */
export function describeOwnLock(
  place: Place,
  kind: 'condition' | 'value' | 'array',
  options?: object,
): void {
  const share = () => place.share<WithLock>(kind, options);
  const heldOf = async (...sides: Remote<WithLock>[]) =>
    Promise.all(sides.flatMap(({ lock }) => [lock.held(), lock.locked()]));

  describe(`the lock of ${articled(kind)}`, () => {
    it('is one for both sides, and of that object alone', async () => {
      const { here, there } = await share();
      const another = await share();
      const guard = await there.lock.acquire();
      expect(await there.lock.name()).toBe(await here.name());
      expect([guard.abandoned, await heldOf(here, there)]).toEqual([
        false,
        [false, true, true, true],
      ]);
      expect([await here.lock.tryAcquire(), await another.here.lock.locked()]).toEqual([
        null,
        false,
      ]);
      await expectRejection(here.lock.release(), 'ERR_NOT_HELD');
      const waiting = here.lock.acquire();
      await guard.release();
      await expectRejection(guard.release(), 'ERR_NOT_HELD');
      await waiting;
      expect(await heldOf(here, there)).toEqual([true, true, false, true]);
      await here.lock.release();
      await expectRejection(here.lock.release(), 'ERR_NOT_HELD');
      await untilFree(there);
    });

    it('is waited for no longer than one may', async () => {
      const { here, there } = await share();
      const guard = await here.lock.acquire();
      await expectTimeout(there.lock.acquire);
      const abort = new AbortController();
      const { signal } = abort;
      const off = expect(there.lock.acquire({ signal })).rejects.toThrow('enough');
      await place.begun();
      abort.abort(new Error('enough'));
      await off;
      await expectRefusals(there.lock.acquire);
      const cut = expectRejection(there.lock.acquire(), 'ERR_CLOSED');
      await place.begun();
      await there.close();
      await cut;
      await guard.release();
      await (await here.lock.acquire()).release();
    });

    it('keeps the handle open while it is held there', async () => {
      const { there } = await share();
      const guard = await there.lock.acquire();
      await expectRejection(there.close(), 'EBUSY');
      expect([await there.closed(), await there.lock.held()]).toEqual([false, true]);
      await guard.release();
      await there.close();
    });

    it('is had by those who wait there in their order', async () => {
      const { here, there } = await share();
      const guard = await here.lock.acquire();
      const order: number[] = [];
      const waits = [0, 1, 2, 3, 4].map(async (i) => {
        await using _guard = await there.lock.acquire();
        order.push(i);
      });
      await place.begun();
      await guard.release();
      await Promise.all(waits);
      expect(order).toEqual([0, 1, 2, 3, 4]);
    });

    it('is held by one at a time, of all who want it on both sides', async () => {
      const { here, there } = await share();
      let inside = 0;
      let entered = 0;
      const enter = async ({ lock }: Remote<WithLock>) => {
        for (let i = 0; i < 20; i++) {
          await lock.runExclusive(async () => {
            expect(++inside).toBe(1);
            await new Promise(setImmediate);
            inside--;
            entered++;
          });
        }
      };
      await Promise.all([enter(here), enter(there), enter(there)]);
      expect(entered).toBe(60);
      await untilFree(here);
    });

    it.runIf(place.canEnd)('is handed on when its place ends, with the news', async () => {
      const { here, there } = await share();
      const other = await place.another();
      const object = await other.attach<WithLock>(kind, here);
      await object.lock.acquire();
      const cut = expect(object.lock.acquire()).rejects.toThrow('gone');
      const waiting = there.lock.acquire();
      await Promise.all([place.begun(), other.begun()]);
      await other.end();
      await cut;
      const guard = await waiting;
      expect(guard.abandoned).toBe(true);
      await guard.release();
      const next = await here.lock.acquire();
      expect(next.abandoned).toBe(false);
      await next.release();
    });
  });
}
