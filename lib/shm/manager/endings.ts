import { isMainThread } from 'node:worker_threads';
import { native, thread } from '../core/binding';
import { setAlarm } from '../core/alarms';
import { now } from '../core/clock';

/** Something that is to be brought to its end before this thread ends. */
interface Ending {
  endWithThread(): void;
}

/**
 * Whether native brings everything to its end, after all that the application does when it ends, be that
 * JavaScript or not (native/binding/endings.h). Where the system does not list names it does not find them: there
 * this thread does so as long as it can.
 */
const nativeSuffices = native.place !== undefined;

/** Whether native may be asked to hear signals: functions of libuv's names that Bun has abort the process. */
export const mayHearNatively = !('bun' in process.versions);

/**
 * Signals that end a process unless it listens for them, and that are sent to have it end: by a terminal, a
 * supervisor, or somebody at a keyboard.
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

/** SIGUSR2 is how nodemon has a process end; SIGBREAK is Windows' alone. */
const signals = candidates.filter((signal) =>
  onWindows ? signal !== 'SIGQUIT' && signal !== 'SIGUSR2' : signal !== 'SIGBREAK',
);

const shared = thread.endings;

const endings = new Set<Ending>();
/** Those of them that wait for signals here. */
const hearing = new Set<Ending>();

/**
 * Has something that native is entrusted with be brought to its end when this thread ends, unless it is told
 * otherwise before.
 *
 * @param hearsSignals - also when it ends by a signal, which native does not hear.
 */
export function atEnd(ending: Ending, hearsSignals: boolean): void {
  // In a worker nobody hears of signals but native.
  const listens = isMainThread && hearsSignals;
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

/** What the application does at the exit may need what ends here. */
function goLast(event: string | symbol): void {
  if (event !== 'exit') return;
  // It is told before the other listener is there.
  void Promise.resolve().then(() => {
    if (endings.size === 0) return;
    process.off('exit', endAll);
    process.on('exit', endAll);
  });
}

function listen(): void {
  // Before those who are gone when they have heard, as far as these have begun already.
  for (const signal of signals) process.prependListener(signal, onSignal);
  process.on('removeListener', onRemoved);
  shared.listening++;
}

function unlisten(): void {
  process.off('removeListener', onRemoved);
  for (const signal of signals) process.off(signal, onSignal);
  shared.listening--;
}

/** How many listeners of a signal have gone in this turn: perhaps by that signal, before we hear of it. */
const gone = new Map<string | symbol, number>();

function onRemoved(event: string | symbol, listener: unknown): void {
  if (!signals.includes(event as Signal)) return;
  if (listener === onSignal) {
    // By somebody who took away all that there were: we are none of those.
    process.prependListener(event as Signal, onSignal);
    return;
  }
  gone.set(event, (gone.get(event) ?? 0) + 1);
  void Promise.resolve().then(() => gone.clear());
}

/** Whether a signal has come, or somebody has only called those who listen for it. */
function isReal(signal: NodeJS.Signals, number: unknown): signal is Signal {
  if (!signals.includes(signal as Signal)) return false;
  // Deno tells no number.
  return typeof number === 'number' || 'deno' in process.versions;
}

/**
 * Who listens for a signal and does not merely clean up decides what becomes of the process; when it
 * exits, all is brought to its end. If nobody does, the signal ends the process, as it would have without
 * us. That is asked when the signal comes, so it does not matter who began to listen first.
 */
function onSignal(signal: NodeJS.Signals, number?: unknown): void {
  if (!isReal(signal, number)) return;
  const others = process.listenerCount(signal) + (gone.get(signal) ?? 0);
  if (others > shared.listening + listenersOfSignalExit(signal)) return;
  endAll();
  native.endingsEndAll();
  process.kill(process.pid, signal);
  if (process.pid === 1 || process.listenerCount(signal) === 0) exitFor(signal);
}

/**
 * The listeners of all copies of signal-exit, by the counts that it keeps for its own copies. They only clean
 * up, as we do: each raises the signal again when it finds none but its own kind.
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
 * The first process of a container does not end by a signal that nobody handles: the system spares it. It
 * exits, as a shell says of one that did end by it, when those who clean up have had their turn.
 */
function exitFor(signal: Signal): void {
  if (process.listenerCount(signal) === 0) process.exit(128 + numberOf(signal));
  setAlarm({ moment: now() + 10, ring: () => exitFor(signal) });
}

function numberOf(signal: Signal): number {
  // Loaded where it is needed, which is hardly ever.
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const { constants } = require('node:os') as typeof import('node:os');
  return constants.signals[signal];
}

function endAll(): void {
  for (const ending of [...endings]) {
    try {
      ending.endWithThread();
    } catch {
      // What is left is found by the next who makes it.
    }
    forgetEnding(ending);
  }
}
