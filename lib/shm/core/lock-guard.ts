import type * as contract from '../../contract/index';
import { SharedMemoryError } from '../../common/errors';
import { called } from './names';
import type { LockHandle, LockSeat } from './lock-seat';

/**
 * A lock that is held. Release it with {@link LockGuard.release}, or by leaving the block of a `using`
 * declaration.
 */
export class LockGuard implements contract.LockGuard {
  /**
   * Whether the last owner died while it held the lock. You hold the lock as usual. But the data that it
   * guards may have been left half changed, so check the data before you rely on it.
   */
  get abandoned(): boolean {
    return this.#abandoned;
  }

  #abandoned: boolean;
  #isScoped: boolean;
  readonly #lock: contract.Lock & LockHandle;
  readonly #seat: LockSeat;

  /** @internal Guards are returned by the lock's acquire methods. */
  constructor(
    lock: contract.Lock & LockHandle,
    seat: LockSeat,
    abandoned: boolean,
    isScoped = false,
  ) {
    this.#lock = lock;
    this.#seat = seat;
    this.#abandoned = abandoned;
    this.#isScoped = isScoped;
  }

  /**
   * @internal Whether a method of the library acquired the lock in order to run a function, and releases it itself
   * before it returns, as `runExclusiveSync` does.
   */
  get isScoped(): boolean {
    return this.#isScoped;
  }

  /** @internal */
  set isScoped(isScoped: boolean) {
    this.#isScoped = isScoped;
  }

  /**
   * @internal Called when another owner died while this guard had released the lock temporarily, to wait for a
   * condition.
   */
  noteAbandoned(): void {
    this.#abandoned = true;
  }

  /** The handle that the lock was acquired through. */
  get lock(): contract.Lock {
    return this.#lock;
  }

  /**
   * Releases the lock. Does not block.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` this guard has released it before.
   */
  release(): void {
    if (this.#seat.holder !== this) {
      throw new SharedMemoryError(
        'ERR_NOT_HELD',
        `${called(this.#lock.kind, this.#lock.name)}: this guard has already released it`,
        { resource: this.#lock.name },
      );
    }
    this.#seat.release();
  }

  /** Releases the lock, unless it was released before. */
  [Symbol.dispose](): void {
    if (this.#seat.holder === this) this.#seat.release();
  }
}
