import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { NamedBarrier } from 'shmkit';
import { describe, expect, it, vi } from 'vitest';
import { temporary, timed, until } from '../../support/temporaries';
import { fixturePath, start } from '../../support/children';
import { expectCode, expectRejection } from '../../support/errors';
import { uniqueName } from '../../support/names';
import { setWord } from '../../support/words';
import { Peer, beings, ends, forms, goOn, inForm, stop } from '../../support/peers';
import { canStop, onLinux } from '../../support/system';

/** Waits as a task of this thread. The outcome is checked later. */
function party(barrier: NamedBarrier): Promise<number | string> {
  return barrier.wait().catch((error: unknown) => String((error as NodeJS.ErrnoException).code));
}

/**
 * Calls a function immediately before a waiting party looks at the barrier's words for the n-th time. The
 * party does not hold the lock then. Everything that other threads can do meanwhile happens at one of these
 * moments.
 */
function beforeLook(n: number, act: () => void): Disposable {
  const load = Atomics.load.bind(Atomics);
  let looks = 0;
  const spy = vi.spyOn(Atomics, 'load').mockImplementation((words, index) => {
    const stack = new Error().stack ?? '';
    const isLook = stack.includes('.outcome ') && !stack.includes('.exclusively ');
    if (isLook && ++looks === n) act();
    return load(words, index);
  });
  return {
    [Symbol.dispose]: () => {
      spy.mockRestore();
      // The n-th look has taken place.
      expect(looks).toBeGreaterThanOrEqual(n);
    },
  };
}

type Verb = 'waitSync' | 'abort' | 'reset';

/** Lets another thread use a barrier whenever it is told to, while this thread is blocked. */
async function elsewhere(barrier: NamedBarrier, verbs: Verb[]): Promise<() => void> {
  const turn = new Int32Array(new SharedArrayBuffer(4));
  const { name } = barrier;
  const worker = new Worker(fixturePath('sync/barrier-elsewhere'), {
    workerData: { name, turn, verbs },
  });
  await once(worker, 'message');
  return () => {
    Atomics.store(turn, 0, 1);
    Atomics.notify(turn, 0);
    Atomics.wait(turn, 0, 1);
  };
}

describe('parties', () => {
  it('are let go when the last has come, each with its number', async () => {
    using barrier = temporary(NamedBarrier.create({ parties: 4 }));
    expect([barrier.parties, barrier.waiting, barrier.broken]).toEqual([4, 0, false]);
    const order: number[] = [];
    const tasks = [0, 1, 2].map((i) => barrier.wait().then((index) => order.push(i) && index));
    expect(barrier.waiting).toBe(3);
    expect(barrier.waitSync()).toBe(3);
    expect(barrier.waiting).toBe(0);
    expect(await Promise.all(tasks)).toEqual([0, 1, 2]);
    expect(order).toEqual([0, 1, 2]);
  });

  it('may be processes, threads and tasks, blocked or not, generation after generation', async () => {
    using barrier = temporary(NamedBarrier.create({ parties: 6 }));
    const peers = [];
    for (const being of beings) {
      for (const form of forms) peers.push({ form, peer: await Peer.start(barrier, being) });
    }
    for (let generation = 0; generation < 20; generation++) {
      const others = peers.map(({ form, peer }) => peer.call(inForm(form, 'wait')));
      const own = [barrier.wait(), barrier.wait()];
      const indices = await Promise.all([...own, ...others]);
      expect(indices.sort()).toEqual([0, 1, 2, 3, 4, 5]);
    }
    expect([barrier.waiting, barrier.broken]).toEqual([0, false]);
  });

  it('of one are held up by nobody', async () => {
    let acted = 0;
    using barrier = temporary(NamedBarrier.create({ parties: 1, action: () => acted++ }));
    for (let i = 0; i < 10; i++) expect([barrier.waitSync(), await barrier.wait()]).toEqual([0, 0]);
    expect(acted).toBe(20);
  });

  it('that are too many for one generation wait for the next', async () => {
    using barrier = temporary(NamedBarrier.create({ parties: 3 }));
    const tasks = Array.from({ length: 7 }, () => barrier.wait());
    expect((await Promise.all(tasks.slice(0, 6))).sort()).toEqual([0, 0, 1, 1, 2, 2]);
    expect([barrier.waiting, barrier.broken]).toEqual([1, false]);
    tasks.push(barrier.wait(), barrier.wait());
    await Promise.all(tasks);
  });

  it('of 300 tasks pass it three times', async () => {
    using barrier = temporary(NamedBarrier.create({ parties: 300 }));
    const tasks = Array.from({ length: 300 }, async () => {
      const indices = [await barrier.wait(), await barrier.wait(), await barrier.wait()];
      return indices[0]!;
    });
    const indices = await Promise.all(tasks);
    expect(indices.sort((a, b) => a - b)).toEqual(tasks.map((_, i) => i));
  });

  it('are told of the others as they come', async () => {
    using barrier = temporary(NamedBarrier.create({ parties: 3 }));
    const peer = await Peer.start(barrier);
    const { outcome } = await peer.begin('wait');
    expect([barrier.waiting, await peer.call('waiting')]).toEqual([1, 1]);
    const own = barrier.wait();
    expect([barrier.waiting, await peer.call('waiting')]).toEqual([2, 2]);
    expect(await peer.call('waitSync')).toBe(2);
    expect([await outcome, await own, barrier.waiting]).toEqual([0, 1, 0]);
  });
});

describe('the action', () => {
  it('is done once a generation, by the last, before any is let go', async () => {
    const acts: string[] = [];
    const name = uniqueName();
    const create = { parties: 3, action: () => acts.push('one') };
    using one = temporary(NamedBarrier.create({ name, ...create }));
    using two = NamedBarrier.attach(name, { action: () => acts.push('two') });
    using three = NamedBarrier.open(name, { parties: 3 });
    for (const last of [one, two, three]) {
      const others = [one, two, three].filter((each) => each !== last);
      const waiting = others.map((each) => each.wait().then(() => acts.push('gone on')));
      expect(last.waitSync()).toBe(2);
      expect(await last.wait({ timeout: 0 }).catch(() => 'broken')).toBe('broken');
      await Promise.all(waiting);
      last.reset();
    }
    const gone = ['gone on', 'gone on'];
    expect(acts).toEqual(['one', ...gone, 'two', ...gone, ...gone]);
  });

  it('is awaited, and holds the others until it is done', async () => {
    let isDone = false;
    const action = async () => {
      await delay(30);
      isDone = true;
    };
    using barrier = temporary(NamedBarrier.create({ parties: 2, action }));
    const first = barrier.wait().then(() => isDone);
    const last = barrier.wait().then(() => isDone);
    expect(barrier.waiting, 'all have come').toBe(0);
    expect(await Promise.all([first, last])).toEqual([true, true]);
  });

  it.each(['throws', 'rejects'])('that %s breaks it, and its party gets the error', async (how) => {
    const error = new Error('no');
    const action = () => {
      if (how === 'throws') throw error;
      return Promise.reject(error);
    };
    using barrier = temporary(NamedBarrier.create({ parties: 2, action }));
    const peer = await Peer.start(barrier);
    const { outcome } = await peer.begin('wait');
    await expect(barrier.wait()).rejects.toBe(error);
    expect(await outcome).toBe('ERR_BROKEN_BARRIER');
    expect(barrier.broken).toBe(true);
    if (how === 'rejects') return;
    barrier.reset();
    const again = await peer.begin('wait');
    expect(() => barrier.waitSync()).toThrow(error);
    expect(await again.outcome).toBe('ERR_BROKEN_BARRIER');
  });

  it.each(['returns', 'throws'])('that closes its handle and %s ends the wait', async (how) => {
    const error = new Error('no');
    const action = () => {
      barrier.close();
      if (how === 'throws') throw error;
    };
    const barrier = NamedBarrier.create({ parties: 1, action });
    const { name } = barrier;
    using kept = temporary(NamedBarrier.attach(name));
    if (how === 'throws') expect(() => barrier.waitSync()).toThrow(error);
    else expectCode(() => barrier.waitSync(), 'ERR_CLOSED', name);
    const again = NamedBarrier.attach(name, { action: () => again.close() });
    expect(again.broken).toBe(true);
    again.reset();
    await expectRejection(again.wait(), 'ERR_CLOSED', name);
    expect(kept.broken).toBe(true);
  });

  it.each(['reset', 'abort'] as const)(
    'is for nothing when there is a %s meanwhile',
    async (how) => {
      using barrier = temporary(NamedBarrier.create({ parties: 2, action: () => delay(20) }));
      const parties = [party(barrier), party(barrier)];
      barrier[how]();
      expect(await Promise.all(parties)).toEqual(['ERR_BROKEN_BARRIER', 'ERR_BROKEN_BARRIER']);
      expect(barrier.broken).toBe(how === 'abort');
    },
  );
});

describe('one who goes away', () => {
  it.each(forms)('because its time is over breaks it: %s', async (form) => {
    using barrier = temporary(NamedBarrier.create({ parties: 4 }));
    const peer = await Peer.start(barrier);
    const { outcome } = await peer.begin(inForm(form, 'wait'));
    await until(() => barrier.waiting === 1);
    const own = party(barrier);
    const took = await timed(async () => {
      if (form === 'sync') {
        expectCode(() => barrier.waitSync({ timeout: 30 }), 'ERR_TIMEOUT', barrier.name, '30 ms');
      } else {
        await expectRejection(barrier.wait({ timeout: 30 }), 'ERR_TIMEOUT', barrier.name, '30 ms');
      }
    });
    expect(took).toBeGreaterThanOrEqual(30);
    expect([await own, await outcome]).toEqual(['ERR_BROKEN_BARRIER', 'ERR_BROKEN_BARRIER']);
    expect([barrier.broken, barrier.waiting]).toEqual([true, 0]);
    // Parties that come now get the error at once, until the barrier is reset.
    expect(await peer.call('wait')).toBe('ERR_BROKEN_BARRIER');
    expectCode(() => barrier.waitSync(), 'ERR_BROKEN_BARRIER', barrier.name, /reset/);
    await expectRejection(barrier.wait(), 'ERR_BROKEN_BARRIER', barrier.name);
    barrier.reset();
    expect(barrier.broken).toBe(false);
    const parties = [barrier.wait(), barrier.wait(), barrier.wait(), peer.call('wait')];
    expect((await Promise.all(parties)).sort()).toEqual([0, 1, 2, 3]);
  });

  it('because of a default timeout breaks it, unless the call has its own', async () => {
    using barrier = temporary(NamedBarrier.create({ parties: 2, timeout: 20 }));
    using other = NamedBarrier.attach(barrier.name, { timeout: 1 });
    const took = await timed(() => expectRejection(barrier.wait(), 'ERR_TIMEOUT', '20 ms'));
    expect(took).toBeGreaterThanOrEqual(20);
    barrier.reset();
    expectCode(() => other.waitSync(), 'ERR_TIMEOUT', '1 ms');
    other.reset();
    const waiting = other.wait({ timeout: Infinity });
    await delay(30);
    expect(barrier.waitSync({ timeout: 1000 })).toBe(1);
    expect(await waiting).toBe(0);
  });

  it('comes too late for the last, who has let the others go on', async () => {
    using barrier = temporary(NamedBarrier.create({ parties: 2 }));
    const other = barrier.wait();
    const controller = new AbortController();
    const last = barrier.wait({ signal: controller.signal });
    controller.abort();
    expect(await Promise.all([other, last])).toEqual([0, 1]);
    expect(barrier.broken).toBe(false);
  });

  it('because it is called off breaks it, but not before it has come', async () => {
    using barrier = temporary(NamedBarrier.create({ parties: 2 }));
    const reason = new Error('enough');
    await expect(barrier.wait({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(barrier.broken, 'it never came').toBe(false);
    const controller = new AbortController();
    const called = barrier.wait({ signal: controller.signal });
    expect(barrier.waiting).toBe(1);
    controller.abort(reason);
    await expect(called).rejects.toBe(reason);
    expect(barrier.broken).toBe(true);
    expect(await party(barrier)).toBe('ERR_BROKEN_BARRIER');
  });

  it('by closing its handle breaks it', async () => {
    using barrier = temporary(NamedBarrier.create({ parties: 3 }));
    const closing = NamedBarrier.attach(barrier.name);
    const own = party(barrier);
    const through = expectRejection(closing.wait(), 'ERR_CLOSED', barrier.name);
    await new Promise(setImmediate);
    closing.close();
    await through;
    expect(await own).toBe('ERR_BROKEN_BARRIER');
    expect(barrier.broken).toBe(true);
    // Closing a handle through which nothing waits has no effect.
    barrier.reset();
    const waiting = barrier.wait();
    NamedBarrier.attach(barrier.name).close();
    const parties = [waiting, barrier.wait(), barrier.wait()];
    expect(await Promise.all(parties)).toEqual([0, 1, 2]);
  });
});

describe('abort', () => {
  it('breaks it for all who wait and who come', async () => {
    using barrier = temporary(NamedBarrier.create({ parties: 3 }));
    const peer = await Peer.start(barrier);
    const { outcome } = await peer.begin('wait');
    const own = party(barrier);
    await peer.call('abort');
    expect([await own, await outcome]).toEqual(['ERR_BROKEN_BARRIER', 'ERR_BROKEN_BARRIER']);
    barrier.abort();
    expect([barrier.broken, await peer.call('broken')]).toEqual([true, true]);
    expect(await party(barrier)).toBe('ERR_BROKEN_BARRIER');
  });
});

describe('a party that waits', () => {
  it.each([1, 2, 3, 4, 5, 6])(
    'has passed what is broken afterwards, right before look %i',
    async (n) => {
      using barrier = temporary(NamedBarrier.create({ parties: 2 }));
      using _ = beforeLook(n, await elsewhere(barrier, ['waitSync', 'abort']));
      expect(barrier.waitSync()).toBe(0);
      expect(barrier.broken).toBe(true);
    },
  );
});

describe('reset', () => {
  it('breaks it for those who wait, and lets others come at once', async () => {
    using barrier = temporary(NamedBarrier.create({ parties: 3 }));
    const peer = await Peer.start(barrier);
    const { outcome } = await peer.begin('wait');
    const own = [party(barrier)];
    barrier.reset();
    expect([barrier.broken, barrier.waiting]).toEqual([false, 0]);
    own.push(party(barrier), party(barrier));
    expect(await outcome).toBe('ERR_BROKEN_BARRIER');
    expect(await peer.call('wait')).toBe(2);
    expect(await Promise.all(own)).toEqual(['ERR_BROKEN_BARRIER', 0, 1]);
  });

  it.each([1, 2, 3, 4, 5, 6])('right before look %i of one that waits breaks it', async (n) => {
    using barrier = temporary(NamedBarrier.create({ parties: 2 }));
    using _ = beforeLook(n, await elsewhere(barrier, ['reset']));
    expectCode(() => barrier.waitSync(), 'ERR_BROKEN_BARRIER');
    expect(barrier.broken).toBe(false);
  });

  it('of one that nobody waits for changes nothing', async () => {
    using barrier = temporary(NamedBarrier.create({ parties: 2 }));
    barrier.reset();
    barrier.reset();
    expect([barrier.broken, barrier.waiting]).toEqual([false, 0]);
    expect(await Promise.all([barrier.wait(), barrier.wait()])).toEqual([0, 1]);
  });

  it('again and again confuses nobody', async () => {
    using barrier = temporary(NamedBarrier.create({ parties: 2 }));
    for (let i = 0; i < 100; i++) {
      const lone = party(barrier);
      if (i % 2 === 0) barrier.abort();
      barrier.reset();
      const pair = [party(barrier), party(barrier)];
      expect(await lone).toBe('ERR_BROKEN_BARRIER');
      expect(await Promise.all(pair)).toEqual([0, 1]);
    }
  });
});

describe.each(ends)('a party that was %s', (end) => {
  it.each(forms)('breaks it for those who wait: %s', async (form) => {
    using barrier = temporary(NamedBarrier.create({ parties: 4 }));
    const victim = await Peer.startFor(end, barrier);
    const other = await Peer.start(barrier, 'worker');
    await victim.begin('wait');
    const waits = [(await other.begin(inForm(form, 'wait'))).outcome, party(barrier)];
    await until(() => barrier.waiting === 3);
    await victim.endBy(end);
    for (const wait of waits) expect(await wait).toBe('ERR_BROKEN_BARRIER');
    expect(barrier.broken).toBe(true);
    barrier.reset();
    const parties = [other.call('wait'), ...[0, 1, 2].map(() => barrier.wait())];
    expect((await Promise.all(parties)).sort()).toEqual([0, 1, 2, 3]);
  });
});

describe('a process', () => {
  it.each(forms)(
    'that was killed before the last came breaks it for that, too: %s',
    async (form) => {
      using barrier = temporary(NamedBarrier.create({ parties: 2 }));
      const victim = await Peer.start(barrier);
      await victim.begin(inForm(form, 'wait'));
      await until(() => barrier.waiting === 1);
      await victim.end();
      // Only the dead party could have noticed.
      const late = form === 'sync' ? promised(() => barrier.waitSync()) : barrier.wait();
      await expectRejection(late, 'ERR_BROKEN_BARRIER', barrier.name);
      expect(barrier.broken).toBe(true);
    },
  );

  it('that was killed when it had passed, or before it came, is no party', async () => {
    using barrier = temporary(NamedBarrier.create({ parties: 2 }));
    const passed = await Peer.start(barrier);
    const idle = await Peer.start(barrier);
    const both = [passed.call('wait'), barrier.wait()];
    expect((await Promise.all(both)).sort()).toEqual([0, 1]);
    const first = barrier.wait();
    await Promise.all([passed.end(), idle.end()]);
    expect([barrier.broken, barrier.waiting]).toEqual([false, 1]);
    expect([await barrier.wait(), await first]).toEqual([1, 0]);
  });

  it.each(forms)('that was killed at its action breaks it: %s', async (form) => {
    using barrier = temporary(NamedBarrier.create({ parties: 3 }));
    const own = [party(barrier), party(barrier)];
    const child = start('sync/barrier-acting', [barrier.name, form]);
    expect(await child.hear()).toBe('acting');
    expect([barrier.broken, barrier.waiting]).toEqual([false, 0]);
    await child.kill();
    expect(await Promise.all(own)).toEqual(['ERR_BROKEN_BARRIER', 'ERR_BROKEN_BARRIER']);
    barrier.reset();
    expect(await Promise.all([barrier.wait(), barrier.wait(), barrier.wait()])).toEqual([0, 1, 2]);
  });

  it.runIf(canStop).each(forms)(
    'that is stopped stays a party, and passes when it goes on: %s',
    async (form) => {
      using barrier = temporary(NamedBarrier.create({ parties: 2 }));
      const peer = await Peer.start(barrier);
      const { outcome } = await peer.begin(inForm(form, 'wait'));
      await until(() => barrier.waiting === 1);
      await stop(peer);
      // Longer than the interval at which waiters check that the others are alive.
      await delay(300);
      expect([barrier.broken, barrier.waiting]).toEqual([false, 1]);
      expect(barrier.waitSync()).toBe(1);
      // The stopped peer misses nothing that happens meanwhile.
      barrier.abort();
      goOn(peer);
      expect(await outcome).toBe(0);
      expect(await peer.call('wait')).toBe('ERR_BROKEN_BARRIER');
    },
  );

  it.runIf(canStop)(
    'that is stopped when it is broken and reset is told, and may come again',
    async () => {
      using barrier = temporary(NamedBarrier.create({ parties: 2 }));
      const peer = await Peer.start(barrier);
      const { outcome } = await peer.begin('wait');
      await stop(peer);
      barrier.reset();
      expect((await Promise.all([barrier.wait(), barrier.wait()])).sort()).toEqual([0, 1]);
      goOn(peer);
      expect(await outcome).toBe('ERR_BROKEN_BARRIER');
      const again = await peer.begin('wait');
      expect([await barrier.wait(), await again.outcome]).toEqual([1, 0]);
    },
  );
});

describe.runIf(onLinux)('a barrier that was passed 2^29 times', () => {
  it.each([0x7fff_fff8, -8])('is passed on, and broken on: %i', async (turn) => {
    using barrier = temporary(NamedBarrier.create({ parties: 3 }));
    setWord('barrier', barrier.name, 0, turn);
    const peer = await Peer.start(barrier, 'worker');
    for (let i = 0; i < 4; i++) {
      const parties = [peer.call('wait'), barrier.wait(), barrier.wait()];
      expect((await Promise.all(parties)).sort()).toEqual([0, 1, 2]);
      const { outcome } = await peer.begin('wait');
      const own = party(barrier);
      if (i % 2 === 0) barrier.abort();
      barrier.reset();
      expect([await outcome, await own]).toEqual(['ERR_BROKEN_BARRIER', 'ERR_BROKEN_BARRIER']);
    }
  });
});

describe('bad input', () => {
  const bad: [object, string, string][] = [
    [{ parties: undefined }, 'ERR_INVALID_ARG_TYPE', 'parties'],
    [{ parties: 0 }, 'ERR_OUT_OF_RANGE', 'parties'],
    [{ parties: -1 }, 'ERR_OUT_OF_RANGE', 'parties'],
    [{ parties: 1.5 }, 'ERR_OUT_OF_RANGE', 'parties'],
    [{ parties: 2 ** 30 + 1 }, 'ERR_OUT_OF_RANGE', 'parties'],
    [{ parties: '2' }, 'ERR_INVALID_ARG_TYPE', 'parties'],
    [{ parties: 2n }, 'ERR_INVALID_ARG_TYPE', 'parties'],
    [{ action: 'act' }, 'ERR_INVALID_ARG_TYPE', 'action'],
    [{ action: null }, 'ERR_INVALID_ARG_TYPE', 'action'],
    [{ timeout: -1 }, 'ERR_OUT_OF_RANGE', 'timeout'],
    [{ timeout: NaN }, 'ERR_OUT_OF_RANGE', 'timeout'],
    [{ timeout: '5' }, 'ERR_INVALID_ARG_TYPE', 'timeout'],
    [{ participants: 0 }, 'ERR_OUT_OF_RANGE', 'participants'],
    [{ participants: 2 ** 20 }, 'ERR_OUT_OF_RANGE', 'participants'],
    [{ partys: 2 }, 'ERR_INVALID_ARG_VALUE', 'partys'],
  ];

  it.each(bad)('is refused: %o', (options, code, what) => {
    const name = uniqueName();
    const all = { parties: 2, ...options };
    expectCode(() => NamedBarrier.create({ name, ...all }), code, what);
    expectCode(() => NamedBarrier.open(name, all), code, what);
    expectCode(() => NamedBarrier.attach(name), 'ENOENT', name);
  });

  it('is refused of attach: %o', () => {
    using barrier = temporary(NamedBarrier.create({ parties: 2 }));
    const attach = (options: object) => () => NamedBarrier.attach(barrier.name, options);
    expectCode(attach({ parties: 2 }), 'ERR_INVALID_ARG_VALUE', 'parties');
    expectCode(attach({ action: 1 }), 'ERR_INVALID_ARG_TYPE', 'action');
    expectCode(attach({ timeout: -1 }), 'ERR_OUT_OF_RANGE', 'timeout');
  });

  it('is another number of parties than it is for', () => {
    using barrier = temporary(NamedBarrier.create({ parties: 2 }));
    const open = () => NamedBarrier.open(barrier.name, { parties: 3 });
    expectCode(open, 'ERR_WRONG_KIND', barrier.name, '2', '3');
    NamedBarrier.open(barrier.name, { parties: 2 }).close();
  });
});

function promised<T>(act: () => T): Promise<T> {
  return new Promise((resolve) => resolve(act()));
}
