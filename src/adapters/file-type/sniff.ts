import { fileTypeFromBuffer } from 'file-type'
import type { SniffContentType } from '../../application/ports/blobs.ts'

/** Judges by the signatures that the package `file-type` knows. */
export const sniffContentType: SniffContentType = async (head) => (await fileTypeFromBuffer(head))?.mime ?? null
