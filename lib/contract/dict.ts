import type { ChangeOptions, WaitOptions } from '../common/options';
import type { Answer, Answers } from './answer';
import type { Named } from './named';

/** How long an entry lives. */
export interface TtlOptions {
  /** Milliseconds from now on, or `Infinity`. By default the dict's. */
  readonly ttl?: number | undefined;
}

/**
 * Keys and values. Each change is there as a whole or not at all, whoever dies, and seen by all from then
 * on. Values are compared as they are stored: objects by what is in them, in the same order.
 */
export interface Dict<V = unknown> extends Named {
  /**
   * The value of a key, or undefined.
   *
   * @throws SharedMemoryError `ERR_CLOSED`; the value cannot be read: `ERR_CORRUPT`, `ERR_ABI_MISMATCH`, or
   * what attaching to a shared object in it throws.
   */
  get(key: string): Answer<V | undefined>;
  /** Whether there is an entry of that key. */
  has(key: string): Answer<boolean>;
  /**
   * Sets the value of a key.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` the value cannot be cloned.
   * @throws SharedMemoryError `ERR_CAPACITY` there is no room for it; nothing was changed. `ERR_CLOSED`,
   * `ERR_SHUTDOWN`; `ERR_DEADLOCK` within a function that {@link Dict.update} was given; `ERR_TIMEOUT`.
   */
  set(key: string, value: V, options?: TtlOptions & ChangeOptions): Answer<this>;
  /**
   * Sets the value of a key that has none.
   *
   * @returns whether it was set.
   * @throws as {@link Dict.set}
   */
  setIfAbsent(key: string, value: V, options?: TtlOptions & ChangeOptions): Answer<boolean>;
  /**
   * Removes an entry.
   *
   * @returns whether there was one.
   */
  delete(key: string, options?: ChangeOptions): Answer<boolean>;
  /** Removes all entries, in one change. */
  clear(options?: ChangeOptions): Answer<void>;
  /**
   * Adds to a number; a key without a value has 0. An entry that is there lives on for as long as it would
   * have.
   *
   * @returns the number before.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` it is no number; and as {@link Dict.set}.
   */
  add(key: string, delta: number, options?: TtlOptions & ChangeOptions): Answer<number>;
  /**
   * Replaces a value by what the function makes of it, or of undefined, in one change. The function must not
   * change the dict, and an engine may have to call it more than once.
   *
   * @returns the new value.
   * @throws what the function throws (then nothing was changed), and as {@link Dict.set} and {@link Dict.get}.
   */
  update(
    key: string,
    fn: (value: V | undefined) => V,
    options?: TtlOptions & ChangeOptions,
  ): Answer<V>;
  /**
   * Sets the value of a key if it is `expected`; undefined is also what a key has that is not there.
   *
   * @returns whether it was set.
   * @throws as {@link Dict.set}
   */
  compareAndSet(
    key: string,
    expected: V | undefined,
    value: V,
    options?: TtlOptions & ChangeOptions,
  ): Answer<boolean>;
  /**
   * The value of a key, computed if there is none: by one task of one process only, while others wait for
   * it. When that process dies, or the function throws, another computes it.
   *
   * @throws what the function throws; SharedMemoryError `ERR_TIMEOUT` somebody else computes it for longer;
   * `ERR_DEADLOCK` it waits for itself. The signal's reason when it aborts.
   */
  getOrSet(
    key: string,
    fn: (key: string) => V | PromiseLike<V>,
    options?: TtlOptions & WaitOptions,
  ): Promise<V>;
  /** The keys. What is changed meanwhile is seen or not; what is there all the while comes once. */
  keys(): Answers<string>;
  /** The values; as {@link Dict.keys}. */
  values(): Answers<V>;
  /** Keys and values; as {@link Dict.keys}. */
  entries(): Answers<[string, V]>;
}

/** Named values, as properties. What they are to a program, an engine says. */
export interface Namespace extends Named {
  readonly values: object;
}
