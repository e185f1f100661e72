import { outOfRange } from '../../common/errors';
import type { AnyHandle } from '../../common/handles';
import type { Session } from '../lease/session';
import { NamedEvent } from './named-event';
import { NamedLock } from './named-lock';
import { NamedRLock } from './named-rlock';
import { NamedRWLock } from './named-rw-lock';
import { NamedSemaphore } from './named-semaphore';
import { SharedDict } from './shared-dict';
import { SharedValue } from './shared-value';
import { tellAttaching } from './stored';

/** The classes, by the names that their kinds have in plain data. */
export const classes = {
  lock: NamedLock,
  rlock: NamedRLock,
  rwlock: NamedRWLock,
  semaphore: NamedSemaphore,
  event: NamedEvent,
  value: SharedValue,
  dict: SharedDict,
} as const;

export type ServedKind = keyof typeof classes;

interface Attachable {
  attach(session: Session, name: string): Promise<object>;
}

/** Attaches to the object that plain data describe. */
export async function attach(session: Session, handle: AnyHandle): Promise<object> {
  const { shmkit: kind, name } = handle;
  if (!Object.hasOwn(classes, kind)) {
    throw outOfRange('shmkit', `one of ${Object.keys(classes).join(', ')}`, kind);
  }
  const type: Attachable = classes[kind as ServedKind];
  return type.attach(session, name);
}

tellAttaching(attach);
