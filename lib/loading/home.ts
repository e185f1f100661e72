// What each thread has only once: the addon, and the library's state for it. Module caches can be cleared and
// duplicated. A thread can have several realms: Jest makes one for each test file, `node:vm` makes them, and
// a package can be installed twice. But a thread and the locks that it holds cannot be duplicated.
//
// So all of this is kept in the thread's own realm, which exists as long as the thread. What is evaluated
// once in each realm is in parts.ts. It is separate so that classes, errors and promises are those of the
// caller's realm.
import { runInThisContext } from 'node:vm';
import { loadAddon, root } from './addon';
import { layoutVersion } from './layout-version';
import { SharedMemoryError } from '../common/errors';

/** The version of the package that this file belongs to. The build inserts it. */
declare const packageVersion: string | undefined;

export const version = typeof packageVersion === 'string' ? packageVersion : '';

/** What all realms of a thread share. Nothing in it may keep a realm alive that has ended. */
export interface Thread {
  /**
   * For each object that this thread uses, the seat: the state that all handles of this thread to it share.
   * The keys are the indices of the seats in native code.
   */
  readonly seats: Map<number, unknown>;
  /**
   * For each watch, its listener. A watch is a wait on a word by a background thread. The keys are the indices
   * of the watches in native code.
   */
  readonly watches: Map<number, unknown>;
  /**
   * The indices of the seats for which an agent has been asked for the lock. An agent is a background thread
   * that waits for a lock, so that the event loop need not block.
   */
  readonly agents: Set<number>;
  /**
   * The exit listener that waits for these agents before the process ends. Undefined while there are no
   * agents.
   */
  awaitAgents: (() => void) | undefined;
  /**
   * Words that native code and JavaScript share. The native calls that are made most often get their operands
   * through them, and the index of the seat that they are about: see shm/core/control.ts.
   */
  readonly control: Int32Array<ArrayBuffer>;
  /**
   * The moment at which the addon calls `onMoment` next, by its steady clock. Used for alarms, which are
   * calls at a certain moment: see shm/core/alarms.ts.
   */
  readonly alarm: { next: number; isInitialized: boolean };
  /** The functions that `onMoment` calls, one for each realm that has set an alarm. */
  readonly ringers: Set<() => void>;
  /** The functions that native code calls. */
  readonly callbacks: {
    readonly onGrant: (seat: number) => void;
    readonly onNews: (watch: number) => void;
    readonly onMoment: () => void;
    readonly onTurn: (seats: readonly number[]) => void;
    readonly nothing: () => void;
  };
  isInitialized: boolean;
  /** The functions to call at the end of a turn of the event loop; see shm/core/operations.ts. */
  readonly turnEnds: Set<() => void>;
  /**
   * The number of the foreign call at each depth. A foreign call is a call of a function or getter of the
   * user. See shm/core/foreign.ts.
   */
  readonly foreignCallsAt: number[];
  /**
   * How many realms, and copies of the library, listen for signals. Without this number, each of them would
   * think that the listeners of the others belong to the application. See shm/manager/endings.ts.
   */
  readonly endings: { listening: number };
}

export interface Home {
  readonly version: string;
  readonly layoutVersion: number;
  /** The directory of the copy of the package that was loaded first. */
  readonly root: string;
  readonly addon: unknown;
  readonly thread: Thread;
  /** What parts.ts keeps for each realm. The key is the prototype of the realm's objects. */
  readonly realms: WeakMap<object, object>;
}

/**
 * The source code of the function that makes the {@link Home}. It is evaluated in the thread's own realm, so
 * that the objects and functions belong to that realm. If they belonged to the first realm that asks, that
 * realm would be kept alive for ever.
 */
const source = `(function (version, layoutVersion, root, addon) {
  const seats = new Map();
  const watches = new Map();
  const alarm = { next: Infinity, isInitialized: false };
  const ringers = new Set();
  const turnEnds = new Set();
  const control = new Int32Array(new ArrayBuffer(64));
  return {
    version, layoutVersion, root, addon,
    thread: {
      seats, watches, alarm, ringers, turnEnds, control,
      agents: new Set(),
      awaitAgents: undefined,
      foreignCallsAt: [0],
      endings: { listening: 0 },
      callbacks: {
        onGrant(seat) { seats.get(seat)?.collect(); },
        onNews(watch) { addon.watchSettle(watch); watches.get(watch)?.hear(); },
        onMoment() { alarm.next = Infinity; for (const ring of [...ringers]) ring(); },
        onTurn(fresh) {
          for (const seat of fresh) seats.get(seat)?.endTurn();
          const all = [...turnEnds];
          turnEnds.clear();
          control[10] = 0;
          for (const end of all) end();
        },
        nothing() {},
      },
      isInitialized: false,
    },
    realms: new WeakMap(),
  };
})`;

const key = Symbol.for('shmkit');

/** The key of this realm in {@link Home.realms}. */
export const realm: object = Object.getPrototypeOf({}) as object;

let found: Home | undefined;

/**
 * Returns what this thread has only once. Makes it at the first call, unless another realm or another copy of
 * the library has made it.
 *
 * @throws SharedMemoryError `ERR_NO_ADDON`; `ERR_ABI_MISMATCH` the thread uses another version of the library
 * already.
 */
export function home(): Home {
  return (found ??= findHome());
}

/** The same, if {@link home} has returned it to this copy of the library before. */
export function knownHome(): Home | undefined {
  return found;
}

function findHome(): Home {
  const global = runInThisContext('globalThis') as Record<symbol, Home | undefined>;
  const there = global[key];
  if (there !== undefined) {
    if (serves(there)) return there;
    throw new SharedMemoryError(
      'ERR_ABI_MISMATCH',
      `this thread already uses shmkit ${describe(there)}, so it cannot also use shmkit ` +
        `${describe({ version, layoutVersion, root })}: neither would know about the locks that ` +
        'the other holds; install only one version (npm dedupe, overrides)',
    );
  }
  const make = runInThisContext(source) as (...args: unknown[]) => Home;
  const value = make(version, layoutVersion, root, loadAddon());
  Object.defineProperty(global, key, { value });
  return value;
}

function describe({ version, layoutVersion, root }: Omit<Home, 'addon' | 'thread' | 'realms'>) {
  return `${version} (layout version ${layoutVersion}) from ${root}`;
}

/**
 * Whether this copy of the library can use the existing {@link Home}, which another copy may have made. If
 * that copy has another version, the two share no state. Then the other copy must be used as a whole: it must
 * have been evaluated in this realm, and have everything that this copy promises.
 */
function serves(there: Home): boolean {
  if (there.root === root) return true;
  if (there.layoutVersion !== layoutVersion) return false;
  return (
    there.version === version || (there.realms.has(realm) && isCompatible(there.version, version))
  );
}

/** Whether a version is in the range `^wanted`. False if one of the two is not of the form `1.2.3`. */
function isCompatible(there: string, wanted: string): boolean {
  const has = numbersOf(there);
  const wants = numbersOf(wanted);
  if (has === null || has.major !== wants?.major) return false;
  if (has.minor !== wants.minor) return has.major > 0 && has.minor > wants.minor;
  return has.patch >= wants.patch;
}

function numbersOf(version: string) {
  const match = /^(\d+)\.(\d+)\.(\d+)$/.exec(version);
  return match && { major: Number(match[1]), minor: Number(match[2]), patch: Number(match[3]) };
}
