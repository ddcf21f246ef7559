import { autocompletion, type CompletionContext, type CompletionResult } from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands'
import { bracketMatching, StreamLanguage, type StringStream, syntaxHighlighting } from '@codemirror/language'
import { setDiagnostics } from '@codemirror/lint'
import { Compartment, EditorState, type Extension } from '@codemirror/state'
import { drawSelection, EditorView, keymap, placeholder } from '@codemirror/view'
import type { CelNames } from './cel-names.ts'
import type { EditorOptions } from './editor.ts'
import { editorTheme, highlighting } from './editor-look.ts'
import { createTextSync, typeOver } from './editor-text.ts'

/** A fault of an expression. Its position counts characters, as the server does. */
export interface CelFault {
  readonly position: number
  readonly detail: string
}

/** Keys that come sooner after names are offered are meant for the text. */
const MIN_READING_MS = 75

const WORDS: Readonly<Record<string, string>> = { true: 'bool', false: 'bool', null: 'null', in: 'keyword' }
const VARIABLES = ['auth', 'record', 'next', 'now']

const token = (stream: StringStream): string | null => {
  if (stream.eatSpace()) return null
  if (stream.match(/^[rR]?"(?:\\.|[^"\\])*"?/) || stream.match(/^[rR]?'(?:\\.|[^'\\])*'?/)) return 'string'
  if (stream.match(/^\d[\w.]*/)) return 'number'
  const word = stream.match(/^[A-Za-z_]\w*/)
  if (word === null || typeof word === 'boolean') {
    stream.next()
    return null
  }
  const [name] = word
  if (WORDS[name] !== undefined) return WORDS[name]
  if (stream.match(/^\s*\(/, false)) return 'variableName.function'
  return VARIABLES.includes(name) ? 'variableName.special' : 'variableName'
}

const cel = StreamLanguage.define({
  name: 'cel',
  token,
  languageData: { closeBrackets: { brackets: ['(', '[', '"'] } },
})

/** Offers the names that can follow what was typed. */
const completeFrom =
  (names: () => CelNames) =>
  ({ state, pos, explicit }: CompletionContext): CompletionResult | null => {
    const before = state.sliceDoc(Math.max(0, pos - 200), pos)
    // No names inside a text.
    if (before.replaceAll(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/g, '').match(/["']/)) return null
    const [typed = ''] = /[\w.]*$/.exec(before) ?? []
    const path = typed.split('.')
    const word = path.pop() ?? ''
    if (/^\d/.test(typed) || (typed === '' && !explicit)) return null
    const options = names()(path).map(({ label, detail }) => ({ label, detail: ` ${detail}` }))
    return { from: pos - word.length, options, validFor: /^\w*$/ }
  }

/** Keeps an expression on one line, whatever is pasted. */
const oneLine = EditorState.transactionFilter.of((transaction) =>
  transaction.newDoc.lines === 1
    ? transaction
    : [
        transaction,
        {
          changes: {
            from: 0,
            to: transaction.newDoc.length,
            insert: transaction.newDoc.toString().replaceAll('\n', ' '),
          },
          sequential: true,
        },
      ],
)

/** The index in UTF-16 of a position in characters. */
const indexOf = (text: string, position: number): number => Array.from(text).slice(0, position).join('').length

/** The word at a fault, or one character. */
const rangeOf = (text: string, position: number): { from: number; to: number } => {
  const at = indexOf(text, position)
  const [word = ''] = /^\w+/.exec(text.slice(at)) ?? []
  const from = Math.min(at, Math.max(0, text.length - 1))
  return { from, to: Math.min(text.length, Math.max(at + word.length, from + 1)) }
}

interface CelEditorOptions extends EditorOptions {
  readonly placeholder: string
  readonly isOneLine: boolean
  /** What can be typed now. */
  readonly names: () => CelNames
  /** The selection to begin with. */
  readonly selection: readonly [anchor: number, head: number]
  readonly onEnter: () => void
  readonly onBlur: () => void
}

const entersWith = (onEnter: () => void): Extension => {
  const run = () => {
    onEnter()
    return true
  }
  return keymap.of([{ key: 'Enter', run }])
}

const extensionsOf = (options: CelEditorOptions): Extension => [
  history(),
  drawSelection(),
  bracketMatching(),
  cel,
  syntaxHighlighting(highlighting),
  editorTheme,
  autocompletion({
    override: [completeFrom(options.names)],
    icons: false,
    selectOnOpen: !options.isOneLine,
    interactionDelay: options.isOneLine ? 0 : MIN_READING_MS,
  }),
  options.isOneLine ? [oneLine, entersWith(options.onEnter)] : [],
  keymap.of([...defaultKeymap, ...historyKeymap]),
  EditorView.lineWrapping,
  placeholder(options.placeholder),
  EditorState.readOnly.of(options.isReadOnly),
  EditorView.domEventHandlers({ blur: () => options.onBlur() }),
]

/** An editor for an expression in CEL. */
export const createCelEditor = (options: CelEditorOptions) => {
  const { root, text, label } = options
  const parent = document.createElement('div')
  root.append(parent)
  const about = new Compartment()
  const attributesOf = (faults: readonly CelFault[]) => {
    const described = faults.map(({ detail }) => detail).join('. ')
    const invalid = described === '' ? {} : { 'aria-invalid': 'true', 'aria-description': described }
    return EditorView.contentAttributes.of({ 'aria-label': label, spellcheck: 'false', ...invalid })
  }
  const sync = createTextSync(options.onChange)
  const [anchor, head] = options.selection
  const view = new EditorView({
    parent,
    root,
    state: EditorState.create({
      doc: text,
      selection: { anchor: Math.min(anchor, text.length), head: Math.min(head, text.length) },
      extensions: [extensionsOf(options), sync.extension, typeOver, about.of(attributesOf([]))],
    }),
  })
  const textNow = () => view.state.doc.toString()
  return {
    focus: () => view.focus(),
    setText: (next: string) => sync.setText(view, next),
    setFaults: (faults: readonly CelFault[]) => {
      const diagnostics = faults.map(({ position, detail }) => ({
        ...rangeOf(textNow(), position),
        severity: 'error' as const,
        message: detail,
      }))
      view.dispatch({ effects: about.reconfigure(attributesOf(faults)) })
      view.dispatch(setDiagnostics(view.state, diagnostics))
    },
    destroy: () => {
      view.destroy()
      parent.remove()
    },
  }
}

export type CelEditor = ReturnType<typeof createCelEditor>
