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
import { sealedKinds, type ObjectKind } from './layout';
import { ObjectSeat, nameMovedOn, openObject, type Contents } from './object-seat';
import { atEndOfTurn, callOff } from './operations';
import { explainOpening } from './missing';
import { refused } from './refusals';

const { agents, callbacks } = thread;

// The calls that must be fastest. They are read from the addon's object only once, because reading a property
// of that object costs as much as the mutex itself.
const {
  lock: nativeLock,
  tryLock: nativeTryLock,
  unlock: nativeUnlock,
  addFloat64: nativeAddFloat64,
  proveStack: nativeProveStack,
} = native;

/**
 * The seats of this thread, by their index. Some of these seats may be instances of another realm's class; see
 * lib/loading/home.ts.
 */
const seats = thread.seats as Map<number, LockSeat>;

if (!thread.isInitialized) {
  const { onGrant, onNews, onTurn, nothing } = callbacks;
  native.initialize(control, onGrant, onNews, onTurn, nothing);
  thread.isInitialized = true;
}

/** Throws the engine's stack overflow error if the stack does not suffice for what is done under a lock. */
function proveStack(): void {
  if (!nativeProveStack()) proveStack();
}

/**
 * Waits, before the process ends, until the agents have unlocked what this thread has released. An agent is a
 * thread that acquires and unlocks a lock on behalf of this thread (see {@link LockSeat}), and it may need a
 * moment to unlock. If the process ended before that, other processes would believe that it died while it held
 * the lock.
 */
function awaitAgents(): void {
  for (const index of agents) native.agentAwaitReturn(index);
}

function stopAwaitingAgents(): void {
  if (thread.awaitAgents !== undefined) process.off('exit', thread.awaitAgents);
  thread.awaitAgents = undefined;
}

/**
 * How often in a row a thread hands a lock from task to task without offering it to other processes in
 * between.
 */
const mostHandovers = 16;

const tooManyHeld =
  'this thread already holds 2000 locks; if it died, the system could not release more';

const noThread = 'the system could not create a thread to wait for it';

const overwritten = 'its bytes were overwritten; unlink it and open it again';

/** Returned instead of a guard if the object of this seat was unlinked. The name must be opened again. */
export const gone: unique symbol = Symbol.for('shmkit.gone');

/** Whether a seat was taken. Works for seats of any realm. */
export function isSeat(taken: LockSeat | NativeFailure | NativeRefusal): taken is LockSeat {
  return 'index' in taken;
}

/** A guard: it holds the lock within this thread. */
export interface Holder {
  /** The handle that the lock was acquired through. */
  readonly lock: object;
  readonly abandoned: boolean;
  /** Whether the library releases the lock before it returns to its caller. */
  isScoped: boolean;
  /** Called when an owner died while this guard had released the lock temporarily ({@link LockSeat.suspend}). */
  noteAbandoned(): void;
  release(): void;
}

/** A handle that the lock is acquired through. Its class may be of any realm. */
export interface LockHandle<G extends Holder = Holder> {
  readonly kind: Kind;
  readonly name: string;
  readonly held: boolean;
  /** A guard for this lock, of the class of the caller's realm. The seat may be from another realm. */
  guard(seat: LockSeat, abandoned: boolean, isScoped?: boolean): G;
  release(): void;
  /** Called when the old lock was unlinked. Takes a seat at the lock that has the name now. */
  reopen(): LockSeat;
}

/** A task that is queued for the lock. */
export interface QueuedTask {
  readonly lock: LockHandle;
  /** Whether the caller has received the task's promise. */
  readonly hasBegun: boolean;
  /**
   * Called when the beginning of the task was interrupted, so that its caller has not received the promise.
   * Takes the task out of the queue.
   */
  undo(): void;
  /** Called when the lock was unlinked. From then on, the task waits for the lock that has the name now. */
  moveOn(): void;
  resolve(holder: Holder): void;
  reject(reason: unknown): void;
  giveUp(reason: unknown): void;
}

/**
 * What all handles of one thread to one object share of its lock: which guard of this thread holds it, and
 * which tasks wait for it.
 *
 * The lock is held either by this thread itself or by its agent. The agent is a thread that waits for the
 * lock so that this thread need not (native/core/agent_thread.h). When the agent is asked, this thread itself
 * tries to get the lock at first, once in each turn of the event loop (native/binding/spinner.h). Invariants, by
 * number:
 *
 * - T1  `holder` is the one guard of this thread, or null.
 * - T2  The agent is asked for the lock exactly while a task is queued and no guard of this thread
 *       holds the lock.
 * - T3  While the agent is asked, this thread takes the lock only through the agent. Otherwise this thread
 *       could block until the agent releases the lock, while the agent holds it for a task that cannot run
 *       because the thread is blocked.
 * - T4  While a task is queued, the event loop is kept alive: by the agent while it is asked, otherwise
 *       by the seat itself.
 */
export class LockSeat extends ObjectSeat {
  holder: Holder | null = null;
  readonly #queue = new Set<QueuedTask>();
  #handles = 1;
  /** Whether this thread is between {@link enter} and {@link exit}. */
  #isInside = false;
  /**
   * The number of the foreign call (see foreign.ts) within which the current use of the lock began, if that use
   * makes foreign calls itself. Otherwise {@link noCall}.
   */
  #within = noCall;
  readonly #goOn = () => this.#goOnServing();
  /** The task that has got the lock but has not been told yet. */
  #granted: QueuedTask | undefined;
  #agentAsked = false;
  /** Whether the seat keeps the event loop alive. */
  #isAwaited = false;
  #handovers = 0;
  #afterwards: (() => void)[] | undefined;

  /** Takes the seat of an object for one handle; paired with {@link leave}. */
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

  /** The same, but returns the reason when it fails. */
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

  /**
   * Counts one more handle. This is a method because the new handle may be from another realm. The class of that
   * realm cannot access the private fields of this seat.
   */
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
   * Does something short under the lock, on behalf of the object's own class. This thread does not hold the
   * lock already when it calls this method: each such use of the lock ends before anything else in this thread
   * runs.
   *
   * @throws SharedMemoryError `ERR_CORRUPT`; `ERR_CAPACITY` this thread holds 2000 locks already.
   */
  exclusively<T>(act: () => T): T {
    // It does not matter if the last owner died: the object's class commits each change by a single word, so
    // the data is whole.
    this.enter();
    try {
      return act();
    } finally {
      this.exit();
    }
  }

  /**
   * Acquires the lock for a moment, as {@link exclusively} does; {@link exit} releases it.
   *
   * @returns whether the last owner died.
   * @throws SharedMemoryError `ERR_TIMEOUT` the lock was not free within the timeout.
   */
  enter(timeout?: number): boolean {
    const outcome = timeout === undefined ? this.#lock() : this.#lockWithin(timeout);
    this.#isInside = outcome === undefined || outcome === Acquired.Abandoned;
    this.#within = noCall;
    if (this.#isInside) return outcome !== undefined;
    if (outcome === Acquired.Timeout) throw notFree(this.kind, this.name, timeout ?? 0);
    if (outcome === Acquired.TooManyHeld) throw this.#fail('ERR_CAPACITY', tooManyHeld);
    if (outcome === Acquired.Ended) throw this.#failAll(this.endedError());
    if (outcome === Acquired.Gone && sealedKinds.has(this.kind)) throw this.freedError();
    throw this.#fail('ERR_CORRUPT', overwritten);
  }

  /** The error for an object that nobody holds any more. */
  freedError(): SharedMemoryError {
    return new SharedMemoryError(
      'ENOENT',
      `there is no ${called(this.kind, this.name)} any more: nobody holds it`,
      { resource: this.name },
    );
  }

  /** Whether this thread is between {@link enter} and {@link exit}, or was interrupted there. */
  get isInside(): boolean {
    return this.#isInside;
  }

  /**
   * Must be called before the library makes a foreign call under this lock, if the library itself releases the
   * lock after that call. Makes {@link isCallInterrupted} possible.
   */
  noteCall(): void {
    this.#within = currentForeignCall();
  }

  /**
   * Whether the foreign call that was announced by {@link noteCall} was interrupted. Must be asked only in code
   * that nothing but the called function can reach while the foreign call runs. If such code runs outside the
   * call, the call was interrupted.
   */
  get isCallInterrupted(): boolean {
    return isInterrupted(this.#within);
  }

  exit(): void {
    this.#isInside = false;
    control[controlAt.seat] = this.index;
    nativeUnlock();
  }

  /**
   * Runs a function under the lock if the lock is free now, or if this thread holds it. Does nothing
   * otherwise. This is for objects whose lock programs acquire themselves. If the last owner died, this method
   * does not use up that information: the next program that acquires the lock still gets it.
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
   * Acquires the lock. The caller has made sure that this thread does not hold it. Blocks.
   *
   * @param isScoped - whether the library releases the lock before it returns to its caller.
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
      if (outcome === undefined) throw this.#fail('EAGAIN', noThread);
      if (this.#queue.size > 0) this.#keepAlive();
      return this.#conclude(lock, outcome, isScoped);
    }
    const outcome = timeout === undefined ? this.#lock() : this.#lockWithin(timeout);
    if (outcome === undefined) return (this.holder = lock.guard(this, false, isScoped));
    return this.#conclude(lock, outcome, isScoped);
  }

  /** Acquires the lock, or returns null when it is held or a task of this thread waits for it. */
  tryAcquire<G extends Holder>(lock: LockHandle<G>, isScoped = false): G | null | typeof gone {
    if (this.holder !== null && !this.reclaim()) return null;
    if (this.#queue.size > 0 && this.#isAwaitedByTasks()) return null;
    if (isScoped) this.noteCall();
    const outcome = this.#tryLock();
    if (outcome === undefined) return (this.holder = lock.guard(this, false, isScoped));
    return this.#conclude(lock, outcome, isScoped);
  }

  release(): void {
    // If this call is interrupted, the queued tasks are served at the end of the turn.
    if (this.#queue.size > 0) atEndOfTurn(this.#goOn);
    this.holder = null;
    control[controlAt.seat] = this.index;
    // The agent needs a moment to unlock the lock, so this thread would not get it at once.
    if (nativeUnlock() === true) this.#handovers = mostHandovers;
    if (this.#afterwards !== undefined) this.#settleAfterwards();
    if (this.#queue.size > 0) this.#serve();
  }

  /**
   * Releases the lock that this thread holds, if the library acquired it to call a function, and an interrupt
   * ended both the function and the library's own call. The next owner is told that the lock was abandoned,
   * as after a death.
   *
   * @returns whether the lock was released.
   */
  reclaim(): boolean {
    if (this.holder?.isScoped !== true) return false;
    // A re-entrant lock may have been acquired for several functions, and any of them may still be running.
    const isOver = this.kind === 'rlock' ? areAllInterrupted() : this.isCallInterrupted;
    if (!isOver) return false;
    this.#abandon();
    return true;
  }

  /**
   * Called when a turn of the event loop has ended and this thread holds the lock. Releases the lock if no
   * caller can release it any more. If there is no guard, the acquisition was interrupted: a caller that means
   * to keep the lock has received its guard by now.
   */
  endTurn(): void {
    if (this.holder === null) this.#abandon();
    else this.reclaim();
  }

  /** Requests a call of {@link endTurn} at the end of the turn, if the lock is held then. */
  lookAtEndOfTurn(): void {
    atEndOfTurn(() => {
      if (this.holder !== null) this.endTurn();
    });
  }

  #abandon(): void {
    this.#isInside = false;
    this.interrupted();
    native.lockAbandon(this.index);
    // If this thread was interrupted right after it had collected the lock from the agent, it did not note that.
    if (this.#agentAsked) {
      this.#agentAsked = false;
      native.agentCancel(this.index);
    }
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

  /**
   * Called when an attempt was refused because nothing has shown yet that the stack suffices at this depth.
   * Proves that it suffices, and tries again.
   */
  #again(lock: () => Acquired | undefined): Acquired | undefined {
    proveStack();
    control[controlAt.seat] = this.index;
    return lock();
  }

  /** Requests a call as soon as this thread has released the lock, which it holds now. */
  afterwards(act: () => void): void {
    (this.#afterwards ??= []).push(act);
  }

  /** Adds to the float64 at an offset in the object, atomically; returns the value before. */
  addFloat64(offset: number, delta: number): number {
    control[controlAt.seat] = this.index;
    operands[operand.at] = offset;
    operands[operand.delta] = delta;
    nativeAddFloat64();
    return operands[operand.before] ?? NaN;
  }

  /** Releases the lock temporarily. {@link resume} makes the same guard hold it again. */
  suspend(): Holder {
    const guard = this.holder;
    if (guard === null) throw new Error('nobody to suspend');
    this.release();
    return guard;
  }

  /**
   * Called when the lock was acquired again on behalf of a guard that was suspended. From then on that guard
   * holds the lock.
   */
  resume(guard: Holder, again: Holder): void {
    if (again.abandoned) guard.noteAbandoned();
    this.holder = guard;
  }

  enqueue(waiter: QueuedTask): void {
    this.#queue.add(waiter);
    if (this.holder !== null) this.#keepAlive();
    else if (!this.#agentAsked) this.#askAgent(true);
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

  /**
   * Called after the agent got an outcome. Gives the outcome to the first queued task. Does nothing if the
   * outcome has been collected in the meantime.
   */
  collect(): void {
    // If a request was interrupted, the agent may have got the lock for tasks that have got it since in another way.
    if (!this.#isAwaitedByTasks()) {
      this.#agentAsked = false;
      native.agentCancel(this.index);
      return;
    }
    const outcome = native.agentCollect(this.index);
    if (outcome === undefined) return;
    this.#agentAsked = false;
    if (outcome === Acquired.Timeout) {
      this.#fail('EAGAIN', noThread);
      return;
    }
    // If this call is interrupted, the task is told at the end of the turn.
    atEndOfTurn(this.#goOn);
    this.#settleFirst(outcome);
    callOff(this.#goOn);
  }

  /** @param only - the id of the object that the name is expected to lead to; undefined: any object */
  unlinkLocked(only?: string): void {
    const isOther = only !== undefined && only !== this.id;
    const failure = isOther ? nameMovedOn : native.lockUnlink(this.index, this.holder !== null);
    if (failure) throw explain(failure, this.kind, this.name);
  }

  /** Removes the name if it still leads to this object. Processes that are attached keep the object. */
  removeName(only?: string): void {
    const isOther = only !== undefined && only !== this.id;
    const failure = isOther
      ? nameMovedOn
      : native.objectRemoveName(this.index, this.#isInside || this.holder !== null);
    if (failure) throw explain(failure, this.kind, this.name);
  }

  /** Ends the object: nobody can use it any more, and its name is removed. */
  end(): void {
    const isLock = this.kind === 'lock' || this.kind === 'rlock';
    const failure = native.objectEnd(this.index, isLock, this.#isInside || this.holder !== null);
    // Rejects all tasks that wait for the lock, including those that wait for a guard of this same thread.
    this.#failAll(this.endedError());
    if (failure) throw explain(failure, this.kind, this.name);
  }

  #settleAfterwards(): void {
    const all = this.#afterwards ?? [];
    this.#afterwards = undefined;
    for (const act of all) act();
  }

  /** Gives the lock to queued tasks. If this is interrupted, it goes on at the end of the turn. */
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

  /**
   * Whether there is a queued task whose caller has received the promise. The beginning of other tasks was
   * interrupted, so they are undone.
   */
  #isAwaitedByTasks(): boolean {
    for (const waiter of this.#queue) {
      if (waiter.hasBegun) return true;
      waiter.undo();
    }
    return false;
  }

  /**
   * Gives the guard of a re-entrant lock to all queued tasks: such a lock belongs to the thread, and so to all
   * tasks of the thread.
   */
  #admitAll(guard: Holder): void {
    for (const waiter of this.#queue) {
      waiter.resolve(guard);
      this.#remove(waiter);
    }
  }

  #tell(waiter: QueuedTask, guard: Holder): void {
    this.#remove(waiter);
    // More tasks may have been queued while the agent was asked.
    if (this.#queue.size > 0) this.#keepAlive();
    waiter.resolve(guard);
    this.#granted = undefined;
  }

  /** Called when a task is queued and no guard of this thread holds the lock. */
  #advance(): void {
    const isOurTurn = this.#handovers < mostHandovers;
    if (isOurTurn) {
      this.#handovers++;
      const outcome = this.#tryLock() ?? Acquired.Yes;
      if (outcome !== Acquired.Timeout) {
        this.#settleFirst(outcome);
        return;
      }
    }
    this.#handovers = 0;
    this.#askAgent(isOurTurn);
  }

  /** @param spins - whether this thread itself tries to get the lock for a moment, before the agent waits for it. */
  #askAgent(spins: boolean): void {
    if (agents.size === 0) process.on('exit', (thread.awaitAgents = awaitAgents));
    agents.add(this.index);
    this.#agentAsked = native.agentRequest(this.index, spins);
    if (!this.#agentAsked) this.#fail('EAGAIN', noThread);
  }

  #settleFirst(outcome: Acquired): void {
    const [first] = this.#queue;
    if (first === undefined) return;
    let result: Holder | null | typeof gone;
    try {
      result = this.#conclude(first.lock, outcome);
    } catch {
      return; // all waiting tasks were rejected with the error
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

  /**
   * Makes a guard, or another result, of the outcome of an acquisition. If the lock was unlinked, all waiting
   * tasks move on to its successor. If there is an error, they are rejected with it.
   */
  #conclude<G extends Holder>(
    lock: LockHandle<G>,
    outcome: Acquired,
    isScoped = false,
  ): G | null | typeof gone {
    switch (outcome) {
      case Acquired.Yes:
      case Acquired.Abandoned: {
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
      case Acquired.Shallow: // was handled before
        throw this.#fail('ERR_CORRUPT', overwritten);
    }
  }

  /** Makes an error and rejects all waiting tasks with it. */
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

/** The error when the lock was not acquired within the timeout. */
export function notFree(kind: Kind, name: string, timeout: number): SharedMemoryError {
  return new SharedMemoryError(
    'ERR_TIMEOUT',
    `${called(kind, name)} was not free within ${timeout} ms`,
    { resource: name },
  );
}
