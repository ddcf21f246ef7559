import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'
import { Button, Failure, useFaultFocus } from './ui.tsx'

interface DialogFormProps {
  /** What saving is called. */
  readonly action: string
  readonly saving: { readonly run: () => Promise<void>; readonly isRunning: boolean; readonly error: Error | null }
  /** The pointers of faults that the fields show. */
  readonly shown: readonly string[]
  readonly onClose: () => void
  /** More buttons. */
  readonly buttons?: ComponentChildren
  readonly children: ComponentChildren
}

/** The content of a dialog with fields, and the buttons that save or leave them. */
export const DialogForm = ({ action, saving, shown, onClose, buttons, children }: DialogFormProps) => {
  const id = useId()
  const form = useFaultFocus(saving.error)
  return (
    <>
      <form
        ref={form}
        id={id}
        class="dialog-body"
        noValidate
        onSubmit={(event) => {
          event.preventDefault()
          void saving.run()
        }}
      >
        {children}
      </form>
      <div class="dialog-foot">
        <Failure error={saving.error} shown={shown} />
        {buttons}
        <span class="spread" />
        <Button onClick={onClose}>Cancel</Button>
        <button type="submit" form={id} class="button primary" aria-disabled={saving.isRunning || undefined}>
          {action}
        </button>
      </div>
    </>
  )
}
