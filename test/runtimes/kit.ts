// What the two sides of the smoke suite share. It runs without a test framework: as a plain program under
// Node, Bun and Deno.
import type * as shmkit from 'shmkit';

/** What an act can use in a peer. An act must not close over anything. */
export interface Kit<S = unknown> {
  /** The object that the peer has attached to. */
  readonly shared: S;
  readonly shmkit: typeof shmkit;
  /** Objects that an act keeps for the next act. */
  readonly kept: Record<string, Releasable>;
  /** Collects garbage, if the runtime was started with that option. */
  readonly collect: () => void;
}

export interface Releasable {
  readonly abandoned?: boolean;
  release?(): void;
  ack?(): void;
}

export type Act<S, R, G = undefined> = (kit: Kit<S>, given: G) => R;

/**
 * `blocking` acts are announced before they begin, because nothing can be sent while they block. `async`
 * acts are announced when they wait.
 */
export type Manner = 'blocking' | 'async';

export interface Order {
  readonly id: number;
  readonly manner: Manner;
  /** The text of an {@link Act}. */
  readonly act: string;
  /** The argument of the act. */
  readonly given?: unknown;
}

export interface Report {
  /** 0 means that the peer is ready. */
  readonly id: number;
  readonly isBegun?: true;
  readonly value?: unknown;
  /** The code of an error, or its message. */
  readonly error?: string;
  /** How many milliseconds it took. */
  readonly took?: number;
}

/** Collects garbage now, in the way that the runtime provides. */
export function collectGarbage(): void {
  const { Bun, gc } = globalThis as { Bun?: { gc(isForced: boolean): void }; gc?: () => void };
  if (Bun) Bun.gc(true);
  else if (gc) gc();
  else throw new Error('this runtime was not told to let programs collect garbage');
}
