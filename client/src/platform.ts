/** What of `localStorage` is used. The methods may return promises, as those of mobile platforms do. */
export interface SkepStorage {
  getItem(key: string): string | null | Promise<string | null>
  setItem(key: string, value: string): unknown
  removeItem(key: string): unknown
}

/** What of a `WebSocket` is used. */
export interface Socket {
  onopen: ((event: never) => unknown) | null
  onmessage: ((event: { readonly data: unknown }) => unknown) | null
  onclose: ((event: { readonly code: number }) => unknown) | null
  onerror: ((event: never) => unknown) | null
  send(text: string): void
  close(): void
}

/** A class of sockets: the `WebSocket` of the platform, or of the package `ws`. */
export type SocketConstructor = new (
  url: string,
) => {
  send(text: string): void
  close(): void
}

/** The same class, with the handlers that libraries declare each in their own way. */
export type OpenSocket = new (url: string) => Socket

interface UploadRequest {
  readonly upload: { onprogress: ((event: { readonly loaded: number; readonly total: number }) => unknown) | null }
  readonly status: number
  readonly responseText: string
  onload: (() => unknown) | null
  onerror: (() => unknown) | null
  onabort: (() => unknown) | null
  open(method: string, url: string): void
  setRequestHeader(name: string, value: string): void
  getResponseHeader(name: string): string | null
  send(body: FormData): void
  abort(): void
}

interface StorageChange {
  readonly key: string | null
}

/** What only some platforms have. */
interface Platform {
  readonly navigator?: { readonly locks?: { request<T>(name: string, work: () => Promise<T>): Promise<T> } }
  readonly localStorage?: SkepStorage
  readonly XMLHttpRequest?: new () => UploadRequest
  readonly WebSocket?: SocketConstructor
  addEventListener?(type: string, listener: (event: StorageChange) => void): void
  removeEventListener?(type: string, listener: (event: StorageChange) => void): void
}

export const platform = globalThis as unknown as Platform

/** A random text that nobody has used. `crypto.randomUUID` is missing in pages without https. */
export const randomKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join('-')

/** Grows with each failure, and is spread so that clients of a restarted server do not all return at once. */
export const backoffMs = (failures: number, firstMs: number, maxMs: number): number =>
  Math.min(maxMs, firstMs * 2 ** failures) * (0.5 + Math.random() / 2)
