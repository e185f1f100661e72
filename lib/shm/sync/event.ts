import { tellClass } from '../core/classes';
import type * as contract from '../../contract/index';
import { changedBy } from '../core/assignments';
import { unlinkObject, type Request } from '../core/attachment';
import { aligned } from '../core/layout';
import {
  NamedObject,
  toAttach,
  toCreate,
  toOpen,
  type CreateOptions,
  type OpenOptions,
} from '../core/named-object';
import type { Contents, ObjectSeat, SeatState } from '../core/object-seat';
import { Word, type Wait } from '../core/word';
import {
  checkOptions,
  timeoutOf,
  waitOf,
  type TimeoutOptions,
  type WaitOptions,
} from '../../common/options';

/** The plain-data form of an event, to be sent to another process; see {@link NamedEvent.toJSON}. */
export interface NamedEventHandle {
  readonly shmkit: 'event';
  readonly name: string;
}

/** Options of {@link NamedEvent.open}. */
export type NamedEventOptions = OpenOptions;
/** Options of {@link NamedEvent.create}. */
export type NamedEventCreateOptions = CreateOptions;

/**
 * The event's whole state is one word. The lowest bit says whether the event is set. The bits above count how
 * often it was set, so a waiter notices a setting even if the event is clear again. The word is changed by
 * single atomic steps, without the lock. So it stays correct whichever thread dies.
 */
const flagAt = 0;
const setBit = 1;
const oneSetting = 2;

const contents: Contents = { type: 0, length: 0, wordsBytes: aligned(8), dataBytes: 0 };

class EventState implements SeatState {
  readonly word: Word;
  readonly #words: Int32Array;

  constructor(seat: ObjectSeat) {
    this.word = new Word(seat, flagAt, false);
    this.#words = seat.wordsOf(2);
  }

  set(): void {
    for (;;) {
      const before = Atomics.load(this.#words, flagAt);
      if ((before & setBit) !== 0) return;
      // The count wraps around. A waiter would have to miss 2^31 settings to see no change.
      const after = (before + oneSetting) | setBit | 0;
      if (Atomics.compareExchange(this.#words, flagAt, before, after) === before) break;
    }
    this.word.wake();
    this.word.offer();
  }

  clear(): void {
    Atomics.and(this.#words, flagAt, ~setBit);
  }

  close(): void {
    this.word.close();
  }
}

/**
 * Something that happens, and that any thread of any process can wait for: Python's `multiprocessing.Event`.
 *
 * Threads that wait when the event is set go on, even if it is cleared immediately afterwards. If a process
 * is killed while it waits, other processes do not notice it.
 */
export class NamedEvent extends NamedObject implements contract.Event {
  declare readonly shmkit: 'event';
  readonly #state: EventState;

  private constructor(request: Request) {
    super(request);
    this.#state = this.stateBy((seat) => new EventState(seat));
  }

  /**
   * Makes a new event. It is not set.
   *
   * @throws SharedMemoryError `EEXIST` the name is taken; `ENOSPC`; `EINVAL`, `ENAMETOOLONG` it cannot be a
   * name; `ERR_ZERO_COPY_UNAVAILABLE`.
   */
  static create(options: NamedEventCreateOptions = {}): NamedEvent {
    checkOptions(options, ['name', 'mode']);
    return new NamedEvent(toCreate('event', options, contents));
  }

  /**
   * Attaches to an existing event.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES`; `ERR_CORRUPT`, `ERR_WRONG_KIND`,
   * `ERR_ABI_MISMATCH` the object with this name is not an event that this process can use.
   */
  static attach(name: string): NamedEvent {
    return new NamedEvent(toAttach('event', name));
  }

  /**
   * Attaches to an event, or makes it if it does not exist. If several processes open one name at the same
   * time, one of them makes the event, with its own `mode`.
   *
   * @throws SharedMemoryError as {@link NamedEvent.create} (except `EEXIST`) and {@link NamedEvent.attach}.
   */
  static open(name: string, options: NamedEventOptions = {}): NamedEvent {
    checkOptions(options, ['mode']);
    return new NamedEvent(toOpen('event', name, options, contents));
  }

  /** Removes a name. Processes that are attached keep the event until they close it. */
  static unlink(name: string): void {
    unlinkObject('event', name);
  }

  /**
   * Whether the event is set.
   *
   * @throws SharedMemoryError `ERR_CLOSED`
   */
  get isSet(): boolean {
    this.attachment.open();
    return (this.#state.word.value & setBit) !== 0;
  }

  /** Sets the event: all waiters go on, and nobody waits until it is cleared. Does not block. */
  set(): void {
    this.attachment.open();
    this.#state.set();
  }

  /** Clears the event: callers that wait from now on wait until it is set again. Does not block. */
  clear(): void {
    this.attachment.open();
    this.#state.clear();
  }

  /**
   * Waits until the event is set, without blocking anything.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`; the signal's reason when it aborts.
   */
  async wait(options?: WaitOptions): Promise<void> {
    this.attachment.open();
    const { timeout, signal } = waitOf(options);
    await this.#state.word.wait(this.#wait(timeout, signal));
  }

  /**
   * Waits until the event is set, blocking this thread.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`.
   */
  waitSync(options?: TimeoutOptions): void {
    this.attachment.open();
    this.#state.word.waitSync(this.#wait(timeoutOf(options)));
  }

  /** The plain-data form. Send it to another process, which passes it to {@link attach}. */
  toJSON(): NamedEventHandle {
    return { shmkit: 'event', name: this.name };
  }

  #wait(timeout: number | undefined, signal?: AbortSignal): Wait<true> {
    const { word } = this.#state;
    const before = word.value & ~setBit;
    return {
      handle: this,
      timeout,
      signal,
      attempt: () => {
        const { value } = word;
        return (value & setBit) !== 0 || (value & ~setBit) !== before ? true : undefined;
      },
      expired: (limit) => {
        throw this.attachment.error('ERR_TIMEOUT', `was not set within ${limit} ms`);
      },
    };
  }

  /** @internal */
  protected override letGo(): void {
    this.#state.word.giveUp(this, this.attachment.closedMeanwhile());
    this.attachment.close();
  }
}

changedBy('event', { isSet: 'set() or clear()' });

tellClass('event', NamedEvent);
