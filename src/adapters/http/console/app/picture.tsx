import { useEffect, useState } from 'preact/hooks'
import { client } from './api.ts'

/** A file as a picture, loaded with the token of the user; nothing if it is none or cannot be shown. */
export const Picture = ({ id, alt = '', size = 'small' }: { id: number; alt?: string; size?: 'small' | 'large' }) => {
  const [url, setUrl] = useState<string | null>(null)
  useEffect(() => {
    const controller = new AbortController()
    let made: string | null = null
    const load = async () => {
      const response = await client.files.download(id, { signal: controller.signal })
      if (response.headers.get('content-type')?.startsWith('image/') !== true) {
        await response.body?.cancel()
        return
      }
      made = URL.createObjectURL(await response.blob())
      setUrl(made)
    }
    load().catch(() => {})
    return () => {
      controller.abort()
      if (made !== null) URL.revokeObjectURL(made)
      setUrl(null)
    }
  }, [id])
  if (url === null) return null
  return <img class={`picture ${size}`} src={url} alt={alt} onError={() => setUrl(null)} />
}
