// What becomes of requests and waits where the connection fails, and which servers are refused.
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as lockScripts from '../../lib/redis/scripts/lock';
import * as rwScripts from '../../lib/redis/scripts/rw-lock';
import * as semaphores from '../../lib/redis/scripts/semaphore';
import { uniqueName } from '../support/names';
import { timed } from '../support/temporaries';
import { expectRejection } from './support/errors';
import { Proxy } from './support/proxy';
import { RedisServer, freePort, noServer, onServer } from './support/server';
import { command, load, openSession, redis } from './support/sessions';

describe.skipIf(noServer !== undefined)(`a connection ${onServer}`, () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const pair = async (proxy: Proxy, options: redis.ConnectOptions = {}) => {
    const [near, far] = [await openSession(server.url), await openSession(proxy.url, options)];
    const name = uniqueName();
    return { near, far, name };
  };

  describe('that is half-open', () => {
    it('leaves no call without an outcome, and serves again later', async () => {
      await using proxy = await Proxy.start(server);
      const options = { patience: 200, unavailableAfter: 1000 };
      const { far, near, name } = await pair(proxy, options);
      const dict = await redis.SharedDict.create<number>(far, { name });
      const lock = await redis.NamedLock.create(far, { name });
      const event = await redis.NamedEvent.create(far, { name });
      const semaphore = await redis.NamedSemaphore.create(far, { name, value: 1 });
      proxy.hole(true);
      const calls = [
        expectRejection(dict.get('a'), 'ERR_UNAVAILABLE', name),
        expectRejection(dict.set('a', 1), 'ERR_UNCERTAIN', name),
        expectRejection(lock.acquire({ timeout: 300 }), 'ERR_UNAVAILABLE'),
        expectRejection(lock.tryAcquire(), 'ERR_UNAVAILABLE'),
        expectRejection(event.wait({ timeout: 0 }), 'ERR_UNAVAILABLE'),
        expectRejection(semaphore.value(), 'ERR_UNAVAILABLE'),
        expectRejection(
          dict.getOrSet('k', () => 1, { timeout: 300 }),
          'ERR_UNAVAILABLE',
        ),
      ];
      const abort = new AbortController();
      calls.push(expect(lock.acquire({ signal: abort.signal })).rejects.toThrow('enough'));
      const waiting = event.wait();
      abort.abort(new Error('enough'));
      await Promise.all(calls);
      // What is sent after that was not sent before.
      await expectRejection(dict.set('b', 1), 'ERR_UNAVAILABLE', name);
      proxy.hole(false);
      await (await redis.NamedEvent.attach(near, name)).set();
      await waiting;
      expect([await dict.get('a'), await dict.has('b')]).toEqual([undefined, false]);
      await (await lock.acquire()).release();
      for (const each of [dict, lock, event, semaphore]) await each.unlink();
    });

    it('is found to be so by its answers, and not by how long the event loop was blocked', async () => {
      await using proxy = await Proxy.start(server);
      const { far, name } = await pair(proxy, { patience: 200 });
      const dict = await redis.SharedDict.create<number>(far, { name });
      const { connections } = proxy;
      for (let i = 0; i < 3; i++) {
        const added = dict.add('n', 1);
        const end = performance.now() + 500;
        while (performance.now() < end);
        expect(await added).toBe(i);
      }
      expect(proxy.connections).toBe(connections);
      await dict.unlink();
    });
  });

  describe('to a server that does not know a script', () => {
    interface Given {
      release(): Promise<void>;
    }
    const acquiring = [
      {
        what: 'a lock',
        known: lockScripts.releaseLock,
        make: async (session: redis.Session) => {
          const lock = await redis.NamedLock.create(session);
          return {
            acquire: (signal: AbortSignal): Promise<Given> => lock.acquire({ signal }),
            tryAcquire: (): Promise<Given | null> => lock.tryAcquire(),
          };
        },
      },
      {
        what: 'a semaphore',
        known: semaphores.releasePermit,
        make: async (session: redis.Session) => {
          const semaphore = await redis.NamedSemaphore.create(session);
          return {
            acquire: (signal: AbortSignal): Promise<Given> => semaphore.acquire({ signal }),
            tryAcquire: (): Promise<Given | null> => semaphore.tryAcquire(),
          };
        },
      },
      {
        what: 'a read-write lock',
        known: rwScripts.releaseRW,
        make: async (session: redis.Session) => {
          const lock = await redis.NamedRWLock.create(session);
          return {
            acquire: (signal: AbortSignal): Promise<Given> => lock.acquireWrite({ signal }),
            tryAcquire: (): Promise<Given | null> => lock.tryAcquireWrite(),
          };
        },
      },
    ];

    it.each(acquiring)('makes no request for $what after that was withdrawn', async (each) => {
      await using forgetful = await RedisServer.start();
      // The lease is longer than any test.
      const session = await openSession(forgetful.url, { lease: 600_000 });
      const { acquire, tryAcquire } = await each.make(session);
      await load(forgetful, [each.known]);
      const abort = new AbortController();
      const waiting = acquire(abort.signal);
      abort.abort(new Error('enough'));
      await expect(waiting).rejects.toThrow('enough');
      await session.served();
      const guard = await tryAcquire();
      expect(guard).not.toBeNull();
      await guard?.release();
    });
  });

  it('serves answers that are larger than what a server keeps for who has subscribed', async () => {
    await using proxy = await Proxy.start(server);
    const { far, near, name } = await pair(proxy, { patience: 30_000 });
    const dict = await redis.SharedDict.create<Uint8Array>(far, { name });
    const event = await redis.NamedEvent.create(near, { name });
    const there = await redis.NamedEvent.attach(far, name);
    const { connections } = proxy;
    const bytes = new Uint8Array(40 * 2 ** 20).fill(7);
    await dict.set('large', bytes);
    const waiting = there.wait();
    const [got] = await Promise.all([dict.get('large'), event.set(), waiting]);
    expect(Buffer.compare(Buffer.from(got!), Buffer.from(bytes))).toBe(0);
    expect(proxy.connections).toBe(connections);
    for (const each of [dict, event]) await each.unlink();
  });

  describe('that is cut', () => {
    it('loses no waiter: each looks again', async () => {
      await using proxy = await Proxy.start(server);
      const { far, near, name } = await pair(proxy);
      const lock = await redis.NamedLock.create(near, { name });
      const event = await redis.NamedEvent.create(near, { name });
      const value = await redis.SharedValue.create(near, { name, type: 'int32' });
      const dict = await redis.SharedDict.create<number>(near, { name });
      const guard = await lock.acquire();
      let finish!: (value: number) => void;
      const computed = dict.getOrSet(
        'k',
        () => new Promise<number>((resolve) => (finish = resolve)),
      );
      const there = {
        lock: await redis.NamedLock.attach(far, name),
        event: await redis.NamedEvent.attach(far, name),
        value: await redis.SharedValue.attach<'int32'>(far, name),
        dict: await redis.SharedDict.attach<number>(far, name),
      };
      const waits = [
        there.lock.acquire(),
        there.event.wait(),
        there.value.wait(0),
        there.dict.getOrSet('k', () => 2),
      ] as const;
      await far.served();
      proxy.refuse(true);
      await guard.release();
      await event.set();
      await event.clear();
      await value.add(7);
      await value.notify();
      finish(5);
      expect(await computed).toBe(5);
      proxy.refuse(false);
      const [next, , number, got] = await Promise.all(waits);
      expect([next.abandoned, number, got]).toEqual([false, 7, 5]);
      await next.release();
      for (const each of [lock, event, value, dict]) await each.unlink();
    });

    it('for longer than the server remembers a waiter, loses no event', async () => {
      await using proxy = await Proxy.start(server);
      const lease = 500;
      const { far, near, name } = await pair(proxy, { lease });
      const event = await redis.NamedEvent.create(near, { name });
      const waiting = (await redis.NamedEvent.attach(far, name)).wait();
      await far.served();
      proxy.refuse(true);
      await delay(lease);
      // Each wait that begins makes the server forget those who have fallen silent.
      await expectRejection(event.wait({ timeout: 1 }), 'ERR_TIMEOUT');
      await near.served();
      const keys = (await command(server, 'KEYS', `*${name}*`)) as string[];
      expect(keys.some((key) => key.endsWith(':s'))).toBe(false);
      await event.set();
      await event.clear();
      proxy.refuse(false);
      await waiting;
      await event.unlink();
    });

    it('loses no waiter where only the messages are lost', async () => {
      const near = await openSession(server.url);
      const far = await openSession(server.url, { lease: 1500 });
      const name = uniqueName();
      const lock = await redis.NamedLock.create(near, { name });
      const there = await redis.NamedLock.attach(far, name);
      const guard = await lock.acquire();
      const waiting = there.acquire();
      await far.served();
      // The server tells nobody: who waits is not subscribed any more.
      await command(server, 'CLIENT', 'KILL', 'TYPE', 'pubsub');
      await guard.release();
      const next = await waiting;
      expect(next.abandoned).toBe(false);
      await next.release();
      await lock.unlink();
    });

    it('again and again, amid changes, has made each change that was answered once', async () => {
      await using proxy = await Proxy.start(server);
      const { far, near, name } = await pair(proxy);
      const dict = await redis.SharedDict.create<number>(far, { name });
      const value = await redis.SharedValue.create(far, { name, type: 'int32' });
      const sure = { dict: 0, value: 0 };
      const unsure = { dict: 0, value: 0 };
      let isOver = false;
      const go = async (what: 'dict' | 'value') => {
        while (!isOver) {
          try {
            await (what === 'dict' ? dict.add('n', 1) : value.add(1));
            sure[what]++;
          } catch (error) {
            expect((error as NodeJS.ErrnoException).code).toBe('ERR_UNCERTAIN');
            unsure[what]++;
          }
        }
      };
      const lanes = (['dict', 'value', 'dict', 'value'] as const).map(go);
      for (let cuts = 0; cuts < 40; cuts++) {
        await near.served();
        await far.served();
        await new Promise((resolve) => setTimeout(resolve, 20 * Math.random()));
        proxy.cut();
      }
      isOver = true;
      await Promise.all(lanes);
      const found = {
        dict: (await (await redis.SharedDict.attach<number>(near, name)).get('n')) ?? 0,
        value: await (await redis.SharedValue.attach<'int32'>(near, name)).value(),
      };
      for (const what of ['dict', 'value'] as const) {
        expect(found[what]).toBeGreaterThanOrEqual(sure[what]);
        expect(found[what]).toBeLessThanOrEqual(sure[what] + unsure[what]);
      }
      expect(unsure.dict + unsure.value).toBeGreaterThan(0);
      await dict.unlink();
      await value.unlink();
    });

    it('by its own side fails what waits, and what is asked for later', async () => {
      const session = await openSession(server.url);
      const name = uniqueName();
      const lock = await redis.NamedLock.create(session, { name });
      const other = await redis.NamedLock.attach(await openSession(server.url), name);
      const guard = await other.acquire();
      const cut = expectRejection(lock.acquire(), 'ERR_CLOSED', name);
      await session.served();
      session.close();
      session.close();
      await cut;
      expect(lock.closed).toBe(true);
      await expectRejection(lock.acquire(), 'ERR_CLOSED', name);
      await expectRejection(lock.locked(), 'ERR_CLOSED', name);
      await guard.release();
      await other.unlink();
    });
  });

  describe('to a server that restarts', () => {
    it('is made anew, and waits go on', async () => {
      await using other = await RedisServer.start([
        '--appendonly',
        'yes',
        '--appendfsync',
        'always',
      ]);
      const session = await openSession(other.url);
      const name = uniqueName();
      const event = await redis.NamedEvent.create(session, { name });
      const waiting = event.wait();
      await session.served();
      await other.kill();
      const asked = event.isSet();
      await other.restart();
      expect(await asked).toBe(false);
      await event.set();
      await waiting;
    });
  });

  describe('to a server that is slow', () => {
    it('has all outcomes, in their order', async () => {
      await using proxy = await Proxy.start(server);
      proxy.delay(50);
      const { far, name } = await pair(proxy);
      const dict = await redis.SharedDict.create<number>(far, { name });
      const befores = await Promise.all(Array.from({ length: 50 }, () => dict.add('n', 1)));
      expect(befores).toEqual(befores.map((_, i) => i));
      const lock = await redis.NamedLock.create(far, { name });
      // A timeout shorter than the way to the server does not fail what is free.
      await (await lock.acquire({ timeout: 1 })).release();
      await (await lock.acquire({ timeout: 0 })).release();
      for (const each of [dict, lock]) await each.unlink();
    });

    it('that runs a script of another program is waited for', async () => {
      await using busy = await RedisServer.start(['--busy-reply-threshold', '100']);
      const session = await openSession(busy.url, { patience: 5000 });
      const dict = await redis.SharedDict.create<number>(session, { name: uniqueName() });
      const spin = 'local t = redis.call("TIME")[1] while redis.call("TIME")[1] - t < 2 do end';
      const spinning = command(busy, 'EVAL', spin, '0');
      await Promise.all([spinning, dict.add('n', 1), dict.add('n', 1)]);
      expect(await dict.get('n')).toBe(2);
    });
  });

  describe('is refused', () => {
    const openTo = (url: string, options: redis.ConnectOptions = {}) =>
      openSession(url, { patience: 500, unavailableAfter: 700, ...options });

    it('where nobody is there, within its time', async () => {
      const port = await freePort();
      await expectRejection(openTo(`redis://127.0.0.1:${port}`), 'ERR_UNAVAILABLE');
    });

    it('where nobody answers', async () => {
      await using proxy = await Proxy.start(server);
      proxy.hole(true);
      const took = await timed(() => expectRejection(openTo(proxy.url), 'ERR_UNAVAILABLE'));
      expect(took).toBeGreaterThanOrEqual(500);
    });

    it('by a wrong password, or without one', async () => {
      await using locked = await RedisServer.start(['--requirepass', 'secret']);
      const at = (user: string) => `redis://${user}127.0.0.1:${locked.port}`;
      await expectRejection(openTo(at('')), 'EACCES');
      await expectRejection(openTo(at(':wrong@')), 'EACCES');
      const session = await openTo(at(':secret@'));
      await session.served();
    });

    it('to a user who may not use these keys, at the first use', async () => {
      await using limited = await RedisServer.start();
      const rule = ['ACL', 'SETUSER', 'app', 'on', '>pw', '+@all', '~other:*', '&*'];
      await command(limited, ...rule);
      const session = await openTo(`redis://app:pw@127.0.0.1:${limited.port}`);
      await expectRejection(redis.NamedLock.open(session, 'lock'), 'EACCES');
    });

    it('to a user who may not use these channels', async () => {
      await using limited = await RedisServer.start();
      const rule = ['ACL', 'SETUSER', 'app', 'on', '>pw', '+@all', '~*', 'resetchannels'];
      await command(limited, ...rule);
      const url = `redis://app:pw@127.0.0.1:${limited.port}`;
      await expectRejection(openTo(url), 'EACCES', 'channel shm:');
    });

    it.each(['allkeys-lru', 'volatile-lru', 'volatile-ttl'])(
      'to a server that evicts keys by %s, unless that is accepted',
      async (policy) => {
        await using evicting = await RedisServer.start(['--maxmemory-policy', policy]);
        await expectRejection(openTo(evicting.url), 'ENOTSUP', policy, 'allowEviction');
        await (await openTo(evicting.url, { allowEviction: true })).served();
      },
    );

    it('to a replica', async () => {
      await using replica = await RedisServer.start([
        ...['--replicaof', '127.0.0.1', String(server.port)],
      ]);
      await expectRejection(openTo(replica.url), 'ENOTSUP', 'replica', 'master');
    });

    it.each([
      [undefined, {}, 'ERR_INVALID_ARG_TYPE', 'url'],
      ['http://localhost', {}, 'ERR_OUT_OF_RANGE', 'url'],
      ['redis://localhost', { lease: 1 }, 'ERR_OUT_OF_RANGE', 'lease'],
      ['redis://localhost', { lease: '1' }, 'ERR_INVALID_ARG_TYPE', 'lease'],
      ['redis://localhost', { leas: 1 }, 'ERR_INVALID_ARG_VALUE', 'leas'],
      ['redis://localhost', { renew: 'never' }, 'ERR_OUT_OF_RANGE', 'renew'],
      ['redis://localhost', { allowEviction: 1 }, 'ERR_INVALID_ARG_TYPE', 'allowEviction'],
    ] as const)('by arguments that make no sense: %s %o', async (url, options, code, said) => {
      await expectRejection(redis.openSession(url as never, options as never), code, said);
    });
  });
});
