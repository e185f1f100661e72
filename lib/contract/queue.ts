import type { WaitOptions } from '../common/options';
import type { Answer, Reading } from './answer';
import type { Named } from './named';

/**
 * Messages between any number of producers and consumers, first in, first out. An item in the queue survives
 * its producer. There are two ways to take an item. An item that was taken for good is lost if its consumer
 * dies. An item that was taken to be acknowledged is offered to other consumers again if its consumer dies
 * before it has acknowledged it.
 */
export interface Queue<V = unknown> extends Named {
  /** The number of items that no consumer has taken. */
  readonly size: Reading<number>;
  /** The maximum number of items, or undefined when only the room for them limits it. */
  readonly maxSize: Reading<number | undefined>;
  /** The number of items that were put and are not done. */
  readonly unfinished: Reading<number>;
  /** Whether the queue was shut down. */
  readonly isShutDown: Reading<boolean>;
  /**
   * Appends an item as soon as there is room for it. A caller that has waited for long is served before
   * callers that come later.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` the value cannot be cloned.
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`; `ERR_SHUTDOWN` the queue was shut down;
   * `ERR_CAPACITY` there could never be room. The signal's reason when it aborts.
   */
  put(value: V, options?: WaitOptions): Promise<void>;
  /**
   * Appends an item if there is room for it. Does not wait.
   *
   * @returns whether the item was appended.
   */
  tryPut(value: V): Answer<boolean>;
  /**
   * Takes the first item for good, as soon as there is one.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`; `ERR_SHUTDOWN` the queue was shut down and is
   * empty. Also if the item cannot be read: the item is taken all the same. The signal's reason when it
   * aborts.
   */
  get(options?: WaitOptions): Promise<V>;
  /**
   * Takes the first item for good, if there is one. Does not wait.
   *
   * @returns undefined when there is none.
   */
  tryGet(): Answer<V | undefined>;
  /**
   * Takes the first item, to be acknowledged, as soon as there is one.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`, `ERR_SHUTDOWN` as {@link Queue.get};
   * `ERR_CAPACITY` more threads take items this way than there is room for. The signal's reason when it
   * aborts.
   */
  take(options?: WaitOptions): Promise<QueueItem<V>>;
  /**
   * Takes the first item, to be acknowledged, if there is one. Does not wait.
   *
   * @returns null when there is none.
   */
  tryTake(): Answer<QueueItem<V> | null>;
  /**
   * Marks items that {@link Queue.get} took as done.
   *
   * @param count - how many items. Default 1.
   * @throws SharedMemoryError `ERR_NOT_HELD` fewer items are unfinished; none was marked.
   */
  taskDone(count?: number): Answer<void>;
  /**
   * Waits until all items that were put are done.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`. The signal's reason when it aborts.
   */
  join(options?: WaitOptions): Promise<void>;
  /**
   * Drops all items that no consumer has taken. They count as done.
   *
   * @returns the number of items dropped.
   */
  clear(): Answer<number>;
  /** Allows no more items to be put. Items that are in the queue can still be taken. */
  shutdown(): Answer<void>;
  /**
   * Takes items until the queue is shut down and empty. Each item is acknowledged when the next one is
   * requested. If the loop is left before that, the item is offered again.
   */
  items(options?: WaitOptions): AsyncIterable<V>;
}

/** An item that was taken to be acknowledged. */
export interface QueueItem<V = unknown> {
  /**
   * The value that was put.
   *
   * @throws SharedMemoryError it cannot be read; see {@link Queue.get}.
   */
  readonly value: V;
  /** Whether another consumer had the item before, and died or gave it back. */
  readonly isOfferedAgain: boolean;
  /**
   * Acknowledges the item: it is done.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` it was acknowledged or given back before; `ERR_CLOSED`.
   */
  ack(): Answer<void>;
  /**
   * Gives the item back. It is offered again, in its old place among the others.
   *
   * @throws as {@link QueueItem.ack}
   */
  giveBack(): Answer<void>;
}
