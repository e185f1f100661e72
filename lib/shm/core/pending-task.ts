import { reasonOf } from '../../common/options';
import { clearAlarm, setAlarm, type Alarm } from './alarms';
import { now } from './clock';
import type { Operation } from './operations';

/** The longest delay of setTimeout. */
const longestDelay = 2 ** 31 - 1;

/** How many milliseconds too early a timer of a runtime may fire. */
const earlyByMs = 2;

/**
 * A task that awaits something: a promise with a time limit, and a signal that can abort it.
 *
 * The beginning of a task is an operation that lasts until the caller has the promise. If it is interrupted
 * before that, nobody would ever receive the result.
 */
export abstract class PendingTask<T> implements Alarm, Operation {
  readonly promise: Promise<T>;
  /**
   * Whether the caller has received the promise. If this is still false when a result comes, the beginning was
   * interrupted.
   */
  hasBegun = false;
  /** The moment at which the time limit is over, if there is one. */
  moment = Infinity;
  #settle!: { resolve: (value: T) => void; reject: (reason: unknown) => void };
  #timer: NodeJS.Timeout | undefined;
  readonly #timeout: number | undefined;
  readonly #signal: AbortSignal | undefined;

  protected constructor(timeout: number | undefined, signal: AbortSignal | undefined) {
    this.promise = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.#timeout = timeout;
    this.#signal = signal;
  }

  /** Starts the time limit and listens to the signal. */
  arm(): void {
    const timeout = this.#timeout;
    if (timeout !== undefined) {
      this.moment = now() + timeout;
      // If the system provides no thread for the alarm, there is still the program's timer.
      setAlarm(this);
      if (timeout <= longestDelay) this.#startTimer(Math.ceil(timeout));
    }
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Called when the beginning was interrupted: nobody has the promise. */
  undo(): void {
    this.#disarm();
    this.leave();
  }

  /** Leaves the queue that the task is in. */
  protected abstract leave(): void;
  /** Called when the time limit is over. */
  protected abstract expire(timeout: number): void;

  /**
   * Fulfils the promise. The task must have been removed from its queue before. The same is true for
   * {@link reject}.
   */
  resolve(value: T): void {
    this.#disarm();
    this.#settle.resolve(value);
  }

  reject(reason: unknown): void {
    this.#disarm();
    // Nobody handles a rejection of this promise yet. The caller gets the error from a promise that is derived from
    // it, or the caller was interrupted and gets nothing. So this avoids an unhandled rejection.
    if (!this.hasBegun) this.promise.catch(() => undefined);
    this.#settle.reject(reason);
  }

  /** Leaves the queue and rejects the promise. */
  giveUp(reason: unknown): void {
    this.leave();
    this.reject(reason);
  }

  ring(): void {
    if (this.hasBegun) this.expire(this.#timeout ?? 0);
    else this.undo();
  }

  readonly #onAbort = () => {
    if (this.hasBegun) this.giveUp(this.#signal && reasonOf(this.#signal));
    else this.undo();
  };

  /**
   * The alarm ends a wait in time, whatever the program has done to its timers. This additional timer is the
   * program's own `setTimeout`. If the program has replaced it by timers that it advances itself, as tests
   * do, the wait also ends when those fire.
   */
  #startTimer(delay: number): void {
    // eslint-disable-next-line no-restricted-globals -- the program's, on purpose
    this.#timer = setTimeout(() => {
      const left = this.moment - now();
      // A wait is never shorter than requested. The program's real timers may fire a little early.
      if (left > 0 && left <= earlyByMs) this.#startTimer(1);
      else this.ring();
    }, delay);
  }

  #disarm(): void {
    if (this.#timeout === undefined && this.#signal === undefined) return;
    clearAlarm(this);
    // eslint-disable-next-line no-restricted-globals -- as above
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }
}
