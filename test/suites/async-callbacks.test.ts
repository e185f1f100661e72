// Functions that the library calls at once, under a lock or within a change that ends when they return, but
// whose work continues after that or does not even begin: async functions, generators, and similar
// functions.
import { setImmediate as turn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { runInNewContext } from 'node:vm';
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

/** By its type, most functions below would not be such a callback. */
type Callback = () => never;

interface Case {
  readonly call: (fn: Callback) => unknown;
  /** What the message says about it. */
  readonly says: RegExp;
  /** The state that must not change: nothing was changed, and no lock is held that was not held before. */
  readonly state: () => unknown;
}

function casesOf(temporaries: Temporaries): Record<string, Case> {
  const lock = temporaries.add(NamedLock.create());
  const rlock = temporaries.add(NamedRLock.create());
  const value = temporaries.add(SharedValue.create({ type: 'int32', value: 5 }));
  const array = temporaries.add(SharedArray.create({ type: 'int64', from: [1n, 2n] }));
  const condition = temporaries.add(NamedCondition.create());
  const dict = temporaries.add(SharedDict.create().set('k', 1));
  const list = temporaries.add(SharedList.create());
  list.push(1);
  const locked = /runExclusive\(\)/;
  const changing = /must compute the new value synchronously/;
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
        const barrier = temporaries.add(NamedBarrier.create({ parties: 1, action: fn }));
        return barrier.waitSync(watchdog);
      },
      says: /action/,
      state: () => undefined,
    },
  };
}

let ran = 0;
const asyncFunction = async () => {
  ran++;
  await turn();
  return 7;
};
const generator = function* () {
  ran++;
  yield 7;
};
class Thenable {
  then(): void {
    expect.fail('nobody is to call it');
  }
}
const method = new (class {
  async method() {
    ran++;
    await turn();
  }
})();
const unreadable = {
  get then() {
    throw new Error('not to be read');
  },
};
const elsewhere = (text: string) => runInNewContext(`(${text})`) as () => unknown;

/** Functions that are recognised by their kind, so none of them is called. */
const seen: Record<string, () => unknown> = {
  'is async': asyncFunction,
  'is async and bound': asyncFunction.bind(null),
  'is a proxy of an async function': new Proxy(asyncFunction, {}),
  'is an async method': method.method.bind(method),
  'is an async function of another realm': elsewhere('async () => 7'),
  'is a bound async function of another realm': elsewhere('async () => 7').bind(null),
  'is a generator function': generator,
  'is a bound generator function': generator.bind(null),
  'is a proxy of a generator function': new Proxy(generator, {}),
  'is an async generator function': async function* () {
    ran++;
    await turn();
    yield 7;
  },
  'is a generator function of another realm': elsewhere('function* () { yield 7; }'),
  'has a then': Object.assign(() => ran++, { then: () => expect.fail('nobody is to call it') }),
  'has a then that cannot be read': Object.defineProperty(
    () => ran++,
    'then',
    Object.getOwnPropertyDescriptor(unreadable, 'then')!,
  ),
};

/** Functions that are recognised by what they return. */
const returning: Record<string, () => unknown> = {
  'is async, and throws later': () =>
    turn().then(() => {
      throw new Error('later');
    }),
  'returns a promise that is rejected': () => Promise.reject(new Error('at once')),
  'returns a promise of another realm that is rejected': elsewhere(
    '() => Promise.reject(new Error("at once"))',
  ),
  'returns a promise that hides its then': () =>
    Object.assign(Promise.reject(new Error('at once')), { then: undefined }),
  'is made by promisify': promisify((done: () => void) => setImmediate(done)),
  'returns something with a then': () => ({ then: () => expect.fail('nobody is to call it') }),
  'returns an instance of a class with a then': () => new Thenable(),
  'returns a function with a then': () => Object.assign(() => 1, { then: () => 1 }),
  'returns something whose then cannot be read': () => unreadable,
  'returns a proxy that was revoked': () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  'returns a generator': () => generator(),
  'returns an async generator': () => seen['is an async generator function']!(),
  'returns a generator of another realm': () => elsewhere('function* () {}')(),
  'hides that it is async': Object.setPrototypeOf(
    async () => turn(),
    Function.prototype,
  ) as () => unknown,
};

const functions = { ...seen, ...returning };

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
      await expectRejection(outcome, 'ERR_INVALID_ARG_TYPE', says);
      expect([name, state()]).toEqual([name, before]);
    }
    expect(ran, 'calls of what is refused by what it is').toBe(0);
    // The caller has the error. There must be no second one, which would end the process.
    await turn();
    await turn();
    expect(rejections).toEqual([]);
  });
});

describe('other functions', () => {
  it('may return any object, and one that has a then which is no function', () => {
    using temporaries = new Temporaries();
    const lock = temporaries.add(NamedLock.create());
    const iterator = { next: () => ({ done: true }) };
    const results: unknown[] = [
      {},
      [],
      { then: 1 },
      Object.create(null),
      () => 1,
      iterator,
      [1].values(),
    ];
    for (const result of [...results, undefined, null, 'x']) {
      expect(lock.runExclusiveSync(() => result)).toBe(result);
    }
  });

  it('may be of any other make', () => {
    using temporaries = new Temporaries();
    const dict = temporaries.add(SharedDict.create());
    const plain = () => 7;
    for (const fn of [
      plain,
      plain.bind(null),
      new Proxy(plain, {}),
      elsewhere('() => 7') as () => number,
      Object.setPrototypeOf(() => 7, null) as () => number,
      { plain }.plain,
    ]) {
      dict.clear();
      expect(dict.update('k', fn)).toBe(7);
      expect(dict.getOrSetSync('l', fn)).toBe(7);
    }
  });

  it('may not be generators where they are awaited either', async () => {
    using temporaries = new Temporaries();
    const lock = temporaries.add(NamedLock.create());
    const rlock = temporaries.add(NamedRLock.create());
    const dict = temporaries.add(SharedDict.create());
    const list = temporaries.add(SharedList.create());
    const calls: Record<string, (fn: never) => unknown> = {
      'lock.runExclusive': (fn) => lock.runExclusive(fn),
      'rlock.runExclusive': (fn) => rlock.runExclusive(fn),
      'dict.getOrSet': (fn) => dict.getOrSet('k', fn),
      'dict.forEach': (fn) => dict.forEach(fn),
      'list.forEach': (fn) => list.forEach(fn),
      'dict.entries': (fn) => [...dict.entries({ onUnreadable: fn })],
      'list.values': (fn) => [...list.values({ onUnreadable: fn })],
      barrier: (fn) => NamedBarrier.create({ parties: 1, action: fn }),
    };
    for (const call of Object.values(calls)) {
      for (const fn of [generator, seen['is an async generator function']!]) {
        const outcome = Promise.resolve().then(() => call(fn as never));
        await expectRejection(outcome, 'ERR_INVALID_ARG_TYPE', 'generator function');
      }
    }
    expect([lock.locked, rlock.locked, ran]).toEqual([false, false, 0]);
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
