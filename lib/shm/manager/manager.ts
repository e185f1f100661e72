import { tellClass } from '../core/classes';
import type * as contract from '../../contract/index';
import { native } from '../core/binding';
import { Unassignable } from '../core/assignments';
import { Attachment, Request, movesOn } from '../core/attachment';
import { checkConstruction } from '../core/construction';
import { showHandle } from '../core/handle';
import type { NamedLock, NamedLockOptions } from '../core/named-lock';
import { toAttach, toCreate, type CreateOptions } from '../core/named-object';
import {
  SharedMemory,
  endsWith,
  mostRounds,
  type SharedMemoryOpenOptions,
} from '../core/shared-memory';
import type { SharedArray, SharedArrayOptions } from '../numbers/shared-array';
import type { SharedDict, SharedDictOptions } from '../dict/shared-dict';
import type { SharedNamespace, SharedNamespaceOptions } from '../dict/shared-namespace';
import type { SharedObject, SharedObjectCreateOptions } from '../objects/shared-object';
import type { SharedQueue, SharedQueueOptions } from '../queue/shared-queue';
import type { SharedList, SharedListOptions } from '../list/shared-list';
import type { SharedValue, SharedValueOptions } from '../numbers/shared-value';
import { checkCapacity } from '../structure/structure-layout';
import type { ElementType } from '../../common/element-types';
import { SharedMemoryError, hasCode } from '../../common/errors';
import { asManager, freshName, managedName, noName, systemName } from '../core/names';
import { checkBoolean, checkMode, checkOptions, defaultMode } from '../../common/options';
import type { NamedBarrier, NamedBarrierOptions } from '../sync/barrier';
import type { NamedCondition, NamedConditionOptions } from '../sync/condition';
import type { NamedEvent, NamedEventOptions } from '../sync/event';
import type { NamedRLock, NamedRLockOptions } from '../sync/rlock';
import type { NamedRWLock, NamedRWLockOptions } from '../sync/rw-lock';
import type { NamedSemaphore, NamedSemaphoreOptions } from '../sync/semaphore';
import { EndSignal } from './end-signal';
import { atEnd, forgetEnding, mayHearNatively } from './endings';
import { classOf, noteOf, type Managed, type ManagedKind, type OpenedKind } from './kinds';
import { ManagerState, Ownership, defaultCapacity, managerContents } from './state';

/** The options of {@link Manager.open}. */
export interface ManagerOptions {
  /**
   * The permission bits of a new manager, and of the objects that are created in it unless their own options say
   * otherwise. The umask is not applied. Default `0o600`: only its owner may use it.
   */
  readonly mode?: number | undefined;
  /**
   * The bytes of address space in which a new manager records its objects. Each object takes some 40 bytes plus
   * the length of its name. Memory is only taken as it is needed. Default 16 MiB.
   */
  readonly capacity?: number | undefined;
  /**
   * Whether to listen for signals that end this process, so that the manager then ends as it does at an exit
   * or an uncaught error. Default true. With `false`, a signal that nobody listens for has the same effect as
   * killing the process: what the manager created is left to its other peers, or to the next
   * {@link Manager.create} of that name.
   */
  readonly signals?: boolean | undefined;
}

/** The options of {@link Manager.create}. */
export interface ManagerCreateOptions extends ManagerOptions, CreateOptions {}

/** The plain-data form of a manager that is sent to other processes; see {@link Manager.toJSON}. */
export interface ManagerHandle {
  readonly shmkit: 'manager';
  readonly name: string;
}

/** The environment variable that names the manager for a child process. */
const variable = 'SHMKIT_MANAGER';

/**
 * The part of the contract that TypeScript checks here. `dict`, `list` and `queue` are left out, because
 * TypeScript would infer their type arguments from promises of values. types.test-d.ts checks these methods.
 */
type PlainManager = Omit<contract.Manager, 'dict' | 'list' | 'queue'>;

/**
 * A group of shared objects that have one lifetime: Python's `multiprocessing.Manager`, without a server.
 *
 * The owner of a manager depends on how it was made:
 *
 * - A manager that was made by {@link create} belongs to its creator, which is a thread. When the creator
 *   shuts it down or ends, the names of all objects that were created in it are removed, no matter who
 *   created them. A thread that attaches is a participant until it closes the manager or ends. This unlinks
 *   nothing.
 * - A manager that was made by {@link open} belongs to all its participants, whether they used `open` or
 *   `attach`. It lives until the last of them closes it or ends. A participant that leaves before that
 *   removes nothing. So the manager survives a rolling restart, in any order.
 *
 * A participant is a thread. It ends when its process exits, throws an uncaught error, or gets a signal that ends
 * it, such as SIGINT, SIGTERM or SIGHUP. A worker also ends when it is finished, or by `worker.terminate()`. An
 * application that handles these signals itself keeps doing so, and decides whether the process ends. (On macOS,
 * the names of objects that a worker created stay when it is terminated, until a manager of that name is made.)
 *
 * When a process is killed or aborts, none of its code runs. The manager stays alive if another participant
 * lives. If none does, the manager is dead: {@link attach} reports that, and {@link create} and {@link open}
 * remove what was left and start anew.
 *
 * The participants of a manager are told when it has ended: the methods of all objects that they got from it
 * throw `ERR_SHUTDOWN`, waits that are in progress fail in the same way, and {@link signal} aborts.
 *
 * The name of an object begins with the name of its manager: `manager.dict('cache')` of a manager `app` has
 * the name `/app/cache`. `SharedDict.attach('/app/cache')` attaches to it. Only a manager can create an
 * object with such a name, so the object belongs to no other manager. Each of the manager's methods for
 * objects creates the object if it does not exist, and returns a handle that is to be closed separately. If
 * no name is given, a new object with a generated name is created. The options are those of the `open` method
 * of the object's class. They apply to a new object, and can be left out if the object already exists.
 *
 * On Windows, an object lives as long as a handle to it is open. Here that is until all threads that asked the
 * manager for that object have closed the manager or ended.
 *
 * No method blocks, except briefly while others create or unlink something.
 */
export class Manager extends Unassignable implements Disposable, PlainManager {
  /** The kind of object, as it is named in plain-data handles. */
  declare readonly shmkit: 'manager';
  /** The name by which others attach. */
  declare readonly name: string;

  readonly #attachment: Attachment;
  readonly #state: ManagerState;
  readonly #isOwner: boolean;
  /** The number by which the native code knows this manager, if the manager ends with this thread. */
  #entrusted: number | undefined;
  #signal: EndSignal | undefined;
  /**
   * Handles that keep objects alive, on systems where an object ends with its last handle. The keys are the
   * notes of the objects: see {@link noteOf}.
   */
  readonly #kept = new Map<string, { close(): void }>();

  private constructor(request: Request, isNew: boolean, hearsSignals: boolean) {
    checkConstruction(request instanceof Request, new.target);
    super();
    systemName('manager', request.name);
    showHandle(this, { shmkit: 'manager', name: request.name });
    const attachment = new Attachment(request);
    this.#attachment = attachment;
    const { seat } = attachment;
    try {
      this.#state = seat.state(() => new ManagerState(seat));
      if (isNew) this.#state.begin();
      else this.#state.join();
    } catch (error) {
      attachment.close();
      throw error;
    }
    attachment.belongTo(this);
    const { isOfPeers } = this.#state;
    this.#isOwner = isNew && !isOfPeers;
    if (!isNew && !isOfPeers) return;
    const entrusted = this.#state.entrust(hearsSignals && mayHearNatively);
    this.#entrusted = entrusted.number;
    atEnd(this, hearsSignals && !entrusted.hearsSignals);
  }

  /**
   * Creates a new manager, which this thread owns. If there is a dead manager of that name, its remains are
   * removed first.
   *
   * @throws SharedMemoryError `EEXIST` a manager of that name is alive; `ENOSPC`; `EINVAL`, `ENAMETOOLONG`
   * the name is not valid; `EACCES` the remains belong to another user; `ERR_ZERO_COPY_UNAVAILABLE`.
   */
  static create(options: ManagerCreateOptions = {}): Manager {
    checkOptions(options, ['name', 'mode', 'capacity', 'signals']);
    return Manager.#createAs(Ownership.Creator, options);
  }

  static #createAs(ownership: Ownership, options: ManagerCreateOptions): Manager {
    const { name = freshName() } = options;
    systemName('manager', name);
    const mode = checkMode(options.mode);
    const capacity = checkCapacity(options.capacity ?? defaultCapacity);
    const hearsSignals = checkBoolean('signals', options.signals ?? true);
    for (let round = 0; ; round++) {
      try {
        const contents = managerContents(name, ownership, mode, capacity);
        const request = toCreate('manager', { name, mode }, contents);
        return new Manager(request, true, hearsSignals);
      } catch (error) {
        if (!hasCode(error, 'EEXIST') || round === mostRounds) throw error;
        if (!Manager.#unlinkDead(name)) throw error;
      }
    }
  }

  /**
   * Attaches to an existing manager as a participant.
   *
   * @throws SharedMemoryError `ENOENT` it does not exist, or it is dead; the message says which; `EACCES`;
   * `ERR_CAPACITY` there are already 1024 participants; `ERR_CORRUPT`, `ERR_ABI_MISMATCH`,
   * `ERR_ZERO_COPY_UNAVAILABLE`.
   */
  static attach(name: string): Manager {
    return Manager.#attach(name, true);
  }

  static #attach(name: string, hearsSignals: boolean): Manager {
    return new Manager(toAttach('manager', name), false, hearsSignals);
  }

  /**
   * Attaches to a manager as a participant, or makes one if no manager of that name is alive. If several
   * processes open the same name at the same time, one of them makes the manager, and the options of that
   * process apply. A manager that is made here ends with its last participant, not with the one that happened
   * to make it. A manager that was made by {@link create} still belongs to its creator.
   *
   * @throws SharedMemoryError as {@link Manager.create} (except `EEXIST`) and {@link Manager.attach}.
   */
  static open(name: string, options: ManagerOptions = {}): Manager {
    checkOptions(options, ['mode', 'capacity', 'signals']);
    checkMode(options.mode);
    checkCapacity(options.capacity ?? defaultCapacity);
    const hearsSignals = checkBoolean('signals', options.signals ?? true);
    for (let round = 0; ; round++) {
      try {
        return Manager.#attach(name, hearsSignals);
      } catch (error) {
        if (!hasCode(error, 'ENOENT')) throw error;
      }
      try {
        return Manager.#createAs(Ownership.Peers, { ...options, name });
      } catch (error) {
        if (!hasCode(error, 'EEXIST') || round === mostRounds) throw error;
      }
    }
  }

  /**
   * Attaches to the manager that the environment names: see {@link env}.
   *
   * @param environment - by default the environment of this process.
   * @throws SharedMemoryError `ENOENT` the environment names no manager; and as {@link attach}.
   */
  static fromEnv(environment: Readonly<Record<string, string | undefined>> = process.env): Manager {
    const name = environment[variable];
    if (name !== undefined) return Manager.attach(name);
    throw new SharedMemoryError(
      'ENOENT',
      `the environment variable ${variable} is not set; start this process with the variables of manager.env()`,
    );
  }

  /**
   * Shuts a manager down, whoever its participants are, and whether it is alive or dead.
   *
   * @throws SharedMemoryError `ENOENT` it does not exist; `EACCES`; `ERR_ABI_MISMATCH`.
   */
  static unlink(name: string): void {
    withState(name, (state) => state.shutDown());
  }

  /** Removes the remains of a dead manager. Returns false when the manager is alive. */
  static #unlinkDead(name: string): boolean {
    try {
      return withState(name, (state) => state.unlinkDead());
    } catch (error) {
      // Another process has removed them first.
      if (hasCode(error, 'ENOENT')) return true;
      throw error;
    }
  }

  /** Whether this handle was closed. */
  get closed(): boolean {
    return this.#attachment.closed;
  }

  /**
   * Aborts when the manager has ended, in any way: it was shut down, or its owner has ended. The reason is a
   * SharedMemoryError `ERR_SHUTDOWN`, which the methods of all objects of the manager also throw from then
   * on. The signal does not abort when this handle is closed and the manager lives on.
   *
   * Reading this property makes a background thread wait for the end. That does not keep the process alive.
   *
   * @throws SharedMemoryError `ERR_CLOSED`
   */
  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      const seat = this.#attachment.open();
      this.#signal = new EndSignal(seat, this.#state);
    }
    return this.#signal.signal;
  }

  /** A shared memory segment; see {@link SharedMemory.open}. */
  memory(name?: string, options?: SharedMemoryOpenOptions): SharedMemory {
    return this.#make('memory', name, options);
  }

  /** A lock; see {@link NamedLock.open}. */
  lock(name?: string, options?: NamedLockOptions): NamedLock {
    return this.#make('lock', name, options);
  }

  /** A reentrant lock; see {@link NamedRLock.open}. */
  rlock(name?: string, options?: NamedRLockOptions): NamedRLock {
    return this.#make('rlock', name, options);
  }

  /** A semaphore; see {@link NamedSemaphore.open}. */
  semaphore(name?: string, options?: NamedSemaphoreOptions): NamedSemaphore {
    return this.#make('semaphore', name, options);
  }

  /** An event; see {@link NamedEvent.open}. */
  event(name?: string, options?: NamedEventOptions): NamedEvent {
    return this.#make('event', name, options);
  }

  /** A condition; see {@link NamedCondition.open}. */
  condition(name?: string, options?: NamedConditionOptions): NamedCondition {
    return this.#make('condition', name, options);
  }

  /** A barrier; see {@link NamedBarrier.open}. */
  barrier(name?: string, options?: NamedBarrierOptions): NamedBarrier {
    return this.#make('barrier', name, options);
  }

  /** A read-write lock; see {@link NamedRWLock.open}. */
  rwlock(name?: string, options?: NamedRWLockOptions): NamedRWLock {
    return this.#make('rwlock', name, options);
  }

  /** A number; see {@link SharedValue.open}. */
  value<T extends ElementType>(name?: string, options?: SharedValueOptions<T>): SharedValue<T> {
    return this.#make('value', name, options) as unknown as SharedValue<T>;
  }

  /** An array of numbers; see {@link SharedArray.open}. */
  array<T extends ElementType>(name?: string, options?: SharedArrayOptions<T>): SharedArray<T> {
    return this.#make('array', name, options) as unknown as SharedArray<T>;
  }

  /** A queue; see {@link SharedQueue.open}. */
  queue<V = unknown>(name?: string, options?: SharedQueueOptions): SharedQueue<V> {
    return this.#make('queue', name, options) as unknown as SharedQueue<V>;
  }

  /** A namespace; see {@link SharedNamespace.open}. */
  namespace<T extends object = Record<string, unknown>>(
    name?: string,
    options?: SharedNamespaceOptions,
  ): SharedNamespace<T> {
    return this.#make('namespace', name, options) as unknown as SharedNamespace<T>;
  }

  /** A dict; see {@link SharedDict.open}. */
  dict<V = unknown>(name?: string, options?: SharedDictOptions): SharedDict<V> {
    return this.#make('dict', name, options) as unknown as SharedDict<V>;
  }

  /** A list; see {@link SharedList.open}. */
  list<V = unknown>(name?: string, options?: SharedListOptions): SharedList<V> {
    return this.#make('list', name, options) as unknown as SharedList<V>;
  }

  /**
   * An immutable value in shared memory; see {@link SharedObject.create}. Like all such objects it exists only as long
   * as somebody holds it, and not longer than this manager.
   *
   * @param options - `name`: its name in this manager, by which {@link attach} finds it as `/manager/name`; the others
   * are those of {@link SharedObject.create}.
   */
  object<T>(
    value: T,
    options: Omit<SharedObjectCreateOptions<T>, 'from' | 'spill'> = {},
  ): SharedObject<T> {
    this.#attachment.open();
    checkOptions(options, ['name', 'mode', 'handOver', 'participants']);
    const name = this.#nameFor('object', options.name);
    const given = { ...(withMode(options, this.#state.mode) as object), name, from: value };
    const made = asManager(() => classOf('object').create<T>(given));
    try {
      this.#state.note('object', name);
    } catch (error) {
      made.unlink();
      made.close();
      throw error;
    }
    return made;
  }

  /**
   * Returns the environment variables with which a child process can attach by {@link fromEnv}:
   * `fork(path, { env: { ...process.env, ...manager.env() } })`, `cluster.fork(manager.env())`.
   */
  env(): Record<string, string> {
    return { [variable]: this.name };
  }

  /** Returns a handle as plain data, to send to another process, which passes it to {@link attach}. */
  toJSON(): ManagerHandle {
    return { shmkit: 'manager', name: this.name };
  }

  /**
   * Ends the manager: unlinks all objects that were created in it, unlinks the manager itself, and closes
   * this handle. From then on, every method of these objects throws `ERR_SHUTDOWN` in all processes,
   * including calls that are waiting. Idempotent.
   */
  shutdown(): void {
    if (this.closed) return;
    this.#state.shutDown();
    this.close();
  }

  /** @internal Called when this thread ends. */
  endWithThread(): void {
    if (this.closed) return;
    if (this.#isOwner) this.#state.shutDown(true);
    this.#close(true);
  }

  /**
   * Closes this handle, which is then no longer a participant. Idempotent.
   *
   * If the manager was made by {@link open} and this was its last participant, all of it is removed. If it
   * was made by {@link create}, nothing is unlinked, neither now nor when this process ends. Other
   * participants keep it alive.
   */
  close(): void {
    if (!this.closed) this.#close(false);
  }

  /** For `using`: the same as {@link shutdown} for the owner's handle, and as {@link close} for any other. */
  [Symbol.dispose](): void {
    if (this.#isOwner) this.shutdown();
    else this.close();
  }

  #close(isAtEnd: boolean): void {
    forgetEnding(this);
    if (this.#entrusted !== undefined) native.endingRemove(this.#entrusted);
    for (const kept of this.#kept.values()) kept.close();
    this.#kept.clear();
    try {
      this.#state.withdraw(isAtEnd);
      this.#signal?.close();
    } catch {
      // The bytes of the manager were overwritten. The next process that makes a manager of that name finds
      // what is left.
    } finally {
      this.#attachment.close();
    }
  }

  #make<K extends OpenedKind>(kind: K, given: unknown, options: unknown): Managed<K> {
    this.#attachment.open();
    const name = this.#nameFor(kind, given);
    const { mode } = this.#state;
    const made = this.#state.make(kind, name, (isNoted) => {
      const found = isNoted && options === undefined ? attachIfThere(kind, name) : undefined;
      return found ?? asManager(() => open(kind, name, withMode(options, mode)));
    });
    if (made instanceof SharedMemory) endsWith(made, this.#state);
    if (!native.namesOutliveHandles) this.#keep(kind, name);
    return made as Managed<K>;
  }

  #nameFor(kind: ManagedKind, given: unknown): string {
    if (given !== undefined && typeof given !== 'string') throw noName(given);
    if (given === '') {
      throw this.#attachment.error('EINVAL', 'cannot create an object with an empty name');
    }
    if (given?.includes('/')) {
      throw this.#attachment.error(
        'EINVAL',
        `cannot create ${JSON.stringify(given)}: the name contains '/'`,
      );
    }
    const name = managedName(this.name, given ?? freshName());
    systemName(kind, name);
    return name;
  }

  #keep(kind: OpenedKind, name: string): void {
    const note = noteOf(kind, name);
    // The object that was kept may have been unlinked since.
    this.#kept.get(note)?.close();
    this.#kept.set(note, classOf(kind).attach(name));
  }
}

/** Returns the options with the mode of the manager, unless they contain a mode. */
function withMode(options: unknown, mode: number): unknown {
  if (mode === defaultMode) return options;
  // The class refuses options that are not an object.
  if (options !== undefined && (typeof options !== 'object' || options === null)) return options;
  const given = options as { mode?: unknown } | undefined;
  return { ...given, mode: given?.mode === undefined ? mode : given.mode };
}

function attachIfThere(kind: OpenedKind, name: string): unknown {
  try {
    return classOf(kind).attach(name);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    return undefined;
  }
}

function open(kind: OpenedKind, name: string, options: unknown): unknown {
  const type = classOf(kind);
  const opened = type.open(name, options as never);
  if (!movesOn(kind)) return opened;
  // A handle from open() would create the lock again after it was unlinked.
  try {
    return type.attach(name);
  } finally {
    opened.close();
  }
}

/** Uses a manager's state without becoming a participant. */
function withState<T>(name: string, act: (state: ManagerState) => T): T {
  systemName('manager', name);
  const attachment = new Attachment(toAttach('manager', name));
  try {
    const { seat } = attachment;
    return act(seat.state(() => new ManagerState(seat)));
  } finally {
    attachment.close();
  }
}

tellClass('manager', Manager);
