// What an array of numbers promises, wherever its two sides are.
import type { contract } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { allTypes, bigTypes, integers, limitsOf, valueOf } from '../support/elements';
import { expectRejection } from '../support/errors';
import { stuck, type Place, type Remote } from '../support/places';
import { describeHandles } from './handles';
import { describeOwnLock } from './own-lock';
import { expectRefusals, expectTimeout } from './waits';

type Int32s = contract.NumberArray<'int32'>;

async function elementsOf<T>(array: { length(): Promise<number>; at(i: number): Promise<T> }) {
  const length = await array.length();
  return Promise.all(Array.from({ length }, (_, i) => array.at(i)));
}

export function describeArray(place: Place): void {
  const share = (length = 4) => place.share<Int32s>('array', { type: 'int32', length });

  describeHandles(place, 'array', {
    options: { type: 'int32', length: 4 },
    change: (array) => array.add(1, 1),
    changes: async (array) => Number(await array.at(1)),
  });
  describeOwnLock(place, 'array', { type: 'int32', length: 4 });

  describe('an array', () => {
    it('has the same elements on both sides, whoever sets them', async () => {
      const { here, there } = await share(5);
      expect([await here.length(), await there.length()]).toEqual([5, 5]);
      await there.set(0, 7);
      await here.set(4, -1);
      expect([await elementsOf(here), await elementsOf(there)]).toEqual([
        [7, 0, 0, 0, -1],
        [7, 0, 0, 0, -1],
      ]);
      expect([
        await there.at(-1),
        await there.at(-5),
        await there.at(5),
        await there.at(-6),
      ]).toEqual([-1, 7, undefined, undefined]);
      expect(await there.fill(3, 1, 3)).toBe(there);
      expect(await elementsOf(here)).toEqual([7, 3, 3, 0, -1]);
      await here.fill(2);
      await there.fill(1, 3);
      expect(await elementsOf(there)).toEqual([2, 2, 2, 1, 1]);
    });

    it('of each type is changed by every verb, on both sides', async () => {
      for (const type of allTypes) {
        const of = (n: number) => valueOf(type, n);
        const { here, there } = await place.share<contract.NumberArray>('array', {
          type,
          length: 3,
        });
        await there.set(1, of(1));
        expect([await here.exchange(1, of(2)), await there.add(1, of(3))]).toEqual([of(1), of(2)]);
        expect([await there.compareExchange(1, of(1), of(7)), await here.at(1)]).toEqual([
          of(5),
          of(5),
        ]);
        expect([await there.compareExchange(1, of(5), of(7)), await here.at(1)]).toEqual([
          of(5),
          of(7),
        ]);
        const fn = bigTypes.includes(type)
          ? (n: number | bigint) => (n as bigint) * 2n
          : (n: number | bigint) => (n as number) * 2;
        expect(await there.update(1, fn)).toBe(of(14));
        expect(await elementsOf(here)).toEqual([of(0), of(14), of(0)]);
      }
    });

    it('of each integer type has the limits of that, on both sides', async () => {
      for (const type of integers) {
        const { here, there } = await place.share<contract.NumberArray>('array', {
          type,
          length: 2,
        });
        const { least, most } = limitsOf(type);
        const of = (n: bigint) => (bigTypes.includes(type) ? n : Number(n));
        await there.set(0, of(least));
        await there.exchange(1, of(most));
        expect(await elementsOf(here)).toEqual([of(least), of(most)]);
        await expectRejection(there.set(1, of(most + 1n)), 'ERR_OUT_OF_RANGE', 'value');
      }
    });

    it('of a float type is compared by its bits', async () => {
      for (const type of ['float32', 'float64'] as const) {
        const { here, there } = await place.share<contract.NumberArray<'float64'>>('array', {
          type,
          length: 2,
        });
        expect(await there.compareExchange(1, -0, 1)).toBe(0);
        for (const n of [NaN, -0, 0.5, Infinity]) {
          await there.set(1, n);
          expect(await here.at(1)).toBe(n);
          expect(await there.compareExchange(1, n, 0)).toBe(n);
          expect(await here.at(1)).toBe(0);
        }
      }
    });

    it('that both sides change at once loses no change', async () => {
      const { here, there } = await share(2);
      const each = 60;
      const increase = async (array: Remote<Int32s>) => {
        for (let i = 0; i < each;) {
          const n = (await array.at(0))!;
          if ((await array.compareExchange(0, n, n + 1)) === n) i++;
        }
      };
      const sides = Array.from({ length: each }, () => [here, there]).flat();
      await Promise.all([
        increase(here),
        increase(there),
        ...sides.map((side) => side.add(0, 10)),
        ...sides.map((side) => side.update(1, (n) => n + 1)),
      ]);
      expect(await elementsOf(there)).toEqual([2 * each + 20 * each, 2 * each]);
    });

    // A thread does not wait for a lock that it holds itself.
    it.runIf(place.canEnd)('is not updated while another holds the lock', async () => {
      const { here, there } = await share();
      const guard = await here.lock.acquire();
      await expectTimeout(({ timeout }) => there.update(1, (n) => n + 1, { timeout }));
      const updated = there.update(1, (n) => n * 2);
      await here.set(1, (await here.at(1))! + 5);
      await guard.release();
      expect([await updated, await here.at(1)]).toEqual([10, 10]);
    });

    it('is as it was when what updates it throws, and its lock is free', async () => {
      const { here, there } = await share();
      const failed = there.update(1, () => {
        throw new RangeError('not this');
      });
      await expect(failed).rejects.toThrow(new RangeError('not this'));
      expect([await elementsOf(here), await here.lock.locked()]).toEqual([[0, 0, 0, 0], false]);
    });

    it('tells here of a mistake made there by its code, and changes nothing', async () => {
      const { here, there } = await share();
      await here.fill(1);
      for (const [act, code, said] of [
        [() => there.set(4, 2), 'ERR_OUT_OF_RANGE', 'index'],
        [() => there.add(4, 2), 'ERR_OUT_OF_RANGE', 'index'],
        [() => there.exchange(4, 2), 'ERR_OUT_OF_RANGE', 'index'],
        [() => there.compareExchange(4, 1, 2), 'ERR_OUT_OF_RANGE', 'index'],
        [() => there.update(4, () => 2), 'ERR_OUT_OF_RANGE', 'index'],
        [() => there.wait(4, 1), 'ERR_OUT_OF_RANGE', 'index'],
        [() => there.set(0, '2' as never), 'ERR_INVALID_ARG_TYPE', 'value'],
        [() => there.set('a' as never, 2), 'ERR_INVALID_ARG_TYPE', 'a'],
        [() => there.fill(1.5), 'ERR_OUT_OF_RANGE', 'value'],
        [() => there.add(0, 1n as never), 'ERR_INVALID_ARG_TYPE', 'delta'],
        [() => there.exchange(0, null as never), 'ERR_INVALID_ARG_TYPE', 'value'],
        [() => there.compareExchange(0, '1' as never, 2), 'ERR_INVALID_ARG_TYPE', 'expected'],
        [() => there.update(0, 1 as never), 'ERR_INVALID_ARG_TYPE', 'fn'],
        [() => there.update(0, () => '2' as never), 'ERR_INVALID_ARG_TYPE', 'fn returns'],
        [() => there.wait(0, '1' as never), 'ERR_INVALID_ARG_TYPE', 'expected'],
        [() => there.notify(1.5), 'ERR_OUT_OF_RANGE', 'count'],
      ] as const) {
        await expectRejection(act(), code, said);
      }
      expect([await elementsOf(here), await here.lock.locked()]).toEqual([[1, 1, 1, 1], false]);
      await expectRefusals((options) => there.wait(0, 1, options));
      const maker = place.makerThere('array');
      await expectRejection(maker.create({ length: 1 }), 'ERR_INVALID_ARG_TYPE', 'type');
      await expectRejection(
        maker.create({ type: 'int8', length: 0 }),
        'ERR_OUT_OF_RANGE',
        'length',
      );
    });
  });

  describe.each(place.traits.forms)('waiting there for a change of an element, %s,', (form) => {
    // A blocked thread cannot wake itself.
    const wakes = it.runIf(form === 'async' || place.canEnd);

    wakes('lasts until that very element was changed and notified here', async () => {
      const { here, there } = await share();
      let over = 0;
      const waiting = [here.wait(2, 0), place.inForm(form, there).wait(2, 0)];
      for (const wait of waiting) void wait.then(() => over++);
      await place.begun();
      await here.set(1, 5);
      await here.notify();
      expect([await here.at(1), over]).toEqual([5, 0]);
      await here.set(2, 6);
      await here.notify();
      expect(await Promise.all(waiting)).toEqual([6, 6]);
    });

    it('is over at once where it is another already', async () => {
      const { here, there } = await share();
      await here.set(2, 5);
      const { wait } = place.inForm(form, there);
      expect([await wait(2, 4), await wait(2, 0, { timeout: 0 })]).toEqual([5, 5]);
      await expectRejection(wait(2, 5, { timeout: 0 }), 'ERR_TIMEOUT');
    });

    it('lasts as long as it may, and is over then', async () => {
      const { there } = await share();
      await expectTimeout((options) => place.inForm(form, there).wait(2, 0, options));
    });
  });

  describe('waiting there for a change of an element', () => {
    it('is called off from here, or given up when that handle is closed', async () => {
      const { here, there } = await share();
      const abort = new AbortController();
      const { signal } = abort;
      const off = expect(there.wait(1, 0, { signal })).rejects.toThrow('enough');
      const cut = expectRejection(there.wait(1, 0), 'ERR_CLOSED');
      const waiting = here.wait(1, 0);
      await place.begun();
      abort.abort(new Error('enough'));
      await off;
      await there.close();
      await cut;
      await here.add(1, 1);
      await here.notify();
      expect(await waiting).toBe(1);
    });
  });

  describe.runIf(place.canEnd)('a place that ends', () => {
    it('within an update leaves the array as it was, and the lock to others', async () => {
      const { here, there } = await share();
      const other = await place.another();
      const doomed = await other.attach<Int32s>('array', here);
      await doomed.set(1, 3);
      const cut = expect(doomed.update(1, stuck)).rejects.toThrow('gone');
      await other.isStuck;
      const waiting = here.lock.acquire();
      await other.end();
      await cut;
      const guard = await waiting;
      expect([guard.abandoned, await elementsOf(here)]).toEqual([true, [0, 3, 0, 0]]);
      await guard.release();
      expect(await there.update(1, (n) => n + 1)).toBe(4);
    });

    it('amid changes of an array has made each that was answered, once', async () => {
      const { here, there } = await share(3);
      const other = await place.another();
      const doomed = await other.attach<Int32s>('array', here);
      const { asked, done } = await other.endAmid((n) => doomed.add(n % 3, 1));
      for (const [i, found] of (await elementsOf(there)).entries()) {
        expect(found).toBeGreaterThanOrEqual(done.filter((n) => n % 3 === i).length);
        expect(found).toBeLessThanOrEqual(Math.ceil((asked - i) / 3));
      }
      await here.update(0, () => 0);
      expect(await there.at(0)).toBe(0);
    });

    it('while it waits for a change of an element is missed by nobody', async () => {
      const { here, there } = await share();
      const other = await place.another();
      const doomed = await other.attach<Int32s>('array', here);
      const waits = [doomed.wait(1, 0)];
      // It blocks the thread, so it comes last.
      if (place.traits.forms.includes('sync')) waits.push(other.inForm('sync', doomed).wait(1, 0));
      const cut = waits.map((wait) => expect(wait).rejects.toThrow('gone'));
      await other.begun();
      const waiting = [here.wait(1, 0), there.wait(1, 0)];
      await other.end();
      await Promise.all(cut);
      await here.set(1, 2);
      await here.notify();
      expect(await Promise.all(waiting)).toEqual([2, 2]);
    });
  });
}
