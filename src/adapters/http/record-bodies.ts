import { t } from 'elysia'
import type { Expanded, ExpandedReference, RecordResult } from '../../application/records.ts'
import type { Collection } from '../../domain/collection.ts'
import type { StoredFile } from '../../domain/file.ts'
import type { StoredRecord } from '../../domain/record.ts'
import type { ShownData } from './noted-reads.ts'
import { createRecordBody } from './record-schemas.ts'

/** Whether everybody may read the records, so that reading them needs no trace. */
export const isPublic = ({ rules }: Collection): boolean => rules?.read === 'true'

/** What a response shows of a record, unless anyone may read it. */
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

/** Shows a record, with what was expanded if that was asked for. */
export type ShowRecord = (result: RecordResult, expanded?: Expanded | null) => { readonly id: number }

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

  const show = ({ collection, record }: RecordResult, expanded: Expanded | null = null) => {
    const shown = bodyOf(collection)(record)
    if (expanded === null) return shown
    const references = Object.entries(expanded).map(([name, each]) => [name, showReferences(each)] as const)
    return { ...shown, expanded: Object.fromEntries(references) }
  }

  return show
}
