import { AwsV4Signer } from 'aws4fetch'
import { isTransient, S3Refusal } from './errors.ts'

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

export interface S3Keys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

export interface S3Call {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'
  /** Within the prefix; if absent, the request is for the bucket. */
  readonly key?: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array<ArrayBuffer>
  /** Of `body`, in hexadecimal, if already known. */
  readonly sha256?: string
  /** Maximum number of attempts. */
  readonly attempts?: number
  /** Milliseconds for each attempt. */
  readonly timeout?: number
  readonly signal?: AbortSignal
}

export interface S3Answer {
  readonly headers: Headers
  readonly text: string
}

/** Signed requests to one bucket. All are safe to repeat, and are retried after temporary failures. */
export interface S3Client {
  /** Throws {@link S3Refusal}, or a network error. */
  send(call: S3Call): Promise<S3Answer>
  /** The same, but resolves as soon as the body begins; `timeout` applies until then. */
  open(call: S3Call): Promise<Response>
}

const MAX_ATTEMPTS_COUNT = 3
const TIMEOUT_MS = 20_000

const rootOf = ({ bucket, endpoint, region, virtualHosted }: S3Place): URL => {
  const domain = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'
  const url = new URL(endpoint ?? `https://s3.${region}.${domain}`)
  const path = url.pathname.replace(/\/+$/, '')
  if (virtualHosted) url.hostname = `${bucket}.${url.hostname}`
  url.pathname = virtualHosted ? `${path}/` : `${path}/${bucket}/`
  return url
}

const pause = (attempt: number) => Bun.sleep(100 * 2 ** attempt * (0.5 + Math.random()))

/** S3 may detect an error after it has begun a 200 response. */
const isRefusal = (text: string) => /^\s*(?:<\?xml[^>]*>\s*)?<Error[\s>]/.test(text)

export const createS3Client = (place: S3Place, keys: S3Keys): S3Client => {
  const root = rootOf(place)
  // Cache of derived keys, which AwsV4Signer creates for each day; it is cleared now and then.
  const cache = new Map<string, ArrayBuffer>()

  const urlOf = ({ key, query }: S3Call): URL => {
    const url = new URL(root)
    if (key !== undefined) url.pathname += place.prefix + key
    for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value)
    return url
  }

  const signed = async (call: S3Call) => {
    // So S3 rejects content that was changed in transit.
    const sha256 = call.sha256 ?? Bun.CryptoHasher.hash('sha256', call.body ?? '', 'hex')
    if (cache.size > 10) cache.clear()
    const { headers, url } = await new AwsV4Signer({
      ...keys,
      service: 's3',
      region: place.region,
      cache,
      method: call.method,
      url: urlOf(call).href,
      headers: { ...call.headers, 'x-amz-content-sha256': sha256 },
    }).sign()
    return { url, headers }
  }

  const attempt = async <T>(call: S3Call, take: (response: Response) => Promise<T>): Promise<T> => {
    const { url, headers } = await signed(call)
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(new Error('S3 did not answer in time')), call.timeout ?? TIMEOUT_MS)
    try {
      const response = await fetch(url, {
        method: call.method,
        headers,
        redirect: 'manual',
        signal: call.signal === undefined ? late.signal : AbortSignal.any([call.signal, late.signal]),
        ...(call.body === undefined ? {} : { body: call.body }),
      })
      if (response.ok) return await take(response)
      throw new S3Refusal(call.method, response.status, await response.text())
    } finally {
      clearTimeout(timer)
    }
  }

  const repeat = async <T>(call: S3Call, take: (response: Response) => Promise<T>): Promise<T> => {
    for (let made = 1; ; made++) {
      try {
        return await attempt(call, take)
      } catch (error) {
        if (call.signal?.aborted || made >= (call.attempts ?? MAX_ATTEMPTS_COUNT) || !isTransient(error)) throw error
        await pause(made)
      }
    }
  }

  return {
    send: (call) =>
      repeat(call, async (response) => {
        const text = await response.text()
        if (isRefusal(text)) throw new S3Refusal(call.method, 500, text)
        return { headers: response.headers, text }
      }),
    open: (call) => repeat(call, async (response) => response),
  }
}
