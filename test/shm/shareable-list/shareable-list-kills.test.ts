// Writers of a list are killed: at each step of a change, and at random moments.
import { randomInt } from 'node:crypto';
import { ShareableList, type ShareableValue } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { isWhole, mostBytes } from '../../fixtures/shareable-list/values';
import { start, killedItself } from '../../support/children';
import { uniqueName } from '../../support/names';
import { Progress } from '../../support/progress';
import { mostKills } from '../../support/system';

/** The stores of a change, as the fixture counts them. A kill comes immediately before one of them. */
const steps = [
  'record the value',
  'record its padding',
  'commit',
  'mark the code',
  'write the value',
  'write its padding',
  'write the code, after the format',
  'clear the journal',
  'go on',
].map((what, i) => [what, i + 1] as const);
const commit = 3;

const room = 24;
/** How many changes a writer makes before it is killed at a random moment, at most. */
const mostChanges = 200;
const changes: [ShareableValue, ShareableValue][] = [
  [1, 'a string'],
  ['another string', 'one longer by far'],
  ['a string', 2.5],
  [2.5, null],
  [null, 'x'],
  [7, 0.5],
  [true, 9],
  ['a string', ''],
];

function temporary(from: ShareableValue[]): ShareableList {
  const list = ShareableList.create({ name: uniqueName('list'), from, lock: true });
  return Object.assign(list, {
    [Symbol.dispose]() {
      list.unlink();
      list.close();
    },
  });
}

async function die(list: ShareableList, step: number, what: object | null): Promise<void> {
  const exit = await start('shareable-list/step', [list.name, step, what]).exit;
  expect(exit).toEqual(killedItself);
}

describe('a writer that is killed', () => {
  it.each(steps)('as it is about to %s has made all of its change, or none', async (_, step) => {
    await Promise.all(
      changes.map(async ([before, after]) => {
        using list = temporary(['r'.repeat(room - 1), 'neighbour']);
        list.set(0, before);
        await die(list, step, { value: after });
        expect(list.toArray()).toEqual([step <= commit ? before : after, 'neighbour']);
        list.set(0, 'written again');
        expect(list.toArray()).toEqual(['written again', 'neighbour']);
      }),
    );
  });

  it('may be followed by those who are killed completing its change', async () => {
    using list = temporary(['a string', 'neighbour']);
    await die(list, 6, { value: 2.5 });
    // Completing the change takes the last five of these steps.
    for (const step of [1, 2, 3, 4, 5]) await die(list, step, null);
    expect(list.toArray()).toEqual([2.5, 'neighbour']);
  });

  const atMost = 300;
  const kills = Math.min(atMost, mostKills);
  it(`at ${kills} random moments leaves no half change`, { timeout: 400_000 }, async () => {
    const first = 'the first';
    const last = 'the last';
    using list = temporary([
      first,
      ...Array.from({ length: 4 }, () => 'r'.repeat(mostBytes)),
      last,
    ]);
    for (let i = 1; i <= 4; i++) list.set(i, null);
    let abandoned = 0;
    const writers = 2;
    using progress = new Progress(writers);
    // A few kills may miss every change. Many kills do not.
    for (let kill = 0; kill < kills || (abandoned === 0 && kill < atMost); kill += writers) {
      const all = Array.from({ length: writers }, (_, i) =>
        start('shareable-list/storm', [list.name, kill + i, progress.name, i]),
      );
      for (const child of all) expect(await child.hear()).toBe('changing');
      for (const [slot, child] of all.entries()) {
        await progress.goesOn(child, slot, randomInt(mostChanges));
        await child.kill();
        const now = list.lock!.runExclusiveSync((held) => {
          if (held.abandoned) abandoned++;
          return list.toArray();
        });
        expect([now[0], now.at(-1)]).toEqual([first, last]);
        expect(now.slice(1, -1).filter((value) => !isWhole(value))).toEqual([]);
      }
    }
    console.log(`${kills} kills, ${abandoned} of them held the lock`);
    expect(abandoned, 'some kills hit a change').toBeGreaterThan(0);
  });
});
