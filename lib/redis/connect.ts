import { invalidType, outOfRange } from '../common/errors';
import { checkBoolean, checkInteger, checkOptions } from '../common/options';
import { Session, type SessionOptions } from './lease/session';
import { Manager } from './manager';
import { checkName } from './objects/names';

/** How a process uses a server. */
export interface ConnectOptions {
  /**
   * How long what is held stays held after its holder has fallen silent, in milliseconds. So long it takes until others
   * notice a death. Default 10,000.
   */
  readonly lease?: number | undefined;
  /**
   * Where leases are renewed. By default in a thread of the library, so that a holder whose event loop is blocked keeps
   * what it holds. `'event-loop'` does without the thread.
   */
  readonly renew?: 'thread' | 'event-loop' | undefined;
  /** Accepts a server whose `maxmemory-policy` lets it remove keys by itself. Default false. */
  readonly allowEviction?: boolean | undefined;
  /**
   * For how long an object that was unlinked stays for those who have attached but do not use it, in milliseconds.
   * Default one hour.
   */
  readonly linger?: number | undefined;
  /** How long the server may take to answer before the connection is given up, in milliseconds. Default 3000. */
  readonly patience?: number | undefined;
  /**
   * How long a call that waits for nothing but the server tries to reach it, in milliseconds, before it fails with
   * `ERR_UNAVAILABLE`. Default 10,000.
   */
  readonly unavailableAfter?: number | undefined;
  /**
   * Options of the TLS connection of a `rediss:` URL, as `tls.connect()` has them: `ca`, `cert`, `key`. What is no plain
   * data, such as a function, needs `renew: 'event-loop'`.
   */
  readonly tls?: Readonly<Record<string, unknown>> | undefined;
}

const leastLeaseMs = 500;
const mostMs = 2 ** 31;

/**
 * Begins to use a server, of Redis 7.0 or Valkey 7.2 or later.
 *
 * @param url - `redis://user:password@host:port/database`, or with `rediss:` for TLS.
 * @throws SharedMemoryError `ERR_UNAVAILABLE` it cannot be reached; `EACCES` it denies access; `ENOTSUP` objects would
 * not be safe on it: the message says why, and what to do.
 */
export async function openSession(url: string, options: ConnectOptions = {}): Promise<Session> {
  return Session.open(settingsOf(url, options));
}

/** How a process takes part in a manager. */
export interface ManagerConnectOptions extends ConnectOptions {
  /** The name of the manager. */
  readonly name: string;
}

/**
 * Takes part in a manager on a server, or makes it. The connection ends with the handle that is returned.
 *
 * @throws as {@link openSession}
 */
export async function connect(url: string, options: ManagerConnectOptions): Promise<Manager> {
  checkOptions(options, ['name', ...connectOptionNames], { name: 'site' });
  const { name, ...rest } = options;
  checkName('manager', name);
  return Manager.connect(await openSession(url, rest), name);
}

const connectOptionNames: readonly string[] = [
  'lease',
  'renew',
  'allowEviction',
  'linger',
  'patience',
  'unavailableAfter',
  'tls',
];

function settingsOf(url: string, options: ConnectOptions): SessionOptions {
  if (typeof url !== 'string') throw invalidType('url', 'a string', url);
  if (!/^rediss?:\/\//.test(url)) throw outOfRange('url', 'a redis: or rediss: URL', url);
  checkOptions(options, connectOptionNames);
  const { lease = 10_000, renew = 'thread', linger = 3_600_000 } = options;
  const { patience = 3000, unavailableAfter = 10_000, tls } = options;
  if (!['thread', 'event-loop'].includes(renew)) {
    throw outOfRange('renew', "'thread' or 'event-loop'", renew);
  }
  if (renew === 'thread') checkForThread(tls);
  return {
    url,
    tls,
    leaseMs: checkInteger('lease', lease, leastLeaseMs, mostMs, 'milliseconds'),
    renew,
    allowEviction: checkBoolean('allowEviction', options.allowEviction),
    lingerMs: checkInteger('linger', linger, 1, mostMs, 'milliseconds'),
    patienceMs: checkInteger('patience', patience, 1, mostMs, 'milliseconds'),
    serveMs: checkInteger('unavailableAfter', unavailableAfter, 0, mostMs, 'milliseconds'),
  };
}

/** The thread that renews leases has a connection of its own, and so needs all that this takes. */
function checkForThread(tls: unknown): void {
  try {
    structuredClone(tls);
  } catch (cause) {
    const what = "plain data, which a thread can be given, or else renew: 'event-loop' as well";
    throw Object.assign(invalidType('tls', what, tls), { cause });
  }
}
