import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { call, client } from './api.ts'
import { useLoad } from './loading.ts'
import { AuditPage } from './pages/audit.tsx'
import { BackupsPage } from './pages/backups.tsx'
import { CollectionsPage } from './pages/collections.tsx'
import { DefinitionPage } from './pages/definition.tsx'
import { FilesPage } from './pages/files.tsx'
import { JobsPage } from './pages/jobs.tsx'
import { OverviewPage } from './pages/overview.tsx'
import { RecordsPage } from './pages/records.tsx'
import { SettingsPage } from './pages/settings.tsx'
import { SetupPage } from './pages/setup.tsx'
import { SignInPage } from './pages/sign-in.tsx'
import { UsersPage } from './pages/users.tsx'
import { hrefOf, navigate, usePlace } from './router.ts'
import { Shell } from './shell.tsx'
import type { User } from './types.ts'
import { Button, Empty, Failure, Loading } from './ui.tsx'

/** The id of whoever is signed in; null for nobody, undefined until it is known. */
const useUserId = (): number | null | undefined => {
  const [userId, setUserId] = useState<number | null>()
  useEffect(() => client.auth.onAuthChange((session) => setUserId(session?.userId ?? null)), [])
  return userId
}

const NotFound = () => (
  <Empty icon="search" title="There is no such page">
    <p>
      <a href={hrefOf('collections')}>All collections</a>
    </p>
  </Empty>
)

const PageAt = ({ path }: { path: string }) => {
  const [first = '', name = '', rest] = path.split('/').map(decodeURIComponent)
  if (path === '') return <OverviewPage />
  if (path === 'collections') return <CollectionsPage />
  if (path === 'new-collection') return <DefinitionPage key="new" name={null} />
  if (first === 'collections' && name !== '' && rest === undefined) return <RecordsPage key={name} name={name} />
  if (first === 'collections' && rest === 'definition') return <DefinitionPage key={name} name={name} />
  if (path === 'users') return <UsersPage />
  if (path === 'files') return <FilesPage />
  if (path === 'jobs') return <JobsPage />
  if (path === 'audit') return <AuditPage />
  if (path === 'backups') return <BackupsPage />
  if (path === 'settings') return <SettingsPage />
  return <NotFound />
}

const Centered = ({ children }: { children: ComponentChildren }) => <main class="entry">{children}</main>

const SignedIn = ({ path }: { path: string }) => {
  const { data: user, error, reload } = useLoad('me', () => call<User>('GET', '/users/me'))
  if (user === null) {
    return <Centered>{error === null ? <Loading /> : <Failure error={error} onRetry={reload} />}</Centered>
  }
  if (user.role !== 'admin') {
    return (
      <Centered>
        <h1>The console is for admins</h1>
        <p class="quiet">You are signed in as {user.email}, who is not an admin.</p>
        <Button kind="primary" onClick={() => void client.auth.signOut()}>
          Sign in as someone else
        </Button>
      </Centered>
    )
  }
  return (
    <Shell user={user} path={path}>
      <PageAt path={path} />
    </Shell>
  )
}

export const App = () => {
  const { path } = usePlace()
  const userId = useUserId()
  if (path === 'setup') return <SetupPage onDone={() => navigate('', { replace: true })} />
  if (userId === undefined) return null
  return userId === null ? <SignInPage /> : <SignedIn key={userId} path={path} />
}
