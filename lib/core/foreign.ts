import { thread } from '../binding';
import { notAPromise } from '../sync-callbacks';
import { control, controlAt } from './control';

/**
 * Calls of functions that are not the library's while the library has something under way: what
 * `update` was given, or a getter of a value. Such a function may use the library again, and it may
 * be interrupted for good: V8 then leaves it, and all that called it, without running a `catch` or a
 * `finally` (`vm` timeouts, Ctrl-C in the REPL, the inspector's terminate). To tell the one from the
 * other takes a look at the stack, which is slow, and so is done only where it decides about an error.
 *
 * Realms of one thread call each other, so how many calls have begun and not ended, interrupted ones
 * among them, is counted for all of them.
 */
const { foreignCalls } = controlAt;

/**
 * Calls a function that is not the library's.
 *
 * @param notAsync - how messages speak of the function, where it may not return a promise.
 */
export function callForeign<A, T>(fn: (argument: A) => T, argument: A, notAsync?: string): T {
  const outer = control[foreignCalls] ?? 0;
  control[foreignCalls] = outer + 1;
  try {
    const result = fn(argument);
    return notAsync === undefined ? result : notAPromise(result, notAsync);
  } finally {
    control[foreignCalls] = outer; // whatever was interrupted within
  }
}

/**
 * Whether all that {@link callForeign} has begun was interrupted. False where some of it may be under
 * way: as long as that is not clear, nothing is taken for interrupted.
 */
export function isForeignInterrupted(): boolean {
  if (control[foreignCalls] === 0) return true;
  if (!isForeignGone()) return false;
  control[foreignCalls] = 0;
  return true;
}

type Site = Pick<NodeJS.CallSite, 'getFileName' | 'getFunctionName'>;
type PrepareStackTrace = (error: Error, sites: NodeJS.CallSite[]) => unknown;

/** Whether no call of {@link callForeign}, of any realm, is on the stack. */
function isForeignGone(): boolean {
  const { foreignPlaces } = thread;
  if (!foreignPlaces.has(ownPlace)) return false; // the engine does not tell
  const sites = callSites();
  return sites !== undefined && !sites.some((site) => foreignPlaces.has(placeOf(site)));
}

function placeOf(site: Site | undefined): string {
  return `${site?.getFileName() ?? ''}:${site?.getFunctionName() ?? ''}`;
}

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

/** Where this realm calls: the frame above the one that looks is the caller's. */
const ownPlace = placeOf(callForeign(callSites, undefined)?.[1]);
if (ownPlace !== placeOf(undefined)) thread.foreignPlaces.add(ownPlace);
