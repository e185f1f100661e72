import { NamedCondition, NamedSemaphore, SharedValue } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { holding, sleepOnce, type Form, type Slept } from '../fixtures/conformance/forms';
import { start, type Child } from '../support/children';
import { expectCode, expectRejection } from '../support/errors';
import { Temporaries, temporary, timed, until, watchdog } from '../support/temporaries';
import { onWindows } from '../support/system';

const forms: Form[] = ['sync', 'async'];

/** A condition, with processes and tasks of this thread that wait on it. */
class Sleepers extends Temporaries {
  readonly cond = this.add(NamedCondition.create());
  readonly sleeping = this.add(NamedSemaphore.create({ value: 0 }));
  readonly woken = this.add(NamedSemaphore.create({ value: 0 }));
  #all: { slept: Promise<Slept>; child?: Child }[] = [];

  /** Resolves when they wait: a thread that acquires the lock from then on finds all of them waiting. */
  async start(processes: readonly Form[], tasks: number, timeout?: number): Promise<void> {
    const { cond, sleeping, woken } = this;
    for (const form of processes) {
      const given = [form, cond, sleeping, woken, timeout ?? null];
      const child = start('conformance/sleeper', given);
      this.#all.push({ slept: child.hear<Slept>(), child });
    }
    for (let i = 0; i < tasks; i++) {
      const slept = sleepOnce('async', { cond, sleeping, woken, timeout: timeout ?? null });
      this.#all.push({ slept });
    }
    const failed = new Promise<never>((_, reject) => {
      for (const { slept } of this.#all) slept.catch(reject);
    });
    for (const _ of this.#all) await Promise.race([sleeping.acquire(), failed]);
  }

  /** Resolves with the number of waiters that are woken. */
  async notify(count?: number): Promise<number> {
    return this.cond.lock.runExclusive(() => this.cond.notify(count));
  }

  async notifyAll(): Promise<number> {
    return this.cond.lock.runExclusive(() => this.cond.notifyAll());
  }

  /** Resolves with the outcomes when all have ended. */
  async end(): Promise<Slept[]> {
    const all = this.#all.splice(0);
    const slept = await Promise.all(all.map((one) => one.slept));
    for (const { child } of all) await child?.succeed();
    return slept;
  }
}

describe('Condition', () => {
  it('test_notify: wakes one, then the other', async () => {
    for (const form of forms) {
      using all = new Sleepers();
      const { woken } = all;
      await all.start([form], 1);
      expect(woken.value).toBe(0);

      expect(await all.notify()).toBe(1);
      await until(() => woken.value > 0);
      expect(woken.value).toBe(1);

      expect(await all.notify()).toBe(1);
      await until(() => woken.value > 1);
      expect((await all.end()).map(({ how }) => how)).toEqual(['fine', 'fine']);
      expect(woken.value).toBe(2);
      expect(await all.notifyAll(), 'nobody is left').toBe(0);
    }
  });

  it('test_notify_all: wakes all that wait, and none that have given up', async () => {
    using all = new Sleepers();
    const { woken } = all;
    const timeout = 50;
    await all.start(['sync', 'async', 'sync'], 3, timeout);
    for (let i = 0; i < 6; i++) await woken.acquire();
    expect(woken.value).toBe(0);
    for (const { how, took } of await all.end()) {
      expect(how).toBe('ERR_TIMEOUT');
      expect(took).toBeGreaterThanOrEqual(timeout);
    }
    expect(await all.notifyAll(), 'nobody is left').toBe(0);

    await all.start(['sync', 'async', 'sync'], 3);
    expect(woken.value).toBe(0);
    expect(await all.notifyAll()).toBe(6);
    expect((await all.end()).map(({ how }) => how)).toEqual(Array(6).fill('fine'));
    expect(woken.value).toBe(6);
    expect(await all.notifyAll(), 'nobody is left').toBe(0);
  });

  it('test_notify_n: wakes as many as it is told, and no more than there are', async () => {
    using all = new Sleepers();
    const { woken } = all;
    await all.start(['sync', 'async', 'sync'], 3);
    expect(woken.value).toBe(0);

    expect(await all.notify(2)).toBe(2);
    await until(() => woken.value >= 2);
    expect(woken.value).toBe(2);

    expect(await all.notify(4), 'four were still waiting').toBe(4);
    expect((await all.end()).map(({ how }) => how)).toEqual(Array(6).fill('fine'));
    expect(woken.value).toBe(6);

    expect(await all.notify(3)).toBe(0);
    expect(woken.value).toBe(6);
    expect(await all.notifyAll(), 'nobody is left').toBe(0);
  });

  it('test_timeout: gives up a wait when its time is over, and has the lock again', async () => {
    using cond = temporary(NamedCondition.create());
    const timeout = 82;
    cond.lock.acquireSync();
    const sync = await timed(() => {
      expectCode(() => cond.waitSync({ timeout }), 'ERR_TIMEOUT', cond.name);
    });
    const awaited = await timed(() =>
      expectRejection(cond.wait({ timeout }), 'ERR_TIMEOUT', cond.name),
    );
    expect(sync).toBeGreaterThanOrEqual(timeout);
    expect(awaited).toBeGreaterThanOrEqual(timeout);
    expect(cond.lock.held).toBe(true);
    cond.lock.release();
    expect(cond.lock.locked).toBe(false);
  });

  it('test_waitfor: waits until what it waits for is so', async () => {
    for (const [own, others] of [
      ['sync', 'async'],
      ['async', 'sync'],
    ] as const) {
      using cond = temporary(NamedCondition.create());
      using state = temporary(SharedValue.create({ type: 'int32', value: -1 }));
      const isZero = (): boolean => state.value === 0;
      const child = start('conformance/wait-for', [others, cond, state.name, null]);
      await holding(own, cond.lock, async () => {
        const result =
          own === 'sync' ? cond.waitForSync(isZero, watchdog) : await cond.waitFor(isZero);
        expect([result, state.value]).toEqual([true, 0]);
      });
      for (let i = 0; i < 4; i++) {
        await holding(own, cond.lock, () => {
          state.add(1);
          cond.notify();
        });
      }
      expect(await child.hear()).toEqual({ result: true, state: 4 });
      await child.succeed();
    }
  });

  it('test_waitfor_timeout: gives up when what it waits for does not come to be', async () => {
    for (const form of forms) {
      using cond = temporary(NamedCondition.create());
      using state = temporary(SharedValue.create({ type: 'int32', value: 0 }));
      const timeout = 100;
      const child = start('conformance/wait-for', [form, cond, state.name, timeout]);
      expect(await child.hear()).toBe('waiting');
      for (let i = 0; i < 3; i++) {
        await cond.lock.runExclusive(() => {
          state.add(1);
          cond.notify();
        });
      }
      const { how, took, held, state: found } = await child.hear<Record<string, unknown>>();
      expect({ how, held, found }).toEqual({ how: 'ERR_TIMEOUT', held: true, found: 3 });
      expect(took).toBeGreaterThanOrEqual(timeout);
      await child.succeed();
    }
  });

  // On Windows SIGINT ends a process at once, and none of its code runs.
  it.skipIf(onWindows)(
    'test_wait_result: tells a wait in vain, a notification and an interruption apart',
    async () => {
      for (const form of forms) {
        using cond = temporary(NamedCondition.create());
        const child = start('conformance/interrupted', [form, cond]);
        const inVain = { how: 'ERR_TIMEOUT', late: true, held: true };
        expect([await child.hear(), await child.hear()]).toEqual([inVain, inVain]);
        expect(await child.hear()).toBe('waiting');
        expect(await cond.lock.runExclusive(() => cond.notify())).toBe(1);
        expect(await child.hear()).toBe('woken');
        // As soon as the lock can be acquired, the process waits again, and this thread waits behind it.
        await cond.lock.acquire();
        const own = cond.wait();
        await cond.lock.acquire();
        cond.lock.release();
        child.process.kill('SIGINT');
        if (form === 'async') {
          expect(await child.hear()).toEqual({ how: 'SIGINT', held: true });
          await child.succeed();
        } else {
          expect(await child.exit).toEqual({ code: null, signal: 'SIGINT' });
        }
        // The interrupted waiter takes no notification with it.
        await cond.lock.runExclusive(() => cond.notify());
        await own;
        expect(cond.lock.held).toBe(true);
        cond.lock.release();
      }
    },
  );
});
