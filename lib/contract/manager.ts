import type { ElementOf, ElementType } from '../common/element-types';
import type { Answer } from './answer';
import type { Dict, Namespace } from './dict';
import type { List } from './list';
import type { Lock, RLock, RWLock } from './lock';
import type { NumberArray, Value } from './numbers';
import type { Queue } from './queue';
import type { Barrier, Condition, Event, Semaphore } from './sync';

/**
 * Makes objects that belong together, and ends them all together. A request for a name returns the object
 * that others have by that name. The first request makes it, with the given options. An object that is
 * requested without a name is given one.
 */
export interface Manager {
  /** The name by which other processes attach to the manager. */
  readonly name: string;
  /** Whether this handle was closed. */
  readonly closed: boolean;
  /** Aborts when the manager has ended. */
  readonly signal: AbortSignal;
  /**
   * @throws SharedMemoryError `ERR_SHUTDOWN` the manager has ended; `ERR_CLOSED`; the methods below throw the
   * same.
   */
  lock(name?: string): Answer<Lock>;
  rlock(name?: string): Answer<RLock>;
  rwlock(name?: string): Answer<RWLock>;
  /**
   * @param options - `value`: the initial number of permits, default 1; `max`: the maximum number of permits.
   */
  semaphore(
    name?: string,
    options?: { readonly value?: number | undefined; readonly max?: number | undefined },
  ): Answer<Semaphore>;
  event(name?: string): Answer<Event>;
  condition(name?: string): Answer<Condition>;
  barrier(name?: string, options?: { readonly parties: number }): Answer<Barrier>;
  value<T extends ElementType>(
    name?: string,
    options?: { readonly type: T; readonly value?: ElementOf<T> | undefined },
  ): Answer<Value<T>>;
  array<T extends ElementType>(
    name?: string,
    options?: { readonly type: T; readonly length: number },
  ): Answer<NumberArray<T>>;
  dict<V = unknown>(name?: string): Answer<Dict<V>>;
  list<V = unknown>(name?: string): Answer<List<V>>;
  queue<V = unknown>(name?: string): Answer<Queue<V>>;
  namespace(name?: string): Answer<Namespace>;
  /** Ends the manager and all objects that it made, for every process. Waiters get `ERR_SHUTDOWN`. */
  shutdown(): Answer<void>;
  /**
   * Ends this handle's part in the manager. The objects that the manager made end with the manager's owner,
   * or with the last participant.
   */
  close(): Answer<void>;
  toJSON(): object;
}
