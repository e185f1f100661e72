import { now, sinceBoot } from '../core/clock';
import { Computation, type Stuck } from './computations';
import { isLater, isSame, type Label } from './label';

/** Exact in all numbers up to the latest time of a label. */
const leastStepMs = 2 ** -10;

/** How long a wait that is woken by news of other values goes without a look at who computes its own. */
const longestBlindMs = 160;

/** The latest time of any label that this thread has made or passed on. */
let last = 0;

/**
 * One wait for a value that somebody else computes. It may be one that never ends: because who computes
 * the value waits in turn, by whatever chain of threads, processes and dicts, for what this thread computes.
 *
 * How that is found is Mitchell's and Merritt's algorithm (1984). Each wait has a label that is greater
 * than any before. Computations that cannot go on because of it bear it, in the entries that are pending.
 * Whoever waits for an entry that bears a greater label than its own passes that on to what it computes
 * itself. So labels go back along the waits, the greatest of a circle goes all the way round, and who finds
 * its own at what it waits for has closed the circle: one of all that wait, and at the time when its wait
 * began all of the circle stood. Nobody reads more than the entry it waits for, under its dict's lock.
 *
 * Only waits take part that nothing can end but the value. So those with a timeout or a signal do not, nor
 * those of a computation in which more than one thing is under way: it may need the first of them only.
 */
export class ValueWait {
  readonly #within: Computation | undefined;
  /** What cannot go on while it lasts; undefined where it takes no part. */
  readonly #stuck: (() => Iterable<Stuck>) | undefined;
  #own: Label | undefined;
  /** The greatest that it knows of. */
  #label: Label | undefined;
  #isClosed = false;
  #isOver = false;
  #lookedAt = now();
  /** The task of this thread that computes the value, while one does. */
  #awaited: Computation | undefined;
  #forget: (() => void) | undefined;

  private constructor(within: Computation | undefined, stuck: (() => Iterable<Stuck>) | undefined) {
    this.#within = within;
    this.#stuck = stuck;
    within?.begin();
  }

  /** Of the task that runs. */
  static ofTask(isEndless: boolean): ValueWait {
    const within = Computation.current;
    return new ValueWait(within, isEndless && within ? () => within.stuck() : undefined);
  }

  /** Of the whole thread, none of whose computations goes on meanwhile. */
  static ofThread(isEndless: boolean): ValueWait {
    return new ValueWait(undefined, isEndless ? () => Computation.all : undefined);
  }

  /** Whether to look who computes the value: always, if nothing was heard for a while. */
  looks(nothingNew: boolean): boolean {
    const time = now();
    if (!nothingNew && time - this.#lookedAt < longestBlindMs) return false;
    this.#lookedAt = time;
    return true;
  }

  /**
   * Somebody computes it who is still there; under the lock of the dict. As often as that is found.
   *
   * @param theirs - what the pending entry bears.
   * @param token - this thread's.
   */
  see(theirs: Label | undefined, token: number): void {
    if (this.#stuck === undefined) return;
    const stuck = [...this.#stuck()];
    // What could go on until now has to be so from now on.
    if (stuck.some(({ isTold }) => !isTold)) this.#label = this.#own = nextLabel(theirs, token);
    // Another thing that it waits for was begun: whoever has seen its label meanwhile was not told the truth.
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
   * Goes on waiting, without the lock.
   *
   * @param computation - tells which task of this thread computes the value, if one does.
   * @returns false: it would never end.
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

  /** It is over, however. Once or more often. */
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
