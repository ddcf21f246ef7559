const NO_SOCKETS: Bun.WebSocketHandler<undefined> = { message() {} }

/** What a floor does with the routes it has: nothing but serve them, and say where. */
export const serveFloor = <Path extends string>(
  routes: Bun.Serve.RoutesWithUpgrade<undefined, Path>,
  websocket = NO_SOCKETS,
): Bun.Server<undefined> => {
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: Number(Bun.env.PORT ?? 0),
    development: false,
    routes,
    websocket,
    fetch: () => new Response(null, { status: 404 }),
  })
  process.once('SIGTERM', () => process.exit(0))
  console.log(`listening on http://127.0.0.1:${server.port}`)
  return server
}
