// Objects that contain many entries, and code that knows all kinds of objects. See parts.ts.
export { attach, type Attached, type Handle } from './attach';
export { attachAll, type AttachedAll } from './attach-all';
export {
  ShareableList,
  type ShareableListAttachOptions,
  type ShareableListCreateOptions,
  type ShareableListHandle,
  type ShareableListOpenOptions,
  type ShareableValue,
} from './shareable-list/shareable-list';
export {
  SharedNamespace,
  type SharedNamespaceCreateOptions,
  type SharedNamespaceHandle,
  type SharedNamespaceOptions,
} from './dict/shared-namespace';
export type { IterationOptions } from './structure/passed-over';
export type { QueueItem } from './queue/item';
export {
  SharedQueue,
  type ItemsOptions,
  type SharedQueueCreateOptions,
  type SharedQueueHandle,
  type SharedQueueOptions,
} from './queue/shared-queue';
export {
  SharedDict,
  type EntryChangeOptions,
  type GetOrSetOptions,
  type GetOrSetSyncOptions,
  type SharedDictCreateOptions,
  type SharedDictHandle,
  type SharedDictOptions,
  type TtlOptions,
} from './dict/shared-dict';
export {
  SharedList,
  type SharedListCreateOptions,
  type SharedListHandle,
  type SharedListOptions,
} from './list/shared-list';
export {
  SharedObject,
  type SharedObjectAllocateOptions,
  type SharedObjectAttachOptions,
  type SharedObjectCreateOptions,
  type SharedObjectDraft,
  type SharedObjectHandle,
} from './objects/shared-object';
export { shared, sharing, type SharingOptions } from './objects/sharing';
export type { StructureCreateOptions, StructureOptions } from './structure/structure';
export {
  Manager,
  type ManagerCreateOptions,
  type ManagerHandle,
  type ManagerOptions,
} from './manager/manager';
