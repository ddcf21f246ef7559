import { pascalCase } from './collection.ts'

export const COLLECTION_NAME = /^[a-z][a-z0-9_]{0,62}$/

/** The pattern of field names; names within objects may be any text. */
export const FIELD_NAME = /^[A-Za-z][A-Za-z0-9_]{0,62}$/

/** Words that are not available, because routes, topics, kinds of events or operations have these names. */
const RESERVED_NAMES: ReadonlySet<string> = new Set([
  ...[
    'admin',
    'all',
    'api',
    'auth',
    'batch',
    'collection',
    'collections',
    'docs',
    'email',
    'event',
    'events',
    'export',
  ],
  ...[
    'file',
    'file_content',
    'file_link',
    'file_links',
    'files',
    'health',
    'history',
    'import',
    'item',
    'items',
    'job',
  ],
  ...['jobs', 'link', 'links', 'lookup', 'mail', 'me', 'metrics', 'openapi', 'asyncapi', 'password', 'readiness'],
  ...['record', 'records', 'session', 'sessions', 'site', 'token', 'tokens', 'user', 'user_session', 'user_sessions'],
  ...['audit_entries', 'backup', 'backups', 'backup_content', 'backup_link', 'backup_links'],
  ...['users', 'version', 'ws', 'all_session', 'all_sessions', 'oauth', 'constructor'],
])

/** The types in documents and generated code that do not belong to a collection. */
const RESERVED_TYPES: ReadonlySet<string> = new Set([
  ...[
    'AuditAction',
    'AuditEntry',
    'AuditEntryPage',
    'CheckState',
    'DurationBucket',
    'JobCounts',
    'Overview',
    'Setting',
    'SettingSource',
    'Settings',
    'SocketCounts',
    'Collection',
    'Collections',
    'EmailVerification',
    'FieldError',
    'File',
    'FileLink',
    'FileLinkCreate',
  ],
  ...['FileLinkPage', 'FilePage', 'FileUpload', 'Health', 'Item', 'Job', 'JobPage', 'JobState', 'OAuthError'],
  ...['PasswordChange', 'PasswordForgotten', 'PasswordReset', 'Problem', 'ProblemCode', 'Readiness', 'Session'],
  ...['SessionPage', 'Skep', 'StoredFile', 'StoredFilePage', 'TokenPair', 'TokenRequest', 'TokenRevocation', 'User'],
  ...['UserCreate', 'UserDelete', 'UserPage', 'UserRole', 'UserUpdate', 'UserLookup', 'UserReference'],
  ...['AnyRecord', 'BatchCreate', 'BatchDelete', 'BatchOperation', 'BatchResult', 'BatchUpdate'],
  ...['CollectionChange', 'CollectionDefinition', 'CollectionDefinitionPage', 'CollectionIndex', 'CollectionRules'],
  ...[
    'FieldChange',
    'FirstAdmin',
    'ImportResult',
    'RecordFault',
    'RecordMisfit',
    'RecordMisfits',
    'RecordRevert',
    'RecordVersion',
  ],
  ...['RecordVersionPage', 'RefusedLine', 'VersionActor'],
  ...['Backup', 'BackupLink', 'BackupLinkCreate', 'BackupPage'],
])

/** What is appended to the name of a record for the types that belong to it. */
const TYPE_SUFFIXES = [
  ...['', 'Create', 'Update', 'Page', 'Event', 'Batch', 'BatchCreate', 'BatchUpdate', 'BatchDelete', 'BatchOperation'],
  ...['BatchResult', 'Expanded', 'History', 'Import', 'ImportResult'],
]

/** The types that documents and generated code have for the records of a collection. */
export const typeNamesOf = (singular: string): readonly string[] =>
  TYPE_SUFFIXES.map((suffix) => `${pascalCase(singular)}${suffix}`)

export const isReservedName = (name: string): boolean => RESERVED_NAMES.has(name)

/** Whether a type for such records would have the same name as another type. */
export const hasReservedType = (singular: string): boolean =>
  typeNamesOf(singular).some((name) => RESERVED_TYPES.has(name))

/** Whether records of two collections would have types of the same name. */
export const shareTypes = (one: string, other: string): boolean => {
  const names = new Set(typeNamesOf(one))
  return typeNamesOf(other).some((name) => names.has(name))
}

/** Names that other members of a record have, also in requests of a batch and in expanded responses. */
const RECORD_MEMBERS: ReadonlySet<string> = new Set([
  ...['id', 'owner_id', 'version', 'epoch', 'created_at', 'updated_at', 'ownerId', 'createdAt', 'updatedAt'],
  ...['expanded', 'op', 'collection'],
])

/** Names that have another meaning in expressions. */
const EXPRESSION_WORDS: ReadonlySet<string> = new Set(['auth', 'false', 'in', 'now', 'null', 'true'])

/** Why a field cannot have this name, or null. */
export const fieldNameFault = (name: string): string | null => {
  if (!FIELD_NAME.test(name)) return 'Expected a name of letters, digits and _ that begins with a letter'
  if (RECORD_MEMBERS.has(name)) return 'Every record has a member with this name'
  if (EXPRESSION_WORDS.has(name)) return 'This name has another meaning in rules and filters'
  return name in Object.prototype ? 'This name is reserved' : null
}
