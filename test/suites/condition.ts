// What a condition promises, wherever its two sides are.
import type { contract } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { expectRejection } from '../support/errors';
import { uniqueName } from '../support/names';
import type { Place, Remote } from '../support/places';
import { until } from '../support/temporaries';
import { describeHandles } from './handles';
import { describeOwnLock } from './own-lock';
import { expectRefusals, expectTimeout } from './waits';

type Condition = Remote<contract.Condition>;

async function exclusively<T>({ lock }: Condition, act: () => Promise<T>): Promise<T> {
  await using _guard = await lock.acquire();
  return await act();
}

const notifyAll = (condition: Condition) => exclusively(condition, () => condition.notifyAll());

/**
 * Begins a wait. It has begun when somebody else can acquire the lock.
 *
 * @returns what resolves when the wait is over and its lock released.
 */
async function begin(condition: Condition, other: Condition, wait = () => condition.wait()) {
  const guard = await condition.lock.acquire();
  const ended = wait().then(() => guard.release());
  await exclusively(other, () => Promise.resolve());
  return { ended };
}

/** Becomes true when it has been called three times. It runs in the place of the wait. */
const third = () => {
  const counting = globalThis as { looks?: number | undefined };
  counting.looks = (counting.looks ?? 0) + 1;
  if (counting.looks < 3) return undefined;
  counting.looks = undefined;
  return 'the third look';
};

export function describeCondition(place: Place): void {
  const share = () => place.share<contract.Condition>('condition');

  describeHandles(place, 'condition', {
    // Nothing stays of a notification, so its handles show only that they can be used.
    change: notifyAll,
    changes: notifyAll,
    period: 1,
  });
  describeOwnLock(place, 'condition');

  describe('a condition', () => {
    it('is one when both sides open it at once', async () => {
      const name = uniqueName();
      const both = [place.makerHere('condition'), place.makerThere('condition')];
      const [first, second] = await Promise.all(both.map((maker) => maker.open(name)));
      await using here = first!;
      await using there = second!;
      const { ended } = await begin(there, here);
      expect(await notifyAll(here)).toBe(1);
      await ended;
      await here.unlink();
    });

    it('needs its lock to be held through the handle that is used', async () => {
      const { here, there } = await share();
      const name = await there.name();
      for (const isHeldHere of [false, true]) {
        if (isHeldHere) await here.lock.acquire();
        for (const use of [
          () => there.wait(),
          () => there.waitFor(() => true),
          () => there.notify(),
          () => there.notifyAll(),
        ]) {
          await expectRejection(use(), 'ERR_NOT_HELD', name);
        }
      }
      await here.lock.release();
      expect(await there.lock.locked()).toBe(false);
    });

    it('has as many notified on both sides as it is told, of those who wait', async () => {
      const { here, there } = await share();
      let over = 0;
      const waits: Promise<unknown>[] = [];
      for (const side of [here, there, there, here, there, here]) {
        const { ended } = await begin(side, here);
        waits.push(ended.then(() => over++));
      }
      const notify = (count?: number) => exclusively(there, () => there.notify(count));
      expect([await notify(0), over]).toEqual([0, 0]);
      expect(await notify()).toBe(1);
      await until(() => over === 1);
      await exclusively(here, async () => {
        expect([await here.notify(2), await here.notify(1), over]).toEqual([2, 1, 1]);
      });
      await until(() => over === 4);
      expect([await notifyAll(there), await notifyAll(here)]).toEqual([2, 0]);
      await Promise.all(waits);
    });

    it('has nobody notified who comes later', async () => {
      const { here, there } = await share();
      expect(await exclusively(here, () => here.notify(5))).toBe(0);
      await exclusively(there, () => expectTimeout(there.wait));
    });

    it('loses no notification of what both sides make and take', async () => {
      const { here, there } = await share();
      const stock = await place.share<contract.Value<'int32'>>('value', { type: 'int32' });
      const sides = { here, there };
      const count = 25;
      const make = async (side: 'here' | 'there') => {
        for (let i = 0; i < count; i++) {
          await exclusively(sides[side], async () => {
            await stock[side].add(1);
            await sides[side].notify();
          });
        }
      };
      const take = async (side: 'here' | 'there') => {
        for (let i = 0; i < count; i++) {
          await exclusively(sides[side], async () => {
            while ((await stock[side].value()) === 0) await sides[side].wait();
            await stock[side].add(-1);
          });
        }
      };
      await Promise.all([take('here'), take('there'), make('there'), make('here')]);
      expect([await stock.here.value(), await notifyAll(here)]).toEqual([0, 0]);
    });

    it('takes a count of waiters, or none', async () => {
      const { there } = await share();
      await exclusively(there, async () => {
        for (const [count, code] of [
          [-1, 'ERR_OUT_OF_RANGE'],
          [1.5, 'ERR_OUT_OF_RANGE'],
          ['1', 'ERR_INVALID_ARG_TYPE'],
        ] as const) {
          await expectRejection(there.notify(count as never), code, 'count');
        }
      });
    });
  });

  describe.each(place.traits.forms)('waiting there for a notification, %s,', (form) => {
    // A blocked thread cannot wake itself.
    const wakes = it.runIf(form === 'async' || place.canEnd);

    wakes('gives up the lock, and has it again by the same guard', async () => {
      const { here, there } = await share();
      const guard = await there.lock.acquire();
      let isOver = false;
      const waiting = place.inForm(form, there).wait();
      void waiting.then(() => (isOver = true));
      const own = await here.lock.acquire();
      expect(await here.notify()).toBe(1);
      expect([await here.lock.held(), isOver]).toEqual([true, false]);
      await own.release();
      await waiting;
      expect([await there.lock.held(), await here.lock.tryAcquire()]).toEqual([true, null]);
      await guard.release();
      await expectRejection(guard.release(), 'ERR_NOT_HELD');
    });

    it('lasts as long as it may, and has the lock again', async () => {
      const { here, there } = await share();
      const { wait } = place.inForm(form, there);
      await exclusively(there, async () => {
        await expectTimeout(wait);
        expect([await there.lock.held(), await here.lock.locked()]).toEqual([true, true]);
      });
      expect([await here.lock.locked(), await notifyAll(here)]).toEqual([false, 0]);
    });

    wakes('for a predicate lasts until that is true, after as many notifications', async () => {
      const { here, there } = await share();
      const guard = await there.lock.acquire();
      const waiting = place.inForm(form, there).waitFor(third);
      let notified = 0;
      while (notified < 2) notified += await exclusively(here, () => here.notify());
      expect(await waiting).toBe('the third look');
      expect(await there.lock.held()).toBe(true);
      await guard.release();
      expect(await notifyAll(here)).toBe(0);
    });

    it('for a predicate is over at once where that is true', async () => {
      const { here, there } = await share();
      const { waitFor } = place.inForm(form, there);
      await exclusively(there, async () => {
        expect(await waitFor(() => 'yes')).toBe('yes');
        expect(await waitFor(() => 7, { timeout: 0 })).toBe(7);
        await expectTimeout((options) => waitFor(() => 0, options));
        expect(await here.lock.tryAcquire()).toBeNull();
      });
    });

    it('for a predicate that throws throws the same, and has the lock still', async () => {
      const { here, there } = await share();
      const { waitFor } = place.inForm(form, there);
      await exclusively(there, async () => {
        const failed = waitFor(() => {
          throw new RangeError('not this');
        });
        await expect(failed).rejects.toThrow(new RangeError('not this'));
        const kinds = [true, () => Promise.resolve(1)] as never[];
        for (const kind of kinds) {
          await expectRejection(waitFor(kind), 'ERR_INVALID_ARG_TYPE', 'predicate');
        }
        expect([await there.lock.held(), await here.lock.tryAcquire()]).toEqual([true, null]);
      });
    });
  });

  describe('waiting there for a notification', () => {
    it('is called off from here, and is over when the lock is free', async () => {
      const { here, there } = await share();
      const abort = new AbortController();
      const { signal } = abort;
      const guard = await there.lock.acquire();
      let isOver = false;
      const off = expect(there.wait({ signal })).rejects.toThrow('enough');
      void off.then(() => (isOver = true));
      const own = await here.lock.acquire();
      abort.abort(new Error('enough'));
      expect([await there.lock.held(), isOver]).toEqual([false, false]);
      await own.release();
      await off;
      await expect(there.wait({ signal })).rejects.toThrow('enough');
      await expect(there.waitFor(() => false, { signal })).rejects.toThrow('enough');
      expect(await there.lock.held()).toBe(true);
      await guard.release();
      expect(await notifyAll(here)).toBe(0);
    });

    it('is given up when that handle is closed, and by nobody else', async () => {
      const { here, there } = await share();
      await using other = await place.attach<contract.Condition>('condition', here);
      const { ended } = await begin(other, here);
      await there.lock.acquire();
      const cut = expectRejection(there.wait(), 'ERR_CLOSED');
      const guard = await here.lock.acquire();
      await there.close();
      await guard.release();
      await cut;
      expect(await notifyAll(here)).toBe(1);
      await ended;
    });

    it('is not begun with options that make no sense', async () => {
      const { there } = await share();
      await exclusively(there, async () => {
        await expectRefusals(there.wait);
        await expectRefusals((options) => there.waitFor(() => true, options));
        expect(await there.lock.held()).toBe(true);
      });
    });
  });

  describe.runIf(place.canEnd)('a place that ends', () => {
    it.each(place.traits.forms)(
      'while it waits for a notification is missed by nobody: %s',
      async (form) => {
        const { here, there } = await share();
        const other = await place.another();
        const doomed = await other.attach<contract.Condition>('condition', here);
        const { ended } = await begin(there, here);
        const begun = await begin(doomed, here, () => other.inForm(form, doomed).wait());
        const cut = expect(begun.ended).rejects.toThrow('gone');
        await other.end();
        await cut;
        expect(await exclusively(here, () => here.notify(3))).toBe(1);
        await ended;
      },
    );

    it('when it has notified others leaves them the lock', async () => {
      const { here, there } = await share();
      const other = await place.another();
      const doomed = await other.attach<contract.Condition>('condition', here);
      const first = await begin(here, here);
      const second = await begin(there, here);
      await doomed.lock.acquire();
      expect(await doomed.notifyAll()).toBe(2);
      await other.end();
      await Promise.all([first.ended, second.ended]);
      const guard = await there.lock.acquire();
      expect(guard.abandoned).toBe(false);
      await guard.release();
    });
  });
}
