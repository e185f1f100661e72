import { SharedMemoryError } from '../../common/errors';
import { after, steadyMs, wallMs, type Timer } from '../wire/clock';
import type { LeaseEnd } from './slots';

/**
 * Something that is held by a lease.
 *
 * States: held, lost, ended. Held becomes lost when the lease is over by either clock, or when the server says so; it
 * becomes ended when the holder gives it back. Lost stays lost.
 */
export class Hold {
  readonly #end: LeaseEnd;
  readonly #called: string;
  #giveUp: (() => void) | undefined;
  #isLost = false;
  #abort: AbortController | undefined;
  #timer: Timer | undefined;

  /** Is called when it is lost. */
  onLost: (() => void) | undefined;

  /** @param giveUp - stops the renewal. It is called once. */
  constructor(end: LeaseEnd, called: string, giveUp: () => void) {
    this.#end = end;
    this.#called = called;
    this.#giveUp = giveUp;
  }

  /** Whether it is held, as far as is known. Asks the clocks, and nobody else. */
  get isHeld(): boolean {
    if (this.#giveUp === undefined) return false;
    if (this.#end.leftMs(steadyMs(), wallMs()) > 0) return true;
    this.lose();
    return false;
  }

  /** Whether it was lost before it was given back. */
  get isLost(): boolean {
    return !this.isHeld && this.#isLost;
  }

  /** @throws SharedMemoryError `ERR_LEASE_LOST` */
  check(): void {
    if (this.isLost) throw this.#lostError();
  }

  /** Aborts when it is lost. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.isLost) this.#abort.abort(this.#lostError());
      else if (this.#giveUp !== undefined) this.#watch();
    }
    return this.#abort.signal;
  }

  /** The lease is over, or the server has granted it to another. */
  lose(): void {
    if (this.#giveUp === undefined) return;
    this.#isLost = true;
    // The thread that renews must not make it longer, nor find it longer than it was for the holder.
    this.#end.lose();
    this.end();
    this.#abort?.abort(this.#lostError());
    this.onLost?.();
  }

  /** It is given back. */
  end(): void {
    const giveUp = this.#giveUp;
    this.#giveUp = undefined;
    this.#timer?.stop();
    giveUp?.();
  }

  #watch(): void {
    const left = this.#end.leftMs(steadyMs(), wallMs());
    this.#timer = after(
      left,
      () => {
        if (this.isHeld) this.#watch();
      },
      false,
    );
  }

  #lostError(): SharedMemoryError {
    const what = `${this.#called}: its lease has ended, and another may hold it now`;
    return new SharedMemoryError('ERR_LEASE_LOST', what);
  }
}
