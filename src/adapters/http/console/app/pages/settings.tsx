import { useState } from 'preact/hooks'
import { call } from '../api.ts'
import { useLoad } from '../loading.ts'
import { setQuery, usePlace } from '../router.ts'
import { PageHead } from '../shell.tsx'
import { Empty, Failure, Icon, Loading, Scrolled } from '../ui.tsx'

interface Setting {
  readonly name: string
  readonly value: string | null
  readonly source: 'flag' | 'environment' | 'default'
}

const SOURCES: Readonly<Record<Setting['source'], string>> = {
  flag: 'Flag',
  environment: 'Environment',
  default: 'Default',
}

const Row = ({ name, value, source }: Setting) => (
  <tr>
    <th scope="row">
      <code>{name}</code>
    </th>
    <td class="setting-value">
      {value === null ? (
        <span class="quiet">not set</span>
      ) : value === '***' ? (
        <span class="quiet" title="Secrets are not shown">
          ***
        </span>
      ) : (
        <code>
          <bdi>{value}</bdi>
        </code>
      )}
    </td>
    <td>
      <span class={source === 'default' ? 'quiet' : 'badge accent'}>{SOURCES[source]}</span>
    </td>
  </tr>
)

/** The settings with which the server runs. */
export const SettingsPage = () => {
  const { query } = usePlace()
  const isGivenOnly = query.get('show') === 'given'
  const [text, setText] = useState('')
  const { data, error, reload } = useLoad('settings', () =>
    call<{ settings: readonly Setting[] }>('GET', '/admin/settings'),
  )
  const shown = data?.settings
    .filter(({ source }) => !isGivenOnly || source !== 'default')
    .filter(({ name }) => name.toLowerCase().includes(text.trim().toLowerCase()))
  return (
    <>
      <PageHead
        title="Settings"
        about="Read when the server starts, from its command line and its environment. Secrets are never shown."
      />
      <div class="filters">
        <fieldset class="tabs">
          <legend class="hidden">Which settings</legend>
          <button type="button" aria-pressed={!isGivenOnly} onClick={() => setQuery({ show: null })}>
            All
          </button>
          <button type="button" aria-pressed={isGivenOnly} onClick={() => setQuery({ show: 'given' })}>
            Set by you
          </button>
        </fieldset>
        <label class="search-field">
          <span class="hidden">Find a setting</span>
          <Icon name="search" />
          <input
            type="search"
            value={text}
            placeholder="Find a setting"
            onInput={({ currentTarget }) => setText(currentTarget.value)}
          />
        </label>
      </div>
      <Failure error={error} onRetry={reload} />
      {data === null && error === null && <Loading />}
      {shown?.length === 0 && (
        <Empty icon="gear" title={text === '' ? 'Everything is as it comes' : 'No setting has such a name'} />
      )}
      {shown !== undefined && shown.length > 0 && (
        <Scrolled label="Settings">
          <table>
            <thead>
              <tr>
                <th scope="col">Setting</th>
                <th scope="col">Value</th>
                <th scope="col">Comes from</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((setting) => (
                <Row key={setting.name} {...setting} />
              ))}
            </tbody>
          </table>
        </Scrolled>
      )}
    </>
  )
}
