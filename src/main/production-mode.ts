// Outside production mode Elysia builds the message of every validation error from an example, all faults and the whole
// body, which takes a hundred times longer and is shown to nobody. Written so that no bundler replaces it.
Bun.env.NODE_ENV = 'production'
