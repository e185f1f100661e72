/// <reference lib="esnext.disposable" preserve="true" />
export type * as contract from './contract/index';
export * from './shm/basics';
export * from './shm/structures';

declare global {
  /** So that there is one where neither the DOM's types nor Node's are; where they are, it is theirs. */
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type
  interface AbortSignal {}
}
