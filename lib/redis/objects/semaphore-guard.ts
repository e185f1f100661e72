import type * as contract from '../../contract/index';
import type { Hold } from '../lease/hold';

/** What a guard needs of the semaphore that it is of. */
export interface PermitSource {
  readonly handle: contract.Semaphore;
  giveBack(guard: SemaphoreGuard): Promise<void>;
  notHeld(): Error;
}

/** A permit that was taken. */
export class SemaphoreGuard implements contract.SemaphoreGuard, AsyncDisposable {
  /** Grows with each permit that the semaphore gives. */
  readonly fence: number;
  /** @internal */
  readonly token: string;
  readonly #source: PermitSource;
  /** Undefined for a permit that was added by a release: whoever takes it uses it up, and holds nothing. */
  readonly #hold: Hold | undefined;
  #isReleased = false;
  /** Set while the server is asked to take it back, together with others or as one that was added. */
  #isLeaving = false;
  /** The signal of a permit that cannot be lost. */
  #never: AbortController | undefined;

  constructor(source: PermitSource, hold: Hold | undefined, token: string, fence: number) {
    this.#source = source;
    this.#hold = hold;
    this.token = token;
    this.fence = fence;
  }

  /** The handle that the permit was taken through. */
  get semaphore(): contract.Semaphore {
    return this.#source.handle;
  }

  /** Aborts when the lease of the permit is lost. */
  get signal(): AbortSignal {
    if (this.#hold !== undefined) return this.#hold.signal;
    this.#never ??= new AbortController();
    return this.#never.signal;
  }

  /** Throws if the lease of the permit has ended. @throws SharedMemoryError `ERR_LEASE_LOST` */
  check(): void {
    this.#hold?.check();
  }

  /** @internal Whether it has a holder, and comes back when the holder dies. */
  get isLeased(): boolean {
    return this.#hold !== undefined;
  }

  /** @internal */
  get isHeld(): boolean {
    return this.#hold?.isHeld ?? false;
  }

  /** @internal It is about to be given back, and cannot be given back by another call meanwhile. */
  leave(): void {
    this.#isLeaving = true;
  }

  /** @internal The server has refused to take it back. */
  stay(): void {
    this.#isLeaving = false;
  }

  /** @internal Returns whether it was held until now. */
  markReleased(): boolean {
    this.#isReleased = true;
    const { isHeld } = this;
    this.#hold?.end();
    return isHeld;
  }

  /**
   * Gives the permit back.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` this guard has given it back before, or its lease has ended, or there would
   * be more permits than the semaphore's maximum. `ERR_UNCERTAIN` a permit that was added by a release has perhaps come
   * back, since the answer was lost.
   */
  async release(): Promise<void> {
    if (this.#isReleased || this.#isLeaving) throw this.#source.notHeld();
    await this.#source.giveBack(this);
  }

  /** Gives the permit back, unless that was done before. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isReleased && !this.#isLeaving) await this.release();
  }
}
