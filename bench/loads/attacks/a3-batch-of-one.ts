import type { Attack, Target } from './attack.ts'

/** As many as one batch may answer. */
const UPDATES_COUNT = 28
const LARGE = { description: '\u{1F600}'.repeat(10_000), data: { x: 'y'.repeat(16_000) } }
const REFUSED_PAUSE_MS = 20

const post = ({ url, token }: Target, path: string, body: unknown, key?: string): Promise<Response> =>
  fetch(`${url}/api/v1${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    },
    body: JSON.stringify(body),
  })

export const attack: Attack = {
  id: 'A3',
  about: 'batches of 28 updates of one 57 kB item, each with an Idempotency-Key',
  async client(target, index, signal) {
    const made = await post(target, '/items/', { title: `${index}`, ...LARGE })
    const { id } = (await made.json()) as { readonly id?: number }
    for (let n = 0; !signal.aborted; n++) {
      const operations = Array.from({ length: UPDATES_COUNT }, (_, at) => ({
        op: 'update',
        id: id ?? 1,
        title: `${index} ${n} ${at}`,
      }))
      const response = await post(target, '/items/batch', { operations }, `${index}-${n}`).catch(() => null)
      await response?.arrayBuffer().catch(() => null)
      if (response?.status !== 200) await Bun.sleep(REFUSED_PAUSE_MS)
    }
  },
}
