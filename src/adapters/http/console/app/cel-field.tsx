import { useEffect, useRef, useState } from 'preact/hooks'
import { SkepError } from './api.ts'
import type { CelEditor, CelFault } from './cel-editor.ts'
import type { CelNames } from './cel-names.ts'

/** The faults of the expression at a pointer, as the server states them. */
export const celFaultsAt = (error: Error | null, pointer: string): readonly CelFault[] => {
  if (!(error instanceof SkepError)) return []
  return error.errors.flatMap((fault) => {
    const [, detail, position] = /^(.*), at position (\d+)$/s.exec(fault.detail) ?? []
    return fault.pointer === pointer && detail !== undefined ? [{ detail, position: Number(position) }] : []
  })
}

interface Props {
  readonly label: string
  readonly value: string
  readonly placeholder: string
  readonly names: CelNames
  readonly faults: readonly CelFault[]
  readonly isReadOnly?: boolean
  /** Whether it is a single line, which Enter applies. */
  readonly isOneLine?: boolean
  /** Whether the editor is loaded at once, and not when the field gets the focus. */
  readonly isEager?: boolean
  readonly onChange: (value: string) => void
  readonly onEnter?: () => void
  readonly onBlur?: () => void
}

/** Loads the editor in place of a text field. */
const useCelEditor = (props: Props) => {
  const { label, value, faults, isReadOnly = false, isOneLine = false } = props
  const host = useRef<HTMLDivElement>(null)
  const field = useRef<HTMLTextAreaElement>(null)
  const editor = useRef<CelEditor | null>(null)
  const latest = useRef(props)
  latest.current = props
  const [isWanted, setWanted] = useState(props.isEager ?? false)
  const [isReady, setReady] = useState(false)
  useEffect(() => {
    if (!isWanted) return
    let isOver = false
    const open = async () => {
      const { createCelEditor } = await import('./cel-editor.ts')
      if (isOver || host.current === null) return
      const typed = field.current
      const hasFocus = typed !== null && document.activeElement === typed
      editor.current = createCelEditor({
        root: host.current.shadowRoot ?? host.current.attachShadow({ mode: 'open' }),
        label,
        text: latest.current.value,
        placeholder: latest.current.placeholder,
        isReadOnly,
        isOneLine,
        selection: [typed?.selectionStart ?? 0, typed?.selectionEnd ?? 0],
        names: () => latest.current.names,
        onChange: (next) => latest.current.onChange(next),
        onEnter: () => latest.current.onEnter?.(),
        onBlur: () => latest.current.onBlur?.(),
      })
      editor.current.setFaults(latest.current.faults)
      // Before the text field goes, so that the focus is never lost.
      setReady(true)
      if (hasFocus) editor.current.focus()
    }
    // Without the editor, the text field stays.
    open().catch(() => {})
    return () => {
      isOver = true
      editor.current?.destroy()
      editor.current = null
      setReady(false)
    }
  }, [isWanted, label, isReadOnly, isOneLine])
  useEffect(() => editor.current?.setText(value), [value])
  const shown = JSON.stringify(faults)
  useEffect(() => editor.current?.setFaults(latest.current.faults), [shown, isReady])
  return { host, field, isReady, want: () => setWanted(true) }
}

/** An expression in CEL: a text field that becomes an editor once that has been loaded. */
export const CelField = (props: Props) => {
  const { label, value, placeholder, faults, isReadOnly = false, isOneLine = false } = props
  const { host, field, isReady, want } = useCelEditor(props)
  return (
    <div class="cel" data-invalid={faults.length > 0 || undefined}>
      {!isReady && (
        <textarea
          ref={field}
          class="code"
          aria-label={label}
          aria-invalid={faults.length > 0 || undefined}
          rows={1}
          spellcheck={false}
          autocapitalize="none"
          placeholder={placeholder}
          readOnly={isReadOnly}
          value={value}
          onFocus={want}
          onInput={({ currentTarget }) => props.onChange(currentTarget.value)}
          // Not when the editor takes its place.
          onBlur={({ relatedTarget }) => relatedTarget !== host.current && props.onBlur?.()}
          onKeyDown={(event) => {
            if (!isOneLine || event.key !== 'Enter') return
            event.preventDefault()
            props.onEnter?.()
          }}
        />
      )}
      <div ref={host} class="cel-host" />
    </div>
  )
}
