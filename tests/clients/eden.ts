import { treaty } from '@elysiajs/eden'
import type { App } from '../../src/main.ts'

/** Elysia's typed client, as docs/command-line.md shows it. Without `parseDate: false` times become `Date`, which no type says. */
export const createClient = (url: string, token?: string) =>
  treaty<App>(url, {
    parseDate: false,
    ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
  })

export type Client = ReturnType<typeof createClient>
