// Every channel between threads and processes delivers a shared object as its handle.
import { fork, type SerializationType } from 'node:child_process';
import { once } from 'node:events';
import { inspect } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import {
  BroadcastChannel,
  MessageChannel,
  Worker,
  receiveMessageOnPort,
} from 'node:worker_threads';
import {
  NamedCondition,
  NamedLock,
  NamedRLock,
  NamedRWLock,
  NamedSemaphore,
  SharedQueue,
  SharedValue,
  attach,
  type Handle,
} from 'shmkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { handlesOf, makeAll, removeAll, type Any } from '../fixtures/clones/kinds';
import type { Parcel, Reply } from '../fixtures/clones/open';
import { fixturePath } from '../support/children';

const fixture = fixturePath('clones/clones');

async function byChild(parcel: object, serialization: SerializationType): Promise<Reply> {
  const child = fork(fixture, { execArgv: [], serialization });
  const reply = once(child, 'message');
  const exit = once(child, 'exit');
  child.send(parcel);
  const [message] = (await reply) as [Reply];
  await exit;
  return message;
}

async function byWorker(
  workerData: object,
  exchange: (worker: Worker) => Promise<Reply>,
): Promise<Reply> {
  const worker = new Worker(fixture, { workerData });
  const exit = once(worker, 'exit');
  const reply = await exchange(worker);
  await exit;
  return reply;
}

const heard = async (from: Worker) => ((await once(from, 'message')) as [Reply])[0];

/** How a parcel gets to others, who attach to the objects in it, and back. */
const channels: Record<string, (parcel: Parcel) => Promise<Reply>> = {
  'child.send as JSON': (parcel) => byChild(parcel, 'json'),
  'child.send by the advanced serialization': (parcel) => byChild(parcel, 'advanced'),
  workerData: (parcel) => byWorker({ parcel }, heard),
  postMessage: (parcel) =>
    byWorker({}, (worker) => {
      worker.postMessage(parcel);
      return heard(worker);
    }),
  BroadcastChannel: (parcel) => {
    const broadcast = `clones-${process.pid}`;
    return byWorker({ broadcast }, async (worker) => {
      const channel = new BroadcastChannel(broadcast);
      await once(worker, 'message');
      const reply = new Promise<Reply>((resolve) => {
        channel.onmessage = (message) => resolve((message as { data: Reply }).data);
      });
      channel.postMessage(parcel);
      return reply.finally(() => channel.close());
    });
  },
};

/** How a value is copied without leaving this thread. */
const copies: Record<string, (value: object) => unknown> = {
  JSON: (value) => JSON.parse(JSON.stringify(value)) as unknown,
  structuredClone: (value) => structuredClone(value),
  'v8.serialize': (value) => deserialize(serialize(value)) as unknown,
  MessagePort: (value) => {
    const { port1, port2 } = new MessageChannel();
    port1.postMessage(value);
    const copy = (receiveMessageOnPort(port2) as { message: unknown }).message;
    port1.close();
    return copy;
  },
  'Object.assign': (value) => structuredClone(Object.assign({}, value)),
};

describe('shared objects', () => {
  let objects: Record<string, Any>;
  let handles: Record<string, Handle>;

  beforeEach(() => {
    objects = makeAll();
    handles = handlesOf(objects);
  });

  afterEach(() => removeAll(objects));

  it.each(Object.keys(channels))('come as handles, and are attached to: by %s', async (channel) => {
    const reply = await channels[channel]!({ objects } as unknown as Parcel);
    expect(JSON.parse(reply.came)).toStrictEqual(handles);
    const all = Object.keys(objects);
    expect(reply.areThey).toEqual(Object.fromEntries(all.map((kind) => [kind, true])));
    const classes = Object.entries(objects).map(([kind, { constructor }]) => [
      kind,
      constructor.name,
    ]);
    expect(reply.classes).toEqual(Object.fromEntries(classes));
    expect(reply.objects).toStrictEqual(handles);
  });

  it.each(Object.keys(copies))('are copied as their handles by %s', (name) => {
    const copy = copies[name]!;
    for (const [kind, object] of Object.entries(objects)) {
      expect([kind, copy(object)]).toStrictEqual([kind, handles[kind]]);
      expect([kind, copy({ in: [object] })]).toStrictEqual([kind, { in: [handles[kind]] }]);
    }
  });

  it('have the properties of their handles, which cannot be assigned, and no others', () => {
    for (const [kind, object] of Object.entries(objects)) {
      const keys = Object.keys(handles[kind]!);
      expect([kind, Reflect.ownKeys(object)]).toEqual([kind, keys]);
      for (const key of keys) {
        expect(() => Object.assign(object, { [key]: 'x' }), kind).toThrow(TypeError);
      }
    }
  });

  it('are attached to by themselves and by copies, however often copied', () => {
    for (const [kind, object] of Object.entries(objects)) {
      for (const handle of [object, structuredClone(object), structuredClone(object.toJSON())]) {
        using again = attach(handle as Handle);
        expect([kind, again.constructor]).toEqual([kind, object.constructor]);
        expect([kind, again.toJSON()]).toStrictEqual([kind, handles[kind]]);
      }
    }
  });

  it('show people their class and their handle', () => {
    for (const object of Object.values(objects)) {
      const { compact, breakLength } = { compact: true, breakLength: Infinity };
      const shown = inspect(object, { compact, breakLength, depth: 9 });
      expect(shown.startsWith(`${object.constructor.name} {`)).toBe(true);
      expect(shown).toContain(`name: '${object.name}'`);
      expect(shown.length).toBeLessThan(200);
    }
  });
});

describe('what belongs to one thread', () => {
  it('is copied as an object without properties: guards, and locks of other objects', () => {
    using lock = NamedLock.create();
    using rlock = NamedRLock.create();
    using semaphore = NamedSemaphore.create();
    using rwlock = NamedRWLock.create();
    using value = SharedValue.create({ type: 'int8' });
    using condition = NamedCondition.create();
    const guards = [
      lock.acquireSync(),
      rlock.acquireSync(),
      semaphore.acquireSync(),
      rwlock.acquireReadSync(),
      value.lock.acquireSync(),
    ];
    for (const each of [...guards, value.lock, condition.lock]) {
      expect(Reflect.ownKeys(each)).toEqual([]);
      expect(structuredClone(each)).toStrictEqual({});
    }
    for (const guard of guards) guard.release();
    for (const each of [lock, rlock, semaphore, rwlock, value, condition]) each.unlink();
  });

  it('is copied as data: an item of a queue', () => {
    using lock = NamedLock.create();
    using queue = SharedQueue.create();
    queue.putSync({ n: 1, lock });
    const item = queue.takeSync();
    const data = { value: { n: 1, lock: lock.toJSON() }, isOfferedAgain: false };
    expect(structuredClone(item)).toStrictEqual(data);
    item.ack();
    queue.unlink();
    lock.unlink();
  });
});
