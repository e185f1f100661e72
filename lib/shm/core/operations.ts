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

/** Other functions to call at the end of the turn. */
const afterwards = new Set<() => void>();

/** Whether a call of {@link endOperations} has been requested. */
let isAwaited = false;

/** Undoes an interrupted operation, before the next operation records its initial state. */
export function undoInterrupted(): void {
  if (current !== undefined) undoCurrent();
}

/** Begins an operation; {@link endOperation} ends it. */
export function beginOperation(operation: Operation): void {
  undoInterrupted();
  if (!isAwaited) awaitEndOfTurn();
  // This is the last statement: what the caller does next, without a call, still belongs to the beginning.
  current = operation;
}

export function endOperation(): void {
  current = undefined;
}

/**
 * Undoes what was interrupted in this very turn. To be called at the beginning of methods that an operation
 * which is still running cannot have called.
 */
export function settleOperations(): void {
  undoInterrupted();
  if (outer.size > 0) undoOuter();
}

/** To be called when the operation is going to make a foreign call, or to begin operations of its own. */
export function holdOperation(operation: Operation): void {
  if (current === operation) current = undefined;
  outer.set(operation, currentForeignCall());
  if (!isAwaited) awaitEndOfTurn();
}

/**
 * A task has what it waits for, or a promise of it, so nothing of its beginning must be undone any more.
 * Nothing may be called between this call and the return to the caller.
 *
 * @param noted - the operation that the first attempt may have left recorded.
 */
export function endBeginning(noted?: Operation, held?: Operation, heldBesides?: Operation): void {
  // Not a loop: V8 may interrupt at each iteration.
  if (noted !== undefined && current === noted) current = undefined;
  if (held !== undefined) outer.delete(held);
  if (heldBesides !== undefined) outer.delete(heldBesides);
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

export function callOff(act: () => void): void {
  afterwards.delete(act);
}

function awaitEndOfTurn(): void {
  isAwaited = true;
  thread.turnEnds.add(endOperations);
  control[controlAt.lookAtEnd] = 1;
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
  current = undefined;
  if (operation !== undefined) attempt(() => operation.undo());
}

function undoOuter(): void {
  const interrupted = [...outer].filter(([, within]) => isInterrupted(within));
  for (const [operation] of interrupted) outer.delete(operation);
  for (const [operation] of interrupted) attempt(() => operation.undo());
}

/** There is no caller to report a failure to. The next user of the object finds the reason. */
function attempt(act: () => void): void {
  try {
    act();
  } catch {
    // See above.
  }
}
