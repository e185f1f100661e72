// Values of any size by handle, and managers.
export {
  SharedObject,
  type SharedObjectAllocateOptions,
  type SharedObjectAttachOptions,
  type SharedObjectCreateOptions,
  type SharedObjectDraft,
  type SharedObjectHandle,
} from '../objects/shared-object';
export { shared, sharing, type SharingOptions } from '../objects/sharing';
export {
  Manager,
  type ManagerCreateOptions,
  type ManagerHandle,
  type ManagerOptions,
} from '../manager/manager';
