import {
  Acquired,
  native,
  type Disposition,
  type NativeFailure,
  type NativeRefusal,
} from '../binding';
import { SharedMemoryError } from '../errors';
import { explain, isFailure } from '../failures';
import { called, prefixes } from '../names';
import { LockGuard } from './lock-guard';
import { refused } from './refusals';
import type { LockWaiter } from './lock-waiter';
import type { NamedLock } from './named-lock';

/** The word by which the hot native calls know which seat they are about. */
const control = new Int32Array(new ArrayBuffer(64));

// The hot calls, out of the addon's object: looking them up there costs as much as the mutex.
const { lock: nativeLock, tryLock: nativeTryLock, unlock: nativeUnlock } = native;

const seats = new Map<number, LockSeat>();

native.initialize(
  control,
  (index) => seats.get(index)?.collect(),
  () => undefined,
);

/**
 * How often in a row a thread hands a lock from task to task without offering it to other
 * processes in between.
 */
const mostHandovers = 16;

/** What the system says when a name is gone; one that leads to another object is as good as that. */
const nameMovedOn = { code: 'ENOENT', errno: -2, syscall: 'unlink' };

/** The seat is of an object that was unlinked; the name has to be opened again. */
export const gone = Symbol('gone');

/**
 * What all handles of one thread to one lock share: who of this thread holds it, who waits.
 *
 * The lock is held either by this thread itself or by its agent, a thread that waits for it so that
 * this one need not (native/core/agent_thread.h). Invariants, by number:
 *
 * - T1  `holder` is the one guard of this thread, or null.
 * - T2  The agent is asked for the lock exactly while somebody is queued and nobody of this thread
 *       holds it.
 * - T3  While the agent is asked, this thread takes the lock through it only: were it to block in
 *       the lock itself, the agent might get it on behalf of a task that then never runs.
 */
export class LockSeat {
  holder: LockGuard | null = null;
  readonly name: string;
  readonly index: number;
  readonly #queue = new Set<LockWaiter>();
  #handles = 1;
  #agentAsked = false;
  #agentHolds = false;
  #handovers = 0;

  private constructor(name: string, index: number) {
    this.name = name;
    this.index = index;
  }

  /** One handle's use of the lock's seat; paired with {@link leave}. */
  static take(name: string, mode: number, disposition: Disposition): LockSeat {
    const seat = LockSeat.tryTake(name, mode, disposition);
    if (seat instanceof LockSeat) return seat;
    throw isFailure(seat) ? explain(seat, 'lock', name) : refused(seat, 'lock', name);
  }

  /** The same, or why not. */
  static tryTake(
    name: string,
    mode: number,
    disposition: Disposition,
  ): LockSeat | NativeFailure | NativeRefusal {
    const result = native.lockOpen(prefixes.lock + name, mode, disposition);
    if (typeof result !== 'number') return result;
    let seat = seats.get(result);
    if (seat) {
      seat.#handles++;
    } else {
      seat = new LockSeat(name, result);
      seats.set(result, seat);
    }
    return seat;
  }

  get locked(): boolean {
    return this.holder !== null || native.lockIsLocked(this.index);
  }

  leave(): void {
    if (--this.#handles > 0) return;
    seats.delete(this.index);
    native.lockClose(this.index);
  }

  /** The caller has made sure that this thread does not hold it. Blocks. */
  acquireSync(lock: NamedLock, timeout: number | undefined): LockGuard | null | typeof gone {
    if (this.#agentAsked) {
      const outcome = native.agentCollectWithin(this.index, timeout);
      if (outcome === Acquired.Timeout) return null;
      this.#agentAsked = false;
      return this.#conclude(lock, outcome, true);
    }
    control[0] = this.index;
    const outcome = timeout === undefined ? nativeLock() : native.lockWithin(this.index, timeout);
    if (outcome === undefined) return (this.holder = new LockGuard(lock, this, false));
    return this.#conclude(lock, outcome, false);
  }

  /** Null when somebody holds it, or waits for it in this thread. */
  tryAcquire(lock: NamedLock): LockGuard | null | typeof gone {
    if (this.holder !== null || this.#queue.size > 0) return null;
    control[0] = this.index;
    const outcome = nativeTryLock();
    if (outcome === undefined) return (this.holder = new LockGuard(lock, this, false));
    return this.#conclude(lock, outcome, false);
  }

  release(): void {
    this.holder = null;
    if (this.#agentHolds) {
      this.#agentHolds = false;
      native.agentRelease(this.index);
      this.#handovers = mostHandovers;
    } else {
      control[0] = this.index;
      nativeUnlock();
    }
    if (this.#queue.size > 0) this.#advance();
  }

  enqueue(waiter: LockWaiter): void {
    this.#queue.add(waiter);
    if (this.holder === null && !this.#agentAsked) this.#askAgent();
  }

  dequeue(waiter: LockWaiter): void {
    this.#queue.delete(waiter);
    if (this.#queue.size > 0 || !this.#agentAsked) return;
    this.#agentAsked = false;
    native.agentCancel(this.index);
  }

  waitersOf(lock: NamedLock): LockWaiter[] {
    return [...this.#queue].filter((waiter) => waiter.lock === lock);
  }

  /** Called when the agent has an outcome, or had one that was collected since. */
  collect(): void {
    const outcome = native.agentCollect(this.index);
    if (outcome === undefined) return;
    this.#agentAsked = false;
    this.#settleFirst(outcome, true);
  }

  /** Which object it is, among all that ever bear its name. */
  get id(): string {
    return native.lockId(this.index);
  }

  /** @param only - the object that it must be, if any */
  unlink(only?: string): void {
    const isOther = only !== undefined && only !== this.id;
    const failure = isOther ? nameMovedOn : native.lockUnlink(this.index, this.holder !== null);
    if (failure) throw explain(failure, 'lock', this.name);
  }

  /** Somebody is queued and nobody of this thread holds the lock. */
  #advance(): void {
    if (this.#handovers < mostHandovers) {
      this.#handovers++;
      control[0] = this.index;
      const outcome = nativeTryLock() ?? Acquired.Yes;
      if (outcome !== Acquired.Timeout) {
        this.#settleFirst(outcome, false);
        return;
      }
    }
    this.#handovers = 0;
    this.#askAgent();
  }

  #askAgent(): void {
    this.#agentAsked = native.agentRequest(this.index);
    if (!this.#agentAsked) this.#fail('EAGAIN', 'the system gives no thread to wait for it');
  }

  #settleFirst(outcome: Acquired, byAgent: boolean): void {
    const [first] = this.#queue;
    if (first === undefined) return;
    let result: LockGuard | null | typeof gone;
    try {
      result = this.#conclude(first.lock, outcome, byAgent);
    } catch {
      return; // all who wait were told
    }
    if (result === null || result === gone) return;
    this.#queue.delete(first);
    first.resolve(result);
  }

  #empty(): LockWaiter[] {
    const all = [...this.#queue];
    this.#queue.clear();
    return all;
  }

  /** When the lock is gone or broken, also settles all who wait here. */
  #conclude(lock: NamedLock, outcome: Acquired, byAgent: boolean): LockGuard | null | typeof gone {
    switch (outcome) {
      case Acquired.Yes:
      case Acquired.Abandoned:
        this.#agentHolds = byAgent;
        return (this.holder = new LockGuard(lock, this, outcome === Acquired.Abandoned));
      case Acquired.Timeout:
        return null;
      case Acquired.Gone:
        for (const waiter of this.#empty()) waiter.moveOn();
        return gone;
      case Acquired.TooManyHeld:
        throw this.#fail(
          'ERR_CAPACITY',
          'this thread holds 2000 locks already; the system would not hand on more if it died',
        );
      case Acquired.Broken:
        throw this.#fail('ERR_CORRUPT', 'its bytes were overwritten; unlink it and open it again');
    }
  }

  /** The error for all who wait here. */
  #fail(code: 'EAGAIN' | 'ERR_CAPACITY' | 'ERR_CORRUPT', why: string): SharedMemoryError {
    const error = new SharedMemoryError(code, `${called('lock', this.name)}: ${why}`, {
      resource: this.name,
    });
    for (const waiter of this.#empty()) waiter.reject(error);
    return error;
  }
}
