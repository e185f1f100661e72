import { NamedSemaphore, type SemaphoreGuard } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { temporary, timed } from '../../support/temporaries';
import { expectCode, expectRejection } from '../../support/errors';
import { uniqueName } from '../../support/names';
import { Peer, beings, ends, forms, goOn, inForm, stop } from '../../support/peers';
import { canStop } from '../../support/system';

describe('permits', () => {
  it('are as many as it was made with, 1 by default', () => {
    using one = temporary(NamedSemaphore.create());
    expect([one.value, one.max]).toEqual([1, undefined]);
    using five = temporary(NamedSemaphore.create({ value: 5, max: 7 }));
    expect([five.value, five.max]).toEqual([5, 7]);
    using none = temporary(NamedSemaphore.create({ value: 0 }));
    expect(none.value).toBe(0);
    expect(none.tryAcquire()).toBeNull();
  });

  it('come as guards, that release once', async () => {
    using semaphore = temporary(NamedSemaphore.create({ value: 3 }));
    const guards = [semaphore.acquireSync(), await semaphore.acquire(), semaphore.tryAcquire()!];
    expect(semaphore.value).toBe(0);
    expect(semaphore.tryAcquire()).toBeNull();
    for (const [i, guard] of guards.entries()) {
      expect(guard.semaphore).toBe(semaphore);
      guard.release();
      expect(semaphore.value).toBe(i + 1);
      expectCode(() => guard.release(), 'ERR_NOT_HELD', semaphore.name);
      expect(semaphore.value).toBe(i + 1);
    }
  });

  it('are given back at the end of a `using` block, unless that was done before', () => {
    const semaphore = NamedSemaphore.create({ value: 2 });
    let kept: SemaphoreGuard;
    {
      using held = semaphore.acquireSync();
      using early = semaphore.acquireSync();
      early.release();
      kept = held;
      expect(semaphore.value).toBe(1);
    }
    expect(semaphore.value).toBe(2);
    expectCode(() => kept.release(), 'ERR_NOT_HELD');
    {
      using _held = semaphore.acquireSync();
      semaphore.release();
      semaphore.unlink();
      semaphore.close();
    } // the end of the block does not touch what is closed
  });

  it('may be released by anybody, and belong to nobody then', async () => {
    using semaphore = temporary(NamedSemaphore.create({ value: 2 }));
    for (const being of beings) {
      const peer = await Peer.start(semaphore, being);
      await peer.call('acquireSync');
      await peer.call('acquireSync');
      semaphore.release();
      expect(semaphore.value).toBe(1);
      await peer.end();
      expect(semaphore.value, 'what it held still came back, and no more').toBe(2);
    }
    // Acquired in this process, released in the other.
    semaphore.acquireSync();
    const peer = await Peer.start(semaphore);
    expect(await peer.call('release')).toBe('fine');
    expect(semaphore.value).toBe(2);
    expect(semaphore.acquireSync().semaphore).toBe(semaphore);
    semaphore.release();
  });

  it('are released in any number at once', async () => {
    using semaphore = temporary(NamedSemaphore.create({ value: 1 }));
    semaphore.release(4);
    expect(semaphore.value).toBe(5);
    const peer = await Peer.start(semaphore);
    for (let i = 0; i < 5; i++) await peer.call('acquire');
    semaphore.release(7);
    expect(semaphore.value).toBe(7);
  });

  it('are no more than 2^30, and as many are released as soon as one', () => {
    using semaphore = temporary(NamedSemaphore.create({ value: 0 }));
    semaphore.release(2 ** 30);
    expect(semaphore.value).toBe(2 ** 30);
    expectCode(() => semaphore.release(2 ** 30), 'ERR_NOT_HELD', semaphore.name);
    expect(semaphore.value).toBe(2 ** 30);
    expect(semaphore.acquireSync().semaphore).toBe(semaphore);
  });

  it('never are more than the bound, and a release beyond it changes nothing', () => {
    using semaphore = temporary(NamedSemaphore.create({ value: 2, max: 3 }));
    expectCode(() => semaphore.release(2), 'ERR_NOT_HELD', semaphore.name, '2 of its 3');
    expect(semaphore.value).toBe(2);
    semaphore.release();
    expectCode(() => semaphore.release(), 'ERR_NOT_HELD', '3 of its 3');
    const guard = semaphore.acquireSync();
    expectCode(() => semaphore.release(2), 'ERR_NOT_HELD');
    expect(semaphore.value).toBe(2);
    guard.release();
    expectCode(() => semaphore.release(), 'ERR_NOT_HELD');
    expect(semaphore.value).toBe(3);
  });

  it('that were released when nobody held any are used up by whoever acquires them', async () => {
    using semaphore = temporary(NamedSemaphore.create({ value: 0 }));
    semaphore.release(3);
    const peer = await Peer.start(semaphore);
    await peer.call('acquireSync');
    await peer.call('acquire');
    await peer.end();
    expect(semaphore.value).toBe(1);
    using one = semaphore.acquireSync();
    expect([one.semaphore, semaphore.value]).toEqual([semaphore, 0]);
  });

  it('of a semaphore that is not robust are gone with who held them', async () => {
    using semaphore = temporary(NamedSemaphore.create({ value: 2, robust: false }));
    const peer = await Peer.start(semaphore);
    await peer.call('acquireSync');
    await peer.end();
    expect(semaphore.value).toBe(1);
    semaphore.release();
    expect(semaphore.value).toBe(2);
  });

  it('of an existing semaphore stay as they are when it is opened', () => {
    const name = uniqueName();
    using made = temporary(NamedSemaphore.open(name, { value: 2, max: 4 }));
    using same = NamedSemaphore.open(name, { value: 4, max: 4 });
    using unasked = NamedSemaphore.open(name);
    expect([same.value, same.max, unasked.max]).toEqual([2, 4, 4]);
    expectCode(() => NamedSemaphore.open(name, { max: 5 }), 'ERR_WRONG_KIND', name, '4', '5');
    made.acquireSync().release();
    using unbounded = temporary(NamedSemaphore.create());
    const bounded = () => NamedSemaphore.open(unbounded.name, { max: 1 });
    expectCode(bounded, 'ERR_WRONG_KIND', unbounded.name, 'no max');
    unbounded.release();
  });

  it('keep a handle open that holds them, also one that a task got from another task', async () => {
    const semaphore = NamedSemaphore.create();
    const first = semaphore.acquireSync();
    const waiting = semaphore.acquire();
    first.release();
    const second = await waiting;
    expectCode(() => semaphore.close(), 'EBUSY', semaphore.name);
    second.release();
    semaphore.unlink();
    semaphore.close();
  });
});

describe('bad input', () => {
  const bad: [object, string, string][] = [
    [{ value: -1 }, 'ERR_OUT_OF_RANGE', 'value'],
    [{ value: 1.5 }, 'ERR_OUT_OF_RANGE', 'value'],
    [{ value: 2 ** 30 + 1 }, 'ERR_OUT_OF_RANGE', 'value'],
    [{ value: NaN }, 'ERR_OUT_OF_RANGE', 'value'],
    [{ value: '1' }, 'ERR_INVALID_ARG_TYPE', 'value'],
    [{ value: 1n }, 'ERR_INVALID_ARG_TYPE', 'value'],
    [{ value: null }, 'ERR_INVALID_ARG_TYPE', 'value'],
    [{ max: 0, value: 0 }, 'ERR_OUT_OF_RANGE', 'max'],
    [{ max: 2 ** 30 + 1 }, 'ERR_OUT_OF_RANGE', 'max'],
    [{ max: '1' }, 'ERR_INVALID_ARG_TYPE', 'max'],
    [{ max: 2, value: 3 }, 'ERR_OUT_OF_RANGE', 'value'],
    [{ robust: 1 }, 'ERR_INVALID_ARG_TYPE', 'robust'],
    [{ participants: 0 }, 'ERR_OUT_OF_RANGE', 'participants'],
    [{ participants: 65_537 }, 'ERR_OUT_OF_RANGE', 'participants'],
    [{ participants: 1.5 }, 'ERR_OUT_OF_RANGE', 'participants'],
    [{ participants: '2' }, 'ERR_INVALID_ARG_TYPE', 'participants'],
    [{ robusts: true }, 'ERR_INVALID_ARG_VALUE', 'robusts'],
  ];

  it.each(bad)('is refused: %o', (options, code, what) => {
    const name = uniqueName();
    expectCode(() => NamedSemaphore.create({ name, ...options }), code, what);
    expectCode(() => NamedSemaphore.open(name, options), code, what);
    expectCode(() => NamedSemaphore.attach(name), 'ENOENT');
  });

  it('of a release is refused, and nothing is released', () => {
    using semaphore = temporary(NamedSemaphore.create());
    for (const count of [0, -1, 1.5, NaN, Infinity, 2 ** 30 + 1]) {
      expectCode(() => semaphore.release(count), 'ERR_OUT_OF_RANGE', 'count');
    }
    for (const count of ['1', null, 1n, {}] as never[]) {
      expectCode(() => semaphore.release(count), 'ERR_INVALID_ARG_TYPE', 'count');
    }
    expect(semaphore.value).toBe(1);
  });
});

describe('waiting', () => {
  it.each(forms)('for a permit ends when another releases one: %s', async (form) => {
    using semaphore = temporary(NamedSemaphore.create({ value: 0 }));
    const waiting: Promise<unknown>[] = [];
    for (const being of beings) {
      const peer = await Peer.start(semaphore, being);
      waiting.push((await peer.begin(inForm(form, 'acquire'))).outcome);
    }
    semaphore.release();
    await Promise.race(waiting);
    semaphore.release();
    expect(await Promise.all(waiting)).toEqual([{ held: true }, { held: true }]);
    expect(semaphore.value).toBe(0);
  });

  it('in this thread ends when another releases', async () => {
    using semaphore = temporary(NamedSemaphore.create({ value: 0 }));
    const peer = await Peer.start(semaphore);
    const { outcome } = await peer.begin('release');
    semaphore.acquireSync();
    expect(await outcome).toBe('fine');
    const own = semaphore.acquire();
    await peer.call('release');
    await own;
    expect(semaphore.value).toBe(0);
  });

  it('of 300 tasks is served in order by 300 permits of another process', async () => {
    using semaphore = temporary(NamedSemaphore.create({ value: 0 }));
    const peer = await Peer.start(semaphore);
    const order: number[] = [];
    const tasks = Array.from({ length: 300 }, async (_, i) => {
      await semaphore.acquire();
      order.push(i);
    });
    await peer.call('release', 120);
    await peer.call('release', 180);
    await Promise.all(tasks);
    expect(order).toEqual(tasks.map((_, i) => i));
    expect(semaphore.value).toBe(0);
  });

  it('keeps tryAcquire from going ahead of tasks that came before', async () => {
    using semaphore = temporary(NamedSemaphore.create({ value: 0 }));
    const first = semaphore.acquire();
    const second = semaphore.acquire();
    semaphore.release();
    expect(semaphore.tryAcquire(), 'it is the first one’s').toBeNull();
    await first;
    semaphore.release();
    await second;
    semaphore.release();
    expect(semaphore.tryAcquire()).not.toBeNull();
  });

  it('shares permits out among three: never more inside than there are', async () => {
    using semaphore = temporary(NamedSemaphore.create({ value: 3 }));
    let inside = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 60 }, async () => {
        using _held = await semaphore.acquire();
        most = Math.max(most, ++inside);
        await new Promise(setImmediate);
        inside--;
      }),
    );
    expect([most, inside, semaphore.value]).toEqual([3, 0, 3]);
  });
});

describe.each(ends)('a permit held by %s', (end) => {
  it.each(forms)('comes back to one who waits: %s', async (form) => {
    using semaphore = temporary(NamedSemaphore.create({ value: 1 }));
    const holder = await Peer.startFor(end, semaphore);
    await holder.call('acquire');
    const other = await Peer.start(semaphore, 'worker');
    const { outcome } = await other.begin(inForm(form, 'acquire'));
    expect(semaphore.value).toBe(0);
    await holder.endBy(end);
    expect(await outcome).toEqual({ held: true });
    expect(semaphore.value, 'it came back once').toBe(0);
  });

  it('comes back to one who comes later', async () => {
    using semaphore = temporary(NamedSemaphore.create({ value: 4, max: 4 }));
    const holder = await Peer.startFor(end, semaphore);
    for (let i = 0; i < 4; i++) await holder.call('acquireSync');
    expect(semaphore.tryAcquire()).toBeNull();
    await holder.endBy(end);
    const guards = [semaphore.acquireSync(), await semaphore.acquire(), semaphore.tryAcquire()!];
    expect(semaphore.value).toBe(1);
    for (const guard of guards) guard.release();
    expectCode(() => semaphore.release(), 'ERR_NOT_HELD');
  });
});

describe('a process', () => {
  it.each(forms)('that was killed while it waited is noticed by nobody: %s', async (form) => {
    using semaphore = temporary(NamedSemaphore.create({ value: 0 }));
    const doomed = [await Peer.start(semaphore), await Peer.start(semaphore, 'worker')];
    for (const peer of doomed) await peer.begin(inForm(form, 'acquire'));
    const own = semaphore.acquire();
    for (const peer of doomed) await peer.end();
    semaphore.release();
    await own;
    semaphore.release(2);
    expect(semaphore.value).toBe(2);
  });

  it.runIf(canStop)('that is stopped keeps its permit', async () => {
    using semaphore = temporary(NamedSemaphore.create());
    const peer = await Peer.start(semaphore);
    await peer.call('acquireSync');
    await stop(peer);
    expect(semaphore.value).toBe(0);
    expect(semaphore.tryAcquire()).toBeNull();
    // Longer than the interval at which waiters check that the holder is alive.
    const took = await timed(() =>
      expectRejection(semaphore.acquire({ timeout: 400 }), 'ERR_TIMEOUT'),
    );
    expect(took).toBeGreaterThanOrEqual(400);
    expectCode(() => semaphore.acquireSync({ timeout: 200 }), 'ERR_TIMEOUT');
    const own = semaphore.acquire();
    goOn(peer);
    expect(await peer.call('guard.release')).toBe('fine');
    const guard = await own;
    await peer.end();
    expect(semaphore.value).toBe(0);
    guard.release();
  });

  it('has its permits from all its threads, each its own', async () => {
    using semaphore = temporary(NamedSemaphore.create({ value: 3 }));
    using _own = semaphore.acquireSync();
    const workers = [await Peer.start(semaphore, 'worker'), await Peer.start(semaphore, 'worker')];
    for (const worker of workers) await worker.call('acquireSync');
    expect(semaphore.value).toBe(0);
    await workers[0]!.end();
    expect(semaphore.value).toBe(1);
    await workers[1]!.end();
    expect(semaphore.value).toBe(2);
  });
});
