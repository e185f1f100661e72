import { Lock } from '../core/lock';
import { aligned } from '../core/layout';
import { NamedObject } from '../core/named-object';
import type { Request } from '../core/attachment';
import type { Contents, ObjectSeat, SeatState } from '../core/object-seat';
import { Word } from '../core/word';
import {
  constructorOf,
  numberOfType,
  typeOfNumber,
  type ElementOf,
  type ElementType,
  type TypedArrays,
} from '../../common/element-types';
import { SharedMemoryError, outOfRange } from '../../common/errors';
import { called } from '../core/names';
import {
  checkInteger,
  timeoutOf,
  waitOf,
  type ChangeOptions,
  type TimeoutOptions,
  type WaitOptions,
} from '../../common/options';
import { changing, atOnce } from '../../common/sync-callbacks';
import { cellsOver, type Cells } from './cells';

/** The greatest count that the native code accepts. There can never be that many waiters. */
const everybody = 0xffff_ffff;

/**
 * The word, before the data, that {@link TypedData.notify} changes. Waiters for a change of an element sleep
 * on it. The word after it counts them.
 */
const changedAt = 0;
const wordsBytes = aligned(8);

/** The state of a value or an array that all handles of one thread share. */
class TypedState implements SeatState {
  readonly changed: Word;

  constructor(seat: ObjectSeat) {
    seat.wordsOf(2);
    this.changed = new Word(seat, changedAt, false);
  }

  close(): void {
    this.changed.close();
  }
}

/** The initial contents of a new value or array. */
export function typedContents(
  type: ElementType,
  length: number,
  data?: TypedArrays[ElementType],
): Contents {
  return {
    type: numberOfType(type),
    length,
    wordsBytes,
    dataBytes: length * constructorOf(type).BYTES_PER_ELEMENT,
    data: data && new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  };
}

/** The type and length that a caller of `attach` expects. */
export interface Expected<T extends ElementType> {
  readonly type?: T | undefined;
  readonly length?: number | undefined;
}

/** What values and arrays have in common: elements of one type, a lock, and waiting for a change. */
export abstract class TypedData<T extends ElementType> extends NamedObject {
  readonly #type: T;
  readonly #lock: Lock;
  readonly #view: TypedArrays[T];
  readonly #cells: Cells<ElementOf<T>>;
  readonly #state: TypedState;

  /** @internal */
  protected constructor(request: Request, expected: Expected<T>) {
    super(request);
    const { attachment } = this;
    const { seat } = attachment;
    try {
      this.#type = checkShape(seat, expected);
      this.#state = seat.state(() => new TypedState(seat));
      const constructor = constructorOf(this.#type);
      const bytes = seat.length * constructor.BYTES_PER_ELEMENT;
      const buffer = attachment.show(seat.dataAt, bytes, this);
      this.#view = new constructor(buffer);
      const { dataAt } = seat;
      this.#cells = cellsOver(this.#type, buffer, (index, delta) =>
        seat.addFloat64(dataAt + 8 * index, delta),
      );
    } catch (error) {
      attachment.close();
      throw error;
    }
    this.#lock = new Lock(attachment, this);
  }

  /** The type of the elements. */
  get type(): T {
    return this.#type;
  }

  /**
   * The lock in the same object, for changes that take more than one step. The lock is advisory: it does not
   * prevent others from reading or writing.
   */
  get lock(): Lock {
    return this.#lock;
  }

  /** @internal */
  protected get view(): TypedArrays[T] {
    return this.#view;
  }

  /** @internal */
  protected get cells(): Cells<ElementOf<T>> {
    return this.#cells;
  }

  /**
   * Wakes the waiters for a change of an element. Call it after changing an element that others wait for, no
   * matter how you made the change. Does not block.
   *
   * @param count - the maximum number of waiters to wake. By default, all of them.
   * @throws SharedMemoryError `ERR_CLOSED`
   */
  notify(count?: number): void {
    this.attachment.open();
    if (count === undefined) {
      this.#state.changed.announce();
    } else {
      checkInteger('count', count, 0, Number.MAX_SAFE_INTEGER);
      this.#state.changed.announce(Math.min(count, everybody));
    }
  }

  /** @internal */
  protected waitFor(
    index: number,
    expected: unknown,
    options: WaitOptions | undefined,
  ): Promise<ElementOf<T>> {
    const value = this.cells.check('expected', expected);
    const { timeout, signal } = waitOf(options);
    return this.#state.changed.wait({
      handle: this,
      attempt: () => this.#unless(index, value),
      timeout,
      signal,
      expired: (limit) => this.#unchanged(limit),
    });
  }

  /** @internal */
  protected waitForSync(
    index: number,
    expected: unknown,
    options: TimeoutOptions | undefined,
  ): ElementOf<T> {
    const value = this.cells.check('expected', expected);
    return this.#state.changed.waitSync({
      handle: this,
      attempt: () => this.#unless(index, value),
      timeout: timeoutOf(options),
      expired: (limit) => this.#unchanged(limit),
    });
  }

  /** @internal */
  protected addAt(index: number, delta: unknown): ElementOf<T> {
    const before = this.cells.add(index, delta);
    if (before === undefined) {
      throw outOfRange('delta', `a number that keeps the sum in the range of ${this.type}`, delta);
    }
    return before;
  }

  /** @internal */
  protected updateAt(
    index: number,
    fn: (value: ElementOf<T>) => ElementOf<T>,
    options: ChangeOptions | undefined,
  ): ElementOf<T> {
    const { cells } = this;
    const change = () => {
      const after = cells.check('what fn returns', atOnce(fn(cells.load(index)), changing));
      cells.store(index, after);
      return after;
    };
    if (this.lock.held) {
      timeoutOf(options);
      return change();
    }
    return this.lock.runExclusiveSync<number | bigint>(change, options) as ElementOf<T>;
  }

  /** @internal */
  protected override letGo(): void {
    const { attachment, lock } = this;
    if (lock.held) attachment.close(lock);
    this.#state.changed.giveUp(this, attachment.closedMeanwhile());
    attachment.close(lock);
  }

  #unless(index: number, expected: ElementOf<T>): ElementOf<T> | undefined {
    this.attachment.open();
    const value = this.cells.load(index);
    return this.cells.same(value, expected) ? undefined : value;
  }

  #unchanged(timeout: number): never {
    throw this.attachment.error('ERR_TIMEOUT', `did not change within ${timeout} ms`);
  }
}

function checkShape<T extends ElementType>(seat: ObjectSeat, expected: Expected<T>): T {
  const { kind, name, type: number, length, dataAt, size } = seat;
  const wrong = (code: string, why: string) =>
    new SharedMemoryError(code, `${called(kind, name)} ${why}`, { resource: name });
  const type = typeOfNumber(number);
  const bytes = type === undefined ? NaN : length * constructorOf(type).BYTES_PER_ELEMENT;
  if (type === undefined || length < 1 || dataAt < wordsBytes || !(dataAt + bytes <= size)) {
    throw wrong('ERR_CORRUPT', 'has an invalid header; unlink() removes it');
  }
  if (expected.type !== undefined && expected.type !== type) {
    throw wrong('ERR_WRONG_KIND', `is of type ${type}, not ${expected.type}`);
  }
  if (expected.length !== undefined && expected.length !== length) {
    throw wrong('ERR_WRONG_KIND', `has ${length} elements, not ${expected.length}`);
  }
  return type as T;
}
