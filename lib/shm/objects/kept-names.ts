import type { LockSeat } from '../core/lock-seat';
import { managedName, managerOf, randomDigits } from '../core/names';

/**
 * A new name for an object that a structure keeps. It contains the structure's id. So a sweep knows which objects belong
 * to one structure. The objects of a manager's structure are the manager's.
 */
export function keptName(structure: LockSeat): string {
  const own = `of_${structure.id}_${randomDigits()}`;
  const manager = managerOf(structure.name)?.manager;
  return manager === undefined ? own : managedName(manager, own);
}

/** The id of the structure that keeps the object of that name; undefined if it is another object. */
export function keeperIdIn(name: string): string | undefined {
  const own = managerOf(name)?.own ?? name;
  return /^of_([0-9a-f]{32})_[0-9a-f]{16}$/.exec(own)?.[1];
}
