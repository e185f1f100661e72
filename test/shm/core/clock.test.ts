// The library has its own clock: whatever clocks and timers a program uses, waits end in time, and a time
// to live is a duration.
import {
  NamedBarrier,
  NamedCondition,
  NamedEvent,
  NamedLock,
  NamedRLock,
  NamedRWLock,
  NamedSemaphore,
  SharedArray,
  SharedDict,
  SharedQueue,
  SharedValue,
  type Handle,
} from 'shmkit';
import { describe, expect, it } from 'vitest';
import type { Ended, VainWait } from '../../fixtures/time/fake-clock';
import type { Fake } from '../../fixtures/time/fakes';
import { start, type Child } from '../../support/children';
import { Temporaries, until, type Named } from '../../support/temporaries';

/** Everything that can be waited for, in a state in which no wait succeeds. */
class Scene implements AsyncDisposable {
  readonly waits: Record<string, VainWait> = {};
  readonly #all = new Temporaries();
  readonly #held: Disposable[] = [];
  #compute!: () => void;

  constructor() {
    const { waits } = this;
    const add = <T extends Named & { toJSON(): Handle }>(
      object: T,
      methods: string[],
      args: unknown[] = [],
    ): T => {
      const handle = object.toJSON();
      for (const method of methods) {
        const underLock = handle.shmkit === 'condition';
        waits[`${handle.shmkit}.${method}`] = { handle, method, args, underLock };
      }
      return this.#all.add(object);
    };
    this.#held.push(
      add(NamedLock.create(), ['acquire']).acquireSync(),
      add(NamedRLock.create(), ['acquire']).acquireSync(),
      add(NamedRWLock.create(), ['acquireRead', 'acquireWrite']).acquireWriteSync(),
    );
    add(NamedSemaphore.create({ value: 0 }), ['acquire']);
    add(NamedEvent.create(), ['wait']);
    add(NamedCondition.create(), ['wait']);
    add(NamedCondition.create(), ['waitFor'], ['a function']);
    add(SharedValue.create({ type: 'int32' }), ['wait'], [0]);
    add(SharedArray.create({ type: 'int32', length: 1 }), ['wait'], [0, 0]);
    add(SharedQueue.create(), ['get', 'take']);
    add(SharedQueue.create({ maxSize: 1 }), ['put'], ['more']).putSync('all');
    add(SharedQueue.create(), ['join']).putSync('undone');
    const dict = add(SharedDict.create<number>(), ['getOrSet'], ['key', 'a function']);
    void dict.getOrSet('key', () => new Promise((resolve) => (this.#compute = () => resolve(1))));
    add(NamedBarrier.create({ parties: 2 }), ['wait']);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const held of this.#held) held[Symbol.dispose]();
    this.#compute();
    await new Promise(setImmediate);
    this.#all[Symbol.dispose]();
  }
}

const fakes: Fake[] = [
  'none',
  'all',
  'setTimeout',
  'Date',
  'going back',
  'node:test',
  'an hour ahead',
];

async function outcomesOf(
  child: Child,
  waits: Record<string, VainWait>,
): Promise<Record<string, { sync?: Ended; async: Ended }>> {
  const outcomes: Record<string, { sync?: Ended; async: Ended }> = {};
  for (const title of Object.keys(waits)) outcomes[title] = await child.hear();
  await child.succeed();
  return outcomes;
}

function timedOut(atLeast: number): Ended {
  const took: unknown = expect.toSatisfy((time: number) => time >= atLeast);
  return { code: 'ERR_TIMEOUT', took: took as number };
}

describe('A wait with a timeout', () => {
  describe.each(fakes)('with fake clocks and timers: %s', (fake) => {
    it.each(['before', 'after'] as const)(
      'ends in time when they were put there %s the library was loaded',
      async (when) => {
        await using scene = new Scene();
        const { waits } = scene;
        const timeout = 30;
        const child = start('time/fake-clock', [fake, when, Object.values(waits), timeout, false]);
        const expected = Object.fromEntries(
          Object.keys(waits).map((title) => {
            const once = { sync: timedOut(timeout), async: timedOut(timeout) };
            // A waiter that comes to a broken barrier does not wait.
            if (title !== 'barrier.wait') return [title, once];
            return [title, { ...once, async: { code: 'ERR_BROKEN_BARRIER', took: anyTime() } }];
          }),
        );
        expect(await outcomesOf(child, waits)).toEqual(expected);
      },
    );
  });

  it.each(['before', 'after'] as const)(
    'ends when timers that the program moves on itself say so, put there %s the library was loaded',
    async (when) => {
      await using scene = new Scene();
      const { waits } = scene;
      const day = 86_400_000;
      const child = start('time/fake-clock', ['node:test', when, Object.values(waits), day, true]);
      const expected = Object.fromEntries(
        Object.keys(waits).map((title) => [title, { async: timedOut(0) }]),
      );
      expect(await outcomesOf(child, waits)).toEqual(expected);
    },
  );
});

describe('A time to live', () => {
  it.each(fakes.filter((fake) => fake !== 'none'))(
    'is a duration to a process whose clocks and timers are others: %s',
    async (fake) => {
      using all = new Temporaries();
      const dict = all.add(SharedDict.create<number>());
      for (let n = 0; n < 100; n++) dict.set(`key ${n}`, n, { ttl: 60_000 });
      await dict.getOrSet('computed', () => 1, { ttl: 60_000 });
      const before = [...dict.keys()];

      const child = start('time/ttl-peer', [dict.name, fake]);
      expect(await child.hear()).toEqual({ keys: before, computed: 1 });
      expect([...dict.keys()]).toEqual(expect.arrayContaining([...before, 'for long']));
      await until(() => !dict.has('for a moment'));
      dict.set('of the test', 3, { ttl: 20 });
      await until(() => !dict.has('of the test'));
      child.tell('look');
      expect(await child.hear()).toBe(false);
    },
  );
});

function anyTime(): number {
  return expect.any(Number) as number;
}
