const page = (title: string, head: string, scripts: readonly string[]) => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${title}</title>
    <link rel="icon" type="image/png" href="/docs/favicon.png">
    ${head}
  </head>
  <body style="margin: 0">
    <div id="page"></div>
    ${scripts.map((path) => `<script src="${path}"></script>`).join('\n    ')}
  </body>
</html>
`

/** Nobody has a client id here: the form need not ask for one. */
const NO_CLIENT = ['client_id_password', 'client_secret_password', 'password_type']
  .map((field) => `.wrapper:has(> [for=${field}])`)
  .join(', ')

/** The document to try out. */
export const SWAGGER_UI_PAGE = page(
  'Skep: try the API',
  `<link rel="stylesheet" href="/docs/swagger-ui.css">
    <style>${NO_CLIENT} { display: none }</style>`,
  ['/docs/swagger-ui.js', '/docs/start.js'],
)

/** The document to read. */
export const REDOC_PAGE = page('Skep: API reference', '', ['/redoc/redoc.js', '/redoc/start.js'])
