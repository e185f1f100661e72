// What becomes of what is held: the holder is stopped, blocked, cut off or killed, or the server is.
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import type { Worker } from 'node:worker_threads';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Order } from '../fixtures/redis/holder';
import { start, type Child } from '../support/children';
import { uniqueName } from '../support/names';
import { timed } from '../support/temporaries';
import { expectRejection } from './support/errors';
import { Proxy } from './support/proxy';
import { RedisServer, noServer, onServer } from './support/server';
import { command, openSession, redis } from './support/sessions';

const lease = 1000;

interface Granted {
  fence: number;
  abandoned: boolean;
}

/** A program that holds a lock. */
class Holder {
  readonly #child: Child;

  private constructor(child: Child) {
    this.#child = child;
  }

  static async start(url: string, name: string): Promise<Holder> {
    const child = start('redis/holder', [url, name, lease]);
    await child.hear();
    return new Holder(child);
  }

  ask<T = string>(order: Order): Promise<T> {
    this.#child.tell(order);
    return this.#child.hear<T>();
  }

  /** Begins something whose outcome is heard later. */
  tell(order: Order): void {
    this.#child.tell(order);
  }

  hear<T>(): Promise<T> {
    return this.#child.hear<T>();
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.process.kill(signal);
  }

  async kill(): Promise<void> {
    await this.#child.kill();
  }
}

/** Resolves when the signal has aborted, with its reason's code. */
function aborted(signal: AbortSignal): Promise<string> {
  const code = () => String((signal.reason as NodeJS.ErrnoException).code);
  return new Promise((resolve) => {
    if (signal.aborted) resolve(code());
    else signal.addEventListener('abort', () => resolve(code()), { once: true });
  });
}

describe.skipIf(noServer !== undefined)(`what is held ${onServer}`, () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const openLock = async (options: redis.ConnectOptions = {}, url = server.url) => {
    const session = await openSession(url, { lease, ...options });
    return { session, lock: await redis.NamedLock.open(session, uniqueName()) };
  };

  describe('by a program', () => {
    it('whose event loop is blocked for three leases, it keeps', async () => {
      const { lock } = await openLock();
      const holder = await Holder.start(server.url, lock.name);
      const { fence } = await holder.ask<Granted>({ do: 'acquire' });
      const waiting = lock.acquire();
      holder.tell({ do: 'block', ms: 3 * lease });
      expect(await lock.tryAcquire()).toBeNull();
      expect(await holder.hear()).toBe('fine');
      expect(await holder.ask({ do: 'release' })).toBe('released');
      const guard = await waiting;
      expect(guard.abandoned).toBe(false);
      expect(guard.fence).toBeGreaterThan(fence);
      await guard.release();
      await lock.unlink();
    });

    it('that is stopped beyond its lease, it loses, and learns so at once when it goes on', async () => {
      const { lock, session } = await openLock();
      const dict = await redis.SharedDict.open<number>(session, lock.name);
      const holder = await Holder.start(server.url, lock.name);
      const before = await holder.ask<Granted>({ do: 'acquire' });
      expect(await holder.ask({ do: 'write', dict: dict.name, value: 1 })).toBe('written');
      holder.signal('SIGSTOP');
      const guard = await lock.acquire();
      expect(guard.abandoned).toBe(true);
      expect(guard.fence).toBeGreaterThan(before.fence);
      await dict.set('written', 2, { fence: guard });
      holder.signal('SIGCONT');
      expect(await holder.ask({ do: 'check' })).toBe('ERR_LEASE_LOST');
      expect(await holder.ask({ do: 'signal' })).toEqual({ aborted: true });
      expect(await holder.ask({ do: 'write', dict: dict.name, value: 3 })).toBe('ERR_FENCED');
      expect(await holder.ask({ do: 'release' })).toBe('ERR_NOT_HELD');
      expect(await dict.get('written')).toBe(2);
      guard.check();
      await guard.release();
      await dict.unlink();
      await lock.unlink();
    });

    it('that is killed, the next one has, and is told once', async () => {
      const { lock } = await openLock();
      const holder = await Holder.start(server.url, lock.name);
      await holder.ask({ do: 'acquire' });
      const waits = [lock.acquire(), lock.acquire()];
      await holder.kill();
      const first = await waits[0]!;
      expect(first.abandoned).toBe(true);
      await first.release();
      const second = await waits[1]!;
      expect(second.abandoned).toBe(false);
      expect(second.fence).toBeGreaterThan(first.fence);
      await second.release();
      await lock.unlink();
    });
  });

  describe.each(['thread', 'event-loop'] as const)('and renewed by the %s', (renew) => {
    it('is kept for several leases, and no other gets it', async () => {
      const { lock, session } = await openLock({ renew });
      const other = await redis.NamedLock.open(await openSession(server.url), lock.name);
      const guard = await lock.acquire();
      const took = await timed(() =>
        expectRejection(other.acquire({ timeout: 3 * lease }), 'ERR_TIMEOUT'),
      );
      expect(took).toBeGreaterThanOrEqual(3 * lease);
      guard.check();
      expect([guard.signal.aborted, await lock.held()]).toEqual([false, true]);
      await guard.release();
      guard.check();
      expect(guard.signal.aborted).toBe(false);
      await lock.unlink();
      session.close();
    });

    it('is lost when the server forgets it, and the holder is told', async () => {
      const { lock } = await openLock({ renew });
      const guard = await lock.acquire();
      const lost = aborted(guard.signal);
      await command(server, 'FLUSHALL');
      expect(await lost).toBe('ERR_LEASE_LOST');
      expect(() => guard.check()).toThrow(lock.name);
      expect(await lock.held()).toBe(false);
      await expectRejection(guard.release(), 'ERR_NOT_HELD', lock.name);
    });

    it('is lost when the server cannot be reached until the lease ends', async () => {
      await using proxy = await Proxy.start(server);
      const { lock, session } = await openLock({ renew, patience: 300 }, proxy.url);
      const guard = await lock.acquire();
      const took = await timed(async () => {
        proxy.hole(true);
        expect(await aborted(guard.signal)).toBe('ERR_LEASE_LOST');
      });
      // It was renewed at a third of the lease, or was to be.
      expect(took).toBeGreaterThanOrEqual(lease / 2);
      proxy.hole(false);
      const next = await lock.acquire();
      expect(next.fence).toBeGreaterThan(guard.fence);
      await next.release();
      await lock.unlink();
      session.close();
    });

    it('is kept where the connection is cut again and again', async () => {
      await using proxy = await Proxy.start(server);
      const { lock, session } = await openLock({ renew, lease: 2000 }, proxy.url);
      const guard = await lock.acquire();
      const end = performance.now() + 5000;
      while (performance.now() < end) {
        await session.served();
        proxy.cut();
      }
      guard.check();
      await guard.release();
      await lock.unlink();
      session.close();
    });
  });

  describe('and renewed by a thread', () => {
    const threads = createRequire(path.resolve('package.json'))('node:worker_threads') as {
      Worker: typeof Worker;
    };
    const Native = threads.Worker;
    afterEach(() => {
      threads.Worker = Native;
    });

    const warned = () =>
      new Promise<Error>((resolve) => {
        const listen = (warning: Error) => {
          if (!warning.message.includes('renews leases')) return;
          process.off('warning', listen);
          resolve(warning);
        };
        process.on('warning', listen);
      });

    /** It is held for several leases, whatever becomes of the thread. */
    const expectKept = async (lock: redis.NamedLock, guards: redis.LockGuard[]) => {
      const other = await redis.NamedLock.open(await openSession(server.url), lock.name);
      await expectRejection(other.acquire({ timeout: 3 * lease }), 'ERR_TIMEOUT');
      for (const guard of guards) {
        guard.check();
        await guard.release();
      }
      const again = await lock.acquire();
      await expectRejection(other.acquire({ timeout: 2 * lease }), 'ERR_TIMEOUT');
      await again.release();
    };

    it('that is terminated, it is kept, and the program is warned', async () => {
      const started: Worker[] = [];
      threads.Worker = class extends Native {
        constructor(...args: ConstructorParameters<typeof Worker>) {
          super(...args);
          started.push(this);
        }
      };
      const { lock, session } = await openLock({ renew: 'thread' });
      const guard = await lock.acquire();
      const second = await redis.NamedLock.open(session, uniqueName());
      const another = await second.acquire();
      expect(started).toHaveLength(1);
      const warning = warned();
      await started[0]!.terminate();
      expect(await warning).toMatchObject({ code: 'ERR_UNAVAILABLE', name: 'SharedMemoryWarning' });
      await expectKept(lock, [guard, another]);
      expect(started).toHaveLength(1);
      for (const each of [lock, second]) await each.unlink();
    });

    it('that cannot be started, it is kept, and the program is warned', async () => {
      threads.Worker = function () {
        throw new Error('no threads here');
      } as unknown as typeof Worker;
      const { lock } = await openLock({ renew: 'thread' });
      const warning = warned();
      const guard = await lock.acquire();
      expect((await warning).message).toContain('no threads here');
      await expectKept(lock, [guard]);
      await lock.unlink();
    });

    it('whose connection dies without a word, it is kept, however patient the program is', async () => {
      await using proxy = await Proxy.start(server);
      const lasting = 1500;
      const options = { renew: 'thread', lease: lasting, patience: 60_000 } as const;
      const { lock } = await openLock(options, proxy.url);
      const guard = await lock.acquire();
      const other = await redis.NamedLock.open(await openSession(server.url), lock.name);
      // The thread is connected when it has renewed the lease once.
      await expectRejection(other.acquire({ timeout: lasting }), 'ERR_TIMEOUT');
      proxy.freeze();
      await expectRejection(other.acquire({ timeout: 3 * lasting }), 'ERR_TIMEOUT');
      guard.check();
      await other.unlink();
    });

    it('needs a connection that the thread can make, too', async () => {
      const tls = { checkServerIdentity: () => undefined };
      await expectRejection(
        openSession(server.url, { renew: 'thread', tls }),
        'ERR_INVALID_ARG_TYPE',
        'tls',
        'event-loop',
      );
      // The server does not speak TLS. But nobody says that these options cannot be used.
      const options = { tls, unavailableAfter: 0, patience: 200 };
      const url = server.url.replace('redis:', 'rediss:');
      await expectRejection(openSession(url, options), 'ERR_UNAVAILABLE');
    });
  });

  it('is not renewed when it was given back, and its place is used again', async () => {
    const { lock } = await openLock({ renew: 'thread' });
    let fence = 0;
    for (let i = 0; i < 3000; i++) {
      const guard = await lock.acquire();
      expect(guard.fence).toBeGreaterThan(fence);
      fence = guard.fence;
      await guard.release();
      guard.check();
    }
    await lock.unlink();
  });

  it('is told by a guard, whose members are those that it should have', async () => {
    const { lock } = await openLock();
    const guard = await lock.acquire();
    expect(Number.isSafeInteger(guard.fence)).toBe(true);
    expect(guard.lock).toBe(lock);
    await guard.release();
    await lock.unlink();
  });

  describe('on a server that is killed', () => {
    it('with everything on its disk, stays held', async () => {
      await using durable = await RedisServer.start([
        '--appendonly',
        'yes',
        '--appendfsync',
        'always',
      ]);
      const { lock, session } = await openLock({ lease: 4000 }, durable.url);
      const other = await redis.NamedLock.open(await openSession(durable.url), lock.name);
      const guard = await lock.acquire();
      const waiting = other.acquire();
      await durable.kill();
      await durable.restart();
      await session.served();
      expect(await other.tryAcquire()).toBeNull();
      guard.check();
      await guard.release();
      const next = await waiting;
      expect([next.abandoned, next.fence > guard.fence]).toEqual([false, true]);
      await next.release();
    });

    it('with nothing on its disk, is lost, and the holder is told; fences grow', async () => {
      await using forgetful = await RedisServer.start();
      const { lock, session } = await openLock({}, forgetful.url);
      const guard = await lock.acquire();
      await forgetful.kill();
      await forgetful.restart();
      expect(await aborted(guard.signal)).toBe('ERR_LEASE_LOST');
      await expectRejection(lock.acquire(), 'ENOENT', lock.name);
      const again = await redis.NamedLock.open(session, lock.name);
      const next = await again.acquire();
      expect(next.fence).toBeGreaterThan(guard.fence);
      await next.release();
    });
  });

  it('on a server that is stopped for two leases, is lost before another gets it', async () => {
    await using still = await RedisServer.start();
    const { lock } = await openLock({ patience: 20_000 }, still.url);
    const other = await redis.NamedLock.open(
      await openSession(still.url, { lease, patience: 20_000 }),
      lock.name,
    );
    const guard = await lock.acquire();
    const waiting = other.acquire();
    still.stop();
    expect(await aborted(guard.signal)).toBe('ERR_LEASE_LOST');
    still.goOn();
    const next = await waiting;
    expect(next.fence).toBeGreaterThan(guard.fence);
    await next.release();
  });

  describe('on a server without memory', () => {
    it('is renewed and given back, and changes are refused as a whole', async () => {
      await using full = await RedisServer.start();
      const { lock, session } = await openLock({}, full.url);
      const dict = await redis.SharedDict.create<string>(session, { name: uniqueName() });
      const event = await redis.NamedEvent.create(session, { name: uniqueName() });
      const semaphore = await redis.NamedSemaphore.create(session, {
        name: uniqueName(),
        value: 2,
      });
      const value = await redis.SharedValue.create(session, { name: uniqueName(), type: 'int64' });
      await dict.set('a', 'x');
      const guard = await lock.acquire();
      const permit = await semaphore.acquire();
      await command(full, 'CONFIG', 'SET', 'maxmemory', '1');
      const other = await redis.NamedLock.open(await openSession(full.url), lock.name);
      for (const act of [
        () => dict.set('a', 'y'),
        () => dict.set('b', 'y'),
        () => dict.update('a', () => 'y'),
        () => value.add(1n),
        () => other.acquire(),
        () => redis.NamedEvent.create(session, {}),
      ]) {
        await expectRejection(act(), 'ENOSPC');
      }
      await expectRejection(other.acquire({ timeout: 2 * lease }), 'ENOSPC');
      // It was renewed meanwhile, so that it lasts longer than one lease.
      await expectRejection(event.wait({ timeout: 0 }), 'ENOSPC');
      await new Promise((resolve) => setTimeout(resolve, 2 * lease));
      guard.check();
      permit.check();
      await event.set();
      expect([await event.isSet(), await dict.get('a'), await dict.size()]).toEqual([true, 'x', 1]);
      await guard.release();
      await permit.release();
      expect([await lock.locked(), await semaphore.value()]).toEqual([false, 2]);
      expect(await dict.delete('a')).toBe(true);
    });
  });

  it('is unaffected while the server forgets its scripts', async () => {
    const { lock, session } = await openLock();
    const dict = await redis.SharedDict.create<number>(session, { name: uniqueName() });
    const guard = await lock.acquire();
    const flushing = new AbortController();
    const flushed = (async () => {
      while (!flushing.signal.aborted) await command(server, 'SCRIPT', 'FLUSH');
    })();
    const end = performance.now() + 2 * lease;
    let added = 0;
    while (performance.now() < end) {
      await Promise.all([dict.add('n', 1), dict.add('n', 1)]);
      added += 2;
    }
    flushing.abort();
    await flushed;
    expect(await dict.get('n')).toBe(added);
    guard.check();
    await guard.release();
    await dict.unlink();
    await lock.unlink();
  });
});
