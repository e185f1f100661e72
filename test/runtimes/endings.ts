// Kills, exits and terminated threads: the owner of an object is dead, and the next owner is told.
import assert from 'node:assert/strict';
import {
  NamedBarrier,
  NamedLock,
  NamedRLock,
  NamedRWLock,
  NamedSemaphore,
  SharedArray,
  SharedDict,
  type NamedLockHandle,
  type NamedRLockHandle,
} from 'shmkit';
import { Skip, define, freshName } from './cases';
import { Peer } from './peers';

for (const kind of [NamedLock, NamedRLock]) {
  define(`${kind.name} of a killed process is handed on as abandoned`, async () => {
    const lock = kind.create({ name: freshName() });
    for (const taken of ['blocking', 'async'] as const) {
      for (const wanted of ['blocking', 'async'] as const) {
        const peer = await Peer.process<NamedLockHandle | NamedRLockHandle>(lock);
        if (taken === 'blocking') await peer.run(({ shared }) => void shared.acquireSync());
        else await peer.run(async ({ shared }) => (await shared.acquire()).abandoned);
        assert.equal(lock.locked, true);
        const waiting = wanted === 'async' ? lock.acquire() : undefined;
        await peer.end();
        const guard = waiting ? await waiting : lock.acquireSync();
        assert.equal(guard.abandoned, true, `taken ${taken}, wanted ${wanted}`);
        guard.release();
        assert.equal(lock.acquireSync().abandoned, false);
        lock.release();
      }
    }
    lock.unlink();
    lock.close();
  });
}

define('a process blocked in a lock gets it when its owner is killed', async () => {
  const lock = NamedLock.create({ name: freshName() });
  for (const manner of ['blocking', 'async'] as const) {
    const owner = await Peer.process(lock);
    const heir = await Peer.process(lock);
    await owner.run(({ shared }) => void shared.acquireSync());
    const isAbandoned = await (manner === 'blocking'
      ? heir.waits(
          manner,
          ({ shared }) => shared.acquireSync().abandoned,
          () => owner.end(),
        )
      : heir.waits(
          manner,
          async ({ shared }) => (await shared.acquire()).abandoned,
          () => owner.end(),
        ));
    assert.equal(isAbandoned, true);
    await heir.run(({ shared }) => shared.release());
  }
  lock.unlink();
  lock.close();
});

define('a process that exits while holding counts as dead', async () => {
  const lock = NamedLock.create({ name: freshName() });
  const peer = await Peer.process(lock);
  const { outcome } = await peer.begin('async', ({ shared }) => {
    shared.acquireSync();
    process.exit(7);
  });
  await assert.rejects(outcome);
  assert.equal(await peer.exit, 7);
  assert.equal((await lock.acquire()).abandoned, true);
  lock.release();
  lock.unlink();
  lock.close();
});

define('a killed writer, reader and party leave what they had', async () => {
  const lock = NamedRWLock.create({ name: freshName() });
  const writer = await Peer.process(lock);
  await writer.run(({ shared, kept }) => void (kept.guard = shared.acquireWriteSync()));
  assert.equal(lock.tryAcquireRead(), null);
  const waiting = lock.acquireWrite();
  await writer.end();
  const guard = await waiting;
  assert.equal(guard.abandoned, true);
  guard.release();
  lock.unlink();
  lock.close();

  const barrier = NamedBarrier.create({ name: freshName(), parties: 3 });
  const party = await Peer.process(barrier);
  await party.begin('async', ({ shared }) => shared.wait());
  // Handled from the start, because the barrier may break before the end of the party is noticed.
  const isBroken = assert.rejects(barrier.wait(), { code: 'ERR_BROKEN_BARRIER' });
  await party.end();
  await isBroken;
  barrier.unlink();
  barrier.close();
});

define('a dict outlives writers that are killed in the middle of things', async () => {
  const dict = SharedDict.create<number>({ name: freshName() });
  for (let round = 0; round < 5; round++) {
    const peer = await Peer.process(dict);
    await peer.begin('blocking', ({ shared }) => {
      for (let i = 0; ; i++) {
        shared.add('n', 1);
        if (i % 3 === 0) shared.set(`k${i % 50}`, 1);
        else shared.delete(`k${i % 50}`);
      }
    });
    const before = dict.get('n') ?? 0;
    while ((dict.get('n') ?? 0) < before + 20) dict.add('here', 1);
    await peer.end();
    dict.set('after', round);
    assert.equal(dict.get('after'), round);
    assert.equal([...dict.entries()].length, dict.size);
  }
  dict.unlink();
  dict.close();
});

define('a worker terminated while it holds counts as dead', async () => {
  const lock = NamedLock.create({ name: freshName() });
  for (let round = 0; round < 5; round++) {
    const worker = await Peer.worker(lock);
    if (round % 2) await worker.run(({ shared }) => void shared.acquireSync());
    else await worker.run(async ({ shared }) => (await shared.acquire()).abandoned);
    assert.equal(lock.tryAcquire(), null);
    await worker.end();
    const guard = round % 2 ? await lock.acquire() : lock.acquireSync();
    assert.equal(guard.abandoned, true, `round ${round}`);
    guard.release();
  }
  lock.unlink();
  lock.close();
});

define('a worker terminated with a permit or an array’s lock counts as dead', async () => {
  const semaphore = NamedSemaphore.create({ name: freshName(), value: 1 });
  const holder = await Peer.worker(semaphore);
  await holder.run(({ shared }) => void shared.acquireSync());
  const permit = semaphore.acquire();
  await holder.end();
  (await permit).release();
  semaphore.unlink();
  semaphore.close();

  const array = SharedArray.create({ name: freshName(), type: 'int32', length: 4 });
  const owner = await Peer.worker(array);
  await owner.run(({ shared }) => {
    shared.lock.acquireSync();
    shared.array[0] = 3;
  });
  await owner.end();
  assert.equal(array.lock.acquireSync().abandoned, true);
  assert.equal(array.at(0), 3);
  array.lock.release();
  array.unlink();
  array.close();
});

for (const manner of ['blocking', 'async'] as const) {
  define(`a worker terminated while it waits is noticed by nobody (${manner})`, async () => {
    if (manner === 'blocking' && 'Deno' in globalThis) {
      throw new Skip('Deno lets a terminated worker go on for a while, in which it gets the lock');
    }
    const lock = NamedLock.create({ name: freshName() });
    for (let round = 0; round < 3; round++) {
      lock.acquireSync();
      const worker = await Peer.worker(lock);
      if (manner === 'async') await worker.begin(manner, ({ shared }) => void shared.acquire());
      else await worker.begin(manner, ({ shared }) => void shared.acquireSync());
      await worker.end();
      lock.release();
      assert.equal((await lock.acquire()).abandoned, false);
      lock.release();
    }
    lock.unlink();
    lock.close();
  });
}
