import {
  NamedBarrier,
  NamedCondition,
  NamedEvent,
  NamedLock,
  NamedRLock,
  NamedRWLock,
  NamedSemaphore,
  SharedArray,
  SharedDict,
  SharedList,
  SharedMemory,
  SharedNamespace,
  SharedObject,
  SharedQueue,
  SharedValue,
  type Kind,
} from 'shmkit';
import { prefix } from './contenders';

const classes: Partial<Record<Kind, { unlink(name: string): void }>> = {
  memory: SharedMemory,
  lock: NamedLock,
  rlock: NamedRLock,
  semaphore: NamedSemaphore,
  event: NamedEvent,
  condition: NamedCondition,
  barrier: NamedBarrier,
  rwlock: NamedRWLock,
  value: SharedValue,
  array: SharedArray,
  dict: SharedDict,
  list: SharedList,
  object: SharedObject,
  queue: SharedQueue,
  namespace: SharedNamespace,
};

/** Unlinks what contenders that were killed, or failed, have left behind. */
export function sweep(): void {
  // Where objects cannot be listed, only programs that end by themselves clean up.
  if (process.platform !== 'linux') return;
  for (const { kind, name } of SharedMemory.list()) {
    if (!name.startsWith(`${prefix}-`)) continue;
    try {
      classes[kind]?.unlink(name);
    } catch (error) {
      console.error(error);
    }
  }
}
