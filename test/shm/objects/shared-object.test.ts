import { constants } from 'node:buffer';
import { readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { freemem } from 'node:os';
import { Manager, SharedArray, SharedDict, SharedObject, attach } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { expectCode } from '../../support/errors';
import { uniqueName } from '../../support/names';
import { difference } from '../../support/same-value';
import { onLinux } from '../../support/system';
import { cloned, nested, refused } from '../../support/value-cases';

/** The size from which a buffer is shared memory. */
const large = 4096;

function roundTrip(value: unknown): unknown {
  using object = SharedObject.create({ from: value });
  using attached = SharedObject.attach(object.name);
  return structuredClone(attached.value);
}

function numbered(bytes: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: bytes }, (_, i) => (i * 7) % 251);
}

describe('a value', () => {
  it.each(cloned)('comes back: %s', (_, make) => {
    const value = make();
    using object = SharedObject.create({ from: { value, beside: numbered(large) } });
    expect(difference(object.value.value, structuredClone(value))).toBeUndefined();
  });

  it.each([undefined, null, 5, -0, 'text', 12n, true, [], {}])('comes back alone: %s', (value) => {
    expect(roundTrip(value)).toEqual(value);
  });

  it.each(refused)('is refused: %s', (_, make) => {
    const name = uniqueName();
    expectCode(
      () => SharedObject.create({ name, from: { list: [make()] } }),
      'ERR_INVALID_ARG_TYPE',
      /^from\.list\[0\]/,
    );
    expectCode(() => SharedObject.attach(name), 'ENOENT', name);
  });

  it('may be deeper than the stack', () => {
    using object = SharedObject.create({ from: nested(100_000) });
    let { value } = object;
    let levels = 0;
    for (; typeof value === 'object' && value !== null; levels++) {
      [value] = Object.values(value) as unknown[];
    }
    expect(levels).toBe(100_000);
  });

  it('is a snapshot, and the same one each time', () => {
    const from = { list: [1], bytes: numbered(large) };
    using object = SharedObject.create({ from });
    from.list.push(2);
    from.bytes.fill(0);
    expect(object.value).toEqual({ list: [1], bytes: numbered(large) });
    expect(object.value).toBe(object.value);
    expect(object.value).not.toBe(from);
  });
});

describe('an ArrayBuffer', () => {
  it.each([0, 1, large - 1, large, large + 1, 1 << 20])('of %d bytes comes back', (bytes) => {
    expect(roundTrip(numbered(bytes))).toEqual(numbered(bytes));
    expect(roundTrip([numbered(bytes).buffer, 1])).toEqual([numbered(bytes).buffer, 1]);
  });

  it('is the same one for all its views', () => {
    const buffer = numbered(large * 2).buffer;
    const views = {
      whole: new Uint8Array(buffer),
      part: new Float64Array(buffer, 64, 8),
      data: new DataView(buffer, 8),
      buffer,
    };
    using object = SharedObject.create({ from: views });
    const { value } = object;
    const all = [value.whole, value.part, value.data].map((view) => view.buffer);
    expect(new Set([...all, value.buffer]).size).toBe(1);
    expect(value.part.byteOffset).toBe(64);
    value.whole[64] = 255;
    expect(value.part).not.toEqual(views.part);
    using whole = SharedObject.create({ from: views.whole });
    expect(object.size - whole.size).toBeLessThan(large);
  });

  it.each([
    ['Int8Array', 1],
    ['Float32Array', 4],
    ['Float64Array', 8],
    ['BigInt64Array', 8],
  ] as const)('is aligned to a cache line: %s', (type, bytes) => {
    const made = Array.from({ length: 5 }, (_, i) => new globalThis[type](large / bytes + i));
    using object = SharedObject.create({ from: made });
    const file = onLinux ? readFileSync(`/dev/shm/shmkit.object.${object.name}`) : undefined;
    const dataAt = file?.readUInt32LE(12) ?? 0;
    for (let i = 0; i < made.length; i++) {
      const entry = dataAt + 32 + 40 * i;
      if (file) expect(file.readDoubleLE(entry) % 64).toBe(0);
      expect(object.value[i]).toEqual(made[i]);
    }
  });

  it('of Buffers contributes only the bytes that they cover', () => {
    const secret = 'the secret of somebody else';
    const pool = Buffer.alloc(3 * large);
    pool.write(secret, 2 * large);
    const mine = pool.subarray(10, 10 + large);
    mine.fill(7);
    using object = SharedObject.create({ from: { mine, again: pool.subarray(20, 30) } });
    expect(object.value.mine).toEqual(new Uint8Array(mine));
    expect(object.value.again.buffer).toBe(object.value.mine.buffer);
    if (!onLinux) return;
    expect(readFileSync(`/dev/shm/shmkit.object.${object.name}`).includes(secret)).toBe(false);
  });

  it('that can grow is copied, whatever its size, and can still grow', () => {
    const growing = new (
      ArrayBuffer as unknown as new (bytes: number, options: object) => ArrayBuffer
    )(large, { maxByteLength: 4 * large });
    const value = roundTrip({ growing }) as { growing: ArrayBuffer & { resize(to: number): void } };
    expect(value.growing.byteLength).toBe(large);
    value.growing.resize(2 * large);
    expect(value.growing.byteLength).toBe(2 * large);
  });

  it('is not copied: every handle of a process sees the same memory', () => {
    using object = SharedObject.create({ from: numbered(large) });
    using other = SharedObject.attach<Uint8Array>(object.name);
    other.value[0] = 99;
    expect(object.value[0]).toBe(99);
    expect(object.value).not.toBe(other.value);
  });

  it.runIf(onLinux)('keeps what is written into it private', () => {
    const object = SharedObject.create({ from: numbered(1 << 16) });
    const before = readFileSync(`/dev/shm/shmkit.object.${object.name}`);
    object.value.fill(1);
    const after = readFileSync(`/dev/shm/shmkit.object.${object.name}`);
    const dataAt = before.readUInt32LE(12);
    expect(after.subarray(dataAt).equals(before.subarray(dataAt))).toBe(true);
    object.close();
  });
});

describe('closing', () => {
  it('empties the buffers, and keeps the rest', () => {
    const object = SharedObject.create({
      from: { large: numbered(large), small: numbered(5), text: 'x' },
    });
    const { value } = object;
    object.close();
    object.close();
    expect(object.closed).toBe(true);
    expect(value.large.length).toBe(0);
    expect(value.small).toEqual(numbered(5));
    expect(value.text).toBe('x');
    for (const use of [() => object.value, () => object.holders]) {
      expectCode(use, 'ERR_CLOSED', object.name);
    }
  });

  it('removes what nobody holds any more', () => {
    const object = SharedObject.create({ from: 1 });
    const other = SharedObject.attach(object.name);
    object.close();
    expect(other.value).toBe(1);
    SharedObject.attach(object.name).close();
    other.close();
    expectCode(() => SharedObject.attach(object.name), 'ENOENT', object.name);
    object.unlink(); // went with its last holder
    expectCode(() => object.unlink(), 'ENOENT', object.name);
    expectCode(() => SharedObject.unlink(object.name), 'ENOENT', object.name);
  });

  it('is not needed by what was unlinked', () => {
    const name = uniqueName();
    const object = SharedObject.create({ name, from: numbered(large) });
    object.unlink();
    expectCode(() => SharedObject.attach(name), 'ENOENT', name);
    expect(object.value).toEqual(numbered(large));
    using next = SharedObject.create({ name, from: 'next' });
    object.close();
    using again = SharedObject.attach(name);
    expect([next.value, again.value, next.holders]).toEqual(['next', 'next', 1]);
  });
});

describe('a name', () => {
  it('is taken only once', () => {
    const name = uniqueName();
    using object = SharedObject.create({ name, from: 1 });
    expectCode(() => SharedObject.create({ name, from: 2 }), 'EEXIST', name);
    expect(object.value).toBe(1);
  });

  it('is free again when nobody holds the object', () => {
    const name = uniqueName();
    for (let i = 0; i < 3; i++) {
      using object = SharedObject.create({ name, from: i });
      using again = SharedObject.attach(name);
      expect([object.value, again.value, object.holders]).toEqual([i, i, 1]);
    }
  });
});

describe('a handle', () => {
  it('is all that any channel carries', () => {
    using object = SharedObject.create({ from: numbered(1 << 20) });
    const handle = { shmkit: 'object', name: object.name };
    expect(JSON.parse(JSON.stringify(object))).toEqual(handle);
    expect(structuredClone(object)).toEqual(handle);
    using attached = attach(structuredClone(object));
    expect(attached.value.length).toBe(1 << 20);
  });

  it('in a value leads to the object, which lives as long as the outer one', () => {
    const inner = SharedObject.create({ from: numbered(large) });
    const middle = SharedObject.create({ from: { inner } });
    const outer = SharedObject.create({ from: { middle, also: [inner] } });
    middle.close();
    inner.close();
    const value = outer.value;
    expect(value.middle.value.inner.value).toEqual(numbered(large));
    expect(value.also[0]!.name).toBe(inner.name);
    value.middle.value.inner.close();
    value.also[0]!.close();
    value.middle.close();
    SharedObject.attach(inner.name).close();
    outer.close();
    for (const { name } of [inner, middle, outer]) {
      expectCode(() => SharedObject.attach(name), 'ENOENT', name);
    }
  });

  it('of an object of another kind comes back in a value as elsewhere', () => {
    using dict = SharedDict.create<number>();
    dict.set('a', 1);
    using object = SharedObject.create({ from: { dict } });
    expect(object.value.dict.get('a')).toBe(1);
    object.value.dict.close();
    dict.unlink();
  });
});

describe('a mistake', () => {
  it.each([
    ['no options', () => SharedObject.create(undefined as never), 'ERR_INVALID_ARG_TYPE'],
    ['no value', () => SharedObject.create({} as never), 'ERR_INVALID_ARG_TYPE'],
    [
      'an unknown option',
      () => SharedObject.create({ from: 1, handover: true } as never),
      'ERR_INVALID_ARG_VALUE',
    ],
    [
      'too many participants',
      () => SharedObject.create({ from: 1, participants: 1e6 }),
      'ERR_OUT_OF_RANGE',
    ],
    [
      'handOver that is no boolean',
      () => SharedObject.create({ from: 1, handOver: 1 as never }),
      'ERR_INVALID_ARG_TYPE',
    ],
    ['a name that cannot be one', () => SharedObject.create({ from: 1, name: 'a/b' }), 'EINVAL'],
    ['no name', () => SharedObject.attach(undefined as never), 'ERR_INVALID_ARG_TYPE'],
    ['new', () => new (SharedObject as unknown as new () => unknown)(), 'ERR_ILLEGAL_CONSTRUCTOR'],
  ])('is said: %s', (_, act, code) => {
    expectCode(act, code);
  });

  it('is to use an object of another kind', () => {
    const name = uniqueName();
    using array = SharedArray.create({ name, type: 'int8', length: 1 });
    expectCode(() => SharedObject.attach(name), 'ENOENT', 'SharedArray.attach');
    array.unlink();
  });
});

describe('a manager', () => {
  it('ends its objects, and lets go of them before', () => {
    const manager = Manager.create();
    const kept = manager.object(numbered(large));
    const gone = manager.object([1]);
    const named = manager.object('text', { name: 'own' });
    expect(named.name).toBe(`/${manager.name}/own`);
    gone.close();
    expectCode(() => SharedObject.attach(gone.name), 'ENOENT');
    expect(attach(kept.toJSON()).value).toEqual(numbered(large));
    manager.shutdown();
    expectCode(() => kept.value, 'ERR_SHUTDOWN', kept.name);
    expectCode(() => SharedObject.attach(kept.name), 'ENOENT');
    kept.close();
    named.close();
    expectCode(() => manager.object(1), 'ERR_CLOSED');
  });

  it('refuses what it cannot make, and makes nothing', () => {
    using manager = Manager.create();
    expectCode(() => manager.object(() => 1), 'ERR_INVALID_ARG_TYPE', 'from');
    expectCode(() => manager.object(1, { name: 'a/b' }), 'EINVAL', 'a/b');
    expectCode(() => manager.object(1, { from: 2 } as never), 'ERR_INVALID_ARG_VALUE', 'from');
    using object = manager.object(1, { name: 'once' });
    expectCode(() => manager.object(2, { name: 'once' }), 'EEXIST', 'once');
    expect(object.value).toBe(1);
  });
});

describe.runIf(onLinux)('bytes that were overwritten', () => {
  const from = { a: [1, 'two', new Map([[3, 4n]])], f: new Float64Array(1000), g: numbered(10) };

  it('are errors or other values, one byte at a time', () => {
    const name = uniqueName();
    using object = SharedObject.create({ name, from });
    const file = `/dev/shm/shmkit.object.${name}`;
    const whole = readFileSync(file);
    const dataAt = whole.readUInt32LE(12);
    // Up to the large buffer, whose bytes are only numbers.
    const end = dataAt + whole.readDoubleLE(dataAt + 32);
    let unreadable = 0;
    for (let at = dataAt; at < end; at++) {
      for (const byte of [0, 0xff, whole[at]! ^ 1]) {
        const bytes = Buffer.from(whole);
        bytes[at] = byte;
        writeFileSync(file, bytes);
        const attached = SharedObject.attach(name);
        try {
          JSON.stringify(attached.value, (_, each: unknown) =>
            typeof each === 'bigint' ? String(each) : each,
          );
        } catch (error) {
          expect(['ERR_CORRUPT', 'ERR_ABI_MISMATCH']).toContain(
            (error as NodeJS.ErrnoException).code,
          );
          unreadable++;
        }
        attached.close();
      }
    }
    writeFileSync(file, whole);
    expect(unreadable).toBeGreaterThan(100);
    expect(object.holders).toBe(1);
  });

  it.each([
    ['the offset of the data is no page', 12, 257],
    ['the data begin at the end', 12, 1 << 20],
    ['the front is longer than the data', 48, 1 << 30],
  ])('of the header are refused: %s', (_, at, word) => {
    const name = uniqueName();
    const object = SharedObject.create({ name, from });
    const file = `/dev/shm/shmkit.object.${name}`;
    const bytes = readFileSync(file);
    object.close();
    bytes.writeUInt32LE(word, at);
    writeFileSync(file, bytes);
    expectCode(() => SharedObject.attach(name).value, 'ERR_CORRUPT', name);
    SharedObject.unlink(name);
  });
});

/** An object beyond 4 GiB needs ArrayBuffers of that size, and as much memory. */
const hasRoom = (() => {
  if (!onLinux || constants.MAX_LENGTH <= 2 ** 32) return false;
  const { bavail, bsize } = statfsSync('/dev/shm');
  return Math.min(bavail * bsize, freemem()) > 5 * 2 ** 30;
})();

describe('a size beyond 4 GiB (skipped where ArrayBuffers cannot be so large, or without 5 GiB)', () => {
  it.runIf(hasRoom)('is kept, as is the length of each view', () => {
    // Pages that nobody writes take no memory here. They do in the object.
    const { buffer } = new Uint8Array(2 ** 32 + 8);
    const lengths = [2 ** 32 - 8, 2 ** 32, 2 ** 32 + 8];
    using object = SharedObject.create({ from: lengths.map((n) => new Uint8Array(buffer, 0, n)) });
    expect(object.value.map(({ length }) => length)).toEqual(lengths);
    expect(object.value.map((view) => view.at(-1))).toEqual([0, 0, 0]);
  });
});
