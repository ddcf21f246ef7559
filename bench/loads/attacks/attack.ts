/** The server under attack, and who may be used against it. */
export interface Target {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string
  /** Access token of the attacking account. */
  readonly token: string
  readonly userId: number
  /** Access token of a second account, for data that belongs to someone else. */
  readonly otherToken: string
}

/** The worst known input of one kind that an ordinary account can send. */
export interface Attack {
  /** The threat in docs/security.md, without its `T-`. */
  readonly id: string
  /** One line for the table. */
  readonly about: string
  /** Fills the server before anything is measured; without limits. What is measured are the default limits. */
  prepare?(target: Target): Promise<void>
  /**
   * One of 64 clients of one account: sends the input again and again until `signal` aborts. A refusal is an answer like
   * any other.
   */
  client(target: Target, index: number, signal: AbortSignal): Promise<void>
}
