import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import { NamedCondition } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { temporary, timed, until } from '../../support/temporaries';
import { start } from '../../support/children';
import { expectCode, expectRejection } from '../../support/errors';
import {
  Peer,
  beings,
  forms,
  goOn,
  inForm,
  stop,
  type Being,
  type Form,
} from '../../support/peers';
import { canStop } from '../../support/system';

/** Starts a peer that waits. The peer has released the lock, so it is certainly waiting. */
async function waiter(
  condition: NamedCondition,
  form: Form = 'async',
  being: Being = 'process',
): Promise<{ peer: Peer; outcome: Promise<unknown> }> {
  const peer = await Peer.start(condition, being);
  await peer.call('lock.acquire');
  const { outcome } = await peer.begin(inForm(form, 'wait'));
  // A sync wait is reported before it begins. A thread that gets the lock after it finds the wait begun.
  const guard = await condition.lock.acquire();
  guard.release();
  return { peer, outcome };
}

/** Waits as a task of this thread, and releases the lock. */
async function task(condition: NamedCondition, then?: () => void): Promise<void> {
  await condition.lock.acquire();
  try {
    await condition.wait();
    then?.();
  } finally {
    condition.lock.release();
  }
}

describe('the lock', () => {
  it('must be held, through this very handle', async () => {
    using condition = temporary(NamedCondition.create());
    using other = NamedCondition.attach(condition.name);
    const uses = [
      () => condition.wait(),
      () => condition.waitSync(),
      () => condition.waitFor(() => true),
      () => condition.waitForSync(() => true),
      () => condition.notify(),
      () => condition.notifyAll(),
    ];
    for (const isHeldElsewhere of [false, true]) {
      if (isHeldElsewhere) other.lock.acquireSync();
      for (const use of uses) {
        const promise = Promise.resolve().then<unknown>(use);
        await expectRejection(promise, 'ERR_NOT_HELD', condition.name);
      }
    }
    other.lock.release();
    expect(condition.lock.locked).toBe(false);
  });

  it('is given up by a wait, and had again afterwards, by the same guard', async () => {
    using condition = temporary(NamedCondition.create());
    const guard = await condition.lock.acquire();
    const waiting = condition.wait();
    expect(condition.lock.locked).toBe(false);
    using other = await condition.lock.acquire();
    condition.notify();
    expect(other.lock.held).toBe(true);
    other.release();
    await waiting;
    expect([condition.lock.held, guard.abandoned]).toEqual([true, false]);
    guard.release();
    expectCode(() => guard.release(), 'ERR_NOT_HELD');
  });

  it('is had again also by a wait that fails, however long that takes', async () => {
    using condition = temporary(NamedCondition.create());
    const reason = new Error('enough');
    for (const fail of [
      () => expectRejection(condition.wait({ timeout: 1 }), 'ERR_TIMEOUT', condition.name),
      () =>
        expect(condition.wait({ signal: AbortSignal.timeout(1) })).rejects.toThrow(DOMException),
      () => expect(condition.wait({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason),
    ]) {
      await condition.lock.acquire();
      await fail();
      expect(condition.lock.held).toBe(true);
      expectCode(() => condition.waitSync({ timeout: 1 }), 'ERR_TIMEOUT');
      condition.lock.release();
    }
    // Another thread holds the lock for longer than the wait would have lasted.
    const peer = await Peer.start(condition);
    await condition.lock.acquire();
    const controller = new AbortController();
    const failing = expect(condition.wait({ signal: controller.signal })).rejects.toBe(reason);
    await peer.call('lock.acquire');
    controller.abort(reason);
    const order: string[] = [];
    void failing.then(() => order.push('failed'));
    await delay(20);
    order.push('released');
    await peer.call('lock.release');
    await failing;
    expect(order).toEqual(['released', 'failed']);
    expect(condition.lock.held).toBe(true);
    condition.lock.release();
  });

  it('tells by the guard of old of an owner that died during the wait', async () => {
    using condition = temporary(NamedCondition.create());
    const guard = await condition.lock.acquire();
    const waiting = condition.wait();
    const peer = await Peer.start(condition);
    await peer.call('lock.acquire');
    expect(await peer.call('notify')).toBe(1);
    await peer.end();
    await waiting;
    expect(guard.abandoned).toBe(true);
    guard.release();
    expect(condition.lock.acquireSync().abandoned).toBe(false);
    condition.lock.release();
  });
});

describe('notifying', () => {
  it('reaches as many as it says, of those that wait', async () => {
    using condition = temporary(NamedCondition.create());
    const order: number[] = [];
    const tasks = Array.from({ length: 10 }, (_, i) => task(condition, () => order.push(i)));
    for (const [count, expected] of [
      [undefined, 1],
      [0, 0],
      [3, 3],
      [100, 6],
      [1, 0],
    ]) {
      const before = order.length;
      const notified = await condition.lock.runExclusive(() => condition.notify(count));
      expect(notified).toBe(expected);
      await until(() => order.length === before + expected!);
    }
    await Promise.all(tasks);
    expect(order).toEqual(tasks.map((_, i) => i));
    expect(condition.lock.runExclusiveSync(() => condition.notifyAll())).toBe(0);
  });

  it('reaches processes and threads, sync and async, all at once', async () => {
    using condition = temporary(NamedCondition.create());
    const waits: Promise<unknown>[] = [];
    for (const being of beings) {
      for (const form of forms) {
        const { peer, outcome } = await waiter(condition, form, being);
        waits.push(outcome.then(() => peer.call('lock.release')));
      }
    }
    const own = task(condition);
    expect(await condition.lock.runExclusive(() => condition.notifyAll())).toBe(5);
    await own;
    expect(await Promise.all(waits)).toEqual(['fine', 'fine', 'fine', 'fine']);
  });

  it('reaches nobody who came after it', async () => {
    using condition = temporary(NamedCondition.create());
    using guard = condition.lock.acquireSync();
    expect(condition.notify(5)).toBe(0);
    expectCode(() => condition.waitSync({ timeout: 20 }), 'ERR_TIMEOUT');
    await expectRejection(condition.wait({ timeout: 20 }), 'ERR_TIMEOUT');
    expect(guard.abandoned).toBe(false);
  });

  it('counts for a wait that was given up, while that has not got the lock again', async () => {
    using condition = temporary(NamedCondition.create());
    const controller = new AbortController();
    await condition.lock.acquire();
    const waiting = condition.wait({ signal: controller.signal });
    await condition.lock.acquire();
    controller.abort();
    expect(condition.notify()).toBe(1);
    condition.lock.release();
    await waiting;
    condition.lock.release();
  });

  it('takes a count, or none', () => {
    using condition = temporary(NamedCondition.create());
    using _held = condition.lock.acquireSync();
    for (const count of [-1, 1.5, NaN, Infinity]) {
      expectCode(() => condition.notify(count), 'ERR_OUT_OF_RANGE', 'count');
    }
    for (const count of ['1', null, 1n] as never[]) {
      expectCode(() => condition.notify(count), 'ERR_INVALID_ARG_TYPE', 'count');
    }
  });

  it('reaches a waiter after a wait of no time got its lock back some turns later', async () => {
    using condition = temporary(NamedCondition.create());
    const first = await condition.lock.acquire();
    const second = condition.lock.acquire();
    const wait = expectRejection(condition.wait({ timeout: 0 }), 'ERR_TIMEOUT');
    const guard = await second;
    for (let i = 0; i < 3; i++) await turn();
    guard.release();
    await wait;
    first.release();
    const waiting = task(condition);
    const third = await condition.lock.acquire();
    expect(condition.notify()).toBe(1);
    third.release();
    await waiting;
  });
});

describe('waitFor', () => {
  it('gives what the predicate does, at once if that is true, and not a wait sooner', async () => {
    using condition = temporary(NamedCondition.create());
    using _held = condition.lock.acquireSync();
    expect(condition.waitForSync(() => 'yes', { timeout: 0 })).toBe('yes');
    expect(await condition.waitFor(() => 7, { timeout: 0 })).toBe(7);
    expectCode(() => condition.waitForSync(() => 0, { timeout: 0 }), 'ERR_TIMEOUT');
    await expectRejection(
      condition.waitFor(() => '', { timeout: 0 }),
      'ERR_TIMEOUT',
    );
    for (const predicate of [undefined, null, true, 'x'] as never[]) {
      expectCode(() => condition.waitForSync(predicate), 'ERR_INVALID_ARG_TYPE', 'predicate');
      await expectRejection(condition.waitFor(predicate), 'ERR_INVALID_ARG_TYPE', 'predicate');
    }
  });

  it('looks under the lock, once before and once for each notification', async () => {
    using condition = temporary(NamedCondition.create());
    let looks = 0;
    await condition.lock.acquire();
    const waiting = condition.waitFor(() => {
      expect(condition.lock.held).toBe(true);
      return ++looks > 3 && looks;
    });
    for (let i = 1; i <= 3; i++) {
      await until(() => looks === i && !condition.lock.locked);
      await condition.lock.runExclusive(() => expect(condition.notify()).toBe(1));
    }
    expect(await waiting).toBe(4);
    condition.lock.release();
  });

  it('waits no longer than its timeout in all, however often it is notified', async () => {
    using condition = temporary(NamedCondition.create());
    const child = start('sync/notifies', [condition]);
    expect(await child.hear()).toEqual({ notified: 0 });
    for (const form of forms) {
      let looks = 0;
      // Waits longer each time, until it was notified meanwhile.
      for (let timeout = 50; looks <= 2; timeout *= 2) {
        looks = 0;
        const look = () => looks++ < 0;
        await condition.lock.acquire();
        const took = await timed(async () => {
          if (form === 'sync') {
            expectCode(() => condition.waitForSync(look, { timeout }), 'ERR_TIMEOUT');
          } else {
            await expectRejection(condition.waitFor(look, { timeout }), 'ERR_TIMEOUT');
          }
        });
        expect(took).toBeGreaterThanOrEqual(timeout);
        condition.lock.release();
      }
    }
    await child.kill();
  });

  it('throws what the predicate does, holding the lock', async () => {
    using condition = temporary(NamedCondition.create());
    using guard = condition.lock.acquireSync();
    const error = new Error('no');
    const fail = () => {
      throw error;
    };
    expect(() => condition.waitForSync(fail)).toThrow(error);
    await expect(condition.waitFor(fail)).rejects.toBe(error);
    expect(guard.lock.held).toBe(true);
  });
});

describe('a process that was notified and killed before it went on', () => {
  it.runIf(canStop).each(forms)('has its notification passed on to another: %s', async (form) => {
    // Whichever of the two gets the notification, in one of the rounds it is the one that is killed.
    for (const victim of [0, 1]) {
      using condition = temporary(NamedCondition.create());
      const both = [await waiter(condition, form), await waiter(condition, form)];
      for (const { peer } of both) await stop(peer);
      expect(await condition.lock.runExclusive(() => condition.notify())).toBe(1);
      await both[victim]!.peer.end();
      const survivor = both[1 - victim]!;
      goOn(survivor.peer);
      expect(await survivor.outcome).toBe('fine');
      await survivor.peer.call('lock.release');
      expect(await condition.lock.runExclusive(() => condition.notifyAll())).toBe(0);
    }
  });

  it.runIf(canStop)('has it passed on to a task of another thread', async () => {
    using condition = temporary(NamedCondition.create());
    const { peer } = await waiter(condition, 'sync');
    const tasks = [task(condition), task(condition)];
    await stop(peer);
    // Whichever two of the three are notified: one task directly, and the other one through the killed
    // peer.
    expect(await condition.lock.runExclusive(() => condition.notify(2))).toBe(2);
    await peer.end();
    await Promise.all(tasks);
  });

  it('has it passed on though it was on its way to the lock', async () => {
    for (const victim of [0, 1]) {
      using condition = temporary(NamedCondition.create());
      const both = [await waiter(condition), await waiter(condition)];
      const guard = await condition.lock.acquire();
      expect(condition.notify()).toBe(1);
      // While the lock is held, the notified peer can only wait for it.
      await both[victim]!.peer.end();
      guard.release();
      const survivor = both[1 - victim]!;
      expect(await survivor.outcome).toBe('fine');
      await survivor.peer.call('lock.release');
    }
  });

  it.runIf(canStop)('leaves nothing behind when nobody else waits', async () => {
    using condition = temporary(NamedCondition.create());
    const { peer } = await waiter(condition);
    await stop(peer);
    expect(await condition.lock.runExclusive(() => condition.notify())).toBe(1);
    await peer.end();
    await condition.lock.acquire();
    expect(condition.notifyAll()).toBe(0);
    await expectRejection(condition.wait({ timeout: 300 }), 'ERR_TIMEOUT');
    condition.lock.release();
  });
});

describe('a process', () => {
  it.each(forms)('that was killed while it waited is noticed by nobody: %s', async (form) => {
    using condition = temporary(NamedCondition.create());
    const doomed = [];
    for (const being of beings) doomed.push(await waiter(condition, form, being));
    const own = task(condition);
    for (const { peer } of doomed) await peer.end();
    expect(await condition.lock.runExclusive(() => condition.notify(3))).toBe(1);
    await own;
  });

  it.runIf(canStop).each(forms)(
    'that is stopped keeps the notification it got: %s',
    async (form) => {
      using condition = temporary(NamedCondition.create());
      const { peer, outcome } = await waiter(condition, form);
      await stop(peer);
      expect(await condition.lock.runExclusive(() => condition.notify())).toBe(1);
      await condition.lock.acquire();
      await expectRejection(condition.wait({ timeout: 300 }), 'ERR_TIMEOUT');
      condition.lock.release();
      goOn(peer);
      expect(await outcome).toBe('fine');
    },
  );

  it('that closes the condition waits no more', async () => {
    using condition = temporary(NamedCondition.create());
    const { peer, outcome } = await waiter(condition);
    expect(await peer.call('close')).toBe('fine');
    expect(await outcome).toBe('ERR_CLOSED');
    expect(await condition.lock.runExclusive(() => condition.notify())).toBe(0);
  });
});

describe('closing', () => {
  it('is refused while the lock is held, and ends waits when it is not', async () => {
    const condition = NamedCondition.create();
    await condition.lock.acquire();
    const waiting = expectRejection(condition.wait(), 'ERR_CLOSED', condition.name);
    const guard = condition.lock.acquireSync();
    expectCode(() => condition.close(), 'EBUSY', condition.name);
    guard.release();
    condition.unlink();
    condition.close();
    await waiting;
  });

  it('leaves no trace of a wait that was over but for the lock', async () => {
    using condition = temporary(NamedCondition.create());
    const closing = NamedCondition.attach(condition.name);
    await closing.lock.acquire();
    const controller = new AbortController();
    const waiting = expectRejection(closing.wait({ signal: controller.signal }), 'ERR_CLOSED');
    await condition.lock.acquire();
    controller.abort();
    await new Promise(setImmediate);
    closing.close();
    await waiting;
    expect(condition.notify(), 'nobody waits').toBe(0);
    await expectRejection(condition.wait({ timeout: 20 }), 'ERR_TIMEOUT');
    condition.lock.release();
  });
});
