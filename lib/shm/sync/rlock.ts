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

/** What {@link NamedRLock.open} takes. */
export type NamedRLockOptions = OpenOptions;
/** What {@link NamedRLock.create} takes. */
export type NamedRLockCreateOptions = CreateOptions;

/** A re-entrant lock as plain data, to be sent to another process; see {@link NamedRLock.toJSON}. */
export interface NamedRLockHandle {
  readonly shmkit: 'rlock';
  readonly name: string;
}

/** How deep this thread is in the lock, through whichever handles. */
class Recursion implements Operation {
  /** How often it was acquired to be kept, and not released. */
  kept = 0;
  /** The same for functions that it is released after. */
  scoped = 0;
  guard: Holder | undefined;
  readonly #seat: LockSeat;
  #keptBefore = 0;
  #scopedBefore = 0;

  constructor(seat: LockSeat) {
    this.#seat = seat;
  }

  /** It is about to be entered; until {@link end} nobody has a guard of it. */
  begin(): void {
    undoInterrupted();
    this.#keptBefore = this.kept;
    this.#scopedBefore = this.scoped;
    beginOperation(this);
  }

  /** By the realm that began it, whichever asks. */
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

  /** Goes on with what this thread had acquired, and was interrupted before it was noted here. */
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

  /** It was entered or left, and is still held. */
  remain(seat: LockSeat): void {
    const { guard } = this;
    if (guard === undefined) return;
    const isScoped = this.kept === 0;
    if (isScoped === guard.isScoped) return;
    guard.isScoped = isScoped;
    // What is left may be of a function that was interrupted.
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
 * A lock that the thread which holds it can acquire again: Python's `multiprocessing.RLock`. It is
 * free when each acquisition was released.
 *
 * What re-enters is the thread, with all its tasks: a task that acquires the lock while another task
 * of the same thread holds it goes ahead, and so do all that wait for it when the thread gets it. Use
 * {@link NamedLock} to have tasks exclude each other.
 * Everything else is as with NamedLock, the news of a dead owner included.
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
   * Attaches to a lock that exists.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES`; `ERR_CORRUPT`, `ERR_WRONG_KIND`,
   * `ERR_ABI_MISMATCH` what bears the name is not a lock that this process can use.
   */
  static attach(name: string): NamedRLock {
    return new NamedRLock(toAttach('rlock', name));
  }

  /**
   * Attaches to a lock, or makes it when it is absent. Of any number of processes that open one
   * name at once, one makes it; its `mode` counts.
   *
   * @throws SharedMemoryError as {@link NamedRLock.create} (but `EEXIST`) and
   * {@link NamedRLock.attach}.
   */
  static open(name: string, options: NamedRLockOptions = {}): NamedRLock {
    checkOptions(options, ['mode']);
    return new NamedRLock(toOpen('rlock', name, options, noContents));
  }

  /** Removes a lock's name, as {@link NamedLock.unlink} does. */
  static unlink(name: string): void {
    unlinkObject('rlock', name);
  }

  /** Whether this thread holds it. */
  get held(): boolean {
    return this.attachment.seat.holder !== null;
  }

  /** How often this thread has acquired it and not released it. */
  get depth(): number {
    return this.held ? this.#recursion.depth : 0;
  }

  /** Whether anyone holds it, at the instant of asking. */
  get locked(): boolean {
    return this.#lock.locked;
  }

  /**
   * Acquires the lock, blocking this thread until no other thread holds it.
   *
   * @throws SharedMemoryError as {@link Lock.acquireSync} but `ERR_DEADLOCK`.
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
   * @returns null when it is taken.
   */
  tryAcquire(): RLockGuard | null {
    return this.#try(false);
  }

  /**
   * Takes back one acquisition of this thread. Does not block.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD`
   */
  release(): void {
    if (!this.held) throw this.attachment.error('ERR_NOT_HELD', 'is not held by this thread');
    this.leave(this.#recursion.kept === 0);
  }

  /**
   * Runs a function holding the lock; as {@link Lock.runExclusiveSync}.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` the function is async: {@link runExclusive} takes it.
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

  /** Runs a function holding the lock until its promise settles; see {@link acquire}. */
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

  /** A handle to send to another process, which gives it to {@link attach}. */
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
    // By trying, the handle may have moved on from a lock that was unlinked to one that is held here.
    return this.#canReenter() ? this.#enter(isScoped) : null;
  }

  #begin(guard: LockGuard, isScoped: boolean): RLockGuard {
    const recursion = this.#recursion;
    recursion.begin();
    // The thread may have entered between the grant and now, where this task goes on. All tasks that
    // waited when it was granted come by here before any of them can release it: they are resolved
    // together, and none has gone further than this when the last of them is here.
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

  /** @internal One acquisition is over. */
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
