import type * as contract from '../../contract/index';
import type { Hold } from '../lease/hold';
import { Leased } from './guard';

/** What a guard needs of the lock that it is of. */
export interface Releasing {
  readonly handle: contract.Lock;
  /** Gives back what that token holds. */
  giveBack(guard: LockGuard): Promise<void>;
}

/** A lock that is held. */
export class LockGuard extends Leased implements contract.LockGuard, AsyncDisposable {
  /** Whether the last owner's lease ended while it held the lock: it died, was stopped, or was cut off. */
  readonly abandoned: boolean;
  /** @internal */
  readonly token: string;
  readonly #lock: Releasing;
  #isReleased = false;

  constructor(lock: Releasing, hold: Hold, token: string, fence: number, abandoned: boolean) {
    super(hold, fence);
    this.#lock = lock;
    this.token = token;
    this.abandoned = abandoned;
  }

  /** The handle that the lock was acquired through. */
  get lock(): contract.Lock {
    return this.#lock.handle;
  }

  /** @internal Whether it is neither released nor lost. */
  get isHeld(): boolean {
    return this.hold.isHeld;
  }

  /** @internal Whether it was released, by itself or through the handle. */
  get isReleased(): boolean {
    return this.#isReleased;
  }

  /** @internal Marks it as released, and stops the renewal. Returns whether it was held until now. */
  markReleased(): boolean {
    this.#isReleased = true;
    const { isHeld } = this.hold;
    this.hold.end();
    return isHeld;
  }

  /**
   * Releases the lock.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` this guard has released it before, or its lease has ended;
   * `ERR_UNAVAILABLE` the server cannot be reached: the lock becomes free when the lease ends.
   */
  release(): Promise<void> {
    return this.#lock.giveBack(this);
  }

  /** Releases the lock, unless that was done before. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isReleased) await this.release();
  }
}
