// What participants of a manager see after it has ended, whichever process has ended it.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Manager, SharedDict, SharedMemoryError } from 'shmkit';
import { afterEach, describe, expect, it } from 'vitest';
import { start } from '../../support/children';
import { expectCode } from '../../support/errors';
import { uniqueName } from '../../support/names';
import { onWindows } from '../../support/system';

const closing: { close(): void }[] = [];

/** Closes the object after the test, whatever it holds. An ended manager does not prevent that. */
function closed<T extends { close(): void }>(object: T): T {
  closing.push(object);
  return object;
}

afterEach(() => {
  for (const each of closing.splice(0).reverse()) each.close();
});

/** All verbs of all objects that a manager provides. */
function verbs(manager: Manager): Record<string, () => unknown> {
  const memory = closed(manager.memory('memory', { size: 64 }));
  const lock = closed(manager.lock('lock'));
  const rlock = closed(manager.rlock('rlock'));
  const semaphore = closed(manager.semaphore('semaphore', { value: 3, max: 3 }));
  const event = closed(manager.event('event'));
  const condition = closed(manager.condition('condition'));
  const barrier = closed(manager.barrier('barrier', { parties: 2 }));
  const rwlock = closed(manager.rwlock('rwlock'));
  const value = closed(manager.value('value', { type: 'int32' }));
  const big = closed(manager.value('big', { type: 'int64' }));
  const float = closed(manager.value('float', { type: 'float64' }));
  const array = closed(manager.array('array', { type: 'uint8', length: 3 }));
  const dict = closed(manager.dict<number>('dict'));
  const list = closed(manager.list<number>('list'));
  const queue = closed(manager.queue<number>('queue'));
  const namespace = closed(manager.namespace<{ rate: number }>('namespace'));
  dict.set('a', 1);
  list.push(1, 2);
  queue.putSync(1);
  namespace.values.rate = 1;
  const one = { timeout: 1 };
  return {
    'memory.buffer': () => memory.buffer,
    'memory.array': () => memory.array('uint8'),
    'memory.read': () => memory.read(),
    'memory.write': () => memory.write(0, new Uint8Array(1)),
    'lock.acquireSync': () => lock.acquireSync(),
    'lock.acquireSync, timed': () => lock.acquireSync(one),
    'lock.acquire': () => lock.acquire(),
    'lock.tryAcquire': () => lock.tryAcquire(),
    'lock.locked': () => lock.locked,
    'lock.runExclusiveSync': () => lock.runExclusiveSync(() => 1),
    'lock.runExclusive': () => lock.runExclusive(() => 1),
    'rlock.acquireSync': () => rlock.acquireSync(),
    'rlock.acquire': () => rlock.acquire(),
    'rlock.tryAcquire': () => rlock.tryAcquire(),
    'semaphore.value': () => semaphore.value,
    'semaphore.acquireSync': () => semaphore.acquireSync(),
    'semaphore.acquire': () => semaphore.acquire(),
    'semaphore.tryAcquire': () => semaphore.tryAcquire(),
    'semaphore.release': () => semaphore.release(),
    'event.isSet': () => event.isSet,
    'event.set': () => event.set(),
    'event.clear': () => event.clear(),
    'event.wait': () => event.wait(one),
    'event.waitSync': () => event.waitSync(one),
    'condition.lock': () => condition.lock.acquireSync(),
    'condition.wait': () => condition.wait(one),
    'condition.waitSync': () => condition.waitSync(one),
    'condition.waitFor': () => condition.waitFor(() => true),
    'condition.notify': () => condition.notify(),
    'condition.notifyAll': () => condition.notifyAll(),
    'barrier.waiting': () => barrier.waiting,
    'barrier.broken': () => barrier.broken,
    'barrier.wait': () => barrier.wait(one),
    'barrier.waitSync': () => barrier.waitSync(one),
    'barrier.abort': () => barrier.abort(),
    'barrier.reset': () => barrier.reset(),
    'rwlock.readers': () => rwlock.readers,
    'rwlock.writing': () => rwlock.writing,
    'rwlock.acquireRead': () => rwlock.acquireRead(),
    'rwlock.acquireReadSync': () => rwlock.acquireReadSync(),
    'rwlock.tryAcquireRead': () => rwlock.tryAcquireRead(),
    'rwlock.acquireWrite': () => rwlock.acquireWrite(),
    'rwlock.acquireWriteSync': () => rwlock.acquireWriteSync(),
    'rwlock.tryAcquireWrite': () => rwlock.tryAcquireWrite(),
    'value.value': () => value.value,
    'value.value = 1': () => (value.value = 1),
    'value.add': () => value.add(1),
    'value.add of int64': () => big.add(1n),
    'value.add of float64': () => float.add(1),
    'value.exchange': () => value.exchange(1),
    'value.compareExchange': () => value.compareExchange(0, 1),
    'value.update': () => value.update((n) => n),
    'value.wait': () => value.wait(0, one),
    'value.waitSync': () => value.waitSync(0, one),
    'value.lock': () => value.lock.acquireSync(),
    'array.array': () => array.array,
    'array.at': () => array.at(0),
    'array.set': () => array.set(0, 1),
    'array.fill': () => array.fill(1),
    'array.slice': () => array.slice(),
    'array.add': () => array.add(0, 1),
    'array.exchange': () => array.exchange(0, 1),
    'array.compareExchange': () => array.compareExchange(0, 0, 1),
    'array.update': () => array.update(0, (n) => n),
    'array.lock': () => array.lock.acquireSync(),
    'for … of array': () => [...array],
    'dict.size': () => dict.size,
    'dict.bytesUsed': () => dict.bytesUsed,
    'dict.get': () => dict.get('a'),
    'dict.has': () => dict.has('a'),
    'dict.set': () => dict.set('a', 2),
    'dict.setIfAbsent': () => dict.setIfAbsent('b', 2),
    'dict.delete': () => dict.delete('a'),
    'dict.clear': () => dict.clear(),
    'dict.add': () => dict.add('a', 1),
    'dict.update': () => dict.update('a', () => 1),
    'dict.compareAndSet': () => dict.compareAndSet('a', 1, 2),
    'dict.getOrSet': () => dict.getOrSet('a', () => 1),
    'dict.getOrSetSync': () => dict.getOrSetSync('c', () => 1),
    'dict.keys': () => [...dict.keys()],
    'for … of dict': () => [...dict],
    'list.length': () => list.length,
    'list.at': () => list.at(0),
    'list.set': () => list.set(0, 1),
    'list.push': () => list.push(1),
    'list.pop': () => list.pop(),
    'list.shift': () => list.shift(),
    'list.unshift': () => list.unshift(1),
    'list.slice': () => list.slice(),
    'list.splice': () => list.splice(0, 1),
    'list.indexOf': () => list.indexOf(1),
    'list.includes': () => list.includes(1),
    'list.update': () => list.update(0, (n) => n),
    'list.add': () => list.add(0, 1),
    'list.compareAndSet': () => list.compareAndSet(0, 1, 2),
    'list.clear': () => list.clear(),
    'list.toArray': () => list.toArray(),
    'for … of list': () => [...list],
    'queue.size': () => queue.size,
    'queue.put': () => queue.put(1),
    'queue.putSync': () => queue.putSync(1),
    'queue.tryPut': () => queue.tryPut(1),
    'queue.get': () => queue.get(),
    'queue.getSync': () => queue.getSync(),
    'queue.tryGet': () => queue.tryGet(),
    'queue.take': () => queue.take(),
    'queue.takeSync': () => queue.takeSync(),
    'queue.tryTake': () => queue.tryTake(),
    'queue.taskDone': () => queue.taskDone(),
    'queue.join': () => queue.join(),
    'queue.joinSync': () => queue.joinSync(),
    'queue.clear': () => queue.clear(),
    'queue.items': () => queue.items().next(),
    'for await … of queue': () => queue[Symbol.asyncIterator]().next(),
    'namespace.values.rate': () => namespace.values.rate,
    'namespace.values.rate = 1': () => (namespace.values.rate = 1),
  };
}

/** The outcome of each verb: the code of its error. */
async function outcomesOf(all: Record<string, () => unknown>): Promise<Record<string, string>> {
  const outcomes: Record<string, string> = {};
  for (const [verb, act] of Object.entries(all)) {
    try {
      await act();
      outcomes[verb] = 'fine';
    } catch (error) {
      outcomes[verb] = String((error as SharedMemoryError).code);
    }
  }
  return outcomes;
}

const shutdown = (all: Record<string, unknown>) =>
  Object.fromEntries(Object.keys(all).map((verb) => [verb, 'ERR_SHUTDOWN']));

describe('when a manager has ended', () => {
  it('its owner’s shutdown() has told everything that was given, here', async () => {
    const manager = Manager.create();
    const member = closed(Manager.attach(manager.name));
    const all = { ...verbs(manager), ...prefixed('member’s ', verbs(member)) };
    manager.shutdown();
    expect(await outcomesOf(all)).toEqual(shutdown(all));
    expectCode(() => manager.dict('dict'), 'ERR_CLOSED');
    expectCode(() => member.dict('dict'), 'ERR_SHUTDOWN', member.name);
    expectCode(() => member.memory('new', { size: 1 }), 'ERR_SHUTDOWN', member.name);
  });

  it.skipIf(onWindows)(
    'its owner’s end has told everything that was given, elsewhere',
    async () => {
      const name = uniqueName('app');
      const owner = start('manager/owner', [name, 'stay']);
      expect(await owner.hear()).toBe('owns');
      const member = closed(Manager.attach(name));
      const all = verbs(member);
      const { signal } = member;
      expect([signal.aborted, signal]).toEqual([false, member.signal]);
      await owner.kill('SIGTERM');
      // This is true whether this thread has been notified or not.
      expect(await outcomesOf(all)).toEqual(shutdown(all));
      if (!signal.aborted) await once(signal, 'abort');
      expect(signal.reason).toBeInstanceOf(SharedMemoryError);
      expect(signal.reason).toMatchObject({ code: 'ERR_SHUTDOWN', resource: name });
      expectCode(() => member.dict('dict'), 'ERR_SHUTDOWN', name);
    },
  );

  it('those are told, too, to whom an object came by its handle', async () => {
    const manager = Manager.create();
    const dict = closed(manager.dict('dict'));
    dict.set('itself', dict);
    const nested = closed(dict.get('itself') as SharedDict);
    const attached = closed(SharedDict.attach(dict.name));
    const worker = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads');
       const { attach } = require(workerData.shmkit);
       const dict = attach(workerData.dict);
       dict.set('from a worker', 1);
       parentPort.postMessage('attached');
       parentPort.once('message', () => {
         try {
           parentPort.postMessage(dict.get('itself'));
         } catch (error) {
           parentPort.postMessage(error.code);
         }
       });`,
      { eval: true, workerData: { dict: dict.toJSON(), shmkit: require.resolve('shmkit') } },
    );
    // Node may tell of the end together with the last message.
    const exit = once(worker, 'exit');
    await once(worker, 'message');
    manager.shutdown();
    for (const each of [dict, nested, attached]) {
      expectCode(() => each.get('itself'), 'ERR_SHUTDOWN', dict.name);
      expectCode(() => each.set('a', 1), 'ERR_SHUTDOWN', dict.name);
    }
    worker.postMessage('look');
    expect(await once(worker, 'message')).toEqual(['ERR_SHUTDOWN']);
    await exit;
  });

  it('its signal tells of that, and of nothing else', async () => {
    const manager = Manager.create();
    const early = manager.signal;
    const member = Manager.attach(manager.name);
    const leaves = Manager.attach(manager.name);
    const { signal } = member;
    const left = leaves.signal;
    leaves.close();
    manager.shutdown();
    expect(early.aborted).toBe(true);
    if (!signal.aborted) await once(signal, 'abort');
    expect(left.aborted).toBe(false);
    expect(member.signal.aborted).toBe(true);
    member.close();
    const peer = Manager.open(uniqueName('app'));
    const last = peer.signal;
    peer.close();
    expect(last.aborted).toBe(true);
  });
});

/** Makes this thread participate in an object, and hold something of it. */
const partakes: Record<string, (manager: Manager) => { close(): void }> = {
  'a semaphore': (manager) => {
    const semaphore = manager.semaphore('partakes', { value: 1 });
    semaphore.acquireSync();
    return semaphore;
  },
  'a barrier': (manager) => {
    const barrier = manager.barrier('partakes', { parties: 2 });
    expectCode(() => barrier.waitSync({ timeout: 1 }), 'ERR_TIMEOUT');
    return barrier;
  },
  'a condition': (manager) => {
    const condition = manager.condition('partakes');
    condition.lock.acquireSync();
    expectCode(() => condition.waitSync({ timeout: 1 }), 'ERR_TIMEOUT');
    return condition;
  },
  'a lock that is read under': (manager) => {
    const lock = manager.rwlock('partakes');
    lock.acquireReadSync();
    return lock;
  },
  'a lock that is written under': (manager) => {
    const lock = manager.rwlock('partakes');
    lock.acquireWriteSync();
    return lock;
  },
  'a queue': (manager) => {
    const queue = manager.queue('partakes');
    queue.putSync(1);
    queue.takeSync();
    return queue;
  },
};

describe('who takes part when a manager ends', () => {
  it.each(Object.keys(partakes))('closes its handle as ever: %s', (kind) => {
    const manager = Manager.create();
    const object = partakes[kind]!(manager);
    manager.shutdown();
    expect(() => object.close()).not.toThrow();
  });
});

/** Sets up the objects of {@link waits} so that all waits fail for as long as this thread holds them. */
function holdAll(manager: Manager): void {
  closed(manager.lock('held')).acquireSync();
  closed(manager.rlock('held')).acquireSync();
  closed(manager.value('held', { type: 'int32' })).lock.acquireSync();
  closed(manager.semaphore('none', { value: 0 }));
  closed(manager.event('never'));
  closed(manager.condition('never'));
  closed(manager.barrier('never', { parties: 2 }));
  closed(manager.rwlock('held')).acquireWriteSync();
  closed(manager.queue('empty'));
  closed(manager.queue('full', { maxSize: 1 })).putSync(1);
}

const waits: Record<string, (manager: Manager) => Promise<unknown>> = {
  lock: (manager) => closed(manager.lock('held')).acquire(),
  'lock, with a timeout': (manager) => closed(manager.lock('held')).acquire({ timeout: 1e6 }),
  rlock: (manager) => closed(manager.rlock('held')).acquire(),
  'the lock of a value': (manager) => closed(manager.value('held')).lock.acquire(),
  semaphore: (manager) => closed(manager.semaphore('none')).acquire(),
  event: (manager) => closed(manager.event('never')).wait(),
  condition: async (manager) => {
    const condition = closed(manager.condition('never'));
    await condition.lock.acquire();
    await condition.wait();
  },
  barrier: (manager) => closed(manager.barrier('never')).wait(),
  'read lock': (manager) => closed(manager.rwlock('held')).acquireRead(),
  'a change of a value': (manager) => closed(manager.value('held')).wait(0),
  'an item': (manager) => closed(manager.queue('empty')).get(),
  'room for an item': (manager) => closed(manager.queue('full')).put(1),
  'all items': (manager) => closed(manager.queue('full')).join(),
};

describe('who waits when a manager ends', () => {
  it.each(Object.keys(waits))('is told, blocked in another process: %s', async (kind) => {
    const manager = Manager.create();
    holdAll(manager);
    const waiter = start('manager/waiter', [manager.name, kind]);
    expect(await waiter.hear()).toBe('waits');
    manager.shutdown();
    expect(await waiter.hear()).toBe('ERR_SHUTDOWN');
    await waiter.succeed();
  });

  it.each(Object.keys(waits).filter((kind) => kind !== 'rlock'))(
    'is told, awaiting in this thread: %s',
    async (kind) => {
      const manager = Manager.create();
      holdAll(manager);
      const member = closed(Manager.attach(manager.name));
      const outcome = waits[kind]!(member).then(
        () => 'fine',
        (error: unknown) => (error as SharedMemoryError).code,
      );
      manager.shutdown();
      expect(await outcome).toBe('ERR_SHUTDOWN');
    },
  );
});

function prefixed<T>(prefix: string, all: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(all).map(([key, value]) => [prefix + key, value]));
}
