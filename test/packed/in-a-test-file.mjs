// What a test file of a project sees. scripts/packaged puts several identical files that call this into a
// project, in the form that each test runner needs. A runner may give each file its own realm, in one
// thread.
/* global AbortController, Buffer -- those of the realm */

/** Values that must come back equal, and be instances of this realm's classes. */
const values = {
  'a plain object': () => ({ a: 1, b: [true, null, undefined, 'x'] }),
  'an array with a hole': () => Object.assign(new Array(3), { 0: 1, 2: 3 }),
  'a bigint, NaN and -0': () => [10n, NaN, -0],
  'a Map': () => new Map(Object.entries({ one: 1, inner: new Map() })),
  'a Set': () => new Set([1, new Set([2])]),
  'a Date': () => new Date(86_400_000),
  'a RegExp': () => /a+/gi,
  'an Error': () => new Error('wrong'),
  'a TypeError with a cause': () => new TypeError('wrong', { cause: new RangeError('why') }),
  'an AggregateError': () => new AggregateError([new Error('one')], 'all'),
  'an ArrayBuffer': () => Uint8Array.of(1, 2).buffer,
  'a DataView': () => new DataView(Uint8Array.of(1, 2).buffer, 1),
  'a Float64Array in an object': () => ({ a: new Float64Array([1, 2]) }),
  'typed arrays of numbers': () =>
    [
      ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array],
      ...[Int32Array, Uint32Array, Float32Array, Float64Array],
    ].map((Class) => Class.of(1, 2)),
  'typed arrays of bigints': () => [BigInt64Array.of(-1n), BigUint64Array.of(1n)],
  'objects of primitives': () => [1, 'x', true, 1n].map(Object),
};

/** The prototypes of a value, and of all values within it, in order. */
function prototypesOf(value, seen = []) {
  if (Object(value) !== value) return seen;
  seen.push(Object.getPrototypeOf(value));
  let parts = [];
  if (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype) {
    parts = Object.values(value);
  } else if (value instanceof Map) parts = [...value.values()];
  else if (value instanceof Set) parts = [...value];
  else if (value instanceof Error) parts = [value.cause, ...(value.errors ?? [])];
  for (const part of parts) prototypesOf(part, seen);
  return seen;
}

/** All files of a run share a dict and a lock by this name, and each file leaves them open. */
const { SHMKIT_TEST_NAME: name } = process.env;

/**
 * @param kit - the library, as the test file has loaded it
 * @param runner - its `test`, `expect` and `afterAll`
 */
export default function testKit(kit, { test, expect, afterAll }) {
  const dict = kit.SharedDict.create();
  const lock = kit.NamedLock.create();
  afterAll(() => {
    for (const each of [dict, lock]) {
      each.unlink();
      each.close();
    }
  });
  const thrown = (act) => {
    try {
      act();
    } catch (error) {
      return error;
    }
    return undefined;
  };

  for (const [what, make] of Object.entries(values)) {
    test(`a dict keeps ${what}`, () => {
      const value = make();
      dict.set('value', value);
      const got = dict.get('value');
      expect(got).toStrictEqual(value);
      const wanted = prototypesOf(value);
      expect(prototypesOf(got).map((found, i) => found === wanted[i])).toEqual(
        wanted.map(() => true),
      );
    });
  }

  test('a dict keeps the bytes of a Buffer', () => {
    dict.set('value', { bytes: Buffer.from('bytes') });
    expect(dict.get('value')).toStrictEqual({ bytes: new Uint8Array(Buffer.from('bytes')) });
    expect(dict.get('value').bytes).toBeInstanceOf(Uint8Array);
  });

  test('a list, a queue and a namespace keep objects of this realm', () => {
    const list = kit.SharedList.create();
    const queue = kit.SharedQueue.create();
    const namespace = kit.SharedNamespace.create();
    list.push({ a: [1] });
    queue.putSync(new Map([[1, 2]]));
    namespace.values.x = new Date(1);
    expect(list.at(0)).toStrictEqual({ a: [1] });
    expect(list.at(0)).toBeInstanceOf(Object);
    expect(queue.getSync()).toBeInstanceOf(Map);
    expect(namespace.values.x).toBeInstanceOf(Date);
    for (const each of [list, queue, namespace]) {
      each.unlink();
      each.close();
    }
  });

  test('toThrow(TypeError)', () => {
    expect(() => kit.NamedLock.attach(1)).toThrow(TypeError);
    expect(() => dict.set('f', () => 1)).toThrow(TypeError);
  });

  test('toThrow(RangeError)', () => {
    expect(() => kit.NamedSemaphore.create({ value: -1 })).toThrow(RangeError);
  });

  test('toThrow(Error) and toThrow(SharedMemoryError)', () => {
    const missing = () => kit.NamedLock.attach(`${name}-missing`);
    expect(missing).toThrow(Error);
    expect(missing).toThrow(kit.SharedMemoryError);
    expect(thrown(missing)).toMatchObject({ code: 'ENOENT', name: 'SharedMemoryError' });
  });

  test('instanceof', () => {
    expect(dict).toBeInstanceOf(kit.SharedDict);
    expect(dict).toBeInstanceOf(Object);
    expect(thrown(() => kit.NamedLock.attach(`${name}-missing`)) instanceof Error).toBe(true);
    expect(kit.NamedLock).toBeInstanceOf(Function);
  });

  test('a view of memory is a typed array', () => {
    const memory = kit.SharedMemory.create({ size: 16 });
    expect(memory.array('float64')).toBeInstanceOf(Float64Array);
    expect(memory.array('float64')).toStrictEqual(new Float64Array(2));
    memory.unlink();
    memory.close();
  });

  test('promises', async () => {
    const promise = lock.acquire();
    expect(promise).toBeInstanceOf(Promise);
    (await promise).release();
    const computed = dict.getOrSet('computed', () => Promise.resolve({ a: 1 }));
    expect(computed).toBeInstanceOf(Promise);
    await expect(computed).resolves.toStrictEqual({ a: 1 });
    await expect(lock.acquire({ timeout: -1 })).rejects.toThrow(RangeError);
  });

  test('an AbortSignal', async () => {
    const guard = lock.acquireSync();
    const controller = new AbortController();
    const waiting = lock.acquire({ signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await expect(lock.acquire({ signal: controller.signal })).rejects.toThrow(Error);
    guard.release();
  });

  test('a timeout', async () => {
    const guard = lock.acquireSync();
    await expect(lock.acquire({ timeout: 1 })).rejects.toMatchObject({ code: 'ERR_TIMEOUT' });
    guard.release();
  });

  test('a lock that this thread holds', () => {
    const guard = lock.acquireSync();
    const again = kit.NamedLock.attach(lock.name);
    expect(again.tryAcquire()).toBeNull();
    expect(thrown(() => again.acquireSync())).toMatchObject({ code: 'ERR_DEADLOCK' });
    guard.release();
    again.runExclusiveSync((held) => expect(held.abandoned).toBe(false));
    again.close();
  });

  test('handles', () => {
    const again = kit.attach(JSON.parse(JSON.stringify(lock)));
    expect(again).toBeInstanceOf(kit.NamedLock);
    again.close();
    dict.set('lock', lock);
    const kept = dict.get('lock');
    expect(kept).toBeInstanceOf(kit.NamedLock);
    kept.close();
  });

  test('a manager, and for await over a queue', async () => {
    const manager = kit.Manager.create();
    const queue = manager.queue('jobs');
    queue.putSync({ n: 1 });
    queue.shutdown();
    const all = [];
    for await (const item of queue) all.push(item);
    expect(all).toStrictEqual([{ n: 1 }]);
    manager.shutdown();
  });

  test('the dict and the lock that all files share', async () => {
    const common = kit.SharedDict.open(name);
    const commonLock = kit.NamedLock.open(name);
    const guard = await commonLock.acquire({ timeout: 60_000 });
    const before = common.get('files') ?? [];
    expect(before).toBeInstanceOf(Array);
    for (const each of before) expect(each).toStrictEqual({ by: 'a file', at: new Date(7) });
    common.set('files', [...before, { by: 'a file', at: new Date(7) }]);
    guard.release();
    expect(commonLock.held).toBe(false);
    expect(common.add('count', 1)).toBe(before.length);
  });
}
