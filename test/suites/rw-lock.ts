// What a read-write lock promises, wherever its two sides are.
import type { contract } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { expectRejection } from '../support/errors';
import type { Place, Remote } from '../support/places';
import { timed } from '../support/temporaries';
import { describeHolding } from './holding';

type Int32 = contract.Value<'int32'>;
type RWLock = Remote<contract.RWLock>;
type Acquired = ReturnType<RWLock['acquireRead']>;

export function describeRWLock(place: Place): void {
  const share = () => place.share<contract.RWLock>('rwlock');

  const stateOf = async (lock: RWLock) => [await lock.readers(), await lock.writing()];
  /** Expects the same of both sides. */
  const expectState = async (sides: { here: RWLock; there: RWLock }, ...state: unknown[]) => {
    expect([await stateOf(sides.here), await stateOf(sides.there)]).toEqual([state, state]);
  };

  describeHolding(place, 'rwlock', {
    called: 'a read-write lock',
    acquire: (lock, options) => lock.acquireWrite(options),
    tryAcquire: (lock) => lock.tryAcquireWrite(),
    isHeld: (lock) => lock.writing(),
    tellsOfDeath: true,
    staysUnlinked: true,
  });

  describe('a read-write lock', () => {
    it('lets both sides read at once, and nobody write then', async () => {
      const { here, there } = await share();
      const name = await here.name();
      const guards = [
        await there.acquireRead(),
        await here.acquireRead(),
        (await there.tryAcquireRead())!,
        (await here.tryAcquireRead())!,
      ];
      for (const [i, guard] of guards.entries()) {
        expect([guard.mode, guard.abandoned]).toEqual(['read', false]);
        await expectState({ here, there }, guards.length - i, false);
        expect([await here.tryAcquireWrite(), await there.tryAcquireWrite()]).toEqual([null, null]);
        await guard.release();
        await expectRejection(guard.release(), 'ERR_NOT_HELD', name);
      }
      await expectState({ here, there }, 0, false);
    });

    it('lets one side write, and nobody read then', async () => {
      const { here, there } = await share();
      for (const [one, other] of [
        [there, here],
        [here, there],
      ] as const) {
        for (const acquire of ['acquireWrite', 'tryAcquireWrite'] as const) {
          const guard = (await one[acquire]())!;
          expect([guard.mode, guard.abandoned]).toEqual(['write', false]);
          await expectState({ here, there }, 0, true);
          expect([await one.tryAcquireRead(), await other.tryAcquireRead()]).toEqual([null, null]);
          await guard.release();
        }
      }
      await expectState({ here, there }, 0, false);
    });

    it('that is read there keeps that handle open', async () => {
      const { here, there } = await share();
      const name = await here.name();
      {
        await using _guard = await there.acquireRead();
        await expectRejection(there.close(), 'EBUSY', name);
        expect(await here.readers()).toBe(1);
      }
      await there.close();
      expect(await stateOf(here)).toEqual([0, false]);
    });

    it('never shows one side what the other has half written', async () => {
      const { here, there } = await share();
      const { here: first } = await place.share<Int32>('value', { type: 'int32' });
      const { here: second } = await place.share<Int32>('value', { type: 'int32' });
      const each = 25;
      const write = async (lock: RWLock) => {
        for (let i = 0; i < each; i++) {
          const guard = await lock.acquireWrite();
          for (const value of [first, second]) await value.exchange((await value.value()) + 1);
          await guard.release();
        }
      };
      const read = async (lock: RWLock) => {
        for (let i = 0; i < each; i++) {
          const guard = await lock.acquireRead();
          const seen = await first.value();
          expect(await second.value()).toBe(seen);
          await guard.release();
        }
      };
      await Promise.all([here, there].flatMap((lock) => [write(lock), read(lock), read(lock)]));
      expect([await first.value(), await second.value()]).toEqual([2 * each, 2 * each]);
    });
  });

  describe('who waits for a read-write lock', () => {
    const ordered = () => {
      const order: string[] = [];
      const waits: Promise<void>[] = [];
      return {
        order,
        ask: async (what: string, sides: readonly RWLock[], acquire: () => Acquired) => {
          const wait = acquire().then(async (guard) => {
            order.push(what);
            // The others have time to go ahead of their turn.
            for (const side of sides) await side.readers();
            order.push(`${what} is over`);
            await guard.release();
          });
          waits.push(wait);
          await place.begun();
        },
        all: () => Promise.all(waits),
      };
    };

    it('has it in the order in which both sides asked', async () => {
      const { here, there } = await share();
      for (const [one, other] of [
        [here, there],
        [there, here],
      ] as const) {
        const own = await one.acquireRead();
        const { order, ask, all } = ordered();
        await ask('write', [one, other], () => other.acquireWrite());
        await ask('read', [one, other], () => one.acquireRead());
        expect([await one.tryAcquireRead(), await other.tryAcquireRead()]).toEqual([null, null]);
        await own.release();
        await all();
        expect(order).toEqual(['write', 'write is over', 'read', 'read is over']);
      }
    });

    it('has it in the order in which the tasks of one side asked, readers together', async () => {
      const { here, there } = await share();
      const own = await here.acquireWrite();
      const { order, ask, all } = ordered();
      const sides = [there, here];
      await ask('read 1', sides, () => there.acquireRead());
      await ask('read 2', sides, () => there.acquireRead());
      await ask('write 1', sides, () => there.acquireWrite());
      await ask('read 3', sides, () => there.acquireRead());
      await ask('write 2', sides, () => there.acquireWrite());
      await own.release();
      await all();
      const readers = ['read 1', 'read 1 is over', 'read 2', 'read 2 is over'];
      expect(order.slice(0, 4).sort()).toEqual(readers);
      const rest = ['write 1', 'read 3', 'write 2'];
      expect(order.slice(4)).toEqual(rest.flatMap((what) => [what, `${what} is over`]));
    });

    it.each(['is called off', 'times out', 'closes its handle'] as const)(
      'for writing and %s lets those read who asked later',
      async (how) => {
        const { here, there } = await share();
        const own = await here.acquireRead();
        const abort = new AbortController();
        const options = {
          'is called off': { signal: abort.signal },
          'times out': { timeout: 50 },
          'closes its handle': {},
        }[how];
        const write = there.acquireWrite(options);
        const off =
          how === 'is called off'
            ? expect(write).rejects.toThrow('enough')
            : expectRejection(write, how === 'times out' ? 'ERR_TIMEOUT' : 'ERR_CLOSED');
        await place.begun();
        const read = here.acquireRead();
        await place.begun();
        if (how === 'is called off') abort.abort(new Error('enough'));
        if (how === 'closes its handle') await there.close();
        await off;
        const guard = await read;
        expect([guard.mode, await here.readers()]).toEqual(['read', 2]);
        await guard.release();
        await own.release();
      },
    );
  });

  describe.each(place.traits.forms)('waiting there for a read-write lock, %s,', (form) => {
    // A thread cannot block until it releases something itself.
    const waits = it.runIf(form === 'async' || place.canEnd);

    waits('to read lasts until nobody writes here', async () => {
      const { here, there } = await share();
      const own = await here.acquireWrite();
      const timeout = 20;
      const took = await timed(() =>
        expectRejection(
          place.inForm(form, there).acquireRead({ timeout }),
          'ERR_TIMEOUT',
          `reading within ${timeout} ms`,
        ),
      );
      expect(took).toBeGreaterThanOrEqual(timeout);
      const waiting = place.inForm(form, there).acquireRead();
      await place.begun();
      await own.release();
      const guard = await waiting;
      expect([guard.mode, guard.abandoned, await here.readers()]).toEqual(['read', false, 1]);
      await guard.release();
    });

    waits('to write lasts until nobody reads here', async () => {
      const { here, there } = await share();
      const guards = [await here.acquireRead(), await here.acquireRead()];
      const waiting = place.inForm(form, there).acquireWrite();
      await place.begun();
      for (const guard of guards) {
        expect(await here.writing()).toBe(false);
        await guard.release();
      }
      const guard = await waiting;
      expect([guard.mode, await stateOf(here)]).toEqual(['write', [0, true]]);
      await guard.release();
    });
  });

  describe.runIf(place.canEnd)('a place that ends', () => {
    it('while it reads leaves the lock to a writer, who has no news', async () => {
      const { here, there } = await share();
      const other = await place.another();
      const away = await other.attach<contract.RWLock>('rwlock', here);
      await away.acquireRead();
      await away.acquireRead();
      const waiting = there.acquireWrite();
      await place.begun();
      expect(await stateOf(here)).toEqual([2, false]);
      await other.end();
      const guard = await waiting;
      expect([guard.mode, guard.abandoned]).toEqual(['write', false]);
      await guard.release();
    });

    it('while it writes is told to readers, until the next writer has been told', async () => {
      const { here, there } = await share();
      const other = await place.another();
      await (await other.attach<contract.RWLock>('rwlock', here)).acquireWrite();
      const waits = [there.acquireRead(), here.acquireRead()];
      await place.begun();
      await other.end();
      const guards = await Promise.all(waits);
      guards.push(await there.acquireRead());
      for (const { mode, abandoned } of guards) expect([mode, abandoned]).toEqual(['read', true]);
      for (const guard of guards) await guard.release();
      const news: boolean[] = [];
      for (const acquire of ['acquireWrite', 'acquireRead', 'acquireWrite'] as const) {
        const guard = await there[acquire]();
        news.push(guard.abandoned);
        await guard.release();
      }
      expect(news).toEqual([true, false, false]);
    });

    it('while it waits to write lets those read who asked later', async () => {
      const { here, there } = await share();
      const own = await here.acquireRead();
      const other = await place.another();
      const away = await other.attach<contract.RWLock>('rwlock', here);
      const cut = expect(away.acquireWrite()).rejects.toThrow('gone');
      await other.begun();
      const waits = [there.acquireRead(), here.acquireRead()];
      await place.begun();
      await other.end();
      await cut;
      for (const guard of await Promise.all(waits)) {
        expect([guard.mode, guard.abandoned]).toEqual(['read', false]);
        await guard.release();
      }
      await own.release();
    });
  });
}
