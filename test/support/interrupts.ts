// Interrupts the library in the way V8 does it, without a `catch` or a `finally`, at a chosen step. There
// is a step before and after each call of the addon and each atomic operation, and before each store to a
// structure. This module must be imported before the library.
import vm from 'node:vm';
import { atEachStore } from '../fixtures/stores';

type Functions = Record<string, (...args: unknown[]) => unknown>;

let onStep: (() => void) | undefined;

function stepwise(functions: Functions, names: readonly string[]): void {
  for (const name of names) {
    const original = functions[name]!;
    functions[name] = (...args) => {
      onStep?.();
      const result = original(...args);
      onStep?.();
      return result;
    };
  }
}

stepwise(Atomics as unknown as Functions, [
  'add',
  'compareExchange',
  'exchange',
  'load',
  'store',
  'sub',
]);

const dlopen = process.dlopen.bind(process);
process.dlopen = (module: object, ...rest: unknown[]) => {
  (dlopen as (...args: unknown[]) => void)(module, ...rest);
  const { exports } = module as { exports: Functions };
  if (typeof exports.lockAbandon !== 'function') return;
  stepwise(
    exports,
    Object.keys(exports).filter(
      (name) => typeof exports[name] === 'function' && name !== 'initialize',
    ),
  );
};

/** Adds a step, in a function that the library calls. */
export function stepWithin(): void {
  onStep?.();
}

/** Calls a function at each step of an action. */
function atEachStep(step: () => void, act: () => unknown): void {
  onStep = step;
  try {
    atEachStore(step, act);
  } finally {
    onStep = undefined;
  }
}

export function countSteps(act: () => unknown): number {
  let steps = 0;
  atEachStep(() => steps++, act);
  return steps;
}

/**
 * Interrupts an action at one of its steps. On a slow machine the time limit of V8 may end it before that
 * step. Then the action is repeated with more time, until it gets that far.
 *
 * @param begin - creates the object and the action.
 */
export function interrupt<T>(
  step: number,
  begin: () => [T, () => unknown],
  end: (object: T) => void,
): T {
  for (let timeout = 4; ; timeout *= 2) {
    const [object, act] = begin();
    let steps = 0;
    const strike = () => {
      if (steps++ === step) for (;;);
    };
    const context = vm.createContext({ act: () => atEachStep(strike, act) });
    try {
      vm.runInContext('act()', context, { timeout });
      return object; // the action had fewer steps
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    } finally {
      // The interrupted call has not reset the watching.
      atEachStep(
        () => undefined,
        () => undefined,
      );
    }
    if (steps > step) return object;
    end(object);
  }
}
