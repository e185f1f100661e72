import { randomBytes } from 'node:crypto';
import type * as contract from '../../contract/index';
import { SharedMemoryError } from '../../common/errors';
import { sharedBrand } from '../../common/handles';
import { Pending } from '../lease/pending';
import type { Ask, Said, Session } from '../lease/session';
import { find, identify, make, makeLock, unlink, unlinkLock } from '../scripts/names';
import { isManagerThere, managerNameIn } from './managers';
import { baseOf, called, checkName, type Kind } from './names';

/** The plain-data form of an object. */
export interface ServedHandle<K extends Kind = Kind> {
  readonly shmkit: K;
  readonly name: string;
  /** Tells it from the objects of one machine. */
  readonly engine: 'redis';
}

/** What there is to know of an object when it was found or made. */
export interface Found {
  readonly session: Session;
  readonly name: string;
  readonly id: string;
  /** What the object was made with. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** The keys that a kind has, by the ends of their names, the record first. */
export interface KindKeys {
  readonly kind: Kind;
  /** Whether the keys belong to the name. Otherwise they belong to the object, and an object that was unlinked keeps them. */
  readonly isOfName: boolean;
  readonly ends: readonly string[];
}

/** The record of a name. */
export const recordOf = (kind: Kind, name: string): string => `${baseOf(kind, name)}:n`;

export function keysOf({ kind, isOfName, ends }: KindKeys, name: string, id: string): string[] {
  const base = baseOf(kind, name);
  if (isOfName) return [recordOf(kind, name), ...ends.map((end) => `${base}:${end}`)];
  return ends.map((end) => `${base}:${id}:${end}`);
}

const refused = {
  gone: ['ENOENT', 'no longer exists'],
  absent: ['ENOENT', 'does not exist'],
  exists: ['EEXIST', 'exists already'],
  ended: ['ERR_SHUTDOWN', 'has ended: its manager was shut down'],
  abi: ['ERR_ABI_MISMATCH', 'was made by another version of shmkit'],
} as const;

export function refusal(word: keyof typeof refused, kind: Kind, name: string): SharedMemoryError {
  const [code, what] = refused[word];
  return new SharedMemoryError(code, `${called(kind, name)} ${what}`, { resource: name });
}

/** A new name: 64 random bits. */
export const freshName = (): string => `shm_${randomBytes(8).toString('hex')}`;

/** Where an object has the id of the manager that made it, among its options. */
const managerOption = 'manager';

/** The id of the manager that made an object, if one did. */
export const managerOf = ({ options }: Found): unknown => options[managerOption];

/** The contents of an object that a manager makes. */
export function managedBy(id: string, { options, fields }: Contents): Contents {
  return { options: { ...options, [managerOption]: id }, fields };
}

/** How a new object begins: the options that are kept with it, and the fields of its record. */
export interface Contents {
  readonly options: Readonly<Record<string, unknown>>;
  readonly fields: readonly (string | Buffer)[];
}

/** Finds an object. @throws SharedMemoryError `ENOENT`, `ERR_SHUTDOWN`, `ERR_ABI_MISMATCH`. */
export async function attachTo(session: Session, keys: KindKeys, name: string): Promise<Found> {
  checkName(keys.kind, name);
  const found = await look(session, keys, name);
  if (found === undefined) throw refusal('absent', keys.kind, name);
  return found;
}

/** Makes an object. @throws SharedMemoryError `EEXIST`, `ENOSPC`, and as {@link attachTo}. */
export async function create(
  session: Session,
  keys: KindKeys,
  name: string,
  contents: Contents,
): Promise<Found> {
  checkName(keys.kind, name);
  const { found, isNew } = await makeNew(session, keys, name, contents);
  if (!isNew) throw refusal('exists', keys.kind, name);
  return found;
}

/** Finds an object, or makes it. @throws SharedMemoryError as {@link create}, except `EEXIST`. */
export async function open(
  session: Session,
  keys: KindKeys,
  name: string,
  contents: Contents,
): Promise<Found> {
  checkName(keys.kind, name);
  // An existing object can be opened also where the server has no memory left.
  return (await look(session, keys, name)) ?? (await makeNew(session, keys, name, contents)).found;
}

/** As {@link open}. Without contents, an object that does not exist is not made. */
export async function openManaged(
  session: Session,
  keys: KindKeys,
  name: string,
  contents: Contents | undefined,
): Promise<Found | undefined> {
  if (contents !== undefined) return open(session, keys, name, contents);
  checkName(keys.kind, name);
  return look(session, keys, name);
}

async function look(session: Session, { kind }: KindKeys, name: string) {
  const said = await session.ask({
    script: find,
    keys: [recordOf(kind, name)],
    args: [],
    repeats: true,
  });
  return said.word === 'absent' ? undefined : foundBy(session, kind, name, said);
}

async function makeNew(session: Session, keys: KindKeys, name: string, contents: Contents) {
  const { kind } = keys;
  const id = randomBytes(8).toString('hex');
  const { options, fields } = contents;
  if (name.startsWith('/') && options[managerOption] === undefined) {
    const what = `${JSON.stringify(name)} cannot be the name of a new object`;
    const why = "it contains '/'; only the methods of a manager create objects with such names";
    throw new SharedMemoryError('EINVAL', `${what}: ${why}`, { resource: name });
  }
  const own = keysOf(keys, name, id);
  const said = await session.ask({
    script: keys.isOfName ? makeLock : make,
    keys: keys.isOfName ? own : [recordOf(kind, name), ...own.slice(0, 1)],
    args: [id, JSON.stringify(options), ...fields],
    repeats: true,
  });
  return { found: foundBy(session, kind, name, said), isNew: said.word === 'made' };
}

function foundBy(session: Session, kind: Kind, name: string, { word, rest }: Said): Found {
  if (word === 'ended' || word === 'abi') throw refusal(word, kind, name);
  const [id, options] = rest.map(String);
  try {
    const parsed: unknown = JSON.parse(options ?? '');
    if (id !== undefined && typeof parsed === 'object' && parsed !== null) {
      return { session, name, id, options: parsed as Readonly<Record<string, unknown>> };
    }
  } catch {
    // Told below.
  }
  const what = `${called(kind, name)} has an invalid record; another program has written to it`;
  throw new SharedMemoryError('ERR_CORRUPT', what, { resource: name });
}

/** Removes a name, also of an object that cannot be used. @throws SharedMemoryError `ENOENT`. */
export async function unlinkName(session: Session, keys: KindKeys, name: string): Promise<void> {
  const { kind } = keys;
  checkName(kind, name);
  const { word, rest } = await session.ask({
    script: identify,
    keys: [recordOf(kind, name)],
    args: [],
    repeats: true,
  });
  if (word === 'absent') throw refusal(word, kind, name);
  await unlinkFound(session, keys, name, String(rest[0]));
}

async function unlinkFound(session: Session, keys: KindKeys, name: string, id: string) {
  const { kind, isOfName } = keys;
  const own = keysOf(keys, name, id);
  const { word, isRepeated } = await session.ask({
    script: isOfName ? unlinkLock : unlink,
    keys: isOfName ? own : [recordOf(kind, name), ...own],
    args: [id, String(session.options.lingerMs)],
    repeats: true,
  });
  // A repeated request does not find what it has removed before its answer was lost.
  if (word === 'absent' && !isRepeated) throw refusal('absent', kind, name);
}

/** A use of an object by one process. */
export abstract class ServedObject<K extends Kind> implements contract.Named, AsyncDisposable {
  declare readonly shmkit: K;
  declare readonly name: string;
  declare readonly engine: 'redis';
  // What is not part of the plain-data form is not to be copied with it, so these are not fields.
  /** @internal */
  declare readonly session: Session;
  /** @internal The object's keys, the record first. */
  declare readonly allKeys: readonly string[];
  /** @internal */
  declare readonly pending: Pending;
  /** @internal The id of the manager that has made the object, if one did. */
  declare readonly manager: unknown;
  readonly #kindKeys: KindKeys;
  readonly #id: string;
  #isClosed = false;
  /** Set when the manager that gave this handle has ended. */
  #hasEnded = false;

  protected constructor(kindKeys: KindKeys, found: Found) {
    const { session, name, id } = found;
    const handle = { shmkit: kindKeys.kind, name, engine: 'redis' };
    for (const [key, value] of Object.entries(handle)) {
      Object.defineProperty(this, key, { value, enumerable: true });
    }
    const hidden = {
      session,
      allKeys: keysOf(kindKeys, name, id),
      pending: new Pending(),
      manager: managerOf(found),
    };
    for (const [key, value] of Object.entries(hidden)) {
      Object.defineProperty(this, key, { value, enumerable: false });
    }
    this.#kindKeys = kindKeys;
    this.#id = id;
  }

  /** Whether this handle was closed. */
  get closed(): boolean {
    return this.#isClosed || this.session.closed;
  }

  /**
   * Ends this handle's use of the object. Waits by it fail with `ERR_CLOSED`. Idempotent.
   *
   * @throws SharedMemoryError `EBUSY` something is held through the handle.
   */
  // eslint-disable-next-line @typescript-eslint/require-await -- what it throws is a rejection
  async close(): Promise<void> {
    if (this.#isClosed) return;
    // What is held of an object that has ended is worth nothing.
    if (!this.#hasEnded) this.letGo();
    this.#isClosed = true;
    this.pending.giveUp(this.closedError());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Removes the name. Those who have attached keep the object as long as they use it.
   *
   * @throws SharedMemoryError `ENOENT` the object no longer exists.
   */
  async unlink(): Promise<void> {
    this.checkOpen();
    await unlinkFound(this.session, this.#kindKeys, this.name, this.#id);
  }

  /** The plain-data form. */
  toJSON(): ServedHandle<K> {
    return { shmkit: this.shmkit, name: this.name, engine: 'redis' };
  }

  /** @internal Throws where something is held through the handle. */
  protected letGo(): void {
    // Most objects hold nothing.
  }

  /** @internal */
  checkOpen(): void {
    if (this.closed) throw this.closedError();
    if (this.#hasEnded) throw refusal('ended', this.shmkit, this.name);
  }

  /** @internal The manager that gave this handle has ended: what waits fails, and so does what is asked for later. */
  end(): void {
    if (this.#isClosed || this.#hasEnded) return;
    this.#hasEnded = true;
    this.pending.giveUp(refusal('ended', this.shmkit, this.name));
  }

  /** @internal */
  closedError(): SharedMemoryError {
    return this.error('ERR_CLOSED', 'was closed');
  }

  /** @internal */
  error(code: string, what: string): SharedMemoryError {
    const { shmkit, name } = this;
    return new SharedMemoryError(code, `${called(shmkit, name)} ${what}`, { resource: name });
  }

  /** @internal Runs a script, and throws for what any object may answer. */
  async ask(ask: Omit<Ask, 'keys'> & { readonly keys?: readonly string[] }): Promise<Said> {
    this.checkOpen();
    const said = await this.#named(this.session.ask({ keys: this.allKeys, ...ask }));
    const { word } = said;
    if (word === 'gone' && this.manager !== undefined) await this.#named(this.#checkManager(ask));
    if (word === 'gone' || word === 'ended' || word === 'abi') {
      throw refusal(word, this.shmkit, this.name);
    }
    return said;
  }

  /**
   * An object whose record is not there any more was unlinked, or its manager has ended longer ago than records stay, or
   * the server has lost both. The manager may not have been told yet.
   *
   * @throws SharedMemoryError `ERR_SHUTDOWN` the manager has ended.
   */
  async #checkManager(how: Pick<Ask, 'isOver' | 'deadline'>): Promise<void> {
    const { session, name, manager } = this;
    if (await isManagerThere(session, managerNameIn(name), String(manager), how)) return;
    this.end();
    throw refusal('ended', this.shmkit, name);
  }

  /** An error of the server does not say which object it is about. */
  #named<T>(asked: Promise<T>): Promise<T> {
    return asked.catch((error: unknown) => {
      if ((error as Error | undefined)?.name !== 'SharedMemoryError') throw error;
      const { code, message, cause, resource } = error as SharedMemoryError;
      if (resource !== undefined) throw error;
      const what = `${called(this.shmkit, this.name)}: ${message}`;
      throw new SharedMemoryError(code, what, { resource: this.name, cause: cause ?? error });
    });
  }
}

// Values recognize an object by this, whatever copy of the library it is of.
Object.defineProperty(ServedObject.prototype, sharedBrand, { value: true });
