import type * as contract from '../../contract/index';
import { SharedMemoryError } from '../../common/errors';
import { called } from '../core/names';

/**
 * A {@link NamedRWLock} that is held for reading or for writing. Release it, or leave the block of a
 * `using` declaration.
 */
export class RWLockGuard implements contract.RWLockGuard {
  readonly #mode: 'read' | 'write';
  readonly #abandoned: boolean;
  readonly #lock: contract.RWLock;
  readonly #end: () => void;
  #released = false;

  /** @internal Guards come from the lock's acquire methods. */
  constructor(lock: contract.RWLock, mode: 'read' | 'write', abandoned: boolean, end: () => void) {
    this.#lock = lock;
    this.#mode = mode;
    this.#abandoned = abandoned;
    this.#end = end;
  }

  /** How it is held. */
  get mode(): 'read' | 'write' {
    return this.#mode;
  }

  /**
   * Whether the last writer died holding the lock. You have it as usual; what it guards may have been
   * left half-changed. Readers are told until a writer has come.
   */
  get abandoned(): boolean {
    return this.#abandoned;
  }

  /** The handle that it was acquired through. */
  get lock(): contract.RWLock {
    return this.#lock;
  }

  /**
   * Gives it back. Does not block.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` when this guard has given it back before.
   */
  release(): void {
    if (this.#released) {
      throw new SharedMemoryError(
        'ERR_NOT_HELD',
        `${called('rwlock', this.#lock.name)}: this guard has released it before`,
        { resource: this.#lock.name },
      );
    }
    this.#end();
  }

  /** @internal It is given back, or is about to be; returns whether that was not so before. */
  noteReleased(): boolean {
    const isNews = !this.#released;
    this.#released = true;
    return isNews;
  }

  /** Gives it back, unless that was done before. */
  [Symbol.dispose](): void {
    if (!this.#released) this.release();
  }
}
