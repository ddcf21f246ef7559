/** 64 clients of one account that send the worst input of `attacks/NAME.ts`, all at once. */
import type { Attack, Target } from './attacks/attack.ts'

export const ATTACK_CLIENTS_COUNT = 64

export interface AttackInput {
  readonly attack: string
  readonly target: Target
  /** `prepare` fills the server and ends; `attack` goes on for `seconds`. */
  readonly phase: 'prepare' | 'attack'
  readonly seconds: number
}

if (import.meta.main) {
  const { attack: name, target, phase, seconds } = (await Bun.stdin.json()) as AttackInput
  const { attack } = (await import(`./attacks/${name}.ts`)) as { readonly attack: Attack }
  if (phase === 'prepare') await attack.prepare?.(target)
  else {
    const stopping = new AbortController()
    process.once('SIGTERM', () => stopping.abort())
    setTimeout(() => stopping.abort(), seconds * 1_000)
    const clients = Array.from({ length: ATTACK_CLIENTS_COUNT }, (_, index) =>
      // A server may cut off who attacks it; what is measured is what others get.
      attack.client(target, index, stopping.signal).catch((error: unknown) => String(error)),
    )
    await Promise.race([Promise.all(clients), Bun.sleep((seconds + 5) * 1_000)])
  }
  console.log('{}')
  process.exit(0)
}
