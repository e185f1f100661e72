import { closeSync, openSync, readFileSync, readSync, readdirSync } from 'node:fs';
import { SharedMemory, SharedObject, type SharedObjectDraft } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { freeBytes } from '../../fixtures/memory/free';
import { expectCode } from '../../support/errors';
import { uniqueName } from '../../support/names';
import { onLinux } from '../../support/system';
import { until } from '../../support/temporaries';

function filled(draft: SharedObjectDraft): Float64Array<ArrayBuffer> {
  const numbers = new Float64Array(draft.buffer);
  for (let i = 0; i < numbers.length; i++) numbers[i] = i / 2;
  return numbers;
}

const numbers = (count: number) => Float64Array.from({ length: count }, (_, i) => i / 2);

describe('a draft', () => {
  it.each([1, 2, 511, 512, 513, 100_000])(
    'of %d numbers becomes an object that has them',
    (count) => {
      using draft = SharedObject.allocate({ size: 8 * count });
      expect(draft.buffer.byteLength).toBe(8 * count);
      expect(draft.size).toBe(8 * count);
      expect(new Uint8Array(draft.buffer).every((byte) => byte === 0)).toBe(true);
      using object = draft.seal({
        numbers: filled(draft),
        text: 'beside',
        more: new Uint8Array(9000),
      });
      expect(draft.closed).toBe(true);
      using attached = SharedObject.attach<typeof object.value>(object.name);
      expect(attached.value).toEqual({
        numbers: numbers(count),
        text: 'beside',
        more: new Uint8Array(9000),
      });
      expect(attached.value.numbers.byteOffset).toBe(0);
    },
  );

  it('may have several views in the value, which share its memory', () => {
    using draft = SharedObject.allocate({ size: 8192 });
    const all = filled(draft);
    using object = draft.seal({
      all,
      part: new Uint8Array(draft.buffer, 13, 100),
      data: new DataView(draft.buffer, 8),
      buffer: draft.buffer,
      bytes: Buffer.from(draft.buffer, 3, 5),
    });
    const { value } = object;
    expect(value.all).toEqual(numbers(1024));
    expect(value.part).toEqual(new Uint8Array(numbers(1024).buffer, 13, 100));
    expect(value.part.buffer).toBe(value.buffer);
    expect(value.data.buffer).toBe(value.buffer);
    expect(value.bytes).toEqual(new Uint8Array(numbers(1024).buffer, 3, 5));
  });

  it('may have no part in the value', () => {
    using draft = SharedObject.allocate({ size: 100_000 });
    using object = draft.seal('nothing of it');
    expect(object.value).toBe('nothing of it');
    if (onLinux) expect(object.size).toBeGreaterThan(100_000);
  });

  it('is not seen before it is sealed, and leaves nothing when it is closed', () => {
    const name = uniqueName();
    const draft = SharedObject.allocate({ name, size: 100_000 });
    filled(draft);
    expectCode(() => SharedObject.attach(name), 'ENOENT', name);
    draft.close();
    draft.close();
    expect(draft.closed).toBe(true);
    expectCode(() => SharedObject.attach(name), 'ENOENT', name);
  });

  it('has the name, the mode and the rest that it was given', () => {
    const name = uniqueName();
    using draft = SharedObject.allocate({
      name,
      size: 4096,
      mode: 0o640,
      participants: 7,
      handOver: true,
    });
    const object = draft.seal(new Uint8Array(draft.buffer));
    expect(object.toJSON()).toEqual({ shmkit: 'object', name, handOver: true });
    if (onLinux) {
      const listed = SharedMemory.list().find(
        (each) => each.kind === 'object' && each.name === name,
      );
      expect(listed?.mode).toBe(0o640);
    }
    object.close();
    SharedObject.attach(name, { handOver: true }).close();
    expectCode(() => SharedObject.attach(name), 'ENOENT', name);
  });

  it('can be filled by a file', () => {
    const expected = readFileSync(__filename);
    using draft = SharedObject.allocate({ size: expected.length });
    const fd = openSync(__filename, 'r');
    expect(readSync(fd, new Uint8Array(draft.buffer))).toBe(expected.length);
    closeSync(fd);
    using object = draft.seal(new Uint8Array(draft.buffer));
    expect(expected.equals(object.value)).toBe(true);
  });
});

describe('when it was sealed', () => {
  it('the views that were made of it are empty, and nothing changes the object any more', () => {
    using draft = SharedObject.allocate({ size: 8000 });
    const before = filled(draft);
    using object = draft.seal(before);
    expect(before.length).toBe(0);
    before[0] = 77;
    expect(object.value[0]).toBe(0);
    object.value[0] = 99; // stays private
    using attached = SharedObject.attach<Float64Array>(object.name);
    expect(attached.value.length).toBe(1000);
  });

  it('it is closed', () => {
    const draft = SharedObject.allocate({ size: 8000 });
    const name = draft.seal(1).name;
    expectCode(() => draft.seal(2), 'ERR_CLOSED', name);
    expectCode(() => draft.buffer, 'ERR_CLOSED', name);
    draft.close();
    SharedObject.unlink(name);
  });
});

/** Newer than Node 20. */
const canTransfer = 'transfer' in ArrayBuffer.prototype;
const transferred = (buffer: ArrayBuffer) =>
  (buffer as ArrayBuffer & { transfer(): ArrayBuffer }).transfer();

describe('if sealing fails', () => {
  it.each([
    ['the value cannot be cloned', () => ({ f: () => 1 }), 'ERR_INVALID_ARG_TYPE', /^value\.f/],
  ] as const)('because %s, nothing has changed', (_, make, code, message) => {
    using draft = SharedObject.allocate({ size: 8000 });
    const all = filled(draft);
    expectCode(() => draft.seal({ all, ...make() }), code, message);
    expect(draft.buffer).toBe(all.buffer);
    using object = draft.seal(all);
    expect(object.value).toEqual(numbers(1000));
  });

  it('because the name is taken, the contents are still there', () => {
    const name = uniqueName();
    const other = SharedObject.create({ name, from: 1 });
    using draft = SharedObject.allocate({ name, size: 8000 });
    const all = filled(draft);
    expectCode(() => draft.seal(all), 'EEXIST', name);
    expect(draft.closed).toBe(false);
    other.close();
    using object = draft.seal({ again: new Float64Array(draft.buffer) });
    expect(object.value.again).toEqual(numbers(1000));
  });

  it.skipIf(!canTransfer)('because its buffer was transferred, nothing is made', () => {
    using draft = SharedObject.allocate({ size: 8000 });
    const all = filled(draft);
    const moved = new Float64Array(transferred(all.buffer));
    expect([all.length, moved]).toEqual([0, numbers(1000)]);
    for (const value of ['text', { moved }]) {
      if (onLinux) expectCode(() => draft.seal(value), 'ERR_CLOSED', 'was transferred');
    }
    draft.close();
    expectCode(() => draft.buffer, 'ERR_CLOSED');
  });

  it('because an object in the value is gone, the contents are still there', () => {
    using draft = SharedObject.allocate({ size: 8000 });
    const all = filled(draft);
    const gone = SharedObject.create({ from: 1 });
    gone.close();
    expectCode(() => draft.seal({ all, gone }), 'ENOENT', gone.name);
    using object = draft.seal({ again: new Float64Array(draft.buffer) });
    expect(object.value.again).toEqual(numbers(1000));
  });
});

describe.runIf(onLinux)('on Linux, the memory', () => {
  const isFile = (entry: string) => entry.includes('shmkit.object.');

  it('is that of the object: sealing needs no more of it', () => {
    const before = freeBytes();
    const draft = SharedObject.allocate({ size: 32 << 20 });
    const bytes = new Uint8Array(draft.buffer).fill(1);
    const filled = freeBytes();
    expect(before - filled).toBeGreaterThanOrEqual(32 << 20);
    const object = draft.seal({ bytes });
    expect(filled - freeBytes()).toBeLessThan(1 << 20);
    object.close();
  });

  it('has no name until then', () => {
    const before = readdirSync('/dev/shm').filter(isFile);
    using draft = SharedObject.allocate({ size: 1 << 20 });
    expect(readdirSync('/dev/shm').filter(isFile)).toEqual(before);
    expect(draft.closed).toBe(false);
  });

  it('is freed when the draft is collected as garbage', async () => {
    const before = freeBytes();
    (() => void filled(SharedObject.allocate({ size: 64 << 20 })))();
    expect(before - freeBytes()).toBeGreaterThanOrEqual(64 << 20);
    await until(() => {
      gc!();
      return before - freeBytes() < 1 << 20;
    });
  });
});

describe('a mistake', () => {
  it.each([
    [{}, 'ERR_INVALID_ARG_TYPE'],
    [{ size: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ size: 1.5 }, 'ERR_OUT_OF_RANGE'],
    [{ size: '1' }, 'ERR_INVALID_ARG_TYPE'],
    [{ size: 10, from: 1 }, 'ERR_INVALID_ARG_VALUE'],
    [{ size: 10, name: '' }, 'EINVAL'],
    [{ size: 10, participants: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ size: 10, mode: 'rw' }, 'ERR_INVALID_ARG_TYPE'],
  ])('is %j', (options, code) => {
    expectCode(() => SharedObject.allocate(options as { size: number }), code);
  });
});
