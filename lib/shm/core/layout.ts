import { layoutVersion } from '../../loading/layout-version';
import type { Kind } from './names';

/**
 * The offsets in the header of a shared object. This is the only place for them in TypeScript. The native
 * counterpart is native/core/layout.h, and a test checks that the two agree. docs/memory-layout.md explains
 * the fields.
 */
export const layout = {
  /** "SHMK" in memory. */
  magic: 0x4b4d4853,
  version: layoutVersion,
  headerBytes: 256,
  /** The offset of the data is a multiple of this. */
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

/** The kinds of objects that have a header. */
export type ObjectKind = Exclude<Kind, 'memory'>;

/** The numbers that stand for the kinds in headers. */
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
  object: 15,
};

/** The kinds whose objects are only address space at first. They get memory as they grow. */
export const growingKinds: ReadonlySet<ObjectKind> = new Set([
  'dict',
  'list',
  'queue',
  'namespace',
  'manager',
]);

/**
 * The kinds whose objects are sealed: their data never change, and what a process writes into its view of them
 * stays private to that process.
 */
export const sealedKinds: ReadonlySet<Kind> = new Set<Kind>(['object']);

/** Rounds bytes up to an offset at which the data may begin. */
export function aligned(bytes: number): number {
  const { dataAlignment } = layout;
  return Math.ceil(bytes / dataAlignment) * dataAlignment;
}
