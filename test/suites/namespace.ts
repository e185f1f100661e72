// What a namespace promises, wherever its two sides are.
import type { contract } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { expectRejection } from '../support/errors';
import type { Place, Remote } from '../support/places';
import { describeHandles } from './handles';
import { values } from './values';

type Int32 = contract.Value<'int32'>;

export function describeNamespace(place: Place): void {
  const share = <P extends object = Record<string, unknown>>(options?: object) =>
    place.share<contract.Namespace<P>>('namespace', options);

  describeHandles(place, 'namespace', {
    change: async ({ values }) =>
      values.set('changes', (((await values.get('changes')) ?? 0) as number) + 1),
    changes: async ({ values }) => ((await values.get('changes')) ?? 0) as number,
  });

  describe('a namespace', () => {
    it('has the same properties on both sides, whoever assigns and deletes them', async () => {
      const { here, there } = await share<{ rate: number; title?: string }>();
      await there.values.set('rate', 5);
      await here.values.set('title', 'żółw');
      expect(await here.values.get('rate')).toBe(5);
      expect(await there.values.all()).toEqual({ rate: 5, title: 'żółw' });
      expect([await there.values.has('title'), await there.values.has('toString')]).toEqual([
        true,
        false,
      ]);
      expect(await there.values.delete('title')).toBe(true);
      expect([await here.values.keys(), await here.values.get('title')]).toEqual([
        ['rate'],
        undefined,
      ]);
    });

    it('carries values of every kind unchanged, both ways', async () => {
      const { here, there } = await share();
      for (const value of values) {
        await here.values.set('from here', value);
        expect(await there.values.get('from here')).toStrictEqual(value);
        await there.values.set('from there', value);
        expect(await here.values.get('from there')).toStrictEqual(value);
      }
    });

    it('carries shared objects, which come back attached', async () => {
      const { here, there } = await share();
      const { here: hits } = await place.share<Int32>('value', { type: 'int32' });
      await there.values.set('hits', hits);
      await using fromHere = (await here.values.get('hits')) as Remote<Int32>;
      await using fromThere = (await there.values.get('hits')) as Remote<Int32>;
      await fromHere.add(1);
      await fromThere.add(1);
      expect(await hits.value()).toBe(2);
    });

    it('has every property that both sides assign at once', async () => {
      const { here, there } = await share<Record<string, number>>();
      const numbers = Array.from({ length: 100 }, (_, i) => i);
      await Promise.all(
        numbers.map((i) => (i % 2 === 0 ? here : there).values.set(`property ${i}`, i)),
      );
      const expected = Object.fromEntries(numbers.map((i) => [`property ${i}`, i]));
      expect(await there.values.all()).toEqual(expected);
    });

    it('is read there property by property, while others change here', async () => {
      const { here, there } = await share<Record<string, number>>();
      await here.values.set('stays', 1);
      const changes = [];
      for (let i = 1; i <= 100; i++) {
        changes.push(here.values.set(`comes ${i}`, i), here.values.delete(`comes ${i - 1}`));
      }
      let found: Record<string, number> = {};
      while (found['comes 100'] === undefined || found['comes 99'] !== undefined) {
        found = await there.values.all();
        expect(found).toMatchObject({ stays: 1 });
      }
      await Promise.all(changes);
      expect(await there.values.all()).toEqual({ stays: 1, 'comes 100': 100 });
    });

    it('tells here of a mistake made there by its code, and changes nothing', async () => {
      const { here, there } = await share({ capacity: 1 << 17 });
      await here.values.set('a', 1);
      await expectRejection(
        there.values.set('a', () => 1),
        'ERR_INVALID_ARG_TYPE',
        'value',
      );
      await expectRejection(there.values.set('a', 'x'.repeat(1 << 17)), 'ERR_CAPACITY', 'capacity');
      expect(await here.values.all()).toEqual({ a: 1 });
    });

    it.runIf(place.canEnd)(
      'whose place ends amid changes has each of them whole, and all that were answered',
      async () => {
        const { here } = await share();
        const other = await place.another();
        const there = await other.attach<contract.Namespace<Record<string, unknown>>>(
          'namespace',
          here,
        );
        const valueOf = (n: number) => (n % 2 === 0 ? { n } : `${n} ${'ż'.repeat(n)}`);
        const { asked, done } = await other.endAmid((n) => there.values.set(`${n}`, valueOf(n)));
        const found = Object.entries(await here.values.all());
        for (const [key, value] of found) expect(value).toEqual(valueOf(Number(key)));
        const numbers = new Set(found.map(([key]) => Number(key)));
        expect(done.filter((n) => !numbers.has(n))).toEqual([]);
        expect([...numbers].filter((n) => n >= asked)).toEqual([]);
      },
    );
  });
}
