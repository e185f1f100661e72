import { thread } from './binding';
import { control, controlAt } from './control';
import { currentForeignCall, isInterrupted } from './foreign';

/**
 * An operation leaves marks in shared memory before it is complete: for example a permit that was taken but
 * has no guard yet, or a party that has arrived at a barrier and waits. When a thread dies, others find out
 * and clean up. A thread that was interrupted lives on, and must take its marks back itself.
 *
 * Operations are synchronous. So if an operation is still active when the next one begins, or when a turn of
 * the event loop ends, it was interrupted.
 */
export interface Operation {
  /** Called after an interruption: takes back what the operation has done, if anything. */
  undo(): void;
}

let current: Operation | undefined;

/** Operations that wait for a foreign call, each with the number of the foreign call that it began within. */
const outer = new Map<Operation, number>();

/** Operations that are complete, but are still in `current` or `outer`. */
let complete: readonly (Operation | undefined)[] = [];

/** Other functions to call at the end of the turn. */
const afterwards = new Set<() => void>();

/** Whether a call of {@link endOperations} has been requested. */
let isAwaited = false;

/** Undoes an interrupted operation, before the next operation records its initial state. */
export function undoInterrupted(): void {
  if (complete.length > 0) removeComplete();
  if (current !== undefined) undoCurrent();
}

/** Begins an operation; {@link endOperation} ends it. */
export function beginOperation(operation: Operation): void {
  undoInterrupted();
  if (!isAwaited) awaitEndOfTurn();
  // This must be the last statement. V8 interrupts only at calls and in loops. So there is no interrupt between
  // this statement and the next call that the caller makes.
  current = operation;
}

export function endOperation(): void {
  current = undefined;
}

/**
 * Undoes all operations that were interrupted, without waiting for the end of the turn. Must be called only at the
 * beginning of methods that an operation never calls directly. While an operation is running, such a method can be
 * reached only through a foreign call that the operation makes.
 */
export function settleOperations(): void {
  undoInterrupted();
  if (outer.size > 0) undoOuter();
}

/**
 * Must be called before an operation makes a foreign call or begins other operations. From then on, the next
 * operation does not treat it as interrupted. {@link endHeldOperation} or {@link endBeginning} ends it.
 */
export function holdOperation(operation: Operation): void {
  if (complete.length > 0) removeComplete();
  if (!isAwaited) awaitEndOfTurn();
  // If this function is interrupted after this statement, the operation is in both places.
  outer.set(operation, currentForeignCall());
  if (current === operation) current = undefined;
}

/**
 * Called when a task gets what it waits for, or a promise of it. From then on, an interrupt does not undo the
 * beginning of the wait: either all of its operations are undone, or none. The function that calls this must make no
 * other call before it returns.
 *
 * @param task - the task that waits, if there is one; it is told that it has begun.
 * @param noted - the operation that is still recorded after the first attempt, if any.
 * @param held - an operation that was passed to {@link holdOperation}.
 */
export function endBeginning(
  task: (Operation & { hasBegun: boolean }) | undefined,
  noted?: Operation,
  held?: Operation,
): void {
  if (complete.length > 0) removeComplete();
  // There is no call from here on until the caller returns. So all of this is done, or nothing.
  complete = [task, noted, held];
  if (task !== undefined) task.hasBegun = true;
}

/** To be called when an operation that was held is complete. */
export function endHeldOperation(operation: Operation): void {
  outer.delete(operation);
  undoInterrupted();
}

/** Requests a call at the end of this turn of the event loop, unless it is called off. */
export function atEndOfTurn(act: () => void): void {
  afterwards.add(act);
  if (!isAwaited) awaitEndOfTurn();
}

/** Withdraws a request that was made with {@link atEndOfTurn}. */
export function callOff(act: () => void): void {
  afterwards.delete(act);
}

/** If it is interrupted, it is called again before anything is undone. */
function removeComplete(): void {
  for (const operation of complete) {
    if (operation === undefined) continue;
    if (current === operation) current = undefined;
    outer.delete(operation);
  }
  complete = [];
}

function awaitEndOfTurn(): void {
  thread.turnEnds.add(endOperations);
  control[controlAt.lookAtEnd] = 1;
  // Last: if this function is interrupted, the next operation calls it again.
  isAwaited = true;
}

/** Called when a turn of the event loop has ended. */
function endOperations(): void {
  isAwaited = false;
  undoInterrupted();
  if (outer.size > 0) undoOuter();
  const acts = [...afterwards];
  afterwards.clear();
  for (const act of acts) attempt(act);
  if (outer.size > 0) awaitEndOfTurn();
}

function undoCurrent(): void {
  const operation = current;
  if (operation === undefined) return;
  outer.delete(operation);
  current = undefined;
  attempt(() => operation.undo());
}

function undoOuter(): void {
  const interrupted = [...outer].filter(([, within]) => isInterrupted(within));
  for (const [operation] of interrupted) outer.delete(operation);
  for (const [operation] of interrupted) attempt(() => operation.undo());
}

/**
 * Calls a function and ignores its errors, because there is no caller to report them to. If the object is damaged,
 * its next user gets an error anyway.
 */
function attempt(act: () => void): void {
  try {
    act();
  } catch {
    // See above.
  }
}
