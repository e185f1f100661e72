import type { Hold } from '../lease/hold';

/** What a holder may ask of what it holds. */
export abstract class Leased {
  /**
   * Grows with each grant of the same object. Storage that refuses a lower number than it has seen is safe from a
   * holder that was stopped for longer than its lease.
   */
  readonly fence: number;
  readonly #hold: Hold;

  constructor(hold: Hold, fence: number) {
    this.#hold = hold;
    this.fence = fence;
  }

  /**
   * Aborts when the lease is lost, with an error `ERR_LEASE_LOST`: the server has granted it to another, or could not be
   * reached until its end.
   */
  get signal(): AbortSignal {
    return this.#hold.signal;
  }

  /**
   * Throws if the lease has ended. It asks the clocks, and not the server. To be called after a long computation, and
   * before a step that only a holder may make.
   *
   * @throws SharedMemoryError `ERR_LEASE_LOST`
   */
  check(): void {
    this.#hold.check();
  }

  /** @internal */
  protected get hold(): Hold {
    return this.#hold;
  }
}
