import type { ElementOf, ElementType } from '../common/element-types';
import type { Answer } from './answer';
import type { Dict, Namespace } from './dict';
import type { List } from './list';
import type { NamedLock, RLock, RWLock } from './lock';
import type { NumberArray, Value } from './numbers';
import type { Queue } from './queue';
import type { Barrier, Condition, Event, Semaphore } from './sync';

/**
 * Makes objects that belong together, and ends them all together. The methods `lock`, `dict` and so on return the
 * object of that kind and name. If several processes call one with the same name, all get the same object. The
 * first call makes it, with the given options. Without a name, a call makes an object with a new name.
 */
export interface Manager {
  /** The name by which other processes attach to the manager. */
  readonly name: string;
  /** Whether this handle was closed. */
  readonly closed: boolean;
  /** Aborts when the manager has ended. */
  readonly signal: AbortSignal;
  /**
   * Returns a lock of this manager.
   *
   * @throws SharedMemoryError `ERR_SHUTDOWN` the manager has ended; `ERR_CLOSED`; the methods below throw the
   * same.
   */
  lock(name?: string): Answer<NamedLock>;
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
  /** @param options - `ttl`: the time to live of entries in milliseconds. Default: they stay. */
  dict<V = unknown>(
    name?: string,
    options?: { readonly ttl?: number | undefined },
  ): Answer<Dict<V>>;
  list<V = unknown>(name?: string): Answer<List<V>>;
  /** @param options - `maxSize`: the maximum number of items. Default: there is none. */
  queue<V = unknown>(
    name?: string,
    options?: { readonly maxSize?: number | undefined },
  ): Answer<Queue<V>>;
  namespace(name?: string): Answer<Namespace>;
  /** Ends the manager and all objects that it made, for every process. Waiters get `ERR_SHUTDOWN`. */
  shutdown(): Answer<void>;
  /**
   * Ends the use of the manager through this handle. The objects that the manager made stay: they end with the
   * manager, which is by {@link Manager.shutdown}, by the end of its owner, or, if its participants own it
   * together, by that of the last of them. An owner that is killed leaves the manager to the participants that live.
   */
  close(): Answer<void>;
  toJSON(): object;
}
