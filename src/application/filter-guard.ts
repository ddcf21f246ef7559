import type { Expression } from '../domain/expression.ts'
import { FALSE, TRUE } from '../domain/expression.ts'
import { guard } from '../domain/expression-guard.ts'
import { referencesIn } from '../domain/expression-parts.ts'
import type { Catalog, CompiledCollection } from './catalog.ts'
import type { ReadTx } from './ports/persistence.ts'

/**
 * The same filter, which reveals nothing about referenced records that the caller may not read. `readRule` returns the rule
 * for reading records of a collection, with `record`, and possibly `now`, as its only variables.
 */
export const guardFilter = async (
  tx: ReadTx,
  catalog: Pick<Catalog, 'named'>,
  filter: Expression,
  readRule: (target: CompiledCollection) => Promise<Expression> | Expression,
): Promise<Expression> => {
  const names = new Set(referencesIn(filter).map(({ target }) => target))
  const rules = new Map<string, Expression>()
  for (const name of names) {
    // Names of users and descriptions of files are visible to anyone who may read the reference.
    if (name === 'users' || name === 'files') continue
    const target = await catalog.named(tx, name)
    rules.set(name, target === null ? FALSE : await readRule(target))
  }
  return guard(filter, (name) => rules.get(name) ?? TRUE)
}
