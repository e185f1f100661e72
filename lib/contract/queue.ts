import type { WaitOptions } from '../common/options';
import type { Answer } from './answer';
import type { Named } from './named';

/**
 * Messages between any number of producers and consumers, first in, first out. What was put survives whoever
 * put it. An item that was taken for good is lost with its consumer; one that was taken to be acknowledged is
 * offered to others again when its consumer dies without having done so.
 */
export interface Queue<V = unknown> extends Named {
  /**
   * Appends an item, as soon as there is room for it. Who has waited for long has its turn before those that
   * come later.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` the value cannot be cloned.
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`; `ERR_SHUTDOWN` the queue was shut down;
   * `ERR_CAPACITY` there could never be room. The signal's reason when it aborts.
   */
  put(value: V, options?: WaitOptions): Promise<void>;
  /**
   * Appends an item if there is room for it. Does not wait.
   *
   * @returns whether it did.
   */
  tryPut(value: V): Answer<boolean>;
  /**
   * Takes the first item for good, as soon as there is one.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`; `ERR_SHUTDOWN` the queue was shut down and is
   * empty; the item cannot be read: it is taken all the same. The signal's reason when it aborts.
   */
  get(options?: WaitOptions): Promise<V>;
  /**
   * Takes the first item for good, if there is one. Does not wait.
   *
   * @returns undefined when there is none.
   */
  tryGet(): Answer<V | undefined>;
  /**
   * Takes the first item to be acknowledged, as soon as there is one.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`, `ERR_SHUTDOWN` as {@link Queue.get}; `ERR_CAPACITY`
   * more threads do so than there is room for. The signal's reason when it aborts.
   */
  take(options?: WaitOptions): Promise<QueueItem<V>>;
  /**
   * Takes the first item to be acknowledged, if there is one. Does not wait.
   *
   * @returns null when there is none.
   */
  tryTake(): Answer<QueueItem<V> | null>;
  /**
   * Counts items as done that {@link Queue.get} took.
   *
   * @param count - how many. Default 1.
   * @throws SharedMemoryError `ERR_NOT_HELD` fewer are unfinished; none was counted.
   */
  taskDone(count?: number): Answer<void>;
  /**
   * Waits until all that was put is done.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`. The signal's reason when it aborts.
   */
  join(options?: WaitOptions): Promise<void>;
  /**
   * Drops all items that nobody has; they count as done.
   *
   * @returns how many there were.
   */
  clear(): Answer<number>;
  /** Has nothing be put any more. What is there is still taken. */
  shutdown(): Answer<void>;
  /**
   * Takes items until the queue is shut down and empty: each is acknowledged when the next is asked for, and
   * offered again when the loop is left before that.
   */
  items(options?: WaitOptions): AsyncIterable<V>;
}

/** An item that was taken to be acknowledged. */
export interface QueueItem<V = unknown> {
  /**
   * What was put.
   *
   * @throws SharedMemoryError it cannot be read; see {@link Queue.get}.
   */
  readonly value: V;
  /** Whether somebody else has had it before, and died or gave it back. */
  readonly isOfferedAgain: boolean;
  /**
   * Is done with it.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` it was acknowledged or given back before; `ERR_CLOSED`.
   */
  ack(): Answer<void>;
  /**
   * Offers it again, in its place among the others.
   *
   * @throws as {@link QueueItem.ack}
   */
  giveBack(): Answer<void>;
}
