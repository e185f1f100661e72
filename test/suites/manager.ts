// What a manager promises, wherever its two sides are.
import type { contract } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { expectRejection } from '../support/errors';
import { uniqueName } from '../support/names';
import { untilTrue, type Kind, type Kinds, type Place, type Remote } from '../support/places';

type Manager = Remote<contract.Manager>;
type Managed = Exclude<Kind, 'manager'>;
type Named = Remote<contract.Named>;

/** What a manager makes is used by requests, as the manager itself. */
function make<K extends Managed>(manager: Manager, kind: K, name?: string, options?: object) {
  const verbs = manager as unknown as Record<K, (...args: unknown[]) => Promise<unknown>>;
  return verbs[kind](name, options) as Promise<Remote<Kinds[K]>>;
}

/** A change of an object, and whether it is seen. */
interface Use<T> {
  /** The options that a new object needs. */
  readonly options?: object;
  change(object: Remote<T>): Promise<unknown>;
  isSeen(object: Remote<T>): Promise<boolean>;
}

const uses: { readonly [K in Managed]: Use<Kinds[K]> } = {
  lock: { change: (lock) => lock.acquire(), isSeen: (lock) => lock.locked() },
  rlock: { change: (lock) => lock.acquire(), isSeen: (lock) => lock.locked() },
  rwlock: { change: (lock) => lock.acquireWrite(), isSeen: (lock) => lock.writing() },
  semaphore: {
    options: { value: 3 },
    change: (semaphore) => semaphore.acquire(),
    isSeen: async (semaphore) => (await semaphore.value()) === 2,
  },
  event: { change: (event) => event.set(), isSeen: (event) => event.isSet() },
  condition: {
    change: ({ lock }) => lock.acquire(),
    isSeen: ({ lock }) => lock.locked(),
  },
  barrier: {
    options: { parties: 2 },
    change: (barrier) => barrier.abort(),
    isSeen: (barrier) => barrier.broken(),
  },
  value: {
    options: { type: 'int32' },
    change: (value) => value.add(1),
    isSeen: async (value) => (await value.value()) === 1,
  },
  array: {
    options: { type: 'int32', length: 2 },
    change: (array) => array.add(1, 1),
    isSeen: async (array) => (await array.at(1)) === 1,
  },
  dict: { change: (dict) => dict.set('a', 1), isSeen: (dict) => dict.has('a') },
  list: { change: (list) => list.push(1), isSeen: async (list) => (await list.length()) === 1 },
  queue: { change: (queue) => queue.put(1), isSeen: async (queue) => (await queue.size()) === 1 },
  namespace: {
    change: ({ values }) => values.set('a', 1),
    isSeen: ({ values }) => values.has('a'),
  },
};
const kinds = Object.keys(uses) as Managed[];
const useOf = (kind: Managed) => uses[kind] as unknown as Use<contract.Named>;

/** Waits that nothing ends but the end of the manager, and what was done before to make them wait. */
const waits: [kind: Managed, options: object, verb: string, args: unknown[], before?: string][] = [
  ['lock', {}, 'acquire', [], 'acquire'],
  ['rwlock', {}, 'acquireRead', [], 'acquireWrite'],
  ['semaphore', { value: 0 }, 'acquire', []],
  ['event', {}, 'wait', []],
  ['barrier', { parties: 2 }, 'wait', []],
  ['value', { type: 'int32' }, 'wait', [0]],
  ['queue', {}, 'get', []],
  ['queue', { maxSize: 1 }, 'put', [1], 'put'],
  ['queue', {}, 'join', [], 'put'],
];

/** An object with any verbs. */
const verbsOf = (object: object) =>
  object as Record<string, (...args: unknown[]) => Promise<unknown>>;

/** A manager on both sides. When the block is left, it is shut down, and what it made is closed. */
class Pair implements AsyncDisposable {
  readonly #made: Named[] = [];

  constructor(
    readonly here: Manager,
    readonly there: Manager,
  ) {}

  async get<K extends Managed>(manager: Manager, kind: K, name?: string, options?: object) {
    const object = await make(manager, kind, name, options);
    this.#made.push(object as unknown as Named);
    return object;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.here.shutdown();
    await this.there.close();
    for (const object of this.#made) await object.close();
  }
}

export function describeManager(place: Place): void {
  const ofHere = place.makerHere('manager');
  // The place has not started yet.
  const ofThere = () => place.makerThere('manager');

  /** A manager that belongs to this place, and in which the other takes part. */
  const share = async () => {
    const here = await ofHere.create({ name: uniqueName() });
    return new Pair(here, await ofThere().attach(await here.name()));
  };
  /** A manager that belongs to all who take part. */
  const shareOpened = async () => {
    const name = uniqueName();
    const there = await ofThere().open(name);
    return new Pair(await ofHere.open(name), there);
  };
  const isAborted = async (manager: Manager) => (await manager.signal()).aborted;

  describe('a manager', () => {
    it('that was made there is attached to and opened here, by its name', async () => {
      const name = uniqueName();
      await expectRejection(ofHere.attach(name), 'ENOENT', name);
      const made = await ofThere().create({ name });
      await using pair = new Pair(await ofHere.attach(name), made);
      await using opened = await ofHere.open(name);
      await using found = await place.attachHere<contract.Manager>(await made.toJSON());
      await expectRejection(ofHere.create({ name }), 'EEXIST', name);
      await expectRejection(ofThere().create({ name }), 'EEXIST', name);
      await (await pair.get(made, 'event', 'own')).set();
      for (const manager of [pair.here, opened, found]) {
        expect([await manager.name(), await manager.closed()]).toEqual([name, false]);
        expect(await (await pair.get(manager, 'event', 'own')).isSet()).toBe(true);
      }
    });

    it('is one, when both sides open it at once', async () => {
      const name = uniqueName();
      const [here, there] = await Promise.all([ofHere.open(name), ofThere().open(name)]);
      await using pair = new Pair(here, there);
      await (await pair.get(here, 'list', 'own')).push(1);
      expect(await (await pair.get(there, 'list', 'own')).toArray()).toEqual([1]);
    });

    it.each(kinds)(
      'gives both sides the same by one name, and others by others: %s',
      async (kind) => {
        await using pair = await share();
        const { here, there } = pair;
        const use = useOf(kind);
        const { options } = use;
        const isSeen = (object: Named) => use.isSeen(object);
        const get = async (...args: Parameters<typeof make>) =>
          (await pair.get(...args)) as unknown as Named;
        const ofThisSide = await get(here, kind, 'own', options);
        // The options are those of the first call.
        const ofThatSide = await get(there, kind, 'own');
        const others = [
          await get(there, kind, 'another', options),
          await get(there, kind, undefined, options),
          await get(here, kind, undefined, options),
        ];
        const all = [ofThisSide, ofThatSide, ...others];
        for (const object of all) {
          expect([await object.shmkit(), await isSeen(object)]).toEqual([kind, false]);
        }
        await use.change(ofThatSide);
        expect(await Promise.all(all.map(isSeen))).toEqual([true, true, false, false, false]);
        const names = await Promise.all(all.map((object) => object.name()));
        expect([names[0], new Set(names).size]).toEqual([names[1], 4]);
        await using found = await place.attachHere<contract.Named>(await ofThatSide.toJSON());
        expect(await isSeen(found)).toBe(true);
      },
    );

    it('gives both sides the same when they ask for it at once', async () => {
      await using pair = await share();
      const sides = [pair.here, pair.there, pair.here, pair.there];
      for (let i = 0; i < 5; i++) {
        const all = await Promise.all(
          sides.map((side) => pair.get(side, 'value', `n${i}`, { type: 'int32' })),
        );
        await Promise.all(all.map((value) => value.add(1)));
        expect(await all[0]!.value()).toBe(4);
      }
    });

    it('tells here of a mistake made there by its code, and makes nothing', async () => {
      await using pair = await share();
      const { there } = pair;
      for (const [act, code, said] of [
        [() => there.dict(5 as never), 'ERR_INVALID_ARG_TYPE', 'name'],
        [() => there.dict('own', { size: 5 } as never), 'ERR_INVALID_ARG_VALUE', 'size'],
        [() => there.value('own'), 'ERR_INVALID_ARG_TYPE', 'options'],
        [() => there.barrier('own', { parties: 0 }), 'ERR_OUT_OF_RANGE', 'parties'],
        [() => ofThere().create({ nam: 'x' }), 'ERR_INVALID_ARG_VALUE', 'nam'],
      ] as const) {
        await expectRejection(act(), code, said);
      }
      const barrier = await pair.get(there, 'barrier', 'own', { parties: 3 });
      expect(await barrier.parties()).toBe(3);
    });
  });

  describe.each(['here', 'there'] as const)('a manager that is shut down %s', (side) => {
    it('ends all that it made, for both sides', async () => {
      await using pair = await share();
      const { here, there } = pair;
      const all: { kind: Managed; object: Named }[] = [];
      for (const kind of kinds) {
        for (const manager of [here, there]) {
          const object = await pair.get(manager, kind, 'own', useOf(kind).options);
          all.push({ kind, object: object });
        }
      }
      const other = side === 'here' ? there : here;
      expect(await isAborted(other)).toBe(false);
      await pair[side].shutdown();
      await pair[side].shutdown();
      for (const { kind, object } of all) {
        const name = await object.name();
        await expectRejection(useOf(kind).change(object), 'ERR_SHUTDOWN', name);
        await expectRejection(useOf(kind).isSeen(object), 'ERR_SHUTDOWN');
      }
      expect(await pair[side].closed()).toBe(true);
      await expectRejection(other.dict('own'), 'ERR_SHUTDOWN');
      await expectRejection(other.event('new'), 'ERR_SHUTDOWN');
      await untilTrue(() => isAborted(other));
      await expectRejection(ofHere.attach(await here.name()), 'ENOENT');
    });

    it('makes room for another of its name', async () => {
      await using pair = await share();
      const name = await pair.here.name();
      await (await pair.get(pair.here, 'event', 'own')).set();
      await pair[side].shutdown();
      const again = await ofThere().create({ name });
      await using next = new Pair(await ofHere.attach(name), again);
      expect(await (await next.get(next.here, 'event', 'own')).isSet()).toBe(false);
    });
  });

  describe.each(place.traits.forms)('waiting there for what a manager made, %s,', (form) => {
    // A blocked thread cannot wake itself.
    it.runIf(form === 'async' || place.canEnd).each(waits)(
      'ends when the manager is shut down here: %s %o %s',
      async (kind, options, verb, args, before) => {
        await using pair = await share();
        const ofHere = await pair.get(pair.here, kind, 'own', options);
        const ofThere = await pair.get(pair.there, kind, 'own');
        if (before !== undefined) await verbsOf(ofHere)[before]!(...args);
        const waiting = verbsOf(place.inForm<object>(form, ofThere, kind))[verb]!(...args);
        const cut = expectRejection(waiting, 'ERR_SHUTDOWN');
        await place.begun();
        await pair.here.shutdown();
        await cut;
      },
    );
  });

  describe('a manager that is closed there', () => {
    it('goes on here, and so do the objects on both sides', async () => {
      await using pair = await share();
      const { here, there } = pair;
      const kept = await pair.get(there, 'dict', 'own');
      await there.close();
      await there.close();
      expect([await there.closed(), await here.closed()]).toEqual([true, false]);
      await expectRejection(there.dict('own'), 'ERR_CLOSED');
      await kept.set('a', 1);
      expect(await (await pair.get(here, 'dict', 'own')).get('a')).toBe(1);
      expect(await isAborted(here)).toBe(false);
    });

    it('ends with the last who opened it', async () => {
      await using pair = await shareOpened();
      const { here, there } = pair;
      const kept = await pair.get(there, 'dict', 'own');
      await there.close();
      await (await pair.get(here, 'dict', 'own')).set('a', 1);
      expect(await kept.get('a')).toBe(1);
      await here.close();
      await expectRejection(kept.get('a'), 'ERR_SHUTDOWN');
      await expectRejection(ofThere().attach(await here.name()), 'ENOENT');
    });
  });

  describe.runIf(place.canEnd)('a place that ends', () => {
    it('leaves a manager that it has opened to others, and what it made', async () => {
      const name = uniqueName();
      const other = await place.another();
      const doomed = await other.makerThere('manager').open(name);
      await using pair = new Pair(await ofHere.open(name), await ofThere().attach(name));
      await (await make(doomed, 'dict', 'own')).set('a', 1);
      await (await make(doomed, 'lock', 'own')).acquire();
      const lock = await pair.get(pair.there, 'lock', 'own');
      const waiting = lock.acquire();
      await place.begun();
      await other.end();
      const guard = await waiting;
      expect(guard.abandoned).toBe(true);
      await guard.release();
      for (const manager of [pair.here, pair.there]) {
        expect(await (await pair.get(manager, 'dict', 'own')).get('a')).toBe(1);
        await (await pair.get(manager, 'event')).set();
        expect(await isAborted(manager)).toBe(false);
      }
    });

    it('amid making leaves each object whole, and to others', async () => {
      await using pair = await share();
      const other = await place.another();
      const doomed = await other.attach<contract.Manager>('manager', pair.here);
      const { asked } = await other.endAmid((n) =>
        make(doomed, 'value', `n${n}`, { type: 'int32', value: n }),
      );
      const options = { type: 'int32', value: -1 };
      for (let n = 0; n < asked; n += 7) {
        const value = await pair.get(pair.there, 'value', `n${n}`, options);
        expect(await value.value()).toBeOneOf([n, -1]);
      }
      const first = await pair.get(pair.here, 'value', 'n0');
      expect(await first.value()).toBe(0);
    });
  });
}
