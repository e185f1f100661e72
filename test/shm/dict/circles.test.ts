// Values that are computed from each other in several threads and processes, so that the computations form
// a circle.
import { setImmediate as turn } from 'node:timers/promises';
import { NamedEvent, SharedDict } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { labelOf } from '../../../lib/shm/dict/label';
import type { Asked, Part, Said } from '../../fixtures/dict/circle';
import { start, type Child } from '../../support/children';
import { Temporaries, temporary } from '../../support/temporaries';

type Dict = SharedDict<number>;
type Form = Part['form'];

/** Runs parts in their processes. The parts of one process run in a thread each. */
class Play implements AsyncDisposable {
  readonly children: Child[];
  readonly #go = NamedEvent.create();

  constructor(parts: Omit<Part, 'go'>[][]) {
    const go = this.#go.name;
    this.children = parts.map((all) =>
      start('dict/circle', [all.map((part) => ({ ...part, go }))]),
    );
    this.#sizes = parts.map(({ length }) => length);
  }

  readonly #sizes: number[];

  /** Makes all parts ask, as soon as all of them compute. */
  async begin(): Promise<void> {
    const said = await this.#hearAll();
    expect(said.map(({ outcome }) => outcome)).toEqual(said.map(() => 'computing'));
    this.#go.set();
  }

  async outcomes(): Promise<Record<string, number | string>> {
    const said = await this.#hearAll();
    await Promise.all(this.children.map((child) => child.succeed()));
    return Object.fromEntries(said.map(({ key, outcome }) => [key, outcome]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.children.map((child) => child.kill()));
    this.#go.unlink();
    this.#go.close();
  }

  async #hearAll(): Promise<Said[]> {
    const all = this.children.map(async (child, i) => {
      const said: Said[] = [];
      while (said.length < this.#sizes[i]!) said.push(await child.hear<Said>());
      return said;
    });
    return (await Promise.all(all)).flat();
  }
}

const handleOf = (dict: Dict) => dict.toJSON();

/** Each part asks for the next part's value, and the last one for the first one's. */
function circle(dicts: readonly Dict[], forms: readonly Form[], prefix = ''): Omit<Part, 'go'>[] {
  const places = forms.map((_, i): Asked => {
    const dict = dicts[i % dicts.length]!;
    return { dict: handleOf(dict), key: `${prefix}${i}` };
  });
  return forms.map((form, i) => ({
    ...places[i]!,
    form,
    asks: [places[(i + 1) % forms.length]!],
  }));
}

/**
 * The outcomes of a circle: one part gets the error, and all others are computed, because one value begins
 * anew.
 */
function brokenUp(count: number): (number | string)[] {
  return [...Array.from({ length: count - 1 }, (_, i) => i + 2), 'ERR_DEADLOCK'];
}

const byKind = (one: number | string, other: number | string) =>
  typeof one === 'number' && typeof other === 'number'
    ? one - other
    : typeof one === 'number'
      ? -1
      : 1;

const sorted = (outcomes: Record<string, number | string>) => Object.values(outcomes).sort(byKind);

/** A value that asks for two others. One of these asks for it, and the other one takes its time. */
function asksForTwo(dict: Dict, until: NamedEvent, pauses: readonly NamedEvent[] = []): Play {
  const of = (key: string) => ({ dict: handleOf(dict), key, form: 'async' as const });
  return new Play([
    [{ ...of('x'), asks: [of('y'), of('z')], pauses: pauses.map(({ name }) => name) }],
    [{ ...of('y'), asks: [of('x')] }],
    [{ ...of('z'), asks: [], until: until.name }],
  ]);
}

/**
 * Resolves when a circle that is closed now has been detected. So it takes as long as the detection takes.
 */
async function anotherCircle(dict: Dict): Promise<void> {
  for (const key of ['other 0', 'other 1']) dict.delete(key);
  await using other = new Play(circle([dict], ['async', 'async'], 'other ').map((part) => [part]));
  await other.begin();
  expect(sorted(await other.outcomes())).toEqual(brokenUp(2));
}

describe('values that wait for each other', () => {
  const sync: Form = 'sync';
  const async: Form = 'async';

  it.each<[string, number, Form[], 'processes' | 'threads' | 'both', 'inner'?]>([
    ['two, async', 1, [async, async], 'processes'],
    ['two, sync', 1, [sync, sync], 'processes'],
    ['two of either form', 1, [sync, async], 'processes'],
    ['two of two dicts', 2, [async, async], 'processes'],
    ['two of two dicts, sync', 2, [sync, sync], 'threads'],
    ['two threads, async', 1, [async, async], 'threads'],
    ['three', 1, [async, sync, async], 'processes'],
    ['three, each computed of another', 1, [async, async, async], 'processes', 'inner'],
    ['three, each computed of another, sync', 1, [sync, sync, sync], 'processes', 'inner'],
    ['five of three dicts', 3, [async, sync, async, async, sync], 'both'],
  ])('are an error to one of them, and the others go on: %s', async (...given) => {
    const [, count, forms, where, inner] = given;
    using dicts = new Temporaries();
    const all = Array.from({ length: count }, () => dicts.add(SharedDict.create<number>()));
    const parts = circle(all, forms).map((part) => ({
      ...part,
      ...(inner && { inner: `inner ${part.key}` }),
    }));
    const halves = [parts.slice(0, 2), parts.slice(2)];
    const places = { processes: parts.map((part) => [part]), threads: [parts], both: halves };
    await using play = new Play(places[where]);
    await play.begin();
    expect(sorted(await play.outcomes())).toEqual(brokenUp(forms.length));
  });

  it('are found again and again in one dict', async () => {
    using dict = temporary(SharedDict.create<number>());
    for (let i = 0; i < 3; i++) {
      await anotherCircle(dict);
      dict.clear();
    }
  });

  it('are no such thing as long as one of them only takes its time', async () => {
    using dict = temporary(SharedDict.create<number>());
    using until = temporary(NamedEvent.create());
    const of = (key: string) => ({ dict: handleOf(dict), key, form: async });
    await using play = new Play([
      [{ ...of('a'), asks: [of('b')] }],
      [{ ...of('b'), asks: [of('c')], form: sync }],
      [{ ...of('c'), asks: [], until: until.name }],
    ]);
    await play.begin();
    await anotherCircle(dict);
    until.set();
    expect(await play.outcomes()).toEqual({ a: 3, b: 2, c: 1 });
  });

  it('are no such thing where the first of several may be enough', async () => {
    using dict = temporary(SharedDict.create<number>());
    using until = temporary(NamedEvent.create());
    await using play = asksForTwo(dict, until);
    await play.begin();
    await anotherCircle(dict);
    dict.set('x', 7);
    until.set();
    expect(await play.outcomes()).toEqual({ x: 9, y: 8, z: 1 });
  });

  it('are no such thing where one of several was asked for before the others', async () => {
    using dict = temporary(SharedDict.create<number>());
    using until = temporary(NamedEvent.create());
    using first = temporary(NamedEvent.create());
    using second = temporary(NamedEvent.create());
    await using play = asksForTwo(dict, until, [first, second]);
    await play.begin();
    // The other one is already waiting when this value asks for it. This value notices that before it asks
    // for more.
    await anotherCircle(dict);
    first.set();
    await anotherCircle(dict);
    second.set();
    await anotherCircle(dict);
    dict.set('x', 7);
    until.set();
    expect(await play.outcomes()).toEqual({ x: 9, y: 8, z: 1 });
  });

  it('are an error once the others of several are there', async () => {
    using dict = temporary(SharedDict.create<number>());
    using until = temporary(NamedEvent.create());
    await using play = asksForTwo(dict, until);
    await play.begin();
    until.set();
    expect(sorted(await play.outcomes())).toEqual([1, 2, 'ERR_DEADLOCK']);
  });

  it('end with the time of one that has a limit', async () => {
    using dict = temporary(SharedDict.create<number>());
    const [first, second] = circle([dict], [async, sync]);
    const limited = { ...first!, asks: first!.asks.map((asked) => ({ ...asked, timeout: 300 })) };
    await using play = new Play([[limited], [second!]]);
    await play.begin();
    expect(await play.outcomes()).toEqual({ 0: 'ERR_TIMEOUT', 1: 2 });
  });

  it.each([0, 1, 2])('go on without one that is killed, whenever (%i)', async (which) => {
    // At once, and when the process that closed the circle may already know about it.
    for (const isLate of [false, false, true]) {
      using dict = temporary(SharedDict.create<number>());
      const parts = circle([dict], [async, sync, async]);
      await using play = new Play(parts.map((part) => [part]));
      await play.begin();
      if (isLate) await anotherCircle(dict);
      const killed = play.children[which]!;
      await killed.kill();
      const others = play.children.filter((child) => child !== killed);
      const said = await Promise.all(others.map((child) => child.hear<Said>()));
      const failed = said.filter(({ outcome }) => typeof outcome !== 'number');
      expect(failed.map(({ outcome }) => outcome)).toEqual(failed.map(() => 'ERR_DEADLOCK'));
      expect(failed.length).toBeLessThan(2);
    }
  });
});

describe('a value whose computer was killed', () => {
  it('is computed by another, whatever else is computed meanwhile', async () => {
    using dict = temporary(SharedDict.create<number>());
    using until = temporary(NamedEvent.create());
    const part = { dict: handleOf(dict), key: 'a', form: 'async' as const, asks: [] };
    await using play = new Play([[{ ...part, until: until.name }]]);
    await play.begin();
    let value: number | undefined;
    const asked = dict.getOrSet('a', () => 5).then((computed) => (value = computed));
    await play.children[0]!.kill();
    while (value === undefined) {
      dict.getOrSetSync('other', () => 1);
      dict.delete('other');
      await turn();
    }
    expect(await asked).toBe(5);
  });
});

describe('a label', () => {
  it.each([
    [0, 1],
    [-1, 1],
    [NaN, 1],
    [Infinity, 1],
    [2 ** 43, 1],
    [5, NaN],
    [5, 0.5],
    [5, 2 ** 60],
  ])('of which the bytes were overwritten is none: %d, %d', (time, token) => {
    expect(labelOf(time, token)).toBeUndefined();
    expect(labelOf(5, 7)).toEqual({ time: 5, token: 7 });
  });
});
