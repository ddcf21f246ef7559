export interface Target {
  readonly url: string // http://127.0.0.1:PORT
  readonly token: string // access token of the attacking account
  readonly userId: number
  /** Creates items as someone else in bulk etc. is done through plain HTTP: a second account's token. */
  readonly otherToken: string
}
export interface Attack {
  readonly id: string // 'A4'
  readonly about: string // one line
  /** Settings beside the defaults; leave empty where possible: the promise holds under default limits. */
  readonly env?: Readonly<Record<string, string>>
  /** Fills the server before anything is measured. */
  prepare?(target: Target): Promise<void>
  /** One of 64 clients of one account: sends its worst known input, at once and again, until `signal` aborts. Refusals (429, 413, …) are answers like any other; when refused, wait briefly (e.g. 20 ms) to not busy-loop. */
  client(target: Target, index: number, signal: AbortSignal): Promise<void>
}
