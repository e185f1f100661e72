import type { WaitOptions } from '../common/options';
import type { Answer, Reading } from './answer';
import type { Named } from './named';

/**
 * A mutual exclusion lock. The owner holds it until the owner releases it or dies in any way. After a death,
 * the next owner is told that the lock was abandoned ({@link LockGuard.abandoned}). Tasks of one thread
 * exclude each other, and get the lock in the order in which they asked. Between threads and processes there
 * is no fixed order, but no waiter is passed over for long.
 */
export interface Lock {
  /** The name of the object that the lock belongs to. */
  readonly name: string;
  /** Whether the lock is held through this handle. */
  readonly held: Reading<boolean>;
  /** Whether anybody holds the lock. */
  readonly locked: Reading<boolean>;
  /**
   * Acquires the lock as soon as it is free, without blocking the event loop. Waiting for a lock that another
   * task of this thread holds is allowed, and is not an error.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT` the lock did not become free within the timeout; `ERR_CLOSED`;
   * `ERR_SHUTDOWN` the manager that made the lock has ended. The signal's reason when it aborts.
   */
  acquire(options?: WaitOptions): Promise<LockGuard>;
  /**
   * Acquires the lock if it is free and no task of this thread waits for it. Does not wait.
   *
   * @returns null when the lock is taken.
   * @throws SharedMemoryError `ERR_CLOSED`, `ERR_SHUTDOWN`.
   */
  tryAcquire(): Answer<LockGuard | null>;
  /**
   * Releases the lock that was acquired through this handle. Does not wait: other processes may see the lock
   * become free a moment later.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD`
   */
  release(): Answer<void>;
  /**
   * Runs a function while holding the lock. The lock is released when the function's promise settles.
   *
   * @throws what the function throws, and as {@link Lock.acquire}.
   */
  runExclusive<T>(fn: (guard: LockGuard) => T | PromiseLike<T>, options?: WaitOptions): Promise<T>;
}

/**
 * A {@link Lock} that is an object of its own, and does not belong to another one. If it was unlinked, an attached
 * process moves on to the new lock of that name, so that all agree which lock it is. If there is none, `acquire`
 * throws `ENOENT`.
 */
export interface NamedLock extends Lock, Named {}

/** A lock that is held. */
export interface LockGuard {
  /**
   * Whether the last owner died while it held the lock. The lock is held as usual, but the data that it
   * guards may have been left half changed.
   */
  readonly abandoned: boolean;
  /** The handle that the lock was acquired through. */
  readonly lock: Lock;
  /**
   * Releases the lock. Does not wait.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` this guard has released it before.
   */
  release(): Answer<void>;
}

/**
 * A lock that its owner can acquire again. It becomes free when every acquisition has been released. The
 * owner is a thread with all its tasks: tasks of one thread do not exclude each other.
 */
export interface RLock extends Named {
  /** Whether this thread holds the lock. */
  readonly held: Reading<boolean>;
  /** Whether anybody holds the lock. */
  readonly locked: Reading<boolean>;
  /**
   * Acquires the lock, also if this thread holds it already. Otherwise as {@link Lock.acquire}.
   *
   * @throws as {@link Lock.acquire}
   */
  acquire(options?: WaitOptions): Promise<RLockGuard>;
  /**
   * Acquires the lock if no other thread holds it. Does not wait.
   *
   * @returns null when the lock is taken.
   * @throws as {@link Lock.tryAcquire}
   */
  tryAcquire(): Answer<RLockGuard | null>;
  /**
   * Releases one acquisition of this thread. Does not wait.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD`
   */
  release(): Answer<void>;
  /** Runs a function while holding the lock; as {@link Lock.runExclusive}. */
  runExclusive<T>(fn: (guard: RLockGuard) => T | PromiseLike<T>, options?: WaitOptions): Promise<T>;
}

/** One acquisition of an {@link RLock}. */
export interface RLockGuard {
  /**
   * Whether the last owner died while it held the lock. Only the outermost acquisition is told, and only
   * once.
   */
  readonly abandoned: boolean;
  /** The handle that the lock was acquired through. */
  readonly lock: RLock;
  /**
   * Releases this acquisition. Does not wait.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` this guard has released it before.
   */
  release(): Answer<void>;
}

/**
 * A lock that is held by many readers, or by one writer. Threads get it in the order in which they asked, and so
 * do the tasks of one thread.
 */
export interface RWLock extends Named {
  /** The number of readers that hold the lock. */
  readonly readers: Reading<number>;
  /** Whether a writer holds the lock. */
  readonly writing: Reading<boolean>;
  /**
   * Acquires the lock for reading, as soon as no writer holds it or has been waiting for it.
   *
   * @throws as {@link Lock.acquire}; SharedMemoryError `ERR_CAPACITY` more threads take part than there is
   * room for.
   */
  acquireRead(options?: WaitOptions): Promise<RWLockGuard>;
  /**
   * Acquires the lock for reading if that is possible at once.
   *
   * @returns null when it is not.
   */
  tryAcquireRead(): Answer<RWLockGuard | null>;
  /**
   * Acquires the lock for writing, as soon as no other thread or task holds it.
   *
   * @throws as {@link RWLock.acquireRead}; SharedMemoryError `ERR_DEADLOCK` this thread holds it
   * for reading, and an engine notices that. Otherwise the call waits.
   */
  acquireWrite(options?: WaitOptions): Promise<RWLockGuard>;
  /**
   * Acquires the lock for writing if that is possible at once.
   *
   * @returns null when it is not.
   */
  tryAcquireWrite(): Answer<RWLockGuard | null>;
}

/** An {@link RWLock} that is held. */
export interface RWLockGuard {
  /** Whether the lock is held for reading or for writing. */
  readonly mode: 'read' | 'write';
  /**
   * Whether the last writer died while it held the lock. Readers are told so until the next writer holds it.
   */
  readonly abandoned: boolean;
  /** The handle that the lock was acquired through. */
  readonly lock: RWLock;
  /**
   * Releases the lock. Does not wait.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` this guard has released it before.
   */
  release(): Answer<void>;
}
