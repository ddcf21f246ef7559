export type { Auth, Session, User } from './auth.ts'
export { type ChangeEvent, type Client, type ClientOptions, createClient, type SubscribeOptions } from './client.ts'
export type { Collection, VersionOptions } from './collection.ts'
export {
  type ClientCode,
  type Fault,
  isSkepError,
  type ProblemCode,
  SkepError,
  type SkepErrorCode,
  type SkepErrorDetails,
} from './errors.ts'
export type { FileLink, Files, StoredFile, UploadOptions } from './files.ts'
export { type FilterValue, filter } from './filter.ts'
export type { Live, LiveOptions, LiveStatus } from './live.ts'
export type { SkepStorage, SocketConstructor } from './platform.ts'
export { memoryStorage } from './storage.ts'
export type { RequestOptions } from './transport.ts'
export type {
  AnyCollections,
  AnyRecord,
  BatchOperation,
  BatchResults,
  CallOptions,
  CollectionMap,
  CollectionTypes,
  ListOptions,
  OnceOptions,
  Page,
  PageOptions,
  SortOf,
  SystemFields,
} from './types.ts'
