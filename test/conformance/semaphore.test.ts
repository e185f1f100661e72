import { NamedSemaphore } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { start } from '../support/children';
import { expectCode, expectRejection } from '../support/errors';
import { temporary, timed } from '../support/temporaries';

type Acquire = (semaphore: NamedSemaphore) => unknown;

const forms: Acquire[] = [
  (semaphore) => semaphore.acquireSync(),
  (semaphore) => semaphore.acquire(),
  (semaphore) => semaphore.tryAcquire(),
];

/** Acquires both permits and releases them. */
async function takeAndGive(semaphore: NamedSemaphore, acquire: Acquire): Promise<void> {
  expect(semaphore.value).toBe(2);
  expect(await acquire(semaphore)).not.toBeNull();
  expect(semaphore.value).toBe(1);
  expect(await acquire(semaphore)).not.toBeNull();
  expect(semaphore.value).toBe(0);
  expect(semaphore.tryAcquire()).toBeNull();
  expect(semaphore.value).toBe(0);
  semaphore.release();
  expect(semaphore.value).toBe(1);
  semaphore.release();
  expect(semaphore.value).toBe(2);
}

/** The same, while another process has one of the two permits. */
async function takeAndGiveWithAnother(semaphore: NamedSemaphore): Promise<void> {
  const child = start('conformance/acquirer', [semaphore]);
  const does = async (what: string): Promise<unknown> => {
    child.tell(what);
    return child.hear();
  };
  expect(await child.hear()).toBe('ready');
  for (const acquire of ['acquireSync', 'acquire']) {
    expect(await does(acquire)).toBe('acquired');
    expect(semaphore.value).toBe(1);
    const own = await semaphore.acquire();
    expect(semaphore.value).toBe(0);
    expect(semaphore.tryAcquire()).toBeNull();
    expect(await does('try')).toBe(false);
    expect(await does('release')).toBe('fine');
    expect(semaphore.value).toBe(1);
    own.release();
    expect(semaphore.value).toBe(2);
  }
  child.tell('end');
  await child.succeed();
}

describe('Semaphore', () => {
  it('test_semaphore: counts permits down to none, and up beyond what it began with', async () => {
    for (const acquire of forms) {
      using semaphore = temporary(NamedSemaphore.create({ value: 2 }));
      await takeAndGive(semaphore, acquire);
      await takeAndGiveWithAnother(semaphore);
      semaphore.release();
      expect(semaphore.value).toBe(3);
      semaphore.release();
      expect(semaphore.value).toBe(4);
    }
  });

  it('test_bounded_semaphore: does the same, and refuses a release beyond its bound', async () => {
    for (const acquire of forms) {
      using semaphore = temporary(NamedSemaphore.create({ value: 2, max: 2 }));
      expect(semaphore.max).toBe(2);
      await takeAndGive(semaphore, acquire);
      await takeAndGiveWithAnother(semaphore);
      expectCode(() => semaphore.release(), 'ERR_NOT_HELD', semaphore.name);
      expect(semaphore.value).toBe(2);
    }
  });

  it('test_timeout: without a permit, refuses at once or when its time is over', async () => {
    using semaphore = temporary(NamedSemaphore.create({ value: 0 }));
    expect(semaphore.tryAcquire()).toBeNull();
    for (const timeout of [0, 50, 82]) {
      const sync = await timed(() => {
        expectCode(() => semaphore.acquireSync({ timeout }), 'ERR_TIMEOUT', semaphore.name);
      });
      expect(sync).toBeGreaterThanOrEqual(timeout);
      const awaited = await timed(() =>
        expectRejection(semaphore.acquire({ timeout }), 'ERR_TIMEOUT', semaphore.name),
      );
      expect(awaited).toBeGreaterThanOrEqual(timeout);
    }
    expect(semaphore.value).toBe(0);
  });
});
