const NO_SOCKETS: Bun.WebSocketHandler<undefined> = { message() {} }

const ON_ANY_PORT = { hostname: '127.0.0.1', port: Number(Bun.env.PORT ?? 0), development: false } as const

/** Says where a floor listens, until it is stopped. */
const announce = (server: Bun.Server<undefined>): Bun.Server<undefined> => {
  process.once('SIGTERM', () => process.exit(0))
  console.log(`listening on http://127.0.0.1:${server.port}`)
  return server
}

/** What a floor does with the routes it has: nothing but serve them, and say where. */
export const serveFloor = <Path extends string>(
  routes: Bun.Serve.RoutesWithUpgrade<undefined, Path>,
): Bun.Server<undefined> =>
  announce(
    Bun.serve({ ...ON_ANY_PORT, routes, websocket: NO_SOCKETS, fetch: () => new Response(null, { status: 404 }) }),
  )

/** The same for one that has no routes of Bun. */
export const serveFetch = (
  fetch: (request: Request) => Response | Promise<Response>,
  websocket: Bun.WebSocketHandler<undefined>,
): Bun.Server<undefined> => announce(Bun.serve({ ...ON_ANY_PORT, fetch, websocket }))
