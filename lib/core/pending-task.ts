/** setTimeout's longest delay; longer waits go in parts. */
const longestDelay = 2 ** 31 - 1;

/** A task that awaits something: a promise with a time limit and a signal that calls it off. */
export abstract class PendingTask<T> {
  readonly promise: Promise<T>;
  #settle!: { resolve: (value: T) => void; reject: (reason: unknown) => void };
  #timer: NodeJS.Timeout | undefined;
  readonly #deadline: number | undefined;
  readonly #timeout: number | undefined;
  readonly #signal: AbortSignal | undefined;

  protected constructor(timeout: number | undefined, signal: AbortSignal | undefined) {
    this.promise = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.#timeout = timeout;
    this.#signal = signal;
    if (timeout !== undefined) {
      this.#deadline = performance.now() + timeout;
      this.#arm();
    }
    signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Leaves whatever queue it is in. */
  protected abstract leave(): void;
  /** Its time is over. */
  protected abstract expire(timeout: number): void;

  /** Whoever calls it has taken the task from its queue, as with {@link reject}. */
  resolve(value: T): void {
    this.#disarm();
    this.#settle.resolve(value);
  }

  reject(reason: unknown): void {
    this.#disarm();
    this.#settle.reject(reason);
  }

  /** Leaves the queue for good. */
  giveUp(reason: unknown): void {
    this.leave();
    this.reject(reason);
  }

  readonly #onAbort = () => this.giveUp(this.#signal?.reason);

  #arm(): void {
    // Timers may fire a fraction of a millisecond early; a wait is never shorter than was asked.
    const left = (this.#deadline ?? 0) - performance.now();
    if (left <= 0 && this.#timer !== undefined) {
      this.expire(this.#timeout ?? 0);
    } else {
      this.#timer = setTimeout(
        () => this.#arm(),
        Math.min(Math.max(Math.ceil(left), 1), longestDelay),
      );
    }
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }
}
