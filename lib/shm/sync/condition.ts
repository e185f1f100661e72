import { tellClass } from '../core/classes';
import type * as contract from '../../contract/index';
import { unlinkObject, type Request } from '../core/attachment';
import { deadlineOf, remaining } from '../core/clock';
import { Lock } from '../core/lock';
import type { Holder } from '../core/lock-seat';
import {
  NamedObject,
  toAttach,
  toCreate,
  toOpen,
  type CreateOptions,
  type OpenOptions,
} from '../core/named-object';
import type { Contents } from '../core/object-seat';
import { defaultParticipants, mostParticipants, rosterBytes } from '../core/roster';
import { endHeldOperation, holdOperation, settleOperations } from '../core/operations';
import type { Wait } from '../core/word';
import {
  checkInteger,
  checkOptions,
  timeoutOf,
  throwIfAborted,
  waitOf,
  type TimeoutOptions,
  type WaitOptions,
} from '../../common/options';
import { atOnce, checkSyncCallback, type NotAPromise } from '../../common/sync-callbacks';
import { ConditionState, type Waiting } from './condition-state';

/** Options of {@link NamedCondition.open}. */
export interface NamedConditionOptions extends OpenOptions {
  /**
   * The maximum number of threads, up to 65,536. A thread counts from its first wait until it closes its last
   * handle or ends. Each takes 40 bytes. Default 192.
   */
  readonly participants?: number | undefined;
}

/** Options of {@link NamedCondition.create}. */
export interface NamedConditionCreateOptions extends NamedConditionOptions, CreateOptions {}

/** The plain-data form of a condition, to be sent to another process; see {@link NamedCondition.toJSON}. */
export interface NamedConditionHandle {
  readonly shmkit: 'condition';
  readonly name: string;
}

/**
 * A lock, together with a way to wait for a change that others make under that lock: Python's
 * `multiprocessing.Condition`.
 *
 * A call of {@link notify} reaches as many waiters as requested, and only threads and tasks that were already
 * waiting. If a waiter got a notification and is killed before it goes on, another waiter gets the notification. If a
 * process is killed while it waits, others do not notice it. There are no spurious wake-ups. But between a notification
 * and the moment when the waiter has the lock again, others may have had the lock. So check again what you
 * waited for, as {@link waitFor} does.
 *
 * Tasks of one thread go on in the order in which they began to wait. Between threads there is no fixed
 * order.
 */
export class NamedCondition extends NamedObject implements contract.Condition {
  declare readonly shmkit: 'condition';
  readonly #lock: Lock;
  readonly #state: ConditionState;
  /** Waits that are over, except that they must still acquire the lock, and whether they were notified. */
  readonly #over = new Set<{ readonly isNotified: boolean }>();

  private constructor(request: Request) {
    super(request);
    this.#state = this.stateBy((seat) => new ConditionState(seat));
    this.#lock = new Lock(this.attachment, this);
  }

  /**
   * Makes a new condition.
   *
   * @throws SharedMemoryError `EEXIST` the name is taken; `ENOSPC`; `EINVAL`, `ENAMETOOLONG` it
   * cannot be a name; `ERR_ZERO_COPY_UNAVAILABLE`.
   */
  static create(options: NamedConditionCreateOptions = {}): NamedCondition {
    checkOptions(options, ['name', 'mode', 'participants']);
    return new NamedCondition(toCreate('condition', options, contentsOf(options)));
  }

  /**
   * Attaches to an existing condition.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES`; `ERR_CORRUPT`, `ERR_WRONG_KIND`,
   * `ERR_ABI_MISMATCH` the object with this name is not a condition that this process can use.
   */
  static attach(name: string): NamedCondition {
    return new NamedCondition(toAttach('condition', name));
  }

  /**
   * Attaches to a condition, or makes it if it does not exist. If several processes open one name at the same
   * time, one of them makes the condition, with its own options.
   *
   * @throws SharedMemoryError as {@link NamedCondition.create} (except `EEXIST`) and
   * {@link NamedCondition.attach}.
   */
  static open(name: string, options: NamedConditionOptions = {}): NamedCondition {
    checkOptions(options, ['mode', 'participants']);
    return new NamedCondition(toOpen('condition', name, options, contentsOf(options)));
  }

  /** Removes a name. Processes that are attached keep the condition until they close it. */
  static unlink(name: string): void {
    unlinkObject('condition', name);
  }

  /** The maximum number of threads. */
  get participants(): number {
    return this.#state.participants;
  }

  /** The lock that must be held to use the condition. */
  get lock(): Lock {
    return this.#lock;
  }

  /**
   * Releases the lock, waits for a notification without blocking anything, and acquires the lock again. The
   * lock is acquired again also before the promise is rejected. So the guard of the lock is valid in both
   * cases (but not after {@link close}).
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` the lock is not held through this handle; `ERR_TIMEOUT`,
   * `ERR_CLOSED`, `ERR_CAPACITY`; the signal's reason when it aborts.
   */
  async wait(options?: WaitOptions): Promise<void> {
    const { timeout, signal } = waitOf(options);
    await this.#waitWithin(timeout, timeout, signal);
  }

  async #waitWithin(
    left: number | undefined,
    timeout: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    throwIfAborted(signal);
    settleOperations();
    const waiting = this.#state.waiting();
    holdOperation(waiting);
    const guard = this.#begin(waiting);
    try {
      const wait = this.#wait(left, timeout, signal);
      await this.#state.notified.wait({ ...wait, beginning: waiting });
    } catch (reason) {
      if (this.#end(guard, await this.#acquireAgain(false), false)) return;
      throw reason;
    }
    this.#end(guard, await this.#acquireAgain(true), true);
  }

  /**
   * Releases the lock, waits for a notification, blocking this thread, and acquires the lock again. The lock
   * is acquired again also before this method throws.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` the lock is not held through this handle; `ERR_TIMEOUT`,
   * `ERR_CLOSED`, `ERR_CAPACITY`.
   */
  waitSync(options?: TimeoutOptions): void {
    const timeout = timeoutOf(options);
    this.#waitSyncWithin(timeout, timeout);
  }

  #waitSyncWithin(left: number | undefined, timeout: number | undefined): void {
    settleOperations();
    const waiting = this.#state.waiting();
    holdOperation(waiting);
    try {
      this.#blockWithin(left, timeout, waiting);
    } finally {
      endHeldOperation(waiting);
    }
  }

  #blockWithin(left: number | undefined, timeout: number | undefined, waiting: Waiting): void {
    const guard = this.#begin(waiting);
    try {
      this.#state.notified.waitSync(this.#wait(left, timeout, undefined, waiting));
    } catch (reason) {
      if (this.#end(guard, this.lock.acquireScoped(), false, waiting)) return;
      throw reason;
    }
    this.#end(guard, this.lock.acquireScoped(), true, waiting);
  }

  /**
   * Waits until the predicate is true. The predicate is called at once and after each notification, always
   * while the lock is held. See {@link wait}.
   *
   * @returns what the predicate returned.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` the predicate is async: a promise is neither true nor false.
   */
  async waitFor<T>(predicate: () => NotAPromise<T>, options?: WaitOptions): Promise<T> {
    checkPredicate(predicate);
    const { timeout, signal } = waitOf(options);
    this.#checkHeld();
    const deadline = deadlineOf(timeout);
    for (;;) {
      const result = atOnce<T>(predicate(), notAsync);
      if (result) return result;
      await this.#waitWithin(remaining(deadline), timeout, signal);
    }
  }

  /** The same as {@link waitFor}, blocking this thread. See {@link waitSync}. */
  waitForSync<T>(predicate: () => NotAPromise<T>, options?: TimeoutOptions): T {
    checkPredicate(predicate);
    const timeout = timeoutOf(options);
    this.#checkHeld();
    const deadline = deadlineOf(timeout);
    for (;;) {
      const result = atOnce<T>(predicate(), notAsync);
      if (result) return result;
      this.#waitSyncWithin(remaining(deadline), timeout);
    }
  }

  /**
   * Wakes some of the waiters. They go on when the lock is released. Does not block.
   *
   * @param count - the maximum number of waiters. Default 1.
   * @returns how many waiters were notified.
   * @throws SharedMemoryError `ERR_NOT_HELD` the lock is not held through this handle.
   * @throws RangeError `ERR_OUT_OF_RANGE`
   */
  notify(count = 1): number {
    checkInteger('count', count, 0, Number.MAX_SAFE_INTEGER);
    settleOperations();
    this.#checkHeld();
    return this.#state.notify(count);
  }

  /** Wakes all waiters; as {@link notify}. */
  notifyAll(): number {
    settleOperations();
    this.#checkHeld();
    return this.#state.notify(Infinity);
  }

  /** The plain-data form. Send it to another process, which passes it to {@link attach}. */
  toJSON(): NamedConditionHandle {
    return { shmkit: 'condition', name: this.name };
  }

  #checkHeld(): void {
    this.attachment.open();
    if (this.lock.held) return;
    throw this.attachment.error(
      'ERR_NOT_HELD',
      'cannot be used: its lock is not held through this handle',
    );
  }

  #begin(waiting?: Waiting): Holder {
    this.#checkHeld();
    this.#state.enter(waiting);
    return this.attachment.seat.suspend();
  }

  /**
   * @param left - the time that remains for the wait.
   * @param timeout - the total time limit.
   */
  #wait(
    left: number | undefined,
    timeout?: number,
    signal?: AbortSignal,
    waiting?: Waiting,
  ): Wait<true> {
    return {
      handle: this,
      timeout: left,
      signal,
      attempt: (look) => this.#state.claim(look, waiting),
      expired: (limit) => {
        const within = `${timeout ?? limit} ms`;
        throw this.attachment.error('ERR_TIMEOUT', `was not notified within ${within}`);
      },
    };
  }

  async #acquireAgain(isNotified: boolean): Promise<Holder> {
    const over = { isNotified };
    // If the handle was closed, letGo has subtracted this wait already.
    if (!this.closed) this.#over.add(over);
    try {
      return await this.lock.acquire();
    } finally {
      this.#over.delete(over);
    }
  }

  /**
   * Ends a wait, after the lock was acquired again.
   *
   * @param guard - the guard that held the lock before the wait. From here on it holds the lock again.
   * @param again - the guard that the lock was acquired again with.
   * @param isNotified - whether the wait has claimed a notification already.
   * @returns whether the wait was notified. The notification may have come after the wait was given up and
   * before the lock was acquired again.
   */
  #end(guard: Holder, again: Holder, isNotified: boolean, waiting?: Waiting): boolean {
    this.attachment.seat.resume(guard, again);
    const isSo = isNotified || this.#state.claim(false, waiting) === true;
    this.#state.leave(isSo, waiting);
    return isSo;
  }

  /** @internal */
  protected override letGo(): void {
    const { attachment, lock } = this;
    if (!lock.held) {
      const waiting = this.#state.notified.giveUp(this, attachment.closedMeanwhile());
      if (!attachment.hasEnded) {
        this.#state.forget(waiting);
        for (const { isNotified } of this.#over) this.#state.leave(isNotified);
      }
    }
    attachment.close(lock);
  }
}

const notAsync = 'the predicate must return its result synchronously';

function checkPredicate(predicate: unknown): void {
  checkSyncCallback('predicate', predicate, notAsync);
}

function contentsOf({ participants = defaultParticipants }: NamedConditionOptions): Contents {
  checkInteger('participants', participants, 1, mostParticipants);
  return { type: 0, length: 0, wordsBytes: rosterBytes(participants), dataBytes: 0 };
}

tellClass('condition', NamedCondition);
