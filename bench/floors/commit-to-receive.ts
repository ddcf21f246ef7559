/**
 * What is left for reads beside changes that many sockets hear of, when a change is a text in memory: nothing is looked
 * up, checked or written. Texts go out together, as often as the second argument says, in milliseconds. First argument:
 * the text of an event, of which each change sends one. Each socket is greeted with two texts and hears all that follow.
 */
const [text = '', every] = Bun.argv.slice(2)
const { data, ...event } = JSON.parse(text)
const TOPIC = 'all'
const ME = { id: 1, email: 'someone0@example.com', name: 'Someone', role: 'admin', is_active: true }

let waiting: string[] = []
const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  development: false,
  routes: {
    '/api/v1/users/me': () => Response.json(ME),
    '/api/v1/items/:id': async (request) => {
      const { title } = (await request.json()) as { readonly title: string }
      const changed = { ...data, title, updated_at: new Date().toISOString() }
      waiting.push(JSON.stringify({ ...event, data: changed }))
      return Response.json(changed)
    },
  },
  fetch: (request, self) => (self.upgrade(request) ? undefined : new Response(null, { status: 426 })),
  websocket: {
    perMessageDeflate: false,
    open(socket) {
      socket.send('{"type":"ready"}')
    },
    message(socket) {
      socket.subscribe(TOPIC)
      socket.send('{"type":"subscribed"}')
    },
  },
})
setInterval(() => {
  for (const due of waiting) server.publish(TOPIC, due)
  waiting = []
}, Number(every))
process.once('SIGTERM', () => process.exit(0))
console.log(`listening on http://127.0.0.1:${server.port}`)

export {}
