import type * as contract from '../../contract/index';
import { SharedMemoryError } from '../../common/errors';
import { called } from '../core/names';

/** What a guard needs of the handle that it was acquired through. */
interface Owner extends contract.RLock {
  release(): void;
  leave(isScoped: boolean): void;
}

/** One acquisition of a {@link NamedRLock}. Release it, or leave the block of a `using` declaration. */
export class RLockGuard implements contract.RLockGuard {
  readonly #abandoned: boolean;
  readonly #lock: Owner;
  readonly #isScoped: boolean;
  #released = false;

  /** @internal Guards are returned by the lock's acquire methods. */
  constructor(lock: Owner, abandoned: boolean, isScoped: boolean) {
    this.#lock = lock;
    this.#abandoned = abandoned;
    this.#isScoped = isScoped;
  }

  /**
   * Whether the last owner died while it held the lock. Only the outermost acquisition is told, and only
   * once.
   */
  get abandoned(): boolean {
    return this.#abandoned;
  }

  /** The handle that the lock was acquired through. */
  get lock(): contract.RLock {
    return this.#lock;
  }

  /**
   * Releases this acquisition. Does not block.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` this guard has released it before.
   */
  release(): void {
    if (this.#released) {
      throw new SharedMemoryError(
        'ERR_NOT_HELD',
        `${called('rlock', this.#lock.name)}: this guard has already released it`,
        { resource: this.#lock.name },
      );
    }
    if (this.#lock.held) this.#lock.leave(this.#isScoped);
    else this.#lock.release();
    this.#released = true;
  }

  /** Releases this acquisition, unless it was released before. */
  [Symbol.dispose](): void {
    if (!this.#released && this.#lock.held) this.release();
  }
}
