import { NamedLock, SharedMemory } from 'shmkit';
import { prefix } from './contenders';

/** Unlinks whatever contenders have left behind: those that were killed, or failed. */
export function sweep(): void {
  // Where objects can't be listed, programs that end by themselves clear up all the same.
  if (process.platform !== 'linux') return;
  for (const { kind, name } of SharedMemory.list()) {
    if (!name.startsWith(`${prefix}-`)) continue;
    try {
      if (kind === 'lock') NamedLock.unlink(name);
      else SharedMemory.unlink(name);
    } catch (error) {
      console.error(error);
    }
  }
}
