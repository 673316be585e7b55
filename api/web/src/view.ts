/** Names for the parts of a view that a page reads, and the frames it exchanges with the server. */
import type { AlertView, Channel, View } from './schema/types'

export type { AlertView, Channel, ChannelView, GapView, LineView, OverlapView, ScoreView, View } from './schema/types'
export type Severity = AlertView['severity']

/** Words still being spoken; start, at: samples. stable stays, rest may change. Without text, it is over. */
export interface Draft {
  channel: Channel
  start: number
  at: number
  stable: string
  rest: string
}

/** seconds: what the oldest words have waited. drafts: false while they are left out for that. */
export interface Behind {
  seconds: number
  drafts: boolean
}

/** What the server sends. */
export type Frame =
  | { type: 'idle' }
  | { type: 'view'; view: View }
  | { type: 'draft'; draft: Draft }
  | ({ type: 'words_behind' } & Behind)
  | { type: 'line'; lost: boolean }

/** What the agent can say of advice: noted, or wrong. */
export type Answer = 'ack' | 'dismiss'

/** What the overlay says to the server. */
export type Said = { type: Answer; alert: number } | { type: 'snooze' | 'wake' }
