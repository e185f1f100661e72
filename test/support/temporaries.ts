import { setTimeout as delay } from 'node:timers/promises';

export interface Named extends Disposable {
  close(): void;
  unlink(): void;
}

/** The object is unlinked and closed when the block is left. */
export function temporary<T extends Named>(object: T): T {
  return Object.assign(object, {
    [Symbol.dispose]() {
      object.unlink();
      object.close();
    },
  });
}

/** All that is added is unlinked and closed when the block is left. */
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

/** Waits for a state that nobody tells of. */
export async function until(reached: () => boolean): Promise<void> {
  while (!reached()) await delay(1);
}

/**
 * For waits that block the test's own thread, where no other watchdog could come to run. Nothing is
 * expected to come near it.
 */
export const watchdog = { timeout: 60_000 };

/** The milliseconds that something took. */
export async function timed(act: () => unknown): Promise<number> {
  const before = performance.now();
  await act();
  return performance.now() - before;
}
