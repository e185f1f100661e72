import type { AsyncLocalStorage } from 'node:async_hooks';
import type { Label } from './label';

type Hooks = typeof import('node:async_hooks');

/**
 * Tracks within which computation a task runs. Enabled only while there are computations: tracking tasks
 * makes every promise of the process more expensive (less so from Node 24 on).
 */
let contexts: AsyncLocalStorage<Computation> | undefined;
let active = 0;

/** The computations that are in progress in this thread. */
const underWay = new Set<Computation>();

/** Something that cannot continue until a wait is over. */
export interface Stuck {
  /** Whether others can see a label for it: {@link tell} has published one, and has not removed it since. */
  readonly isTold: boolean;
  /**
   * Publishes the label of the wait that blocks it, so that all threads can see it. With undefined, removes
   * the label, because nothing blocks it any more. See ValueWait.
   */
  tell(label: Label | undefined): void;
}

/**
 * The computation of a value by a task of this thread. Others may wait for the value.
 *
 * A computation that waits for itself never ends. It may do so directly, or through a chain of other
 * computations that wait for each other. Tasks that merely run concurrently may wait for each other's
 * values freely. What matters is therefore within which computations a task waits.
 */
export class Computation implements Stuck {
  readonly #within = Computation.current;
  #isOver = false;
  /** How many waits and computations are in progress directly within this one. */
  #parts = 0;
  #isTold = false;
  readonly #note: (label: Label | undefined) => boolean;
  /** What tasks within this computation wait for. An entry appears once for each task that waits for it. */
  readonly #awaited: Computation[] = [];

  /** @param note - stores a label in the pending entry, or removes it; returns false if that failed. */
  constructor(note: (label: Label | undefined) => boolean) {
    this.#note = note;
  }

  /** All computations that are in progress in this thread. */
  static get all(): Iterable<Stuck> {
    return underWay;
  }

  /** The innermost unfinished computation that the current task runs within. */
  static get current(): Computation | undefined {
    let each = active === 0 ? undefined : contexts?.getStore();
    // Tasks that a function has started may run on long after the function has ended.
    while (each !== undefined && each.#isOver) each = each.#within;
    return each;
  }

  /** Computes a value with a function that may ask for other values. */
  async run<T>(compute: () => T | PromiseLike<T>): Promise<T> {
    // Loaded at the first computation, because few programs need it.
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

  /**
   * Computes a value synchronously. If an interrupt, such as the timeout of `vm.runInContext()`, ends the
   * call, no `finally` block runs. Then the caller must call {@link finish} later.
   */
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

  /**
   * Called when a task within this computation begins to wait, or to compute another value. {@link end} is
   * called when the task has finished that.
   */
  begin(): void {
    this.#parts++;
    if (this.#parts !== 2) return;
    // Two things are in progress now. The function may only need the one that ends first (`Promise.race()`).
    // So no single wait blocks this computation any more, nor those around it.
    for (const each of this.#outer()) each.tell(undefined);
  }

  end(): void {
    this.#parts--;
  }

  /**
   * Yields the computations that a wait directly within this one blocks: this one, and the enclosing ones
   * from the inside out. Stops at the first that is not blocked, because it is over or has something else in
   * progress.
   */
  *stuck(): Generator<Stuck, void, undefined> {
    for (const each of this.#outer()) {
      // A finished computation does not wait for the tasks that it has started.
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

  /** Whether a task within this computation would wait for ever if it waited for the other one. */
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

  /**
   * Records that a task within this computation waits for another one.
   *
   * @returns a function to call when the task no longer waits.
   */
  await(other: Computation): () => void {
    const waiting = [...this.#outer()];
    for (const each of waiting) each.#awaited.push(other);
    return () => {
      for (const each of waiting) each.#awaited.splice(each.#awaited.indexOf(other), 1);
    };
  }

  /** This computation and all that enclose it. */
  #outer(): Set<Computation> {
    const all = new Set<Computation>([this]);
    for (let each = this.#within; each !== undefined; each = each.#within) all.add(each);
    return all;
  }
}
