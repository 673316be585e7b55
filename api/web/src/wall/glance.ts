/** A live call as the wallboard has it, and what the server says and is told. See api/wall.py. */
import type { Draft, Severity, View } from '../view'

export type Need = 'waiting' | 'anger' | 'rising' | 'calm'

/** now_ms: audio heard. anger: 0-1. curve: percent, one every five seconds up to now. critical: number of an alert. */
export interface Glance {
  call_id: string
  agent_id: string
  team: string
  queue: string
  direction: string
  now_ms: number
  need: Need
  anger: number | null
  curve: (number | null)[]
  notice: 'given' | 'missing' | 'none'
  claimed_by: string | null
  advice: string | null
  severity: Severity | null
  critical: number | null
}

export type Frame =
  | { type: 'wall'; calls: Glance[]; gone: string[] }
  | { type: 'view'; view: View }
  | { type: 'draft'; draft: Draft }
  | { type: 'over'; call_id: string }

export interface Said {
  type: 'follow'
  call_id: string | null
}

const RANK: Record<Need, number> = { waiting: 0, anger: 1, rising: 2, calm: 3 }

/** Gravest first; of the same need the oldest call first, so that rows do not change places by themselves. */
export function byNeed(one: Glance, two: Glance): number {
  return RANK[one.need] - RANK[two.need] || two.now_ms - one.now_ms || one.call_id.localeCompare(two.call_id)
}

/** Points of a polyline in a box of this width and height; what is not known is left out. */
export function line(curve: readonly (number | null)[], width: number, height: number): string {
  const step = width / Math.max(1, curve.length - 1)
  return curve
    .flatMap((value, index) => (value === null ? [] : [`${(index * step).toFixed(1)},${((1 - value / 100) * height).toFixed(1)}`]))
    .join(' ')
}
