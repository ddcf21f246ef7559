import { resolve } from 'node:path'
import { type StaticDecode, type StringOptions, type TString, type TTransform, Type } from '@sinclair/typebox'
import { parseDuration, parseRate, parseSize } from '../../domain/measures.ts'
import { isLine } from '../../domain/text.ts'
import { parseBackupKey, parseSchedule } from './backup-settings.ts'
import { readMailTemplates } from './mail-templates.ts'
import { parseOrigins } from './origins.ts'
import { parseS3Place, type S3Place } from './s3-place.ts'
import { parseSender } from './sender.ts'
import { parseUploadTypes } from './upload-types.ts'

interface Option extends StringOptions {
  /** Description of accepted values, for the error message. */
  readonly accepts: string
  readonly default?: string
  /** `true` hides the value wherever settings are shown, `url` only its password. */
  readonly secret?: true | 'url'
}

/** A setting read from text. `parse` returns null for an invalid value, or throws an `Error` with the reason. */
const setting = <T extends string | number | object>(
  option: Option,
  parse: (text: string) => T | null,
): TTransform<TString, T> =>
  Type.Transform(Type.String(option))
    .Decode((text) => {
      const value = parse(text)
      if (value === null) throw new Error(`expected ${option.accepts}`)
      return value
    })
    .Encode(() => {
      throw new Error('settings are read only')
    })

const optional = <T extends string | number | object>(option: Option, parse: (text: string) => T | null) =>
  Type.Optional(setting(option, parse))

const integer = (minimum: number, maximum: number, fallback: number) =>
  setting({ accepts: `an integer from ${minimum} to ${maximum}`, default: String(fallback) }, (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
    return value >= minimum && value <= maximum ? value : null
  })

const duration = (fallback: string, most = '36500d') =>
  setting({ accepts: `a duration such as 30s, 15m, 12h or 30d, up to ${most}`, default: fallback }, (text) => {
    const value = parseDuration(text)
    return value !== null && value <= (parseDuration(most) ?? 0) ? value : null
  })

const size = (fallback: string) =>
  setting({ accepts: 'a size such as 512kb, 10mb or 1gb', default: fallback }, parseSize)

const rate = (fallback: string) =>
  setting({ accepts: 'requests per duration such as 600/1m, or off', default: fallback }, parseRate)

const choice = <T extends string>(values: readonly T[], fallback: T) =>
  setting({ accepts: values.join(' or '), default: fallback }, (text) => values.find((value) => value === text) ?? null)

const parseUrl = (text: string): URL | null => (URL.canParse(text) ? new URL(text) : null)

/** A path, or the URL of a server. */
const database = (text: string): string | null => {
  if (/^postgres(ql)?:/.test(text)) return parseUrl(text)?.hostname ? text : null
  const path = /^sqlite:(?:\/\/)?(.+)$/.exec(text)?.[1]
  return path === undefined || path.startsWith(':memory:') ? null : resolve(path)
}

const redisUrl = (text: string): string | null => {
  const url = parseUrl(text)
  if (url === null || url.search !== '' || url.hash !== '') return null
  if (url.protocol === 'redis+unix:') return url.host === '' && /^\/.+/.test(url.pathname) ? text : null
  return /^rediss?:$/.test(url.protocol) && url.hostname !== '' && /^(\/\d{0,4})?$/.test(url.pathname) ? text : null
}

/** A folder, or a bucket on S3. */
const filesPlace = (text: string): string | S3Place | null => {
  if (text.startsWith('s3:')) return parseS3Place(text)
  const path = /^file:(?:\/\/)?(.+)$/.exec(text)?.[1]
  return path === undefined ? null : resolve(path)
}

const publicUrl = (text: string): string | null => {
  const url = parseUrl(text)
  // Paths that begin with two slashes would name another host.
  if (url === null || !/^https?:$/.test(url.protocol) || /\/\/+[^/]/.test(url.pathname)) return null
  return url.username || url.password || url.search || url.hash ? null : url.href.replace(/\/+$/, '')
}

const HOST_WITH_PORT = /^(?:\[[0-9a-f:.]+\]|[a-z0-9._-]{1,253})(?::[1-9]\d{0,4})?$/

const hosts = (text: string): '*' | readonly string[] | null => {
  if (text === '*') return '*'
  const list = text.split(',').map((host) => host.trim().toLowerCase())
  // A URL has a valid IP address and port.
  return list.every((host) => HOST_WITH_PORT.test(host) && URL.canParse(`http://${host}`)) ? list : null
}

const visibleText = (text: string) => (/^[\x21-\x7e]+$/.test(text) ? text : null)

const secretText = (minimumBytes: number) => (text: string) => (Buffer.byteLength(text) >= minimumBytes ? text : null)

const MAX_APP_NAME_CHARACTERS = 64

/** Every setting, by its environment variable. Optional settings have a default that depends on others, or none. */
export const SettingsSchema = Type.Object({
  HOST: setting({ accepts: 'a host name or an IP address', default: '127.0.0.1' }, (text) =>
    /^[\w.:-]{1,253}$/.test(text) ? text : null,
  ),
  PORT: integer(0, 65_535, 3_000),
  DATA_DIR: setting({ accepts: 'a folder', default: './data' }, (text) => resolve(text)),
  DATABASE_URL: optional({ accepts: 'sqlite:PATH or postgres://…', secret: 'url' }, database),
  DATABASE_POOL_SIZE: integer(1, 1_000, 10),
  REDIS_URL: optional({ accepts: 'redis://…, rediss://… or redis+unix:///PATH', secret: 'url' }, redisUrl),
  FILES_URL: optional({ accepts: 'file:PATH or s3://BUCKET?endpoint=…&region=…', secret: 'url' }, filesPlace),
  BACKUP_URL: optional({ accepts: 'file:PATH or s3://BUCKET?endpoint=…&region=…', secret: 'url' }, filesPlace),
  BACKUP_SCHEDULE: optional({ accepts: 'five fields of cron such as 0 3 * * *, in UTC' }, parseSchedule),
  BACKUP_KEEP: optional({ accepts: 'an integer from 1 to 10000' }, (text) =>
    /^[1-9]\d{0,3}$|^10000$/.test(text) ? Number(text) : null,
  ),
  BACKUP_KEY: optional(
    { accepts: 'AGE-SECRET-KEY-1… or age1…, as skep backup key and age-keygen print them', secret: true },
    parseBackupKey,
  ),
  AWS_ACCESS_KEY_ID: optional({ accepts: 'visible ASCII characters', secret: true }, visibleText),
  AWS_SECRET_ACCESS_KEY: optional({ accepts: 'visible ASCII characters', secret: true }, visibleText),
  AWS_SESSION_TOKEN: optional({ accepts: 'visible ASCII characters', secret: true }, visibleText),
  AWS_REGION: optional({ accepts: 'a region such as eu-central-1' }, (text) => (/^[\w-]+$/.test(text) ? text : null)),
  PUBLIC_URL: optional({ accepts: 'an http or https URL without query' }, publicUrl),
  APP_NAME: setting(
    { accepts: `a name of 1 to ${MAX_APP_NAME_CHARACTERS} visible characters`, default: 'Skep' },
    (text) => (isLine(text.trim(), { minLength: 1, maxLength: MAX_APP_NAME_CHARACTERS }) ? text.trim() : null),
  ),
  APP_URL: optional({ accepts: 'an http or https URL without query' }, publicUrl),
  JWT_SECRET: optional({ accepts: 'at least 32 bytes', secret: true }, secretText(32)),
  ACCESS_TOKEN_TTL: duration('15m'),
  REFRESH_TOKEN_TTL: duration('30d'),
  SIGNUP: choice(['open', 'closed'], 'open'),
  USER_LOOKUP: choice(['exact', 'off'], 'exact'),
  DOCS: choice(['public', 'admin'], 'public'),
  CORS_ORIGINS: optional({ accepts: 'a comma list of origins such as https://app.example.com, or *' }, parseOrigins),
  ALLOWED_HOSTS: optional({ accepts: 'a comma list of host names such as api.example.com, or *' }, hosts),
  SMTP_URL: optional({ accepts: 'smtp://… or smtps://…', secret: 'url' }, (text) =>
    /^smtps?:$/.test(parseUrl(text)?.protocol ?? '') ? text : null,
  ),
  MAIL_FROM: setting(
    { accepts: 'an address such as Skep <no-reply@example.com>', default: 'Skep <no-reply@localhost>' },
    parseSender,
  ),
  MAIL_TEMPLATES: optional({ accepts: 'a folder of templates' }, (text) => readMailTemplates(resolve(text))),
  MAX_BODY_SIZE: size('1mb'),
  MAX_UPLOAD_SIZE: size('10mb'),
  MAX_RECORD_SIZE: size('64kb'),
  COLLECTIONS_DIR: optional({ accepts: 'a folder of definitions' }, (text) => resolve(text)),
  UPLOAD_TYPES: setting(
    { accepts: 'a comma list of content types such as image/png or image/*, or */*', default: 'image/jpeg,image/png' },
    parseUploadTypes,
  ),
  RATE_LIMIT: rate('600/1m'),
  RATE_LIMIT_AUTH: rate('20/1m'),
  MAX_SOCKETS_PER_USER: integer(1, 10_000, 20),
  QUOTA: setting({ accepts: 'a size such as 512mb or 1gb, or off', default: '1gb' }, (text) =>
    text === 'off' ? text : parseSize(text),
  ),
  TRUST_PROXY: integer(0, 100, 0),
  EVENT_RETENTION: duration('7d'),
  HISTORY_RETENTION: duration('30d'),
  AUDIT_RETENTION: duration('365d'),
  // As required in a header by RFC 6750 section 2.1.
  METRICS_TOKEN: optional({ accepts: 'at least 16 of A-Z a-z 0-9 - . _ ~ + /', secret: true }, (text) =>
    /^[\w\-.~+/]{16,}=*$/.test(text) ? text : null,
  ),
  // A timer of more than 2 ** 31 ms, about 24.8 days, fires at once.
  SHUTDOWN_TIMEOUT: duration('10s', '24d'),
  LOG_LEVEL: choice(['debug', 'info', 'warn', 'error'], 'info'),
  LOG_FORMAT: optional({ accepts: 'pretty or json' }, (text) => (text === 'pretty' || text === 'json' ? text : null)),
})

export type SettingName = keyof typeof SettingsSchema.properties
export type GivenSettings = StaticDecode<typeof SettingsSchema>
