import type { Fault } from '../domain/errors.ts'
import { inexactNumbers, REPEATED_MEMBER, repeatedMembers } from '../domain/json-text.ts'
import { isJsonObject, type Json, type JsonObject } from '../domain/merge-patch.ts'
import type { GivenDefinition } from './definition-plan.ts'

/** A file `NAME.json` with the definition of a collection, or why it cannot be read. */
export type DefinitionFile =
  | { readonly name: string; readonly text: string }
  | { readonly name: string; readonly unreadable: string }

const MAX_TEXT_FAULTS_COUNT = 10

const parse = (text: string): Json | undefined => {
  try {
    const value: Json = JSON.parse(text)
    return value
  } catch {
    return undefined
  }
}

/** The parts of a file that parsing would silently change. */
const silentFaultsOf = (text: string): readonly Fault[] => [
  ...repeatedMembers(text, MAX_TEXT_FAULTS_COUNT).map((pointer) => ({ pointer, detail: REPEATED_MEMBER })),
  ...inexactNumbers(text, MAX_TEXT_FAULTS_COUNT).map((pointer) => ({
    pointer,
    detail: 'Expected a number that a double can hold',
  })),
]

/** The faults that only files can have. */
const fileFaultsOf = (name: string, text: string, definition: JsonObject): readonly Fault[] => [
  ...silentFaultsOf(text),
  ...(definition.name === name ? [] : [{ pointer: '/name', detail: `Expected the name of the file, ${name}` }]),
  ...(definition.transform === undefined
    ? []
    : [
        {
          pointer: '/transform',
          detail:
            'A transform changes records once, but files are applied again and again: send it with PUT to the API, and then export the definition',
        },
      ]),
]

const read = (file: DefinitionFile): GivenDefinition => {
  const { name } = file
  const faulty = (detail: string) => ({ name, definition: {}, transform: null, faults: [{ pointer: '', detail }] })
  if ('unreadable' in file) return faulty(file.unreadable)
  const definition = parse(file.text)
  if (definition === undefined) return faulty('Expected JSON')
  if (!isJsonObject(definition)) return faulty('Expected an object')
  const faults = fileFaultsOf(name, file.text, definition)
  const { transform: _, ...rest } = definition
  return { name, definition: { ...rest, name }, transform: null, faults }
}

/** The definitions in files, each with the faults that are found without looking at others. */
export const readDefinitions = (files: readonly DefinitionFile[]): readonly GivenDefinition[] => files.map(read)
