// What a barrier promises, wherever its two sides are.
import type { contract } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { expectRejection } from '../support/errors';
import { untilTrue, type Place, type Remote } from '../support/places';
import { describeHandles } from './handles';
import { expectRefusals, expectTimeout } from './waits';

type Barrier = Remote<contract.Barrier>;

/** Resolves when that many parties wait. */
const untilWaiting = (barrier: Barrier, count: number) =>
  untilTrue(async () => (await barrier.waiting()) === count);

const broken = (wait: Promise<unknown>) => expectRejection(wait, 'ERR_BROKEN_BARRIER');

export function describeBarrier(place: Place): void {
  const share = (parties: number) => place.share<contract.Barrier>('barrier', { parties });

  /** Expects all parties to pass the barrier, half of them there. */
  const expectPassing = async ({ here, there }: { here: Barrier; there: Barrier }) => {
    const parties = await here.parties();
    const waits = Array.from({ length: parties }, (_, i) => (i % 2 === 0 ? here : there).wait());
    expect((await Promise.all(waits)).sort()).toEqual(waits.map((_, i) => i));
    expect([await here.broken(), await there.waiting()]).toEqual([false, 0]);
  };

  describeHandles(place, 'barrier', {
    options: { parties: 2 },
    change: async (barrier) => ((await barrier.broken()) ? barrier.reset() : barrier.abort()),
    changes: async (barrier) => Number(await barrier.broken()),
    period: 2,
  });

  describe('a barrier', () => {
    it('tells both sides of its parties as they come', async () => {
      const { here, there } = await share(3);
      const seen = async () => [await here.waiting(), await there.waiting()];
      expect([await here.parties(), await there.parties(), await seen()]).toEqual([3, 3, [0, 0]]);
      const first = there.wait();
      await untilWaiting(here, 1);
      const second = here.wait();
      await untilWaiting(there, 2);
      expect(await seen()).toEqual([2, 2]);
      expect([await there.wait(), await second, await first]).toEqual([2, 1, 0]);
      expect([await seen(), await here.broken()]).toEqual([[0, 0], false]);
    });

    it('of one party holds up nobody', async () => {
      const { here, there } = await share(1);
      expect([await there.wait(), await here.wait(), await there.wait()]).toEqual([0, 0, 0]);
    });

    it('lets nobody go on before all have come, again and again', async () => {
      const { here, there } = await share(4);
      const came = await place.share<contract.Value<'int32'>>('value', { type: 'int32' });
      const party = async (side: 'here' | 'there') => {
        for (let round = 1; round <= 15; round++) {
          await came[side].add(1);
          const index = await (side === 'here' ? here : there).wait();
          expect(await came[side].value()).toBeGreaterThanOrEqual(4 * round);
          expect(index).toBeOneOf([0, 1, 2, 3]);
        }
      };
      await Promise.all([party('here'), party('there'), party('here'), party('there')]);
      expect([await here.waiting(), await there.broken()]).toEqual([0, false]);
    });

    it('has parties that are too many for one time wait for the next', async () => {
      const { here, there } = await share(3);
      const waits = Array.from({ length: 7 }, (_, i) => (i % 2 === 0 ? here : there).wait());
      await place.begun();
      await untilWaiting(here, 1);
      waits.push(there.wait(), here.wait());
      expect((await Promise.all(waits)).sort()).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 2]);
    });
  });

  describe.each(place.traits.forms)('a party there, %s,', (form) => {
    // A blocked thread cannot wake itself.
    const wakes = it.runIf(form === 'async' || place.canEnd);

    wakes('waits until the last has come here', async () => {
      const { here, there } = await share(3);
      const first = place.inForm(form, there).wait();
      await untilWaiting(here, 1);
      const second = here.wait();
      await untilWaiting(here, 2);
      expect([await here.wait(), await second, await first]).toEqual([2, 1, 0]);
    });

    it('that is the last lets all go on', async () => {
      const { here, there } = await share(3);
      const first = here.wait();
      await untilWaiting(there, 1);
      const second = there.wait();
      await untilWaiting(there, 2);
      expect(await place.inForm(form, there).wait()).toBe(2);
      expect([await first, await second]).toEqual([0, 1]);
    });

    it('whose time is over breaks the barrier for all, until it is reset', async () => {
      const { here, there } = await share(4);
      const { wait } = place.inForm(form, there);
      const cut = [broken(here.wait()), broken(there.wait())];
      await untilWaiting(here, 2);
      await expectTimeout(wait);
      await Promise.all(cut);
      expect([await here.broken(), await there.broken(), await here.waiting()]).toEqual([
        true,
        true,
        0,
      ]);
      await broken(wait());
      await broken(here.wait());
      await here.reset();
      expect(await there.broken()).toBe(false);
      await expectPassing({ here, there });
    });

    wakes.each(['abort', 'reset'] as const)('is told of an %s here', async (verb) => {
      const { here, there } = await share(3);
      const cut = [broken(here.wait()), broken(place.inForm(form, there).wait())];
      await untilWaiting(here, 2);
      await here[verb]();
      await Promise.all(cut);
      expect([await there.broken(), await there.waiting()]).toEqual([verb === 'abort', 0]);
      if (verb === 'abort') {
        await broken(there.wait());
        await there.reset();
      }
      await expectPassing({ here, there });
    });
  });

  describe('a party there', () => {
    it('that is called off from here breaks the barrier', async () => {
      const { here, there } = await share(3);
      const abort = new AbortController();
      const off = expect(there.wait({ signal: abort.signal })).rejects.toThrow('enough');
      const cut = broken(here.wait());
      await untilWaiting(here, 2);
      abort.abort(new Error('enough'));
      await off;
      await cut;
      expect(await here.broken()).toBe(true);
    });

    it('that closes its handle breaks the barrier, and one that does not wait does not', async () => {
      const { here, there } = await share(2);
      await using idle = await place.attach<contract.Barrier>('barrier', here);
      const first = here.wait();
      await untilWaiting(here, 1);
      await idle.close();
      expect([await there.wait(), await first]).toEqual([1, 0]);
      const cut = expectRejection(there.wait(), 'ERR_CLOSED');
      await untilWaiting(here, 1);
      await there.close();
      await cut;
      expect([await here.broken(), await here.waiting()]).toEqual([true, 0]);
      await broken(here.wait());
    });

    it('does not come with options that make no sense', async () => {
      const { here, there } = await share(2);
      await expectRefusals(there.wait);
      expect([await here.waiting(), await here.broken()]).toEqual([0, false]);
    });
  });

  describe('a barrier for parties that make no sense', () => {
    it('is not made there', async () => {
      const maker = place.makerThere('barrier');
      for (const [options, code, said] of [
        [{}, 'ERR_INVALID_ARG_TYPE', 'parties'],
        [{ parties: 0 }, 'ERR_OUT_OF_RANGE', 'parties'],
        [{ parties: 1.5 }, 'ERR_OUT_OF_RANGE', 'parties'],
        [{ parties: '2' }, 'ERR_INVALID_ARG_TYPE', 'parties'],
        [{ parties: 2, party: 1 }, 'ERR_INVALID_ARG_VALUE', 'party'],
      ] as const) {
        await expectRejection(maker.create(options), code, said);
      }
    });
  });

  describe.runIf(place.canEnd)('a place that ends', () => {
    it.each(place.traits.forms)(
      'while it waits breaks the barrier for others: %s',
      async (form) => {
        const { here, there } = await share(4);
        const other = await place.another();
        const doomed = await other.attach<contract.Barrier>('barrier', here);
        const gone = expect(other.inForm(form, doomed).wait()).rejects.toThrow('gone');
        const cut = [broken(here.wait()), broken(there.wait())];
        await untilWaiting(here, 3);
        await other.end();
        await gone;
        await Promise.all(cut);
        expect([await here.broken(), await there.waiting()]).toEqual([true, 0]);
        await there.reset();
        await expectPassing({ here, there });
      },
    );

    it('when it has passed the barrier, or before it comes, is no party', async () => {
      const { here, there } = await share(2);
      const other = await place.another();
      const passed = await other.attach<contract.Barrier>('barrier', here);
      const both = [passed.wait(), here.wait()];
      expect((await Promise.all(both)).sort()).toEqual([0, 1]);
      const first = here.wait();
      await untilWaiting(there, 1);
      await other.end();
      expect([await there.wait(), await first]).toEqual([1, 0]);
      expect(await here.broken()).toBe(false);
    });
  });
}
