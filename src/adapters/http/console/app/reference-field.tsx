import { useEffect, useId, useRef, useState } from 'preact/hooks'
import { client } from './api.ts'
import { useSession } from './context.ts'
import { useAction } from './loading.ts'
import { createOffer, NOTHING_OFFERED, type Offer } from './offer.ts'
import { Picture } from './picture.tsx'
import { findTarget, searchTarget } from './records.ts'
import type { Choice } from './types.ts'
import { type FieldControl, Icon } from './ui.tsx'
import { UploadButton } from './upload-button.tsx'

interface Props {
  readonly control: FieldControl
  readonly target: string
  readonly isList: boolean
  readonly ids: readonly number[]
  readonly onChange: (ids: readonly number[]) => void
}

const SEARCH_DELAY_MS = 150

const Chosen = ({ target, id, onRemove }: { target: string; id: number; onRemove: () => void }) => {
  const { collections } = useSession()
  const definition = collections.data?.find(({ name }) => name === target)
  const [choice, setChoice] = useState<Choice | null>(null)
  // A definition that is read again names its records as before.
  useEffect(() => {
    findTarget(target, id, definition).then(setChoice, () => setChoice(null))
  }, [target, id])
  const label = choice?.label ?? `#${id}`
  return (
    <li class="chip">
      {target === 'files' && <Picture id={id} />}
      <bdi>{label}</bdi>
      <button type="button" aria-label={`Remove ${label}`} onClick={onRemove}>
        <Icon name="close" />
      </button>
    </li>
  )
}

const Upload = ({ onUploaded }: { onUploaded: (id: number) => void }) => {
  const { run, isRunning, error } = useAction(async (file: File) => onUploaded((await client.files.upload(file)).id))
  return (
    <div class="upload">
      <UploadButton kind="plain" isBusy={isRunning} onPicked={(file) => void run(file)} />
      {error !== null && <p class="fault">{error.message}</p>}
    </div>
  )
}

/** What is found for a text, and more of it on demand. */
const useChoices = (target: string, text: string, isOpen: boolean) => {
  const { collections } = useSession()
  const definition = collections.data?.find(({ name }) => name === target)
  const [found, setFound] = useState(NOTHING_OFFERED)
  const current = useRef<Offer | null>(null)
  // A definition that is read again is searched as before.
  useEffect(() => {
    if (!isOpen) return
    const query = { target, text: text.trim(), definition }
    const offer = createOffer({
      search: (after, isWanted) => searchTarget(query, after, isWanted),
      onChange: setFound,
    })
    const timer = setTimeout(() => {
      current.current = offer
      void offer.begin()
    }, SEARCH_DELAY_MS)
    return () => {
      clearTimeout(timer)
      offer.stop()
      current.current = null
    }
  }, [target, text, isOpen])
  const readMore = () => void current.current?.readMore()
  return { choices: found.choices, hasMore: found.next !== null, readMore }
}

/** How near to the end of the list more is read. */
const MARGIN_PX = 80

interface SearchProps extends Props {
  readonly onChoose: (id: number) => void
}

/** A combobox (https://www.w3.org/WAI/ARIA/apg/patterns/combobox/) over what the reference may lead to. */
const Search = ({ control, target, ids, onChoose }: SearchProps) => {
  const list = useId()
  const [text, setText] = useState('')
  const [isOpen, setOpen] = useState(false)
  const { choices, hasMore, readMore } = useChoices(target, text, isOpen)
  const [position, setPosition] = useState(0)
  const offered = choices.filter(({ id }) => !ids.includes(id))
  const active = Math.min(position, Math.max(0, offered.length - 1))
  const options = useRef<HTMLDivElement>(null)
  useEffect(() => setPosition(0), [text, isOpen])
  useEffect(() => options.current?.children[active]?.scrollIntoView({ block: 'nearest' }), [active])
  const move = (step: number) => {
    setOpen(true)
    const next = active + step
    if (next >= offered.length - 1) readMore()
    const isEnd = next === offered.length && hasMore
    if (!isEnd) setPosition((next + offered.length) % Math.max(1, offered.length))
  }
  const choose = (choice: Choice | undefined) => {
    if (choice === undefined) return
    setText('')
    setOpen(false)
    onChoose(choice.id)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault()
      move(event.key === 'ArrowDown' ? 1 : -1)
    } else if (event.key === 'Enter' && isOpen) {
      event.preventDefault()
      choose(offered[active])
    } else if (event.key === 'Escape' && isOpen) {
      // Otherwise it would close the dialog.
      event.preventDefault()
      event.stopPropagation()
      setOpen(false)
    }
  }
  return (
    <div class="combobox">
      <input
        {...control}
        role="combobox"
        aria-expanded={isOpen}
        aria-controls={list}
        aria-autocomplete="list"
        aria-activedescendant={isOpen && offered.length > 0 ? `${list}-${active}` : undefined}
        autocomplete="off"
        value={text}
        placeholder={`Find in ${target}`}
        onFocus={() => setOpen(true)}
        onClick={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onInput={({ currentTarget }) => {
          setText(currentTarget.value)
          setOpen(true)
        }}
        onKeyDown={onKeyDown}
      />
      <div
        ref={options}
        class="options"
        role="listbox"
        id={list}
        aria-label={target}
        hidden={!isOpen || offered.length === 0}
        onScroll={({ currentTarget: { scrollTop, clientHeight, scrollHeight } }) => {
          if (scrollTop + clientHeight > scrollHeight - MARGIN_PX) readMore()
        }}
      >
        {offered.map((choice, index) => (
          // biome-ignore lint/a11y/useFocusableInteractive: the focus stays in the input, as the pattern says
          // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the input
          <div
            key={choice.id}
            id={`${list}-${index}`}
            role="option"
            aria-selected={index === active}
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => choose(choice)}
          >
            {target === 'files' && <Picture id={choice.id} />}
            <bdi>{choice.label}</bdi>
            <span class="quiet">{choice.hint}</span>
          </div>
        ))}
      </div>
    </div>
  )
}

/** References, picked by name. */
export const ReferenceField = (props: Props) => {
  const { target, isList, ids, onChange } = props
  const add = (id: number) => onChange(isList ? [...ids, id] : [id])
  const isFull = !isList && ids.length > 0
  return (
    <div class="reference">
      {ids.length > 0 && (
        <ul class="chips">
          {ids.map((id) => (
            <Chosen key={id} target={target} id={id} onRemove={() => onChange(ids.filter((each) => each !== id))} />
          ))}
        </ul>
      )}
      {!isFull && <Search {...props} onChoose={add} />}
      {!isFull && target === 'files' && <Upload onUploaded={add} />}
    </div>
  )
}
