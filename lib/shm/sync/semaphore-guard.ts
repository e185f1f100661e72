import type * as contract from '../../contract/index';
import { SharedMemoryError } from '../../common/errors';
import { called } from '../core/names';

/** What a guard asks of the handle that it was acquired through. */
interface Owner extends contract.Semaphore {
  readonly closed: boolean;
  beginRelease(): void;
  giveBack(): void;
}

/** A permit that was acquired. Give it back, or leave the block of a `using` declaration. */
export class SemaphoreGuard implements contract.SemaphoreGuard {
  readonly #semaphore: Owner;
  #released = false;

  /** @internal Guards come from the semaphore's acquire methods. */
  constructor(semaphore: Owner) {
    this.#semaphore = semaphore;
  }

  /** The handle that it was acquired through. */
  get semaphore(): contract.Semaphore {
    return this.#semaphore;
  }

  /**
   * Gives the permit back. Does not block.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` when this guard has given it back before.
   */
  release(): void {
    if (this.#released) {
      throw new SharedMemoryError(
        'ERR_NOT_HELD',
        `${called('semaphore', this.#semaphore.name)}: this guard has released its permit before`,
        { resource: this.#semaphore.name },
      );
    }
    this.#semaphore.beginRelease();
    // No call lies in between, where an interrupt could come: one that was begun is noted here.
    this.#released = true;
    this.#semaphore.giveBack();
  }

  /** Gives the permit back, unless that was done before, or the semaphore is closed. */
  [Symbol.dispose](): void {
    if (!this.#released && !this.#semaphore.closed) this.release();
  }
}
