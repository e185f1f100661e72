import { NamedEvent } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { temporary } from '../../support/temporaries';
import { start } from '../../support/children';
import { expectCode, expectRejection } from '../../support/errors';
import { setWord } from '../../support/words';
import { Peer, beings, forms, goOn, inForm, stop } from '../../support/peers';
import { canStop, onLinux } from '../../support/system';

describe('setting', () => {
  it('and clearing are seen by all, and may be repeated', async () => {
    using event = temporary(NamedEvent.create());
    using other = NamedEvent.attach(event.name);
    const peer = await Peer.start(event);
    expect([event.isSet, other.isSet, await peer.call('isSet')]).toEqual([false, false, false]);
    for (const isSet of [true, true, false, false, true]) {
      if (isSet) event.set();
      else event.clear();
      expect([event.isSet, other.isSet, await peer.call('isSet')]).toEqual(Array(3).fill(isSet));
    }
    await peer.call('clear');
    expect(event.isSet).toBe(false);
    await peer.call('set');
    event.waitSync({ timeout: 0 });
    await event.wait({ timeout: 0 });
  });

  it.each(forms)('lets all go on who wait, everywhere: %s', async (form) => {
    using event = temporary(NamedEvent.create());
    const waits = [];
    for (const being of [...beings, ...beings]) {
      const peer = await Peer.start(event, being);
      waits.push((await peer.begin(inForm(form, 'wait'))).outcome);
    }
    const own = Array.from({ length: 10 }, () => event.wait());
    event.set();
    expect(await Promise.all(waits)).toEqual(['fine', 'fine', 'fine', 'fine']);
    await Promise.all(own);
    expect(event.isSet).toBe(true);
  });

  it('lets those go on who wait though it is cleared the next instant', async () => {
    using event = temporary(NamedEvent.create());
    const peers = [];
    for (const being of beings) {
      const peer = await Peer.start(event, being);
      peers.push(peer, (await peer.begin('wait')).outcome);
    }
    const own = [event.wait(), event.wait()];
    event.set();
    event.clear();
    await Promise.all([...own, ...peers]);
    expect(event.isSet).toBe(false);
    expectCode(() => event.waitSync({ timeout: 0 }), 'ERR_TIMEOUT', event.name);
  });

  it('counts for a wait that began before, and for none that begins after the clearing', async () => {
    using event = temporary(NamedEvent.create());
    for (let i = 0; i < 100; i++) {
      const before = event.wait();
      event.set();
      event.clear();
      const after = expectRejection(event.wait({ timeout: 0 }), 'ERR_TIMEOUT', event.name);
      await Promise.all([before, after]);
    }
  });

  it('goes back and forth between two processes, none of it lost', async () => {
    using ping = temporary(NamedEvent.create());
    using pong = temporary(NamedEvent.create());
    const rounds = 200;
    const child = start('sync/event-pong', [ping, pong, rounds]);
    for (let i = 0; i < rounds; i++) {
      ping.set();
      if (i % 2 === 0) pong.waitSync();
      else await pong.wait();
      pong.clear();
    }
    expect(await child.hear()).toBe(rounds);
    await child.succeed();
  });
});

describe.runIf(onLinux)('an event that was set 2^31 times', () => {
  it.each([0x7fff_fffe, -2, -4])('counts on: %i', async (count) => {
    using event = temporary(NamedEvent.create());
    setWord('event', event.name, 0, count);
    const peer = await Peer.start(event, 'worker');
    for (let i = 0; i < 3; i++) {
      const { outcome } = await peer.begin('wait');
      const own = event.wait();
      expect(event.isSet).toBe(false);
      event.set();
      expect(event.isSet).toBe(true);
      event.clear();
      expect(await outcome).toBe('fine');
      await own;
    }
  });
});

describe('an event that was unlinked', () => {
  it('is set for those who are attached, wherever they are', async () => {
    using event = NamedEvent.create();
    const peer = await Peer.start(event);
    const { outcome } = await peer.begin('wait');
    event.unlink();
    using successor = temporary(NamedEvent.create({ name: event.name }));
    event.set();
    expect(await outcome).toBe('fine');
    expect([successor.isSet, await peer.call('isSet')]).toEqual([false, true]);
  });
});

describe('a process', () => {
  it.each(forms)('that was killed while it waited is noticed by nobody: %s', async (form) => {
    using event = temporary(NamedEvent.create());
    for (const being of beings) {
      const doomed = await Peer.start(event, being);
      await doomed.begin(inForm(form, 'wait'));
      const own = event.wait();
      await doomed.end();
      event.set();
      await own;
      event.clear();
    }
  });

  it.runIf(canStop).each(forms)(
    'that was stopped meanwhile sees that it was set: %s',
    async (form) => {
      using event = temporary(NamedEvent.create());
      const peer = await Peer.start(event);
      const { outcome } = await peer.begin(inForm(form, 'wait'));
      // A sync wait may not have begun yet, because the peer reports it before it begins.
      if (form === 'sync') await expectRejection(event.wait({ timeout: 50 }), 'ERR_TIMEOUT');
      await stop(peer);
      event.set();
      event.clear();
      goOn(peer);
      expect(await outcome).toBe('fine');
    },
  );
});

describe('10,000 tasks of a thread', () => {
  it('wait for one event', async () => {
    using event = temporary(NamedEvent.create());
    const waiting = Array.from({ length: 10_000 }, () => event.wait());
    event.set();
    await Promise.all(waiting);
  });
});
