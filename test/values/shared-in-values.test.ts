// Shared objects inside values, next to all other kinds of values, and in every position that a value can
// have.
import { NamedLock, SharedDict } from 'shmkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { uniqueName } from '../support/names';
import { difference } from '../support/same-value';
import { cloned } from '../support/value-cases';

let dict: SharedDict;
let lock: NamedLock;

beforeAll(() => {
  dict = SharedDict.create({ name: uniqueName('dict') });
  lock = NamedLock.create({ name: uniqueName('lock') });
});

afterAll(() => {
  for (const each of [dict, lock]) {
    each.unlink();
    each.close();
  }
});

function roundTrip<T>(value: T): T {
  dict.set('k', value);
  return dict.get('k') as T;
}

const isLock = (value: unknown) => value instanceof NamedLock && value.name === lock.name;

describe('a shared object in a value', () => {
  it.each<[string, (lock: NamedLock) => unknown, (value: never) => unknown]>([
    ['alone', (lock) => lock, (value) => value],
    ['as a key', (lock) => new Map([[lock, 1]]), (map: Map<unknown, 1>) => [...map.keys()][0]],
    ['in a set', (lock) => new Set([lock]), (set: Set<unknown>) => [...set][0]],
    ['as a cause', (lock) => new Error('m', { cause: lock }), (error: Error) => error.cause],
    [
      'of errors',
      (lock) => new AggregateError([lock], 'm'),
      (error: AggregateError) => error.errors[0] as unknown,
    ],
    [
      'as a property of an error',
      (lock) => Object.assign(new Error('m'), { lock }),
      (error: { lock: unknown }) => error.lock,
    ],
    [
      'behind a tag',
      (lock) => ({ [Symbol.toStringTag]: 'Foo', lock }),
      (value: { lock: unknown }) => value.lock,
    ],
    [
      'in an array with properties',
      (lock) => Object.assign([lock], { x: lock }),
      (array: { x: unknown }) => array.x,
    ],
    [
      'in an object without a prototype',
      (lock) => Object.assign(Object.create(null) as object, { lock }),
      (value: { lock: unknown }) => value.lock,
    ],
  ])('comes back %s', (_, make, find) => {
    expect(isLock(find(roundTrip(make(lock)) as never))).toBe(true);
  });

  it.each(cloned.filter(([name]) => !name.includes('greatest')))(
    'changes nothing of %s',
    (_, make) => {
      const value = make();
      const back = roundTrip({ lock, value, last: lock });
      expect(isLock(back.lock)).toBe(true);
      expect(back.last).toBe(back.lock);
      expect(difference(structuredClone(value), back.value)).toBeUndefined();
    },
  );

  it('may be of another copy of the library', () => {
    // Only the brand of this class is known, and that it has a handle.
    class Foreign {
      toJSON(): object {
        return lock.toJSON();
      }
    }
    Object.defineProperty(Foreign.prototype, Symbol.for('shmkit.handle'), { value: true });
    expect(isLock(roundTrip(new Foreign()))).toBe(true);
    expect(isLock(roundTrip([new Foreign()])[0])).toBe(true);
  });
});
