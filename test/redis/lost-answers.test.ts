// One answer is lost, at each verb of each class: the request was executed, and the connection is cut before its answer
// arrives. A verb that can be repeated has done what it does once. Another one says that it may have done it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as dictScripts from '../../lib/redis/scripts/dict';
import * as eventScripts from '../../lib/redis/scripts/event';
import * as lockScripts from '../../lib/redis/scripts/lock';
import * as nameScripts from '../../lib/redis/scripts/names';
import * as rwScripts from '../../lib/redis/scripts/rw-lock';
import * as semaphoreScripts from '../../lib/redis/scripts/semaphore';
import * as valueScripts from '../../lib/redis/scripts/value';
import type { Script } from '../../lib/redis/wire/script';
import { uniqueName } from '../support/names';
import { expectRejection } from './support/errors';
import { Proxy } from './support/proxy';
import { RedisServer, noServer, onServer } from './support/server';
import { lastingKeys, load, openSession, redis, type Session } from './support/sessions';

const { acquireLock, isLocked, releaseLock } = lockScripts;
const { clearEvent, isEventSet, setEvent, waitEvent } = eventScripts;
const { addValue, compareExchangeValue, exchangeValue, notifyValue } = valueScripts;
const { readValue, setValueLocked, waitValue } = valueScripts;
const { acquirePermit, addPermit, readSemaphore } = semaphoreScripts;
const { releasePermit, releasePermits } = semaphoreScripts;
const { acquireRW, readRW, releaseRW } = rwScripts;
const { addToEntry, claimEntry, clearDict, deleteEntry, fulfilClaim, getEntry } = dictScripts;
const { hasEntry, renounceClaim, scanDict, setEntry, sizeOfDict, swapEntry, useEntry } =
  dictScripts;

/** An object by two sessions: `lossy` loses an answer, `sure` does not. */
interface Pair<T> {
  readonly lossy: T;
  readonly sure: T;
  readonly sessions: { readonly lossy: Session; readonly sure: Session };
  /** Runs a verb whose answer is lost. */
  readonly losing: <R>(script: Script, act: () => Promise<R>) => Promise<R>;
  /** Loses the next answer of a script. Resolves when that has happened. */
  readonly lost: (script: Script) => Promise<void>;
}

interface Case<T> {
  readonly script: Script;
  /** The whole test, for a verb that is repeated. It has to expect that the verb was done once. */
  readonly repeated?: (pair: Pair<T>) => Promise<void>;
  /** The verb, when it is not repeated. */
  readonly act?: (object: T) => Promise<unknown>;
  /** What is prepared first. */
  readonly before?: (object: T) => Promise<unknown>;
  /** Expects that the verb was done once, which its caller was not told. */
  readonly after?: (object: T) => Promise<void>;
}

type Lock = redis.NamedLock;
type RLock = redis.NamedRLock;
type RWLock = redis.NamedRWLock;
type Event = redis.NamedEvent;
type Value = redis.SharedValue<'int32'>;
type Semaphore = redis.NamedSemaphore;
type Dict = redis.SharedDict;

const ofLocks: Record<string, Case<Lock>> = {
  acquire: {
    script: acquireLock,
    repeated: async ({ lossy, sure, losing }) => {
      const guard = await losing(acquireLock, () => lossy.acquire());
      expect([guard.abandoned, await lossy.held(), await sure.tryAcquire()]).toEqual([
        false,
        true,
        null,
      ]);
      await guard.release();
      await (await sure.acquire({ timeout: 0 })).release();
    },
  },
  tryAcquire: {
    script: acquireLock,
    repeated: async ({ lossy, sure, losing }) => {
      const guard = await losing(acquireLock, () => lossy.tryAcquire());
      expect([guard?.abandoned, await sure.tryAcquire()]).toEqual([false, null]);
      await guard!.release();
    },
  },
  release: {
    script: releaseLock,
    repeated: async ({ lossy, sure, losing }) => {
      const guard = await lossy.acquire();
      const next = sure.acquire();
      await losing(releaseLock, () => guard.release());
      expect((await next).abandoned).toBe(false);
      await expectRejection(guard.release(), 'ERR_NOT_HELD');
      await (await next).release();
    },
  },
  'release by the handle': {
    script: releaseLock,
    repeated: async ({ lossy, sure, losing }) => {
      await lossy.acquire();
      await losing(releaseLock, () => lossy.release());
      expect([await lossy.held(), await sure.locked()]).toEqual([false, false]);
    },
  },
  runExclusive: {
    script: acquireLock,
    repeated: async ({ lossy, sure, losing }) => {
      let calls = 0;
      await losing(acquireLock, () => lossy.runExclusive(() => calls++));
      expect([calls, await sure.locked()]).toEqual([1, false]);
    },
  },
  locked: {
    script: isLocked,
    repeated: async ({ lossy, losing }) => {
      expect(await losing(isLocked, () => lossy.locked())).toBe(false);
    },
  },
  unlink: {
    script: nameScripts.unlinkLock,
    repeated: async ({ lossy, sure, losing }) => {
      await losing(nameScripts.unlinkLock, () => lossy.unlink());
      await expectRejection(sure.acquire(), 'ENOENT');
      await expectRejection(sure.unlink(), 'ENOENT');
    },
  },
};

const ofRLocks: Record<string, Case<RLock>> = {
  'acquire and release': {
    script: acquireLock,
    repeated: async ({ lossy, sure, losing }) => {
      const outer = await losing(acquireLock, () => lossy.acquire());
      const inner = await lossy.acquire();
      expect([await sure.tryAcquire(), await sure.locked()]).toEqual([null, true]);
      await outer.release();
      expect(await sure.locked()).toBe(true);
      await losing(releaseLock, () => inner.release());
      expect(await sure.locked()).toBe(false);
    },
  },
};

const ofRWLocks: Record<string, Case<RWLock>> = {
  'acquireRead and release': {
    script: acquireRW,
    repeated: async ({ lossy, sure, losing }) => {
      const guard = await losing(acquireRW, () => lossy.acquireRead());
      expect([await sure.readers(), await sure.tryAcquireWrite()]).toEqual([1, null]);
      await losing(releaseRW, () => guard.release());
      expect(await sure.readers()).toBe(0);
    },
  },
  'acquireWrite and release': {
    script: acquireRW,
    repeated: async ({ lossy, sure, losing }) => {
      const guard = await losing(acquireRW, () => lossy.acquireWrite());
      const next = sure.acquireRead();
      expect([guard.abandoned, await sure.writing()]).toEqual([false, true]);
      await losing(releaseRW, () => guard.release());
      expect([(await next).abandoned, await losing(readRW, () => lossy.writing())]).toEqual([
        false,
        false,
      ]);
      await (await next).release();
    },
  },
};

const ofEvents: Record<string, Case<Event>> = {
  set: {
    script: setEvent,
    act: (event) => event.set(),
    after: async (event) => expect(await event.isSet()).toBe(true),
  },
  clear: {
    script: clearEvent,
    before: (event) => event.set(),
    act: (event) => event.clear(),
    after: async (event) => expect(await event.isSet()).toBe(false),
  },
  isSet: {
    script: isEventSet,
    repeated: async ({ lossy, losing }) => {
      expect(await losing(isEventSet, () => lossy.isSet())).toBe(false);
    },
  },
  wait: {
    script: waitEvent,
    repeated: async ({ lossy, sure, losing, lost }) => {
      await sure.set();
      await losing(waitEvent, () => lossy.wait());
      await sure.clear();
      const isLost = lost(waitEvent);
      const waiting = lossy.wait();
      await isLost;
      await sure.set();
      await sure.clear();
      await waiting;
    },
  },
};

const ofValues: Record<string, Case<Value>> = {
  value: {
    script: readValue,
    repeated: async ({ lossy, losing }) => {
      expect(await losing(readValue, () => lossy.value())).toBe(5);
    },
  },
  add: {
    script: addValue,
    act: (value) => value.add(2),
    after: async (value) => expect(await value.value()).toBe(7),
  },
  exchange: {
    script: exchangeValue,
    act: (value) => value.exchange(9),
    after: async (value) => expect(await value.value()).toBe(9),
  },
  compareExchange: {
    script: compareExchangeValue,
    act: (value) => value.compareExchange(5, 8),
    after: async (value) => expect(await value.value()).toBe(8),
  },
  update: {
    script: setValueLocked,
    act: (value) => value.update((n) => n + 1),
    after: async (value) => {
      expect(await value.value()).toBe(6);
      await (await value.lock.acquire({ timeout: 0 })).release();
    },
  },
  wait: {
    script: waitValue,
    repeated: async ({ lossy, losing }) => {
      expect(await losing(waitValue, () => lossy.wait(4))).toBe(5);
    },
  },
  notify: {
    script: notifyValue,
    repeated: async ({ lossy, sure, sessions, losing }) => {
      const waiting = sure.wait(5);
      await sessions.sure.served();
      await sure.add(1);
      await losing(notifyValue, () => lossy.notify());
      expect(await waiting).toBe(6);
    },
  },
  'lock.acquire': {
    script: acquireLock,
    repeated: async ({ lossy, sure, losing }) => {
      const guard = await losing(acquireLock, () => lossy.lock.acquire());
      expect(await sure.lock.tryAcquire()).toBeNull();
      await losing(releaseLock, () => guard.release());
      expect(await sure.lock.locked()).toBe(false);
    },
  },
};

const ofSemaphores: Record<string, Case<Semaphore>> = {
  acquire: {
    script: acquirePermit,
    repeated: async ({ lossy, sure, losing }) => {
      const guard = await losing(acquirePermit, () => lossy.acquire());
      expect(await sure.value()).toBe(2);
      await guard.release();
      expect(await sure.value()).toBe(3);
    },
  },
  'acquire of an added permit': {
    script: acquirePermit,
    repeated: async ({ lossy, sure, losing }) => {
      const own = [await sure.acquire(), await sure.acquire(), await sure.acquire()];
      await sure.release(3);
      await sure.release(2);
      expect(await sure.value()).toBe(5);
      for (const guard of own) await expectRejection(guard.release(), 'ERR_NOT_HELD');
      for (let i = 0; i < 3; i++) await sure.acquire();
      await losing(acquirePermit, () => lossy.acquire());
      expect(await sure.value()).toBe(1);
      await sure.release(3);
    },
  },
  tryAcquire: {
    script: acquirePermit,
    repeated: async ({ lossy, sure, losing }) => {
      const guard = await losing(acquirePermit, () => lossy.tryAcquire());
      expect(await sure.value()).toBe(2);
      await guard!.release();
    },
  },
  'release of a guard': {
    script: releasePermit,
    repeated: async ({ lossy, sure, losing }) => {
      const guard = await lossy.acquire();
      await losing(releasePermit, () => guard.release());
      expect(await sure.value()).toBe(3);
      await expectRejection(guard.release(), 'ERR_NOT_HELD');
    },
  },
  release: {
    script: releasePermits,
    act: (semaphore) => semaphore.release(2),
    after: async (semaphore) => expect(await semaphore.value()).toBe(5),
  },
  'release of a guard of an added permit': {
    script: addPermit,
    repeated: async ({ lossy, sure, losing }) => {
      const own = [await sure.acquire(), await sure.acquire(), await sure.acquire()];
      await sure.release(3);
      await sure.release(1);
      for (const guard of own) await expectRejection(guard.release(), 'ERR_NOT_HELD');
      for (let i = 0; i < 3; i++) await sure.acquire();
      const guard = await lossy.acquire();
      await losing(addPermit, () => expectRejection(guard.release(), 'ERR_UNCERTAIN', lossy.name));
      await expectRejection(guard.release(), 'ERR_NOT_HELD');
      expect(await sure.value()).toBe(1);
      await sure.release(3);
    },
  },
  value: {
    script: readSemaphore,
    repeated: async ({ lossy, losing }) => {
      expect(await losing(readSemaphore, () => lossy.value())).toBe(3);
    },
  },
};

const ofDicts: Record<string, Case<Dict>> = {
  get: {
    script: getEntry,
    repeated: async ({ lossy, losing }) => {
      expect(await losing(getEntry, () => lossy.get('n'))).toBe(1);
    },
  },
  has: {
    script: hasEntry,
    repeated: async ({ lossy, losing }) => {
      expect(await losing(hasEntry, () => lossy.has('n'))).toBe(true);
    },
  },
  size: {
    script: sizeOfDict,
    repeated: async ({ lossy, losing }) => {
      expect(await losing(sizeOfDict, () => lossy.size())).toBe(1);
    },
  },
  entries: {
    script: scanDict,
    repeated: async ({ lossy, losing }) => {
      const found: unknown[] = [];
      await losing(scanDict, async () => {
        for await (const entry of lossy) found.push(entry);
      });
      expect(found).toEqual([['n', 1]]);
    },
  },
  set: {
    script: setEntry,
    act: (dict) => dict.set('a', 'x'),
    after: async (dict) => expect(await dict.get('a')).toBe('x'),
  },
  setIfAbsent: {
    script: setEntry,
    act: (dict) => dict.setIfAbsent('a', 'x'),
    after: async (dict) => expect(await dict.get('a')).toBe('x'),
  },
  delete: {
    script: deleteEntry,
    act: (dict) => dict.delete('n'),
    after: async (dict) => expect(await dict.has('n')).toBe(false),
  },
  clear: {
    script: clearDict,
    act: (dict) => dict.clear(),
    after: async (dict) => expect(await dict.size()).toBe(0),
  },
  add: {
    script: addToEntry,
    act: (dict) => dict.add('n', 2),
    after: async (dict) => expect(await dict.get('n')).toBe(3),
  },
  update: {
    script: swapEntry,
    act: (dict) => dict.update('n', (n) => (n as number) + 5),
    after: async (dict) => expect(await dict.get('n')).toBe(6),
  },
  compareAndSet: {
    script: swapEntry,
    act: (dict) => dict.compareAndSet('n', 1, 2),
    after: async (dict) => expect(await dict.get('n')).toBe(2),
  },
  'getOrSet, which claims': {
    script: claimEntry,
    repeated: async ({ lossy, sure, losing }) => {
      let calls = 0;
      const value = await losing(claimEntry, () => lossy.getOrSet('k', () => ++calls));
      expect([value, calls, await sure.get('k')]).toEqual([1, 1, 1]);
    },
  },
  'getOrSet, which fulfils': {
    script: fulfilClaim,
    repeated: async ({ lossy, sure, losing }) => {
      let calls = 0;
      const value = await losing(fulfilClaim, () => lossy.getOrSet('k', () => ++calls));
      expect([value, calls, await sure.get('k')]).toEqual([1, 1, 1]);
    },
  },
  'getOrSet, which fails': {
    script: renounceClaim,
    repeated: async ({ lossy, sure, losing }) => {
      await losing(renounceClaim, async () => {
        const failing = lossy.getOrSet('k', () => Promise.reject(new Error('no')));
        await expect(failing).rejects.toThrow('no');
        expect(await sure.getOrSet('k', () => 2)).toBe(2);
      });
    },
  },
  'get of a dict with eviction': {
    script: useEntry,
    repeated: async ({ sessions, losing }) => {
      const options = { name: uniqueName(), capacity: 10_000, eviction: 'lru' } as const;
      const evicting = await redis.SharedDict.create(sessions.sure, options);
      await evicting.set('n', 1);
      const lossy = await redis.SharedDict.attach(sessions.lossy, evicting.name);
      expect(await losing(useEntry, () => lossy.get('n'))).toBe(1);
      await evicting.unlink();
    },
  },
};

/** All classes are used as if they made dicts: what is the same for all is all that is used of them. */
interface Maker {
  create(session: Session, options: object): Promise<Dict>;
  open(session: Session, name: string, options: object): Promise<Dict>;
  attach(session: Session, name: string): Promise<Dict>;
  unlink(session: Session, name: string): Promise<void>;
}
const makerOf = (type: object) => type as Maker;

const { NamedEvent, NamedLock, NamedSemaphore, SharedDict, SharedValue } = redis;
const kinds: {
  kind: string;
  type: Maker;
  options: object;
  cases: Record<string, Case<never>>;
}[] = [
  { kind: 'a lock', type: makerOf(NamedLock), options: {}, cases: ofLocks },
  { kind: 'an rlock', type: makerOf(redis.NamedRLock), options: {}, cases: ofRLocks },
  { kind: 'a read-write lock', type: makerOf(redis.NamedRWLock), options: {}, cases: ofRWLocks },
  { kind: 'an event', type: makerOf(NamedEvent), options: {}, cases: ofEvents },
  {
    kind: 'a value',
    type: makerOf(SharedValue),
    options: { type: 'int32', value: 5 },
    cases: ofValues,
  },
  {
    kind: 'a semaphore',
    type: makerOf(NamedSemaphore),
    options: { value: 3 },
    cases: ofSemaphores,
  },
  { kind: 'a dict', type: makerOf(SharedDict), options: {}, cases: ofDicts },
];

describe.skipIf(noServer !== undefined)(`a lost answer ${onServer}`, () => {
  let server: RedisServer;
  let proxy: Proxy;
  beforeAll(async () => {
    server = await RedisServer.start();
    const modules = [dictScripts, eventScripts, lockScripts, nameScripts, semaphoreScripts];
    const all = [...modules, valueScripts, rwScripts].flatMap((each) =>
      Object.values<Script>(each),
    );
    await load(server, all);
    proxy = await Proxy.start(server);
  });
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  const lost = ({ sha }: Script) => proxy.swallowAnswerTo(sha);

  async function losing<R>(script: Script, act: () => Promise<R>): Promise<R> {
    const isLost = lost(script);
    // A test in which no answer was lost would show nothing.
    const [result] = await Promise.all([act(), isLost]);
    return result;
  }

  async function share(type: Maker, options: object) {
    const name = uniqueName();
    const sessions = { sure: await openSession(server.url), lossy: await openSession(proxy.url) };
    const sure = await type.create(sessions.sure, { name, ...options });
    const lossy = await type.attach(sessions.lossy, name);
    return { sessions, sure, lossy };
  }

  describe.each(kinds)('of $kind', ({ type, options, cases }) => {
    it.each(Object.keys(cases))('to %s', async (verb) => {
      const { script, repeated, before, act, after } = cases[verb] as unknown as Case<unknown>;
      const { sessions, sure, lossy } = await share(type, options);
      if ((sure.shmkit as string) === 'dict') await sure.set('n', 1);
      if (repeated !== undefined) {
        await repeated({ lossy, sure, sessions, losing, lost });
      } else {
        await before?.(sure);
        const uncertain = losing(script, () =>
          expectRejection(act!(lossy), 'ERR_UNCERTAIN', sure.name),
        );
        await uncertain;
        await after!(sure);
      }
      // The connection is there again, and the handle is as good as before.
      await sessions.lossy.served();
      await sure.unlink().catch((error: unknown) => {
        if (verb !== 'unlink') throw error;
      });
      expect(await lastingKeys(server, sure.name)).toEqual([]);
    });

    it('to its creation, opening, attachment and unlinking', async () => {
      const session = await openSession(proxy.url);
      const name = uniqueName();
      const { make, makeLock, find, identify, unlink, unlinkLock } = nameScripts;
      const isLock = type === makerOf(NamedLock) || type === makerOf(redis.NamedRLock);
      const created = await losing(isLock ? makeLock : make, () =>
        type.create(session, { name, ...options }),
      );
      const opened = await losing(find, () => type.open(session, name, options));
      const attached = await losing(find, () => type.attach(session, name));
      expect([created, opened, attached].map((each) => each.name)).toEqual([name, name, name]);
      await expectRejection(type.create(session, { name, ...options }), 'EEXIST');
      await losing(isLock ? unlinkLock : unlink, () => created.unlink());
      await expectRejection(type.attach(session, name), 'ENOENT');
      await type.create(session, { name, ...options });
      await losing(identify, () => type.unlink(session, name));
      await expectRejection(type.attach(session, name), 'ENOENT');
    });
  });
});
