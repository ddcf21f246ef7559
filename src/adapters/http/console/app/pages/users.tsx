import { useState } from 'preact/hooks'
import { call } from '../api.ts'
import { useSession } from '../context.ts'
import { Confirm, Dialog } from '../dialog.tsx'
import { DialogForm } from '../dialog-form.tsx'
import { useAction, useLoad } from '../loading.ts'
import { type Paged, Pager, usePages } from '../pager.tsx'
import { setQuery, usePlace } from '../router.ts'
import { PageHead } from '../shell.tsx'
import type { Page, Session, User } from '../types.ts'
import { Button, Empty, Failure, Field, faultsAt, Icon, Loading, Scrolled, Time } from '../ui.tsx'

const Sessions = ({ user }: { user: User }) => {
  const path = `/users/${user.id}/sessions`
  const { data, error, reload } = useLoad(path, () => call<Page<Session>>('GET', path, { query: { size: 100 } }))
  const ending = useAction(async () => {
    await call('DELETE', path)
    reload()
  })
  return (
    <section aria-labelledby="sessions">
      <h3 id="sessions">Sessions</h3>
      <Failure error={error ?? ending.error} />
      {data === null && error === null && <Loading />}
      {data?.items.length === 0 && <p class="quiet">Not signed in anywhere.</p>}
      {data !== null && data.items.length > 0 && (
        <>
          <ul class="rows">
            {data.items.map(({ id, device, address, last_used_at }) => (
              <li key={id}>
                <strong>{device === '' ? 'Unknown device' : device}</strong>
                <span class="quiet">
                  {address}, last used <Time value={last_used_at} />
                </span>
              </li>
            ))}
          </ul>
          <Button isBusy={ending.isRunning} onClick={() => void ending.run()}>
            Sign out everywhere
          </Button>
        </>
      )}
    </section>
  )
}

type UserDraft = Pick<User, 'name' | 'email' | 'role' | 'is_active'>

interface FieldsProps {
  readonly draft: UserDraft
  readonly isSelf: boolean
  readonly error: Error | null
  readonly onChange: (draft: UserDraft) => void
}

const UserFields = ({ draft, isSelf, error, onChange }: FieldsProps) => (
  <>
    <Field label="Name" required fault={faultsAt(error, '/name')}>
      {(control) => (
        <input
          {...control}
          value={draft.name}
          onInput={({ currentTarget }) => onChange({ ...draft, name: currentTarget.value })}
        />
      )}
    </Field>
    <Field
      label="Email address"
      required
      hint={isSelf ? 'Your own address is changed with your password, outside the console.' : undefined}
      fault={faultsAt(error, '/email')}
    >
      {(control) => (
        <input
          {...control}
          type="email"
          readOnly={isSelf}
          value={draft.email}
          onInput={({ currentTarget }) => onChange({ ...draft, email: currentTarget.value })}
        />
      )}
    </Field>
    <Field label="Role" required fault={faultsAt(error, '/role')}>
      {(control) => (
        <select
          {...control}
          value={draft.role}
          onChange={({ currentTarget: { value } }) =>
            onChange({ ...draft, role: value === 'admin' ? 'admin' : 'user' })
          }
        >
          <option value="user">User</option>
          <option value="admin">Admin</option>
        </select>
      )}
    </Field>
    <label class="check">
      <input
        type="checkbox"
        checked={draft.is_active}
        onChange={({ currentTarget }) => onChange({ ...draft, is_active: currentTarget.checked })}
      />
      Active: can sign in
    </label>
  </>
)

interface EditProps {
  readonly user: User
  readonly onClose: () => void
  readonly onSaved: () => void
}

const EditUser = ({ user, onClose, onSaved }: EditProps) => {
  const { user: self } = useSession()
  const [draft, setDraft] = useState<UserDraft>({
    name: user.name,
    email: user.email,
    role: user.role,
    is_active: user.is_active,
  })
  const [isDeleting, setDeleting] = useState(false)
  const isSelf = self.id === user.id
  const saving = useAction(async () => {
    const changed = Object.entries(draft).filter(([name, value]) => Reflect.get(user, name) !== value)
    if (changed.length > 0) await call('PATCH', `/users/${user.id}`, { json: Object.fromEntries(changed) })
    onSaved()
    onClose()
  })
  return (
    <Dialog kind="drawer" title={user.name} onClose={onClose}>
      <DialogForm
        action="Save"
        saving={saving}
        shown={['/name', '/email', '/role']}
        onClose={onClose}
        buttons={
          !isSelf && (
            <Button kind="danger" onClick={() => setDeleting(true)}>
              Delete
            </Button>
          )
        }
      >
        <UserFields draft={draft} isSelf={isSelf} error={saving.error} onChange={setDraft} />
        <Sessions user={user} />
      </DialogForm>
      {isDeleting && (
        <Confirm
          title={`Delete ${user.name}?`}
          action="Delete user"
          onClose={() => setDeleting(false)}
          onConfirm={async () => {
            await call('DELETE', `/users/${user.id}`, { json: {} })
            onSaved()
            onClose()
          }}
        >
          <p>The account, its files and its records are deleted. This cannot be undone.</p>
        </Confirm>
      )}
    </Dialog>
  )
}

const NEW_USER = { name: '', email: '', password: '' }

const CreateUser = ({ onClose, onSaved }: Omit<EditProps, 'user'>) => {
  const [draft, setDraft] = useState(NEW_USER)
  const saving = useAction(async () => {
    await call('POST', '/users/', { json: draft })
    onSaved()
    onClose()
  })
  const take = (name: keyof typeof NEW_USER) => ({
    value: draft[name],
    onInput: ({ currentTarget }: { readonly currentTarget: HTMLInputElement }) =>
      setDraft((before) => ({ ...before, [name]: currentTarget.value })),
  })
  return (
    <Dialog kind="drawer" title="New user" onClose={onClose}>
      <DialogForm action="Create user" saving={saving} shown={['/name', '/email', '/password']} onClose={onClose}>
        <Field label="Name" required fault={faultsAt(saving.error, '/name')}>
          {(control) => <input {...control} {...take('name')} autocomplete="off" />}
        </Field>
        <Field label="Email address" required fault={faultsAt(saving.error, '/email')}>
          {(control) => <input {...control} {...take('email')} type="email" autocomplete="off" />}
        </Field>
        <Field label="Password" required hint="At least 8 characters." fault={faultsAt(saving.error, '/password')}>
          {(control) => <input {...control} {...take('password')} type="password" autocomplete="new-password" />}
        </Field>
      </DialogForm>
    </Dialog>
  )
}

const Table = ({ users }: { users: Paged<User> }) => {
  const { user: self } = useSession()
  return (
    <Scrolled label="Users" isLoading={users.isLoading}>
      <table>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Email address</th>
            <th scope="col">Role</th>
            <th scope="col">State</th>
            <th scope="col">Created</th>
          </tr>
        </thead>
        <tbody>
          {users.data?.items.map((user) => (
            // The button in the first cell does the same by keyboard.
            <tr key={user.id} class="opens" onClick={() => setQuery({ user: String(user.id) })}>
              <th scope="row">
                <button type="button" class="row-open" onClick={() => setQuery({ user: String(user.id) })}>
                  <bdi>{user.name}</bdi>
                </button>
                {user.id === self.id && <span class="badge">You</span>}
              </th>
              <td>
                {user.email} {!user.email_verified && <span class="badge warn">Not verified</span>}
              </td>
              <td>{user.role === 'admin' ? <span class="badge accent">Admin</span> : 'User'}</td>
              <td>{user.is_active ? 'Active' : <span class="badge error">Deactivated</span>}</td>
              <td class="nowrap">
                <Time value={user.created_at} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scrolled>
  )
}

/** All accounts. */
export const UsersPage = () => {
  const { query } = usePlace()
  const q = query.get('q') ?? ''
  const [text, setText] = useState(q)
  const users = usePages<User>('/users/', { q })
  const open = query.get('user')
  const opened = users.data?.items.find(({ id }) => String(id) === open)
  const close = () => setQuery({ user: null })
  return (
    <>
      <PageHead title="Users">
        <Button kind="primary" icon="plus" onClick={() => setQuery({ user: 'new' })}>
          New user
        </Button>
      </PageHead>
      <search>
        <form
          class="filters"
          onSubmit={(event) => {
            event.preventDefault()
            setQuery({ q: text })
          }}
        >
          <label class="search-field">
            <span class="hidden">Search names and addresses</span>
            <Icon name="search" />
            <input
              type="search"
              value={text}
              placeholder="Search names and addresses"
              onInput={({ currentTarget }) => {
                setText(currentTarget.value)
                setQuery({ q: currentTarget.value })
              }}
            />
          </label>
        </form>
      </search>
      <Failure error={users.error} onRetry={users.reload} />
      {users.data === null && users.isLoading && <Loading />}
      {users.data?.items.length === 0 && <Empty icon="search" title="Nobody matches" />}
      {users.data !== null && users.data.items.length > 0 && <Table users={users} />}
      <Pager pages={users} />
      {open === 'new' && <CreateUser onClose={close} onSaved={users.reload} />}
      {opened !== undefined && <EditUser key={opened.id} user={opened} onClose={close} onSaved={users.reload} />}
    </>
  )
}
