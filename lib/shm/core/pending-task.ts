import { reasonOf } from '../../common/options';
import { clearAlarm, setAlarm, type Alarm } from './alarms';
import { now } from './clock';
import type { Operation } from './operations';

/** setTimeout's longest delay. */
const longestDelay = 2 ** 31 - 1;

/** By how much a timer of a runtime may be early. */
const earlyByMs = 2;

/**
 * A task that awaits something: a promise with a time limit and a signal that calls it off.
 *
 * Its beginning is an operation, until somebody has the promise: were it interrupted before, nobody would
 * ever get what it waits for.
 */
export abstract class PendingTask<T> implements Alarm, Operation {
  readonly promise: Promise<T>;
  /** Whether somebody has the promise. If nobody does when something comes, its beginning was interrupted. */
  hasBegun = false;
  /** When its time is over, if it is limited. */
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

  /** Its time begins, and its signal is heard. */
  arm(): void {
    const timeout = this.#timeout;
    if (timeout !== undefined) {
      this.moment = now() + timeout;
      // Where the system gives no thread for it, the program's timer is there still.
      setAlarm(this);
      if (timeout <= longestDelay) this.#startTimer(Math.ceil(timeout));
    }
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Its beginning was interrupted: nobody has its promise. */
  undo(): void {
    this.#disarm();
    this.leave();
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
    // Whoever asked is told by the promise that is made of this one, or was interrupted.
    if (!this.hasBegun) this.promise.catch(() => undefined);
    this.#settle.reject(reason);
  }

  /** Leaves the queue for good. */
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
   * The alarm ends a wait in time, whatever a program has made of its timers. Where it has put some
   * in their place that it moves on itself, as tests do, it means that a wait is over when they say so.
   */
  #startTimer(delay: number): void {
    // eslint-disable-next-line no-restricted-globals -- the program's, on purpose
    this.#timer = setTimeout(() => {
      const left = this.moment - now();
      // A wait is never shorter than was asked: the program's real timers may be early by a little.
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
