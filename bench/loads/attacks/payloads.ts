/** One request as an attacker sends it. */
export interface Payload {
  readonly name: string
  readonly method: string
  /** From `/api/v1` on. */
  readonly path: string
  readonly type: string
  readonly body: string
}

const JSON_TYPE = 'application/json'
const FORM_TYPE = 'application/x-www-form-urlencoded'

const REFUSED_PAUSE_MS = 20

/** Sends one payload after another, beginning with the one that `index` falls on, until `signal` aborts. */
export const sendInTurn = async (
  { url, token }: { readonly url: string; readonly token: string },
  payloads: readonly Payload[],
  index: number,
  signal: AbortSignal,
): Promise<void> => {
  for (let turn = index; !signal.aborted; turn++) {
    const payload = payloads[turn % payloads.length]
    if (payload === undefined) return
    try {
      const response = await fetch(`${url}/api/v1${payload.path}`, {
        method: payload.method,
        headers: { 'content-type': payload.type, authorization: `Bearer ${token}` },
        body: payload.body,
        keepalive: false,
        signal,
      })
      await response.arrayBuffer()
      if (!response.ok) await Bun.sleep(REFUSED_PAUSE_MS)
    } catch {
      if (!signal.aborted) await Bun.sleep(REFUSED_PAUSE_MS)
    }
  }
}

const json = (name: string, method: string, path: string, body: string): Payload => ({
  name,
  method,
  path,
  type: JSON_TYPE,
  body,
})

const email = (length: number) => `{"email":"${'a@a.'.padEnd(length, 'a.')}!"}`

/** A4: text on which patterns are slow, as long as a body may be and as long as the route may be sent. */
export const LONG_TEXTS: readonly Payload[] = [1_000_000, 16_000, 250].flatMap((length) => [
  json('address at sign-up', 'POST', '/users/', email(length)),
  json('address forgotten', 'POST', '/auth/password/forgot', email(length)),
  json('address of oneself', 'PATCH', '/users/me', email(length)),
  json('name of spaces', 'PATCH', '/users/me', `{"name":"${' '.repeat(length)}"}`),
  json('title of spaces', 'POST', '/items/', `{"title":"${' '.repeat(length)}"}`),
  json('title unseen', 'POST', '/items/', `{"title":"${'\u3164'.repeat(length / 3)}"}`),
  json('description too long', 'POST', '/items/', `{"title":"x","description":"${'🐝'.repeat(length / 4)}"}`),
])

const MAX_BODY_BYTES = 1_000_000

const filled = (part: (n: number) => string, separator = ','): string => {
  const parts: string[] = []
  let size = 0
  for (let n = 0; size < MAX_BODY_BYTES - 200; n++) {
    const next = part(n)
    parts.push(next)
    size += next.length + separator.length
  }
  return parts.join(separator)
}

const names = (count: number, prefix = '') =>
  Array.from({ length: count }, (_, n) => `"${prefix}${n.toString(36)}":0`).join(',')

const data = (name: string, value: string): Payload =>
  json(name, 'POST', '/items/', `{"title":"x","data":{"n":${value}}}`)

/** A5: as many parts as a body has room for, and as many as it may have. */
export const MANY_PARTS: readonly Payload[] = [
  { name: 'form of fields', method: 'POST', path: '/auth/revoke', type: FORM_TYPE, body: 'a&'.repeat(500_000) },
  { name: 'small form of fields', method: 'POST', path: '/auth/revoke', type: FORM_TYPE, body: 'a&'.repeat(8_000) },
  {
    name: 'escapes in a form',
    method: 'POST',
    path: '/auth/token',
    type: FORM_TYPE,
    body: `username=${'%e4'.repeat(5_000)}`,
  },
  json('unknown properties', 'POST', '/items/', `{${names(100_000)}}`),
  json('unknown properties, as many as may be', 'POST', '/items/', `{${names(9_980, 'some-property-of-no-use-')}}`),
  json('empty operations', 'POST', '/items/batch', `{"operations":[${filled(() => '{}')}]}`),
  json('empty operations, as many as may be', 'POST', '/items/batch', `{"operations":[${Array(4_980).fill('{}')}]}`),
  json(
    'operations with data',
    'POST',
    '/items/batch',
    `{"operations":[${Array.from({ length: 100 }, (_, n) => `{"op":"create","title":"x","data":{${names(95, `n${n}-`)}}}`)}]}`,
  ),
  json(
    'merge of members that are not there',
    'PATCH',
    '/items/1',
    `{"data":{${names(9_980).replaceAll(':0', ':null')}}}`,
  ),
  data('zeros', `[${filled(() => '0')}]`),
  data('objects of one name each', `[${Array.from({ length: 4_980 }, (_, n) => `{"${n.toString(36)}":0}`)}]`),
  data('one name again and again', `{${filled(() => '"a":0')}}`),
  data('depth', `${'['.repeat(400_000)}${']'.repeat(400_000)}`),
  data('depth again and again', `[${Array(160).fill('['.repeat(60) + ']'.repeat(60))}]`),
  data('escapes', `"${filled(() => '\\u0041', '')}"`),
  data('escapes of pairs', `"${filled(() => '\\ud83d\\udc1d', '')}"`),
  data('half-escaped names', `{${Array.from({ length: 9_000 }, (_, n) => `"\\u0041\\u0042${'x'.repeat(80)}${n}":0`)}}`),
  data(
    'one long number',
    filled(() => '9', ''),
  ),
  data('long numbers', `[${filled(() => '1234567890123456789012345678901234567890')}]`),
  data('numbers with many zeros', `[${filled(() => `${'0.'}${'0'.repeat(700)}1`)}]`),
  data('small exponents', `[${Array(9_900).fill('1234567890123456789.1e-320')}]`),
  data('numbers beyond range', `[${Array(9_900).fill('1e400')}]`),
  data('white space', ' '.repeat(MAX_BODY_BYTES - 100)),
  data(
    'commas',
    filled(() => '', ','),
  ),
  data('a string without end', `"${'\\"'.repeat(450_000)}`),
  {
    name: 'headers of a part',
    method: 'POST',
    path: '/files/',
    type: 'multipart/form-data; boundary=x',
    body: `--x\r\n${filled((n) => `h${n}: ${n}`, '\r\n')}\r\n\r\n`,
  },
  {
    name: 'parts',
    method: 'POST',
    path: '/files/',
    type: 'multipart/form-data; boundary=x',
    body: filled(() => '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n', '\r\n'),
  },
  {
    name: 'near boundaries',
    method: 'POST',
    path: '/files/',
    type: `multipart/form-data; boundary=${'-'.repeat(60)}`,
    body: `--${'-'.repeat(60)}\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n${filled(() => `\r\n--${'-'.repeat(59)}x`, '')}`,
  },
]
