import { escapeHtml } from '../../../application/mail-templates.ts'

const page = (title: string, base: string, head: string, scripts: readonly string[]) => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${title}</title>
    <link rel="icon" type="image/svg+xml" href="${base}/site/icon.svg">
    ${head}
  </head>
  <body style="margin: 0">
    <div id="page"></div>
    ${scripts.map((path) => `<script src="${base}${path}"></script>`).join('\n    ')}
  </body>
</html>
`

/** The document in Swagger UI. */
export const swaggerUiPage = (basePath: string) => {
  const base = escapeHtml(basePath)
  const head = `<link rel="stylesheet" href="${base}/docs/swagger-ui.css">
    <link rel="stylesheet" href="${base}/docs/tokens.css">
    <link rel="stylesheet" href="${base}/docs/page.css">`
  return page('Skep: try the API', base, head, ['/docs/swagger-ui.js', '/docs/sign-in.js', '/docs/start.js'])
}

/** The document in Redoc. */
export const redocPage = (basePath: string) => {
  const base = escapeHtml(basePath)
  const head = `<link rel="stylesheet" href="${base}/docs/tokens.css">
    <link rel="stylesheet" href="${base}/redoc/page.css">`
  return page('Skep: API reference', base, head, ['/redoc/redoc.js', '/docs/sign-in.js', '/redoc/start.js'])
}
