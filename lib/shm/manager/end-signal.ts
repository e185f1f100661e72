import { native } from '../core/binding';
import { layout } from '../core/layout';
import type { LockSeat } from '../core/lock-seat';
import { tellOf } from '../core/word';
import { endAt, type ManagerState } from './state';

/** How often a waiting thread checks for the end: the thread that began it may be killed before it wakes others. */
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

  /** Called when the word has changed, or the time slice is over. */
  hear(): void {
    if (this.#state.hasEnded) {
      this.#controller.abort(this.#state.endedError());
      this.#unwatch();
      return;
    }
    if (this.#watch === undefined) {
      this.#watch = native.watchOpen(this.#seat.index, layout.headerBytes + 4 * endAt);
      if (this.#watch === undefined) return;
      tellOf(this.#watch, this);
    }
    native.watchWait(this.#watch, 0, sliceMs, false);
  }

  /** The manager's handle is closed. Aborts if the manager has already ended, but not if it ends later. */
  close(): void {
    if (this.#state.hasEnded) this.hear();
    else this.#unwatch();
  }

  #unwatch(): void {
    if (this.#watch === undefined) return;
    tellOf(this.#watch, undefined);
    native.watchClose(this.#watch);
    this.#watch = undefined;
  }
}
