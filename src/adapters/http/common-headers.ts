const POLICY: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
}

/** The headers of every response. */
export interface CommonHeaders {
  readonly policy: Readonly<Record<string, string>>
  /**
   * With the JSON content type. Copying the whole object for each response is much cheaper than setting single headers.
   */
  readonly ofJson: Headers
  /** Creates a response that has them. */
  respond(body: string | ReadableStream<Uint8Array>, status: number): Response
  /** Whether it was created by {@link CommonHeaders.respond}. */
  has(response: Response): boolean
}

/** `https`: whether clients use https; if so, the headers include HSTS. */
export const createCommonHeaders = (https: boolean): CommonHeaders => {
  const policy = https ? { ...POLICY, 'strict-transport-security': 'max-age=31536000' } : POLICY
  const ofJson = new Headers({ ...policy, 'content-type': 'application/json;charset=utf-8' })
  const made = new WeakSet<Response>()
  return {
    policy,
    ofJson,
    respond(body, status) {
      const response = new Response(body, { status, headers: ofJson })
      made.add(response)
      return response
    },
    has: (response) => made.has(response),
  }
}
