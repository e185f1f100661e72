import type * as contract from '../../contract/index';
import { outOfRange, type SharedMemoryError } from '../../common/errors';
import {
  checkBoolean,
  checkInteger,
  checkOptions,
  throwIfAborted,
  waitOf,
  type WaitOptions,
} from '../../common/options';
import type { Said, Session } from '../lease/session';
import { isCoded } from '../wire/failures';
import {
  acquirePermit,
  addPermit,
  readSemaphore,
  releasePermit,
  releasePermits,
} from '../scripts/semaphore';
import { mostComeMs } from './lock-core';
import { called } from './names';
import { SemaphoreGuard, type PermitSource } from './semaphore-guard';
import {
  ServedObject,
  attachTo,
  create,
  freshName,
  managedBy,
  open,
  unlinkName,
  type Contents,
  type Found,
  type KindKeys,
} from './served-object';

const keys: KindKeys = { kind: 'semaphore', isOfName: false, ends: ['m', 'q', 'w', 'h', 'u', 't'] };

/** More permits than any program needs, and few enough that sums of them are exact. */
const mostPermits = 2 ** 30;

/** So many requests at most are said to be settled by another request. */
const mostSettled = 100;

/** The options of {@link NamedSemaphore.open}. */
export interface NamedSemaphoreOptions {
  /** The number of permits of a new semaphore. Default 1. */
  readonly value?: number | undefined;
  /** The maximum number of permits. A release beyond that throws. Default: there is none. */
  readonly max?: number | undefined;
  /** Whether a permit comes back when its holder dies. Default true. */
  readonly robust?: boolean | undefined;
}

/**
 * A number of permits, which processes of any machine take and give back. A permit is held by a lease: it comes back
 * when its holder dies. Permits that were added by a release are used up by who takes them, so a semaphore of the value
 * 0 counts signals. Waiters are served in the order in which they asked.
 */
export class NamedSemaphore
  extends ServedObject<'semaphore'>
  implements contract.Semaphore, PermitSource
{
  readonly #max: number | undefined;
  readonly #robust: boolean;
  /** Permits that were neither released nor found to be lost. */
  readonly #guards = new Set<SemaphoreGuard>();
  /** Requests that have used up an added permit, and will not be repeated: the server need not remember them. */
  readonly #settled: string[] = [];

  /** @internal */
  static readonly kindKeys = keys;

  private constructor(found: Found, expected: NamedSemaphoreOptions = {}) {
    super(keys, found);
    const { max, robust } = found.options as { max?: number; robust?: boolean };
    this.#max = max;
    this.#robust = robust !== false;
    if (expected.max !== undefined && expected.max !== max) {
      const bound = max === undefined ? 'no max' : `a max of ${max}`;
      throw this.error('ERR_WRONG_KIND', `has ${bound}, but max: ${expected.max} was requested`);
    }
    if (expected.robust !== undefined && expected.robust !== this.#robust) {
      const what = this.#robust ? 'is robust' : 'is not robust';
      const asked = String(expected.robust);
      throw this.error('ERR_WRONG_KIND', `${what}, but robust: ${asked} was requested`);
    }
  }

  /** @internal Opens an object of a manager. */
  static async openManaged(
    session: Session,
    name: string,
    id: string,
    options: NamedSemaphoreOptions = {},
  ): Promise<NamedSemaphore> {
    checkOptions(options, ['value', 'max', 'robust']);
    const contents = managedBy(id, contentsOf(options));
    return new NamedSemaphore(await open(session, keys, name, contents), options);
  }

  /** @throws SharedMemoryError `EEXIST` */
  static async create(
    session: Session,
    options: NamedSemaphoreOptions & { readonly name?: string } = {},
  ): Promise<NamedSemaphore> {
    checkOptions(options, ['name', 'value', 'max', 'robust']);
    const contents = contentsOf(options);
    return new NamedSemaphore(await create(session, keys, options.name ?? freshName(), contents));
  }

  /** @throws SharedMemoryError `ENOENT` */
  static async attach(session: Session, name: string): Promise<NamedSemaphore> {
    return new NamedSemaphore(await attachTo(session, keys, name));
  }

  /** @throws SharedMemoryError `ERR_WRONG_KIND` it exists with another `max` or `robust`. */
  static async open(
    session: Session,
    name: string,
    options: NamedSemaphoreOptions = {},
  ): Promise<NamedSemaphore> {
    checkOptions(options, ['value', 'max', 'robust']);
    return new NamedSemaphore(await open(session, keys, name, contentsOf(options)), options);
  }

  /** @throws SharedMemoryError `ENOENT` */
  static unlink(session: Session, name: string): Promise<void> {
    return unlinkName(session, keys, name);
  }

  /** @internal */
  get handle(): this {
    return this;
  }

  /** The number of permits that nobody has. */
  async value(): Promise<number> {
    const { rest } = await this.ask({ script: readSemaphore, args: [], repeats: true });
    return Number(rest[0]);
  }

  /** The maximum number of permits, or undefined when there is none. */
  // eslint-disable-next-line @typescript-eslint/require-await -- what it throws is a rejection
  async max(): Promise<number | undefined> {
    this.checkOpen();
    return this.#max;
  }

  /** Whether a permit comes back when its holder dies. */
  get robust(): boolean {
    return this.#robust;
  }

  /**
   * Takes a permit as soon as there is one.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`, `ERR_SHUTDOWN`, `ERR_UNAVAILABLE`. The signal's reason.
   */
  async acquire(options?: WaitOptions): Promise<SemaphoreGuard> {
    this.checkOpen();
    const { timeout, signal } = waitOf(options);
    throwIfAborted(signal);
    const { session } = this;
    const { token, number } = session.token();
    const said = await this.pending.wait<Said>({
      session,
      number,
      attempt: async (isOver) => {
        const answer = await this.#request(token, 'wait', isOver);
        return answer.word === 'waits' ? { lookInMs: Number(answer.rest[0]) } : { got: answer };
      },
      timeout,
      signal,
      expired: (limit) => this.error('ERR_TIMEOUT', `had no permit within ${limit} ms`),
      calledOff: () => this.#withdraw(token),
    });
    return this.#guard(token, said);
  }

  /** Takes a permit if there is one that nobody waits for. */
  async tryAcquire(): Promise<SemaphoreGuard | null> {
    this.checkOpen();
    const { token } = this.session.token();
    let said: Said;
    try {
      said = await this.#request(token, 'try');
    } catch (error) {
      this.#withdraw(token);
      throw error;
    }
    return said.word === 'taken' ? null : this.#guard(token, said);
  }

  /**
   * Gives permits back: those that were taken through this handle first, then those of others, and then it adds new
   * ones. Of each, those that were taken last go first.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` there would be more permits than {@link max}; nothing was released.
   * `ERR_UNCERTAIN` the answer was lost: those of others may have been released, and new ones may have been added. Those
   * that were taken through this handle come back in any case, at the latest when their leases end.
   */
  async release(count = 1): Promise<void> {
    this.checkOpen();
    checkInteger('count', count, 1, mostPermits);
    // No other call may give the same permits back while the server is asked.
    const own = [...this.#guards].filter((guard) => guard.isHeld).slice(-count);
    for (const guard of own) {
      guard.leave();
      this.#guards.delete(guard);
    }
    try {
      const said = await this.ask({
        script: releasePermits,
        args: [String(count), this.#comeMs, ...own.map(({ token }) => token)],
        repeats: false,
      });
      if (said.word === 'most') throw this.#tooMany(count, said);
    } catch (error) {
      // Where they may have been released, they are not renewed any more, and so come back in any case.
      if (!isCoded(error, 'ERR_UNCERTAIN')) this.#keep(own);
      else for (const guard of own) guard.markReleased();
      throw error;
    }
    for (const guard of own) guard.markReleased();
  }

  /** The server has refused to take them back. */
  #keep(guards: readonly SemaphoreGuard[]): void {
    for (const guard of guards) {
      guard.stay();
      this.#guards.add(guard);
    }
  }

  #tooMany(count: number, { rest }: Said): SharedMemoryError {
    const what = `has ${String(rest[0])} of its ${String(this.#max)} permits available`;
    return this.error('ERR_NOT_HELD', `${what}, so ${count} more cannot be released`);
  }

  /** @internal */
  async giveBack(guard: SemaphoreGuard): Promise<void> {
    if (!guard.isLeased) {
      await this.#addBack(guard);
      return;
    }
    const wasHeld = this.#forget(guard);
    const { word, isRepeated } = await this.session.ask({
      script: releasePermit,
      keys: this.allKeys,
      args: [guard.token, this.#comeMs],
      repeats: true,
    });
    if (wasHeld && (word === 'released' || isRepeated)) return;
    throw this.error('ERR_NOT_HELD', 'gave this permit to others: its lease had ended');
  }

  /** A permit that was used up comes back as one that is added. */
  async #addBack(guard: SemaphoreGuard): Promise<void> {
    guard.leave();
    try {
      const said = await this.ask({ script: addPermit, args: [this.#comeMs], repeats: false });
      if (said.word === 'most') throw this.#tooMany(1, said);
    } catch (error) {
      if (!isCoded(error, 'ERR_UNCERTAIN')) guard.stay();
      throw error;
    }
    guard.markReleased();
  }

  /** @internal */
  notHeld(): SharedMemoryError {
    return this.error('ERR_NOT_HELD', 'has got this permit back before');
  }

  /** @internal */
  protected override letGo(): void {
    const held = [...this.#guards].filter((guard) => guard.isHeld).length;
    if (held > 0) {
      throw this.error('EBUSY', `has ${held} permits held through this handle; release them first`);
    }
  }

  get #comeMs(): string {
    return String(Math.min(mostComeMs, this.session.options.leaseMs));
  }

  #request(token: string, mode: 'wait' | 'try', isOver?: () => boolean): Promise<Said> {
    const leaseMs = String(this.session.options.leaseMs);
    return this.ask({
      script: acquirePermit,
      args: [token, leaseMs, leaseMs, mode, this.#comeMs, ...this.#settled.splice(0, mostSettled)],
      repeats: true,
      ...(isOver !== undefined && { isOver }),
    });
  }

  #withdraw(token: string): void {
    this.session.tell({ script: releasePermit, keys: this.allKeys, args: [token, this.#comeMs] });
  }

  #guard(token: string, said: Said): SemaphoreGuard {
    if (this.closed) {
      this.#withdraw(token);
      throw this.closedError();
    }
    const { session } = this;
    const hold =
      said.word === 'held'
        ? session.leases.begin(
            {
              renewal: 'permit',
              keys: this.allKeys,
              token,
              leaseMs: session.options.leaseMs,
              called: `a permit of ${called('semaphore', this.name)}`,
            },
            said,
          )
        : undefined;
    const guard = new SemaphoreGuard(this, hold, token, Number(said.rest[0]));
    if (hold !== undefined) this.#guards.add(guard);
    else this.#settled.push(token);
    return guard;
  }

  #forget(guard: SemaphoreGuard): boolean {
    this.#guards.delete(guard);
    return guard.markReleased();
  }
}

function contentsOf(options: NamedSemaphoreOptions): Contents {
  const { value = 1, max } = options;
  const robust = checkBoolean('robust', options.robust ?? true);
  checkInteger('value', value, 0, mostPermits);
  if (max !== undefined) {
    checkInteger('max', max, 1, mostPermits);
    if (value > max) throw outOfRange('value', `at most max (${max})`, value);
  }
  const [pool, loose] = robust ? [value, 0] : [0, value];
  return {
    options: { ...(max !== undefined && { max }), ...(!robust && { robust }) },
    fields: [
      ...['pool', String(pool), 'loose', String(loose)],
      ...(max === undefined ? [] : ['max', String(max)]),
    ],
  };
}
