import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { SharedArray, SharedValue, attach, type ElementType } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { start } from '../support/children';
import { expectCode, expectRejection } from '../support/errors';
import { uniqueName } from '../support/names';

/** Of each type: its least and greatest value, one beyond each, and what is of another kind. */
const limits = {
  int8: [-128, 127, -129, 128],
  uint8: [0, 255, -1, 256],
  int16: [-32768, 32767, -32769, 32768],
  uint16: [0, 65535, -1, 65536],
  int32: [-(2 ** 31), 2 ** 31 - 1, -(2 ** 31) - 1, 2 ** 31],
  uint32: [0, 2 ** 32 - 1, -1, 2 ** 32],
  int64: [-(2n ** 63n), 2n ** 63n - 1n, -(2n ** 63n) - 1n, 2n ** 63n],
  uint64: [0n, 2n ** 64n - 1n, -1n, 2n ** 64n],
} as const;

const types = [...Object.keys(limits), 'float32', 'float64'] as ElementType[];

function make<T extends ElementType>(type: T, value?: number | bigint): SharedValue<T> {
  const made = SharedValue.create({
    name: uniqueName(),
    type,
    ...(value !== undefined && { value: value as never }),
  });
  made.unlink();
  return made;
}

describe('a shared value', () => {
  it.each(types)('of %s is 0 at first, and what it was made with', (type) => {
    const isBig = type === 'int64' || type === 'uint64';
    using zero = make(type);
    expect(zero.value).toBe(isBig ? 0n : 0);
    using seven = make(type, isBig ? 7n : 7);
    expect(seven.value).toBe(isBig ? 7n : 7);
    expect(seven.type).toBe(type);
  });

  it.each(Object.entries(limits))('of %s holds its limits and nothing beyond', (type, all) => {
    const [least, most, under, over] = all as unknown as never[];
    using value = make(type as ElementType);
    value.value = least!;
    expect(value.value).toBe(least);
    value.value = most!;
    expect(value.value).toBe(most);
    for (const wrong of [under, over]) {
      expectCode(() => (value.value = wrong!), 'ERR_OUT_OF_RANGE', 'value');
      expectCode(() => value.exchange(wrong!), 'ERR_OUT_OF_RANGE');
      expectCode(() => value.compareExchange(most!, wrong!), 'ERR_OUT_OF_RANGE');
      expectCode(
        () => SharedValue.create({ type: type as never, value: wrong! }),
        'ERR_OUT_OF_RANGE',
      );
    }
    expect(value.value).toBe(most);
  });

  it.each(Object.entries(limits))('of %s is unchanged when a sum is beyond it', (type, all) => {
    const [least, most] = all as unknown as never[];
    const one = (typeof most === 'bigint' ? 1n : 1) as never;
    const minusOne = (typeof most === 'bigint' ? -1n : -1) as never;
    using value = make(type as ElementType);
    value.value = most!;
    expectCode(() => value.add(one), 'ERR_OUT_OF_RANGE', type);
    expect(value.value).toBe(most);
    expect(value.add(minusOne)).toBe(most);
    value.value = least!;
    expectCode(() => value.add(minusOne), 'ERR_OUT_OF_RANGE');
    expect(value.value).toBe(least);
    expect(value.add(one)).toBe(least);
  });

  it('takes no fraction where integers are, and no number where bigints are, nor the reverse', () => {
    using int32 = make('int32', 5);
    expectCode(() => (int32.value = 1.5), 'ERR_OUT_OF_RANGE');
    expectCode(() => int32.add(0.5), 'ERR_OUT_OF_RANGE');
    expectCode(() => (int32.value = NaN), 'ERR_OUT_OF_RANGE');
    expectCode(() => (int32.value = 1n as never), 'ERR_INVALID_ARG_TYPE');
    expectCode(() => (int32.value = '1' as never), 'ERR_INVALID_ARG_TYPE');
    using int64 = make('int64', 5n);
    expectCode(() => (int64.value = 1 as never), 'ERR_INVALID_ARG_TYPE');
    expectCode(() => int64.add(1 as never), 'ERR_INVALID_ARG_TYPE');
    using float64 = make('float64', 5);
    expectCode(() => float64.add(1n as never), 'ERR_INVALID_ARG_TYPE');
    expect([int32.value, int64.value, float64.value]).toEqual([5, 5n, 5]);
  });

  it.each(types)('of %s exchanges, compares and adds, and gives what was before', (type) => {
    const of = (n: number) => (type === 'int64' || type === 'uint64' ? BigInt(n) : n) as never;
    using value = make(type, of(3));
    expect(value.add(of(4))).toBe(of(3));
    expect(value.exchange(of(100))).toBe(of(7));
    expect(value.compareExchange(of(7), of(1))).toBe(of(100));
    expect(value.compareExchange(of(100), of(1))).toBe(of(100));
    expect(value.value).toBe(of(1));
    expect(value.update((v) => (v === of(1) ? of(2) : of(3)))).toBe(of(2));
  });

  it('compares floats by their bits', () => {
    for (const type of ['float32', 'float64'] as const) {
      using value = make(type, NaN);
      expect(value.compareExchange(NaN, 1)).toBe(NaN);
      expect(value.value).toBe(1);
      value.value = -0;
      expect(value.compareExchange(0, 1)).toBe(-0);
      expect(value.value).toBe(-0);
    }
  });

  it('adds to 64-bit integers at both ends of what small steps and great ones reach', () => {
    using value = make('int64', 2n ** 62n - 1n);
    expect(value.add(1n)).toBe(2n ** 62n - 1n);
    expect(value.add(2n ** 61n)).toBe(2n ** 62n);
    expect(value.add(-(2n ** 63n))).toBe(2n ** 62n + 2n ** 61n);
    expect(value.value).toBe(-(2n ** 61n));
    expect(value.add(2n ** 64n - 1n - 2n ** 63n - 2n ** 62n)).toBe(-(2n ** 61n));
  });

  it('is one value to all who attach, refused to those who expect another type', () => {
    const name = uniqueName();
    using value = SharedValue.create({ name, type: 'uint16', value: 5 });
    using same = SharedValue.attach(name);
    using opened = SharedValue.open(name, { type: 'uint16', value: 9 });
    same.add(1);
    expect(opened.value).toBe(6);
    expect(same.type).toBe('uint16');
    expectCode(() => SharedValue.attach(name, { type: 'int16' }), 'ERR_WRONG_KIND', 'uint16', name);
    expectCode(() => SharedValue.open(name, { type: 'float64' }), 'ERR_WRONG_KIND');
    expectCode(() => SharedValue.create({ name, type: 'uint16' }), 'EEXIST', name);
    expectCode(() => SharedArray.attach(name), 'ENOENT', name);
    using again = attach(value.toJSON());
    expect(again).toBeInstanceOf(SharedValue);
    expect(again.value).toBe(6);
    value.unlink();
    expectCode(() => SharedValue.attach(name), 'ENOENT');
    expect(same.add(1)).toBe(6); // who has it keeps it
  });

  it('is ERR_CLOSED after close, for each of its methods', async () => {
    using value = make('int32', 1);
    const waiting = value.wait(1);
    value.close();
    await expectRejection(waiting, 'ERR_CLOSED');
    expectCode(() => value.value, 'ERR_CLOSED', value.name);
    expectCode(() => (value.value = 1), 'ERR_CLOSED');
    expectCode(() => value.add(1), 'ERR_CLOSED');
    expectCode(() => value.exchange(1), 'ERR_CLOSED');
    expectCode(() => value.compareExchange(1, 2), 'ERR_CLOSED');
    expectCode(() => value.update((v) => v), 'ERR_CLOSED');
    expectCode(() => value.waitSync(1), 'ERR_CLOSED');
    expectCode(() => value.notify(), 'ERR_CLOSED');
    expectCode(() => value.lock.acquireSync(), 'ERR_CLOSED');
    value.close();
  });

  it('updates under its lock, and changes nothing when the function throws', () => {
    using value = make('int32', 1);
    value.update((v) => {
      expect(value.lock.held).toBe(true);
      return value.update(() => v + 1) + 1; // re-enters through the same handle
    });
    expect(value.value).toBe(3);
    expect(() =>
      value.update(() => {
        throw new Error('no');
      }),
    ).toThrow('no');
    expectCode(() => value.update(() => 1.5), 'ERR_OUT_OF_RANGE', 'what fn returns');
    expect(value.value).toBe(3);
    expect(value.lock.locked).toBe(false);
    value.lock.acquireSync();
    expectCode(() => value.close(), 'EBUSY');
    value.lock.release();
  });

  it('of 4 processes loses no addition, whatever the type', async () => {
    const name = uniqueName();
    const rounds = 20_000;
    for (const type of ['int32', 'int64', 'float64', 'float32', 'uint16'] as const) {
      using value = SharedValue.create({ name, type });
      const each = type === 'uint16' ? 10_000 : rounds;
      const children = Array.from({ length: 4 }, () => start('data-adder', [name, each, 'add']));
      await Promise.all(children.map((child) => child.succeed()));
      expect(Number(value.value), type).toBe(4 * each);
      value.unlink();
    }
  });

  it('of 4 processes loses no update', async () => {
    const name = uniqueName();
    using value = SharedValue.create({ name, type: 'uint32' });
    const children = Array.from({ length: 4 }, () => start('data-adder', [name, 5000, 'update']));
    await Promise.all(children.map((child) => child.succeed()));
    expect(value.value).toBe(20_000);
    value.unlink();
  });
});

describe('waiting for a value to change', () => {
  it('ends when another process changes it and notifies', async () => {
    const name = uniqueName();
    using value = SharedValue.create({ name, type: 'int64', value: 5n });
    for (const how of ['sync', 'async']) {
      const child = start('data-waiter', [name, how, String(value.value)]);
      expect(await child.hear()).toBe('waiting');
      value.add(1n);
      value.notify();
      expect(await child.hear()).toBe(String(value.value));
      await child.succeed();
    }
    value.unlink();
  });

  it('ends when who changed it died before it notified', async () => {
    using value = make('uint8', 1);
    const waiting = value.wait(1);
    value.value = 2; // and no notify
    expect(await waiting).toBe(2);
  });

  it('waits no longer than told, no shorter, and not at all for what is so already', async () => {
    using value = make('float64', 1.5);
    expect(value.waitSync(2)).toBe(1.5);
    expect(await value.wait(NaN)).toBe(1.5);
    let begin = performance.now();
    expectCode(() => value.waitSync(1.5, { timeout: 50 }), 'ERR_TIMEOUT', '50 ms', value.name);
    expect(performance.now() - begin).toBeGreaterThanOrEqual(50);
    begin = performance.now();
    await expectRejection(value.wait(1.5, { timeout: 50 }), 'ERR_TIMEOUT', '50 ms');
    expect(performance.now() - begin).toBeGreaterThanOrEqual(50);
    expectCode(() => value.waitSync(1.5, { timeout: 0 }), 'ERR_TIMEOUT');
  });

  it('is called off by a signal, with its reason', async () => {
    using value = make('int8');
    const controller = new AbortController();
    const waiting = value.wait(0, { signal: controller.signal });
    const reason = new Error('enough');
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(value.wait(0, { signal: controller.signal })).rejects.toBe(reason);
  });
});

describe('bad input of a value', () => {
  it('is an error that says what was wrong', () => {
    expectCode(() => SharedValue.create({ type: 'int7' as never }), 'ERR_OUT_OF_RANGE', 'int8');
    expectCode(() => SharedValue.create({} as never), 'ERR_INVALID_ARG_TYPE', 'type');
    expectCode(
      () => SharedValue.create({ type: 'int8', vlaue: 1 } as never),
      'ERR_INVALID_ARG_VALUE',
      'vlaue',
    );
    expectCode(
      () => SharedValue.open('x', { type: 'int8', name: 'y' } as never),
      'ERR_INVALID_ARG_VALUE',
    );
    expectCode(() => SharedValue.create({ type: 'int8', name: 'a/b' }), 'EINVAL', 'a/b');
    expectCode(() => SharedValue.attach(''), 'EINVAL');
    expectCode(() => SharedValue.attach('nowhere'), 'ENOENT', 'nowhere');
    using value = make('int8');
    expectCode(() => value.update(1 as never), 'ERR_INVALID_ARG_TYPE', 'fn');
    expectCode(() => value.notify(-1), 'ERR_OUT_OF_RANGE');
    expectCode(() => value.waitSync(0, { timeout: -1 }), 'ERR_OUT_OF_RANGE');
    expectCode(() => value.waitSync(300), 'ERR_OUT_OF_RANGE', 'expected');
  });

  it('in its header is refused, not believed', () => {
    const name = uniqueName();
    using value = SharedValue.create({ name, type: 'int32' });
    const path = `/dev/shm/shmkit.value.${name}`;
    const good = readFileSync(path);
    const other = `${name}-other`;
    const refused = (code: string, spoil: (bytes: Buffer) => void) => {
      const bytes = Buffer.from(good);
      spoil(bytes);
      writeFileSync(`/dev/shm/shmkit.value.${other}`, bytes);
      expectCode(() => SharedValue.attach(other), code, other);
    };
    refused('ERR_CORRUPT', (bytes) => bytes.writeUInt32LE(99, 40)); // no such type
    refused('ERR_CORRUPT', (bytes) => bytes.writeUInt32LE(0, 40));
    refused('ERR_CORRUPT', (bytes) => bytes.writeBigUInt64LE(0n, 48)); // no element
    refused('ERR_CORRUPT', (bytes) => bytes.writeUInt32LE(8, 12)); // data inside the header
    refused('ERR_CORRUPT', (bytes) => bytes.writeUInt32LE(1 << 20, 12)); // data beyond the end
    refused('ERR_CORRUPT', (bytes) => bytes.writeUInt32LE(321, 12)); // data between two words
    refused('ERR_CORRUPT', (bytes) => bytes.writeUInt32LE(256, 12)); // no words
    refused('ERR_CORRUPT', (bytes) => bytes.writeBigUInt64LE(2n ** 40n, 32)); // size beyond the end
    refused('ERR_CORRUPT', (bytes) => bytes.writeBigUInt64LE(2n, 48)); // more than there is room for
    refused('ERR_WRONG_KIND', (bytes) => bytes.writeUInt16LE(3, 6)); // an array
    rmSync(`/dev/shm/shmkit.value.${other}`);
    copyFileSync(path, `/dev/shm/shmkit.array.${other}`);
    expectCode(() => SharedArray.attach(other), 'ERR_WRONG_KIND', other);
    rmSync(`/dev/shm/shmkit.array.${other}`);
    value.unlink();
  });
});
