import { copyFileSync, realpathSync } from 'node:fs'
import { basename, join } from 'node:path'
import elysiaPackage from 'elysia/package.json' with { type: 'json' }
import { ROOT } from '../lib/skep.ts'
import { type Api, idOfRecord, installOnce, type Peer, posting, run, send } from './peer.ts'

/** What the programs written after a framework's tutorial have in common. */
const api: Omit<Api, 'live'> = {
  health: '/health',
  signUp: async (url, credentials) => void (await send(url, posting('/users', credentials))),
  signIn: (credentials) => posting('/token', credentials),
  accountOf: (answer) => ({ id: '', token: (answer as { access_token: string }).access_token }),
  notes: '/notes',
  draftOf: (draft) => draft,
  list: (withTotal) => `/notes?total=${withTotal}`,
  cheaperThan: (price) => `/notes?total=false&cheaper_than=${price}`,
  idOf: idOfRecord,
  totalOf: (answer) => (answer as { total: unknown }).total,
}

const list = 'exact total; one statement of its own'

export const fastapi: Peer = {
  name: 'FastAPI',
  promises: {
    create: 'synced to disk: rollback journal, synchronous=FULL, as SQLite does by default',
    hash: 'argon2id, 64 MiB, 3 passes, 4 lanes',
    list,
  },
  api: {
    ...api,
    signIn: ({ email, password }) => ({
      path: '/token',
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: String(new URLSearchParams({ username: email, password })),
    }),
    live: null,
  },
  async install(scratch, mayInstall) {
    const python = Bun.which('python3')
    if (python === null) return 'python3 is not on the PATH'
    const venv = join(scratch, 'fastapi')
    const source = join(import.meta.dir, 'fastapi')
    const requirements = join(source, 'requirements.txt')
    const version = await installOnce(venv, [requirements], mayInstall, async () => {
      await run([python, '-m', 'venv', venv], { cwd: scratch })
      await run([join(venv, 'bin/pip'), 'install', '--quiet', '-r', requirements], { cwd: scratch })
      const show = await run([join(venv, 'bin/pip'), 'show', 'fastapi'], { cwd: scratch })
      return /^Version: (.+)$/m.exec(show)?.[1] ?? 'unknown'
    })
    const uvicorn = join(venv, 'bin/uvicorn')
    return {
      version,
      deployed: [venv],
      command: (port) => ({
        command: [uvicorn, '--app-dir', source, '--port', String(port), '--no-access-log', 'main:app'],
        env: { PYTHONDONTWRITEBYTECODE: '1' },
      }),
    }
  },
}

export const fastify: Peer = {
  name: 'Fastify',
  promises: {
    create: 'not synced: WAL at synchronous=NORMAL, as better-sqlite3 is compiled',
    hash: 'argon2id, 64 MiB, 3 passes, 4 lanes',
    list,
  },
  api: { ...api, live: null },
  async install(scratch, mayInstall) {
    const node = Bun.which('node')
    if (node === null || Bun.which('npm') === null) return 'node or npm is not on the PATH'
    const folder = join(scratch, 'fastify')
    const source = join(import.meta.dir, 'fastify')
    const sources = ['package.json', 'main.cjs'].map((name) => join(source, name))
    const version = await installOnce(folder, sources, mayInstall, async () => {
      for (const path of sources) copyFileSync(path, join(folder, basename(path)))
      await run(['npm', 'install', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: folder })
      const installed: { version: string } = await Bun.file(join(folder, 'node_modules/fastify/package.json')).json()
      return installed.version
    })
    return {
      version,
      deployed: [realpathSync(node), join(folder, 'node_modules')],
      command: (port) => ({ command: [node, join(folder, 'main.cjs')], env: { PORT: String(port) } }),
    }
  },
}

export const elysia: Peer = {
  name: 'Elysia',
  promises: {
    create: 'not synced: WAL at synchronous=NORMAL',
    hash: 'argon2id, 64 MiB, 2 passes',
    list,
  },
  api: { ...api, live: 'publish' },
  install: async () => ({
    version: elysiaPackage.version,
    deployed: [process.execPath, ...ELYSIA_PACKAGES.map((name) => join(ROOT, 'node_modules', name))],
    command: (port) => ({
      command: [process.execPath, join(import.meta.dir, 'elysia/main.ts')],
      env: { PORT: String(port), NODE_ENV: 'production' },
    }),
  }),
}

const ELYSIA_PACKAGES = ['elysia', '@elysiajs/jwt', 'jose', '@sinclair/typebox']
