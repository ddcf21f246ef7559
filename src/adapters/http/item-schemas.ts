import { Type } from '@sinclair/typebox'
import { type Static, t } from 'elysia'
import type { ItemOperation } from '../../application/items.ts'
import type { ItemSortField } from '../../application/ports/persistence.ts'
import { ITEM_LIMITS, type Item, type ItemDraft, type ItemPatch } from '../../domain/item.ts'
import type { JsonObject } from '../../domain/merge-patch.ts'
import { isLine, LINE_PATTERN } from '../../domain/text.ts'
import { pageQuery } from './pages.ts'
import { body, characters, Id, IdText, queryOf, Timestamp, TimestampText, text, textWithoutNul } from './schemas.ts'
import { toTimestamp } from './timestamps.ts'

const Title = text({
  accepts: (title) => isLine(title, ITEM_LIMITS.title),
  expects: '1 to 200 visible characters',
  openapi: {
    type: 'string',
    ...ITEM_LIMITS.title,
    pattern: LINE_PATTERN,
    description: 'One line',
    examples: ['Oak table'],
  },
})
const Description = t.Nullable(textWithoutNul(ITEM_LIMITS.description, { examples: ['Seats six'] }))
const DATA = {
  description: 'Up to 16 kB of JSON',
  examples: [{ price: 480, colours: ['natural', 'black'] }],
  openapi: { type: 'object', additionalProperties: true },
}
const Data = t.Unsafe<JsonObject>(t.Object({}, { ...DATA, additionalProperties: true }))

const draftFields = { title: Title, description: t.Optional(Description), data: t.Optional(Data) }
const patchFields = {
  title: t.Optional(Title),
  description: t.Optional(Description),
  data: t.Optional(t.Nullable(Data)),
}
// Elysia's own Integer takes "1" for 1.
const SentId = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, examples: [1] })
const VERSION =
  'Fails with version_mismatch at another version; unlike an ETag it does not tell a version from one of the same number after a restore'
const Version = t.Optional(
  Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: VERSION, examples: [3] }),
)

export const ItemBody = body('ItemCreate', draftFields)
export const ItemPatchBody = body('ItemUpdate', patchFields)

const Operation = t.Union(
  [
    body('ItemBatchCreate', { op: t.Literal('create'), ...draftFields }),
    body('ItemBatchUpdate', { op: t.Literal('update'), id: SentId, version: Version, ...patchFields }),
    body('ItemBatchDelete', { op: t.Literal('delete'), id: SentId, version: Version }),
  ],
  { title: 'ItemBatchOperation', expects: 'a create, update or delete' },
)

export const BatchBody = body('ItemBatch', {
  operations: t.Array(Operation, { minItems: ITEM_LIMITS.batch.minItems, maxItems: ITEM_LIMITS.batch.maxItems }),
})

export const ItemResponse = t.Object(
  {
    id: Id,
    owner_id: Id,
    title: t.String({ examples: ['Oak table'] }),
    description: t.Nullable(t.String({ examples: ['Seats six'] })),
    data: Data,
    version: t.Integer({ minimum: 1, description: 'Rises with each change', examples: [3] }),
    created_at: Timestamp,
    updated_at: Timestamp,
  },
  { title: 'Item' },
)

export const BatchResponse = t.Object(
  { results: t.Array(t.Nullable(ItemResponse), { description: 'In order; null for a delete' }) },
  { title: 'ItemBatchResult' },
)

export const SORTS: readonly ItemSortField[] = ['created_at', 'updated_at', 'title']

export const ItemsQuery = queryOf({
  ...pageQuery(SORTS),
  q: t.Optional(
    characters(
      { maxLength: 200 },
      {
        description: 'Words of title or description, or their beginnings of two characters and more; eight count',
        examples: ['oak'],
      },
    ),
  ),
  created_after: t.Optional(TimestampText),
  created_before: t.Optional(TimestampText),
  owner_id: t.Optional(IdText),
})

export const toResponse = (item: Item): Static<typeof ItemResponse> => ({
  id: item.id,
  owner_id: item.ownerId,
  title: item.title,
  description: item.description,
  data: item.data,
  version: item.version,
  created_at: toTimestamp(item.createdAt),
  updated_at: toTimestamp(item.updatedAt),
})

export const toDraft = ({ title, description, data }: Static<typeof ItemBody>): ItemDraft => ({
  title,
  ...(description === undefined ? {} : { description }),
  ...(data === undefined ? {} : { data }),
})

export const toPatch = ({ title, description, data }: Static<typeof ItemPatchBody>): ItemPatch => ({
  ...(title === undefined ? {} : { title }),
  ...(description === undefined ? {} : { description }),
  ...(data === undefined ? {} : { data }),
})

const expected = (version: number | undefined) => (version === undefined ? null : [{ version, epoch: null }])

export const toOperation = (operation: Static<typeof Operation>): ItemOperation => {
  switch (operation.op) {
    case 'create':
      return { op: 'create', draft: toDraft(operation) }
    case 'update':
      return { op: 'update', id: operation.id, patch: toPatch(operation), expected: expected(operation.version) }
    case 'delete':
      return { op: 'delete', id: operation.id, expected: expected(operation.version) }
  }
}

export const toBatchAnswer = (results: readonly (Item | null)[]) => ({
  status: 200,
  headers: {},
  body: JSON.stringify({ results: results.map((item) => item && toResponse(item)) }),
})
