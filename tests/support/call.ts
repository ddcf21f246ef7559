export type Fields = Readonly<Record<string, unknown>>

export interface Answer<T = Fields> {
  readonly status: number
  readonly headers: Headers
  /** The parsed JSON, or the text of anything else. */
  readonly body: T
}

export interface Call {
  readonly token?: string | undefined
  readonly json?: unknown
  readonly form?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array<ArrayBuffer> | ReadableStream
  readonly headers?: Readonly<Record<string, string>>
}

export const callAt = async <T = Fields>(
  base: string,
  method: string,
  path: string,
  options: Call = {},
): Promise<Answer<T>> => {
  const { token, json, form, body, headers } = options
  const response = await fetch(path.startsWith('//') ? base + path.slice(1) : `${base}/api/v1${path}`, {
    method,
    // Else Bun sends a request again when the server closes a connection that was used before, whatever it does.
    keepalive: false,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    body: json !== undefined ? JSON.stringify(json) : form !== undefined ? new URLSearchParams(form) : (body ?? null),
  })
  const text = await response.text()
  const isJson = /[/+]json/.test(response.headers.get('content-type') ?? '')
  return {
    status: response.status,
    headers: response.headers,
    body: text !== '' && isJson ? JSON.parse(text) : (text as T),
  }
}
