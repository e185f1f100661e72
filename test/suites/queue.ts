// What a queue promises, wherever its two sides are.
import type { contract } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { expectRejection } from '../support/errors';
import { all, type Place, type Remote } from '../support/places';
import { timed } from '../support/temporaries';
import { describeHandles } from './handles';
import { values } from './values';

type Int32 = contract.Value<'int32'>;

export function describeQueue(place: Place): void {
  const share = <V = number>(options?: object) => place.share<contract.Queue<V>>('queue', options);

  describeHandles(place, 'queue', {
    change: (queue) => queue.put('a change'),
    changes: (queue) => queue.size(),
  });

  describe('a queue', () => {
    it('gives here in their order the items that were put there, and there those of here', async () => {
      const { here, there } = await share();
      for (let i = 0; i < 10; i++) await there.put(i);
      expect([await here.size(), await here.unfinished()]).toEqual([10, 10]);
      for (let i = 0; i < 5; i++) expect(await here.get()).toBe(i);
      await here.put(10);
      for (let i = 5; i < 9; i++) expect(await there.get()).toBe(i);
      expect([await there.tryGet(), await here.tryGet(), await there.tryGet()]).toEqual([
        9,
        10,
        undefined,
      ]);
      expect([await there.tryTake(), await there.size(), await there.unfinished()]).toEqual([
        null,
        0,
        11,
      ]);
    });

    it('carries values of every kind unchanged, both ways', async () => {
      const { here, there } = await share<unknown>();
      for (const value of values) {
        await here.put(value);
        expect(await there.get()).toStrictEqual(value);
        await there.put(value);
        const item = await here.take();
        expect(item.value).toStrictEqual(value);
        await item.ack();
      }
    });

    it('carries shared objects, which come back attached', async () => {
      const { here, there } = await share<unknown>();
      const { here: value } = await place.share<Int32>('value', { type: 'int32', value: 5 });
      await there.put(value);
      await using got = (await here.get()) as Remote<Int32>;
      await got.add(1);
      expect(await value.value()).toBe(6);
    });

    it('has as many items as it may, for both sides', async () => {
      const { here, there } = await share<string>({ maxSize: 2 });
      expect([await there.maxSize(), await here.maxSize()]).toEqual([2, 2]);
      expect([await there.tryPut('1'), await here.tryPut('2')]).toEqual([true, true]);
      expect([await there.tryPut('3'), await here.tryPut('3')]).toEqual([false, false]);
      expect([await there.clear(), await here.size(), await here.unfinished()]).toEqual([2, 0, 0]);
      expect(await (await share()).there.maxSize()).toBeUndefined();
    });

    it('gives each item to one of both sides, and loses none', async () => {
      const { here, there } = await share();
      const numbers = Array.from({ length: 300 }, (_, i) => i);
      const got = numbers.map((i) => (i % 2 === 0 ? here : there).get());
      await Promise.all(numbers.map((i) => (i % 3 === 0 ? here : there).put(i)));
      expect((await Promise.all(got)).sort((a, b) => a - b)).toEqual(numbers);
      expect(await here.size()).toBe(0);
    });
  });

  describe.each(place.traits.forms)('waiting there, %s,', (form) => {
    // A blocked thread cannot wake itself.
    const wakes = it.runIf(form === 'async' || place.canEnd);

    wakes('for an item lasts until one is put here', async () => {
      const { here, there } = await share<string>();
      const { get, take } = place.inForm(form, there);
      const got = get();
      await place.begun();
      await here.put('first');
      expect(await got).toBe('first');
      const taken = take();
      await place.begun();
      await here.put('second');
      const item = await taken;
      expect([item.value, item.isOfferedAgain]).toEqual(['second', false]);
      await item.ack();
    });

    wakes('for room lasts until an item is taken here', async () => {
      const { here, there } = await share<string>({ maxSize: 1 });
      await here.put('first');
      const put = place.inForm(form, there).put('second');
      await place.begun();
      expect([await here.size(), await here.get()]).toEqual([1, 'first']);
      await put;
      expect(await here.get()).toBe('second');
    });

    wakes('for all to be done lasts until it is', async () => {
      const { here, there } = await share();
      for (let i = 0; i < 3; i++) await here.put(i);
      const joined = place.inForm(form, there).join();
      await place.begun();
      await here.get();
      await here.taskDone();
      await (await here.take()).ack();
      expect(await here.unfinished()).toBe(1);
      expect(await here.clear()).toBe(1);
      await joined;
      expect(await there.unfinished()).toBe(0);
    });

    wakes('ends when the queue is shut down here', async () => {
      const { here, there } = await share();
      const cut = expectRejection(place.inForm(form, there).get(), 'ERR_SHUTDOWN');
      await place.begun();
      await here.shutdown();
      await cut;
      expect(await there.isShutDown()).toBe(true);
    });

    it('lasts as long as it may, and is over then', async () => {
      const { here, there } = await share<string>({ maxSize: 1 });
      const { put, get, take, join } = place.inForm(form, there);
      const timeout = 20;
      const expectTimeout = async (wait: () => Promise<unknown>) => {
        const took = await timed(() => expectRejection(wait(), 'ERR_TIMEOUT', `${timeout} ms`));
        expect(took).toBeGreaterThanOrEqual(timeout);
      };
      await expectTimeout(() => get({ timeout }));
      await expectTimeout(() => take({ timeout }));
      await here.put('it');
      await expectTimeout(() => put('more', { timeout }));
      await expectTimeout(() => join({ timeout }));
      expect([await here.size(), await here.get()]).toEqual([1, 'it']);
    });
  });

  describe('waiting there', () => {
    it('is called off from here', async () => {
      const { here, there } = await share({ maxSize: 1 });
      const abort = new AbortController();
      const { signal } = abort;
      const off = [there.get({ signal }), there.take({ signal })].map((wait) =>
        expect(wait).rejects.toThrow('enough'),
      );
      await place.begun();
      abort.abort(new Error('enough'));
      await Promise.all(off);
      await here.put(1);
      await expect(there.put(2, { signal })).rejects.toThrow('enough');
      expect([await here.get(), await here.size()]).toEqual([1, 0]);
    });

    it('is given up when that handle is closed', async () => {
      const { here, there } = await share();
      const cut = expectRejection(there.get(), 'ERR_CLOSED');
      await place.begun();
      await there.close();
      await cut;
      await here.put(1);
      expect(await here.get()).toBe(1);
    });
  });

  describe('an item taken there', () => {
    it('is nobody’s here until it is given back, and done when it is acknowledged', async () => {
      const { here, there } = await share<string>();
      await here.put('1');
      await here.put('2');
      const first = await there.take();
      expect([first.value, await here.size(), await here.get()]).toEqual(['1', 1, '2']);
      expect(await here.tryGet()).toBeUndefined();
      await first.giveBack();
      const again = await here.take();
      expect([again.value, again.isOfferedAgain]).toEqual(['1', true]);
      await expectRejection(first.ack(), 'ERR_NOT_HELD');
      await again.ack();
      await there.taskDone();
      expect([await here.unfinished(), await here.size()]).toEqual([0, 0]);
    });

    it('is offered again where its block is left without an acknowledgement', async () => {
      const { here, there } = await share();
      await here.put(1);
      {
        await using item = (await there.tryTake())!;
        expect([item.value, await here.size()]).toEqual([1, 0]);
      }
      const again = await here.take();
      expect(again.isOfferedAgain).toBe(true);
      await again.ack();
    });

    it('keeps that handle open', async () => {
      const { here, there } = await share();
      await here.put(1);
      const item = await there.take();
      await expectRejection(there.close(), 'EBUSY');
      await item.ack();
      await there.close();
      expect(await here.unfinished()).toBe(0);
    });
  });

  describe('a queue iterated there', () => {
    it('gives what is put here until it is shut down here', async () => {
      const { here, there } = await share();
      const got = all(there.items());
      for (let i = 0; i < 20; i++) await here.put(i);
      await here.shutdown();
      expect(await got).toEqual(Array.from({ length: 20 }, (_, i) => i));
    });

    it('by items has each acknowledged when the next is asked for', async () => {
      const { here, there } = await share();
      for (let i = 0; i < 5; i++) await here.put(i);
      for await (const n of there.items()) {
        expect(await here.unfinished()).toBe(5 - n);
        if (n === 2) break;
      }
      expect([await here.unfinished(), await here.get()]).toEqual([3, 2]);
      await here.shutdown();
      expect(await all(there.items())).toEqual([3, 4]);
      expect(await here.unfinished()).toBe(1);
    });
  });

  describe('shutting down there', () => {
    it('refuses what is put here, and leaves what is there to be taken', async () => {
      const { here, there } = await share();
      await here.put(1);
      const item = await here.take();
      await there.shutdown();
      expect(await here.isShutDown()).toBe(true);
      await expectRejection(here.put(2), 'ERR_SHUTDOWN');
      await expectRejection(there.tryPut(2), 'ERR_SHUTDOWN');
      const waiting = there.get();
      await place.begun();
      await item.giveBack();
      expect(await waiting).toBe(1);
      await expectRejection(there.get(), 'ERR_SHUTDOWN');
      await expectRejection(here.take(), 'ERR_SHUTDOWN');
    });
  });

  describe('a mistake made there', () => {
    it('is told here by its code, and changes nothing', async () => {
      const { here, there } = await share<unknown>({ capacity: 1 << 16 });
      for (const [act, code, said] of [
        [() => there.put(() => 1), 'ERR_INVALID_ARG_TYPE', 'value'],
        [() => there.tryPut('x'.repeat(1 << 16)), 'ERR_CAPACITY', 'capacity'],
        [() => there.get({ timeout: -1 }), 'ERR_OUT_OF_RANGE', 'timeout'],
        [() => there.get({ signal: 1 } as never), 'ERR_INVALID_ARG_TYPE', 'signal'],
        [() => there.taskDone(0), 'ERR_OUT_OF_RANGE', 'count'],
        [() => there.taskDone(), 'ERR_NOT_HELD', '0 items'],
      ] as const) {
        await expectRejection(act(), code, said);
      }
      expect([await here.size(), await here.unfinished()]).toEqual([0, 0]);
    });
  });

  describe.runIf(place.canEnd)('a place that ends', () => {
    it('leaves what it has taken to be taken again, and not what it got', async () => {
      const { here } = await share<string>();
      for (const value of ['1', '2', '3', '4']) await here.put(value);
      const other = await place.another();
      const there = await other.attach<contract.Queue<string>>('queue', here);
      await there.take();
      await there.take();
      expect(await there.get()).toBe('3');
      await (await there.take()).ack();
      const waiting = [here.take(), here.get()] as const;
      await place.begun();
      await other.end();
      const item = await waiting[0];
      expect([item.value, item.isOfferedAgain, await waiting[1]]).toEqual(['1', true, '2']);
      await item.ack();
      expect([await here.size(), await here.unfinished()]).toEqual([0, 2]);
    });

    it('while it waits leaves the next item to another', async () => {
      const { here } = await share<string>();
      const other = await place.another();
      const there = await other.attach<contract.Queue<string>>('queue', here);
      const waiting = [there.take(), there.get()];
      // It blocks the thread, so it comes last.
      if (place.traits.forms.includes('sync')) waiting.push(other.inForm('sync', there).get());
      const cut = waiting.map((wait) => expect(wait).rejects.toThrow('gone'));
      await other.begun();
      await other.end();
      await Promise.all(cut);
      await here.put('it');
      expect(await here.get()).toBe('it');
    });

    it('amid puts leaves each item whole, in order, and none missing that was answered', async () => {
      const { here } = await share<{ n: number; text: string }>();
      const other = await place.another();
      const there = await other.attach<contract.Queue>('queue', here);
      const itemOf = (n: number) => ({ n, text: 'ż'.repeat(n) });
      const { asked, done } = await other.endAmid((n) => there.put(itemOf(n)));
      await here.shutdown();
      const found = await all(here.items());
      for (const item of found) expect(item).toEqual(itemOf(item.n));
      // They were requested in this order, and none is missing.
      expect(found.map(({ n }) => n)).toEqual(found.map((_, i) => i));
      expect(found.length).toBeGreaterThan(Math.max(...done));
      expect(found.length).toBeLessThanOrEqual(asked);
    });

    it('amid takes leaves what it has not acknowledged, and that is taken again', async () => {
      const { here } = await share();
      const other = await place.another();
      const there = await other.attach<contract.Queue<number>>('queue', here);
      const count = 600;
      for (let i = 0; i < count; i++) await here.put(i);
      const acknowledged = new Set<number>();
      await other.endAmid(async () => {
        const item = await there.take();
        await item.ack();
        acknowledged.add(item.value);
      });
      await here.shutdown();
      const left = await all(here.items());
      expect(left.filter((n) => acknowledged.has(n))).toEqual([]);
      // Tasks that were acknowledged without an answer are at most as many as the concurrent requests.
      expect(count - left.length - acknowledged.size).toBeLessThanOrEqual(10);
    });
  });
}
