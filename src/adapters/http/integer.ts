import { type IntegerOptions, type TInteger, Type } from '@sinclair/typebox'

/** An integer in a response. Elysia's own also accepts text, and compiles a validator wherever it is used. */
export const integer = (about: IntegerOptions): TInteger => Type.Integer(about)
