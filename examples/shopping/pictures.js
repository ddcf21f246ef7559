// Pictures of signed-in users.

import { skep } from './skep.js'

/** Addresses of downloaded pictures, by the id of the file. */
const downloads = new Map()

/** An address for `<img>`, which cannot send a token itself. */
export const download = (file) => {
  const known = downloads.get(file)
  if (known !== undefined) return known
  const coming = skep.files
    .download(file)
    .then((response) => response.blob())
    .then((blob) => URL.createObjectURL(blob))
  coming.catch(() => downloads.delete(file))
  downloads.set(file, coming)
  return coming
}

export const forgetDownloads = () => {
  for (const coming of downloads.values()) coming.then((url) => URL.revokeObjectURL(url)).catch(() => {})
  downloads.clear()
}
