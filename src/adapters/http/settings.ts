import { Elysia, t } from 'elysia'
import type { Kernel } from './kernel.ts'
import { problems } from './problems.ts'
import { choiceOf } from './schemas.ts'

const SOURCES = ['flag', 'environment', 'default'] as const

/** A setting as admins may see it. */
export interface ShownSetting {
  readonly name: string
  /** Without secrets; null if it is unset. */
  readonly value: string | null
  readonly source: (typeof SOURCES)[number]
}

const SettingResponse = t.Object(
  {
    name: t.String({ examples: ['MAX_BODY_SIZE'] }),
    value: t.Nullable(
      t.String({ description: 'As `skep config` prints it: secrets are `***`; null if unset', examples: ['1mb'] }),
    ),
    source: choiceOf(SOURCES, { title: 'SettingSource', description: 'Where the value comes from' }),
  },
  { title: 'Setting' },
)

const SettingsResponse = t.Object({ settings: t.Array(SettingResponse) }, { title: 'Settings' })

/** The settings of this process, for admins. Nothing can be changed. */
export const settingRoutes = (kernel: Kernel, settings: readonly ShownSetting[]) =>
  new Elysia({ prefix: '/admin/settings', tags: ['admin'] }).use(kernel).get(
    '',
    ({ set }) => {
      set.headers['cache-control'] = 'no-store'
      return { settings: settings.map(({ name, value, source }) => ({ name, value, source })) }
    },
    {
      admit: { who: 'admin' },
      response: { 200: SettingsResponse, ...problems() },
      detail: {
        operationId: 'listSettings',
        summary: 'List the effective settings',
        description: 'For admins: every setting of the process, without secrets, and where its value comes from.',
      },
    },
  )
