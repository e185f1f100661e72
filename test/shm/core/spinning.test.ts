// A wait that does not block is looked after by the event loop itself for a moment, before a thread is asked.
import { afterEach, describe, expect, it } from 'vitest';
import { NamedEvent, NamedLock, SharedQueue } from 'shmkit';
import type { What } from '../../fixtures/spinning/waiter';
import { start, type Child } from '../../support/children';
import { onLinux } from '../../support/system';

interface Report {
  /** How many threads were started. */
  started: number;
  /** How often a timer fired meanwhile. */
  turns: number;
}

const objects: { unlink(): void; close(): void }[] = [];

afterEach(() => {
  for (const each of objects.splice(0)) {
    each.unlink();
    each.close();
  }
});

function keep<T extends { unlink(): void; close(): void }>(object: T): T {
  objects.push(object);
  return object;
}

/** For longer than anybody waits here. */
const long = { SHMKIT_SPIN_US: '1000000' };
const never = { SHMKIT_SPIN_US: '0' };

interface Options {
  env: NodeJS.ProcessEnv;
  under?: string[] | undefined;
  times?: number;
  isFirst?: boolean;
}

async function ready(what: What, names: string[], options: Options): Promise<Child> {
  const { env, under, times = 1, isFirst = true } = options;
  const child = start('spinning/waiter', [what, names, times, isFirst], {
    env: { ...process.env, ...env },
    ...(under && { under }),
  });
  await child.hear();
  return child;
}

async function begin(what: What, names: string[], options: Options): Promise<Child> {
  const child = await ready(what, names, options);
  child.tell('begin');
  return child;
}

async function reportOf(child: Child): Promise<Report> {
  const report = await child.hear<Report>();
  await child.succeed();
  return report;
}

/** Lets two processes answer each other. Returns what each of them reports. */
async function pair(
  what: 'event' | 'queue',
  env: NodeJS.ProcessEnv,
  under?: string[],
): Promise<Report[]> {
  const make = () => keep(what === 'event' ? NamedEvent.create() : SharedQueue.create());
  const [a, b] = [make().name, make().name];
  const both = await Promise.all([
    ready(what, [a, b], { env, under, times: 50 }),
    ready(what, [b, a], { env, under, times: 50, isFirst: false }),
  ]);
  for (const child of both) child.tell('begin');
  return Promise.all(both.map(reportOf));
}

describe.runIf(onLinux)('a wait that ends soon', () => {
  it.each(['event', 'queue'] as const)('starts no thread: %s', async (what) => {
    for (const { started } of await pair(what, long)) expect(started).toBe(0);
  });

  it('starts no thread: lock', async () => {
    const lock = keep(NamedLock.create());
    const guard = lock.acquireSync();
    const child = await begin('lock', [lock.name], { env: long });
    guard.release();
    expect((await reportOf(child)).started).toBe(0);
    expect(lock.acquireSync({ timeout: 10_000 }).abandoned).toBe(false);
    lock.release();
  });

  it.each(['event', 'queue'] as const)('starts one if that is switched off: %s', async (what) => {
    for (const { started } of await pair(what, never)) expect(started).toBeGreaterThan(0);
  });

  it('starts one on a single processor', async () => {
    const under = ['taskset', '--cpu-list', '0'];
    for (const { started } of await pair('event', { SHMKIT_SPIN_US: undefined }, under)) {
      expect(started).toBeGreaterThan(0);
    }
  });
});

describe.runIf(onLinux)('while a wait is looked after', () => {
  it('the event loop serves everything else', async () => {
    const [mine, yours] = [keep(NamedEvent.create()), keep(NamedEvent.create())];
    const child = await begin('event', [mine.name, yours.name], { env: long });
    await yours.wait();
    const lasts = new Promise((resolve) => setTimeout(resolve, 50));
    await lasts;
    mine.set();
    expect((await reportOf(child)).turns).toBeGreaterThan(5);
  });

  it.each([long, never])('the thread itself can wait for the same lock: %o', async (env) => {
    const lock = keep(NamedLock.create());
    const guard = lock.acquireSync();
    const child = await begin('both', [lock.name], { env });
    await child.hear();
    guard.release();
    await reportOf(child);
    const again = lock.acquireSync({ timeout: 10_000 });
    expect(again.abandoned).toBe(false);
    again.release();
  });

  it.each(['SIGKILL', 'SIGTERM'] as const)('it may end by %s', async (signal) => {
    const lock = keep(NamedLock.create());
    const guard = lock.acquireSync();
    const child = await begin('lock', [lock.name], { env: long });
    await child.kill(signal);
    guard.release();
    lock.acquireSync({ timeout: 10_000 }).release();
  });
});
