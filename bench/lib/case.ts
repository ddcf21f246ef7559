import type { Cores } from './cores.ts'
import type { Form } from './skep.ts'

/** What a figure must reach: its own value, or its ratio to the floor. */
export interface Bar {
  readonly of: 'value' | 'ratio'
  readonly atLeast?: number
  readonly atMost?: number
}

/** Milliseconds, of a raw server too where there is one. */
export interface Latency {
  readonly value: number
  readonly floor?: number
}

/** One row of the table. */
export interface Figure {
  readonly name: string
  readonly unit: string
  readonly value: number
  /** The same of the raw server, measured in the same run. */
  readonly floor?: number
  /** The median of what each round's pair gave, which need not be `value / floor`. */
  readonly ratio?: number
  /** How long answers took meanwhile, where that is another thing than the value itself. */
  readonly p50?: Latency
  readonly p99?: Latency
  readonly bar?: Bar
}

export interface CaseResult {
  /** Why nothing was measured. */
  readonly skipped?: string
  readonly figures: readonly Figure[]
  /** Why not to trust a figure as it stands; printed below the table. */
  readonly notes?: readonly string[]
  /** How it was measured and what it was made of, for the JSON alone. */
  readonly detail: Readonly<Record<string, unknown>>
}

export interface Settings {
  readonly rounds: number
  /** How many records the large collection has. */
  readonly records: number
  /** Of one round on one server. */
  readonly seconds: number
  readonly warmupSeconds: number
  readonly connections: number
}

export interface Context {
  readonly settings: Settings
  readonly cores: Cores
  /** The form under load: source, unless the binary was asked for. */
  readonly form: Form
  /** What is deployed, for cases about the program itself: the binary when there is one. */
  readonly deployedForm: Form
  /** A new folder, gone when the run ends. */
  folder(): string
  /** Tells whoever waits how far it is. */
  progress(text: string): void
}

export interface Case {
  readonly name: string
  /** One line for `--list`. */
  readonly about: string
  /** Rejects when anything measured was not the answer it should be. */
  run(context: Context): Promise<CaseResult>
}

/** Whether a figure reaches its bar; null when it has none. */
export const meetsBar = ({ bar, value, ratio }: Figure): boolean | null => {
  if (bar === undefined) return null
  const measured = bar.of === 'ratio' ? (ratio ?? Number.NaN) : value
  return measured >= (bar.atLeast ?? -Infinity) && measured <= (bar.atMost ?? Infinity)
}

/** What a case answers that lacks what it needs. */
export const skipped = (reason: string): CaseResult => ({ skipped: reason, figures: [], detail: {} })
