// A thread that takes an object again and again does not keep it from the waiters: each waiter gets its
// turn after a small number of the other thread's rounds.
import {
  NamedLock,
  NamedRLock,
  NamedRWLock,
  NamedSemaphore,
  SharedDict,
  SharedQueue,
  SharedValue,
  type Handle,
} from 'shmkit';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { Hogging } from '../../fixtures/lock/hog';
import { start, type Child } from '../../support/children';
import { expectCode } from '../../support/errors';
import { Peer, goOn, stop } from '../../support/peers';
import { canStop } from '../../support/system';
import { temporary, Temporaries, until, watchdog, type Named } from '../../support/temporaries';

const turns = 5;

/**
 * How many rounds the other thread has in a turn, at most. Usually it is one, or a few on a busy machine.
 * If only the scheduler interrupted the other thread, it would be hundreds.
 */
const mostRoundsATurn = 60;

const hogs: Child[] = [];

afterEach(async () => {
  await Promise.all(hogs.splice(0).map((hog) => hog.kill()));
});

async function hogOf(object: { toJSON(): Handle }, how: Hogging, rounds: SharedValue<'int32'>) {
  const hog = start('lock/hog', [object.toJSON(), how, rounds.name]);
  hogs.push(hog);
  expect(await hog.hear()).toBe('hogging');
  return hog;
}

type Turn = () => unknown;

function runs(lock: NamedLock): [Turn, Turn] {
  return [
    () => lock.acquireSync(watchdog).release(),
    async () => (await lock.acquire(watchdog)).release(),
  ];
}

/** An object that one thread hogs and another one wants, in a blocking way and in a non-blocking way. */
const scenes: [
  string,
  (all: Temporaries) => [Named & { toJSON(): Handle }, Hogging, Turn, Turn],
][] = [
  [
    'a lock, by runExclusiveSync',
    (all) => {
      const lock = all.add(NamedLock.create());
      return [lock, 'run', ...runs(lock)];
    },
  ],
  [
    'a lock, by runExclusive',
    (all) => {
      const lock = all.add(NamedLock.create());
      return [lock, 'runAsync', ...runs(lock)];
    },
  ],
  [
    'a re-entrant lock',
    (all) => {
      const lock = all.add(NamedRLock.create());
      return [
        lock,
        'acquire',
        () => lock.acquireSync(watchdog).release(),
        async () => (await lock.acquire(watchdog)).release(),
      ];
    },
  ],
  [
    'a semaphore',
    (all) => {
      const semaphore = all.add(NamedSemaphore.create());
      return [
        semaphore,
        'acquire',
        () => semaphore.acquireSync(watchdog).release(),
        async () => (await semaphore.acquire(watchdog)).release(),
      ];
    },
  ],
  [
    'a read-write lock',
    (all) => {
      const lock = all.add(NamedRWLock.create());
      return [
        lock,
        'write',
        () => lock.acquireReadSync(watchdog).release(),
        async () => (await lock.acquireRead(watchdog)).release(),
      ];
    },
  ],
  [
    "a dict's lock",
    (all) => {
      const dict = all.add(SharedDict.create<number>());
      return [
        dict,
        'update',
        () => dict.set('other', 1),
        async () => dict.getOrSet(`${Math.random()}`, () => 1),
      ];
    },
  ],
];

describe('Who waits for what another takes again at once gets its turn', () => {
  it.each(scenes)('of %s', async (_, make) => {
    using all = new Temporaries();
    const rounds = all.add(SharedValue.create({ type: 'int32' }));
    const [object, how, ...forms] = make(all);
    await hogOf(object, how, rounds);
    for (const turn of forms) {
      for (let n = 0; n < turns; n++) {
        const before = rounds.value;
        await turn();
        expect(rounds.value - before).toBeLessThanOrEqual(mostRoundsATurn);
        // The other thread has it again.
        const after = rounds.value;
        await until(() => rounds.value > after);
      }
    }
  });
});

describe('Room in a queue that others keep full', () => {
  it.each(['put', 'putAsync'] as const)(
    'is had by a large item, and by one like theirs: %s',
    async (how) => {
      using all = new Temporaries();
      const rounds = all.add(SharedValue.create({ type: 'int32' }));
      const queue = all.add(SharedQueue.create<string>({ capacity: 1 << 17 }));
      const most = (1 << 17) / 1000;
      const consumer = start('queue/slow-consumer', [queue.name]);
      hogs.push(consumer);
      await consumer.hear();
      await hogOf(queue, how, rounds);
      await hogOf(queue, how, rounds);
      for (const length of [60_000, 120_000, 10]) {
        for (const form of ['sync', 'async'] as const) {
          const before = rounds.value;
          if (form === 'sync') queue.putSync('y'.repeat(length), watchdog);
          else await queue.put('y'.repeat(length), watchdog);
          expect(rounds.value - before).toBeLessThanOrEqual(3 * most + mostRoundsATurn);
        }
      }
    },
  );

  it('is left to who has waited for long, and not to one that is gone, called off or timed out', async () => {
    using queue = temporary(SharedQueue.create<string>({ capacity: 1 << 16 }));
    const one = 'x'.repeat(1000);
    const fill = () => {
      while (queue.tryPut(one));
    };
    const less = 'x'.repeat(900);
    /**
     * Repeats until a turn is reserved for a waiter: then there is room for two items, but none can be put.
     */
    const untilKept = async (isPut: () => boolean | Promise<boolean>) => {
      do {
        for (let i = 0; i < 2; i++) queue.getSync();
        await delay(2);
      } while ((await isPut()) && (await isPut()));
    };
    const ends: [string, (peer: Peer) => unknown][] = [
      ['a kill', (peer) => peer.end()],
      ['its timeout', () => undefined],
    ];
    for (const [what, end] of ends) {
      fill();
      const peer = await Peer.start(queue);
      const timeout = what === 'a kill' ? watchdog.timeout : 3000;
      const begun = await peer.begin('put', 'y'.repeat(50_000), { timeout });
      await untilKept(() => queue.tryPut(less));
      expect(queue.size, 'there is room by then').toBeGreaterThan(0);
      await end(peer);
      if (what === 'its timeout') expect(await begun.outcome).toBe('ERR_TIMEOUT');
      await until(() => queue.tryPut('x'));
      queue.clear();
      await peer.end();
    }
    // A task of this thread has no turn before its own; another thread's put is told of it.
    fill();
    const peer = await Peer.start(queue);
    const controller = new AbortController();
    const waiting = queue.put('y'.repeat(50_000), { signal: controller.signal });
    await untilKept(async () => (await peer.call('put', less, { timeout: 0 })) === 'fine');
    const other = await peer.begin('put', less);
    controller.abort();
    await expect(waiting).rejects.toThrow('aborted');
    expect(await other.outcome).toBe('fine');
  });

  it('is left to who has waited for long, for as long as that may be busy', async () => {
    if (!canStop) return;
    using queue = temporary(SharedQueue.create<string>({ maxSize: 1 }));
    queue.putSync('first');
    const peer = await Peer.start(queue);
    const begun = await peer.begin('put', 'stopped');
    await until(() => {
      if (queue.tryPut('x')) queue.getSync();
      return queue.size === 1;
    });
    await stop(peer);
    queue.clear();
    await until(() => queue.tryPut('ahead'));
    expect(queue.getSync()).toBe('ahead');
    goOn(peer);
    expect(await begun.outcome).toBe('fine');
  });

  it('is said to be blocked by who has an item for long', () => {
    using queue = temporary(SharedQueue.create<string>({ capacity: 1 << 16 }));
    queue.putSync('held');
    using item = queue.takeSync();
    while (queue.tryPut('x'.repeat(1000)));
    const put = () => queue.putSync('y'.repeat(30_000), { timeout: 20 });
    expectCode(put, 'ERR_TIMEOUT', '20 ms', `process ${process.pid}`, 'not done');
    for (; queue.size > 0;) queue.getSync();
    expectCode(put, 'ERR_TIMEOUT', `process ${process.pid}`);
    item.ack();
    put();
    expect(queue.getSync()).toHaveLength(30_000);
    while (queue.tryPut('x'.repeat(1000)));
    expect(() => put()).toThrow(/had no room within 20 ms$/);
  });
});
