import { SharedQueue, SharedValue, attach, type QueueItem } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { expectCode, expectRejection } from '../../support/errors';
import { uniqueName } from '../../support/names';
import { Peer, ends, forms, inForm } from '../../support/peers';
import { temporary, timed, until } from '../../support/temporaries';

describe('items', () => {
  it('are taken in the order in which they were put', async () => {
    using queue = temporary(SharedQueue.create<number>());
    for (let i = 0; i < 100; i++) queue.putSync(i);
    expect([queue.size, queue.unfinished]).toEqual([100, 100]);
    for (let i = 0; i < 50; i++) expect(queue.getSync()).toBe(i);
    for (let i = 50; i < 99; i++) expect(await queue.get()).toBe(i);
    expect(queue.tryGet()).toBe(99);
    expect(queue.tryGet()).toBeUndefined();
    expect(queue.tryTake()).toBeNull();
    expect([queue.size, queue.unfinished, queue.bytesUsed]).toEqual([0, 100, 0]);
  });

  it('are anything that can be cloned', async () => {
    using queue = temporary(SharedQueue.create());
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    const values: unknown[] = [
      undefined,
      null,
      true,
      -0,
      NaN,
      12n,
      '',
      'żółw',
      '\ud800',
      'x'.repeat(100_000),
      { a: [1, { b: new Date(3) }], c: new Map([[1, new Set(['x'])]]) },
      new Uint8Array([1, 2, 3]),
      new Float32Array([1.5]),
      cycle,
      /x/g,
    ];
    for (const value of values) {
      queue.putSync(value);
      expect(queue.getSync()).toStrictEqual(value);
      await queue.put(value);
      using item = await queue.take();
      expect(item.value).toStrictEqual(value);
      item.ack();
    }
  });

  it('may be of megabytes, as bytes', () => {
    using queue = temporary(SharedQueue.create<Uint8Array>());
    for (const length of [0, 1, 7, 8, 4096, 3_000_001]) {
      const bytes = Uint8Array.from({ length }, (_, i) => i * 7);
      queue.putSync(bytes);
      queue.putSync(Buffer.from(bytes));
      expect(Buffer.compare(queue.getSync(), bytes)).toBe(0);
      const copy = queue.getSync();
      expect(Reflect.getPrototypeOf(copy)).toBe(Uint8Array.prototype);
      expect(Buffer.compare(copy, bytes)).toBe(0);
      // The value is a copy of its own: later puts do not change it.
      queue.putSync(new Uint8Array(length).fill(255));
      expect(Buffer.compare(copy, bytes)).toBe(0);
      queue.clear();
    }
  });

  it('may be shared objects, which come back attached', () => {
    using queue = temporary(SharedQueue.create<SharedValue<'int32'>>());
    using value = temporary(SharedValue.create({ type: 'int32', value: 7 }));
    queue.putSync(value);
    using again = queue.getSync();
    again.add(1);
    expect(value.value).toBe(8);
    using other = attach(queue.toJSON());
    expect(other).toBeInstanceOf(SharedQueue);
  });

  it('of many producers reach many consumers once each, and those of one in their order', async () => {
    const each = 400;
    using queue = temporary(SharedQueue.create<[number, number]>({ maxSize: 10 }));
    const producers = await Promise.all([0, 1, 2].map(() => Peer.start(queue)));
    const got: [number, number][] = [];
    const consume = async (): Promise<void> => {
      for await (const item of queue) got.push(item);
    };
    const consumers = [consume(), consume()];
    await Promise.all(
      producers.map(async (producer, who) => {
        for (let i = 0; i < each; i++) expect(await producer.call('put', [who, i])).toBe('fine');
      }),
    );
    queue.shutdown();
    await Promise.all(consumers);
    for (let who = 0; who < 3; who++) {
      const its = got.filter(([from]) => from === who).map(([, i]) => i);
      expect(its).toEqual(Array.from({ length: each }, (_, i) => i));
    }
  });
});

describe.each(forms)('waiting, %s,', (form) => {
  it('for room lasts until a capacity has some', async () => {
    using queue = temporary(SharedQueue.create<string>({ capacity: 1 << 16 }));
    const peer = await Peer.start(queue);
    const large = 'x'.repeat(10_000);
    let count = 0;
    while (queue.tryPut(large)) count++;
    expect(count).toBeGreaterThan(2);
    const { outcome } = await peer.begin(inForm(form, 'put'), large);
    queue.getSync();
    queue.getSync();
    expect(await outcome).toBe('fine');
    expect(queue.size).toBe(count - 1);
  });

  it('is over in time, and lasts so long', async () => {
    using queue = temporary(SharedQueue.create<string>({ maxSize: 1 }));
    const verbs = queue as unknown as Record<string, (...args: unknown[]) => unknown>;
    const wait = (method: string, ...args: unknown[]) => verbs[inForm(form, method)]!(...args);
    for (const method of ['get', 'take']) {
      const took = await timed(async () => {
        if (form === 'sync')
          expectCode(() => wait(method, { timeout: 30 }), 'ERR_TIMEOUT', queue.name);
        else await expectRejection(wait(method, { timeout: 30 }) as Promise<void>, 'ERR_TIMEOUT');
      });
      expect(took).toBeGreaterThanOrEqual(30);
    }
    queue.putSync('1');
    const put = () => wait('put', '2', { timeout: 20 });
    if (form === 'sync') expectCode(put, 'ERR_TIMEOUT', '20 ms');
    else await expectRejection(put() as Promise<void>, 'ERR_TIMEOUT', '20 ms');
    const join = () => wait('join', { timeout: 20 });
    if (form === 'sync') expectCode(join, 'ERR_TIMEOUT', '1 items');
    else await expectRejection(join() as Promise<void>, 'ERR_TIMEOUT', '1 items');
    expect(queue.size).toBe(1);
  });

  it('for all to be done lasts until it is', async () => {
    using queue = temporary(SharedQueue.create<number>());
    const peer = await Peer.start(queue);
    for (let i = 0; i < 3; i++) queue.putSync(i);
    const { outcome } = await peer.begin(inForm(form, 'join'));
    queue.getSync();
    queue.taskDone();
    using item = queue.takeSync();
    item.ack();
    queue.clear();
    expect(queue.unfinished).toBe(0);
    expect(await outcome).toBe('fine');
    expectCode(() => queue.taskDone(), 'ERR_NOT_HELD', queue.name, '0 items');
    queue.joinSync();
    await queue.join();
  });
});

describe('tasks that wait', () => {
  it('are served in their order, and called off', async () => {
    using queue = temporary(SharedQueue.create<number>());
    const abort = new AbortController();
    const order: string[] = [];
    const tasks = ['a', 'b', 'c'].map(async (who) => {
      const signal = who === 'b' ? abort.signal : undefined;
      order.push(`${who}${await queue.get(signal ? { signal } : {})}`);
    });
    expect(queue.tryGet()).toBeUndefined();
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(tasks[1]).rejects.toBe(reason);
    queue.putSync(1);
    expect(queue.tryGet(), 'it is for one who waits').toBeUndefined();
    await queue.put(2);
    await Promise.all([tasks[0], tasks[2]]);
    expect(order).toEqual(['a1', 'c2']);
    await expect(queue.get({ signal: abort.signal })).rejects.toBe(reason);
    await expect(queue.put(3, { signal: abort.signal })).rejects.toBe(reason);
    expect(queue.size).toBe(0);
  });

  it('with something to put keep what it was, whatever becomes of it', async () => {
    using queue = temporary(SharedQueue.create({ maxSize: 1 }));
    await queue.put(0);
    const value = { n: 1 };
    const bytes = new Uint8Array([1]);
    const puts = [queue.put(value), queue.put(bytes), queue.put('text')];
    value.n = 2;
    bytes[0] = 2;
    expect(await queue.get()).toBe(0);
    expect(await queue.get()).toEqual({ n: 1 });
    expect(await queue.get()).toEqual(new Uint8Array([1]));
    expect(await queue.get()).toBe('text');
    await Promise.all(puts);
  });

  it('are given up when their handle is closed', async () => {
    const queue = SharedQueue.create<number>({ maxSize: 1 });
    using other = SharedQueue.attach<number>(queue.name);
    const got = queue.get();
    const joined = (async () => {
      other.putSync(1);
      expect(await got).toBe(1);
      other.putSync(2);
      return Promise.allSettled([queue.put(3), queue.join()]);
    })();
    await until(() => other.size === 1 && other.unfinished === 2);
    queue.unlink();
    await new Promise(setImmediate);
    queue.close();
    const codes = (await joined).map((each) => (each as PromiseRejectedResult).reason as object);
    expect(codes).toMatchObject([{ code: 'ERR_CLOSED' }, { code: 'ERR_CLOSED' }]);
    expectCode(() => queue.putSync(1), 'ERR_CLOSED', queue.name);
    expectCode(() => queue.size, 'ERR_CLOSED');
    expect(other.getSync()).toBe(2);
  });
});

describe('an item that was taken', () => {
  it('is nobody else’s until it is given back, and then in its old place', () => {
    using queue = temporary(SharedQueue.create<number>());
    for (let i = 0; i < 4; i++) queue.putSync(i);
    const items = [queue.takeSync(), queue.takeSync(), queue.takeSync()];
    expect(items.map(({ value }) => value)).toEqual([0, 1, 2]);
    expect([queue.size, queue.unfinished]).toEqual([1, 4]);
    items[1]!.giveBack();
    expectCode(() => items[1]!.ack(), 'ERR_NOT_HELD', queue.name);
    items[2]![Symbol.dispose]();
    items[2]![Symbol.dispose]();
    using again = queue.takeSync();
    expect([again.value, again.isOfferedAgain]).toEqual([1, true]);
    expect([queue.getSync(), queue.getSync(), queue.size]).toEqual([2, 3, 0]);
    items[0]!.ack();
    expectCode(() => items[0]!.giveBack(), 'ERR_NOT_HELD', queue.name);
    expect(queue.unfinished).toBe(3);
    again.ack();
    expect(queue.bytesUsed).toBe(0);
  });

  it('keeps its handle open', () => {
    const queue = SharedQueue.create<number>();
    queue.putSync(1);
    const item = queue.takeSync();
    expectCode(() => queue.close(), 'EBUSY', queue.name, '1 items');
    item.ack();
    queue.unlink();
    queue.close();
    item[Symbol.dispose]();
  });

  it.each(ends)('is offered again when its consumer is gone: %s', async (end) => {
    using queue = temporary(SharedQueue.create<string>());
    const consumer = await Peer.startFor(end, queue);
    for (const value of ['1', '2', '3']) queue.putSync(value);
    expect(await consumer.call('takeSync')).toEqual({ item: '1' });
    expect(await consumer.call('take')).toEqual({ item: '2' });
    expect(await consumer.call('get')).toBe('3');
    expect(queue.tryTake()).toBeNull();
    const waits = [queue.take(), queue.get()] as const;
    await consumer.endBy(end);
    const item = await waits[0];
    expect([item.value, item.isOfferedAgain]).toEqual(['1', true]);
    item.ack();
    expect(await waits[1]).toBe('2');
    expect([queue.size, queue.unfinished, queue.bytesUsed]).toEqual([0, 2, 0]);
  });

  it('is offered again to one who only tries, or blocks', async () => {
    using queue = temporary(SharedQueue.create<string>());
    for (const method of ['tryGet', 'getSync'] as const) {
      const consumer = await Peer.start(queue);
      queue.putSync(method);
      await consumer.call('take');
      await consumer.end();
      expect(queue[method]()).toBe(method);
    }
  });

  it('is found again when others were moved to make room', () => {
    using queue = temporary(SharedQueue.create<string>({ capacity: 1 << 20 }));
    const items: QueueItem<string>[] = [];
    const expected: string[] = [];
    for (let i = 0; i < 60; i++) {
      const value = `${i}`.padEnd(4000, '.');
      queue.putSync(value);
      if (i % 2 === 0) items.push(queue.takeSync());
      else expect(queue.getSync()).toBe(value);
      if (i % 8 === 7) items.shift()!.ack();
      else if (items.length > 0) expected.push(value);
    }
    for (const item of items.reverse()) item.ack();
    expect([queue.size, queue.bytesUsed]).toEqual([0, 0]);
  });
});

describe('iterating', () => {
  it('takes items until the queue is shut down and empty', async () => {
    using queue = temporary(SharedQueue.create<number>());
    const all: number[] = [];
    const loop = (async () => {
      for await (const n of queue) all.push(n);
    })();
    for (let i = 0; i < 10; i++) await queue.put(i);
    queue.shutdown();
    await loop;
    expect(all).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('by items acknowledges each when the next is asked for', async () => {
    using queue = temporary(SharedQueue.create<number>());
    for (let i = 0; i < 5; i++) queue.putSync(i);
    for await (const n of queue.items()) {
      expect(queue.unfinished).toBe(5 - n);
      if (n === 2) break;
    }
    expect([queue.size, queue.unfinished, queue.tryGet()]).toEqual([3, 3, 2]);
    const failing = async () => {
      for await (const n of queue.items()) throw new Error(String(n));
    };
    await expect(failing()).rejects.toThrow('3');
    expect(queue.tryGet()).toBe(3);
    queue.shutdown();
    const left: number[] = [];
    for await (const n of queue.items()) left.push(n);
    expect(left).toEqual([4]);
  });
});

describe('shutting down', () => {
  it('ends all waiting, and leaves what is there to be taken', async () => {
    using queue = temporary(SharedQueue.create<number>({ maxSize: 1 }));
    const peer = await Peer.start(queue);
    const blocked = await peer.begin('getSync');
    const waiting = expectRejection(queue.take(), 'ERR_SHUTDOWN', queue.name);
    queue.shutdown();
    expect(await blocked.outcome).toBe('ERR_SHUTDOWN');
    await waiting;
    expect(queue.isShutDown).toBe(true);
    expectCode(() => queue.putSync(1), 'ERR_SHUTDOWN', queue.name);
    expectCode(() => queue.tryPut(1), 'ERR_SHUTDOWN');
    await expectRejection(queue.put(1), 'ERR_SHUTDOWN');
    expectCode(() => queue.getSync(), 'ERR_SHUTDOWN', queue.name);
    expect(queue.tryGet()).toBeUndefined();

    using full = temporary(SharedQueue.create<number>({ maxSize: 1 }));
    full.putSync(1);
    const putting = full.put(2);
    full.shutdown();
    await expectRejection(putting, 'ERR_SHUTDOWN', full.name);
    expect(full.getSync()).toBe(1);
    expectCode(() => full.getSync(), 'ERR_SHUTDOWN');
  });

  it('waits for what a consumer has that may give it back', async () => {
    using queue = temporary(SharedQueue.create<number>());
    queue.putSync(1);
    const item = queue.takeSync();
    queue.shutdown();
    const waiting = queue.get();
    item.giveBack();
    expect(await waiting).toBe(1);
    await expectRejection(queue.get(), 'ERR_SHUTDOWN');
  });
});

describe('handles', () => {
  it('of one name lead to one queue', () => {
    const name = uniqueName('queue');
    using queue = SharedQueue.open<number>(name, { maxSize: 5, capacity: 100_000 });
    using other = SharedQueue.open<number>(name, { maxSize: 9 });
    expect([other.maxSize, other.capacity]).toEqual([5, queue.capacity]);
    expect(queue.capacity).toBeLessThan(100_000);
    using bare = temporary(SharedQueue.create());
    expect(bare.maxSize).toBeUndefined();
    expectCode(() => SharedQueue.create({ name }), 'EEXIST', name);
    expectCode(() => SharedValue.attach(name), 'ENOENT', name);
    queue.putSync(1);
    expect(other.getSync()).toBe(1);
    SharedQueue.unlink(name);
    expectCode(() => SharedQueue.attach(name), 'ENOENT', name);
    using again = SharedQueue.create({ name });
    expect(again.size).toBe(0);
    again.unlink();
  });
});

describe('bad input', () => {
  it.each([
    [{ capacity: 1000 }, 'ERR_OUT_OF_RANGE'],
    [{ capacity: '1' }, 'ERR_INVALID_ARG_TYPE'],
    [{ maxSize: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ maxSize: 1.5 }, 'ERR_OUT_OF_RANGE'],
    [{ participants: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ ack: true }, 'ERR_INVALID_ARG_VALUE'],
    [null, 'ERR_INVALID_ARG_TYPE'],
  ])('is refused of create: %o', (options, code) => {
    expectCode(() => SharedQueue.create(options as never), code);
  });

  it('is refused, and nothing is changed', async () => {
    using queue = temporary(SharedQueue.create({ capacity: 1 << 16, maxSize: 3 }));
    for (const value of [() => 1, Symbol('s'), { f: () => 1 }, [Symbol('x')]]) {
      expectCode(() => queue.putSync(value), 'ERR_INVALID_ARG_TYPE', 'value');
      expectCode(() => queue.tryPut(value), 'ERR_INVALID_ARG_TYPE', 'value');
      await expectRejection(queue.put(value), 'ERR_INVALID_ARG_TYPE', 'value');
    }
    const tooLarge = 'x'.repeat(1 << 16);
    expectCode(() => queue.putSync(tooLarge), 'ERR_CAPACITY', queue.name);
    expectCode(() => queue.tryPut(tooLarge), 'ERR_CAPACITY', queue.name);
    await expectRejection(queue.put(tooLarge), 'ERR_CAPACITY', queue.name);
    expectCode(() => queue.getSync({ timeout: -1 }), 'ERR_OUT_OF_RANGE');
    expectCode(() => queue.getSync({ signal: 1 } as never), 'ERR_INVALID_ARG_VALUE');
    await expectRejection(queue.get({ signal: 1 } as never), 'ERR_INVALID_ARG_TYPE');
    expectCode(() => queue.taskDone(0), 'ERR_OUT_OF_RANGE');
    expectCode(() => queue.taskDone(2.5), 'ERR_OUT_OF_RANGE');
    expect([queue.size, queue.unfinished, queue.bytesUsed]).toEqual([0, 0, 0]);
  });
});
