/** What the server says of one call, beside its view (schema/types.ts). */
import type { Channel } from '../view'

export interface Note {
  line: number
  type: 'label' | 'stretch' | 'comment' | 'reviewed' | 'swap'
  about: number | null
  label: string
  text: string
  at_ms: number | null
  channel: Channel | null
  begin_ms: number | null
  end_ms: number | null
  by: string
  time: string
}

export interface Detail {
  id: string
  agent_id: string
  team: string
  queue: string
  direction: string
  started: string
  duration_s: number
  state: 'live' | 'analysing' | 'ended' | 'interrupted'
  policy: string
  source: string
  reviewed: boolean
  written: boolean
  progress: number | null
  notes: Note[]
}

export interface Statement {
  text: string
  evidence: number[]
  ms: number | null
}

export interface Moment {
  kind: 'worst' | 'friction' | 'better'
  ms: number
  text: string
  evidence: number[]
}

export interface Told {
  n: number
  ms: number
  ended_ms: number | null
  severity: 'note' | 'coach' | 'critical'
  advice: string
  reason: string
  practice: number
  ended: string
  evidence: number[]
}

export interface Practice {
  number: number
  title: string
  seen: Statement[]
  missing: Statement[]
  against: Statement[]
  unmeasured: string
}

export interface Measure {
  name: string
  unit: string
  agent: number | null
  customer: number | null
  usual: number | null
  calls: number
}

export interface Report {
  moments: Moment[]
  alerts: Told[]
  helped: Statement[]
  practices: Practice[]
  measures: Measure[]
  own: Statement[]
}

export interface Peaks {
  moment_ms: number
  order: Channel[]
  channels: number[][]
}
