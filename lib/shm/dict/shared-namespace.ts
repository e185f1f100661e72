import type * as contract from '../../contract/index';
import { assignedBy, changedBy } from '../core/assignments';
import { unlinkObject, type Request } from '../core/attachment';
import type { Typed } from '../core/handle';
import { toAttach, toCreate, toOpen } from '../core/named-object';
import { invalidType } from '../../common/errors';
import { checkOptions } from '../../common/options';
import { quoted, shown } from '../../common/shown';
import { dictContents } from './layout';
import { DictState, When } from './state';
import {
  Structure,
  type StructureCreateOptions,
  type StructureOptions,
} from '../structure/structure';
import { checkCapacity } from '../structure/structure-layout';
import { UnreadableError } from '../structure/unreadable';

/** What {@link SharedNamespace.open} takes. */
export type SharedNamespaceOptions = StructureOptions;
/** What {@link SharedNamespace.create} takes. */
export type SharedNamespaceCreateOptions = StructureCreateOptions;

/** A namespace as plain data, to be sent to another process; see {@link SharedNamespace.toJSON}. */
export interface SharedNamespaceHandle<
  T extends object = Record<string, unknown>,
> extends Typed<T> {
  readonly shmkit: 'namespace';
  readonly name: string;
}

/**
 * An object whose properties all processes share: Python's `Manager().Namespace()`, without a server.
 *
 * The properties are those of {@link values}: to read and to assign one is to read and to set it in
 * shared memory, one by one, as with {@link SharedDict}. Their names are strings. A value is a copy:
 * to change one, assign it again. To assign has no `timeout`, nor does it need one: no function of anybody's
 * runs while a namespace is changed, so the others take a moment.
 */
export class SharedNamespace<T extends object = Record<string, unknown>>
  extends Structure
  implements contract.Namespace
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
   * Makes a new namespace.
   *
   * @throws SharedMemoryError `EEXIST` the name is taken; `ENOSPC`; `EINVAL`, `ENAMETOOLONG` it
   * cannot be a name; `ERR_ZERO_COPY_UNAVAILABLE`.
   */
  static create<T extends object = Record<string, unknown>>(
    options: SharedNamespaceCreateOptions = {},
  ): SharedNamespace<T> {
    checkOptions(options, ['name', 'mode', 'capacity']);
    return new SharedNamespace(toCreate('namespace', options, contentsOf(options)));
  }

  /**
   * Attaches to a namespace that exists.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES`; `ERR_CORRUPT`, `ERR_ABI_MISMATCH`.
   */
  static attach<T extends object = Record<string, unknown>>(name: string): SharedNamespace<T> {
    return new SharedNamespace(toAttach('namespace', name));
  }

  /**
   * Attaches to a namespace, or makes it when it is absent. Of any number of processes that open one
   * name at once, one makes it; its options count.
   *
   * @throws SharedMemoryError as {@link SharedNamespace.create} (but `EEXIST`) and
   * {@link SharedNamespace.attach}.
   */
  static open<T extends object = Record<string, unknown>>(
    name: string,
    options: SharedNamespaceOptions = {},
  ): SharedNamespace<T> {
    checkOptions(options, ['mode', 'capacity']);
    return new SharedNamespace(toOpen('namespace', name, options, contentsOf(options)));
  }

  /** Removes a name. Whoever is attached keeps the namespace until they close. */
  static unlink(name: string): void {
    unlinkObject('namespace', name);
  }

  /**
   * The properties. What is read, assigned or deleted here throws `ERR_CLOSED` when the handle is
   * closed, and otherwise as {@link SharedDict.get}, {@link SharedDict.set} and
   * {@link SharedDict.delete} do. `Object.keys()` and `in` need no values, so they name all properties,
   * also those whose values cannot be read; what reads the values, as `Object.entries()`, throws then.
   */
  get values(): T {
    return this.#values;
  }

  /** A handle to send to another process, which gives it to {@link attach}. */
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

/** How the properties of an object are entries of a dict. */
class Properties<T extends object> implements ProxyHandler<T> {
  readonly #open: () => DictState;

  constructor(open: () => DictState) {
    this.#open = open;
  }

  get(_: T, key: string | symbol): unknown {
    // Symbols are the engine's own questions, as what an object is called in a console.
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
      // Who asks for its name only is not told what is wrong with its value.
      return {
        ...all,
        get: () => this.get(target, key),
        set: (value: unknown) => void this.set(target, key, value),
      };
    }
  }

  defineProperty(target: T, key: string | symbol, descriptor: PropertyDescriptor): boolean {
    // What Reflect.set does on an object that inherits from this one; anything else has no meaning.
    return 'value' in descriptor && this.set(target, key, descriptor.value);
  }

  preventExtensions(): boolean {
    return false;
  }
}

function contentsOf({ capacity }: SharedNamespaceOptions) {
  return dictContents(checkCapacity(capacity), 0, false);
}
