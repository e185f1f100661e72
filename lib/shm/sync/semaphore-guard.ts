import type * as contract from '../../contract/index';
import { SharedMemoryError } from '../../common/errors';
import { called } from '../core/names';

/** What a guard needs of the handle that it was acquired through. */
interface Owner extends contract.Semaphore {
  readonly closed: boolean;
  beginRelease(): void;
  giveBack(): void;
}

/** A permit that was acquired. Release it, or leave the block of a `using` declaration. */
export class SemaphoreGuard implements contract.SemaphoreGuard {
  readonly #semaphore: Owner;
  #released = false;

  /** @internal Guards are returned by the semaphore's acquire methods. */
  constructor(semaphore: Owner) {
    this.#semaphore = semaphore;
  }

  /** The handle that the permit was acquired through. */
  get semaphore(): contract.Semaphore {
    return this.#semaphore;
  }

  /**
   * Releases the permit. Does not block.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` this guard has released it before; `ERR_SHUTDOWN` the manager that made
   * the object has ended, `ERR_CLOSED` the handle was closed after that.
   */
  release(): void {
    if (this.#released) {
      throw new SharedMemoryError(
        'ERR_NOT_HELD',
        `${called('semaphore', this.#semaphore.name)}: this guard has already released its permit`,
        { resource: this.#semaphore.name },
      );
    }
    this.#semaphore.beginRelease();
    // The engine interrupts only at calls and in loops. There is none between the end of that call and the next
    // statement, so `#released` is always set once the release has begun.
    this.#released = true;
    this.#semaphore.giveBack();
  }

  /** Releases the permit, unless it was released before or the semaphore is closed. */
  [Symbol.dispose](): void {
    if (!this.#released && !this.#semaphore.closed) this.release();
  }
}
