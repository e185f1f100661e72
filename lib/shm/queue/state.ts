import { now } from '../core/clock';
import { Holders } from '../core/holders';
import type { LockSeat } from '../core/lock-seat';
import { beginOperation, endOperation, type Operation } from '../core/operations';
import { Roster, entryLayout, rosterBytes } from '../core/roster';
import { Turns, type Waiting } from '../core/turns';
import { Word } from '../core/word';
import { Encoder, apart, finish } from '../../values/codec';
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

/** The words that are waited for, each with a count of who waits; two of {@link Turns}; the roster. */
const waitedFor = {
  /** Something was put. */
  put: 0,
  /** Something was taken, so that there is room. */
  taken: 2,
  /** All that was put is done. */
  done: 4,
} as const;
const turnsAt = 6;

/** The queue's own words, behind the ring's. */
const own = {
  unfinished: ringWords,
  isShut: ringWords + 1,
} as const;

export const mostItems = 2 ** 30;

/** How often a thread that takes items looks whether those who have others are still there. */
const reapingIntervalMs = 100;

/** What makes a queue of so many participants. */
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

/** A value that was read, or why it could not be, and what there is of it. */
export interface Reading {
  readonly value: unknown;
  readonly failure: { readonly error: unknown; readonly read: unknown } | undefined;
}

/** An item, and how to be done with it. */
export interface Taken extends Held, Reading {
  readonly isOfferedAgain: boolean;
}

/** Why nothing is put any more. */
export const shut = Symbol('shut');

/**
 * What the queues of one thread share. Everything that is put, taken, done or offered again is one
 * change; who has taken an item without being done with it has an entry on the roster, by which
 * others see that it died, and offer again what it had.
 */
export class QueueState extends StructureState implements Operation {
  readonly put: Word;
  readonly taken: Word;
  readonly done: Word;
  readonly maxSize: number;
  /** Handles of this thread through which something was taken that is not done. */
  readonly holders = new Holders();
  /** Of what is put without a wait. */
  readonly encoder = new Encoder(this);
  readonly #ring: Ring;
  readonly #roster: Roster;
  /** Of those who wait for room. */
  readonly #turns: Turns;
  readonly #own = structureLayout.own;
  #reapedAt = 0;
  /** What was read of an item that is this thread's, which had no means to make a value of it. */
  #left: { readonly read: unknown } | undefined;
  /** The item that is about to be taken. */
  #taking: Held | undefined;

  constructor(seat: LockSeat) {
    const shape = shapeOf(seat.words.byteLength);
    super(seat, shape);
    this.#ring = new Ring(this.memory, this.log, this.#own, recordsAt(shape, seat.length));
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

  /** How many items nobody has. */
  get size(): number {
    return Math.max(
      this.settled(() => this.#ring.ready),
      0,
    );
  }

  /** Whether there is nothing to take, now or when those die who have something. */
  get isEmpty(): boolean {
    return this.#ring.ready <= 0 && this.#ring.taken <= 0;
  }

  /** How many were put and are not done. */
  get unfinished(): number {
    return this.settled(() => this.memory.fixed[this.#own + own.unfinished] ?? 0);
  }

  get isShut(): boolean {
    return this.memory.fixed[this.#own + own.isShut] !== 0;
  }

  /**
   * Appends an item; undefined while there is no room for it, or the room is left to somebody who has
   * waited longer.
   *
   * @param look - whether those who wait may have died
   * @param waiting - of the task that waits for room, if one does
   */
  append(encoder: Encoder, look = false, waiting?: Waiting): true | undefined | typeof shut {
    const isFull = this.size >= this.maxSize && !this.isShut;
    if (isFull && waiting?.isLong !== true) return undefined;
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
    // There may be room for others, who were refused meanwhile.
    if (hadTicket) this.taken.announce();
    return true;
  }

  /** A task waits for room no more. */
  withdraw(waiting: Waiting): void {
    if (this.#turns.withdraw(waiting)) this.taken.announce();
  }

  /** The process that has an item without being done with it, before all that is free, if one has. */
  get blocker(): number | undefined {
    const owner = this.look(() => this.#ring.firstOwner);
    return owner !== undefined && this.#roster.has(owner)
      ? this.#roster.words[owner + entryLayout.pid]
      : undefined;
  }

  /**
   * Takes the first item for good; undefined when there is none.
   *
   * @throws UnreadableError it cannot be read. It counts as done, since nobody has got it; if this process
   * has too little of something, it is what comes next instead.
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

  /** What can be read now of what could not be before. */
  reread(read: unknown): Reading {
    try {
      return { value: finish(read), failure: undefined };
    } catch (error) {
      return { value: undefined, failure: { error: this.unreadable(error), read: apart(read) } };
    }
  }

  /**
   * Takes the first item, which is this thread's until it is done, whether or not it can be read;
   * {@link hasTaken} is called when somebody has it.
   */
  take(look: boolean): Taken | undefined {
    beginOperation(this);
    return this.#take(look, true);
  }

  hasTaken(): void {
    endOperation();
    this.#taking = undefined;
  }

  /** An item that nobody has is offered again. */
  undo(): void {
    const taken = this.#taking;
    this.#taking = undefined;
    if (taken !== undefined) this.giveBack(taken);
  }

  /** Is done with an item that this thread has; false when it has it not. */
  finish(held: Held): boolean {
    const isDone = this.change(() => {
      if (!this.#ring.finish(held, this.#roster.own)) return false;
      this.#countDone(1);
      return true;
    });
    if (isDone) this.#tellOfRoom();
    return isDone;
  }

  /** Offers an item again that this thread has; false when it has it not. */
  giveBack(held: Held): boolean {
    const isBack = this.change(() => this.#ring.giveBack(held, this.#roster.own));
    if (isBack) this.#tellOfItems();
    return isBack;
  }

  /** How many more than were put would be done, or 0: so many were counted as done. */
  countDone(count: number): number {
    const excess = this.change(() => {
      const { unfinished } = this;
      if (count <= unfinished) this.#countDone(count);
      return Math.max(count - unfinished, 0);
    });
    if (excess === 0 && this.unfinished === 0) this.done.announce();
    return excess;
  }

  /** Drops all items that nobody has, or all where they make no sense; returns how many there were. */
  clear(): number {
    let dropped = 0;
    this.changeAnew(() => {
      try {
        for (; this.#ring.take(undefined); dropped++) {
          this.#countDone(1);
          // One by one: a change has no room for all.
          this.log.commit();
        }
        this.#ring.settle();
      } catch (error) {
        if (!(error instanceof CorruptError)) throw error;
        this.log.rollBack(structureLayout.arena);
        this.#ring.reset();
        this.log.write(this.#own + own.unfinished, 0);
      }
    });
    this.#tellOfRoom();
    return dropped;
  }

  /** Nothing is put any more. */
  shutDown(): void {
    this.change(() => this.log.write(this.#own + own.isShut, 1));
    for (const word of [this.put, this.taken]) {
      word.announce();
      word.offer();
    }
  }

  /** Whether a value of so many bytes could be put if there were nothing else. */
  hasRoomFor(bytes: number): boolean {
    return Ring.bytesOf(bytes) <= this.capacity;
  }

  override close(): void {
    for (const word of [this.put, this.taken, this.done]) word.close();
    this.#roster.leaveUnderLock();
    super.close();
  }

  #append(encoder: Encoder, look: boolean): true | undefined | typeof shut {
    if (this.isShut) return shut;
    // First, as it may give back what the dead had. Where there is nothing to take, it is not for want
    // of room that those wait whose turn it is, or for what somebody has for long.
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
    this.enter();
    try {
      const owner = keeps ? this.#roster.join() : undefined;
      if (mayReap) this.#reap();
      found = this.#ring.take(owner);
      if (found === undefined && look && this.#reap() > 0) found = this.#ring.take(owner);
      if (keeps) this.#taking = found;
    } catch (error) {
      throw this.abort(error);
    }
    this.leave();
    if (found === undefined) return undefined;
    // Before others are told, who would read something else.
    const { value, failure } = this.reread(found.read);
    if (!keeps) this.#tellOfRoom();
    const { at, moves, number, isOfferedAgain } = found;
    return { at, moves, number, isOfferedAgain, value, failure };
  }

  /** Where there is always something to take nobody waits, and so nobody looks who died. */
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

  /** Offers again what the dead had, under the lock; returns how many they were. */
  #reap(): number {
    const owners = this.#ring.owners();
    if (owners.size === 0) return 0;
    let gone = this.#roster.reap((entry) => owners.has(entry));
    // What belongs to nobody on the roster does so by mistake of somebody who wrote there.
    for (const entry of owners) if (!this.#roster.has(entry)) gone += this.#giveAllBack(entry);
    if (gone > 0) this.put.announce();
    return gone;
  }

  /** Each by itself: a change has no room for all. */
  #giveAllBack(entry: number): number {
    let count = 0;
    for (; this.#ring.giveOneBack(entry); count++) this.log.commit();
    return count;
  }
}
