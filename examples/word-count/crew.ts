import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

/** A signal ended the demo, or it was sent to all processes and ended a worker first. */
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

/** The worker processes, as the parent sees them. */
export class Crew {
  readonly #workers: Worker[] = [];
  readonly #victims = new Set<number>();

  /** Starts workers, half of them as forks. The only thing they are told is the name of the work. */
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

  /** Kills a worker by SIGKILL, as the kernel does when it is short of memory. */
  kill(pid: number): void {
    this.#victims.add(pid);
    this.#worker(pid).process.kill('SIGKILL');
  }

  /** Resolves when all workers have ended. Rejects as soon as one ends that should not have ended. */
  async finished(): Promise<void> {
    await Promise.all(this.#workers.map(({ ended }) => ended));
  }

  /** Kills the workers that are still running. */
  async dismiss(): Promise<void> {
    for (const { process } of this.#workers) {
      if (isRunning(process)) process.kill('SIGKILL');
    }
    await Promise.allSettled(this.#workers.map(({ ended }) => ended));
  }

  #add(kind: Worker['kind'], process: ChildProcess): void {
    const ended = once(process, 'exit').then(() => this.#judge(process));
    // The caller of finished() gets this rejection. Before that call, it must not count as an unhandled
    // rejection.
    ended.catch(() => undefined);
    this.#workers.push({ kind, process, ended });
  }

  #judge({ pid, exitCode, signalCode }: ChildProcess): void {
    if (exitCode === 0 || this.#victims.has(pid!)) return;
    // Ctrl-C goes to all processes of a terminal. The parent may learn of a worker's end before its own
    // signal.
    if (signalCode === 'SIGINT' || signalCode === 'SIGTERM') throw new Interrupted(signalCode);
    throw new Error(`worker process ${pid} ended by ${signalCode ?? `exit code ${exitCode}`}`);
  }

  #worker(pid: number): Worker {
    const worker = this.#workers.find(({ process }) => process.pid === pid);
    if (worker === undefined) throw new Error(`no worker has process id ${pid}`);
    return worker;
  }
}

/** A worker that could not be started is not running. */
function isRunning({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid !== undefined && exitCode === null && signalCode === null;
}
