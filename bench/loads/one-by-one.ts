/** GETs over one connection, one after the other: what each takes when nothing else is asked. */
export interface OneByOneInput {
  readonly token: string
  readonly urls: readonly string[]
}

/** Milliseconds, in the order of the URLs. */
export type OneByOneReport = readonly number[]

const { token, urls } = (await Bun.stdin.json()) as OneByOneInput
const init = { headers: { authorization: `Bearer ${token}` } }
const times: number[] = []
for (const url of urls) {
  const from = performance.now()
  const response = await fetch(url, init)
  const text = await response.text()
  times.push(performance.now() - from)
  if (response.status !== 200) throw new Error(`${url} answered ${response.status}: ${text}`)
}
const report: OneByOneReport = times
console.log(JSON.stringify(report))
