// Functions that are called at once, with a lock or a change that ends when they return, and return a
// promise all the same.
import { setImmediate as turn } from 'node:timers/promises';
import {
  NamedBarrier,
  NamedCondition,
  NamedLock,
  NamedRLock,
  SharedArray,
  SharedDict,
  SharedList,
  SharedValue,
} from 'shmkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { expectRejection } from '../support/errors';
import { Temporaries, watchdog } from '../support/temporaries';

/** By types, most of what follows is no such function. */
type Callback = () => never;

interface Case {
  readonly call: (fn: Callback) => unknown;
  /** What the message says of it. */
  readonly says: RegExp;
  /** What is as it was: nothing was changed, and no lock is held that was not before. */
  readonly state: () => unknown;
}

function casesOf(temporaries: Temporaries): Record<string, Case> {
  const lock = temporaries.add(NamedLock.create());
  const rlock = temporaries.add(NamedRLock.create());
  const value = temporaries.add(SharedValue.create({ type: 'int32', value: 5 }));
  const array = temporaries.add(SharedArray.create({ type: 'int64', from: [1n, 2n] }));
  const condition = temporaries.add(NamedCondition.create());
  const barrier = temporaries.add(NamedBarrier.create({ parties: 1, action: () => action?.() }));
  let action: (() => unknown) | undefined;
  const dict = temporaries.add(SharedDict.create().set('k', 1));
  const list = temporaries.add(SharedList.create());
  list.push(1);
  const locked = /runExclusive\(\)/;
  const changing = /has to change the value at once/;
  const held = <T>(act: () => T): T => condition.lock.runExclusiveSync(act as () => never);
  return {
    'lock.runExclusiveSync': {
      call: (fn) => lock.runExclusiveSync(fn),
      says: locked,
      state: () => [lock.locked, lock.held],
    },
    'rlock.runExclusiveSync': {
      call: (fn) => rlock.runExclusiveSync(fn),
      says: locked,
      state: () => [rlock.locked, rlock.depth],
    },
    'rlock.runExclusiveSync, within': {
      call: (fn) => rlock.runExclusiveSync(() => rlock.runExclusiveSync(fn)),
      says: locked,
      state: () => [rlock.locked, rlock.depth],
    },
    'value.lock.runExclusiveSync': {
      call: (fn) => value.lock.runExclusiveSync(fn),
      says: locked,
      state: () => value.lock.locked,
    },
    'value.update': {
      call: (fn) => value.update(fn),
      says: changing,
      state: () => [value.value, value.lock.locked],
    },
    'value.update under its lock': {
      call: (fn) => value.lock.runExclusiveSync(() => value.update(fn)),
      says: changing,
      state: () => [value.value, value.lock.locked],
    },
    'array.update': {
      call: (fn) => array.update(0, fn),
      says: changing,
      state: () => [[...array], array.lock.locked],
    },
    'dict.update': {
      call: (fn) => dict.update('k', fn),
      says: changing,
      state: () => [...dict],
    },
    'dict.update of a new key': {
      call: (fn) => dict.update('new', fn),
      says: changing,
      state: () => [...dict],
    },
    'dict.getOrSetSync': {
      call: (fn) => dict.getOrSetSync('computed', fn),
      says: /getOrSet\(\)/,
      state: () => [[...dict], dict.has('computed')],
    },
    'list.update': { call: (fn) => list.update(0, fn), says: changing, state: () => [...list] },
    'condition.waitForSync': {
      call: (fn) => held(() => condition.waitForSync(fn, watchdog)),
      says: /predicate/,
      state: () => condition.lock.locked,
    },
    'condition.waitFor': {
      call: (fn) => condition.lock.runExclusive(() => condition.waitFor(fn)),
      says: /predicate/,
      state: () => condition.lock.locked,
    },
    'barrier.waitSync': {
      call: (fn) => {
        barrier.reset();
        action = fn;
        return barrier.waitSync(watchdog);
      },
      says: /action, which wait\(\) takes/,
      state: () => barrier.waiting,
    },
  };
}

/** Every function that is no promise's, but returns one. */
const functions: Record<string, () => unknown> = {
  'is async': async () => {
    await turn();
    return 7;
  },
  'is async, and throws later': async () => {
    await turn();
    throw new Error('later');
  },
  'is async, and throws at once': () => Promise.reject(new Error('at once')),
  'returns something with a then': () => ({ then: () => expect.fail('nobody is to call it') }),
};

describe.each(Object.entries(functions))('a function that %s', (_, fn) => {
  const rejections: unknown[] = [];
  const note = (reason: unknown) => rejections.push(reason);
  beforeEach(() => void process.on('unhandledRejection', note));
  afterEach(() => void process.off('unhandledRejection', note));

  it('is refused where it is called at once, and leaves nothing changed or held', async () => {
    using temporaries = new Temporaries();
    for (const [name, { call, says, state }] of Object.entries(casesOf(temporaries))) {
      const before = state();
      const outcome = Promise.resolve().then(() => call(fn as Callback));
      await expectRejection(outcome, 'ERR_INVALID_ARG_TYPE', says, 'promise');
      expect([name, state()]).toEqual([name, before]);
    }
    // Whoever was refused has the error, and there is none beside it that would end the process.
    await turn();
    await turn();
    expect(rejections).toEqual([]);
  });
});

describe('other functions', () => {
  it('may return any object, and one that has a then which is no function', () => {
    using temporaries = new Temporaries();
    const lock = temporaries.add(NamedLock.create());
    for (const result of [{}, [], { then: 1 }, Object.create(null), undefined, null, 'x']) {
      expect(lock.runExclusiveSync(() => result as unknown)).toBe(result);
    }
  });

  it('may be async where they are awaited', async () => {
    using temporaries = new Temporaries();
    const lock = temporaries.add(NamedLock.create());
    const dict = temporaries.add(SharedDict.create());
    let acted = false;
    const action = async () => {
      await turn();
      acted = true;
    };
    const barrier = temporaries.add(NamedBarrier.create({ parties: 1, action }));
    const seven = async () => {
      await turn();
      return 7;
    };
    expect(await lock.runExclusive(seven)).toBe(7);
    expect(await dict.getOrSet('k', seven)).toBe(7);
    await barrier.wait();
    expect(acted).toBe(true);
  });
});
