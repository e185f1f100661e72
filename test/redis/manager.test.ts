// Managers on a server: what they make, and when it ends.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endLock, endObject } from '../../lib/redis/scripts/manager';
import { start } from '../support/children';
import { uniqueName } from '../support/names';
import { expectRejection } from './support/errors';
import { Proxy } from './support/proxy';
import { RedisServer, noServer, onServer } from './support/server';
import { command, lastingKeys, openSession, redis } from './support/sessions';

const lease = 1000;

describe.skipIf(noServer !== undefined)(`a manager ${onServer}`, () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const sessionHere = (url = server.url) => openSession(url, { lease });

  /** All objects that a manager can make, by one name. */
  const makeAll = async (manager: redis.Manager) => ({
    lock: await manager.lock('own'),
    event: await manager.event('own'),
    semaphore: await manager.semaphore('own', { value: 2 }),
    value: await manager.value('own', { type: 'int32' }),
    dict: await manager.dict<number>('own'),
  });

  it('gives all the same objects by the same names', async () => {
    const name = uniqueName();
    const here = await redis.Manager.open(await sessionHere(), name);
    const there = await redis.Manager.open(await sessionHere(), name);
    const mine = await makeAll(here);
    const theirs = await makeAll(there);
    expect(mine.dict.name).toBe(`/${name}/own`);
    const guard = await theirs.lock.acquire();
    await theirs.event.set();
    await theirs.semaphore.acquire();
    await theirs.value.add(5);
    await theirs.dict.set('a', 1);
    expect([
      await mine.lock.locked(),
      await mine.event.isSet(),
      await mine.semaphore.value(),
      await mine.value.value(),
      await mine.dict.get('a'),
    ]).toEqual([true, true, 1, 5, 1]);
    // The options are those of the first call.
    expect(await (await there.value('own')).value()).toBe(5);
    expect((await here.event()).name).not.toBe((await here.event()).name);
    await guard.release();
    await here.shutdown();
    expect(await lastingKeys(server, name)).toEqual([]);
  });

  it('that is shut down ends all that it made, for all, and their waits', async () => {
    const name = uniqueName();
    const here = await redis.Manager.create(await sessionHere(), { name });
    const there = await redis.Manager.attach(await sessionHere(), name);
    const stranger = await sessionHere();
    const mine = await makeAll(here);
    const theirs = await makeAll(there);
    const strange = await redis.SharedDict.attach<number>(stranger, theirs.dict.name);
    await mine.lock.acquire();
    const waits = [theirs.lock.acquire(), theirs.event.wait(), theirs.value.wait(0)];
    const cut = waits.map((wait) => expectRejection(wait, 'ERR_SHUTDOWN', 'own'));
    expect(there.signal.aborted).toBe(false);
    const ended = new Promise((resolve) => there.signal.addEventListener('abort', resolve));
    await here.shutdown();
    await here.shutdown();
    await Promise.all([...cut, ended]);
    for (const { lock, event, semaphore, value, dict } of [mine, theirs]) {
      const { name: own } = dict;
      for (const act of [
        () => lock.acquire(),
        () => event.isSet(),
        () => semaphore.tryAcquire(),
        () => value.add(1),
        () => dict.get('a'),
      ]) {
        await expectRejection(act(), 'ERR_SHUTDOWN', own);
      }
      for (const each of [lock, event, semaphore, value, dict]) await each.close();
    }
    await expectRejection(strange.get('a'), 'ERR_SHUTDOWN');
    await expectRejection(there.dict('other'), 'ERR_SHUTDOWN', name);
    await expectRejection(redis.Manager.attach(stranger, name), 'ENOENT', name);
    expect(await lastingKeys(server, name)).toEqual([]);
    // There is room for another of the name, whose objects are new.
    const next = await redis.Manager.create(stranger, { name });
    expect(await (await next.lock('own')).locked()).toBe(false);
    expect(await (await next.dict('own')).size()).toBe(0);
    await next.shutdown();
  });

  it('ends with its creator, and one that was opened with the last', async () => {
    const name = uniqueName();
    const creator = await redis.Manager.create(await sessionHere(), { name });
    await expectRejection(redis.Manager.create(await sessionHere(), { name }), 'EEXIST', name);
    const guest = await redis.Manager.open(await sessionHere(), name);
    const dict = await guest.dict<number>('own');
    await creator.close();
    await expectRejection(dict.get('a'), 'ERR_SHUTDOWN');

    const first = await redis.Manager.open(await sessionHere(), name);
    const last = await redis.Manager.open(await sessionHere(), name);
    const kept = await last.dict<number>('own');
    await first.close();
    await first.close();
    await expectRejection(first.dict('own'), 'ERR_CLOSED', name);
    await kept.set('a', 1);
    expect([last.signal.aborted, last.closed, first.closed]).toEqual([false, false, true]);
    await last.close();
    await expectRejection(kept.get('a'), 'ERR_SHUTDOWN');
    expect(await lastingKeys(server, name)).toEqual([]);
  });

  it('whose participants were all killed is dead, and the next removes what they left', async () => {
    const name = uniqueName();
    const children = [0, 1].map(() => start('redis/participant', [server.url, name, lease]));
    // One of them has the lock, and the other waits for it.
    const [first, second] = children.map((child) => child.hear().catch(() => undefined));
    expect(await Promise.race([first, second])).toEqual({ held: true });
    for (const child of children) await child.kill();
    // The leases of the dead have to end first.
    const session = await sessionHere();
    const attached = async () =>
      redis.Manager.attach(session, name).then(
        (manager) => manager.close().then(() => true),
        () => false,
      );
    while (await attached());
    const manager = await redis.Manager.open(session, name);
    expect([
      await (await manager.event('event')).isSet(),
      await (await manager.dict('dict')).size(),
      await (await manager.lock('lock')).locked(),
    ]).toEqual([false, 0, false]);
    await manager.shutdown();
  });

  it('of which one was killed lives on, with what that has made', async () => {
    const name = uniqueName();
    const child = start('redis/participant', [server.url, name, lease]);
    expect(await child.hear()).toEqual({ held: true });
    await using manager = await redis.connect(server.url, { name, lease });
    await child.kill();
    const guard = await (await manager.lock('lock')).acquire();
    expect(guard.abandoned).toBe(true);
    await guard.release();
    expect(await (await manager.dict<number>('dict')).get('a')).toBe(1);
    expect(await (await manager.event('event')).isSet()).toBe(true);
    expect(manager.signal.aborted).toBe(false);
  });

  it('that was created ends with its creator that is killed', async () => {
    const name = uniqueName();
    const child = start('redis/participant', [server.url, name, lease, true]);
    expect(await child.hear()).toEqual({ held: true });
    const session = await sessionHere();
    const guest = await redis.Manager.attach(session, name);
    const dict = await guest.dict<number>('dict');
    const waiting = expectRejection((await guest.event('other')).wait(), 'ERR_SHUTDOWN');
    const ended = new Promise((resolve) => guest.signal.addEventListener('abort', resolve));
    expect([await dict.get('a'), guest.signal.aborted]).toEqual([1, false]);
    await child.kill();
    await ended;
    await waiting;
    expect(guest.signal.reason).toMatchObject({ code: 'ERR_SHUTDOWN' });
    await expectRejection(dict.get('a'), 'ERR_SHUTDOWN');
    const next = await redis.Manager.create(session, { name });
    expect(await (await next.dict('dict')).size()).toBe(0);
    await next.shutdown();
    expect(await lastingKeys(server, name)).toEqual([]);
  });

  it('that was created and whose creator was killed is dead for who comes next', async () => {
    const name = uniqueName();
    const child = start('redis/participant', [server.url, name, lease, true]);
    expect(await child.hear()).toEqual({ held: true });
    await child.kill();
    const session = await sessionHere();
    const create = () =>
      redis.Manager.create(session, { name }).catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'EEXIST' });
        return undefined;
      });
    let next = await create();
    while (next === undefined) next = await create();
    expect(await (await next.dict('dict')).size()).toBe(0);
    await next.shutdown();
  });

  describe('where the server cannot be reached', () => {
    // Longer than a pause between two attempts to connect.
    const unreachable = { lease, patience: 200, unavailableAfter: 2500 };

    it('is not shut down, which is told, and can be asked for again', async () => {
      await using proxy = await Proxy.start(server);
      const name = uniqueName();
      const manager = await redis.connect(proxy.url, { name, ...unreachable });
      const { dict } = await makeAll(manager);
      proxy.refuse(true);
      await expectRejection(manager.shutdown(), 'ERR_UNAVAILABLE');
      expect(manager.closed).toBe(true);
      await expectRejection(manager.dict('other'), 'ERR_CLOSED', name);
      proxy.refuse(false);
      await Promise.all([manager.shutdown(), manager.close()]);
      await manager.shutdown();
      expect(manager.signal.aborted).toBe(true);
      await expectRejection(dict.get('a'), 'ERR_CLOSED');
      expect(await lastingKeys(server, name)).toEqual([]);
    });

    it('is left by who closes it there, too, when the lease of that part has ended', async () => {
      await using proxy = await Proxy.start(server);
      const name = uniqueName();
      const far = await openSession(proxy.url, unreachable);
      const manager = await redis.Manager.open(far, name);
      await manager.dict('own');
      proxy.refuse(true);
      await expectRejection(manager.close(), 'ERR_UNAVAILABLE');
      proxy.refuse(false);
      await expectRejection(redis.NamedLock.attach(far, name), 'ENOENT');
      // Nobody renews it.
      const participants = `{shm:manager:${name}}:p`;
      const ends = await command(server, 'ZRANGE', participants, '0', '-1', 'WITHSCORES');
      await new Promise((resolve) => setTimeout(resolve, lease));
      expect(await command(server, 'ZRANGE', participants, '0', '-1', 'WITHSCORES')).toEqual(ends);
      await expectRejection(redis.Manager.attach(await sessionHere(), name), 'ENOENT');
      expect(await lastingKeys(server, name)).toEqual([]);
    });
  });

  it('looks again at a server that has refused it, until that says whether it is there', async () => {
    await using full = await RedisServer.start();
    const name = uniqueName();
    const manager = await redis.Manager.open(await sessionHere(full.url), name);
    const dict = await manager.dict<number>('own');
    const participants = `{shm:manager:${name}}:p`;
    // Somebody else is there, so the manager does not end when the server has forgotten this one.
    await command(full, 'ZADD', participants, String(2 ** 53), 'other:1');
    await command(full, 'CONFIG', 'SET', 'maxmemory', '1');
    await command(full, 'ZREMRANGEBYRANK', participants, '0', '0');
    while (!String(await command(full, 'INFO', 'errorstats')).includes('errorstat_OOM'));
    await command(full, 'CONFIG', 'SET', 'maxmemory', '0');
    while ((await command(full, 'ZCARD', participants)) !== 2);
    expect([manager.signal.aborted, await dict.get('a')]).toEqual([false, undefined]);
    await manager.shutdown();
  });

  it('that is found to be dead is removed by who finds that', async () => {
    const name = uniqueName();
    const manager = await redis.Manager.open(await sessionHere(), name);
    await makeAll(manager);
    const ended = new Promise((resolve) => manager.signal.addEventListener('abort', resolve));
    await command(server, 'DEL', `{shm:manager:${name}}:p`);
    await ended;
    while ((await lastingKeys(server, name)).length > 0);
  });

  it('that the server forgets has ended', async () => {
    await using forgetful = await RedisServer.start();
    const manager = await redis.Manager.open(await sessionHere(forgetful.url), uniqueName());
    const event = await manager.event('own');
    const cut = expectRejection(event.wait(), 'ERR_SHUTDOWN');
    const ended = new Promise((resolve) => manager.signal.addEventListener('abort', resolve));
    await command(forgetful, 'FLUSHALL');
    await ended;
    await cut;
    expect(manager.signal.reason).toMatchObject({ code: 'ERR_SHUTDOWN' });
  });

  /** Makes objects as a manager of that id would, which has died, or ends at this moment. */
  const leftBy = async (name: string, id: string) => {
    const session = await sessionHere();
    interface Opening<T> {
      openManaged(session: redis.Session, name: string, id: string): Promise<T>;
    }
    const { NamedLock, SharedDict } = redis as unknown as {
      NamedLock: Opening<redis.NamedLock>;
      SharedDict: Opening<redis.SharedDict<number>>;
    };
    const lock = await NamedLock.openManaged(session, `/${name}/own`, id);
    const dict = await SharedDict.openManaged(session, `/${name}/own`, id);
    return { lock, dict };
  };

  it('that has ended ends its objects, too, whose records are gone before it was told', async () => {
    const name = uniqueName();
    const manager = await redis.Manager.open(await sessionHere(), name);
    const all = {
      ...(await makeAll(manager)),
      rlock: await manager.rlock('own'),
      rwlock: await manager.rwlock('own'),
    };
    const { lock, rlock, rwlock, event, semaphore, value, dict } = all;
    const uses: [string, () => Promise<unknown>][] = [
      ['lock', () => lock.acquire({ timeout: 0 })],
      ['lock', () => lock.tryAcquire()],
      ['reentrant lock', () => rlock.acquire({ timeout: 0 })],
      ['read-write lock', () => rwlock.acquireRead({ timeout: 0 })],
      ['event', () => event.wait({ timeout: 0 })],
      ['semaphore', () => semaphore.tryAcquire()],
      ['value', () => value.add(1)],
      ['dict', () => dict.get('a')],
    ];
    const keys = Object.values(all).flatMap(
      (object) => (object as unknown as { allKeys: readonly string[] }).allKeys,
    );
    await command(server, 'DEL', ...keys);
    for (const [kind, use] of uses) await expectRejection(use(), 'ENOENT', kind, '/own');
    await command(server, 'DEL', `{shm:manager:${name}}:n`);
    for (const [kind, use] of uses) await expectRejection(use(), 'ERR_SHUTDOWN', kind, '/own');
  });

  it('takes over nothing of another of its name, which has ended', async () => {
    const name = uniqueName();
    const left = await leftBy(name, '0123456789abcdef');
    await left.lock.acquire();
    await left.dict.set('a', 1);
    const manager = await redis.Manager.open(await sessionHere(), name);
    expect(await (await manager.lock('own')).locked()).toBe(false);
    expect(await (await manager.dict('own')).size()).toBe(0);
    await expectRejection(left.dict.get('a'), 'ERR_SHUTDOWN');
    await manager.shutdown();
    expect(await lastingKeys(server, name)).toEqual([]);
  });

  it('is not touched by who still removes what another of its name has left', async () => {
    const name = uniqueName();
    const session = await sessionHere();
    const manager = await redis.Manager.open(session, name);
    const { lock, dict } = await makeAll(manager);
    const keysOf = (object: object) => (object as { allKeys: readonly string[] }).allKeys;
    const guard = await lock.acquire();
    await dict.set('a', 1);
    const id = 'fedcba9876543210';
    // Whoever does it has read the id of an older object, and was then overtaken.
    const said = await session.ask({
      script: endLock,
      keys: keysOf(lock),
      args: [id],
      repeats: true,
    });
    expect(said.word).toBe('other');
    const [record = ''] = keysOf(dict);
    const old = keysOf(dict).map((key) => key.replace(/:[0-9a-f]{16}:/, `:${id}:`));
    const nameRecord = record.replace(/:[0-9a-f]{16}:m$/, ':n');
    await session.ask({
      script: endObject,
      keys: [...old, nameRecord],
      args: ['1000', id],
      repeats: true,
    });
    expect([await lock.locked(), await (await manager.dict<number>('own')).get('a')]).toEqual([
      true,
      1,
    ]);
    await guard.release();
    await manager.shutdown();
    expect(await lastingKeys(server, name)).toEqual([]);
  });

  it('is made of options that make sense, and alone makes objects of such names', async () => {
    const session = await sessionHere();
    const manager = await redis.Manager.open(session, uniqueName());
    for (const [act, code, said] of [
      [() => manager.dict(5 as never), 'ERR_INVALID_ARG_TYPE', 'name'],
      [() => manager.dict('own', { size: 5 } as never), 'ERR_INVALID_ARG_VALUE', 'size'],
      [() => manager.value('own'), 'ERR_INVALID_ARG_TYPE', 'options'],
      [() => manager.lock('a/b'), 'EINVAL', 'a/b'],
      [() => redis.NamedLock.create(session, { name: '/site/own' }), 'EINVAL', 'manager'],
      [() => redis.Manager.open(session, '/a/b'), 'EINVAL', '/a/b'],
      [() => redis.connect(server.url, {} as never), 'ERR_INVALID_ARG_TYPE', 'name'],
      [() => redis.connect(server.url, { nam: 'x' } as never), 'ERR_INVALID_ARG_VALUE', 'nam'],
    ] as const) {
      await expectRejection(act(), code, said);
    }
    const dict = await manager.dict('own', { ttl: 5 });
    expect(dict.ttl).toBe(5);
    await manager.shutdown();
  });
});
