// Outside production mode Elysia builds the message of every validation error from an example, all faults and the whole
// body, which takes a hundred times longer and is never shown. Written so that bundlers do not replace it.
Bun.env.NODE_ENV = 'production'
