import { type Collection, RULE_NAMES, referencesOf, rulesOf } from '../domain/collection.ts'
import { type DefinitionDraft, relationFaultsOf } from '../domain/definition.ts'
import { typeNamesOf } from '../domain/definition-names.ts'
import type { Fault } from '../domain/errors.ts'
import { describeFault } from './catalog.ts'
import type { CompileExpression } from './ports/collections.ts'

/** A fault of one of several definitions. */
export interface DefinitionFault extends Fault {
  readonly name: string
}

/** For a collection, those whose records would have types of the same name. */
const createRivals = (all: readonly Collection[]): ((collection: Collection) => readonly Collection[]) => {
  const typed = all.flatMap((collection) => typeNamesOf(collection.singular).map((type) => ({ type, collection })))
  const byType = Map.groupBy(typed, ({ type }) => type)
  return ({ name, singular }) =>
    typeNamesOf(singular)
      .flatMap((type) => byType.get(type) ?? [])
      .flatMap(({ collection }) => (collection.name === name ? [] : [collection]))
}

export const createRelationFaults = (compileExpression: CompileExpression) => {
  const ruleFaults = (
    collection: Collection,
    all: ReadonlyMap<string, Collection>,
    isFaulty = (_: string) => false,
  ): readonly Fault[] =>
    RULE_NAMES.flatMap((use) => {
      const text = rulesOf(collection)[use]
      if (text === null) return []
      const collectionNamed = (name: string) => all.get(name) ?? null
      const result = compileExpression(text, { collection, use, collectionNamed, isFaulty })
      if (!('faults' in result)) return []
      return result.faults.map((fault) => ({ pointer: `/rules/${use}`, detail: describeFault(fault) }))
    })

  /**
   * The faults of new or changed definitions among all others, and those of rules of others that go through them. Rules
   * that may go through other definitions with faults of their own, `unknown`, are not checked. `drafts` are what is known
   * of definitions with faults.
   */
  return (
    given: readonly Collection[],
    all: ReadonlyMap<string, Collection>,
    unknown: readonly string[],
    drafts: readonly DefinitionDraft[],
  ): readonly DefinitionFault[] => {
    const names = new Set(given.map(({ name }) => name))
    const targetsOf = (collection: Collection) => referencesOf(collection).map(({ target }) => target)
    const leadsTo = (collection: Collection, isMeant: (name: string) => boolean): boolean => {
      const targets = targetsOf(collection)
      const next = targets.map((target) => all.get(target)).flatMap((target) => (target ? targetsOf(target) : []))
      return [...targets, ...next].some(isMeant)
    }
    const isKnown = (collection: Collection) =>
      !leadsTo(collection, (name) => name !== collection.name && unknown.includes(name))
    const rivalsOf = createRivals([...all.values()])
    const isNamed = (name: string) => all.has(name) || unknown.includes(name)
    const examined = [...given.map((draft) => ({ draft, isFaulty: undefined })), ...drafts]
    const own = examined.flatMap(({ draft: collection, isFaulty }) => {
      const rules = isKnown(collection) ? ruleFaults(collection, all, isFaulty) : []
      return [...relationFaultsOf(collection, rivalsOf(collection), isNamed), ...rules].map((fault) => ({
        ...fault,
        name: collection.name,
      }))
    })
    const dependent = [...all.values()]
      .filter((other) => !names.has(other.name) && isKnown(other) && leadsTo(other, (name) => names.has(name)))
      .filter((other) => ruleFaults(other, all).length > 0)
      .map(({ name }) => ({ name, pointer: '', detail: `The rules of ${name} would no longer be valid` }))
    return [...own, ...dependent]
  }
}
