/** A fault in a template, and its line, from 1. */
export interface TemplateFault {
  readonly line: number
  readonly why: string
}

type Values = Readonly<Record<string, string | null>>

type Part = string | { readonly name: string; readonly section: Section | null }

interface Section {
  readonly inverted: boolean
  readonly parts: Part[]
}

interface Open {
  readonly name: string
  readonly line: number
  readonly parts: Part[]
}

export interface ParsedTemplate {
  readonly faults: readonly TemplateFault[]
  /** Whether it is always shown, not within a section. */
  readonly always: ReadonlySet<string>
  /** `toText` renders a value. */
  render(values: Values, toText: (value: string) => string): string
}

/** `{{name}}`, `{{#name}}`, `{{^name}}`, `{{/name}}`, or the beginning of something else. */
const TAG = /\{\{\s*([#^/]?)\s*([a-z_]+)\s*\}\}|\{\{/g

const renderParts = (parts: readonly Part[], values: Values, toText: (value: string) => string): string =>
  parts
    .map((part) => {
      if (typeof part === 'string') return part
      const value = values[part.name] ?? ''
      if (part.section === null) return toText(value)
      return (value === '') === part.section.inverted ? renderParts(part.section.parts, values, toText) : ''
    })
    .join('')

/**
 * Reads a template of the smallest part of Mustache: placeholders, and sections that are shown if a value is there
 * (`#`) or is not (`^`). `names` are the placeholders it may use.
 */
export const parseTemplate = (source: string, names: readonly string[]): ParsedTemplate => {
  const faults: TemplateFault[] = []
  const root: Part[] = []
  const open: Open[] = []
  let end = 0
  let line = 1
  for (const { 0: tag, 1: sign, 2: name, index } of source.matchAll(TAG)) {
    const text = source.slice(end, index)
    const parts = open.at(-1)?.parts ?? root
    if (text !== '') parts.push(text)
    line += text.split('\n').length - 1
    const fault = (why: string) => faults.push({ line, why })
    if (name === undefined) fault('"{{" begins no placeholder such as {{link}}')
    else if (!names.includes(name)) fault(`unknown placeholder {{${name}}}, expected one of ${names.join(', ')}`)
    else if (sign === '/') {
      const section = open.pop()
      if (section?.name !== name) fault(`{{/${name}}} closes no section that is open here`)
    } else if (sign === '') parts.push({ name, section: null })
    else {
      const section: Section = { inverted: sign === '^', parts: [] }
      parts.push({ name, section })
      open.push({ name, line, parts: section.parts })
    }
    end = index + tag.length
    line += tag.split('\n').length - 1
  }
  root.push(source.slice(end))
  for (const section of open) faults.push({ line: section.line, why: `the section of ${section.name} is never closed` })
  return {
    faults,
    always: new Set(root.flatMap((part) => (typeof part !== 'string' && part.section === null ? [part.name] : []))),
    render: (values, toText) => renderParts(root, values, toText),
  }
}
