// An owner of a manager ends, in a worker thread or the main thread, in any way except a kill. The process
// ends as it would without the library, nothing of the manager is left, and its members are notified.
import { spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { Manager, SharedMemoryError, type SharedDict } from 'shmkit';
import { afterEach, describe, expect, it } from 'vitest';
import type { Cast } from '../../fixtures/manager/threads';
import { start, type Child, type Exit } from '../../support/children';
import { expectCode } from '../../support/errors';
import { uniqueName } from '../../support/names';
import { onLinux } from '../../support/system';

const closing: { close(): void }[] = [];

function closed<T extends { close(): void }>(object: T): T {
  closing.push(object);
  return object;
}

afterEach(() => {
  for (const each of closing.splice(0).reverse()) each.close();
});

/** The system names of a manager: its own name, and the names of its objects. */
function namesOf(manager: string): string[] {
  return readdirSync('/dev/shm').filter((name) => name.includes(manager));
}

/** Which signals a process catches, and which ones it ignores. */
function handlersOf({ pid }: ChildProcess): string[] {
  return readFileSync(`/proc/${pid}/status`, 'utf8')
    .split('\n')
    .filter((line) => /^Sig(Cgt|Ign)/.test(line));
}

/** A thread of this process that takes part in a manager of another owner. */
class Member {
  readonly manager: Manager;
  readonly dict: SharedDict;

  constructor(name: string) {
    this.manager = closed(Manager.attach(name));
    this.dict = closed(this.manager.dict('dict'));
    expect(this.dict.get('a')).toBe(1);
  }

  async expectToldOfEnd(): Promise<void> {
    expectCode(() => this.dict.get('a'), 'ERR_SHUTDOWN', this.dict.name);
    expectCode(() => this.manager.event(), 'ERR_SHUTDOWN', this.manager.name);
    const { signal } = this.manager;
    if (!signal.aborted) await once(signal, 'abort');
    expect(signal.reason).toBeInstanceOf(SharedMemoryError);
    expect(signal.reason).toMatchObject({ code: 'ERR_SHUTDOWN' });
  }

  expectNotTold(): void {
    expect(this.dict.get('a')).toBe(1);
    expect(this.manager.signal.aborted).toBe(false);
  }
}

async function startCast(cast: Cast, under: string[] = []): Promise<Child> {
  const child = start('manager/threads', [cast], { under });
  expect(await child.hear()).toBe('owns');
  return child;
}

interface End {
  /** A signal, or a message to the process. */
  by: NodeJS.Signals | unknown[];
  /** What the process prints, if it continues to live. */
  says?: string[];
  /** How the process ends finally. */
  exit: Exit;
}

const signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const;
const exits = (code: number): Exit => ({ code, signal: null });

const bySignals = Object.fromEntries(
  signals.map((signal): [string, End] => [signal, { by: signal, exit: { code: null, signal } }]),
);
const ofMain: Record<string, End> = {
  ...bySignals,
  'process.exit() of the main thread': { by: ['exit'], exit: exits(5) },
  'an uncaught error of the main thread': { by: ['error'], exit: exits(1) },
};
const ofWorkers: Record<string, End> = {
  ...ofMain,
  'worker.terminate()': { by: ['terminate'], says: ['the worker ended with 1'], exit: exits(5) },
  'process.exit() of the worker': {
    by: ['worker exit'],
    says: ['the worker ended with 4'],
    exit: exits(5),
  },
  'an error of the worker that is caught outside': {
    by: ['worker error'],
    says: ['the worker threw: on purpose', 'the worker ended with 1'],
    exit: exits(5),
  },
  'an error of the worker that nobody catches': {
    by: ['worker error', 0, 'unexpected'],
    exit: exits(1),
  },
  'the end of all that the worker has to do': {
    by: ['worker ends'],
    says: ['the worker ended with 0'],
    exit: exits(5),
  },
};

/** Ends the process, and calls `look` after each step of the end. */
async function bringAbout({ by, says, exit }: End, child: Child, look: () => unknown) {
  if (typeof by === 'string') child.process.kill(by);
  else child.tell(by);
  if (says !== undefined) {
    for (const each of says) expect(await child.hear()).toBe(each);
    // The process continues to live.
    await look();
    child.tell(['exit']);
  }
  expect(await child.exit).toEqual(exit);
  await look();
}

const casts: [string, Record<string, End>, (name: string, how: 'create' | 'open') => Cast][] = [
  ['a main thread', ofMain, (name, how) => ({ main: { name, how } })],
  ['a worker', ofWorkers, (name, how) => ({ workers: [{ name, how }], loads: true })],
  [
    'a worker whose main thread has not loaded the library',
    ofWorkers,
    (name, how) => ({ workers: [{ name, how }] }),
  ],
];

const casesOf = (wanted: (end: string) => boolean) =>
  casts.flatMap(([owner, ends, castOf]) =>
    Object.entries(ends).flatMap(([what, end]) =>
      wanted(what) ? [{ owner, what, end, castOf }] : [],
    ),
  );
const cases = casesOf(() => true);
// Other signals and errors lead to the same as these.
const chosen = casesOf((end) => /SIGTERM|exit|terminate/.test(end));

/**
 * macOS does not list names, so native code finds none there. On Windows the objects are removed with their
 * processes.
 */
const describeOnLinux = describe.skipIf(!onLinux);

describeOnLinux('what an owner made, when it ends (on Linux only: names can be listed)', () => {
  it.each(cases)('is gone, and members are told: $owner, $what', async ({ end, castOf }) => {
    const name = uniqueName('app');
    const child = await startCast(castOf(name, 'create'));
    const member = new Member(name);
    expect(namesOf(name).length).toBeGreaterThan(1);
    await bringAbout(end, child, async () => {
      expect(namesOf(name)).toEqual([]);
      await member.expectToldOfEnd();
    });
  });

  it.each(chosen)('is gone with the last peer: $owner, $what', async ({ end, castOf }) => {
    const name = uniqueName('site');
    const child = await startCast(castOf(name, 'open'));
    expect(namesOf(name).length).toBeGreaterThan(1);
    await bringAbout(end, child, () => expect(namesOf(name)).toEqual([]));
  });

  it.each(chosen)('stays with a peer that lives on: $owner, $what', async ({ end, castOf }) => {
    const name = uniqueName('site');
    const child = await startCast(castOf(name, 'open'));
    const member = new Member(name);
    await bringAbout(end, child, () => member.expectNotTold());
    member.dict.close();
    member.manager.close();
    expect(namesOf(name)).toEqual([]);
  });

  const states = [
    'blocks',
    'makes things',
    'waits for a lock',
    'awaits a lock',
    'awaits a lock in vain',
  ] as const;
  const busy = states.flatMap((state) =>
    ['SIGTERM', 'worker.terminate()', 'process.exit() of the main thread'].map((what) => ({
      state,
      what,
    })),
  );

  it.each(busy)('is gone though the worker $state: $what', async ({ state, what }) => {
    const name = uniqueName('app');
    // This lock belongs to another manager, which does not end. Its name is kept while it is held.
    const other = closed(Manager.create());
    const taken = closed(other.lock('taken elsewhere'));
    const guard = taken.acquireSync();
    const at = state === 'awaits a lock in vain' ? 'awaits a lock' : state;
    const child = await startCast({
      workers: [{ name, how: 'create', at, elsewhere: other.name }],
    });
    if (state === 'awaits a lock') {
      guard.release();
      expect(await child.hear()).toBe('has the lock');
    }
    await bringAbout(ofWorkers[what]!, child, () => expect(namesOf(name)).toEqual([]));
    if (state === 'awaits a lock') taken.acquireSync();
    other.shutdown();
  });

  it.each(['SIGTERM', 'worker.terminate()'])(
    'is gone when others let go of its locks: %s',
    async (what) => {
      const name = uniqueName('app');
      const child = await startCast({ workers: [{ name, how: 'create' }] });
      const member = new Member(name);
      const lock = closed(member.manager.lock('used by a member'));
      const guard = lock.acquireSync();
      await bringAbout(ofWorkers[what]!, child, () => {
        // No other thread may take the lock for free while it is held.
        expect(namesOf(name)).toEqual([`shmkit.lock@${name}@used by a member`]);
      });
      guard.release();
      expect(namesOf(name)).toEqual([]);
    },
  );

  it.each(['SIGTERM', 'worker.terminate()'])(
    'is gone with a lock of it that the worker has awaited: %s',
    async (what) => {
      const name = uniqueName('app');
      const child = await startCast({ workers: [{ name, how: 'create' }] });
      const lock = closed(new Member(name).manager.lock('awaited'));
      const guard = lock.acquireSync();
      child.tell(['worker awaits']);
      expect(await child.hear()).toBe('awaits');
      guard.release();
      expect(await child.hear()).toBe('has the lock');
      await bringAbout(ofWorkers[what]!, child, () => expect(namesOf(name)).toEqual([]));
    },
  );

  it('is gone when the worker is terminated at any moment of a change', async () => {
    const name = uniqueName('app');
    for (let round = 0; round < 10; round++) {
      const child = await startCast({ workers: [{ name, how: 'create', at: 'makes things' }] });
      await bringAbout(ofWorkers['worker.terminate()']!, child, () =>
        expect(namesOf(name)).toEqual([]),
      );
    }
  });

  it('is all that goes with a thread: what others own stays', async () => {
    const [one, two, three, site] = ['one', 'two', 'three', 'site'].map((each) => uniqueName(each));
    const child = await startCast({
      main: { name: three!, how: 'create' },
      workers: [
        { name: one!, how: 'create' },
        { name: two!, how: 'create' },
        { name: site!, how: 'open' },
        { name: site!, how: 'open' },
      ],
    });
    const members = [two!, three!].map((name) => new Member(name));
    for (const which of [0, 2]) {
      child.tell(['terminate', which]);
      expect(await child.hear()).toBe('the worker ended with 1');
      expect(namesOf(one!)).toEqual([]);
      for (const member of members) member.expectNotTold();
      expect(namesOf(site!)).not.toEqual([]);
    }
    child.tell(['terminate', 3]);
    expect(await child.hear()).toBe('the worker ended with 1');
    expect(namesOf(site!)).toEqual([]);
    for (const member of members) member.expectNotTold();
    // Signals are received as before.
    expect(await child.kill('SIGTERM')).toEqual({ code: null, signal: 'SIGTERM' });
    for (const member of members) await member.expectToldOfEnd();
    expect([...namesOf(two!), ...namesOf(three!)]).toEqual([]);
  });

  it('goes by two workers that are terminated at once, as peers', async () => {
    const name = uniqueName('site');
    const child = await startCast({ workers: [0, 1, 2, 3].map(() => ({ name, how: 'open' })) });
    child.tell(['terminate all']);
    expect(await child.hear()).toBe('all workers ended');
    expect(namesOf(name)).toEqual([]);
    child.tell(['exit']);
    expect(await child.exit).toEqual(exits(5));
  });
});

describeOnLinux('a process whose worker owns a manager, when a signal comes', () => {
  const whens = (['before', 'after'] as const).flatMap((when) =>
    [true, false].map((loads) => ({ when, loads })),
  );
  const startBeside = (name: string, others: string[], rest: Partial<Cast>) =>
    startCast({ workers: [{ name, how: 'create' }], others, ...rest });

  it.each(whens)('leaves it to an application that began $when it, $loads', async (rest) => {
    const name = uniqueName('app');
    const child = await startBeside(name, ['an application that stays'], rest);
    const member = new Member(name);
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      child.process.kill(signal);
      expect(await child.hear()).toBe(`heard ${signal}`);
      member.expectNotTold();
    }
    // The process does not listen for this signal.
    expect(await child.kill('SIGQUIT')).toEqual({ code: null, signal: 'SIGQUIT' });
    expect(namesOf(name)).toEqual([]);
    await member.expectToldOfEnd();
  });

  it.each(whens)('exits as an application that began $when it does, $loads', async (rest) => {
    const name = uniqueName('app');
    const child = await startBeside(name, ['an application that exits'], rest);
    expect(await child.kill('SIGTERM')).toEqual(exits(7));
    expect(namesOf(name)).toEqual([]);
  });

  it.each(whens)('ends when an application has stopped to listen, $when, $loads', async (rest) => {
    const name = uniqueName('app');
    const child = await startBeside(name, ['an application that stops to listen'], rest);
    child.process.kill('SIGTERM');
    expect(await child.hear()).toBe('heard SIGTERM');
    expect(await child.kill('SIGTERM')).toEqual({ code: null, signal: 'SIGTERM' });
    expect(namesOf(name)).toEqual([]);
  });

  const cleaners = [['signal-exit 3'], ['signal-exit 4'], ['signal-exit 3', 'signal-exit 4']];
  const beside = cleaners.flatMap((others) => whens.map((rest) => ({ others, ...rest })));

  it.each(beside)('ends beside $others, which began $when, $loads', async ({ others, ...rest }) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      const name = uniqueName('app');
      const child = await startBeside(name, others, rest);
      child.process.kill(signal);
      // The work that they were given is done.
      const heard = [];
      while (heard.length < others.length) heard.push(await child.hear());
      expect(heard.sort()).toEqual(others.map((other) => `${other} cleans up`));
      expect(await child.exit).toEqual({ code: null, signal });
      expect(namesOf(name)).toEqual([]);
    }
  });

  it.each([true, false])('ends though its main thread blocks, %s', async (loads) => {
    const name = uniqueName('app');
    const child = await startBeside(name, [], { loads });
    child.tell(['block']);
    expect(await child.hear()).toBe('blocks');
    expect(await child.kill('SIGTERM')).toEqual({ code: null, signal: 'SIGTERM' });
    expect(namesOf(name)).toEqual([]);
  });

  it('ends by one of several at once, with nothing left', async () => {
    const name = uniqueName('app');
    for (let round = 0; round < 5; round++) {
      const child = await startBeside(name, [], {});
      for (let i = 0; i < 5; i++) for (const signal of signals) child.process.kill(signal);
      const { code, signal } = await child.exit;
      expect([code, signals.includes(signal as never)]).toEqual([null, true]);
      expect(namesOf(name)).toEqual([]);
    }
  });

  it('ends as ever when the worker has shut its manager down', async () => {
    const workers = [{ name: uniqueName('app'), how: 'open' as const }];
    const child = await startCast({ workers });
    child.tell(['worker shutdown']);
    expect(await child.hear()).toBe('shut down');
    // The same as in a process that never owned a manager.
    const other = await startCast({ loads: true });
    expect(handlersOf(child.process)).toEqual(handlersOf(other.process));
    await other.kill();
    expect(await child.kill('SIGTERM')).toEqual({ code: null, signal: 'SIGTERM' });
  });

  it.each(['main', 'worker'])('ends as ever where a %s is told to hear none', async (who) => {
    const part = { name: uniqueName('app'), how: 'create', signals: false } as const;
    const child = await startCast(who === 'main' ? { main: part } : { workers: [part] });
    expect(await child.kill('SIGTERM')).toEqual({ code: null, signal: 'SIGTERM' });
    expectCode(() => Manager.attach(part.name), 'ENOENT', 'is dead');
    Manager.create({ name: part.name }).shutdown();
    expect(namesOf(part.name)).toEqual([]);
    // With an exit it is removed anyway.
    const next = await startCast(who === 'main' ? { main: part } : { workers: [part] });
    next.tell(['exit']);
    expect(await next.exit).toEqual(exits(5));
    expect(namesOf(part.name)).toEqual([]);
  });
});

const asFirst = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'];
const canBeFirst = onLinux && spawnSync(asFirst[0]!, [...asFirst.slice(1), 'true']).status === 0;

describe.runIf(canBeFirst)('a PID 1 whose worker owns one (needs unshare --pid, so root)', () => {
  it.each([
    ['SIGTERM', 143, false, []],
    ['SIGHUP', 129, true, []],
    ['SIGINT', 130, false, ['signal-exit 4']],
  ] as const)('exits when it gets %s', async (signal, code, loads, others) => {
    const name = uniqueName('app');
    const workers = [{ name, how: 'create' as const }];
    const child = await startCast({ workers, loads, others: [...others] }, asFirst);
    const { pid } = child.process;
    const first = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    process.kill(Number(first), signal);
    expect(await child.exit).toEqual(exits(code));
    expect(namesOf(name)).toEqual([]);
  });
});
