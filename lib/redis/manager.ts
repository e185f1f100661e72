import { randomBytes } from 'node:crypto';
import type { ElementType } from '../common/element-types';
import { SharedMemoryError, invalidType } from '../common/errors';
import type { Hold } from './lease/hold';
import type { Said, Session } from './lease/session';
import { classes, type ServedKind } from './objects/attach';
import { isManagerThere, keysOfManager } from './objects/managers';
import { called, checkName, type Kind } from './objects/names';
import { NamedEvent } from './objects/named-event';
import { NamedLock } from './objects/named-lock';
import { NamedRLock } from './objects/named-rlock';
import { NamedRWLock } from './objects/named-rw-lock';
import { NamedSemaphore, type NamedSemaphoreOptions } from './objects/named-semaphore';
import { SharedDict, type SharedDictOptions } from './objects/shared-dict';
import { SharedValue, type SharedValueOptions } from './objects/shared-value';
import {
  attachTo,
  freshName,
  keysOf,
  managerOf,
  recordOf,
  refusal,
  unlinkName,
  type KindKeys,
  type ServedObject,
} from './objects/served-object';
import {
  endLock,
  endObject,
  forgetObject,
  joinManager,
  leaveManager,
  noteObject,
} from './scripts/manager';
import { delay } from './wire/clock';
import { isCoded } from './wire/failures';
import type { Answer } from './wire/wire';

/** How a process begins to take part in a manager. */
export type JoinMode = 'create' | 'open' | 'attach';

/** Rounds of a race between those who remove what is left of a manager and those who make a new one. */
const mostRounds = 100;

/** When a look at the manager that has failed is made again. */
const lookAgainMs = 500;

interface Joined {
  readonly id: string;
  readonly token: string;
  readonly number: number;
  readonly said: Said;
}

/**
 * A group of objects that have one lifetime, for processes of any machine. A manager that was created belongs to its
 * creator, and ends with it. One that was opened belongs to all who take part, and ends with the last of them. Taking
 * part is held by a lease: a manager whose participants were all killed is dead when the last lease has ended, and the
 * next one of its name removes what it has left.
 */
export class Manager implements AsyncDisposable {
  declare readonly shmkit: 'manager';
  declare readonly name: string;
  declare readonly engine: 'redis';
  readonly #session: Session;
  readonly #id: string;
  readonly #token: string;
  readonly #number: number;
  readonly #ended = new AbortController();
  readonly #made = new Set<WeakRef<ServedObject<Kind>>>();
  #hold: Hold;
  #isClosed = false;
  /** The last request to leave. */
  #leaving: Promise<void> | undefined;
  /** Whether there is nothing more to be done. */
  #hasLeft = false;
  /** Whether the session ends with this handle. */
  #isSessionOurs = false;
  #isLooking = false;
  /** Whether there is a reason to look. */
  #isNews = false;

  private constructor(session: Session, name: string, { id, token, number, said }: Joined) {
    for (const [key, value] of Object.entries({ shmkit: 'manager', name, engine: 'redis' })) {
      Object.defineProperty(this, key, { value, enumerable: true });
    }
    this.#session = session;
    this.#id = id;
    this.#token = token;
    this.#number = number;
    this.#hold = this.#begin(said);
    session.listen(number, () => void this.#look());
  }

  /**
   * @throws SharedMemoryError `EEXIST` a manager of that name is alive.
   */
  static create(session: Session, { name = freshName() }: { name?: string } = {}) {
    return Manager.#join(session, name, 'create');
  }

  static open(session: Session, name: string): Promise<Manager> {
    return Manager.#join(session, name, 'open');
  }

  /** @throws SharedMemoryError `ENOENT` it does not exist, or is dead. */
  static attach(session: Session, name: string): Promise<Manager> {
    return Manager.#join(session, name, 'attach');
  }

  /** @internal Takes part by a session that ends with the handle. */
  static async connect(session: Session, name: string): Promise<Manager> {
    try {
      const manager = await Manager.open(session, name);
      manager.#isSessionOurs = true;
      return manager;
    } catch (error) {
      session.close();
      throw error;
    }
  }

  static async #join(session: Session, name: string, mode: JoinMode): Promise<Manager> {
    checkName('manager', name);
    const { token, number } = session.token();
    const id = randomBytes(8).toString('hex');
    const { leaseMs } = session.options;
    for (let round = 0; round < mostRounds; round++) {
      const said = await session.ask({
        script: joinManager,
        keys: keysOfManager(name),
        args: [mode, id, '{}', mode === 'create' ? '1' : '0', token, String(leaseMs)],
        repeats: true,
      });
      const { word, rest } = said;
      if (word === 'exists' || word === 'absent' || word === 'abi') {
        throw refusal(word, 'manager', name);
      }
      if (word !== 'dead') {
        return new Manager(session, name, { id: String(rest[0]), token, number, said });
      }
      await endAll(session, name, rest[0]);
    }
    throw racing(name);
  }

  /** Whether this handle was closed. */
  get closed(): boolean {
    return this.#isClosed || this.#session.closed;
  }

  /** Aborts when the manager has ended, in any way. The reason is a SharedMemoryError `ERR_SHUTDOWN`. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** A lock of this manager. @throws SharedMemoryError `ERR_SHUTDOWN`, `ERR_CLOSED`; so do the methods below. */
  lock(name?: string): Promise<NamedLock> {
    return this.#make('lock', name, (full) => NamedLock.openManaged(this.#session, full, this.#id));
  }

  rlock(name?: string): Promise<NamedRLock> {
    return this.#make('rlock', name, (full) =>
      NamedRLock.openManaged(this.#session, full, this.#id),
    );
  }

  rwlock(name?: string): Promise<NamedRWLock> {
    return this.#make('rwlock', name, (full) =>
      NamedRWLock.openManaged(this.#session, full, this.#id),
    );
  }

  event(name?: string): Promise<NamedEvent> {
    return this.#make('event', name, (full) =>
      NamedEvent.openManaged(this.#session, full, this.#id),
    );
  }

  semaphore(name?: string, options?: NamedSemaphoreOptions): Promise<NamedSemaphore> {
    return this.#make('semaphore', name, (full) =>
      NamedSemaphore.openManaged(this.#session, full, this.#id, options),
    );
  }

  value<T extends ElementType>(
    name?: string,
    options?: SharedValueOptions<T>,
  ): Promise<SharedValue<T>> {
    return this.#make('value', name, (full) =>
      SharedValue.openManaged<T>(this.#session, full, this.#id, options),
    );
  }

  dict<V = unknown>(name?: string, options?: SharedDictOptions): Promise<SharedDict<V>> {
    return this.#make('dict', name, (full) =>
      SharedDict.openManaged<V>(this.#session, full, this.#id, options),
    );
  }

  /**
   * Ends the manager and all objects that it made, for every process. Idempotent.
   *
   * @throws SharedMemoryError `ERR_UNAVAILABLE` or another: it may not have ended. This handle is closed, and can be asked
   * again.
   */
  shutdown(): Promise<void> {
    return this.#leave('shutdown');
  }

  /**
   * Ends the use of the manager through this handle. The objects stay, unless this was the manager's creator or the last
   * who took part.
   *
   * @throws SharedMemoryError `ERR_UNAVAILABLE` or another: the server was not told, and finds out when the lease of this
   * part has ended.
   */
  close(): Promise<void> {
    return this.#leave('leave');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The plain-data form. */
  toJSON() {
    return { shmkit: this.shmkit, name: this.name, engine: this.engine };
  }

  /** What was asked for before is awaited first. It may have failed. */
  #leave(how: 'shutdown' | 'leave'): Promise<void> {
    this.#isClosed = true;
    const before = this.#leaving;
    const leaving = (async () => {
      await before?.catch(() => undefined);
      if (!this.#hasLeft) await this.#tellLeaving(how);
    })();
    this.#leaving = leaving;
    return leaving;
  }

  async #tellLeaving(how: 'shutdown' | 'leave'): Promise<void> {
    const session = this.#session;
    try {
      const { word, rest } = await session.ask({
        script: leaveManager,
        keys: keysOfManager(this.name),
        args: [this.#id, this.#token, how],
        repeats: true,
      });
      if (word !== 'left') {
        this.#end();
        await endAll(session, this.name, rest[0]);
      }
      this.#hasLeft = true;
    } finally {
      // Whatever the server says, this process takes no part any more.
      session.forget(this.#number);
      this.#hold.onLost = undefined;
      this.#hold.end();
      // A shutdown that has failed can be asked for again.
      if (this.#isSessionOurs && (this.#hasLeft || how === 'leave')) {
        this.#hasLeft = true;
        session.close();
      }
    }
  }

  async #make<K extends ServedKind, T extends ServedObject<K>>(
    kind: K,
    own: string | undefined,
    open: (full: string) => Promise<T>,
  ): Promise<T> {
    if (own !== undefined && typeof own !== 'string') throw invalidType('name', 'a string', own);
    this.#checkOpen();
    const full = `/${this.name}/${own ?? freshName()}`;
    checkName(kind, full);
    const session = this.#session;
    const keys = keysOfManager(this.name);
    const note = `${this.#id} ${kind} ${full}`;
    const noted = await session.ask({
      script: noteObject,
      keys,
      args: [this.#id, note],
      repeats: true,
    });
    if (noted.word === 'over') {
      this.#end();
      throw this.#endedError();
    }
    let object: T;
    try {
      object = await open(full);
      // The manager of that name before this one has ended, and what it has made is removed by whoever comes by.
      for (let round = 0; object.manager !== this.#id; round++) {
        await this.#checkManaged(note);
        if (round === mostRounds) throw racing(this.name);
        await endOne(session, classes[kind].kindKeys, String(object.manager), full);
        object = await open(full);
      }
    } catch (error) {
      // What was not made need not be removed. What exists stays noted, because it was made before.
      await attachTo(session, classes[kind].kindKeys, full).catch(() => {
        session.tell({ script: forgetObject, keys, args: [note] });
      });
      throw error;
    }
    this.#made.add(new WeakRef<ServedObject<Kind>>(object));
    // It may have ended after the object was noted, and before it was made.
    await this.#checkManaged(note);
    return object;
  }

  /** Ends what was noted, and throws, where the manager has ended. */
  async #checkManaged(note: string): Promise<void> {
    const session = this.#session;
    if (await isManagerThere(session, this.name, this.#id)) return;
    await endAll(session, this.name, [Buffer.from(note)]);
    this.#end();
    throw this.#endedError();
  }

  #begin(said: Said): Hold {
    const { leaseMs } = this.#session.options;
    const hold = this.#session.leases.begin(
      {
        renewal: 'participant',
        keys: keysOfManager(this.name),
        token: this.#token,
        leaseMs,
        called: `the part in ${called('manager', this.name)}`,
      },
      said,
    );
    hold.onLost = () => void this.#look();
    return hold;
  }

  /**
   * Finds out whether the manager is still there, and takes part in it again where the lease was lost. It goes on until
   * the server has said so: nothing else would look again.
   */
  async #look(): Promise<void> {
    this.#isNews = true;
    if (this.#isLooking) return;
    this.#isLooking = true;
    const isOver = () =>
      this.#isClosed || this.#session.closed || this.#ended.signal.aborted || !this.#isNews;
    while (!isOver()) {
      this.#isNews = false;
      try {
        await this.#lookOnce();
      } catch {
        // The server has refused it for now, or the session was closed.
        this.#isNews = true;
        if (!isOver()) await delay(lookAgainMs);
      }
    }
    this.#isLooking = false;
  }

  async #lookOnce(): Promise<void> {
    const session = this.#session;
    const isOver = () => this.#isClosed || session.closed;
    const { leaseMs } = session.options;
    const said = await session.ask({
      script: joinManager,
      keys: keysOfManager(this.name),
      args: ['attach', '', '', '0', this.#token, String(leaseMs)],
      repeats: true,
      isOver,
    });
    if (isOver()) return;
    if (said.word === 'joined' && String(said.rest[0]) === this.#id) {
      if (!this.#hold.isHeld) this.#hold = this.#begin(said);
      return;
    }
    this.#end();
    if (said.word === 'dead') await endAll(session, this.name, said.rest[0]);
  }

  #end(): void {
    if (this.#ended.signal.aborted) return;
    this.#session.forget(this.#number);
    this.#hold.onLost = undefined;
    this.#hold.end();
    for (const made of this.#made) made.deref()?.end();
    this.#made.clear();
    this.#ended.abort(this.#endedError());
  }

  #checkOpen(): void {
    if (this.#ended.signal.aborted) throw this.#endedError();
    if (!this.closed) return;
    const what = `${called('manager', this.name)} was closed`;
    throw new SharedMemoryError('ERR_CLOSED', what, { resource: this.name });
  }

  #endedError(): SharedMemoryError {
    const what = `${called('manager', this.name)} has ended`;
    return new SharedMemoryError('ERR_SHUTDOWN', what, { resource: this.name });
  }
}

function racing(name: string): SharedMemoryError {
  const what = `${called('manager', name)} was made and ended by others all the time`;
  return new SharedMemoryError('EAGAIN', what, { resource: name });
}

/** Ends the objects of a manager that has ended. Others may do the same at the same time. */
async function endAll(session: Session, name: string, objects: Answer | undefined): Promise<void> {
  for (const each of (objects ?? []) as readonly Answer[]) {
    const note = String(each);
    const [id = '', kind = '', ...rest] = note.split(' ');
    const { kindKeys } = Object.hasOwn(classes, kind)
      ? classes[kind as ServedKind]
      : { kindKeys: undefined };
    if (kindKeys !== undefined) await endOne(session, kindKeys, id, rest.join(' '));
    await session.ask({
      script: forgetObject,
      keys: keysOfManager(name),
      args: [note],
      repeats: true,
    });
  }
}

async function endOne(session: Session, kindKeys: KindKeys, manager: string, name: string) {
  const found = await attachTo(session, kindKeys, name).catch(async (error: unknown) => {
    if (isCoded(error, 'ERR_CORRUPT')) {
      // Nobody can use it. Another who removes it may come first.
      await unlinkName(session, kindKeys, name).catch((failed: unknown) => {
        if (!isCoded(failed, 'ENOENT')) throw failed;
      });
      return undefined;
    }
    // What another version of the library has made stays for that.
    if (isCoded(error, 'ENOENT') || isCoded(error, 'ERR_ABI_MISMATCH')) return undefined;
    throw error;
  });
  // It was not made, or was unlinked; or a new manager of the same name has made another.
  if (found === undefined || managerOf(found) !== manager) return;
  const own = keysOf(kindKeys, name, found.id);
  if (kindKeys.isOfName) {
    await session.ask({ script: endLock, keys: own, args: [found.id], repeats: true });
    return;
  }
  await session.ask({
    script: endObject,
    keys: [...own, recordOf(kindKeys.kind, name)],
    args: [String(session.options.lingerMs), found.id],
    repeats: true,
  });
}
