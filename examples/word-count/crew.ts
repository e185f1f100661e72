import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

/** A signal ended the demo, or one of its workers on its way to all of us. */
export class Interrupted extends Error {
  constructor(readonly signal: NodeJS.Signals) {
    super(`interrupted by ${signal}`);
  }
}

interface Worker {
  readonly process: ChildProcess;
  readonly kind: 'forked' | 'spawned';
  readonly ended: Promise<void>;
}

/** The worker processes, from the parent's side. */
export class Crew {
  readonly #workers: Worker[] = [];
  readonly #victims = new Set<number>();

  /** Starts workers, half of them as forks. All they are told is the name of the work. */
  start(count: number, name: string): void {
    const script = path.join(__dirname, 'worker.ts');
    const typescript = ['-r', 'ts-node/register/transpile-only'];
    for (let i = 0; i < count; i++) {
      if (i % 2 === 0) {
        this.#add('forked', fork(script, [name], { execArgv: typescript }));
      } else {
        const args = [...typescript, script, name];
        this.#add('spawned', spawn(process.execPath, args, { stdio: 'inherit' }));
      }
    }
  }

  kindOf(pid: number): string {
    return this.#worker(pid).kind;
  }

  /** Kills a worker by SIGKILL, as the kernel would that is short of memory. */
  kill(pid: number): void {
    this.#victims.add(pid);
    this.#worker(pid).process.kill('SIGKILL');
  }

  /** Resolves when all have ended; rejects as soon as one ends that should not have. */
  async finished(): Promise<void> {
    await Promise.all(this.#workers.map(({ ended }) => ended));
  }

  /** Ends whoever is left. */
  async dismiss(): Promise<void> {
    for (const { process } of this.#workers) {
      if (isRunning(process)) process.kill('SIGKILL');
    }
    await Promise.allSettled(this.#workers.map(({ ended }) => ended));
  }

  #add(kind: Worker['kind'], process: ChildProcess): void {
    const ended = once(process, 'exit').then(() => this.#judge(process));
    // Whoever waits in finished() hears of it; a failure before that is no unhandled one.
    ended.catch(() => undefined);
    this.#workers.push({ kind, process, ended });
  }

  #judge({ pid, exitCode, signalCode }: ChildProcess): void {
    if (exitCode === 0 || this.#victims.has(pid!)) return;
    // Ctrl-C goes to all processes of a terminal, and a worker's end may be heard of first.
    if (signalCode === 'SIGINT' || signalCode === 'SIGTERM') throw new Interrupted(signalCode);
    throw new Error(`worker process ${pid} ended by ${signalCode ?? `exit code ${exitCode}`}`);
  }

  #worker(pid: number): Worker {
    const worker = this.#workers.find(({ process }) => process.pid === pid);
    if (worker === undefined) throw new Error(`no worker has process id ${pid}`);
    return worker;
  }
}

/** One that could not be started never ran. */
function isRunning({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid !== undefined && exitCode === null && signalCode === null;
}
