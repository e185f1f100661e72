// A value that cannot be read has its own error. All other values can be read, and nothing is lost or
// stuck.
import { chmodSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import {
  SharedDict,
  SharedList,
  SharedMemoryError,
  SharedNamespace,
  SharedQueue,
  SharedValue,
  type QueueItem,
} from 'shmkit';
import { describe, expect, it } from 'vitest';
import { fixturePath, start } from '../../support/children';
import { expectCode } from '../../support/errors';
import { leadToItself, overwrite, reasons, type Poison, type Reason } from '../../support/poison';
import { onLinux } from '../../support/system';
import { temporary } from '../../support/temporaries';

/** Expects that the error says which value it is about and why, and nothing that does not help. */
function expectUnreadable(
  error: unknown,
  { code, said }: Reason,
  { missing }: Poison,
  resource: string,
  key?: string | number,
): void {
  expect(error).toBeInstanceOf(SharedMemoryError);
  const { message, cause, ...rest } = error as SharedMemoryError;
  expect(rest).toEqual({ code, resource, ...(key !== undefined && { key }) });
  const which = { string: `the value of "${key}"`, number: `element ${key}`, undefined: 'an item' };
  expect(message).toContain(`'${resource}': ${which[typeof key as 'string']} cannot be read: `);
  expect(message).toMatch(said);
  expect(message).not.toMatch(/create\(\) or open\(\)/);
  if (missing === undefined) return;
  expect(message).toContain(missing);
  expect(cause).toMatchObject({ code, resource: missing });
  expect((cause as Error).message).not.toMatch(/create\(\) or open\(\)/);
}

async function errorOf(act: () => unknown): Promise<unknown> {
  try {
    await act();
  } catch (error) {
    return error;
  }
  throw new Error('there was no error');
}

describe.each(reasons)('an item that $why', (reason) => {
  /** A queue of three items, the second of which cannot be read. */
  function filled() {
    const queue = temporary(SharedQueue.create({ capacity: 1 << 20 }));
    const poison = reason.make();
    queue.putSync({ id: 1 });
    queue.putSync(poison.value);
    queue.putSync({ id: 3 });
    poison.spoil('queue', queue.name);
    return { queue, poison };
  }

  const takes: [
    string,
    (queue: SharedQueue) => QueueItem<unknown> | null | Promise<QueueItem<unknown>>,
  ][] = [
    ['take', (queue) => queue.take({ timeout: 1000 })],
    ['takeSync', (queue) => queue.takeSync({ timeout: 1000 })],
    ['tryTake', (queue) => queue.tryTake()],
  ];

  it.each(takes)('is taken by %s, says so, and is acknowledged or given back', async (_, take) => {
    const { queue, poison } = filled();
    using _queue = queue;
    using _poison = poison;
    const items = [await take(queue), await take(queue), await take(queue)] as QueueItem<unknown>[];
    const [one, bad, three] = items as [QueueItem<unknown>, QueueItem<unknown>, QueueItem<unknown>];
    expect([one.value, three.value]).toEqual([{ id: 1 }, { id: 3 }]);
    for (let i = 0; i < 2; i++) {
      expectUnreadable(await errorOf(() => bad.value), reason, poison, queue.name);
    }
    expectCode(() => queue.close(), 'EBUSY');
    bad.giveBack();
    const again = (await take(queue))!;
    expect(again.isOfferedAgain).toBe(true);
    expectUnreadable(await errorOf(() => again.value), reason, poison, queue.name);
    for (const item of [one, again, three]) item.ack();
    expectUnreadable(await errorOf(() => again.value), reason, poison, queue.name);
    await queue.join({ timeout: 1000 });
    expect([queue.size, queue.unfinished, queue.bytesUsed]).toEqual([0, 0, 0]);
  });

  const gets: [string, (queue: SharedQueue) => unknown][] = [
    ['get', (queue) => queue.get({ timeout: 1000 })],
    ['getSync', (queue) => queue.getSync({ timeout: 1000 })],
    ['tryGet', (queue) => queue.tryGet()],
  ];

  it.each(gets)('is an error of one %s only, and counts as done', async (_, get) => {
    const { queue, poison } = filled();
    using _queue = queue;
    using _poison = poison;
    expect(await get(queue)).toEqual({ id: 1 });
    expectUnreadable(await errorOf(() => get(queue)), reason, poison, queue.name);
    expect(queue.unfinished).toBe(2);
    expect(await get(queue)).toEqual({ id: 3 });
    queue.taskDone(2);
    await queue.join({ timeout: 1000 });
    expect(queue.size).toBe(0);
  });

  it('makes room for one who waits to put something', async () => {
    using queue = temporary(SharedQueue.create({ maxSize: 1 }));
    using poison = reason.make();
    queue.putSync(poison.value);
    poison.spoil('queue', queue.name);
    const put = queue.put({ id: 3 });
    expectUnreadable(await errorOf(() => queue.get()), reason, poison, queue.name);
    await put;
    expect(queue.getSync()).toEqual({ id: 3 });
  });

  it('is passed over by the loops, which warn of it', async () => {
    for (const loop of ['items', 'get'] as const) {
      const { queue, poison } = filled();
      using _queue = queue;
      using _poison = poison;
      queue.shutdown();
      const warned = nextWarning();
      const seen: unknown[] = [];
      for await (const item of loop === 'items' ? queue.items() : queue) {
        seen.push(item);
        if (loop === 'get') queue.taskDone();
      }
      expect(seen).toEqual([{ id: 1 }, { id: 3 }]);
      expect(queue.unfinished).toBe(0);
      const warning = await warned;
      expect(warning).toMatchObject({ name: 'SharedMemoryWarning', code: reason.code });
      expect(warning.message).toMatch(reason.said);
      expect(warning.message).toContain(queue.name);
    }
  });

  it('is what onUnreadable is told of, which says what becomes of it', async () => {
    for (const how of ['nothing', 'ack', 'giveBack', 'throw'] as const) {
      const { queue, poison } = filled();
      using _queue = queue;
      using _poison = poison;
      queue.shutdown();
      const seen: unknown[] = [];
      const told: unknown[] = [];
      const loop = async () => {
        const items = queue.items({
          async onUnreadable(error, item) {
            told.push(error);
            await Promise.resolve();
            if (how === 'throw') throw new Error('no more');
            if (how === 'giveBack' && told.length === 1) item.giveBack();
            if (how === 'ack') item.ack();
          },
        });
        for await (const item of items) seen.push(item);
      };
      if (how === 'throw') {
        await expect(loop()).rejects.toThrow('no more');
        expect([seen, queue.size, queue.unfinished]).toEqual([[{ id: 1 }], 2, 2]);
        using again = queue.takeSync();
        expect(again.isOfferedAgain).toBe(true);
        again.ack();
        continue;
      }
      await loop();
      expect([seen, queue.size, queue.unfinished]).toEqual([[{ id: 1 }, { id: 3 }], 0, 0]);
      expect(told.length).toBe(how === 'giveBack' ? 2 : 1);
      for (const error of told) expectUnreadable(error, reason, poison, queue.name);
    }
  });
});

describe.each(reasons)('an entry whose value $why', (reason) => {
  const goods = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`k${i}`, { i }]));

  function filled(of: typeof SharedDict) {
    const dict = temporary(of.create({ capacity: 1 << 20 }));
    const poison = reason.make();
    for (const [key, value] of Object.entries(goods)) {
      dict.set(key, value);
      if (key === 'k100') dict.set('bad', poison.value);
    }
    poison.spoil('dict', dict.name);
    return { dict, poison };
  }

  it('is an error of that entry, whatever wants its value', async () => {
    const { dict, poison } = filled(SharedDict);
    using _dict = dict;
    using _poison = poison;
    const reads: (() => unknown)[] = [
      () => dict.get('bad'),
      () => dict.update('bad', () => 1),
      () => dict.add('bad', 1),
      () => dict.getOrSetSync('bad', () => 1),
      () => dict.getOrSet('bad', () => 1),
    ];
    for (const act of reads) {
      expectUnreadable(await errorOf(act), reason, poison, dict.name, 'bad');
    }
    expect([dict.has('bad'), dict.size, dict.get('k7')]).toEqual([true, 201, { i: 7 }]);
    expect(dict.setIfAbsent('bad', 1)).toBe(false);
    expect(dict.compareAndSet('bad', 5, 1)).toBe(false);
    expect(dict.delete('bad')).toBe(true);
    expect(Object.fromEntries(dict)).toEqual(goods);
    dict.set('bad', poison.value).set('bad', 'good');
    expect(dict.get('bad')).toBe('good');
  });

  it('does not hide the others, nor any key', async () => {
    const { dict, poison } = filled(SharedDict);
    using _dict = dict;
    using _poison = poison;
    expect([...dict.keys()].sort()).toEqual([...Object.keys(goods), 'bad'].sort());
    const loops: ((see: (key: string | undefined, value: unknown) => void) => void)[] = [
      (see) => {
        for (const [key, value] of dict) see(key, value);
      },
      (see) => {
        for (const [key, value] of dict.entries()) see(key, value);
      },
      (see) => {
        for (const value of dict.values()) see(undefined, value);
      },
      (see) => {
        dict.forEach((value, key) => {
          see(key, value);
        });
      },
    ];
    for (const loop of loops) {
      const keys: unknown[] = [];
      const values: unknown[] = [];
      const error = await errorOf(() => {
        loop((key, value) => {
          keys.push(key);
          values.push(value);
        });
      });
      expectUnreadable(error, reason, poison, dict.name, 'bad');
      expect(values).toHaveLength(200);
      expect(values).toEqual(expect.arrayContaining(Object.values(goods)));
      if (keys[0] !== undefined) expect(keys.sort()).toEqual(Object.keys(goods).sort());
    }
  });

  it('is what onUnreadable is told of, and nothing is thrown', () => {
    const { dict, poison } = filled(SharedDict);
    using _dict = dict;
    using _poison = poison;
    const told: SharedMemoryError[] = [];
    const onUnreadable = (error: SharedMemoryError) => void told.push(error);
    expect(Object.fromEntries(dict.entries({ onUnreadable }))).toEqual(goods);
    expect([...dict.values({ onUnreadable })]).toHaveLength(200);
    expect([...dict.keys({ onUnreadable })]).toHaveLength(201);
    expect(told).toHaveLength(2);
    for (const error of told) expectUnreadable(error, reason, poison, dict.name, 'bad');
    const stop = (): void => {
      throw new Error('no more');
    };
    expect(() => [...dict.values({ onUnreadable: stop })]).toThrow('no more');
  });
});

describe.each(reasons)('a property whose value $why', (reason) => {
  it('has its name, and hides no other', async () => {
    using namespace = temporary(SharedNamespace.create({ capacity: 1 << 20 }));
    using poison = reason.make();
    const { values } = namespace;
    values.a = 1;
    values.bad = poison.value;
    values.c = { n: 2 };
    poison.spoil('namespace', namespace.name);
    expect(Object.keys(values).sort()).toEqual(['a', 'bad', 'c']);
    expect(Reflect.ownKeys(values).sort()).toEqual(['a', 'bad', 'c']);
    const names: string[] = [];
    for (const key in values) names.push(key);
    expect(names.sort()).toEqual(['a', 'bad', 'c']);
    expect(['bad' in values, Object.hasOwn(values, 'bad'), 'none' in values]).toEqual([
      true,
      true,
      false,
    ]);
    expect([values.a, values.c]).toEqual([1, { n: 2 }]);
    expect(Object.getOwnPropertyDescriptor(values, 'a')).toMatchObject({
      value: 1,
      writable: true,
    });
    const reads: (() => unknown)[] = [
      () => values.bad,
      () => ({ ...values }),
      () => Object.entries(values),
      () => Object.getOwnPropertyDescriptor(values, 'bad')!.get!() as unknown,
    ];
    for (const act of reads) {
      expectUnreadable(await errorOf(act), reason, poison, namespace.name, 'bad');
    }
    expect(delete values.bad).toBe(true);
    expect({ ...values }).toEqual({ a: 1, c: { n: 2 } });
    values.bad = poison.value;
    values.bad = 'good';
    expect(values.bad).toBe('good');
  });
});

describe.each(reasons)('an element that $why', (reason) => {
  function filled() {
    const list = temporary(SharedList.create({ capacity: 1 << 20 }));
    const poison = reason.make();
    list.push({ i: 0 }, poison.value, { i: 2 }, 3);
    poison.spoil('list', list.name);
    return { list, poison };
  }

  it('is an error of that element, whatever wants it, and changes nothing', async () => {
    const { list, poison } = filled();
    using _list = list;
    using _poison = poison;
    const reads: [number, () => unknown][] = [
      [1, () => list.at(1)],
      [-3, () => list.at(-3)],
      [1, () => list.slice()],
      [1, () => list.toArray()],
      [1, () => list.slice(1, 2)],
      [1, () => list.splice(0, 3, 'new')],
      [1, () => list.update(1, () => 1)],
      [1, () => list.add(1, 1)],
    ];
    for (const [index, act] of reads) {
      expectUnreadable(await errorOf(act), reason, poison, list.name, index);
    }
    expect(list.length).toBe(4);
    expect([list.at(0), list.at(2), list.slice(2)]).toEqual([{ i: 0 }, { i: 2 }, [{ i: 2 }, 3]]);
    expect([list.indexOf(3), list.lastIndexOf({ i: 0 }), list.includes({ i: 2 })]).toEqual([
      3,
      0,
      true,
    ]);
    expect(list.indexOf('nowhere')).toBe(-1);
    expect(list.compareAndSet(1, 5, 1)).toBe(false);
    list.set(1, 'good');
    expect(list.toArray()).toEqual([{ i: 0 }, 'good', { i: 2 }, 3]);
  });

  it('stays where it is until another is set', async () => {
    const { list, poison } = filled();
    using _list = list;
    using _poison = poison;
    expect([list.pop(), list.pop(), list.shift()]).toEqual([3, { i: 2 }, { i: 0 }]);
    for (const act of [() => list.pop(), () => list.shift(), () => list.splice(0, 1)]) {
      expectUnreadable(await errorOf(act), reason, poison, list.name, 0);
    }
    expect(list.length).toBe(1);
    list.push('more');
    list.set(0, null);
    expect([list.shift(), list.pop(), list.length]).toEqual([null, 'more', 0]);
    list.clear();
    expect(list.bytesUsed).toBeLessThan(4096);
  });

  it('does not hide the others', async () => {
    const { list, poison } = filled();
    using _list = list;
    using _poison = poison;
    const others: [number, unknown][] = [
      [0, { i: 0 }],
      [2, { i: 2 }],
      [3, 3],
    ];
    const loops: ((see: (index: number | undefined, value: unknown) => void) => void)[] = [
      (see) => {
        for (const value of list) see(undefined, value);
      },
      (see) => {
        for (const value of list.values()) see(undefined, value);
      },
      (see) => {
        for (const [index, value] of list.entries()) see(index, value);
      },
      (see) => {
        list.forEach((value, index) => {
          see(index, value);
        });
      },
    ];
    for (const loop of loops) {
      const seen: [number | undefined, unknown][] = [];
      const error = await errorOf(() => {
        loop((index, value) => seen.push([index, value]));
      });
      expectUnreadable(error, reason, poison, list.name, 1);
      expect(seen.map(([, value]) => value)).toEqual(others.map(([, value]) => value));
      if (seen[0]?.[0] !== undefined) expect(seen).toEqual(others);
    }
    const told: SharedMemoryError[] = [];
    const onUnreadable = (error: SharedMemoryError) => void told.push(error);
    expect([...list.entries({ onUnreadable })]).toEqual(others);
    expect(told).toHaveLength(1);
    expectUnreadable(told[0], reason, poison, list.name, 1);
    expect([...list.keys()]).toEqual([0, 1, 2, 3]);
  });
});

describe('several values that cannot be read', () => {
  it('are counted by the error, which tells of one of them', async () => {
    using dict = temporary(SharedDict.create());
    using list = temporary(SharedList.create());
    const gone = SharedValue.create({ type: 'int32' });
    for (let i = 0; i < 3; i++) {
      dict.set(`bad${i}`, [gone]).set(`good${i}`, i);
      list.push({ gone }, i);
    }
    gone.unlink();
    gone.close();
    for (const each of [dict, list]) {
      let count = 0;
      const error = await errorOf(() => {
        for (const _ of each) count++;
      });
      expect(count).toBe(3);
      expectCode(
        () => {
          throw error;
        },
        'ENOENT',
        each.name,
        gone.name,
        '2 more',
      );
    }
  });

  it.each([null, 1, 'x'])('are told to no %s', (bad) => {
    using dict = temporary(SharedDict.create());
    using list = temporary(SharedList.create());
    const options = { onUnreadable: bad as never };
    expectCode(() => dict.values(options).next(), 'ERR_INVALID_ARG_TYPE', 'onUnreadable');
    expectCode(() => list.values(options).next(), 'ERR_INVALID_ARG_TYPE', 'onUnreadable');
  });
});

describe.runIf(onLinux)('bytes that tell of a value, overwritten,', () => {
  const far = Buffer.from(Int32Array.of(2 ** 30).buffer);

  it('make that entry of a dict none, and hide no other', () => {
    using dict = temporary(SharedDict.create<string>({ capacity: 1 << 20 }));
    for (let i = 0; i < 300; i++) dict.set(`k${i}`, `value ${i}`);
    dict.set('ghost', 'MARKER');
    // The words before the value: its size, its kind, the hash, and the position of the next entry.
    overwrite('dict', dict.name, 'MARKERghost', far, -4);
    const keys: string[] = [];
    expectCode(
      () => {
        for (const key of dict.keys()) keys.push(key);
      },
      'ERR_CORRUPT',
      'an entry',
      'clear()',
    );
    expect(keys).toHaveLength(300);
    const told: SharedMemoryError[] = [];
    const entries = new Map(dict.entries({ onUnreadable: (error) => void told.push(error) }));
    expect([entries.size, entries.get('k299'), told.length]).toEqual([300, 'value 299', 1]);
    expect(told[0]).toMatchObject({ code: 'ERR_CORRUPT', resource: dict.name });
    expect(told[0]).not.toHaveProperty('key');
    dict.clear();
    expect([...dict]).toEqual([]);
  });

  it('that lead to the next entry of a dict hide what is behind it only', () => {
    using dict = temporary(SharedDict.create<string>({ capacity: 1 << 20 }));
    for (let i = 0; i < 300; i++) dict.set(`k${i}`, `value ${i}`);
    dict.set('ghost', 'MARKER');
    overwrite('dict', dict.name, 'MARKERghost', far, -16);
    const keys: string[] = [];
    expectCode(
      () => {
        for (const key of dict.keys()) keys.push(key);
      },
      'ERR_CORRUPT',
      'clear()',
    );
    expect(keys).toContain('ghost');
    expect(keys.length).toBeGreaterThan(250);
  });

  it('that lead around in a dict come to an end', () => {
    using dict = temporary(SharedDict.create<string>({ capacity: 1 << 20 }));
    for (let i = 0; i < 300; i++) dict.set(`k${i}`, `value ${i}`);
    const key = '0123456789abcdef';
    dict.set(key, 'MARKER');
    leadToItself(dict.name, `MARKER${key}`);
    const keys: string[] = [];
    expectCode(
      () => {
        for (const each of dict.keys()) keys.push(each);
      },
      'ERR_CORRUPT',
      'clear()',
    );
    expect(keys.length).toBeGreaterThan(250);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('make that item of a queue unreadable', async () => {
    using queue = temporary(SharedQueue.create<string>({ capacity: 1 << 20 }));
    for (const item of ['one', 'MARKER', 'three']) queue.putSync(item);
    overwrite('queue', queue.name, 'MARKER', far, -12);
    expect(queue.getSync()).toBe('one');
    using bad = queue.takeSync();
    expectCode(() => bad.value, 'ERR_CORRUPT', 'an item cannot be read', queue.name);
    expect(queue.getSync()).toBe('three');
    bad.ack();
    queue.taskDone(2);
    await queue.join({ timeout: 1000 });
  });
});

const nobody = 65534;
const secondUser =
  process.getuid?.() === 0 &&
  spawnSync(process.execPath, ['--check', fixturePath('structure/reads-here')], {
    uid: nobody,
    gid: nobody,
  }).status === 0;

/** What a process finds that cannot read values that others can read; see the fixture. */
interface Found {
  readonly get: string;
  readonly take: string;
  readonly entries: [string, number];
  readonly items: [string, number];
  readonly later: unknown;
}

function shared() {
  const queue = temporary(SharedQueue.create({ capacity: 1 << 20 }));
  const dict = temporary(SharedDict.create({ capacity: 1 << 20 }));
  const reply = temporary(SharedValue.create({ type: 'int32', value: 7 }));
  for (let i = 0; i < 3; i++) queue.putSync({ reply });
  dict.set('bad', { reply }).set('good', 1);
  return {
    queue,
    dict,
    reply,
    [Symbol.dispose]: () => {
      for (const each of [queue, dict, reply]) each[Symbol.dispose]();
    },
  };
}

describe.runIf(onLinux && secondUser)(
  'a shared object that this process may not open (takes root, and a second user)',
  () => {
    it('makes what holds it unreadable here, and for nobody else', async () => {
      using all = shared();
      const { queue, dict } = all;
      chmodSync(`/dev/shm/shmkit.queue.${queue.name}`, 0o666);
      chmodSync(`/dev/shm/shmkit.dict.${dict.name}`, 0o666);
      const child = start('structure/reads-here', [queue.name, dict.name, false], { uid: nobody });
      expect(await child.hear<Found>()).toEqual({
        get: 'EACCES',
        take: 'EACCES',
        entries: ['EACCES', 1],
        items: ['ERR_SHUTDOWN', 0],
        later: null,
      });
      await child.succeed();
      // One item was received and counts as done. The loop has skipped the others.
      expect(queue.unfinished).toBe(0);
      expect((dict.get('bad') as { reply: SharedValue<'int32'> }).reply.value).toBe(7);
    });
  },
);

describe.runIf(onLinux)('a process that has too few descriptors', () => {
  it('loses nothing by what it cannot read now', async () => {
    using all = shared();
    const { queue, dict } = all;
    const under = ['sh', '-c', 'ulimit -n 128 && exec "$@"', 'sh'];
    const child = start('structure/reads-here', [queue.name, dict.name, true], { under });
    expect(await child.hear<Found>()).toEqual({
      get: 'EMFILE',
      take: 'EMFILE',
      entries: ['EMFILE', 1],
      items: ['EMFILE', 0],
      // The items that the process could not receive, and those that it gave back.
      later: [7, 7, 7],
    });
    await child.succeed();
    expect([queue.size, queue.unfinished]).toEqual([0, 3]);
  });
});

/** The next warning of the process that comes from this library. */
async function nextWarning(): Promise<NodeJS.ErrnoException> {
  return new Promise((resolve) => {
    const hear = (warning: Error): void => {
      if (warning.name !== 'SharedMemoryWarning') return;
      process.off('warning', hear);
      resolve(warning);
    };
    process.on('warning', hear);
  });
}
