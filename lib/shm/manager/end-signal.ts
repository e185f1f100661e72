import { native } from '../core/binding';
import type { LockSeat } from '../core/lock-seat';
import { closeWatch, openWatch } from '../core/word';
import { endAt, type ManagerState } from './state';

/**
 * How often a thread that waits for the end of a manager checks for it without being woken. The thread that
 * ended the manager may have been killed before it woke others.
 */
const sliceMs = 1000;

/** Tells the tasks of this thread when a manager ends. */
export class EndSignal {
  readonly #controller = new AbortController();
  readonly #seat: LockSeat;
  readonly #state: ManagerState;
  #watch: number | undefined;

  constructor(seat: LockSeat, state: ManagerState) {
    this.#seat = seat;
    this.#state = state;
    this.hear();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /**
   * Called when the word that says whether the manager has ended was changed, or when a time slice is over.
   * Aborts the signal, or continues to wait: by a watch, which is a wait on a word by a background thread of
   * the library.
   */
  hear(): void {
    if (this.#state.hasEnded) {
      this.#controller.abort(this.#state.endedError());
      this.#unwatch();
      return;
    }
    this.#watch ??= openWatch(this.#seat, endAt, this);
    if (this.#watch !== undefined) native.watchWait(this.#watch, 0, sliceMs, false);
  }

  /**
   * Called when the manager's handle is closed. Aborts the signal if the manager has already ended. If it
   * ends later, the signal does not abort.
   */
  close(): void {
    if (this.#state.hasEnded) this.hear();
    else this.#unwatch();
  }

  #unwatch(): void {
    if (this.#watch === undefined) return;
    closeWatch(this.#watch);
    this.#watch = undefined;
  }
}
