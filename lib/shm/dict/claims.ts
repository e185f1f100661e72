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

/** Who computes a value: a thread, and which of its computations. */
export interface Claim {
  readonly key: string;
  readonly token: number;
  readonly serial: number;
}

/** What a pending entry has for a value: four float64. */
const pendingWords = 8;
const pendingAt = {
  token: 0,
  serial: 1,
  /** The label of the wait by which it cannot go on; its time is 0 where there is none. */
  time: 2,
  waiter: 3,
} as const;

let serials = 0;

/** A claim that is being made. */
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

/** A value that is being computed while the thread is blocked, and by which claim. */
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
 * Values that are computed by one thread while others wait for them. An entry that is pending says who
 * computes it; when they are no longer there, whoever comes next takes it over.
 */
export class DictClaims {
  /** Changes whenever somebody has computed something, or has given it up. */
  readonly computed: Word;
  /** What tasks of this thread compute, by keys. */
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
   * What there is of a key: its value; or who is to compute it, which is this thread from now on; or
   * `pending`, when somebody else does who is still there, as `waiting` is told.
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
      // One look at the time, which the value may be over in between two.
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

  /** A claim of a task: were it interrupted before the task has it, others may compute. */
  claiming(): Claiming {
    return new Claiming((claim) => this.renounce(claim));
  }

  /** A computation that blocks the thread: were it interrupted, others may compute. */
  computation(waiting: ValueWait): SyncComputation {
    return new SyncComputation(waiting, (claim) => this.renounce(claim));
  }

  /** Whether this very thread computes it. */
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

  /** Which task of this thread computes it, if one does. */
  computationOf(key: string): Computation | undefined {
    const computation = this.#computations.get(key);
    return computation !== undefined && this.isOwn(key) ? computation : undefined;
  }

  /** Computes the value of a key that was claimed. */
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

  /** A value was computed. One that was set meanwhile stays, one that was deleted stays away. */
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

  /** A value was not computed: others may. */
  renounce(claim: Claim): void {
    const hash = this.#table.hash(claim.key);
    this.#structure.change(() => {
      const at = this.#table.locate(claim.key, hash);
      if (at !== none && this.#isClaimedBy(at, claim)) this.#table.remove(at, this.#table.link);
    });
    this.computed.announce();
  }

  /**
   * Has a claim bear the label of the wait by which it cannot go on, or none.
   *
   * @returns false: the dict cannot be changed now, as whoever uses it next is told.
   */
  note(claim: Claim, label: Label | undefined): boolean {
    const hash = this.#table.hash(claim.key);
    try {
      this.#structure.change(() => {
        const at = this.#table.locate(claim.key, hash);
        if (at === none || !this.#isClaimedBy(at, claim)) return;
        const floats = this.#floats;
        const body = this.#entries.bodyOfWords(at, pendingWords) / 2;
        // Not by the log: each store leaves a label that is whole, or none.
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
