import type { AsyncLocalStorage } from 'node:async_hooks';
import type { Label } from './label';

type Hooks = typeof import('node:async_hooks');

/**
 * Within which computation a task runs. Only while there are computations: to follow tasks costs every
 * promise of the process something (less from Node 24 on).
 */
let contexts: AsyncLocalStorage<Computation> | undefined;
let active = 0;

/** Those that are under way in this thread. */
const underWay = new Set<Computation>();

/** What cannot go on while something is waited for. */
export interface Stuck {
  /** Whether it bears a label. */
  readonly isTold: boolean;
  /** Has all see by which wait, or that it can go on again. */
  tell(label: Label | undefined): void;
}

/**
 * A value that a task of this thread computes, while others may wait for it.
 *
 * A computation that waits for itself never ends, be it by a chain of others that wait for each other.
 * Tasks that merely run side by side may wait for each other's values as they like; so what counts is
 * within which computations a task waits.
 */
export class Computation implements Stuck {
  readonly #within = Computation.current;
  #isOver = false;
  /** How many waits and computations are under way directly within it. */
  #parts = 0;
  #isTold = false;
  readonly #note: (label: Label | undefined) => boolean;
  /** What tasks within it wait for; one that several wait for is here as often. */
  readonly #awaited: Computation[] = [];

  /** @param note - leaves a label where it is computed, or none; false if it could not. */
  constructor(note: (label: Label | undefined) => boolean) {
    this.#note = note;
  }

  /** All that are under way in this thread. */
  static get all(): Iterable<Stuck> {
    return underWay;
  }

  /** The one that the present task runs within, of those that are not over. */
  static get current(): Computation | undefined {
    let each = active === 0 ? undefined : contexts?.getStore();
    // What a function has begun may go on for long after it.
    while (each !== undefined && each.#isOver) each = each.#within;
    return each;
  }

  /** Computes a value, by a function that may ask for others. */
  async run<T>(compute: () => T | PromiseLike<T>): Promise<T> {
    // Loaded with the first computation: few programs have one.
    // eslint-disable-next-line @typescript-eslint/no-require-imports
    contexts ??= new (require('node:async_hooks') as Hooks).AsyncLocalStorage<Computation>();
    active++;
    underWay.add(this);
    this.#within?.begin();
    try {
      return await contexts.run(this, compute);
    } finally {
      this.finish();
      this.#within?.end();
      if (--active === 0) contexts.disable();
    }
  }

  /** Computes a value at once. Were it interrupted, {@link finish} is still to be called. */
  runSync<T>(compute: () => T): T {
    underWay.add(this);
    try {
      return compute();
    } finally {
      this.finish();
    }
  }

  finish(): void {
    this.#isOver = true;
    underWay.delete(this);
  }

  /** A task within it waits, or computes another value, until {@link end}. */
  begin(): void {
    this.#parts++;
    if (this.#parts !== 2) return;
    // It may go on when the first of the two ends, whichever that is.
    for (const each of this.#outer()) each.tell(undefined);
  }

  end(): void {
    this.#parts--;
  }

  /** This one and those around it, as far as the one thing that they wait for is what this one does. */
  *stuck(): Generator<Stuck, void, undefined> {
    for (const each of this.#outer()) {
      // One that is over waits for nothing that it has begun.
      if (each.#isOver || each.#parts !== 1) return;
      yield each;
    }
  }

  get isTold(): boolean {
    return this.#isTold;
  }

  tell(label: Label | undefined): void {
    if (label === undefined && !this.#isTold) return;
    const isNoted = this.#note(label);
    if (label !== undefined || isNoted) this.#isTold = label !== undefined;
  }

  /** Whether a task within this one could never go on if it waited for the other. */
  wouldNeverHave(other: Computation): boolean {
    const outer = this.#outer();
    const seen = new Set<Computation>();
    const next = [other];
    for (let each = next.pop(); each !== undefined; each = next.pop()) {
      if (outer.has(each)) return true;
      if (seen.has(each)) continue;
      seen.add(each);
      next.push(...each.#awaited);
    }
    return false;
  }

  /** A task within this one waits for another from now on; call what is returned when it no longer does. */
  await(other: Computation): () => void {
    const waiting = [...this.#outer()];
    for (const each of waiting) each.#awaited.push(other);
    return () => {
      for (const each of waiting) each.#awaited.splice(each.#awaited.indexOf(other), 1);
    };
  }

  /** This one, and all that it runs within. */
  #outer(): Set<Computation> {
    const all = new Set<Computation>([this]);
    for (let each = this.#within; each !== undefined; each = each.#within) all.add(each);
    return all;
  }
}
