import { NamedEvent } from 'shmkit';
import { expect, it } from 'vitest';
import { expectCode } from '../support/errors';
import { uniqueName } from '../support/names';
import { storm } from './storm';

it(
  'an event is set, cleared and waited for on and on among the killed',
  { timeout: 300_000 },
  async () => {
    const name = uniqueName('storm');
    using event = NamedEvent.create({ name });
    await storm(
      {
        fixture: 'storm/event',
        name,
        fighters: 5,
        kills: 100,
        hits: { 'a setter': (toll) => toll.inside, 'a waiter': (toll) => toll.waiting },
      },
      async () => {
        event.set();
        event.waitSync();
        await event.wait();
        event.clear();
        expect(event.isSet).toBe(false);
        expectCode(() => event.waitSync({ timeout: 1 }), 'ERR_TIMEOUT');
      },
    );
    event.unlink();
  },
);
