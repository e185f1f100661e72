import { fork, spawn } from 'node:child_process';
import cluster from 'node:cluster';
import { once } from 'node:events';
import { readdirSync, statSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import {
  Manager,
  NamedEvent,
  NamedLock,
  SharedDict,
  SharedList,
  SharedMemory,
  SharedValue,
  attach,
} from 'shmkit';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { fixturePath, start } from '../../support/children';
import { expectCode } from '../../support/errors';
import { uniqueName } from '../../support/names';
import { overwrite, overwriteElement } from '../../support/poison';
import { onLinux, onWindows } from '../../support/system';

/** The system names of everything that exists of a manager. */
function leftOf(name: string): string[] {
  if (!onLinux) return owned(name).filter(isThere);
  return readdirSync('/dev/shm')
    .filter((each) => each.includes(name))
    .sort();
}

/** Asks for the object, if the system does not list names. */
function isThere(full: string): boolean {
  const [, kind = '', manager, own] = /^shmkit\.(\w+)[.@]([^@]+)@?(.*)$/.exec(full) ?? [];
  const name = own ? `/${manager}/${own}` : manager!;
  const classes: Record<string, { attach(name: string): { close(): void } }> = {
    memory: SharedMemory,
    lock: NamedLock,
    value: SharedValue,
    dict: SharedDict,
    list: SharedList,
    manager: Manager,
  };
  try {
    classes[kind]!.attach(name).close();
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOENT' });
    // The manager exists, but all of its members have died, so nothing can attach to it.
    return (error as Error).message.includes('is dead');
  }
}

/** Checks how much of a manager exists, if the system lists names. */
function expectLeft(name: string, count: number): void {
  if (onLinux) expect(leftOf(name)).toHaveLength(count);
}

/** The names that exist of a manager when no object is about to be removed by the end of a process. */
const owned = (name: string) =>
  [
    `shmkit.dict@${name}@dict`,
    `shmkit.list@${name}@list`,
    `shmkit.lock@${name}@lock`,
    `shmkit.manager.${name}`,
    `shmkit.memory@${name}@memory`,
    `shmkit.value@${name}@value`,
  ].sort();

/** Creates one object of each kind. */
function makeEach(manager: Manager, own: string): void {
  const made = [
    manager.memory(own, { size: 64 }),
    manager.lock(own),
    manager.rlock(own),
    manager.semaphore(own),
    manager.event(own),
    manager.condition(own),
    manager.barrier(own, { parties: 2 }),
    manager.rwlock(own),
    manager.value(own, { type: 'int64' }),
    manager.array(own, { type: 'uint8', length: 3 }),
    manager.dict(own),
    manager.list(own),
    manager.queue(own),
    manager.namespace(own),
  ];
  for (const each of made) each.close();
}

// The objects that a manager provides are closed when they are garbage-collected.
afterEach(async () => {
  for (let i = 0; i < 5; i++) {
    globalThis.gc!();
    await turn();
  }
});

describe('a manager', () => {
  it('makes every kind by name, and gives what is there', () => {
    const name = uniqueName('app');
    using manager = Manager.create({ name });
    expect([manager.name, manager.closed]).toEqual([name, false]);
    const made = {
      memory: manager.memory('m', { size: 64 }),
      lock: manager.lock('l'),
      rlock: manager.rlock('l'),
      semaphore: manager.semaphore('s', { value: 3 }),
      event: manager.event('e'),
      condition: manager.condition('c'),
      barrier: manager.barrier('b', { parties: 2 }),
      rwlock: manager.rwlock('rw'),
      value: manager.value('v', { type: 'int64', value: 5n }),
      array: manager.array('a', { type: 'uint8', length: 3 }),
      dict: manager.dict<number>('d', { capacity: 1 << 20 }),
      list: manager.list<string>('x'),
      queue: manager.queue<number>('q', { maxSize: 3 }),
      namespace: manager.namespace('n'),
    };
    expect(Object.values(made).map((each) => each.name)).toEqual(
      ['m', 'l', 'l', 's', 'e', 'c', 'b', 'rw', 'v', 'a', 'd', 'x', 'q', 'n'].map(
        (own) => `/${name}/${own}`,
      ),
    );
    expectLeft(name, 15);
    made.dict.set('one', 1);
    made.list.push('first');
    made.queue.putSync(5);
    made.namespace.values.rate = 7;
    expect(manager.queue('q').getSync()).toBe(5);
    expect(manager.namespace<{ rate: number }>('n').values.rate).toBe(7);
    // Without options, because the objects exist.
    expect(manager.dict('d').get('one')).toBe(1);
    expect([manager.value('v').value, manager.array('a').length]).toEqual([5n, 3]);
    expect([manager.barrier('b').parties, manager.memory('m').size]).toEqual([2, 64]);
    expect(SharedDict.attach(`/${name}/d`).size).toBe(1);
    expectCode(() => manager.value('v', { type: 'int8' }), 'ERR_WRONG_KIND', name);
    const unnamed = [manager.list(), manager.list()];
    expect(unnamed[0]!.name).not.toBe(unnamed[1]!.name);
    expect(unnamed.every((each) => each.name.startsWith(`/${name}/`))).toBe(true);
    manager.shutdown();
    manager.shutdown();
    expect([manager.closed, leftOf(name)]).toEqual([true, []]);
    expectCode(() => made.list.at(0), 'ERR_SHUTDOWN', made.list.name, name);
    expectCode(() => manager.dict('d'), 'ERR_CLOSED', name);
  });

  it('refuses bad input, and what was not made is no harm', () => {
    using manager = Manager.create({ name: uniqueName('app') });
    for (const name of [5, null, {}] as never[]) {
      expectCode(() => manager.dict(name), 'ERR_INVALID_ARG_TYPE', 'name');
    }
    expectCode(() => manager.dict('a/b'), 'EINVAL', 'a/b');
    expectCode(() => manager.dict(''), 'EINVAL');
    expectCode(() => manager.dict('x'.repeat(250)), 'ENAMETOOLONG');
    expectCode(() => manager.dict('d', { size: 5 } as never), 'ERR_INVALID_ARG_VALUE', 'size');
    expectCode(() => manager.value('v'), 'ERR_INVALID_ARG_TYPE', 'options');
    expectCode(() => manager.value('v', { type: 'int' } as never), 'ERR_OUT_OF_RANGE', 'type');
    expect(manager.value('v', { type: 'int8' }).value).toBe(0);
    expect(manager.dict('d').size).toBe(0);
    expectCode(() => Manager.create({ name: 'a/b' }), 'EINVAL', 'a/b');
    expectCode(() => Manager.create({ nam: 'x' } as never), 'ERR_INVALID_ARG_VALUE', 'nam');
    expectCode(() => Manager.attach(uniqueName()), 'ENOENT');
    expectCode(() => Manager.unlink(uniqueName()), 'ENOENT');
    expectCode(() => Manager.fromEnv({}), 'ENOENT', 'SHMKIT_MANAGER');
  });

  it('has a name that is taken while it lives, and is attached to by that', () => {
    const name = uniqueName('app');
    using manager = Manager.create({ name });
    manager.list('list').push(1);
    expectCode(() => Manager.create({ name }), 'EEXIST', name);
    for (const attached of [
      Manager.attach(name),
      Manager.open(name),
      Manager.fromEnv(manager.env()),
      attach(JSON.parse(JSON.stringify(manager)) as ReturnType<Manager['toJSON']>),
    ]) {
      using member = attached;
      expect(member).toBeInstanceOf(Manager);
      expect(member.list('list').toArray()).toEqual([1]);
      expect(member.list('list')).toBeInstanceOf(SharedList);
      member.event('by a member').set();
    }
    expectLeft(name, 3);
    const member = Manager.attach(name);
    manager.dict('dict').set('itself', manager);
    const found = member.dict('dict').get('itself') as Manager;
    expect(found.name).toBe(name);
    found.close();
    member.shutdown();
    expect(leftOf(name)).toEqual([]);
    expectCode(() => manager.dict('dict'), 'ERR_SHUTDOWN', 'shut down');
    using again = Manager.open(name);
    expect(again.list('list').length).toBe(0);
    manager.shutdown();
    // These belong to another manager of that name.
    expectLeft(name, 2);
    Manager.unlink(name);
    expect(leftOf(name)).toEqual([]);
  });

  it.runIf(onLinux)('has a mode that is the default of all it makes, whatever the umask', () => {
    const modes = (name: string) =>
      SharedMemory.list()
        .filter((each) => each.name.includes(name))
        .map(({ mode }) => mode);
    const before = process.umask(0o077);
    try {
      for (const make of [
        (name: string) => Manager.create({ name, mode: 0o660 }),
        (name: string) => Manager.open(name, { mode: 0o660 }),
      ]) {
        const name = uniqueName('app');
        using manager = make(name);
        using member = Manager.attach(name);
        makeEach(manager, 'mine');
        makeEach(member, 'a member’s');
        expect(modes(name)).toEqual(Array.from({ length: 29 }, () => 0o660));
        using same = member.dict('same', { mode: undefined });
        expect(SharedMemory.list().find((each) => each.name === same.name)?.mode).toBe(0o660);
        using own = member.dict('another', { mode: 0o604 });
        expect(SharedMemory.list().find((each) => each.name === own.name)?.mode).toBe(0o604);
        // For an existing object, the mode is not changed.
        manager.dict('another').close();
        expectCode(() => manager.dict('bad', { mode: 0o1000 }), 'ERR_OUT_OF_RANGE', 'mode');
        expectCode(() => manager.dict('bad', 5 as never), 'ERR_INVALID_ARG_TYPE', 'options');
      }
      const name = uniqueName('app');
      using manager = Manager.create({ name });
      makeEach(manager, 'mine');
      expect(modes(name)).toEqual(Array.from({ length: 15 }, () => 0o600));
    } finally {
      process.umask(before);
    }
  });

  it('has names of its own, which nobody else makes', () => {
    const name = uniqueName('app');
    const names = [name, `${name}.a`, `${name}@a`, `${name}%40a`, `${name}%2540a`, `%${name}`];
    const owns = ['b', 'a.b', 'a@b', '@', '.', '..', 'b%40'];
    const managers = names.map((each) => Manager.create({ name: each }));
    const values = managers.flatMap((manager) =>
      owns.map((own) => manager.value(own, { type: 'int32' })),
    );
    values.forEach((value, i) => expect([value.value, (value.value = i)]).toEqual([0, i]));
    for (const [i, value] of values.entries()) {
      using again = SharedValue.attach(value.name);
      using byHandle = attach(value.toJSON());
      expect([again.value, byHandle.value]).toEqual([i, i]);
    }
    // Plain names that look most like the name of such an object.
    for (const plain of [`${name}.a.b`, `${name}@b`, `${name}/b`.replace('/', '@')]) {
      using value = SharedValue.open(plain, { type: 'int32', value: -1 });
      expect(value.value).toBe(-1);
      value.unlink();
      using memory = SharedMemory.create({ name: plain, size: 1 });
      memory.unlink();
    }
    if (onLinux) {
      const listed = SharedMemory.list().map((each) => `${each.kind} ${each.name}`);
      for (const value of values) expect(listed).toContain(`value ${value.name}`);
    }
    const taken = `/${name}/new`;
    expectCode(() => SharedDict.open(taken), 'EINVAL', taken, 'manager');
    expectCode(() => SharedDict.create({ name: taken }), 'EINVAL', taken);
    expectCode(() => NamedLock.open(taken), 'EINVAL', taken);
    expectCode(() => SharedMemory.open(taken, { size: 1 }), 'EINVAL', taken);
    expectCode(() => SharedMemory.create({ name: taken, size: 1 }), 'EINVAL', taken);
    expectCode(() => SharedDict.attach(taken), 'ENOENT', taken);
    expectCode(() => SharedMemory.attach(taken), 'ENOENT', taken);
    for (const bad of ['/a', '//', '/a/', '//a', '/a/b/c', 'a/b']) {
      expectCode(() => SharedDict.attach(bad), 'EINVAL', bad);
    }
    const longest = 255 - 'shmkit.value@@'.length - Buffer.byteLength(name);
    if (!onWindows) {
      using long = managers[0]!.value('n'.repeat(longest), { type: 'int8' });
      expect(long.name).toHaveLength(longest + name.length + 2);
    }
    const tooLong = () => managers[0]!.value('n'.repeat(longest + 1));
    if (!onWindows)
      expectCode(tooLong, 'ENAMETOOLONG', `the maximum is ${longest + name.length + 2}`);
    using memory = managers[0]!.memory('memory', { size: 8 });
    memory.unlink();
    expectCode(() => SharedMemory.attach(memory.name), 'ENOENT');
    for (const value of values) value.close();
    for (const manager of managers) manager.shutdown();
  });

  it('keeps no note of what is gone, and all of what is there', () => {
    const name = uniqueName('app');
    const manager = Manager.create({ name });
    using member = Manager.attach(name);
    const bytes = () => (onLinux ? statSync(`/dev/shm/shmkit.manager.${name}`).blocks * 512 : 0);
    const stays = Array.from({ length: 100 }, (_, i) =>
      (i % 2 === 0 ? manager : member).lock(`stays ${i}`),
    );
    manager.memory('stays', { size: 1 }).close();
    const churn = (count: number) => {
      for (let i = 0; i < count; i++) {
        const at = i % 2 === 0 ? manager : member;
        using gone = i % 3 === 0 ? at.memory(undefined, { size: 1 }) : at.event(`gone ${i}`);
        gone.unlink();
        // An object that comes again may or may not have been recorded.
        using again = at.event(`again ${i % 5}`);
        if (i % 7 === 0) again.unlink();
      }
    };
    churn(300);
    const before = bytes();
    churn(3000);
    expect(bytes()).toBe(before);
    for (const each of stays) each.close();
    manager.memory('stays').close();
    for (let i = 0; i < 100; i++) NamedLock.attach(`/${name}/stays ${i}`).close();
    manager.shutdown();
    expect(leftOf(name)).toEqual([]);
  });

  it('has room for notes as its capacity says', () => {
    using manager = Manager.create({ name: uniqueName('app'), capacity: 1 << 16 });
    const fill = () => {
      for (let i = 0; ; i++) manager.event(`${i}${'x'.repeat(150)}`).close();
    };
    expectCode(fill, 'ERR_CAPACITY', manager.name, 'capacity');
    using one = manager.event(`0${'x'.repeat(150)}`);
    expect(one.isSet).toBe(false);
    // There is room again when one of the objects is gone.
    one.unlink();
    manager.event(`new${'x'.repeat(140)}`).close();
    expectCode(() => Manager.create({ capacity: 5 }), 'ERR_OUT_OF_RANGE', 'capacity');
    expectCode(() => Manager.open('x', { capacity: 5 }), 'ERR_OUT_OF_RANGE', 'capacity');
  });

  it('unlinks what others have unlinked already, or hold', () => {
    const name = uniqueName('app');
    const manager = Manager.create({ name });
    manager.dict('dict').unlink();
    const lock = manager.lock('lock');
    const guard = lock.acquireSync();
    manager.memory('memory', { size: 1 });
    manager.shutdown();
    guard.release();
    expect(leftOf(name)).toEqual([]);
    expectCode(() => lock.acquireSync(), 'ERR_SHUTDOWN', lock.name);
    expectCode(() => NamedLock.attach(`/${name}/lock`), 'ENOENT');
  });

  it.runIf(onLinux).each<[string, (name: string, note: string) => void]>([
    [
      'leads astray',
      (name, note) => overwriteElement('manager', name, note, (words) => (words[1] = -1)),
    ],
    [
      'is longer than its memory',
      (name, note) => overwriteElement('manager', name, note, (words) => (words[0]! |= 1 << 30)),
    ],
    [
      'is of no type',
      (name, note) => overwriteElement('manager', name, note, (words) => (words[0]! |= 15)),
    ],
    ['is of no kind', (name, note) => overwrite('manager', name, note, 'x'.repeat(note.length))],
    ['is of another', (name, note) => overwrite('manager', name, note, note.toUpperCase())],
  ])('unlinks all the rest where a note %s', (_, spoil) => {
    const name = uniqueName('app');
    const manager = Manager.create({ name });
    const own = ['one', 'two', 'three', 'four', 'five'];
    for (const each of own) manager.event(each).close();
    spoil(name, `event /${name}/three`);
    manager.shutdown();
    expect(leftOf(name)).toEqual([`shmkit.event@${name}@three`]);
    NamedEvent.unlink(`/${name}/three`);
  });

  it('that is closed by its creator lives on with others, and dies with the last', () => {
    const name = uniqueName('app');
    const manager = Manager.create({ name });
    const list = manager.list('list');
    list.push(1);
    const worker = Manager.attach(name);
    const same = worker.list('list');
    list.close();
    manager.close();
    expectCode(() => Manager.create({ name }), 'EEXIST', name);
    expect(same.length).toBe(1);
    same.close();
    const again = worker.list('list');
    expect(again.length).toBe(1);
    again.close();
    worker.close();
    expectLeft(name, 2);
    expectCode(() => Manager.attach(name), 'ENOENT', onWindows ? 'none' : 'is dead');
    using next = Manager.create({ name });
    expect(next.list('list').length).toBe(0);
  });
});

describe('who takes part', () => {
  interface Report {
    name: string;
    isList: boolean;
    length: number;
  }
  type Start = (manager: Manager, dict: SharedDict) => Promise<Report>;
  const member = fixturePath('manager/member');

  const environment = (manager: Manager) => ({ ...process.env, ...manager.env() });

  const ways: [string, Start][] = [
    [
      'fork, by the environment',
      async (manager) => {
        const child = fork(member, { env: environment(manager) });
        const [[report]] = (await Promise.all([once(child, 'message'), once(child, 'exit')])) as [
          [Report],
          unknown,
        ];
        return report;
      },
    ],
    [
      'fork, by a message',
      async (manager, dict) => {
        const child = fork(member, ['listen']);
        child.send({ manager: manager.toJSON(), dict: dict.toJSON() });
        const [[report]] = (await Promise.all([once(child, 'message'), once(child, 'exit')])) as [
          [Report],
          unknown,
        ];
        return report;
      },
    ],
    [
      'spawn, by the environment',
      async (manager) => {
        const child = spawn(process.execPath, [member], { env: environment(manager) });
        let said = '';
        child.stdout.on('data', (text) => (said += String(text)));
        await once(child, 'close');
        return JSON.parse(said) as Report;
      },
    ],
    [
      'cluster',
      async (manager) => {
        cluster.setupPrimary({ exec: member });
        const worker = cluster.fork(manager.env());
        const [[report]] = (await Promise.all([once(worker, 'message'), once(worker, 'exit')])) as [
          [Report],
          unknown,
        ];
        return report;
      },
    ],
    [
      'a worker thread, by its data',
      async (manager, dict) => {
        const workerData = { manager: manager.toJSON(), dict: dict.toJSON() };
        const worker = new Worker(member, { workerData });
        const [[report]] = (await Promise.all([once(worker, 'message'), once(worker, 'exit')])) as [
          [Report],
          unknown,
        ];
        return report;
      },
    ],
  ];

  it.each(ways)('shares all of it, and takes nothing away by its end: %s', async (_, begin) => {
    const name = uniqueName('app');
    using manager = Manager.create({ name });
    const dict = manager.dict('dict');
    const list = manager.list('list');
    const sum = manager.value('sum', { type: 'int32' });
    dict.set('list', list);
    const report = await begin(manager, dict);
    expect(report).toEqual({ name, isList: true, length: 1 });
    expect([list.at(0), sum.value]).toEqual(['from a member', 1]);
    // Where an object is removed with its last handle, it was removed with the member.
    if (onWindows) expectCode(() => dict.get('mine'), 'ENOENT', 'made by a member');
    else expect((dict.get('mine') as { name: string }).name).toBe(`/${name}/made by a member`);
    expectLeft(name, 5);
    expect(manager.event('made by a member').isSet).toBe(false);
    manager.shutdown();
    expect(leftOf(name)).toEqual([]);
  });
});

describe('the owner', () => {
  type Case = [string, string, NodeJS.Signals | string, number | NodeJS.Signals];
  const bySignals: Case[] = [
    ['gets SIGINT', 'stay', 'SIGINT', 'SIGINT'],
    ['gets SIGTERM', 'stay', 'SIGTERM', 'SIGTERM'],
    ['exits by its own handler of SIGINT', 'handles signals', 'SIGINT', 3],
  ];

  it.each<Case>([
    ['exits', 'stay', 'exit', 5],
    ['has nothing left to do', 'stay', 'return', 0],
    ['throws what nobody catches', 'stay', 'throw', 1],
    ['rejects what nobody catches', 'stay', 'reject', 1],
    // On Windows these signals end a process at once, and none of its code runs.
    ...(onWindows ? [] : bySignals),
  ])('that %s leaves nothing', async (_, how, word, expected) => {
    const name = uniqueName('app');
    const owner = start('manager/owner', [name, how]);
    expect(await owner.hear()).toBe('owns');
    expect(leftOf(name)).toEqual(owned(name));
    const member = Manager.attach(name);
    const list = member.list('list');
    if (word.startsWith('SIG')) owner.process.kill(word as NodeJS.Signals);
    else owner.tell(word);
    const { code, signal } = await owner.exit;
    expect(signal ?? code).toBe(expected);
    expect(leftOf(name)).toEqual([]);
    expectCode(() => member.list('list'), 'ERR_SHUTDOWN', 'shut down');
    expectCode(() => list.toArray(), 'ERR_SHUTDOWN', list.name);
    member.close();
  });

  it.skipIf(onWindows)('that handles a signal itself, and goes on, keeps its manager', async () => {
    const name = uniqueName('app');
    const owner = start('manager/owner', [name, 'handles signals']);
    expect(await owner.hear()).toBe('owns');
    owner.process.kill('SIGTERM');
    expect(await owner.hear()).toBe('heard SIGTERM');
    expect(leftOf(name)).toEqual(owned(name));
    owner.tell('exit');
    expect((await owner.exit).code).toBe(5);
    expect(leftOf(name)).toEqual([]);
  });

  it.skipIf(onWindows)(
    'that has shut it down, or left it, ends by signals as any other',
    async () => {
      for (const how of ['dispose', 'leave']) {
        const name = uniqueName('app');
        const owner = start('manager/owner', [name, how]);
        expect(await owner.hear()).toBe('owns');
        expect(await owner.kill('SIGTERM')).toEqual({ code: null, signal: 'SIGTERM' });
        expect(leftOf(name)).toEqual(how === 'leave' ? owned(name) : []);
        if (how === 'leave') Manager.unlink(name);
        expect(leftOf(name)).toEqual([]);
      }
    },
  );

  it('adds no listener but where native does not do, and while it owns one', () => {
    const counts = () => ['exit', 'SIGINT', 'SIGTERM'].map((each) => process.listenerCount(each));
    const before = counts();
    const managers = [Manager.create(), Manager.create()];
    const more = [onLinux ? 0 : 1, onWindows ? 1 : 0, onWindows ? 1 : 0];
    expect(counts()).toEqual(before.map((count, index) => count + more[index]!));
    Manager.attach(managers[0]!.name).close();
    for (const manager of managers) manager.shutdown();
    expect(counts()).toEqual(before);
  });
});

describe('who is killed', () => {
  it.skipIf(onWindows)(
    'leaves a corpse, which attach() tells of and create() removes',
    async () => {
      const name = uniqueName('app');
      const owner = start('manager/owner', [name, 'stay']);
      expect(await owner.hear()).toBe('owns');
      await owner.kill();
      expect(leftOf(name)).toEqual(owned(name));
      expectCode(() => Manager.attach(name), 'ENOENT', name, 'is dead');
      expectCode(() => Manager.attach(name), 'ENOENT', 'is dead');
      using manager = Manager.create({ name });
      expect(leftOf(name)).toEqual([`shmkit.manager.${name}`]);
      expect(manager.dict('dict').size).toBe(0);
      const guard = manager.lock('lock').tryAcquire();
      expect(guard).toMatchObject({ abandoned: false });
      guard!.release();
    },
  );

  it('was the owner, and a member keeps it alive as long as it takes part', async () => {
    const name = uniqueName('app');
    const owner = start('manager/owner', [name, 'stay']);
    expect(await owner.hear()).toBe('owns');
    const member = start('manager/member', ['stay'], { env: { SHMKIT_MANAGER: name } });
    expect(await member.hear()).toBe('takes part');
    await owner.kill();
    expectCode(() => Manager.create({ name }), 'EEXIST', name);
    {
      using other = Manager.attach(name);
      // Where an object is removed with its last handle, these were removed with the owner: no other
      // process had them.
      using dict = other.dict('dict');
      expect(dict.get('a')).toBe(onWindows ? undefined : 1);
      using lock = other.lock('lock');
      const guard = lock.acquireSync();
      expect(guard.abandoned).toBe(!onWindows);
      guard.release();
    }
    await member.kill();
    expectCode(() => Manager.attach(name), 'ENOENT', onWindows ? 'none' : 'is dead');
    Manager.create({ name }).shutdown();
    expect(leftOf(name)).toEqual([]);
  });

  it('leaves what one of many that come at once removes, and makes anew', async () => {
    for (let round = 0; round < 3; round++) {
      const name = uniqueName('app');
      if (round > 0) {
        const owner = start('manager/owner', [name, 'stay']);
        await owner.hear();
        await owner.kill();
      }
      const racers = Array.from({ length: 6 }, () => start('manager/racer', [name]));
      for (const racer of racers) expect(await racer.hear()).toBe('ready');
      for (const racer of racers) racer.tell('go');
      const all = await Promise.all(
        racers.map((racer) => racer.hear<{ code: string; seen?: string[] }>()),
      );
      expect(all.map(({ code }) => code).sort()).toEqual([
        ...Array.from({ length: 5 }, () => 'EEXIST'),
        'fine',
      ]);
      expect(all.find(({ code }) => code === 'fine')?.seen).toEqual(['creator']);
      for (const racer of racers) racer.tell('end');
      for (const racer of racers) await racer.succeed();
      expect(leftOf(name)).toEqual([]);
    }
  });
});
