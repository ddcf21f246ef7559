import { type AuditWalk, CONTENT, type Steps } from './walk.ts'

export const SCHEMA = {
  type: 'object',
  required: ['title'],
  properties: { title: { type: 'string', maxLength: 200 } },
}

const createIn = async ({ prepare }: AuditWalk, path: string, token: string): Promise<string> => {
  const { body } = await prepare('POST', path, { token, json: { title: CONTENT } })
  return `${path}${body.id}`
}

/** The steps of the records of one collection. */
const stepsOf = (walk: AuditWalk, title: string, plural: string, path: string): Steps => {
  const { send, prepare, member, admin } = walk
  return {
    [`create${title}`]: {
      action: 'record.created',
      run: async (id) => send(id, 'POST', path, { token: (await member()).token, json: { title: CONTENT } }),
    },
    [`update${title}`]: {
      action: 'record.updated',
      async run(id) {
        const { token } = await member()
        return send(id, 'PATCH', await createIn(walk, path, token), { token, json: { title: 'other' } })
      },
    },
    [`delete${title}`]: {
      action: 'record.deleted',
      async run(id) {
        const { token } = await member()
        return send(id, 'DELETE', await createIn(walk, path, token), { token })
      },
    },
    [`revert${title}`]: {
      action: 'record.updated',
      async run(id) {
        const { token } = await member()
        const record = await createIn(walk, path, token)
        await prepare('PATCH', record, { token, json: { title: 'other' } })
        return send(id, 'POST', `${record}/revert`, { token, json: { version: 1 } })
      },
    },
    [`import${plural}`]: {
      action: 'record.created',
      run: (id) =>
        send(id, 'POST', `/collections/${plural.toLowerCase()}/records/import`, {
          token: admin(),
          headers: { 'content-type': 'application/x-ndjson' },
          body: JSON.stringify({ title: CONTENT }),
        }),
    },
  }
}

/** Collections, and the records of two of them. */
export const recordSteps = (walk: AuditWalk): Steps => {
  const { send, prepare, member, admin } = walk
  return {
    putCollection: {
      action: 'collection.created',
      run: (id) => send(id, 'PUT', '/collections/notes', { token: admin(), json: { schema: SCHEMA } }),
    },
    deleteCollection: {
      action: 'collection.deleted',
      async run(id) {
        await prepare('PUT', '/collections/papers', { token: admin(), json: { schema: SCHEMA } })
        return send(id, 'DELETE', '/collections/papers', { token: admin() })
      },
    },
    ...stepsOf(walk, 'Item', 'Items', '/items/'),
    ...stepsOf(walk, 'Task', 'Tasks', '/collections/tasks/records/'),
    batchItems: {
      action: 'record.created',
      run: async (id) =>
        send(id, 'POST', '/items/batch', {
          token: (await member()).token,
          json: { operations: [{ op: 'create', title: CONTENT }] },
        }),
    },
    batchRecords: {
      action: 'record.created',
      run: async (id) =>
        send(id, 'POST', '/batch', {
          token: (await member()).token,
          json: { operations: [{ collection: 'tasks', op: 'create', title: CONTENT }] },
        }),
    },
  }
}
