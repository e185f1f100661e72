import { NamedLock, SharedMemory, type LockGuard } from 'shmkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { start } from '../../support/children';
import { expectCode, expectRejection } from '../../support/errors';
import { uniqueName } from '../../support/names';

let name: string;
let lock: NamedLock;

beforeEach(() => {
  name = uniqueName('lock');
  lock = NamedLock.create({ name });
});

afterEach(() => {
  if (lock.held) lock.release();
  try {
    NamedLock.unlink(name);
  } catch {
    // the test has unlinked it
  }
  lock.close();
});

/** Starts another process, which holds the lock until it is told to release it, or is killed. */
async function holder() {
  const child = start('lock/lock-holder', [name]);
  expect(await child.hear()).toBe('ready');
  expect(await child.hear()).toMatchObject({ held: true });
  return child;
}

describe('naming', () => {
  it('creates exclusively, attaches to what is there, opens either', () => {
    expectCode(() => NamedLock.create({ name }), 'EEXIST', name, /attach\(\)|open\(\)/);
    NamedLock.attach(name).close();
    NamedLock.open(name).close();
    const absent = uniqueName();
    expectCode(() => NamedLock.attach(absent), 'ENOENT', absent);
    using made = NamedLock.open(absent);
    expect(made.tryAcquire()?.abandoned).toBe(false);
    made.release();
    made.unlink();
  });

  it('makes up a new name when given none', () => {
    using made = NamedLock.create();
    using other = NamedLock.attach(made.name);
    expect(other.name).toBe(made.name);
    made.unlink();
  });

  it('leaves the same name to other kinds of object', () => {
    using memory = SharedMemory.create({ name, size: 1 });
    memory.unlink();
    expect(lock.tryAcquire()).not.toBeNull();
  });
});

describe('acquireSync', () => {
  it('gives a guard that releases once', () => {
    const guard = lock.acquireSync();
    expect([lock.held, lock.locked, guard.abandoned]).toEqual([true, true, false]);
    expect(guard.lock).toBe(lock);
    guard.release();
    expect([lock.held, lock.locked]).toEqual([false, false]);
    expectCode(() => guard.release(), 'ERR_NOT_HELD', name);
  });

  it('releases at the end of a `using` block, also after an early release', () => {
    {
      using _held = lock.acquireSync();
      expect(lock.held).toBe(true);
    }
    expect(lock.held).toBe(false);
    {
      using held = lock.acquireSync();
      held.release();
      lock.acquireSync();
    }
    expect(lock.held, 'the block’s end leaves a later acquisition alone').toBe(true);
  });

  it('throws at once for what this thread holds, through any handle', async () => {
    using other = NamedLock.attach(name);
    lock.acquireSync();
    expectCode(() => lock.acquireSync(), 'ERR_DEADLOCK', name);
    expectCode(() => other.acquireSync({ timeout: 1000 }), 'ERR_DEADLOCK', name);
    lock.release();
    await lock.acquire();
    expectCode(() => other.acquireSync(), 'ERR_DEADLOCK', name);
  });

  it('waits no shorter than its timeout, then throws', async () => {
    const child = await holder();
    for (const timeout of [0, 1, 50]) {
      const before = performance.now();
      expectCode(() => lock.acquireSync({ timeout }), 'ERR_TIMEOUT', name, `${timeout} ms`);
      expect(performance.now() - before).toBeGreaterThanOrEqual(timeout);
    }
    child.tell('release');
    await child.succeed();
    lock.acquireSync({ timeout: Infinity }).release();
  });

  it('gets the lock when another process releases it', async () => {
    const child = await holder();
    child.tell('release');
    lock.acquireSync().release();
    await child.succeed();
  });
});

describe('tryAcquire', () => {
  it('is null while anyone holds the lock', async () => {
    const child = await holder();
    expect(lock.tryAcquire()).toBeNull();
    expect(lock.locked).toBe(true);
    expect(lock.held).toBe(false);
    child.tell('release');
    await child.succeed();
    expect(lock.tryAcquire()).not.toBeNull();
    using other = NamedLock.attach(name);
    expect(other.tryAcquire()).toBeNull();
    expect(other.held, 'held is of the handle').toBe(false);
    expect(other.locked).toBe(true);
  });
});

describe('acquire', () => {
  it('serves the tasks of a thread first come, first served', async () => {
    const order: number[] = [];
    const first = lock.acquireSync();
    const tasks = Array.from({ length: 50 }, async (_, i) => {
      using _held = await lock.acquire();
      order.push(i);
      await new Promise(setImmediate);
    });
    first.release();
    await Promise.all(tasks);
    expect(order).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });

  it('keeps that order when the lock has to be waited for', async () => {
    const child = await holder();
    const order: number[] = [];
    const tasks = Array.from({ length: 50 }, async (_, i) => {
      using _held = await lock.acquire();
      order.push(i);
    });
    child.tell('release');
    await Promise.all(tasks);
    expect(order).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });

  it('keeps tasks of different handles apart', async () => {
    using other = NamedLock.attach(name);
    let inside = 0;
    const task = async (handle: NamedLock) => {
      using _held = await handle.acquire();
      expect(++inside).toBe(1);
      await new Promise(setImmediate);
      inside--;
    };
    await Promise.all([lock, other, lock, other, other].map(task));
  });

  it('rejects when its time is up, no sooner', async () => {
    lock.acquireSync();
    const before = performance.now();
    await expectRejection(lock.acquire({ timeout: 30 }), 'ERR_TIMEOUT', name, '30 ms');
    expect(performance.now() - before).toBeGreaterThanOrEqual(30);
    await expectRejection(lock.acquire({ timeout: 0 }), 'ERR_TIMEOUT', name);
  });

  it('rejects with the reason of an abort', async () => {
    lock.acquireSync();
    const reason = new Error('enough');
    await expect(lock.acquire({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const waiting = lock.acquire({ signal: controller.signal });
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(lock.acquire({ signal: AbortSignal.timeout(5) })).rejects.toThrow(DOMException);
  });

  it('leaves the lock free after waits that were called off', async () => {
    const child = await holder();
    const controller = new AbortController();
    const { signal } = controller;
    const called = [
      lock.acquire({ signal }),
      lock.acquire({ timeout: 20 }),
      lock.acquire({ signal }),
    ];
    controller.abort();
    await Promise.allSettled(called);
    child.tell('release');
    await child.succeed();
    const other = start('lock/lock-holder', [name]);
    expect([await other.hear(), await other.hear()]).toMatchObject(['ready', { held: true }]);
    other.tell('release');
    await other.succeed();
  });

  it('serves those who wait on when one of them gives up', async () => {
    const child = await holder();
    const controller = new AbortController();
    const first = lock.acquire({ signal: controller.signal });
    const second = lock.acquire();
    controller.abort();
    await expect(first).rejects.toThrow();
    child.tell('release');
    (await second).release();
    // The request is aborted and repeated before the agent can notice.
    const again = await holder();
    for (let i = 0; i < 20; i++) {
      const off = new AbortController();
      const waiting = lock.acquire({ signal: off.signal });
      off.abort();
      await expect(waiting).rejects.toThrow();
    }
    const last = lock.acquire();
    again.tell('release');
    (await last).release();
  });

  it('lets a sync acquire of the same thread go ahead of tasks that could not run', async () => {
    const child = await holder();
    const order: string[] = [];
    const task = lock.acquire().then((guard) => {
      order.push('task');
      guard.release();
    });
    child.tell('release');
    const guard = lock.acquireSync();
    order.push('sync');
    guard.release();
    await task;
    expect(order).toEqual(['sync', 'task']);
  });

  it('lets a sync acquire time out beside a waiting task', async () => {
    const child = await holder();
    const task = lock.acquire();
    expectCode(() => lock.acquireSync({ timeout: 20 }), 'ERR_TIMEOUT');
    child.tell('release');
    (await task).release();
  });
});

describe('runExclusive', () => {
  it('holds the lock while the function runs, and gives its result', async () => {
    expect(lock.runExclusiveSync(() => lock.held)).toBe(true);
    expect(await lock.runExclusive(() => Promise.resolve().then(() => lock.held))).toBe(true);
    expect(lock.held).toBe(false);
  });

  it('releases it when the function throws', async () => {
    const error = new Error('no');
    const fail = () => {
      throw error;
    };
    expect(() => lock.runExclusiveSync(fail)).toThrow(error);
    await expect(lock.runExclusive(fail)).rejects.toBe(error);
    await expect(lock.runExclusive(() => Promise.reject(error))).rejects.toBe(error);
    expect(lock.locked).toBe(false);
  });

  it('hands the guard to the function, and lets it release early', async () => {
    await lock.runExclusive((guard: LockGuard) => guard.release());
    lock.runExclusiveSync((guard) => guard.release());
    expect(lock.locked).toBe(false);
  });

  it('takes a timeout', async () => {
    lock.acquireSync();
    await expectRejection(
      lock.runExclusive(() => 1, { timeout: 1 }),
      'ERR_TIMEOUT',
    );
    expectCode(() => lock.runExclusiveSync(() => 1, { timeout: 1 }), 'ERR_DEADLOCK');
    expectCode(() => lock.runExclusiveSync('no' as never), 'ERR_INVALID_ARG_TYPE', 'fn');
  });
});

describe('releasing', () => {
  it('what is not held is an error', () => {
    expectCode(() => lock.release(), 'ERR_NOT_HELD', name);
    using other = NamedLock.attach(name);
    lock.acquireSync();
    expectCode(() => other.release(), 'ERR_NOT_HELD', name);
  });
});

describe('closing', () => {
  it('is refused while the lock is held through the handle', () => {
    lock.acquireSync();
    expectCode(() => lock.close(), 'EBUSY', name, 'release');
    expect(lock.closed).toBe(false);
    using other = NamedLock.attach(name);
    other.close();
    lock.release();
    lock.close();
    lock.close();
    expect(lock.closed).toBe(true);
  });

  it('ends all use of the handle, with an error that says so', async () => {
    lock.close();
    expectCode(() => lock.acquireSync(), 'ERR_CLOSED', name);
    expectCode(() => lock.tryAcquire(), 'ERR_CLOSED', name);
    expectCode(() => lock.locked, 'ERR_CLOSED', name);
    expectCode(() => lock.release(), 'ERR_NOT_HELD', name);
    await expectRejection(lock.acquire(), 'ERR_CLOSED', name);
    expect(lock.held).toBe(false);
  });

  it('rejects those who wait through the handle, and no others', async () => {
    const child = await holder();
    const other = NamedLock.attach(name);
    const through = expectRejection(lock.acquire(), 'ERR_CLOSED', name, 'closed');
    const beside = other.acquire();
    lock.close();
    await through;
    child.tell('release');
    (await beside).release();
    other.close();
  });
});

describe('unlinking', () => {
  it('makes handles of open() create the lock anew, and others fail', () => {
    using opened = NamedLock.open(name);
    lock.unlink();
    expectCode(() => lock.acquireSync(), 'ENOENT', name);
    expectCode(() => NamedLock.unlink(name), 'ENOENT', name);
    opened.acquireSync().release();
    using attached = NamedLock.attach(name);
    opened.acquireSync();
    expect(attached.tryAcquire()).toBeNull();
    opened.release();
  });

  it('takes effect when the owner releases, so that two owners never meet', async () => {
    lock.acquireSync();
    NamedLock.unlink(name);
    using other = NamedLock.open(name);
    expect(other.tryAcquire(), 'the name still leads to the held lock').toBeNull();
    const child = start('lock/lock-holder', [name]);
    expect(await child.hear()).toBe('ready');
    lock.release();
    expect(await child.hear(), 'who waited for the old one has the new one').toMatchObject({
      held: true,
      abandoned: false,
    });
    expect(other.tryAcquire(), 'which is the one that others find').toBeNull();
    child.tell('release');
    await child.succeed();
  });

  it('is done by the next to come when the owner was killed', async () => {
    const child = await holder();
    lock.unlink();
    await child.kill();
    using other = NamedLock.open(name);
    const guard = other.acquireSync();
    expect(guard.abandoned, 'a new lock has no past').toBe(false);
    expect(lock.tryAcquire(), 'an old handle finds the new lock').toBeNull();
    guard.release();
  });

  it('moves waiting tasks on to the new lock', async () => {
    using opened = NamedLock.open(name);
    const child = await holder();
    const waiting = [opened.acquire(), opened.acquire()];
    lock.unlink();
    child.tell('release');
    for (const each of waiting) (await each).release();
    using _attached = NamedLock.attach(name);
  });

  it('rejects waiting tasks whose handle must not make a new lock', async () => {
    const child = await holder();
    const waiting = [lock.acquire(), lock.acquire()];
    lock.unlink();
    child.tell('release');
    for (const each of waiting) await expectRejection(each, 'ENOENT', name);
  });

  it('works after close', () => {
    lock.close();
    lock.unlink();
    expectCode(() => lock.unlink(), 'ENOENT', name);
  });

  it('after close leaves a name alone that is another lock’s by now', () => {
    lock.unlink();
    lock.close();
    using second = NamedLock.create({ name });
    expectCode(() => lock.unlink(), 'ENOENT', name);
    NamedLock.attach(name).close();
    second.unlink();
  });
});

describe('many', () => {
  it('locks of one thread are independent', () => {
    const many = Array.from({ length: 300 }, () => NamedLock.create());
    const guards = many.map((each) => each.acquireSync());
    expect(many.every((each) => each.held)).toBe(true);
    for (const guard of guards.reverse()) guard.release();
    for (const each of many) {
      each.unlink();
      each.close();
    }
  });

  it('locks held at once are limited to what the system hands on', () => {
    const many = Array.from({ length: 2001 }, () => NamedLock.create());
    const last = many.pop()!;
    const guards = many.map((each) => each.acquireSync());
    expectCode(() => last.acquireSync(), 'ERR_CAPACITY', last.name, '2000');
    guards.pop()!.release();
    last.acquireSync().release();
    for (const guard of guards) guard.release();
    for (const each of [...many, last]) {
      each.unlink();
      each.close();
    }
  });
});
