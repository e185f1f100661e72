import { native, thread } from '../core/binding';
import { setAlarm } from '../core/alarms';
import { now } from '../core/clock';

/** Something that must be ended before this thread ends: a manager. */
interface Ending {
  endWithThread(): void;
}

/**
 * Whether the native code alone can end the managers of this thread. It does so after all that the
 * application does at its end, in JavaScript or not (native/binding/endings.h). On systems that do not list
 * the names of objects in a directory, the native code cannot find the objects of a manager. There this
 * thread ends its managers itself, while it can still run JavaScript.
 */
const nativeSuffices = native.place !== undefined;

/** Whether the native code may listen for signals. On Bun, the libuv functions for that abort the process. */
export const mayHearNatively = !('bun' in process.versions);

/**
 * The signals that are sent to end a process, by a terminal, a supervisor or a user at a keyboard, and that
 * do end it unless it listens for them.
 */
const candidates = [
  'SIGINT',
  'SIGTERM',
  'SIGHUP',
  'SIGQUIT',
  'SIGUSR2',
  'SIGBREAK',
] as const satisfies NodeJS.Signals[];

type Signal = (typeof candidates)[number];

const onWindows = process.platform === 'win32';

/** nodemon ends a process with SIGUSR2. SIGBREAK exists only on Windows. */
const signals = candidates.filter((signal) =>
  onWindows ? signal !== 'SIGQUIT' && signal !== 'SIGUSR2' : signal !== 'SIGBREAK',
);

const sharedEndings = thread.endings;

const endings = new Set<Ending>();
/** Those of `endings` for which this thread listens for signals. */
const hearing = new Set<Ending>();

/**
 * Makes sure that something is ended when this thread ends, unless {@link forgetEnding} is called before. The
 * native code has already been entrusted with it.
 *
 * @param hearsSignals - whether to end it here also when a signal ends the process, because the native code
 * does not listen for signals.
 */
export function atEnd(ending: Ending, hearsSignals: boolean): void {
  // In a worker, only the native code can listen for signals.
  const listens = hearsSignals && isMainThread();
  if (nativeSuffices && !listens) return;
  if (endings.size === 0 && !nativeSuffices) {
    process.on('exit', endAll);
    process.on('newListener', goLast);
  }
  endings.add(ending);
  if (!listens) return;
  if (hearing.size === 0) listen();
  hearing.add(ending);
}

export function forgetEnding(ending: Ending): void {
  if (endings.delete(ending) && endings.size === 0 && !nativeSuffices) {
    process.off('newListener', goLast);
    process.off('exit', endAll);
  }
  if (hearing.delete(ending) && hearing.size === 0) unlisten();
}

/** The mark of our listener, in all copies of the library. */
const ends = Symbol.for('shmkit.ends');
Object.defineProperty(endAll, ends, { value: true });

/**
 * Keeps our listener the last one: the application's exit listeners may need what is ended here. Between the listeners
 * of several copies of the library, the order does not matter. Without this exception, they would overtake each other
 * for ever.
 */
function goLast(event: string | symbol, listener: object): void {
  if (event !== 'exit' || ends in listener) return;
  // This event is emitted before the other listener is added.
  void Promise.resolve().then(() => {
    if (endings.size === 0) return;
    process.off('exit', endAll);
    process.on('exit', endAll);
  });
}

function listen(): void {
  // Our listener is added in front of the existing ones, because some listeners remove themselves when they
  // are called.
  for (const signal of signals) process.prependListener(signal, onSignal);
  process.on('removeListener', onRemoved);
  sharedEndings.listening++;
}

function unlisten(): void {
  process.off('removeListener', onRemoved);
  for (const signal of signals) process.off(signal, onSignal);
  sharedEndings.listening--;
}

/**
 * How many listeners of each signal were removed in this turn of the event loop. Such a listener may have
 * been called for the signal, and removed itself, before our listener was called. So it is still counted.
 */
const gone = new Map<string | symbol, number>();

function onRemoved(event: string | symbol, listener: unknown): void {
  if (!signals.includes(event as Signal)) return;
  if (listener === onSignal) {
    // Other code has removed all listeners of the signal. It did not mean ours, so add it again.
    process.prependListener(event as Signal, onSignal);
    return;
  }
  gone.set(event, (gone.get(event) ?? 0) + 1);
  void Promise.resolve().then(() => gone.clear());
}

/** Whether a signal has really come. Otherwise some code has only emitted the event. */
function isReal(signal: NodeJS.Signals, number: unknown): signal is Signal {
  if (!signals.includes(signal as Signal)) return false;
  // Deno does not pass the number.
  return typeof number === 'number' || 'deno' in process.versions;
}

/**
 * Called when a signal has come. If any other code listens for the signal, and not only to clean up, that
 * code decides whether the process ends. Everything is ended when the process exits. If there is no such
 * listener, the signal ends the process, as it would have done without this library. This is checked when the
 * signal comes, so the order of the listeners does not matter.
 */
function onSignal(signal: NodeJS.Signals, number?: unknown): void {
  if (!isReal(signal, number)) return;
  const others = process.listenerCount(signal) + (gone.get(signal) ?? 0);
  if (others > sharedEndings.listening + listenersOfSignalExit(signal)) return;
  endAll();
  native.endingsEndAll();
  process.kill(process.pid, signal);
  if (process.pid === 1 || process.listenerCount(signal) === 0) exitFor(signal);
}

/**
 * The number of listeners that the npm package signal-exit has for a signal, in all its copies. Its versions
 * 3 and 4 keep a count of these copies. Like this library, these listeners only clean up: each raises the
 * signal again if it finds only listeners of its own kind.
 */
function listenersOfSignalExit(signal: Signal): number {
  if (signal === 'SIGBREAK') return 0;
  const { __signal_exit_emitter__: third } = process as { __signal_exit_emitter__?: unknown };
  const fourth = (globalThis as Record<symbol, unknown>)[Symbol.for('signal-exit emitter')];
  return countIn(third) + countIn(fourth);
}

function countIn(emitter: unknown): number {
  if (typeof emitter !== 'object' || emitter === null || !('count' in emitter)) return 0;
  const { count } = emitter;
  return typeof count === 'number' && count > 0 ? count : 0;
}

/**
 * Exits the process after all listeners that clean up have had their turn. Needed because the system does not
 * end the first process of a container by a signal that nobody handles. The exit code is the one that a shell
 * reports for a process that a signal has ended.
 */
function exitFor(signal: Signal): void {
  if (process.listenerCount(signal) === 0) process.exit(128 + numberOf(signal));
  setAlarm({ moment: now() + 10, ring: () => exitFor(signal) });
}

function isMainThread(): boolean {
  // Loaded only where it is needed, which most systems are not: loading takes 2 ms.
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  return (require('node:worker_threads') as typeof import('node:worker_threads')).isMainThread;
}

function numberOf(signal: Signal): number {
  // Loaded only when it is needed, which is rare.
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const { constants } = require('node:os') as typeof import('node:os');
  return constants.signals[signal];
}

function endAll(): void {
  for (const ending of [...endings]) {
    try {
      ending.endWithThread();
    } catch {
      // What could not be ended stays. The next process that makes a manager of that name removes it.
    }
    forgetEnding(ending);
  }
}
