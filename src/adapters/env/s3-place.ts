/** The bucket of an `s3://BUCKET/PREFIX?…` URL. */
export interface S3Place {
  readonly bucket: string
  /** '' or the prefix of all keys, including a trailing slash. */
  readonly prefix: string
  /** Null for AWS in this region. */
  readonly endpoint: string | null
  readonly region: string
  /** Whether the bucket is in the host name, not in the path. */
  readonly virtualHosted: boolean
}

const PARAMETERS = ['endpoint', 'region', 'virtual_hosted_style']

const fail = (why: string): never => {
  throw new Error(why)
}

const parseEndpoint = (text: string): string => {
  const url = URL.canParse(text) ? new URL(text) : fail('expected an http or https URL as its endpoint')
  const bare = !url.username && !url.password && !url.search && !url.hash
  if (!/^https?:$/.test(url.protocol) || !bare) fail('expected an http or https URL without query as its endpoint')
  return url.href.replace(/\/+$/, '')
}

const parseStyle = (text: string): boolean => {
  if (text !== 'true' && text !== 'false') fail('expected true or false as its virtual_hosted_style')
  return text === 'true'
}

/**
 * Null if it is not such a URL; throws an `Error` that describes a fault in one. `region` is '' if it has none and
 * there is no default. Endpoints other than AWS are assumed to expect the bucket in the path.
 */
export const parseS3Place = (text: string): S3Place | null => {
  const [, bucket = '', path = '', query = ''] = /^s3:\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/.exec(text) ?? []
  if (bucket === '') return null
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) fail('expected s3://BUCKET with the name of a bucket')
  const prefix = path.replace(/\/+$/, '')
  if (prefix !== '' && !/^(?!\.{1,2}(?:\/|$))[\w.-]+(?:\/(?!\.{1,2}(?:\/|$))[\w.-]+)*$/.test(prefix)) {
    fail('expected only letters, digits, - _ . and single / in the prefix after its bucket')
  }
  const parameters = new URLSearchParams(query)
  for (const name of new Set(parameters.keys())) {
    if (!PARAMETERS.includes(name)) fail(`expected no parameters but ${PARAMETERS.join(', ')}`)
    if (parameters.getAll(name).length > 1) fail(`expected ${name} once`)
  }
  const given = (name: string) => parameters.get(name) || null
  const endpoint = given('endpoint') === null ? null : parseEndpoint(given('endpoint') ?? '')
  const region = given('region') ?? ''
  if (!/^[\w-]*$/.test(region)) fail('expected a region such as eu-central-1')
  const style = given('virtual_hosted_style')
  // Wildcard certificates are not valid for names with further dots.
  const virtualHosted = style === null ? endpoint === null && !bucket.includes('.') : parseStyle(style)
  return { bucket, prefix: prefix === '' ? '' : `${prefix}/`, endpoint, region, virtualHosted }
}

/** The effective URL, with defaults filled in. */
export const showS3Place = ({ bucket, prefix, endpoint, region, virtualHosted }: S3Place): string => {
  const at = endpoint === null ? '' : `endpoint=${endpoint}&`
  return `s3://${[bucket, prefix].join('/').replace(/\/+$/, '')}?${at}region=${region}&virtual_hosted_style=${virtualHosted}`
}

/** The settings that are also required, and why; `unset` returns those that are missing. */
export const missingSettings = (
  { endpoint, region }: S3Place,
  unset: (name: string) => boolean,
  setting = 'FILES_URL',
): readonly (readonly [name: string, why: string])[] => {
  const needed: [string, string][] = [
    ['AWS_ACCESS_KEY_ID', `expected a key, because ${setting} is on S3`],
    ['AWS_SECRET_ACCESS_KEY', `expected a key, because ${setting} is on S3`],
  ]
  if (region === '' && endpoint === null) {
    needed.push(['AWS_REGION', `expected a region, because ${setting} names neither a region nor an endpoint`])
  }
  return needed.filter(([name]) => unset(name))
}

/** The name of AWS's first region, which other servers accept as a default. */
export const withRegion = (place: S3Place, region = 'us-east-1'): S3Place =>
  place.region === '' ? { ...place, region } : place
