import type { WaitOptions } from '../common/options';
import type { Answer } from './answer';

/**
 * A mutual exclusion lock. It is held by who acquired it until it is released or its owner dies, by
 * whatever end: then the next to acquire it gets it, and is told ({@link LockGuard.abandoned}). Tasks of one
 * thread exclude each other, and are served in the order in which they asked; between threads and processes
 * no order is kept, but nobody is passed over for long.
 */
export interface Lock {
  /** The name of the object whose lock it is. */
  readonly name: string;
  /** Whether it is held through this handle. */
  readonly held: boolean;
  /**
   * Acquires the lock as soon as it is free, without blocking the event loop. What this thread holds already
   * another task of it may wait for, so to wait for that is no error.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT` it was not free within so many milliseconds; `ERR_CLOSED`;
   * `ERR_SHUTDOWN` the manager that made it has ended. The signal's reason when it aborts.
   */
  acquire(options?: WaitOptions): Promise<LockGuard>;
  /**
   * Acquires the lock if it is free, and no task of this thread waits for it. Does not wait.
   *
   * @returns null when it is taken.
   * @throws SharedMemoryError `ERR_CLOSED`, `ERR_SHUTDOWN`.
   */
  tryAcquire(): Answer<LockGuard | null>;
  /**
   * Gives back what was acquired through this handle. Does not wait.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD`
   */
  release(): Answer<void>;
  /**
   * Runs a function holding the lock until its promise settles.
   *
   * @throws what the function throws, and as {@link Lock.acquire}.
   */
  runExclusive<T>(fn: (guard: LockGuard) => T | PromiseLike<T>, options?: WaitOptions): Promise<T>;
}

/** A lock that is held. */
export interface LockGuard {
  /**
   * Whether the last owner died holding the lock. The lock is held as usual; what it guards may have been
   * left half changed.
   */
  readonly abandoned: boolean;
  /** The handle that the lock was acquired through. */
  readonly lock: Lock;
  /**
   * Gives the lock back. Does not wait.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` this guard has given it back before.
   */
  release(): Answer<void>;
}

/**
 * A lock that its owner can acquire again. It is free when each acquisition was released. The owner is a
 * thread with all its tasks: those of one thread do not exclude each other.
 */
export interface RLock {
  /** The lock's name. */
  readonly name: string;
  /** Whether this thread holds it. */
  readonly held: boolean;
  /**
   * Acquires the lock, or acquires it once more. As {@link Lock.acquire}.
   *
   * @throws as {@link Lock.acquire}
   */
  acquire(options?: WaitOptions): Promise<RLockGuard>;
  /**
   * The same if nobody else holds it. Does not wait.
   *
   * @returns null when it is taken.
   * @throws as {@link Lock.tryAcquire}
   */
  tryAcquire(): Answer<RLockGuard | null>;
  /**
   * Takes back one acquisition of the owner. Does not wait.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD`
   */
  release(): Answer<void>;
  /** Runs a function holding the lock; as {@link Lock.runExclusive}. */
  runExclusive<T>(fn: (guard: RLockGuard) => T | PromiseLike<T>, options?: WaitOptions): Promise<T>;
}

/** One acquisition of an {@link RLock}. */
export interface RLockGuard {
  /** Whether the last owner died holding the lock; told once, to the outermost acquisition. */
  readonly abandoned: boolean;
  /** The handle that it was acquired through. */
  readonly lock: RLock;
  /**
   * Takes this acquisition back. Does not wait.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` this guard has done so before.
   */
  release(): Answer<void>;
}

/** A lock that many hold for reading, or one for writing. Those who wait have it in their order. */
export interface RWLock {
  /** The lock's name. */
  readonly name: string;
  /**
   * Acquires it for reading, as soon as nobody writes, or has waited to.
   *
   * @throws as {@link Lock.acquire}; SharedMemoryError `ERR_CAPACITY` more threads take part than there is
   * room for.
   */
  acquireRead(options?: WaitOptions): Promise<RWLockGuard>;
  /**
   * The same if it is to be had now.
   *
   * @returns null when it is not.
   */
  tryAcquireRead(): Answer<RWLockGuard | null>;
  /**
   * Acquires it for writing, as soon as nobody else has it.
   *
   * @throws as {@link RWLock.acquireRead}; SharedMemoryError `ERR_DEADLOCK` this thread reads.
   */
  acquireWrite(options?: WaitOptions): Promise<RWLockGuard>;
  /**
   * The same if it is to be had now.
   *
   * @returns null when it is not.
   */
  tryAcquireWrite(): Answer<RWLockGuard | null>;
}

/** An {@link RWLock} that is held. */
export interface RWLockGuard {
  /** How it is held. */
  readonly mode: 'read' | 'write';
  /** Whether the last writer died holding it; readers are told until a writer has come. */
  readonly abandoned: boolean;
  /** The handle that it was acquired through. */
  readonly lock: RWLock;
  /**
   * Gives it back. Does not wait.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` this guard has given it back before.
   */
  release(): Answer<void>;
}
