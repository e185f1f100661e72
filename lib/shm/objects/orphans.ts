import { readdirSync } from 'node:fs';
import { native } from '../core/binding';
import { prefixOf, spilledName } from '../core/names';
import { SharedMemory } from '../core/shared-memory';
import { hasCode } from '../../common/errors';
import { askOf } from './holds';

let isSwept = false;

/** Removes what processes that were killed have left, when this thread first makes an object. */
export function sweepOnce(): void {
  if (isSwept) return;
  isSwept = true;
  removeOrphans();
}

/** Whether an error says that there is no memory for an object. */
export const lacksRoom = (error: unknown): boolean =>
  hasCode(error, 'ENOSPC') || hasCode(error, 'ENOMEM') || hasCode(error, 'EDQUOT');

/**
 * Calls a function that makes an object. If there is no room for it, removes orphans and calls it again.
 *
 * @param directory - where the object is a file, unless it is in the usual place.
 */
export function withSweep<T>(make: () => T, directory?: string): T {
  try {
    return make();
  } catch (error) {
    if (!lacksRoom(error) || removeOrphans(directory) === 0) throw error;
  }
  return make();
}

/**
 * Removes the objects that nobody holds: all their holders were killed. Does nothing on systems that do not list
 * shared objects.
 *
 * @returns how many objects were removed.
 */
export function removeOrphans(directory?: string): number {
  const names = directory === undefined ? namesInMemory() : namesIn(directory);
  return names.filter((name) => askOf(name, (holds) => holds.removeIfOrphan())).length;
}

function namesInMemory(): string[] {
  if (native.place === undefined) return [];
  return SharedMemory.list()
    .filter(({ kind }) => kind === 'object')
    .map(({ name }) => name);
}

function namesIn(directory: string): string[] {
  const prefix = prefixOf('object');
  try {
    return readdirSync(directory)
      .filter((file) => file.startsWith(prefix))
      .map((file) => spilledName(directory, file.slice(prefix.length)));
  } catch {
    return []; // making the object says what is wrong with the directory
  }
}
