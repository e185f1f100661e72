import type * as contract from '../../contract/index';
import type { SharedMemoryError } from '../../common/errors';
import { throwIfAborted, waitOf, type WaitOptions } from '../../common/options';
import { checkCallback } from '../../common/sync-callbacks';
import { called, type Kind } from './names';
import { acquireLock, isLocked, releaseLock } from '../scripts/lock';
import type { Said } from '../lease/session';
import { LockGuard, type Releasing } from './lock-guard';
import type { ServedObject } from './served-object';

/** How long a waiter that was told that it may have the lock has to come, before the next one is told. */
export const mostComeMs = 5000;

/** A lock of an object: its acquisition through one handle. */
export class LockCore implements Releasing {
  readonly handle: contract.Lock;
  readonly #object: ServedObject<Kind>;
  readonly #keys: readonly string[];
  /** The guards that were neither released nor found to be lost. A lease that was lost makes room for another. */
  readonly #guards = new Set<LockGuard>();

  /** @param keys - the object's keys, beginning with those that the scripts of a lock need. */
  constructor(object: ServedObject<Kind>, handle: contract.Lock, keys: readonly string[]) {
    this.#object = object;
    this.handle = handle;
    this.#keys = keys;
  }

  get isHeld(): boolean {
    return this.held !== undefined;
  }

  /** The guard that holds the lock through this handle now. */
  get held(): LockGuard | undefined {
    for (const guard of [...this.#guards]) if (guard.isHeld) return guard;
    return undefined;
  }

  async isLocked(): Promise<boolean> {
    const { word } = await this.#object.ask({
      script: isLocked,
      keys: this.#keys,
      args: [],
      repeats: true,
    });
    return word === 'yes';
  }

  async acquire(options?: WaitOptions): Promise<LockGuard> {
    return this.#own(await this.#acquire(options));
  }

  /**
   * As {@link runExclusive}, for a change that the object makes itself: for the program, the lock is not held through
   * this handle meanwhile.
   */
  async runApart<T>(fn: (guard: LockGuard) => Promise<T>, options?: WaitOptions): Promise<T> {
    return this.#run(await this.#acquire(options), fn);
  }

  async #acquire(options: WaitOptions | undefined): Promise<LockGuard> {
    const object = this.#object;
    object.checkOpen();
    const { timeout, signal } = waitOf(options);
    throwIfAborted(signal);
    const { session } = object;
    const { token, number } = session.token();
    const said = await object.pending.wait<Said>({
      session,
      number,
      attempt: async (isOver) => {
        const answer = await this.#request(token, 'wait', isOver);
        return answer.word === 'held' ? { got: answer } : { lookInMs: Number(answer.rest[0]) };
      },
      timeout,
      signal,
      expired: (limit) => object.error('ERR_TIMEOUT', `was not free within ${limit} ms`),
      calledOff: () => this.#withdraw(token),
    });
    return this.#guard(token, said);
  }

  async tryAcquire(): Promise<LockGuard | null> {
    this.#object.checkOpen();
    const { token } = this.#object.session.token();
    let said: Said;
    try {
      said = await this.#request(token, 'try');
    } catch (error) {
      // It may have been granted, and the answer lost.
      this.#withdraw(token);
      throw error;
    }
    return said.word === 'held' ? this.#own(this.#guard(token, said)) : null;
  }

  async release(): Promise<void> {
    this.#object.checkOpen();
    const guard = this.held;
    if (guard === undefined) throw this.#notHeld();
    await this.giveBack(guard);
  }

  async giveBack(guard: LockGuard): Promise<void> {
    if (guard.isReleased) throw this.#notHeld();
    const { session } = this.#object;
    const wasHeld = guard.markReleased();
    this.#guards.delete(guard);
    const { word, isRepeated } = await session.ask({
      script: releaseLock,
      keys: this.#keys,
      args: [guard.token, this.#comeMs, 'release'],
      repeats: true,
    });
    if (wasHeld && word === 'released') return;
    // A repeated request finds nothing, because it was executed before its answer was lost.
    if (wasHeld && word === 'none' && isRepeated) return;
    throw this.#object.error('ERR_NOT_HELD', 'was not held any more: its lease had ended');
  }

  async runExclusive<T>(
    fn: (guard: LockGuard) => T | PromiseLike<T>,
    options?: WaitOptions,
  ): Promise<T> {
    checkCallback('fn', fn);
    return this.#run(await this.acquire(options), fn);
  }

  async #run<T>(guard: LockGuard, fn: (guard: LockGuard) => T | PromiseLike<T>): Promise<T> {
    let result: T;
    try {
      result = await fn(guard);
    } catch (error) {
      // What the function has thrown says more than that the lease had ended, too.
      if (!guard.isReleased) await guard.release().catch(() => undefined);
      throw error;
    }
    if (!guard.isReleased) {
      guard.check();
      await guard.release();
    }
    return result;
  }

  /** Throws while the lock is held through this handle. */
  letGo(): void {
    if (this.isHeld) {
      throw this.#object.error('EBUSY', 'is held through this handle; release it first');
    }
  }

  get #leaseMs(): string {
    return String(this.#object.session.options.leaseMs);
  }

  get #comeMs(): string {
    return String(Math.min(mostComeMs, this.#object.session.options.leaseMs));
  }

  #request(token: string, mode: 'wait' | 'try', isOver?: () => boolean): Promise<Said> {
    return this.#object.ask({
      script: acquireLock,
      keys: this.#keys,
      args: [token, this.#leaseMs, this.#leaseMs, mode],
      repeats: true,
      ...(isOver !== undefined && { isOver }),
    });
  }

  #withdraw(token: string): void {
    this.#object.session.tell({
      script: releaseLock,
      keys: this.#keys,
      args: [token, this.#comeMs, 'withdraw'],
    });
  }

  #guard(token: string, said: Said): LockGuard {
    const object = this.#object;
    if (object.closed) {
      this.#withdraw(token);
      throw object.closedError();
    }
    const { session } = object;
    const hold = session.leases.begin(
      {
        renewal: 'lock',
        keys: this.#keys,
        token,
        leaseMs: session.options.leaseMs,
        called: called(object.shmkit, object.name),
      },
      said,
    );
    const [fence, news] = said.rest.map(String);
    return new LockGuard(this, hold, token, Number(fence), news === '1');
  }

  #own(guard: LockGuard): LockGuard {
    this.#guards.add(guard);
    return guard;
  }

  #notHeld(): SharedMemoryError {
    return this.#object.error('ERR_NOT_HELD', 'is not held');
  }
}
