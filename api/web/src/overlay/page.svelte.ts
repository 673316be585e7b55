/** What the overlay knows, and which screen that makes. */
import { stillRunning, withDraft } from '../drafts'
import { agentAddress, Live, type Link } from '../live'
import { barred, type Me } from '../ui/me'
import type { Answer, Behind, Draft, Frame, OverlapView, Said, View } from '../view'

export type Screen = 'connecting' | 'idle' | 'live' | 'ended' | 'offline' | 'forbidden' | 'others'

/** Lost for so long, or so often without a first success, we say offline instead of reconnecting. */
const OFFLINE_MS = 15_000
const OFFLINE_TRIES = 3
/** An overlap is often shorter than a glance: its words stay this long after it. */
const LINGER_MS = 1_500
/** The timer runs on between two frames, but not for longer than this: the audio is the only clock. */
const AHEAD_MS = 3_000
/** The server tells of a live call at least once a second while sound comes in: without, nobody listens. */
const DEAF_MS = 4_000

/** Why nobody listens to a call that goes on. */
export type Deaf = 'lost' | 'line' | 'silent' | 'paused'

export class Page {
  link = $state<Link>('connecting')
  offline = $state(false)
  view = $state.raw<View | null>(null)
  answered = $state.raw<{ alert: number; answer: Answer } | null>(null)
  overlap = $state.raw<OverlapView | null>(null)
  /** What is being said now; nothing is known of it without a connection. */
  drafts = $state.raw<Draft[]>([])
  /** How far words are behind, null while they are not. */
  behind = $state.raw<Behind | null>(null)
  now = $state(0)
  /** Who is logged in, where this is another agent's overlay. */
  stranger = $state.raw<Me | null>(null)

  #stalled = $state(false)
  /** The phone system's connection, not the page's. */
  #lineLost = $state(false)
  #heard = $state(false)
  #failures = 0
  #lostTimer: number | undefined
  #overlapTimer: number | undefined
  #frameAt = 0
  #lingering = 0
  #lingerUntil = 0
  readonly #live: Live<Frame, Said>

  constructor(agent: string) {
    const listener = { link: (link: Link) => this.#linked(link), frame: (frame: Frame) => this.#take(frame) }
    this.#live = new Live(agentAddress(agent), listener, () => this.#barred(agent))
  }

  get screen(): Screen {
    if (this.link === 'forbidden') return this.stranger ? 'others' : 'forbidden'
    if (!this.#heard) return this.offline ? 'offline' : 'connecting'
    if (this.view === null || this.view.state === 'waiting') return 'idle'
    return this.view.state === 'ended' ? 'ended' : 'live'
  }

  /** Whether what moves (who talks, over whom) is known at this moment. */
  get current(): boolean {
    return this.link === 'open'
  }

  /** Why the call is not listened to at this moment; null while it is, and for a moment that passes by itself. */
  get deaf(): Deaf | null {
    if (this.view?.state !== 'live') return null
    if (this.view.regions.some((region) => region.kind === 'pause' && region.open)) return 'paused'
    if (this.#lineLost && this.current) return 'line'
    if (!this.#stalled) return null
    return this.current ? 'silent' : 'lost'
  }

  /** Milliseconds of the call at which a quiet that the agent asked for is over; null without one. */
  get quietUntil(): number | null {
    const until = this.view?.snoozed_until_ms ?? null
    return until !== null && until > this.now ? until : null
  }

  start(): () => void {
    const stop = this.#live.start()
    const ticker = setInterval(() => this.#tick(), 500)
    return () => {
      stop()
      clearInterval(ticker)
      clearTimeout(this.#lostTimer)
      clearTimeout(this.#overlapTimer)
    }
  }

  /** Acknowledges or dismisses the advice shown; a second key for the same advice does nothing. */
  answer(answer: Answer): void {
    const alert = this.view?.advice?.n
    if (alert === undefined || this.answered?.alert === alert) return
    if (this.#live.say({ type: answer, alert })) this.answered = { alert, answer }
  }

  /** Five minutes without advice, or advice again. */
  snooze(): void {
    if (this.screen === 'live') this.#live.say({ type: this.quietUntil === null ? 'snooze' : 'wake' })
  }

  async #barred(agent: string): Promise<boolean> {
    const bar = await barred((who) => who.role === 'supervisor' || who.name === agent)
    this.stranger = bar?.who ?? null
    return bar !== null
  }

  #linked(link: Link): void {
    const before = this.link
    this.link = link
    if (link === 'lost') {
      this.#failures += 1
      this.drafts = []
      this.behind = null
      if (before !== 'lost') this.#lostTimer = setTimeout(() => (this.offline = true), OFFLINE_MS)
      if (!this.#heard && this.#failures >= OFFLINE_TRIES) this.offline = true
      return
    }
    clearTimeout(this.#lostTimer)
    if (link === 'open') {
      this.offline = false
      this.answered = null // an answer sent into a dying connection may be lost: it can be given again
    }
  }

  #take(frame: Frame): void {
    this.#heard = true
    this.#failures = 0
    if (frame.type === 'view') this.#show(frame.view)
    else if (frame.type === 'draft') this.drafts = withDraft(this.drafts, frame.draft)
    else if (frame.type === 'words_behind') this.behind = frame.drafts ? null : frame
    else if (frame.type === 'line') this.#lineLost = frame.lost
    else if (frame.type === 'idle') this.#rest()
  }

  #rest(): void {
    this.drafts = []
    if (this.view?.state !== 'ended') this.view = null
  }

  #show(view: View): void {
    const sameCall = this.view?.call_id === view.call_id
    this.drafts = sameCall ? stillRunning(this.drafts, view) : []
    this.#lineLost = sameCall && this.#lineLost
    if (!sameCall || view.now_ms > (this.view?.now_ms ?? 0)) this.#frameAt = performance.now()
    this.#stalled = performance.now() - this.#frameAt > DEAF_MS
    this.view = view
    // The timer ran ahead of the audio by a little: it waits then, and does not step back.
    const ahead = sameCall && view.state === 'live' && this.now - view.now_ms <= AHEAD_MS
    this.now = ahead ? Math.max(this.now, view.now_ms) : view.now_ms
    clearTimeout(this.#overlapTimer)
    if (view.overlap !== null || !sameCall || view.state !== 'live') this.overlap = view.overlap
    else if (this.overlap !== null) this.#linger()
  }

  #linger(): void {
    if (this.#lingering !== this.overlap?.n) {
      this.#lingering = this.overlap?.n ?? 0
      this.#lingerUntil = performance.now() + LINGER_MS
    }
    const left = Math.max(0, this.#lingerUntil - performance.now())
    this.#overlapTimer = setTimeout(() => (this.overlap = null), left)
  }

  #tick(): void {
    if (this.view?.state !== 'live') return
    this.#stalled = performance.now() - this.#frameAt > DEAF_MS
    if (!this.current) return
    const ahead = Math.min(performance.now() - this.#frameAt, AHEAD_MS)
    this.now = Math.max(this.now, this.view.now_ms + ahead)
  }
}
