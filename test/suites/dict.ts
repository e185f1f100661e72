// What a dict promises, wherever its two sides are.
import type { contract } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { expectRejection } from '../support/errors';
import { all, stuck, untilTrue, type Place, type Remote } from '../support/places';
import { timed } from '../support/temporaries';
import { describeHandles } from './handles';
import { values } from './values';

type Int32 = contract.Value<'int32'>;

const uncalled = (): never => {
  throw new Error('there is no need to call it');
};

/** A function that is asked for a number, and returns it only when it is told to. */
function slowly() {
  let settle!: { resolve: (value: number) => void; reject: (error: Error) => void };
  const answer = new Promise<number>((resolve, reject) => (settle = { resolve, reject }));
  let tell!: () => void;
  const asked = new Promise<void>((resolve) => (tell = resolve));
  const compute = () => {
    computing.calls++;
    tell();
    return answer;
  };
  const computing = { compute, asked, calls: 0, finish: settle.resolve, fail: settle.reject };
  return computing;
}

export function describeDict(place: Place): void {
  const share = <V = number>(options?: object) => place.share<contract.Dict<V>>('dict', options);

  describeHandles(place, 'dict', {
    change: (dict) => dict.add('changes', 1),
    changes: async (dict) => ((await dict.get('changes')) ?? 0) as number,
  });

  describe('a dict', () => {
    it('has the same entries on both sides, whoever sets and deletes them', async () => {
      const { here, there } = await share<unknown>();
      expect(await there.set('a', 1)).toBe(there);
      expect([await here.get('a'), await here.has('a'), await here.size()]).toEqual([1, true, 1]);
      await here.set('żółw', { x: [2] });
      expect([await there.get('żółw'), await there.has('b')]).toEqual([{ x: [2] }, false]);
      expect([await there.get('b'), await there.size()]).toEqual([undefined, 2]);
      expect([await there.delete('żółw'), await there.delete('żółw')]).toEqual([true, false]);
      expect([await here.has('żółw'), await here.size()]).toEqual([false, 1]);
      await there.clear();
      expect([await here.size(), await there.size()]).toEqual([0, 0]);
    });

    it('carries values of every kind unchanged, both ways', async () => {
      const { here, there } = await share<unknown>();
      for (const value of values) {
        await here.set('from here', value);
        expect(await there.get('from here')).toStrictEqual(value);
        await there.set('from there', value);
        expect(await here.get('from there')).toStrictEqual(value);
      }
    });

    it('carries shared objects, which come back attached', async () => {
      const { here, there } = await share<unknown>();
      const { here: value } = await place.share<Int32>('value', { type: 'int32', value: 5 });
      await there.set('value', value);
      await using fromHere = (await here.get('value')) as Remote<Int32>;
      await using fromThere = (await there.get('value')) as Remote<Int32>;
      await fromHere.add(1);
      await fromThere.add(1);
      expect(await value.value()).toBe(7);
    });

    it('sets what is absent, for one of both', async () => {
      const { here, there } = await share();
      const firsts = await Promise.all([here.setIfAbsent('a', 1), there.setIfAbsent('a', 2)]);
      expect(firsts.filter(Boolean)).toHaveLength(1);
      expect(await here.get('a')).toBe(firsts[0] ? 1 : 2);
      expect(await there.setIfAbsent('a', 3)).toBe(false);
    });

    it('adds to numbers, and says what they were', async () => {
      const { here, there } = await share();
      expect([await there.add('n', 2), await here.add('n', 3)]).toEqual([0, 2]);
      expect([await there.add('n', -1), await here.get('n')]).toEqual([5, 4]);
    });

    it('updates by a function that is called where it was asked for', async () => {
      const { here, there } = await share<{ pid: number; was: number | undefined }>();
      await here.set('who', { pid: 1, was: undefined });
      const made = await there.update('who', (who) => ({ pid: process.pid, was: who?.pid }));
      expect(made.pid === process.pid).toBe(!place.isProcess);
      expect([made.was, await here.get('who')]).toEqual([1, made]);
      const failing = there.update('who', () => {
        throw new RangeError('not this');
      });
      await expect(failing).rejects.toThrow(new RangeError('not this'));
      expect(await here.get('who')).toEqual(made);
    });

    it('sets a value only in place of the one that was expected', async () => {
      const { here, there } = await share<unknown>();
      expect(await there.compareAndSet('a', undefined, { x: [1] })).toBe(true);
      expect(await here.compareAndSet('a', { x: [2] }, 'no')).toBe(false);
      expect(await here.compareAndSet('a', { x: [1] }, 'żółw')).toBe(true);
      expect(await there.compareAndSet('a', 'żółw', -0)).toBe(true);
      expect(await here.get('a')).toBe(-0);
    });
  });

  describe('a dict that both sides change at once', () => {
    const each = 150;

    it('loses no addition and no update', async () => {
      const { here, there } = await share();
      await Promise.all(
        Array.from({ length: each }, (_, i) => [
          here.add('sum', 1),
          there.add('sum', 2),
          here.update('count', (n = 0) => n + 1),
          there.update('count', (n = 0) => n + 1),
          (i % 2 === 0 ? here : there).set(`own ${i}`, i),
        ]).flat(),
      );
      expect([await here.get('sum'), await there.get('count')]).toEqual([3 * each, 2 * each]);
      expect([await here.size(), await there.size()]).toEqual([each + 2, each + 2]);
    });

    it('lets one of them win each comparison', async () => {
      const { here, there } = await share();
      await here.set('n', 0);
      const increase = async (dict: Remote<contract.Dict<number>>) => {
        for (let i = 0; i < each;) {
          const n = (await dict.get('n'))!;
          if (await dict.compareAndSet('n', n, n + 1)) i++;
        }
      };
      await Promise.all([increase(here), increase(there), increase(there)]);
      expect(await here.get('n')).toBe(3 * each);
    });

    it('is iterated meanwhile: what stays is met once, with a value that it had', async () => {
      const { here, there } = await share();
      const staying = Array.from({ length: 200 }, (_, i) => `stays ${i}`);
      for (const key of staying) await here.set(key, 1);
      const met: string[] = [];
      for await (const [key, value] of here.entries()) {
        met.push(key);
        expect(value).toBeOneOf([1, 2]);
        await there.set(staying[met.length % staying.length]!, 2);
        await there.set(`comes ${met.length}`, 1);
        await there.delete(`comes ${met.length - 1}`);
      }
      expect(new Set(met).size).toBe(met.length);
      expect(met.filter((key) => key.startsWith('stays')).sort()).toEqual(staying.sort());
    });
  });

  describe('a dict iterated there', () => {
    it('by keys, values and entries has what was set here', async () => {
      const { here, there } = await share();
      await here.set('a', 1);
      await here.set('b', 2);
      const entries = [
        ['a', 1],
        ['b', 2],
      ];
      expect((await all(there.keys())).sort()).toEqual(['a', 'b']);
      expect((await all(there.values())).sort()).toEqual([1, 2]);
      expect((await all(there.entries())).sort()).toEqual(entries);
    });

    it('ends early where the loop is left', async () => {
      const { here, there } = await share();
      for (let i = 0; i < 50; i++) await here.set(`${i}`, i);
      for await (const key of there.keys()) {
        expect(await here.has(key)).toBe(true);
        break;
      }
      expect(await there.size()).toBe(50);
    });
  });

  describe('a value that is computed', () => {
    it('is so by one of both sides, while the other waits for it', async () => {
      const { here, there } = await share();
      const slow = slowly();
      const both = [here.getOrSet('k', slow.compute), there.getOrSet('k', slow.compute)];
      await place.begun();
      await slow.asked;
      expect([await here.has('k'), await there.get('k'), await there.size()]).toEqual([
        false,
        undefined,
        0,
      ]);
      slow.finish(7);
      expect([await Promise.all(both), slow.calls]).toEqual([[7, 7], 1]);
      expect(await there.getOrSet('k', uncalled)).toBe(7);
    });

    it('is computed by the other when the function throws', async () => {
      const { here, there } = await share();
      const slow = slowly();
      const failed = expect(there.getOrSet('k', slow.compute)).rejects.toThrow('no');
      await slow.asked;
      const waiting = here.getOrSet('k', () => 2);
      await place.begun();
      slow.fail(new Error('no'));
      await failed;
      expect(await waiting).toBe(2);
    });

    it('is waited for no longer than one may', async () => {
      const { here, there } = await share();
      const slow = slowly();
      const computed = here.getOrSet('k', slow.compute);
      await slow.asked;
      const took = await timed(() =>
        expectRejection(there.getOrSet('k', uncalled, { timeout: 30 }), 'ERR_TIMEOUT', 'k'),
      );
      expect(took).toBeGreaterThanOrEqual(30);
      const abort = new AbortController();
      const waiting = there.getOrSet('k', uncalled, { signal: abort.signal });
      const off = expect(waiting).rejects.toThrow('enough');
      await place.begun();
      abort.abort(new Error('enough'));
      await off;
      slow.finish(1);
      expect(await computed).toBe(1);
    });

    it.each(place.traits.forms)('is computed once, and is there then: %s', async (form) => {
      const { here, there } = await share();
      expect(await place.inForm(form, there).getOrSet('key', (key) => key.length)).toBe(3);
      expect(await place.inForm(form, here).getOrSet('key', () => 0)).toBe(3);
    });

    // A blocked thread cannot compute a value for itself.
    it.runIf(place.canEnd).each(place.traits.forms)(
      'is waited for there until it was computed here: %s',
      async (form) => {
        const { here, there } = await share();
        const slow = slowly();
        const computed = here.getOrSet('k', slow.compute);
        await slow.asked;
        const waiting = place.inForm(form, there).getOrSet('k', () => 2);
        await place.begun();
        slow.finish(1);
        expect([await computed, await waiting]).toEqual([1, 1]);
      },
    );
  });

  describe('a dict with bounds', () => {
    it('has no entry on either side whose time is over', async () => {
      const ttl = 40;
      const { here, there } = await share({ ttl });
      const took = await timed(async () => {
        await there.set('goes', 1);
        await there.set('stays', 2, { ttl: Infinity });
        await untilTrue(async () => !(await here.has('goes')));
      });
      // The clock there counts whole milliseconds.
      expect(took).toBeGreaterThanOrEqual(ttl - 1);
      expect([await there.get('goes'), await all(here.entries())]).toEqual([
        undefined,
        [['stays', 2]],
      ]);
      expect(await there.setIfAbsent('goes', 3)).toBe(true);
    });

    it('refuses what there is no room for, and evicts where that was asked for', async () => {
      const capacity = 1 << 17;
      const bounded = await share<string>({ capacity });
      await expectRejection(bounded.there.set('k', 'x'.repeat(capacity)), 'ERR_CAPACITY');
      expect(await bounded.here.size()).toBe(0);
      const evicting = await share<string>({ capacity, eviction: 'lru' });
      for (let i = 0; i < 60; i++) await evicting.there.set(`${i}`, 'x'.repeat(5000));
      expect(await evicting.here.get('59')).toBe('x'.repeat(5000));
      expect(await evicting.here.size()).toBeLessThan(60);
    });
  });

  describe('a mistake made there', () => {
    it('is told here by its code, and changes nothing', async () => {
      const { here, there } = await share<unknown>();
      await here.set('text', 'x');
      for (const [act, code, said] of [
        [() => there.set(1 as never, 1), 'ERR_INVALID_ARG_TYPE', 'key'],
        [() => there.set('text', () => 1), 'ERR_INVALID_ARG_TYPE', 'value'],
        [() => there.set('text', 1, { ttl: 0 }), 'ERR_OUT_OF_RANGE', 'ttl'],
        [() => there.set('text', 1, { tt: 1 } as never), 'ERR_INVALID_ARG_VALUE', 'tt'],
        [() => there.add('text', 1), 'ERR_INVALID_ARG_TYPE', 'number'],
        [() => there.update('text', 1 as never), 'ERR_INVALID_ARG_TYPE', 'fn'],
        [() => there.update('text', () => () => 1), 'ERR_INVALID_ARG_TYPE', 'fn returns'],
        [() => there.getOrSet('none', () => 1, { timeout: -1 }), 'ERR_OUT_OF_RANGE', 'timeout'],
      ] as const) {
        await expectRejection(act(), code, said);
      }
      expect(await all(here.entries())).toEqual([['text', 'x']]);
    });
  });

  describe.runIf(place.canEnd)('a place that ends', () => {
    it('within a change leaves that undone, and the dict to others', async () => {
      const { here } = await share();
      await here.set('n', 1);
      const other = await place.another();
      const there = await other.attach<contract.Dict<number>>('dict', here);
      const cut = expect(there.update('n', stuck)).rejects.toThrow('gone');
      await other.isStuck;
      const waiting = here.add('n', 5);
      await other.end();
      await cut;
      expect([await waiting, await here.get('n')]).toEqual([1, 6]);
    });

    it('amid changes leaves each of them whole, and none undone that was answered', async () => {
      const { here } = await share<unknown>();
      const other = await place.another();
      const there = await other.attach<contract.Dict>('dict', here);
      const valueOf = (n: number) => (n % 2 === 0 ? { n } : `${n} ${'ż'.repeat(n)}`);
      const { asked, done } = await other.endAmid((n) => there.set(`${n}`, valueOf(n)));
      const found = await all(here.entries());
      for (const [key, value] of found) expect(value).toEqual(valueOf(Number(key)));
      const keys = new Set(found.map(([key]) => Number(key)));
      expect(done.filter((n) => !keys.has(n))).toEqual([]);
      expect([...keys].filter((n) => n >= asked)).toEqual([]);
      expect(await here.size()).toBe(keys.size);
    });

    it('while it computes a value leaves that to another', async () => {
      const { here } = await share();
      const other = await place.another();
      const there = await other.attach<contract.Dict<number>>('dict', here);
      const cut = expect(there.getOrSet('k', stuck)).rejects.toThrow('gone');
      await other.isStuck;
      const waiting = here.getOrSet('k', () => 2);
      await place.begun();
      await other.end();
      await cut;
      expect([await waiting, await here.get('k')]).toEqual([2, 2]);
    });

    it('while it waits for a value is missed by nobody', async () => {
      const { here } = await share();
      const other = await place.another();
      const there = await other.attach<contract.Dict<number>>('dict', here);
      const slow = slowly();
      const computed = here.getOrSet('k', slow.compute);
      await slow.asked;
      const cut = expect(there.getOrSet('k', uncalled)).rejects.toThrow('gone');
      await other.begun();
      await other.end();
      await cut;
      slow.finish(3);
      expect([await computed, await here.get('k')]).toEqual([3, 3]);
    });
  });
}
