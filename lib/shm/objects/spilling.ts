import { resolve } from 'node:path';
import { native } from '../core/binding';
import { spilledName } from '../core/names';
import { invalidType } from '../../common/errors';
import { lacksRoom, removeOrphans, withRareSweep, withSweep } from './orphans';

/** The directories in which this thread has removed what processes that were killed have left. */
const swept = new Set<string>();

/** Checks the option `spill`. */
export function checkSpill(given: unknown): string | undefined {
  if (given === undefined) return undefined;
  if (typeof given !== 'string' || given === '') {
    throw invalidType('options.spill', 'the path of a directory', given);
  }
  return resolve(given);
}

/** The name of an object in that directory, or in the usual place. */
export function nameIn(directory: string | undefined, own: string): string {
  return directory === undefined ? own : spilledName(directory, own);
}

/**
 * Calls a function that makes an object in memory. If there is no room for it, calls it with the directory for what
 * has no room in memory.
 *
 * @throws what the last call throws. The cause is what the first one threw.
 */
export function withSpill<T>(
  directory: string | undefined,
  make: (directory: string | undefined) => T,
): T {
  // On other systems, objects are no files. Windows itself writes them to the disk.
  if (directory === undefined || native.place === undefined)
    return withSweep(() => make(undefined));
  let reason: unknown;
  try {
    return withRareSweep(() => make(undefined));
  } catch (error) {
    if (!lacksRoom(error)) throw error;
    reason = error;
  }
  if (!swept.has(directory)) {
    swept.add(directory);
    removeOrphans(directory);
  }
  try {
    return withSweep(() => make(directory), directory);
  } catch (error) {
    if (error instanceof Error) error.cause ??= reason;
    throw error;
  }
}
