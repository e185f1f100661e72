// Values whose typed arrays are large, stored apart from their structure: nobody sees a difference, except that they are
// not copied, and that they go with their record.
import { chownSync, rmSync, statSync, truncateSync } from 'node:fs';
import {
  Manager,
  NamedEvent,
  SharedDict,
  SharedList,
  SharedNamespace,
  SharedObject,
  SharedQueue,
} from 'shmkit';
import { describe, expect, it } from 'vitest';
import { start } from '../../support/children';
import { expectCode } from '../../support/errors';
import { keptAfterSweep, keptObjects } from '../../support/kept';
import { uniqueName } from '../../support/names';
import { onLinux } from '../../support/system';
import { temporary } from '../../support/temporaries';

const outOfBand = 4096;
const length = 1000;

const large = (n: number) => ({ n, data: new Float64Array(length).fill(n) });

/** The value of each sort that is stored apart. */
const values: [string, unknown][] = [
  ['a typed array', new Float64Array(length).fill(1)],
  ['plain bytes', new Uint8Array(5000).fill(2)],
  ['an ArrayBuffer', new Uint8Array(5000).fill(3).buffer],
  ['a view of a part', new Uint8Array(new ArrayBuffer(10_000), 100, 10).fill(4)],
  ['two views of one buffer', twoViews()],
  ['many small buffers', Array.from({ length: 20 }, (_, i) => new Uint8Array(500).fill(i))],
  ['an object', { text: 'żółw', list: [1, { a: new Map([[1, new Int32Array(5000).fill(5)]]) }] }],
];

function twoViews(): object {
  const buffer = new ArrayBuffer(8000);
  return { first: new Uint8Array(buffer, 0, 4000).fill(1), whole: new Float64Array(buffer) };
}

/** The file of an object. */
const fileOf = (name: string) => `/dev/shm/shmkit.object.${name}`;

const copyOf = (value: unknown): unknown => structuredClone(value);

describe.runIf(onLinux)('a large value', () => {
  it.each(values)('comes back from a dict, a list, a queue and a namespace: %s', (_, value) => {
    using dict = temporary(SharedDict.create({ outOfBand }));
    using list = temporary(SharedList.create({ outOfBand }));
    using queue = temporary(SharedQueue.create({ outOfBand }));
    using namespace = temporary(SharedNamespace.create<{ it?: unknown }>({ outOfBand }));
    dict.set('it', value);
    list.push(value, value);
    queue.putSync(value);
    namespace.values.it = value;
    expect(keptObjects().length).toBe(5);
    for (const back of [dict.get('it'), list.at(1), queue.getSync(), namespace.values.it]) {
      expect(back).toEqual(copyOf(value));
    }
    expect([...dict.values(), ...list]).toEqual([1, 2, 3].map(() => copyOf(value)));
    expect(list.indexOf(value)).toBe(0);
    expect(dict.compareAndSet('it', dict.get('it'), 1)).toBe(true);
    expect(list.compareAndSet(1, value, 1)).toBe(true);
    expect(keptObjects().length).toBe(2);
  });

  it('has each of its buffers once, and views share them', () => {
    using dict = temporary(SharedDict.create({ outOfBand }));
    dict.set('it', twoViews());
    const { first, whole } = dict.get('it') as { first: Uint8Array; whole: Float64Array };
    expect(first.buffer).toBe(whole.buffer);
  });

  it('is a copy for each who reads it', () => {
    using dict = temporary(SharedDict.create<ReturnType<typeof large>>({ outOfBand }));
    dict.set('it', large(1));
    const mine = dict.get('it')!;
    mine.data.fill(7);
    expect(dict.get('it')).toEqual(large(1));
    expect(mine.data[0]).toBe(7);
  });

  it('stays what it was for who has read it, whatever happens to its entry', () => {
    const dict = SharedDict.create<ReturnType<typeof large>>({ outOfBand });
    dict.set('it', large(1));
    const mine = dict.get('it')!;
    dict.set('it', large(2));
    dict.unlink();
    dict.close();
    expect(mine).toEqual(large(1));
  });

  it('is in the structure if its buffers are smaller than the limit, or there is none', () => {
    using small = temporary(SharedDict.create({ outOfBand }));
    small.set('it', new Uint8Array(outOfBand - 1));
    small.set('text', 'x'.repeat(10_000));
    using without = temporary(SharedDict.create());
    without.set('it', large(1));
    expect(keptObjects()).toEqual([]);
    expect([small.outOfBand, without.outOfBand]).toEqual([outOfBand, undefined]);
  });

  it.each([0, 4095, -1, 1.5, '1', null])('cannot have the limit %j', (limit) => {
    expect(() => SharedDict.create({ outOfBand: limit as number })).toThrow(/outOfBand/);
    expect(() => SharedQueue.open('never', { outOfBand: limit as number })).toThrow(/outOfBand/);
  });

  it('has the permissions of its structure', () => {
    using dict = temporary(SharedDict.create({ outOfBand, mode: 0o640 }));
    dict.set('it', large(1));
    expect(statSync(fileOf(keptObjects()[0]!)).mode & 0o777).toBe(0o640);
  });

  it('that a failing change has made, is not left', () => {
    using dict = temporary(SharedDict.create({ outOfBand }));
    expect(() => {
      dict.update('it', () => {
        expectCode(() => dict.set('other', large(2)), 'ERR_DEADLOCK', dict.name);
        throw new Error('no');
      });
    }).toThrow('no');
    using list = temporary(SharedList.create({ outOfBand }));
    list.push(large(0));
    const failing = {
      ...large(2),
      get fails(): never {
        throw new Error('no');
      },
    };
    expect(() => list.push(large(1), failing)).toThrow('no');
    expect(() => list.splice(0, 1, large(1), failing)).toThrow('no');
    expect(() => dict.set('it', failing)).toThrow('no');
    expect(list.toArray()).toEqual([large(0)]);
    expect(keptObjects().length).toBe(1);
  });
});

describe.runIf(onLinux)('an object with a large value goes', () => {
  const lets: [string, (dict: SharedDict) => unknown][] = [
    ['is overwritten by another', (dict) => dict.set('it', large(2)).delete('it')],
    ['is overwritten by a number', (dict) => dict.set('it', 1)],
    ['is deleted', (dict) => dict.delete('it')],
    ['is updated', (dict) => dict.update('it', () => undefined)],
    ['is compared and set', (dict) => dict.compareAndSet('it', large(1), 1)],
    ['is cleared', (dict) => dict.clear()],
  ];
  it.each(lets)('when the entry %s', (_, act) => {
    using dict = temporary(SharedDict.create({ outOfBand }));
    dict.set('it', large(1));
    expect(keptObjects().length).toBe(1);
    expect(dict.bytesUsed).toBeGreaterThan(8 * length);
    act(dict);
    expect(keptObjects()).toEqual([]);
    expect(dict.bytesUsed).toBeLessThan(200);
  });

  it('when the value is not set after all', () => {
    using dict = temporary(SharedDict.create({ outOfBand }));
    dict.set('it', 1);
    expect(dict.setIfAbsent('it', large(1))).toBe(false);
    expect(dict.compareAndSet('it', 2, large(1))).toBe(false);
    expect(keptObjects()).toEqual([]);
  });

  it('when an entry expires, and makes room', () => {
    using dict = temporary(SharedDict.create({ outOfBand, capacity: 1 << 17 }));
    for (let i = 0; i < 5; i++) dict.set(`old ${i}`, large(i), { ttl: 1 });
    const end = performance.now() + 5;
    while (performance.now() < end);
    for (let i = 0; i < 5; i++) dict.set(`new ${i}`, large(i));
    expect(dict.get('new 4')).toEqual(large(4));
    expect(keptObjects().length).toBe(dict.size);
  });

  it('when an entry is evicted; and a dict that does not evict is full', () => {
    using evicting = temporary(
      SharedDict.create({ outOfBand, capacity: 1 << 17, eviction: 'lru' }),
    );
    using full = temporary(SharedDict.create({ outOfBand, capacity: 1 << 17 }));
    let set = 0;
    for (let i = 0; i < 30; i++) evicting.set(String(i), large(i));
    expectCode(
      () => {
        for (; set < 30; set++) full.set(String(set), large(set));
      },
      'ERR_CAPACITY',
      full.name,
      'bytes are used',
    );
    expect(set).toBeGreaterThan(2);
    expect(full.size).toBe(set);
    expect(evicting.size).toBeGreaterThan(2);
    expect(evicting.get('29')).toEqual(large(29));
    for (const dict of [evicting, full]) {
      expect(dict.bytesUsed).toBeLessThanOrEqual(dict.capacity);
      // Less than one more would fit.
      expect(dict.bytesUsed + 20_000).toBeGreaterThan(dict.capacity);
    }
    expect(keptObjects().length).toBe(full.size + evicting.size);
    expectCode(() => evicting.set('huge', new Uint8Array(1 << 18)), 'ERR_CAPACITY', evicting.name);
    expect(full.set('0', large(7)).get('0')).toEqual(large(7));
  });

  const listLets: [string, (list: SharedList) => unknown, number][] = [
    ['set', (list) => list.set(0, 1), 2],
    ['pop', (list) => list.pop(), 2],
    ['shift', (list) => list.shift(), 2],
    ['splice', (list) => list.splice(0, 2, large(5)), 2],
    ['update', (list) => list.update(1, () => 1), 2],
    ['clear', (list) => list.clear(), 0],
  ];
  it.each(listLets)('when the element of a list does: %s', (_, act, left) => {
    using list = temporary(SharedList.create({ outOfBand }));
    list.push(large(1), large(2), large(3));
    act(list);
    expect(keptObjects().length).toBe(left);
  });

  it('when the item of a queue is done, and not before', () => {
    using queue = temporary(SharedQueue.create<ReturnType<typeof large>>({ outOfBand }));
    for (let i = 0; i < 4; i++) queue.putSync(large(i));
    expect(queue.getSync()).toEqual(large(0));
    expect(keptObjects().length).toBe(3);
    const item = queue.takeSync();
    expect(item.value).toEqual(large(1));
    item.giveBack();
    expect(keptObjects().length).toBe(3);
    const again = queue.takeSync();
    expect([again.isOfferedAgain, again.value]).toEqual([true, large(1)]);
    again.ack();
    expect(keptObjects().length).toBe(2);
    expect(queue.clear()).toBe(2);
    expect(keptObjects()).toEqual([]);
    expect(queue.bytesUsed).toBe(0);
  });

  it('when its structure is unlinked, by a handle or by its name, closed or not', () => {
    const ways: ((dict: SharedDict) => void)[] = [
      (dict) => dict.unlink(),
      ({ name }) => SharedDict.unlink(name),
      (dict) => {
        dict.close();
        dict.unlink();
      },
    ];
    for (const unlink of ways) {
      const dict = SharedDict.create({ outOfBand });
      dict.set('it', large(1));
      unlink(dict);
      expect(keptObjects()).toEqual([]);
      if (!dict.closed) expectCode(() => dict.get('it'), 'ENOENT', dict.name, '"it"');
      dict.close();
    }
  });

  it('when its manager ends', () => {
    const manager = Manager.create();
    const dict = manager.dict('cache', { outOfBand });
    dict.set('it', large(1));
    expect(dict.get('it')).toEqual(large(1));
    expect(keptObjects().length).toBe(1);
    manager.shutdown();
    expect(keptObjects()).toEqual([]);
    dict.close();
    manager.close();
  });
});

describe.runIf(onLinux)('a queue with large values', () => {
  it('lets a put wait for room, and keeps nothing of one that gives up', async () => {
    using queue = temporary(SharedQueue.create({ outOfBand, capacity: 1 << 17 }));
    let put = 0;
    while (queue.tryPut(large(put))) put++;
    expect(put).toBeGreaterThan(2);
    expect(keptObjects().length).toBe(put);
    const waiting = queue.put(large(put));
    expectCode(() => queue.putSync(large(0), { timeout: 20 }), 'ERR_TIMEOUT', queue.name);
    const given = new AbortController();
    const other = queue.put(large(0), { signal: given.signal });
    given.abort(new Error('enough'));
    await expect(other).rejects.toThrow('enough');
    expect(keptObjects().length).toBe(put + 1);
    expect(queue.getSync()).toEqual(large(0));
    await waiting;
    expect(keptObjects().length).toBe(put);
    for (let i = 1; i <= put; i++) expect(queue.getSync()).toEqual(large(i));
    expect(keptObjects()).toEqual([]);
    expectCode(() => queue.putSync(new Uint8Array(1 << 18)), 'ERR_CAPACITY', queue.name);
    expect(keptObjects()).toEqual([]);
  });

  it('offers those of a killed consumer again', async () => {
    using queue = temporary(SharedQueue.create({ outOfBand }));
    queue.putSync(large(1));
    const child = start('queue/storm-holder', [queue.name, 1]);
    await child.hear();
    expect(keptAfterSweep().length).toBe(1);
    await child.kill();
    const item = await queue.take();
    expect([item.isOfferedAgain, item.value]).toEqual([true, large(1)]);
    item.ack();
    expect(keptAfterSweep()).toEqual([]);
  });
});

describe.runIf(onLinux)('what is stored apart', () => {
  it('depends on the bytes in its buffers alone', () => {
    using dict = temporary(SharedDict.create({ outOfBand }));
    dict.set(
      'buffers',
      Array.from({ length: 500 }, () => new Uint8Array(8)),
    );
    dict.set('less', { bytes: new Uint8Array(outOfBand - 1) });
    expect(keptObjects()).toEqual([]);
    dict.set('enough', { bytes: new Uint8Array(outOfBand) });
    expect(keptObjects().length).toBe(1);
  });

  it('leaves less room for what is not', () => {
    using dict = temporary(SharedDict.create({ outOfBand, capacity: 1 << 17 }));
    using list = temporary(SharedList.create({ outOfBand, capacity: 1 << 17 }));
    using queue = temporary(SharedQueue.create({ outOfBand, capacity: 1 << 17 }));
    const text = 'x'.repeat(1000);
    for (let i = 0; i < 4; i++) {
      dict.set(String(i), large(i));
      list.push(large(i));
      queue.putSync(large(i));
    }
    const few = 200;
    expectCode(
      () => {
        for (let i = 0; i < few; i++) dict.set(`text ${i}`, text);
      },
      'ERR_CAPACITY',
      dict.name,
    );
    expectCode(
      () => {
        for (let i = 0; i < few; i++) list.push(text);
      },
      'ERR_CAPACITY',
      list.name,
    );
    let put = 0;
    while (queue.tryPut(text)) expect(++put).toBeLessThan(few);
    for (const each of [dict, list, queue]) {
      expect(each.bytesUsed).toBeLessThanOrEqual(each.capacity);
      expect(each.bytesUsed + 10_000).toBeGreaterThan(each.capacity);
    }
  });

  it('belongs to the owner of the structure: what others store is in the structure', () => {
    using dict = temporary(SharedDict.create({ outOfBand, mode: 0o666 }));
    chownSync(`/dev/shm/shmkit.dict.${dict.name}`, 65_534, 65_534);
    dict.set('it', large(1));
    expect(dict.get('it')).toEqual(large(1));
    expect([keptObjects(), dict.outOfBand]).toEqual([[], outOfBand]);
  });

  it('is nothing more, after the structure has lost its name', () => {
    const dict = SharedDict.create({ outOfBand });
    dict.set('old', large(1));
    dict.unlink();
    dict.set('new', large(2));
    expect(keptAfterSweep()).toEqual([]);
    expect(dict.get('new')).toEqual(large(2));
    expectCode(() => dict.get('old'), 'ENOENT', dict.name, '"old"');
    dict.close();
  });

  it('goes on in a structure whose name an earlier one had, which somebody unlinks', () => {
    const name = uniqueName('apart');
    const first = SharedDict.create({ name, outOfBand });
    first.set('it', large(1));
    SharedDict.unlink(name);
    using second = temporary(SharedDict.create({ name, outOfBand }));
    expectCode(() => first.unlink(), 'ENOENT', name);
    first.close();
    expectCode(() => first.unlink(), 'ENOENT', name);
    second.set('it', large(2));
    expect(keptAfterSweep().length).toBe(1);
    expect(second.get('it')).toEqual(large(2));
  });

  it('is nothing, if a getter of the value closes the structure', () => {
    for (const use of [
      (dict: SharedDict, value: unknown) => dict.set('it', value),
      (dict: SharedDict, value: unknown) => dict.update('it', () => value),
    ]) {
      const dict = SharedDict.create({ outOfBand });
      const value = {
        ...large(1),
        get closes() {
          dict.close();
          return 1;
        },
      };
      expect(() => use(dict, value)).toThrow();
      expect(keptObjects()).toEqual([]);
      dict.unlink();
      dict.close();
    }
    const queue = SharedQueue.create({ outOfBand });
    const value = {
      ...large(1),
      get closes() {
        queue.close();
        return 1;
      },
    };
    expectCode(() => queue.putSync(value), 'ERR_CLOSED', queue.name);
    expect(keptObjects()).toEqual([]);
    queue.unlink();
  });

  it('is removed by nobody who reads a change that is not finished', () => {
    using dict = temporary(SharedDict.create({ outOfBand }));
    dict.set('it', large(1));
    dict.update('other', () => {
      expect(keptAfterSweep().length).toBe(1);
      return large(2);
    });
    expect(keptAfterSweep().length).toBe(2);
    expect(dict.get('it')).toEqual(large(1));
  });

  it('survives objects of such names that others have made', () => {
    using dict = temporary(SharedDict.create({ outOfBand }));
    dict.set('it', large(1));
    const [name = ''] = keptObjects();
    const other = name.replace(/_[0-9a-f]{16}$/, '_0000000000000000');
    using nested = SharedObject.create({ from: 1 });
    const fakes = [
      SharedObject.create({ name: other, from: 'no structure in it' }),
      SharedObject.create({ name: other.replace(/0$/, '1'), from: { nested } }),
    ];
    for (const fake of fakes) expect(keptAfterSweep()).toContain(fake.name);
    expect(dict.get('it')).toEqual(large(1));
    for (const fake of fakes) fake.close();
    expect(keptAfterSweep()).toEqual([name]);
  });

  it('does not make unlink() wait for ever for who changes the structure', async () => {
    const dict = SharedDict.create({ outOfBand });
    dict.set('it', large(1));
    using end = temporary(NamedEvent.create());
    const child = start('structure/holds-update', [dict.toJSON(), end.name]);
    await child.hear();
    dict.unlink();
    await child.kill();
    dict.close();
    expect(keptAfterSweep()).toEqual([]);
  });
});

describe.runIf(onLinux)('bad things that happen to large values', () => {
  it('an object that somebody has removed or overwritten is an error of its key alone', () => {
    using dict = temporary(SharedDict.create({ outOfBand }));
    dict.set('removed', large(1));
    const [removed] = keptObjects();
    dict.set('cut', large(2));
    const cut = keptObjects().find((name) => name !== removed);
    dict.set('whole', large(3));
    rmSync(fileOf(removed!));
    truncateSync(fileOf(cut!), 300);
    expectCode(() => dict.get('removed'), 'ENOENT', dict.name, '"removed"', 'delete() removes it');
    expectCode(() => dict.get('cut'), 'ERR_CORRUPT', dict.name, '"cut"');
    expect(dict.get('whole')).toEqual(large(3));
    const passed: unknown[] = [];
    const whole = [...dict.entries({ onUnreadable: ({ code }) => passed.push(code) })];
    expect(whole).toEqual([['whole', large(3)]]);
    expect(passed.sort()).toEqual(['ENOENT', 'ERR_CORRUPT']);
    dict.clear();
    expect(dict.bytesUsed).toBe(0);
  });

  it('a program that reads without ever giving the event loop a turn gets each of them', () => {
    using dict = temporary(SharedDict.create<ReturnType<typeof large>>({ outOfBand }));
    dict.set('it', large(1));
    let sum = 0;
    const all: unknown[] = [];
    for (let i = 0; i < 6000; i++) {
      const value = dict.get('it')!;
      sum += value.data[5]!;
      if (i % 100 === 0) all.push(value);
    }
    expect(sum).toBe(6000);
    for (const each of all) expect(each).toEqual(large(1));
  });
});
