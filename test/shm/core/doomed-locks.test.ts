// Locks whose name was unlinked, or whose manager ended, while they were held. The name is removed when the
// owner releases the lock, which it does at any end except a kill. After a kill, the next user of the lock
// removes the name.
import { readdirSync } from 'node:fs';
import { Manager, NamedLock, NamedRLock } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { start, type Child } from '../../support/children';
import { uniqueName } from '../../support/names';
import { onLinux, onWindows } from '../../support/system';
import { expectCode } from '../../support/errors';
import type { Holding } from '../../fixtures/lock/doomed-holder';

const kinds = { lock: NamedLock, rlock: NamedRLock };

/**
 * What the owner is told, or signalled: the ways in which a process ends, whichever thread holds the lock.
 */
const endsOfProcess = ['its end', 'process.exit()', 'an exception', 'a rejection', 'SIGTERM'];
const endsOfWorker = ['its end', 'process.exit()', 'an exception', 'a rejection', 'terminate()'];

/** Windows has no signal that a process could handle. */
const ends = (
  [
    ...endsOfProcess.map((end) => ['main thread', end] as const),
    ...endsOfProcess.map(
      (end) => ['worker', end === 'SIGTERM' ? end : `${end} of the main thread`] as const,
    ),
    ...endsOfWorker.map((end) => ['worker', end] as const),
  ] satisfies (readonly [Holding['in'], string])[]
).filter(([, how]) => !onWindows || how !== 'SIGTERM');

const kills = onWindows ? ['SIGKILL'] : ['SIGKILL', 'SIGABRT', 'SIGHUP'];

/**
 * On Windows each of the two ways of holding with one of the kinds: starting a process takes long there, and
 * all kinds of locks end by the same code.
 */
const cases: Pick<Holding, 'kind' | 'by'>[] = (
  [
    { kind: 'lock', by: 'thread' },
    { kind: 'lock', by: 'agent' },
    { kind: 'rlock', by: 'thread' },
    { kind: 'rlock', by: 'agent' },
  ] as const
).filter(({ kind, by }) => !onWindows || (kind === 'lock') === (by === 'thread'));

function left(name: string): string[] {
  return onLinux ? readdirSync('/dev/shm').filter((each) => each.includes(name)) : [];
}

/** Starts a child that holds a lock, and may have to wait for it first. */
async function holder(holding: Holding, lock?: NamedLock | NamedRLock): Promise<Child> {
  if (holding.by === 'agent') lock!.acquireSync();
  const child = start('lock/doomed-holder', [holding]);
  if (holding.by === 'agent') {
    expect(await child.hear()).toBe('waits');
    lock!.release();
  }
  expect(await child.hear()).toBe('holds');
  return child;
}

async function end(child: Child, how: string): Promise<void> {
  if (how.startsWith('SIG')) child.process.kill(how as NodeJS.Signals);
  else child.tell(how);
  await child.exit;
}

describe.each(ends)('held in a %s, at %s', (place, how) => {
  it.each(cases)('a $kind held by its $by goes when it was unlinked', async (each) => {
    for (const unlinks of [true, false]) {
      const name = uniqueName();
      const lock = kinds[each.kind].open(name);
      const child = await holder({ ...each, in: place, of: 'name', name, unlinks }, lock);
      if (!unlinks) lock.unlink();
      await end(child, how);
      expect(left(name)).toEqual([]);
      expectCode(() => kinds[each.kind].attach(name), 'ENOENT');
      // A newly created lock has no past.
      expect(lock.acquireSync().abandoned).toBe(false);
      lock.release();
      lock.unlink();
      lock.close();
    }
  });

  it.each(cases)('a $kind held by its $by goes with its manager', async (each) => {
    const manager = Manager.create({ name: uniqueName() });
    const { name } = manager;
    const lock = manager[each.kind]('held');
    const child = await holder({ ...each, in: place, of: 'manager', name, unlinks: false }, lock);
    manager.shutdown();
    await end(child, how);
    expect(left(name)).toEqual([]);
    lock.close();
  });

  it.each(cases)('a $kind held by its $by is handed on as abandoned', async (each) => {
    const name = uniqueName();
    const lock = kinds[each.kind].open(name);
    const holding: Holding = { ...each, in: place, of: 'name', name, unlinks: false };
    await end(await holder(holding, lock), how);
    expect(lock.acquireSync().abandoned).toBe(true);
    lock.release();
    expect(lock.acquireSync().abandoned).toBe(false);
    lock.release();
    lock.unlink();
    lock.close();
  });

  it.each(['lock', 'rlock'] as const)(
    'a %s goes with the manager of its own process',
    async (kind) => {
      const name = uniqueName();
      const holding: Holding = {
        kind,
        by: 'thread',
        in: place,
        of: 'own manager',
        name,
        unlinks: false,
      };
      await end(await holder(holding), how);
      expect(left(name)).toEqual([]);
    },
  );
});

describe.each(kills)('after %s a doomed lock', (signal) => {
  /** A lock whose owner was killed. `lock` is a handle from before the kill. */
  async function leftLock(each: (typeof cases)[number]): Promise<[string, NamedLock | NamedRLock]> {
    const name = uniqueName();
    const lock = kinds[each.kind].open(name);
    const holding: Holding = { ...each, in: 'main thread', of: 'name', name, unlinks: true };
    await end(await holder(holding, lock), signal);
    return [name, lock];
  }

  it.each(cases)('($kind, $by) goes with the last handle of a process', async (each) => {
    const [name, lock] = await leftLock(each);
    lock.close();
    expect(left(name)).toEqual([]);
  });

  it.each(cases)('($kind, $by) is nothing to attach to', async (each) => {
    const [name, lock] = await leftLock(each);
    expectCode(() => kinds[each.kind].attach(name), 'ENOENT');
    expect(left(name)).toEqual([]);
    lock.close();
  });

  it.each(cases)('($kind, $by) is in nobody’s way', async (each) => {
    const [name, old] = await leftLock(each);
    using lock = old;
    using fresh = kinds[each.kind].create({ name });
    expect(fresh.acquireSync().abandoned, 'a new lock has no past').toBe(false);
    fresh.release();
    using _again = lock.acquireSync();
    expect(fresh.locked, 'an old handle finds the new lock').toBe(true);
    fresh.unlink();
  });

  it.each(cases)('($kind, $by) is gone for who waits for it', async (each) => {
    const name = uniqueName();
    using lock = kinds[each.kind].open(name);
    const holding: Holding = { ...each, in: 'main thread', of: 'name', name, unlinks: true };
    const child = await holder(holding, lock);
    const waiting = lock.acquire();
    await end(child, signal);
    expect((await waiting).abandoned).toBe(false);
    lock.release();
    lock.unlink();
  });
});

it('a doomed lock stays while its holder lives, whoever comes and goes', async () => {
  const name = uniqueName();
  const lock = NamedLock.open(name);
  const child = await holder(
    { kind: 'lock', by: 'thread', in: 'main thread', of: 'name', name, unlinks: true },
    lock,
  );
  expectCode(() => NamedLock.create({ name }), 'EEXIST');
  for (const each of [NamedLock.open(name), NamedLock.attach(name), lock]) {
    expect(each.tryAcquire()).toBeNull();
    each.close();
  }
  await end(child, 'process.exit()');
  expect(left(name)).toEqual([]);
});
