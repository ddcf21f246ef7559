/** What Bun takes to start, keeps in memory and has on the disk: it answers `/health`, and does nothing else. */
import { serveFloor } from '../lib/serve-floor.ts'

serveFloor({ '/health': () => Response.json({ status: 'ok' }) })
