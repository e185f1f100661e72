// Objects whose handles are within plain data.
import { deserialize, serialize } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { NamedLock, SharedArray, SharedDict, SharedValue, attachAll } from 'shmkit';
import { expect, describe, it } from 'vitest';
import { handlesOf, makeAll, removeAll } from '../../fixtures/clones/kinds';
import { expectCode } from '../../support/errors';
import { uniqueName } from '../../support/names';
import { temporary } from '../../support/temporaries';

/** How plain data get to another process. */
const channels: Record<string, (value: unknown) => unknown> = {
  JSON: (value) => JSON.parse(JSON.stringify(value)) as unknown,
  'a structured clone': (value) => structuredClone(value),
  'node:v8': (value) => deserialize(serialize(value)) as unknown,
};

describe.each(Object.keys(channels))('after %s', (channel) => {
  it('objects of every kind are attached to, wherever they are', () => {
    const all = makeAll();
    try {
      const sent = { named: all, nested: { deep: [{ all }] }, text: 'dict', none: null };
      const received = channels[channel]!(sent);
      const before = structuredClone(received);
      const got = attachAll(received) as typeof sent;
      expect(received, 'the argument is not changed').toEqual(before);
      expect(handlesOf(got.named)).toEqual(handlesOf(all));
      expect([got.text, got.none]).toEqual(['dict', null]);
      for (const [kind, object] of Object.entries(got.named)) {
        expect(object.constructor).toBe(all[kind]!.constructor);
        expect(got.nested.deep[0]!.all[kind], 'the same handle, the same object').toBe(object);
        object.close();
      }
    } finally {
      removeAll(all);
    }
  });
});

describe('attachAll()', () => {
  it('keeps maps, sets, circles and everything else as it is', () => {
    using value = temporary(SharedValue.create({ type: 'int32', value: 7 }));
    const bytes = Uint8Array.of(1, 2);
    const when = new Date(5);
    const given: Record<string, unknown> = {
      map: new Map<unknown, unknown>([
        [{ key: 1 }, value.toJSON()],
        ['second', 2],
      ]),
      set: new Set<unknown>(['first', value.toJSON()]),
      // eslint-disable-next-line no-sparse-arrays -- a hole is a value, too
      array: [1, , bytes],
      when,
      notQuite: { shmkit: 5, name: 'x' },
    };
    given.self = given;
    Object.defineProperty(given, '__proto__', { value: { evil: true }, enumerable: true });
    const got = attachAll(given) as typeof given & { map: Map<unknown, SharedValue> };
    expect([got.self, Object.hasOwn(got, '__proto__')]).toEqual([got, true]);
    expect((got as { evil?: boolean }).evil).toBeUndefined();
    expect(got.array).toEqual([1, undefined, bytes]);
    expect([1 in (got.array as unknown[]), (got.array as unknown[])[2]]).toEqual([false, bytes]);
    expect([got.when, got.notQuite]).toEqual([when, { shmkit: 5, name: 'x' }]);
    const [[key, inMap], second] = [...got.map] as unknown as [[unknown, SharedValue], unknown];
    expect([key, second]).toEqual([{ key: 1 }, ['second', 2]]);
    const [first, inSet] = got.set as Set<unknown>;
    expect([first, inSet]).toEqual(['first', inMap]);
    expect(inMap.value).toBe(7);
    inMap.close();
  });

  it('is attach() for a handle, and changes nothing for values without one', () => {
    using lock = temporary(NamedLock.create());
    using got = attachAll(lock.toJSON());
    expect(got.tryAcquire()?.abandoned).toBe(false);
    got.release();
    for (const value of [undefined, null, 5, 'x', 5n, true]) expect(attachAll(value)).toBe(value);
  });

  it('leaves objects of classes as they are, and what is attached already', () => {
    using lock = temporary(NamedLock.create());
    class Job {
      readonly lock = lock.toJSON();
    }
    class Jobs extends Map<string, unknown> {}
    class Names extends Array<unknown> {}
    const { proxy, revoke } = Proxy.revocable({}, {});
    const given = {
      job: new Job(),
      jobs: new Jobs([['a', lock.toJSON()]]),
      names: Names.from([lock.toJSON()]),
      lock,
      foreign: runInNewContext('({ list: [1, { a: 2 }] })') as object,
      bare: Object.assign(Object.create(null) as object, { lock: lock.toJSON() }),
    };
    const got = attachAll(given) as typeof given & { bare: { lock: NamedLock } };
    for (const key of ['job', 'jobs', 'names', 'lock'] as const) expect(got[key]).toBe(given[key]);
    expect(got.foreign).toEqual({ list: [1, { a: 2 }] });
    expect(got.bare.lock.name).toBe(lock.name);
    got.bare.lock.close();
    revoke();
    expect(attachAll(proxy)).toBe(proxy);
  });

  it('goes as deep as data can be', () => {
    using dict = temporary(SharedDict.create<number>());
    type Nested = { next: Nested } | { dict: unknown };
    let nested: Nested = { dict: dict.toJSON() };
    for (let i = 0; i < 100_000; i++) nested = { next: nested };
    let got = attachAll<Nested>(nested);
    while ('next' in got) got = got.next;
    using found = got.dict as SharedDict<number>;
    found.set('a', 1);
    expect(dict.get('a')).toBe(1);
  });

  it('that fails says where, and leaves nothing attached', () => {
    const name = uniqueName();
    using array = temporary(SharedArray.create({ type: 'int8', length: 1 }));
    const message = { good: array.toJSON(), bad: [{ 'a b': { shmkit: 'dict', name } }] };
    expectCode(() => attachAll(message), 'ENOENT', 'value.bad[0]["a b"]', name);
    const unknown = { bad: { shmkit: 'dictionary', name } };
    expectCode(() => attachAll(unknown), 'ERR_OUT_OF_RANGE', 'value.bad', 'dictionary');
  });
});
