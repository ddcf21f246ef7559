import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { call, client } from './api.ts'
import { SessionContext } from './context.ts'
import { forgetDrafts } from './kept-draft.tsx'
import { useLoad } from './loading.ts'
import { hrefOf } from './router.ts'
import { SITE } from './site.ts'
import type { Definition, Page, User } from './types.ts'
import { Button, count, Failure, Icon, type IconName, Mark } from './ui.tsx'

/** The most that a server has, five pages of the API. */
const MAX_COLLECTIONS_COUNT = 500

/** The definitions of all collections, in the order of their names. */
const loadCollections = async (): Promise<readonly Definition[]> => {
  const all: Definition[] = []
  let cursor: string | null = null
  do {
    const page: Page<Definition> = await call('GET', '/collections/', { query: { size: 100, cursor } })
    all.push(...page.items)
    cursor = page.next_cursor
  } while (cursor !== null && all.length < MAX_COLLECTIONS_COUNT)
  return all
}

const PLACES: readonly (readonly [path: string, label: string, icon: IconName])[] = [
  ['users', 'Users', 'users'],
  ['files', 'Files', 'file'],
  ['jobs', 'Jobs', 'jobs'],
  ['audit', 'Audit log', 'audit'],
  ['backups', 'Backups', 'backup'],
  ['settings', 'Settings', 'gear'],
]

interface EntryProps {
  readonly path: string
  readonly isCurrent: boolean
  readonly children: ComponentChildren
}

const Entry = ({ path, isCurrent, children }: EntryProps) => (
  <li>
    <a href={hrefOf(path)} aria-current={isCurrent ? 'page' : undefined}>
      {children}
    </a>
  </li>
)

const signOut = () => {
  forgetDrafts()
  void client.auth.signOut()
}

interface NavigationProps {
  readonly path: string
  readonly user: User
  readonly collections: readonly Definition[]
}

const Navigation = ({ path, user, collections }: NavigationProps) => (
  <>
    <a class="brand" href={hrefOf('')}>
      <Mark />
      <span>{SITE.appName}</span>
    </a>
    <nav aria-label="Console">
      <ul class="nav-list">
        <Entry path="" isCurrent={path === ''}>
          <Icon name="overview" />
          <span class="nav-name">Overview</span>
        </Entry>
      </ul>
      <div class="nav-head">
        <a href={hrefOf('collections')} aria-current={path === 'collections' ? 'page' : undefined}>
          Collections
        </a>
        <a class="button quiet square" href={hrefOf('new-collection')} aria-label="New collection">
          <Icon name="plus" />
        </a>
      </div>
      <ul class="nav-list">
        {collections.map(({ name, records }) => (
          <Entry key={name} path={`collections/${name}`} isCurrent={path.split('/')[1] === name}>
            <Icon name="collection" />
            <span class="nav-name">{name}</span>
            <span class="nav-count">{count(records)}</span>
          </Entry>
        ))}
      </ul>
      <div class="nav-head">Manage</div>
      <ul class="nav-list">
        {PLACES.map(([place, label, icon]) => (
          <Entry key={place} path={place} isCurrent={path === place}>
            <Icon name={icon} />
            <span class="nav-name">{label}</span>
          </Entry>
        ))}
      </ul>
    </nav>
    <div class="nav-user">
      <div>
        <strong>{user.name}</strong>
        <span>{user.email}</span>
      </div>
      <Button kind="quiet" onClick={signOut}>
        Sign out
      </Button>
    </div>
  </>
)

interface ShellProps {
  readonly user: User
  readonly path: string
  readonly children: ComponentChildren
}

/** The navigation beside every page; on narrow screens, behind a button. */
export const Shell = ({ user, path, children }: ShellProps) => {
  const collections = useLoad('collections', loadCollections)
  const [isOpen, setOpen] = useState(false)
  // Those of whoever was signed in before in this tab.
  useEffect(() => forgetDrafts(user.id), [user.id])
  const main = useRef<HTMLElement>(null)
  const former = useRef(path)
  useEffect(() => {
    setOpen(false)
    if (former.current === path) return
    former.current = path
    // As after loading a document, so that screen readers announce the new page.
    main.current?.focus()
    scrollTo(0, 0)
  }, [path])
  return (
    <SessionContext.Provider value={{ user, collections }}>
      <div class={isOpen ? 'shell open' : 'shell'}>
        <button type="button" class="skip" onClick={() => main.current?.focus()}>
          Skip to content
        </button>
        <header class="topbar">
          <button
            type="button"
            class="button quiet square"
            aria-label="Menu"
            aria-expanded={isOpen}
            aria-controls="side"
            onClick={() => setOpen(!isOpen)}
          >
            <Icon name={isOpen ? 'close' : 'menu'} />
          </button>
          <Mark />
          <span class="nav-name">{SITE.appName}</span>
        </header>
        <aside class="side" id="side">
          <Navigation path={path} user={user} collections={collections.data ?? []} />
        </aside>
        <main id="main" ref={main} tabIndex={-1}>
          {/* Later, a page says itself what it could not read. */}
          <Failure error={collections.data === null ? collections.error : null} onRetry={collections.reload} />
          {children}
        </main>
      </div>
    </SessionContext.Provider>
  )
}

interface HeadProps {
  readonly title: string
  readonly about?: ComponentChildren
  readonly children?: ComponentChildren
}

/** The title of a page and what can be done on it. */
export const PageHead = ({ title, about, children }: HeadProps) => {
  useEffect(() => {
    document.title = `${title} · ${SITE.appName} Console`
  }, [title])
  return (
    <div class="page-head">
      <div>
        <h1>{title}</h1>
        {about !== undefined && <p class="quiet">{about}</p>}
      </div>
      <div class="actions">{children}</div>
    </div>
  )
}
