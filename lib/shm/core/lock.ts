import type * as contract from '../../contract/index';
import type { Kind } from './names';
import {
  timeoutOf,
  throwIfAborted,
  waitOf,
  type TimeoutOptions,
  type WaitOptions,
} from '../../common/options';
import { checkCallback, checkSyncCallback, type NotAPromise } from '../../common/sync-callbacks';
import { Unassignable } from './assignments';
import type { Attachment } from './attachment';
import { deadlineOf, remaining } from './clock';
import { callForeign } from './foreign';
import { LockGuard } from './lock-guard';
import { gone, notFree, type LockSeat } from './lock-seat';
import { LockWaiter } from './lock-waiter';

/** What messages say about an argument `fn` that must not be async, because it runs while the lock is held. */
export const notAsync = 'fn must be synchronous (use runExclusive() for async functions)';

/** Keeps the handle of an object alive for as long as its lock is in use. */
const owners = new WeakMap<Lock, object>();

/**
 * A mutual exclusion lock between all threads of all processes of the machine. A {@link NamedLock} is such a
 * lock by itself. Each value and each array has one too.
 *
 * A lock is held by the thread that acquired it, until the thread releases it or ends in any way. If the
 * thread is killed or its worker is terminated, the next owner is told that the lock was abandoned
 * ({@link LockGuard.abandoned}). Tasks of one thread exclude each other too, and get the lock in the order in
 * which they asked. Between threads and processes there is no fixed order. But a thread that acquires the lock
 * again right after each release does not keep others out: every few milliseconds it leaves the lock to them.
 *
 * The lock is built on a robust process-shared pthread mutex (POSIX.1-2008), on a lock file on macOS, and on
 * a kernel mutex on Windows.
 */
export class Lock extends Unassignable implements contract.Lock {
  readonly #attachment: Attachment;

  /**
   * @internal `owner` is the handle of the object that the lock belongs to, unless the lock is that handle
   * itself.
   */
  constructor(attachment: Attachment, owner?: object) {
    super();
    this.#attachment = attachment;
    if (owner !== undefined) owners.set(this, owner);
  }

  /** @internal */
  get kind(): Kind {
    return this.#attachment.kind;
  }

  /** The name of the object that the lock belongs to. */
  get name(): string {
    return this.#attachment.name;
  }

  /** Whether the lock is held in this thread, through this handle. */
  get held(): boolean {
    return this.#attachment.seat.holder?.lock === this;
  }

  /**
   * Whether any thread holds the lock at this instant. It may have changed by the time you use the answer.
   *
   * @throws SharedMemoryError `ERR_CLOSED`
   */
  get locked(): boolean {
    return this.#attachment.open().locked;
  }

  /**
   * Acquires the lock, blocking this thread until it is free.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`; `ERR_DEADLOCK` this very thread holds the lock, so the wait
   * could not end; `ERR_CLOSED`; `ERR_CORRUPT` the lock's bytes were overwritten; `ERR_CAPACITY` this thread
   * holds 2000 locks already.
   */
  acquireSync(options?: TimeoutOptions): LockGuard {
    const { seat } = this.#attachment;
    if (options === undefined && seat.holder === null && !this.#attachment.closed) {
      const result = seat.acquireSync(this, undefined, false);
      if (result !== gone && result !== null) return result;
    }
    return this.#acquireWithin(timeoutOf(options), false);
  }

  /**
   * @internal Acquires the lock as {@link acquireSync} does. For methods of the library that call a function and
   * release the lock after it. If the engine interrupts the function, so that the method never releases the lock,
   * the library releases it later, and the next owner is told that the lock was abandoned.
   */
  acquireScoped(options?: TimeoutOptions): LockGuard {
    const { seat } = this.#attachment;
    if (options === undefined && seat.holder === null && !this.#attachment.closed) {
      const result = seat.acquireSync(this, undefined, true);
      if (result !== gone && result !== null) return result;
    }
    return this.#acquireWithin(timeoutOf(options), true);
  }

  #acquireWithin(timeout: number | undefined, isScoped: boolean): LockGuard {
    const deadline = deadlineOf(timeout);
    let seat = this.#attachment.open();
    for (;;) {
      if (seat.holder !== null && !seat.reclaim()) {
        throw this.#attachment.error(
          'ERR_DEADLOCK',
          'is already held by this thread, so waiting for it would never end; release it first ' +
            '(an acquire() that was not awaited holds it, too)',
        );
      }
      const result = seat.acquireSync(this, remaining(deadline), isScoped);
      if (result === null) throw notFree(this.kind, this.name, timeout ?? 0);
      if (result !== gone) return result;
      seat = this.reopen();
    }
  }

  /**
   * Acquires the lock without blocking anything: neither the event loop nor libuv's thread pool. The tasks of
   * this thread get the lock in the order in which they asked.
   *
   * @throws SharedMemoryError as {@link Lock.acquireSync}, except `ERR_DEADLOCK`: a task may wait for a lock
   * that another task of this thread holds. The signal's reason when it aborts.
   */
  async acquire(options?: WaitOptions): Promise<LockGuard> {
    const { timeout, signal } = waitOf(options);
    throwIfAborted(signal);
    const guard = this.tryAcquire();
    if (guard !== null) return guard;
    if (timeout === 0) throw notFree(this.kind, this.name, timeout);
    return new LockWaiter(this, timeout, signal).begin(this.#attachment.seat);
  }

  /**
   * Acquires the lock if nobody holds it and no task of this thread waits for it. Does not wait, except for
   * the moment that a release by this thread may still take.
   *
   * @returns null when the lock is taken.
   * @throws SharedMemoryError `ERR_CLOSED`; `ERR_CORRUPT`; `ERR_CAPACITY`.
   */
  tryAcquire(): LockGuard | null {
    return this.#try(false);
  }

  /** @internal Acquires the lock as {@link tryAcquire} does, for the same methods as {@link acquireScoped}. */
  tryAcquireScoped(): LockGuard | null {
    return this.#try(true);
  }

  #try(isScoped: boolean): LockGuard | null {
    let seat = this.#attachment.open();
    for (;;) {
      const result = seat.tryAcquire(this, isScoped);
      if (result !== gone) return result;
      seat = this.reopen();
    }
  }

  /**
   * Releases the lock that was acquired through this handle. Does not block.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD`
   */
  release(): void {
    const { seat } = this.#attachment;
    if (seat.holder?.lock !== this) {
      throw this.#attachment.error('ERR_NOT_HELD', 'is not held through this handle');
    }
    seat.release();
  }

  /**
   * Runs a function while holding the lock. The lock is released when the function returns.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` the function is async: use {@link Lock.runExclusive} for it.
   * What the function throws, and as {@link Lock.acquireSync}.
   */
  runExclusiveSync<T>(fn: (guard: LockGuard) => NotAPromise<T>, options?: TimeoutOptions): T {
    checkSyncCallback('fn', fn, notAsync);
    const guard = this.acquireScoped(options);
    // Not `using`: compiled for Node 20, it takes three times as long as the lock itself.
    try {
      return callForeign(fn as (guard: LockGuard) => T, guard, notAsync);
    } finally {
      guard[Symbol.dispose]();
    }
  }

  /**
   * Runs a function while holding the lock. The lock is released when the function's promise settles. See
   * {@link Lock.acquire}.
   */
  async runExclusive<T>(
    fn: (guard: LockGuard) => T | PromiseLike<T>,
    options?: WaitOptions,
  ): Promise<T> {
    checkCallback('fn', fn);
    const guard = await this.acquire(options);
    try {
      return await fn(guard);
    } finally {
      guard[Symbol.dispose]();
    }
  }

  /**
   * @internal Makes a guard for this lock. The seat calls this method, because the guard must be of this realm's
   * class, and the seat may be of another realm's.
   */
  guard(seat: LockSeat, abandoned: boolean, isScoped = false): LockGuard {
    return new LockGuard(this, seat, abandoned, isScoped);
  }

  /** @internal Called when the lock was unlinked. Takes a seat at the lock that has the name now. */
  reopen(): LockSeat {
    return this.#attachment.reopen();
  }
}
