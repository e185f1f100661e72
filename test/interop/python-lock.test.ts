// Locks that Python takes by python/shmkit.py. They are the same mutexes that this library takes.
import { randomInt } from 'node:crypto';
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Manager, NamedLock, SharedArray, SharedMemory, SharedValue, ShareableList } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { Child, start } from '../support/children';
import { expectCode } from '../support/errors';
import { uniqueName } from '../support/names';
import { mostKills } from '../support/system';
import { temporary, timed } from '../support/temporaries';

const isThere = spawnSync('python3', ['-c', 'import ctypes']).status === 0;
const hasNumpy = spawnSync('python3', ['-c', 'import numpy']).status === 0;
const isLinux = process.platform === 'linux';

function startPython(program: string, ...args: unknown[]): Child {
  const words = args.map((arg) => JSON.stringify(arg));
  const file = path.resolve('test/interop', program);
  return new Child(
    // -S: with the standard library alone, and so without numpy.
    spawn('python3', ['-B', '-S', file, ...words], {
      env: { ...process.env, PYTHONPATH: path.resolve('python') },
    }),
  );
}

interface Failed {
  error: string;
  code: string | null;
  message: string;
}

/** A Python program that does what it is told. */
class Python {
  readonly child = startPython('shmkit_peer.py');

  async ask(source: string): Promise<unknown> {
    this.child.tell(source);
    return this.hear();
  }

  /** Resolves when Python is about to do it. {@link hear} has the result. */
  async begin(source: string): Promise<void> {
    this.child.tell(`begin ${source}`);
    expect(await this.child.hear()).toBe('begun');
  }

  async hear(): Promise<unknown> {
    const said = await this.child.hear<{ value: unknown } | Failed>();
    return 'value' in said ? said.value : said;
  }

  async end(): Promise<void> {
    this.child.process.stdin!.end();
    await this.child.succeed();
  }
}

/** A lock, and a Python program that is attached to it as `lock`. */
async function shared(): Promise<{ lock: NamedLock & Disposable; python: Python }> {
  const lock = temporary(NamedLock.create({ name: uniqueName('python') }));
  const python = new Python();
  await python.ask(`lock = shmkit.NamedLock("${lock.name}")`);
  return { lock, python };
}

const inPython = describe.runIf(isThere && isLinux);

inPython('a lock in Python (skipped where there is no python3, and where it is not Linux)', () => {
  it('excludes Node, and is excluded by it', async () => {
    const { lock, python } = await shared();
    using _lock = lock;
    expect(await python.ask('lock.acquire()')).toBe(true);
    expect(await python.ask('[lock.held, lock.abandoned]')).toEqual([true, false]);
    expect(lock.tryAcquire()).toBeNull();
    expectCode(() => lock.acquireSync({ timeout: 20 }), 'ERR_TIMEOUT');
    const waiting = lock.acquire();
    await python.ask('lock.release()');
    const guard = await waiting;
    expect(guard.abandoned).toBe(false);
    expect(await python.ask('lock.acquire(False)')).toBe(false);
    const took = await timed(async () => {
      expect(await python.ask('lock.acquire(timeout=0.1)')).toBe(false);
    });
    expect(took).toBeGreaterThanOrEqual(100);
    await python.begin('lock.acquire()');
    guard.release();
    expect(await python.hear()).toBe(true);
    await python.ask('lock.release()');
    await python.ask('lock.close()');
    await python.end();
  });

  it('is that of a value and of an array, too', async () => {
    using value = temporary(SharedValue.create({ type: 'int64', value: -5n }));
    using array = temporary(SharedArray.create({ from: Float32Array.of(1, 2, 3) }));
    const python = new Python();
    await python.ask(`value = shmkit.SharedValue("${value.name}")`);
    await python.ask(`array = shmkit.SharedArray("${array.name}")`);
    expect(await python.ask('[value.type, value.value, array.type, list(array.view)]')).toEqual([
      'int64',
      -5,
      'float32',
      [1, 2, 3],
    ]);
    for (const [name, { lock }] of [['value', value] as const, ['array', array] as const]) {
      await python.ask(`${name}.lock.acquire()`);
      expect(lock.tryAcquire()).toBeNull();
      expect(await python.ask(`${name}.close()`)).toMatchObject({ code: 'EBUSY' });
      await python.ask(`${name}.lock.release()`);
      lock.runExclusiveSync(() => undefined);
    }
    await python.ask('value.value += 2**40');
    await python.ask('array.view[1] = 2.5');
    expect([value.value, [...array]]).toEqual([2n ** 40n - 5n, [1, 2.5, 3]]);
    expect(await python.ask('value.value = 2**63')).toMatchObject({ error: 'ValueError' });
    await python.ask('value.close()');
    await python.ask('array.close()');
    await python.end();
  });

  it.each(['lock.acquire()', 'lock.acquire(timeout=60)'])(
    'is told that its owner in Node was killed: %s',
    async (acquire) => {
      const { lock, python } = await shared();
      using _lock = lock;
      const holder = start('lock/lock-holder', [lock.name, 'sync']);
      expect(await holder.hear()).toBe('ready');
      expect(await holder.hear()).toEqual({ held: true, abandoned: false });
      await python.begin(acquire);
      await holder.kill();
      expect(await python.hear()).toBe(true);
      expect(await python.ask('lock.abandoned')).toBe(true);
      await python.ask('lock.release()');
      await python.ask('lock.acquire()');
      expect(await python.ask('lock.abandoned')).toBe(false);
      await python.ask('lock.release()');
      await python.end();
    },
  );

  it.each([
    ['is killed', 'os.kill(os.getpid(), signal.SIGKILL)'],
    ['exits', 'sys = __import__("sys"); sys.stdin.close(); sys.exit(0)'],
    ['exits at once', 'os._exit(0)'],
  ])('that Python holds when it %s is handed to Node as abandoned', async (_, end) => {
    const { lock, python } = await shared();
    using _lock = lock;
    await python.ask('lock.acquire()');
    const waiting = lock.acquire();
    python.child.tell(end);
    const guard = await waiting;
    expect(guard.abandoned).toBe(true);
    guard.release();
    await python.child.kill();
    expect(lock.acquireSync().abandoned).toBe(false);
    lock.release();
  });

  it('that a thread of Python holds when it ends is handed on as abandoned', async () => {
    const { lock, python } = await shared();
    using _lock = lock;
    await python.ask('thread = threading.Thread(target=lock.acquire)');
    await python.ask('thread.start()');
    await python.ask('thread.join()');
    expect(await python.ask('lock.held')).toBe(false);
    expect(await python.ask('lock.release()')).toMatchObject({ code: 'ERR_NOT_HELD' });
    expect(await python.ask('lock.acquire()')).toBe(true);
    expect(await python.ask('lock.abandoned')).toBe(true);
    await python.ask('lock.release()');
    await python.end();
  });

  it('excludes threads of one Python program', async () => {
    const { lock, python } = await shared();
    using _lock = lock;
    using memory = temporary(SharedMemory.create({ name: uniqueName(), size: 8 }));
    await python.ask(`words = shmkit.SharedMemory("${memory.name}").buf.cast("q")`);
    await python.ask(
      'def count():\n  for _ in range(2000):\n    with lock:\n      words[0] = words[0] + 1\n',
    );
    await python.ask('threads = [threading.Thread(target=count) for _ in range(4)]');
    await python.ask('[thread.start() for thread in threads]\nNone');
    await python.ask('[thread.join() for thread in threads]\nNone');
    expect(memory.array('int64')[0]).toBe(8000n);
    await python.end();
  });

  it('is not held by a child that was forked while it was held', async () => {
    const { lock, python } = await shared();
    using _lock = lock;
    await python.ask('lock.acquire()');
    await python.ask('ends = os.pipe()');
    await python.ask(
      'child = os.fork()\n' +
        'if child == 0:\n' +
        '  os.write(ends[1], b"%d%d" % (lock.held, lock.acquire(False)))\n' +
        '  os._exit(0)\n',
    );
    expect(await python.ask('os.waitpid(child, 0)[1]')).toBe(0);
    expect(await python.ask('os.read(ends[0], 2).decode()')).toBe('00');
    expect(lock.tryAcquire()).toBeNull();
    await python.ask('lock.release()');
    expect(lock.acquireSync().abandoned).toBe(false);
    lock.release();
    await python.end();
  });

  it('is waited for until Ctrl-C', async () => {
    const { lock, python } = await shared();
    using _lock = lock;
    const guard = lock.acquireSync();
    await python.begin('lock.acquire()');
    python.child.process.kill('SIGINT');
    expect(await python.hear()).toMatchObject({ error: 'KeyboardInterrupt' });
    expect(await python.ask('lock.held')).toBe(false);
    guard.release();
    expect(await python.ask('lock.acquire(timeout=60)')).toBe(true);
    await python.ask('lock.release()');
    await python.end();
  });

  it('is held or not as it says, whatever is interrupted', async () => {
    const { lock, python } = await shared();
    using _lock = lock;
    const rounds = 3000;
    await python.ask(
      'def fail(*_): raise InterruptedError\n' + 'signal.signal(signal.SIGALRM, fail)\n',
    );
    // Interrupts come at random moments of acquire(), held and release().
    await python.ask(
      'def run():\n' +
        '  wrong = interrupted = 0\n' +
        `  for i in range(${rounds}):\n` +
        '    try:\n' +
        '      signal.setitimer(signal.ITIMER_REAL, 1e-6 + (i % 97) * 2e-7)\n' +
        '      for _ in range(1000):\n' +
        '        lock.acquire()\n' +
        '        lock.held\n' +
        '        lock.release()\n' +
        '    except InterruptedError: interrupted += 1\n' +
        '    if lock.held: lock.release()\n' +
        '    if not lock.acquire(False): wrong += 1\n' +
        '    else: lock.release()\n' +
        '  return [wrong, interrupted]\n',
    );
    expect(await python.ask('run()')).toEqual([0, rounds]);
    expect(lock.tryAcquire()).not.toBeNull();
    lock.release();
    await python.ask('lock.close()');
    await python.end();
  });

  it('is given up by a thread that waits for it when another thread closes it', async () => {
    const { lock, python } = await shared();
    using _lock = lock;
    const guard = lock.acquireSync();
    await python.ask('said = []');
    await python.ask(
      'def wait():\n  said.append("waits")\n  try: lock.acquire()\n  except shmkit.Error as error: said.append(error.code)\n',
    );
    await python.ask('threads = [threading.Thread(target=wait) for _ in range(4)]');
    await python.ask('[thread.start() for thread in threads]\nNone');
    await python.ask('while len(said) < 4: pass');
    await python.ask('lock.close()');
    await python.ask('[thread.join() for thread in threads]\nNone');
    expect(await python.ask('said[4:]')).toEqual(Array(4).fill('ERR_CLOSED'));
    guard.release();
    expect(lock.acquireSync().abandoned).toBe(false);
    lock.release();
    await python.end();
  });

  it('that Python takes again and again is not kept from Node', async () => {
    const { lock, python } = await shared();
    using _lock = lock;
    await python.ask('stop = threading.Event()');
    await python.ask('def hog():\n  while not stop.is_set():\n    with lock: pass\n');
    await python.ask('thread = threading.Thread(target=hog)');
    await python.ask('thread.start()');
    for (let i = 0; i < 30; i++) (await lock.acquire()).release();
    for (let i = 0; i < 30; i++) lock.acquireSync().release();
    await python.ask('stop.set()');
    await python.ask('thread.join()');
    await python.end();
  });

  it('is another one when it was unlinked and made anew', async () => {
    const { lock, python } = await shared();
    const { name } = lock;
    await python.ask('lock.acquire()');
    lock.unlink();
    lock.close();
    const file = `/dev/shm/shmkit.lock.${name}`;
    expect(existsSync(file), 'Python holds it, and removes its name when it releases').toBe(true);
    await python.ask('lock.release()');
    expect(existsSync(file)).toBe(false);
    const gone = { error: 'FileNotFoundError' };
    expect(await python.ask('lock.acquire()')).toMatchObject(gone);
    using fresh = temporary(NamedLock.create({ name }));
    expect(await python.ask('lock.acquire()')).toBe(true);
    expect(fresh.tryAcquire()).toBeNull();
    await python.ask('lock.release()');
    await python.end();
  });

  it('ends with its manager', async () => {
    using manager = Manager.create({ name: uniqueName('app') });
    using lock = manager.lock('jobs');
    using value = manager.value('hits', { type: 'int32' });
    const python = new Python();
    await python.ask(`value = shmkit.SharedValue("${value.name}")`);
    expect(await python.ask('value.lock.acquire()')).toBe(true);
    await python.ask('value.lock.release()');
    await python.ask(`lock = shmkit.attach({"shmkit": "lock", "name": "${lock.name}"})`);
    const guard = lock.acquireSync();
    await python.begin('lock.acquire()');
    manager.shutdown();
    expect(await python.hear()).toMatchObject({ code: 'ERR_SHUTDOWN' });
    guard.release();
    expect(await python.ask('lock.acquire()')).toMatchObject({ code: 'ERR_SHUTDOWN' });
    expect(await python.ask('value.lock.acquire()')).toMatchObject({ code: 'ERR_SHUTDOWN' });
    expect(existsSync(`/dev/shm/shmkit.value@${manager.name}@hits`)).toBe(false);
    await python.end();
  });

  it('refuses mistakes by their codes', async () => {
    const { lock, python } = await shared();
    using _lock = lock;
    await python.ask('lock.acquire()');
    expect(await python.ask('lock.acquire(timeout=1)')).toMatchObject({ code: 'ERR_DEADLOCK' });
    expect(await python.ask('lock.close()')).toMatchObject({ code: 'EBUSY' });
    await python.ask('lock.release()');
    expect(await python.ask('lock.release()')).toMatchObject({ code: 'ERR_NOT_HELD' });
    await python.ask('lock.close()');
    expect(await python.ask('lock.acquire()')).toMatchObject({ code: 'ERR_CLOSED' });
    expect(await python.ask(`shmkit.SharedArray("${lock.name}")`)).toMatchObject({
      error: 'FileNotFoundError',
      message: expect.stringContaining('there is a lock of that name') as string,
    });
    expect(await python.ask('shmkit.attach({"shmkit": "dict", "name": "x"})')).toMatchObject({
      code: 'ERR_WRONG_KIND',
    });
    expect(await python.ask(`shmkit.SharedMemory("shmkit.lock.${lock.name}")`)).toMatchObject({
      error: 'ValueError',
    });
    expect(await python.ask('shmkit.NamedLock("a/b")')).toMatchObject({ error: 'ValueError' });
    expect(await python.ask('shmkit.NamedLock(5)')).toMatchObject({ error: 'TypeError' });
    await python.end();
  });

  const lies: [string, string, (file: number) => unknown][] = [
    ['of another layout', 'ERR_ABI_MISMATCH', (file) => writeSync(file, Buffer.of(3), 0, 1, 4)],
    ['of another C library', 'ERR_ABI_MISMATCH', (file) => writeSync(file, Buffer.of(2), 0, 1, 9)],
    ['of another machine', 'ERR_ABI_MISMATCH', (file) => writeSync(file, Buffer.of(9), 0, 1, 10)],
    ['of another kind', 'ERR_WRONG_KIND', (file) => writeSync(file, Buffer.of(10), 0, 1, 6)],
    [
      'with an overwritten mutex',
      'ERR_CORRUPT',
      (file) => writeSync(file, Buffer.alloc(64, 7), 0, 64, 72),
    ],
    ['in an unknown state', 'ERR_CORRUPT', (file) => writeSync(file, Buffer.of(9), 0, 1, 64)],
  ];
  it.each(lies)('%s is refused', async (_, code, lie) => {
    using lock = NamedLock.create({ name: uniqueName('lie') });
    const file = openSync(`/dev/shm/shmkit.lock.${lock.name}`, 'r+');
    const python = new Python();
    lie(file);
    expect(await python.ask(`shmkit.NamedLock("${lock.name}").acquire()`)).toMatchObject({ code });
    closeSync(file);
    await python.end();
    rmSync(`/dev/shm/shmkit.lock.${lock.name}`);
  });
});

describe.runIf(hasNumpy && isLinux)('the example of the README (skipped without numpy)', () => {
  it('goes on in Python when Node is killed, and in Node when Python is', async () => {
    const text = readFileSync('README.md', 'utf8');
    const [js, python] = ['js', 'python'].map((language) => {
      const blocks = [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))];
      return blocks.map(([, code]) => code!).find((code) => code.includes('samples'))!;
    }) as [string, string];
    const name = uniqueName('samples');
    const code = (source: string) => source.replaceAll(/(['"])samples\1/g, `'${name}'`);
    const node = `import { createRequire } from 'node:module';
const require = createRequire(${JSON.stringify(path.resolve('package.json'))});
${code(js.replace('10_000', 'Infinity')).replace('import { SharedArray } from', 'const { SharedArray } = require(').replace("'shmkit';", "'shmkit');")}`;
    const startNode = () => spawn(process.execPath, ['--input-type=module', '-e', node]);
    const children = [startNode()];
    try {
      const there = `/dev/shm/shmkit.array.${name}`;
      while (!existsSync(there)) await delay(1);
      using array = temporary(SharedArray.attach(name, { type: 'float64' }));
      const isChanging = async () => {
        const before = array.slice().join();
        while (array.slice().join() === before) await delay(1);
      };
      await isChanging();
      const run = () =>
        new Child(
          spawn('python3', ['-B', '-c', code(python)], {
            env: { ...process.env, PYTHONPATH: path.resolve('python') },
          }),
        );
      await run().succeed();
      children[0]!.kill('SIGKILL');
      await run().succeed();
      children.push(startNode());
      await isChanging();
      const { exit, process: killed } = run();
      killed.kill('SIGKILL');
      await exit;
      await isChanging();
    } finally {
      for (const child of children) child.kill('SIGKILL');
    }
  });
});

inPython('memory and lists in Python', () => {
  it('are attached to, and stay when Python ends', async () => {
    using memory = temporary(SharedMemory.create({ name: uniqueName(), size: 16 }));
    using list = temporary(ShareableList.create({ name: uniqueName(), from: [1, 'two', null] }));
    const python = new Python();
    await python.ask(`memory = shmkit.SharedMemory("${memory.name}")`);
    expect(await python.ask('memory.size')).toBe(16);
    await python.ask('memory.buf[0] = 77');
    expect(memory.array('uint8')[0]).toBe(77);
    const isOld = await python.ask('__import__("sys").version_info < (3, 9)');
    const listed = await python.ask(`list = shmkit.shareable_list("${list.name}")`);
    if (isOld) expect(listed).toMatchObject({ code: 'ENOTSUP' });
    else expect(await python.ask('[list[0], list[1], list[2]]')).toEqual([1, 'two', null]);
    await python.ask('part = memory.buf[2:4]');
    expect(await python.ask('memory.close()')).toMatchObject({ error: 'BufferError' });
    await python.ask('del part');
    await python.ask('memory.close()');
    await python.end();
    expect(existsSync(`/dev/shm/${memory.name}`)).toBe(true);
    expect(existsSync(`/dev/shm/${list.name}`)).toBe(true);
  });
});

const most = 100;
const kills = Math.min(most, mostKills);

inPython(`${kills} kills among 4 Node and 4 Python programs`, () => {
  it('lose no count, let no two in, and leave nobody stuck', { timeout: 300_000 }, async () => {
    const name = uniqueName('count');
    using memory = temporary(SharedMemory.create({ name, size: 64 }));
    using lock = temporary(NamedLock.create({ name }));
    const words = memory.array('int32');
    const slots = Array.from({ length: 8 }, (_, slot) => slot);
    const isPython = (slot: number) => slot % 2 === 1;
    let lastId = 0;
    const enlist = async (slot: number): Promise<{ id: number; child: Child }> => {
      const id = ++lastId;
      const child = isPython(slot)
        ? startPython('counter_peer.py', name, slot, id)
        : start('interop/counter', [name, slot, id]);
      await child.hear();
      return { id, child };
    };
    const all = await Promise.all(slots.map(enlist));
    const goOn = async () => {
      const before = [...words.subarray(8)];
      const stuck = () => slots.filter((slot) => Atomics.load(words, 8 + slot) === before[slot]);
      while (stuck().length > 0) await delay(1);
    };

    /** Waits until a program of that kind is inside. It may be outside again when it is killed. */
    const inside = async (inPython: boolean): Promise<number> => {
      for (;;) {
        for (const end = performance.now() + 20; performance.now() < end;) {
          const owner = Atomics.load(words, 0);
          const at = all.findIndex(({ id }) => id === owner);
          if (at >= 0 && isPython(at) === inPython) return at;
        }
        await delay(0);
      }
    };

    // Owners of both kinds that died inside.
    const hit = { node: 0, python: 0 };
    for (let kill = 0; kill < kills || (kill < most && !(hit.node && hit.python)); kill++) {
      await goOn();
      const until = performance.now() + randomInt(5);
      while (performance.now() < until);
      // Two of three times, the victim is a program that is inside: one in Node, and then one in Python.
      const victim = kill % 3 === 0 ? randomInt(slots.length) : await inside(kill % 3 === 2);
      const told = words[3]!;
      const { id, child } = all[victim]!;
      await child.kill();
      if (words[3]! > told || words[0] === id) hit[isPython(victim) ? 'python' : 'node']++;
      all[victim] = await enlist(victim);
    }
    await goOn();
    await Promise.all(all.map(({ child }) => child.kill()));

    const { abandoned } = lock.acquireSync();
    lock.release();
    const [canary, wrong, total, told] = words;
    const sum = words.subarray(8).reduce((a, b) => a + b, 0);
    console.log(`${total} counts, ${told} owners died inside: ${JSON.stringify(hit)}`);
    expect(wrong).toBe(0);
    if (!abandoned) expect([canary, total]).toEqual([0, sum]);
    expect(sum - total!).toBeLessThanOrEqual(1);
    expect(hit.node, 'some kills hit an owner in Node').toBeGreaterThan(0);
    expect(hit.python, 'some kills hit an owner in Python').toBeGreaterThan(0);
  });
});
