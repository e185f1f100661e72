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
import { classOf, noteOf, type Managed, type ManagedKind } from './kinds';
import { ManagerState, Ownership, defaultCapacity, managerContents } from './state';

/** What {@link Manager.open} takes. */
export interface ManagerOptions {
  /**
   * Permission bits of a new manager, and of what is made in it unless its own options say otherwise;
   * whatever the umask. Default `0o600`, its owner alone.
   */
  readonly mode?: number | undefined;
  /**
   * Bytes of address space for a new manager's notes of what there is in it, some 40 and the length of its
   * name for each object; memory is taken as it is needed. Default 16 MiB.
   */
  readonly capacity?: number | undefined;
  /**
   * Whether to hear signals that end this process, so that the manager ends with it as it does by an
   * exit or an error. Default true. With `false` a signal that nobody listens for is as good as a kill: what
   * the manager made is left to its other peers, or to the next {@link Manager.create} of that name.
   */
  readonly signals?: boolean | undefined;
}

/** What {@link Manager.create} takes. */
export interface ManagerCreateOptions extends ManagerOptions, CreateOptions {}

/** A manager as plain data, to be sent to another process; see {@link Manager.toJSON}. */
export interface ManagerHandle {
  readonly shmkit: 'manager';
  readonly name: string;
}

/** The environment variable by which a child finds its manager. */
const variable = 'SHMKIT_MANAGER';

/** But for those whose types TypeScript would infer from promises of values; types.test-d.ts has these. */
type PlainManager = Omit<contract.Manager, 'dict' | 'list' | 'queue'>;

/**
 * A namespace of shared objects that have one lifetime: Python's `multiprocessing.Manager`, without a
 * server.
 *
 * Whose it is depends on how it was made:
 *
 * - One that was made by {@link create} is its creator's, a thread. When the creator shuts it down or ends, all that
 *   anybody made in it loses its name. Whoever attaches takes part until it closes the manager or ends,
 *   and unlinks nothing by that.
 * - One that was made by {@link open} is of all who take part, by `open` or `attach`. It lives until the
 *   last of them closes it or ends, and who leaves before takes nothing away: not by a rolling restart,
 *   in whatever order.
 *
 * Who takes part is a thread. It ends when its process exits, throws what nobody catches, or gets a signal that
 * ends it, such as SIGINT, SIGTERM or SIGHUP; a worker also by itself, or by `worker.terminate()`. An application
 * that handles these signals itself keeps doing so, and decides what becomes of the process. (On macOS the
 * names of what a worker made stay when it is terminated, until somebody makes a manager of that name.)
 *
 * Nothing of a process runs when it is killed, or aborts. If any other that takes part lives, the manager does.
 * If none does, it is dead: {@link attach} says so, and {@link create} and {@link open} remove what was
 * left and start anew.
 *
 * Whoever takes part in a manager that has ended is told: the verbs of all that it gave throw
 * `ERR_SHUTDOWN`, so do waits that are under way, and {@link signal} aborts.
 *
 * An object's name has the manager's in front: `/app/cache` for `manager.dict('cache')` of a manager `app`.
 * `SharedDict.attach('/app/cache')` attaches to it; to make one takes a manager, so that it is no other's. To ask for one makes it when it is absent, and gives a
 * handle that is closed by itself. Without a name, a new one is made under a made-up name. Its options are
 * those of its class's `open`, and count for a new one; where there is one, they can be left out.
 *
 * On Windows an object lives as long as somebody has it: here, until all have closed the manager, or
 * ended, who asked it for that object.
 *
 * No method blocks, but for moments in which others make or unlink something.
 */
export class Manager extends Unassignable implements Disposable, PlainManager {
  /** What kind of object it is, by the name that handles have for it. */
  declare readonly shmkit: 'manager';
  /** The name that others attach by. */
  declare readonly name: string;

  readonly #attachment: Attachment;
  readonly #state: ManagerState;
  readonly #isOwner: boolean;
  /** By which number native knows of it, if it ends with this thread. */
  #entrusted: number | undefined;
  #signal: EndSignal | undefined;
  /** What keeps objects where they go with their last handle, by their notes. */
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
   * Makes a new manager, which this thread owns. What is left of one by that name that is dead is
   * removed first.
   *
   * @throws SharedMemoryError `EEXIST` the name is that of a manager that lives; `ENOSPC`; `EINVAL`,
   * `ENAMETOOLONG` it cannot be a name; `EACCES` what is left is another user's;
   * `ERR_ZERO_COPY_UNAVAILABLE`.
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
   * Takes part in a manager that exists.
   *
   * @throws SharedMemoryError `ENOENT` there is none, or it is dead, as the message says; `EACCES`;
   * `ERR_CAPACITY` 1024 threads take part already; `ERR_CORRUPT`, `ERR_ABI_MISMATCH`,
   * `ERR_ZERO_COPY_UNAVAILABLE`.
   */
  static attach(name: string): Manager {
    return Manager.#attach(name, true);
  }

  static #attach(name: string, hearsSignals: boolean): Manager {
    return new Manager(toAttach('manager', name), false, hearsSignals);
  }

  /**
   * Takes part in a manager, or makes one when there is none that lives. Of any number of processes that
   * open one name at once, one makes it, and its options count. A manager that is made here ends with the last who takes part,
   * and not with the one who happened to make it; one that somebody created stays its creator's.
   *
   * @throws SharedMemoryError as {@link Manager.create} (but `EEXIST`) and {@link Manager.attach}.
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
   * Takes part in the manager that the environment names: see {@link env}.
   *
   * @param environment - default that of this process.
   * @throws SharedMemoryError `ENOENT` it names none; and as {@link attach}.
   */
  static fromEnv(environment: Readonly<Record<string, string | undefined>> = process.env): Manager {
    const name = environment[variable];
    if (name !== undefined) return Manager.attach(name);
    throw new SharedMemoryError(
      'ENOENT',
      `the environment has no ${variable}; start this process with what manager.env() gives`,
    );
  }

  /**
   * Shuts a manager down, whoever takes part and whether it lives or not.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES`; `ERR_ABI_MISMATCH`.
   */
  static unlink(name: string): void {
    withState(name, (state) => state.shutDown());
  }

  /** Removes what is left of a manager; false when it lives. */
  static #unlinkDead(name: string): boolean {
    try {
      return withState(name, (state) => state.unlinkDead());
    } catch (error) {
      // Somebody else was faster.
      if (hasCode(error, 'ENOENT')) return true;
      throw error;
    }
  }

  /** Whether this handle was closed. */
  get closed(): boolean {
    return this.#attachment.closed;
  }

  /**
   * Aborts when the manager has ended, by whomever: it was shut down, or its owner has ended. Its reason is
   * what the verbs of all that the manager gave throw from then on, a SharedMemoryError `ERR_SHUTDOWN`. It
   * does not abort when this handle is closed and the manager lives on.
   *
   * To ask for it has a thread wait for the end; that does not keep the process alive.
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

  /** A segment; see {@link SharedMemory.open}. */
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
   * The environment variables by which a child takes part, by {@link fromEnv}:
   * `fork(path, { env: { ...process.env, ...manager.env() } })`, `cluster.fork(manager.env())`.
   */
  env(): Record<string, string> {
    return { [variable]: this.name };
  }

  /** A handle to send to another process, which gives it to {@link attach}. */
  toJSON(): ManagerHandle {
    return { shmkit: 'manager', name: this.name };
  }

  /**
   * Ends the manager: unlinks all that was made in it, and the manager, and closes this handle. Whoever has
   * something of it gets `ERR_SHUTDOWN` from each of its verbs, also from those that wait at the moment.
   * Idempotent.
   */
  shutdown(): void {
    if (this.closed) return;
    this.#state.shutDown();
    this.close();
  }

  /** @internal This thread ends. */
  endWithThread(): void {
    if (this.closed) return;
    if (this.#isOwner) this.#state.shutDown(true);
    this.#close(true);
  }

  /**
   * Lets go of the manager: this handle takes part no more. Idempotent.
   *
   * Of a manager that was made by {@link open}, the last who takes part removes all of it by that. Of one
   * that was made by {@link create} nothing is unlinked, now or when this process ends; whoever takes part
   * besides keeps it alive.
   */
  close(): void {
    if (!this.closed) this.#close(false);
  }

  /** For `using`: the owner's is {@link shutdown}, any other {@link close}. */
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
      // Its bytes were overwritten. What is left is found by the next who makes a manager of that name.
    } finally {
      this.#attachment.close();
    }
  }

  #make<K extends ManagedKind>(kind: K, given: unknown, options: unknown): Managed<K> {
    this.#attachment.open();
    if (given !== undefined && typeof given !== 'string') throw noName(given);
    if (given === '') throw this.#attachment.error('EINVAL', 'cannot make what has an empty name');
    if (given?.includes('/'))
      throw this.#attachment.error(
        'EINVAL',
        `cannot make ${JSON.stringify(given)}: it contains '/'`,
      );
    const name = managedName(this.name, given ?? freshName());
    systemName(kind, name);
    const { mode } = this.#state;
    const made = this.#state.make(kind, name, (isNoted) => {
      const found = isNoted && options === undefined ? attachIfThere(kind, name) : undefined;
      return found ?? asManager(() => open(kind, name, withMode(options, mode)));
    });
    if (made instanceof SharedMemory) endsWith(made, this.#state);
    if (!native.namesOutliveHandles) this.#keep(kind, name);
    return made as Managed<K>;
  }

  #keep(kind: ManagedKind, name: string): void {
    const note = noteOf(kind, name);
    // Perhaps one that was unlinked since.
    this.#kept.get(note)?.close();
    this.#kept.set(note, classOf(kind).attach(name));
  }
}

/** Options in which the manager's mode is the default. */
function withMode(options: unknown, mode: number): unknown {
  if (mode === defaultMode) return options;
  // What is no object is for the class to refuse.
  if (options !== undefined && (typeof options !== 'object' || options === null)) return options;
  const given = options as { mode?: unknown } | undefined;
  return { ...given, mode: given?.mode === undefined ? mode : given.mode };
}

function attachIfThere(kind: ManagedKind, name: string): unknown {
  try {
    return classOf(kind).attach(name);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    return undefined;
  }
}

function open(kind: ManagedKind, name: string, options: unknown): unknown {
  const type = classOf(kind);
  const opened = type.open(name, options as never);
  if (!movesOn(kind)) return opened;
  // A handle that was opened would make its lock anew when somebody has unlinked it.
  try {
    return type.attach(name);
  } finally {
    opened.close();
  }
}

/** Has a look at a manager without taking part. */
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
