import type { CollectionDetails } from '../../application/collections.ts'
import type { Expected, ExpectedVersion, RecordResult } from '../../application/records.ts'
import { FIRST_FORM } from '../../domain/collection.ts'
import type { StoredRecord } from '../../domain/record.ts'

/** The entity tag of a version (RFC 9110 section 8.8.3), which no other version ever has. */
const versionEtag = ({ version, epoch }: Pick<StoredRecord, 'version' | 'epoch'>): string => `"${version}-${epoch}"`

/** As {@link versionEtag}; also differs once a definition shows the same version differently. */
export const recordEtag = ({ collection: { form }, record }: RecordResult): string =>
  form === undefined ? versionEtag(record) : `"${record.version}-${record.epoch}-${form}"`

/** As {@link versionEtag} of a definition; also differs if another number of records is shown with it. */
export const definitionEtag = ({ version, epoch, records }: CollectionDetails): string =>
  `"${version}-${epoch}-${records}"`

const tagsIn = (header: string): readonly string[] => header.match(/(?:W\/)?"[^"]*"/g) ?? []

const versionOf = (tag: string): readonly ExpectedVersion[] => {
  const [, version, epoch = '', form = FIRST_FORM] = /^"(\d{1,15})-([0-9a-z]{1,16})(?:-(\d{1,15}))?"$/.exec(tag) ?? []
  return version === undefined ? [] : [{ version: Number(version), epoch, form: Number(form) }]
}

/**
 * The versions that `If-Match` allows (RFC 9110 section 13.1.1): strong comparison, so a weak or unknown tag allows
 * none. Null if any version is allowed.
 */
export const ifMatch = (request: Request): Expected => {
  const header = request.headers.get('if-match')
  return header === null || header.trim() === '*' ? null : tagsIn(header).flatMap(versionOf)
}

/** Whether `If-Match: *` requires that something exists already (RFC 9110 section 13.1.1). */
export const ifMatchAny = (request: Request): boolean => request.headers.get('if-match')?.trim() === '*'

/** Whether `If-None-Match` matches this version (RFC 9110 section 13.1.2: weak comparison). */
export const isKnown = (request: Request, etag: string): boolean => {
  const header = request.headers.get('if-none-match')
  if (header === null) return false
  return header.trim() === '*' || tagsIn(header).some((tag) => tag.replace(/^W\//, '') === etag)
}

/** Whether `If-None-Match: *` requires that nothing exists yet (RFC 9110 section 13.1.2). */
export const ifNoneMatchAny = (request: Request): boolean => request.headers.get('if-none-match')?.trim() === '*'
