// Values that are computed from other values, so that the computations may form a circle.
import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { SharedDict } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { expectRejection } from '../../support/errors';
import { temporary } from '../../support/temporaries';

/** A promise, and the function that resolves it. */
function gate() {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { open, opened };
}

describe('a value that waits for itself', () => {
  /** Each way asks for a value that asks for itself again. Other things may happen on the way. */
  const ways: Record<string, (dict: SharedDict<number>, other: SharedDict<number>) => unknown> = {
    directly: (dict) => dict.getOrSet('a', () => dict.getOrSet('a', () => 1)),
    later: (dict) =>
      dict.getOrSet('a', async () => {
        await turn();
        return dict.getOrSet('a', () => 1);
      }),
    'with a timeout': (dict) =>
      dict.getOrSet('a', () => dict.getOrSet('a', () => 1, { timeout: 60_000 })),
    'through another handle': (dict) =>
      dict.getOrSet('a', async () => {
        using same = SharedDict.attach<number>(dict.name);
        return await same.getOrSet('a', () => 1);
      }),
    'by another key': (dict) =>
      dict.getOrSet('a', () => dict.getOrSet('b', () => dict.getOrSet('a', () => 1))),
    'by another dict': (dict, other) =>
      dict.getOrSet('a', () => other.getOrSet('a', () => dict.getOrSet('a', () => 1))),
    'by one of several that it asks for': (dict) =>
      dict.getOrSet('a', async () => {
        const all = ['b', 'c', 'd'].map((key) =>
          dict.getOrSet(key, () => (key === 'c' ? dict.getOrSet('a', () => 1) : turn(1))),
        );
        return (await Promise.all(all)).length;
      }),
  };

  it.each(Object.entries(ways))('is an error: %s', async (_, way) => {
    using dict = temporary(SharedDict.create<number>());
    using other = temporary(SharedDict.create<number>());
    const kept = new AsyncLocalStorage<string>();
    await kept.run('of another', async () => {
      await expectRejection(way(dict, other) as Promise<unknown>, 'ERR_DEADLOCK', dict.name, '"a"');
      expect(kept.getStore()).toBe('of another');
    });
    await turn();
    // It is no longer being computed.
    expect(await dict.getOrSet('a', () => 7)).toBe(7);
  });

  it('is an error to whoever closes the circle, of two tasks that wait for each other', async () => {
    using dict = temporary(SharedDict.create<number>());
    const { open, opened } = gate();
    const ask = (own: string, others: string) =>
      dict.getOrSet(own, async () => {
        await opened;
        return (await dict.getOrSet(others, () => -1)) + 1;
      });
    const both = Promise.allSettled([ask('a', 'b'), ask('b', 'a')]);
    open();
    const outcomes = await both;
    const codes = outcomes.map((each) =>
      each.status === 'rejected' ? (each.reason as NodeJS.ErrnoException).code : each.value,
    );
    // The other process computes the value that it waited for itself.
    expect(codes.sort()).toEqual([0, 'ERR_DEADLOCK']);
  });
});

describe('values that are computed of others', () => {
  it('are right, when each is asked for many times', async () => {
    using dict = temporary(SharedDict.create<number>());
    const computed: number[] = [];
    const fibonacci = (n: number): Promise<number> =>
      dict.getOrSet(String(n), async () => {
        computed.push(n);
        await turn();
        if (n < 2) return n;
        const [one, two] = await Promise.all([fibonacci(n - 1), fibonacci(n - 2)]);
        return one + two;
      });
    expect(await Promise.all([fibonacci(20), fibonacci(20), fibonacci(19)])).toEqual([
      6765, 6765, 4181,
    ]);
    expect(computed.sort((a, b) => a - b)).toEqual(Array.from({ length: 21 }, (_, n) => n));
  });

  it('wait for one that a task beside them computes', async () => {
    using dict = temporary(SharedDict.create<number>());
    const { open, opened } = gate();
    const slow = dict.getOrSet('slow', () => opened.then(() => 1));
    const of = ['x', 'y'].map((key) => dict.getOrSet(key, () => dict.getOrSet('slow', () => -1)));
    await turn();
    open();
    expect(await Promise.all([slow, ...of])).toEqual([1, 1, 1]);
  });

  it('are asked for by tasks that were begun within them and go on after them', async () => {
    using dict = temporary(SharedDict.create<number>());
    const { open, opened } = gate();
    let later!: Promise<number>;
    await dict.getOrSet('a', () => {
      later = opened.then(async () => {
        dict.delete('a');
        const again = dict.getOrSet('a', () => turn(2));
        return (await again) + (await dict.getOrSet('a', () => -1));
      });
      return 1;
    });
    open();
    expect(await later).toBe(4);
  });
});
