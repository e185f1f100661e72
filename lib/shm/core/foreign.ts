import { thread } from './binding';
import { atOnce } from '../../common/sync-callbacks';
import { control, controlAt } from './control';

/**
 * Calls of functions that are not the library's while the library has something under way: what
 * `update` was given, or a getter of a value. Such a function may use the library again, and it may
 * be interrupted for good: V8 then leaves it, and all that called it up to where the interrupt is
 * caught, without running a `catch` or a `finally` (`vm` timeouts, Ctrl-C in the REPL, the inspector's
 * terminate). What is caught within another such function leaves that one under way. To tell the one
 * from the other takes a look at the stack, which is slow, and so is done only where it decides about an
 * error.
 *
 * So each call is at a depth: how many calls have begun before it and not ended, interrupted ones among
 * them. The frame that makes it bears the depth in its name. No depth is used again while an interrupted
 * call may be taken for the one that uses it: a call that ends leads back to where it began.
 *
 * Realms of one thread call each other, so all of them count together.
 */
const { foreignCalls, lastForeignCall } = controlAt;

/** The number of the call at each depth. At 0: of what all of them are within. */
const { foreignCallsAt } = thread;

/**
 * Calls a function that is not the library's.
 *
 * @param notAsync - how messages speak of the function, where it may not return a promise.
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
    control[foreignCalls] = outer; // whatever was interrupted within
  }
}

/**
 * The innermost call that is under way, or was interrupted. Who begins something that will call
 * others' code notes it, and asks {@link isInterrupted} with it.
 */
export function currentForeignCall(): number {
  return foreignCallsAt[control[foreignCalls] ?? 0] ?? 0;
}

/** What {@link currentForeignCall} never is. */
export const noCall = -1;

/**
 * Whether what began within a call, and was to call others' code from there, was interrupted: to be
 * asked where it could be under way only if it had called. False where the engine does not tell: as
 * long as that is not clear, nothing is taken for interrupted.
 *
 * @param within - what {@link currentForeignCall} was then; {@link noCall} where it was not to call.
 */
export function isInterrupted(within: number): boolean {
  const outer = foreignCallsAt.lastIndexOf(within);
  if (outer === -1 || outer >= (control[foreignCalls] ?? 0)) return true;
  return liveDepths()?.has(outer + 1) === false;
}

/** Whether all calls that have begun, and not ended, were interrupted; false as {@link isInterrupted}. */
export function areAllInterrupted(): boolean {
  return control[foreignCalls] === 0 || liveDepths()?.size === 0;
}

function nextCall(): number {
  // Small, and not negative: the engine keeps such numbers best.
  return (control[lastForeignCall] = ((control[lastForeignCall] ?? 0) + 1) & 0x3fff_ffff);
}

type Caller = <A, T>(fn: (argument: A) => T, argument: A) => T;

/** A space, which no name of others' functions has, tells theirs from these. */
const namePrefix = 'shmkit call ';

const callers: Caller[] = [];

function callerAt(depth: number): Caller {
  const caller: Caller = (fn, argument) => fn(argument);
  Object.defineProperty(caller, 'name', { value: namePrefix + String(depth) });
  return (callers[depth] = caller);
}

/** At what depths there are calls on the stack, of any realm; undefined where the engine does not tell. */
function liveDepths(): ReadonlySet<number> | undefined {
  const live = doesEngineTell ? depthsOnStack() : undefined;
  if (live?.size === 0) {
    control[foreignCalls] = 0;
    // What began before this is not within what begins now.
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

/** The whole stack, from here outwards; undefined where the engine does not tell. */
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
    // Assigned, since to define or delete it leaves the other in force in Bun.
    Reflect.set(engine, 'prepareStackTrace', before?.value);
    if (before === undefined) Reflect.deleteProperty(engine, 'prepareStackTrace');
    else Reflect.defineProperty(engine, 'prepareStackTrace', before);
  }
}

/** Whether the one who looks is found where it looks from. */
const doesEngineTell = callForeign(
  () => depthsOnStack()?.has(control[foreignCalls] ?? 0) ?? false,
  undefined,
);
