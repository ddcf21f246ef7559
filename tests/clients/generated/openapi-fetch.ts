import createClient from 'openapi-fetch'
import type { paths } from './client.ts'

interface Answer<T> {
  readonly data?: T | undefined
  readonly error?: unknown
  readonly response: Response
}

const dataOf = <T>({ data, error, response }: Answer<T>): T => {
  if (data === undefined) throw new Error(`${response.url}: ${response.status} ${JSON.stringify(error)}`)
  return data
}

const bytesOf = async (content: Blob) => [...new Uint8Array(await content.arrayBuffer())]

const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' }

/** The whole round through the client that openapi-typescript and openapi-fetch make; see `Round` in the test. */
export const round = async (baseUrl: string, email: string, picture: Uint8Array<ArrayBuffer>) => {
  const client = createClient<paths>({ baseUrl })
  const anonymous = createClient<paths>({ baseUrl })

  const password = 'correct horse'
  const user = dataOf(await client.POST('/api/v1/users/', { body: { email, name: 'Ann', password } }))
  const credentials = { grant_type: 'password' as const, username: email, password }
  const pair = dataOf(await client.POST('/api/v1/auth/token', { body: credentials, headers: FORM }))
  const refresh = { grant_type: 'refresh_token' as const, refresh_token: pair.refresh_token }
  const { access_token: token } = dataOf(await client.POST('/api/v1/auth/token', { body: refresh, headers: FORM }))
  client.use({ onRequest: ({ request }) => request.headers.set('Authorization', `Bearer ${token}`) })

  const titles = ['one', 'two', 'three']
  for (const title of titles) {
    const { response } = await client.POST('/api/v1/items/', { body: { title, data: { [title]: [1, null] } } })
    if (response.status !== 201) throw new Error(`created with ${response.status}`)
  }
  const listed: string[] = []
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const query = { size: 2, sort: 'created_at' as const, ...(cursor === undefined ? {} : { cursor }) }
    const page = dataOf(await client.GET('/api/v1/items/', { params: { query } }))
    listed.push(...page.items.map(({ title }) => title))
    cursor = page.next_cursor
  }

  const created = await client.POST('/api/v1/items/', { body: { title: 'four', description: null } })
  const path = { id: dataOf(created).id }
  const header = { 'If-Match': created.response.headers.get('ETag') ?? '' }
  const body = { title: 'fourth' }
  const updated = dataOf(await client.PATCH('/api/v1/items/{id}', { params: { path, header }, body }))
  const conflict = await client.PATCH('/api/v1/items/{id}', { params: { path, header }, body: { title: 'lost' } })

  const operations = [
    { op: 'create' as const, title: 'five', data: {} },
    { op: 'update' as const, id: path.id, version: updated.version, description: 'in a batch' },
    { op: 'delete' as const, id: path.id },
  ]
  const batch = dataOf(await client.POST('/api/v1/items/batch', { body: { operations } }))

  const list = dataOf(await client.POST('/api/v1/collections/lists/records/', { body: { name: 'Groceries' } }))
  const draft = { title: 'Milk', list: list.id }
  const task = dataOf(await client.POST('/api/v1/collections/tasks/records/', { body: draft }))
  const expanding = { path: { id: task.id }, query: { expand: 'list.owner' } }
  const { title, expanded } = dataOf(await client.GET('/api/v1/collections/tasks/records/{id}', { params: expanding }))

  const form = new FormData()
  form.append('file', new File([picture], 'dot.png', { type: 'image/png' }))
  const upload = { body: { file: 'dot.png' }, bodySerializer: () => form }
  const file = dataOf(await client.POST('/api/v1/files/', upload))
  const id = file.id
  const part = await client.GET('/api/v1/files/{id}/content', {
    params: { path: { id }, header: { Range: 'bytes=1-3' } },
    parseAs: 'blob',
  })

  const link = dataOf(
    await client.POST('/api/v1/files/{id}/links', { params: { path: { id } }, body: { expires_in: 60 } }),
  )
  const query = Object.fromEntries(new URL(link.url).searchParams)
  const shared = await anonymous.GET('/api/v1/files/{id}/content', {
    params: { path: { id }, query },
    parseAs: 'blob',
  })
  return {
    user: user.email,
    refreshed: token !== pair.access_token,
    listed,
    updated: { title: updated.title, version: updated.version },
    conflict: { status: conflict.response.status, code: conflict.error?.code },
    batch: batch.results.map((item) => item?.title ?? null),
    task: { title, list: expanded?.list?.name, owner: expanded?.list?.expanded?.owner?.name },
    file: { filename: file.filename, content_type: file.content_type, size: file.size },
    part: {
      status: part.response.status,
      range: part.response.headers.get('Content-Range'),
      bytes: await bytesOf(dataOf<Blob>(part)),
    },
    shared: await bytesOf(dataOf<Blob>(shared)),
  }
}
