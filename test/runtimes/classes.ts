// The package as a whole, and everything that can be waited for: locks and similar objects.
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import * as shmkit from 'shmkit';
import { define, freshName } from './cases';
import type { Kit } from './kit';
import { Peer } from './peers';
import { publicNames } from '../fixtures/public-names';

const {
  NamedBarrier,
  NamedCondition,
  NamedEvent,
  NamedLock,
  NamedRLock,
  NamedRWLock,
  NamedSemaphore,
} = shmkit;

const code = (expected: string) => (error: unknown) =>
  error instanceof shmkit.SharedMemoryError && error.code === expected;

/** The result of an asynchronous wait in this process. Checks that it did wait. */
async function waitsHere<T>(waiting: Promise<T>, end: () => unknown): Promise<T> {
  let isOver = false;
  const noted = waiting.finally(() => (isOver = true));
  noted.catch(() => undefined);
  await delay(50);
  assert.equal(isOver, false, 'this process did not wait');
  await end();
  return noted;
}

define('import and require give one library', async () => {
  const imported = await import('shmkit');
  const names = Object.keys(shmkit).filter((name) => !['default', '__esModule'].includes(name));
  assert.deepEqual(names.sort(), publicNames);
  assert.equal(imported.NamedLock, NamedLock);
});

define('attach knows the class of each handle', () => {
  const all = [
    shmkit.SharedMemory.create({ name: freshName(), size: 8 }),
    NamedLock.create({ name: freshName() }),
    NamedRLock.create({ name: freshName() }),
    NamedSemaphore.create({ name: freshName() }),
    NamedEvent.create({ name: freshName() }),
    NamedCondition.create({ name: freshName() }),
    NamedBarrier.create({ name: freshName(), parties: 2 }),
    NamedRWLock.create({ name: freshName() }),
    shmkit.SharedValue.create({ name: freshName(), type: 'int32' }),
    shmkit.SharedArray.create({ name: freshName(), type: 'int32', length: 2 }),
    shmkit.ShareableList.create({ name: freshName(), from: [1] }),
    shmkit.SharedDict.create({ name: freshName() }),
    shmkit.SharedList.create({ name: freshName() }),
    shmkit.SharedQueue.create({ name: freshName() }),
    shmkit.SharedNamespace.create({ name: freshName() }),
    shmkit.SharedObject.create({ name: freshName(), from: { a: new Uint8Array(9000) } }),
  ];
  for (const object of all) {
    const handle = JSON.parse(JSON.stringify(object)) as shmkit.Handle;
    const attached = shmkit.attach(handle);
    assert.equal(attached.constructor, object.constructor);
    assert.equal(attached.name, object.name);
    attached.close();
    assert.equal(attached.closed, true);
    object.unlink();
    object.close();
    assert.throws(() => shmkit.attach(handle), code('ENOENT'));
  }
  assert.throws(() => shmkit.attach({} as shmkit.Handle), { code: 'ERR_INVALID_ARG_TYPE' });
});

for (const kind of ['NamedLock', 'NamedRLock'] as const) {
  define(`${kind} between processes`, async () => {
    const lock = shmkit[kind].create({ name: freshName() });
    const peer = await Peer.process<shmkit.NamedLockHandle | shmkit.NamedRLockHandle>(lock);
    const release = () => lock.release();
    lock.acquireSync();
    assert.equal(await peer.run(({ shared }) => shared.tryAcquire()), null);
    assert.equal(
      await peer.run(async ({ shared }) => {
        try {
          await shared.acquire({ timeout: 20 });
          return undefined;
        } catch (error) {
          return (error as { code: string }).code;
        }
      }),
      'ERR_TIMEOUT',
    );
    assert.equal(
      await peer.waits('blocking', ({ shared }) => shared.acquireSync().abandoned, release),
      false,
    );
    assert.equal(lock.tryAcquire(), null);
    assert.throws(() => lock.acquireSync({ timeout: 20 }), code('ERR_TIMEOUT'));
    const guard = await waitsHere<shmkit.LockGuard | shmkit.RLockGuard>(lock.acquire(), () =>
      peer.run(({ shared }) => shared.release()),
    );
    assert.equal(guard.abandoned, false);
    assert.equal(
      await peer.waits('async', async ({ shared }) => (await shared.acquire()).abandoned, release),
      false,
    );
    const controller = new AbortController();
    const aborted = lock.acquire({ signal: controller.signal });
    controller.abort();
    await assert.rejects(aborted);
    await peer.run(({ shared }) => shared.release());
    assert.equal(await lock.runExclusive(() => Promise.resolve(5)), 5);
    assert.equal(
      lock.runExclusiveSync(() => lock.locked),
      true,
    );
    lock.acquireSync();
    assert.throws(() => lock.close(), code('EBUSY'));
    lock.release();
    lock.unlink();
    lock.close();
    assert.throws(() => lock.acquireSync(), code('ERR_CLOSED'));
  });
}

define('NamedRLock is its owner’s again', async () => {
  const lock = NamedRLock.create({ name: freshName() });
  const peer = await Peer.process(lock);
  lock.acquireSync();
  await lock.acquire();
  assert.equal(lock.depth, 2);
  lock.release();
  await peer.waits(
    'blocking',
    ({ shared }) => {
      shared.acquireSync();
      shared.acquireSync();
    },
    () => lock.release(),
  );
  await peer.run(({ shared }) => shared.release());
  assert.equal(lock.tryAcquire(), null);
  await peer.run(({ shared }) => shared.release());
  lock.acquireSync().release();
  lock.unlink();
  lock.close();
});

define('NamedLock keeps processes and threads apart', async () => {
  const lock = NamedLock.create({ name: freshName() });
  const memory = shmkit.SharedMemory.create({ name: `${lock.name}-count`, size: 8 });
  const count = memory.array('float64');
  const peers = [await Peer.process(lock), await Peer.process(lock), await Peer.worker(lock)];
  const counting = await Promise.all(
    peers.map((peer) =>
      peer.begin('async', async ({ shared, shmkit: { SharedMemory } }) => {
        const segment = SharedMemory.attach(`${shared.name}-count`);
        const numbers = segment.array('float64');
        for (let i = 0; i < 500; i++) {
          shared.runExclusiveSync(() => numbers[0]!++);
          await shared.runExclusive(() => numbers[0]!++);
        }
        segment.close();
      }),
    ),
  );
  for (let i = 0; i < 500; i++) await lock.runExclusive(() => count[0]!++);
  await Promise.all(counting.map(({ outcome }) => outcome));
  assert.equal(count[0], 3500);
  memory.unlink();
  memory.close();
  lock.unlink();
  lock.close();
});

define('NamedSemaphore between processes', async () => {
  const semaphore = NamedSemaphore.create({ name: freshName(), value: 1, max: 1 });
  const peer = await Peer.process(semaphore);
  const release = () => semaphore.release();
  semaphore.acquireSync();
  assert.equal(await peer.run(({ shared }) => shared.tryAcquire()), null);
  await peer.waits('blocking', ({ shared }) => void shared.acquireSync(), release);
  assert.equal(semaphore.value, 0);
  await waitsHere(semaphore.acquire(), () => peer.run(({ shared }) => shared.release()));
  const take = async ({ shared }: Kit<shmkit.NamedSemaphore>) => {
    await shared.acquire();
  };
  await peer.waits('async', take, release);
  assert.throws(() => semaphore.acquireSync({ timeout: 20 }), code('ERR_TIMEOUT'));
  await peer.end();
  // The permit of a process that was killed.
  await semaphore.acquire();
  semaphore.release();
  semaphore.unlink();
  semaphore.close();
});

define('NamedEvent between processes', async () => {
  const event = NamedEvent.create({ name: freshName() });
  const peer = await Peer.process(event);
  await peer.waits(
    'blocking',
    ({ shared }) => shared.waitSync(),
    () => event.set(),
  );
  assert.equal(await peer.run(({ shared }) => shared.isSet), true);
  event.clear();
  await peer.waits(
    'async',
    ({ shared }) => shared.wait(),
    () => event.set(),
  );
  event.clear();
  await waitsHere(event.wait(), () => peer.run(({ shared }) => shared.set()));
  event.waitSync();
  event.clear();
  assert.throws(() => event.waitSync({ timeout: 20 }), code('ERR_TIMEOUT'));
  await assert.rejects(event.wait({ timeout: 20 }), code('ERR_TIMEOUT'));
  const isRefused = assert.rejects(event.wait(), code('ERR_CLOSED'));
  event.unlink();
  event.close();
  await isRefused;
});

define('NamedCondition between processes', async () => {
  const condition = NamedCondition.create({ name: freshName() });
  const peer = await Peer.process(condition);
  const notify = () => {
    condition.lock.runExclusiveSync(() => assert.equal(condition.notify(), 1));
  };
  await peer.waits(
    'blocking',
    ({ shared }) => {
      shared.lock.runExclusiveSync(() => shared.waitSync());
    },
    notify,
  );
  await peer.waits('async', ({ shared }) => shared.lock.runExclusive(() => shared.wait()), notify);
  await waitsHere(
    condition.lock.runExclusive(() => condition.wait()),
    () => peer.run(({ shared }) => shared.lock.runExclusive(() => shared.notifyAll())),
  );
  condition.lock.runExclusiveSync(() => {
    assert.throws(() => condition.waitSync({ timeout: 20 }), code('ERR_TIMEOUT'));
  });
  condition.unlink();
  condition.close();
});

define('NamedBarrier between processes', async () => {
  const barrier = NamedBarrier.create({ name: freshName(), parties: 2 });
  const peer = await Peer.process(barrier);
  let here = -1;
  const there = [
    await peer.waits(
      'blocking',
      ({ shared }) => shared.waitSync(),
      async () => (here = await barrier.wait()),
    ),
  ];
  assert.deepEqual([...there, here].sort(), [0, 1]);
  there[0] = await peer.waits(
    'async',
    ({ shared }) => shared.wait(),
    () => (here = barrier.waitSync()),
  );
  assert.deepEqual([...there, here].sort(), [0, 1]);
  const { outcome } = await peer.begin('async', ({ shared }) => shared.wait());
  barrier.abort();
  await assert.rejects(outcome, { code: 'ERR_BROKEN_BARRIER' });
  barrier.reset();
  await peer.begin('async', ({ shared }) => shared.wait());
  assert.equal(barrier.waiting, 1);
  await peer.end();
  assert.equal(barrier.broken, true, 'one of its parties was killed');
  barrier.unlink();
  barrier.close();
});

define('NamedRWLock between processes', async () => {
  const lock = NamedRWLock.create({ name: freshName() });
  const peer = await Peer.process(lock);
  let guard = lock.acquireReadSync();
  await peer.run(async ({ shared }) => (await shared.acquireRead()).release());
  assert.equal(await peer.run(({ shared }) => shared.tryAcquireWrite()), null);
  await peer.waits(
    'blocking',
    ({ shared, kept }) => void (kept.write = shared.acquireWriteSync()),
    () => guard.release(),
  );
  assert.equal(lock.writing, true);
  assert.equal(lock.tryAcquireRead(), null);
  guard = await waitsHere(lock.acquireWrite(), () =>
    peer.run(({ kept }) => kept.write?.release?.()),
  );
  await peer.waits(
    'async',
    async ({ shared, kept }) => void (kept.read = await shared.acquireRead()),
    () => guard.release(),
  );
  assert.equal(lock.readers, 1);
  await peer.end();
  guard = lock.acquireWriteSync();
  guard.release();
  lock.unlink();
  lock.close();
});
