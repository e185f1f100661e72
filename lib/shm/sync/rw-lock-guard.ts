import type * as contract from '../../contract/index';
import { SharedMemoryError } from '../../common/errors';
import { called } from '../core/names';

/** What a guard needs of the handle that it was acquired through. */
interface Owner extends contract.RWLock {
  readonly closed: boolean;
  beginRelease(mode: 'read' | 'write'): void;
  giveBack(): void;
}

/**
 * A {@link NamedRWLock} that is held for reading or for writing. Release it, or leave the block of a
 * `using` declaration.
 */
export class RWLockGuard implements contract.RWLockGuard {
  readonly #mode: 'read' | 'write';
  readonly #abandoned: boolean;
  readonly #lock: Owner;
  #released = false;

  /** @internal Guards are returned by the lock's acquire methods. */
  constructor(lock: Owner, mode: 'read' | 'write', abandoned: boolean) {
    this.#lock = lock;
    this.#mode = mode;
    this.#abandoned = abandoned;
  }

  /** Whether the lock is held for reading or for writing. */
  get mode(): 'read' | 'write' {
    return this.#mode;
  }

  /**
   * Whether the last writer died while it held the lock. You hold the lock as usual. But the data that it
   * guards may have been left half changed. Readers are told so until the next writer holds the lock.
   */
  get abandoned(): boolean {
    return this.#abandoned;
  }

  /** The handle that the lock was acquired through. */
  get lock(): contract.RWLock {
    return this.#lock;
  }

  /**
   * Releases the lock. Does not block.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` this guard has released it before; `ERR_SHUTDOWN` the manager that made
   * the object has ended, `ERR_CLOSED` the handle was closed after that.
   */
  release(): void {
    if (this.#released) {
      throw new SharedMemoryError(
        'ERR_NOT_HELD',
        `${called('rwlock', this.#lock.name)}: this guard has already released it`,
        { resource: this.#lock.name },
      );
    }
    this.#lock.beginRelease(this.#mode);
    // The engine interrupts only at calls and in loops. There is none between the end of that call and the next
    // statement, so `#released` is always set once the release has begun.
    this.#released = true;
    this.#lock.giveBack();
  }

  /** Releases the lock, unless it was released before or the handle is closed. */
  [Symbol.dispose](): void {
    if (!this.#released && !this.#lock.closed) this.release();
  }
}
