import type { ElementOf, ElementType } from '../common/element-types';
import type { Answer } from './answer';
import type { Dict, Namespace } from './dict';
import type { List } from './list';
import type { Lock, RLock, RWLock } from './lock';
import type { NumberArray, Value } from './numbers';
import type { Queue } from './queue';
import type { Barrier, Condition, Event, Semaphore } from './sync';

/**
 * Makes objects that belong together, and ends all of them together. Who asks for a name gets the object that
 * others have by it; the first makes it, with its options. An object without a name is given one.
 */
export interface Manager {
  /** By which others attach to the manager. */
  readonly name: string;
  /** Whether this handle was closed. */
  readonly closed: boolean;
  /** Aborts when the manager has ended. */
  readonly signal: AbortSignal;
  /** @throws SharedMemoryError `ERR_SHUTDOWN` the manager has ended; `ERR_CLOSED`; so do all below. */
  lock(name?: string): Answer<Lock>;
  rlock(name?: string): Answer<RLock>;
  rwlock(name?: string): Answer<RWLock>;
  /** @param options - `value`: how many permits there are at first, default 1; `max`: how many at most. */
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
  /** Ends the manager and all that it made, for everybody: whoever waits is told `ERR_SHUTDOWN`. */
  shutdown(): Answer<void>;
  /** Ends this handle's part in it; what it made ends with its owner, or with the last who takes part. */
  close(): Answer<void>;
  toJSON(): object;
}
