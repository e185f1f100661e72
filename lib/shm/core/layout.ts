import { layoutVersion } from '../../loading/layout-version';
import type { Kind } from './names';

/**
 * Where things are in the header of a shared object: the one place on this side. The native side's
 * is native/core/layout.h; a test holds the two together. docs/memory-layout.md explains them.
 */
export const layout = {
  /** "SHMK" in memory. */
  magic: 0x4b4d4853,
  version: layoutVersion,
  headerBytes: 256,
  /** What the offset of the data is a multiple of. */
  dataAlignment: 64,

  magicAt: 0,
  versionAt: 4,
  kindAt: 6,
  abiAt: 8,
  dataAtAt: 12,
  idAt: 16,
  sizeAt: 32,
  typeAt: 40,
  lengthAt: 48,
  stateAt: 64,
  newsAt: 68,
  mutexAt: 72,
  endedAt: 136,
} as const;

/** The kinds of object that have a header. */
export type ObjectKind = Exclude<Kind, 'memory'>;

/** By which number the header says of which kind an object is. */
export const kindNumbers: Record<ObjectKind, number> = {
  lock: 1,
  value: 2,
  array: 3,
  rlock: 4,
  semaphore: 5,
  event: 6,
  condition: 7,
  barrier: 8,
  rwlock: 9,
  dict: 10,
  list: 11,
  queue: 12,
  namespace: 13,
  manager: 14,
};

/** The kinds of which an object is address space at first, that memory is given to as it grows. */
export const growingKinds: ReadonlySet<ObjectKind> = new Set([
  'dict',
  'list',
  'queue',
  'namespace',
  'manager',
]);

/** Bytes, rounded up to where the data may begin. */
export function aligned(bytes: number): number {
  const { dataAlignment } = layout;
  return Math.ceil(bytes / dataAlignment) * dataAlignment;
}
