// Another process, or another thread of this process, that uses a test's objects as the test tells it. Its
// program is test/fixtures/sync/peer.ts.
import { Worker } from 'node:worker_threads';
import type { Handle } from 'shmkit';
import { afterEach } from 'vitest';
import { stopAtRest } from './stops';
import type { Report } from '../fixtures/sync/peer';
import { fixturePath, start, type Child } from './children';

/** What a peer is. */
export type Being = 'process' | 'worker';
export const beings: Being[] = ['process', 'worker'];

/** How a peer may end while it holds something or waits. */
export const ends = ['a process killed', 'a process that exits', 'a worker terminated'] as const;
export type End = (typeof ends)[number];

/** A form blocks a thread, or does not. */
export type Form = 'sync' | 'async';
export const forms: Form[] = ['sync', 'async'];

/** The method's name in a form: `acquire` becomes `acquireSync` or stays itself. */
export function inForm(form: Form, method: string): string {
  return form === 'sync' ? `${method}Sync` : method;
}

/** An operation that was begun, and its future outcome: a value, or the code of an error. */
export interface Begun {
  readonly outcome: Promise<unknown>;
}

const peers = new Set<Peer>();

afterEach(async () => {
  await Promise.all([...peers].map((peer) => peer.end()));
});

interface Pending {
  begun: () => void;
  settle: (outcome: unknown) => void;
}

export abstract class Peer {
  #lastId = 0;
  readonly #pending = new Map<number, Pending>();
  #ready!: () => void;
  readonly #isReady = new Promise<void>((resolve) => (this.#ready = resolve));

  /** Starts a peer, and resolves when it has attached to the object. */
  static async start(object: { toJSON(): Handle }, being: Being = 'process'): Promise<Peer> {
    const handle = object.toJSON();
    const peer = being === 'process' ? new ProcessPeer(handle) : new WorkerPeer(handle);
    peers.add(peer);
    await (peer as Peer).#isReady;
    return peer;
  }

  /** Starts a peer that can end in that way. */
  static async startFor(end: End, object: { toJSON(): Handle }): Promise<Peer> {
    return Peer.start(object, end === 'a worker terminated' ? 'worker' : 'process');
  }

  /** Resolves when the operation is under way. */
  async begin(what: string, ...args: unknown[]): Promise<Begun> {
    const id = ++this.#lastId;
    let begin!: () => void;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const outcome = new Promise<unknown>((settle) => {
      this.#pending.set(id, { begun: begin, settle });
    });
    this.tell({ id, what, args });
    await begun;
    return { outcome };
  }

  /** Resolves with the outcome of the operation. */
  async call(what: string, ...args: unknown[]): Promise<unknown> {
    const { outcome } = await this.begin(what, ...args);
    return outcome;
  }

  /** Ends the peer in that way, which must be possible for its kind. Resolves when the peer is gone. */
  async endBy(end: End): Promise<void> {
    if (end === 'a process that exits') void this.begin('exit');
    await (end === 'a process that exits' ? this.gone() : this.end());
  }

  /** Ends the peer at once, whatever it is doing. */
  abstract end(): Promise<void>;
  protected abstract gone(): Promise<void>;
  protected abstract tell(what: unknown): void;

  protected heard({ id, begun, outcome }: Report): void {
    if (id === 0) {
      this.#ready();
      return;
    }
    const pending = this.#pending.get(id)!;
    if (begun) {
      pending.begun();
    } else {
      this.#pending.delete(id);
      pending.settle(outcome);
    }
  }

  /** Settles everything that is under way with the reason why it will have no outcome. */
  protected lost(why: string): void {
    peers.delete(this);
    this.#ready();
    for (const { begun, settle } of this.#pending.values()) {
      begun();
      settle(why);
    }
    this.#pending.clear();
  }
}

class ProcessPeer extends Peer {
  readonly #child: Child;
  readonly #listening: Promise<void>;

  constructor(handle: Handle) {
    super();
    this.#child = start('sync/peer', [handle]);
    this.#listening = this.#listen();
  }

  get pid(): number {
    return this.#child.process.pid!;
  }

  override async end(): Promise<void> {
    this.#child.process.kill('SIGKILL');
    await this.gone();
  }

  protected override async gone(): Promise<void> {
    await this.#child.exit;
    await this.#listening;
  }

  protected override tell(what: unknown): void {
    this.#child.tell(what);
  }

  async #listen(): Promise<void> {
    try {
      for (;;) this.heard(await this.#child.hear<Report>());
    } catch (error) {
      this.lost((error as Error).message);
    }
  }
}

class WorkerPeer extends Peer {
  readonly #worker: Worker;
  readonly #gone: Promise<void>;

  constructor(handle: Handle) {
    super();
    this.#worker = new Worker(fixturePath('sync/peer'), { workerData: handle });
    this.#worker.on('message', (report: Report) => this.heard(report));
    this.#gone = new Promise((resolve) => {
      this.#worker.on('error', (error) => this.lost(String(error)));
      this.#worker.on('exit', () => {
        this.lost('the worker ended without a word');
        resolve();
      });
    });
  }

  override async end(): Promise<void> {
    await this.#worker.terminate();
    await this.gone();
  }

  protected override async gone(): Promise<void> {
    await this.#gone;
  }

  protected override tell(what: unknown): void {
    this.#worker.postMessage(what);
  }
}

/** Stops a peer that is a process. Resolves when all of its threads stand still. */
export function stop(peer: Peer): Promise<void> {
  return stopAtRest(pidOf(peer));
}

/** Continues a stopped peer. */
export function goOn(peer: Peer): void {
  process.kill(pidOf(peer), 'SIGCONT');
}

function pidOf(peer: Peer): number {
  if (peer instanceof ProcessPeer) return peer.pid;
  throw new Error('only processes can be stopped');
}
