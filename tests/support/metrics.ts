export type Labels = Readonly<Record<string, string>>

export interface Sample {
  readonly name: string
  readonly labels: Labels
  readonly value: number
}

export interface Metric {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly samples: readonly Sample[]
}

const HEAD = /^# HELP ([a-zA-Z_:][\w:]*) (.+)\n# TYPE \1 (counter|gauge|histogram)(?:\n|$)/
const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{([^{}]*)\})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|NaN|[+-]Inf)$/
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\["\\n])*)"(?:,|$)/y

const labelsIn = (text: string): Labels => {
  const labels: Record<string, string> = {}
  LABEL.lastIndex = 0
  while (LABEL.lastIndex < text.length) {
    const [, name = '', value = ''] = LABEL.exec(text) ?? []
    if (name === '' || name in labels) throw new Error(`not labels: ${text}`)
    labels[name] = value
  }
  return labels
}

const sampleIn = (line: string): Sample => {
  const [, name = '', labels = '', value = ''] = SAMPLE.exec(line) ?? []
  if (name === '') throw new Error(`not a sample: ${line}`)
  return { name, labels: labelsIn(labels), value: Number(value) }
}

/** Reads the text as Prometheus does (exposition format 0.0.4), and throws at whatever it would not take. */
export const parseMetrics = (text: string): readonly Metric[] => {
  if (!text.endsWith('\n')) throw new Error('the last line does not end')
  return text
    .trimEnd()
    .split(/\n+(?=# HELP)/)
    .map((block) => {
      const head = HEAD.exec(block)
      if (head === null) throw new Error(`no head: ${block}`)
      const [whole, name = '', help = '', type = ''] = head
      const lines = block.slice(whole.length).split('\n')
      const samples = lines.filter((line) => line !== '').map(sampleIn)
      const suffix = type === 'histogram' ? '_(bucket|sum|count)' : ''
      const stranger = samples.find((sample) => !new RegExp(`^${name}${suffix}$`).test(sample.name))
      if (stranger !== undefined) throw new Error(`${stranger.name} under ${name}`)
      return { name, help, type, samples }
    })
}

/** The first sample of this name with these labels and maybe more; 0 when there is none yet. */
export const valueIn = (text: string, name: string, labels: Labels = {}): number => {
  const fits = (sample: Sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value)
  const samples = parseMetrics(text).flatMap((metric) => metric.samples)
  return samples.find((sample) => sample.name === name && fits(sample))?.value ?? 0
}
