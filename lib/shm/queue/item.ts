import type * as contract from '../../contract/index';
import { SharedMemoryError, invalidType } from '../../common/errors';
import { called } from '../core/names';
import type { Reading, Settling } from './state';

/** The part of a queue handle that its items use. */
export interface ItemKeeper {
  readonly name: string;
  readonly closed: boolean;
  /** @internal Returns false when this thread does not have one of the items. The others are settled. */
  settle(items: readonly QueueItem<unknown>[], how: Settling): boolean;
  /** @internal Tries again to read a value that could not be read. */
  reread(read: unknown): Reading;
}

/**
 * An item that was taken from a queue. Unless it was acknowledged, it is offered to others again by
 * {@link giveBack}, by leaving the block of a `using` declaration, or when this thread ends, however it ends.
 */
export class QueueItem<V> implements contract.QueueItem<V> {
  /**
   * The value that was put. An item is taken even if its value cannot be read. It is then acknowledged or given
   * back like any other. Each access to this property tries again, because what was missing may exist by now.
   *
   * @throws SharedMemoryError `ERR_CORRUPT` its bytes make no sense; `ERR_ABI_MISMATCH` this version cannot read
   * them. If the value contains a shared object: what attaching to that object throws, for example `ENOENT` when
   * it no longer exists.
   */
  readonly value!: V;
  /** Whether another consumer has taken the item before, and died or gave it back. */
  readonly isOfferedAgain: boolean;
  readonly #keeper: ItemKeeper;
  #reading: Reading;
  #isSettled = false;

  /** @internal Items are created by the queue's take methods. */
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
   * Acknowledges the item. It is removed from the queue and counts as done ({@link SharedQueue.join}). Does not
   * block.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` the item was acknowledged or given back before, or a queue whose
   * bytes made no sense was cleared meanwhile; `ERR_CLOSED`; `ERR_CORRUPT`.
   */
  ack(): void {
    this.#settle('ack');
  }

  /**
   * Offers the item again, at its old place in the order. Does not block.
   *
   * @throws SharedMemoryError as {@link ack}
   */
  giveBack(): void {
    this.#settle('giveBack');
  }

  /** Gives the item back, unless it was acknowledged or given back before, or the queue is closed. */
  [Symbol.dispose](): void {
    if (!this.#isSettled && !this.#keeper.closed) this.#keeper.settle([this], 'giveBack');
    this.#isSettled = true;
  }

  #readAgain(): V {
    const { failure } = this.#reading;
    if (failure !== undefined) this.#reading = this.#keeper.reread(failure.read);
    if (this.#reading.failure !== undefined) throw this.#reading.failure.error;
    return this.#reading.value as V;
  }

  #settle(how: Settling): void {
    if (!this.#isSettled && this.#keeper.settle([this], how)) {
      this.#isSettled = true;
      return;
    }
    throw notHeld(
      this.#keeper.name,
      'this item was already acknowledged or given back, or removed by clear()',
    );
  }

  /** @internal Acknowledges items that were taken through one handle. */
  static ackAll(keeper: ItemKeeper, items: readonly QueueItem<unknown>[]): void {
    const { name } = keeper;
    for (const item of items as readonly unknown[]) {
      if (typeof item !== 'object' || item === null || !(#keeper in item)) {
        throw invalidType('items', 'an iterable of items that were taken from this queue', item);
      }
      if (item.#keeper !== keeper) {
        throw notHeld(name, 'one of the items was taken through another handle');
      }
      if (item.#isSettled) {
        throw notHeld(name, 'one of the items was already acknowledged or given back');
      }
    }
    const areSettled = keeper.settle(items, 'ack');
    for (const item of items) item.#isSettled = true;
    if (!areSettled) throw notHeld(name, 'one of the items was removed by clear()');
  }
}

function notHeld(name: string, why: string): SharedMemoryError {
  return new SharedMemoryError('ERR_NOT_HELD', `${called('queue', name)}: ${why}`, {
    resource: name,
  });
}
