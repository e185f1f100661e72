// Objects that hold data, used by two processes.
import assert from 'node:assert/strict';
import {
  Manager,
  ShareableList,
  SharedArray,
  SharedDict,
  SharedList,
  SharedMemory,
  SharedMemoryError,
  SharedNamespace,
  SharedObject,
  SharedQueue,
  SharedValue,
  attach,
} from 'shmkit';
import { Skip, define, freshName } from './cases';
import { Peer } from './peers';

const code = (expected: string) => (error: unknown) =>
  error instanceof SharedMemoryError && error.code === expected;

define('SharedMemory between processes', async () => {
  const memory = SharedMemory.create({ name: freshName(), size: 64 });
  const peer = await Peer.process(memory);
  const numbers = memory.array('int32');
  numbers[3] = 7;
  const there = await peer.run(({ shared }) => {
    const theirs = shared.array('int32');
    theirs[4] = theirs[3]! + 1;
    shared.write(40, new Uint8Array([1, 2, 3]));
    return Array.from(shared.read(12, 4));
  });
  assert.deepEqual(there, [7, 0, 0, 0]);
  assert.equal(numbers[4], 8);
  assert.deepEqual(Array.from(memory.read(40, 3)), [1, 2, 3]);
  assert.equal(await peer.run(({ shared }) => Atomics.add(shared.array('int32'), 4, 2)), 8);
  assert.equal(Atomics.load(numbers, 4), 10);
  assert.equal(memory.buffer, memory.buffer);
  assert.ok(SharedMemory.list().some(({ name, size }) => name === memory.name && size === 64));
  const readOnly = SharedMemory.attach(memory.name, { readOnly: true });
  assert.equal(readOnly.array('int32')[4], 10);
  readOnly.close();
  await peer.run(({ shared }) => shared.unlink());
  assert.throws(() => memory.unlink(), code('ENOENT'));
  memory.close();
});

define('SharedValue between processes', async () => {
  for (const [type, one] of [
    ['int64', 1n],
    ['float64', 1],
  ] as const) {
    const value = SharedValue.create<'int64' | 'float64'>({ name: freshName(), type });
    const peer = await Peer.process(value);
    const adding = await peer.begin('async', ({ shared }) => {
      const number = shared as unknown as { add(delta: unknown): void; value: unknown };
      const unit = typeof number.value === 'bigint' ? 1n : 1;
      for (let i = 0; i < 1000; i++) number.add(unit);
    });
    for (let i = 0; i < 1000; i++) value.add(one);
    await adding.outcome;
    assert.equal(Number(value.value), 2000);
    value.value = typeof one === 'bigint' ? 0n : 0;
    const change = () => {
      value.add(one);
      value.notify();
    };
    const seen = await peer.waits(
      'blocking',
      ({ shared }) => Number(shared.waitSync(typeof shared.value === 'bigint' ? 0n : 0)),
      change,
    );
    assert.equal(seen, 1);
    const later = await peer.waits(
      'async',
      async ({ shared }) => Number(await shared.wait(typeof shared.value === 'bigint' ? 1n : 1)),
      change,
    );
    assert.equal(later, 2);
    value.unlink();
    value.close();
  }
});

define('SharedArray between processes', async () => {
  const array = SharedArray.create({ name: freshName(), type: 'int32', from: [1, 2, 3] });
  const peer = await Peer.process(array);
  assert.deepEqual(await peer.run(({ shared }) => [...shared].map(Number)), [1, 2, 3]);
  await peer.run(({ shared }) => void (shared.array[0] = 5));
  assert.equal(array.at(0), 5);
  assert.equal(array.compareExchange(0, 5, 6), 5);
  const change = () => {
    array.add(1, 10);
    array.notify();
  };
  assert.equal(await peer.waits('blocking', ({ shared }) => shared.waitSync(1, 2), change), 12);
  assert.equal(await peer.waits('async', ({ shared }) => shared.wait(1, 12), change), 22);
  array.lock.acquireSync();
  assert.equal(await peer.run(({ shared }) => shared.lock.tryAcquire()), null);
  array.lock.release();
  array.unlink();
  array.close();
});

define('ShareableList between processes', async () => {
  const from = [1, 'ä', null, true, 2.5, Buffer.from('bytes')];
  const list = ShareableList.create({ name: freshName(), from, lock: true });
  const peer = await Peer.process(list);
  assert.equal(await peer.run(({ shared }) => shared.at(1)), 'ä');
  await peer.run(({ shared }) => shared.set(0, 9));
  assert.equal(list.at(0), 9);
  list.set(2, null);
  assert.deepEqual(list.slice(0, 5), [9, 'ä', null, true, 2.5]);
  list.unlink();
  list.close();
});

define('SharedDict between processes', async () => {
  const dict = SharedDict.create({ name: freshName() });
  const peer = await Peer.process(dict);
  dict.set('a', { deep: [1, 'two', new Date(3), new Map([['k', 1n]])] });
  assert.equal(
    await peer.run(({ shared }) => {
      const { deep } = shared.get('a') as { deep: [number, string, Date, Map<string, bigint>] };
      return deep[1] + String(deep[2].getTime()) + String(deep[3].get('k'));
    }),
    'two31',
  );
  const adding = await peer.begin('async', ({ shared }) => {
    for (let i = 0; i < 500; i++) shared.add('n', 1);
  });
  for (let i = 0; i < 500; i++) dict.add('n', 1);
  await adding.outcome;
  assert.equal(dict.get('n'), 1000);
  // One of the two computes the value, and the other waits for it.
  const { outcome } = await peer.begin('async', ({ shared }) =>
    shared.getOrSet('made', () => new Promise((resolve) => setTimeout(resolve, 50, 'there'))),
  );
  const here = await dict.getOrSet('made', () => 'here');
  assert.equal(here, (await outcome).value);
  assert.deepEqual([...dict.keys()].sort(), ['a', 'made', 'n']);
  await peer.run(({ shared }) => shared.delete('a'));
  assert.equal(dict.has('a'), false);
  dict.unlink();
  dict.close();
});

define('Values of every kind, as structuredClone has them', async () => {
  class Point {
    x = 1;
  }
  class Points extends Map<unknown, unknown> {}
  const bytes = new Uint8Array([0, 1, 2, 3, 4, 5, 6, 7]).buffer;
  const values: Record<string, unknown> = {
    instance: new Point(),
    bare: Object.assign(Object.create(null) as object, { a: 1 }),
    boxed: [Object(1n), Object('s'), Object(-0)],
    map: new Points([[1, new Set([-0])]]),
    // eslint-disable-next-line no-sparse-arrays
    holes: [1, , -0, 'a\ud800'],
    views: [new Uint8Array(bytes, 0, 4), new DataView(bytes, 2, 3)],
    error: Object.assign(new TypeError('m', { cause: { deep: true } }), { code: 'E' }),
    big: [2n ** 70n, -(2n ** 63n)],
    match: /(?<x>b)/.exec('abc'),
  };
  const dict = SharedDict.create({ name: freshName() });
  for (const [key, value] of Object.entries(values)) {
    dict.set(key, value);
    const back = dict.get(key);
    if (key === 'error') continue;
    assert.deepEqual(back, structuredClone(value));
  }
  const [first, second] = dict.get('views') as [Uint8Array, DataView];
  assert.equal(first.buffer, second.buffer);
  const holes = dict.get('holes') as unknown[];
  assert.ok(!(1 in holes) && Object.is(holes[2], -0) && holes[3] === 'a\ud800');
  const { code, stack, cause } = dict.get('error') as Error & { code: string };
  assert.deepEqual([code, stack, cause], ['E', (values.error as Error).stack, { deep: true }]);
  for (const refused of [
    Promise.resolve(),
    new URL('http://x/'),
    new Proxy({}, {}),
    new WeakMap(),
  ]) {
    assert.throws(() => dict.set('a', [refused]), { code: 'ERR_INVALID_ARG_TYPE' });
  }
  const peer = await Peer.process(dict);
  const seen = await peer.run(({ shared }) => {
    const boxed = shared.get('boxed') as object[];
    const map = shared.get('map') as Map<number, Set<number>>;
    return [boxed.map(String), map.get(1)?.size, (shared.get('error') as { code: string }).code];
  });
  assert.deepEqual(seen, [['1', 's', '0'], 1, 'E']);
  dict.unlink();
  dict.close();
});

define('SharedList between processes', async () => {
  const list = SharedList.create({ name: freshName() });
  const peer = await Peer.process(list);
  list.push(1, 'two', { three: 3 });
  assert.deepEqual(await peer.run(({ shared }) => shared.toArray()), [1, 'two', { three: 3 }]);
  await peer.run(({ shared }) => shared.unshift('zero'));
  assert.equal(list.shift(), 'zero');
  assert.equal(list.pop() instanceof Object, true);
  assert.deepEqual(list.splice(0, 1, 'one', 'more'), [1]);
  assert.deepEqual([...list], ['one', 'more', 'two']);
  list.unlink();
  list.close();
});

define('SharedObject between processes', async () => {
  const value = () => ({ map: new Map([['a', 1n]]), numbers: new Float64Array(10_000).fill(0.5) });
  const object = SharedObject.create({ from: value() });
  const peer = await Peer.process(object);
  const sum = await peer.run(({ shared }) =>
    shared.value.numbers.reduce((all: number, each: number) => all + each, 0),
  );
  assert.equal(sum, 5000);
  assert.deepEqual(object.value, value());
  assert.equal(object.holders, 2);
  await peer.run(({ shared }) => shared.value.numbers.fill(1));
  assert.equal(object.value.numbers[0], 0.5);
  object.close();
  await peer.run(({ shared }) => shared.close());
  assert.throws(() => SharedObject.attach(object.name), { code: 'ENOENT' });
});

define('SharedObject of this runtime in Node, and one of Node here', async () => {
  const runtime = process.env.SHMKIT_SMOKE_RUNTIME ?? '';
  if (!('bun' in process.versions || 'deno' in process.versions)) throw new Skip('this is Node');
  if (runtime.includes('musl')) throw new Skip('Node here has another C library');
  const value = () => ({
    map: new Map<unknown, unknown>([['a', 1n]]),
    when: new Date(5),
    error: new RangeError('too far', { cause: [undefined, -0] }),
    numbers: new Float64Array(10_000).fill(0.5),
    short: Uint8Array.of(1, 2, 3),
  });
  const object = SharedObject.create({ name: freshName(), from: value() });
  const peer = await Peer.process(object, ['node', '--expose-gc']);
  const handle = await peer.run(({ shared, shmkit }, name: string) => {
    const { error, ...rest } = shared.value;
    const again = shmkit.SharedObject.create({
      name,
      from: { ...rest, error, said: `${String(error)} ${String(error.cause)}` },
      handOver: true,
    });
    again.close();
    shared.close();
    return again.toJSON();
  }, freshName());
  const back = attach(handle);
  const { said, error, ...rest } = back.value;
  const { error: expected, ...others } = value();
  assert.equal(said, 'RangeError: too far ,0');
  assert.deepEqual([error.message, error.cause], [expected.message, expected.cause]);
  assert.deepEqual(rest, others);
  back.close();
  object.close();
});

define('SharedObject out of a draft and a part of another', async () => {
  const inner = SharedObject.create({ name: freshName(), from: new Uint8Array(10_000).fill(3) });
  const draft = SharedObject.allocate({ name: freshName(), size: 10_000 });
  new Uint8Array(draft.buffer).fill(2);
  const object = draft.seal([inner.value.subarray(1, 5000), new Uint8Array(draft.buffer)]);
  assert.throws(() => draft.buffer, { code: 'ERR_CLOSED' });
  const peer = await Peer.process(object);
  const sums = await peer.run(({ shared }) =>
    shared.value.map((bytes: Uint8Array) => bytes.reduce((sum, each) => sum + each)),
  );
  assert.deepEqual(sums, [3 * 4999, 20_000]);
  assert.deepEqual(
    object.value.map((bytes) => bytes.length),
    [4999, 10_000],
  );
  object.close();
  inner.close();
  await peer.run(({ shared }) => shared.close());
});

define('SharedQueue between processes', async () => {
  const queue = SharedQueue.create({ name: freshName(), maxSize: 1 });
  const peer = await Peer.process(queue);
  const first = await peer.waits(
    'blocking',
    ({ shared }) => shared.getSync(),
    () => queue.putSync('first'),
  );
  assert.equal(first, 'first');
  const second = await peer.waits(
    'async',
    ({ shared }) => shared.get(),
    () => queue.put({ second: true }),
  );
  assert.deepEqual(second, { second: true });
  await peer.run(({ shared }) => shared.putSync(1));
  assert.equal(queue.tryPut(2), false);
  await peer.waits(
    'async',
    ({ shared }) => shared.put(2),
    () => assert.equal(queue.getSync(), 1),
  );
  const taken = await peer.run(async ({ shared, kept }) => {
    const item = await shared.take();
    kept.item = item;
    return item.value;
  });
  assert.equal(taken, 2);
  assert.equal(queue.tryTake(), null);
  await peer.end();
  const again = await queue.take();
  assert.deepEqual([again.value, again.isOfferedAgain], [2, true]);
  again.ack();
  assert.throws(() => queue.getSync({ timeout: 20 }), code('ERR_TIMEOUT'));
  queue.unlink();
  queue.close();
});

define('SharedNamespace between processes', async () => {
  const namespace = SharedNamespace.create({ name: freshName() });
  const peer = await Peer.process(namespace);
  namespace.values.x = 1;
  await peer.run(({ shared }) => {
    const { values } = shared as { values: Record<string, number> };
    values.y = values.x! + 1;
  });
  assert.deepEqual({ ...namespace.values }, { x: 1, y: 2 });
  namespace.unlink();
  namespace.close();
});

define('Manager between processes', async () => {
  const manager = Manager.create({ name: freshName() });
  const dict = manager.dict<number>('numbers');
  const lock = manager.lock('turn');
  const peer = await Peer.process(manager);
  lock.acquireSync();
  await peer.waits(
    'async',
    ({ shared }) =>
      shared.lock('turn').runExclusive(() => void shared.dict<number>('numbers').set('a', 1)),
    () => lock.release(),
  );
  assert.equal(dict.get('a'), 1);
  await peer.run(({ shared }) => void shared.list('made there').push(1));
  assert.deepEqual(manager.list('made there').toArray(), [1]);
  const environment = manager.env();
  const other = Manager.fromEnv({ ...process.env, ...environment });
  assert.equal(other.name, manager.name);
  other.close();
  manager.shutdown();
  assert.equal(
    await peer.run(({ shared, shmkit }) => {
      try {
        shmkit.SharedDict.attach(`${shared.name}.numbers`);
        return 'there';
      } catch (error) {
        return (error as { code: string }).code;
      }
    }),
    'ENOENT',
  );
  dict.close();
  lock.close();
  manager.close();
});

define('Manager goes with the process that owns it', async () => {
  const peer = await Peer.process();
  const name = freshName();
  const { outcome } = await peer.begin(
    'async',
    ({ shmkit }, managed: string) => {
      const manager = shmkit.Manager.create({ name: managed });
      manager.dict('d').set('a', 1);
      process.exit(0);
    },
    name,
  );
  await assert.rejects(outcome);
  assert.equal(await peer.exit, 0);
  assert.throws(() => Manager.attach(name), code('ENOENT'));
  assert.throws(() => SharedDict.attach(`/${name}/d`), code('ENOENT'));
});
