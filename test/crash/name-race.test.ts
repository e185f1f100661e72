import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { NamedLock, SharedMemory } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { start, type Child } from '../support/children';
import { uniqueName } from '../support/names';
import { mostKills, onWindows } from '../support/system';

const racers = 16;
const kills = Math.min(32, Math.ceil(mostKills / 2));
const rounds = Math.min(10, Math.ceil(mostKills / 6));

describe(`${racers} processes racing to create, open, lock and unlink, with kills`, () => {
  it('see nothing half-made, and never own one lock twice', { timeout: 400_000 }, async () => {
    const apart = uniqueName('apart');
    const prefix = uniqueName('race');
    using memory = SharedMemory.create({ name: apart, size: 64 });
    const words = memory.array('int32');
    const enlist = async (): Promise<Child> => {
      const child = start('lock/name-racer', [apart, prefix]);
      await child.hear();
      return child;
    };
    const all = await Promise.all(Array.from({ length: racers }, enlist));
    for (let kill = 0; kill < kills; kill++) {
      const rounds = Atomics.load(words, 9);
      while (Atomics.load(words, 9) < rounds + racers) await delay(1);
      const victim = randomInt(racers);
      await all[victim]!.kill();
      all[victim] = await enlist();
    }
    Atomics.store(words, 11, 1);
    await Promise.all(all.map((child) => child.succeed()));

    expect(words[8]).toBe(0);
    expect(words[10]).toBeGreaterThan(0);
    console.log(`${words[9]} rounds, ${words[10]} exclusive creations, ${kills} kills`);
    // On Windows an object that all have closed is gone, and objects cannot be listed.
    const left = onWindows ? [] : SharedMemory.list();
    for (const object of left.filter(({ name }) => name.startsWith(prefix))) {
      // A creator that is killed at any moment leaves nothing half-made.
      if (object.kind === 'lock') {
        NamedLock.attach(object.name).acquireSync().release();
        NamedLock.unlink(object.name);
      } else {
        expect(object.size).toBe(64 << 10);
        SharedMemory.unlink(object.name);
      }
    }
    memory.unlink();
  });

  it('of one name make it exactly once', async () => {
    for (let round = 0; round < rounds; round++) {
      const name = uniqueName('once');
      using gate = NamedLock.create({ name: `${name}.gate` });
      gate.acquireSync();
      const children = Array.from({ length: racers }, () =>
        // On Windows a segment is removed with its last handle.
        start('lock/creates-once', [name, onWindows]),
      );
      await Promise.all(children.map((child) => child.hear()));
      gate.release();
      const outcomes = await Promise.all(children.map((child) => child.hear()));
      expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(1);
      expect(outcomes.filter((outcome) => outcome === 'EEXIST')).toHaveLength(racers - 1);
      SharedMemory.unlink(name);
      for (const child of children) child.tell('leave');
      await Promise.all(children.map((child) => child.succeed()));
      gate.unlink();
    }
  });
});
