import { statSync } from 'node:fs';
import {
  NamedLock,
  ShareableList,
  SharedMemory,
  attach,
  type ShareableListCreateOptions,
  type ShareableValue,
} from 'shmkit';
import { describe, expect, it } from 'vitest';
import { expectCode } from '../../support/errors';
import { uniqueName } from '../../support/names';
import { onLinux } from '../../support/system';

/** Unlinks and closes the list when the block is left. */
function temporary(
  from: Iterable<ShareableValue>,
  options: Partial<ShareableListCreateOptions> = {},
): ShareableList {
  const list = ShareableList.create({ name: uniqueName('list'), ...options, from });
  return Object.assign(list, {
    [Symbol.dispose]() {
      list.unlink();
      list.close();
    },
  });
}

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

const example: ShareableValue[] = [1, 2.5, 'héllo', bytesOf('ab'), null, true];

/** The bytes that CPython 3.11 writes for the example. */
const exampleBytes = Buffer.from(
  '06000000000000000000000000000000' +
    '08000000000000001000000000000000' +
    '18000000000000002000000000000000' +
    '28000000000000003000000000000000' +
    '01000000000000000000000000000440' +
    '68c3a96c6c6f00006162000000000000' +
    '00000000000000000000000000000001' +
    '71000000000000006400000000000000' +
    '38730000000000003873000000000000' +
    '7878787878783f78787878787878783f' +
    '000001020300',
  'hex',
);

describe('the layout', () => {
  it('is CPython’s, byte for byte', () => {
    using list = temporary(example);
    expect(Buffer.from(list.shm.read()).toString('hex')).toBe(exampleBytes.toString('hex'));
    expect(list.format).toBe('qd8s8sxxxxxx?xxxxxxxx?');
  });

  it('of an empty list has 16 bytes', () => {
    using list = temporary([]);
    expect(list.shm.read()).toEqual(new Uint8Array(16));
    using again = ShareableList.attach(list.name);
    expect([again.length, again.toArray(), again.at(0), again.format]).toEqual([
      0,
      [],
      undefined,
      '',
    ]);
  });

  it('begins with the same bytes when there is a journal', () => {
    using list = temporary(example, { lock: true });
    expect(list.shm.size).toBeGreaterThan(exampleBytes.length);
    expect(Buffer.from(list.shm.read(0, exampleBytes.length))).toEqual(exampleBytes);
  });

  it('may be followed by padding of any kind', () => {
    using memory = SharedMemory.create({ name: uniqueName(), size: 8192 });
    memory.array('uint8').fill(0xee).set(exampleBytes);
    using list = ShareableList.attach(memory.name);
    expect(list.toArray()).toEqual(example);
    memory.unlink();
  });

  it('sizes strings by their UTF-8', () => {
    using list = temporary(['ééééé', 'ab']);
    expect(list.format).toBe('16s8s');
    expect(list.toArray()).toEqual(['ééééé', 'ab']);
  });

  it('has slots of up to 9,999,992 bytes', () => {
    const most = 'x'.repeat(9_999_991);
    using list = temporary([most, 7]);
    expect(list.format).toBe('9999992sq');
    expect(list.at(0)).toBe(most);
    list.set(0, `${most}y`);
    expect(list.at(0)).toBe(`${most}y`);
    expectCode(() => list.set(0, `${most}yz`), 'ERR_CAPACITY', list.name, '9999992', '9999993');
    expect([list.at(0) === `${most}y`, list.at(1)]).toEqual([true, 7]);
    const name = uniqueName();
    expectCode(
      () => ShareableList.create({ name, from: [`${most}y`] }),
      'ERR_CAPACITY',
      name,
      'element 0',
      '9999991',
    );
    expectCode(() => SharedMemory.attach(name), 'ENOENT');
  });
});

describe('values', () => {
  const values: [string, ShareableValue, string][] = [
    ['0', 0, 'q'],
    ['a negative integer', -5, 'q'],
    ['the largest safe integer', Number.MAX_SAFE_INTEGER, 'q'],
    ['the least safe integer', Number.MIN_SAFE_INTEGER, 'q'],
    ['an integer beyond them', 2 ** 53, 'd'],
    ['-0', -0, 'd'],
    ['a fraction', 0.1, 'd'],
    ['the least fraction', Number.MIN_VALUE, 'd'],
    ['Infinity', Infinity, 'd'],
    ['-Infinity', -Infinity, 'd'],
    ['NaN', NaN, 'd'],
    ['the largest int64', 2n ** 63n - 1n, 'q'],
    ['the least int64', -(2n ** 63n), 'q'],
    ['a bigint beyond 2^53', 2n ** 53n, 'q'],
    ['true', true, 'xxxxxxx?'],
    ['false', false, 'xxxxxxx?'],
    ['null', null, 'xxxxxx?x'],
    ['an empty string', '', '8s'],
    ['a string of 7', 'abcdefg', '8s'],
    ['a string of 8', 'abcdefgh', '16s'],
    ['a string beyond the BMP', '💥 💥 💥', '16s'],
    ['a string with NUL inside', 'a\0b', '8s'],
    ['a string with U+FFFD', 'a\ufffdb', '8s'],
    ['a string with a byte order mark', '\ufeffb', '8s'],
    ['no bytes', new Uint8Array(0), '8s'],
    ['all bytes', Uint8Array.from({ length: 256 }, (_, i) => 255 - i).reverse(), '264s'],
  ];

  it.each(values)('%s comes back', (_, value, format) => {
    using list = temporary([null, value, 'neighbour']);
    expect(list.at(1)).toStrictEqual(value);
    expect(list.format).toBe(`xxxxxx?x${format}16s`);
    expect([list.at(0), list.at(2)]).toEqual([null, 'neighbour']);
  });

  it.each(values)('%s can be assigned in place of any other', (_, value) => {
    const room = 'r'.repeat(300);
    for (const [, before] of values) {
      using list = temporary([room, 'neighbour']);
      list.set(0, before);
      list.set(0, null);
      list.set(0, value);
      expect(list.at(0)).toStrictEqual(value);
      expect(list.at(1)).toBe('neighbour');
    }
  });

  it('a bigint that is a safe integer comes back as a number', () => {
    using list = temporary([5n, -(2n ** 53n - 1n)]);
    expect(list.toArray()).toStrictEqual([5, Number.MIN_SAFE_INTEGER]);
  });

  it('a number stays a float where one was, and a bigint never is one', () => {
    using list = temporary([2.5, 7]);
    list.set(0, 3);
    list.set(1, 8);
    expect([list.at(0), list.at(1), list.format]).toEqual([3, 8, 'dq']);
    list.set(0, 3n);
    list.set(1, 0.5);
    expect([list.at(0), list.at(1), list.format]).toEqual([3, 0.5, 'qd']);
  });

  it('from a Float64Array or a Float32Array are floats', () => {
    using doubles = temporary(Float64Array.of(1, 2.5));
    using singles = temporary(Float32Array.of(1, 2.5));
    expect([doubles.format, singles.format]).toEqual(['dd', 'dd']);
    expect([...doubles, ...singles]).toEqual([1, 2.5, 1, 2.5]);
  });

  it('lose NULs at their end, as in CPython', () => {
    using list = temporary(['ab\0\0', Uint8Array.of(1, 0, 2, 0), '\0']);
    expect(list.toArray()).toEqual(['ab', Uint8Array.of(1, 0, 2), '']);
  });

  it('keep them where a format says how long the text is', () => {
    using list = temporary(['abc', bytesOf('abc')]);
    const bytes = list.shm.array('uint8');
    const formatsAt = 8 * 4 + 16;
    bytes[formatsAt] = '5'.charCodeAt(0);
    bytes[formatsAt + 8] = '4'.charCodeAt(0);
    expect(list.toArray()).toEqual(['abc\0\0', Uint8Array.of(97, 98, 99, 0)]);
    using again = ShareableList.attach(list.name);
    expect(again.at(0)).toBe('abc\0\0');
    // The new value may use the whole slot, whatever the old format was.
    list.set(0, 'abcdefgh');
    expect([list.at(0), list.format]).toEqual(['abcdefgh', '8s4s']);
  });

  it('of bytes are copies', () => {
    using list = temporary([bytesOf('abc')]);
    const copy = list.at(0) as Uint8Array;
    expect(copy.constructor).toBe(Uint8Array);
    copy.fill(0);
    expect(list.at(0)).toEqual(bytesOf('abc'));
    list.set(0, Buffer.from('xy'));
    expect(list.at(0)).toEqual(bytesOf('xy'));
  });
});

describe('what cannot be an element', () => {
  const bad: [string, unknown, string][] = [
    ['undefined', undefined, 'ERR_INVALID_ARG_TYPE'],
    ['an object', {}, 'ERR_INVALID_ARG_TYPE'],
    ['a symbol', Symbol('x'), 'ERR_INVALID_ARG_TYPE'],
    ['another typed array', new Int16Array(1), 'ERR_INVALID_ARG_TYPE'],
    ['an ArrayBuffer', new ArrayBuffer(1), 'ERR_INVALID_ARG_TYPE'],
    ['2^63', 2n ** 63n, 'ERR_OUT_OF_RANGE'],
    ['-2^63 - 1', -(2n ** 63n) - 1n, 'ERR_OUT_OF_RANGE'],
    ['half a surrogate pair', 'a\ud83d', 'ERR_OUT_OF_RANGE'],
    ['a string longer than the slot', 'x'.repeat(9), 'ERR_CAPACITY'],
    ['UTF-8 longer than the slot', 'é'.repeat(5), 'ERR_CAPACITY'],
    ['bytes longer than the slot', new Uint8Array(9), 'ERR_CAPACITY'],
  ];

  it.each(bad)('is refused, and changes nothing: %s', (_, value, code) => {
    for (const lock of [false, true]) {
      using list = temporary(example, { lock });
      const before = list.shm.read();
      for (let i = 0; i < list.length; i++) {
        expectCode(() => list.set(i, value as null), code, `element ${i}`);
      }
      expect(list.shm.read()).toEqual(before);
    }
  });

  it.each(bad.filter(([, , code]) => code !== 'ERR_CAPACITY'))(
    'makes no list: %s',
    (_, value, code) => {
      const name = uniqueName();
      for (const lock of [false, true]) {
        expectCode(() => ShareableList.create({ name, from: [1, value as null], lock }), code, '1');
        expectCode(() => SharedMemory.attach(name), 'ENOENT');
      }
    },
  );

  it('says which list, which element and how much room', () => {
    using list = temporary(['abc']);
    expectCode(
      () => list.set(-1, 'x'.repeat(100)),
      'ERR_CAPACITY',
      list.name,
      'element 0',
      ' 8 ',
      '100',
    );
  });
});

describe('misuse', () => {
  it('of options is refused', () => {
    const create = (options: unknown) => ShareableList.create(options as { from: [] });
    expectCode(() => create(undefined), 'ERR_INVALID_ARG_TYPE', 'options');
    expectCode(() => create({}), 'ERR_INVALID_ARG_TYPE', 'from');
    expectCode(() => create({ from: 5 }), 'ERR_INVALID_ARG_TYPE', 'from');
    expectCode(() => create({ from: [], size: 5 }), 'ERR_INVALID_ARG_VALUE', 'size');
    expectCode(() => create({ from: [], lock: 'x' }), 'ERR_INVALID_ARG_TYPE', 'lock');
    expectCode(() => create({ from: [], mode: -1 }), 'ERR_OUT_OF_RANGE', 'mode');
    expectCode(() => create({ from: [], name: 'a/b' }), 'EINVAL', 'a/b');
    expectCode(() => ShareableList.attach('no-such-list'), 'ENOENT', 'no-such-list');
    expectCode(() => ShareableList.attach('x', { name: 1 } as object), 'ERR_INVALID_ARG_VALUE');
    expectCode(() => ShareableList.unlink('no-such-list'), 'ENOENT', 'no-such-list');
  });

  it('of an index is refused, or is beyond the ends', () => {
    using list = temporary([1, 2, 3]);
    expect([list.at(-1), list.at(-3), list.at(-4), list.at(3)]).toEqual([
      3,
      1,
      undefined,
      undefined,
    ]);
    list.set(-3, 10);
    expect(list.toArray()).toEqual([10, 2, 3]);
    for (const index of [3, -4, 2 ** 40]) {
      expectCode(() => list.set(index, 0), 'ERR_OUT_OF_RANGE', 'index', '-3 to 2');
    }
    expectCode(() => list.at(0.5), 'ERR_OUT_OF_RANGE', 'index');
    expectCode(() => list.set(NaN, 0), 'ERR_OUT_OF_RANGE', 'index');
    expectCode(() => list.at('0' as never), 'ERR_INVALID_ARG_TYPE', 'index');
    expect(list.toArray()).toEqual([10, 2, 3]);
  });

  it('of a name that is taken leaves what is there alone', () => {
    for (const lock of [false, true]) {
      using list = temporary([1], { lock });
      expectCode(
        () => ShareableList.create({ name: list.name, from: [2], lock }),
        'EEXIST',
        list.name,
      );
      expect(list.toArray()).toEqual([1]);
    }
  });
});

describe('array verbs', () => {
  it('iterate', () => {
    using list = temporary(example);
    expect([...list]).toEqual(example);
    expect([...list.values()]).toEqual(example);
    expect([...list.entries()]).toEqual([...example.entries()]);
    expect(list.slice(1, -1)).toEqual(example.slice(1, -1));
    expect(list.slice()).toEqual(example);
  });

  it('search', () => {
    using list = temporary([1, 2.5, 1, 'a', bytesOf('a'), null, NaN, true, 2n ** 60n, -0]);
    expect(list.indexOf('a')).toBe(3);
    expect(list.indexOf(bytesOf('a'))).toBe(4);
    expect(list.indexOf(1n)).toBe(0);
    expect(list.indexOf(2 ** 60)).toBe(8);
    expect(list.indexOf(0)).toBe(9);
    expect(list.indexOf('b')).toBe(-1);
    expect(list.count(1)).toBe(2);
    expect(list.count(true)).toBe(1);
    expect([list.count(NaN), list.indexOf(NaN), list.includes(NaN)]).toEqual([0, -1, true]);
    expect([list.includes(null), list.includes(false)]).toEqual([true, false]);
  });

  it('go over many elements', () => {
    using list = temporary(Array.from({ length: 20_000 }, (_, i) => (i % 2 ? i : `no. ${i}`)));
    using other = ShareableList.attach(list.name);
    expect(other.length).toBe(20_000);
    expect(other.at(-1)).toBe(19_999);
    expect(other.indexOf('no. 19998')).toBe(19_998);
  });
});

describe('names and handles', () => {
  it('lead to one list', () => {
    using list = temporary([1, 'abc']);
    using other = ShareableList.attach(list.name);
    other.set(0, 2.5);
    list.set(1, 'xyz');
    expect(list.toArray()).toEqual([2.5, 'xyz']);
    expect(other.toArray()).toEqual([2.5, 'xyz']);
  });

  it('are made up when none is given', () => {
    const list = ShareableList.create({ from: [1] });
    using other = ShareableList.attach(list.name);
    expect(other.at(0)).toBe(1);
    list.unlink();
    list.close();
  });

  it.runIf(onLinux)('have the mode that was asked for', () => {
    using list = temporary([1], { mode: 0o640, lock: true });
    expect(statSync(`/dev/shm/${list.name}`).mode & 0o737).toBe(0o600);
    expect(statSync(`/dev/shm/shmkit.lock.${list.name}`).mode & 0o737).toBe(0o600);
  });

  it('go through JSON and come back attached, with the lock they had', () => {
    using lock = NamedLock.create();
    const handle = (list: ShareableList) =>
      JSON.parse(JSON.stringify(list)) as ReturnType<ShareableList['toJSON']>;
    for (const option of [false, true, lock]) {
      using list = temporary([7], { lock: option });
      using copy = attach(handle(list));
      expect(copy).toBeInstanceOf(ShareableList);
      expect([copy.at(0), copy.lock?.name, copy.crashSafe]).toEqual([
        7,
        list.lock?.name,
        option !== false,
      ]);
      expect(copy.toJSON()).toEqual(list.toJSON());
    }
    lock.unlink();
  });

  it('are removed by unlink, also after close; whoever is attached stays so', () => {
    const list = ShareableList.create({ from: [1] });
    using other = ShareableList.attach(list.name);
    list.close();
    list.unlink();
    expectCode(() => ShareableList.attach(list.name), 'ENOENT');
    expectCode(() => list.unlink(), 'ENOENT');
    expect(other.at(0)).toBe(1);
  });
});

describe('closing', () => {
  it('is idempotent, and ends all use of the handle', () => {
    for (const lock of [false, true]) {
      const list = ShareableList.create({ from: example, lock });
      list.unlink();
      expect(list.closed).toBe(false);
      list.close();
      list.close();
      expect(list.closed).toBe(true);
      const uses = [
        () => list.at(0),
        () => list.at(99),
        () => list.set(0, 1),
        () => list.set(2, 'x'),
        () => list.toArray(),
        () => list.format,
        () => [...list],
        () => list.indexOf(1),
      ];
      for (const use of uses) expectCode(use, 'ERR_CLOSED', list.name);
    }
  });

  it('of the segment underneath does the same', () => {
    const list = ShareableList.create({ from: [1] });
    list.unlink();
    list.shm.close();
    expectCode(() => list.at(0), 'ERR_CLOSED');
    expectCode(() => list.set(0, 5), 'ERR_CLOSED');
    expect(list.closed).toBe(true);
  });

  it('comes with `using`', () => {
    let outer: ShareableList;
    {
      using list = ShareableList.create({ from: [1] });
      list.unlink();
      outer = list;
    }
    expect(outer.closed).toBe(true);
  });
});

describe('a list’s lock', () => {
  it('is that of its name, or the one that is given, or none', () => {
    using lock = NamedLock.create();
    using plain = temporary([1]);
    using own = temporary([1], { lock: true });
    using given = temporary([1], { lock });
    expect([plain.lock, own.lock?.name, given.lock]).toEqual([undefined, own.name, lock]);
    expect([plain.crashSafe, own.crashSafe, given.crashSafe]).toEqual([false, true, true]);
    lock.unlink();
  });

  it('excludes others, and lets its holder go ahead', () => {
    using list = temporary([1, 'abc'], { lock: true });
    using other = ShareableList.attach(list.name, { lock: true });
    list.lock!.runExclusiveSync(() => {
      list.set(0, (list.at(0) as number) + 1);
      list.set(1, 7);
      expect(list.toArray()).toEqual([2, 7]);
      expectCode(() => other.at(0), 'ERR_DEADLOCK');
    });
    expect(list.lock!.locked).toBe(false);
    expect(other.at(0)).toBe(2);
    expectCode(() => list.set(0, 2n ** 70n), 'ERR_OUT_OF_RANGE');
    expect(list.lock!.locked).toBe(false);
  });

  it('is not closed with the list when it was given', () => {
    using lock = NamedLock.create();
    const list = ShareableList.create({ from: [1], lock });
    list.unlink();
    list.close();
    lock.acquireSync().release();
    lock.unlink();
  });

  it('keeps the list open while it is held', () => {
    using list = temporary([1], { lock: true });
    const held = list.lock!.acquireSync();
    expectCode(() => list.close(), 'EBUSY');
    expect([list.closed, list.at(0)]).toEqual([false, 1]);
    held.release();
  });

  it('guards a list without a journal too, which is not crash-safe', () => {
    using list = temporary([1]);
    using locked = ShareableList.attach(list.name, { lock: true });
    locked.set(0, null);
    expect([locked.at(0), list.at(0), locked.crashSafe]).toEqual([null, null, false]);
    locked.lock!.unlink();
  });

  it('goes with the list’s name, though somebody makes it anew', () => {
    const list = ShareableList.create({ from: [1], lock: true });
    const other = ShareableList.attach(list.name, { lock: true });
    ShareableList.unlink(list.name);
    expectCode(() => NamedLock.attach(list.name), 'ENOENT');
    other.set(0, 'x');
    expect(list.at(0)).toBe('x');
    list.close();
    other.close();
    expectCode(() => NamedLock.attach(list.name), 'ENOENT');
  });

  it('is left alone when it only has the same name', () => {
    const list = ShareableList.create({ from: [1] });
    using lock = NamedLock.create({ name: list.name });
    ShareableList.unlink(list.name);
    list.close();
    lock.acquireSync().release();
    lock.unlink();
  });
});
