import { TransformDecodeError, Value } from '@sinclair/typebox/value'
import { missingSettings, type S3Place, withRegion } from './s3-place.ts'
import { SettingsSchema } from './schema.ts'
import { hiddenUrl, isEmbedded, placeOf, type Settings } from './settings.ts'

/** The arguments of the copy command. */
export interface DestinationOptions {
  readonly to: string
  readonly files?: string
}

/** Where an installation is copied to. */
export interface Destination {
  readonly databaseUrl: string
  /** Null when files stay where they are. */
  readonly files: string | S3Place | null
  /** The settings for the new processes, without secrets. */
  readonly shown: { readonly DATABASE_URL: string; readonly FILES_URL: string }
}

type Decoded<T> = { readonly value: T } | { readonly why: string }

const decode = <T>(read: () => T): Decoded<T> => {
  try {
    return { value: read() }
  } catch (error) {
    return { why: error instanceof TransformDecodeError ? error.error.message : String(error) }
  }
}

const isSame = (one: string | S3Place, other: string | S3Place): boolean => placeOf(one) === placeOf(other)

/** Checks the target of a copy against the settings of the source. One line per fault. */
export const readDestination = (
  settings: Settings,
  { to, files }: DestinationOptions,
): Destination | { readonly problems: readonly string[] } => {
  const problems: string[] = []
  if (!isEmbedded(settings.DATABASE_URL)) {
    problems.push('DATABASE_URL: expected sqlite:PATH or none, because what is copied is an embedded installation')
  }
  if (isEmbedded(to) || 'why' in decode(() => Value.Decode(SettingsSchema.properties.DATABASE_URL, to))) {
    problems.push('--to: expected postgres://…')
  }
  let place: string | S3Place = settings.FILES_URL
  if (files !== undefined) {
    const decoded = decode(() => Value.Decode(SettingsSchema.properties.FILES_URL, files))
    if ('why' in decoded) problems.push(`--files: ${decoded.why}`)
    else if (typeof decoded.value === 'object') {
      const unset = (name: string) => Reflect.get(settings, name) === undefined
      for (const [name, why] of missingSettings(decoded.value, unset)) problems.push(`${name}: ${why}`)
      place = withRegion(decoded.value, settings.AWS_REGION)
    } else if (decoded.value !== undefined) place = decoded.value
  }
  if (problems.length > 0) return { problems }
  return {
    databaseUrl: to,
    files: isSame(place, settings.FILES_URL) ? null : place,
    shown: { DATABASE_URL: hiddenUrl(to), FILES_URL: placeOf(place) },
  }
}

/** A place on S3 that was given as an argument. */
export const readPlace = (
  settings: Settings,
  option: string,
  given: string,
): S3Place | { readonly problems: readonly string[] } => {
  const decoded = decode(() => Value.Decode(SettingsSchema.properties.FILES_URL, given))
  if ('why' in decoded) return { problems: [`${option}: ${decoded.why}`] }
  if (typeof decoded.value !== 'object') return { problems: [`${option}: expected s3://BUCKET/NAME`] }
  const unset = (name: string) => Reflect.get(settings, name) === undefined
  const missing = missingSettings(decoded.value, unset, option)
  if (missing.length > 0) return { problems: missing.map(([name, why]) => `${name}: ${why}`) }
  return withRegion(decoded.value, settings.AWS_REGION)
}
