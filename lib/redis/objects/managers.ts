import type { Ask, Session } from '../lease/session';
import { isManaged } from '../scripts/manager';
import { baseOf } from './names';

/** The keys of a manager: the name's record, the participants, the objects. */
export function keysOfManager(name: string): readonly string[] {
  const base = baseOf('manager', name);
  return [`${base}:n`, `${base}:p`, `${base}:o`];
}

/** The name of the manager that has made the object of that name. */
export const managerNameIn = (name: string): string => name.split('/')[1] ?? '';

/**
 * Whether the manager of that id has not ended.
 *
 * @param how - for how long to ask the server.
 */
export async function isManagerThere(
  session: Session,
  name: string,
  id: string,
  how: Pick<Ask, 'isOver' | 'deadline'> = {},
): Promise<boolean> {
  const { word } = await session.ask({
    ...how,
    script: isManaged,
    keys: keysOfManager(name),
    args: [id],
    repeats: true,
  });
  return word === 'yes';
}
