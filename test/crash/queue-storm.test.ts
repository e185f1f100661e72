// Producers and consumers of a queue are killed at random moments. Every item that was put is taken, and is
// whole. Items that a killed consumer had are taken again. The other processes continue.
import { randomInt } from 'node:crypto';
import { SharedArray, SharedQueue } from 'shmkit';
import { expect, it } from 'vitest';
import { textOf, type Item } from '../fixtures/queue/storm';
import { start, type Child } from '../support/children';
import { uniqueName } from '../support/names';
import { Progress } from '../support/progress';
import { mostKills } from '../support/system';

const producers = 2;
const consumers = 2;
const kills = Math.min(60, mostKills);
/** How many items a process puts or takes before it is killed, at most. */
const mostItems = 20;

it.each([1, 5])(
  `a queue survives ${kills} kills: no item is lost, halved or stuck; %s at once`,
  { timeout: 400_000 },
  async (atOnce) => {
    const queue = SharedQueue.create<Item>({
      name: uniqueName('storm'),
      capacity: 1 << 17,
      maxSize: 200,
    });
    const marks = SharedArray.create({
      name: uniqueName('marks'),
      type: 'int32',
      length: producers,
    });
    const roles = [0, 1, -1, -1];
    expect(roles.length).toBe(producers + consumers);
    using progress = new Progress(roles.length);
    const enlist = async (slot: number): Promise<Child> => {
      const child = start('queue/storm', [
        ...[queue.name, marks.name, roles[slot], atOnce],
        ...[progress.name, slot],
      ]);
      expect(await child.hear()).toBe('at work');
      return child;
    };
    const crew = await Promise.all(roles.map((_, slot) => enlist(slot)));
    /** The numbers that came to this process, by producer. */
    const seen = Array.from({ length: producers }, () => new Map<number, number>());
    const see = ({ who, n, text }: Item) => {
      expect(text).toBe(textOf(who, n));
      seen[who]!.set(n, (seen[who]!.get(n) ?? 0) + 1);
    };
    let goneOn = 0;
    for (let kill = 0; kill < kills; kill++) {
      const victim = randomInt(crew.length);
      await progress.goesOn(crew[victim]!, victim, randomInt(mostItems), () => {
        for (const item of queue.tryGetMany(atOnce)) see(item);
      });
      await crew[victim]!.kill();
      crew[victim] = await enlist(victim);
      // Whichever process was killed, there is an item to take again, and room to put one.
      see(await queue.get());
      goneOn++;
    }
    // Every process makes progress, also those that were never killed, or have just been replaced.
    for (const [slot, child] of crew.entries()) await progress.goesOn(child, slot, 1);
    // Kill the producers first. Then every item that was put is either here or with the consumers.
    for (const child of crew.slice(0, producers)) await child.kill();
    for (const child of crew.slice(producers)) await child.kill();
    for (let item = queue.tryGet(); item; item = queue.tryGet()) see(item);
    expect([queue.size, queue.bytesUsed, goneOn]).toEqual([0, 0, kills]);
    for (let who = 0; who < producers; who++) {
      expect(marks.at(who)).toBeGreaterThan(0);
      // If a producer died after it put items but before it recorded that, the next producer has put them again.
      const more = [...seen[who]!.values()].filter((times) => times > 1).length;
      expect(more).toBeLessThanOrEqual(atOnce * kills);
    }
    for (const object of [queue, marks]) {
      object.unlink();
      object.close();
    }
  },
);

it.each([1, 5])(
  'every item that a killed consumer had is taken by another; %s at once',
  async (atOnce) => {
    const queue = SharedQueue.create<Item>({ name: uniqueName('storm'), maxSize: 64 });
    const marks = SharedArray.create({ name: uniqueName('marks'), type: 'int32', length: 1 });
    const producer = start('queue/storm', [queue.name, marks.name, 0, atOnce]);
    expect(await producer.hear()).toBe('at work');
    const numbers: number[] = [];
    for (let kill = 0; kill < Math.min(40, mostKills); kill++) {
      const consumer = start('queue/storm-holder', [queue.name, 1 + (kill % 7), atOnce > 1]);
      const held = await consumer.hear<number[]>();
      await consumer.kill();
      const left = new Set(held);
      while (left.size > 0) {
        const item = await queue.take();
        const { n } = item.value;
        expect(item.isOfferedAgain, 'those that somebody had, and no others').toBe(left.delete(n));
        numbers.push(n);
        item.ack();
      }
    }
    await producer.kill();
    for (let item = queue.tryGet(); item; item = queue.tryGet()) numbers.push(item.n);
    // Nothing is missing, and nothing is there twice.
    numbers.sort((a, b) => a - b);
    expect(numbers).toEqual(numbers.map((_, i) => i + 1));
    expect(numbers.length).toBeGreaterThanOrEqual(marks.at(0)!);
    expect(numbers.length).toBeLessThanOrEqual(marks.at(0)! + atOnce);
    expect(queue.bytesUsed).toBe(0);
    for (const object of [queue, marks]) {
      object.unlink();
      object.close();
    }
  },
);
