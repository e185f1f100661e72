import type * as contract from '../../contract/index';
import { checkOptions, throwIfAborted, waitOf, type WaitOptions } from '../../common/options';
import { checkCallback } from '../../common/sync-callbacks';
import type { Hold } from '../lease/hold';
import type { Said, Session } from '../lease/session';
import { acquireLock, isLocked, releaseLock } from '../scripts/lock';
import { mostComeMs } from './lock-core';
import { called } from './names';
import { RLockGuard, type Reentered } from './rlock-guard';
import {
  ServedObject,
  attachTo,
  create,
  freshName,
  managedBy,
  open,
  unlinkName,
  type Found,
  type KindKeys,
} from './served-object';

const keys: KindKeys = { kind: 'rlock', isOfName: true, ends: ['l', 'q', 'w'] };
const contents = { options: {}, fields: [] };

/** What this handle has now: one lease, and the acquisitions that share it, the outermost first. */
interface Holding {
  readonly token: string;
  readonly hold: Hold;
  readonly fence: number;
  readonly guards: RLockGuard[];
}

/**
 * A lock that its owner can acquire again. The owner is a handle with all the tasks that use it: they do not exclude
 * each other. The lock becomes free when each acquisition was released. For the server, it is an ordinary lock: what is
 * acquired again is counted here.
 */
export class NamedRLock extends ServedObject<'rlock'> implements contract.RLock, Reentered {
  /** Waits of this handle, which go on when one of them has got the lock. */
  readonly #waiting = new Set<number>();
  #holding: Holding | undefined;

  /** @internal */
  static readonly kindKeys = keys;

  private constructor(found: Found) {
    super(keys, found);
  }

  /** @internal Opens an object of a manager. */
  static async openManaged(session: Session, name: string, id: string, options: object = {}) {
    checkOptions(options, []);
    return new NamedRLock(await open(session, keys, name, managedBy(id, contents)));
  }

  /** @throws SharedMemoryError `EEXIST` */
  static async create(session: Session, options: { readonly name?: string } = {}) {
    checkOptions(options, ['name']);
    return new NamedRLock(await create(session, keys, options.name ?? freshName(), contents));
  }

  /** @throws SharedMemoryError `ENOENT` */
  static async attach(session: Session, name: string): Promise<NamedRLock> {
    return new NamedRLock(await attachTo(session, keys, name));
  }

  static async open(session: Session, name: string, options: object = {}): Promise<NamedRLock> {
    checkOptions(options, []);
    return new NamedRLock(await open(session, keys, name, contents));
  }

  /** @throws SharedMemoryError `ENOENT` */
  static unlink(session: Session, name: string): Promise<void> {
    return unlinkName(session, keys, name);
  }

  /** @internal */
  get handle(): this {
    return this;
  }

  /** Whether the lock is held through this handle. Asks the clocks, and not the server. */
  // eslint-disable-next-line @typescript-eslint/require-await -- what it throws is a rejection
  async held(): Promise<boolean> {
    this.checkOpen();
    return this.#held !== undefined;
  }

  /** Whether anybody holds the lock. */
  async locked(): Promise<boolean> {
    const { word } = await this.ask({ script: isLocked, args: [], repeats: true });
    return word === 'yes';
  }

  /**
   * Acquires the lock, also if this handle holds it already.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`, `ERR_SHUTDOWN`, `ENOENT`, `ERR_UNAVAILABLE`. The signal's
   * reason.
   */
  async acquire(options?: WaitOptions): Promise<RLockGuard> {
    this.checkOpen();
    const { timeout, signal } = waitOf(options);
    throwIfAborted(signal);
    const held = this.#held;
    if (held !== undefined) return this.#again(held);
    const { session } = this;
    const { token, number } = session.token();
    this.#waiting.add(number);
    try {
      const got = await this.pending.wait<Said | 'again'>({
        session,
        number,
        attempt: async (isOver) => {
          if (this.#held !== undefined) return { got: 'again' };
          const said = await this.#request(token, 'wait', isOver);
          return said.word === 'held' ? { got: said } : { lookInMs: Number(said.rest[0]) };
        },
        timeout,
        signal,
        expired: (limit) => this.error('ERR_TIMEOUT', `was not free within ${limit} ms`),
        calledOff: () => this.#withdraw(token),
      });
      const now = this.#held;
      if (got !== 'again') return this.#outermost(token, got);
      this.#withdraw(token);
      // It may have been released in the very moment. Then this task asks again.
      return now === undefined ? await this.acquire(options) : this.#again(now);
    } finally {
      this.#waiting.delete(number);
    }
  }

  /** Acquires the lock if it is held through this handle, or is free and nobody waits for it. */
  async tryAcquire(): Promise<RLockGuard | null> {
    this.checkOpen();
    const held = this.#held;
    if (held !== undefined) return this.#again(held);
    const { token } = this.session.token();
    let said: Said;
    try {
      said = await this.#request(token, 'try');
    } catch (error) {
      this.#withdraw(token);
      throw error;
    }
    if (said.word === 'held') return this.#outermost(token, said);
    // Another task of this handle may have got it meanwhile.
    const now = this.#held;
    return now === undefined ? null : this.#again(now);
  }

  /** Releases the acquisition that was made last. @throws SharedMemoryError `ERR_NOT_HELD` */
  async release(): Promise<void> {
    this.checkOpen();
    const last = this.#held?.guards.at(-1);
    if (last === undefined) throw this.error('ERR_NOT_HELD', 'is not held');
    await this.giveBack(last);
  }

  /** @internal */
  async giveBack(guard: RLockGuard): Promise<void> {
    if (guard.isReleased) throw this.error('ERR_NOT_HELD', 'is not held');
    guard.markReleased();
    const holding = this.#holding;
    const at = holding?.guards.indexOf(guard) ?? -1;
    if (holding === undefined || at < 0) throw this.#lapsed();
    holding.guards.splice(at, 1);
    if (holding.guards.length > 0) return;
    this.#holding = undefined;
    const wasHeld = holding.hold.isHeld;
    holding.hold.end();
    const { word, isRepeated } = await this.session.ask({
      script: releaseLock,
      keys: this.allKeys,
      args: [holding.token, this.#comeMs, 'release'],
      repeats: true,
    });
    if (wasHeld && (word === 'released' || (word === 'none' && isRepeated))) return;
    throw this.#lapsed();
  }

  /** Runs a function while holding the lock. @throws what the function throws; as {@link acquire}. */
  async runExclusive<T>(
    fn: (guard: RLockGuard) => T | PromiseLike<T>,
    options?: WaitOptions,
  ): Promise<T> {
    checkCallback('fn', fn);
    const guard = await this.acquire(options);
    let result: T;
    try {
      result = await fn(guard);
    } catch (error) {
      if (!guard.isReleased) await guard.release().catch(() => undefined);
      throw error;
    }
    if (!guard.isReleased) {
      guard.check();
      await guard.release();
    }
    return result;
  }

  /** @internal */
  protected override letGo(): void {
    if (this.#held !== undefined) {
      throw this.error('EBUSY', 'is held through this handle; release it first');
    }
  }

  /** What this handle has, unless its lease has ended. */
  get #held(): Holding | undefined {
    return this.#holding?.hold.isHeld === true ? this.#holding : undefined;
  }

  get #comeMs(): string {
    return String(Math.min(mostComeMs, this.session.options.leaseMs));
  }

  #request(token: string, mode: 'wait' | 'try', isOver?: () => boolean): Promise<Said> {
    const leaseMs = String(this.session.options.leaseMs);
    return this.ask({
      script: acquireLock,
      args: [token, leaseMs, leaseMs, mode],
      repeats: true,
      ...(isOver !== undefined && { isOver }),
    });
  }

  #withdraw(token: string): void {
    this.session.tell({
      script: releaseLock,
      keys: this.allKeys,
      args: [token, this.#comeMs, 'withdraw'],
    });
  }

  #again(holding: Holding): RLockGuard {
    const guard = new RLockGuard(this, holding.hold, holding.fence, false);
    holding.guards.push(guard);
    return guard;
  }

  #outermost(token: string, said: Said): RLockGuard {
    const { session } = this;
    if (this.closed) {
      this.#withdraw(token);
      throw this.closedError();
    }
    const subject = {
      renewal: 'lock',
      keys: this.allKeys,
      token,
      leaseMs: session.options.leaseMs,
      called: called('rlock', this.name),
    } as const;
    const hold = session.leases.begin(subject, said);
    const [fence, news] = said.rest.map(String);
    const guard = new RLockGuard(this, hold, Number(fence), news === '1');
    this.#holding = { token, hold, fence: Number(fence), guards: [guard] };
    // The other tasks of this handle have it together with this one.
    for (const number of this.#waiting) session.hear(number);
    return guard;
  }

  #lapsed(): Error {
    return this.error('ERR_NOT_HELD', 'was not held any more: its lease had ended');
  }
}
