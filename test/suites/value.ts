// What a number promises, wherever its two sides are.
import type { contract } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { allTypes, bigTypes, integers, limitsOf, valueOf } from '../support/elements';
import { expectRejection } from '../support/errors';
import { stuck, type Place, type Remote } from '../support/places';
import { describeHandles } from './handles';
import { describeOwnLock } from './own-lock';
import { expectRefusals, expectTimeout } from './waits';

type Int32 = contract.Value<'int32'>;

export function describeValue(place: Place): void {
  const share = (value = 0) => place.share<Int32>('value', { type: 'int32', value });

  describeHandles(place, 'value', {
    options: { type: 'int32' },
    change: (value) => value.add(1),
    changes: async (value) => Number(await value.value()),
  });
  describeOwnLock(place, 'value', { type: 'int32' });

  describe('a value', () => {
    it('of each type is changed by every verb, on both sides', async () => {
      for (const type of allTypes) {
        const of = (n: number) => valueOf(type, n);
        const { here, there } = await place.share<contract.Value>('value', { type, value: of(1) });
        expect([await there.value(), await there.exchange(of(2))]).toEqual([of(1), of(1)]);
        expect([await here.value(), await here.add(of(3))]).toEqual([of(2), of(2)]);
        expect([await there.add(of(4)), await here.value()]).toEqual([of(5), of(9)]);
        expect([await there.compareExchange(of(1), of(7)), await here.value()]).toEqual([
          of(9),
          of(9),
        ]);
        expect([await there.compareExchange(of(9), of(7)), await here.value()]).toEqual([
          of(9),
          of(7),
        ]);
        expect(await there.update((n) => n)).toBe(of(7));
        const fn = bigTypes.includes(type)
          ? (n: number | bigint) => (n as bigint) * 2n
          : (n: number | bigint) => (n as number) * 2;
        expect([await there.update(fn), await here.value()]).toEqual([of(14), of(14)]);
      }
    });

    it('of each integer type has the limits of that, on both sides', async () => {
      for (const type of integers) {
        const { here, there } = await place.share<contract.Value>('value', { type });
        const { least, most } = limitsOf(type);
        for (const limit of [least, most]) {
          const number = bigTypes.includes(type) ? limit : Number(limit);
          await there.exchange(number);
          expect(await here.value()).toBe(number);
        }
        const beyond = bigTypes.includes(type) ? most + 1n : Number(most + 1n);
        await expectRejection(there.exchange(beyond), 'ERR_OUT_OF_RANGE', 'value');
      }
    });

    it('of a float type is compared by its bits', async () => {
      for (const type of ['float32', 'float64'] as const) {
        const { here, there } = await place.share<contract.Value<'float64'>>('value', { type });
        expect(await there.compareExchange(-0, 1)).toBe(0);
        for (const n of [NaN, -0, 0.5, Infinity, -Infinity]) {
          await there.exchange(n);
          expect(await here.value()).toBe(n);
          expect(await there.compareExchange(n, 0)).toBe(n);
          expect(await here.value()).toBe(0);
        }
      }
    });

    it('is as it was when what updates it throws, and its lock is free', async () => {
      const { here, there } = await share(3);
      const failed = there.update(() => {
        throw new RangeError('not this');
      });
      await expect(failed).rejects.toThrow(new RangeError('not this'));
      expect([await here.value(), await here.lock.locked()]).toEqual([3, false]);
    });

    it('that both sides change at once loses no change', async () => {
      const { here, there } = await share();
      const each = 60;
      const increase = async (value: Remote<Int32>) => {
        for (let i = 0; i < each;) {
          const n = await value.value();
          if ((await value.compareExchange(n, n + 1)) === n) i++;
        }
      };
      const numbers = Array.from({ length: each }, (_, i) => i);
      await Promise.all([
        increase(here),
        increase(there),
        ...numbers.map(() => [here.add(10), there.add(10)]).flat(),
      ]);
      expect(await there.value()).toBe(2 * each + 20 * each);
      await Promise.all(numbers.flatMap(() => [here, there].map((v) => v.update((n) => n - 1))));
      expect(await here.value()).toBe(20 * each);
    });

    // A thread does not wait for a lock that it holds itself.
    it.runIf(place.canEnd)('is not updated while another holds the lock', async () => {
      const { here, there } = await share(5);
      const guard = await here.lock.acquire();
      await expectTimeout(({ timeout }) => there.update((n) => n + 1, { timeout }));
      const updated = there.update((n) => n * 2);
      const before = await here.value();
      await here.exchange(before + 1);
      await guard.release();
      expect([await updated, await here.value()]).toEqual([12, 12]);
    });

    it('tells here of a mistake made there by its code, and changes nothing', async () => {
      const { here, there } = await share(1);
      for (const [act, code, said] of [
        [() => there.exchange('1' as never), 'ERR_INVALID_ARG_TYPE', 'value'],
        [() => there.exchange(1n as never), 'ERR_INVALID_ARG_TYPE', 'value'],
        [() => there.exchange(1.5), 'ERR_OUT_OF_RANGE', 'value'],
        [() => there.add(null as never), 'ERR_INVALID_ARG_TYPE', 'delta'],
        [() => there.compareExchange('1' as never, 2), 'ERR_INVALID_ARG_TYPE', 'expected'],
        [() => there.compareExchange(1, '2' as never), 'ERR_INVALID_ARG_TYPE', 'value'],
        [() => there.update(1 as never), 'ERR_INVALID_ARG_TYPE', 'fn'],
        [() => there.update(() => '2' as never), 'ERR_INVALID_ARG_TYPE', 'fn returns'],
        [() => there.update((n) => n, { timeout: -1 }), 'ERR_OUT_OF_RANGE', 'timeout'],
        [() => there.notify(-1), 'ERR_OUT_OF_RANGE', 'count'],
        [() => there.notify('1' as never), 'ERR_INVALID_ARG_TYPE', 'count'],
        [() => there.wait('1' as never), 'ERR_INVALID_ARG_TYPE', 'expected'],
      ] as const) {
        await expectRejection(act(), code, said);
      }
      expect([await here.value(), await here.lock.locked()]).toEqual([1, false]);
      await expectRefusals((options) => there.wait(1, options));
      const maker = place.makerThere('value');
      await expectRejection(maker.create(), 'ERR_INVALID_ARG_TYPE', 'type');
      await expectRejection(maker.create({ type: 'int' }), 'ERR_OUT_OF_RANGE', 'type');
      await expectRejection(
        maker.create({ type: 'int8', value: 128 }),
        'ERR_OUT_OF_RANGE',
        'value',
      );
    });
  });

  describe.each(place.traits.forms)('waiting there for a change of a value, %s,', (form) => {
    // A blocked thread cannot wake itself.
    const wakes = it.runIf(form === 'async' || place.canEnd);

    wakes('lasts until it was changed and notified here', async () => {
      const { here, there } = await share();
      const { wait } = place.inForm(form, there);
      let n = 0;
      for (const change of [
        () => here.add(1),
        () => here.exchange(2),
        () => here.compareExchange(2, 3),
        () => here.update((before) => before + 1),
      ]) {
        const waiting = [here.wait(n), wait(n)];
        await place.begun();
        await change();
        await here.notify();
        n++;
        expect(await Promise.all(waiting)).toEqual([n, n]);
      }
    });

    it('is over at once where it is another already', async () => {
      const { there } = await share(5);
      const { wait } = place.inForm(form, there);
      expect([await wait(4), await wait(4, { timeout: 0 })]).toEqual([5, 5]);
      await expectRejection(wait(5, { timeout: 0 }), 'ERR_TIMEOUT');
    });

    it('lasts as long as it may, and is over then', async () => {
      const { here, there } = await share(5);
      await here.notify();
      await expectTimeout((options) => place.inForm(form, there).wait(5, options));
    });
  });

  describe('waiting there for a change of a value', () => {
    it('goes on where it was notified of none', async () => {
      const { here, there } = await share();
      let isOver = false;
      const waiting = there.wait(0).finally(() => (isOver = true));
      await place.begun();
      for (let i = 0; i < 5; i++) {
        await here.notify();
        expect(await there.value()).toBe(0);
      }
      expect(isOver).toBe(false);
      await here.add(1);
      await here.notify(1);
      expect(await waiting).toBe(1);
    });

    it('is called off from here, or given up when that handle is closed', async () => {
      const { here, there } = await share();
      const abort = new AbortController();
      const { signal } = abort;
      const off = expect(there.wait(0, { signal })).rejects.toThrow('enough');
      const cut = expectRejection(there.wait(0), 'ERR_CLOSED');
      const waiting = here.wait(0);
      await place.begun();
      abort.abort(new Error('enough'));
      await off;
      await there.close();
      await cut;
      await here.add(1);
      await here.notify();
      expect(await waiting).toBe(1);
    });
  });

  describe.runIf(place.canEnd)('a place that ends', () => {
    it('within an update leaves the value as it was, and the lock to others', async () => {
      const { here, there } = await share(3);
      const other = await place.another();
      const doomed = await other.attach<Int32>('value', here);
      const cut = expect(doomed.update(stuck)).rejects.toThrow('gone');
      await other.isStuck;
      const waiting = here.lock.acquire();
      await other.end();
      await cut;
      const guard = await waiting;
      expect([guard.abandoned, await here.value()]).toEqual([true, 3]);
      await guard.release();
      expect(await there.update((n) => n + 1)).toBe(4);
    });

    it('amid changes of a value has made each that was answered, once', async () => {
      const { here, there } = await share();
      const other = await place.another();
      const doomed = await other.attach<Int32>('value', here);
      const { asked, done } = await other.endAmid((n) =>
        n % 2 === 0 ? doomed.add(1) : doomed.update((before) => before + 1),
      );
      expect(await there.value()).toBeGreaterThanOrEqual(done.length);
      expect(await there.value()).toBeLessThanOrEqual(asked);
      await (await here.lock.acquire()).release();
    });

    it('while it waits for a change of a value is missed by nobody', async () => {
      const { here, there } = await share();
      const other = await place.another();
      const doomed = await other.attach<Int32>('value', here);
      const waits = [doomed.wait(0)];
      // It blocks the thread, so it comes last.
      if (place.traits.forms.includes('sync')) waits.push(other.inForm('sync', doomed).wait(0));
      const cut = waits.map((wait) => expect(wait).rejects.toThrow('gone'));
      await other.begun();
      const waiting = [here.wait(0), there.wait(0)];
      await other.end();
      await Promise.all(cut);
      await here.add(2);
      await here.notify();
      expect(await Promise.all(waiting)).toEqual([2, 2]);
    });
  });
}
