import { randomBytes } from 'node:crypto';

/** A name that no other test or run has. */
export function uniqueName(what = 'test'): string {
  return `${what}-${randomBytes(6).toString('hex')}`;
}
