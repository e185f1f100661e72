import { Disposition, native } from '../binding';
import { SharedMemoryError, invalidType } from '../errors';
import { explain, isFailure } from '../failures';
import { called, freshName, systemName } from '../names';
import {
  checkMode,
  checkOptions,
  checkSignal,
  checkTimeout,
  defaultMode,
  type TimeoutOptions,
  type WaitOptions,
} from '../options';
import type { LockGuard } from './lock-guard';
import { LockSeat, gone } from './lock-seat';
import { LockWaiter, timedOut } from './lock-waiter';
import { isLitter, refused } from './refusals';

/** What {@link NamedLock.open} takes. */
export interface NamedLockOptions {
  /**
   * Permission bits; the process's umask applies. To use a lock takes permission to read and to
   * write. Default `0o600`, its owner alone.
   */
  readonly mode?: number;
}

/** What {@link NamedLock.create} takes. */
export interface NamedLockCreateOptions extends NamedLockOptions {
  /** Without one, a name that nobody has is made up; see {@link NamedLock.name}. */
  readonly name?: string;
}

/** A lock as plain data, to be sent to another process; see {@link NamedLock.toJSON}. */
export interface NamedLockHandle {
  readonly shmkit: 'lock';
  readonly name: string;
}

/** Where a handle sits; apart from it, so that it outlives it until the seat is left. */
interface Place {
  seat: LockSeat;
}

const abandonedHandles = new FinalizationRegistry<Place>(({ seat }) => seat.leave());

/**
 * A mutual exclusion lock with a name, between all threads of all processes of the machine.
 *
 * A lock is held by the thread that acquired it until it releases it or ends, by whatever end: when
 * it is killed, or its worker is terminated, the next to acquire the lock gets it and is told
 * ({@link LockGuard.abandoned}). Tasks of one thread exclude each other too, and are served in the
 * order in which they asked. Between threads and processes no order is kept.
 *
 * Underneath lies a robust process-shared pthread mutex (POSIX.1-2008), a lock file on macOS, a
 * kernel mutex on Windows.
 */
export class NamedLock {
  /** The name that others open it by. */
  readonly name: string;

  readonly #place: Place;
  readonly #mode: number;
  readonly #reopening: Disposition;
  #closed = false;
  /** Which object it was when the handle was closed. */
  #closedId: string | undefined;

  private constructor(name: string, mode: number, disposition: Disposition) {
    this.name = name;
    this.#mode = mode;
    this.#reopening = disposition === Disposition.Open ? Disposition.Open : Disposition.Attach;
    this.#place = { seat: LockSeat.take(name, mode, disposition) };
    abandonedHandles.register(this, this.#place, this.#place);
  }

  /**
   * Makes a new lock.
   *
   * @throws SharedMemoryError `EEXIST` the name is taken; `ENOSPC`; `EINVAL`, `ENAMETOOLONG` it
   * cannot be a name.
   */
  static create(options: NamedLockCreateOptions = {}): NamedLock {
    checkOptions(options, ['name', 'mode']);
    const { name = freshName() } = options;
    systemName('lock', name);
    return new NamedLock(name, checkMode(options.mode), Disposition.Create);
  }

  /**
   * Attaches to a lock that exists.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES`; `ERR_CORRUPT`, `ERR_WRONG_KIND`,
   * `ERR_ABI_MISMATCH` what bears the name is not a lock that this process can use.
   */
  static attach(name: string): NamedLock {
    systemName('lock', name);
    return new NamedLock(name, defaultMode, Disposition.Attach);
  }

  /**
   * Attaches to a lock, or makes it when it is absent. Of any number of processes that open one
   * name at once, one makes it.
   *
   * @throws SharedMemoryError as {@link NamedLock.create} (but `EEXIST`) and {@link NamedLock.attach}.
   */
  static open(name: string, options: NamedLockOptions = {}): NamedLock {
    checkOptions(options, ['mode']);
    systemName('lock', name);
    return new NamedLock(name, checkMode(options.mode), Disposition.Open);
  }

  /**
   * Removes a lock's name, at once when the lock is free, else at the moment its owner releases it
   * (or dies), so that two owners of one name never meet. Handles made by {@link NamedLock.open}
   * make the lock anew when they are next used; those made by `create` or `attach` throw `ENOENT`.
   * On Windows a name goes with its last handle, and this only checks that there is one.
   *
   * Does not block, but for some milliseconds while an owner is about to release, and up to a second
   * should another process be stopped in the middle of unlinking it.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES`; `ERR_ABI_MISMATCH`.
   */
  static unlink(name: string): void {
    const full = systemName('lock', name);
    const seat = LockSeat.tryTake(name, defaultMode, Disposition.Attach);
    if (isFailure(seat)) throw explain(seat, 'lock', name);
    if (seat instanceof LockSeat) {
      unlinkAndLeave(seat);
      return;
    }
    if (!isLitter(seat)) throw refused(seat, 'lock', name);
    const failure = native.segmentUnlink(full, undefined);
    if (failure) throw explain(failure, 'lock', name);
  }

  /** Whether this handle was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Whether it is held, in this thread, through this handle. */
  get held(): boolean {
    return this.#place.seat.holder?.lock === this;
  }

  /**
   * Whether anyone holds it, at the instant of asking; no promise about the next.
   *
   * @throws SharedMemoryError `ERR_CLOSED`
   */
  get locked(): boolean {
    return this.#open().locked;
  }

  /**
   * Acquires the lock, blocking this thread until it is free.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`; `ERR_DEADLOCK` this very thread holds it, so the wait
   * could not end; `ERR_CLOSED`; `ERR_CORRUPT` its bytes were overwritten; `ERR_CAPACITY` this
   * thread holds 2000 locks already.
   */
  acquireSync(options?: TimeoutOptions): LockGuard {
    const { seat } = this.#place;
    if (options === undefined && seat.holder === null && !this.#closed) {
      const result = seat.acquireSync(this, undefined);
      if (result !== gone && result !== null) return result;
    }
    return this.#acquireWithin(this.#timeoutOf(options, ['timeout']));
  }

  #acquireWithin(timeout: number | undefined): LockGuard {
    const deadline = timeout === undefined ? undefined : performance.now() + timeout;
    let seat = this.#open();
    for (;;) {
      if (seat.holder !== null) {
        throw this.#error('ERR_DEADLOCK', 'is held by this thread; waiting for it would never end');
      }
      const left = deadline === undefined ? undefined : Math.max(deadline - performance.now(), 0);
      const result = seat.acquireSync(this, left);
      if (result === null) throw timedOut(this.name, timeout ?? 0);
      if (result !== gone) return result;
      seat = this.reopen();
    }
  }

  /**
   * Acquires the lock without blocking anything: neither the event loop nor libuv's thread pool.
   * Resolves in the order in which the tasks of this thread asked.
   *
   * @throws SharedMemoryError as {@link NamedLock.acquireSync} but `ERR_DEADLOCK`: what this thread
   * holds, another task of it may wait for. The signal's reason when it aborts.
   */
  async acquire(options?: WaitOptions): Promise<LockGuard> {
    const timeout = this.#timeoutOf(options, ['timeout', 'signal']);
    const signal = checkSignal(options?.signal);
    signal?.throwIfAborted();
    const guard = this.tryAcquire();
    if (guard !== null) return guard;
    if (timeout === 0) throw timedOut(this.name, timeout);
    const waiter = new LockWaiter(this, timeout, signal);
    waiter.joinQueue(this.#place.seat);
    return waiter.promise;
  }

  /**
   * Acquires the lock if nobody holds it, and no task of this thread waits for it. Does not block.
   *
   * @returns null when it is taken.
   * @throws SharedMemoryError `ERR_CLOSED`; `ERR_CORRUPT`; `ERR_CAPACITY`.
   */
  tryAcquire(): LockGuard | null {
    let seat = this.#open();
    for (;;) {
      const result = seat.tryAcquire(this);
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
    const { seat } = this.#place;
    if (seat.holder?.lock !== this) {
      throw this.#error('ERR_NOT_HELD', 'is not held through this handle');
    }
    seat.release();
  }

  /** Runs a function holding the lock; see {@link NamedLock.acquireSync} for what it throws. */
  runExclusiveSync<T>(fn: (guard: LockGuard) => T, options?: TimeoutOptions): T {
    if (typeof fn !== 'function') throw invalidType('fn', 'a function', fn);
    const guard = this.acquireSync(options);
    // Not `using`: compiled for Node 20 it takes three times as long as the lock.
    try {
      return fn(guard);
    } finally {
      guard[Symbol.dispose]();
    }
  }

  /** Runs a function holding the lock until its promise settles; see {@link NamedLock.acquire}. */
  async runExclusive<T>(
    fn: (guard: LockGuard) => T | PromiseLike<T>,
    options?: WaitOptions,
  ): Promise<T> {
    if (typeof fn !== 'function') throw invalidType('fn', 'a function', fn);
    const guard = await this.acquire(options);
    try {
      return await fn(guard);
    } finally {
      guard[Symbol.dispose]();
    }
  }

  /**
   * Lets go of the lock. Idempotent. Those who wait through this handle get `ERR_CLOSED`.
   *
   * @throws SharedMemoryError `EBUSY` it is held through this handle: release it first.
   */
  close(): void {
    if (this.#closed) return;
    const { seat } = this.#place;
    if (this.held) throw this.#error('EBUSY', 'is held through this handle; release it first');
    this.#closed = true;
    for (const waiter of seat.waitersOf(this)) {
      waiter.giveUp(this.#error('ERR_CLOSED', 'was closed while this task waited for it'));
    }
    abandonedHandles.unregister(this.#place);
    this.#closedId = seat.id;
    seat.leave();
  }

  /**
   * Removes the name, as {@link NamedLock.unlink} does; also after {@link close}.
   *
   * @throws SharedMemoryError `ENOENT` the name is gone, or another lock's by now.
   */
  unlink(): void {
    if (this.#closed) {
      const seat = LockSeat.take(this.name, defaultMode, Disposition.Attach);
      unlinkAndLeave(seat, this.#closedId);
    } else {
      this.#place.seat.unlink();
    }
  }

  /** The same as {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** A handle to send to another process, which gives it to {@link attach}. */
  toJSON(): NamedLockHandle {
    return { shmkit: 'lock', name: this.name };
  }

  /** @internal Sits down at the lock that has the name now, since the old one was unlinked. */
  reopen(): LockSeat {
    const seat = LockSeat.take(this.name, this.#mode, this.#reopening);
    this.#place.seat.leave();
    this.#place.seat = seat;
    return seat;
  }

  #open(): LockSeat {
    if (this.#closed) throw this.#error('ERR_CLOSED', 'was closed here');
    return this.#place.seat;
  }

  #timeoutOf(options: TimeoutOptions | undefined, known: string[]): number | undefined {
    if (options === undefined) return undefined;
    checkOptions(options, known);
    return checkTimeout(options.timeout);
  }

  #error(code: 'EBUSY' | 'ERR_CLOSED' | 'ERR_DEADLOCK' | 'ERR_NOT_HELD', what: string) {
    return new SharedMemoryError(code, `${called('lock', this.name)} ${what}`, {
      resource: this.name,
    });
  }
}

/** @param only - unlink it only if it is that very object */
function unlinkAndLeave(seat: LockSeat, only?: string): void {
  try {
    seat.unlink(only);
  } finally {
    seat.leave();
  }
}
