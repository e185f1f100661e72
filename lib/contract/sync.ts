import type { WaitOptions } from '../common/options';
import type { NotAPromise } from '../common/sync-callbacks';
import type { Answer, Reading } from './answer';
import type { Lock } from './lock';
import type { Named } from './named';

/** A number of permits, each of which has one holder at a time. When a holder dies, its permits come back. */
export interface Semaphore extends Named {
  /** The number of permits that nobody has. */
  readonly value: Reading<number>;
  /** The maximum number of permits, or undefined when there is none. */
  readonly max: Reading<number | undefined>;
  /**
   * Takes a permit as soon as there is one. A caller that has waited for long is served before callers that
   * come later.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`, `ERR_SHUTDOWN`; `ERR_CAPACITY` more threads take
   * part than there is room for. The signal's reason when it aborts.
   */
  acquire(options?: WaitOptions): Promise<SemaphoreGuard>;
  /**
   * Takes a permit if there is one. Does not wait.
   *
   * @returns null when there is none.
   */
  tryAcquire(): Answer<SemaphoreGuard | null>;
  /**
   * Gives permits back. Where any thread may release permits, this can also add new ones.
   *
   * @param count - how many permits. Default 1.
   * @throws SharedMemoryError `ERR_NOT_HELD` this thread has fewer permits, or there would be more permits
   * than the maximum; none was given back.
   */
  release(count?: number): Answer<void>;
}

/** A permit that was taken. */
export interface SemaphoreGuard {
  /** The handle that the permit was taken through. */
  readonly semaphore: Semaphore;
  /**
   * Gives the permit back. Does not wait.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` this guard has given it back before.
   */
  release(): Answer<void>;
}

/** A flag that every process can set, clear and wait for. */
export interface Event extends Named {
  /** Whether the flag is set. */
  readonly isSet: Reading<boolean>;
  /** Sets the flag: all waiters go on, and nobody waits until it is cleared. */
  set(): Answer<void>;
  /** Clears the flag: callers that wait from now on wait until it is set. */
  clear(): Answer<void>;
  /**
   * Waits until the flag is set. Returns at once if it is set already.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`, `ERR_SHUTDOWN`. The signal's reason when it
   * aborts.
   */
  wait(options?: WaitOptions): Promise<void>;
}

/**
 * A lock together with a way to wait until the data that the lock guards is in the state that a waiter needs.
 */
export interface Condition extends Named {
  /** The lock that every user of the condition must hold. */
  readonly lock: Lock;
  /**
   * Releases the lock, waits for a notification, and acquires the lock again. The lock is acquired again also
   * before this method throws.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` the lock is not held through this handle; `ERR_TIMEOUT`,
   * `ERR_CLOSED`, `ERR_CAPACITY`. The signal's reason when it aborts.
   */
  wait(options?: WaitOptions): Promise<void>;
  /**
   * Waits until the predicate is true. The predicate is called at once and after each notification, always
   * while the lock is held.
   *
   * @returns what the predicate returned.
   * @throws as {@link Condition.wait}
   */
  waitFor<T>(predicate: () => NotAPromise<T>, options?: WaitOptions): Promise<T>;
  /**
   * Wakes some of the waiters. They go on when the lock is released.
   *
   * @param count - the maximum number of waiters. Default 1.
   * @returns how many waiters were notified. None of them had died.
   * @throws SharedMemoryError `ERR_NOT_HELD` the lock is not held through this handle.
   */
  notify(count?: number): Answer<number>;
  /** Wakes all waiters; as {@link Condition.notify}. */
  notifyAll(): Answer<number>;
}

/** A point at which a number of parties wait for each other, again and again. A party that dies breaks it. */
export interface Barrier extends Named {
  /** The number of parties. */
  readonly parties: Reading<number>;
  /** The number of parties that are waiting. */
  readonly waiting: Reading<number>;
  /** Whether the barrier is broken. */
  readonly broken: Reading<boolean>;
  /**
   * Waits until all parties have arrived. The last one runs the action before any party goes on.
   *
   * @returns the position in which this party arrived, from 0.
   * @throws SharedMemoryError `ERR_BROKEN_BARRIER` a party left the barrier, died, or aborted it;
   * `ERR_TIMEOUT` this party broke the barrier by leaving. What the action throws. The signal's reason when
   * it aborts.
   */
  wait(options?: WaitOptions): Promise<number>;
  /** Breaks the barrier: all waiters are told. */
  abort(): Answer<void>;
  /** Resets the barrier to its initial state. Waiters are told that it is broken. */
  reset(): Answer<void>;
}
