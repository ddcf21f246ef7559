import { useEffect, useState } from 'preact/hooks'
import { client } from '../api.ts'
import { useAction } from '../loading.ts'
import { SITE } from '../site.ts'
import { Button, Failure, Field, Mark } from '../ui.tsx'

export const SignInPage = () => {
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const { run, isRunning, error } = useAction(() => client.auth.signIn({ email, password }))
  useEffect(() => {
    document.title = `Sign in · ${SITE.appName} Console`
  }, [])
  return (
    <main class="entry">
      <p class="brand">
        <Mark />
        {SITE.appName}
      </p>
      <h1>Sign in</h1>
      <p class="quiet">The console is for admins.</p>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          void run()
        }}
      >
        <Field label="Email address" required>
          {(control) => (
            <input
              {...control}
              type="email"
              name="email"
              autocomplete="username"
              required
              value={email}
              onInput={({ currentTarget }) => setEmail(currentTarget.value)}
            />
          )}
        </Field>
        <Field label="Password" required>
          {(control) => (
            <input
              {...control}
              type="password"
              name="password"
              autocomplete="current-password"
              required
              value={password}
              onInput={({ currentTarget }) => setPassword(currentTarget.value)}
            />
          )}
        </Field>
        <Failure error={error} />
        <Button kind="primary" type="submit" isBusy={isRunning}>
          Sign in
        </Button>
      </form>
      <p class="after">
        <a href={`${SITE.base}/forgot-password`}>Forgot your password?</a>
      </p>
    </main>
  )
}
