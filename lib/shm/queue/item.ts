import type * as contract from '../../contract/index';
import { SharedMemoryError } from '../../common/errors';
import { called } from '../core/names';
import type { Reading } from './state';

/** What an item asks of the handle that it was taken through. */
export interface ItemKeeper {
  readonly name: string;
  readonly closed: boolean;
  /** @internal False when this thread has it not. */
  settle(item: QueueItem<unknown>, how: 'ack' | 'giveBack'): boolean;
  /** @internal Reads again what could not be read. */
  reread(read: unknown): Reading;
}

/**
 * An item that was taken from a queue, and is offered to others again unless it is acknowledged:
 * by {@link giveBack}, by leaving the block of a `using` declaration, or by the end of this thread,
 * by whatever end.
 */
export class QueueItem<V> implements contract.QueueItem<V> {
  /**
   * What was put. An item is taken also where its value cannot be read: it is acknowledged or given back as
   * any other. Each look tries again, since what was missing may be there by now.
   *
   * @throws SharedMemoryError `ERR_CORRUPT` its bytes make no sense, or `ERR_ABI_MISMATCH` not to this
   * version; of a shared object in it, what attaching to it throws, as `ENOENT` when it is gone.
   */
  readonly value!: V;
  /** Whether somebody else has had it before, and died or gave it back. */
  readonly isOfferedAgain: boolean;
  readonly #keeper: ItemKeeper;
  #reading: Reading;
  #isSettled = false;

  /** @internal Items come from the queue's take methods. */
  constructor(keeper: ItemKeeper, reading: Reading, isOfferedAgain: boolean) {
    this.#keeper = keeper;
    this.#reading = reading;
    if (reading.failure === undefined) this.value = reading.value as V;
    else Object.defineProperty(this, 'value', { get: () => this.#readAgain(), enumerable: true });
    this.isOfferedAgain = isOfferedAgain;
  }

  /** @internal Whether it was acknowledged or given back. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /**
   * Is done with it: it is nobody's any more, and counts as done ({@link SharedQueue.join}). Does not
   * block.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` it was acknowledged or given back before, or a queue
   * whose bytes made no sense was cleared meanwhile; `ERR_CLOSED`; `ERR_CORRUPT`.
   */
  ack(): void {
    this.#settle('ack');
  }

  /**
   * Offers it again, in its place among the others. Does not block.
   *
   * @throws SharedMemoryError as {@link ack}
   */
  giveBack(): void {
    this.#settle('giveBack');
  }

  /** Gives it back, unless it was acknowledged or given back before, or the queue is closed. */
  [Symbol.dispose](): void {
    if (!this.#isSettled && !this.#keeper.closed) this.#keeper.settle(this, 'giveBack');
    this.#isSettled = true;
  }

  #readAgain(): V {
    const { failure } = this.#reading;
    if (failure !== undefined) this.#reading = this.#keeper.reread(failure.read);
    if (this.#reading.failure !== undefined) throw this.#reading.failure.error;
    return this.#reading.value as V;
  }

  #settle(how: 'ack' | 'giveBack'): void {
    if (!this.#isSettled && this.#keeper.settle(this, how)) {
      this.#isSettled = true;
      return;
    }
    const { name } = this.#keeper;
    throw new SharedMemoryError(
      'ERR_NOT_HELD',
      `${called('queue', name)}: this item was acknowledged or given back before, or cleared away`,
      { resource: name },
    );
  }
}
