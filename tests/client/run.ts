import type { Place } from './place.ts'
import { SUITE } from './suite.ts'

/** The titles of all tests, with why each failed, or null. For platforms without a test runner. */
export const runSuite = async (place: Place): Promise<Record<string, string | null>> => {
  const results: Record<string, string | null> = {}
  for (const [title, run] of Object.entries(SUITE)) {
    results[title] = await run(place).then(
      () => null,
      (error) => String(error?.stack ?? error),
    )
  }
  return results
}
