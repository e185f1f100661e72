import { native } from '../core/binding';
import type { LockSeat } from '../core/lock-seat';
import type { Operation } from '../core/operations';
import { Word } from '../core/word';
import { isFailure } from '../core/failures';
import { Encoder, Tag, finish } from '../../values/codec';
import { Computation } from './computations';
import { absent, pending, type DictEntries } from './entries';
import type { DictEviction } from './eviction';
import { expiryOf } from './expiry';
import { none, type DictTable } from './table';
import type { DictWriter } from './writer';
import { computedAt } from './layout';
import type { StructureState } from '../structure/structure-state';
import { labelOf, type Label } from './label';
import type { ValueWait } from './value-wait';

/**
 * The right and duty to compute the value of a key. The token says which thread has the claim. The serial
 * number says which of the thread's computations it is for.
 */
export interface Claim {
  readonly key: string;
  readonly token: number;
  readonly serial: number;
}

/** The size of the value of a pending entry, in words: four float64. */
const pendingWords = 8;
const pendingAt = {
  token: 0,
  serial: 1,
  /**
   * The label (see label.ts) of the wait that blocks the computation: the label's time, and the token of the
   * waiting thread. The time is 0 when no wait blocks the computation.
   */
  time: 2,
  waiter: 3,
} as const;

let serials = 0;

/** The operation of making a claim (see operations.ts). If it is interrupted, the claim is given up. */
export class Claiming implements Operation {
  claim: Claim | undefined;
  readonly #renounce: (claim: Claim) => void;

  constructor(renounce: (claim: Claim) => void) {
    this.#renounce = renounce;
  }

  undo(): void {
    if (this.claim !== undefined) this.#renounce(this.claim);
  }
}

/** A computation that blocks the thread until the value is computed, together with its claim. */
export class SyncComputation extends Claiming {
  computation: Computation | undefined;
  readonly waiting: ValueWait;

  constructor(waiting: ValueWait, renounce: (claim: Claim) => void) {
    super(renounce);
    this.waiting = waiting;
  }

  override undo(): void {
    this.waiting.end();
    this.computation?.finish();
    super.undo();
  }
}

/**
 * Values that one thread computes while others wait for them. A pending entry says which thread computes it.
 * If that thread no longer exists, the next caller takes the computation over.
 */
export class DictClaims {
  /** Changes whenever a value was computed, or its computation was given up. */
  readonly computed: Word;
  /** The computations of this thread's tasks, by key. */
  readonly #computations = new Map<string, Computation>();
  readonly #structure: StructureState;
  #floats!: Float64Array<ArrayBuffer>;
  readonly #entries: DictEntries;
  readonly #table: DictTable;
  readonly #writer: DictWriter;
  readonly #eviction: DictEviction | undefined;
  readonly #encoder: Encoder;

  constructor(
    seat: LockSeat,
    structure: StructureState,
    entries: DictEntries,
    table: DictTable,
    writer: DictWriter,
    eviction: DictEviction | undefined,
  ) {
    this.computed = new Word(seat, computedAt, false);
    this.#structure = structure;
    this.#encoder = new Encoder(structure);
    const { memory } = structure;
    memory.follow(() => (this.#floats = memory.floats));
    this.#entries = entries;
    this.#table = table;
    this.#writer = writer;
    this.#eviction = eviction;
  }

  /**
   * Returns the value of a key if there is one. If another caller is computing the value, and that caller's
   * thread still exists, returns `pending` and calls {@link ValueWait.see}. Otherwise returns a claim: from now
   * on, this thread has to compute the value.
   */
  claim(
    key: string,
    waiting: ValueWait,
    computation: Claiming,
  ): { value: unknown } | Claim | typeof pending {
    const token = native.presenceToken();
    if (isFailure(token)) throw this.#structure.withoutPresence(token);
    const hash = this.#table.hash(key);
    return this.#structure.change(() => {
      const at = this.#table.locate(key, hash);
      // Only one read, so that the clock is read once: the value could expire between two reads.
      const value = at === none ? absent : this.#entries.readLocked(at);
      if (value !== absent && value !== pending) {
        this.#eviction?.use(hash);
        try {
          return { value: finish(value) };
        } catch (error) {
          throw this.#structure.unreadable(error, key);
        }
      }
      if (at !== none && this.#entries.tagOf(at) === Tag.Pending) {
        const body = this.#entries.bodyOfWords(at, pendingWords) / 2;
        const whose = this.#floats[body + pendingAt.token] ?? NaN;
        if (isToken(whose) && native.isPresent(whose)) {
          waiting.see(this.#labelAt(body), token);
          return pending;
        }
      }
      const serial = ++serials;
      const claim = { key, token, serial };
      computation.claim = claim;
      this.#writer.put(key, hash, at, this.#encoder.promise(token, serial), 0);
      return claim;
    });
  }

  /**
   * Makes the operation by which a task makes a claim. If the operation is interrupted before the task has the
   * claim, the claim is given up, so that others may compute the value.
   */
  claiming(): Claiming {
    return new Claiming((claim) => this.renounce(claim));
  }

  /**
   * Makes a computation that blocks the thread. If the computation is interrupted, its claim is given up, so
   * that others may compute the value.
   */
  computation(waiting: ValueWait): SyncComputation {
    return new SyncComputation(waiting, (claim) => this.renounce(claim));
  }

  /** Whether this same thread is computing the value. */
  isOwn(key: string): boolean {
    const token = native.presenceToken();
    const hash = this.#table.hash(key);
    return this.#structure.look(() => {
      const at = this.#table.locate(key, hash);
      if (at === none || this.#entries.tagOf(at) !== Tag.Pending) return false;
      const body = this.#entries.bodyOfWords(at, pendingWords) / 2;
      return this.#floats[body + pendingAt.token] === token;
    });
  }

  /** Returns the computation of the task in this thread that computes the value; undefined when there is none. */
  computationOf(key: string): Computation | undefined {
    const computation = this.#computations.get(key);
    return computation !== undefined && this.isOwn(key) ? computation : undefined;
  }

  /** Computes the value of a key that this thread has claimed. */
  async compute<T>(
    key: string,
    computation: Computation,
    by: () => T | PromiseLike<T>,
  ): Promise<T> {
    this.#computations.set(key, computation);
    try {
      return await computation.run(by);
    } finally {
      if (this.#computations.get(key) === computation) this.#computations.delete(key);
    }
  }

  /** Stores a computed value. But if the key was set or deleted during the computation, nothing is stored. */
  fulfil(claim: Claim, value: unknown, ttl: number): void {
    const encoder = this.#encoder.encode('what fn returns', value);
    const hash = this.#table.hash(claim.key);
    this.#structure.change(() => {
      const at = this.#table.locate(claim.key, hash);
      if (at !== none && this.#isClaimedBy(at, claim)) {
        this.#writer.put(claim.key, hash, at, encoder, expiryOf(ttl));
      }
    });
    this.computed.announce();
  }

  /** Gives up a claim without a value, so that others may compute the value. */
  renounce(claim: Claim): void {
    const hash = this.#table.hash(claim.key);
    this.#structure.change(() => {
      const at = this.#table.locate(claim.key, hash);
      if (at !== none && this.#isClaimedBy(at, claim)) this.#table.remove(at, this.#table.link);
    });
    this.computed.announce();
  }

  /**
   * Stores a label in the pending entry of a claim: the label of the wait that blocks the claim's computation.
   * If `label` is undefined, removes the stored label.
   *
   * @returns false if the dict cannot be changed now. The next caller that uses the dict gets the error.
   */
  note(claim: Claim, label: Label | undefined): boolean {
    const hash = this.#table.hash(claim.key);
    try {
      this.#structure.change(() => {
        const at = this.#table.locate(claim.key, hash);
        if (at === none || !this.#isClaimedBy(at, claim)) return;
        const floats = this.#floats;
        const body = this.#entries.bodyOfWords(at, pendingWords) / 2;
        // Without the undo log: after each of these stores there is either a complete label or none.
        floats[body + pendingAt.time] = 0;
        if (label === undefined) return;
        floats[body + pendingAt.waiter] = label.token;
        floats[body + pendingAt.time] = label.time;
      });
      return true;
    } catch {
      return false;
    }
  }

  #isClaimedBy(at: number, { token, serial }: Claim): boolean {
    if (this.#entries.tagOf(at) !== Tag.Pending) return false;
    const body = this.#entries.bodyOfWords(at, pendingWords) / 2;
    const floats = this.#floats;
    return floats[body + pendingAt.token] === token && floats[body + pendingAt.serial] === serial;
  }

  #labelAt(body: number): Label | undefined {
    const floats = this.#floats;
    return labelOf(floats[body + pendingAt.time] ?? 0, floats[body + pendingAt.waiter] ?? 0);
  }
}

function isToken(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value < 2 ** 52;
}
