import {
  Acquired,
  native,
  thread,
  type Disposition,
  type NativeFailure,
  type NativeRefusal,
} from './binding';
import { SharedMemoryError } from '../../common/errors';
import { explain, isFailure } from './failures';
import { called, type Kind } from './names';
import { control, controlAt, operand, operands } from './control';
import { areAllInterrupted, currentForeignCall, isInterrupted, noCall } from './foreign';
import type { ObjectKind } from './layout';
import { ObjectSeat, nameMovedOn, openObject, type Contents } from './object-seat';
import { atEndOfTurn, callOff } from './operations';
import { explainOpening } from './missing';
import { refused } from './refusals';

const { agents, callbacks } = thread;

// The hot calls, out of the addon's object: looking them up there costs as much as the mutex.
const {
  lock: nativeLock,
  tryLock: nativeTryLock,
  unlock: nativeUnlock,
  addFloat64: nativeAddFloat64,
  proveStack: nativeProveStack,
} = native;

/** Some may be of another realm's class; see lib/loading/home.ts. */
const seats = thread.seats as Map<number, LockSeat>;

if (!thread.isInitialized) {
  const { onGrant, onNews, onTurn, nothing } = callbacks;
  native.initialize(control, onGrant, onNews, onTurn, nothing);
  thread.isInitialized = true;
}

/** Throws what the engine throws when the stack does not suffice for what is done under a lock. */
function proveStack(): void {
  if (!nativeProveStack()) proveStack();
}

/**
 * A process that ends right after it has released a lock must not pass for one that died holding it:
 * its agent, which unlocks for it, may need a moment.
 */
function awaitAgents(): void {
  for (const index of agents) native.agentAwaitReturn(index);
}

function stopAwaitingAgents(): void {
  if (thread.awaitAgents !== undefined) process.off('exit', thread.awaitAgents);
  thread.awaitAgents = undefined;
}

/**
 * How often in a row a thread hands a lock from task to task without offering it to other
 * processes in between.
 */
const mostHandovers = 16;

const tooManyHeld =
  'this thread holds 2000 locks already; the system would not hand on more if it died';

const overwritten = 'its bytes were overwritten; unlink it and open it again';

/** The seat is of an object that was unlinked; the name has to be opened again. */
export const gone: unique symbol = Symbol.for('shmkit.gone');

/** Whether a seat was taken, whichever realm's. */
export function isSeat(taken: LockSeat | NativeFailure | NativeRefusal): taken is LockSeat {
  return 'index' in taken;
}

/** Who has the lock in this thread: a guard. */
export interface Holder {
  /** The handle that it was acquired through. */
  readonly lock: object;
  readonly abandoned: boolean;
  /** Whether the library gives it back before it returns to who called it. */
  isScoped: boolean;
  /** An owner died while the lock was given up for a while. */
  noteAbandoned(): void;
  release(): void;
}

/** A handle that the lock is acquired through, of whichever realm's class. */
export interface LockHandle<G extends Holder = Holder> {
  readonly kind: Kind;
  readonly name: string;
  readonly held: boolean;
  /** A guard of it, of the class of the realm that asked: the seat may be of another. */
  guard(seat: LockSeat, abandoned: boolean, isScoped?: boolean): G;
  release(): void;
  /** Sits down at the lock that has the name now, since the old one was unlinked. */
  reopen(): LockSeat;
}

/** A task that is queued for the lock. */
export interface QueuedTask {
  readonly lock: LockHandle;
  /** Whether somebody has the promise of it. */
  readonly hasBegun: boolean;
  /** Its beginning was interrupted. */
  undo(): void;
  /** The lock was unlinked: it waits for the one that has the name now. */
  moveOn(): void;
  resolve(holder: Holder): void;
  reject(reason: unknown): void;
  giveUp(reason: unknown): void;
}

/**
 * What all handles of one thread to one object share of its lock: who of this thread holds it, who
 * waits.
 *
 * The lock is held either by this thread itself or by its agent, a thread that waits for it so that
 * this one need not (native/core/agent_thread.h). Invariants, by number:
 *
 * - T1  `holder` is the one guard of this thread, or null.
 * - T2  The agent is asked for the lock exactly while somebody is queued and nobody of this thread
 *       holds it.
 * - T3  While the agent is asked, this thread takes the lock through it only: were it to block in
 *       the lock itself, the agent might get it on behalf of a task that then never runs.
 * - T4  While somebody is queued the event loop is kept alive: by the agent while that is asked, else by
 *       the seat itself.
 */
export class LockSeat extends ObjectSeat {
  holder: Holder | null = null;
  readonly #queue = new Set<QueuedTask>();
  #handles = 1;
  /** Between {@link enter} and {@link exit}. */
  #isInside = false;
  /** The call of others' code within which was begun what calls others' code under the lock. */
  #within = noCall;
  readonly #goOn = () => this.#goOnServing();
  /** Who has the lock, until they were told. */
  #granted: QueuedTask | undefined;
  #agentAsked = false;
  #agentHolds = false;
  /** Whether the seat keeps the event loop alive. */
  #isAwaited = false;
  #handovers = 0;
  #afterwards: (() => void)[] | undefined;

  /** One handle's use of the object's seat; paired with {@link leave}. */
  static take(
    kind: ObjectKind,
    name: string,
    mode: number,
    disposition: Disposition,
    contents: Contents,
  ): LockSeat {
    const seat = LockSeat.tryTake(kind, name, mode, disposition, contents);
    if (isSeat(seat)) return seat;
    throw isFailure(seat) ? explainOpening(seat, kind, name) : refused(seat, kind, name);
  }

  /** The same, or why not. */
  static tryTake(
    kind: ObjectKind,
    name: string,
    mode: number,
    disposition: Disposition,
    contents: Contents,
  ): LockSeat | NativeFailure | NativeRefusal {
    const found = openObject(kind, name, mode, disposition, contents);
    if (!('index' in found)) return found;
    let seat = seats.get(found.index);
    if (seat) {
      seat.share();
    } else {
      seat = new LockSeat(kind, name, found);
      seats.set(found.index, seat);
    }
    return seat;
  }

  /** One handle more uses it, maybe of another realm, whose class knows nothing of what is private here. */
  share(): void {
    this.#handles++;
  }

  get locked(): boolean {
    return this.holder !== null || native.lockIsLocked(this.index);
  }

  leave(): void {
    if (--this.#handles > 0) return;
    seats.delete(this.index);
    if (agents.delete(this.index)) {
      native.agentAwaitReturn(this.index);
      if (agents.size === 0) stopAwaitingAgents();
    }
    this.close();
  }

  /**
   * Does something short under the lock, on behalf of the object's own class. Nobody of this thread
   * has the lock then, for it is given back before anything else of the thread runs.
   *
   * @throws SharedMemoryError `ERR_CORRUPT`; `ERR_CAPACITY` this thread holds 2000 locks already.
   */
  exclusively<T>(act: () => T): T {
    // A predecessor that died has left everything whole: its classes commit by single words.
    this.enter();
    try {
      return act();
    } finally {
      this.exit();
    }
  }

  /**
   * Acquires the lock for a moment, as {@link exclusively}; {@link exit} gives it back.
   *
   * @returns whether the last owner died.
   * @throws SharedMemoryError `ERR_TIMEOUT` it was not free within so many milliseconds.
   */
  enter(timeout?: number): boolean {
    const outcome = timeout === undefined ? this.#lock() : this.#lockWithin(timeout);
    this.#isInside = outcome === undefined || outcome === Acquired.Abandoned;
    this.#within = noCall;
    if (this.#isInside) return outcome !== undefined;
    if (outcome === Acquired.Timeout) throw notFree(this.kind, this.name, timeout ?? 0);
    if (outcome === Acquired.TooManyHeld) throw this.#fail('ERR_CAPACITY', tooManyHeld);
    if (outcome === Acquired.Ended) throw this.#failAll(this.endedError());
    throw this.#fail('ERR_CORRUPT', overwritten);
  }

  /** Whether this thread is between {@link enter} and {@link exit}, or was interrupted there. */
  get isInside(): boolean {
    return this.#isInside;
  }

  /** Others' code is about to be called under the lock, and the lock given back after it. */
  noteCall(): void {
    this.#within = currentForeignCall();
  }

  /** Whether that was interrupted; asked by whom it could only have called. */
  get isCallInterrupted(): boolean {
    return isInterrupted(this.#within);
  }

  exit(): void {
    this.#isInside = false;
    control[controlAt.seat] = this.index;
    nativeUnlock();
  }

  /**
   * The same, if nobody else has the lock now; goes ahead when this thread has it. For objects whose
   * lock is their users': news of a dead owner stays for one of them.
   */
  exclusivelyIfFree(act: () => void): void {
    if (this.holder !== null) {
      act();
      return;
    }
    const outcome = this.#tryLock();
    if (outcome !== undefined && outcome !== Acquired.Abandoned) return;
    try {
      act();
    } finally {
      native.lockPutBack(this.index, outcome === Acquired.Abandoned);
    }
  }

  /**
   * The caller has made sure that this thread does not hold it. Blocks.
   *
   * @param isScoped - the library gives it back before it returns to who called it.
   */
  acquireSync<G extends Holder>(
    lock: LockHandle<G>,
    timeout: number | undefined,
    isScoped: boolean,
  ): G | null | typeof gone {
    if (isScoped) this.noteCall();
    if (this.#agentAsked) {
      const outcome = native.agentCollectWithin(this.index, timeout);
      if (outcome === Acquired.Timeout) return null;
      this.#agentAsked = false;
      if (this.#queue.size > 0) this.#keepAlive();
      if (isScoped) this.lookAtEndOfTurn();
      return this.#conclude(lock, outcome, true, isScoped);
    }
    const outcome = timeout === undefined ? this.#lock() : this.#lockWithin(timeout);
    if (outcome === undefined) return (this.holder = lock.guard(this, false, isScoped));
    return this.#conclude(lock, outcome, false, isScoped);
  }

  /** Null when somebody holds it, or waits for it in this thread. */
  tryAcquire<G extends Holder>(lock: LockHandle<G>, isScoped = false): G | null | typeof gone {
    if (this.holder !== null && !this.reclaim()) return null;
    if (this.#queue.size > 0 && this.#isAwaitedByTasks()) return null;
    if (isScoped) this.noteCall();
    const outcome = this.#tryLock();
    if (outcome === undefined) return (this.holder = lock.guard(this, false, isScoped));
    return this.#conclude(lock, outcome, false, isScoped);
  }

  release(): void {
    // Were it interrupted, those who are queued are served then.
    if (this.#queue.size > 0) atEndOfTurn(this.#goOn);
    this.holder = null;
    if (this.#agentHolds) {
      this.#agentHolds = false;
      native.agentRelease(this.index);
      this.#handovers = mostHandovers;
    } else {
      control[controlAt.seat] = this.index;
      nativeUnlock();
    }
    if (this.#afterwards !== undefined) this.#settleAfterwards();
    if (this.#queue.size > 0) this.#serve();
  }

  /**
   * Gives the lock back that this thread holds, if the library acquired it for a function and both
   * were interrupted: the next owner is told, as of one that died.
   *
   * @returns whether it was so.
   */
  reclaim(): boolean {
    if (this.holder?.isScoped !== true) return false;
    // A re-entrant lock may have been acquired for several functions, of which any may be under way.
    const isOver = this.kind === 'rlock' ? areAllInterrupted() : this.isCallInterrupted;
    if (!isOver) return false;
    this.#abandon();
    return true;
  }

  /**
   * A turn of the event loop has ended, and this thread holds the lock. Whoever means to keep it has
   * its guard by now.
   */
  endTurn(): void {
    if (this.holder === null) this.#abandon();
    else this.reclaim();
  }

  /** Has {@link endTurn} called when the turn has ended, if the lock is held then. */
  lookAtEndOfTurn(): void {
    atEndOfTurn(() => {
      if (this.holder !== null) this.endTurn();
    });
  }

  #abandon(): void {
    this.#isInside = false;
    this.interrupted();
    native.lockAbandon(this.index);
    this.release();
  }

  #lock(): Acquired | undefined {
    control[controlAt.seat] = this.index;
    const outcome = nativeLock();
    return outcome === Acquired.Shallow ? this.#again(nativeLock) : outcome;
  }

  #tryLock(): Acquired | undefined {
    control[controlAt.seat] = this.index;
    const outcome = nativeTryLock();
    return outcome === Acquired.Shallow ? this.#again(nativeTryLock) : outcome;
  }

  #lockWithin(timeout: number): Acquired | undefined {
    const within = () => native.lockWithin(this.index, timeout);
    const outcome = within();
    return outcome === Acquired.Shallow ? this.#again(within) : outcome;
  }

  /** As deep as here nobody has shown that the stack suffices. */
  #again(lock: () => Acquired | undefined): Acquired | undefined {
    proveStack();
    control[controlAt.seat] = this.index;
    return lock();
  }

  /** Has something done as soon as this thread has released the lock, which it holds now. */
  afterwards(act: () => void): void {
    (this.#afterwards ??= []).push(act);
  }

  /** Adds to the float64 at an offset in the object, atomically; returns what it was before. */
  addFloat64(offset: number, delta: number): number {
    control[controlAt.seat] = this.index;
    operands[operand.at] = offset;
    operands[operand.delta] = delta;
    nativeAddFloat64();
    return operands[operand.before] ?? NaN;
  }

  /** Gives the lock back for a while; {@link resume} has it be held by the same guard again. */
  suspend(): Holder {
    const guard = this.holder;
    if (guard === null) throw new Error('nobody to suspend');
    this.release();
    return guard;
  }

  /** The lock was acquired again, for a guard of old. */
  resume(guard: Holder, again: Holder): void {
    if (again.abandoned) guard.noteAbandoned();
    this.holder = guard;
  }

  enqueue(waiter: QueuedTask): void {
    this.#queue.add(waiter);
    if (this.holder !== null) this.#keepAlive();
    else if (!this.#agentAsked) this.#askAgent();
  }

  dequeue(waiter: QueuedTask): void {
    this.#remove(waiter);
    if (this.#queue.size > 0 || !this.#agentAsked) return;
    this.#agentAsked = false;
    native.agentCancel(this.index);
  }

  waitersOf(lock: object): QueuedTask[] {
    return [...this.#queue].filter((waiter) => waiter.lock === lock);
  }

  /** Called when the agent has an outcome, or had one that was collected since. */
  collect(): void {
    const outcome = native.agentCollect(this.index);
    if (outcome === undefined) return;
    this.#agentAsked = false;
    this.#settleFirst(outcome, true);
  }

  /** @param only - the object that it must be, if any */
  unlinkLocked(only?: string): void {
    const isOther = only !== undefined && only !== this.id;
    const failure = isOther ? nameMovedOn : native.lockUnlink(this.index, this.holder !== null);
    if (failure) throw explain(failure, this.kind, this.name);
  }

  /** Removes the name while it leads to this object. Whoever has the object keeps it. */
  removeName(only?: string): void {
    const isOther = only !== undefined && only !== this.id;
    const failure = isOther
      ? nameMovedOn
      : native.objectRemoveName(this.index, this.#isInside || this.holder !== null);
    if (failure) throw explain(failure, this.kind, this.name);
  }

  /** Nobody uses it any more, and its name goes. */
  end(): void {
    const isLock = this.kind === 'lock' || this.kind === 'rlock';
    const failure = native.objectEnd(this.index, isLock, this.#isInside || this.holder !== null);
    // Also those who wait for this very thread.
    this.#failAll(this.endedError());
    if (failure) throw explain(failure, this.kind, this.name);
  }

  #settleAfterwards(): void {
    const all = this.#afterwards ?? [];
    this.#afterwards = undefined;
    for (const act of all) act();
  }

  /** Lets those have it who are queued; should this be interrupted, when the turn has ended. */
  #serve(): void {
    atEndOfTurn(this.#goOn);
    if (this.#isAwaitedByTasks()) this.#advance();
    callOff(this.#goOn);
  }

  #goOnServing(): void {
    const { holder } = this;
    if (holder === null) {
      if (this.#queue.size > 0 && !this.#agentAsked) this.#serve();
    } else if (this.kind === 'rlock') {
      this.#admitAll(holder);
    } else if (this.#granted !== undefined) {
      this.#tell(this.#granted, holder);
    }
  }

  /** Whether anybody waits here who has the promise of it. */
  #isAwaitedByTasks(): boolean {
    for (const waiter of this.#queue) {
      if (waiter.hasBegun) return true;
      waiter.undo();
    }
    return false;
  }

  /** A re-entrant lock is its thread's, with all the tasks of it. */
  #admitAll(guard: Holder): void {
    for (const waiter of this.#queue) {
      waiter.resolve(guard);
      this.#remove(waiter);
    }
  }

  #tell(waiter: QueuedTask, guard: Holder): void {
    this.#remove(waiter);
    // Those behind may have come while the agent was asked.
    if (this.#queue.size > 0) this.#keepAlive();
    waiter.resolve(guard);
    this.#granted = undefined;
  }

  /** Somebody is queued and nobody of this thread holds the lock. */
  #advance(): void {
    if (this.#handovers < mostHandovers) {
      this.#handovers++;
      const outcome = this.#tryLock() ?? Acquired.Yes;
      if (outcome !== Acquired.Timeout) {
        this.#settleFirst(outcome, false);
        return;
      }
    }
    this.#handovers = 0;
    this.#askAgent();
  }

  #askAgent(): void {
    if (agents.size === 0) process.on('exit', (thread.awaitAgents = awaitAgents));
    agents.add(this.index);
    this.#agentAsked = native.agentRequest(this.index);
    if (!this.#agentAsked) this.#fail('EAGAIN', 'the system gives no thread to wait for it');
  }

  #settleFirst(outcome: Acquired, byAgent: boolean): void {
    const [first] = this.#queue;
    if (first === undefined) return;
    let result: Holder | null | typeof gone;
    try {
      result = this.#conclude(first.lock, outcome, byAgent);
    } catch {
      return; // all who wait were told
    }
    if (result === null || result === gone) return;
    this.#granted = first;
    this.#tell(first, result);
  }

  #remove(waiter: QueuedTask): void {
    this.#queue.delete(waiter);
    if (this.#queue.size === 0) this.#letEnd();
  }

  #empty(): QueuedTask[] {
    const all = [...this.#queue];
    this.#queue.clear();
    this.#letEnd();
    return all;
  }

  #keepAlive(): void {
    if (this.#isAwaited) return;
    this.#isAwaited = true;
    native.lockAwait(this.index, true);
  }

  #letEnd(): void {
    if (!this.#isAwaited) return;
    this.#isAwaited = false;
    native.lockAwait(this.index, false);
  }

  /** When the lock is gone or broken, also settles all who wait here. */
  #conclude<G extends Holder>(
    lock: LockHandle<G>,
    outcome: Acquired,
    byAgent: boolean,
    isScoped = false,
  ): G | null | typeof gone {
    switch (outcome) {
      case Acquired.Yes:
      case Acquired.Abandoned: {
        this.#agentHolds = byAgent;
        const holder = (this.holder = lock.guard(this, outcome === Acquired.Abandoned, isScoped));
        if (this.kind === 'rlock') this.#admitAll(holder);
        return holder;
      }
      case Acquired.Timeout:
        return null;
      case Acquired.Gone:
        for (const waiter of this.#empty()) waiter.moveOn();
        return gone;
      case Acquired.Ended:
        throw this.#failAll(this.endedError());
      case Acquired.TooManyHeld:
        throw this.#fail('ERR_CAPACITY', tooManyHeld);
      case Acquired.Broken:
      case Acquired.Shallow: // was settled before
        throw this.#fail('ERR_CORRUPT', overwritten);
    }
  }

  /** The error for all who wait here. */
  #fail(code: 'EAGAIN' | 'ERR_CAPACITY' | 'ERR_CORRUPT', why: string): SharedMemoryError {
    const error = new SharedMemoryError(code, `${called(this.kind, this.name)}: ${why}`, {
      resource: this.name,
    });
    return this.#failAll(error);
  }

  #failAll(error: SharedMemoryError): SharedMemoryError {
    for (const waiter of this.#empty()) waiter.reject(error);
    return error;
  }
}

/** Nobody got the lock in so much time. */
export function notFree(kind: Kind, name: string, timeout: number): SharedMemoryError {
  return new SharedMemoryError(
    'ERR_TIMEOUT',
    `${called(kind, name)} was not free within ${timeout} ms`,
    { resource: name },
  );
}
