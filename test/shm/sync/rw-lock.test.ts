import { NamedRWLock, SharedArray, type RWLockGuard } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { temporary, timed } from '../../support/temporaries';
import { start } from '../../support/children';
import { expectCode, expectRejection } from '../../support/errors';
import { uniqueName } from '../../support/names';
import { setWord } from '../../support/words';
import { Peer, beings, ends, forms, goOn, inForm, stop } from '../../support/peers';
import { canStop, onLinux } from '../../support/system';

/** Whether a promise is still pending after 20 ms. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  const first = await Promise.race([promise, new Promise((r) => setTimeout(r, 20, pending))]);
  return first === pending;
}

describe('the lock', () => {
  it('lets many read at once: processes, threads and tasks', async () => {
    using lock = temporary(NamedRWLock.create());
    expect([lock.readers, lock.writing]).toEqual([0, false]);
    const guards = [lock.acquireReadSync(), await lock.acquireRead(), lock.tryAcquireRead()!];
    for (const being of beings) {
      for (const method of ['acquireRead', 'acquireReadSync', 'tryAcquireRead']) {
        const peer = await Peer.start(lock, being);
        expect(await peer.call(method)).toEqual({ held: true, mode: 'read' });
        expect(await peer.call('tryAcquireWrite')).toBeNull();
      }
    }
    expect([lock.readers, lock.writing]).toEqual([9, false]);
    for (const guard of guards) {
      expect([guard.mode, guard.abandoned, guard.lock]).toEqual(['read', false, lock]);
      guard.release();
      expectCode(() => guard.release(), 'ERR_NOT_HELD', lock.name);
    }
    expect(lock.readers).toBe(6);
  });

  it('lets one write, and nobody else then', async () => {
    using lock = temporary(NamedRWLock.create());
    using other = NamedRWLock.attach(lock.name);
    const peer = await Peer.start(lock);
    for (const acquire of [
      () => lock.acquireWriteSync(),
      () => lock.acquireWrite(),
      () => lock.tryAcquireWrite()!,
    ]) {
      const guard = await acquire();
      expect([guard.mode, guard.abandoned, guard.lock]).toEqual(['write', false, lock]);
      expect([lock.readers, lock.writing]).toEqual([0, true]);
      for (const each of [lock, other]) {
        expect([each.tryAcquireRead(), each.tryAcquireWrite()]).toEqual([null, null]);
      }
      for (const method of ['tryAcquireRead', 'tryAcquireWrite']) {
        expect(await peer.call(method)).toBeNull();
      }
      expect(await peer.call('acquireReadSync', { timeout: 1 })).toBe('ERR_TIMEOUT');
      expect(await peer.call('acquireWriteSync', { timeout: 1 })).toBe('ERR_TIMEOUT');
      guard.release();
      expectCode(() => guard.release(), 'ERR_NOT_HELD', lock.name);
      expect([lock.readers, lock.writing]).toEqual([0, false]);
    }
  });

  it('is given back at the end of a `using` block, unless that was done before', () => {
    using lock = temporary(NamedRWLock.create());
    {
      using _one = lock.acquireReadSync();
      using two = lock.acquireReadSync();
      two.release();
      expect(lock.readers).toBe(1);
    }
    {
      using held = lock.acquireWriteSync();
      expect(held.mode).toBe('write');
    }
    expect([lock.readers, lock.writing]).toEqual([0, false]);
  });

  it('throws at once for what this thread could never get, through any handle', async () => {
    using lock = temporary(NamedRWLock.create());
    using other = NamedRWLock.attach(lock.name);
    const read = await lock.acquireRead();
    for (const each of [lock, other]) {
      expectCode(() => each.acquireWriteSync(), 'ERR_DEADLOCK', lock.name, 'reading');
      expectCode(() => each.acquireWriteSync({ timeout: 1000 }), 'ERR_DEADLOCK');
      each.acquireReadSync().release();
    }
    read.release();
    const write = await lock.acquireWrite();
    for (const each of [lock, other]) {
      expectCode(() => each.acquireWriteSync(), 'ERR_DEADLOCK', lock.name, 'writing');
      expectCode(() => each.acquireReadSync(), 'ERR_DEADLOCK', lock.name, 'writing');
    }
    // A task waits for another task, which is not a deadlock.
    const waiting = other.acquireRead();
    write.release();
    (await waiting).release();
  });

  it('keeps readers of a thread from waiting for a writer who waits for them', async () => {
    using lock = temporary(NamedRWLock.create());
    const peer = await Peer.start(lock);
    const first = lock.acquireReadSync();
    const { outcome } = await peer.begin('acquireWrite');
    expect(lock.tryAcquireRead(), 'a new reader has to wait').toBeNull();
    const nested = lock.acquireReadSync();
    expect(lock.readers).toBe(2);
    first.release();
    nested.release();
    expect(await outcome).toEqual({ held: true, mode: 'write' });
  });

  it('never shows readers what is half-written, nor lets two write at once', async () => {
    using lock = temporary(NamedRWLock.create());
    using array = temporary(SharedArray.create({ type: 'float64', length: 2 }));
    const rounds = 300;
    const children = [0, 1, 2].map(() => start('sync/rw-counter', [lock, array, rounds]));
    for (const child of children) {
      expect(await child.hear()).toEqual({ torn: 0 });
      await child.succeed();
    }
    expect([...array]).toEqual([3 * rounds, 3 * rounds]);
  });
});

describe('whoever asks first', () => {
  it('is served first: readers wait behind a writer who waits', async () => {
    using lock = temporary(NamedRWLock.create());
    const [writer, reader, another] = [
      await Peer.start(lock),
      await Peer.start(lock),
      await Peer.start(lock, 'worker'),
    ];
    const own = lock.acquireReadSync();
    const write = (await writer.begin('acquireWrite')).outcome;
    const reads = [await reader.begin('acquireRead'), await another.begin('acquireRead')];
    const second = (await writer.begin('acquireWrite')).outcome;
    expect([lock.readers, lock.writing]).toEqual([1, false]);
    for (const { outcome } of reads) expect(await isPending(outcome)).toBe(true);
    own.release();
    expect(await write).toEqual({ held: true, mode: 'write' });
    expect([lock.readers, lock.writing]).toEqual([0, true]);
    for (const { outcome } of reads) expect(await isPending(outcome)).toBe(true);
    await writer.call('guard.release');
    // The readers proceed together, and the next writer after them.
    for (const { outcome } of reads) expect(await outcome).toEqual({ held: true, mode: 'read' });
    expect(lock.readers).toBe(2);
    expect(await isPending(second)).toBe(true);
    await reader.call('guard.release');
    await another.call('guard.release');
    expect(await second).toEqual({ held: true, mode: 'write' });
  });

  it('of the tasks of a thread is served first', async () => {
    using lock = temporary(NamedRWLock.create());
    const held = lock.acquireWriteSync();
    const order: string[] = [];
    const task = async (what: string, acquire: () => Promise<RWLockGuard>) => {
      using _held = await acquire();
      order.push(what);
      await new Promise(setImmediate);
      order.push(`${what} done`);
    };
    const tasks = [
      task('r1', () => lock.acquireRead()),
      task('r2', () => lock.acquireRead()),
      task('w1', () => lock.acquireWrite()),
      task('r3', () => lock.acquireRead()),
      task('w2', () => lock.acquireWrite()),
    ];
    held.release();
    await Promise.all(tasks);
    expect(order.slice(0, 4).sort()).toEqual(['r1', 'r1 done', 'r2', 'r2 done']);
    expect(order.slice(4)).toEqual(['w1', 'w1 done', 'r3', 'r3 done', 'w2', 'w2 done']);
  });

  it.each(['times out', 'is called off', 'is killed', 'closes'])(
    'and %s lets those go on who waited behind',
    async (how) => {
      using lock = temporary(NamedRWLock.create());
      const own = lock.acquireReadSync();
      const writer = await Peer.start(lock);
      const options = how === 'times out' ? { timeout: 200 } : {};
      const { outcome } = await writer.begin('acquireWrite', options);
      const reader = await Peer.start(lock, 'worker');
      const read = (await reader.begin('acquireRead')).outcome;
      if (how === 'is called off') {
        const controller = new AbortController();
        using other = NamedRWLock.attach(lock.name);
        const off = other.acquireWrite({ signal: controller.signal });
        controller.abort();
        await expect(off).rejects.toThrow();
        await writer.end();
      }
      if (how === 'is killed') await writer.end();
      if (how === 'closes') expect(await writer.call('close')).toBe('fine');
      expect(await read).toEqual({ held: true, mode: 'read' });
      expect(lock.readers).toBe(2);
      if (how === 'times out') expect(await outcome).toBe('ERR_TIMEOUT');
      if (how === 'closes') expect(await outcome).toBe('ERR_CLOSED');
      own.release();
    },
  );

  it('starves nobody: neither a writer among readers nor a reader among writers', async () => {
    for (const [many, one] of [
      ['acquireRead', 'acquireWrite'],
      ['acquireWrite', 'acquireRead'],
    ] as const) {
      using lock = temporary(NamedRWLock.create());
      const over = new AbortController();
      // Two threads hold it in turns, so that there is always a holder of their mode.
      const peers = [await Peer.start(lock, 'worker'), await Peer.start(lock, 'worker')];
      await peers[0]!.call(many);
      const busy = (async () => {
        for (let turn = 1; !over.signal.aborted; turn++) {
          const { outcome } = await peers[turn % 2]!.begin(many);

          await peers[(turn + 1) % 2]!.call('guard.release');
          await outcome;
        }
      })();
      const guard = await lock[one]();
      over.abort();
      guard.release();
      await busy;
    }
  });

  it.runIf(canStop)(
    'but is stopped when its turn comes, holds up readers for a while only',
    async () => {
      using lock = temporary(NamedRWLock.create());
      const own = lock.acquireReadSync();
      const writer = await Peer.start(lock);
      const { outcome } = await writer.begin('acquireWrite');
      await stop(writer);
      const reader = await Peer.start(lock);
      const read = (await reader.begin('acquireRead')).outcome;
      own.release();
      expect(await read).toEqual({ held: true, mode: 'read' });
      goOn(writer);
      await reader.call('guard.release');
      expect(await outcome).toEqual({ held: true, mode: 'write' });
    },
  );
});

describe.runIf(onLinux)('a lock that was waited for 2^31 times', () => {
  it.each([0x7fff_fffe, -2])('is given in order still: %i', async (lastTicket) => {
    using lock = temporary(NamedRWLock.create());
    setWord('rwlock', lock.name, 2, lastTicket);
    const held = lock.acquireWriteSync();
    const waits = [];
    for (const how of ['acquireWrite', 'acquireRead', 'acquireWrite', 'acquireRead']) {
      const peer = await Peer.start(lock, 'worker');
      waits.push({ peer, outcome: (await peer.begin(how)).outcome });
    }
    held.release();
    const order: number[] = [];
    const turns = waits.map(async ({ peer, outcome }, i) => {
      const mode = i % 2 === 0 ? 'write' : 'read';
      expect(await outcome).toEqual({ held: true, mode });
      expect([lock.readers, lock.writing]).toEqual(mode === 'write' ? [0, true] : [1, false]);
      order.push(i);
      await peer.call('guard.release');
    });
    await Promise.all(turns);
    expect(order).toEqual([0, 1, 2, 3]);
  });
});

describe.each(ends)('what was held by %s', (end) => {
  it.each(forms)('for reading comes back to a writer: %s', async (form) => {
    using lock = temporary(NamedRWLock.create());
    const holder = await Peer.startFor(end, lock);
    await holder.call('acquireRead');
    await holder.call('acquireReadSync');
    const other = await Peer.start(lock, 'worker');
    const { outcome } = await other.begin(inForm(form, 'acquireWrite'));
    expect(lock.readers).toBe(2);
    await holder.endBy(end);
    // No data can be half-written.
    expect(await outcome).toEqual({ held: true, mode: 'write' });
  });

  it.each(forms)(
    'for writing comes back to readers and to a writer, with the news: %s',
    async (form) => {
      using lock = temporary(NamedRWLock.create());
      const holder = await Peer.startFor(end, lock);
      await holder.call('acquireWriteSync');
      const other = await Peer.start(lock, 'worker');
      const { outcome } = await other.begin(inForm(form, 'acquireRead'));
      expect(lock.writing).toBe(true);
      await holder.endBy(end);
      const told = { held: true, mode: 'read', abandoned: true };
      expect(await outcome).toEqual(told);
      expect(await other.call('acquireRead'), 'readers are told until a writer has come').toEqual(
        told,
      );
      await other.call('guard.release');
      await other.call('guard.release');
      const guard = await lock.acquireWrite();
      expect(guard.abandoned).toBe(true);
      guard.release();
      for (const after of [lock.acquireReadSync(), await lock.acquireRead()]) {
        expect(after.abandoned).toBe(false);
        after.release();
      }
      using last = lock.acquireWriteSync();
      expect(last.abandoned).toBe(false);
    },
  );
});

describe('a process', () => {
  it.each(forms)('that was killed while it waited is noticed by nobody: %s', async (form) => {
    using lock = temporary(NamedRWLock.create());
    const guard = lock.acquireWriteSync();
    const doomed = [await Peer.start(lock), await Peer.start(lock)];
    await doomed[0]!.begin(inForm(form, 'acquireRead'));
    await doomed[1]!.begin(inForm(form, 'acquireWrite'));
    for (const peer of doomed) await peer.end();
    guard.release();
    const own = lock.acquireWriteSync();
    expect(own.abandoned).toBe(false);
    own.release();
  });

  it.runIf(canStop).each(['acquireRead', 'acquireWrite'])(
    'that is stopped keeps what it holds: %s',
    async (how) => {
      using lock = temporary(NamedRWLock.create());
      const peer = await Peer.start(lock);
      await peer.call(how);
      await stop(peer);
      const took = await timed(() =>
        expectRejection(lock.acquireWrite({ timeout: 300 }), 'ERR_TIMEOUT', lock.name),
      );
      expect(took).toBeGreaterThanOrEqual(300);
      expect([lock.readers, lock.writing]).toEqual(how === 'acquireRead' ? [1, false] : [0, true]);
      goOn(peer);
      await peer.call('guard.release');
      const guard = lock.acquireWriteSync();
      expect(guard.abandoned).toBe(false);
      guard.release();
    },
  );
});

describe('closing', () => {
  it('is refused while it is held through the handle, in either way', () => {
    using lock = temporary(NamedRWLock.create());
    const other = NamedRWLock.attach(lock.name);
    for (const guard of [lock.acquireReadSync(), lock.acquireReadSync()]) {
      expectCode(() => lock.close(), 'EBUSY', lock.name);
      guard.release();
    }
    const write = lock.acquireWriteSync();
    expectCode(() => lock.close(), 'EBUSY', lock.name);
    other.close();
    write.release();
    expect(lock.closed).toBe(false);
  });
});

describe('bad input', () => {
  it('is refused', () => {
    const name = uniqueName();
    for (const participants of [0, -1, 1.5, 65_537, NaN]) {
      expectCode(() => NamedRWLock.create({ name, participants }), 'ERR_OUT_OF_RANGE');
      expectCode(() => NamedRWLock.open(name, { participants }), 'ERR_OUT_OF_RANGE');
    }
    const wrong = { participants: '4' } as never;
    expectCode(() => NamedRWLock.open(name, wrong), 'ERR_INVALID_ARG_TYPE', 'participants');
    expectCode(() => NamedRWLock.attach(name), 'ENOENT');
  });
});
