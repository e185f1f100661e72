import { SharedMemoryError } from '../../common/errors';
import type { Answer } from '../wire/wire';

/** The oldest server whose scripts can say by flags what they need. */
const leastMajorVersion = 7;

/** Throws unless the server is one that objects are safe on. The message says what to do. */
export async function checkServer(
  command: (...args: string[]) => Promise<Answer>,
  allowEviction: boolean,
): Promise<void> {
  const info = new Map<string, string>();
  for (const section of ['server', 'replication', 'memory']) {
    const text = String(await command('INFO', section));
    for (const line of text.split('\r\n')) {
      const at = line.indexOf(':');
      if (at > 0) info.set(line.slice(0, at), line.slice(at + 1));
    }
  }
  const refuse = (why: string): never => {
    throw new SharedMemoryError('ENOTSUP', `this server cannot be used: ${why}`);
  };
  const version = info.get('redis_version') ?? '0';
  if (Number.parseInt(version) < leastMajorVersion) {
    refuse(
      `it is version ${version}; Redis ${leastMajorVersion}.0 or Valkey 7.2, or later, is needed`,
    );
  }
  if (info.get('role') === 'slave') {
    refuse('it is a replica, and takes no changes; connect to its master');
  }
  const policy = info.get('maxmemory_policy') ?? 'noeviction';
  // Keys of objects that were unlinked have a time to live, so they are not safe from volatile policies, either.
  if (policy !== 'noeviction' && !allowEviction) {
    refuse(
      `its maxmemory-policy is ${policy}, so it may remove locks and entries by itself; ` +
        'set it to noeviction, or pass allowEviction: true',
    );
  }
}
