import type { WaitOptions } from '../common/options';
import type { NotAPromise } from '../common/sync-callbacks';
import type { Answer } from './answer';
import type { Lock } from './lock';
import type { Named } from './named';

/** A number of permits, each of which one has at a time. The permits of who dies come back. */
export interface Semaphore extends Named {
  /**
   * Takes a permit as soon as there is one. Who has waited for long has its turn before those that come later.
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
   * Gives permits back, or adds them where anybody may.
   *
   * @param count - how many. Default 1.
   * @throws SharedMemoryError `ERR_NOT_HELD` this thread has not so many, or there would be more than there may
   * be; none was given back.
   */
  release(count?: number): Answer<void>;
}

/** A permit that was taken. */
export interface SemaphoreGuard {
  /** The handle that it was taken through. */
  readonly semaphore: Semaphore;
  /**
   * Gives the permit back. Does not wait.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` this guard has given it back before.
   */
  release(): Answer<void>;
}

/** A flag that all can set and clear, and wait for. */
export interface Event extends Named {
  /** Sets it: all who wait go on, and nobody waits until it is cleared. */
  set(): Answer<void>;
  /** Clears it: whoever waits from now on waits until it is set. */
  clear(): Answer<void>;
  /**
   * Waits until it is set; at once when it is.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`, `ERR_SHUTDOWN`. The signal's reason when it aborts.
   */
  wait(options?: WaitOptions): Promise<void>;
}

/** A lock with something to wait for: what the lock guards has become as those who wait need it. */
export interface Condition extends Named {
  /** The lock that is to be held by all who use the condition. */
  readonly lock: Lock;
  /**
   * Gives the lock up, waits for a notification, and acquires the lock again; also before it throws.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` the lock is not held through this handle; `ERR_TIMEOUT`,
   * `ERR_CLOSED`, `ERR_CAPACITY`. The signal's reason when it aborts.
   */
  wait(options?: WaitOptions): Promise<void>;
  /**
   * Waits until the predicate is true, looking now and after each notification, always under the lock.
   *
   * @returns what the predicate returned.
   * @throws as {@link Condition.wait}
   */
  waitFor<T>(predicate: () => NotAPromise<T>, options?: WaitOptions): Promise<T>;
  /**
   * Lets some of those who wait go on, when the lock is released.
   *
   * @param count - how many at most. Default 1.
   * @returns how many there were. None of them had died.
   * @throws SharedMemoryError `ERR_NOT_HELD` the lock is not held through this handle.
   */
  notify(count?: number): Answer<number>;
  /** Lets all who wait go on; as {@link Condition.notify}. */
  notifyAll(): Answer<number>;
}

/** A place where a number of parties wait for each other, again and again. A party that dies breaks it. */
export interface Barrier extends Named {
  /**
   * Waits until all parties have come. The last of them runs the action, before any goes on.
   *
   * @returns which of the parties it was to arrive, from 0.
   * @throws SharedMemoryError `ERR_BROKEN_BARRIER` a party left it, died, or aborted it; `ERR_TIMEOUT` this
   * party broke it by leaving. What the action throws. The signal's reason when it aborts.
   */
  wait(options?: WaitOptions): Promise<number>;
  /** Breaks it: all who wait are told. */
  abort(): Answer<void>;
  /** Makes it as new. Whoever waits is told that it is broken. */
  reset(): Answer<void>;
}
