import { NDJSON_TYPE } from './lines.ts'

/**
 * A response with one JSON value on each line. `chunks` is read only as fast as the client reads. If
 * reading fails, the connection is reset, so that a partial response does not look complete.
 */
export const ndjsonResponse = <T>(
  chunks: AsyncIterable<readonly T[]>,
  toLine: (value: T) => object,
  { ended, failed }: { readonly ended: () => void; readonly failed: (error: unknown) => void },
): Response => {
  const reading = chunks[Symbol.asyncIterator]()
  let isOpen = true
  const end = () => {
    if (isOpen) ended()
    isOpen = false
  }
  const body = new ReadableStream<Uint8Array>(
    {
      // Not an async function, because Bun would apply no backpressure.
      pull: (controller) =>
        reading.next().then(
          ({ done, value }) => {
            if (!isOpen) return
            if (done === true) {
              end()
              controller.close()
              return
            }
            const lines = value.map((each) => `${JSON.stringify(toLine(each))}\n`)
            controller.enqueue(new TextEncoder().encode(lines.join('')))
          },
          (error) => {
            end()
            failed(error)
            controller.error()
          },
        ),
      async cancel() {
        end()
        await reading.return?.()
      },
    },
    { highWaterMark: 0 },
  )
  return new Response(body, { headers: { 'content-type': NDJSON_TYPE } })
}
