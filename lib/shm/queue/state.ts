import { now } from '../core/clock';
import { Holders } from '../core/holders';
import type { LockSeat } from '../core/lock-seat';
import { beginOperation, endOperation, type Operation } from '../core/operations';
import { Roster, entryLayout, rosterBytes } from '../core/roster';
import { Turns, type Waiting } from '../core/turns';
import { Word } from '../core/word';
import { Encoder, apart, finish, isApart } from '../../values/codec';
import { CorruptError } from '../../values/corrupt-error';
import { Batch } from './batch';
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

const none: readonly never[] = [];

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

/** Why a value could not be read, and what was read of it so far. */
interface Failure {
  readonly error: unknown;
  readonly read: unknown;
}

/** A value that was read, or why it could not be read. */
export interface Reading {
  readonly value: unknown;
  readonly failure: Failure | undefined;
}

/** What was read of an item, and the value, if that was made at once. */
interface Unread {
  readonly read: unknown;
  readonly reading?: Reading;
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
   * What was read of items that this thread has taken for good, but has not returned to a caller yet: those that
   * {@link getMany} took behind one that cannot be read, and one for which the process lacked a resource to make the
   * value. They are the next ones to be returned.
   */
  readonly #left: Unread[] = [];
  /** The items that are about to be taken. */
  #taking: readonly Held[] = none;
  /** The items that are being settled, or that were settled last. */
  #settled: readonly Held[] = none;
  /** Who takes the former, or settles the latter. */
  #recorder: Recorder | undefined;
  /** After an interruption, lets those items be forgotten that are settled. */
  readonly #settling: Operation = {
    undo: () => {
      this.putRight();
      const settled = this.look(() =>
        this.#settled.filter((held) => !this.#ring.has(held, this.#roster.own)),
      );
      if (settled.length === 0) return;
      this.#tellOfItems();
      this.#tellOfRoom();
      for (const held of settled) this.#recorder?.forget(held);
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
   * Appends an item, or the items of a batch. Returns undefined if there is no room for it, or if the room is left to
   * a task that has waited longer. Of a batch, it then may have appended the first items; the others are left in it.
   *
   * @param look - whether to check if tasks that wait have died
   * @param waiting - the wait of the task that waits for room; undefined when there is none
   */
  append(items: Encoder | Batch, look = false, waiting?: Waiting): true | undefined | typeof shut {
    if (this.isFull && waiting?.isLong !== true) return undefined;
    const wanted = items instanceof Batch ? items.count : 1;
    let count: number | typeof shut;
    let hadTicket = false;
    this.enter();
    try {
      count = this.#append(items, look);
      if (count === wanted) hadTicket = this.#turns.end();
      else if (count !== shut && waiting !== undefined) this.#turns.take(waiting);
      this.leave();
    } catch (error) {
      throw this.abort(error);
    }
    if (count === shut) return shut;
    if (count > 0) {
      if (items instanceof Batch) items.drop(count);
      this.put.announce(count);
      this.put.offer();
    }
    if (count < wanted) return undefined;
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
  get(look: boolean): { value: unknown } | undefined {
    if (this.#left.length > 0) return { value: this.getMany(1, look)?.[0] };
    const found = this.#take(1, look, false)[0];
    if (found === undefined) return undefined;
    const reading = found.reading ?? this.reread(found.read);
    // The value is read before others are told that there is room, because they would overwrite it.
    this.#tellOfRoom();
    if (reading.failure !== undefined) throw this.#cannotGet(reading.failure);
    return reading;
  }

  /**
   * Takes the first items for good. Returns undefined when there is none.
   *
   * @param most - how many at most.
   * @throws as {@link get}, because of the first item. If another one cannot be read, those before it are returned,
   * and the next call throws.
   */
  getMany(most: number, look: boolean): unknown[] | undefined {
    const left = this.#left;
    const isNew = left.length === 0;
    if (isNew) for (const each of this.#take(most, look, false)) left.push(each);
    if (left.length === 0) return undefined;
    const values: unknown[] = [];
    try {
      for (const each of left) {
        if (values.length === most) break;
        const { value, failure } = each.reading ?? this.reread(each.read);
        if (failure !== undefined) {
          left[values.length] = { read: failure.read };
          if (values.length > 0) break;
          left.shift();
          throw this.#cannotGet(failure);
        }
        values.push(value);
      }
    } finally {
      left.splice(0, values.length);
      if (isNew) this.#tellOfRoom();
    }
    return values;
  }

  /** Returns the error. */
  #cannotGet({ error, read }: Failure): unknown {
    if (isOfValue(error)) this.countDone(1);
    else this.#left.unshift({ read });
    return error;
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
    const found = this.#take(1, look, true)[0];
    return found && this.#asTaken(found);
  }

  /** Takes the first items, as many as there are and at most `most`. See {@link take}. */
  takeMany(most: number, look: boolean, recorder: Recorder): Taken[] {
    beginOperation(this);
    this.#recorder = recorder;
    return this.#take(most, look, true).map((found) => this.#asTaken(found));
  }

  #asTaken({ at, moves, number, isOfferedAgain, read }: Found): Taken {
    const { value, failure } = this.reread(read);
    return { at, moves, number, isOfferedAgain, value, failure };
  }

  hasTaken(): void {
    endOperation();
    this.#taking = none;
  }

  /** Offers items again that were taken, but that their taker does not know of yet. */
  undo(): void {
    const taking = this.#taking;
    this.#taking = none;
    if (taking.length === 0) return;
    this.#settle(taking, 'giveBack');
    this.#tellOfItems();
    for (const held of taking) this.#recorder?.forget(held);
  }

  /**
   * Finishes items of this thread, or offers them again. The caller calls {@link hasSettled} as soon as it has
   * forgotten the items.
   *
   * @returns false when this thread does not have one of the items. The others are settled.
   */
  settleItems(items: readonly Held[], how: Settling, recorder: Recorder): boolean {
    beginOperation(this.#settling);
    this.#settled = items;
    this.#recorder = recorder;
    return this.#settle(items, how);
  }

  hasSettled(how: Settling): void {
    endOperation();
    if (how === 'ack') this.#tellOfRoom();
    else this.#tellOfItems();
  }

  #settle(items: readonly Held[], how: Settling): boolean {
    return this.change(() => {
      const owner = this.#roster.own;
      let areHeld = true;
      for (const held of items) {
        // One by one, because the undo log has no room for all of them in one change.
        this.log.commit();
        if (how === 'giveBack') areHeld = this.#ring.giveBack(held, owner) && areHeld;
        else if (this.#ring.finish(held, owner)) this.#countDone(1);
        else areHeld = false;
      }
      return areHeld;
    });
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
        this.rollBack();
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

  /** Returns how many items were appended. */
  #append(items: Encoder | Batch, look: boolean): number | typeof shut {
    if (this.isShut) return shut;
    // The turns are checked first, because the check may offer the items of dead threads again, and these count
    // in `size`. The last argument is true if there is nothing to take. Then either the tasks whose turn it is
    // could have their room now, or they wait for an item that a consumer keeps for long. In both cases the room
    // is not reserved for them for ever.
    if (this.#turns.standing && !this.#turns.isOurs(look, this.#ring.ready <= 0)) return 0;
    const most = this.maxSize - this.size;
    if (most <= 0) return 0;
    const isBatch = items instanceof Batch;
    const count = isBatch ? this.#ring.putBatch(items, most) : Number(this.#ring.put(items));
    if (count > 0) this.log.write(this.#own + own.unfinished, this.unfinished + count);
    else if (this.memory.failure !== undefined) {
      throw this.full(isBatch ? 8 * items.unitsOf(1) : items.size);
    }
    return count;
  }

  /**
   * Takes the first records, as many as there are.
   *
   * @param most - how many at most.
   * @param keeps - whether they belong to this thread from now on. Otherwise they are done.
   */
  #take(most: number, look: boolean, keeps: boolean): readonly (Found & Unread)[] {
    const ring = this.#ring;
    const { taken } = ring;
    if (ring.ready <= 0 && !(look && (taken > 0 || this.log.pending))) return none;
    const mayReap = taken > 0 && this.#isTimeToReap();
    const all: (Found & Unread)[] = [];
    if (keeps) this.#taking = all;
    this.enter();
    try {
      const owner = keeps ? this.#roster.join() : undefined;
      if (mayReap) this.#reap();
      let found = ring.take(owner, most === 1);
      if (found === undefined && look && this.#reap() > 0) found = ring.take(owner, most === 1);
      // The object of its value may be gone as soon as this is committed.
      if (found !== undefined && !keeps && isApart(found.read)) {
        all.push({ ...found, reading: this.#readNow(found.read) });
      } else if (found !== undefined) {
        all.push(found);
        if (most > 1) this.#takeMore(owner, most, all);
      }
    } catch (error) {
      throw this.abort(error);
    }
    this.leave();
    return all;
  }

  /** Takes more records, until it has `most`. Each is committed by itself, because the undo log has no room for all. */
  #takeMore(owner: number | undefined, most: number, all: Found[]): void {
    while (all.length < most && this.#ring.ready > 0) {
      this.log.commit();
      let found: Found | undefined;
      try {
        found = this.#ring.take(owner, false);
      } catch (error) {
        // The next caller gets the error. The records that were taken are not lost.
        if (!(error instanceof CorruptError)) throw error;
      }
      if (found === undefined || (owner === undefined && isApart(found.read))) {
        this.rollBack();
        break;
      }
      all.push(found);
    }
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
