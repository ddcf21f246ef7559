import { Annotation } from '@codemirror/state'
import { EditorView } from '@codemirror/view'

const isFromOutside = Annotation.define<true>()

/**
 * Keeps the text of an editor and the value that its owner has for it equal. The owner may learn of a text when more has
 * been typed already, and then hands back a value that the editor itself has told: that one is ignored.
 */
export const createTextSync = (onChange: (text: string) => void) => {
  let told: string[] = []
  return {
    extension: EditorView.updateListener.of(({ docChanged, transactions, state }) => {
      if (!docChanged || transactions.some((transaction) => transaction.annotation(isFromOutside))) return
      const text = state.doc.toString()
      told.push(text)
      onChange(text)
    }),
    setText(view: EditorView, text: string): void {
      const known = told.lastIndexOf(text)
      told = told.slice(known + 1)
      if (known !== -1 || text === view.state.doc.toString()) return
      told = []
      view.dispatch({
        changes: { from: 0, to: view.state.doc.length, insert: text },
        annotations: isFromOutside.of(true),
      })
    },
  }
}

/** What the browser has selected in a shadow root, for which Chromium has no target ranges of an event. */
const selectedIn = ({ root }: EditorView): StaticRange | undefined => {
  if (!(root instanceof ShadowRoot)) return undefined
  // Browsers from before 2025 lack it.
  return document.getSelection()?.getComposedRanges?.({ shadowRoots: [root] })[0]
}

/** What typing would replace. The editor learns of a selection by an event, which may still be to come. */
const replacedBy = (event: InputEvent, view: EditorView): { readonly from: number; readonly to: number } => {
  const range = event.getTargetRanges()[0] ?? selectedIn(view)
  const isInside = view.contentDOM.contains(range?.startContainer ?? null)
  if (range === undefined || !isInside) return view.state.selection.main
  return {
    from: view.posAtDOM(range.startContainer, range.startOffset),
    to: view.posAtDOM(range.endContainer, range.endOffset),
  }
}

/**
 * Replaces what is selected by what is typed. Left to the browser, the new text would get the look of the old one in an
 * inline style, which the policy of the page refuses with an error.
 */
export const typeOver = EditorView.domEventHandlers({
  beforeinput: (event, view) => {
    const { inputType, data, isComposing } = event
    if (inputType !== 'insertText' || data === null || isComposing) return false
    const { from, to } = replacedBy(event, view)
    if (from === to) return false
    event.preventDefault()
    if (view.state.readOnly) return true
    const { main } = view.state.selection
    if (from !== main.from || to !== main.to) view.dispatch({ selection: { anchor: from, head: to } })
    view.dispatch(view.state.replaceSelection(data), { userEvent: 'input.type', scrollIntoView: true })
    return true
  },
})
