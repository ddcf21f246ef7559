import { defaultKeymap, history, historyKeymap } from '@codemirror/commands'
import { json, jsonParseLinter } from '@codemirror/lang-json'
import { bracketMatching, indentOnInput, syntaxHighlighting } from '@codemirror/language'
import { linter, lintGutter, lintKeymap } from '@codemirror/lint'
import { EditorState } from '@codemirror/state'
import { drawSelection, EditorView, keymap, lineNumbers } from '@codemirror/view'
import { editorTheme, highlighting } from './editor-look.ts'
import { createTextSync, typeOver } from './editor-text.ts'

export interface EditorOptions {
  /** A shadow root, to which the editor adds its styles without a `<style>`, which the policy of the page forbids. */
  readonly root: ShadowRoot
  readonly text: string
  readonly label: string
  readonly isReadOnly: boolean
  readonly onChange: (text: string) => void
}

export interface Editor {
  setText(text: string): void
  destroy(): void
}

export const createJsonEditor = ({ root, text, label, isReadOnly, onChange }: EditorOptions): Editor => {
  const parent = document.createElement('div')
  root.append(parent)
  const sync = createTextSync(onChange)
  const view = new EditorView({
    parent,
    root,
    state: EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(),
        history(),
        drawSelection(),
        indentOnInput(),
        bracketMatching(),
        json(),
        linter(jsonParseLinter()),
        lintGutter(),
        syntaxHighlighting(highlighting),
        editorTheme,
        keymap.of([...defaultKeymap, ...historyKeymap, ...lintKeymap]),
        EditorView.lineWrapping,
        EditorState.readOnly.of(isReadOnly),
        EditorView.contentAttributes.of({ 'aria-label': label }),
        sync.extension,
        typeOver,
      ],
    }),
  })
  return {
    setText: (next) => sync.setText(view, next),
    destroy: () => {
      view.destroy()
      parent.remove()
    },
  }
}
