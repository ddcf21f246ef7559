import { expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { readSettings } from '../../../src/adapters/env/settings.ts'
import { parseTemplate } from '../../../src/adapters/env/template.ts'
import { escapeHtml, MAIL_CONTENTS, writeMail } from '../../../src/application/mail-templates.ts'
import type { MailRequest } from '../../../src/domain/mail.ts'
import { settingsOf, temporaryFolder } from '../../support/skep.ts'

type Files = Readonly<Record<string, string | Uint8Array>>

const folderWith = (files: Files): string => {
  const folder = temporaryFolder()
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  return folder
}

/** What is said at start, with the folder left out. */
const faultsOf = (files: Files): readonly string[] => {
  const folder = folderWith(files)
  const result = readSettings({ MAIL_TEMPLATES: folder }, {}, false)
  return 'problems' in result ? result.problems.map((line) => line.replaceAll(`${folder}/`, '')) : []
}

const written = (files: Files, request: MailRequest) => {
  const templates = settingsOf({ MAIL_TEMPLATES: folderWith(files) }).MAIL_TEMPLATES
  const app = { appName: 'Acme & Sons', appUrl: 'https://acme.example', templates }
  return writeMail(request, { id: 'job-1', messageId: 'm' }, app, 'abc')
}

const RESET = { template: 'reset', to: 'a@b.c', name: 'Ann', nonce: 'n' } as const
const WELCOME = { template: 'welcome', to: 'a@b.c', nonce: 'n' } as const

test('a template replaces the built-in text, and other mails keep theirs', () => {
  const files = {
    'reset.subject.txt': 'Neues Passwort für {{app_name}}\n',
    'reset.txt': 'Hallo{{#name}} {{name}}{{/name}}{{^name}} du{{/name}},\r\n\r\n{{ link }}\r\n',
    'reset.html': '<p title="{{name}}">Hallo {{name}}</p><a href="{{link}}">Weiter zu {{app_name}}</a>',
  }
  expect(written(files, RESET)).toMatchObject({
    subject: 'Neues Passwort für Acme & Sons',
    text: 'Hallo Ann,\n\nhttps://acme.example/reset-password#token=abc\n',
    html: '<p title="Ann">Hallo Ann</p><a href="https://acme.example/reset-password#token=abc">Weiter zu Acme&#32;&amp;&#32;Sons</a>',
  })
  expect(written(files, { ...RESET, name: null }).text).toStartWith('Hallo du,')
  expect(written(files, WELCOME).subject).toBe('Welcome to Acme & Sons')
})

test('the example of the documentation is one', async () => {
  const page = await Bun.file(join(import.meta.dir, '../../../docs/mail.md')).text()
  const blocks = page.matchAll(/^`(reset\.[\w.]+)`\n\n```\w*\n([\s\S]*?)^```$/gm)
  const files = Object.fromEntries([...blocks].map(([, name = '', content = '']) => [name, content]))
  expect(Object.keys(files)).toEqual(['reset.subject.txt', 'reset.txt', 'reset.html'])
  const { subject, text, html } = written(files, RESET)
  expect(subject).toBe('Neues Passwort für Acme & Sons')
  expect(text).toStartWith('Hallo Ann,\n')
  expect(html).toContain('<p>Hallo Ann,</p>')
})

test('a subject alone may be replaced', () => {
  const mail = written({ 'welcome.subject.txt': 'Hi from {{app_name}}' }, WELCOME)
  expect(mail.subject).toBe('Hi from Acme & Sons')
  expect(mail.text).toContain('https://acme.example/verify-email#token=abc')
})

test.each([
  ['reset.txt', 'Hi\n\n{{nmae}} {{link}}', 'reset.txt:3: unknown placeholder {{nmae}}'],
  ['reset.txt', '{{link}}\n{{#name}}\nHi {{name}}', 'reset.txt:2: the section of name is never closed'],
  ['reset.txt', '{{link}}\n\n{{/name}}', 'reset.txt:3: {{/name}} closes no section'],
  ['reset.txt', '{{link}}\n{{#name}}{{#app_url}}{{/name}}{{/app_url}}', 'reset.txt:2: {{/name}} closes no section'],
  ['reset.txt', '{{link}}\r\n{{ name }', 'reset.txt:2: "{{" begins no placeholder'],
  ['reset.txt', '{{{link}}}', 'reset.txt:1: "{{" begins no placeholder'],
  ['reset.txt', '{{link}}\n{{> header}}', 'reset.txt:2: "{{" begins no placeholder'],
  ['reset.txt', 'Hi\nno link', 'reset.txt:2: ends without {{link}}'],
  ['reset.txt', '{{#name}}{{link}}{{/name}}', 'reset.txt:1: ends without {{link}}'],
  ['reset.subject.txt', 'one\ntwo', 'reset.subject.txt:2: a subject has one line'],
  ['reset.subject.txt', ' \n', 'reset.subject.txt:1: expected a line'],
  ['reset.subject.txt', 'New {{link}}', 'reset.subject.txt:1: unknown placeholder {{link}}'],
  ['reset.subject.txt', 'New\u0007', 'reset.subject.txt:1: expected a line'],
  ['reset.txt', new Uint8Array([0x61, 0x0a, 0xff]), 'reset.txt:2: expected UTF-8'],
  ['reset.txt', 'x'.repeat(102_401), 'reset.txt: expected at most 102400 bytes'],
  ['rest.txt', '{{link}}', 'rest.txt: belongs to no mail, expected KIND.subject.txt'],
  ['reset.htm', '{{link}}', 'reset.htm: belongs to no mail'],
  ['reset', '{{link}}', 'reset: belongs to no mail'],
  ['toString.txt', '{{link}}', 'toString.txt: belongs to no mail'],
  ['welcome.txt', '{{link}} {{name}}', 'welcome.txt:1: unknown placeholder {{name}}'],
  ['verify.html', '{{link}} {{new_email}}', 'verify.html:1: unknown placeholder {{new_email}}'],
])('a fault in %s is reported with its file and line: %p', (name, content, expected) => {
  expect(faultsOf({ 'reset.html': '{{link}}', [name]: content }).join('\n')).toContain(`MAIL_TEMPLATES: ${expected}`)
})

test('every fault of every file is reported', () => {
  expect(faultsOf({ 'reset.txt': '{{a}}\n{{b}}', 'welcome.subject.txt': '{{c}}' })).toEqual([
    expect.stringMatching(/^MAIL_TEMPLATES: reset.txt:1: unknown placeholder {{a}}, expected one of app_name, /),
    expect.stringMatching(/^MAIL_TEMPLATES: reset.txt:2: unknown placeholder {{b}}/),
    expect.stringMatching(/^MAIL_TEMPLATES: welcome.subject.txt:1: unknown placeholder {{c}}/),
    'MAIL_TEMPLATES: reset.html: missing, a mail has both reset.txt and reset.html',
  ])
})

test('a folder that does not exist, and a folder in the place of a file, are reported', () => {
  const folder = folderWith({ file: '' })
  const result = readSettings({ MAIL_TEMPLATES: join(folder, 'gone') }, {}, false)
  expect('problems' in result && result.problems).toEqual([
    expect.stringContaining('expected a folder that can be read'),
  ])
  mkdirSync(join(folder, 'reset.txt'))
  const other = readSettings({ MAIL_TEMPLATES: folder }, {}, false)
  expect('problems' in other && other.problems.join('\n')).toContain('reset.txt: expected a file')
})

test('hidden files are left alone: mounted folders have some', () => {
  expect(faultsOf({ '.DS_Store': 'x', '..data': 'y' })).toEqual([])
})

test('mail to an unverified address contains no user-supplied text', () => {
  for (const kind of ['welcome', 'verify'] as const) {
    expect(MAIL_CONTENTS[kind].placeholders).not.toContainAnyValues(['name', 'new_email'])
  }
  const files = { 'reset.txt': '[{{name}}]{{link}}', 'reset.html': '[{{name}}]{{link}}' }
  expect(written(files, { ...RESET, name: null }).html).toStartWith('[]https://')
})

test('no name becomes markup, whether its attribute has quotes or not', () => {
  const files = { 'reset.txt': '{{link}}', 'reset.html': '<p title={{name}}>{{link}}' }
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (name) => {
      const { html } = written(files, { ...RESET, name })
      const value = html.slice('<p title='.length, html.lastIndexOf('>'))
      expect(value).not.toMatch(/[\s"'`<>]/)
    }),
    { numRuns: 50 },
  )
})

test('text without placeholders is shown as it is', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      fc.pre(!text.includes('{{'))
      const { faults, render } = parseTemplate(text, ['link'])
      expect(faults).toEqual([])
      expect(render({ link: 'x' }, escapeHtml)).toBe(text)
    }),
  )
})
