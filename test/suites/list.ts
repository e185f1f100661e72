// What a list promises, wherever its two sides are.
import type { contract } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { expectRejection } from '../support/errors';
import { all, stuck, type Place, type Remote } from '../support/places';
import { describeHandles } from './handles';
import { values } from './values';

type Int32 = contract.Value<'int32'>;

export function describeList(place: Place): void {
  const share = <V = number>(options?: object) => place.share<contract.List<V>>('list', options);

  describeHandles(place, 'list', {
    change: (list) => list.push('a change'),
    changes: (list) => list.length(),
  });

  describe('a list', () => {
    it('has the same elements on both sides, at both ends and in the middle', async () => {
      const { here, there } = await share<string>();
      expect([await there.push('c', 'd'), await here.unshift('a', 'b')]).toEqual([2, 4]);
      expect([await there.length(), await there.toArray()]).toEqual([4, ['a', 'b', 'c', 'd']]);
      expect([await here.at(0), await there.at(-1), await there.at(4)]).toEqual([
        'a',
        'd',
        undefined,
      ]);
      expect(await there.splice(1, 2, 'x', 'y', 'z')).toEqual(['b', 'c']);
      expect(await here.slice()).toEqual(['a', 'x', 'y', 'z', 'd']);
      expect([await there.slice(1, 3), await there.slice(-2)]).toEqual([
        ['x', 'y'],
        ['z', 'd'],
      ]);
      expect([await there.pop(), await there.shift()]).toEqual(['d', 'a']);
      await there.set(-1, 'end');
      expect(await here.toArray()).toEqual(['x', 'y', 'end']);
      await there.clear();
      expect([await here.length(), await here.pop(), await there.shift()]).toEqual([
        0,
        undefined,
        undefined,
      ]);
    });

    it('carries values of every kind unchanged, both ways', async () => {
      const { here, there } = await share<unknown>();
      await here.push(...values);
      expect(await there.toArray()).toStrictEqual(values);
      for (const [i, value] of values.entries()) await there.set(i, value);
      expect(await here.toArray()).toStrictEqual(values);
    });

    it('carries shared objects, which come back attached', async () => {
      const { here, there } = await share<unknown>();
      const { here: value } = await place.share<Int32>('value', { type: 'int32', value: 5 });
      await there.push(value);
      await using fromHere = (await here.at(0)) as Remote<Int32>;
      await using fromThere = (await there.at(0)) as Remote<Int32>;
      await fromHere.add(1);
      await fromThere.add(1);
      expect(await value.value()).toBe(7);
    });

    it('is searched there for what is equal here', async () => {
      const { here, there } = await share<unknown>();
      await here.push(1, NaN, { x: [1] }, 1, 'żółw');
      expect([await there.indexOf(1), await there.indexOf(1, 1)]).toEqual([0, 3]);
      expect([await there.lastIndexOf(1), await there.lastIndexOf(1, 2)]).toEqual([3, 0]);
      expect([await there.indexOf({ x: [1] }), await there.indexOf('żółw')]).toEqual([2, 4]);
      expect([await there.indexOf(NaN), await there.includes(NaN)]).toEqual([-1, true]);
    });

    it('changes single elements, each at once', async () => {
      const { here, there } = await share<unknown>();
      await here.push(1, 'a', { n: 1 });
      expect([await there.add(0, 4), await here.add(-3, 1)]).toEqual([1, 5]);
      const made = await there.update(2, (value) => ({ was: value, pid: process.pid }));
      expect((made as { pid: number }).pid === process.pid).toBe(!place.isProcess);
      expect([await here.at(2), (made as { was: unknown }).was]).toEqual([made, { n: 1 }]);
      expect(await there.compareAndSet(1, 'b', 'no')).toBe(false);
      expect(await there.compareAndSet(1, 'a', NaN)).toBe(true);
      expect(await here.compareAndSet(1, NaN, null)).toBe(true);
      expect(await there.slice(0, 2)).toEqual([6, null]);
    });
  });

  describe('a list that both sides change at once', () => {
    const each = 150;

    it('loses no element, and has those of one side in their order', async () => {
      const { here, there } = await share<[string, number]>();
      const numbers = Array.from({ length: each }, (_, i) => i);
      await Promise.all(numbers.flatMap((i) => [here.push(['here', i]), there.push(['there', i])]));
      const found = await there.toArray();
      for (const side of ['here', 'there']) {
        expect(found.filter(([from]) => from === side).map(([, i]) => i)).toEqual(numbers);
      }
      expect(found).toHaveLength(2 * each);
    });

    it('gives each element to one who removes it', async () => {
      const { here, there } = await share();
      const numbers = Array.from({ length: 2 * each }, (_, i) => i);
      await here.push(...numbers);
      const removed = await Promise.all(
        numbers.map((i) => (i % 2 === 0 ? here.shift() : there.pop())),
      );
      expect(removed.map((n) => n!).sort((a, b) => a - b)).toEqual(numbers);
      expect(await there.length()).toBe(0);
    });

    it('loses no addition and no update, and lets one of them win each comparison', async () => {
      const { here, there } = await share();
      await here.push(0, 0, 0);
      const increase = async (list: Remote<contract.List<number>>) => {
        for (let i = 0; i < each;) {
          const n = (await list.at(2))!;
          if (await list.compareAndSet(2, n, n + 1)) i++;
        }
      };
      const both = [here, there];
      await Promise.all([
        ...both.map(increase),
        ...Array.from({ length: each }, () =>
          both.flatMap((list) => [list.add(0, 2), list.update(1, (n) => n + 1)]),
        ).flat(),
      ]);
      expect(await there.toArray()).toEqual([4 * each, 2 * each, 2 * each]);
    });

    it('shows what is one change as one', async () => {
      const { here, there } = await share();
      await here.push(0, 0, 0);
      const changes = [];
      for (let i = 1; i <= each; i++) changes.push(there.splice(0, 3, i, i, i));
      let found = [0];
      while (found[0] !== each) {
        found = await here.toArray();
        expect(new Set(found).size).toBe(1);
      }
      await Promise.all(changes);
      expect(await here.toArray()).toEqual([each, each, each]);
    });

    it('is iterated meanwhile, each element read when its turn comes', async () => {
      const { here, there } = await share();
      await here.push(1, 2, 3);
      const met: number[] = [];
      for await (const n of here.values()) {
        met.push(n);
        if (n === 1) await there.set(1, 5);
        if (n === 3) await there.push(4);
        if (n === 4) await there.clear();
      }
      expect(met).toEqual([1, 5, 3, 4]);
    });
  });

  describe('a list iterated there', () => {
    it('by values and entries has what was put here', async () => {
      const { here, there } = await share<string>();
      await here.push('a', 'b');
      expect(await all(there.values())).toEqual(['a', 'b']);
      expect(await all(there.entries())).toEqual([
        [0, 'a'],
        [1, 'b'],
      ]);
    });
  });

  describe('a mistake made there', () => {
    it('is told here by its code, and changes nothing', async () => {
      const { here, there } = await share<unknown>({ capacity: 1 << 17 });
      await here.push('x');
      for (const [act, code, said] of [
        [() => there.set(5, 1), 'ERR_OUT_OF_RANGE', 'index'],
        [() => there.at(0.5), 'ERR_OUT_OF_RANGE', 'index'],
        [() => there.at('0' as never), 'ERR_INVALID_ARG_TYPE', 'index'],
        [() => there.push('y', () => 1), 'ERR_INVALID_ARG_TYPE', 'values[1]'],
        [() => there.add(0, 1), 'ERR_INVALID_ARG_TYPE', 'number'],
        [() => there.update(0, 1 as never), 'ERR_INVALID_ARG_TYPE', 'fn'],
        [() => there.update(0, () => () => 1), 'ERR_INVALID_ARG_TYPE', 'fn returns'],
        [() => there.push('x'.repeat(1 << 17)), 'ERR_CAPACITY', 'capacity'],
      ] as const) {
        await expectRejection(act(), code, said);
      }
      const failing = there.update(0, () => {
        throw new RangeError('not this');
      });
      await expect(failing).rejects.toThrow(new RangeError('not this'));
      expect(await here.toArray()).toEqual(['x']);
    });
  });

  describe.runIf(place.canEnd)('a place that ends', () => {
    it('within a change leaves that undone, and the list to others', async () => {
      const { here } = await share();
      await here.push(1);
      const other = await place.another();
      const there = await other.attach<contract.List<number>>('list', here);
      const cut = expect(there.update(0, stuck)).rejects.toThrow('gone');
      await other.isStuck;
      const waiting = here.push(2);
      await other.end();
      await cut;
      expect([await waiting, await here.toArray()]).toEqual([2, [1, 2]]);
    });

    it('amid changes leaves each of them whole, and none undone that was answered', async () => {
      const { here } = await share();
      const other = await place.another();
      const there = await other.attach<contract.List<number>>('list', here);
      const { asked, done } = await other.endAmid((n) => there.push(n, n, n));
      const found = await here.toArray();
      const numbers = found.filter((_, i) => i % 3 === 0);
      expect(found).toEqual(numbers.flatMap((n) => [n, n, n]));
      expect(new Set(numbers).size).toBe(numbers.length);
      expect(done.filter((n) => !numbers.includes(n))).toEqual([]);
      expect(numbers.filter((n) => n >= asked)).toEqual([]);
    });
  });
}
