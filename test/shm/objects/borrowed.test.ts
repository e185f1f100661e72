// What lies in shared memory already is not copied into an object, but referred to.
import { statSync } from 'node:fs';
import { Manager, SharedArray, SharedMemory, SharedObject } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { expectCode } from '../../support/errors';
import { uniqueName } from '../../support/names';
import { isThere } from '../../support/objects';
import { onLinux, onWindows } from '../../support/system';
import { temporary } from '../../support/temporaries';

const length = 10_000;
const numbers = () => Float64Array.from({ length }, (_, i) => i / 2);

/** Whether the system tells which pages of private memory were written. */
const isTold = onWindows || onLinux;

const isSmall = (object: SharedObject) => object.size < 8 * length;

describe.runIf(isTold)(
  'of another object (copied where the system does not tell what was written)',
  () => {
    it('a buffer is referred to, and its views are views of the same memory', () => {
      using inner = SharedObject.create({ from: { all: numbers(), more: 'text' } });
      const { all } = inner.value;
      using outer = SharedObject.create({
        from: { all, part: all.subarray(3, 10), bytes: Buffer.from(all.buffer, 16, 8), own: [1] },
      });
      expect(isSmall(outer)).toBe(true);
      using attached = SharedObject.attach<typeof outer.value>(outer.name);
      const { value } = attached;
      expect(value.all).toEqual(numbers());
      expect(value.part).toEqual(numbers().subarray(3, 10));
      expect(value.part.buffer).toBe(value.all.buffer);
      expect(value.bytes).toEqual(new Uint8Array(numbers().buffer, 16, 8));
    });

    it('lives as long as the outer one', () => {
      const inner = SharedObject.create({ from: numbers() });
      const outer = SharedObject.create({ from: [inner.value] });
      inner.close();
      expect(isThere(inner.name)).toBe(true);
      expect(outer.value[0]).toEqual(numbers());
      const last = SharedObject.attach<Float64Array[]>(outer.name);
      outer.close();
      expect(last.value[0]).toEqual(numbers());
      last.close();
      expect([isThere(outer.name), isThere(inner.name)]).toEqual([false, false]);
    });

    it('is referred to across several objects', () => {
      using first = SharedObject.create({ from: numbers() });
      using second = SharedObject.create({ from: { here: first.value } });
      using third = SharedObject.create({ from: { there: second.value.here, own: numbers() } });
      first.close();
      second.close();
      expect(third.size).toBeLessThan(2 * 8 * length);
      expect(third.value.there).toEqual(numbers());
      expect(third.value.own).toEqual(numbers());
    });

    it('is empty when the handle is closed through which it was read', () => {
      using inner = SharedObject.create({ from: numbers() });
      const outer = SharedObject.create({ from: [inner.value] });
      const [read] = outer.value;
      outer.close();
      expect(read).toHaveLength(0);
      expect(inner.value).toHaveLength(length);
    });

    it('is copied if this process has written into it, because no other process sees that', () => {
      using inner = SharedObject.create({ from: { first: numbers(), second: numbers() } });
      const { first, second } = inner.value;
      first[length / 2] = -1;
      using outer = SharedObject.create({ from: first });
      expect(isSmall(outer)).toBe(false);
      expect(outer.value[length / 2]).toBe(-1);
      using other = SharedObject.create({ from: second });
      expect(isSmall(other)).toBe(true);
    });

    it('is copied if its name is gone, or leads to another object', () => {
      const name = uniqueName();
      using inner = SharedObject.create({ name, from: numbers() });
      inner.unlink();
      using outer = SharedObject.create({ from: inner.value });
      expect(isSmall(outer)).toBe(false);
      using _other = SharedObject.create({ name, from: new Float64Array(length) });
      using again = SharedObject.create({ from: inner.value });
      expect(again.value).toEqual(numbers());
    });

    it('can be handed over', () => {
      const inner = SharedObject.create({ from: numbers() });
      const outer = SharedObject.create({ from: [inner.value], handOver: true });
      inner.close();
      outer.close();
      const taken = SharedObject.attach<Float64Array[]>(outer.name, { handOver: true });
      expect(taken.value[0]).toEqual(numbers());
      taken.close();
      expect([isThere(outer.name), isThere(inner.name)]).toEqual([false, false]);
    });

    it('is referred to by a draft as well', () => {
      using inner = SharedObject.create({ from: numbers() });
      using draft = SharedObject.allocate({ size: 4096 });
      new Uint8Array(draft.buffer).fill(5);
      using object = draft.seal({ inner: inner.value, mine: new Uint8Array(draft.buffer) });
      expect(isSmall(object)).toBe(true);
      expect(object.value).toEqual({ inner: numbers(), mine: new Uint8Array(4096).fill(5) });
    });
  },
);

describe.each([
  ['a SharedArray', (name: string) => SharedArray.create({ name, type: 'float64', length })],
  ['a SharedMemory', (name: string) => SharedMemory.create({ name, size: 8 * length })],
] as const)('of %s', (_, make) => {
  const arrayOf = (shared: SharedArray<'float64'> | SharedMemory): Float64Array =>
    shared instanceof SharedMemory ? shared.array('float64') : shared.array;

  it('a buffer is referred to: readers see what is written, and what they write stays private', () => {
    using shared = temporary(make(uniqueName()));
    arrayOf(shared).set(numbers());
    using object = SharedObject.create({ from: { view: arrayOf(shared).subarray(1, 4) } });
    expect(isSmall(object)).toBe(true);
    using attached = SharedObject.attach<typeof object.value>(object.name);
    expect([...attached.value.view]).toEqual([0.5, 1, 1.5]);
    arrayOf(shared)[1] = 77;
    expect(attached.value.view[0]).toBe(77);
    attached.value.view[1] = 88;
    expect(arrayOf(shared)[2]).toBe(1);
  });

  it('is gone when the name is: reading says so', () => {
    const shared = make(uniqueName());
    using object = SharedObject.create({ from: { view: arrayOf(shared), rest: 1 } });
    shared.unlink();
    shared.close();
    expectCode(() => object.value, 'ENOENT', shared.name, 'is gone');
  });

  it('is copied if its name leads elsewhere by now', () => {
    const name = uniqueName();
    const shared = make(name);
    arrayOf(shared).set(numbers());
    shared.unlink();
    using object = SharedObject.create({ from: arrayOf(shared) });
    using _other = temporary(make(name));
    expect(object.value).toEqual(numbers());
    shared.close();
  });

  it('must still be as large as it was', () => {
    const name = uniqueName();
    const shared = make(name);
    using object = SharedObject.create({ from: arrayOf(shared) });
    shared.unlink();
    shared.close();
    using _other =
      shared instanceof SharedMemory
        ? temporary(SharedMemory.create({ name, size: 4096 }))
        : temporary(SharedArray.create({ name, type: 'float64', length: 512 }));
    expectCode(() => object.value, 'ERR_CORRUPT', object.name);
  });

  it('is referred to across two objects, unless this process has written into it', () => {
    using shared = temporary(make(uniqueName()));
    using first = SharedObject.create({ from: arrayOf(shared) });
    using second = SharedObject.create({ from: [first.value] });
    expect(isSmall(second)).toBe(isTold);
    arrayOf(shared)[0] = 5;
    if (isTold) expect(second.value[0]![0]).toBe(5);
    first.value[1] = 6;
    using third = SharedObject.create({ from: [first.value] });
    expect(isSmall(third)).toBe(false);
    expect(third.value[0]![1]).toBe(6);
  });

  it('is empty when the handle is closed through which it was read', () => {
    using shared = temporary(make(uniqueName()));
    const object = SharedObject.create({ from: arrayOf(shared) });
    const read = object.value;
    object.close();
    expect(read).toHaveLength(0);
    expect(arrayOf(shared)).toHaveLength(length);
  });
});

describe.runIf(isTold)('memory that was attached to be read only', () => {
  it('is referred to, unless this process has written into it', () => {
    using memory = temporary(SharedMemory.create({ size: 8 * length }));
    using readOnly = SharedMemory.attach(memory.name, { readOnly: true });
    using object = SharedObject.create({ from: readOnly.array('float64') });
    expect(isSmall(object)).toBe(true);
    memory.array('float64')[0] = 5;
    expect(object.value[0]).toBe(5);
    readOnly.array('float64')[1] = 6;
    using copied = SharedObject.create({ from: readOnly.array('float64') });
    expect(isSmall(copied)).toBe(false);
    expect([...copied.value.subarray(0, 2)]).toEqual([5, 6]);
    expect(memory.array('float64')[1]).toBe(0);
  });
});

it.runIf(onLinux)('no file is written for what is referred to', () => {
  using shared = temporary(SharedArray.create({ type: 'float64', length }));
  using object = SharedObject.create({ from: shared.array });
  expect(statSync(`/dev/shm/shmkit.object.${object.name}`).size).toBeLessThan(8 * length);
});

describe('a reference would not do, and the buffer is copied,', () => {
  const large = { type: 'float64', length } as const;

  it('if the other object may end with its manager before', () => {
    const manager = Manager.create();
    const array = manager.array('array', large);
    const inner = manager.object(numbers());
    using outer = SharedObject.create({ from: [array.array, inner.value] });
    using within = manager.object([array.array]);
    expect(isSmall(within)).toBe(true);
    manager.shutdown();
    expect(outer.value).toEqual([new Float64Array(length), numbers()]);
  });

  it('if it may be used by fewer users', () => {
    using array = temporary(SharedArray.create(large));
    using outer = SharedObject.create({ from: array.array, mode: 0o640 });
    expect(isSmall(outer)).toBe(false);
  });

  it.runIf(isTold)('if there is room for fewer threads', () => {
    using inner = SharedObject.create({ from: numbers(), participants: 10 });
    using same = SharedObject.create({ from: inner.value, participants: 10 });
    using outer = SharedObject.create({ from: inner.value, participants: 5000 });
    expect([isSmall(same), isSmall(outer)]).toEqual([true, false]);
  });
});

it('a value that cannot be read leaves no buffers behind', () => {
  const array = SharedArray.create({ type: 'float64', length });
  using object = SharedObject.create({ from: [numbers(), numbers(), array.array] });
  array.unlink();
  array.close();
  for (let i = 0; i < 3; i++) expectCode(() => object.value, 'ENOENT', 'is gone');
});
