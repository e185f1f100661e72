// A queue as a process leaves it that is killed before any of the stores of a change, or of the recovery
// from that. The change is there as a whole or not at all, and everything else is as it was.
import { describe, expect, it } from 'vitest';
// The library must be imported after the typed arrays that it uses were replaced.
import { watched } from '../../fixtures/stores';
import { SharedQueue } from 'shmkit';
import { Corpse, imagesOf } from '../../support/corpses';
import { uniqueName } from '../../support/names';
import { onLinux } from '../../support/system';

type Queue = SharedQueue;

const capacity = 1 << 16;

/** The items that can be taken, and how many items are unfinished. */
type State = readonly [items: unknown[], unfinished: number];

const text = (state: State) => JSON.stringify(state);

interface Case {
  readonly what: string;
  /** Whether the change is committed item by item. Otherwise all of it is there, or nothing. */
  readonly byItem?: true;
  /** Fills the queue. */
  readonly before: (queue: Queue) => unknown;
  readonly change: (queue: Queue, prepared: never) => unknown;
}

const taken: Disposable[] = [];

function take(queue: Queue) {
  const item = queue.takeSync();
  taken.push(item);
  return item;
}

/**
 * Puts as many large items as there is room for, and removes some of them again. The next item wraps
 * around.
 */
function nearlyFull(queue: Queue): void {
  for (let i = 0; queue.tryPut(`${i}`.padEnd(1500, '.')); i++);
}

const cases: Case[] = [
  {
    what: 'the first put',
    before: () => undefined,
    change: (queue) => queue.putSync({ a: 1 }),
  },
  {
    what: 'a put behind others',
    before: (queue) => ['a', 1, { b: 2 }].map((value) => queue.putSync(value)),
    change: (queue) => queue.putSync('text'.repeat(50)),
  },
  {
    what: 'a put that begins anew at the beginning of the ring',
    before: (queue) => {
      nearlyFull(queue);
      queue.getSync();
      queue.getSync();
    },
    change: (queue) => queue.putSync('x'.repeat(1000)),
  },
  {
    what: 'a put for which others are moved',
    before: (queue) => {
      for (let i = 0; i < 30; i++) queue.putSync(`${i}`.padEnd(900, '.'));
      for (let i = 0; i < 4; i++) queue.getSync();
      // These go into the initial memory, so that the next item finds no room there.
      let put = 0;
      while (queue.bytesUsed < 40_000 && put++ < 30) queue.putSync('y'.repeat(600));
    },
    change: (queue) => queue.putSync('z'.repeat(3000)),
  },
  {
    what: 'a get',
    before: (queue) => ['a', { b: 2 }].map((value) => queue.putSync(value)),
    change: (queue) => queue.getSync(),
  },
  {
    what: 'a get of the last',
    before: (queue) => queue.putSync('a'),
    change: (queue) => queue.getSync(),
  },
  {
    what: 'the acknowledgement of the first, with done ones behind it',
    before: (queue) => {
      for (let i = 0; i < 4; i++) queue.putSync(i);
      const first = take(queue);
      take(queue).ack();
      queue.getSync();
      return first;
    },
    change: (_, first: never) => (first as { ack(): void }).ack(),
  },
  {
    what: 'the acknowledgement of one in the middle',
    before: (queue) => {
      for (let i = 0; i < 4; i++) queue.putSync(i);
      const held = take(queue);
      const second = take(queue);
      return { held, ack: () => second.ack() };
    },
    change: (_, second: never) => (second as { ack(): void }).ack(),
  },
  {
    what: 'giving back',
    before: (queue) => {
      for (let i = 0; i < 3; i++) queue.putSync(i);
      return [take(queue), take(queue)];
    },
    change: (_, items: never) => (items as { giveBack(): void }[])[1]!.giveBack(),
  },
  {
    what: 'a put of many',
    before: (queue) => queue.putSync('a'),
    change: (queue) => queue.putManySync([1, { b: 2 }, 'text'.repeat(20), undefined]),
  },
  {
    what: 'a get of many',
    byItem: true,
    before: (queue) => ['a', 1, { b: 2 }, 'c'].map((value) => queue.putSync(value)),
    change: (queue) => queue.getManySync(3),
  },
  {
    what: 'the acknowledgement of many',
    byItem: true,
    before: (queue) => {
      for (let i = 0; i < 5; i++) queue.putSync(i);
      return Array.from({ length: 3 }, () => take(queue));
    },
    change: (queue, items: never) => queue.ackMany(items),
  },
  {
    what: 'taskDone',
    before: (queue) => {
      for (let i = 0; i < 3; i++) queue.putSync(i);
      queue.getSync();
    },
    change: (queue) => queue.taskDone(),
  },
  {
    what: 'a take',
    before: (queue) => ['a', 'b'].map((value) => queue.putSync(value)),
    change: (queue) => take(queue),
  },
  {
    what: 'a take of many',
    before: (queue) => ['a', 'b', 'c'].map((value) => queue.putSync(value)),
    change: (queue) => taken.push(...queue.takeManySync(2)),
  },
];

/** What a later process finds: the items that were taken come back, because their owner is gone. */
function drained(queue: Queue): State {
  const items: unknown[] = [];
  const { unfinished } = queue;
  for (let item = queue.tryGet(); item !== undefined; item = queue.tryGet()) items.push(item);
  expect([queue.size, queue.bytesUsed]).toEqual([0, 0]);
  queue.putSync('goes on');
  expect(queue.getSync()).toBe('goes on');
  return [items, unfinished];
}

function corpse(): Corpse<Queue> {
  return new Corpse(SharedQueue.create({ capacity }), (name) =>
    watched(() => SharedQueue.attach(name)),
  );
}

/** Creates a queue in the state of a case, and returns what its change does to it, image by image. */
function run({ before, change }: Case): Buffer[] {
  const queue = watched(() => SharedQueue.create({ name: uniqueName('queue'), capacity }));
  const prepared = before(queue) as never;
  const images = imagesOf(queue, () => change(queue, prepared));
  for (const item of taken.splice(0)) item[Symbol.dispose]();
  queue.unlink();
  queue.close();
  return images;
}

describe.runIf(onLinux)('who is killed before any store of', () => {
  let steps = 0;

  it.each(cases)('$what leaves all of it or nothing', (one) => {
    const images = run(one);
    using left = corpse();
    const states = images.map((image) => text(left.after(image, drained)));
    const [first, last] = [states[0], states.at(-1)];
    const changed = states.map((state) => state !== first);
    if (one.byItem === true) {
      const all = states.map((state) => JSON.parse(state) as State);
      for (const [items] of all) expect(endsWith(all[0]![0], items)).toBe(true);
      const counts = all.map(([items, unfinished]) => [items.length, unfinished]);
      expect(counts).toEqual([...counts].sort(([a, b], [c, d]) => c! - a! || d! - b!));
      expect(new Set(states).size).toBe(4);
    } else {
      for (const state of states) expect(state).toBeOneOf([first, last]);
    }
    // Once the change is there, it stays there. The taker counts as dead, so it has taken nothing.
    const leavesAll = ['a take', 'a take of many', 'giving back'].includes(one.what);
    if (!leavesAll) expect(changed.at(-1)).toBe(true);
    expect(changed).toEqual([...changed].sort());
    expect(images.length).toBeGreaterThan(5);
    steps += images.length;
  });

  it.each(cases)('the recovery from a half $what leaves the same', (one) => {
    const images = run(one);
    using left = corpse();
    const [first, last] = [images[0]!, images.at(-1)!].map((image) =>
      text(left.after(image, drained)),
    );
    for (const image of images) {
      const halfway = left.after(image, (queue) => imagesOf(queue, () => queue.clear()));
      for (const each of halfway.slice(0, 12)) {
        // Clearing has begun at that point, so only the last items are left.
        const [items] = left.after(each, drained);
        const whole = [first!, last!].map((state) => (JSON.parse(state) as State)[0]);
        if (one.byItem === true) whole.splice(1);
        expect(whole.some((all) => endsWith(all, items))).toBe(true);
      }
      steps += halfway.length;
    }
  });

  it('happened at hundreds of steps', () => {
    console.log(`${steps} steps`);
    expect(steps).toBeGreaterThan(500);
  });
});

function endsWith(all: unknown[], rest: unknown[]): boolean {
  return JSON.stringify(all.slice(all.length - rest.length)) === JSON.stringify(rest);
}
