import { residentMegabytes } from '../../tests/support/resources.ts'
import type { Case } from '../lib/case.ts'
import { signUp, startSkep } from '../lib/skep.ts'

const PIECE_BYTES = 256 * 1_024
const WARM_UP_BYTES = 64 * 1_048_576
const FILE_BYTES = 1_073_741_824
const BOUNDARY = 'big-file'
const WATCH_MS = 10

const HEAD = new TextEncoder().encode(
  `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="big.bin"\r\n` +
    'Content-Type: application/octet-stream\r\n\r\n',
)
const END = new TextEncoder().encode(`\r\n--${BOUNDARY}--\r\n`)

async function* formOf(size: number) {
  const piece = crypto.getRandomValues(new Uint8Array(PIECE_BYTES / 4))
  const bytes = new Uint8Array(PIECE_BYTES).map((_, index) => piece[index % piece.length] ?? 0)
  yield HEAD
  for (let sent = 0; sent < size; sent += PIECE_BYTES) yield bytes
  yield END
}

const upload = async (url: string, token: string, size: number): Promise<string> => {
  const headers = { authorization: `Bearer ${token}`, 'content-type': `multipart/form-data; boundary=${BOUNDARY}` }
  const body = formOf(size)
  const response = await fetch(`${url}/api/v1/files/`, { method: 'POST', headers, body })
  if (response.status !== 201) throw new Error(`uploading answered ${response.status}: ${await response.text()}`)
  return ((await response.json()) as { readonly path: string }).path
}

const download = async (url: string, token: string, path: string): Promise<number> => {
  const response = await fetch(url + path, { headers: { authorization: `Bearer ${token}` } })
  let size = 0
  for await (const bytes of response.body ?? []) size += bytes.length
  return size
}

/** How far the memory moves while one large file comes in and goes out. */
export const bigFile: Case = {
  name: 'big-file',
  about: 'how far memory moves while 1 GiB is uploaded and downloaded',
  async run(context) {
    const env = { MAX_UPLOAD_SIZE: '2gb', UPLOAD_TYPES: '*/*' }
    await using skep = await startSkep(context.form, { folder: context.folder(), core: null, env })
    const { token } = await signUp(skep.url)
    await download(skep.url, token, await upload(skep.url, token, WARM_UP_BYTES))
    const before = residentMegabytes(skep.pid)
    let peak = before
    const watch = setInterval(() => {
      peak = Math.max(peak, residentMegabytes(skep.pid))
    }, WATCH_MS)
    try {
      const from = performance.now()
      const path = await upload(skep.url, token, FILE_BYTES)
      const between = performance.now()
      const size = await download(skep.url, token, path)
      const to = performance.now()
      if (size !== FILE_BYTES) throw new Error(`${size} bytes came back of ${FILE_BYTES}`)
      const rate = (milliseconds: number) => FILE_BYTES / 1e6 / (milliseconds / 1_000)
      return {
        figures: [
          { name: 'memory moved', unit: 'MB', value: peak - before, bar: { of: 'value', atMost: 67 } },
          { name: 'upload', unit: 'MB/s', value: rate(between - from) },
          { name: 'download', unit: 'MB/s', value: rate(to - between) },
        ],
        detail: { form: context.form.name, size: FILE_BYTES, before, peak },
      }
    } finally {
      clearInterval(watch)
    }
  },
}
