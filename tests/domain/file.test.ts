import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { cleanFilename, isAccepted, MAX_FILENAME_LENGTH, typeWithoutSignature } from '../../src/domain/file.ts'

describe('a file name', () => {
  test.each([
    ['report.pdf', 'report.pdf'],
    ['/etc/passwd', 'passwd'],
    ['..\\..\\boot.ini', 'boot.ini'],
    ['C:\\fakepath\\cat.png', 'cat.png'],
    ['a\r\nSet-Cookie: x', 'aSet-Cookie: x'],
    ['nul\0l.png', 'null.png'],
    ['photo\u202Egnp.exe', 'photognp.exe'],
    ['  Übung „eins".txt ', 'Übung „eins".txt'],
    ['..', 'file'],
    ['.', 'file'],
    ['folder/', 'file'],
    ['', 'file'],
    ['.gitignore', '.gitignore'],
    ['half \uD83D', 'half \uFFFD'],
  ])('%j is kept as %j', (given, kept) => {
    expect(cleanFilename(given)).toBe(kept)
  })

  test('never breaks a character where it is cut', () => {
    expect(cleanFilename(`${'x'.repeat(MAX_FILENAME_LENGTH - 1)}😀`)).toBe('x'.repeat(MAX_FILENAME_LENGTH - 1))
  })

  test('is never a path, empty or too long, whatever was given', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 600 }), (given) => {
        const name = cleanFilename(given)
        expect(name).toMatch(/^[^/\\\p{Cc}]{1,255}$/u)
        expect(name).not.toMatch(/^\.*$/)
        expect(name.isWellFormed()).toBe(true)
        expect(cleanFilename(name)).toBe(name)
      }),
    )
  })
})

test('content without a signature is text if it can be, otherwise unknown', () => {
  expect(typeWithoutSignature(Buffer.from('größer'))).toBe('text/plain')
  expect(typeWithoutSignature(Buffer.from('größer').subarray(0, 3))).toBe('text/plain')
  expect(typeWithoutSignature(Buffer.from([0x67, 0xf6, 0xdf]))).toBe('application/octet-stream')
  expect(typeWithoutSignature(Buffer.from('a\0b'))).toBe('application/octet-stream')
})

test('a type is accepted if it is listed, or if all are', () => {
  expect(isAccepted('image/png', ['image/jpeg', 'image/png'])).toBe(true)
  expect(isAccepted('text/plain', ['image/jpeg', 'image/png'])).toBe(false)
  expect(isAccepted('text/plain', '*/*')).toBe(true)
})
