const { base = '', app = 'Skep' } = document.documentElement.dataset

/** What the page says about this installation. */
export const SITE = {
  /** The path prefix of everything that the server serves. */
  base,
  /** The name of the application. */
  appName: app,
  /** The path prefix of the console's own pages. */
  root: `${base}/console`,
} as const
