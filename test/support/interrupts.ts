// Ends what the library is doing as V8 does it, without a `catch` or a `finally`, at a step of one's
// choice: before and after each call of the addon and each atomic operation, and before each store to a
// structure. This has to come before the library.
import vm from 'node:vm';
import { atEachStore } from './stores';

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

/** Something that the library calls, as one more step. */
export function stepWithin(): void {
  onStep?.();
}

/** Has a function called at each step of what something does. */
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
 * Interrupts what something does at one of its steps, or before: the time that V8 gives it may be over
 * sooner on a slow machine. It gets more until it comes so far.
 *
 * @param begin - makes what is to be done.
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
      return object; // it was done in fewer steps
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    } finally {
      // What was interrupted has not ended its watching.
      atEachStep(
        () => undefined,
        () => undefined,
      );
    }
    if (steps > step) return object;
    end(object);
  }
}
