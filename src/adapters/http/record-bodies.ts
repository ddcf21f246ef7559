import { t } from 'elysia'
import type { Expanded, ExpandedReference, RecordResult } from '../../application/records.ts'
import type { Collection } from '../../domain/collection.ts'
import type { StoredFile } from '../../domain/file.ts'
import type { StoredRecord } from '../../domain/record.ts'
import type { ShownData } from './noted-reads.ts'
import { createRecordBody } from './record-schemas.ts'
import { shownOnce } from './shown-once.ts'

/** Whether anyone may read the records, so that reads are not recorded. */
export const isPublic = ({ rules }: Collection): boolean => rules?.read === 'true'

/** The subject of the entry about a read, unless anyone may read the record. */
export const recordShown = ({ collection, record }: RecordResult): ShownData => ({
  action: 'record.read',
  subject: `${collection.name}/${record.id}`,
  owners: isPublic(collection) ? [] : [record],
})

/** A record of any collection in a response. */
export const AnyRecord = t.Unsafe<object>(t.Object({}, { additionalProperties: true, title: 'AnyRecord' }))

const bodies = new WeakMap<Collection, (record: StoredRecord) => { readonly id: number }>()

const bodyOf = (collection: Collection): ((record: StoredRecord) => { readonly id: number }) => {
  const known = bodies.get(collection)
  if (known !== undefined) return known
  const body = createRecordBody(collection)
  bodies.set(collection, body)
  return body
}

/** Shows a record, with its expanded references if requested. */
export type ShowRecord = (result: RecordResult, expanded?: Expanded | null) => { readonly id: number }

/** As {@link ShowRecord}, for records that are read: each is shown once while it is cached. */
export const showRead = (show: ShowRecord): ShowRecord => {
  const bodies = new WeakMap<Collection, (record: StoredRecord) => { readonly id: number }>()
  return (result, expanded = null) => {
    if (expanded !== null) return show(result, expanded)
    const { collection, record } = result
    const known = bodies.get(collection) ?? shownOnce((each: StoredRecord) => show({ collection, record: each }))
    bodies.set(collection, known)
    return known(record)
  }
}

/** Shows records as REST does. `showFile` shows a referenced file. */
export const createShowRecord = (showFile: (file: StoredFile) => object): ShowRecord => {
  const showReference = (reference: ExpandedReference): object => {
    switch (reference.kind) {
      case 'record':
        return show(reference, reference.expanded)
      case 'user':
        return { id: reference.id, name: reference.name }
      case 'file':
        return showFile(reference.file)
    }
  }

  const showReferences = (references: ExpandedReference | readonly ExpandedReference[]): object =>
    'kind' in references ? showReference(references) : references.map(showReference)

  const show: ShowRecord = ({ collection, record }, expanded = null) => {
    const shown = bodyOf(collection)(record)
    if (expanded === null) return shown
    const references = Object.entries(expanded).map(([name, each]) => [name, showReferences(each)] as const)
    return { ...shown, expanded: Object.fromEntries(references) }
  }

  return show
}
