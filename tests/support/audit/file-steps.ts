import { MULTIPART, multipart, PNG, part } from '../uploads.ts'
import type { AuditWalk, Steps } from './walk.ts'

const file = () => ({
  headers: { 'content-type': MULTIPART },
  body: multipart(part('name="file"; filename="a.png"', PNG)),
})

/** Files and links to them. */
export const fileSteps = ({ send, prepare, member }: AuditWalk): Steps => {
  const upload = async (token: string): Promise<string> => {
    const { body } = await prepare('POST', '/files/', { token, ...file() })
    return `/files/${body.id}`
  }

  return {
    uploadFile: {
      action: 'file.created',
      run: async (id) => send(id, 'POST', '/files/', { token: (await member()).token, ...file() }),
    },
    deleteFile: {
      action: 'file.deleted',
      async run(id) {
        const { token } = await member()
        return send(id, 'DELETE', await upload(token), { token })
      },
    },
    createFileLink: {
      action: 'link.created',
      async run(id) {
        const { token } = await member()
        return send(id, 'POST', `${await upload(token)}/links`, { token, json: { expires_in: 60 } })
      },
    },
    deleteFileLink: {
      action: 'link.deleted',
      async run(id) {
        const { token } = await member()
        const path = await upload(token)
        const { body } = await prepare('POST', `${path}/links`, { token, json: { expires_in: 60 } })
        return send(id, 'DELETE', `${path}/links/${body.id}`, { token })
      },
    },
  }
}
