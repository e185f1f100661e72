// What becomes of objects whose names were removed, while others still use them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { uniqueName } from '../support/names';
import { expectRejection } from './support/errors';
import { RedisServer, noServer, onServer } from './support/server';
import { command, lastingKeys, openSession, redis } from './support/sessions';

const lease = 500;

describe.skipIf(noServer !== undefined)(`an object that was unlinked ${onServer}`, () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const keysOf = async (name: string) => (await command(server, 'KEYS', `*${name}*`)) as string[];

  it('stays for who only reads it, and not for longer than that', async () => {
    const linger = 600;
    const session = await openSession(server.url, { lease, linger });
    const name = uniqueName();
    const dict = await redis.SharedDict.create<number>(session, { name });
    const value = await redis.SharedValue.create(session, { name, type: 'int32', value: 5 });
    const event = await redis.NamedEvent.create(session, { name });
    const semaphore = await redis.NamedSemaphore.create(session, { name, value: 2 });
    const rwlock = await redis.NamedRWLock.create(session, { name });
    const all = [dict, value, event, semaphore, rwlock];
    await dict.set('a', 1);
    await event.set();
    for (const each of all) await each.unlink();
    const end = performance.now() + 3 * linger;
    while (performance.now() < end) {
      expect([
        await dict.get('a'),
        await value.value(),
        await event.isSet(),
        await semaphore.value(),
        await rwlock.readers(),
      ]).toEqual([1, 5, true, 2, 0]);
    }
    await session.served();
    while ((await keysOf(name)).length > 0);
    await expectRejection(dict.get('a'), 'ENOENT', name);
  });

  describe('and cannot be used', () => {
    const harms: [what: string, code: string, harm: (record: string) => string[][]][] = [
      ['has options that cannot be read', 'ERR_CORRUPT', (key) => [['HSET', key, 'options', '{']]],
      ['is of another version', 'ERR_ABI_MISMATCH', (key) => [['HSET', key, 'abi', '999']]],
      ['has a record of another type', 'ERR_CORRUPT', (key) => [['SET', key, 'x']]],
    ];
    const types = [
      ['a lock', redis.NamedLock, 'lock'],
      ['a dict', redis.SharedDict, 'dict'],
    ] as const;
    const all = types.flatMap(([called, type, kind]) =>
      harms.map((harm) => [called, harm[0], type, kind, harm] as const),
    );

    it.each(all)('as %s, which %s, makes room for another', async (_, __, type, kind, harm) => {
      const name = uniqueName();
      const session = await openSession(server.url);
      await type.create(session, { name });
      for (const each of harm[2](`{shm:${kind}:${name}}:n`)) await command(server, ...each);
      await expectRejection(type.attach(session, name), harm[1]);
      await type.unlink(session, name);
      await expectRejection(type.unlink(session, name), 'ENOENT', name);
      const anew = await type.create(session, { name });
      await anew.unlink();
    });

    it.each(all)(
      'as %s, which %s, does not keep its manager alive',
      async (_, __, ___, kind, harm) => {
        const name = uniqueName();
        const session = await openSession(server.url);
        const manager = await redis.Manager.open(session, name);
        await manager[kind]('own');
        for (const each of harm[2](`{shm:${kind}:/${name}/own}:n`)) await command(server, ...each);
        await manager.shutdown();
        const next = await redis.Manager.create(session, { name });
        if (harm[1] === 'ERR_CORRUPT') await next[kind]('own');
        else await expectRejection(next[kind]('own'), 'ERR_ABI_MISMATCH');
        await next.shutdown();
        expect(await lastingKeys(server, `manager:${name}`)).toEqual([]);
      },
    );

    it('has a state of another type, as a lock and as a dict, makes room for another', async () => {
      const name = uniqueName();
      const session = await openSession(server.url);
      const lock = await redis.NamedLock.create(session, { name });
      const dict = await redis.SharedDict.create(session, { name });
      await dict.set('a', 1);
      await command(server, 'SET', `{shm:lock:${name}}:l`, 'x');
      for (const key of await keysOf(name)) {
        if (key.endsWith(':m')) await command(server, 'SET', key, 'x');
      }
      await expectRejection(lock.acquire(), 'ERR_CORRUPT', name);
      await expectRejection(dict.get('a'), 'ERR_CORRUPT', name);
      for (const each of [lock, dict]) await each.unlink();
      await (await (await redis.NamedLock.create(session, { name })).acquire()).release();
      expect(await (await redis.SharedDict.create(session, { name })).size()).toBe(0);
    });
  });

  describe.each([
    { kind: 'a lock', type: redis.NamedLock },
    { kind: 'a reentrant lock', type: redis.NamedRLock },
  ])('as $kind', ({ type }) => {
    it.each([
      { when: 'at once', waitsForRenewal: false },
      { when: 'after its owner has renewed the lease', waitsForRenewal: true },
    ])('while it was held, and made anew $when, stays held', async ({ waitsForRenewal }) => {
      const name = uniqueName();
      const session = await openSession(server.url, { lease });
      const guard = await (await type.create(session, { name })).acquire();
      const other = await openSession(server.url, { lease, linger: 1 });
      // Somebody waits, so that there are all keys that a lock can have.
      const waiter = await type.attach(await openSession(server.url, { lease }), name);
      const abort = new AbortController();
      const waiting = waiter.acquire({ signal: abort.signal }).catch(() => undefined);
      const state = (await keysOf(name)).find((key) => key.endsWith(':l'))!;
      const until = () => command(server, 'HGET', state, 'until');
      while ((await keysOf(name)).length < 4);
      await type.unlink(other, name);
      if (waitsForRenewal) {
        const before = await until();
        while ((await until()) === before);
      }
      const anew = await type.create(other, { name });
      for (const key of await keysOf(name)) {
        expect([key, await command(server, 'PTTL', key)]).toEqual([key, -1]);
      }
      abort.abort(new Error('enough'));
      await waiting;
      await expectRejection(anew.acquire({ timeout: 4 * lease }), 'ERR_TIMEOUT');
      guard.check();
      await guard.release();
      const next = await anew.acquire();
      expect([next.abandoned, next.fence > guard.fence]).toEqual([false, true]);
      await next.release();
      await anew.unlink();
    });
  });
});
