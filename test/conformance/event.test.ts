import { inspect } from 'node:util';
import { NamedEvent } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { promised, settled, type Form } from '../fixtures/conformance/forms';
import { start } from '../support/children';
import { temporary, timed, watchdog } from '../support/temporaries';

const forms: Form[] = ['sync', 'async'];

/** Waits for an event. Resolves with `fine`, or the code of the error. */
async function wait(form: Form, event: NamedEvent, timeout = watchdog.timeout): Promise<string> {
  if (form === 'async') return settled(event.wait({ timeout }));
  return settled(promised(() => event.waitSync({ timeout })));
}

describe('Event', () => {
  it('test_event: lets wait who comes while it is clear, and go on who comes or waits when it is set', async () => {
    for (const form of forms) {
      using event = temporary(NamedEvent.create());
      expect(event.isSet).toBe(false);
      for (const timeout of [0, 82]) {
        const took = await timed(async () => {
          expect(await wait(form, event, timeout)).toBe('ERR_TIMEOUT');
        });
        expect(took).toBeGreaterThanOrEqual(timeout);
      }

      event.set();
      expect(event.isSet).toBe(true);
      expect(await wait(form, event)).toBe('fine');
      expect(await wait(form, event, 0)).toBe('fine');
      expect(event.isSet, 'a wait leaves it set').toBe(true);

      event.clear();
      expect(event.isSet).toBe(false);
      const setter = start('conformance/event', ['set', event]);
      expect(await wait(form, event)).toBe('fine');
      expect(event.isSet).toBe(true);
      await setter.succeed();

      event.clear();
      const waiters = forms.map((each) => start('conformance/event', [each, event]));
      for (const waiter of waiters) expect(await waiter.hear()).toBe('waiting');
      event.set();
      for (const waiter of waiters) {
        expect(await waiter.hear()).toBe('woken');
        await waiter.succeed();
      }
    }
  });

  it('test_repr: says what it is and whether it is set', () => {
    using event = temporary(NamedEvent.create());
    expect(inspect(event)).toContain(event.name);
    expect(JSON.parse(JSON.stringify(event))).toEqual({ shmkit: 'event', name: event.name });
    expect(event.isSet).toBe(false);
    event.set();
    expect(event.isSet).toBe(true);
    expect(JSON.parse(JSON.stringify(event))).toEqual({ shmkit: 'event', name: event.name });
    event.clear();
    expect(event.isSet).toBe(false);
  });
});
