import { escapeHtml } from '../../../application/mail-templates.ts'
import type { Site } from '../site/layout.ts'
import { ENTRY } from './bundle.ts'

/** As `SITE_POLICY`, and pictures that the console has loaded with the token of its user. */
export const CONSOLE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob:",
  "connect-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The page at every address of the console. It shows nothing before its script runs. */
export const consolePage = ({ appName, basePath }: Site): string => {
  const app = escapeHtml(appName)
  const base = escapeHtml(basePath)
  return `<!doctype html>
<html lang="en" data-base="${base}" data-app="${app}">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta name="robots" content="noindex">
    <title>${app} Console</title>
    <link rel="icon" type="image/svg+xml" href="${base}/site/icon.svg">
    <link rel="stylesheet" href="${base}/console/assets/${ENTRY.style}">
    <script type="module" src="${base}/console/assets/${ENTRY.script}"></script>
  </head>
  <body>
    <div id="app"></div>
    <noscript>The console needs JavaScript.</noscript>
  </body>
</html>
`
}
