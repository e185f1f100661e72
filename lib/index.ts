/// <reference lib="esnext.disposable" preserve="true" />
export type * as contract from './contract/index';
export * from './shm/parts/core';
export * from './shm/parts/sync';
export * from './shm/parts/values';
export * from './shm/parts/dict';
export * from './shm/parts/lists';
export * from './shm/parts/objects';

declare global {
  /** For programs that have neither the DOM's nor Node's types. Where those exist, this merges with them. */
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type
  interface AbortSignal {}
}
