import { type AppError, type ErrorCode, type Fault, shortPointer } from '../domain/errors.ts'

/** A line of an import. */
export interface ImportLine {
  /** Counted from 1. */
  readonly number: number
  readonly text: string
}

/** A line that is not imported. */
export interface Refusal {
  readonly line: ImportLine
  readonly error: AppError
}

/** Why a line of an import was refused. */
export interface RefusedLine {
  /** The first is 1. */
  readonly line: number
  readonly code: ErrorCode
  readonly detail: string
  readonly faults: readonly Fault[]
}

export interface ImportResult {
  readonly created: number
  readonly refused: number
  /** The first of them. */
  readonly lines: readonly RefusedLine[]
}

/** Limits of what a result lists, because it is stored with each part of an import that has an Idempotency-Key. */
const MAX_REFUSED_LINES_COUNT = 1_000
const MAX_REFUSED_FAULTS_COUNT = 5_000

export const NOTHING_IMPORTED: ImportResult = { created: 0, refused: 0, lines: [] }

const toRefusedLine = ({ line: { number }, error: { code, message, faults = [] } }: Refusal): RefusedLine => ({
  line: number,
  code,
  detail: message,
  faults: faults.map((fault) => ({ ...fault, pointer: shortPointer(fault.pointer) })),
})

/** The result of an import after one more part, with these lines stored and these refused. */
export const withPart = (
  before: ImportResult,
  stored: readonly ImportLine[],
  refusals: readonly Refusal[],
): ImportResult => {
  const lines = [...before.lines]
  let faultsCount = lines.reduce((count, { faults }) => count + faults.length, 0)
  for (const refusal of refusals.toSorted((one, other) => one.line.number - other.line.number)) {
    if (lines.length >= MAX_REFUSED_LINES_COUNT || faultsCount >= MAX_REFUSED_FAULTS_COUNT) break
    const line = toRefusedLine(refusal)
    lines.push(line)
    faultsCount += line.faults.length
  }
  return { created: before.created + stored.length, refused: before.refused + refusals.length, lines }
}
