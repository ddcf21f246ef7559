import type { Collection } from './collection.ts'
import type { Fault } from './errors.ts'
import type { JsonObject } from './merge-patch.ts'
import type { CompilePattern } from './pattern.ts'

export type ParsedDefinition = { readonly collection: Collection } | { readonly faults: readonly Fault[] }

/**
 * The collection that a definition in JSON describes, with every default filled in, or its faults. It does not check
 * the expressions of rules, nor what depends on other collections: see {@link relationFaultsOf}.
 */
export declare const parseDefinition: (input: JsonObject, compilePattern: CompilePattern) => ParsedDefinition

/**
 * The faults of a definition among others: references to collections that do not exist, and names that another
 * collection already gives to its records. `others` are all other collections, also those defined in code.
 */
export declare const relationFaultsOf: (collection: Collection, others: readonly Collection[]) => readonly Fault[]

/** The definition in JSON, with every default filled in and its members always in the same order. */
export declare const definitionOf: (collection: Collection) => JsonObject

/** {@link definitionOf} as the text of a file. The same definition always has the same text. */
export declare const formatDefinition: (collection: Collection) => string
