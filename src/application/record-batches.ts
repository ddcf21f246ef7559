import { AppError } from '../domain/errors.ts'
import { BATCH_LIMITS, charactersOf, type StoredRecord } from '../domain/record.ts'
import type { Catalog, CompiledCollection } from './catalog.ts'
import type { Change } from './record-changes.ts'
import type { RecordOperations } from './record-operations.ts'
import type { RecordOperation, RecordResult } from './record-requests.ts'

const batchTooLarge = () =>
  new AppError('batch_too_large', 'The records of this batch are too large together: send fewer operations')

const atIndex = (error: unknown, index: number): unknown =>
  error instanceof AppError
    ? new AppError(error.code, error.message, {
        cause: error,
        index,
        field: error.field,
        faults: error.faults,
        ...(error.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: error.retryAfterSeconds }),
      })
    : error

/** The collections of all operations. Throws `not_found` with the index of the first operation without one. */
const collectionsOf = async (
  { tx }: Change,
  catalog: Catalog,
  operations: readonly RecordOperation[],
): Promise<ReadonlyMap<string, CompiledCollection>> => {
  const found = new Map<string, CompiledCollection>()
  for (const name of new Set(operations.map(({ collection }) => collection).sort())) {
    try {
      found.set(name, await catalog.find(tx, name))
    } catch (error) {
      throw atIndex(
        error,
        operations.findIndex(({ collection }) => collection === name),
      )
    }
  }
  return found
}

/**
 * Every batch locks its records in the same order, whatever the order of its operations, so that batches cannot
 * deadlock.
 */
const lockAll = async (
  { tx }: Change,
  collections: ReadonlyMap<string, CompiledCollection>,
  operations: readonly RecordOperation[],
): Promise<void> => {
  for (const [name, { storage }] of collections) {
    const ids = new Set(
      operations.flatMap((operation) =>
        operation.op === 'create' || operation.collection !== name ? [] : [operation.id],
      ),
    )
    if (ids.size < 2 && collections.size < 2) continue
    const records = tx.records(storage)
    await Promise.all([...ids].sort((one, other) => one - other).map((id) => records.findById(id)))
  }
}

/** Performs the operations of a batch, in order. */
export const createBatches = (catalog: Catalog, { add, alter, erase }: RecordOperations) => {
  const perform = async (
    change: Change,
    compiled: CompiledCollection,
    operation: RecordOperation,
  ): Promise<StoredRecord | null> => {
    switch (operation.op) {
      case 'create':
        return add(change, compiled, operation)
      case 'update':
        return alter(change, compiled, operation)
      case 'delete':
        await erase(change, compiled, operation)
        return null
    }
  }

  return async (change: Change, operations: readonly RecordOperation[]): Promise<readonly (RecordResult | null)[]> => {
    const collections = await collectionsOf(change, catalog, operations)
    await lockAll(change, collections, operations)
    const results: (RecordResult | null)[] = []
    let size = 0
    for (const [index, operation] of operations.entries()) {
      const compiled = collections.get(operation.collection)
      if (compiled === undefined) throw new Error('a collection of the batch was not found')
      const { collection } = compiled
      try {
        const record = await perform(change, compiled, operation)
        size += record === null ? 0 : charactersOf(collection, record)
        if (size > BATCH_LIMITS.maxCharacters) throw batchTooLarge()
        results.push(record && { collection, record })
      } catch (error) {
        throw atIndex(error, index)
      }
    }
    return results
  }
}
