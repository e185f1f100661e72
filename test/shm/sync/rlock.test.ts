import { NamedRLock } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { temporary } from '../../support/temporaries';
import { expectCode, expectRejection } from '../../support/errors';
import { uniqueName } from '../../support/names';
import { Peer, beings, ends, forms, goOn, inForm, stop } from '../../support/peers';
import { canStop } from '../../support/system';

describe('the thread that holds it', () => {
  it('acquires it again in every way, and releases as often', async () => {
    using lock = temporary(NamedRLock.create());
    expect([lock.held, lock.depth, lock.locked]).toEqual([false, 0, false]);
    const guards = [
      lock.acquireSync(),
      await lock.acquire(),
      lock.tryAcquire()!,
      lock.acquireSync({ timeout: 0 }),
      await lock.acquire({ timeout: 0 }),
    ];
    expect([lock.held, lock.depth, lock.locked]).toEqual([true, 5, true]);
    // The order does not matter: each guard is one level.
    for (const i of [0, 4, 2, 1]) {
      guards[i]!.release();
      expectCode(() => guards[i]!.release(), 'ERR_NOT_HELD', lock.name);
      expect(lock.held).toBe(true);
    }
    expect(lock.depth).toBe(1);
    expect(guards[3]!.lock).toBe(lock);
    lock.release();
    expect([lock.held, lock.depth, lock.locked]).toEqual([false, 0, false]);
    expectCode(() => lock.release(), 'ERR_NOT_HELD', lock.name);
  });

  it('does so through any of its handles', () => {
    using lock = temporary(NamedRLock.create());
    using other = NamedRLock.attach(lock.name);
    lock.acquireSync();
    const guard = other.acquireSync();
    expect([lock.depth, other.depth, other.held]).toEqual([2, 2, true]);
    guard.release();
    other.release();
    expect([lock.held, other.held, lock.locked]).toEqual([false, false, false]);
  });

  it('does so with all its tasks', async () => {
    using lock = temporary(NamedRLock.create());
    lock.acquireSync();
    const tasks = Array.from({ length: 10 }, async () => {
      using _held = await lock.acquire();
      await new Promise(setImmediate);
      return lock.depth;
    });
    expect(Math.max(...(await Promise.all(tasks)))).toBe(11);
    expect(lock.depth).toBe(1);
    lock.release();
  });

  it('runs functions within functions, and releases when they throw', async () => {
    using lock = temporary(NamedRLock.create());
    const depths: number[] = [];
    const result = await lock.runExclusive(async (outer) => {
      depths.push(lock.depth);
      lock.runExclusiveSync((inner) => {
        expect(inner).not.toBe(outer);
        depths.push(lock.depth);
      });
      await expect(lock.runExclusive(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
      expect(() => lock.runExclusiveSync(() => JSON.parse('{') as never)).toThrow(SyntaxError);
      depths.push(lock.depth);
      return 'done';
    });
    expect([result, ...depths, lock.depth]).toEqual(['done', 1, 2, 1, 0]);
    for (const fn of [undefined, 'x', {}] as never[]) {
      expectCode(() => lock.runExclusiveSync(fn), 'ERR_INVALID_ARG_TYPE', 'fn');
      await expectRejection(lock.runExclusive(fn), 'ERR_INVALID_ARG_TYPE', 'fn');
    }
    // If the function releases early, the end of the block does not release again.
    lock.runExclusiveSync((guard) => guard.release());
    lock.runExclusiveSync(() => lock.release());
    expect(lock.locked).toBe(false);
  });

  it('checks options and signals all the same', async () => {
    using lock = temporary(NamedRLock.create());
    using _held = lock.acquireSync();
    expectCode(() => lock.acquireSync({ timeout: -1 }), 'ERR_OUT_OF_RANGE', 'timeout');
    await expectRejection(lock.acquire({ timeOut: 1 } as never), 'ERR_INVALID_ARG_VALUE');
    const reason = new Error('enough');
    await expect(lock.acquire({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(lock.depth).toBe(1);
  });
});

describe('another thread', () => {
  it.each(beings)('waits until the last release: %s', async (being) => {
    using lock = temporary(NamedRLock.create());
    const peer = await Peer.start(lock, being);
    const guards = [lock.acquireSync(), lock.acquireSync(), lock.acquireSync()];
    const { outcome } = await peer.begin('acquire');
    for (const guard of guards) {
      expect(await peer.call('held')).toBe(false);
      guard.release();
    }
    expect(await outcome).toEqual({ held: true });
    expect(await peer.call('acquire')).toEqual({ held: true });
    expect(await peer.call('depth')).toBe(2);
    expect([lock.held, lock.depth, lock.locked]).toEqual([false, 0, true]);
    expect(lock.tryAcquire()).toBeNull();
    expectCode(() => lock.release(), 'ERR_NOT_HELD');
    expectCode(() => lock.acquireSync({ timeout: 1 }), 'ERR_TIMEOUT', lock.name);
    await peer.call('release');
    expect(lock.tryAcquire()).toBeNull();
    const own = lock.acquire();
    await peer.call('release');
    (await own).release();
    expect(await peer.call('release')).toBe('ERR_NOT_HELD');
  });

  it('lets tasks in that waited, all of them at once, and out when all have released', async () => {
    using lock = temporary(NamedRLock.create());
    const peer = await Peer.start(lock);
    await peer.call('acquireSync');
    const order: number[] = [];
    const tasks = Array.from({ length: 300 }, async (_, i) => {
      using _held = await lock.acquire();
      order.push(i);
      await new Promise(setImmediate);
    });
    await peer.call('release');
    await Promise.all(tasks);
    expect(order).toEqual(tasks.map((_, i) => i));
    expect(lock.locked).toBe(false);
  });
});

describe('tasks that wait', () => {
  it('may await each other: when the thread has the lock, they have', async () => {
    using lock = temporary(NamedRLock.create());
    const peer = await Peer.start(lock);
    await peer.call('acquireSync');
    const tasks: Promise<number>[] = [];
    tasks.push(lock.runExclusive(async () => tasks[1]!));
    tasks.push(lock.runExclusive(() => lock.depth));
    const third = lock.acquire();
    await peer.call('release');
    expect(await tasks[0]).toBe(3);
    expect(lock.depth).toBe(1);
    (await third).release();
    expect(lock.locked).toBe(false);
  });

  it('have it as well when the thread gets it by a call that blocks', async () => {
    using lock = temporary(NamedRLock.create());
    const peer = await Peer.start(lock);
    await peer.call('acquireSync');
    const task = lock.acquire();
    const released = peer.begin('release');
    lock.acquireSync();
    (await task).release();
    expect(lock.depth).toBe(1);
    lock.release();
    expect(await (await released).outcome).toBe('fine');
  });
});

describe.each(ends)('held by %s', (end) => {
  it.each(forms)('however deep, it comes to one who waits, with the news: %s', async (form) => {
    using lock = temporary(NamedRLock.create());
    const holder = await Peer.startFor(end, lock);
    for (let i = 0; i < 3; i++) await holder.call('acquire');
    const other = await Peer.start(lock, 'worker');
    const { outcome } = await other.begin(inForm(form, 'acquire'));
    await holder.endBy(end);
    expect(await outcome).toEqual({ held: true, abandoned: true });
    expect(await other.call('acquire'), 'told once').toEqual({ held: true });
    await other.call('release');
    await other.call('release');
    expect(lock.acquireSync().abandoned).toBe(false);
    lock.release();
  });
});

describe('a process', () => {
  it('that was killed while it waited is noticed by nobody', async () => {
    using lock = temporary(NamedRLock.create());
    lock.acquireSync();
    const doomed = [await Peer.start(lock), await Peer.start(lock)];
    await doomed[0]!.begin('acquire');
    await doomed[1]!.begin('acquireSync');
    for (const peer of doomed) await peer.end();
    lock.release();
    expect((await lock.acquire()).abandoned).toBe(false);
    lock.release();
  });

  it.runIf(canStop)('that is stopped keeps the lock', async () => {
    using lock = temporary(NamedRLock.create());
    const peer = await Peer.start(lock);
    await peer.call('acquireSync');
    await stop(peer);
    await expectRejection(lock.acquire({ timeout: 200 }), 'ERR_TIMEOUT');
    expectCode(() => lock.acquireSync({ timeout: 50 }), 'ERR_TIMEOUT');
    goOn(peer);
    await peer.call('release');
    expect(lock.acquireSync().abandoned).toBe(false);
    lock.release();
  });
});

describe('unlinking', () => {
  it('takes effect when it is free, so that two owners never meet', () => {
    const name = uniqueName();
    using lock = NamedRLock.open(name);
    lock.acquireSync();
    lock.acquireSync();
    NamedRLock.unlink(name);
    using other = NamedRLock.open(name);
    expect(other.depth, 'the name still leads to the held lock').toBe(2);
    lock.release();
    expect(other.held).toBe(true);
    lock.release();
    expectCode(() => NamedRLock.unlink(name), 'ENOENT', name);
    expect(lock.acquireSync().abandoned, 'a handle of open() makes it anew').toBe(false);
    expect(other.tryAcquire(), 'and others move on to that').not.toBeNull();
    expect([lock.depth, other.depth]).toEqual([2, 2]);
    lock.release();
    other.release();
    lock.unlink();
  });

  it.each(['acquireSync', 'acquire', 'tryAcquire'] as const)(
    'lets the thread that holds the new lock in by handles of old: %s',
    async (method) => {
      const name = uniqueName();
      using old = NamedRLock.open(name);
      old.unlink();
      using lock = temporary(NamedRLock.create({ name }));
      using _held = lock.acquireSync();
      const guard = await old[method]();
      expect([guard?.abandoned, lock.depth]).toEqual([false, 2]);
      guard!.release();
    },
  );

  it('is done by whoever comes next when its owner was killed', async () => {
    const name = uniqueName();
    using lock = NamedRLock.open(name);
    const peer = await Peer.start(lock);
    await peer.call('acquireSync');
    lock.unlink();
    await peer.end();
    const guard = lock.acquireSync();
    expect(guard.abandoned, 'a new lock has no past').toBe(false);
    guard.release();
    lock.unlink();
  });

  it('ends the use of handles that must not make it anew', async () => {
    const lock = NamedRLock.create();
    lock.unlink();
    expectCode(() => lock.acquireSync(), 'ENOENT', lock.name);
    await expectRejection(lock.acquire(), 'ENOENT', lock.name);
    lock.close();
  });
});

describe('closing', () => {
  it('of one handle leaves what was acquired through another', () => {
    using lock = temporary(NamedRLock.create());
    const other = NamedRLock.attach(lock.name);
    lock.acquireSync();
    other.close();
    expect([lock.held, lock.depth]).toEqual([true, 1]);
    expectCode(() => lock.close(), 'EBUSY', lock.name);
    lock.release();
  });
});
