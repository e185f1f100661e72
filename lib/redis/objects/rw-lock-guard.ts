import type * as contract from '../../contract/index';
import type { Hold } from '../lease/hold';
import { Leased } from './guard';

/** What a guard needs of the lock that it is of. */
export interface SharedHolding {
  readonly handle: contract.RWLock;
  giveBack(guard: RWLockGuard): Promise<void>;
}

/** A read-write lock that is held. */
export class RWLockGuard extends Leased implements contract.RWLockGuard, AsyncDisposable {
  /** Whether the lock is held for reading or for writing. */
  readonly mode: 'read' | 'write';
  /** Whether the last writer's lease ended while it held the lock. Readers are told so until the next writer holds it. */
  readonly abandoned: boolean;
  /** @internal */
  readonly token: string;
  readonly #lock: SharedHolding;
  #isReleased = false;

  constructor(
    lock: SharedHolding,
    hold: Hold,
    token: string,
    mode: 'read' | 'write',
    fence: number,
    abandoned: boolean,
  ) {
    super(hold, fence);
    this.#lock = lock;
    this.token = token;
    this.mode = mode;
    this.abandoned = abandoned;
  }

  /** The handle that the lock was acquired through. */
  get lock(): contract.RWLock {
    return this.#lock.handle;
  }

  /** @internal */
  get isHeld(): boolean {
    return this.hold.isHeld;
  }

  /** @internal */
  get isReleased(): boolean {
    return this.#isReleased;
  }

  /** @internal Returns whether it was held until now. */
  markReleased(): boolean {
    this.#isReleased = true;
    const { isHeld } = this.hold;
    this.hold.end();
    return isHeld;
  }

  /**
   * Releases the lock.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` this guard has released it before, or its lease has ended.
   */
  release(): Promise<void> {
    return this.#lock.giveBack(this);
  }

  /** Releases the lock, unless that was done before. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isReleased) await this.release();
  }
}
