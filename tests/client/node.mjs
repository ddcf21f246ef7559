// The suite in Node, against the server that the first argument names. Prints the results as JSON.

import { WebSocket } from 'ws'
import { runSuite } from './run.ts'

process.on('unhandledRejection', (reason) => {
  console.error(reason)
  process.exit(1)
})
const [, , url = ''] = process.argv
process.stdout.write(JSON.stringify(await runSuite({ url, WebSocket })))
