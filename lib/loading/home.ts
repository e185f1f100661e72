// What a thread has once: the addon, and what the library keeps of it. Module caches can be cleared and
// doubled, and a thread can have several realms: Jest gives each test file one, `node:vm` makes them,
// and a package can be installed twice. A thread and the locks it holds cannot be doubled.
//
// So all of that is kept with the thread's own realm, which is there as long as the thread. What is
// evaluated once in each realm, so that classes, errors and promises are those of whoever asks, is in
// parts.ts.
import { runInThisContext } from 'node:vm';
import { loadAddon, root } from './addon';
import { layoutVersion } from './layout-version';
import { SharedMemoryError } from '../common/errors';

/** The version of the package that this file belongs to, which the build puts here. */
declare const packageVersion: string | undefined;

export const version = typeof packageVersion === 'string' ? packageVersion : '';

/** What is one for all realms of a thread. Nothing in it may keep a realm alive that has ended. */
export interface Thread {
  /** By their indices in native. */
  readonly seats: Map<number, unknown>;
  readonly watches: Map<number, unknown>;
  /** Indices of the seats whose agents have been asked for the lock. */
  readonly agents: Set<number>;
  /** What awaits these before the process ends, while there are any. */
  awaitAgents: (() => void) | undefined;
  /** The words by which the hot native calls know which seat they are about, and with what. */
  readonly control: Int32Array<ArrayBuffer>;
  /** When the addon rings next, by its steady clock. */
  readonly alarm: { next: number; isInitialized: boolean };
  /** What is called then, of each realm that has an alarm set. */
  readonly ringers: Set<() => void>;
  /** What native calls. */
  readonly callbacks: {
    readonly onGrant: (seat: number) => void;
    readonly onNews: (watch: number) => void;
    readonly onMoment: () => void;
    readonly onTurn: (seats: readonly number[]) => void;
    readonly nothing: () => void;
  };
  isInitialized: boolean;
  /** What is called when the turn of the event loop ends; see shm/core/operations.ts. */
  readonly turnEnds: Set<() => void>;
  /** The numbers of the calls of others' code, by their depth; see shm/core/foreign.ts. */
  readonly foreignCallsAt: number[];
  /**
   * How many realms, and copies of the library, listen for signals: each would take the others' listeners
   * for the application's. See shm/manager/endings.ts.
   */
  readonly endings: { listening: number };
}

export interface Home {
  readonly version: string;
  readonly layoutVersion: number;
  /** Where the package lies that came first. */
  readonly root: string;
  readonly addon: unknown;
  readonly thread: Thread;
  /** What parts.ts keeps of each realm, by the prototype of its objects. */
  readonly realms: WeakMap<object, object>;
}

/**
 * Makes all of it, as objects and functions of the thread's own realm: were they of the first that asks,
 * that would be kept for ever.
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

/** This realm, as {@link Home.realms} has it. */
export const realm: object = Object.getPrototypeOf({}) as object;

let found: Home | undefined;

/**
 * @throws SharedMemoryError `ERR_NO_ADDON`; `ERR_ABI_MISMATCH` the thread has another version of the
 * library already.
 */
export function home(): Home {
  return (found ??= findHome());
}

function findHome(): Home {
  const global = runInThisContext('globalThis') as Record<symbol, Home | undefined>;
  const there = global[key];
  if (there !== undefined) {
    if (serves(there)) return there;
    throw new SharedMemoryError(
      'ERR_ABI_MISMATCH',
      `this thread uses shmkit ${describe(there)} already, and cannot use shmkit ` +
        `${describe({ version, layoutVersion, root })} besides: they would not know ` +
        'of the locks that the other holds; install one version only (npm dedupe, overrides)',
    );
  }
  const make = runInThisContext(source) as (...args: unknown[]) => Home;
  const value = make(version, layoutVersion, root, loadAddon());
  Object.defineProperty(global, key, { value });
  return value;
}

function describe({ version, layoutVersion, root }: Omit<Home, 'addon' | 'thread' | 'realms'>) {
  return `${version} (layout version ${layoutVersion}) of ${root}`;
}

/**
 * Whether what is there is as good as this copy of the package. One of another version shares no state
 * with it, and so has to be used as a whole: it must have been evaluated in this realm, and have all
 * that this copy promises.
 */
function serves(there: Home): boolean {
  if (there.root === root) return true;
  if (there.layoutVersion !== layoutVersion) return false;
  return (
    there.version === version || (there.realms.has(realm) && isCompatible(there.version, version))
  );
}

/** As the range `^wanted` has it, of versions without further parts. */
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
