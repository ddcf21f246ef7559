import { AppError } from '../../src/domain/errors.ts'
import type { JsonObject } from '../../src/domain/merge-patch.ts'
import { definitionWith } from './definitions.ts'

export const TITLE = { title: { type: 'string', maxLength: 200 } }

/** A definition of the collection `lists`. */
export const list = (fields: JsonObject = TITLE, rest: JsonObject = {}): JsonObject => ({
  ...definitionWith(fields, rest),
  name: 'lists',
})

/** A definition of the collection `tasks`, which references `lists`. */
export const task = (rest: JsonObject = {}, fields: JsonObject = {}): JsonObject =>
  definitionWith({ list: { type: 'integer', 'x-ref': 'lists' }, ...fields }, rest)

/** The error with which something is refused. */
export const appErrorOf = async (work: Promise<unknown>): Promise<AppError> => {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (error instanceof AppError) return error
  throw new Error('it was not refused', { cause: error })
}
