import { thread } from './binding';
import { control, controlAt } from './control';
import { currentForeignCall, isInterrupted } from './foreign';

/**
 * Something that leaves marks in shared memory before it is done: a permit that is taken before there
 * is a guard for it, a party that has arrived and waits. A thread that dies is found out by the others;
 * one that was interrupted lives on, and has to take its marks back itself.
 *
 * Operations are synchronous. So one that is under way when the next begins, or when a turn of the
 * event loop ends, was interrupted.
 */
export interface Operation {
  /** It was interrupted: takes back what it has done, if it has done anything. */
  undo(): void;
}

let current: Operation | undefined;

/** Those that wait for a function that is not the library's, each with the call that it began within. */
const outer = new Map<Operation, number>();

/** Whatever else is to be done at the end of the turn. */
const afterwards = new Set<() => void>();

/** Whether {@link endOperations} is going to be called. */
let isAwaited = false;

/** Undoes what was interrupted, before it is written down what the next operation begins with. */
export function undoInterrupted(): void {
  if (current !== undefined) undoCurrent();
}

/** Begins an operation; {@link endOperation} ends it. */
export function beginOperation(operation: Operation): void {
  undoInterrupted();
  if (!isAwaited) awaitEndOfTurn();
  // The last thing that it does: what the caller does next without a call is part of the beginning.
  current = operation;
}

export function endOperation(): void {
  current = undefined;
}

/**
 * Undoes what was interrupted in this very turn: to be called where a method begins that an operation
 * which is still under way could not have called.
 */
export function settleOperations(): void {
  undoInterrupted();
  if (outer.size > 0) undoOuter();
}

/** The operation is going to call others' code, or to begin operations of its own. */
export function holdOperation(operation: Operation): void {
  if (current === operation) current = undefined;
  outer.set(operation, currentForeignCall());
  if (!isAwaited) awaitEndOfTurn();
}

/**
 * A task has what it waits for, or a promise of it: nothing of its beginning is to be taken back any
 * more. Nothing may be called between this and the return of what was asked for.
 *
 * @param noted - what the first attempt may have left noted.
 */
export function endBeginning(noted?: Operation, held?: Operation, heldBesides?: Operation): void {
  // No loop: V8 may interrupt at each of its turns.
  if (noted !== undefined && current === noted) current = undefined;
  if (held !== undefined) outer.delete(held);
  if (heldBesides !== undefined) outer.delete(heldBesides);
}

/** The operation that was held is done. */
export function endHeldOperation(operation: Operation): void {
  outer.delete(operation);
  undoInterrupted();
}

/** Has something done when the turn of the event loop ends, unless it is called off. */
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

/** A turn of the event loop has ended. */
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

/** Nobody is there to be told of a failure: whoever uses the object next finds the reason. */
function attempt(act: () => void): void {
  try {
    act();
  } catch {
    // See above.
  }
}
