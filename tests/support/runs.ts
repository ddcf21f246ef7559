/** How often a property is tried: `few` times, or `many` where `FUZZ_RUNS` asks for a longer search, as `.ci/run` does. */
export const runsOf = (few: number, many: number): number => (process.env.FUZZ_RUNS === undefined ? few : many)
