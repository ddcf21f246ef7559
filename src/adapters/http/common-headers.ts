const POLICY: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
}

const JSON_TYPE = 'application/json;charset=utf-8'

/** The headers of every response. */
export interface CommonHeaders {
  readonly policy: Readonly<Record<string, string>>
  /** Creates a response that has them, the JSON content type, and `headers`, which take precedence. */
  respond(
    body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null,
    status: number,
    headers: Readonly<Record<string, unknown>>,
  ): Response
  /** As {@link CommonHeaders.respond}, for a response that the edge has still to complete. */
  begin(body: string | ReadableStream<Uint8Array>, status: number, headers: Readonly<Record<string, string>>): Response
  /** Whether it was created by {@link CommonHeaders.begin}. */
  has(response: Response): boolean
}

/** `https`: whether clients use https; if so, the headers include HSTS. */
export const createCommonHeaders = (https: boolean): CommonHeaders => {
  const policy = https ? { ...POLICY, 'strict-transport-security': 'max-age=31536000' } : POLICY
  const common: Readonly<Record<string, string>> = { ...policy, 'content-type': JSON_TYPE }
  // Every response copies this one object, which is much cheaper than setting its headers one by one. Between responses
  // only those change that differ.
  const all = new Headers(common)
  /** The headers in `all` that the latest response set. */
  const latest = new Map<string, string>()
  const begun = new WeakSet<Response>()

  const change = (headers: Readonly<Record<string, unknown>>): void => {
    for (const name of latest.keys()) {
      if (headers[name] !== undefined) continue
      latest.delete(name)
      const value = common[name]
      if (value === undefined) all.delete(name)
      else all.set(name, value)
    }
    for (const name in headers) {
      const value = headers[name]
      if (value === undefined) continue
      const text = String(value)
      if (latest.get(name) === text) continue
      all.set(name, text)
      latest.set(name, text)
    }
  }

  const respond: CommonHeaders['respond'] = (body, status, headers) => {
    change(headers)
    return new Response(body, { status, headers: all })
  }

  return {
    policy,
    respond,
    begin(body, status, headers) {
      const response = respond(body, status, headers)
      begun.add(response)
      return response
    },
    has: (response) => begun.has(response),
  }
}
