import type * as contract from '../../contract/index';
import { SharedMemoryError } from '../../common/errors';
import { called } from './names';
import type { LockHandle, LockSeat } from './lock-seat';

/**
 * A lock that is held. Give it back with {@link LockGuard.release} or by leaving the block of a
 * `using` declaration.
 */
export class LockGuard implements contract.LockGuard {
  /**
   * Whether the last owner died holding the lock. You have it as usual; what it guards may have
   * been left half-changed, so look at that before you rely on it.
   */
  get abandoned(): boolean {
    return this.#abandoned;
  }

  #abandoned: boolean;
  #isScoped: boolean;
  readonly #lock: contract.Lock & LockHandle;
  readonly #seat: LockSeat;

  /** @internal Guards come from the lock's acquire methods. */
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

  /** @internal Whether the library gives it back before it returns to who called it. */
  get isScoped(): boolean {
    return this.#isScoped;
  }

  /** @internal */
  set isScoped(isScoped: boolean) {
    this.#isScoped = isScoped;
  }

  /** @internal An owner died while the lock was given up for a while. */
  noteAbandoned(): void {
    this.#abandoned = true;
  }

  /** The handle that the lock was acquired through. */
  get lock(): contract.Lock {
    return this.#lock;
  }

  /**
   * Gives the lock back. Does not block.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` when this guard has given it back before.
   */
  release(): void {
    if (this.#seat.holder !== this) {
      throw new SharedMemoryError(
        'ERR_NOT_HELD',
        `${called(this.#lock.kind, this.#lock.name)}: this guard has released it before`,
        { resource: this.#lock.name },
      );
    }
    this.#seat.release();
  }

  /** Gives the lock back, unless that was done before. */
  [Symbol.dispose](): void {
    if (this.#seat.holder === this) this.#seat.release();
  }
}
