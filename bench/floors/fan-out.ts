/**
 * What it costs to hand a text to every socket when that is all there is to it. `POST /publish?times=N` does so N times.
 * Argument: the text. Each socket is greeted with two texts and hears all that follow.
 */
const [text = ''] = Bun.argv.slice(2)
const TOPIC = 'all'

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  development: false,
  fetch(request, self) {
    const url = new URL(request.url)
    if (url.pathname !== '/publish') return self.upgrade(request) ? undefined : new Response(null, { status: 426 })
    const times = Number(url.searchParams.get('times'))
    for (let published = 0; published < times; published++) self.publish(TOPIC, text)
    return new Response()
  },
  websocket: {
    perMessageDeflate: false,
    open(socket) {
      socket.send('ready')
    },
    message(socket) {
      socket.subscribe(TOPIC)
      socket.send('subscribed')
    },
  },
})
process.once('SIGTERM', () => process.exit(0))
console.log(`listening on http://127.0.0.1:${server.port}`)
