import cluster from 'node:cluster';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { NamedLock, SharedMemory, attach, type ElementType } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { fixturePath, start, type Way } from '../../support/children';
import { expectCode } from '../../support/errors';
import { uniqueName } from '../../support/names';
import { onLinux } from '../../support/system';

function create(options: Partial<Parameters<typeof SharedMemory.create>[0]> = {}): SharedMemory {
  return SharedMemory.create({ name: uniqueName(), size: 4096, ...options });
}

/** Unlinks and closes the segment when the block is left. */
function temporary(options?: Partial<Parameters<typeof SharedMemory.create>[0]>) {
  const memory = create(options);
  return Object.assign(memory, {
    [Symbol.dispose]() {
      memory.unlink();
      memory.close();
    },
  });
}

describe('creating', () => {
  it('makes zero bytes of the very size that was asked for', () => {
    using memory = temporary({ size: 1000 });
    expect(memory.size).toBe(1000);
    expect(memory.read()).toEqual(new Uint8Array(1000));
  });

  it('refuses a name that is taken', () => {
    using memory = temporary();
    expectCode(() => create({ name: memory.name }), 'EEXIST', memory.name, /attach\(\)|open\(\)/);
  });

  it('makes up a new name when given none', () => {
    const all = [1, 2, 3].map(() => SharedMemory.create({ size: 1 }));
    expect(new Set(all.map((memory) => memory.name)).size).toBe(3);
    for (const memory of all) {
      using again = SharedMemory.attach(memory.name);
      expect(again.size).toBe(1);
      memory.unlink();
      memory.close();
    }
  });

  it.runIf(onLinux)('gives the mode that was asked for, for its owner alone by default', () => {
    using plain = temporary();
    expect(statSync(`/dev/shm/${plain.name}`).mode & 0o777).toBe(0o600);
    const before = process.umask(0o022);
    try {
      for (const umask of [0o022, 0o077, 0o777]) {
        process.umask(umask);
        using open = temporary({ mode: 0o666 });
        expect(statSync(`/dev/shm/${open.name}`).mode & 0o777).toBe(0o666);
      }
    } finally {
      process.umask(before);
    }
  });

  it.runIf(onLinux)('reserves its memory, unless it is to be sparse', () => {
    using solid = temporary({ size: 1 << 20 });
    using sparse = temporary({ size: 1 << 20, sparse: true });
    expect(statSync(`/dev/shm/${solid.name}`).blocks * 512).toBe(1 << 20);
    expect(statSync(`/dev/shm/${sparse.name}`).blocks).toBe(0);
  });
});

describe('attaching', () => {
  it('shows one memory to all, both ways', () => {
    using a = temporary();
    using b = SharedMemory.attach(a.name);
    a.array('uint8')[7] = 42;
    expect(b.array('uint8')[7]).toBe(42);
    b.array('float64')[100] = Math.PI;
    expect(a.array('float64')[100]).toBe(Math.PI);
    expect(b.size).toBe(4096);
  });

  it('fails for a name that is not there', () => {
    expectCode(() => SharedMemory.attach('no-such-name'), 'ENOENT', 'no-such-name', /create/);
  });

  it.each<Way>(['fork', 'spawn'])('works from a process started by %s', async (way) => {
    using memory = temporary({ size: 16 });
    memory.write(0, Uint8Array.of(1, 2, 3));
    const child = start('memory/memory-peer', [memory.name], { way });
    expect(await child.hear()).toEqual({ found: [1, 2, 3, 0, 0, 0, 0, 0], size: 16 });
    await child.succeed();
    expect([...memory.read(0, 4)]).toEqual([2, 3, 4, 1]);
  });

  it('works from cluster workers', async () => {
    const rounds = 500;
    using memory = temporary({ size: 8 });
    using lock = NamedLock.open(memory.name);
    const args = [JSON.stringify({ counter: memory.name, rounds })];
    cluster.setupPrimary({ exec: fixturePath('loop/thread-or-cluster-peer'), args });
    const workers = [cluster.fork(), cluster.fork()];
    const exits = await Promise.all(workers.map((worker) => once(worker, 'exit')));
    expect(exits).toEqual([
      [0, null],
      [0, null],
    ]);
    expect(memory.array('float64')[0]).toBe(2 * rounds);
    lock.unlink();
  });

  it('works from worker threads', async () => {
    const rounds = 2000;
    using memory = temporary({ size: 8 });
    using lock = NamedLock.open(memory.name);
    const workerData = { counter: memory.name, rounds };
    const workers = [1, 2].map(
      () => new Worker(fixturePath('loop/thread-or-cluster-peer'), { workerData }),
    );
    const exits = workers.map((worker) => once(worker, 'exit'));
    // The main thread takes part, too: it and the workers exclude each other as processes do.
    const value = memory.array('float64');
    for (let i = 0; i < rounds; i++) {
      await lock.runExclusive(() => value[0]!++);
    }
    await Promise.all(exits);
    expect(value[0]).toBe(3 * rounds);
    lock.unlink();
  });
});

/** macOS refuses to make private copies of pages of a shared memory object (EPERM). */
const isMacos = process.platform === 'darwin';

describe.skipIf(isMacos)(`attaching read-only${isMacos ? ' (not on macOS)' : ''}`, () => {
  it('sees what others write', () => {
    using memory = temporary();
    using reader = SharedMemory.attach(memory.name, { readOnly: true });
    memory.array('uint8')[5] = 1;
    expect(reader.array('uint8')[5]).toBe(1);
    memory.array('uint8')[5] = 2;
    expect(reader.array('uint8')[5]).toBe(2);
    expect(reader.readOnly).toBe(true);
  });

  it('keeps a stray write to itself, and does not crash', () => {
    using memory = temporary();
    using reader = SharedMemory.attach(memory.name, { readOnly: true });
    reader.array('uint8').fill(255);
    expect(memory.read()).toEqual(new Uint8Array(4096));
  });

  it('goes through JSON as such', () => {
    using memory = temporary();
    using reader = SharedMemory.attach(memory.name, { readOnly: true });
    using copy = attach(reader.toJSON());
    expect(copy.readOnly).toBe(true);
  });

  it('refuses write(), with a reason', () => {
    using memory = temporary();
    using reader = SharedMemory.attach(memory.name, { readOnly: true });
    expectCode(() => reader.write(0, Uint8Array.of(1)), 'EACCES', memory.name, 'read-only');
  });
});

describe('opening', () => {
  it('creates what is absent and attaches to what is there', () => {
    const name = uniqueName();
    using first = SharedMemory.open(name, { size: 64 });
    using second = SharedMemory.open(name, { size: 64 });
    first.array('uint8')[0] = 9;
    expect(second.array('uint8')[0]).toBe(9);
    first.unlink();
  });

  it('refuses one that is smaller than what is asked for', () => {
    using memory = temporary({ size: 64 });
    expectCode(
      () => SharedMemory.open(memory.name, { size: 65 }),
      'ERR_WRONG_KIND',
      memory.name,
      '64',
      '65',
    );
    using same = SharedMemory.open(memory.name, { size: 10 });
    expect(same.size).toBe(64);
  });
});

describe('unlinking', () => {
  it('removes the name and leaves the memory to whoever is attached', () => {
    using memory = create();
    const other = SharedMemory.attach(memory.name);
    memory.unlink();
    expectCode(() => SharedMemory.attach(memory.name), 'ENOENT', memory.name);
    memory.array('uint8')[0] = 3;
    expect(other.array('uint8')[0]).toBe(3);
    other.close();
  });

  it('works after close, as in Python', () => {
    const memory = create();
    memory.close();
    memory.unlink();
    expectCode(() => SharedMemory.attach(memory.name), 'ENOENT');
  });

  it('fails the second time', () => {
    using memory = create();
    memory.unlink();
    expectCode(() => memory.unlink(), 'ENOENT', memory.name);
    expectCode(() => SharedMemory.unlink(memory.name), 'ENOENT', memory.name);
  });

  it.runIf(onLinux)('leaves a name alone that is another segment’s by now', () => {
    using first = create();
    first.unlink();
    using second = create({ name: first.name });
    expectCode(() => first.unlink(), 'ENOENT', first.name);
    second.unlink();
  });
});

describe('closing', () => {
  it('is idempotent, and said by `closed`', () => {
    const memory = create();
    memory.unlink();
    expect(memory.closed).toBe(false);
    memory.close();
    memory.close();
    expect(memory.closed).toBe(true);
  });

  it('empties the buffer and all its views', () => {
    const memory = create();
    memory.unlink();
    const { buffer } = memory;
    const bytes = memory.array('uint8').fill(1);
    const view = new DataView(buffer, 8);
    const node = Buffer.from(buffer);
    memory.close();
    expect([buffer.byteLength, bytes.length, node.length]).toEqual([0, 0, 0]);
    expect(bytes[0]).toBeUndefined();
    bytes[0] = 1;
    expect(() => view.getUint8(0)).toThrow(TypeError);
  });

  it('leaves the other handles of the process alone', () => {
    using a = temporary();
    const b = SharedMemory.attach(a.name);
    b.array('uint8')[0] = 5;
    b.close();
    expect(a.array('uint8')[0]).toBe(5);
  });

  it('ends all use of the handle, with an error that says so', () => {
    const memory = create();
    memory.unlink();
    memory.close();
    const uses = [
      () => memory.buffer,
      () => memory.array('uint8'),
      () => memory.read(0, 1),
      () => memory.write(0, Uint8Array.of(1)),
    ];
    for (const use of uses) expectCode(use, 'ERR_CLOSED', memory.name);
  });

  it('comes with `using`', () => {
    let outer: SharedMemory;
    {
      using memory = create();
      memory.unlink();
      outer = memory;
    }
    expect(outer.closed).toBe(true);
  });
});

describe('typed arrays', () => {
  const types: [ElementType, number, number | bigint][] = [
    ['int8', 1, -128],
    ['uint8', 1, 255],
    ['int16', 2, -32768],
    ['uint16', 2, 65535],
    ['int32', 4, -(2 ** 31)],
    ['uint32', 4, 2 ** 32 - 1],
    ['int64', 8, -(2n ** 63n)],
    ['uint64', 8, 2n ** 64n - 1n],
    ['float32', 4, 0.5],
    ['float64', 8, Number.MIN_VALUE],
  ];

  it.each(types)('there is %s', (type, bytes, value) => {
    using memory = temporary({ size: 64 });
    const array = memory.array(type);
    expect(array.BYTES_PER_ELEMENT).toBe(bytes);
    expect(array.length).toBe(64 / bytes);
    array[1] = value;
    using other = SharedMemory.attach(memory.name);
    expect(other.array(type, bytes, 1)[0]).toBe(value);
  });

  it('takes as many whole elements as fit', () => {
    using memory = temporary({ size: 30 });
    expect(memory.array('float64').length).toBe(3);
    expect(memory.array('float64', 16).length).toBe(1);
    expect(memory.array('float64', 24).length).toBe(0);
  });

  it('refuses what is not inside, not aligned, or not a type', () => {
    using memory = temporary({ size: 64 });
    expectCode(() => memory.array('float64', 4), 'ERR_OUT_OF_RANGE', 'multiple of 8');
    expectCode(() => memory.array('uint8', 65), 'ERR_OUT_OF_RANGE', 'byteOffset', '64');
    expectCode(() => memory.array('uint8', -1), 'ERR_OUT_OF_RANGE', 'byteOffset');
    expectCode(() => memory.array('uint8', 60, 5), 'ERR_OUT_OF_RANGE', 'length', '4');
    expectCode(() => memory.array('complex' as 'int8'), 'ERR_OUT_OF_RANGE', 'complex', 'float64');
  });

  it('shares atomics with other threads of control', () => {
    using memory = temporary({ size: 64 });
    using other = SharedMemory.attach(memory.name);
    Atomics.add(memory.array('int32'), 0, 5);
    expect(Atomics.add(other.array('int32'), 0, 1)).toBe(5);
    expect(Atomics.compareExchange(memory.array('int64'), 1, 0n, 7n)).toBe(0n);
    expect(Atomics.load(other.array('int64'), 1)).toBe(7n);
  });
});

describe('copying', () => {
  it('reads and writes copies', () => {
    using memory = temporary({ size: 16 });
    memory.write(4, Buffer.from('hello'));
    const copy = memory.read(4, 5);
    expect(Buffer.from(copy).toString()).toBe('hello');
    copy.fill(0);
    expect(Buffer.from(memory.read(4, 5)).toString()).toBe('hello');
    expect(memory.read(10).length).toBe(6);
    expect(memory.read(16).length).toBe(0);
  });

  it('takes the bytes of any view', () => {
    using memory = temporary({ size: 16 });
    memory.write(0, Float64Array.of(1.5).subarray(0));
    memory.write(8, new DataView(Uint8Array.of(0, 1, 2, 3).buffer, 1, 2));
    expect(memory.array('float64')[0]).toBe(1.5);
    expect([...memory.read(8, 3)]).toEqual([1, 2, 0]);
    for (const said of [1, 99]) {
      const bytes = Object.defineProperty(Buffer.alloc(8, said), 'byteLength', { value: said });
      memory.write(8, bytes);
      expect([...memory.read(7)]).toEqual([63, ...bytes]);
    }
  });

  it('moves bytes within the segment itself', () => {
    using memory = temporary({ size: 8 });
    memory.write(0, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    memory.write(2, memory.array('uint8', 0, 6));
    expect([...memory.read()]).toEqual([1, 2, 1, 2, 3, 4, 5, 6]);
  });

  it('refuses what is outside, and writes nothing then', () => {
    using memory = temporary({ size: 16 });
    expectCode(() => memory.read(17), 'ERR_OUT_OF_RANGE', 'offset');
    expectCode(() => memory.read(10, 7), 'ERR_OUT_OF_RANGE', 'length', '6');
    expectCode(() => memory.read(-1, 1), 'ERR_OUT_OF_RANGE', 'offset');
    expectCode(() => memory.write(12, new Uint8Array(5).fill(1)), 'ERR_OUT_OF_RANGE', '4');
    expectCode(() => memory.write(0, 'text' as never), 'ERR_INVALID_ARG_TYPE', 'text');
    expect(memory.read()).toEqual(new Uint8Array(16));
  });
});

describe('listing', () => {
  it.runIf(onLinux)('tells names, kinds, sizes, modes and owners', () => {
    using memory = temporary({ size: 12345 });
    using lock = NamedLock.create({ name: memory.name });
    const mine = SharedMemory.list().filter(({ name }) => name === memory.name);
    const uid = process.getuid!();
    expect(mine).toContainEqual({
      name: memory.name,
      kind: 'memory',
      size: 12345,
      mode: 0o600,
      uid,
    });
    expect(mine).toContainEqual(expect.objectContaining({ name: memory.name, kind: 'lock', uid }));
    lock.unlink();
    expect(SharedMemory.list().filter(({ name }) => name === memory.name)).toHaveLength(1);
  });
});

describe('handles', () => {
  it('go through JSON and come back attached', () => {
    using memory = temporary({ size: 8 });
    memory.array('uint8')[0] = 77;
    using copy = attach(JSON.parse(JSON.stringify(memory)) as ReturnType<SharedMemory['toJSON']>);
    expect(copy).toBeInstanceOf(SharedMemory);
    expect(copy.array('uint8')[0]).toBe(77);
  });

  it('of another kind come back as that kind', () => {
    using lock = NamedLock.create();
    using copy = attach(lock.toJSON());
    expect(copy).toBeInstanceOf(NamedLock);
    lock.unlink();
  });

  it('that are none are refused', () => {
    expectCode(() => attach(null as never), 'ERR_INVALID_ARG_TYPE', 'handle');
    expectCode(() => attach({ name: 'x' } as never), 'ERR_INVALID_ARG_TYPE', 'handle');
    expectCode(
      () => attach({ shmkit: 'teapot', name: 'x' } as never),
      'ERR_OUT_OF_RANGE',
      'teapot',
    );
    expectCode(() => attach({ shmkit: 'memory' } as never), 'ERR_INVALID_ARG_TYPE', 'name');
  });
});
