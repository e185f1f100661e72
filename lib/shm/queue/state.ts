import { now } from '../core/clock';
import { Holders } from '../core/holders';
import type { LockSeat } from '../core/lock-seat';
import { beginOperation, endOperation, type Operation } from '../core/operations';
import { Roster, entryLayout, rosterBytes } from '../core/roster';
import { Turns, type Waiting } from '../core/turns';
import { Word } from '../core/word';
import { Encoder, apart, finish, isApart } from '../../values/codec';
import { CorruptError } from '../../values/corrupt-error';
import { Ring, ringWords, type Found, type Held } from './ring';
import { StructureState } from '../structure/structure-state';
import {
  blocksAt,
  mostBytesInWord,
  structureLayout,
  type StructureShape,
} from '../structure/structure-layout';
import { isOfValue } from '../structure/unreadable';

/**
 * The words that tasks wait for. The word after each of them is the count of its waiters. They are followed by
 * two words for {@link Turns}, and later by the roster.
 */
const waitedFor = {
  /** An item was put. */
  put: 0,
  /** An item was taken, so that there is room. */
  taken: 2,
  /** All items that were put are done. */
  done: 4,
} as const;
const turnsAt = 6;

/** The queue's own words. They come after those of the ring. */
const own = {
  unfinished: ringWords,
  isShut: ringWords + 1,
} as const;

export const mostItems = 2 ** 30;

/** How often a thread that takes items checks whether the owners of taken items are still alive. */
const reapingIntervalMs = 100;

/** The shape of a queue with the given number of participants. */
export function queueShape(participants: number): StructureShape {
  return shapeOf(rosterBytes(participants));
}

function shapeOf(wordsBytes: number): StructureShape {
  return { wordsBytes, ownWords: () => ringWords + 2, mostValueBytes: mostBytesInWord };
}

/** Where the ring's records begin. */
export function recordsAt(shape: StructureShape, capacity: number): number {
  return blocksAt(shape, capacity);
}

/** A value that was read; or why it could not be read, and what was read of it so far. */
export interface Reading {
  readonly value: unknown;
  readonly failure: { readonly error: unknown; readonly read: unknown } | undefined;
}

/** An item that was taken, with what is needed to finish it. */
export interface Taken extends Held, Reading {
  readonly isOfferedAgain: boolean;
}

/** How an item that was taken is settled: it is done, or it is offered again. */
export type Settling = 'ack' | 'giveBack';

/** Records which items this thread has: a handle of the queue. */
interface Recorder {
  forget(held: Held): void;
}

/** The result of putting an item into a queue that is shut down. */
export const shut = Symbol('shut');

/**
 * What all handles of one thread to a queue share. Putting an item, taking it, finishing it and offering it
 * again are one change each. A thread that has items that are not done has an entry on the roster. If that
 * thread dies, others see it by this entry, and offer its items again.
 */
export class QueueState extends StructureState implements Operation {
  readonly put: Word;
  readonly taken: Word;
  readonly done: Word;
  readonly maxSize: number;
  /** The handles of this thread through which items were taken that are not done. */
  readonly holders = new Holders();
  /** Encodes values that are put without a wait. */
  readonly encoder = new Encoder(this);
  readonly #ring: Ring;
  readonly #roster: Roster;
  /** Decides which of the tasks that wait for room is next. */
  readonly #turns: Turns;
  readonly #own = structureLayout.own;
  #reapedAt = 0;
  /**
   * What was read of an item that {@link get} has taken, if the process lacked a resource to make the value. The
   * next `get` tries again.
   */
  #left: { readonly read: unknown } | undefined;
  /** The item that is about to be taken. */
  #taking: Held | undefined;
  /** The item that is being settled, or that was settled last. */
  #settled: Held | undefined;
  /** Who takes the former, or settles the latter. */
  #recorder: Recorder | undefined;
  /** After an interruption, lets the item be forgotten if it is settled. */
  readonly #settling: Operation = {
    undo: () => {
      this.putRight();
      const held = this.#settled;
      if (held === undefined || this.look(() => this.#ring.has(held, this.#roster.own))) return;
      this.#tellOfItems();
      this.#tellOfRoom();
      this.#recorder?.forget(held);
    },
  };

  constructor(seat: LockSeat) {
    const shape = shapeOf(seat.words.byteLength);
    super(seat, shape);
    const at = recordsAt(shape, seat.length);
    this.#ring = new Ring(this.memory, this.log, this.outOfBand, this.#own, at);
    this.#roster = new Roster(seat, (entry) => void this.#giveAllBack(entry));
    this.#turns = new Turns(this.#roster, turnsAt);
    this.put = new Word(seat, waitedFor.put, true);
    this.taken = new Word(seat, waitedFor.taken, true);
    this.done = new Word(seat, waitedFor.done, false);
    this.maxSize = seat.type === 0 ? mostItems : seat.type;
  }

  get participants(): number {
    return this.#roster.capacity;
  }

  override get bytesUsed(): number {
    return this.look(() => this.#ring.bytesUsed);
  }

  override get capacity(): number {
    return this.#ring.capacity;
  }

  /** The number of items that no consumer has taken. */
  get size(): number {
    return Math.max(
      this.settled(() => this.#ring.ready),
      0,
    );
  }

  /** Whether there is nothing to take: neither now, nor if the consumers that have items die. */
  get isEmpty(): boolean {
    return this.#ring.ready <= 0 && this.#ring.taken <= 0;
  }

  /** The number of items that were put and are not done. */
  get unfinished(): number {
    return this.settled(() => this.memory.fixed[this.#own + own.unfinished] ?? 0);
  }

  get isShut(): boolean {
    return this.memory.fixed[this.#own + own.isShut] !== 0;
  }

  /**
   * Appends an item. Returns undefined if there is no room for it, or if the room is left to a task that has
   * waited longer.
   *
   * @param look - whether to check if tasks that wait have died
   * @param waiting - the wait of the task that waits for room; undefined when there is none
   */
  append(encoder: Encoder, look = false, waiting?: Waiting): true | undefined | typeof shut {
    if (this.isFull && waiting?.isLong !== true) return undefined;
    this.enter();
    let hadTicket = false;
    try {
      const outcome = this.#append(encoder, look);
      if (outcome === true) hadTicket = this.#turns.end();
      else if (outcome === undefined && waiting !== undefined) this.#turns.take(waiting);
      this.leave();
      if (outcome !== true) return outcome;
    } catch (error) {
      throw this.abort(error);
    }
    this.put.announce(1);
    this.put.offer();
    // There may be room for other tasks, which were refused meanwhile.
    if (hadTicket) this.taken.announce();
    return true;
  }

  /** Called when a task no longer waits for room. */
  withdraw(waiting: Waiting): void {
    if (this.#turns.withdraw(waiting)) this.taken.announce();
  }

  /**
   * The id of the process that has taken the first item in the ring and is not done with it. Until it is done, no
   * room is freed, even if later items are done. Undefined when there is no such process.
   */
  get blocker(): number | undefined {
    const owner = this.look(() => this.#ring.firstOwner);
    return owner !== undefined && this.#roster.has(owner)
      ? this.#roster.words[owner + entryLayout.pid]
      : undefined;
  }

  /**
   * Takes the first item for good. Returns undefined when there is none.
   *
   * @throws UnreadableError the item cannot be read. It counts as done, because no consumer has got it. But if
   * this process lacks a resource, the item is the next one that this thread gets.
   */
  get(look: boolean): Reading | undefined {
    const left = this.#left;
    const reading = left === undefined ? this.#take(look, false) : this.reread(left.read);
    this.#left = undefined;
    if (reading?.failure === undefined) return reading;
    const { error, read } = reading.failure;
    if (isOfValue(error)) this.countDone(1);
    else this.#left = { read };
    throw error;
  }

  /** Tries again to read a value that could not be read before. */
  reread(read: unknown): Reading {
    try {
      return { value: finish(read), failure: undefined };
    } catch (error) {
      return { value: undefined, failure: { error: this.unreadable(error), read: apart(read) } };
    }
  }

  /**
   * Takes the first item. It belongs to this thread until it is done, whether or not it can be read. The caller
   * calls {@link hasTaken} as soon as it has recorded the item.
   */
  take(look: boolean, recorder: Recorder): Taken | undefined {
    beginOperation(this);
    this.#recorder = recorder;
    return this.#take(look, true);
  }

  hasTaken(): void {
    endOperation();
    this.#taking = undefined;
  }

  /** Offers an item again that was taken, but that its taker does not know of yet. */
  undo(): void {
    const taken = this.#taking;
    this.#taking = undefined;
    if (taken === undefined) return;
    this.#giveBack(taken);
    this.#tellOfItems();
    this.#recorder?.forget(taken);
  }

  /**
   * Finishes an item of this thread, or offers it again. The caller calls {@link hasSettledItem} as soon as it has
   * forgotten the item.
   *
   * @returns false when this thread does not have the item.
   */
  settleItem(held: Held, how: Settling, recorder: Recorder): boolean {
    beginOperation(this.#settling);
    this.#settled = held;
    this.#recorder = recorder;
    return how === 'ack' ? this.#finish(held) : this.#giveBack(held);
  }

  hasSettledItem(how: Settling): void {
    endOperation();
    if (how === 'ack') this.#tellOfRoom();
    else this.#tellOfItems();
  }

  #finish(held: Held): boolean {
    return this.change(() => {
      if (!this.#ring.finish(held, this.#roster.own)) return false;
      this.#countDone(1);
      return true;
    });
  }

  #giveBack(held: Held): boolean {
    return this.change(() => this.#ring.giveBack(held, this.#roster.own));
  }

  /** Counts items as done, and returns 0. If fewer are unfinished, counts none and returns the difference. */
  countDone(count: number): number {
    const excess = this.change(() => {
      const { unfinished } = this;
      if (count <= unfinished) this.#countDone(count);
      return Math.max(count - unfinished, 0);
    });
    if (excess === 0 && this.unfinished === 0) this.done.announce();
    return excess;
  }

  /** Drops all items that no consumer has. If the ring is corrupt, drops all items. Returns how many were dropped. */
  clear(): number {
    let dropped = 0;
    this.changeAnew(() => {
      try {
        for (; this.#ring.take(undefined); dropped++) {
          this.#countDone(1);
          // One by one, because the undo log has no room for all of them in one change.
          this.log.commit();
        }
        this.#ring.settle();
      } catch (error) {
        if (!(error instanceof CorruptError)) throw error;
        this.log.rollBack(structureLayout.outOfBandBytes);
        this.#ring.reset();
        this.log.write(this.#own + own.unfinished, 0);
      }
    });
    this.#tellOfRoom();
    return dropped;
  }

  /** From now on, no item can be put. */
  shutDown(): void {
    this.change(() => this.log.write(this.#own + own.isShut, 1));
    for (const word of [this.put, this.taken]) {
      word.announce();
      word.offer();
    }
  }

  /** Whether there are as many items as there may be. */
  get isFull(): boolean {
    return this.size >= this.maxSize && !this.isShut;
  }

  /** Whether a value could be put if the queue were empty. */
  hasRoomFor({ size, apartBytes }: Encoder): boolean {
    return Ring.bytesOf(size) + apartBytes <= this.capacity;
  }

  protected override allApart(): string[] {
    return this.#ring.apart();
  }

  override close(): void {
    for (const word of [this.put, this.taken, this.done]) word.close();
    this.#roster.leaveUnderLock();
    super.close();
  }

  #append(encoder: Encoder, look: boolean): true | undefined | typeof shut {
    if (this.isShut) return shut;
    // The turns are checked first, because the check may offer the items of dead threads again, and these count
    // in `size`. The last argument is true if there is nothing to take. Then either the tasks whose turn it is
    // could have their room now, or they wait for an item that a consumer keeps for long. In both cases the room
    // is not reserved for them for ever.
    if (this.#turns.standing && !this.#turns.isOurs(look, this.#ring.ready <= 0)) return undefined;
    if (this.size >= this.maxSize) return undefined;
    if (!this.#ring.put(encoder)) {
      if (this.memory.failure !== undefined) throw this.full(encoder.size);
      return undefined;
    }
    this.log.write(this.#own + own.unfinished, this.unfinished + 1);
    return true;
  }

  #take(look: boolean, keeps: boolean): Taken | undefined {
    const { taken } = this.#ring;
    if (this.#ring.ready <= 0 && !(look && (taken > 0 || this.log.pending))) return undefined;
    const mayReap = taken > 0 && this.#isTimeToReap();
    let found: Found | undefined;
    let reading: Reading | undefined;
    this.enter();
    try {
      const owner = keeps ? this.#roster.join() : undefined;
      if (mayReap) this.#reap();
      found = this.#ring.take(owner);
      if (found === undefined && look && this.#reap() > 0) found = this.#ring.take(owner);
      if (keeps) this.#taking = found;
      // The object of its value may be gone as soon as this is committed.
      if (!keeps && isApart(found?.read)) reading = this.#readNow(found?.read);
    } catch (error) {
      throw this.abort(error);
    }
    this.leave();
    if (found === undefined) return undefined;
    // The value is read before others are told that there is room, because they would overwrite the value.
    const { value, failure } = reading ?? this.reread(found.read);
    if (!keeps) this.#tellOfRoom();
    const { at, moves, number, isOfferedAgain } = found;
    return { at, moves, number, isOfferedAgain, value, failure };
  }

  /** @throws what this process lacks to read it: then the item stays in the queue. */
  #readNow(read: unknown): Reading {
    const reading = this.reread(read);
    const { failure } = reading;
    if (failure !== undefined && !isOfValue(failure.error)) throw failure.error;
    return reading;
  }

  /**
   * Whether it is time to check for dead owners. Waiters check for them, but if there is always something to
   * take, nobody waits.
   */
  #isTimeToReap(): boolean {
    const time = now();
    if (time - this.#reapedAt < reapingIntervalMs) return false;
    this.#reapedAt = time;
    return true;
  }

  #countDone(count: number): void {
    this.log.write(this.#own + own.unfinished, Math.max(this.unfinished - count, 0));
  }

  #tellOfRoom(): void {
    this.taken.announce();
    this.taken.offer();
    if (this.unfinished === 0) this.done.announce();
  }

  #tellOfItems(): void {
    this.put.announce();
    this.put.offer();
  }

  /** Offers the items of dead threads again. Returns how many threads or items were found. Under the lock. */
  #reap(): number {
    const owners = this.#ring.owners();
    if (owners.size === 0) return 0;
    let gone = this.#roster.reap((entry) => owners.has(entry));
    // An item whose owner is not on the roster can only be the result of overwritten memory.
    for (const entry of owners) if (!this.#roster.has(entry)) gone += this.#giveAllBack(entry);
    if (gone > 0) this.put.announce();
    return gone;
  }

  /**
   * Offers all items of an entry's thread again, and returns how many. Commits each item by itself, because the
   * undo log has no room for all of them in one change.
   */
  #giveAllBack(entry: number): number {
    let count = 0;
    for (; this.#ring.giveOneBack(entry); count++) this.log.commit();
    return count;
  }
}
