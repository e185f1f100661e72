import { NamedLock, NamedRLock } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { start } from '../support/children';
import { expectCode, expectRejection } from '../support/errors';
import { temporary } from '../support/temporaries';

/** Another process, which acquires and releases the lock as it is told. */
async function other(lock: NamedLock | NamedRLock) {
  const child = start('conformance/acquirer', [lock]);
  expect(await child.hear()).toBe('ready');
  return {
    async does(what: string): Promise<unknown> {
      child.tell(what);
      return child.hear();
    },
    async end(): Promise<void> {
      child.tell('end');
      await child.succeed();
    },
  };
}

describe('Lock', () => {
  it('test_lock: acquires once, refuses a second, releases once', async () => {
    using lock = temporary(NamedLock.create());
    const process = await other(lock);
    for (const acquire of [() => lock.acquireSync(), () => lock.acquire()]) {
      expect(await acquire()).not.toBeNull();
      expect(lock.tryAcquire()).toBeNull();
      expect(await process.does('try')).toBe(false);
      lock.release();
      expectCode(() => lock.release(), 'ERR_NOT_HELD', lock.name);
    }
    for (const acquire of ['acquireSync', 'acquire']) {
      expect(await process.does(acquire)).toBe('acquired');
      expect(lock.tryAcquire()).toBeNull();
      expect(await process.does('release')).toBe('fine');
      expect(await process.does('release')).toBe('ERR_NOT_HELD');
    }
    await process.end();
  });

  it('test_rlock: acquires three times, releases three times and no fourth', async () => {
    using lock = temporary(NamedRLock.create());
    const process = await other(lock);
    for (const acquire of [
      () => lock.acquireSync(),
      () => lock.acquire(),
      () => lock.tryAcquire(),
    ]) {
      for (const depth of [1, 2, 3]) {
        expect(await acquire()).not.toBeNull();
        expect([lock.held, lock.depth]).toEqual([true, depth]);
      }
      for (const depth of [2, 1, 0]) {
        expect(await process.does('try'), 'held until the last release').toBe(false);
        lock.release();
        expect([lock.held, lock.depth]).toEqual([depth > 0, depth]);
      }
      expectCode(() => lock.release(), 'ERR_NOT_HELD', lock.name);
      expect(await process.does('try')).toBe(true);
      expect(lock.tryAcquire()).toBeNull();
      expect(await process.does('release')).toBe('fine');
    }
    await process.end();
  });

  it('test_lock_context: is held within a block, and free after it, however that is left', async () => {
    for (const create of [() => NamedLock.create(), () => NamedRLock.create()]) {
      using lock = temporary<NamedLock | NamedRLock>(create());
      {
        using held = lock.acquireSync();
        expect([held.abandoned, lock.held]).toEqual([false, true]);
      }
      expect(lock.locked).toBe(false);
      {
        using held = await lock.acquire();
        expect([held.abandoned, lock.held]).toEqual([false, true]);
      }
      expect(lock.locked).toBe(false);
      expect(lock.runExclusiveSync(() => lock.held)).toBe(true);
      expect(await lock.runExclusive(() => Promise.resolve(lock.held))).toBe(true);
      const failure = Object.assign(new TypeError('of the block'), {
        code: 'ERR_INVALID_ARG_TYPE',
      });
      const fail = (): never => {
        throw failure;
      };
      expectCode(() => lock.runExclusiveSync(fail), failure.code, failure.message);
      await expectRejection(lock.runExclusive(fail), failure.code, failure.message);
      expect([lock.held, lock.locked]).toEqual([false, false]);
    }
  });
});
