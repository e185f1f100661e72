import type * as contract from '../../contract/index';
import { changedBy } from '../core/assignments';
import { unlinkObject, type Request } from '../core/attachment';
import {
  NamedObject,
  toAttach,
  toCreate,
  toOpen,
  type CreateOptions,
  type OpenOptions,
} from '../core/named-object';
import type { Contents } from '../core/object-seat';
import { endOperation } from '../core/operations';
import { defaultParticipants, mostParticipants, rosterBytes } from '../core/roster';
import { outOfRange } from '../../common/errors';
import {
  checkBoolean,
  checkInteger,
  checkOptions,
  timeoutOf,
  waitOf,
  type TimeoutOptions,
  type WaitOptions,
} from '../../common/options';
import { Waiting } from '../core/turns';
import { SemaphoreGuard } from './semaphore-guard';
import { SemaphoreState, initialWords, mostPermits, type Permit } from './semaphore-state';

/** What {@link NamedSemaphore.open} takes. */
export interface NamedSemaphoreOptions extends OpenOptions {
  /** How many permits a new semaphore has. Default 1. */
  readonly value?: number | undefined;
  /**
   * How many there may be at most: a release beyond that throws, since nobody can have acquired what
   * it gives back. Default: no bound.
   */
  readonly max?: number | undefined;
  /**
   * Whether a permit belongs to the thread that acquired it, and comes back when that dies. Switch it
   * off for a semaphore that counts things, such as the free places of a buffer, whose permits are
   * acquired by one process for another to release. Default true.
   */
  readonly robust?: boolean | undefined;
  /**
   * For how many threads there is room, up to 65,536: a thread counts from when it first acquires a permit
   * until it closes its last handle or ends. Each takes 40 bytes. Default 192.
   */
  readonly participants?: number | undefined;
}

/** What {@link NamedSemaphore.create} takes. */
export interface NamedSemaphoreCreateOptions extends NamedSemaphoreOptions, CreateOptions {}

/** A semaphore as plain data, to be sent to another process; see {@link NamedSemaphore.toJSON}. */
export interface NamedSemaphoreHandle {
  readonly shmkit: 'semaphore';
  readonly name: string;
}

/**
 * A number of permits that threads of any processes acquire and give back: Python's
 * `multiprocessing.Semaphore`, and with {@link NamedSemaphoreOptions.max} its `BoundedSemaphore`.
 *
 * The permits that a semaphore was made with belong to the thread that acquires them. When it dies,
 * they come back. Anybody may release one; if the thread that does holds none, it is taken off
 * another that does. Permits beyond those, released when nobody holds any, are for whoever acquires
 * them first, and are used up by that: so a semaphore made with the value 0 counts signals.
 *
 * Tasks of one thread are served in the order in which they asked. Between threads no order is kept,
 * but one that has waited for some ten milliseconds has its turn before those who come later.
 */
export class NamedSemaphore extends NamedObject implements contract.Semaphore {
  declare readonly shmkit: 'semaphore';
  readonly #state: SemaphoreState;
  /** Acquired through this handle and not released. */
  #held = 0;

  private constructor(request: Request, { max, robust }: NamedSemaphoreOptions = {}) {
    super(request);
    const { attachment } = this;
    const { seat } = attachment;
    try {
      if (seat.length > mostPermits) {
        throw attachment.error(
          'ERR_CORRUPT',
          'has a header that makes no sense; unlink() removes it',
        );
      }
      this.#state = seat.state(() => new SemaphoreState(seat));
      if (max !== undefined && max !== this.#state.max) {
        const bound = this.#state.max === undefined ? 'no bound' : `a max of ${this.#state.max}`;
        throw attachment.error('ERR_WRONG_KIND', `has ${bound}, not ${max}`);
      }
      if (robust !== undefined && robust !== this.robust) {
        const what = this.robust ? 'is robust' : 'is not robust';
        throw attachment.error('ERR_WRONG_KIND', `${what}, and robust: ${robust} was asked for`);
      }
    } catch (error) {
      attachment.close();
      throw error;
    }
  }

  /**
   * Makes a new semaphore.
   *
   * @throws SharedMemoryError `EEXIST` the name is taken; `ENOSPC`; `EINVAL`, `ENAMETOOLONG` it
   * cannot be a name; `ERR_ZERO_COPY_UNAVAILABLE`.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE`
   */
  static create(options: NamedSemaphoreCreateOptions = {}): NamedSemaphore {
    checkOptions(options, ['name', 'mode', 'value', 'max', 'robust', 'participants']);
    return new NamedSemaphore(toCreate('semaphore', options, contentsOf(options)));
  }

  /**
   * Attaches to a semaphore that exists.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES`; `ERR_CORRUPT`, `ERR_WRONG_KIND`,
   * `ERR_ABI_MISMATCH` what bears the name is not a semaphore that this process can use.
   */
  static attach(name: string): NamedSemaphore {
    return new NamedSemaphore(toAttach('semaphore', name));
  }

  /**
   * Attaches to a semaphore, or makes it when it is absent. Of any number of processes that open one
   * name at once, one makes it; its `value`, `participants` and `mode` count. `max` and `robust` have to be
   * those that it has, if they are given.
   *
   * @throws SharedMemoryError `ERR_WRONG_KIND` it is there with another `max`, or `robust`; and as
   * {@link NamedSemaphore.create} (but `EEXIST`) and {@link NamedSemaphore.attach}.
   */
  static open(name: string, options: NamedSemaphoreOptions = {}): NamedSemaphore {
    checkOptions(options, ['mode', 'value', 'max', 'robust', 'participants']);
    return new NamedSemaphore(toOpen('semaphore', name, options, contentsOf(options)), options);
  }

  /** Removes a name. Whoever is attached keeps the semaphore until they close. */
  static unlink(name: string): void {
    unlinkObject('semaphore', name);
  }

  /**
   * How many permits are to be had, at the instant of asking; no promise about the next. Those of
   * threads that died are counted among them.
   *
   * @throws SharedMemoryError `ERR_CLOSED`
   */
  get value(): number {
    this.attachment.open();
    return this.#state.value();
  }

  /** How many permits there may be, if that is bounded. */
  get max(): number | undefined {
    return this.#state.max;
  }

  /** Whether a permit comes back when the thread that acquired it dies. */
  get robust(): boolean {
    return this.#state.robust;
  }

  /** For how many threads there is room. */
  get participants(): number {
    return this.#state.participants;
  }

  /**
   * Acquires a permit, blocking this thread until there is one.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`; `ERR_CAPACITY` more threads hold permits
   * than there is room for.
   */
  acquireSync(options?: TimeoutOptions): SemaphoreGuard {
    this.attachment.open();
    const timeout = timeoutOf(options);
    return this.#take(false) ?? this.#acquireSlowly(timeout);
  }

  /**
   * Acquires a permit without blocking anything.
   *
   * @throws SharedMemoryError as {@link acquireSync}; the signal's reason when it aborts.
   */
  async acquire(options?: WaitOptions): Promise<SemaphoreGuard> {
    this.attachment.open();
    const { timeout, signal } = waitOf(options);
    const waiting = new Waiting();
    return this.#state.freed.wait<SemaphoreGuard>({
      handle: this,
      attempt: (look) => this.#take(look, waiting),
      timeout,
      signal,
      expired: (limit) => this.#expire(limit, waiting),
      calledOff: () => this.#state.withdraw(waiting),
    });
  }

  /**
   * Acquires a permit if there is one, and no task of this thread waits for one. Does not block.
   *
   * @returns null when there is none.
   * @throws SharedMemoryError `ERR_CLOSED`, `ERR_CAPACITY`.
   */
  tryAcquire(): SemaphoreGuard | null {
    this.attachment.open();
    if (this.#state.freed.awaited) return null;
    return this.#take(true) ?? null;
  }

  /**
   * Gives permits back, or adds some; whoever acquired them. Does not block.
   *
   * @param count - how many. Default 1.
   * @throws SharedMemoryError `ERR_NOT_HELD` there would be more than {@link max}; nothing was
   * released.
   * @throws RangeError `ERR_OUT_OF_RANGE`
   */
  release(count = 1): void {
    this.attachment.open();
    checkInteger('count', count, 1, mostPermits);
    this.#release(count);
  }

  /** @internal A guard is about to give its permit back. */
  beginRelease(): void {
    this.attachment.open();
    this.#state.beginRelease();
  }

  /** @internal Gives back the permit of a guard. */
  giveBack(): void {
    try {
      this.#release(1);
    } finally {
      endOperation();
    }
  }

  #release(count: number): void {
    const refused = this.#state.release(count);
    if (refused !== undefined) throw this.#tooMany(count, refused);
    this.#held = Math.max(this.#held - count, 0);
    if (this.#held === 0) this.#state.holders.delete(this);
  }

  #tooMany(count: number, { max, value }: { max: number; value: number }): Error {
    return this.attachment.error(
      'ERR_NOT_HELD',
      `has ${value} of its ${max} permits, so ${count} cannot have been acquired to be released`,
    );
  }

  /** A handle to send to another process, which gives it to {@link attach}. */
  toJSON(): NamedSemaphoreHandle {
    return { shmkit: 'semaphore', name: this.name };
  }

  /** Apart from where it is called, which has no closures to make that way. */
  #acquireSlowly(timeout: number | undefined): SemaphoreGuard {
    const waiting = new Waiting();
    return this.#state.freed.waitSync<SemaphoreGuard>({
      handle: this,
      attempt: (look) => this.#take(look, waiting),
      timeout,
      expired: (limit) => this.#expire(limit, waiting),
    });
  }

  #expire(limit: number, waiting: Waiting): never {
    this.#state.withdraw(waiting);
    throw this.attachment.error('ERR_TIMEOUT', `had no permit within ${limit} ms`);
  }

  #take(look: boolean, waiting?: Waiting): SemaphoreGuard | undefined {
    const state = this.#state;
    const permit = state.take(look, waiting);
    const guard = permit && this.#guard(permit);
    state.took();
    return guard;
  }

  #guard(permit: Permit): SemaphoreGuard {
    const guard = new SemaphoreGuard(this);
    if (permit === 'held' && this.#held++ === 0) this.#state.holders.add(this);
    return guard;
  }

  /** @internal */
  protected override letGo(): void {
    const { attachment } = this;
    const held = Math.min(this.#held, this.#state.held);
    if (held > 0 && !attachment.hasEnded) {
      throw attachment.error('EBUSY', `has ${held} permits held through this handle; release them`);
    }
    this.#state.holders.delete(this);
    this.#state.freed.giveUp(this, attachment.closedMeanwhile());
    attachment.close();
  }
}

changedBy('semaphore', { value: 'acquire() and release()' });

function contentsOf(options: NamedSemaphoreOptions): Contents {
  const { value = 1, max, participants = defaultParticipants } = options;
  const robust = checkBoolean('robust', options.robust ?? true);
  checkInteger('value', value, 0, mostPermits);
  if (max !== undefined) {
    checkInteger('max', max, 1, mostPermits);
    if (value > max) throw outOfRange('value', `at most max, ${max}`, value);
  }
  checkInteger('participants', participants, 1, mostParticipants);
  return {
    type: robust ? 1 : 0,
    length: max ?? 0,
    wordsBytes: rosterBytes(participants),
    dataBytes: 0,
    words: initialWords(value, robust),
  };
}
