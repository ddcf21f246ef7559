import { describe, expect, test } from 'bun:test'
import { createMailbox } from '../../support/mail.ts'
import { SAMPLES, type Sample, sample } from '../../support/samples.ts'
import { startSkep } from '../../support/skep.ts'
import { PNG, upload } from '../../support/uploads.ts'

const OFFICE = SAMPLES['openpyxl.xlsx']

const mailer = createMailbox()
const anything = await startSkep({ UPLOAD_TYPES: '*/*' }, { mailer })
const pictures = await startSkep({}, { mailer })
const { token } = await anything.member()
const painter = await pictures.member()

/** A TIFF whose directory stands behind so many bytes. */
const tiffOf = (bytesBefore: number) => {
  const bytes = new Uint8Array(bytesBefore + 18)
  const view = new DataView(bytes.buffer)
  bytes.set(Buffer.from('II*\0'))
  view.setUint32(4, bytesBefore, true)
  view.setUint16(bytesBefore, 1, true)
  view.setUint16(bytesBefore + 2, 256, true)
  return bytes
}

/** A PNG with a chunk of so many bytes before its pixels. */
const pngWithText = (size: number, next: Uint8Array) => {
  const chunk = Buffer.alloc(size + 12)
  chunk.writeUInt32BE(size)
  chunk.write('tEXt', 4)
  return Buffer.concat([PNG.subarray(0, 33), chunk, next])
}

const discImage = () => {
  const bytes = new Uint8Array(40_000)
  bytes.set(Buffer.from('CD001'), 32_769)
  return bytes
}

const typeOf = async (content: Uint8Array) => (await upload(anything.call, { token, content })).body.content_type

describe('the type of a file', () => {
  test.each(Object.entries(SAMPLES))('%s, as its library writes it, is %s', async (name, type) => {
    expect(await typeOf(await sample(name as Sample))).toBe(type)
  })

  test.each([4_000, 36_850, 40_000, 3_000_000])('a TIFF with its directory behind %d bytes is one', async (before) => {
    expect(await typeOf(tiffOf(before))).toBe('image/tiff')
  })

  test('a PNG with a long text before its pixels is one, moving or not', async () => {
    expect(await typeOf(pngWithText(100_000, PNG.subarray(33)))).toBe('image/png')
    expect(await typeOf(pngWithText(100_000, Buffer.from('\0\0\0\x08acTL')))).toBe('image/png')
  })

  test('a disc image is recognised by its 17th sector', async () => {
    expect(await typeOf(discImage())).toBe('application/x-iso9660-image')
  })

  test('a compressed file is not inflated to recognise it', async () => {
    expect(await typeOf(Bun.gzipSync(new Uint8Array(1_000_000)))).toBe('application/gzip')
  })

  test('a file whose directory is not at the declared offset is not a TIFF', async () => {
    expect(await typeOf(tiffOf(40_000).subarray(0, 39_000))).toBe('application/octet-stream')
  })
})

describe('what UPLOAD_TYPES allows', () => {
  test('image/png admits an animated one', async () => {
    const { status, body } = await upload(pictures.call, {
      token: painter.token,
      content: await sample('animated.png'),
    })
    expect([status, body.content_type]).toEqual([201, 'image/png'])
  })

  test('a file refused after it was stored leaves nothing', async () => {
    const content = await sample('libtiff-raw.tif')
    const { status, body } = await upload(pictures.call, { token: painter.token, content })
    expect([status, body.code]).toEqual([400, 'invalid_file_type'])
    expect(await pictures.blobs()).toHaveLength(1)
  })

  test('a workbook is not accepted as an archive, nor an archive as a workbook', async () => {
    const skep = await startSkep({ UPLOAD_TYPES: OFFICE }, { mailer })
    const member = await skep.member()
    const send = async (content: Uint8Array) => (await upload(skep.call, { token: member.token, content })).status
    expect(await send(await sample('openpyxl-stored.xlsx'))).toBe(201)
    expect(await send(await sample('python-docx.docx'))).toBe(400)
    expect(await send(Buffer.from('PK\x05\x06'.padEnd(22, '\0')))).toBe(400)
  })

  test('image/* admits every kind of picture, and nothing else', async () => {
    const skep = await startSkep({ UPLOAD_TYPES: 'image/*' }, { mailer })
    const member = await skep.member()
    const send = async (content: Uint8Array | string) =>
      (await upload(skep.call, { token: member.token, content })).status
    expect(await send(await sample('libtiff-lzw.tif'))).toBe(201)
    expect(await send('GIF89a\x01\0\x01\0\0\0\0;')).toBe(201)
    expect(await send('%PDF-1.7\n')).toBe(400)
  })
})
