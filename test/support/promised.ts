// What an engine that answers by promises would provide in place of a class of this library: the same
// verbs, with the same meaning under `await`. docs/architecture.md says how members that are not verbs are
// mapped.
import type { contract } from 'shmkit';

/** Properties that a handle knows about any object, so that no request is needed. */
export type OfHandle = 'shmkit' | 'name' | 'closed' | 'toJSON';

/** A verb that blocks its thread. The verb without `Sync` does the same under `await`. */
export type Blocking = `${string}Sync`;

/** The same verbs and properties. Each of them is a request. */
type Verbs<T, K extends keyof T> = { readonly [P in K]: Verb<T[P], T> };

type Verb<M, T> = M extends (...args: infer A) => infer R
  ? (...args: A) => Answered<R, T>
  : () => Promise<M>;

type Answered<R, T> = [R] extends [Sequence<infer X>]
  ? AsyncIterableIterator<X>
  : Promise<Answer<Awaited<R>, T>>;

/** What is iterated. Text and arrays are data, and shared objects are used by requests. */
type Sequence<X> = (Iterable<X> | AsyncIterable<X>) & { readonly length?: never; unlink?: never };

/**
 * Data are answered as they are. The object itself, and objects that it gave away, are again used by
 * requests.
 */
type Answer<R, T> = R extends T
  ? Promised<T>
  : R extends Given
    ? Token<R>
    : R extends readonly (infer X extends Given)[]
      ? Token<X>[]
      : R;

/** An item to acknowledge, or a guard to release. */
type Given = { ack(): unknown } | { release(): unknown; acquire?: never; close?: never };

/** It contains its data, and its methods are requests. */
export type Token<T> = {
  readonly [K in Exclude<keyof T, symbol>]: T[K] extends (...args: never[]) => unknown
    ? Verb<T[K], T>
    : T[K];
} & AsyncDisposable;

/** Under `await` no property can be read or assigned, so the properties of a namespace have verbs. */
export interface Properties<P extends object> {
  get<K extends keyof P>(name: K): Promise<P[K]>;
  set<K extends keyof P>(name: K, value: P[K]): Promise<void>;
  has(name: string): Promise<boolean>;
  delete(name: keyof P): Promise<boolean>;
  keys(): Promise<string[]>;
  /** `{ ...values }` */
  all(): Promise<P>;
}

type Values<T> = T extends HasProperties ? { readonly values: Properties<T['values']> } : unknown;

/** A namespace. The `values` of other kinds is a method. */
interface HasProperties {
  readonly values: object & { readonly call?: never };
}

type Iterated<T> = T extends Iterable<infer X> | AsyncIterable<infer X>
  ? AsyncIterable<X>
  : unknown;

type Asked<T> = Exclude<keyof T, symbol | (T extends HasProperties ? 'values' : never)>;

type Common<T> = AsyncDisposable & Iterated<T> & Values<T>;

export type Promised<T> = Pick<T, keyof T & OfHandle> &
  Verbs<T, Exclude<Asked<T>, OfHandle | Blocking>> &
  Common<T>;

/** An object in another place: its promised verbs, its blocking verbs, and what its handle there knows. */
export type Remote<T> = Verbs<T, Exclude<Asked<T>, 'lock'>> & Common<T> & OwnLock<T>;

type OwnLock<T> = T extends { readonly lock: contract.Lock }
  ? { readonly lock: Remote<contract.Lock> }
  : unknown;
