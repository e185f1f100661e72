// Processes change structures whose values are stored apart, and are killed at random moments. Who reads a value gets
// all of it, and no object is left that nobody can reach.
import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { SharedDict, SharedList, SharedQueue } from 'shmkit';
import { expect, it } from 'vitest';
import { check, outOfBand } from '../fixtures/structure/storms-apart';
import { start, type Child } from '../support/children';
import { keptAfterSweep } from '../support/kept';
import { mostKills, onLinux } from '../support/system';
import { temporary } from '../support/temporaries';

const contenders = 4;
const kills = Math.min(60, mostKills);

it.runIf(onLinux)(
  `values that are stored apart are whole, and none is left over: ${kills} kills of ${contenders} processes`,
  { timeout: 300_000 },
  async () => {
    using dict = temporary(SharedDict.create({ outOfBand }));
    using list = temporary(SharedList.create({ outOfBand }));
    using queue = temporary(SharedQueue.create({ outOfBand }));
    const begin = async () => {
      const child = start('structure/storms-apart', [dict.name, list.name, queue.name]);
      expect(await child.hear()).toBe('begun');
      return child;
    };
    const all: Child[] = await Promise.all(Array.from({ length: contenders }, begin));
    for (let kill = 0; kill < kills; kill++) {
      await delay(randomInt(1, 30));
      const [victim] = all.splice(randomInt(all.length), 1);
      await victim!.kill();
      // It says something only if something is wrong.
      expect(await victim!.hearAll()).toEqual([]);
      all.push(await begin());
    }
    let rounds = 0;
    for (const child of all) child.tell('end');
    for (const child of all) {
      const said = await child.hear<number | string>();
      expect(said).toBeTypeOf('number');
      rounds += Number(said);
      await child.succeed();
    }
    expect(rounds).toBeGreaterThan(0);
    const kept = keptAfterSweep();
    const values = [...dict.values(), ...list];
    for (const value of values) check(value);
    let items = 0;
    for (let item = queue.tryTake(); item !== null; item = queue.tryTake(), items++) {
      check(item.value);
      item.ack();
    }
    expect(kept.length).toBe(values.length + items);
    expect(queue.bytesUsed).toBe(0);
    dict.clear();
    list.clear();
    expect([dict.bytesUsed, list.bytesUsed]).toEqual([0, 0]);
    expect(keptAfterSweep()).toEqual([]);
  },
);
