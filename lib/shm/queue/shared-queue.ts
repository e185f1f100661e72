import type * as contract from '../../contract/index';
import { unlinkObject, type Request } from '../core/attachment';
import { now } from '../core/clock';
import type { Typed } from '../core/handle';
import { toAttach, toCreate, toOpen } from '../core/named-object';
import type { Contents } from '../core/object-seat';
import { defaultParticipants, mostParticipants } from '../core/roster';
import { Waiting } from '../core/turns';
import type { Wait } from '../core/word';
import { hasCode, type SharedMemoryError } from '../../common/errors';
import {
  checkInteger,
  checkOptions,
  timeoutOf,
  throwIfAborted,
  waitOf,
  type TimeoutOptions,
  type WaitOptions,
} from '../../common/options';
import { checkCallback } from '../../common/sync-callbacks';
import { Encoder } from '../../values/codec';
import { QueueItem, type ItemKeeper } from './item';
import { Ring, type Held } from './ring';
import {
  QueueState,
  mostItems,
  queueShape,
  recordsAt,
  shut,
  type Reading,
  type Taken,
} from './state';
import {
  Structure,
  type StructureCreateOptions,
  type StructureOptions,
} from '../structure/structure';
import { checkCapacity, structureContents } from '../structure/structure-layout';
import { isOfValue, warnOf } from '../structure/unreadable';

/** What {@link SharedQueue.open} takes. */
export interface SharedQueueOptions extends StructureOptions {
  /**
   * How many items may wait to be taken; who puts more waits. Default: as many as there is room for.
   */
  readonly maxSize?: number | undefined;
  /**
   * For how many threads there is room that take items to acknowledge them, up to 65,536: a thread
   * counts from its first {@link SharedQueue.take} until it closes its last handle or ends. Each
   * takes 40 bytes. Default 192.
   */
  readonly participants?: number | undefined;
}

/** What {@link SharedQueue.create} takes. */
export interface SharedQueueCreateOptions extends SharedQueueOptions, StructureCreateOptions {}

/** What {@link SharedQueue.items} takes. */
export interface ItemsOptions<V = unknown> extends WaitOptions {
  /**
   * Told of each item that cannot be read, and why. It may acknowledge the item or give it back; otherwise
   * it is acknowledged. The loop goes on when what it returns has settled. What it throws ends the
   * loop, and the item is offered again.
   */
  readonly onUnreadable?:
    ((error: SharedMemoryError, item: QueueItem<V>) => void | PromiseLike<void>) | undefined;
}

/** A queue as plain data, to be sent to another process; see {@link SharedQueue.toJSON}. */
export interface SharedQueueHandle<V = unknown> extends Typed<V> {
  readonly shmkit: 'queue';
  readonly name: string;
}

/**
 * A queue of messages between any number of producers and consumers, in any processes: first in,
 * first out. What Python's `multiprocessing.Queue` and `JoinableQueue` are for, without a thread
 * that feeds a pipe: what was put is in shared memory when {@link put} returns, and survives whoever
 * put it.
 *
 * Values are all that structured clone takes, and this library's own objects, which come back
 * attached. A message is there as a whole or not at all, whoever is killed.
 *
 * There are two ways to consume. {@link get} takes an item for good; what its consumer does not
 * finish before it dies is lost. {@link take} takes it to be acknowledged: it is offered to others
 * again when the consumer dies without having done so, which those who wait notice within some tens
 * of milliseconds. The memory of an item is used again when all before it are done.
 *
 * Tasks of one thread are served in the order in which they asked. Between threads no order is kept,
 * but a put that has waited for room for some ten milliseconds has its turn before those that come
 * later: others leave the room to it, however little they want, until there is enough.
 */
export class SharedQueue<V = unknown> extends Structure implements ItemKeeper, contract.Queue<V> {
  declare readonly shmkit: 'queue';
  readonly #state: QueueState;
  /** Taken through this handle and not done. */
  readonly #held = new Map<QueueItem<unknown>, Held>();

  private constructor(request: Request) {
    super(request);
    this.#state = this.stateBy((seat) => new QueueState(seat));
  }

  /** @internal */
  protected override get state(): QueueState {
    return this.#state;
  }

  /** @internal */
  protected override open(): QueueState {
    if (this.attachment.guarded) this.attachment.open();
    const state = this.#state;
    if (state.inside) state.putRight();
    return state;
  }

  /**
   * Makes a new queue.
   *
   * @throws SharedMemoryError `EEXIST` the name is taken; `ENOSPC`; `EINVAL`, `ENAMETOOLONG` it
   * cannot be a name; `ERR_ZERO_COPY_UNAVAILABLE`.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE`
   */
  static create<V = unknown>(options: SharedQueueCreateOptions = {}): SharedQueue<V> {
    checkOptions(options, ['name', 'mode', 'capacity', 'maxSize', 'participants']);
    return new SharedQueue<V>(toCreate('queue', options, contentsOf(options)));
  }

  /**
   * Attaches to a queue that exists.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES`; `ERR_CORRUPT`, `ERR_WRONG_KIND`,
   * `ERR_ABI_MISMATCH` what bears the name is not a queue that this process can use.
   */
  static attach<V = unknown>(name: string): SharedQueue<V> {
    return new SharedQueue<V>(toAttach('queue', name));
  }

  /**
   * Attaches to a queue, or makes it when it is absent. Of any number of processes that open one name
   * at once, one makes it, and its options count: whoever finds it there takes it as it is, which
   * {@link capacity}, {@link maxSize} and {@link participants} tell.
   *
   * @throws SharedMemoryError as {@link SharedQueue.create} (but `EEXIST`) and
   * {@link SharedQueue.attach}.
   */
  static open<V = unknown>(name: string, options: SharedQueueOptions = {}): SharedQueue<V> {
    checkOptions(options, ['mode', 'capacity', 'maxSize', 'participants']);
    return new SharedQueue<V>(toOpen('queue', name, options, contentsOf(options)));
  }

  /** Removes a name. Whoever is attached keeps the queue until they close. */
  static unlink(name: string): void {
    unlinkObject('queue', name);
  }

  /**
   * How many items wait to be taken, at the instant of asking; no promise about the next.
   *
   * @throws SharedMemoryError `ERR_CLOSED`
   */
  get size(): number {
    return this.open().size;
  }

  /** How many items may wait to be taken, if that is bounded. */
  get maxSize(): number | undefined {
    const { maxSize } = this.open();
    return maxSize === mostItems ? undefined : maxSize;
  }

  /** For how many threads there is room that take items to acknowledge them. */
  get participants(): number {
    return this.open().participants;
  }

  /**
   * How many items were put and are not done: neither acknowledged nor counted by {@link taskDone}.
   *
   * @throws SharedMemoryError `ERR_CLOSED`
   */
  get unfinished(): number {
    return this.open().unfinished;
  }

  /** Whether {@link shutdown} was called, by anyone. */
  get isShutDown(): boolean {
    return this.open().isShut;
  }

  /**
   * Appends an item, without blocking anything, as soon as there is room for it. The time that it takes
   * to pack the value is part of `timeout`.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`; `ERR_SHUTDOWN` the queue was shut down;
   * `ERR_CAPACITY` there could never be room, or the value is larger than one may be (2 GiB less 64
   * bytes); `ENOSPC` the system has no memory for it; the signal's reason when it aborts.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` it cannot be cloned.
   */
  async put(value: V, options?: WaitOptions): Promise<void> {
    const state = this.open();
    const { timeout, signal } = waitOf(options);
    throwIfAborted(signal);
    const begun = beginning(timeout);
    if (!state.taken.awaited && this.#append(this.#encode(state.encoder, value))) return;
    const encoder = this.#encode(new Encoder(state), value).keep();
    await state.taken.wait(this.#putting(encoder, timeout, begun, signal));
  }

  /**
   * Appends an item, blocking this thread until there is room for it.
   *
   * @throws SharedMemoryError as {@link put}
   */
  putSync(value: V, options?: TimeoutOptions): void {
    const state = this.open();
    const timeout = options === undefined ? undefined : timeoutOf(options);
    const begun = beginning(timeout);
    const encoder = this.#encode(state.encoder, value);
    if (this.#append(encoder)) return;
    state.taken.waitSync(this.#putting(encoder, timeout, begun));
  }

  /**
   * Appends an item if there is room for it, and no task of this thread waits for some, and none of
   * another has for long. Does not block.
   *
   * @returns whether it did.
   * @throws SharedMemoryError `ERR_CLOSED`, `ERR_SHUTDOWN`, `ERR_CAPACITY`, `ENOSPC`
   * @throws TypeError `ERR_INVALID_ARG_TYPE` it cannot be cloned.
   */
  tryPut(value: V): boolean {
    const encoder = this.#encode(this.open().encoder, value);
    return !this.open().taken.awaited && this.#append(encoder, true) === true;
  }

  /**
   * Takes the first item for good, without blocking anything, as soon as there is one.
   *
   * An item that cannot be read is taken as well, and counts as done, since nobody has got it: the error is
   * all that there is of it. Where that must not be, {@link take}. Only where it is this process that
   * has too little of something (`EMFILE`, `ENOMEM`), the next call of this thread tries the same again.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`; `ERR_SHUTDOWN` the queue was shut down and
   * is empty; the item cannot be read: `ERR_CORRUPT` its bytes make no sense, or `ERR_ABI_MISMATCH` not
   * to this version; of a shared object in it, what attaching to it throws, as `ENOENT` when it is
   * gone; the signal's reason when it aborts.
   */
  async get(options?: WaitOptions): Promise<V> {
    const state = this.open();
    const { timeout, signal } = waitOf(options);
    throwIfAborted(signal);
    if (!state.put.awaited) {
      const taken = state.get(false);
      if (taken !== undefined) return taken.value as V;
    }
    const taken = await state.put.wait(this.#taking((look) => state.get(look), timeout, signal));
    return taken.value as V;
  }

  /**
   * Takes the first item for good, blocking this thread until there is one.
   *
   * @throws SharedMemoryError as {@link get}
   */
  getSync(options?: TimeoutOptions): V {
    const state = this.open();
    const timeout = options === undefined ? undefined : timeoutOf(options);
    const taken =
      state.get(false) ?? state.put.waitSync(this.#taking((look) => state.get(look), timeout));
    return taken.value as V;
  }

  /**
   * Takes the first item for good, if there is one and no task of this thread waits for it. Does not
   * block.
   *
   * @returns undefined when there is none, as well as when that is the item.
   * @throws SharedMemoryError `ERR_CLOSED`; the item cannot be read: as {@link get}
   */
  tryGet(): V | undefined {
    const state = this.open();
    if (state.put.awaited) return undefined;
    return state.get(true)?.value as V | undefined;
  }

  /**
   * Takes the first item to be acknowledged, without blocking anything, as soon as there is one; also one
   * that cannot be read, which its `value` tells.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`; `ERR_SHUTDOWN` as {@link get}; `ERR_CORRUPT` the
   * queue makes no sense; `ERR_CAPACITY` more threads do so than there is room for; the signal's reason
   * when it aborts.
   */
  async take(options?: WaitOptions): Promise<QueueItem<V>> {
    const state = this.open();
    const { timeout, signal } = waitOf(options);
    // At once: an item that came is this handle's before anything else can happen to it.
    const wait = this.#taking((look) => this.#hold(look), timeout, signal);
    return state.put.wait(wait);
  }

  /**
   * Takes the first item to be acknowledged, blocking this thread until there is one.
   *
   * @throws SharedMemoryError as {@link take}
   */
  takeSync(options?: TimeoutOptions): QueueItem<V> {
    const state = this.open();
    const timeout = timeoutOf(options);
    return state.put.waitSync(this.#taking((look) => this.#hold(look), timeout));
  }

  /**
   * Takes the first item to be acknowledged, if there is one and no task of this thread waits for it.
   * Does not block.
   *
   * @returns null when there is none.
   * @throws SharedMemoryError `ERR_CLOSED`, `ERR_CORRUPT`, `ERR_CAPACITY`
   */
  tryTake(): QueueItem<V> | null {
    const state = this.open();
    if (state.put.awaited) return null;
    return this.#hold(true) ?? null;
  }

  /**
   * Counts items as done that {@link get} took; those that {@link take} took are done when they are
   * acknowledged. Does not block.
   *
   * @param count - how many. Default 1.
   * @throws SharedMemoryError `ERR_NOT_HELD` fewer are unfinished; none was counted.
   */
  taskDone(count = 1): void {
    const state = this.open();
    checkInteger('count', count, 1, mostItems);
    const excess = state.countDone(count);
    if (excess > 0) {
      const what = `has ${count - excess} items that are not done, so ${count} cannot have been`;
      throw this.attachment.error('ERR_NOT_HELD', what);
    }
  }

  /**
   * Waits, without blocking anything, until all that was put is done.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`; the signal's reason when it aborts.
   */
  async join(options?: WaitOptions): Promise<void> {
    const state = this.open();
    const { timeout, signal } = waitOf(options);
    await state.done.wait(this.#joining(timeout, signal));
  }

  /** The same, blocking this thread. */
  joinSync(options?: TimeoutOptions): void {
    this.open().done.waitSync(this.#joining(timeoutOf(options)));
  }

  /**
   * Drops all items that nobody has; they count as done. Each goes as a whole or not at all, should
   * this process be killed meanwhile. Does not block. The memory stays the queue's, for new items: it
   * goes back to the system once the queue is unlinked and everybody has closed it.
   *
   * @returns how many there were.
   */
  clear(): number {
    return this.open().clear();
  }

  /**
   * Has nothing be put any more: `ERR_SHUTDOWN` to all who try, and to all who wait for items when
   * there are no more. Those that are there are still taken. Python 3.13's `Queue.shutdown`. Does not
   * block.
   */
  shutdown(): void {
    this.open().shutDown();
  }

  /**
   * Takes items for good, as {@link get}, until the queue is shut down and empty: for `for await`. Of one
   * that cannot be read the process is told by a warning, and the loop goes on. Throws `ERR_SHUTDOWN` when
   * instead the manager that made it has ended.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<V, void, undefined> {
    for (;;) {
      let value: V;
      try {
        value = await this.get();
      } catch (error) {
        if (hasCode(error, 'ERR_SHUTDOWN') && !this.attachment.hasEnded) return;
        if (!isOfValue(error)) throw error;
        warnOf(error);
        continue;
      }
      yield value;
    }
  }

  /**
   * Takes items one after the other until the queue is shut down and empty, for `for await`: each is
   * acknowledged when the next is asked for, and offered again when the loop is left before that.
   *
   * An item that cannot be read does not end the loop: `onUnreadable` is told of it, or else the process by
   * a warning, and it is acknowledged. Where it is this process that has too little of something (`EMFILE`,
   * `ENOMEM`), the loop ends with that error, and the item is offered again.
   *
   * @throws SharedMemoryError as {@link take}, but not `ERR_SHUTDOWN`.
   */
  async *items(options: ItemsOptions<V> = {}): AsyncGenerator<V, void, undefined> {
    const { onUnreadable, ...wait } = options;
    if (onUnreadable !== undefined) checkCallback('onUnreadable', onUnreadable);
    for (;;) {
      let item: QueueItem<V>;
      try {
        item = await this.take(wait);
      } catch (error) {
        if (hasCode(error, 'ERR_SHUTDOWN') && !this.attachment.hasEnded) return;
        throw error;
      }
      try {
        let value: V;
        try {
          value = item.value;
        } catch (error) {
          if (!isOfValue(error)) throw error;
          if (onUnreadable === undefined) warnOf(error);
          else await onUnreadable(error, item);
          if (!item.isSettled) item.ack();
          continue;
        }
        yield value;
        item.ack();
      } finally {
        item[Symbol.dispose]();
      }
    }
  }

  /** A handle to send to another process, which gives it to {@link attach}. */
  toJSON(): SharedQueueHandle<V> {
    return { shmkit: 'queue', name: this.name };
  }

  /** @internal */
  settle(item: QueueItem<unknown>, how: 'ack' | 'giveBack'): boolean {
    const held = this.#held.get(item);
    const state = this.open();
    if (held === undefined) return false;
    const isSettled = how === 'ack' ? state.finish(held) : state.giveBack(held);
    this.#held.delete(item);
    if (this.#held.size === 0) state.holders.delete(this);
    return isSettled;
  }

  /** @internal Also of a handle that was closed: it takes nothing of the queue. */
  reread(read: unknown): Reading {
    return this.state.reread(read);
  }

  #encode(encoder: Encoder, value: V): Encoder {
    encoder.encode('value', value);
    const state = this.open();
    if (!state.hasRoomFor(encoder.size)) {
      throw this.attachment.error(
        'ERR_CAPACITY',
        `can never have room for ${Ring.bytesOf(encoder.size)} bytes, its capacity is ` +
          `${state.capacity}; create it with a greater one`,
      );
    }
    return encoder;
  }

  #append(encoder: Encoder, look?: boolean, waiting?: Waiting): true | undefined {
    const outcome = this.state.append(encoder, look, waiting);
    if (outcome !== shut) return outcome;
    throw this.attachment.error('ERR_SHUTDOWN', 'was shut down: nothing is put any more');
  }

  #hold(look: boolean): QueueItem<V> | undefined {
    const { state } = this;
    const taken = state.take(look);
    const item = taken && this.#itemOf(taken);
    state.hasTaken();
    return item;
  }

  #itemOf(taken: Taken): QueueItem<V> {
    const item = new QueueItem<V>(this, taken, taken.isOfferedAgain);
    if (this.#held.size === 0) this.state.holders.add(this);
    this.#held.set(item, taken);
    return item;
  }

  /** @param begun - when the time began that the wait may take: packing takes some of it. */
  #putting(
    encoder: Encoder,
    timeout: number | undefined,
    begun: number,
    signal?: AbortSignal,
  ): Wait<true> {
    const waiting = new Waiting();
    return {
      handle: this,
      attempt: (look) => {
        try {
          return this.#append(encoder, look, waiting);
        } catch (error) {
          this.state.withdraw(waiting);
          throw error;
        }
      },
      timeout: timeout && Math.max(timeout - (now() - begun), 0),
      signal,
      expired: () => {
        this.state.withdraw(waiting);
        const { size, maxSize, blocker } = this.state;
        const isBlocked = size < maxSize && blocker !== undefined;
        const why = `: process ${blocker} has taken an item and is not done with it, and no room behind it is free before`;
        throw this.attachment.error(
          'ERR_TIMEOUT',
          `had no room within ${timeout} ms${isBlocked ? why : ''}`,
        );
      },
      calledOff: () => this.state.withdraw(waiting),
    };
  }

  #taking<T>(
    attempt: (look: boolean) => T | undefined,
    timeout: number | undefined,
    signal?: AbortSignal,
  ): Wait<T> {
    return {
      handle: this,
      attempt: (look) => {
        // Before: what was put before it was shut down is seen by who sees that it was.
        const { isShut } = this.state;
        const taken = attempt(look || isShut);
        if (taken === undefined && isShut && this.state.isEmpty) throw this.#shutDown();
        return taken;
      },
      timeout,
      signal,
      expired: (limit) => {
        throw this.attachment.error('ERR_TIMEOUT', `had no item within ${limit} ms`);
      },
    };
  }

  #joining(timeout: number | undefined, signal?: AbortSignal): Wait<true> {
    return {
      handle: this,
      attempt: () => (this.state.unfinished <= 0 ? true : undefined),
      timeout,
      signal,
      expired: (limit) => {
        const { unfinished } = this.state;
        throw this.attachment.error(
          'ERR_TIMEOUT',
          `had ${unfinished} items not done after ${limit} ms`,
        );
      },
    };
  }

  #shutDown() {
    return this.attachment.error('ERR_SHUTDOWN', 'was shut down, and has no more items');
  }

  /** @internal */
  protected override letGo(): void {
    const { attachment, state } = this;
    if (this.#held.size > 0 && !attachment.hasEnded) {
      const what = `has ${this.#held.size} items taken through this handle; ack() or giveBack() them`;
      throw attachment.error('EBUSY', what);
    }
    state.holders.delete(this);
    for (const word of [state.put, state.taken, state.done]) {
      word.giveUp(this, attachment.closedMeanwhile());
    }
    super.letGo();
  }
}

/** The time now, where it matters. */
function beginning(timeout: number | undefined): number {
  return timeout === undefined ? 0 : now();
}

function contentsOf(options: SharedQueueOptions): Contents {
  const { maxSize, participants = defaultParticipants } = options;
  const capacity = checkCapacity(options.capacity);
  checkInteger('participants', participants, 1, mostParticipants);
  if (maxSize !== undefined) checkInteger('maxSize', maxSize, 1, mostItems);
  const shape = queueShape(participants);
  return structureContents(shape, maxSize ?? 0, capacity, 8, (words) =>
    Ring.initialize(words, recordsAt(shape, capacity)),
  );
}
