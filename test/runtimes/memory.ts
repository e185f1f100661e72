// Memory that is closed, collected or transferred while the engine may still use views of it.
import assert from 'node:assert/strict';
import { randomFill } from 'node:crypto';
import { closeSync, openSync, read, readFileSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import {
  NamedEvent,
  NamedLock,
  SharedArray,
  SharedDict,
  SharedMemory,
  SharedQueue,
  type NamedLockHandle,
} from 'shmkit';
import { Skip, define, freshName } from './cases';
import { collectGarbage } from './kit';
import { Peer } from './peers';

function mappings(name: string): number {
  return readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .filter((line) => line.includes(name)).length;
}

/** If the condition never becomes true, the watchdog of the suite's runner ends this. */
async function collectedUntil(condition: () => boolean): Promise<void> {
  while (!condition()) {
    collectGarbage();
    await turn();
  }
}

define('views after close are empty, and harm nobody', () => {
  for (let round = 0; round < 20; round++) {
    const memory = SharedMemory.create({ name: freshName(), size: 8192 });
    const { buffer } = memory;
    const bytes = memory.array('uint8');
    const numbers = memory.array('float64', 8, 2);
    const part = bytes.subarray(4096);
    const view = new DataView(buffer, 16);
    part.fill(7);
    memory.unlink();
    memory.close();
    memory.close();
    if (round % 5 === 0) collectGarbage();
    assert.deepEqual(
      [buffer.byteLength, bytes.length, numbers.length, part.length, bytes[0], numbers[1]],
      [0, 0, 0, 0, undefined, undefined],
    );
    bytes[0] = 1;
    assert.throws(() => part.fill(9), TypeError);
    assert.throws(() => view.getInt8(0), TypeError);
    assert.throws(() => memory.buffer, { code: 'ERR_CLOSED' });
    assert.throws(() => memory.read(), { code: 'ERR_CLOSED' });

    const array = SharedArray.create({ name: freshName(), type: 'int32', length: 1000 });
    const all = array.array.fill(5);
    array.unlink();
    array.close();
    assert.deepEqual([all.length, all[0]], [0, undefined]);
    all[0] = 1;
    assert.throws(() => array.at(0), { code: 'ERR_CLOSED' });
  }
});

const ways: Record<string, (buffer: ArrayBuffer) => ArrayBuffer | undefined> = {
  transfer(buffer) {
    const { transfer } = buffer as { transfer?: () => ArrayBuffer };
    if (!transfer) throw new Skip('this runtime has no ArrayBuffer.prototype.transfer');
    return transfer.call(buffer);
  },
  structuredClone: (buffer) => structuredClone(buffer, { transfer: [buffer] }),
  postMessage(buffer) {
    const { port1, port2 } = new MessageChannel();
    port1.postMessage(null, [buffer]);
    port1.close();
    port2.close();
    return undefined;
  },
};

/** Some runtimes refuse to transfer external memory, some copy it, and some transfer it. */
function handedAway(handAway: (typeof ways)[string], buffer: ArrayBuffer): ArrayBuffer | undefined {
  try {
    return handAway(buffer);
  } catch (error) {
    if (error instanceof Skip) throw error;
    assert.equal((error as Error).name, 'DataCloneError');
    assert.equal(buffer.byteLength, 4096);
    return undefined;
  }
}

for (const [way, handAway] of Object.entries(ways)) {
  define(`a buffer handed away by ${way} is harmless after close`, async () => {
    for (let round = 0; round < 20; round++) {
      const memory = SharedMemory.create({ name: freshName(), size: 4096 });
      memory.array('uint8').fill(3);
      try {
        const { buffer } = memory;
        const moved = handedAway(handAway, buffer);
        assert.equal(memory.array('uint8')[9], 3, 'a new view after that');
        memory.close();
        assert.equal(buffer.byteLength, 0);
        await turn();
        collectGarbage();
        // The memory there now belongs to no segment, or is a copy that was made by the transfer.
        if (moved && moved.byteLength > 0) new Uint8Array(moved).fill(1);
      } finally {
        memory.unlink();
        memory.close();
      }
    }
  });
}

define('a close under crypto.randomFill into the memory does not crash', async () => {
  if ('Deno' in globalThis) {
    throw new Skip('Deno copies what it made into the view later, and dies of one that is empty');
  }
  for (let round = 0; round < 20; round++) {
    const memory = SharedMemory.create({ name: freshName(), size: 1 << 20 });
    const filled = new Promise<void>((resolve) => {
      randomFill(memory.array('uint8'), () => resolve());
    });
    memory.unlink();
    memory.close();
    await filled;
  }
});

define('a close under fs.read into the memory does not crash', async () => {
  const file = openSync('/dev/zero', 'r');
  for (let round = 0; round < 20; round++) {
    const memory = SharedMemory.create({ name: freshName(), size: 1 << 20 });
    const view = memory.array('uint8');
    const isRead = new Promise<void>((resolve) => {
      read(file, view, 0, view.length, 0, () => resolve());
    });
    memory.unlink();
    memory.close();
    await isRead;
  }
  closeSync(file);
});

define('finalizers harm nobody, in a detach or later', async () => {
  for (let round = 0; round < 2000; round++) {
    const memory = SharedMemory.create({ size: 4096, sparse: true });
    memory.unlink();
    assert.equal(memory.array('uint8').length, 4096);
    // Some are closed, which detaches their buffers. Others are left to the garbage collector.
    if (round % 3) memory.close();
    if (round % 500 === 0) {
      collectGarbage();
      await turn();
    }
  }
  collectGarbage();
});

define('what nobody closed is let go when it is collected', async () => {
  const name = freshName();
  SharedMemory.create({ name, size: 4096 }).close();
  (() => {
    SharedMemory.attach(name);
    SharedMemory.attach(name).array('uint8').fill(1);
  })();
  await collectedUntil(() => mappings(name) === 0);
  SharedMemory.unlink(name);

  NamedLock.create({ name }).close();
  (() => NamedLock.attach(name).acquireSync().release())();
  await collectedUntil(() => mappings(name) === 0);
  NamedLock.unlink(name);
});

define('a view keeps the memory of a segment that is forgotten', async () => {
  const name = freshName();
  SharedMemory.create({ name, size: 4096 }).close();
  const other = SharedMemory.attach(name);
  const view = (() => SharedMemory.attach(name).array('uint8'))();
  for (let i = 0; i < 10; i++) {
    collectGarbage();
    await turn();
  }
  view[9] = 4;
  assert.equal(other.array('uint8')[9], 4);
  other.unlink();
  other.close();
});

for (const manner of ['blocking', 'async'] as const) {
  for (const being of ['process', 'worker'] as const) {
    define(`a held lock stays when all of it is collected (${being}, ${manner})`, async () => {
      const lock = NamedLock.create({ name: freshName() });
      const array = SharedArray.create({ name: freshName(), type: 'int32', length: 4 });
      const names = { lock: lock.name, array: array.name, manner };
      const peer = await Peer[being]<NamedLockHandle>(lock);
      const outcome = await peer.run(
        async ({ shmkit, collect }, given: { lock: string; array: string; manner: string }) => {
          const forget = async () => {
            const held = shmkit.NamedLock.attach(given.lock);
            const numbers = shmkit.SharedArray.attach(given.array);
            if (given.manner === 'async') {
              await held.acquire();
              await numbers.lock.acquire();
            } else {
              held.acquireSync();
              numbers.lock.acquireSync();
            }
            numbers.array[0] = 1;
          };
          await forget();
          for (let i = 0; i < 20; i++) {
            collect();
            await new Promise((resolve) => setTimeout(resolve, 1));
          }
          return 'collected';
        },
        names,
      );
      assert.equal(outcome, 'collected');
      assert.deepEqual([lock.tryAcquire(), array.lock.tryAcquire()], [null, null]);
      await peer.end();
      assert.equal(lock.acquireSync({ timeout: 60_000 }).abandoned, true);
      const guard = await array.lock.acquire({ timeout: 60_000 });
      assert.equal(guard.abandoned, true);
      lock.release();
      guard.release();
      for (const object of [lock, array]) {
        object.unlink();
        object.close();
      }
    });
  }
}

define('a process exits well with everything open', async () => {
  const memory = SharedMemory.create({ name: freshName(), size: 4096 });
  const peer = await Peer.process(memory);
  const { outcome } = await peer.begin('async', ({ shared, shmkit, kept }) => {
    shared.array('uint8').fill(2);
    const { name } = shared;
    void shmkit.NamedLock.open(name).acquire();
    void shmkit.NamedEvent.open(name).wait();
    shmkit.SharedDict.open(name).set('a', kept);
    shmkit.SharedQueue.open(name)
      .get()
      .catch(() => undefined);
    process.exit(0);
  });
  await assert.rejects(outcome);
  assert.equal(await peer.exit, 0);
  assert.equal(memory.array('uint8')[5], 2);
  for (const kind of [SharedMemory, NamedLock, NamedEvent, SharedDict, SharedQueue]) {
    kind.unlink(memory.name);
  }
  memory.close();
});
