import { now, sinceBoot } from '../core/clock';
import { Computation, type Stuck } from './computations';
import { isLater, isSame, type Label } from './label';

/** The smallest step between the times of two labels. A float64 stays exact with it up to the latest time. */
const leastStepMs = 2 ** -10;

/**
 * A waiter is woken whenever the computation of any value of the dict has ended. If it is woken all the time,
 * it still checks its own entry under the lock at least once in this many milliseconds.
 */
const longestBlindMs = 160;

/** The latest time of any label that this thread has created or passed on. */
let last = 0;

/**
 * One wait for a value that another caller computes. Such a wait may be a deadlock: the thread that computes
 * the value may itself wait for something that this thread computes. The chain between them can go through
 * any threads, processes and dicts.
 *
 * Deadlocks are detected by the algorithm of Mitchell and Merritt (1984). Each wait has a label that is
 * greater than all labels before it. A computation that is blocked by a wait carries the label of that wait
 * in its pending entry. When a waiter sees that the entry it waits for carries a label greater than its own,
 * it passes that label on to the entries that it computes itself. So labels travel backwards along the
 * waits, and the greatest label of a cycle goes all the way round. A waiter that finds its own label at the
 * entry it waits for has detected the cycle. Only one waiter of the cycle detects it, and the whole cycle
 * existed when that waiter's wait began. A waiter only reads the entry that it waits for, under the lock of
 * its dict.
 *
 * Only waits that nothing but the value can end take part. So a wait with a timeout or a signal takes no
 * part. Nor does a wait within a computation that has more than one thing in progress, because that
 * computation may need only the first of them.
 */
export class ValueWait {
  readonly #within: Computation | undefined;
  /** What is blocked by this wait; undefined when the wait takes no part in the detection. */
  readonly #stuck: (() => Iterable<Stuck>) | undefined;
  #own: Label | undefined;
  /** The greatest label that this wait knows of. */
  #label: Label | undefined;
  #isClosed = false;
  #isOver = false;
  #lookedAt = now();
  /** The computation in this thread that the wait is for; undefined when the value is computed elsewhere. */
  #awaited: Computation | undefined;
  #forget: (() => void) | undefined;

  private constructor(within: Computation | undefined, stuck: (() => Iterable<Stuck>) | undefined) {
    this.#within = within;
    this.#stuck = stuck;
    within?.begin();
  }

  /** The wait of the current task. */
  static ofTask(isEndless: boolean): ValueWait {
    const within = Computation.current;
    return new ValueWait(within, isEndless && within ? () => within.stuck() : undefined);
  }

  /** A wait that blocks the whole thread, so that none of its computations can continue. */
  static ofThread(isEndless: boolean): ValueWait {
    return new ValueWait(undefined, isEndless ? () => Computation.all : undefined);
  }

  /**
   * Whether to check under the lock who computes the value now.
   *
   * @param nothingNew - whether the waiter woke up because no value was computed for a while.
   * @returns true if so, and also if the last check was {@link longestBlindMs} ago.
   */
  looks(nothingNew: boolean): boolean {
    const time = now();
    if (!nothingNew && time - this.#lookedAt < longestBlindMs) return false;
    this.#lookedAt = time;
    return true;
  }

  /**
   * Called each time the wait finds that the value is being computed by a thread that still exists. Under the
   * lock of the dict.
   *
   * @param theirs - the label that the pending entry carries.
   * @param token - the token of this thread.
   */
  see(theirs: Label | undefined, token: number): void {
    if (this.#stuck === undefined) return;
    const stuck = [...this.#stuck()];
    // Something that was not blocked before is blocked from now on, so the wait needs a new label.
    if (stuck.some(({ isTold }) => !isTold)) this.#label = this.#own = nextLabel(theirs, token);
    // Nothing is blocked by this wait alone any more, because the computation has begun another thing
    // meanwhile. So the label that others may have seen was wrong.
    if (stuck.length === 0) this.#label = this.#own = undefined;
    const label = this.#label;
    if (theirs === undefined || label === undefined) return;
    if (isLater(theirs, label)) {
      this.#label = theirs;
      last = Math.max(last, theirs.time);
    } else if (label === this.#own && isSame(theirs, label)) {
      this.#isClosed = true;
    }
  }

  /**
   * Called, without the lock, before the wait continues. Publishes the label of this wait.
   *
   * @param computation - returns the computation of this thread that computes the value, if there is one.
   * @returns false if the wait would never end.
   */
  goOn(computation: () => Computation | undefined): boolean {
    if (this.#isClosed) return false;
    if (this.#within) {
      const computedBy = computation();
      this.#await(computedBy);
      if (computedBy && this.#within.wouldNeverHave(computedBy)) return false;
    }
    if (this.#stuck && this.#label) for (const each of this.#stuck()) each.tell(this.#label);
    return true;
  }

  /** Ends the wait, whatever its outcome. May be called more than once. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#await(undefined);
    if (this.#stuck && this.#label) for (const each of this.#stuck()) each.tell(undefined);
    this.#within?.end();
  }

  #await(other: Computation | undefined): void {
    if (other === this.#awaited) return;
    this.#forget?.();
    this.#awaited = other;
    this.#forget = other && this.#within?.await(other);
  }
}

function nextLabel(theirs: Label | undefined, token: number): Label {
  last = Math.max(sinceBoot(), last + leastStepMs, (theirs?.time ?? 0) + leastStepMs);
  return { time: last, token };
}
