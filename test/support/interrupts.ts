// Interrupts the library in the way V8 does it, without a `catch` or a `finally`, at a chosen step. There
// is a step before and after each call of the addon, each atomic operation and each change of a map or a set, and
// before each store to a structure. This module must be imported before the library.
import vm from 'node:vm';
import { atEachStore } from '../fixtures/stores';

type Functions = Record<string, (...args: unknown[]) => unknown>;

let onStep: (() => void) | undefined;

function stepwise(functions: Functions, names: readonly string[]): void {
  for (const name of names) {
    const original = functions[name]!;
    functions[name] = function (this: unknown, ...args) {
      onStep?.();
      const result: unknown = Reflect.apply(original, this, args);
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

stepwise(Map.prototype as unknown as Functions, ['set', 'delete']);
stepwise(Set.prototype as unknown as Functions, ['add', 'delete']);

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
export function atEachStep(step: () => void, act: () => unknown): void {
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
 * Interrupts an action at one of its steps.
 *
 * @returns whether the action got that far.
 */
export function interrupt(step: number, act: () => unknown): boolean {
  let steps = 0;
  const strike = () => {
    if (steps++ !== step) return;
    process.kill(process.pid, 'SIGINT');
    for (;;);
  };
  const context = vm.createContext({ act: () => atEachStep(strike, act) });
  try {
    vm.runInContext('act()', context, { breakOnSigint: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ERR_SCRIPT_EXECUTION_INTERRUPTED') throw error;
  } finally {
    // The interrupted call has not reset the watching.
    atEachStep(
      () => undefined,
      () => undefined,
    );
  }
  return steps > step;
}
