import type { ComponentChildren, RefObject } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import { SkepError } from './api.ts'
import { SITE } from './site.ts'

const ICONS = {
  plus: 'M12 5v14M5 12h14',
  close: 'M6 6l12 12M18 6 6 18',
  menu: 'M4 7h16M4 12h16M4 17h16',
  search: 'M11 19a8 8 0 1 1 0-16 8 8 0 0 1 0 16zM21 21l-4.3-4.3',
  collection:
    'M4 6c0-1.7 3.6-3 8-3s8 1.3 8 3-3.6 3-8 3-8-1.3-8-3zM4 6v12c0 1.7 3.6 3 8 3s8-1.3 8-3V6M4 12c0 1.7 3.6 3 8 3s8-1.3 8-3',
  users:
    'M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM2 21c0-4 3-7 7-7s7 3 7 7M16 3.5a4 4 0 0 1 0 7.5M18 14.5c2.4.8 4 3.200 4 6.500',
  file: 'M14 3H7a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V8zM14 3v5h5',
  overview: 'M4 4h7v9H4zM13 4h7v5h-7zM13 11h7v9h-7zM4 15h7v5H4z',
  audit: 'M12 3l8 3v6c0 4.500-3.400 7.500-8 9-4.600-1.500-8-4.500-8-9V6zM9 12l2 2 4-4',
  backup: 'M4 4h16v5H4zM5 9v11h14V9M10 13h4',
  jobs: 'M12 8v4l3 2M12 21a9 9 0 1 1 0-18 9 9 0 0 1 0 18z',
  up: 'M12 19V5M6 11l6-6 6 6',
  down: 'M12 5v14M6 13l6 6 6-6',
  gear: 'M4 6h10M18 6h2M4 12h2M10 12h10M4 18h8M16 18h4M14 6a2 2 0 1 0 4 0 2 2 0 0 0-4 0zM6 12a2 2 0 1 0 4 0 2 2 0 0 0-4 0zM12 18a2 2 0 1 0 4 0 2 2 0 0 0-4 0z',
  download: 'M12 4v11M7 10l5 5 5-5M5 20h14',
  transfer: 'M7 20V5M3 9l4-4 4 4M17 4v15M13 15l4 4 4-4',
  check: 'M5 12.500l4.500 4.500L19 7',
} as const

export type IconName = keyof typeof ICONS

/** A picture beside a text that says the same. */
export const Icon = ({ name }: { name: IconName }) => (
  <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
    <path d={ICONS[name]} />
  </svg>
)

export const Mark = () => <img class="mark" src={`${SITE.base}/site/icon.svg`} alt="" />

interface ButtonProps {
  readonly kind?: 'primary' | 'danger' | 'plain' | 'quiet'
  readonly type?: 'submit' | 'button'
  readonly isBusy?: boolean
  readonly disabled?: boolean
  readonly icon?: IconName
  readonly 'aria-label'?: string
  readonly onClick?: () => void
  readonly children?: ComponentChildren
}

/** A busy button stays in place and keeps the focus. */
export const Button = ({ kind = 'plain', type = 'button', isBusy = false, icon, children, ...rest }: ButtonProps) => (
  <button {...rest} type={type} class={`button ${kind}`} aria-disabled={isBusy || undefined}>
    {icon !== undefined && <Icon name={icon} />}
    {children}
  </button>
)

/** The faults that no field on the page shows. */
const unshown = (error: Error, shown: readonly string[]): readonly string[] =>
  error instanceof SkepError
    ? error.errors
        .filter(({ pointer }) => !shown.includes(pointer))
        .map(({ pointer, detail }) =>
          pointer === '' ? detail : `${pointer.slice(1).replaceAll('/', ' › ')}: ${detail}`,
        )
        .filter((text) => text !== error.message)
    : []

interface FailureProps {
  readonly error: Error | null
  /** The pointers of faults that the page shows at their fields. */
  readonly shown?: readonly string[]
  /** Offered where the same request may succeed later. */
  readonly onRetry?: () => void
}

const mayPass = (error: Error): boolean =>
  !(error instanceof SkepError) || error.status === 0 || error.status === 429 || error.status >= 500

/** The server's own message. */
export const Failure = ({ error, shown = [], onRetry }: FailureProps) => {
  const details = error === null ? [] : unshown(error, shown)
  return (
    <div role="alert" class="failure-place">
      {error !== null && (
        <div class="message error">
          <p>{error.message}</p>
          {details.length > 0 && (
            <ul>
              {details.map((detail) => (
                <li key={detail}>{detail}</li>
              ))}
            </ul>
          )}
          {onRetry !== undefined && mayPass(error) && <Button onClick={onRetry}>Try again</Button>}
        </div>
      )}
    </div>
  )
}

/** The faults of a field, from the server. */
export const faultsAt = (error: Error | null, pointer: string): string | null => {
  if (!(error instanceof SkepError)) return null
  const own = error.errors.filter((fault) => fault.pointer === pointer || fault.pointer.startsWith(`${pointer}/`))
  if (own.length === 0) return null
  return own
    .map((fault) =>
      fault.pointer === pointer ? fault.detail : `${fault.pointer.slice(pointer.length)}: ${fault.detail}`,
    )
    .join('. ')
}

export interface FieldControl {
  readonly id: string
  readonly 'aria-describedby': string | undefined
  readonly 'aria-invalid': true | undefined
  readonly 'aria-required': true | undefined
}

interface FieldProps {
  readonly label: string
  readonly hint?: string | undefined
  readonly fault?: string | null
  readonly required?: boolean
  readonly children: (control: FieldControl) => ComponentChildren
}

/** A label, a control, what is expected, and what is wrong. */
export const Field = ({ label, hint, fault = null, required = false, children }: FieldProps) => {
  const id = useId()
  const about = [hint === undefined ? '' : `${id}-hint`, fault === null ? '' : `${id}-fault`].filter(
    (each) => each !== '',
  )
  return (
    <div class="field">
      <label for={id}>
        {label}
        {!required && <span class="optional">optional</span>}
      </label>
      {children({
        id,
        'aria-describedby': about.length === 0 ? undefined : about.join(' '),
        'aria-invalid': fault === null ? undefined : true,
        'aria-required': required || undefined,
      })}
      {fault !== null && (
        <p class="fault" id={`${id}-fault`}>
          {fault}
        </p>
      )}
      {hint !== undefined && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  )
}

/** Moves the focus to the first field with a fault after `error` has changed. */
export const useFaultFocus = (error: Error | null) => {
  const form = useRef<HTMLFormElement>(null)
  useEffect(() => {
    if (error === null) return
    const first = form.current?.querySelector('[aria-invalid="true"]')
    if (first instanceof HTMLElement) first.focus()
  }, [error])
  return form
}

interface ScrolledProps {
  readonly label: string
  readonly isLoading?: boolean
  readonly scroller?: RefObject<HTMLElement | null>
  readonly children: ComponentChildren
}

/** A table that may be wider than the page, or longer. */
export const Scrolled = ({ label, isLoading = false, scroller, children }: ScrolledProps) => (
  // biome-ignore lint/a11y/noNoninteractiveTabindex: otherwise it could not be scrolled by keyboard
  <section ref={scroller ?? null} class="card table-scroll" aria-label={label} tabIndex={0} aria-busy={isLoading}>
    {children}
  </section>
)

interface EmptyProps {
  readonly icon: IconName
  readonly title: string
  readonly children?: ComponentChildren
}

/** Stands where a list would be. */
export const Empty = ({ icon, title, children }: EmptyProps) => (
  <div class="empty">
    <Icon name={icon} />
    <h2>{title}</h2>
    {children}
  </div>
)

export const Loading = ({ label = 'Loading…' }: { label?: string }) => (
  <p class="loading" role="status">
    <span class="spinner" aria-hidden="true" />
    {label}
  </p>
)

const TIME = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

/** A time of the server, in the reader's zone. */
export const Time = ({ value }: { value: string }) => {
  const time = new Date(value)
  return (
    <time dateTime={value} title={value}>
      {Number.isNaN(time.getTime()) ? value : TIME.format(time)}
    </time>
  )
}

const COUNT = new Intl.NumberFormat()
export const count = (value: number): string => COUNT.format(value)

const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB'] as const

export const bytes = (value: number): string => {
  const step = value < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(value) / 3))
  const scaled = value / 1_000 ** step
  return `${scaled < 10 && step > 0 ? scaled.toFixed(1) : Math.round(scaled)} ${UNITS[step]}`
}
