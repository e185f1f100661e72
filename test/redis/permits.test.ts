// Which permits of a semaphore are given back, where several could be.
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { uniqueName } from '../support/names';
import { expectRejection } from './support/errors';
import { Proxy } from './support/proxy';
import { RedisServer, noServer, onServer } from './support/server';
import { command, load, openSession, redis } from './support/sessions';
import { releasePermits } from '../../lib/redis/scripts/semaphore';

describe.skipIf(noServer !== undefined)(`permits that are given back ${onServer}`, () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  /** A semaphore by three processes. */
  const share = async (options: redis.NamedSemaphoreOptions, url = server.url) => {
    const name = uniqueName();
    const here = await redis.NamedSemaphore.create(await openSession(url), { name, ...options });
    const there = await redis.NamedSemaphore.attach(await openSession(server.url), name);
    return { here, there };
  };

  it.each([
    { by: 'two releases at once', releases: [1, 1] },
    { by: 'many releases at once', releases: [2, 1, 1, 3] },
  ])('by $by are as many of the own ones', async ({ releases }) => {
    const total = releases.reduce((sum, count) => sum + count);
    const { here, there } = await share({ value: total + 1 });
    const theirs = await there.acquire();
    for (let i = 0; i < total; i++) await here.acquire();
    await Promise.all(releases.map((count) => here.release(count)));
    expect(await here.value()).toBe(total);
    await theirs.release();
    expect(await here.value()).toBe(total + 1);
    await here.unlink();
  });

  it('are not given back by their guard, too', async () => {
    const { here, there } = await share({ value: 2 });
    const theirs = await there.acquire();
    const guard = await here.acquire();
    const released = here.release();
    await expectRejection(guard.release(), 'ERR_NOT_HELD', here.name);
    await released;
    await theirs.release();
    expect(await here.value()).toBe(2);
    await here.unlink();
  });

  it('are kept by a release that is refused, and can be given back later', async () => {
    const { here } = await share({ value: 2, max: 2 });
    const guard = await here.acquire();
    await expectRejection(here.release(2), 'ERR_NOT_HELD', here.name);
    await expectRejection(here.close(), 'EBUSY');
    guard.check();
    await guard.release();
    expect(await here.value()).toBe(2);
    await here.unlink();
  });

  it('by a release whose answer was lost are not renewed any more', async () => {
    await using proxy = await Proxy.start(server);
    await load(server, [releasePermits]);
    const { here, there } = await share({ value: 1 }, proxy.url);
    const guard = await here.acquire();
    const lost = proxy.swallowAnswerTo(releasePermits.sha);
    await expectRejection(here.release(), 'ERR_UNCERTAIN', here.name);
    await lost;
    await expectRejection(guard.release(), 'ERR_NOT_HELD', here.name);
    await here.close();
    const next = await there.acquire();
    await next.release();
    await there.unlink();
  });

  it('of others are those that were taken last, however long their leases are', async () => {
    const { here, there } = await share({ value: 2 });
    const long = await openSession(server.url, { lease: 60_000 });
    const first = await (await redis.NamedSemaphore.attach(long, here.name)).acquire();
    const last = await there.acquire();
    await here.release();
    await expectRejection(last.release(), 'ERR_NOT_HELD');
    await first.release();
    expect(await here.value()).toBe(2);
    await here.unlink();
  });

  it('come to the waiters who live, though others among them have died', async () => {
    // Who is not told looks again after a third of the lease, which is later than the timeout.
    const lease = 60_000;
    const sessionOf = (length: number) => openSession(server.url, { lease: length });
    const holder = await sessionOf(lease);
    const here = await redis.NamedSemaphore.create(holder, { value: 2 });
    await here.acquire();
    await here.acquire();
    const wait = async (session: redis.Session, timeout?: number) => {
      const semaphore = await redis.NamedSemaphore.attach(session, here.name);
      const waiting = semaphore.acquire({ timeout });
      await session.served();
      return { waiting };
    };
    const first = await wait(await sessionOf(lease), 10_000);
    const dying = await sessionOf(500);
    const dead = await wait(dying);
    const last = await wait(await sessionOf(lease), 10_000);
    const closed = expectRejection(dead.waiting, 'ERR_CLOSED');
    dying.close();
    await closed;
    await delay(600);
    await here.release(2);
    for (const { waiting } of [first, last]) (await waiting).check();
    expect(await here.value()).toBe(0);
    await here.unlink();
  });

  describe('that were added by a release', () => {
    it('come back once, however often their guard is released', async () => {
      const { here, there } = await share({ value: 0 });
      await there.release();
      const guard = await here.acquire();
      const outcomes = await Promise.allSettled([guard.release(), guard.release()]);
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
      await expectRejection(guard.release(), 'ERR_NOT_HELD', here.name);
      expect(await here.value()).toBe(1);
      await here.unlink();
    });

    it('come back by themselves, and no other permit of their holder does', async () => {
      const { here, there } = await share({ value: 1 });
      await there.release();
      const leased = await here.acquire();
      const added = await here.acquire();
      expect(await there.value()).toBe(0);
      await added.release();
      expect(await there.value()).toBe(1);
      leased.check();
      await leased.release();
      expect(await there.value()).toBe(2);
      await here.unlink();
    });

    it('come back only if there is room, and can be released later', async () => {
      const { here, there } = await share({ value: 0, max: 1 });
      await there.release();
      const guard = await here.acquire();
      await there.release();
      await expectRejection(guard.release(), 'ERR_NOT_HELD', here.name);
      await there.acquire();
      await guard.release();
      expect(await here.value()).toBe(1);
      await here.unlink();
    });

    it('are remembered for whoever took them until the next request', async () => {
      const { here, there } = await share({ value: 0 });
      await there.release(3);
      const [key] = (await command(server, 'KEYS', `*${here.name}*:m`)) as string[];
      const used = async () =>
        (await command(server, 'ZRANGE', key!.replace(/m$/, 'u'), '0', '-1')) as string[];
      await here.acquire();
      const first = await used();
      await here.acquire();
      const second = await used();
      expect([first.length, second.length]).toEqual([1, 1]);
      expect(second).not.toEqual(first);
      await here.unlink();
    });
  });
});
