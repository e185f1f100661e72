// What all named objects have in common: names, handles, closing, unlinking, and the treatment of an object
// with any content under a name.
import {
  copyFileSync,
  readFileSync,
  readdirSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import {
  NamedBarrier,
  NamedCondition,
  NamedEvent,
  NamedLock,
  NamedRLock,
  NamedRWLock,
  NamedSemaphore,
  SharedArray,
  SharedValue,
  attach,
  type Handle,
} from 'shmkit';
import { describe, expect, it } from 'vitest';
import { kindNumbers, layout, type ObjectKind } from '../../../lib/shm/core/layout';
import { aKind } from '../../../lib/shm/core/names';
import { temporary } from '../../support/temporaries';
import { start } from '../../support/children';
import { expectCode, expectRejection } from '../../support/errors';
import { uniqueName } from '../../support/names';
import { nameLimitBytes, onLinux } from '../../support/system';

interface Shared extends Disposable {
  readonly name: string;
  readonly closed: boolean;
  close(): void;
  unlink(): void;
  toJSON(): Handle;
}

interface Kind<T extends Shared = Shared> {
  readonly kind: ObjectKind;
  readonly class: {
    readonly name: string;
    create(options: object): T;
    attach(name: string): T;
    open(name: string, options: object): T;
    unlink(name: string): void;
  };
  /** The options that `create` and `open` need. */
  readonly needs: object;
  /** The options besides name and mode. */
  readonly options: readonly string[];
  /** Changes what other handles see. The returned function changes it back. */
  readonly change: (object: T) => () => void;
  readonly state: (object: T) => unknown;
  /** Acquires something that prevents closing. The returned function releases it. */
  readonly hold?: (object: T) => () => void;
  /** The path of a method that acquires something, and whether it is held by any thread. */
  readonly holds?: string[];
  readonly isHeld?: (object: T) => boolean;
  /** Operations that are refused after closing. */
  readonly uses: Record<string, (object: T) => unknown>;
}

function kind<T extends Shared>(parts: Kind<T>): Kind {
  return parts as unknown as Kind;
}

const kinds: Kind[] = [
  kind<NamedRLock>({
    kind: 'rlock',
    class: NamedRLock,
    needs: {},
    options: [],
    change: (lock) => {
      lock.acquireSync();
      return () => lock.release();
    },
    state: (lock) => lock.locked,
    hold: (lock) => {
      const guard = lock.acquireSync();
      return () => guard.release();
    },
    holds: ['acquireSync'],
    isHeld: (lock) => lock.locked,
    uses: {
      locked: (lock) => lock.locked,
      acquireSync: (lock) => lock.acquireSync(),
      acquire: (lock) => lock.acquire(),
      tryAcquire: (lock) => lock.tryAcquire(),
      runExclusiveSync: (lock) => lock.runExclusiveSync(() => 1),
      runExclusive: (lock) => lock.runExclusive(() => 1),
    },
  }),
  kind<NamedSemaphore>({
    kind: 'semaphore',
    class: NamedSemaphore,
    needs: { value: 3 },
    options: ['value', 'max', 'participants'],
    change: (semaphore) => {
      const guard = semaphore.acquireSync();
      return () => guard.release();
    },
    state: (semaphore) => semaphore.value,
    hold: (semaphore) => {
      const guard = semaphore.acquireSync();
      return () => guard.release();
    },
    holds: ['acquireSync'],
    isHeld: (semaphore) => semaphore.value < 3,
    uses: {
      value: (semaphore) => semaphore.value,
      acquireSync: (semaphore) => semaphore.acquireSync(),
      acquire: (semaphore) => semaphore.acquire(),
      tryAcquire: (semaphore) => semaphore.tryAcquire(),
      release: (semaphore) => semaphore.release(),
    },
  }),
  kind<NamedEvent>({
    kind: 'event',
    class: NamedEvent,
    needs: {},
    options: [],
    change: (event) => {
      event.set();
      return () => event.clear();
    },
    state: (event) => event.isSet,
    uses: {
      isSet: (event) => event.isSet,
      set: (event) => event.set(),
      clear: (event) => event.clear(),
      wait: (event) => event.wait(),
      waitSync: (event) => event.waitSync(),
    },
  }),
  kind<NamedCondition>({
    kind: 'condition',
    class: NamedCondition,
    needs: {},
    options: ['participants'],
    change: (condition) => {
      condition.lock.acquireSync();
      return () => condition.lock.release();
    },
    state: (condition) => condition.lock.locked,
    hold: (condition) => {
      const guard = condition.lock.acquireSync();
      return () => guard.release();
    },
    holds: ['lock', 'acquireSync'],
    isHeld: (condition) => condition.lock.locked,
    uses: {
      'lock.acquireSync': (condition) => condition.lock.acquireSync(),
      'lock.acquire': (condition) => condition.lock.acquire(),
      wait: (condition) => condition.wait(),
      waitSync: (condition) => condition.waitSync(),
      waitFor: (condition) => condition.waitFor(() => true),
      waitForSync: (condition) => condition.waitForSync(() => true),
      notify: (condition) => condition.notify(),
      notifyAll: (condition) => condition.notifyAll(),
    },
  }),
  kind<NamedBarrier>({
    kind: 'barrier',
    class: NamedBarrier,
    needs: { parties: 2 },
    options: ['parties', 'action', 'timeout', 'participants'],
    change: (barrier) => {
      barrier.abort();
      return () => barrier.reset();
    },
    state: (barrier) => barrier.broken,
    uses: {
      wait: (barrier) => barrier.wait(),
      waitSync: (barrier) => barrier.waitSync(),
      abort: (barrier) => barrier.abort(),
      reset: (barrier) => barrier.reset(),
      broken: (barrier) => barrier.broken,
      waiting: (barrier) => barrier.waiting,
    },
  }),
  kind<NamedRWLock>({
    kind: 'rwlock',
    class: NamedRWLock,
    needs: {},
    options: ['participants'],
    change: (lock) => {
      const guards = [lock.acquireReadSync(), lock.acquireReadSync()];
      return () => guards.forEach((guard) => guard.release());
    },
    state: (lock) => [lock.readers, lock.writing],
    hold: (lock) => {
      const guard = lock.acquireWriteSync();
      return () => guard.release();
    },
    holds: ['acquireWriteSync'],
    isHeld: (lock) => lock.writing,
    uses: {
      readers: (lock) => lock.readers,
      writing: (lock) => lock.writing,
      acquireRead: (lock) => lock.acquireRead(),
      acquireReadSync: (lock) => lock.acquireReadSync(),
      tryAcquireRead: (lock) => lock.tryAcquireRead(),
      acquireWrite: (lock) => lock.acquireWrite(),
      acquireWriteSync: (lock) => lock.acquireWriteSync(),
      tryAcquireWrite: (lock) => lock.tryAcquireWrite(),
    },
  }),
  kind<SharedValue<'int32'>>({
    kind: 'value',
    class: SharedValue,
    needs: { type: 'int32' },
    options: ['type', 'value'],
    change: (value) => {
      value.add(5);
      return () => value.add(-5);
    },
    state: (value) => value.value,
    hold: (value) => {
      const guard = value.lock.acquireSync();
      return () => guard.release();
    },
    holds: ['lock', 'acquireSync'],
    isHeld: (value) => value.lock.locked,
    uses: {
      value: (value) => value.value,
      'value =': (value) => (value.value = 1),
      add: (value) => value.add(1),
      exchange: (value) => value.exchange(1),
      compareExchange: (value) => value.compareExchange(0, 1),
      update: (value) => value.update(() => 1),
      wait: (value) => value.wait(0),
      waitSync: (value) => value.waitSync(0),
      notify: (value) => value.notify(),
      'lock.acquireSync': (value) => value.lock.acquireSync(),
      'lock.acquire': (value) => value.lock.acquire(),
    },
  }),
  kind<SharedArray<'float64'>>({
    kind: 'array',
    class: SharedArray,
    needs: { type: 'float64', length: 4 },
    options: ['type', 'length'],
    change: (array) => {
      array.set([1, 2, 3, 4]);
      return () => array.fill(0);
    },
    state: (array) => [...array],
    hold: (array) => {
      const guard = array.lock.acquireSync();
      return () => guard.release();
    },
    holds: ['lock', 'acquireSync'],
    isHeld: (array) => array.lock.locked,
    uses: {
      array: (array) => array.array,
      at: (array) => array.at(0),
      set: (array) => array.set(0, 1),
      'set several': (array) => array.set([1]),
      fill: (array) => array.fill(1),
      slice: (array) => array.slice(),
      iteration: (array) => [...array],
      add: (array) => array.add(0, 1),
      exchange: (array) => array.exchange(0, 1),
      compareExchange: (array) => array.compareExchange(0, 0, 1),
      update: (array) => array.update(0, () => 1),
      wait: (array) => array.wait(0, 0),
      waitSync: (array) => array.waitSync(0, 0),
      notify: (array) => array.notify(),
      'lock.acquireSync': (array) => array.lock.acquireSync(),
      'lock.acquire': (array) => array.lock.acquire(),
    },
  }),
];

const byClass = kinds.map((each) => [aKind(each.kind), each] as const);

/** Handles to a lock that was unlinked switch to its successor (rlock.test.ts). */
const keeping = byClass.filter(([, each]) => each.kind !== 'rlock');

/** The mapping of a creator has no name. */
function isMapped(name: string): boolean {
  return readFileSync('/proc/self/maps', 'latin1').includes(name);
}

function pathOf(of: ObjectKind, name: string): string {
  return `/dev/shm/shmkit.${of}.${name}`;
}

describe.each(byClass)('%s', (_, { kind: own, class: Class, needs, options, ...how }) => {
  it('creates exclusively, attaches to what is there, opens either', () => {
    const name = uniqueName();
    expectCode(() => Class.attach(name), 'ENOENT', name);
    expectCode(() => Class.unlink(name), 'ENOENT', name);
    using made = Class.open(name, needs);
    expect([made.name, made.closed]).toEqual([name, false]);
    const undo = how.change(made);
    const changed = how.state(made);
    expectCode(() => Class.create({ name, ...needs }), 'EEXIST', name);
    for (const other of [Class.attach(name), Class.open(name, needs)]) {
      expect(other).toBeInstanceOf(Class);
      expect(how.state(other), 'what is there stays as it is').toEqual(changed);
      other.close();
    }
    undo();
    expect(how.state(made)).not.toEqual(changed);
    Class.unlink(name);
    expectCode(() => Class.attach(name), 'ENOENT', name);
  });

  it('makes up a new name when given none', () => {
    using made = temporary(Class.create({ ...needs }));
    using other = temporary(Class.create({ ...needs }));
    expect(made.name).not.toBe(other.name);
    Class.attach(made.name).close();
  });

  it('comes back from its handle as its class', () => {
    using made = temporary(Class.create({ ...needs }));
    const handle = JSON.parse(JSON.stringify(made)) as Handle;
    expect(handle).toEqual({ shmkit: own, name: made.name });
    expect(handle).toEqual(made.toJSON());
    using back = attach(handle);
    expect(back).toBeInstanceOf(Class);
    const undo = how.change(made);
    expect(how.state(back as unknown as Shared)).toEqual(how.state(made));
    undo();
  });

  it('closes once and for all', async () => {
    const made = Class.create({ ...needs });
    const { name } = made;
    const kept = Class.attach(name);
    made.close();
    made.close();
    expect(made.closed).toBe(true);
    for (const use of Object.values(how.uses)) {
      await expectRejection(new Promise((resolve) => resolve(use(made))), 'ERR_CLOSED', name);
    }
    expect([made.name, made.toJSON().name], 'what it was').toEqual([name, name]);
    made.unlink();
    expectCode(() => made.unlink(), 'ENOENT', name);
    expectCode(() => Class.attach(name), 'ENOENT', name);
    kept.close();
  });

  it('closes at the end of a `using` block', () => {
    let kept: Shared;
    {
      using made = Class.create({ ...needs });
      kept = made;
      made.unlink();
    }
    expect(kept.closed).toBe(true);
  });

  it.runIf(how.hold)('is not closed while something is held through the handle', () => {
    using made = temporary(Class.create({ ...needs }));
    using other = Class.attach(made.name);
    const letGo = how.hold!(made);
    expectCode(() => made.close(), 'EBUSY', made.name, 'release');
    expect(made.closed).toBe(false);
    other.close();
    letGo();
    made.close();
    expect(made.closed).toBe(true);
  });

  it('refuses bad names, and options that are misspelt or none', () => {
    const create = (more: object) => () => Class.create({ ...needs, ...more });
    for (const name of ['', 'a/b', 'a\0b', '.', '..', '\ud800']) {
      expectCode(create({ name }), 'EINVAL');
      expectCode(() => Class.attach(name), 'EINVAL');
      expectCode(() => Class.open(name, needs), 'EINVAL');
      expectCode(() => Class.unlink(name), 'EINVAL');
    }
    const long = 'x'.repeat(nameLimitBytes - 'shmkit..'.length - own.length);
    expectCode(create({ name: `${long}x` }), 'ENAMETOOLONG');
    const longest = create({ name: long })();
    Class.unlink(long);
    longest.close();
    for (const name of [1, null, {}] as never[]) {
      expectCode(create({ name }), 'ERR_INVALID_ARG_TYPE', 'name');
      expectCode(() => Class.attach(name), 'ERR_INVALID_ARG_TYPE', 'name');
      expectCode(() => Class.open(name, needs), 'ERR_INVALID_ARG_TYPE', 'name');
      expectCode(() => Class.unlink(name), 'ERR_INVALID_ARG_TYPE', 'name');
    }
    const name = uniqueName();
    for (const option of ['mode', ...options]) {
      for (const misspelt of [`${option}s`, option.toUpperCase(), ` ${option}`]) {
        expectCode(create({ [misspelt]: 1 }), 'ERR_INVALID_ARG_VALUE', misspelt, option);
        const opening = { ...needs, [misspelt]: 1 };
        expectCode(() => Class.open(name, opening), 'ERR_INVALID_ARG_VALUE', misspelt, option);
      }
    }
    const named = { ...needs, name };
    expectCode(() => Class.open(name, named), 'ERR_INVALID_ARG_VALUE', 'name');
    for (const none of [null, 1, 'x', true] as never[]) {
      expectCode(() => Class.create(none), 'ERR_INVALID_ARG_TYPE', 'options');
      expectCode(() => Class.open(name, none), 'ERR_INVALID_ARG_TYPE', 'options');
    }
    for (const mode of [-1, 0o1000, 1.5, NaN]) {
      expectCode(create({ mode }), 'ERR_OUT_OF_RANGE', 'mode');
    }
    expectCode(create({ mode: '600' }), 'ERR_INVALID_ARG_TYPE', 'mode');
    expectCode(() => Class.attach(name), 'ENOENT', name);
  });

  it.runIf(onLinux)('has the permission bits that it was given, whatever the umask', () => {
    const before = process.umask(0o022);
    try {
      for (const umask of [0, 0o022, 0o077, 0o777]) {
        process.umask(umask);
        for (const mode of [undefined, 0o600, 0o640, 0o660, 0o666]) {
          using made = temporary(Class.create({ ...needs, ...(mode !== undefined && { mode }) }));
          expect(statSync(pathOf(own, made.name)).mode & 0o777).toBe(mode ?? 0o600);
          using opened = temporary(Class.open(uniqueName(), { ...needs, mode: mode ?? 0o600 }));
          expect(statSync(pathOf(own, opened.name)).mode & 0o777).toBe(mode ?? 0o600);
        }
      }
    } finally {
      process.umask(before);
    }
  });

  it.runIf(onLinux)('lets go of the object when nobody closed it and it is collected', async () => {
    const name = uniqueName();
    (() => {
      Class.create({ name, ...needs }).close();
      for (const each of [Class.attach(name), Class.attach(name)]) {
        how.change(each)();
        how.hold?.(each)();
      }
    })();
    while (isMapped(name)) {
      globalThis.gc!();
      await delay(1);
    }
    Class.unlink(name);
  });

  it.runIf(how.holds)('keeps what is held, handle or no handle', async () => {
    using made = temporary(Class.create({ ...needs }));
    const child = start('sync/forgets', [made, how.holds], { execArgv: ['--expose-gc'] });
    expect(await child.hear()).toBe('collected');
    expect(how.isHeld!(made)).toBe(true);
    await child.kill();
    expect(how.isHeld!(made)).toBe(false);
    how.hold!(made)();
  });
});

describe.each(keeping)('%s, unlinked,', (_, { class: Class, needs, change, state }) => {
  it('is kept by those who are attached, and makes room for another', () => {
    const name = uniqueName();
    using one = Class.create({ name, ...needs });
    using two = Class.attach(name);
    const undo = change(one);
    one.unlink();
    expectCode(() => Class.attach(name), 'ENOENT', name);
    expectCode(() => two.unlink(), 'ENOENT', name);
    using successor = Class.create({ name, ...needs });
    expect(state(two)).toEqual(state(one));
    expect(state(successor)).not.toEqual(state(one));
    undo();
    expect(state(two)).toEqual(state(successor));
    expectCode(() => one.unlink(), 'ENOENT', name);
    successor.unlink();
  });

  it('leaves a name alone that is another’s by now, also when it is closed', () => {
    const name = uniqueName();
    const one = Class.create({ name, ...needs });
    one.unlink();
    one.close();
    using successor = Class.create({ name, ...needs });
    expectCode(() => one.unlink(), 'ENOENT', name);
    Class.attach(name).close();
    successor.unlink();
  });
});

describe('handles of all kinds', () => {
  it('go to a forked child and back as messages', async () => {
    const objects = [
      ...kinds.map(({ class: Class, needs }) => Class.create({ ...needs })),
      NamedLock.create(),
    ];
    const child = start('sync/handles', [], { way: 'fork' });
    child.process.send(objects);
    const [message] = (await once(child.process, 'message')) as [
      { objects: Handle[]; classes: string[] },
    ];
    expect(message.objects).toEqual(objects.map((object) => object.toJSON()));
    expect(message.classes).toEqual(objects.map((object) => object.constructor.name));
    await child.succeed();
    for (const [i, object] of objects.entries()) {
      using back = attach(message.objects[i]!);
      expect(back.constructor).toBe(object.constructor);
      object.unlink();
      object.close();
    }
  });

  it('are refused when they are none', () => {
    for (const none of [undefined, null, 1, 'x', {}, []] as never[]) {
      expectCode(() => attach(none), 'ERR_INVALID_ARG_TYPE', 'handle');
    }
    for (const shmkit of ['', 'mutex', 'toString', 1] as never[]) {
      expectCode(() => attach({ shmkit, name: 'x' }), 'ERR_OUT_OF_RANGE', 'handle.shmkit');
    }
    for (const { kind: shmkit } of kinds) {
      expectCode(() => attach({ shmkit } as never), 'ERR_INVALID_ARG_TYPE', 'name');
    }
  });
});

describe.runIf(onLinux)('an object under the name of another kind', () => {
  it.each(byClass)('is refused: %s', (_, { kind: own, class: Class, needs }) => {
    const name = uniqueName();
    using lock = temporary(NamedLock.create({ name }));
    const others = kinds.filter((each) => each.kind !== own);
    const made = others.map((each) => each.class.create({ name, ...each.needs }));
    for (const other of ['lock' as const, ...others.map((each) => each.kind)]) {
      copyFileSync(pathOf(other, lock.name), pathOf(own, name));
      const what = `kind ${kindNumbers[other]}`;
      expectCode(() => Class.attach(name), 'ERR_WRONG_KIND', name, what);
      expectCode(() => Class.open(name, needs), 'ERR_WRONG_KIND', name, what);
      expectCode(() => Class.create({ name, ...needs }), 'EEXIST', name);
      Class.unlink(name);
      expect(readdirSync('/dev/shm')).not.toContain(`shmkit.${own}.${name}`);
    }
    for (const each of made) {
      each.unlink();
      each.close();
    }
  });
});

/** A header field: its position, its length, and a value that it must not have. */
type Flaw = [field: string, at: number, bytes: 4 | 8, value: bigint];

const flaws: Flaw[] = [
  ...[0n, 1n, 64n, 255n, 257n, 300n, 2n ** 32n - 64n, 2n ** 32n - 1n].map((value): Flaw => [
    'data offset',
    layout.dataAtAt,
    4,
    value,
  ]),
  // This leaves no room for a single word.
  ['data offset', layout.dataAtAt, 4, BigInt(layout.headerBytes)],
  ...[0n, 1n, 255n, 256n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n].map((value): Flaw => [
    'size',
    layout.sizeAt,
    8,
    value,
  ]),
];

const ofTyped: Flaw[] = [
  ...[0n, 11n, 77n, 2n ** 31n, 2n ** 32n - 1n].map((value): Flaw => [
    'type',
    layout.typeAt,
    4,
    value,
  ]),
  ...[0n, 1000n, 2n ** 32n, 2n ** 53n, 2n ** 61n, 2n ** 63n, 2n ** 64n - 1n].map((value): Flaw => [
    'length',
    layout.lengthAt,
    8,
    value,
  ]),
];

const ofParties: Flaw[] = [0n, 2n ** 31n, 2n ** 53n, 2n ** 64n - 1n].map((value): Flaw => [
  'parties',
  layout.lengthAt,
  8,
  value,
]);

describe.runIf(onLinux)('a header that makes no sense', () => {
  it.each(byClass)('is refused: %s', (_, { kind: own, class: Class, needs }) => {
    const name = uniqueName();
    const path = pathOf(own, name);
    Class.create({ name, ...needs }).close();
    const whole = readFileSync(path);
    const isTyped = own === 'value' || own === 'array';
    const hasWords = own !== 'rlock';
    const all = [...flaws, ...(isTyped ? ofTyped : []), ...(own === 'barrier' ? ofParties : [])];
    for (const [field, at, bytes, value] of all) {
      if (!hasWords && value === BigInt(layout.headerBytes)) continue;
      const flawed = Buffer.from(whole);
      if (bytes === 4) flawed.writeUint32LE(Number(value), at);
      else flawed.writeBigUint64LE(value, at);
      writeFileSync(path, flawed, { flag: 'r+' });
      const what = `${field} ${value}: `;
      let got = 'fine';
      try {
        Class.attach(name).close();
      } catch (error) {
        got = String((error as NodeJS.ErrnoException).code);
        expect((error as Error).message).toContain(name);
      }
      expect(what + got).toBe(`${what}ERR_CORRUPT`);
      expectCode(() => Class.open(name, needs), 'ERR_CORRUPT', name, /unlink\(\)/);
    }
    // No part of it stays mapped.
    expect(isMapped(name)).toBe(false);
    Class.unlink(name);
    expectCode(() => Class.attach(name), 'ENOENT', name);
  });

  it.each(byClass)('or any other flipped byte does no harm: %s', async (_, parts) => {
    const { kind: own, class: Class, needs } = parts;
    const made = Class.create({ ...needs });
    const path = pathOf(own, made.name);
    made.close();
    const whole = readFileSync(path);
    const offsets = [...whole.keys()].filter(
      (at) => at < layout.mutexAt || (at >= layout.headerBytes && at < layout.headerBytes + 64),
    );
    const child = start('sync/header-fuzz', [made, path, [...whole], offsets]);
    expect(await child.hear()).toEqual({ rounds: offsets.length * 3 });
    await child.succeed();
    Class.attach(made.name).close();
    unlinkSync(path);
  });
});
