import type * as contract from '../../contract/index';
import type { Hold } from '../lease/hold';
import { Leased } from './guard';

/** What a guard needs of the lock that it is of. */
export interface Reentered {
  readonly handle: contract.RLock;
  giveBack(guard: RLockGuard): Promise<void>;
}

/** One acquisition of a reentrant lock. */
export class RLockGuard extends Leased implements contract.RLockGuard, AsyncDisposable {
  /** Whether the last owner's lease ended while it held the lock. Only the outermost acquisition is told. */
  readonly abandoned: boolean;
  readonly #lock: Reentered;
  #isReleased = false;

  constructor(lock: Reentered, hold: Hold, fence: number, abandoned: boolean) {
    super(hold, fence);
    this.#lock = lock;
    this.abandoned = abandoned;
  }

  /** The handle that the lock was acquired through. */
  get lock(): contract.RLock {
    return this.#lock.handle;
  }

  /** @internal */
  get isReleased(): boolean {
    return this.#isReleased;
  }

  /** @internal */
  markReleased(): void {
    this.#isReleased = true;
  }

  /**
   * Releases this acquisition. The lock becomes free with the last one.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` this guard has released it before, or its lease has ended.
   */
  release(): Promise<void> {
    return this.#lock.giveBack(this);
  }

  /** Releases this acquisition, unless that was done before. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isReleased) await this.release();
  }
}
