// A function that the library calls within another function that the library calls. V8 ends the inner one,
// and the outer one continues, in the same turn.
import vm from 'node:vm';
import type * as shmkit from 'shmkit';
import { describe, expect, it } from 'vitest';
import { cases, onStepsWithin } from '../fixtures/interrupts/cases';
import { expectCode } from '../support/errors';

interface Caller<T = never> {
  /** The name of one of {@link cases}. */
  readonly of: string;
  /** Makes the object call a function. */
  readonly call: (object: T, fn: () => void) => unknown;
  /** The thread may use the object within the function. */
  readonly isFree?: true;
}

/** A value with a part that is computed only when it is read. */
function asks(fn: () => void): unknown {
  return {
    get part() {
      fn();
      return 1;
    },
  };
}

let computed = 0;

const locks: Caller<shmkit.NamedLock> = {
  of: 'lock',
  call: (lock, fn) => lock.runExclusiveSync(fn),
};
const rlocks: Caller<shmkit.NamedRLock> = {
  of: 'rlock',
  call: (lock, fn) => lock.runExclusiveSync(fn),
  isFree: true,
};
const barriers: Caller<shmkit.NamedBarrier> = {
  of: 'barrier',
  call: (barrier, fn) => {
    if (barrier.broken) barrier.reset();
    onStepsWithin(fn);
    barrier.waitSync();
    onStepsWithin(() => undefined);
  },
  isFree: true,
};
const values: Caller<shmkit.SharedValue> = {
  of: 'value',
  call: (value, fn) => value.update((n) => (fn(), n)),
};
const arrays: Caller<shmkit.SharedArray> = {
  of: 'array',
  call: (array, fn) => array.update(1, (n) => (fn(), n)),
};
const dictUpdates: Caller<shmkit.SharedDict> = {
  of: 'dict',
  call: (dict, fn) => dict.update('key 3', () => (fn(), 1)),
};
const dictUpdatesValues: Caller<shmkit.SharedDict> = {
  of: 'dict',
  call: (dict, fn) => dict.update('key 3', () => asks(fn)),
};
const dictSetsValues: Caller<shmkit.SharedDict> = {
  of: 'dict',
  call: (dict, fn) => dict.set('asks', asks(fn)),
  isFree: true,
};
const computations: Caller<shmkit.SharedDict> = {
  of: 'dict',
  call: (dict, fn) => dict.getOrSetSync(`computed ${computed++}`, () => (fn(), 1)),
  isFree: true,
};
const listUpdates: Caller<shmkit.SharedList> = {
  of: 'list',
  call: (list, fn) => list.update(2, () => (fn(), 1)),
};
const listPushes: Caller<shmkit.SharedList> = {
  of: 'list',
  call: (list, fn) => list.push(asks(fn)),
  isFree: true,
};
const queuePuts: Caller<shmkit.SharedQueue> = {
  of: 'queue',
  call: (queue, fn) => {
    queue.putSync(asks(fn));
  },
  isFree: true,
};

const callers: Readonly<Record<string, Caller>> = {
  'lock.runExclusiveSync': locks,
  'rlock.runExclusiveSync': rlocks,
  'barrier.waitSync': barriers,
  'value.update': values,
  'array.update': arrays,
  'dict.update': dictUpdates,
  "dict.update's value": dictUpdatesValues,
  "dict.set's value": dictSetsValues,
  'dict.getOrSetSync': computations,
  'list.update': listUpdates,
  "list.push's value": listPushes,
  "queue.putSync's value": queuePuts,
};

const names = Object.keys(callers);

/** Calls a function through an object, and shows whether the object can still be used. */
class Calling implements Disposable {
  readonly isFree: boolean;
  readonly #object: Disposable & { unlink(): void };
  readonly #caller: Caller;

  constructor(name: string) {
    this.#caller = callers[name]!;
    this.#object = cases[this.#caller.of]!.create();
    this.isFree = this.#caller.isFree === true;
  }

  call(fn: () => void): void {
    this.#caller.call(this.#object as never, fn);
  }

  use(): void {
    onStepsWithin(() => undefined);
    cases[this.#caller.of]!.use(this.#object as never);
  }

  [Symbol.dispose](): void {
    this.#object.unlink();
    this.#object[Symbol.dispose]();
  }
}

/** Ends a function that does not end by itself. It gets more time if it did not get that far. */
function interruptWithin(act: (endless: () => void) => void): void {
  let times = 0;
  const endless = () => {
    times++;
    for (;;);
  };
  const context = vm.createContext({ act: () => act(endless) });
  let timeout = 4;
  do {
    expect(() => void vm.runInContext('act()', context, { timeout })).toThrow(/timed out/);
    timeout *= 2;
  } while (times === 0);
}

describe.each(names)('within a function of %s', (outerName) => {
  it.each(names)('one of %s is interrupted, and its object is of use', (innerName) => {
    using outer = new Calling(outerName);
    using inner = new Calling(innerName);
    using third = new Calling('dict.update');
    let times = 0;
    outer.call(() => {
      if (times++ > 0) return; // a value may be read once more
      interruptWithin((endless) => inner.call(endless));
      inner.use();
      interruptWithin((endless) => inner.call(endless));
      third.call(() => inner.use());
      interruptWithin((endless) => inner.call(() => third.call(endless)));
      third.use();
      third.call(() => inner.call(() => undefined));
      if (!outer.isFree) expectCode(() => outer.use(), 'ERR_DEADLOCK');
      interruptWithin((endless) => inner.call(endless));
      if (!outer.isFree) expectCode(() => third.call(() => outer.use()), 'ERR_DEADLOCK');
    });
    expect(times).toBeGreaterThan(0);
    inner.use();
    outer.use();
    // At the same depths as before.
    outer.call(() => inner.call(() => third.use()));
    inner.use();
  });
});
