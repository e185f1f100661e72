import { SharedMemoryError } from '../errors';
import { called } from '../names';
import type { LockGuard } from './lock-guard';
import type { LockSeat } from './lock-seat';
import type { NamedLock } from './named-lock';

/** setTimeout's longest delay; longer waits go in parts. */
const longestDelay = 2 ** 31 - 1;

/** A task that awaits a lock: in a seat's queue until it has an outcome. */
export class LockWaiter {
  readonly lock: NamedLock;
  readonly promise: Promise<LockGuard>;
  #seat!: LockSeat;
  #settle!: { resolve: (guard: LockGuard) => void; reject: (reason: unknown) => void };
  readonly #deadline: number | undefined;
  readonly #signal: AbortSignal | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #timeout: number | undefined;

  constructor(lock: NamedLock, timeout: number | undefined, signal: AbortSignal | undefined) {
    this.lock = lock;
    this.promise = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.#timeout = timeout;
    this.#signal = signal;
    if (timeout !== undefined) {
      this.#deadline = performance.now() + timeout;
      this.#arm();
    }
    signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  joinQueue(seat: LockSeat): void {
    this.#seat = seat;
    seat.enqueue(this);
  }

  /** The lock that it waited for was unlinked: waits for the one that has the name now. */
  moveOn(): void {
    try {
      this.joinQueue(this.lock.reopen());
    } catch (error) {
      this.reject(error);
    }
  }

  /** The seat has taken it from its queue, and the lock for it. */
  resolve(guard: LockGuard): void {
    this.#disarm();
    this.#settle.resolve(guard);
  }

  /** The seat has taken it from its queue. */
  reject(reason: unknown): void {
    this.#disarm();
    this.#settle.reject(reason);
  }

  /** Leaves the queue for good. */
  giveUp(reason: unknown): void {
    this.#seat.dequeue(this);
    this.reject(reason);
  }

  readonly #onAbort = () => this.giveUp(this.#signal?.reason);

  #arm(): void {
    // Timers may fire a fraction of a millisecond early; a wait is never shorter than was asked.
    const left = (this.#deadline ?? 0) - performance.now();
    if (left <= 0 && this.#timer !== undefined) {
      this.giveUp(timedOut(this.lock.name, this.#timeout ?? 0));
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

export function timedOut(name: string, timeout: number): SharedMemoryError {
  return new SharedMemoryError(
    'ERR_TIMEOUT',
    `${called('lock', name)} was not free within ${timeout} ms`,
    { resource: name },
  );
}
