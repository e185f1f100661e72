// Several items at once: the same items as one by one, in the same order, and nothing lost where it ends early.
import { SharedQueue, SharedValue, type QueueItem } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { start } from '../../support/children';
import { expectCode, expectRejection } from '../../support/errors';
import { overwrite } from '../../support/poison';
import { onLinux } from '../../support/system';
import { temporary } from '../../support/temporaries';

/** Values of all forms and sizes, among them some that are too large for a batch. */
function values(count: number): unknown[] {
  return Array.from({ length: count }, (_, i) => {
    switch (i % 8) {
      case 0:
        return i;
      case 1:
        return `text ${i}`.repeat(i % 13);
      case 2:
        return { i, of: ['anything', i] };
      case 3:
        return '\u4e00'.repeat(i % 90);
      case 4:
        return undefined;
      case 5:
        return new Uint8Array(i % 200).fill(i);
      case 6:
        return i % 3 === 0 ? 'x'.repeat(4090 + (i % 20)) : null;
      default:
        return i % 5 === 0 ? new Float64Array(3000).fill(i) : i % 2 === 0;
    }
  });
}

function queueOf<V = unknown>(options: Parameters<typeof SharedQueue.create>[0] = {}) {
  return temporary(SharedQueue.create<V>(options));
}

describe('putting', () => {
  it('appends all, in their order, whatever they are', () => {
    using queue = queueOf();
    const all = values(3000);
    queue.putManySync(all);
    expect([queue.size, queue.unfinished]).toEqual([all.length, all.length]);
    for (const value of all) expect(queue.getSync()).toEqual(value);
    expect([queue.size, queue.bytesUsed]).toEqual([0, 0]);
  });

  it('reads its values as it puts them, and waits for room as a put does', async () => {
    using queue = queueOf<number>({ maxSize: 10 });
    let read = 0;
    function* numbers() {
      for (; read < 20_000; read++) yield read;
    }
    const putting = queue.putMany(numbers());
    const got: number[] = [];
    expect(queue.size).toBe(10);
    expect(read).toBeLessThan(20_000);
    while (got.length < 20_000) got.push(...(await queue.getMany(7)));
    await putting;
    expect(got).toEqual(Array.from({ length: 20_000 }, (_, i) => i));
  });

  it.each([1 << 16, 1 << 17])('goes around in a ring of %s bytes', async (capacity) => {
    using queue = queueOf({ capacity });
    const all = values(4000);
    const putting = queue.putMany(all);
    for (let at = 0; at < all.length;) {
      const some = await queue.getMany(1 + (at % 50));
      expect(some).toEqual(all.slice(at, at + some.length));
      at += some.length;
    }
    await putting;
    expect(queue.size).toBe(0);
  });

  it('of what there is room for says how many', () => {
    using queue = queueOf<number>({ maxSize: 5 });
    expect(queue.tryPutMany([1, 2, 3])).toBe(3);
    expect(queue.tryPutMany([4, 5, 6])).toBe(2);
    expect(queue.tryPutMany([6])).toBe(0);
    expect(queue.tryPutMany([])).toBe(0);
    expect(queue.tryGetMany(9)).toEqual([1, 2, 3, 4, 5]);
    using small = queueOf<string>({ capacity: 1 << 16 });
    const texts = Array.from({ length: 100 }, (_, i) => `${i}`.padEnd(1000, '.'));
    const count = small.tryPutMany(texts);
    expect(count).toBeGreaterThan(20);
    expect(count).toBeLessThan(64);
    expect(small.tryGetMany(100)).toEqual(texts.slice(0, count));
  });

  it('leaves its turn to those who have waited longer', async () => {
    using queue = queueOf<number | string>({ maxSize: 1 });
    queue.putSync(0);
    const first = queue.put('first');
    const many = queue.putMany([1, 2]);
    expect(queue.tryPutMany([9])).toBe(0);
    const got: unknown[] = [];
    while (got.length < 4) got.push(await queue.get());
    expect(got).toEqual([0, 'first', 1, 2]);
    await Promise.all([first, many]);
  });

  it('says how many it has put if it ends early', async () => {
    using queue = queueOf({ maxSize: 3 });
    const putting = queue.putMany([1, 2, 3, 4, 5], { timeout: 30 });
    await expectRejection(putting, 'ERR_TIMEOUT', /; the first 3 of the values were put$/);
    await expect(putting).rejects.toMatchObject({ key: 3, resource: queue.name });
    expect(queue.tryGetMany(9)).toEqual([1, 2, 3]);
    expectCode(() => queue.putManySync([1, 2, 3, 4], { timeout: 10 }), 'ERR_TIMEOUT', queue.name);
    expect(queue.tryGetMany(9)).toEqual([1, 2, 3]);
    // The values before one that cannot be put are put.
    expect(() => queue.putManySync([1, 2, () => 3])).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_ARG_TYPE',
        message: expect.stringContaining('values[2]') as string,
      }),
    );
    expect(queue.tryGetMany(9)).toEqual([1, 2]);
    function* failing() {
      yield 1;
      throw new Error('mine');
    }
    await expect(queue.putMany(failing())).rejects.toThrow('mine');
    expect(queue.tryGetMany(9)).toEqual([1]);
    using small = queueOf({ capacity: 1 << 16 });
    expectCode(
      () => small.putManySync(['a', 'b', 'x'.repeat(1 << 17)]),
      'ERR_CAPACITY',
      '; the first 2 of the values were put',
    );
    small.shutdown();
    expectCode(() => small.putManySync(['c']), 'ERR_SHUTDOWN', '; none of the values were put');
    expect(small.tryGetMany(9)).toEqual(['a', 'b']);
  });

  it('can be aborted', async () => {
    using queue = queueOf<number>({ maxSize: 1 });
    const abort = new AbortController();
    const putting = queue.putMany([1, 2], { signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(putting).rejects.toThrow('enough');
    await expect(queue.putMany([3], { signal: abort.signal })).rejects.toThrow('enough');
    expect(queue.tryGetMany(9)).toEqual([1]);
    expect(queue.tryPut(4)).toBe(true);
  });

  it('closes the iterator that it does not read to its end', () => {
    using queue = queueOf<number>({ maxSize: 2 });
    let isClosed = false;
    function* numbers() {
      try {
        for (let i = 0; ; i++) yield i;
      } finally {
        isClosed = true;
      }
    }
    expectCode(() => queue.putManySync(numbers(), { timeout: 0 }), 'ERR_TIMEOUT', queue.name);
    expect(isClosed).toBe(true);
  });

  it('allows its iterator to use the queue', () => {
    using queue = queueOf();
    function* nested() {
      yield 1;
      queue.putSync('between');
      yield 2;
      queue.putManySync([3, 4]);
      yield queue.size;
    }
    queue.putManySync(nested());
    expect(queue.tryGetMany(9)).toEqual(['between', 3, 4, 1, 2, 3]);
    function* closing() {
      yield 1;
      queue.close();
      yield 2;
    }
    expectCode(() => queue.putManySync(closing()), 'ERR_CLOSED', queue.name);
  });

  it.each([[undefined], [null], [1], ['text'], [{}]])('refuses %s', (given) => {
    using queue = queueOf();
    for (const verb of ['putManySync', 'tryPutMany'] as const) {
      expect(() => queue[verb](given as never)).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
      );
    }
  });
});

describe('taking', () => {
  it('gives as many as there are, and waits for the first', async () => {
    using queue = queueOf<number>();
    queue.putManySync([1, 2, 3]);
    expect(queue.getManySync(2)).toEqual([1, 2]);
    expect(await queue.getMany(2)).toEqual([3]);
    const getting = queue.getMany(5);
    expect(queue.tryGetMany(5)).toEqual([]);
    expect(queue.tryTakeMany(5)).toEqual([]);
    queue.putManySync([4, 5]);
    expect(await getting).toEqual([4, 5]);
    const taking = queue.takeMany(2);
    queue.putManySync([6, 7, 8]);
    const items = await taking;
    expect(items.map(({ value }) => value)).toEqual([6, 7]);
    expect(queue.size).toBe(1);
    queue.ackMany(items);
    expect([queue.size, queue.unfinished]).toEqual([1, 6]);
    expectCode(() => (queue.getSync(), queue.getManySync(1, { timeout: 10 })), 'ERR_TIMEOUT');
    expectCode(() => queue.takeManySync(1, { timeout: 10 }), 'ERR_TIMEOUT');
    queue.shutdown();
    await expectRejection(queue.getMany(2), 'ERR_SHUTDOWN', queue.name);
    await expectRejection(queue.takeMany(2), 'ERR_SHUTDOWN', queue.name);
    for (const max of [0, -1, 1.5, NaN, '1', undefined]) {
      for (const verb of ['getManySync', 'tryGetMany', 'takeManySync', 'tryTakeMany'] as const) {
        expect(() => queue[verb](max as never)).toThrow(
          expect.objectContaining({ message: expect.stringContaining('max') as string }),
        );
      }
    }
  });

  it('lets each item be done or given back by itself', () => {
    using queue = queueOf<number>();
    queue.putManySync([0, 1, 2, 3, 4, 5]);
    const items = queue.takeManySync(5);
    items[3]!.giveBack();
    items[0]!.ack();
    queue.ackMany([items[1]!, items[4]!]);
    expect([queue.size, queue.unfinished]).toEqual([2, 3]);
    items[2]![Symbol.dispose]();
    const others = queue.tryTakeMany(9);
    expect(others.map(({ value, isOfferedAgain }) => [value, isOfferedAgain])).toEqual([
      [2, true],
      [3, true],
      [5, false],
    ]);
    queue.ackMany(others);
    for (const again of [items, [items[0]!], [items[3]!]]) {
      expectCode(() => queue.ackMany(again), 'ERR_NOT_HELD', queue.name);
    }
  });

  it('acknowledges only what was taken through the handle', () => {
    using queue = queueOf<number>();
    queue.putManySync([1, 2, 3]);
    using other = SharedQueue.attach<number>(queue.name);
    const [mine, theirs] = [queue.takeSync(), other.takeSync()];
    expectCode(() => queue.ackMany([mine, theirs]), 'ERR_NOT_HELD', 'another handle');
    for (const wrong of [[1], [null], [{}], [mine, { value: 1 }]]) {
      expect(() => queue.ackMany(wrong as unknown as QueueItem<number>[])).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
      );
    }
    expect(queue.unfinished).toBe(3);
    queue.ackMany([]);
    queue.ackMany(new Set([mine]));
    expect([queue.size, queue.unfinished]).toEqual([1, 2]);
    theirs.ack();
  });

  it('offers all of them again when their consumer is killed', async () => {
    using queue = queueOf<{ n: number }>();
    queue.putManySync([1, 2, 3, 4].map((n) => ({ n })));
    const child = start('queue/storm-holder', [queue.name, 3, true]);
    expect(await child.hear()).toEqual([1, 2, 3]);
    expect(queue.size).toBe(1);
    await child.kill();
    const items: QueueItem<{ n: number }>[] = [];
    while (items.length < 4) items.push(...(await queue.takeMany(9)));
    expect(items.map(({ value, isOfferedAgain }) => [value.n, isOfferedAgain]).sort()).toEqual([
      [1, true],
      [2, true],
      [3, true],
      [4, false],
    ]);
    queue.ackMany(items);
    expect(queue.unfinished).toBe(0);
  });

  it('tells those who wait for room, and for all to be done', async () => {
    using queue = queueOf<number>({ maxSize: 4 });
    queue.putManySync([1, 2, 3, 4]);
    const putting = queue.putMany([5, 6, 7, 8]);
    const items = queue.takeManySync(4);
    await putting;
    const more = queue.getManySync(4);
    expect(more).toEqual([5, 6, 7, 8]);
    const joined = queue.join();
    queue.taskDone(4);
    queue.ackMany(items);
    await joined;
  });
});

describe.runIf(onLinux)('values that are stored apart', () => {
  const large = (n: number) => new Float64Array(1000).fill(n);

  it('go with the others, in their order', () => {
    using queue = queueOf({ outOfBand: 4096 });
    const all = Array.from({ length: 40 }, (_, i) => (i % 3 === 0 ? large(i) : { i }));
    queue.putManySync(all);
    const items = queue.takeManySync(10);
    expect(items.map(({ value }) => value)).toEqual(all.slice(0, 10));
    queue.ackMany(items);
    const rest: unknown[] = [];
    while (rest.length < 30) {
      const some = queue.getManySync(30);
      expect(some.length).toBeGreaterThan(0);
      rest.push(...some);
    }
    expect(rest).toEqual(all.slice(10));
    expect([queue.size, queue.bytesUsed]).toEqual([0, 0]);
  });

  it('leave nothing if there is no room for them', () => {
    using queue = queueOf({ capacity: 1 << 16, outOfBand: 4096 });
    const all = Array.from({ length: 20 }, (_, i) => large(i));
    const count = queue.tryPutMany(all);
    expect(count).toBeGreaterThan(3);
    expect(count).toBeLessThan(20);
    expectCode(() => queue.putManySync(all, { timeout: 10 }), 'ERR_TIMEOUT', '; none of the');
    const items = queue.takeManySync(20);
    expect(items.map(({ value }) => value)).toEqual(all.slice(0, count));
    queue.ackMany(items);
    expect(queue.bytesUsed).toBe(0);
  });
});

describe('an item that cannot be read', () => {
  it.runIf(onLinux)('ends what was taken before it, and is told of next', () => {
    using queue = queueOf<string>();
    queue.putManySync(['one', 'two', 'MARKER', 'three']);
    const far = Buffer.from(Int32Array.of(2 ** 30).buffer);
    overwrite('queue', queue.name, 'MARKER', far, -12);
    expect(queue.getManySync(9)).toEqual(['one', 'two']);
    expectCode(() => queue.getManySync(9), 'ERR_CORRUPT', 'an item cannot be read', queue.name);
    expect(queue.getManySync(9)).toEqual(['three']);
    expect(queue.unfinished).toBe(3);
  });

  it('is taken like any other, to be acknowledged', () => {
    using queue = queueOf<object>();
    const gone = SharedValue.create({ type: 'int32' });
    queue.putManySync([{ a: 1 }, { gone }, { b: 2 }]);
    gone.unlink();
    gone.close();
    const items = queue.takeManySync(9);
    expect(items[0]!.value).toEqual({ a: 1 });
    expectCode(() => items[1]!.value, 'ENOENT', queue.name);
    expect(items[2]!.value).toEqual({ b: 2 });
    queue.ackMany(items);
    expect([queue.size, queue.unfinished]).toEqual([0, 0]);
  });
});

describe('items() with prefetch', () => {
  it('acknowledges each when the next is asked for, and gives back what it has not reached', async () => {
    using queue = queueOf<number>();
    queue.putManySync([1, 2, 3, 4, 5, 6]);
    const seen: number[] = [];
    for await (const value of queue.items({ prefetch: 4 })) {
      seen.push(value);
      if (value === 1) expect(queue.size).toBe(2);
      if (value === 3) break;
    }
    expect(seen).toEqual([1, 2, 3]);
    // The third was not acknowledged, because the next one was not asked for.
    expect([queue.size, queue.unfinished]).toEqual([4, 4]);
    queue.shutdown();
    for await (const value of queue.items({ prefetch: 100 })) seen.push(value);
    expect(seen).toEqual([1, 2, 3, 3, 4, 5, 6]);
    expect(queue.unfinished).toBe(0);
    for (const prefetch of [0, 1.5, '2']) {
      await expect(queue.items({ prefetch: prefetch as number }).next()).rejects.toThrow(
        /prefetch/,
      );
    }
  });
});
