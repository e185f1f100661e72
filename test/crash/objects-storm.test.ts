// Processes make, attach to and let go of one object that contains another one, and are killed at random moments. Who
// gets the object always gets all of it, and nothing is left in the end.
import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { SharedMemory } from 'shmkit';
import { expect, it } from 'vitest';
import { removeOrphans } from '../../lib/shm/objects/orphans';
import { start, type Child } from '../support/children';
import { uniqueName } from '../support/names';
import { mostKills, onLinux } from '../support/system';

const contenders = 5;
const kills = Math.min(40, mostKills);

it.runIf(onLinux)(
  `an object is whole or gone for all, whoever of ${contenders} processes is killed: ${kills} kills`,
  async () => {
    const name = uniqueName();
    const begin = async () => {
      const child = start('objects/contender', [name]);
      expect(await child.hear()).toBe('begun');
      return child;
    };
    const all: Child[] = await Promise.all(Array.from({ length: contenders }, begin));
    for (let kill = 0; kill < kills; kill++) {
      await delay(randomInt(1, 10));
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
    removeOrphans();
    expect(SharedMemory.list().filter(({ kind }) => kind === 'object')).toEqual([]);
  },
);
