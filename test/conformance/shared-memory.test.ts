import { deserialize, serialize } from 'node:v8';
import { inspect } from 'node:util';
import { ShareableList, SharedMemory, attach, type ShareableValue } from 'shmkit';
import { describe, expect, it, vi } from 'vitest';
import { native } from '../../lib/shm/core/binding';
import { start } from '../support/children';
import { expectCode } from '../support/errors';
import { uniqueName } from '../support/names';
import { Temporaries, temporary } from '../support/temporaries';
import { onWindows } from '../support/system';

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const textOf = (memory: SharedMemory, length: number): string =>
  Buffer.from(memory.read(0, length)).toString();

/** The ways in which a handle may be passed. */
const ways: (<T>(handle: T) => T)[] = [
  (handle) => JSON.parse(JSON.stringify(handle)) as typeof handle,
  structuredClone,
  (handle) => deserialize(serialize(handle)) as typeof handle,
];

/** Creates a segment when the first generated name is already taken. */
function createWhereTaken(all: Temporaries): [SharedMemory, SharedMemory] {
  const randoms: bigint[] = [];
  const original = native.randomBits.bind(native);
  const replay = vi.spyOn(native, 'randomBits').mockImplementation(() => {
    const bits = randoms.length === 1 ? randoms[0]! : original();
    randoms.push(bits);
    return bits;
  });
  try {
    const one = all.add(SharedMemory.create({ size: 1 }));
    const two = all.add(SharedMemory.create({ size: 1 }));
    expect(replay).toHaveBeenCalledTimes(3);
    expect(randoms[1], 'the taken name was made up again').toBe(randoms[0]);
    return [one, two];
  } finally {
    replay.mockRestore();
  }
}

describe('SharedMemory', () => {
  it('test_shared_memory_name_with_embedded_null: refuses such a name', () => {
    using memory = temporary(SharedMemory.create({ name: uniqueName(), size: 512 }));
    const name = `${memory.name}\0a`;
    expectCode(() => SharedMemory.attach(name), 'EINVAL', 'NUL');
    expectCode(() => SharedMemory.create({ name, size: 512 }), 'EINVAL', 'NUL');
    expectCode(() => SharedMemory.open(name, { size: 512 }), 'EINVAL', 'NUL');
    expectCode(() => SharedMemory.unlink(name), 'EINVAL', 'NUL');
    using again = SharedMemory.attach(memory.name);
    expect(again.size).toBe(memory.size);
  });

  it('test_shared_memory_basics: creates, attaches to what is there, writes, unlinks once', () => {
    const name = uniqueName();
    using memory = temporary(SharedMemory.create({ name, size: 512 }));
    expect(memory.name).toBe(name);
    expect(memory.size).toBeGreaterThanOrEqual(512);
    expect(memory.buffer.byteLength).toBeGreaterThanOrEqual(memory.size);
    expect(inspect(memory)).toContain(name);
    expect(inspect(memory)).toContain(String(memory.size));

    const bytes = memory.array('uint8');
    bytes[0] = 42;
    expect(bytes[0]).toBe(42);
    {
      using also = SharedMemory.attach(name);
      expect(also.array('uint8')[0]).toBe(42);
    }

    const larger = 20 * memory.size;
    const options = { size: larger } as object;
    expectCode(() => SharedMemory.attach(name, options), 'ERR_INVALID_ARG_VALUE', 'size');
    expectCode(() => SharedMemory.open(name, { size: larger }), 'ERR_WRONG_KIND', String(larger));
    {
      using optional = SharedMemory.open(name, { size: 1 });
      expect(optional.size, 'what is there keeps its size').toBe(memory.size);
      expect(optional.array('uint8')[0]).toBe(42);
    }

    expectCode(() => SharedMemory.create({ size: -2 }), 'ERR_OUT_OF_RANGE', 'size');
    const nothing = undefined as unknown as string;
    expectCode(() => SharedMemory.attach(nothing), 'ERR_INVALID_ARG_TYPE', 'name');

    using all = new Temporaries();
    const [one, two] = createWhereTaken(all);
    expect(one.name).not.toBe(two.name);

    const uno = SharedMemory.create({ name: uniqueName(), size: 5000 });
    expect(uno.size).toBeGreaterThanOrEqual(5000);
    const duo = SharedMemory.attach(uno.name);
    duo.unlink();
    duo.close();
    uno.close();
    // On Windows a name is removed with its last handle, so a missing name is not an error there.
    if (onWindows) uno.unlink();
    else expectCode(() => uno.unlink(), 'ENOENT', uno.name);

    expectCode(() => SharedMemory.create({ name, size: 512 }), 'EEXIST', name);
    expectCode(() => SharedMemory.attach(uniqueName('absent')), 'ENOENT', 'absent');
  });

  it('test_shared_memory_recreate: makes up another name where the first is taken', () => {
    using all = new Temporaries();
    const [one, two] = createWhereTaken(all);
    expect(one.name).not.toBe(two.name);
    one.write(0, Uint8Array.of(1));
    two.write(0, Uint8Array.of(2));
    using again = SharedMemory.attach(one.name);
    expect([...again.read(0, 1)]).toEqual([1]);
  });

  it('test_invalid_shared_memory_creation: refuses a size below 1, or none', () => {
    for (const size of [-1, 0]) {
      expectCode(() => SharedMemory.create({ size }), 'ERR_OUT_OF_RANGE', 'size');
    }
    const sizeless = {} as { size: number };
    expectCode(() => SharedMemory.create(sizeless), 'ERR_INVALID_ARG_TYPE', 'size');
  });

  it('test_shared_memory_pickle_unpickle: a handle comes back as the same segment', () => {
    for (const travel of ways) {
      using memory = temporary(SharedMemory.create({ size: 512 }));
      memory.write(0, bytesOf('pickle'));
      using other = attach(travel(memory.toJSON()));
      expect(other).toBeInstanceOf(SharedMemory);
      expect(other).not.toBe(memory);
      expect(other.name).toBe(memory.name);
      expect([textOf(memory, 6), textOf(other, 6)]).toEqual(['pickle', 'pickle']);

      memory.write(0, bytesOf('newval'));
      expect([textOf(memory, 6), textOf(other, 6)]).toEqual(['newval', 'newval']);
      other.write(0, bytesOf('oldval'));
      expect([textOf(memory, 6), textOf(other, 6)]).toEqual(['oldval', 'oldval']);
    }
  });

  it('test_shared_memory_pickle_unpickle_dead_object: a handle of what is gone leads nowhere', () => {
    for (const travel of ways) {
      const memory = SharedMemory.create({ size: 512 });
      memory.write(0, bytesOf('pickle'));
      const handle = travel(memory.toJSON());
      memory.close();
      memory.unlink();
      expectCode(() => attach(handle), 'ENOENT', memory.name);
    }
  });

  it('test_shared_memory_across_processes: is written to by name and by handle', async () => {
    using memory = temporary(SharedMemory.create({ size: 512 }));
    await start('conformance/memory', ['write', memory.name, 'howdy']).succeed();
    expect(textOf(memory, 5)).toBe('howdy');
    await start('conformance/memory', ['write', memory, 'HELLO']).succeed();
    expect(textOf(memory, 5)).toBe('HELLO');
  });

  it('test_shared_memory_ShareableList_basics: is indexed, changed within its slots, searched, copied', () => {
    const values: ShareableValue[] = ['howdy', bytesOf('HoWdY'), -273.154, 100, null, true, 42];
    using list = temporary(ShareableList.create({ from: values }));
    expect(inspect(list)).toContain(list.name);
    expect(list.at(7)).toBeUndefined();
    expectCode(() => list.set(7, 2), 'ERR_OUT_OF_RANGE', 'index');

    list.set(0, 'howdy');
    expect(list.format).toBe('8s8sdqxxxxxx?xxxxxxxx?q');
    expect(list.length).toBe(7);
    expect([list.indexOf('100'), list.indexOf(100)]).toEqual([-1, 3]);
    expect([list.at(0), list.at(-2)]).toEqual(['howdy', true]);
    expect([...list]).toEqual(values);

    list.set(3, 42);
    expect(list.at(3)).toBe(42);
    list.set(4, 'some');
    expect(list.at(4)).toBe('some');
    expect(list.format).toBe('8s8sdq8sxxxxxxx?q');
    expectCode(() => list.set(4, 'far too many'), 'ERR_CAPACITY', list.name);
    expect(list.at(4)).toBe('some');
    list.set(0, 'encodés');
    expect([list.at(0), list.at(1)]).toEqual(['encodés', bytesOf('HoWdY')]);
    expectCode(() => list.set(0, 'encodées'), 'ERR_CAPACITY', list.name);
    expectCode(() => list.set(1, bytesOf('123456789')), 'ERR_CAPACITY', list.name);
    expect([list.at(0), list.at(1)]).toEqual(['encodés', bytesOf('HoWdY')]);

    expect([42, bytesOf('HoWdY'), bytesOf('adios')].map((v) => list.count(v))).toEqual([2, 1, 0]);

    const name = uniqueName('duplicate');
    using copy = temporary(ShareableList.create({ name, from: list }));
    // A new slot has room for the UTF-8 bytes of a text, and for one more byte.
    expect([copy.name, copy.format]).toEqual([name, '16s8sdq8sxxxxxxx?q']);
    expect(copy.toArray()).toEqual(list.toArray());
    copy.set(-1, 77);
    expect([copy.at(-1), list.at(-1)]).toEqual([77, 42]);

    using tethered = ShareableList.attach(list.name);
    tethered.set(-1, 880);
    expect(list.at(-1)).toBe(880);

    using empty = temporary(ShareableList.create({ from: [] }));
    expect([empty.length, empty.format, empty.count('any'), empty.indexOf(null)]).toEqual([
      0,
      '',
      0,
      -1,
    ]);
  });

  it('test_shared_memory_ShareableList_pickling: a handle comes back as the same list', () => {
    const zeroTo = (end: number): number[] => Array.from({ length: end }, (_, i) => i);
    for (const travel of ways) {
      using list = temporary(ShareableList.create({ from: zeroTo(10) }));
      using other = attach(travel(list.toJSON()));
      expect(other).toBeInstanceOf(ShareableList);
      expect(other).not.toBe(list);
      expect(other.at(-1)).toBe(9);
      other.set(4, 'changed');
      expect(list.at(4)).toBe('changed');
      list.set(3, 'newvalue');
      expect(other.at(3)).toBe('newvalue');

      using larger = temporary(ShareableList.create({ from: zeroTo(400) }));
      const sizes = [list, larger].map((each) => serialize(each.toJSON()).length);
      expect(sizes[1], 'a handle does not grow with its list').toBe(sizes[0]);
    }
  });

  it('test_shared_memory_ShareableList_pickling_dead_object: a handle of what is gone leads nowhere', () => {
    for (const travel of ways) {
      const list = ShareableList.create({ from: [0, 1, 2] });
      const handle = travel(list.toJSON());
      list.close();
      list.unlink();
      expectCode(() => attach(handle), 'ENOENT', list.name);
    }
  });

  it('test_shared_memory_cleaned_after_process_termination: outlives its creator, whole, until it is unlinked', async () => {
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const child = start('conformance/memory', ['create', null]);
      const name = await child.hear<string>();
      expect(await child.kill(signal)).toEqual({ code: null, signal });
      if (onWindows) {
        expectCode(() => SharedMemory.attach(name), 'ENOENT', name);
        continue;
      }
      using memory = temporary(SharedMemory.attach(name));
      expect(textOf(memory, 7)).toBe('remains');
    }
  });

  it('test_shared_memory_untracking: outlives who attached to it', async () => {
    using memory = temporary(SharedMemory.create({ size: 10 }));
    await start('conformance/memory', ['visit', memory.name]).succeed();
    SharedMemory.attach(memory.name).close();
  });

  it('test_shared_memory_tracking: cannot be made to go with who attached to it', async () => {
    using memory = temporary(SharedMemory.create({ size: 10 }));
    const options = { track: true } as object;
    expectCode(() => SharedMemory.attach(memory.name, options), 'ERR_INVALID_ARG_VALUE', 'track');
    await start('conformance/memory', ['visit', memory]).succeed();
    SharedMemory.attach(memory.name).close();
  });
});
