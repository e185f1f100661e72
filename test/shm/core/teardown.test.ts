import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { NamedLock, SharedMemory } from 'shmkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fixturePath, start } from '../../support/children';
import { uniqueName } from '../../support/names';
import { mostKills } from '../../support/system';

const rounds = Math.min(20, mostKills);

describe('a worker terminated', () => {
  let name: string;
  let memory: SharedMemory;
  let locks: NamedLock[];

  beforeEach(() => {
    name = uniqueName();
    memory = SharedMemory.create({ name, size: 64 });
    locks = [];
  });

  afterEach(() => {
    for (const lock of locks) {
      if (lock.held) lock.release();
      lock.unlink();
      lock.close();
    }
    memory.unlink();
    memory.close();
  });

  function lockOf(state: string): NamedLock {
    const lock = NamedLock.open(`${name}.${state}`);
    locks.push(lock);
    return lock;
  }

  function work(...states: string[]): Worker {
    return new Worker(fixturePath('loop/teardown-worker'), { workerData: { name, states } });
  }

  it('in the midst of calls to the addon ends nothing but itself', async () => {
    const lock = lockOf('busy');
    for (let round = 0; round < 40; round++) {
      const worker = new Worker(fixturePath('loop/busy-worker'), { workerData: lock.name });
      await once(worker, 'message');
      // Each time at a different moment.
      await delay((round % 10) / 3);
      await worker.terminate();
    }
    lock.acquireSync().release();
  });

  it('with open handles harms nobody', async () => {
    const lock = lockOf('open');
    const worker = work('open');
    expect(await once(worker, 'message')).toEqual(['ready']);
    await worker.terminate();
    expect(memory.array('uint8')[0]).toBe(1);
    expect(lock.tryAcquire()?.abandoned).toBe(false);
  });

  it('holding a lock counts as dead: the next owner is told', async () => {
    const lock = lockOf('held');
    const worker = work('held');
    await once(worker, 'message');
    expect(lock.tryAcquire()).toBeNull();
    await worker.terminate();
    expect(lock.acquireSync().abandoned).toBe(true);
    lock.release();
    expect(lock.acquireSync().abandoned).toBe(false);
  });

  it('holding a lock through its agent counts as dead too', async () => {
    const lock = lockOf('held-by-agent');
    lock.acquireSync();
    const worker = work('held-by-agent');
    expect(await once(worker, 'message')).toEqual(['waiting for held-by-agent']);
    const ready = once(worker, 'message');
    lock.release();
    await ready;
    expect(lock.locked).toBe(true);
    await worker.terminate();
    expect(lock.acquireSync().abandoned).toBe(true);
  });

  it('waiting for a lock is noticed by nobody', async () => {
    const lock = lockOf('waiting');
    lock.acquireSync();
    const worker = work('waiting');
    await once(worker, 'message');
    await worker.terminate();
    lock.release();
    // The agent of the terminated thread may get the lock for a moment before it sees that nothing wants
    // it.
    expect((await lock.acquire()).abandoned).toBe(false);
  });

  it('blocked in a lock ends all the same', async () => {
    const lock = lockOf('blocked');
    lock.acquireSync();
    const worker = work('blocked');
    expect(await once(worker, 'message')).toEqual(['blocking']);
    await worker.terminate();
    lock.release();
    expect((await lock.acquire()).abandoned).toBe(false);
  });

  it('by process.exit() while blocked in a lock ends all the same', async () => {
    const lock = lockOf('blocked');
    lock.acquireSync();
    const child = start('loop/exits-over-blocked-worker', [name]);
    expect(await child.hear()).toBe('blocking');
    await child.succeed();
  });

  it('many times over, in every state, leaves the process well', async () => {
    const held = lockOf('held');
    const waiting = lockOf('waiting');
    lockOf('open');
    waiting.acquireSync();
    for (let round = 0; round < rounds; round++) {
      const worker = work('open', 'held', 'waiting');
      await once(worker, 'message');
      await worker.terminate();
      expect(held.acquireSync().abandoned).toBe(true);
      held.release();
    }
  });
});

describe('a process that ends', () => {
  it.each(['exit', 'SIGTERM', 'SIGKILL'])(
    'by %s while holding makes the next owner know',
    async (how) => {
      for (const acquired of ['sync', 'async']) {
        using lock = NamedLock.create();
        const child = start('lock/lock-holder', [lock.name, acquired]);
        await child.hear();
        expect(await child.hear()).toEqual({ held: true, abandoned: false });
        if (how === 'exit') child.tell('exit');
        else child.process.kill(how as NodeJS.Signals);
        await child.exit;
        const guard = await lock.acquire();
        expect(guard.abandoned).toBe(true);
        guard.release();
        lock.unlink();
      }
    },
  );

  it('while holding what it awaited makes the next owner know', async () => {
    using lock = NamedLock.create();
    lock.acquireSync();
    const child = start('lock/lock-holder', [lock.name, 'async']);
    expect(await child.hear()).toBe('ready');
    lock.release();
    expect(await child.hear()).toMatchObject({ held: true });
    const next = lock.acquire();
    await child.kill();
    expect((await next).abandoned).toBe(true);
    lock.release();
    lock.unlink();
  });

  it('is told of to an owner that keeps the lock, not to a wait called off', async () => {
    using lock = NamedLock.create();
    const child = start('lock/lock-holder', [lock.name]);
    await child.hear();
    await child.hear();
    const controller = new AbortController();
    const off = lock.acquire({ signal: controller.signal });
    controller.abort();
    await expect(off).rejects.toThrow();
    await child.kill();
    expect(lock.locked, 'asking tells nobody').toBe(false);
    expect((await lock.acquire()).abandoned).toBe(true);
    lock.release();
    lock.unlink();
  });

  it('right after it has released a lock that was handed over to it is not taken for dead', async () => {
    using lock = NamedLock.create();
    for (let round = 0; round < rounds; round++) {
      lock.acquireSync();
      const child = start('lock/releases-and-exits', [lock.name]);
      expect(await child.hear()).toBe('waiting');
      lock.release();
      await child.succeed();
      expect(lock.acquireSync().abandoned).toBe(false);
      lock.release();
    }
    lock.unlink();
  });
});
