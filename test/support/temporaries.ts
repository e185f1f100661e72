import { setTimeout as delay } from 'node:timers/promises';

export interface Named extends Disposable {
  close(): void;
  unlink(): void;
}

/** Unlinks and closes the object when the block is left. */
export function temporary<T extends Named>(object: T): T {
  return Object.assign(object, {
    [Symbol.dispose]() {
      object.unlink();
      object.close();
    },
  });
}

/** Unlinks and closes all added objects when the block is left. */
export class Temporaries implements Disposable {
  readonly #all: Named[] = [];

  add<T extends Named>(object: T): T {
    this.#all.push(object);
    return object;
  }

  [Symbol.dispose](): void {
    for (const object of this.#all) {
      object.unlink();
      object.close();
    }
  }
}

/** Polls for a state that nothing signals. */
export async function until(reached: () => boolean): Promise<void> {
  while (!reached()) await delay(1);
}

/**
 * For waits that block the test's own thread, so that no other watchdog can run. No wait is expected to
 * come near it.
 */
export const watchdog = { timeout: 60_000 };

/** How many milliseconds an action took. */
export async function timed(act: () => unknown): Promise<number> {
  const before = performance.now();
  await act();
  return performance.now() - before;
}
