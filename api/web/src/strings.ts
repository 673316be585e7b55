/** Every English word the pages show. */
import type { Channel, OverlapView, Severity } from './view'

const you = 'You'
const customer = 'Customer'

export const strings = {
  product: 'calmline',
  ui: {
    home: 'calmline: first page',
    skip: 'To the content',
    pages: 'Pages',
    place: { wall: 'Live', room: 'Calls', trends: 'Trends', overlay: 'Overlay' },
    role: { supervisor: 'Supervisor', agent: 'Agent', door: 'Sender' },
    theme: { system: 'Colours: as the system', light: 'Colours: light', dark: 'Colours: dark' },
    offline: 'No network. What you see may be old; it is tried again by itself.',
    unreachable: 'The server does not answer. Is it running?',
    refused: (status: number) => `The server refused this (${status}).`,
    loading: 'Loading',
    failed: 'That did not work',
    again: 'Try again',
  },
  wall: {
    title: 'Live calls',
    need: { waiting: 'Wants a supervisor', anger: 'Angry now', rising: 'Anger rising', calm: 'Calm' },
    count: (calls: number, needing: number) =>
      `${calls === 1 ? '1 live call' : `${calls} live calls`}, ${needing === 0 ? 'none needs' : needing === 1 ? '1 needs' : `${needing} need`} somebody`,
    column: { need: 'Need', agent: 'Agent', where: 'Team and queue', anger: 'Customer’s anger', time: 'Time', notice: 'Notice', advice: 'Advice now', claim: 'Claimed by' },
    team: 'Team',
    queue: 'Queue',
    all: 'All',
    noAgent: 'No agent',
    notice: { given: 'Given', missing: 'Missing', none: 'Not needed' },
    claim: 'Claim',
    release: 'Let go',
    takeOver: 'Take over',
    claimedBy: (name: string) => `Claimed by ${name}`,
    mine: 'You look after this call',
    open: (agent: string) => `Follow the call of ${agent}`,
    close: 'Close',
    opened: 'The call you follow',
    anger: 'Anger',
    tension: 'Tension',
    curves: 'Anger and tension over the call',
    level: (percent: number) => `Anger ${percent} of 100`,
    noScore: 'No score yet',
    empty: { title: 'No call is live', hint: 'Calls appear here by themselves as they begin.' },
    filtered: { title: 'No live call here', hint: 'No call of this team and queue is live. Choose another one, or all.' },
    lost: 'Connection lost: what you see stands still. Trying again by itself.',
    over: 'This call is over.',
    review: 'Open its review',
    words: 'Words appear here as they are recognised.',
    alarm: { on: 'Sound for important alerts: on', off: 'Sound for important alerts: off' },
    waits: (agent: string) => `The call of ${agent} wants a supervisor`,
    keys: 'Arrow keys choose a call, Enter follows it, C claims it, Escape closes it.',
    party: { agent: 'Agent', customer: 'Customer', unknown: 'Speaker' } satisfies Record<Channel, string>,
  },
  state: {
    ask: 'Whose calls?',
    connecting: 'Connecting',
    idle: 'Waiting for your next call',
    live: 'Live',
    ended: 'Call ended',
    offline: 'No connection',
    forbidden: 'Log in by your link',
  },
  hint: {
    ask: 'Type your agent id to see your calls.',
    connecting: 'One moment',
    idle: 'Advice appears here while you talk.',
    offline: 'Trying again by itself.',
    forbidden: 'Open the login link you were given, then come back here.',
    ended: 'Waiting for your next call',
  },
  ask: { label: 'Agent id', go: 'Show', known: 'Agents with calls', inCall: 'in a call' },
  link: { lost: 'Reconnecting', offline: 'Offline' },
  severity: { note: 'Note', coach: 'Try this', critical: 'Important' } satisfies Record<Severity, string>,
  noAdvice: 'No advice right now',
  snooze: 'Quiet for five minutes',
  snoozeBriefly: 'Quiet',
  snoozed: (until: string) => `Quiet until ${until}; only what is important comes`,
  wake: 'Advice again',
  because: (reason: string) => `Because: ${reason}`,
  deaf: {
    title: 'Not listening',
    lost: { short: 'Not listening', hint: 'No connection to the server; trying again by itself.' },
    silent: { short: 'Not listening: no sound', hint: 'The call goes on, but no sound of it comes in.' },
    paused: { short: 'Not listening: paused', hint: 'Paused for card data: nothing is heard or kept.' },
  },
  dots: {
    calm: 'Your pace is as usual',
    fast: 'You speak faster than usual',
    fastBriefly: 'Fast',
    over: 'You talk over the customer',
    apart: 'You let the customer speak',
  },
  chime: { on: 'Sound with new advice is on (S)', off: 'Sound with new advice is off (S)' },
  floating: {
    out: 'Keep on top of other windows (P)',
    back: 'Bring it back here',
    away: 'The overlay is in its own window',
    keepTab: 'Keep this tab open: it listens.',
  },
  advice: 'Advice',
  ack: 'Got it',
  dismiss: 'Wrong',
  answered: { ack: 'Noted', dismiss: 'Marked as wrong' },
  party: { agent: you, customer, unknown: 'Speaker' } satisfies Record<Channel, string>,
  speaker: { agent: you, customer, unknown: 'Speaker' } satisfies Record<Channel, string>,
  talking: 'talking',
  silent: 'silent',
  score: { anger: 'Customer’s anger', tension: 'Your tension' },
  measure: { anger: 'anger', tension: 'tension' },
  level: { none: '–', low: 'low', medium: 'medium', high: 'high' },
  noScore: 'No score yet',
  unsure: 'unsure',
  unsureBecause: 'Little evidence so far',
  transcript: 'Transcript',
  noWords: 'Words appear here',
  wordsOff: 'No transcript',
  /** Drafts are off then, so words come when they are complete, late or not. */
  behind: (seconds: number) =>
    seconds < 1.5 ? 'Words come a sentence at a time' : `Words are ${Math.round(seconds)} s behind`,
  fault: (count: number) => (count === 1 ? '1 fault' : `${count} faults`),
  gap: (count: number) => (count === 1 ? '1 sound gap' : `${count} sound gaps`),
  gapOf: (party: string, reason: string) => `Sound missing: ${party} (${reason})`,
  swapped: 'Sides may be swapped',
  oneSound: 'One sound on both sides',
  foreign: 'Another language',
  foreignOf: (count: number) => `Another language was heard: no words (${count === 1 ? 'once' : `${count} times`})`,
  echo: 'Echo',
  echoOf: (party: string, state: string) => `Echo of the other side: ${party} (${state})`,
  summary: {
    duration: 'Duration',
    alerts: 'Alerts',
    talkOver: 'You cut in',
    none: 'No advice in this call',
    fault: 'Ended by a fault',
  },
} as const

/** Who talks over whom, said to the agent. */
export function overlapWords({ kind, interrupter }: OverlapView): string {
  if (kind === 'dual_start') return 'You both started'
  if (interrupter === 'agent') return AGENT[kind]
  if (interrupter === 'customer') return CUSTOMER[kind]
  return 'You both talk'
}

type Sided = Exclude<OverlapView['kind'], 'dual_start'>

const AGENT: Record<Sided, string> = {
  overlap: 'You talk over the customer',
  interruption: 'You interrupt the customer',
  backchannel: 'You say you listen',
  completion: 'You finish their sentence',
}

const CUSTOMER: Record<Sided, string> = {
  overlap: 'The customer talks over you',
  interruption: 'The customer interrupts you',
  backchannel: 'The customer listens',
  completion: 'The customer finishes your sentence',
}
