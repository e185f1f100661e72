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

/** What is told of functions that the lock is held for. */
export const notAsync = 'fn, which runExclusive() takes if it is async';

/** Keeps the handle of an object for as long as its lock is in use. */
const owners = new WeakMap<Lock, object>();

/**
 * A mutual exclusion lock between all threads of all processes of the machine; {@link NamedLock}
 * is one by itself, values and arrays have one each.
 *
 * A lock is held by the thread that acquired it until it releases it or ends, by whatever end: when
 * it is killed, or its worker is terminated, the next to acquire the lock gets it and is told
 * ({@link LockGuard.abandoned}). Tasks of one thread exclude each other too, and are served in the
 * order in which they asked. Between threads and processes no order is kept, but a thread that locks
 * again at once lets others have it, within some milliseconds of its releases.
 *
 * Underneath lies a robust process-shared pthread mutex (POSIX.1-2008), a lock file on macOS, a
 * kernel mutex on Windows.
 */
export class Lock extends Unassignable implements contract.Lock {
  readonly #attachment: Attachment;

  /** @internal `owner` is the handle whose lock it is, unless it is itself one. */
  constructor(attachment: Attachment, owner?: object) {
    super();
    this.#attachment = attachment;
    if (owner !== undefined) owners.set(this, owner);
  }

  /** @internal */
  get kind(): Kind {
    return this.#attachment.kind;
  }

  /** The name of the object whose lock it is. */
  get name(): string {
    return this.#attachment.name;
  }

  /** Whether it is held, in this thread, through this handle. */
  get held(): boolean {
    return this.#attachment.seat.holder?.lock === this;
  }

  /**
   * Whether anyone holds it, at the instant of asking; no promise about the next.
   *
   * @throws SharedMemoryError `ERR_CLOSED`
   */
  get locked(): boolean {
    return this.#attachment.open().locked;
  }

  /**
   * Acquires the lock, blocking this thread until it is free.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`; `ERR_DEADLOCK` this very thread holds it, so the wait
   * could not end; `ERR_CLOSED`; `ERR_CORRUPT` its bytes were overwritten; `ERR_CAPACITY` this
   * thread holds 2000 locks already.
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
   * @internal The same, for a function that the library calls and gives the lock back after: were
   * both interrupted, it would go to the next owner as a dead one's.
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
          'is held by this thread; waiting for it would never end; release it first, also where nobody ' +
            'awaited what acquire() gave',
        );
      }
      const result = seat.acquireSync(this, remaining(deadline), isScoped);
      if (result === null) throw notFree(this.kind, this.name, timeout ?? 0);
      if (result !== gone) return result;
      seat = this.reopen();
    }
  }

  /**
   * Acquires the lock without blocking anything: neither the event loop nor libuv's thread pool.
   * Resolves in the order in which the tasks of this thread asked.
   *
   * @throws SharedMemoryError as {@link Lock.acquireSync} but `ERR_DEADLOCK`: what this thread
   * holds, another task of it may wait for. The signal's reason when it aborts.
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
   * Acquires the lock if nobody holds it, and no task of this thread waits for it. Waits for nobody,
   * but for the moment that a release of this thread may still take.
   *
   * @returns null when it is taken.
   * @throws SharedMemoryError `ERR_CLOSED`; `ERR_CORRUPT`; `ERR_CAPACITY`.
   */
  tryAcquire(): LockGuard | null {
    return this.#try(false);
  }

  /** @internal The same, for whom {@link acquireScoped} is. */
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
   * Gives back what was acquired through this handle. Does not block.
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
   * Runs a function holding the lock, which is released when the function returns.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` the function is async: {@link Lock.runExclusive} takes it.
   * What the function throws, and as {@link Lock.acquireSync}.
   */
  runExclusiveSync<T>(fn: (guard: LockGuard) => NotAPromise<T>, options?: TimeoutOptions): T {
    checkSyncCallback('fn', fn, notAsync);
    const guard = this.acquireScoped(options);
    // Not `using`: compiled for Node 20 it takes three times as long as the lock.
    try {
      return callForeign(fn as (guard: LockGuard) => T, guard, notAsync);
    } finally {
      guard[Symbol.dispose]();
    }
  }

  /** Runs a function holding the lock until its promise settles; see {@link Lock.acquire}. */
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

  /** @internal A guard of it, of the class of the realm that asked: the seat may be of another. */
  guard(seat: LockSeat, abandoned: boolean, isScoped = false): LockGuard {
    return new LockGuard(this, seat, abandoned, isScoped);
  }

  /** @internal Sits down at the lock that has the name now, since the old one was unlinked. */
  reopen(): LockSeat {
    return this.#attachment.reopen();
  }
}
