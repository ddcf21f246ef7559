import { useMemo, useRef, useState } from 'preact/hooks'
import { useSession } from './context.ts'
import { Button } from './ui.tsx'

/** What was typed and not saved. */
export interface Kept<T> {
  /** The version of the server's state that it changes; null if it is new. */
  readonly base: string | null
  readonly draft: T
}

/** Another number for another form of what is kept: the page may be newer than what its tab has kept. */
const PREFIX = 'skep-draft-1 '

/** A longer draft is not kept. */
const MAX_KEPT_CHARACTERS = 262_144

/** Storage may be forbidden or full: then nothing is kept. */
const tryTo = <T,>(use: (storage: Storage) => T): T | null => {
  try {
    return use(sessionStorage)
  } catch {
    return null
  }
}

const read = <T,>(key: string): Kept<T> | null => tryTo((storage) => JSON.parse(storage.getItem(key) ?? 'null'))

const remove = (key: string): void => {
  tryTo((storage) => storage.removeItem(key))
}

const write = (key: string, kept: Kept<unknown>): void => {
  const text = JSON.stringify(kept)
  // An earlier state of the draft must not be offered as the latest one.
  remove(key)
  if (text.length <= MAX_KEPT_CHARACTERS) tryTo((storage) => storage.setItem(key, text))
}

const ownPrefix = (userId: number): string => `${PREFIX}${userId} `

/** Removes the drafts of everyone, or of everyone else. */
export const forgetDrafts = (exceptUserId: number | null = null): void => {
  const kept = tryTo((storage) => Object.keys(storage)) ?? []
  for (const key of kept) {
    if (!key.startsWith(PREFIX)) continue
    if (exceptUserId === null || !key.startsWith(ownPrefix(exceptUserId))) remove(key)
  }
}

export interface KeptDraft<T> {
  /** What was kept before this form was opened, until it is taken or discarded. */
  readonly offered: Kept<T> | null
  readonly take: () => void
  readonly discard: () => void
  /** Keeps what is typed now; null if nothing differs from what the server has. */
  readonly keep: (kept: Kept<T> | null) => void
  /** Called when what was typed here was saved, or is not wanted. */
  readonly forget: () => void
}

/** Keeps a draft in this tab until it is saved or discarded, so that it outlives the session. */
export const useKeptDraft = <T,>(subject: string): KeptDraft<T> => {
  const { user } = useSession()
  const key = `${ownPrefix(user.id)}${subject}`
  const [offered, setOffered] = useState(() => read<T>(key))
  /** Whether what is kept was typed or taken here. */
  const isOwn = useRef(false)
  return useMemo(() => {
    const forget = () => {
      if (isOwn.current) remove(key)
      isOwn.current = false
    }
    return {
      offered,
      take() {
        isOwn.current = true
        setOffered(null)
      },
      discard() {
        if (!isOwn.current) remove(key)
        setOffered(null)
      },
      keep(kept) {
        if (kept === null) return forget()
        isOwn.current = true
        write(key, kept)
      },
      forget,
    }
  }, [key, offered])
}

interface OfferProps<T> {
  readonly kept: KeptDraft<T>
  /** The version that the server has now. */
  readonly base: string | null
  /** What to know if it is another one than that of the draft. */
  readonly ifChanged: string
  readonly onTake: (kept: Kept<T>) => void
}

/** Offers what was typed before the session ended. */
export const DraftOffer = <T,>({ kept, base, ifChanged, onTake }: OfferProps<T>) => {
  const { offered, take, discard } = kept
  return (
    <div role="status">
      {offered !== null && (
        <div class="message done undo">
          <p>
            What you typed here before was not saved.
            {offered.base !== base && ` ${ifChanged}`}
          </p>
          <div class="actions">
            <Button
              onClick={() => {
                take()
                onTake(offered)
              }}
            >
              Continue with it
            </Button>
            <Button onClick={discard}>Discard it</Button>
          </div>
        </div>
      )}
    </div>
  )
}
