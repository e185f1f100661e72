import { tellClass } from '../core/classes';
import type * as contract from '../../contract/index';
import { callForeign } from '../core/foreign';
import { Lock, notAsync } from '../core/lock';
import type { LockGuard } from '../core/lock-guard';
import type { Holder, LockSeat } from '../core/lock-seat';
import { unlinkObject, type Request } from '../core/attachment';
import { noContents } from '../core/object-seat';
import { beginOperation, endOperation, undoInterrupted, type Operation } from '../core/operations';
import {
  NamedObject,
  toAttach,
  toCreate,
  toOpen,
  type CreateOptions,
  type OpenOptions,
} from '../core/named-object';
import {
  checkOptions,
  timeoutOf,
  throwIfAborted,
  waitOf,
  type TimeoutOptions,
  type WaitOptions,
} from '../../common/options';
import { checkCallback, checkSyncCallback, type NotAPromise } from '../../common/sync-callbacks';
import { RLockGuard } from './rlock-guard';

/** Options of {@link NamedRLock.open}. */
export type NamedRLockOptions = OpenOptions;
/** Options of {@link NamedRLock.create}. */
export type NamedRLockCreateOptions = CreateOptions;

/** The plain-data form of a re-entrant lock, to be sent to another process; see {@link NamedRLock.toJSON}. */
export interface NamedRLockHandle {
  readonly shmkit: 'rlock';
  readonly name: string;
}

/** Counts how many times this thread has acquired the lock, through all its handles. */
class Recursion implements Operation {
  /** The number of acquisitions whose guards callers have, and which have not been released. */
  kept = 0;
  /** The number of acquisitions that the library made to run a function, and will release after it. */
  scoped = 0;
  guard: Holder | undefined;
  readonly #seat: LockSeat;
  #keptBefore = 0;
  #scopedBefore = 0;

  constructor(seat: LockSeat) {
    this.#seat = seat;
  }

  /**
   * Called before one more acquisition is counted. Until {@link end}, an interrupt undoes this acquisition, because
   * nobody has a guard for it yet.
   */
  begin(): void {
    undoInterrupted();
    this.#keptBefore = this.kept;
    this.#scopedBefore = this.scoped;
    beginOperation(this);
  }

  /**
   * Ends the operation that {@link begin} began. This object may be of another realm than its caller. Each realm
   * records its own operations, so they must be ended here.
   */
  end(): void {
    endOperation();
  }

  undo(): void {
    this.kept = this.#keptBefore;
    this.scoped = this.#scopedBefore;
    if (this.depth > 0) this.remain(this.#seat);
    else this.guard = undefined;
  }

  get depth(): number {
    return this.kept + this.scoped;
  }

  /**
   * Called when this thread holds the lock. If an interrupt came after the lock was acquired and before `guard` was
   * set, sets `guard`.
   */
  adopt(): void {
    const { holder } = this.#seat;
    if (this.guard === undefined && holder?.isScoped === true) this.guard = holder;
  }

  enter(isScoped: boolean): void {
    if (isScoped) this.scoped++;
    else this.kept++;
  }

  leave(isScoped: boolean): void {
    undoInterrupted();
    if (isScoped) this.scoped--;
    else this.kept--;
  }

  /**
   * Called after an acquisition or a release, while the lock is held. Records in the guard whether the library will
   * release all remaining acquisitions itself.
   */
  remain(seat: LockSeat): void {
    const { guard } = this;
    if (guard === undefined) return;
    const isScoped = this.kept === 0;
    if (isScoped === guard.isScoped) return;
    guard.isScoped = isScoped;
    // The remaining acquisitions may belong to a function that was interrupted.
    if (isScoped) seat.lookAtEndOfTurn();
  }

  interrupted(): void {
    this.kept = this.scoped = 0;
    this.guard = undefined;
  }

  close(): void {
    this.interrupted();
  }
}

/**
 * A lock that its owner thread can acquire again: Python's `multiprocessing.RLock`. It becomes free when
 * every acquisition has been released.
 *
 * The owner is the thread, with all its tasks. While one task of a thread holds the lock, other tasks of the
 * same thread can acquire it too. When the thread gets the lock, all its tasks that wait for it go on. Use
 * {@link NamedLock} if tasks must exclude each other. Everything else is as with NamedLock, including the
 * information that an owner died.
 */
export class NamedRLock extends NamedObject implements contract.RLock {
  declare readonly shmkit: 'rlock';
  readonly #lock: Lock;

  private constructor(request: Request) {
    super(request);
    this.#lock = new Lock(this.attachment, this);
  }

  /**
   * Makes a new lock.
   *
   * @throws SharedMemoryError `EEXIST` the name is taken; `ENOSPC`; `EINVAL`, `ENAMETOOLONG` it
   * cannot be a name.
   */
  static create(options: NamedRLockCreateOptions = {}): NamedRLock {
    checkOptions(options, ['name', 'mode']);
    return new NamedRLock(toCreate('rlock', options, noContents));
  }

  /**
   * Attaches to an existing lock.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES`; `ERR_CORRUPT`, `ERR_WRONG_KIND`,
   * `ERR_ABI_MISMATCH` the object with this name is not a lock that this process can use.
   */
  static attach(name: string): NamedRLock {
    return new NamedRLock(toAttach('rlock', name));
  }

  /**
   * Attaches to a lock, or makes it if it does not exist. If several processes open one name at the same
   * time, one of them makes the lock, with its own `mode`.
   *
   * @throws SharedMemoryError as {@link NamedRLock.create} (except `EEXIST`) and {@link NamedRLock.attach}.
   */
  static open(name: string, options: NamedRLockOptions = {}): NamedRLock {
    checkOptions(options, ['mode']);
    return new NamedRLock(toOpen('rlock', name, options, noContents));
  }

  /** Removes a lock's name, as {@link NamedLock.unlink} does. */
  static unlink(name: string): void {
    unlinkObject('rlock', name);
  }

  /** Whether this thread holds the lock. */
  get held(): boolean {
    return this.attachment.seat.holder !== null;
  }

  /** How many acquisitions this thread has made and not released. */
  get depth(): number {
    return this.held ? this.#recursion.depth : 0;
  }

  /** Whether any thread holds the lock at this instant. */
  get locked(): boolean {
    return this.#lock.locked;
  }

  /**
   * Acquires the lock, blocking this thread until no other thread holds it.
   *
   * @throws SharedMemoryError as {@link Lock.acquireSync}, except `ERR_DEADLOCK`.
   */
  acquireSync(options?: TimeoutOptions): RLockGuard {
    timeoutOf(options);
    return this.tryAcquire() ?? this.#begin(this.#lock.acquireScoped(options), false);
  }

  /**
   * Acquires the lock without blocking anything.
   *
   * @throws SharedMemoryError as {@link Lock.acquire}
   */
  async acquire(options?: WaitOptions): Promise<RLockGuard> {
    throwIfAborted(waitOf(options).signal);
    return this.tryAcquire() ?? this.#begin(await this.#lock.acquire(options), false);
  }

  /**
   * Acquires the lock if no other thread holds it. Does not block.
   *
   * @returns null when the lock is taken.
   */
  tryAcquire(): RLockGuard | null {
    return this.#try(false);
  }

  /**
   * Releases one acquisition of this thread. Does not block.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD`
   */
  release(): void {
    if (!this.held) throw this.attachment.error('ERR_NOT_HELD', 'is not held by this thread');
    this.leave(this.#recursion.kept === 0);
  }

  /**
   * Runs a function while holding the lock; as {@link Lock.runExclusiveSync}.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` the function is async: use {@link runExclusive} for it.
   */
  runExclusiveSync<T>(fn: (guard: RLockGuard) => NotAPromise<T>, options?: TimeoutOptions): T {
    checkSyncCallback('fn', fn, notAsync);
    timeoutOf(options);
    const guard = this.#try(true) ?? this.#begin(this.#lock.acquireScoped(options), true);
    try {
      return callForeign(fn as (guard: RLockGuard) => T, guard, notAsync);
    } finally {
      guard[Symbol.dispose]();
    }
  }

  /**
   * Runs a function while holding the lock. The lock is released when the function's promise settles. See
   * {@link acquire}.
   */
  async runExclusive<T>(
    fn: (guard: RLockGuard) => T | PromiseLike<T>,
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

  /** The plain-data form. Send it to another process, which passes it to {@link attach}. */
  toJSON(): NamedRLockHandle {
    return { shmkit: 'rlock', name: this.name };
  }

  get #recursion(): Recursion {
    const { seat } = this.attachment;
    return seat.commonState(() => new Recursion(seat));
  }

  #canReenter(): boolean {
    return this.attachment.open().holder !== null;
  }

  #try(isScoped: boolean): RLockGuard | null {
    if (this.#canReenter()) return this.#enter(isScoped);
    const guard = this.#lock.tryAcquireScoped();
    if (guard !== null) return this.#begin(guard, isScoped);
    // The attempt may have moved the handle from a lock that was unlinked to a lock that this thread holds.
    return this.#canReenter() ? this.#enter(isScoped) : null;
  }

  #begin(guard: LockGuard, isScoped: boolean): RLockGuard {
    const recursion = this.#recursion;
    recursion.begin();
    // The thread may have acquired the lock more than once before this task goes on. When the thread gets the lock,
    // the promises of all its waiting tasks are resolved together. So all these tasks have counted their acquisition
    // here before the first of them can release the lock.
    recursion.enter(isScoped);
    recursion.guard = guard;
    if (recursion.depth === 1) guard.isScoped = isScoped;
    else recursion.remain(this.attachment.seat);
    const entered = new RLockGuard(this, guard.abandoned, isScoped);
    recursion.end();
    return entered;
  }

  #enter(isScoped: boolean): RLockGuard {
    const recursion = this.#recursion;
    recursion.begin();
    recursion.adopt();
    recursion.enter(isScoped);
    recursion.remain(this.attachment.seat);
    const entered = new RLockGuard(this, false, isScoped);
    recursion.end();
    return entered;
  }

  /** @internal Ends one acquisition. */
  leave(isScoped: boolean): void {
    const recursion = this.#recursion;
    recursion.leave(isScoped);
    if (recursion.depth > 0) {
      recursion.remain(this.attachment.seat);
      return;
    }
    const { guard } = recursion;
    recursion.guard = undefined;
    guard?.release();
  }

  /** @internal */
  protected override letGo(): void {
    this.attachment.close(this.#lock);
  }
}

tellClass('rlock', NamedRLock);
