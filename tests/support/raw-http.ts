import { connect } from 'node:net'

/** Sends bytes as they are and answers with all that comes back until the server closes. */
export const sendRaw = (url: string, request: string): Promise<string> => {
  const { hostname, port } = new URL(url)
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  let received = ''
  const socket = connect(Number(port), hostname, () => socket.write(request))
  socket.setEncoding('utf8')
  socket.on('data', (text) => {
    received += text
  })
  socket.on('end', () => resolve(received))
  socket.on('error', reject)
  return promise
}
