// The suite's side of peer.ts.
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Attached, Handle } from 'shmkit';
import type { Act, Manner, Order, Report } from './kit';

const program = path.join(__dirname, 'peer.js');

/**
 * The command that starts a program of this runtime, with its flags. It is passed in, because a process
 * that was started by a loader does not know it.
 */
const runtime = JSON.parse(
  process.env.SHMKIT_SMOKE_RUNTIME ?? JSON.stringify([process.execPath]),
) as string[];

export interface Outcome<R> {
  readonly value: R;
  readonly took: number;
}

export interface Begun<R> {
  readonly outcome: Promise<Outcome<R>>;
  /** Whether there is an outcome already. */
  readonly isOver: () => boolean;
}

interface Pending {
  readonly begun: () => void;
  readonly settle: (report: Report) => void;
}

const peers = new Set<Peer>();

/** Ends the peers that a case has left. */
export async function endPeers(): Promise<void> {
  await Promise.all([...peers].map((peer) => peer.end()));
}

/** The type parameter says what the peer has attached to. */
export abstract class Peer<S = unknown> {
  #lastId = 0;
  readonly #pending = new Map<number, Pending>();
  #ready!: () => void;
  #lost!: (error: Error) => void;
  protected readonly isReady = new Promise<void>((resolve, reject) => {
    this.#ready = resolve;
    this.#lost = reject;
  });

  constructor() {
    peers.add(this);
    this.isReady.catch(() => undefined);
  }

  static async process<H extends Handle>(
    object?: { toJSON(): H },
    command: readonly string[] = runtime,
    env: Record<string, string> = {},
  ): Promise<ProcessPeer<Attached<H>>> {
    const peer = new ProcessPeer<Attached<H>>(object?.toJSON() ?? null, command, env);
    await peer.isReady;
    return peer;
  }

  static async worker<H extends Handle>(object: { toJSON(): H }): Promise<WorkerPeer<Attached<H>>> {
    const peer = new WorkerPeer<Attached<H>>(object.toJSON());
    await peer.isReady;
    return peer;
  }

  /** Resolves when the act is under way. */
  async begin<R, G = undefined>(
    manner: Manner,
    act: Act<S, R | PromiseLike<R>, G>,
    given?: G,
  ): Promise<Begun<R>> {
    const id = ++this.#lastId;
    let isOver = false;
    let begin!: () => void;
    const isBegun = new Promise<void>((resolve) => (begin = resolve));
    const outcome = new Promise<Outcome<R>>((resolve, reject) => {
      const settle = ({ value, error, took = 0 }: Report) => {
        isOver = true;
        if (error === undefined) resolve({ value: value as R, took });
        else reject(Object.assign(new Error(`the peer: ${error}`), { code: error }));
      };
      this.#pending.set(id, { begun: begin, settle });
    });
    outcome.catch(() => undefined);
    this.tell({ id, manner, act: String(act), given });
    await isBegun;
    return { outcome, isOver: () => isOver };
  }

  /** Resolves with the result of the act. */
  async run<R, G = undefined>(act: Act<S, R | PromiseLike<R>, G>, given?: G): Promise<R> {
    const { outcome } = await this.begin('async', act, given);
    return (await outcome).value;
  }

  /**
   * Lets the peer wait, ends the wait a while later, and checks that the peer has waited at least that
   * long.
   */
  async waits<R>(manner: Manner, act: Act<S, R | PromiseLike<R>>, end: () => unknown): Promise<R> {
    const { outcome, isOver } = await this.begin(manner, act);
    const from = performance.now();
    await delay(50);
    if (manner === 'async') await this.run(() => undefined);
    assert.equal(isOver(), false, 'the peer did not wait');
    const held = performance.now() - from;
    await end();
    const { value, took } = await outcome;
    assert.ok(took >= held - 1, `the peer waited for ${took} ms of ${held}`);
    return value;
  }

  /** Kills or terminates the peer, whatever it is doing. Resolves when it is gone. */
  abstract end(): Promise<void>;
  protected abstract tell(order: Order): void;

  protected heard(report: Report): void {
    if (report.id === 0) {
      this.#ready();
      return;
    }
    const pending = this.#pending.get(report.id)!;
    pending.begun();
    if (report.isBegun) return;
    this.#pending.delete(report.id);
    pending.settle(report);
  }

  protected lost(why: string): void {
    peers.delete(this);
    this.#lost(new Error(why));
    for (const { begun, settle } of this.#pending.values()) {
      begun();
      settle({ id: 0, error: why });
    }
    this.#pending.clear();
  }
}

export class ProcessPeer<S> extends Peer<S> {
  readonly #child: ChildProcess;
  readonly #exit: Promise<number | NodeJS.Signals>;

  constructor(handle: Handle | null, command: readonly string[], env: Record<string, string>) {
    super();
    const [file, ...args] = [...command, program, JSON.stringify(handle)];
    const child = spawn(file, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    this.#child = child;
    let complaints = '';
    child.stderr.on('data', (text) => (complaints += String(text)));
    createInterface({ input: child.stdout }).on('line', (line) =>
      this.heard(JSON.parse(line) as Report),
    );
    this.#exit = once(child, 'close').then(([code, signal]: unknown[]) => {
      this.lost(`the peer ended with ${String(signal ?? code)} ${complaints}`);
      return (signal ?? code) as number | NodeJS.Signals;
    });
  }

  /** The exit status, or the signal that ended the process. */
  get exit(): Promise<number | NodeJS.Signals> {
    return this.#exit;
  }

  override async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exit;
  }

  protected override tell(order: Order): void {
    this.#child.stdin!.write(`${JSON.stringify(order)}\n`);
  }
}

export class WorkerPeer<S> extends Peer<S> {
  readonly #worker: Worker;
  readonly #gone: Promise<unknown>;

  constructor(handle: Handle) {
    super();
    this.#worker = new Worker(program, { workerData: handle });
    this.#worker.on('message', (report: Report) => this.heard(report));
    this.#worker.on('error', (error) => this.lost(String(error)));
    this.#gone = once(this.#worker, 'exit').then(() => this.lost('the worker ended'));
  }

  override async end(): Promise<void> {
    await this.#worker.terminate();
    await this.#gone;
  }

  protected override tell(order: Order): void {
    this.#worker.postMessage(order);
  }
}
