// What the two sides of the smoke suite share. It runs where no test framework does: a plain program
// under Node, Bun and Deno.
import type * as shmkit from 'shmkit';

/** What an act in a peer has at hand; it closes over nothing. */
export interface Kit<S = unknown> {
  /** The object that the peer has attached to. */
  readonly shared: S;
  readonly shmkit: typeof shmkit;
  /** What an act leaves for the next. */
  readonly kept: Record<string, Releasable>;
  /** Collects garbage, if the runtime was told to have it. */
  readonly collect: () => void;
}

export interface Releasable {
  readonly abandoned?: boolean;
  release?(): void;
  ack?(): void;
}

export type Act<S, R, G = undefined> = (kit: Kit<S>, given: G) => R;

/**
 * `blocking` acts are announced before they begin, for nothing is said while they block; `async` ones
 * when they wait.
 */
export type Manner = 'blocking' | 'async';

export interface Order {
  readonly id: number;
  readonly manner: Manner;
  /** The text of an {@link Act}. */
  readonly act: string;
  /** What the act is given. */
  readonly given?: unknown;
}

export interface Report {
  /** 0: the peer is there. */
  readonly id: number;
  readonly isBegun?: true;
  readonly value?: unknown;
  /** The code of an error, or what it said. */
  readonly error?: string;
  /** For how many milliseconds. */
  readonly took?: number;
}

/** Collects garbage now, in whatever way the runtime has. */
export function collectGarbage(): void {
  const { Bun, gc } = globalThis as { Bun?: { gc(isForced: boolean): void }; gc?: () => void };
  if (Bun) Bun.gc(true);
  else if (gc) gc();
  else throw new Error('this runtime was not told to let programs collect garbage');
}
