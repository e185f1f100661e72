// A writer that comes at any step of a reader, which takes no lock of its own.
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
// The library must be imported after the module that watches it.
import { atEachStep, countSteps } from '../support/interrupts';
import { NamedRWLock, type RWLockGuard } from 'shmkit';
import { ask, type Given } from '../fixtures/sync/rw-ask';
import { fixturePath } from '../support/children';

/** Another thread that wants to write. While it is asked, this thread waits. */
class Rival {
  readonly #words = new Int32Array(new SharedArrayBuffer(8));
  readonly #thread: Worker;

  constructor(name: string) {
    const workerData: Given = { name, words: this.#words };
    this.#thread = new Worker(fixturePath('sync/rw-rival'), { workerData });
  }

  /** Returns whether it writes now. */
  tryWrite(): boolean {
    this.#ask(ask.tryWrite);
    return this.#words[1] === 1;
  }

  release(): void {
    this.#ask(ask.release);
  }

  async end(): Promise<void> {
    const ended = new Promise((resolve) => this.#thread.once('exit', resolve));
    this.#words[0] = ask.end;
    Atomics.notify(this.#words, 0);
    await ended;
  }

  #ask(what: number): void {
    this.#words[0] = what;
    Atomics.notify(this.#words, 0);
    // For hangs only: this thread would wait for ever if it held the mutex that the other one needs.
    const answer = Atomics.wait(this.#words, 0, what, 30_000);
    if (answer === 'timed-out') throw new Error('the other thread does not answer');
  }
}

/** Calls a function once, at a step of an action. Returns whether the action got that far. */
function atStep(step: number, once: () => void, act: () => void): boolean {
  let steps = 0;
  atEachStep(() => {
    // What the function itself does is no step of the action.
    if (steps++ === step) once();
  }, act);
  return steps > step;
}

let lock: NamedRWLock;
let rival: Rival;

beforeEach(() => {
  lock = NamedRWLock.create();
  rival = new Rival(lock.name);
  // From now on both are on the roster, and the gate is open.
  expect(rival.tryWrite()).toBe(true);
  rival.release();
  lock.acquireReadSync().release();
  lock.acquireReadSync().release();
});

afterEach(async () => {
  await rival.end();
  lock.unlink();
  lock.close();
});

describe('a writer that comes', () => {
  it('at any step of an acquisition gets the lock, or the reader does, and never both', () => {
    const steps = countSteps(() => lock.acquireReadSync().release());
    expect(steps).toBeGreaterThan(3);
    const seen = new Set<string>();
    for (let step = 0; step < steps; step++) {
      const got: { guard: RWLockGuard | null; isWriting: boolean } = {
        guard: null,
        isWriting: false,
      };
      const isReached = atStep(
        step,
        () => (got.isWriting = rival.tryWrite()),
        () => (got.guard = lock.tryAcquireRead()),
      );
      const isReading = got.guard !== null;
      expect(isReading, `at step ${step} of ${steps}`).toBe(!got.isWriting);
      got.guard?.release();
      if (!isReached) break;
      seen.add(isReading ? 'reading' : 'writing');
      rival.release();
      expect(rival.tryWrite(), `after step ${step} of ${steps}`).toBe(true);
      rival.release();
      lock.acquireReadSync().release();
    }
    expect([...seen].sort()).toEqual(['reading', 'writing']);
  });

  it('at a step of a release gets the lock, and at every later one', () => {
    const counted = lock.acquireReadSync();
    const steps = countSteps(() => counted.release());
    let hasLetGo = false;
    for (let step = 0; step < steps; step++) {
      const guard = lock.acquireReadSync();
      const got = { isWriting: false };
      atStep(
        step,
        () => (got.isWriting = rival.tryWrite()),
        () => guard.release(),
      );
      if (hasLetGo) expect(got.isWriting, `at step ${step} of ${steps}`).toBe(true);
      hasLetGo = got.isWriting;
      if (!hasLetGo) expect(rival.tryWrite(), `after step ${step} of ${steps}`).toBe(true);
      expect(lock.tryAcquireRead(), `after step ${step} of ${steps}`).toBeNull();
      rival.release();
      lock.acquireReadSync().release();
    }
    expect(hasLetGo, 'at the last step').toBe(true);
  });
});
