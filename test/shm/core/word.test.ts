// What is common to all waits for a word of a shared object: timeouts, signals, closing, order.
import { readFile } from 'node:fs/promises';
import {
  NamedBarrier,
  NamedCondition,
  NamedEvent,
  NamedRLock,
  NamedRWLock,
  NamedSemaphore,
  SharedArray,
  SharedValue,
  type Handle,
  type TimeoutOptions,
  type WaitOptions,
} from 'shmkit';
import { describe, expect, it } from 'vitest';
import { temporary, timed } from '../../support/temporaries';
import { start } from '../../support/children';
import { expectCode, expectRejection } from '../../support/errors';
import { Peer } from '../../support/peers';

interface Shared extends Disposable {
  readonly name: string;
  close(): void;
  unlink(): void;
  toJSON(): Handle;
}

/** One way to wait, in a state in which every caller must wait. */
interface Scene<T extends Shared = Shared> {
  readonly object: T;
  readonly attach: () => T;
  /** Waits. When its turn has come, it calls `then`, and gives back what it got. */
  readonly wait: (object: T, options?: WaitOptions, then?: () => void) => Promise<void>;
  readonly waitSync: (object: T, options?: TimeoutOptions) => void;
  /** Lets waiters continue: all of them, or one after another. */
  readonly letGo: (object: T) => unknown;
  /** Restores the state, after a waiter has given up. */
  readonly mend?: (object: T) => void;
  /** Closing a handle affects waiters that use other handles. */
  readonly closingIsFelt?: true;
  /** The name of a lock cannot be removed while the lock is held. */
  readonly end?: () => unknown;
}

function scene<T extends Shared>(parts: Scene<T>): Promise<Scene> {
  return Promise.resolve(parts as unknown as Scene);
}

async function atEnd(guard: Promise<Disposable>, then?: () => void): Promise<void> {
  using _held = await guard;
  then?.();
}

/** Starts another thread that has acquired something of the object. */
async function holder(object: { toJSON(): Handle }, method: string): Promise<Peer> {
  const peer = await Peer.start(object, 'worker');
  expect(await peer.call(method)).toMatchObject({ held: true });
  return peer;
}

const scenes: Record<string, (tasks: number) => Promise<Scene>> = {
  'NamedSemaphore.acquire': () => {
    const object = NamedSemaphore.create({ value: 0 });
    return scene<NamedSemaphore>({
      object,
      attach: () => NamedSemaphore.attach(object.name),
      wait: (semaphore, options, then) => atEnd(semaphore.acquire(options), then),
      waitSync: (semaphore, options) => semaphore.acquireSync(options).release(),
      letGo: (semaphore) => semaphore.release(),
    });
  },
  'NamedEvent.wait': () => {
    const object = NamedEvent.create();
    return scene<NamedEvent>({
      object,
      attach: () => NamedEvent.attach(object.name),
      wait: (event, options, then) => event.wait(options).then(then),
      waitSync: (event, options) => event.waitSync(options),
      letGo: (event) => event.set(),
    });
  },
  'NamedCondition.wait': () => {
    const object = NamedCondition.create();
    return scene<NamedCondition>({
      object,
      attach: () => NamedCondition.attach(object.name),
      wait: async (condition, options, then) => {
        await condition.lock.acquire();
        try {
          await condition.wait(options);
          then?.();
        } finally {
          if (condition.lock.held) condition.lock.release();
        }
      },
      waitSync: (condition, options) => {
        condition.lock.runExclusiveSync(() => condition.waitSync(options));
      },
      letGo: (condition) => condition.lock.runExclusive(() => condition.notifyAll()),
    });
  },
  'NamedBarrier.wait': (tasks) => {
    const object = NamedBarrier.create({ parties: tasks + 1 });
    return scene<NamedBarrier>({
      object,
      attach: () => NamedBarrier.attach(object.name),
      wait: (barrier, options, then) => barrier.wait(options).then(then),
      waitSync: (barrier, options) => void barrier.waitSync(options),
      letGo: (barrier) => barrier.wait(),
      mend: (barrier) => barrier.reset(),
      closingIsFelt: true,
    });
  },
  'NamedRWLock.acquireRead': async () => {
    const object = NamedRWLock.create();
    const peer = await holder(object, 'acquireWrite');
    return scene<NamedRWLock>({
      object,
      attach: () => NamedRWLock.attach(object.name),
      wait: (lock, options, then) => atEnd(lock.acquireRead(options), then),
      waitSync: (lock, options) => lock.acquireReadSync(options).release(),
      letGo: () => peer.call('guard.release'),
    });
  },
  'NamedRWLock.acquireWrite': async () => {
    const object = NamedRWLock.create();
    const peer = await holder(object, 'acquireRead');
    return scene<NamedRWLock>({
      object,
      attach: () => NamedRWLock.attach(object.name),
      wait: (lock, options, then) => atEnd(lock.acquireWrite(options), then),
      waitSync: (lock, options) => lock.acquireWriteSync(options).release(),
      letGo: () => peer.call('guard.release'),
    });
  },
  'NamedRLock.acquire': async () => {
    const object = NamedRLock.create();
    const peer = await holder(object, 'acquire');
    return scene<NamedRLock>({
      object,
      attach: () => NamedRLock.attach(object.name),
      wait: (lock, options, then) => atEnd(lock.acquire(options), then),
      waitSync: (lock, options) => lock.acquireSync(options).release(),
      letGo: () => peer.call('guard.release'),
      end: () => peer.call('guard.release'),
    });
  },
  'SharedValue.wait': () => {
    const object = SharedValue.create({ type: 'float64' });
    return scene<SharedValue<'float64'>>({
      object,
      attach: () => SharedValue.attach(object.name, { type: 'float64' }),
      wait: (value, options, then) => value.wait(0, options).then(then),
      waitSync: (value, options) => void value.waitSync(0, options),
      letGo: (value) => {
        value.value = 1;
        value.notify();
      },
    });
  },
  'SharedArray.wait': () => {
    const object = SharedArray.create({ type: 'int64', length: 3 });
    return scene<SharedArray<'int64'>>({
      object,
      attach: () => SharedArray.attach(object.name, { type: 'int64' }),
      wait: (array, options, then) => array.wait(-1, 0n, options).then(then),
      waitSync: (array, options) => void array.waitSync(-1, 0n, options),
      letGo: (array) => {
        array.set(2, 1n);
        array.notify();
      },
    });
  },
};

/** Resolves when everything that was begun waits. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe.each(Object.entries(scenes))('%s', (_, make) => {
  it('waits no shorter than its timeout, then says so', async () => {
    const { object, wait, waitSync, mend, end } = await make(1);
    using _object = temporary(object);
    for (const timeout of [0, 1, 60]) {
      const blocked = await timed(() => {
        expectCode(() => waitSync(object, { timeout }), 'ERR_TIMEOUT', object.name);
      });
      expect(blocked).toBeGreaterThanOrEqual(timeout);
      mend?.(object);
      const awaited = await timed(() =>
        expectRejection(wait(object, { timeout }), 'ERR_TIMEOUT', object.name),
      );
      expect(awaited).toBeGreaterThanOrEqual(timeout);
      mend?.(object);
    }
    await end?.();
  });

  it('goes on within its timeout', async () => {
    const { object, wait, waitSync, letGo } = await make(1);
    using _object = temporary(object);
    const waiting = wait(object, { timeout: 1e12 });
    await turn();
    await letGo(object);
    await waiting;
    if (object instanceof NamedCondition) return; // a notification is not kept for later waiters
    if (object instanceof NamedBarrier) return;
    waitSync(object, { timeout: Infinity });
    await wait(object, { timeout: Infinity });
    // A wait that can succeed at once also succeeds with a timeout of 0.
    waitSync(object, { timeout: 0 });
    await wait(object, { timeout: 0 });
  });

  it('rejects with the reason of a signal that aborts, before or during the wait', async () => {
    const { object, wait, mend, end } = await make(1);
    using _object = temporary(object);
    const reason = new Error('enough');
    await expect(wait(object, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    mend?.(object);
    const controller = new AbortController();
    const { signal } = controller;
    const waiting = wait(object, { signal, timeout: 1e12 });
    await turn();
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    mend?.(object);
    const timedOut = wait(object, { signal: AbortSignal.timeout(5) });
    await expect(timedOut).rejects.toThrow(DOMException);
    await end?.();
  });

  it('is not called off by a signal that aborts afterwards', async () => {
    const { object, wait, letGo } = await make(1);
    using _object = temporary(object);
    const controller = new AbortController();
    const waiting = wait(object, { signal: controller.signal });
    await turn();
    await letGo(object);
    await waiting;
    controller.abort();
    await turn();
  });

  it('is as it was for the others when some have given up', async () => {
    const { object, wait, letGo, mend } = await make(2);
    using _object = temporary(object);
    const controller = new AbortController();
    const { signal } = controller;
    // These settle from here on: on a slow machine, the short wait may end before the turn does.
    const off = Promise.allSettled([
      wait(object, { signal }),
      wait(object, { timeout: 5 }),
      wait(object, { signal }),
    ]);
    await turn();
    controller.abort();
    await off;
    mend?.(object);
    const again = new AbortController();
    const kept = [wait(object)];
    // If giving up affects the other waiters, that has been checked above.
    const among = mend ? Promise.resolve() : wait(object, { signal: again.signal });
    kept.push(wait(object));
    await turn();
    again.abort();
    await Promise.allSettled([among]);
    await letGo(object);
    await Promise.all(kept);
  });

  it('ends with ERR_CLOSED when its handle is closed, and with no other', async () => {
    const { object, attach, wait, letGo, closingIsFelt } = await make(2);
    using other = temporary(attach());
    const through = [wait(object), wait(object)];
    const beside = closingIsFelt ? undefined : wait(other);
    await turn();
    object.close();
    for (const each of through) await expectRejection(each, 'ERR_CLOSED', object.name, 'closed');
    await expectRejection(wait(object), 'ERR_CLOSED', object.name);
    if (closingIsFelt) return;
    await letGo(other);
    await beside;
  });

  it('serves 300 tasks of a thread first come, first served', async () => {
    const tasks = 300;
    const { object, wait, letGo } = await make(tasks);
    using _object = temporary(object);
    const order: number[] = [];
    const waiting = Array.from({ length: tasks }, (_, i) =>
      wait(object, undefined, () => order.push(i)),
    );
    await turn();
    expect(order).toEqual([]);
    await letGo(object);
    await Promise.all(waiting);
    expect(order).toEqual(waiting.map((_, i) => i));
  });

  it('checks its options before it waits for anything', async () => {
    const { object, wait, waitSync, end } = await make(1);
    using _object = temporary(object);
    const bad: [object, string, string][] = [
      [{ timeout: -1 }, 'ERR_OUT_OF_RANGE', 'timeout'],
      [{ timeout: NaN }, 'ERR_OUT_OF_RANGE', 'timeout'],
      [{ timeout: '1' }, 'ERR_INVALID_ARG_TYPE', 'timeout'],
      [{ timeout: 1n }, 'ERR_INVALID_ARG_TYPE', 'timeout'],
      [{ timeout: null }, 'ERR_INVALID_ARG_TYPE', 'timeout'],
      [{ timeOut: 1 }, 'ERR_INVALID_ARG_VALUE', 'timeOut'],
      [1 as unknown as object, 'ERR_INVALID_ARG_TYPE', 'options'],
      [null as unknown as object, 'ERR_INVALID_ARG_TYPE', 'options'],
    ];
    for (const [options, code, what] of bad) {
      expectCode(() => waitSync(object, options), code, what);
      await expectRejection(wait(object, options), code, what);
    }
    expectCode(() => waitSync(object, { signal: undefined } as never), 'ERR_INVALID_ARG_VALUE');
    await expectRejection(wait(object, { signal: {} as never }), 'ERR_INVALID_ARG_TYPE', 'signal');
    await end?.();
  });
});

describe('waiting', () => {
  it('in every way at once blocks neither the event loop nor the thread pool', async () => {
    const all = await Promise.all(Object.values(scenes).map((make) => make(1)));
    let done = 0;
    const waiting = all.map(({ object, wait }) => wait(object, undefined, () => done++));
    await turn();
    const end = performance.now() + 300;
    for (let turns = 0; turns < 20 || performance.now() < end; turns++) {
      expect((await readFile('package.json')).length).toBeGreaterThan(0);
    }
    expect(done).toBe(0);
    for (const { object, letGo } of all) await letGo(object);
    await Promise.all(waiting);
    expect(done).toBe(all.length);
    for (const { object } of all) {
      object.unlink();
      object.close();
    }
  });

  it.each<[string, () => Shared, string, unknown[]]>([
    ['a semaphore', () => NamedSemaphore.create({ value: 0 }), 'acquire', []],
    ['an event', () => NamedEvent.create(), 'wait', []],
    ['a condition', () => NamedCondition.create(), 'wait', []],
    ['a barrier', () => NamedBarrier.create({ parties: 2 }), 'wait', []],
    ['a value', () => SharedValue.create({ type: 'int32' }), 'wait', [0]],
  ])('for %s keeps a process that has nothing else to do, until it is over', async (...given) => {
    const [, make, method, args] = given;
    using object = temporary(make());
    const child = start('sync/awaits-only', [object, method, args]);
    expect(await child.hear()).toBe('waiting');
    if (object instanceof NamedSemaphore) object.release();
    if (object instanceof NamedEvent) object.set();
    if (object instanceof NamedBarrier) await object.wait();
    if (object instanceof NamedCondition) {
      await object.lock.runExclusive(() => expect(object.notify()).toBe(1));
    }
    if (object instanceof SharedValue) {
      object.value = 1;
      object.notify();
    }
    expect(await child.hear()).toBe('granted');
    await child.succeed();
  });

  it('goes on though who was to tell of it was killed before', async () => {
    // A change without a notification is what such a killed process leaves.
    using value = temporary(SharedValue.create({ type: 'int32' }));
    const peer = await Peer.start(value);
    const waits = [await peer.begin('wait', 0), await peer.begin('waitSync', 0)];
    const own = value.wait(0);
    value.value = 7;
    expect(await own).toBe(7);
    for (const { outcome } of waits) expect(await outcome).toBe(7);
    expect(value.waitSync(0)).toBe(7);
  });
});
