import type * as contract from '../../contract/index';
import { checkType, type ElementOf, type ElementType } from '../../common/element-types';
import { invalidType, outOfRange } from '../../common/errors';
import {
  checkInteger,
  checkOptions,
  throwIfAborted,
  timeoutOf,
  waitOf,
  type ChangeOptions,
  type WaitOptions,
} from '../../common/options';
import { atOnce, changing, checkSyncCallback, type NotAPromise } from '../../common/sync-callbacks';
import type { Said, Session } from '../lease/session';
import {
  addValue,
  compareExchangeValue,
  exchangeValue,
  leaveValue,
  notifyValue,
  readValue,
  setValueLocked,
  waitValue,
} from '../scripts/value';
import { elementsOf, type Elements } from './elements';
import { checkFenceOptions, type FenceOptions } from './fencing';
import { OwnLock } from './own-lock';
import {
  ServedObject,
  attachTo,
  create,
  freshName,
  managedBy,
  open,
  openManaged,
  unlinkName,
  type Contents,
  type Found,
  type KindKeys,
} from './served-object';

const keys: KindKeys = { kind: 'value', isOfName: false, ends: ['m', 'l', 'q', 'w', 's', 'f'] };

/** The options of {@link SharedValue.open}. */
export interface SharedValueOptions<T extends ElementType> {
  /** The type, by its numpy name. */
  readonly type: T;
  /** The initial number of a new value. Default 0. */
  readonly value?: ElementOf<T> | undefined;
}

const example = { type: 'float64' };

/** A change of a value without {@link SharedValue.notify} is noticed by those who wait after this time at the latest. */
const mostLookMs = 1000;

/** One number, which processes of any machine change atomically. */
export class SharedValue<T extends ElementType = ElementType>
  extends ServedObject<'value'>
  implements contract.Value<T>
{
  readonly #type: T;
  readonly #elements: Elements<ElementOf<T>>;
  readonly #lock: OwnLock;

  /** @internal */
  static readonly kindKeys = keys;

  private constructor(found: Found, expected?: T) {
    super(keys, found);
    const type = checkType(found.options.type as T | undefined);
    if (expected !== undefined && expected !== type) {
      throw this.error('ERR_WRONG_KIND', `is of type ${type}, not ${expected}`);
    }
    this.#type = type;
    this.#elements = elementsOf(type);
    this.#lock = new OwnLock(this);
  }

  /** @internal Opens an object of a manager. An object that exists needs no options. */
  static async openManaged<T extends ElementType>(
    session: Session,
    name: string,
    id: string,
    options?: SharedValueOptions<T>,
  ): Promise<SharedValue<T>> {
    if (options !== undefined) checkOptions(options, ['type', 'value'], example);
    const contents = options && managedBy(id, contentsOf(options));
    const found = await openManaged(session, keys, name, contents);
    if (found === undefined)
      throw invalidType('options', "an object, such as { type: 'float64' }", options);
    return new SharedValue(found, options?.type);
  }

  /** @throws SharedMemoryError `EEXIST` */
  static async create<T extends ElementType>(
    session: Session,
    options: SharedValueOptions<T> & { readonly name?: string },
  ): Promise<SharedValue<T>> {
    checkOptions(options, ['type', 'value', 'name'], example);
    const contents = contentsOf(options);
    return new SharedValue(await create(session, keys, options.name ?? freshName(), contents));
  }

  /** @throws SharedMemoryError `ENOENT` */
  static async attach<T extends ElementType>(
    session: Session,
    name: string,
  ): Promise<SharedValue<T>> {
    return new SharedValue<T>(await attachTo(session, keys, name));
  }

  /** @throws SharedMemoryError `ERR_WRONG_KIND` it exists with another type. */
  static async open<T extends ElementType>(
    session: Session,
    name: string,
    options: SharedValueOptions<T>,
  ): Promise<SharedValue<T>> {
    checkOptions(options, ['type', 'value'], example);
    return new SharedValue(await open(session, keys, name, contentsOf(options)), options.type);
  }

  /** @throws SharedMemoryError `ENOENT` */
  static unlink(session: Session, name: string): Promise<void> {
    return unlinkName(session, keys, name);
  }

  /** The type of the number. */
  get type(): T {
    return this.#type;
  }

  /** A lock for changes that take more than one step. It does not prevent others from changing the number. */
  get lock(): OwnLock {
    return this.#lock;
  }

  /** The number. */
  async value(): Promise<ElementOf<T>> {
    return this.#numberOf(await this.ask({ script: readValue, args: [], repeats: true }));
  }

  /**
   * Adds to the number.
   *
   * @returns the number before.
   * @throws RangeError `ERR_OUT_OF_RANGE` the sum is outside the range of the type; nothing was changed.
   * @throws SharedMemoryError `ERR_UNCERTAIN` the answer was lost: it may have been added; `ERR_FENCED`.
   */
  async add(delta: ElementOf<T>, options?: FenceOptions): Promise<ElementOf<T>> {
    this.checkOpen();
    const elements = this.#elements;
    const { form, least, most } = elements;
    const checked = elements.checkDelta(delta);
    const fence = checkFenceOptions(options);
    // Lua has no integers of this size, and the server adds signed ones only.
    if (form === 'uint64' || (form === 'int64' && !isInt64(checked))) {
      return this.#addHere(checked, options);
    }
    const stored = form.startsWith('float') ? elements.store(checked) : String(checked);
    const said = await this.#change(addValue, [form, stored, least, most, ...fence]);
    if (said.word === 'range') throw this.#beyond(delta);
    return this.#numberOf(said);
  }

  /**
   * Sets the number.
   *
   * @returns the number before.
   * @throws SharedMemoryError `ERR_UNCERTAIN`, `ERR_FENCED`.
   */
  async exchange(value: ElementOf<T>, options?: FenceOptions): Promise<ElementOf<T>> {
    this.checkOpen();
    const stored = this.#elements.store(this.#elements.check('value', value));
    const fence = checkFenceOptions(options);
    return this.#numberOf(await this.#change(exchangeValue, [stored, ...fence]));
  }

  /**
   * Sets the number if it equals `expected`, bit for bit.
   *
   * @returns the number before.
   * @throws SharedMemoryError `ERR_UNCERTAIN`, `ERR_FENCED`.
   */
  async compareExchange(
    expected: ElementOf<T>,
    value: ElementOf<T>,
    options?: FenceOptions,
  ): Promise<ElementOf<T>> {
    this.checkOpen();
    const elements = this.#elements;
    const before = elements.store(elements.check('expected', expected));
    const after = elements.store(elements.check('value', value));
    const fence = checkFenceOptions(options);
    return this.#numberOf(await this.#change(compareExchangeValue, [before, after, ...fence]));
  }

  /**
   * Replaces the number by the result of a function, while nobody else holds {@link lock}. It may already be held
   * through this handle. The function is called again where others have added to the number meanwhile.
   *
   * @returns the new number.
   * @throws what the function throws: then nothing was changed. SharedMemoryError `ERR_TIMEOUT`; `ERR_LEASE_LOST` the
   * lease of the lock ended first: nothing was changed; `ERR_UNCERTAIN`.
   */
  async update(
    fn: (value: ElementOf<T>) => NotAPromise<ElementOf<T>>,
    options?: ChangeOptions,
  ): Promise<ElementOf<T>> {
    checkSyncCallback('fn', fn, changing);
    this.checkOpen();
    const timeout = timeoutOf(options);
    const held = this.#lock.guard;
    const change = async (token: string): Promise<ElementOf<T>> => {
      const elements = this.#elements;
      for (let before = await this.value(); ;) {
        const after = elements.check('what fn returns', atOnce<unknown>(fn(before), changing));
        const args = [elements.store(after), token, elements.store(before)];
        const said = await this.ask({ script: setValueLocked, args, repeats: false });
        if (said.word === 'set') return after;
        if (said.word === 'lost') {
          throw this.error('ERR_LEASE_LOST', 'was not changed: the lease of its lock has ended');
        }
        // The lock keeps other updates away, and not those who add.
        before = this.#numberOf(said);
      }
    };
    if (held !== undefined) return change(held.token);
    return this.#lock.runApart(({ token }) => change(token), { timeout });
  }

  /**
   * Waits until the number differs from `expected`.
   *
   * @returns the number.
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`, `ERR_UNAVAILABLE`. The signal's reason.
   */
  async wait(expected: ElementOf<T>, options?: WaitOptions): Promise<ElementOf<T>> {
    this.checkOpen();
    const stored = this.#elements.store(this.#elements.check('expected', expected));
    const { timeout, signal } = waitOf(options);
    throwIfAborted(signal);
    const { session } = this;
    const { token, number } = session.token();
    const livesMs = session.options.leaseMs;
    const said = await this.pending.wait<Said>({
      session,
      number,
      attempt: async (isOver) => {
        const args = [token, stored, String(livesMs)];
        const answer = await this.ask({ script: waitValue, args, repeats: true, isOver });
        if (answer.word === 'is') return { got: answer };
        return { lookInMs: Math.min(livesMs / 3, mostLookMs) };
      },
      timeout,
      signal,
      expired: (limit) => this.error('ERR_TIMEOUT', `did not change within ${limit} ms`),
      calledOff: () => session.tell({ script: leaveValue, keys: this.allKeys, args: [token] }),
    });
    return this.#numberOf(said);
  }

  /** Tells those who wait that the number has changed. */
  async notify(count?: number): Promise<void> {
    this.checkOpen();
    if (count !== undefined) checkInteger('count', count, 0, Number.MAX_SAFE_INTEGER);
    await this.ask({
      script: notifyValue,
      args: [count === undefined ? '' : String(count)],
      repeats: true,
    });
  }

  /** @internal */
  protected override letGo(): void {
    this.#lock.letGo();
  }

  async #change(script: typeof addValue, args: (string | Buffer)[]): Promise<Said> {
    const said = await this.ask({ script, args, repeats: false });
    if (said.word !== 'fenced') return said;
    throw this.error('ERR_FENCED', 'was changed by a later holder of that lock');
  }

  /** Adds by comparing. One of those who do that at the same time succeeds, so all of them do at last. */
  async #addHere(delta: ElementOf<T>, options: FenceOptions | undefined): Promise<ElementOf<T>> {
    for (let before = await this.value(); ;) {
      const sum = (before as bigint) + (delta as bigint);
      let after: ElementOf<T>;
      try {
        after = this.#elements.check('sum', sum);
      } catch {
        throw this.#beyond(delta);
      }
      const found = await this.compareExchange(before, after, options);
      if (found === before) return before;
      before = found;
    }
  }

  #beyond(delta: unknown): RangeError {
    return outOfRange('delta', `a number that keeps the sum in the range of ${this.#type}`, delta);
  }

  #numberOf({ rest: [stored] }: Said): ElementOf<T> {
    if (Buffer.isBuffer(stored)) return this.#elements.load(stored);
    throw this.error('ERR_CORRUPT', 'has no number; another program has written to it');
  }
}

function isInt64(value: number | bigint): boolean {
  return BigInt.asIntN(64, BigInt(value)) === value;
}

function contentsOf<T extends ElementType>({ type, value }: SharedValueOptions<T>): Contents {
  const elements = elementsOf(checkType(type));
  const zero = (elements.form.endsWith('int64') ? 0n : 0) as ElementOf<T>;
  const first = value === undefined ? zero : elements.check('value', value);
  return { options: { type }, fields: ['v', elements.store(first)] };
}
