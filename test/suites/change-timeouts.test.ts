// Changes of an object while another thread is in the middle of its `update`.
import { NamedEvent, SharedArray, SharedDict, SharedList, SharedValue, type Handle } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { start } from '../support/children';
import { expectCode } from '../support/errors';
import { Temporaries, temporary, timed, type Named } from '../support/temporaries';

interface Limit {
  readonly timeout?: number;
}

interface Target extends Named {
  toJSON(): Handle;
  readonly name: string;
}

interface Kind {
  readonly make: () => Target;
  /** Reads the state by methods that take no lock. */
  readonly state: (object: never) => unknown;
  readonly changes: Record<string, (object: never, limit: Limit) => unknown>;
}

const kinds: Record<string, Kind> = {
  dict: {
    make: () => {
      const dict = SharedDict.create<number>();
      return dict.set('a', 1).set('b', 2);
    },
    state: (dict: SharedDict) => [...dict].sort(),
    changes: {
      set: (dict: SharedDict, limit) => dict.set('a', 5, limit),
      'set of what lives for a while': (dict: SharedDict, limit) =>
        dict.set('a', 5, { ttl: 1e9, ...limit }),
      setIfAbsent: (dict: SharedDict, limit) => dict.setIfAbsent('c', 5, limit),
      add: (dict: SharedDict, limit) => dict.add('a', 5, limit),
      update: (dict: SharedDict, limit) => dict.update('a', () => 5, limit),
      compareAndSet: (dict: SharedDict, limit) => dict.compareAndSet('a', 1, 5, limit),
      delete: (dict: SharedDict, limit) => dict.delete('a', limit),
      clear: (dict: SharedDict, limit) => dict.clear(limit),
    },
  },
  list: {
    make: () => {
      const list = SharedList.create<number>();
      list.push(1, 2);
      return list;
    },
    state: (list: SharedList) => [...list],
    changes: {
      set: (list: SharedList, limit) => list.set(0, 5, limit),
      add: (list: SharedList, limit) => list.add(0, 5, limit),
      update: (list: SharedList, limit) => list.update(0, () => 5, limit),
      compareAndSet: (list: SharedList, limit) => list.compareAndSet(0, 1, 5, limit),
      pop: (list: SharedList, limit) => list.pop(limit),
      shift: (list: SharedList, limit) => list.shift(limit),
      clear: (list: SharedList, limit) => list.clear(limit),
    },
  },
  value: {
    make: () => SharedValue.create({ type: 'int32', value: 1 }),
    state: ({ value }: SharedValue) => value,
    changes: { update: (value: SharedValue<'int32'>, limit) => value.update((n) => n + 4, limit) },
  },
  array: {
    make: () => SharedArray.create({ type: 'float64', length: 3 }),
    state: (array: SharedArray) => [...array],
    changes: {
      update: (array: SharedArray<'float64'>, limit) => array.update(0, () => 5, limit),
    },
  },
};

const all = Object.entries(kinds).flatMap(([kind, { changes }]) =>
  Object.keys(changes).map((change): [string, string] => [kind, change]),
);

describe.each(all)('%s: %s', (kind, name) => {
  const { make, state, changes } = kinds[kind]!;
  const change = changes[name]!;

  it('waits no longer than it may while somebody updates it, and changes nothing then', async () => {
    using object = temporary(make());
    using end = temporary(NamedEvent.create());
    const before = state(object as never);
    const holder = start('structure/holds-update', [object, end.name]);
    expect(await holder.hear()).toBe('held');
    const took = await timed(() => {
      expectCode(() => change(object as never, { timeout: 40 }), 'ERR_TIMEOUT', object.name);
    });
    expect(took).toBeGreaterThanOrEqual(40);
    expectCode(() => change(object as never, { timeout: 0 }), 'ERR_TIMEOUT', 'within 0 ms');
    expect(state(object as never)).toEqual(before);
    end.set();
    expect(await holder.hear()).toBe('done');
    await holder.succeed();
    change(object as never, { timeout: 60_000 });
    expect(state(object as never)).not.toEqual(before);
  });

  it('is made with any limit when nobody else changes it', () => {
    for (const timeout of [0, 1, Infinity, undefined]) {
      using object = temporary(make());
      const before = state(object as never);
      change(object as never, timeout === undefined ? {} : { timeout });
      expect(state(object as never)).not.toEqual(before);
    }
  });

  it.each<[object, string, string]>([
    [{ timeout: -1 }, 'ERR_OUT_OF_RANGE', 'timeout'],
    [{ timeout: NaN }, 'ERR_OUT_OF_RANGE', 'timeout'],
    [{ timeout: '1' }, 'ERR_INVALID_ARG_TYPE', 'timeout'],
    [{ timeOut: 1 }, 'ERR_INVALID_ARG_VALUE', 'timeOut'],
  ])('refuses %o', (limit, code, what) => {
    using object = temporary(make());
    const before = state(object as never);
    expectCode(() => change(object as never, limit), code, what);
    expect(state(object as never)).toEqual(before);
  });
});

describe('an update that changes another object', () => {
  it('goes on by its timeout, though others do so the other way round', async () => {
    using dicts = new Temporaries();
    const [one, other] = [dicts.add(SharedDict.create()), dicts.add(SharedDict.create())];
    const times = 300;
    const children = [
      start('lock/crosswise', [one.name, other.name, times]),
      start('lock/crosswise', [other.name, one.name, times]),
    ];
    for (const child of children) expect(await child.hear()).toBe('ready');
    for (const child of children) child.tell('go');
    for (const child of children) {
      expect(await child.hear()).toBeGreaterThanOrEqual(0);
      await child.succeed();
    }
    for (const dict of [one, other]) {
      expect([dict.get('updates'), dict.get('adds')]).toEqual([times, times]);
    }
  });

  it('is an error where the circle is within one thread', () => {
    using objects = new Temporaries();
    const dict = objects.add(SharedDict.create<number>());
    const list = objects.add(SharedList.create<number>());
    list.push(1);
    const around = (inmost: () => unknown) =>
      dict.update('a', () => list.update(0, () => Number(inmost())));
    for (const inmost of [() => dict.add('b', 1), () => list.add(0, 1), () => dict.delete('a')]) {
      expectCode(() => around(inmost), 'ERR_DEADLOCK');
    }
    expect([dict.size, ...list]).toEqual([0, 1]);
  });
});
