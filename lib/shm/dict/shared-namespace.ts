import { tellClass } from '../core/classes';
import type * as contract from '../../contract/index';
import { assignedBy, changedBy } from '../core/assignments';
import type { Request } from '../core/attachment';
import type { Typed } from '../core/handle';
import { toAttach, toCreate, toOpen } from '../core/named-object';
import { invalidType } from '../../common/errors';
import { checkOptions } from '../../common/options';
import { quoted, shown } from '../../common/shown';
import { dictContents } from './layout';
import { DictState, When } from './state';
import {
  Structure,
  unlinkStructure,
  type StructureCreateOptions,
  type StructureOptions,
} from '../structure/structure';
import { tellStates } from '../structure/states';
import { checkCapacity, checkOutOfBand } from '../structure/structure-layout';
import { UnreadableError } from '../structure/unreadable';

/** The options of {@link SharedNamespace.open}. */
export type SharedNamespaceOptions = StructureOptions;
/** The options of {@link SharedNamespace.create}. */
export type SharedNamespaceCreateOptions = StructureCreateOptions;

/** The plain-data form of a namespace that is sent to other processes; see {@link SharedNamespace.toJSON}. */
export interface SharedNamespaceHandle<
  T extends object = Record<string, unknown>,
> extends Typed<T> {
  readonly shmkit: 'namespace';
  readonly name: string;
}

/**
 * An object whose properties are shared by all processes: Python's `Manager().Namespace()`, without a server.
 *
 * The shared properties are the properties of {@link values}. Reading or assigning a property reads or sets
 * it in shared memory, one property at a time, as with {@link SharedDict}. Property names are strings. A
 * value that you read is a copy. To change a value in the namespace, assign it again. An assignment has no
 * `timeout` and needs none: no user function runs while a namespace is changed, so other changes are short.
 */
export class SharedNamespace<T extends object = Record<string, unknown>>
  extends Structure
  implements contract.Namespace<T>
{
  declare readonly shmkit: 'namespace';
  readonly #state: DictState;
  readonly #values: T;

  private constructor(request: Request) {
    super(request);
    this.#state = this.stateBy((seat) => new DictState(seat));
    this.#values = new Proxy<T>(Object.create(null) as T, new Properties(() => this.open()));
  }

  /** @internal */
  protected override get state(): DictState {
    return this.#state;
  }

  /** @internal */
  protected override open(): DictState {
    if (this.attachment.guarded) this.attachment.open();
    const state = this.#state;
    if (state.inside) state.putRight();
    return state;
  }

  /**
   * Creates a new namespace.
   *
   * @throws SharedMemoryError `EEXIST` the name is already in use; `ENOSPC`; `EINVAL`, `ENAMETOOLONG` the
   * name is not valid; `ERR_ZERO_COPY_UNAVAILABLE`.
   */
  static create<T extends object = Record<string, unknown>>(
    options: SharedNamespaceCreateOptions = {},
  ): SharedNamespace<T> {
    checkOptions(options, ['name', 'mode', 'capacity', 'outOfBand']);
    return new SharedNamespace(toCreate('namespace', options, contentsOf(options)));
  }

  /**
   * Attaches to an existing namespace.
   *
   * @throws SharedMemoryError `ENOENT` it does not exist; `EACCES`; `ERR_CORRUPT`, `ERR_ABI_MISMATCH`.
   */
  static attach<T extends object = Record<string, unknown>>(name: string): SharedNamespace<T> {
    return new SharedNamespace(toAttach('namespace', name));
  }

  /**
   * Attaches to a namespace, or creates it if it does not exist. If several processes open the same name at
   * the same time, one of them creates the namespace, and the options of that process apply.
   *
   * @throws SharedMemoryError as {@link SharedNamespace.create} (except `EEXIST`) and
   * {@link SharedNamespace.attach}.
   */
  static open<T extends object = Record<string, unknown>>(
    name: string,
    options: SharedNamespaceOptions = {},
  ): SharedNamespace<T> {
    checkOptions(options, ['mode', 'capacity', 'outOfBand']);
    return new SharedNamespace(toOpen('namespace', name, options, contentsOf(options)));
  }

  /** Removes a name. Processes that are attached keep the namespace until they close it. */
  static unlink(name: string): void {
    unlinkStructure('namespace', name);
  }

  /**
   * The shared properties. Reading, assigning or deleting one throws `ERR_CLOSED` when the handle is closed,
   * and otherwise throws as {@link SharedDict.get}, {@link SharedDict.set} and {@link SharedDict.delete} do.
   * `Object.keys()` and `in` do not read values, so they also include properties whose values cannot be
   * read. Functions that read the values, such as `Object.entries()`, throw in that case.
   */
  get values(): T {
    return this.#values;
  }

  /** Returns a handle as plain data, to send to another process, which passes it to {@link attach}. */
  toJSON(): SharedNamespaceHandle<T> {
    return { shmkit: 'namespace', name: this.name };
  }
}

const isIdentifier = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

changedBy('namespace', { values: 'Object.assign(values, …)' });
assignedBy('namespace', (key, value) => {
  const step = isIdentifier.test(key) ? `.${key}` : `[${quoted(key)}]`;
  return `values${step} = ${shown(value)}`;
});

/** Maps the properties of an object to the entries of a dict. */
class Properties<T extends object> implements ProxyHandler<T> {
  readonly #open: () => DictState;

  constructor(open: () => DictState) {
    this.#open = open;
  }

  get(_: T, key: string | symbol): unknown {
    // Symbol keys are used by the engine itself, for example for the name of an object in a console.
    if (typeof key === 'symbol') return undefined;
    const value = this.#open().get(key);
    return typeof value === 'symbol' ? undefined : value;
  }

  set(_: T, key: string | symbol, value: unknown): boolean {
    const state = this.#open();
    if (typeof key === 'symbol') throw invalidType('the name of a property', 'a string', key);
    return state.set(key, value, state.ttl, When.Always) || true;
  }

  has(_: T, key: string | symbol): boolean {
    return typeof key === 'string' && this.#open().has(key);
  }

  deleteProperty(_: T, key: string | symbol): boolean {
    if (typeof key === 'string') this.#open().delete(key);
    return true;
  }

  ownKeys(): string[] {
    const { scan } = this.#open();
    const cursor = scan.begin();
    const keys: string[] = [];
    while (scan.next(cursor)) {
      for (let i = 0; i < cursor.found.length; i += 2) {
        const key = cursor.found[i] as string | undefined;
        if (key !== undefined) keys.push(key);
      }
    }
    return keys;
  }

  getOwnPropertyDescriptor(target: T, key: string | symbol): PropertyDescriptor | undefined {
    if (!this.has(target, key)) return undefined;
    const all = { enumerable: true, configurable: true };
    try {
      return { ...all, value: this.get(target, key), writable: true };
    } catch (error) {
      if (!(error instanceof UnreadableError)) throw error;
      // A caller that only needs the property's name does not get the error of its value.
      return {
        ...all,
        get: () => this.get(target, key),
        set: (value: unknown) => void this.set(target, key, value),
      };
    }
  }

  defineProperty(target: T, key: string | symbol, descriptor: PropertyDescriptor): boolean {
    // `Reflect.set()` calls this when this object is the receiver but not the target. Other uses have no
    // meaning here.
    return 'value' in descriptor && this.set(target, key, descriptor.value);
  }

  preventExtensions(): boolean {
    return false;
  }
}

tellStates('namespace', (seat) => new DictState(seat));

function contentsOf({ capacity, outOfBand }: SharedNamespaceOptions) {
  return dictContents(checkCapacity(capacity), 0, false, checkOutOfBand(outOfBand));
}

tellClass('namespace', SharedNamespace);
