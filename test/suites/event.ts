// What an event promises, wherever its two sides are.
import type { contract } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { expectRejection } from '../support/errors';
import type { Place } from '../support/places';
import { describeHandles } from './handles';
import { expectRefusals, expectTimeout } from './waits';

export function describeEvent(place: Place): void {
  const share = () => place.share<contract.Event>('event');

  describeHandles(place, 'event', {
    change: async (event) => ((await event.isSet()) ? event.clear() : event.set()),
    changes: async (event) => Number(await event.isSet()),
    period: 2,
  });

  describe('an event', () => {
    it('is set and cleared for both sides, by either, and again by the other', async () => {
      const { here, there } = await share();
      const flags = async () => [await here.isSet(), await there.isSet()];
      expect(await flags()).toEqual([false, false]);
      for (const isSet of [true, false, true]) {
        for (const side of [there, here]) {
          await (isSet ? side.set() : side.clear());
          expect(await flags()).toEqual([isSet, isSet]);
        }
      }
    });

    it('goes back and forth between both sides, and none of it is lost', async () => {
      const ping = await share();
      const pong = await share();
      const rounds = 50;
      const answer = async () => {
        for (let i = 0; i < rounds; i++) {
          await ping.there.wait();
          await ping.there.clear();
          await pong.there.set();
        }
      };
      const answered = answer();
      for (let i = 0; i < rounds; i++) {
        await ping.here.set();
        await pong.here.wait();
        await pong.here.clear();
      }
      await answered;
      expect([await ping.here.isSet(), await pong.there.isSet()]).toEqual([false, false]);
    });
  });

  describe.each(place.traits.forms)('waiting there for an event, %s,', (form) => {
    // A blocked thread cannot wake itself.
    const wakes = it.runIf(form === 'async' || place.canEnd);

    wakes('lasts until it is set here, for all who wait', async () => {
      const { here, there } = await share();
      let over = 0;
      const waiting = [there.wait(), here.wait(), there.wait(), here.wait()];
      // It may block the thread, so it comes last.
      waiting.push(place.inForm(form, there).wait());
      for (const wait of waiting) void wait.then(() => over++);
      await place.begun();
      expect([await here.isSet(), over]).toEqual([false, 0]);
      await here.set();
      await Promise.all(waiting);
      expect(await there.isSet()).toBe(true);
    });

    it('is over at once while it is set', async () => {
      const { here, there } = await share();
      await here.set();
      const { wait } = place.inForm(form, there);
      await wait({ timeout: 0 });
      await wait();
      await here.clear();
      await expectRejection(wait({ timeout: 0 }), 'ERR_TIMEOUT');
    });

    it('lasts as long as it may, and is over then', async () => {
      const { here, there } = await share();
      await expectTimeout(place.inForm(form, there).wait);
      expect(await here.isSet()).toBe(false);
    });
  });

  describe('waiting there for an event', () => {
    it('is over when it is set here, though it is cleared at once', async () => {
      const { here, there } = await share();
      for (let i = 0; i < 10; i++) {
        const waiting = [there.wait(), here.wait(), there.wait()];
        await place.begun();
        await Promise.all([here.set(), here.clear()]);
        await Promise.all(waiting);
        await expectRejection(there.wait({ timeout: 0 }), 'ERR_TIMEOUT');
      }
    });

    it('is called off from here, and does not begin after that', async () => {
      const { here, there } = await share();
      const abort = new AbortController();
      const { signal } = abort;
      const off = expect(there.wait({ signal })).rejects.toThrow('enough');
      const waiting = there.wait();
      await place.begun();
      abort.abort(new Error('enough'));
      await off;
      await expect(there.wait({ signal })).rejects.toThrow('enough');
      await here.set();
      await waiting;
    });

    it('is given up when that handle is closed, and by nobody else', async () => {
      const { here, there } = await share();
      await using other = await place.attach<contract.Event>('event', here);
      const cut = expectRejection(there.wait(), 'ERR_CLOSED');
      const waiting = [here.wait(), other.wait()];
      await place.begun();
      await there.close();
      await cut;
      await here.set();
      await Promise.all(waiting);
    });

    it('is not begun with options that make no sense', async () => {
      await expectRefusals((await share()).there.wait);
    });
  });

  describe.runIf(place.canEnd)('a place that ends', () => {
    it('while it waits for an event is missed by nobody', async () => {
      const { here, there } = await share();
      const other = await place.another();
      const event = await other.attach<contract.Event>('event', here);
      const waits = [event.wait()];
      // It blocks the thread, so it comes last.
      if (place.traits.forms.includes('sync')) waits.push(other.inForm('sync', event).wait());
      const cut = waits.map((wait) => expect(wait).rejects.toThrow('gone'));
      await other.begun();
      const waiting = [here.wait(), there.wait()];
      await other.end();
      await Promise.all(cut);
      await here.set();
      await Promise.all(waiting);
    });

    it('leaves an event as it has set it, and to others', async () => {
      const { here, there } = await share();
      const other = await place.another();
      const event = await other.attach<contract.Event>('event', here);
      await event.set();
      await other.end();
      await there.wait();
      await here.clear();
      const waiting = there.wait();
      await place.begun();
      await here.set();
      await waiting;
    });

    it('amid changes of an event leaves it to others', async () => {
      const { here, there } = await share();
      const other = await place.another();
      const event = await other.attach<contract.Event>('event', here);
      const waiting = here.wait();
      await other.endAmid((n) => (n % 2 === 0 ? event.set() : event.clear()));
      await waiting;
      await here.clear();
      await expectRejection(there.wait({ timeout: 0 }), 'ERR_TIMEOUT');
      await there.set();
      await here.wait();
    });
  });
}
