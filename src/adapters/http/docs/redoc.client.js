/* global Redoc, protectedDocument */
const { fontFamily } = getComputedStyle(document.documentElement)
const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()

/** The tokens as they are now: Redoc computes with its colours, so they cannot be variables. */
const theme = () => ({
  colors: {
    primary: { main: token('accent') },
    success: { main: token('done') },
    warning: { main: token('warn') },
    error: { main: token('error') },
    gray: { 50: token('page'), 100: token('shade') },
    text: { primary: token('text'), secondary: token('quiet') },
    border: { dark: token('line'), light: token('line') },
    responses: {
      success: { color: token('done'), backgroundColor: token('done-page'), tabTextColor: '#7ee2a0' },
      error: { color: token('error'), backgroundColor: token('error-page'), tabTextColor: '#ffa198' },
      redirect: { color: token('warn'), backgroundColor: token('warn-page'), tabTextColor: '#f5c177' },
      info: { color: token('accent'), backgroundColor: token('accent-page'), tabTextColor: '#8fb2ff' },
    },
    http: { get: '#1d5fa8', post: '#14713f', put: '#8a4b00', patch: '#0b6e66', delete: '#b42318', head: '#525a68' },
  },
  schema: {
    linesColor: token('line'),
    nestedBackground: token('page'),
    typeNameColor: token('quiet'),
    typeTitleColor: token('text'),
    requireLabelColor: token('error'),
  },
  typography: {
    fontSize: '15px',
    fontFamily,
    headings: { fontFamily, fontWeight: '650' },
    code: { fontFamily: token('mono'), color: token('text'), backgroundColor: token('shade') },
    links: { color: token('accent'), visited: token('accent'), hover: token('accent-strong') },
  },
  sidebar: { backgroundColor: token('card'), textColor: token('text'), activeTextColor: token('accent') },
  // Examples are light on dark in both schemes, because the colours of their syntax are.
  rightPanel: { backgroundColor: '#181b21', textColor: '#eceef2' },
  codeBlock: { backgroundColor: '#0f1115' },
})

// Beside this script's folder, whatever path a proxy has put in front of it.
const { href } = new URL('../openapi.json', document.currentScript.src)
const place = document.getElementById('page')
protectedDocument(href, place).then((content) =>
  Redoc.init(content ?? href, { hideDownloadButtons: true, theme: theme() }, place),
)

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => location.reload())
