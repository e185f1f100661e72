// Lists and queues.
export {
  SharedList,
  type SharedListCreateOptions,
  type SharedListHandle,
  type SharedListOptions,
} from '../list/shared-list';
export type { QueueItem } from '../queue/item';
export {
  SharedQueue,
  type ItemsOptions,
  type SharedQueueCreateOptions,
  type SharedQueueHandle,
  type SharedQueueOptions,
} from '../queue/shared-queue';
export {
  ShareableList,
  type ShareableListAttachOptions,
  type ShareableListCreateOptions,
  type ShareableListHandle,
  type ShareableListOpenOptions,
  type ShareableValue,
} from '../shareable-list/shareable-list';
