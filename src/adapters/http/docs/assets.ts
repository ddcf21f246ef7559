import redocBundle from 'redoc/bundles/redoc.standalone.js' with { type: 'file' }
import swaggerUiStyle from 'swagger-ui-dist/swagger-ui.css' with { type: 'file' }
import swaggerUiBundle from 'swagger-ui-dist/swagger-ui-bundle.js' with { type: 'file' }
import redocStart from './redoc.client.js' with { type: 'file' }
import redocPage from './redoc.page.css' with { type: 'file' }
import signIn from './sign-in.client.js' with { type: 'file' }
import swaggerUiStart from './swagger-ui.client.js' with { type: 'file' }
import swaggerUiPage from './swagger-ui.page.css' with { type: 'file' }

/** A file that is part of the program, also when compiled. */
export interface Asset {
  /** Path at which it is served. */
  readonly path: string
  /** File from which it is read. */
  readonly file: string
  readonly type: string
  /** A URL that it would load from another origin. */
  readonly foreign?: string
}

const SCRIPT = 'text/javascript; charset=utf-8'

/** The files that the pages load, all from this server. */
export const ASSETS: readonly Asset[] = [
  { path: '/docs/swagger-ui.css', file: swaggerUiStyle, type: 'text/css; charset=utf-8' },
  { path: '/docs/page.css', file: swaggerUiPage, type: 'text/css; charset=utf-8' },
  { path: '/docs/swagger-ui.js', file: swaggerUiBundle, type: SCRIPT },
  { path: '/docs/sign-in.js', file: signIn, type: SCRIPT },
  { path: '/docs/start.js', file: swaggerUiStart, type: SCRIPT },
  { path: '/redoc/redoc.js', file: redocBundle, type: SCRIPT, foreign: 'https://cdn.redoc.ly/redoc/logo-mini.svg' },
  { path: '/redoc/page.css', file: redocPage, type: 'text/css; charset=utf-8' },
  { path: '/redoc/start.js', file: redocStart, type: SCRIPT },
]
