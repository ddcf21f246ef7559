import {
  batchItems,
  createFileLink,
  createItem,
  createList,
  createTask,
  createToken,
  getFileContent,
  getTask,
  listItems,
  registerUser,
  updateItem,
  uploadFile,
} from './client'
import { createClient, createConfig } from './client/client'

const bytesOf = async (content: Blob | File) => [...new Uint8Array(await content.arrayBuffer())]

/** The whole round through the client that \@hey-api/openapi-ts makes; see `Round` in the test. */
export const round = async (baseUrl: string, email: string, picture: Uint8Array<ArrayBuffer>) => {
  const throwOnError = true as const
  const anonymous = createClient(createConfig({ baseUrl }))
  const password = 'correct horse'
  const user = await registerUser({ client: anonymous, throwOnError, body: { email, name: 'Ann', password } })
  const credentials = { grant_type: 'password' as const, username: email, password }
  const pair = await createToken({ client: anonymous, throwOnError, body: credentials })
  const refresh = { grant_type: 'refresh_token' as const, refresh_token: pair.data.refresh_token }
  const renewed = await createToken({ client: anonymous, throwOnError, body: refresh })
  const client = createClient(createConfig({ baseUrl, auth: renewed.data.access_token }))

  const titles = ['one', 'two', 'three']
  for (const title of titles) {
    const { response } = await createItem({ client, throwOnError, body: { title, data: { [title]: [1, null] } } })
    if (response.status !== 201) throw new Error(`created with ${response.status}`)
  }
  const listed: string[] = []
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const query = { size: 2, sort: 'created_at' as const, ...(cursor === undefined ? {} : { cursor }) }
    const page = await listItems({ client, throwOnError, query })
    listed.push(...page.data.items.map(({ title }) => title))
    cursor = page.data.next_cursor
  }

  const created = await createItem({ client, throwOnError, body: { title: 'four', description: null } })
  const path = { id: created.data.id }
  const headers = { 'If-Match': created.response.headers.get('ETag') ?? '' }
  const updated = await updateItem({ client, throwOnError, path, headers, body: { title: 'fourth' } })
  const conflict = await updateItem({ client, path, headers, body: { title: 'lost' } })

  const { version } = updated.data
  const operations = [
    { op: 'create' as const, title: 'five', data: {} },
    { op: 'update' as const, id: path.id, version, description: 'in a batch' },
    { op: 'delete' as const, id: path.id },
  ]
  const batch = await batchItems({ client, throwOnError, body: { operations } })

  const { data: list } = await createList({ client, throwOnError, body: { name: 'Groceries' } })
  const { data: task } = await createTask({ client, throwOnError, body: { title: 'Milk', list: list.id } })
  const expanding = { path: { id: task.id }, query: { expand: 'list.owner' } }
  const { title, expanded } = (await getTask({ client, throwOnError, ...expanding })).data

  const upload = new File([picture], 'dot.png', { type: 'image/png' })
  const { data: file } = await uploadFile({ client, throwOnError, body: { file: upload } })
  const at = { id: file.id }
  const part = await getFileContent({ client, throwOnError, path: at, headers: { Range: 'bytes=1-3' } })

  const link = await createFileLink({ client, throwOnError, path: at, body: { expires_in: 60 } })
  const query = Object.fromEntries(new URL(link.data.url).searchParams)
  const shared = await getFileContent({ client: anonymous, throwOnError, path: at, query })
  return {
    user: user.data.email,
    refreshed: renewed.data.access_token !== pair.data.access_token,
    listed,
    updated: { title: updated.data.title, version },
    conflict: { status: conflict.response?.status, code: conflict.error?.code },
    batch: batch.data.results.map((item) => item?.title ?? null),
    task: { title, list: expanded?.list?.name, owner: expanded?.list?.expanded?.owner?.name },
    file: { filename: file.filename, content_type: file.content_type, size: file.size },
    part: {
      status: part.response.status,
      range: part.response.headers.get('Content-Range'),
      bytes: await bytesOf(part.data),
    },
    shared: await bytesOf(shared.data),
  }
}
