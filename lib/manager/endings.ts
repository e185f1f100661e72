/** What is to be shut down before this thread ends. */
interface Ending {
  shutDownAtEnd(): void;
}

const signals = ['SIGINT', 'SIGTERM'] as const;
type Signal = (typeof signals)[number];

const endings = new Set<Ending>();

/** Has something be shut down when this thread ends, unless it is told otherwise before. */
export function shutDownAtEnd(ending: Ending): void {
  if (endings.size === 0) {
    process.on('exit', shutDownAll);
    for (const signal of signals) process.on(signal, onSignal);
  }
  endings.add(ending);
}

export function forgetEnding(ending: Ending): void {
  if (!endings.delete(ending) || endings.size > 0) return;
  process.off('exit', shutDownAll);
  for (const signal of signals) process.off(signal, onSignal);
}

/**
 * Whoever listens for the signal besides decides what becomes of the process; when it exits, all is
 * shut down. If nobody does, the signal ends the process, as it would have without us.
 */
function onSignal(signal: Signal): void {
  if (process.listenerCount(signal) > 1) return;
  shutDownAll();
  for (const each of signals) process.off(each, onSignal);
  process.kill(process.pid, signal);
}

function shutDownAll(): void {
  for (const ending of [...endings]) {
    try {
      ending.shutDownAtEnd();
    } catch {
      // What is left is found by the next who creates it.
    }
    endings.delete(ending);
  }
}
