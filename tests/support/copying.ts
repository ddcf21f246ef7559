import { join } from 'node:path'
import { outsideOfPostgres } from './postgres.ts'
import { type Folder, run } from './process.ts'
import { embeddedOnly } from './stack.ts'

/** Copies an installation to a Postgres database. */
export const copy = (home: Folder, to: string, ...more: string[]) =>
  run(['copy', '--to', to, ...more], { cwd: home.path, env: embeddedOnly })

export const dataOf = (home: Folder) => join(home.path, 'data')

/** The number of rows of a table in Postgres. */
export const countOf = async (url: string, table: string) =>
  Number((await outsideOfPostgres<{ n: string }>(url, `SELECT count(*) AS n FROM ${table}`))[0]?.n)
