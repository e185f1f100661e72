import { tellClass } from '../core/classes';
import type * as contract from '../../contract/index';
import type { Request } from '../core/attachment';
import { now } from '../core/clock';
import type { Typed } from '../core/handle';
import { toAttach, toCreate, toOpen } from '../core/named-object';
import type { Contents } from '../core/object-seat';
import { undoInterrupted } from '../core/operations';
import { defaultParticipants, mostParticipants } from '../core/roster';
import { SharedMemoryError, hasCode } from '../../common/errors';
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
import { Bulk } from './bulk';
import { QueueItem, type ItemKeeper } from './item';
import { Ring, type Held } from './ring';
import {
  QueueState,
  mostItems,
  queueShape,
  recordsAt,
  type Reading,
  type Taken,
  type Settling,
} from './state';
import { append, waitForDone, waitForItem, waitForRoom, type Used } from './waits';
import {
  Structure,
  unlinkStructure,
  type StructureCreateOptions,
  type StructureOptions,
} from '../structure/structure';
import { tellStates } from '../structure/states';
import { checkCapacity, checkOutOfBand, structureContents } from '../structure/structure-layout';
import { isOfValue, warnOf } from '../structure/unreadable';

/** The options of {@link SharedQueue.open}. */
export interface SharedQueueOptions extends StructureOptions {
  /**
   * The maximum number of items that wait to be taken. When it is reached, {@link SharedQueue.put} waits. By
   * default, only the capacity limits the number.
   */
  readonly maxSize?: number | undefined;
  /**
   * The maximum number of threads that take items and acknowledge them, up to 65,536. A thread counts from its
   * first {@link SharedQueue.take} until it closes its last handle or ends. Each thread takes 40 bytes.
   * Default 192.
   */
  readonly participants?: number | undefined;
}

/** The options of {@link SharedQueue.create}. */
export interface SharedQueueCreateOptions extends SharedQueueOptions, StructureCreateOptions {}

/** The options of {@link SharedQueue.items}. */
export interface ItemsOptions<V = unknown> extends WaitOptions {
  /**
   * How many items to take at once. With more than 1, the loop is faster, but other consumers do not get these items,
   * even if the loop is slow. Those that the loop has not reached are offered again when it is left, or when this
   * thread ends. Default 1.
   */
  readonly prefetch?: number | undefined;
  /**
   * Called for each item that cannot be read, with the reason. The callback may acknowledge the item or give it
   * back. If it does neither, the item is acknowledged. If the callback returns a promise, the loop waits until
   * it is fulfilled. If the callback throws, or its promise is rejected, the loop ends with that error, and the
   * item is offered again.
   */
  readonly onUnreadable?:
    ((error: SharedMemoryError, item: QueueItem<V>) => void | PromiseLike<void>) | undefined;
}

/** The plain-data form of a queue that is sent to other processes; see {@link SharedQueue.toJSON}. */
export interface SharedQueueHandle<V = unknown> extends Typed<V> {
  readonly shmkit: 'queue';
  readonly name: string;
}

/**
 * A first-in, first-out message queue between any number of producers and consumers, in any processes. It has
 * the purpose of Python's `multiprocessing.Queue` and `JoinableQueue`, but needs no thread that feeds a pipe:
 * an item is in shared memory when {@link put} returns, and survives the process that put it.
 *
 * Values can be anything that the structured clone algorithm accepts. They can also be this library's own
 * objects. A consumer gets these back attached. A message is there as a whole or not at all, even if a process
 * is killed.
 *
 * There are two ways to consume items. {@link get} takes an item for good. If the consumer dies before it has
 * finished its work on the item, the item is lost. {@link take} takes an item that is to be acknowledged. If
 * the consumer dies without acknowledging it, the item is offered to others again. Consumers that wait notice
 * this within some tens of milliseconds. The memory of an item is reused when all items before it are done.
 *
 * The tasks of one thread are served in the order in which they called. Between threads, no order is
 * guaranteed, with one exception: a put that has waited for room for some ten milliseconds has priority over
 * later ones. The others then leave the free room to it, however little they need, until there is enough.
 */
export class SharedQueue<V = unknown> extends Structure implements ItemKeeper, contract.Queue<V> {
  declare readonly shmkit: 'queue';
  readonly #state: QueueState;
  readonly #used: Used;
  /** The items that were taken through this handle and are not done. */
  readonly #held = new Map<QueueItem<unknown>, Held>();

  private constructor(request: Request) {
    super(request);
    this.#state = this.stateBy((seat) => new QueueState(seat));
    this.#used = { handle: this, attachment: this.attachment, state: this.#state };
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
   * Creates a new queue.
   *
   * @throws SharedMemoryError `EEXIST` the name is already in use; `ENOSPC`; `EINVAL`, `ENAMETOOLONG` the
   * name is not valid; `ERR_ZERO_COPY_UNAVAILABLE`.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE`
   */
  static create<V = unknown>(options: SharedQueueCreateOptions = {}): SharedQueue<V> {
    checkOptions(options, ['name', 'mode', 'capacity', 'outOfBand', 'maxSize', 'participants']);
    return new SharedQueue<V>(toCreate('queue', options, contentsOf(options)));
  }

  /**
   * Attaches to an existing queue.
   *
   * @throws SharedMemoryError `ENOENT` it does not exist; `EACCES`; `ERR_CORRUPT`, `ERR_WRONG_KIND`,
   * `ERR_ABI_MISMATCH` the object with this name is not a queue that this process can use.
   */
  static attach<V = unknown>(name: string): SharedQueue<V> {
    return new SharedQueue<V>(toAttach('queue', name));
  }

  /**
   * Attaches to a queue, or creates it if it does not exist. If several processes open the same name at the
   * same time, one of them creates the queue, and the options of that process apply. The others take the queue
   * as it is: see {@link capacity}, {@link maxSize} and {@link participants} for its actual settings.
   *
   * @throws SharedMemoryError as {@link SharedQueue.create} (except `EEXIST`) and
   * {@link SharedQueue.attach}.
   */
  static open<V = unknown>(name: string, options: SharedQueueOptions = {}): SharedQueue<V> {
    checkOptions(options, ['mode', 'capacity', 'outOfBand', 'maxSize', 'participants']);
    return new SharedQueue<V>(toOpen('queue', name, options, contentsOf(options)));
  }

  /** Removes a name. Processes that are attached keep the queue until they close it. */
  static unlink(name: string): void {
    unlinkStructure('queue', name);
  }

  /**
   * The number of items that wait to be taken. It may be out of date as soon as it is returned.
   *
   * @throws SharedMemoryError `ERR_CLOSED`
   */
  get size(): number {
    return this.open().size;
  }

  /** The maximum number of items that wait to be taken; undefined when only the capacity limits it. */
  get maxSize(): number | undefined {
    const { maxSize } = this.open();
    return maxSize === mostItems ? undefined : maxSize;
  }

  /** The maximum number of threads that take items and acknowledge them. */
  get participants(): number {
    return this.open().participants;
  }

  /**
   * The number of items that were put and are not done: neither acknowledged nor counted by {@link taskDone}.
   *
   * @throws SharedMemoryError `ERR_CLOSED`
   */
  get unfinished(): number {
    return this.open().unfinished;
  }

  /** Whether any process has called {@link shutdown}. */
  get isShutDown(): boolean {
    return this.open().isShut;
  }

  /**
   * Appends an item as soon as there is room for it. Does not block the thread. The time that it takes to pack
   * the value is part of `timeout`.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`; `ERR_SHUTDOWN` the queue was shut down;
   * `ERR_CAPACITY` there could never be room, or the value is larger than the maximum (2 GiB less 64 bytes);
   * `ENOSPC` the system has no memory for it; the signal's reason when it aborts.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` the value cannot be cloned.
   */
  async put(value: V, options?: WaitOptions): Promise<void> {
    const state = this.open();
    const { timeout, signal } = waitOf(options);
    throwIfAborted(signal);
    const begun = beginning(timeout);
    const mayBeApart = state.outOfBand.from < Infinity;
    const first = mayBeApart ? new Encoder(state) : state.encoder;
    try {
      if (mayBeApart || !state.taken.awaited) this.#encode(first, value);
      if (!state.taken.awaited && append(this.#used, first)) return;
      const encoder = mayBeApart ? first : this.#encode(new Encoder(state), value);
      const limits = { timeout, signal };
      await state.taken.wait(waitForRoom(this.#used, encoder.keep(), limits, begun));
    } finally {
      first.forget();
    }
  }

  /**
   * Appends an item. Blocks this thread until there is room for it.
   *
   * @throws SharedMemoryError as {@link put}
   */
  putSync(value: V, options?: TimeoutOptions): void {
    const state = this.open();
    const timeout = options === undefined ? undefined : timeoutOf(options);
    const begun = beginning(timeout);
    const encoder = this.#encode(state.encoder, value);
    try {
      if (append(this.#used, encoder)) return;
      state.taken.waitSync(waitForRoom(this.#used, encoder, { timeout }, begun));
    } finally {
      encoder.forget();
    }
  }

  /**
   * Appends an item if there is room for it. Does not append it if a task of this thread is waiting for room, or
   * if a task of another thread has been waiting for long. Does not block.
   *
   * @returns whether the item was appended.
   * @throws SharedMemoryError `ERR_CLOSED`, `ERR_SHUTDOWN`, `ERR_CAPACITY`, `ENOSPC`
   * @throws TypeError `ERR_INVALID_ARG_TYPE` the value cannot be cloned.
   */
  tryPut(value: V): boolean {
    const state = this.open();
    // To store a value apart for nothing would take long.
    if (state.outOfBand.from < Infinity && state.isFull) return false;
    const encoder = this.#encode(state.encoder, value);
    try {
      return !this.open().taken.awaited && append(this.#used, encoder, true) === true;
    } finally {
      encoder.forget();
    }
  }

  /**
   * Appends the values in their order, as soon as there is room for them. This is faster than a {@link put} for each:
   * many of them are appended in one step. It is not one step for all: others may take the first values before the last
   * ones are there, and their own values may come between. The values are read from the iterable as they are put, so
   * it may be longer than the queue. Does not block the thread while it waits for room.
   *
   * @throws SharedMemoryError as {@link put}. The `key` of the error is how many of the values were put: those before
   * `values[key]`.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` a value cannot be cloned; what the iterator throws. The values before
   * that were put.
   */
  async putMany(values: Iterable<V>, options?: WaitOptions): Promise<void> {
    const state = this.open();
    const { timeout, signal } = waitOf(options);
    throwIfAborted(signal);
    const begun = beginning(timeout);
    const bulk = this.#bulk(values);
    try {
      for (const items of bulk) {
        if (!state.taken.awaited && append(this.#used, items)) continue;
        await state.taken.wait(waitForRoom(this.#used, items, { timeout, signal }, begun));
      }
    } catch (error) {
      throw afterSome(error, bulk.end());
    }
    bulk.end();
  }

  /**
   * The same as {@link putMany}, but blocks this thread.
   *
   * @throws as {@link putMany}
   */
  putManySync(values: Iterable<V>, options?: TimeoutOptions): void {
    const state = this.open();
    const timeout = timeoutOf(options);
    const begun = beginning(timeout);
    const bulk = this.#bulk(values);
    try {
      for (const items of bulk) {
        if (append(this.#used, items)) continue;
        state.taken.waitSync(waitForRoom(this.#used, items, { timeout }, begun));
      }
    } catch (error) {
      throw afterSome(error, bulk.end());
    }
    bulk.end();
  }

  /**
   * Appends as many of the first values as there is room for. Appends none if a task of this thread is waiting for
   * room, or if a task of another thread has been waiting for long. Does not block.
   *
   * @returns how many were appended.
   * @throws as {@link putMany}, and as {@link tryPut}
   */
  tryPutMany(values: readonly V[]): number {
    const state = this.open();
    const bulk = this.#bulk(values);
    try {
      for (const items of bulk) {
        if (state.taken.awaited || !append(this.#used, items, true)) break;
      }
    } catch (error) {
      throw afterSome(error, bulk.end());
    }
    return bulk.end();
  }

  #bulk(values: Iterable<V>): Bulk {
    const encoder = new Encoder(this.state);
    return new Bulk(values, (what, value) => this.#encode(encoder, value as V, what));
  }

  /**
   * Takes the first item for good, as soon as there is one. Does not block the thread.
   *
   * An item that cannot be read is taken too. It counts as done, because no consumer has got it: the caller only
   * gets the error. If that is not acceptable, use {@link take}. There is one exception: if this process lacks a
   * resource (`EMFILE`, `ENOMEM`), the next call of this thread tries the same item again; or the item stays in the
   * queue, if its value is stored apart ({@link SharedQueueOptions.outOfBand}).
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`; `ERR_SHUTDOWN` the queue was shut down and is empty.
   * If the item cannot be read: `ERR_CORRUPT` its bytes make no sense; `ERR_ABI_MISMATCH` this version cannot
   * read them. If the item contains a shared object: what attaching to that object throws, for example `ENOENT`
   * when it no longer exists. The signal's reason when it aborts.
   */
  async get(options?: WaitOptions): Promise<V> {
    const state = this.open();
    const { timeout, signal } = waitOf(options);
    throwIfAborted(signal);
    if (!state.put.awaited) {
      const taken = state.get(false);
      if (taken !== undefined) return taken.value as V;
    }
    const attempt = (look: boolean) => state.get(look);
    const taken = await state.put.wait(waitForItem(this.#used, attempt, { timeout, signal }));
    return taken.value as V;
  }

  /**
   * Takes the first item for good. Blocks this thread until there is one.
   *
   * @throws SharedMemoryError as {@link get}
   */
  getSync(options?: TimeoutOptions): V {
    const state = this.open();
    const timeout = options === undefined ? undefined : timeoutOf(options);
    const attempt = (look: boolean) => state.get(look);
    const taken =
      state.get(false) ?? state.put.waitSync(waitForItem(this.#used, attempt, { timeout }));
    return taken.value as V;
  }

  /**
   * Takes the first item for good, if there is one and no task of this thread is waiting for it. Does not block.
   *
   * @returns undefined when there is none, and also when the item itself is undefined.
   * @throws SharedMemoryError `ERR_CLOSED`; if the item cannot be read, as {@link get}.
   */
  tryGet(): V | undefined {
    const state = this.open();
    if (state.put.awaited) return undefined;
    return state.get(true)?.value as V | undefined;
  }

  /**
   * Takes the first items for good, as soon as there is one: as many as there are, and at most `max`. This is faster
   * than a {@link get} for each. Those before a value that is stored apart ({@link SharedQueueOptions.outOfBand}) are
   * returned without it. If one of them cannot be read, those before it are returned, and the next call throws the error.
   * Does not block the thread.
   *
   * @returns at least one item.
   * @throws SharedMemoryError as {@link get}
   */
  async getMany(max: number, options?: WaitOptions): Promise<V[]> {
    const state = this.open();
    const most = checkMax(max);
    const attempt = (look: boolean) => state.getMany(most, look);
    return state.put.wait(waitForItem(this.#used, attempt, waitOf(options))) as Promise<V[]>;
  }

  /**
   * The same as {@link getMany}, but blocks this thread until there is an item.
   *
   * @throws SharedMemoryError as {@link get}
   */
  getManySync(max: number, options?: TimeoutOptions): V[] {
    const state = this.open();
    const most = checkMax(max);
    const attempt = (look: boolean) => state.getMany(most, look);
    const wait = waitForItem(this.#used, attempt, { timeout: timeoutOf(options) });
    return state.put.waitSync(wait) as V[];
  }

  /**
   * The same as {@link getMany}, but does not wait.
   *
   * @returns an empty array when there is no item, and when a task of this thread is waiting for one.
   * @throws SharedMemoryError `ERR_CLOSED`; if the first item cannot be read, as {@link get}.
   */
  tryGetMany(max: number): V[] {
    const state = this.open();
    const most = checkMax(max);
    return state.put.awaited ? [] : ((state.getMany(most, true) ?? []) as V[]);
  }

  /**
   * Takes the first item as soon as there is one. The item is then to be acknowledged. Does not block the thread.
   * An item that cannot be read is taken too. Reading its `value` throws the error.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`; `ERR_SHUTDOWN` as {@link get}; `ERR_CORRUPT` the
   * queue's bytes make no sense; `ERR_CAPACITY` more threads take items than there is room for; the signal's
   * reason when it aborts.
   */
  async take(options?: WaitOptions): Promise<QueueItem<V>> {
    const state = this.open();
    // The item is recorded in this handle within the attempt itself, so that nothing can happen between
    // taking the item and recording it.
    const attempt = (look: boolean) => this.#hold(look);
    return state.put.wait(waitForItem(this.#used, attempt, waitOf(options)));
  }

  /**
   * Takes the first item, which is then to be acknowledged. Blocks this thread until there is one.
   *
   * @throws SharedMemoryError as {@link take}
   */
  takeSync(options?: TimeoutOptions): QueueItem<V> {
    const state = this.open();
    const attempt = (look: boolean) => this.#hold(look);
    return state.put.waitSync(waitForItem(this.#used, attempt, { timeout: timeoutOf(options) }));
  }

  /**
   * Takes the first item, which is then to be acknowledged, if there is one and no task of this thread is waiting
   * for it. Does not block.
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
   * Takes the first items as soon as there is one: as many as there are, and at most `max`. Each is to be acknowledged,
   * by itself or by {@link ackMany}. This is faster than a {@link take} for each. Others cannot take these items
   * meanwhile, so take no more than this process will soon be done with. Does not block the thread.
   *
   * @returns at least one item.
   * @throws SharedMemoryError as {@link take}
   */
  async takeMany(max: number, options?: WaitOptions): Promise<QueueItem<V>[]> {
    const state = this.open();
    const most = checkMax(max);
    const attempt = (look: boolean) => this.#holdMany(most, look);
    return state.put.wait(waitForItem(this.#used, attempt, waitOf(options)));
  }

  /**
   * The same as {@link takeMany}, but blocks this thread until there is an item.
   *
   * @throws SharedMemoryError as {@link take}
   */
  takeManySync(max: number, options?: TimeoutOptions): QueueItem<V>[] {
    const state = this.open();
    const most = checkMax(max);
    const attempt = (look: boolean) => this.#holdMany(most, look);
    return state.put.waitSync(waitForItem(this.#used, attempt, { timeout: timeoutOf(options) }));
  }

  /**
   * The same as {@link takeMany}, but does not wait.
   *
   * @returns an empty array when there is no item, and when a task of this thread is waiting for one.
   * @throws SharedMemoryError `ERR_CLOSED`, `ERR_CORRUPT`, `ERR_CAPACITY`
   */
  tryTakeMany(max: number): QueueItem<V>[] {
    const state = this.open();
    const most = checkMax(max);
    return state.put.awaited ? [] : (this.#holdMany(most, true) ?? []);
  }

  /**
   * Acknowledges items that were taken through this handle. This is faster than {@link QueueItem.ack} for each. Does
   * not block.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` one of them was acknowledged or given back before, or taken through another
   * handle: none was acknowledged; or a queue whose bytes made no sense was cleared meanwhile: the others were
   * acknowledged. `ERR_CLOSED`; `ERR_CORRUPT`.
   */
  ackMany(items: Iterable<QueueItem<V>>): void {
    this.open();
    QueueItem.ackAll(this, [...items]);
  }

  /**
   * Counts items that were taken by {@link get} as done. Items that were taken by {@link take} are done when they
   * are acknowledged. Does not block.
   *
   * @param count - the number of items. Default 1.
   * @throws SharedMemoryError `ERR_NOT_HELD` fewer items are unfinished; none was counted.
   */
  taskDone(count = 1): void {
    const state = this.open();
    checkInteger('count', count, 1, mostItems);
    const excess = state.countDone(count);
    if (excess > 0) {
      const what = `has ${count - excess} items that are not done, so ${count} cannot be counted as done`;
      throw this.attachment.error('ERR_NOT_HELD', what);
    }
  }

  /**
   * Waits until all items that were put are done. Does not block the thread.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`; the signal's reason when it aborts.
   */
  async join(options?: WaitOptions): Promise<void> {
    const state = this.open();
    await state.done.wait(waitForDone(this.#used, waitOf(options)));
  }

  /** The same as {@link join}, but blocks this thread. */
  joinSync(options?: TimeoutOptions): void {
    this.open().done.waitSync(waitForDone(this.#used, { timeout: timeoutOf(options) }));
  }

  /**
   * Drops all items that no consumer has taken. They count as done. If this process is killed meanwhile, each
   * item is dropped as a whole or not at all. Does not block. The queue keeps its memory for new items. The
   * memory goes back to the system when the queue is unlinked and all handles are closed.
   *
   * @returns how many items were dropped.
   */
  clear(): number {
    return this.open().clear();
  }

  /**
   * Shuts the queue down, like Python 3.13's `Queue.shutdown`. From now on, putting an item throws
   * `ERR_SHUTDOWN`. The items in the queue can still be taken. When there are no more, callers that wait for
   * items also get `ERR_SHUTDOWN`. Does not block.
   */
  shutdown(): void {
    this.open().shutDown();
  }

  /**
   * Takes items for good, as {@link get} does, until the queue is shut down and empty. For use in `for await`.
   * For an item that cannot be read, the process emits a warning, and the loop goes on. If instead the queue
   * has ended because its manager has ended, the loop throws `ERR_SHUTDOWN`.
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
   * Takes items one after the other until the queue is shut down and empty. For use in `for await`. Each item is
   * acknowledged when the next one is asked for. If the loop is left before that, the item is offered again.
   *
   * An item that cannot be read does not end the loop: `onUnreadable` is called for it, or without that callback
   * the process emits a warning, and the item is acknowledged. If this process lacks a resource (`EMFILE`,
   * `ENOMEM`), the loop ends with that error, and the item is offered again.
   *
   * @throws SharedMemoryError as {@link take}. Does not throw `ERR_SHUTDOWN` when the queue was shut down.
   */
  async *items(options: ItemsOptions<V> = {}): AsyncGenerator<V, void, undefined> {
    const { onUnreadable, prefetch = 1, ...wait } = options;
    if (onUnreadable !== undefined) checkCallback('onUnreadable', onUnreadable);
    checkInteger('prefetch', prefetch, 1, mostItems);
    for (;;) {
      let taken: QueueItem<V>[];
      try {
        taken = prefetch === 1 ? [await this.take(wait)] : await this.takeMany(prefetch, wait);
      } catch (error) {
        if (hasCode(error, 'ERR_SHUTDOWN') && !this.attachment.hasEnded) return;
        throw error;
      }
      try {
        for (const item of taken) {
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
        }
      } finally {
        for (const item of taken) item[Symbol.dispose]();
      }
    }
  }

  /** Returns a handle as plain data, to send to another process, which passes it to {@link attach}. */
  toJSON(): SharedQueueHandle<V> {
    return { shmkit: 'queue', name: this.name };
  }

  /** @internal */
  settle(items: readonly QueueItem<unknown>[], how: Settling): boolean {
    const state = this.open();
    const held: Held[] = [];
    for (const item of items) {
      const each = this.#held.get(item);
      if (each !== undefined) held.push(each);
    }
    if (held.length === 0) return items.length === 0;
    const areSettled = state.settleItems(held, how, this);
    for (const item of items) this.#drop(item);
    state.hasSettled(how);
    return areSettled && held.length === items.length;
  }

  /** @internal Called when an item was settled, or given back, by a verb that was interrupted. */
  forget({ number }: Held): void {
    for (const [item, held] of this.#held) if (held.number === number) this.#drop(item);
  }

  #drop(item: QueueItem<unknown>): void {
    this.#held.delete(item);
    if (this.#held.size === 0) this.state.holders.delete(this);
  }

  /** @internal Also works on a closed handle, because it needs nothing from the queue. */
  reread(read: unknown): Reading {
    return this.state.reread(read);
  }

  /** The caller calls `forget` of the encoder when the value was put, or will not be. */
  #encode(encoder: Encoder, value: V, what = 'value'): Encoder {
    encoder.encode(what, value).hold();
    const state = this.open();
    if (!state.hasRoomFor(encoder)) {
      const bytes = Ring.bytesOf(encoder.size) + encoder.apartBytes;
      encoder.forget();
      throw this.attachment.error(
        'ERR_CAPACITY',
        `can never have room for ${bytes} bytes: its capacity is ` +
          `${state.capacity}; create it with a larger capacity`,
      );
    }
    return encoder;
  }

  #hold(look: boolean): QueueItem<V> | undefined {
    const { state } = this;
    const taken = state.take(look, this);
    const item = taken && this.#itemOf(taken);
    state.hasTaken();
    return item;
  }

  #holdMany(most: number, look: boolean): QueueItem<V>[] | undefined {
    const { state } = this;
    const items = state.takeMany(most, look, this).map((taken) => this.#itemOf(taken));
    state.hasTaken();
    return items.length === 0 ? undefined : items;
  }

  #itemOf(taken: Taken): QueueItem<V> {
    const item = new QueueItem<V>(this, taken, taken.isOfferedAgain);
    if (this.#held.size === 0) this.state.holders.add(this);
    this.#held.set(item, taken);
    return item;
  }

  /** @internal */
  protected override letGo(): void {
    const { attachment, state } = this;
    undoInterrupted(); // so that what an interrupted verb has given back is not held any more
    if (this.#held.size > 0 && !attachment.hasEnded) {
      const what = `has ${this.#held.size} items taken through this handle; ack() or giveBack() them first`;
      throw attachment.error('EBUSY', what);
    }
    state.holders.delete(this);
    for (const word of [state.put, state.taken, state.done]) {
      word.giveUp(this, attachment.closedMeanwhile());
    }
    super.letGo();
  }
}

/** The time now; 0 without a timeout, where it does not matter. */
function beginning(timeout: number | undefined): number {
  return timeout === undefined ? 0 : now();
}

function checkMax(max: unknown): number {
  return checkInteger('max', max, 1, mostItems);
}

/** The error of a call that has put some of its values. */
function afterSome(error: unknown, count: number): unknown {
  if (!(error instanceof SharedMemoryError)) return error;
  const { code, message, resource, cause } = error;
  const some = count === 0 ? 'none' : `the first ${count}`;
  return new SharedMemoryError(code, `${message}; ${some} of the values were put`, {
    ...(resource !== undefined && { resource }),
    key: count,
    cause,
  });
}

tellStates('queue', (seat) => new QueueState(seat));

function contentsOf(options: SharedQueueOptions): Contents {
  const { maxSize, participants = defaultParticipants } = options;
  const capacity = checkCapacity(options.capacity);
  checkInteger('participants', participants, 1, mostParticipants);
  if (maxSize !== undefined) checkInteger('maxSize', maxSize, 1, mostItems);
  const shape = queueShape(participants);
  const outOfBand = checkOutOfBand(options.outOfBand);
  return structureContents(shape, maxSize ?? 0, capacity, outOfBand, 8, (words) =>
    Ring.initialize(words, recordsAt(shape, capacity)),
  );
}

tellClass('queue', SharedQueue);
