import { readdirSync } from 'node:fs';
import { native } from '../core/binding';
import { now } from '../core/clock';
import { prefixOf, spilledName } from '../core/names';
import { SharedMemory } from '../core/shared-memory';
import { hasCode } from '../../common/errors';
import { textOf } from '../../values/handles';
import { apartIn, type Which } from '../structure/states';
import { askOf } from './holds';
import { keeperIdIn } from './kept-names';
import { keeperIn } from './sealed-front';

let isSwept = false;

/** How long a sweep of the memory that has found nothing is good for objects that can be elsewhere, in milliseconds. */
const restAfterSweep = 1000;

/** When a sweep of the memory has last found nothing. */
let inVainAt = -Infinity;

/** Removes what processes that were killed have left, when this thread first makes an object. */
export function sweepOnce(): void {
  if (isSwept) return;
  isSwept = true;
  removeOrphansInMemory();
}

function removeOrphansInMemory(): number {
  const removed = removeOrphans();
  if (removed === 0) inVainAt = now();
  return removed;
}

/**
 * Whether an error says that there is no memory for an object. If what is missing is address space, or a mapping, it does
 * not help to remove other objects, or to have this one elsewhere.
 */
export const lacksRoom = (error: unknown): boolean =>
  hasCode(error, 'ENOSPC') ||
  hasCode(error, 'EDQUOT') ||
  (hasCode(error, 'ENOMEM') && error.syscall !== 'mmap');

/**
 * Calls a function that makes an object. If there is no room for it, removes orphans and calls it again.
 *
 * @param directory - where the object is a file, unless it is in the usual place.
 */
export function withSweep<T>(make: () => T, directory?: string): T {
  try {
    return make();
  } catch (error) {
    const sweep = () =>
      directory === undefined ? removeOrphansInMemory() : removeOrphans(directory);
    if (!lacksRoom(error) || sweep() === 0) throw error;
  }
  return make();
}

/**
 * The same for an object that can be elsewhere: looking at all objects whenever there is no room would take longer than
 * making one elsewhere.
 */
export function withRareSweep<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!lacksRoom(error) || now() < inVainAt + restAfterSweep) throw error;
    if (removeOrphansInMemory() === 0) throw error;
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
  let removed = 0;
  for (const name of names) {
    if (keeperIdIn(name) !== undefined) continue;
    removed += Number(askOf(name, (holds) => holds.removeIfOrphan()) ?? false);
  }
  return removed + removeKeptOrphans(names);
}

/**
 * Removes the objects of structures to which no record refers.
 *
 * @returns how many objects were removed.
 */
export function removeKeptOrphans(names: readonly string[] = namesInMemory()): number {
  const kept = new Map<string, string[]>();
  for (const name of names) {
    const structure = keeperIdIn(name);
    if (structure === undefined) continue;
    const all = kept.get(structure);
    if (all === undefined) kept.set(structure, [name]);
    else all.push(name);
  }
  let removed = 0;
  for (const all of kept.values()) {
    // Most of them are in use. One of them says where. Each of the others is then asked by itself.
    const [first] = [...keepersOf(all.slice(0, mostAsked)).keys()];
    const used = first === undefined ? undefined : apartIn(whichIn(first), 0);
    if (used !== undefined) removed += removeForgotten(unusedIn(used, all));
  }
  return removed;
}

/** How many objects of a structure are asked where it is, if they give no answer. */
const mostAsked = 4;

/** Removes those objects to which no record of their structures refers (B4 of `OutOfBand`). */
function removeForgotten(suspects: readonly string[]): number {
  // A thread that is about to write the record of an object holds the object, until the record is there.
  const unheld = suspects.filter((name) => askOf(name, (holds) => !holds.isHeld));
  let removed = 0;
  for (const [keeper, names] of keepersOf(unheld)) {
    const used = apartIn(whichIn(keeper), 0);
    if (used === undefined) continue;
    for (const name of unusedIn(used, names)) {
      removed += Number(askOf(name, (holds) => holds.removeIfForgotten()) ?? false);
    }
  }
  return removed;
}

/** The structures that keep objects, as each of these says itself: kind, name and id as JSON. */
function keepersOf(names: readonly string[]): Map<string, string[]> {
  const keepers = new Map<string, string[]>();
  for (const name of names) {
    const keeper = askOf(name, (_, seat) => keeperIn(seat));
    if (keeper === undefined) continue;
    const { shmkit: kind, name: structure } = keeper;
    const key = JSON.stringify({ kind, name: structure, id: keeperIdIn(name) });
    keepers.set(key, [...(keepers.get(key) ?? []), name]);
  }
  return keepers;
}

const whichIn = (text: string) => JSON.parse(text) as Which;

const unusedIn = (used: ReadonlySet<string>, names: readonly string[]): string[] =>
  names.filter((name) => !used.has(textOf({ shmkit: 'object', name })));

function namesInMemory(): string[] {
  if (native.place === undefined) return [];
  try {
    return SharedMemory.list()
      .filter(({ kind }) => kind === 'object')
      .map(({ name }) => name);
  } catch {
    return []; // making the object says what is wrong
  }
}

function namesIn(directory: string): string[] {
  const prefix = prefixOf('object');
  try {
    return readdirSync(directory)
      .filter((file) => file.startsWith(prefix))
      .map((file) => spilledName(directory, file.slice(prefix.length)));
  } catch {
    return []; // as above
  }
}
