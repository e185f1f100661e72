import { native } from '../core/binding';
import { layout } from '../core/layout';
import type { LockSeat } from '../core/lock-seat';
import { tellOf } from '../core/word';
import { endAt, type ManagerState } from './state';

/** How long a thread waits for the end before it looks: who began it may have been killed before it woke anybody. */
const sliceMs = 1000;

/** Tells tasks of this thread of the end of a manager. */
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

  /** The word has changed, or its time is over. */
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

  /** The manager's handle is closed: tells of an end that has come, and of none that comes later. */
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
