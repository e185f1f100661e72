// Dicts.
export {
  SharedNamespace,
  type SharedNamespaceCreateOptions,
  type SharedNamespaceHandle,
  type SharedNamespaceOptions,
} from '../dict/shared-namespace';
export {
  SharedDict,
  type EntryChangeOptions,
  type GetOrSetOptions,
  type GetOrSetSyncOptions,
  type SharedDictCreateOptions,
  type SharedDictHandle,
  type SharedDictOptions,
  type TtlOptions,
} from '../dict/shared-dict';
