import { useEffect, useState } from 'preact/hooks'
import { SITE } from './site.ts'

/** Where the console is: a path below `/console`, without slashes at its ends, and its query. */
export interface Place {
  readonly path: string
  readonly query: URLSearchParams
}

const placeNow = (): Place => ({
  path: location.pathname.slice(SITE.root.length).replace(/^\/|\/$/g, ''),
  query: new URLSearchParams(location.search),
})

const listeners = new Set<() => void>()

const notify = (): void => {
  for (const listener of listeners) listener()
}

/** The address of a page of the console. */
export const hrefOf = (path: string): string => `${SITE.root}/${path}`

/** Goes to a page of the console. */
export const navigate = (path: string, { replace = false } = {}): void => {
  if (replace) history.replaceState(null, '', hrefOf(path))
  else history.pushState(null, '', hrefOf(path))
  notify()
}

/** Changes the query of the current page; null removes a parameter. */
export const setQuery = (changes: Readonly<Record<string, string | null>>): void => {
  const { path, query } = placeNow()
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === '') query.delete(name)
    else query.set(name, value)
  }
  const text = query.toString()
  navigate(text === '' ? path : `${path}?${text}`, { replace: true })
}

const linkOf = (event: MouseEvent): HTMLAnchorElement | null => {
  const { target } = event
  const link = target instanceof Element ? target.closest('a') : null
  const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey
  const isOwn = link?.origin === location.origin && link.pathname.startsWith(`${SITE.root}/`)
  return isPlain && isOwn && !link.hasAttribute('download') && link.target === '' ? link : null
}

/** Makes links between pages of the console not load a new document. */
export const followLinks = (): void => {
  document.addEventListener('click', (event) => {
    const link = linkOf(event)
    if (link === null || event.defaultPrevented) return
    event.preventDefault()
    navigate(`${link.pathname.slice(SITE.root.length + 1)}${link.search}`)
  })
  addEventListener('popstate', notify)
}

export const usePlace = (): Place => {
  const [place, setPlace] = useState(placeNow)
  useEffect(() => {
    const update = () => setPlace(placeNow())
    listeners.add(update)
    return () => {
      listeners.delete(update)
    }
  }, [])
  return place
}
