import { join } from 'node:path'
import { TransformDecodeError, Value } from '@sinclair/typebox/value'
import { SettingFaults } from './mail-templates.ts'
import { missingSettings, type S3Place, showS3Place, withRegion } from './s3-place.ts'
import { type GivenSettings, type SettingName, SettingsSchema } from './schema.ts'

export type Source = 'flag' | 'environment' | 'default'

/** Every setting with its value. Durations are milliseconds, sizes bytes, paths absolute. */
export interface Settings extends Readonly<GivenSettings> {
  readonly DATABASE_URL: string
  /** A folder, or a bucket on S3, with its access keys. */
  readonly FILES_URL: string | S3Place
  /** The same for archives. */
  readonly BACKUP_URL: string | S3Place
  readonly LOG_FORMAT: 'pretty' | 'json'
}

export interface ShownSetting {
  readonly name: string
  /** Without secrets; null if it is unset. */
  readonly value: string | null
  readonly source: Source
}

export interface ValidSettings {
  readonly settings: Settings
  readonly shown: readonly ShownSetting[]
}

export type SettingsResult = ValidSettings | { readonly problems: readonly string[] }

type Texts = Readonly<Record<string, string | undefined>>

const NAMES = Object.keys(SettingsSchema.properties) as SettingName[]

/** Whether the database is embedded (a file), not a server. */
export const isEmbedded = (databaseUrl: string): boolean => !/^postgres(ql)?:/.test(databaseUrl)

/** A URL without its secrets: the password and the query. */
export const hiddenUrl = (text: string): string => {
  if (!/^[\w+.-]+:\/\//.test(text) || !URL.canParse(text)) return text
  const url = new URL(text)
  if (url.password !== '') url.password = '***'
  for (const name of url.searchParams.keys()) url.searchParams.set(name, '***')
  return url.href
}

/** The effective FILES_URL. */
export const placeOf = (place: string | S3Place): string =>
  typeof place === 'string' ? `file:${place}` : showS3Place(place)

export interface S3KeySettings {
  readonly AWS_ACCESS_KEY_ID?: string | undefined
  readonly AWS_SECRET_ACCESS_KEY?: string | undefined
  readonly AWS_SESSION_TOKEN?: string | undefined
}

/** The access keys of a bucket on S3. */
export const s3KeysOf = ({ AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '', AWS_SESSION_TOKEN }: S3KeySettings) => {
  const token = AWS_SESSION_TOKEN === undefined ? {} : { sessionToken: AWS_SESSION_TOKEN }
  return { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY, ...token }
}

const isAbout = (name: SettingName) => (problem: string) => problem.startsWith(`${name}:`)

const hidden = (text: string, secret: unknown): string => {
  if (secret === true) return '***'
  if (secret === undefined) return text
  if (/^(file|sqlite):/.test(text)) return text
  // Without `//`, as in `smtp:USER:PASSWORD@HOST`, nobody can tell where the password is.
  return /^[\w+.-]+:\/\//.test(text) ? hiddenUrl(text) : '***'
}

/** One line per fault of a rejected value. */
const problemsOf = (name: SettingName, text: string, error: unknown): readonly string[] => {
  const { accepts, secret } = SettingsSchema.properties[name]
  const cause = error instanceof TransformDecodeError ? error.error : null
  if (cause instanceof SettingFaults) return cause.faults.map((fault) => `${name}: ${fault}`)
  const given = secret === undefined ? `got ${JSON.stringify(text)}, ` : ''
  return [`${name}: ${given}${cause?.message ?? accepts}`]
}

/**
 * Reads all settings at once: flags override the environment, which overrides defaults; an empty value counts as unset.
 * `problems` has one line for every invalid setting, so that they can be fixed together.
 */
export const readSettings = (environment: Texts, flags: Texts, isTerminal: boolean): SettingsResult => {
  const values: Record<string, unknown> = {}
  const shown: ShownSetting[] = []
  const problems: string[] = []

  const dependent: Texts = { LOG_FORMAT: isTerminal ? 'pretty' : 'json' }
  for (const name of NAMES) {
    const schema = SettingsSchema.properties[name]
    const flag = flags[name] || undefined
    const variable = environment[name] || undefined
    const text = flag ?? variable ?? schema.default ?? dependent[name]
    const source = flag !== undefined ? 'flag' : variable !== undefined ? 'environment' : 'default'
    if (typeof text !== 'string') {
      shown.push({ name, value: null, source })
      continue
    }
    try {
      values[name] = Value.Decode(schema, text)
      shown.push({ name, value: hidden(text, schema.secret), source })
    } catch (error) {
      problems.push(...problemsOf(name, text, error))
    }
  }
  const given = values as unknown as GivenSettings
  // A secret in DATA_DIR would differ between processes.
  if (
    !isEmbedded(given.DATABASE_URL ?? '') &&
    given.JWT_SECRET === undefined &&
    !problems.some(isAbout('JWT_SECRET'))
  ) {
    problems.push('JWT_SECRET: required when the database is not embedded, at least 32 bytes')
  }
  const unset = (name: string) => shown.some((row) => row.name === name && row.value === null)
  const missing = (['FILES_URL', 'BACKUP_URL'] as const).flatMap((setting) => {
    const place = given[setting]
    return typeof place === 'object' ? missingSettings(place, unset, setting) : []
  })
  for (const [name, why] of new Map(missing.toReversed())) problems.push(`${name}: ${why}`)
  if (problems.length > 0) return { problems }

  const DATABASE_URL = given.DATABASE_URL ?? join(given.DATA_DIR, 'skep.db')
  const files = given.FILES_URL ?? join(given.DATA_DIR, 'files')
  const FILES_URL = typeof files === 'string' ? files : withRegion(files, given.AWS_REGION)
  const backups = given.BACKUP_URL ?? join(given.DATA_DIR, 'backups')
  const BACKUP_URL = typeof backups === 'string' ? backups : withRegion(backups, given.AWS_REGION)
  const host = given.HOST.includes(':') ? `[${given.HOST}]` : given.HOST
  const publicUrl = given.PUBLIC_URL ?? `http://${host}:${given.PORT}`
  const effective: Texts = {
    ...(isEmbedded(DATABASE_URL) ? { DATABASE_URL: `sqlite:${DATABASE_URL}` } : {}),
    FILES_URL: placeOf(FILES_URL),
    BACKUP_URL: placeOf(BACKUP_URL),
    UPLOAD_TYPES: typeof given.UPLOAD_TYPES === 'string' ? given.UPLOAD_TYPES : given.UPLOAD_TYPES.join(),
    PUBLIC_URL: publicUrl,
    APP_URL: given.APP_URL ?? publicUrl,
    DATA_DIR: given.DATA_DIR,
    JWT_SECRET: '***',
  }
  const LOG_FORMAT = given.LOG_FORMAT ?? 'json'
  return {
    settings: Object.freeze({ ...given, DATABASE_URL, FILES_URL, BACKUP_URL, LOG_FORMAT }),
    shown: shown.map((row) => ({ ...row, value: effective[row.name] ?? row.value })),
  }
}
