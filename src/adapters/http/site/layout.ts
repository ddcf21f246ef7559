import { escapeHtml } from '../../../application/mail-templates.ts'

/** The application shown on the pages. */
export interface Site {
  readonly appName: string
  /** URL of the application, if it is elsewhere. */
  readonly appUrl: string | undefined
  /** Path of PUBLIC_URL, without a trailing slash. */
  readonly basePath: string
}

/** Allows only the server's own styles, images, scripts and API. */
export const SITE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

interface Page {
  readonly title: string
  /** Path prefix of everything that the page loads. */
  readonly base: string
  readonly wide?: true
  /** HTML. */
  readonly content: string
  /** Paths of scripts, relative to `base`. */
  readonly scripts?: readonly string[]
}

/** A page in the common layout. */
export const layout = ({ appName }: Site, { title, base, wide, content, scripts = [] }: Page): string => {
  const app = escapeHtml(appName)
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta name="robots" content="noindex">
    <title>${title === appName ? app : `${escapeHtml(title)} · ${app}`}</title>
    <link rel="icon" type="image/svg+xml" href="${base}/site/icon.svg">
    <link rel="stylesheet" href="${base}/site/style.css">
  </head>
  <body>
    <main${wide ? ' class="wide"' : ''}>
      ${content}
    </main>
    ${scripts.map((path) => `<script src="${base}${path}"></script>`).join('\n    ')}
  </body>
</html>
`
}

export const mark = (base: string): string => `<img class="mark" src="${base}/site/icon.svg" alt="">`

/** The name of the application, above a title. */
export const brand = ({ appName }: Site, base: string): string =>
  `<p class="brand">${mark(base)}${escapeHtml(appName)}</p>`

/** The first letter of the application's name, as a logo. */
export const icon = (appName: string): string => {
  const [first] = new Intl.Segmenter().segment(appName)
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">
<rect width="64" height="64" rx="14" fill="#1d4ed8"/>
<text x="32" y="45" font-family="system-ui, sans-serif" font-size="36" font-weight="700" text-anchor="middle" fill="#fff">${escapeHtml((first?.segment ?? '').toUpperCase())}</text>
</svg>
`
}
