/** Names for the parts of a view that a page reads, and the frames it exchanges with the server. */
import type { AlertView, View } from './schema/types'

export type { AlertView, Channel, ChannelView, GapView, LineView, OverlapView, ScoreView, View } from './schema/types'
export type Severity = AlertView['severity']

/** What the server sends. */
export type Frame = { type: 'idle' } | { type: 'view'; view: View }

/** What the agent can say of advice: noted, or wrong. */
export type Answer = 'ack' | 'dismiss'
