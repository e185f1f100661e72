import { thread } from './binding';
import { atOnce } from '../../common/sync-callbacks';
import { control, controlAt } from './control';

/**
 * Foreign calls: calls of functions that do not belong to the library, made while the library is in the
 * middle of something. Examples are the function passed to `update`, and a getter of a value.
 *
 * Such a function may use the library again. It may also be interrupted for good (by `vm` timeouts, Ctrl-C in
 * the REPL, or the inspector's terminate). V8 then leaves the function and all its callers, up to the place
 * where the interrupt is caught, without running a `catch` or a `finally`. If the interrupt is caught within
 * another foreign function, that function goes on running. To find out which calls are still running, the
 * stack must be examined. This is slow, and so it is done only where an error depends on the answer.
 *
 * Each call has a depth: the number of calls that have begun before it and have not ended, including
 * interrupted ones. The name of the stack frame that makes the call contains the depth. An interrupted call does
 * not end, so the next call gets a greater depth and is not confused with it. When a call ends, the depth returns
 * to what it was when that call began, even if calls within it were interrupted.
 *
 * Realms of one thread call each other, so their calls are counted together.
 */
const { foreignCalls, lastForeignCall } = controlAt;

/** The number of the call at each depth. Index 0 has the number for code outside all foreign calls. */
const { foreignCallsAt } = thread;

/**
 * Makes a foreign call.
 *
 * @param notAsync - the beginning of the message about an async function. If this is given, the function must
 * not return a promise.
 */
export function callForeign<A, T>(fn: (argument: A) => T, argument: A, notAsync?: string): T {
  const outer = control[foreignCalls] ?? 0;
  const depth = outer + 1;
  control[foreignCalls] = depth;
  foreignCallsAt[depth] = nextCall();
  try {
    const result = (callers[depth] ?? callerAt(depth))(fn, argument);
    return notAsync === undefined ? result : atOnce(result, notAsync);
  } finally {
    control[foreignCalls] = outer; // also correct if calls within this one were interrupted
  }
}

/**
 * Returns the number of the innermost foreign call that is running or was interrupted. An operation that will make
 * foreign calls stores this number when it begins, and later passes it to {@link isInterrupted}.
 */
export function currentForeignCall(): number {
  return foreignCallsAt[control[foreignCalls] ?? 0] ?? 0;
}

/** A number that {@link currentForeignCall} never returns. */
export const noCall = -1;

/**
 * Whether an operation was interrupted. The operation began within a foreign call (the outer call), or outside
 * all foreign calls. It makes a foreign call itself (the inner call), which is one level deeper. If the inner
 * call is not running, the operation was interrupted. So this function must be called only from code that cannot
 * run during the operation, except within the inner call.
 *
 * Returns false where the engine does not show the stack: nothing is treated as interrupted as long as it is not
 * certain.
 *
 * @param within - what {@link currentForeignCall} returned when the operation began; {@link noCall} if it was
 * not going to make a foreign call.
 */
export function isInterrupted(within: number): boolean {
  const outer = foreignCallsAt.lastIndexOf(within);
  if (outer === -1 || outer >= (control[foreignCalls] ?? 0)) return true;
  return liveDepths()?.has(outer + 1) === false;
}

/**
 * Whether all calls that have begun and not ended were interrupted. Like {@link isInterrupted}, it returns
 * false when that is not certain.
 */
export function areAllInterrupted(): boolean {
  return control[foreignCalls] === 0 || liveDepths()?.size === 0;
}

function nextCall(): number {
  // Small and not negative: the engine stores such numbers most efficiently.
  return (control[lastForeignCall] = ((control[lastForeignCall] ?? 0) + 1) & 0x3fff_ffff);
}

type Caller = <A, T>(fn: (argument: A) => T, argument: A) => T;

/** The prefix contains a space, which the names of other functions do not. So it identifies these frames. */
const namePrefix = 'shmkit call ';

const callers: Caller[] = [];

function callerAt(depth: number): Caller {
  const caller: Caller = (fn, argument) => fn(argument);
  Object.defineProperty(caller, 'name', { value: namePrefix + String(depth) });
  return (callers[depth] = caller);
}

/**
 * Returns the depths of the foreign calls that are on the stack now, of all realms. Returns undefined where the
 * engine does not show the stack.
 */
function liveDepths(): ReadonlySet<number> | undefined {
  const live = doesEngineTell ? depthsOnStack() : undefined;
  if (live?.size === 0) {
    control[foreignCalls] = 0;
    // No foreign call is running. The code outside all foreign calls gets a new number here. So the numbers that
    // earlier operations have stored are no longer found, and these operations are treated as interrupted.
    foreignCallsAt[0] = nextCall();
  }
  return live;
}

function depthsOnStack(): ReadonlySet<number> | undefined {
  const names = callSites()?.map((site) => site.getFunctionName() ?? '');
  return (
    names &&
    new Set(
      names
        .filter((name) => name.startsWith(namePrefix))
        .map((name) => Number(name.slice(namePrefix.length))),
    )
  );
}

type Site = Pick<NodeJS.CallSite, 'getFunctionName'>;
type PrepareStackTrace = (error: Error, sites: NodeJS.CallSite[]) => unknown;

/** The whole stack, innermost frame first; undefined where the engine does not show it. */
function callSites(): readonly Site[] | undefined {
  const engine = Error as { stackTraceLimit: number; prepareStackTrace?: PrepareStackTrace };
  const before = Object.getOwnPropertyDescriptor(engine, 'prepareStackTrace');
  const { stackTraceLimit } = engine;
  try {
    engine.stackTraceLimit = Infinity;
    engine.prepareStackTrace = (_, sites) => sites;
    const sites: unknown = new Error().stack;
    return Array.isArray(sites) ? (sites as readonly Site[]) : undefined;
  } catch {
    return undefined; // Error cannot be changed here
  } finally {
    Reflect.set(engine, 'stackTraceLimit', stackTraceLimit);
    // First an assignment: in Bun, defining or deleting the property alone leaves the temporary function in
    // force.
    Reflect.set(engine, 'prepareStackTrace', before?.value);
    if (before === undefined) Reflect.deleteProperty(engine, 'prepareStackTrace');
    else Reflect.defineProperty(engine, 'prepareStackTrace', before);
  }
}

/** Whether a running call can be found on the stack. This is tested from within a call. */
const doesEngineTell = callForeign(
  () => depthsOnStack()?.has(control[foreignCalls] ?? 0) ?? false,
  undefined,
);
