// Random operations on a dict and on a Map have the same results, whichever of several processes does them.
import fc from 'fast-check';
import { SharedDict } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { start } from '../../support/children';
import { uniqueName } from '../../support/names';

const key = fc.oneof(
  fc.constantFrom('a', 'b', 'c', 'ż', ''),
  fc.string({ maxLength: 6 }),
  fc.integer({ min: 0, max: 150 }).map((n) => `key ${n}`),
);
const value = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.constantFrom(null, undefined, true, false),
  fc.string({ unit: 'binary' }),
  fc.string({ minLength: 100, maxLength: 3000 }),
  fc.bigInt(),
  fc.array(fc.integer()),
  fc.dictionary(fc.string(), fc.oneof(fc.integer(), fc.string()), { noNullPrototype: true }),
  fc.date(),
);

type Model = Map<string, unknown>;
type Command = (dict: SharedDict, model: Model) => void;

/** An operation on both the dict and the Map. Both must give the same result. */
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(key, value).map(([k, v]): Command => (dict, model) => {
      dict.set(k, v);
      model.set(k, v);
    }),
  },
  {
    weight: 3,
    arbitrary: key.map((k): Command => (dict, model) => {
      expect(dict.delete(k)).toBe(model.delete(k));
    }),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(key, value).map(([k, v]): Command => (dict, model) => {
      expect(dict.setIfAbsent(k, v)).toBe(!model.has(k));
      if (!model.has(k)) model.set(k, v);
    }),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(key, value).map(([k, v]): Command => (dict, model) => {
      expect(dict.update(k, () => v)).toBe(v);
      model.set(k, v);
    }),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(key, value).map(([k, v]): Command => (dict, model) => {
      const there = model.get(k);
      expect(dict.compareAndSet(k, there, v)).toBe(true);
      model.set(k, v);
    }),
  },
  {
    weight: 2,
    arbitrary: key.map((k): Command => (dict, model) => {
      expect(dict.has(k)).toBe(model.has(k));
      expect(dict.get(k)).toStrictEqual(model.get(k));
    }),
  },
  {
    weight: 1,
    arbitrary: fc.constant<Command>((dict, model) => {
      dict.clear();
      model.clear();
    }),
  },
);

function same(dict: SharedDict, model: Model): void {
  expect(dict.size).toBe(model.size);
  expect(new Map(dict)).toStrictEqual(model);
  expect(new Set(dict.keys())).toStrictEqual(new Set(model.keys()));
  for (const [k, v] of model) expect(dict.get(k)).toStrictEqual(v);
}

describe('a dict is a Map', () => {
  it('after any operations', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 300, size: 'max' }), (commands) => {
        const dict = SharedDict.create({ name: uniqueName('dict'), capacity: 1 << 22 });
        try {
          const model: Model = new Map();
          for (const act of commands) act(dict, model);
          same(dict, model);
          dict.clear();
          expect(dict.bytesUsed).toBe(0);
        } finally {
          dict.unlink();
          dict.close();
        }
      }),
      { numRuns: 100 },
    );
  });

  it('after operations that three processes take turns at', async () => {
    const dict = SharedDict.create({ name: uniqueName('dict') });
    const peers = Array.from({ length: 2 }, () => start('dict/peer', [dict.name]));
    for (const peer of peers) expect(await peer.hear()).toBe('ready');
    const model = new Map<string, number>();
    const order = fc.record({
      who: fc.nat({ max: 2 }),
      what: fc.constantFrom('set', 'delete', 'get', 'setIfAbsent', 'add'),
      k: key,
      n: fc.integer(),
    });
    for (const { who, what, k, n } of fc.sample(order, 1500)) {
      const before = model.get(k);
      const expected = {
        set: 'set',
        delete: model.has(k),
        get: before ?? null,
        setIfAbsent: before === undefined,
        add: before ?? 0,
      }[what];
      const given = what === 'get' || what === 'delete' ? ([k] as const) : ([k, n] as const);
      if (who === 2) {
        const verb = dict as unknown as Record<string, (...given: unknown[]) => unknown>;
        const said = verb[what]!(...given);
        expect(said === dict ? 'set' : (said ?? null)).toBe(expected);
      } else {
        peers[who]!.tell([what, ...given]);
        expect(await peers[who]!.hear()).toBe(expected);
      }
      if (what === 'set' || (what === 'setIfAbsent' && before === undefined)) model.set(k, n);
      if (what === 'delete') model.delete(k);
      if (what === 'add') model.set(k, (before ?? 0) + n);
    }
    same(dict, model);
    dict.unlink();
    dict.close();
  });
});

describe('a soak', () => {
  it('of churn near capacity, of four processes, leaks no byte', async () => {
    const dict = SharedDict.create({
      name: uniqueName('dict'),
      capacity: 1 << 18,
      eviction: 'lru',
    });
    const users = [1, 2, 3, 4].map((seed) => start('dict/fuzzed', [dict.name, seed, 3000]));
    for (const user of users) expect(await user.hear()).toBe('ready');
    for (const user of users) {
      const { codes, turns } = await user.hear<{ codes: object; turns: number }>();
      expect(codes).toEqual({});
      expect(turns).toBeGreaterThan(100);
    }
    expect([...dict].length).toBe(dict.size);
    dict.clear();
    expect([dict.size, dict.bytesUsed]).toEqual([0, 0]);
    dict.unlink();
    dict.close();
  });
});
