// A process that changes a structure whose values are stored apart is killed before each of its stores, and at the end.
// The change is there as a whole or not at all, each value is whole, and no other object is left.
import { SharedDict, SharedList, SharedQueue } from 'shmkit';
import { describe, expect, it } from 'vitest';
import {
  dictDeeds,
  listDeeds,
  numberOf,
  outOfBand,
  queueDeeds,
  valueOf,
  type Kind,
} from '../fixtures/structure/dies-apart';
import { killedItself, start } from '../support/children';
import { keptAfterSweep } from '../support/kept';
import { mostKills, onLinux } from '../support/system';

type State = (string | number)[];

interface Structure {
  readonly name: string;
  readonly bytesUsed: number;
  clear(): unknown;
  unlink(): void;
  close(): void;
}

/** A structure with some values, and how to look at it. */
interface Case<T extends Structure> {
  readonly kind: Kind;
  readonly make: () => T;
  /** What is in it. It may take everything out. */
  readonly stateOf: (structure: T) => State;
  /** The maximum of bytes that it uses when it is empty. */
  readonly emptyBytes: number;
}

const stored = (value: unknown) => (typeof value === 'number' ? value : numberOf(value));

const dictCase: Case<SharedDict> = {
  kind: 'dict',
  make() {
    const dict = SharedDict.create({ outOfBand });
    for (let i = 0; i < 3; i++) dict.set(String(i), valueOf(i));
    return dict;
  },
  stateOf: (dict) => [...dict].map(([key, value]) => `${key}: ${stored(value)}`).sort(),
  emptyBytes: 0,
};

// An object takes more than 10 KB, so that there is room for five.
const fullDictCase: Case<SharedDict> = {
  ...dictCase,
  make() {
    const dict = SharedDict.create({ outOfBand, capacity: 1 << 17, eviction: 'lru' });
    for (let i = 0; i < 20; i++) dict.set(String(i), valueOf(i));
    return dict;
  },
  // Who is evicted is a matter of chance.
  stateOf: (dict) => [...dict].map(([, value]) => (stored(value) === 9 ? 'new' : 'old')).sort(),
};

const listCase: Case<SharedList> = {
  kind: 'list',
  make() {
    const list = SharedList.create({ outOfBand });
    list.push(valueOf(0), valueOf(1), valueOf(2));
    return list;
  },
  stateOf: (list) => list.toArray().map(stored),
  emptyBytes: 2000,
};

const queueCase: Case<SharedQueue> = {
  kind: 'queue',
  make() {
    const queue = SharedQueue.create({ outOfBand });
    for (let i = 0; i < 2; i++) queue.putSync(valueOf(i));
    return queue;
  },
  stateOf(queue) {
    const state: State = [];
    for (let item = queue.tryTake(); item !== null; item = queue.tryTake()) {
      state.push(numberOf(item.value));
      item.ack();
    }
    return state;
  },
  emptyBytes: 0,
};

/** The state that a deed leaves if nobody dies. */
function stateAfter<T extends Structure>(tested: Case<T>, deed: (structure: T) => unknown): State {
  const structure = tested.make();
  deed(structure);
  const state = tested.stateOf(structure);
  end(structure);
  return state;
}

function end(structure: Structure): void {
  structure.unlink();
  structure.close();
}

const isLarge = (one: State[number]) => one !== '0: 5';

/** How many processes die of one deed, at most. */
const mostDeaths = Math.ceil(mostKills / 2);

/**
 * Lets processes die while they change structures: one at the end, and others before stores. If there are more stores than
 * are to be tested, it is before each of the last ones, and before some of the others.
 */
async function eachDeath<T extends Structure>(
  { kind, make }: Case<T>,
  deed: string,
  check: (structure: T, stores: number) => void,
): Promise<void> {
  let tested: (number | null)[] = [null];
  for (let stores = tested.pop(); stores !== undefined; stores = tested.pop()) {
    const structure = make();
    const child = start('structure/dies-apart', [kind, structure.name, deed, stores]);
    const [all] = await child.hearAll();
    expect(await child.exit).toEqual(killedItself);
    if (stores === null) tested = storesOf(Number(all));
    check(structure, stores ?? Infinity);
    end(structure);
    expect(keptAfterSweep()).toEqual([]);
  }
}

function storesOf(all: number): number[] {
  expect(all).toBeGreaterThan(3);
  const each = Array.from({ length: all }, (_, i) => i);
  const last = Math.floor(mostDeaths / 2);
  const step = Math.ceil((all - last) / (mostDeaths - last));
  return each.filter((i) => i >= all - last || i % step === 0);
}

/** Checks that the deeds of the dead are there as a whole or not at all. */
async function wholeOrNot<T extends Structure>(
  tested: Case<T>,
  name: string,
  deed: (structure: T) => unknown,
  ...between: State[]
): Promise<void> {
  const { stateOf, emptyBytes } = tested;
  const states = [stateAfter(tested, () => undefined), ...between, stateAfter(tested, deed)];
  const seen = new Set<number>();
  await eachDeath(tested, name, (structure, stores) => {
    const kept = keptAfterSweep();
    const state = stateOf(structure);
    const which = states.findIndex((each) => JSON.stringify(each) === JSON.stringify(state));
    expect(which, `after ${stores} stores: ${JSON.stringify(state)}`).toBeGreaterThanOrEqual(0);
    seen.add(which);
    expect(kept.length).toBe(state.filter(isLarge).length);
    structure.clear();
    expect(structure.bytesUsed).toBeLessThanOrEqual(emptyBytes);
  });
  expect(seen).toContain(0);
  expect(seen).toContain(states.length - 1);
}

describe.runIf(onLinux)(
  'who is killed before any store, with values that are stored apart, of',
  () => {
    it.each(Object.entries(dictDeeds))('a dict: %s', async (name, deed) => {
      await wholeOrNot(dictCase, name, deed);
    });

    it('a dict that evicts: set of a new key', async () => {
      const { make, stateOf } = fullDictCase;
      const deed = 'set of a new key';
      const full = make();
      const count = stateOf(full).length;
      end(full);
      expect(count).toBeGreaterThan(2);
      let evicted = 0;
      await eachDeath(fullDictCase, deed, (dict) => {
        const { length } = stateOf(dict);
        expect(keptAfterSweep().length).toBe(length);
        // An entry is removed in a change of its own, before the new one is there.
        expect(length).toBeGreaterThanOrEqual(count - 1);
        if (length < count) evicted++;
        dictDeeds[deed](dict);
        expect(numberOf(dict.get('new'))).toBe(9);
      });
      expect(evicted).toBeGreaterThan(0);
    });

    it.each(Object.entries(listDeeds))('a list: %s', async (name, deed) => {
      await wholeOrNot(listCase, name, deed);
    });

    it.each(Object.entries(queueDeeds))('a queue: %s', async (name, deed) => {
      // Each item is dropped by itself.
      await wholeOrNot(queueCase, name, deed, ...(name === 'clear' ? [[1]] : []));
    });
  },
);
