import { SharedMemoryError } from '../errors';
import { called } from '../names';

/** What an item asks of the handle that it was taken through. */
export interface ItemKeeper {
  readonly name: string;
  readonly closed: boolean;
  /** @internal False when this thread has it not. */
  settle(item: QueueItem<unknown>, how: 'ack' | 'giveBack'): boolean;
}

/**
 * An item that was taken from a queue, and is offered to others again unless it is acknowledged:
 * by {@link giveBack}, by leaving the block of a `using` declaration, or by the end of this thread,
 * by whatever end.
 */
export class QueueItem<V> {
  readonly value: V;
  /** Whether somebody else has had it before, and died or gave it back. */
  readonly isOfferedAgain: boolean;
  readonly #keeper: ItemKeeper;
  #isSettled = false;

  /** @internal Items come from the queue's take methods. */
  constructor(keeper: ItemKeeper, value: V, isOfferedAgain: boolean) {
    this.#keeper = keeper;
    this.value = value;
    this.isOfferedAgain = isOfferedAgain;
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
    if (!this.#isSettled && !this.#keeper.closed) this.giveBack();
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
