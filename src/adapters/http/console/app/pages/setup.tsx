import { useEffect, useState } from 'preact/hooks'
import { call, client, SkepError } from '../api.ts'
import { useAction } from '../loading.ts'
import { hrefOf } from '../router.ts'
import { SITE } from '../site.ts'
import { Button, Failure, Field, faultsAt, Mark, useFaultFocus } from '../ui.tsx'

const FIELDS = ['email', 'name', 'password'] as const

/** The token of the link, which is then removed from the address bar and the history. */
const takeToken = (): string => {
  const token = new URLSearchParams(location.hash.slice(1)).get('token') ?? ''
  history.replaceState(null, '', location.pathname)
  return token
}

const SetupForm = ({ token, onDone }: { token: string; onDone: () => void }) => {
  const [draft, setDraft] = useState({ email: '', name: '', password: '' })
  const { run, isRunning, error } = useAction(async () => {
    await call('POST', '/auth/setup', { json: { token, ...draft } })
    await client.auth.signIn({ email: draft.email, password: draft.password })
    onDone()
  })
  const form = useFaultFocus(error)
  const isUsedUp = error instanceof SkepError && error.code === 'invalid_link'
  const take = (name: (typeof FIELDS)[number]) => ({
    name,
    value: draft[name],
    required: true,
    onInput: ({ currentTarget }: { readonly currentTarget: HTMLInputElement }) =>
      setDraft((before) => ({ ...before, [name]: currentTarget.value })),
  })
  return (
    <form
      ref={form}
      noValidate
      onSubmit={(event) => {
        event.preventDefault()
        void run()
      }}
    >
      <Field label="Email address" required fault={faultsAt(error, '/email')}>
        {(control) => <input {...control} {...take('email')} type="email" autocomplete="username" />}
      </Field>
      <Field label="Name" required fault={faultsAt(error, '/name')}>
        {(control) => <input {...control} {...take('name')} autocomplete="name" />}
      </Field>
      <Field
        label="Password"
        required
        hint="At least 8 characters. Three or four unrelated words make a good one."
        fault={faultsAt(error, '/password')}
      >
        {(control) => <input {...control} {...take('password')} type="password" autocomplete="new-password" />}
      </Field>
      <Failure error={error} shown={FIELDS.map((name) => `/${name}`)} />
      {isUsedUp && (
        <p>
          Restart the server for a new link, or <a href={hrefOf('')}>sign in</a>.
        </p>
      )}
      <Button kind="primary" type="submit" isBusy={isRunning}>
        Create admin
      </Button>
    </form>
  )
}

export const SetupPage = ({ onDone }: { onDone: () => void }) => {
  const [token] = useState(takeToken)
  useEffect(() => {
    document.title = `Set up · ${SITE.appName} Console`
  }, [])
  return (
    <main class="entry">
      <p class="brand">
        <Mark />
        {SITE.appName}
      </p>
      <h1>Create the first admin</h1>
      {token === '' ? (
        <p class="message error">This link is incomplete. Open the whole link that the server printed.</p>
      ) : (
        <>
          <p class="quiet">This server has no admin yet. You will be signed in as the new one.</p>
          <SetupForm token={token} onDone={onDone} />
        </>
      )}
    </main>
  )
}
