// SharedDict's contract, with one process and with several.
import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import {
  NamedLock,
  SharedArray,
  SharedDict,
  SharedMemoryError,
  SharedValue,
  attach,
  type SharedDictOptions,
} from 'shmkit';
import { describe, expect, it } from 'vitest';
import { fixturePath, start, type Child } from '../../support/children';
import { expectCode, expectRejection } from '../../support/errors';
import { uniqueName } from '../../support/names';
import { onLinux, onWindows } from '../../support/system';

function temporary<V = unknown>(options: SharedDictOptions = {}): SharedDict<V> {
  const dict = SharedDict.create<V>({ name: uniqueName('dict'), ...options });
  return Object.assign(dict, {
    [Symbol.dispose]() {
      if (dict.closed) return;
      dict.unlink();
      dict.close();
    },
  });
}

async function peerOf(dict: SharedDict): Promise<(...order: unknown[]) => Promise<unknown>> {
  const child = start('dict/peer', [dict.name]);
  expect(await child.hear()).toBe('ready');
  return async (...order) => {
    child.tell(order);
    return child.hear();
  };
}

const keys = [
  '',
  'a',
  'grün',
  'żółw',
  '\u{1f98a}',
  'half \ud83d',
  '\0',
  'a\0',
  '__proto__',
  'x'.repeat(5000),
];

describe('as a Map', () => {
  it('has what was set, of any key and any value', () => {
    using dict = temporary();
    const values = [
      1,
      'text',
      'żółw',
      null,
      undefined,
      true,
      false,
      { a: [1, { b: 2 }] },
      5n,
      new Date(7),
    ];
    for (const [i, key] of keys.entries()) {
      expect(dict.has(key)).toBe(false);
      expect(dict.get(key)).toBeUndefined();
      expect(dict.set(key, values[i])).toBe(dict);
      expect(dict.has(key)).toBe(true);
      expect(dict.size).toBe(i + 1);
    }
    for (const [i, key] of keys.entries()) expect(dict.get(key)).toStrictEqual(values[i]);
    expect(new Map(dict)).toStrictEqual(new Map(keys.map((key, i) => [key, values[i]])));
  });

  it('replaces values by others of every kind, and keeps nothing of the old ones', () => {
    using dict = temporary();
    const used = dict.bytesUsed;
    const values = [
      1,
      2,
      'a',
      'b'.repeat(100),
      'ż',
      true,
      null,
      undefined,
      { x: 1 },
      3.5,
      false,
      -0,
      NaN,
    ];
    for (const before of values) {
      for (const after of values) {
        dict.set('key', before).set('key', after);
        expect(dict.get('key')).toStrictEqual(after);
      }
    }
    expect(dict.size).toBe(1);
    expect(dict.delete('key')).toBe(true);
    expect(dict.delete('key')).toBe(false);
    expect([dict.size, dict.bytesUsed]).toEqual([0, used]);
  });

  it('grows from none to many entries and back', () => {
    using dict = temporary<number>();
    const used = dict.bytesUsed;
    const n = 30_000;
    for (let i = 0; i < n; i++) dict.set(`key ${i}`, i);
    expect(dict.size).toBe(n);
    for (let i = 0; i < n; i++) if (dict.get(`key ${i}`) !== i) throw new Error(`key ${i}`);
    expect(dict.get(`key ${n}`)).toBeUndefined();
    expect(new Set(dict.keys()).size).toBe(n);
    for (let i = 0; i < n; i += 2) expect(dict.delete(`key ${i}`)).toBe(true);
    expect(dict.size).toBe(n / 2);
    dict.clear();
    expect([dict.size, dict.bytesUsed, [...dict]]).toEqual([0, used, []]);
    dict.set('again', 1);
    expect([...dict]).toEqual([['again', 1]]);
  });

  it('is iterated by keys, values, entries and forEach', () => {
    using dict = temporary<number>();
    dict.set('a', 1).set('b', 2);
    expect([...dict.keys()].sort()).toEqual(['a', 'b']);
    expect([...dict.values()].sort()).toEqual([1, 2]);
    expect([...dict.entries()].sort()).toEqual([...dict].sort());
    const seen: unknown[] = [];
    const that = {};
    dict.forEach(function (this: unknown, value, key, whole) {
      seen.push([this === that, key, value, whole === dict]);
    }, that);
    expect(seen.sort()).toEqual([
      [true, 'a', 1, true],
      [true, 'b', 2, true],
    ]);
    expect(Object.prototype.toString.call(dict)).toBe('[object SharedDict]');
  });

  it('shows each entry that stays exactly once, while others come and go and the table grows', () => {
    using dict = temporary<number>();
    const stays = Array.from({ length: 500 }, (_, i) => `stays ${i}`);
    for (const key of stays) dict.set(key, 1);
    for (let i = 0; i < 100; i++) dict.set(`goes ${i}`, 2);
    const seen = new Map<string, number>();
    let i = 0;
    for (const [key] of dict) {
      seen.set(key, (seen.get(key) ?? 0) + 1);
      dict.delete(`goes ${i}`);
      for (let n = 0; n < 20 && i < 100; n++) dict.set(`comes ${i} ${n}`, 3);
      i++;
    }
    expect(stays.filter((key) => seen.get(key) !== 1)).toEqual([]);
    expect([...seen.values()].every((times) => times === 1)).toBe(true);
  });

  it('that is cleared during an iteration ends it', () => {
    using dict = temporary<number>();
    for (let i = 0; i < 1000; i++) dict.set(`${i}`, i);
    const iterator = dict.keys();
    iterator.next();
    dict.clear();
    dict.set('new', 1);
    expect([...iterator].length).toBeLessThanOrEqual(20);
  });
});

describe('its own verbs', () => {
  it('add to a number, and say what it was', () => {
    using dict = temporary();
    expect([dict.add('n', 2), dict.add('n', 3), dict.get('n')]).toEqual([0, 2, 5]);
    dict.set('text', 'x');
    expectCode(() => dict.add('text', 1), 'ERR_INVALID_ARG_TYPE', 'text', 'number');
    expectCode(() => dict.add('n', '1' as never), 'ERR_INVALID_ARG_TYPE', 'delta');
    expect([dict.get('text'), dict.get('n')]).toEqual(['x', 5]);
  });

  it('update a value under the lock, by a function that may read and not change', () => {
    using dict = temporary<number>();
    dict.set('other', 10);
    expect(dict.update('n', (value) => (value ?? 0) + 1)).toBe(1);
    expect(dict.update('n', (value = 0) => value + (dict.get('other') ?? 0))).toBe(11);
    expect(() => dict.update('n', () => raise('no'))).toThrow('no');
    expectCode(() => dict.update('n', () => dict.add('n', 1)), 'ERR_DEADLOCK', dict.name);
    expectCode(() => dict.update('n', () => (dict.close(), 1)), 'EBUSY', dict.name);
    expect([dict.get('n'), dict.size]).toEqual([11, 2]);
    dict.add('n', 1);
    expect(dict.get('n')).toBe(12);
  });

  it('set a value only if there is none, or if it is what was expected', () => {
    using dict = temporary();
    expect([dict.setIfAbsent('a', 1), dict.setIfAbsent('a', 2), dict.get('a')]).toEqual([
      true,
      false,
      1,
    ]);
    expect(dict.compareAndSet('a', 2, 3)).toBe(false);
    expect(dict.compareAndSet('a', 1, { x: [1] })).toBe(true);
    expect(dict.compareAndSet('a', { x: [2] }, 4)).toBe(false);
    expect(dict.compareAndSet('a', { x: [1] }, 'żółw')).toBe(true);
    expect(dict.compareAndSet('a', 'żółw', 5)).toBe(true);
    expect(dict.compareAndSet('b', undefined, 6)).toBe(true);
    expect(dict.compareAndSet('b', undefined, 7)).toBe(false);
    expect([dict.get('a'), dict.get('b')]).toEqual([5, 6]);
  });

  it.each<[string, () => unknown]>([
    ['a Buffer of Node, which is a part of a pool', () => ({ text: Buffer.from('some bytes') })],
    ['two of them', () => [Buffer.from('one'), Buffer.from('two')]],
    ['two that overlap', () => twice(Buffer.from('some bytes'))],
    ['a part of an ArrayBuffer', () => [new Uint8Array(new ArrayBuffer(20), 5, 10)]],
    ['an ArrayBuffer that can grow', () => [growing(10)]],
  ])('compares what was read with what is there: %s', (_, make) => {
    using dict = temporary();
    dict.set('it', make());
    expect(dict.compareAndSet('it', dict.get('it'), 1)).toBe(true);
    dict.set('it', make());
    expect(dict.compareAndSet('it', make(), 2)).toBe(true);
    dict.set('it', make());
    expect(dict.compareAndSet('it', [Buffer.from('other')], 3)).toBe(false);
  });

  it('compute a value that is missing, once among all who ask for it at once', async () => {
    using dict = temporary<number>();
    let calls = 0;
    const compute = async () => {
      calls++;
      expect([dict.has('k'), dict.get('k'), dict.size, [...dict]]).toEqual([
        false,
        undefined,
        0,
        [],
      ]);
      await delay(20);
      return 7;
    };
    const all = await Promise.all(Array.from({ length: 10 }, () => dict.getOrSet('k', compute)));
    expect([all, calls, dict.get('k')]).toEqual([Array(10).fill(7), 1, 7]);
    expect(dict.getOrSetSync('k', () => raise('not called'))).toBe(7);
    expect(dict.getOrSetSync('other', (key) => key.length)).toBe(5);
    expect(dict.size).toBe(2);
  });

  it('let another compute when the function throws', async () => {
    using dict = temporary<number>();
    const failing = dict.getOrSet('k', async () => {
      await delay(10);
      throw new Error('no');
    });
    const waiting = dict.getOrSet('k', () => 2);
    await expect(failing).rejects.toThrow('no');
    expect(await waiting).toBe(2);
    dict.delete('k');
    expect(() => dict.getOrSetSync('k', () => raise('no'))).toThrow('no');
    expect([dict.has('k'), dict.getOrSetSync('k', () => 3)]).toEqual([false, 3]);
  });

  it('keep a value that is set while it is computed, and none that is deleted', async () => {
    using dict = temporary<number>();
    const computed = dict.getOrSet('k', async () => (await delay(10), 1));
    const deleted = dict.getOrSet('d', async () => (await delay(10), 1));
    dict.set('k', 2);
    expect(dict.delete('d')).toBe(false);
    expect([await computed, await deleted, dict.get('k'), dict.get('d')]).toEqual([
      1,
      1,
      2,
      undefined,
    ]);
  });

  it('wait no longer than they may', async () => {
    using dict = temporary<number>();
    let finish: (value: number) => void = () => undefined;
    const slow = dict.getOrSet('k', () => new Promise<number>((resolve) => (finish = resolve)));
    await delay(1);
    const signal = AbortSignal.timeout(5);
    await expectRejection(
      dict.getOrSet('k', () => 1, { timeout: 5 }),
      'ERR_TIMEOUT',
      'k',
    );
    const refused = dict.getOrSet('k', () => 1, { signal });
    const refusal: unknown = await refused.catch((error: unknown) => error);
    expect(refusal).toBe(signal.reason);
    expectCode(() => dict.getOrSetSync('k', () => 1), 'ERR_DEADLOCK', 'k');
    expectCode(() => dict.getOrSetSync('k', () => dict.getOrSetSync('k', () => 1)), 'ERR_DEADLOCK');
    finish(3);
    expect(await slow).toBe(3);
  });

  it('give up what a handle computes when it is closed', async () => {
    using dict = temporary<number>();
    const other = SharedDict.attach<number>(dict.name);
    let finish: (value: number) => void = () => undefined;
    const slow = other.getOrSet('k', () => new Promise<number>((resolve) => (finish = resolve)));
    const waits = dict.getOrSet('k', () => 5);
    const cut = other.getOrSet('k', () => 6);
    await delay(1);
    other.close();
    await expectRejection(cut, 'ERR_CLOSED');
    expect(await waits).toBe(5);
    finish(3);
    expect(await slow).toBe(3);
    expect(dict.get('k')).toBe(5);
  });
});

describe('time and room', () => {
  it('end entries: of the dict, of one entry, not of one that lives for ever', async () => {
    const ttl = 600;
    using dict = temporary<number>({ ttl });
    dict.set('ever', 2, { ttl: Infinity }).set('long', 3, { ttl: 100_000 });
    // If the machine is so slow that it looks only after they have expired, the test tries again.
    let lived = false;
    while (!lived) {
      const before = performance.now();
      dict.set('short', 1);
      dict.add('limit', 1);
      const made = performance.now();
      await delay(ttl / 2);
      const seen = [dict.get('short'), dict.add('limit', 1)];
      lived = performance.now() - before < ttl;
      if (lived) expect(seen).toEqual([1, 1]);
      await delay(made + ttl + 50 - performance.now());
      if (lived) expect(dict.get('limit'), 'a change does not prolong it').toBe(undefined);
      else dict.delete('limit');
      expect([dict.get('short'), dict.has('short')]).toEqual([undefined, false]);
    }
    expect(new Map(dict)).toEqual(
      new Map([
        ['ever', 2],
        ['long', 3],
      ]),
    );
    expect(dict.add('limit', 1)).toBe(0);
    expect(dict.setIfAbsent('short', 9)).toBe(true);
    expect(dict.getOrSetSync('computed', () => 1, { ttl: 20 })).toBe(1);
    await delay(30);
    expect(dict.has('computed')).toBe(false);
    dict.update('long', (value = 0) => value + 1);
    await delay(650);
    expect([dict.get('long'), dict.get('ever')]).toEqual([4, 2]);
  });

  it('are over when it is full: ERR_CAPACITY, and nothing was changed', () => {
    using dict = temporary({ capacity: 1 << 17 });
    expectCode(() => dict.set('k', 'x'.repeat(1 << 17)), 'ERR_CAPACITY', dict.name);
    let n = 0;
    const fill = () => {
      for (; ; n++) dict.set(`key ${n}`, 'x'.repeat(500));
    };
    expectCode(fill, 'ERR_CAPACITY', dict.name, 'capacity');
    expect([dict.size, dict.has(`key ${n}`)]).toEqual([n, false]);
    expectCode(() => dict.set('key 3', 'x'.repeat(5000)), 'ERR_CAPACITY');
    expect(dict.get('key 3')).toBe('x'.repeat(500));
    dict.set('key 3', 5);
    for (let i = 0; i < 30; i++) dict.delete(`key ${i}`);
    dict.set('large', 'y'.repeat(5000));
    expect(dict.size).toBe(n - 29);
    const used = dict.bytesUsed;
    expect(used).toBeLessThanOrEqual(dict.capacity);
    dict.clear();
    expect(dict.bytesUsed).toBe(0);
  });

  it('make room of entries whose time is over', async () => {
    using dict = temporary({ capacity: 1 << 17 });
    dict.set('stays', 1);
    expectCode(() => {
      for (let n = 0; ; n++) dict.set(`key ${n}`, 'x'.repeat(500), { ttl: 30 });
    }, 'ERR_CAPACITY');
    await delay(40);
    dict.set('large', 'y'.repeat(20_000));
    expect([dict.get('stays'), (dict.get('large') as string).length]).toEqual([1, 20_000]);
  });

  it('make room of what was not used lately, where that was asked for', () => {
    using dict = temporary({ capacity: 1 << 18, eviction: 'lru' });
    expect(dict.eviction).toBe('lru');
    const hot = Array.from({ length: 20 }, (_, i) => `hot ${i}`);
    for (const key of hot) dict.set(key, key);
    let lost = 0;
    for (let n = 0; n < 20_000; n++) {
      dict.set(`cold ${n}`, 'x'.repeat(100));
      const key = hot[n % hot.length]!;
      if (dict.get(key) !== undefined) continue;
      dict.set(key, key);
      lost++;
    }
    expect(lost).toBeLessThan(100);
    expect(dict.get('cold 19999')).toBeDefined();
    // A hot key that shares their word keeps some of them.
    const oldest = Array.from({ length: 100 }, (_, i) => `cold ${i}`);
    expect(oldest.filter((key) => dict.has(key)).length).toBeLessThan(50);
    expectCode(() => dict.set('too large', 'x'.repeat(1 << 18)), 'ERR_CAPACITY');
    dict.set('large', 'x'.repeat(50_000));
    expect(dict.has('large')).toBe(true);
    dict.clear();
    expect([dict.size, dict.bytesUsed]).toEqual([0, 0]);
  });
});

describe('as a shared object', () => {
  it.each<[string, (dict: SharedDict, value: object) => unknown]>([
    ['set', (dict, value) => dict.set('a', value)],
    ['setIfAbsent', (dict, value) => dict.setIfAbsent('b', value)],
    ['compareAndSet', (dict, value) => dict.compareAndSet('a', 1, value)],
    ['compareAndSet, of what is expected', (dict, value) => dict.compareAndSet('a', value, 1)],
    ['getOrSetSync', (dict, value) => dict.getOrSetSync('b', () => value)],
  ])('that a getter of the value closes is closed to %s, whatever was opened since', (_, act) => {
    const dict = temporary();
    dict.set('a', 1);
    let other: SharedDict | undefined;
    const value = {
      get a() {
        dict.close();
        other = temporary();
        return 1;
      },
    };
    expectCode(() => act(dict, value), 'ERR_CLOSED', dict.name);
    if (!onWindows) SharedDict.unlink(dict.name); // on Windows it was removed with its last handle
    expect([...other!]).toEqual([]);
    other!.set('c', 2);
    expect([...other!]).toEqual([['c', 2]]);
    other!.unlink();
    other!.close();
  });

  it('is created once, attached by name, opened by any, and gone when unlinked', () => {
    const name = uniqueName('dict');
    expectCode(() => SharedDict.attach(name), 'ENOENT', name);
    const made = SharedDict.create<number>({ name, capacity: 1 << 20 });
    expectCode(() => SharedDict.create({ name }), 'EEXIST', name);
    using opened = SharedDict.open<number>(name, { capacity: 1 << 22 });
    expect(opened.capacity).toBe(made.capacity);
    made.set('a', 1);
    expect(opened.get('a')).toBe(1);
    using attached = attach(JSON.parse(JSON.stringify(made)) as { shmkit: 'dict'; name: string });
    expect(attached.get('a')).toBe(1);
    made.close();
    made.close();
    expect([made.closed, opened.closed]).toEqual([true, false]);
    for (const act of [
      () => made.get('a'),
      () => made.set('a', 1),
      () => made.size,
      () => [...made],
      () => made.clear(),
      () => made.getOrSetSync('a', () => 1),
    ]) {
      expectCode(act, 'ERR_CLOSED', name);
    }
    expect(opened.get('a')).toBe(1);
    SharedDict.unlink(name);
    expectCode(() => SharedDict.unlink(name), 'ENOENT', name);
    opened.set('b', 2);
    expect([...attached.keys()].sort()).toEqual(['a', 'b']);
  });

  it('holds other objects of the library, which come back attached', () => {
    using dict = temporary();
    using value = SharedValue.create({ type: 'int32', value: 7 });
    using array = SharedArray.create({ type: 'uint8', length: 2 });
    const lock = NamedLock.create({});
    using inner = temporary<number>();
    inner.set('deep', 1);
    dict
      .set('value', value)
      .set('inner', inner)
      .set('all', { list: [array, { lock }], n: 1 });
    const back = dict.get('value') as SharedValue<'int32'>;
    expect(back).toBeInstanceOf(SharedValue);
    expect(back.value).toBe(7);
    expect(dict.get('value')).toBe(back);
    back.close();
    (dict.get('value') as SharedValue<'int32'>).close();
    const other = dict.get('inner') as SharedDict<number>;
    expect(other.get('deep')).toBe(1);
    other.close();
    const all = dict.get('all') as { list: [SharedArray, { lock: NamedLock }]; n: number };
    expect([all.list[0].length, all.list[1].lock.name, all.n]).toEqual([2, lock.name, 1]);
    all.list[0].close();
    all.list[1].lock.close();
    value.unlink();
    expectCode(() => dict.get('value'), 'ENOENT', value.name);
    array.unlink();
    lock.unlink();
    lock.close();
  });

  it('refuses what it cannot take, names it, and changes nothing', () => {
    using dict = temporary();
    dict.set('k', 1);
    const used = dict.bytesUsed;
    for (const key of [1, null, undefined, {}, Symbol('s'), 1n]) {
      expectCode(() => dict.set(key as never, 1), 'ERR_INVALID_ARG_TYPE', 'key');
      expectCode(() => dict.get(key as never), 'ERR_INVALID_ARG_TYPE', 'key');
    }
    expectCode(() => dict.set('k', { a: { b: () => 1 } }), 'ERR_INVALID_ARG_TYPE', 'value.a.b');
    expectCode(() => dict.set('k', Symbol('x')), 'ERR_INVALID_ARG_TYPE', 'value');
    expectCode(() => dict.update('k', () => () => 1), 'ERR_INVALID_ARG_TYPE', 'fn returns');
    expectCode(() => dict.update('k', 1 as never), 'ERR_INVALID_ARG_TYPE', 'fn');
    expectCode(() => dict.set('k', 2, { tt: 1 } as never), 'ERR_INVALID_ARG_VALUE', 'tt');
    expectCode(() => dict.set('k', 2, { ttl: 0 }), 'ERR_OUT_OF_RANGE', 'ttl');
    expectCode(() => dict.set('k', 2, { ttl: '1' as never }), 'ERR_INVALID_ARG_TYPE', 'ttl');
    expectCode(() => SharedDict.create({ capacity: 10 }), 'ERR_OUT_OF_RANGE', 'capacity');
    expectCode(() => SharedDict.create({ size: 10 } as never), 'ERR_INVALID_ARG_VALUE', 'size');
    expectCode(
      () => SharedDict.create({ eviction: 'fifo' as never }),
      'ERR_OUT_OF_RANGE',
      'eviction',
    );
    expectCode(() => SharedDict.create({ ttl: -1 }), 'ERR_OUT_OF_RANGE', 'ttl');
    expectCode(() => SharedDict.attach(''), 'EINVAL');
    expect([dict.get('k'), dict.size, dict.bytesUsed]).toEqual([1, 1, used]);
  });

  it.runIf(onLinux)('takes memory as it grows, by a descriptor of its own', () => {
    const descriptors = () => readdirSync('/proc/self/fd').length;
    const before = descriptors();
    using dict = temporary();
    using other = SharedDict.attach(dict.name);
    expect(descriptors()).toBe(before + 1);
    for (let i = 0; i < 2000; i++) dict.set(`${i}`, 'x'.repeat(1000));
    expect(other.get('1999')).toBe('x'.repeat(1000));
  });
});

describe('among processes', () => {
  it('loses no addition and no update of any', async () => {
    using dict = temporary<number>();
    const peers = await Promise.all(Array.from({ length: 3 }, () => peerOf(dict)));
    const n = 2000;
    await Promise.all(peers.map((peer) => peer('adds', 'sum', n)));
    expect([dict.get('sum'), dict.get("sum'")]).toEqual([3 * n, 3 * n]);
  });

  it('has one process compute, and another when that one dies', async () => {
    using dict = temporary<number>();
    const children: Child[] = Array.from({ length: 3 }, () => start('dict/peer', [dict.name]));
    for (const child of children) expect(await child.hear()).toBe('ready');
    for (const [i, child] of children.entries()) child.tell(['getOrSet', 'k', i, 50]);
    const answers = await Promise.all(
      children.map(async (child) => {
        const first = await child.hear();
        return first === 'computing' ? child.hear() : first;
      }),
    );
    expect(answers.filter((answer) => (answer as { computed: boolean }).computed).length).toBe(1);
    expect(new Set(answers.map((answer) => (answer as { got: number }).got)).size).toBe(1);

    const [first, second] = children as [Child, Child];
    first.tell(['getOrSet', 'dead', 1, 100_000]);
    expect(await first.hear()).toBe('computing');
    second.tell(['getOrSet', 'dead', 2, 1]);
    const here = dict.getOrSet('dead', () => 3);
    await delay(20);
    await first.kill();
    const got = await here;
    expect([2, 3]).toContain(got);
    expect(dict.get('dead')).toBe(got);
  });

  it('is shared by threads of one process', async () => {
    using dict = temporary<number>();
    const program = `
      const { parentPort, workerData } = require('node:worker_threads');
      const { SharedDict } = require(workerData.library);
      const dict = SharedDict.attach(workerData.name);
      for (let i = 0; i < 5000; i++) { dict.add('n', 1); dict.set(workerData.id + i, i); }
      dict.close();
    `;
    const library = fixturePath('../../dist/index').replace(/out\/fixtures\/\.\.\/\.\.\//, '');
    const workers = ['a', 'b'].map(
      (id) => new Worker(program, { eval: true, workerData: { name: dict.name, id, library } }),
    );
    await Promise.all(
      workers.map((worker) => new Promise((resolve) => worker.on('exit', resolve))),
    );
    expect([dict.get('n'), dict.size, dict.get('a4999')]).toEqual([10_000, 10_001, 4999]);
  });
});

function raise(message: string): never {
  throw new SharedMemoryError('EINVAL', message);
}

function twice(bytes: Buffer): Buffer[] {
  return [bytes.subarray(0, 6), bytes.subarray(3)];
}

function growing(bytes: number): ArrayBuffer {
  const Growing = ArrayBuffer as unknown as new (
    bytes: number,
    options: { maxByteLength: number },
  ) => ArrayBuffer;
  return new Growing(bytes, { maxByteLength: 2 * bytes });
}
