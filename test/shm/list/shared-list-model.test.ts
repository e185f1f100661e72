// Random changes of a list. Each is compared with the same change of an array.
import fc from 'fast-check';
import { SharedList } from 'shmkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Place } from '../../support/places';
import { temporary } from '../../support/temporaries';
import { uniqueName } from '../../support/names';

interface Model {
  array: unknown[];
}
type Real = readonly SharedList[];
type Verb = (list: unknown[] | SharedList) => unknown;

/** An operation on one of the handles, and on an array. */
class Command implements fc.Command<Model, Real> {
  readonly #what: string;
  readonly #handle: number;
  readonly #verb: Verb;

  constructor(what: string, handle: number, verb: Verb) {
    this.#what = what;
    this.#handle = handle;
    this.#verb = verb;
  }

  check(): boolean {
    return true;
  }

  run({ array }: Model, handles: Real): void {
    const list = handles[this.#handle % handles.length]!;
    expect(this.#verb(list)).toStrictEqual(this.#verb(array));
    const other = handles[(this.#handle + 1) % handles.length]!;
    expect(other.toArray()).toStrictEqual(array);
  }

  toString(): string {
    return this.#what;
  }
}

const value = fc.oneof(
  { weight: 4, arbitrary: fc.double() },
  fc.string(),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(null, undefined, true, false, -0),
  fc.bigInt(),
  fc.jsonValue({ maxDepth: 2 }),
);
const values = fc.oneof(
  { weight: 20, arbitrary: fc.array(value, { maxLength: 6 }) },
  fc.array(value, { minLength: 60, maxLength: 200, size: 'max' }),
);
const index = fc.integer({ min: -70, max: 70 });
const handle = fc.nat(1);

function command<T>(name: string, args: fc.Arbitrary<T>, verb: (args: T) => Verb) {
  return fc
    .tuple(handle, args)
    .map(([of, some]) => new Command(`${name}(${fc.stringify(some)})`, of, verb(some)));
}

const isIn = (list: unknown[] | SharedList, i: number) => i < list.length && i >= -list.length;

function set(list: unknown[] | SharedList, i: number, to: unknown): void {
  if (!isIn(list, i)) return;
  if (Array.isArray(list)) list[i < 0 ? i + list.length : i] = to;
  else list.set(i, to);
}

const primitive = value.filter((one) => typeof one !== 'object' || one === null);

const commands = [
  command('push', values, (some) => (list) => list.push(...some)),
  command('unshift', values, (some) => (list) => list.unshift(...some)),
  command('pop', fc.constant([]), () => (list) => list.pop()),
  command('shift', fc.constant([]), () => (list) => list.shift()),
  command('at', index, (i) => (list) => list.at(i)),
  command(
    'set',
    fc.tuple(index, value),
    ([i, to]) =>
      (list) =>
        set(list, i, to),
  ),
  command(
    'slice',
    fc.tuple(index, index),
    ([from, to]) =>
      (list) =>
        list.slice(from, to),
  ),
  command(
    'splice',
    fc.tuple(index, fc.integer({ min: -1, max: 90 }), values),
    ([i, n, some]) =>
      (list) =>
        list.splice(i, n, ...some),
  ),
  command('splice to the end', index, (i) => (list) => list.splice(i)),
  command(
    'indexOf',
    fc.tuple(primitive, index),
    ([one, from]) =>
      (list) =>
        list.indexOf(one, from),
  ),
  command(
    'lastIndexOf',
    fc.tuple(primitive, index),
    ([one, from]) =>
      (list) =>
        list.lastIndexOf(one, from),
  ),
  command(
    'includes',
    fc.tuple(primitive, index),
    ([one, from]) =>
      (list) =>
        list.includes(one, from),
  ),
  command('search of what is there', index, (i) => (list) => {
    const one = list.at(i);
    if (typeof one === 'object') return [];
    return [list.indexOf(one), list.lastIndexOf(one), list.includes(one)];
  }),
  command('entries', fc.constant([]), () => (list) => [...list.entries(), ...list.keys(), ...list]),
  command('clear', fc.constant([]), () => (list) => {
    if (Array.isArray(list)) list.length = 0;
    else list.clear();
  }),
];

describe('a list', () => {
  it('is what an array is, whatever is done to it', () => {
    fc.assert(
      fc.property(
        fc.commands(commands, { maxCommands: 60, size: 'max' }),
        fc.nat(500),
        (all, skipped) => {
          using list = temporary(SharedList.create({ name: uniqueName('list') }));
          using other = SharedList.attach(list.name);
          for (let i = 0; i < skipped; i++) {
            list.push(i);
            list.shift();
          }
          fc.modelRun(() => ({ model: { array: [] }, real: [list, other] }), all);
          list.clear();
          expect(other.bytesUsed).toBe(0);
        },
      ),
      { numRuns: 120 },
    );
  });
});

/** A verb that arrays have too, and its arguments. */
type Call = readonly [verb: string, args: readonly unknown[]];
type Verbs = Record<string, (...args: unknown[]) => unknown>;

const calls: fc.Arbitrary<Call> = fc.oneof(
  fc.tuple(fc.constantFrom('push', 'unshift'), values),
  fc.tuple(fc.constantFrom('pop', 'shift'), fc.constant([])),
  fc.tuple(fc.constant('at'), fc.tuple(index)),
  fc.tuple(fc.constant('slice'), fc.tuple(index, index)),
  fc.tuple(fc.constantFrom('indexOf', 'lastIndexOf', 'includes'), fc.tuple(primitive, index)),
  fc
    .tuple(index, fc.integer({ min: -1, max: 90 }), values)
    .map(([i, n, some]): Call => ['splice', [i, n, ...some]]),
);

describe('a list of three processes', () => {
  const place = new Place('shared memory', 'a forked child');
  const further = new Place('shared memory', 'a forked child');
  beforeAll(() => Promise.all([place.start(), further.start()]));
  afterAll(() => Promise.all([place.end(), further.end()]));

  it('is what an array is, whichever of them does what', async () => {
    const step = fc.record({ who: fc.nat(2), call: calls });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30, size: 'max' }), async (steps) => {
        const { here, there } = await place.share<SharedList>('list');
        const third = await further.attach<SharedList>('list', here);
        const lists = [here, there, third];
        const array: unknown[] = [];
        for (const { who, call } of steps) {
          const [verb, args] = call;
          const done = await (lists[who] as unknown as Verbs)[verb]!(...args);
          expect(done).toStrictEqual((array as unknown as Verbs)[verb]!(...args));
          expect(await lists[(who + 1) % 3]!.toArray()).toStrictEqual(array);
        }
        await there.clear();
        expect(await third.bytesUsed()).toBe(0);
        await third[Symbol.asyncDispose]();
        await place.clear();
      }),
      { numRuns: 60 },
    );
  });
});
