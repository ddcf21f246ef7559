import { useEffect, useRef, useState } from 'preact/hooks'
import type { Editor } from './editor.ts'
import { Loading } from './ui.tsx'

interface Props {
  readonly text: string
  readonly label: string
  readonly isReadOnly?: boolean
  readonly onChange: (text: string) => void
}

/** An editor for JSON, which is loaded when the first one is shown. Tab leaves it. */
export const JsonEditor = ({ text, label, isReadOnly = false, onChange }: Props) => {
  const host = useRef<HTMLDivElement>(null)
  const editor = useRef<Editor | null>(null)
  const latest = useRef({ text, onChange })
  latest.current = { text, onChange }
  const [isLoading, setLoading] = useState(true)
  useEffect(() => {
    let isOver = false
    const open = async () => {
      const { createJsonEditor } = await import('./editor.ts')
      const element = host.current
      if (isOver || element === null) return
      editor.current = createJsonEditor({
        root: element.shadowRoot ?? element.attachShadow({ mode: 'open' }),
        text: latest.current.text,
        label,
        isReadOnly,
        onChange: (next) => latest.current.onChange(next),
      })
      setLoading(false)
    }
    void open()
    return () => {
      isOver = true
      editor.current?.destroy()
      editor.current = null
    }
  }, [label, isReadOnly])
  useEffect(() => editor.current?.setText(text), [text])
  return (
    <div class="editor">
      {isLoading && <Loading />}
      <div ref={host} />
    </div>
  )
}
