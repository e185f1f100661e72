/**
 * Where things are in the header of a shared object: the one place on this side. The native side's
 * is native/core/layout.h; a test holds the two together. docs/memory-layout.md explains them.
 */
export const layout = {
  /** "SHMK" in memory. */
  magic: 0x4b4d4853,
  version: 1,
  lockKind: 1,
  lockBytes: 256,

  magicAt: 0,
  versionAt: 4,
  kindAt: 6,
  abiAt: 8,
  sizeAt: 12,
  idAt: 16,
  stateAt: 64,
  newsAt: 68,
  mutexAt: 72,
} as const;
