import type * as contract from '../../contract/index';
import type { WaitOptions } from '../../common/options';
import { LockCore } from './lock-core';
import type { LockGuard } from './lock-guard';
import type { Kind } from './names';
import type { ServedObject } from './served-object';

/** The lock that an object has of its own. See `NamedLock`. */
export class OwnLock implements contract.Lock {
  readonly #object: ServedObject<Kind>;
  readonly #core: LockCore;

  constructor(object: ServedObject<Kind>) {
    this.#object = object;
    this.#core = new LockCore(object, this, object.allKeys);
  }

  /** The name of the object that the lock belongs to. */
  get name(): string {
    return this.#object.name;
  }

  /** Whether the lock is held through this handle. Asks the clocks, and not the server. */
  // eslint-disable-next-line @typescript-eslint/require-await -- what it throws is a rejection
  async held(): Promise<boolean> {
    this.#object.checkOpen();
    return this.#core.isHeld;
  }

  /** Whether anybody holds the lock. */
  locked(): Promise<boolean> {
    return this.#core.isLocked();
  }

  /** Acquires the lock as soon as it is free. */
  acquire(options?: WaitOptions): Promise<LockGuard> {
    return this.#core.acquire(options);
  }

  /** Acquires the lock if it is free and nobody waits for it. */
  tryAcquire(): Promise<LockGuard | null> {
    return this.#core.tryAcquire();
  }

  /** @throws SharedMemoryError `ERR_NOT_HELD` */
  release(): Promise<void> {
    return this.#core.release();
  }

  /** Runs a function while holding the lock. */
  runExclusive<T>(fn: (guard: LockGuard) => T | PromiseLike<T>, options?: WaitOptions): Promise<T> {
    return this.#core.runExclusive(fn, options);
  }

  /** @internal Runs a step of the object itself while nobody holds the lock. */
  runApart<T>(fn: (guard: LockGuard) => Promise<T>, options?: WaitOptions): Promise<T> {
    return this.#core.runApart(fn, options);
  }

  /** @internal The guard that holds the lock through this handle now. */
  get guard(): LockGuard | undefined {
    return this.#core.held;
  }

  /** @internal Throws while it is held through this handle. */
  letGo(): void {
    this.#core.letGo();
  }
}
