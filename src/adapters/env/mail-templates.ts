import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import {
  escapeHtml,
  MAIL_CONTENTS,
  type MailKind,
  type MailTemplate,
  type MailTemplates,
  type RenderTemplate,
} from '../../application/mail-templates.ts'
import { isLine } from '../../domain/text.ts'
import { parseTemplate } from './template.ts'

/** All faults of one setting, one line per fault. */
export class SettingFaults extends Error {
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(faults.join('; '))
    this.faults = faults
  }
}

type Part = 'subject' | 'text' | 'html'

/** Gmail clips larger mails. */
const MAX_TEMPLATE_BYTES = 102_400
const MAX_SUBJECT_CHARACTERS = 200

const PARTS: Readonly<Record<string, Part>> = { 'subject.txt': 'subject', txt: 'text', html: 'html' }

const isKind = (text: string): text is MailKind => Object.hasOwn(MAIL_CONTENTS, text)

const toFile = (name: string): { readonly kind: MailKind; readonly part: Part } | null => {
  const dot = name.indexOf('.')
  const [kind, part] = [name.slice(0, dot), PARTS[name.slice(dot + 1)]]
  return isKind(kind) && part !== undefined ? { kind, part } : null
}

const nameOf = (kind: MailKind, part: Part) => `${kind}.${Object.keys(PARTS).find((ending) => PARTS[ending] === part)}`

const EXPECTED_NAMES = `KIND.subject.txt, KIND.txt or KIND.html, where KIND is ${Object.keys(MAIL_CONTENTS).join(', ')}`

/** A value that cannot end a tag or an attribute, even without quotes. */
const escapeAnywhere = (value: string): string =>
  escapeHtml(value).replace(/[\s`]/g, (character) => `&#${character.charCodeAt(0)};`)

const unescaped = (value: string) => value

/** The text of a file, with `\n` at each line end. */
const readText = (path: string): string => {
  if (!statSync(path).isFile()) throw new Error('expected a file')
  const bytes = readFileSync(path)
  if (bytes.byteLength > MAX_TEMPLATE_BYTES) throw new Error(`expected at most ${MAX_TEMPLATE_BYTES} bytes`)
  return new TextDecoder().decode(bytes).replaceAll('\r\n', '\n')
}

const faultsOfText = (path: string, text: string): readonly string[] =>
  text.split('\n').flatMap((line, index) => (/[\0\uFFFD]/.test(line) ? [`${path}:${index + 1}: expected UTF-8`] : []))

const faultsOfSubject = (path: string, text: string): readonly string[] => {
  const [first = '', ...more] = text.replace(/\n+$/, '').split('\n')
  if (more.length > 0) return [`${path}:2: a subject has one line`]
  if (isLine(first, { minLength: 1, maxLength: MAX_SUBJECT_CHARACTERS })) return []
  return [`${path}:1: expected a line of 1 to ${MAX_SUBJECT_CHARACTERS} visible characters`]
}

interface Read {
  readonly faults: readonly string[]
  readonly render: RenderTemplate
}

const readTemplate = (path: string, kind: MailKind, part: Part): Read => {
  const { placeholders, needsLink } = MAIL_CONTENTS[kind]
  const text = readText(path)
  const isSubject = part === 'subject'
  // Subjects are logged, so they must not contain a link with a token.
  const names = isSubject ? placeholders.filter((name) => name !== 'link') : placeholders
  const { faults, always, render } = parseTemplate(isSubject ? text.trim() : text, names)
  const lacksLink = needsLink && !isSubject && !always.has('link')
  return {
    faults: [
      ...faultsOfText(path, text),
      ...(isSubject ? faultsOfSubject(path, text) : []),
      ...faults.map(({ line, why }) => `${path}:${line}: ${why}`),
      ...(lacksLink && faults.length === 0
        ? [`${path}:${text.split('\n').length}: ends without {{link}}, which has to stand outside of sections`]
        : []),
    ],
    render: (values) => render(values, part === 'html' ? escapeAnywhere : unescaped),
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

type Parts = Partial<Record<Part, RenderTemplate>>

/** A mail has text and HTML, which are replaced together. */
const faultsOfKind = (folder: string, names: readonly string[], kind: MailKind): readonly string[] => {
  const bodies = [nameOf(kind, 'text'), nameOf(kind, 'html')]
  const missing = bodies.filter((name) => !names.includes(name))
  return missing.length === 1
    ? [`${join(folder, missing.join())}: missing, a mail has both ${bodies.join(' and ')}`]
    : []
}

const templateOf = ({ subject, text, html }: Parts): MailTemplate => ({
  ...(subject && { subject }),
  ...(text && html && { body: { text, html } }),
})

const namesIn = (folder: string): readonly string[] => {
  try {
    return readdirSync(folder)
      .filter((name) => !name.startsWith('.'))
      .toSorted()
  } catch (error) {
    throw new SettingFaults([`${folder}: expected a folder that can be read (${reasonOf(error)})`])
  }
}

/**
 * The templates in a folder. Throws {@link SettingFaults} for a folder that cannot be read, a file that belongs to no
 * mail, and every fault in the other files, with file and line.
 */
export const readMailTemplates = (folder: string): MailTemplates => {
  const names = namesIn(folder)
  const faults: string[] = []
  const found = new Map<MailKind, Parts>()
  for (const name of names) {
    const path = join(folder, name)
    const file = toFile(name)
    if (file === null) {
      faults.push(`${path}: belongs to no mail, expected ${EXPECTED_NAMES}`)
      continue
    }
    const { kind, part } = file
    try {
      const read = readTemplate(path, kind, part)
      faults.push(...read.faults)
      found.set(kind, { ...found.get(kind), [part]: read.render })
    } catch (error) {
      faults.push(`${path}: ${reasonOf(error)}`)
    }
  }
  for (const kind of found.keys()) faults.push(...faultsOfKind(folder, names, kind))
  if (faults.length > 0) throw new SettingFaults(faults)
  return Object.fromEntries([...found].map(([kind, parts]) => [kind, templateOf(parts)]))
}
