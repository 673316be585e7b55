/** One call as its reviewer sees it: what the server says of it, and what is being done to it. */
import { get, Problem, send } from '../ui/api'
import { me, type Me } from '../ui/me'
import type { View } from '../view'
import { Player, silent } from './player.svelte'
import type { Detail, Note, Peaks, Report } from './types'

const AGAIN_MS = 2_000
export const TABS = ['moments', 'practices', 'evidence', 'notes', 'measures'] as const
export type Tab = (typeof TABS)[number]
/** A stretch being labelled. */
export interface Draft {
  channel: string
  begin_ms: number
  end_ms: number
}

export class Review {
  detail = $state.raw<Detail | null>(null)
  view = $state.raw<View | null>(null)
  report = $state.raw<Report | null>(null)
  peaks = $state.raw<Peaks | null>(null)
  player = $state.raw<Player | null>(null)
  who = $state.raw<Me | null>(null)
  error = $state<unknown>(null)
  trouble = $state('')
  tab = $state<Tab>('moments')
  /** Number of the alert that one looks at. */
  chosen = $state<number | null>(null)
  drafted = $state<Draft | null>(null)
  commenting = $state(false)
  /** Whether one has chosen a place to listen at. */
  moved = false
  #timer: number | undefined
  #wanted: number | null = null

  constructor(readonly id: string) {}

  get going(): boolean {
    return this.detail?.state === 'live' || this.detail?.state === 'analysing' || this.detail?.progress != null
  }

  get judge(): boolean {
    return this.who?.role === 'supervisor'
  }

  get notes(): Note[] {
    return this.detail?.notes ?? []
  }

  /** What can be gone to, in order. */
  get stops(): { ms: number; n: number | null }[] {
    const moments = (this.report?.moments ?? []).map((each) => ({ ms: each.ms, n: null }))
    const alerts = (this.report?.alerts ?? []).map((each) => ({ ms: each.ms, n: each.n }))
    return [...moments, ...alerts].sort((one, two) => one.ms - two.ms)
  }

  async load(): Promise<void> {
    clearTimeout(this.#timer)
    try {
      const [detail, view, who] = await Promise.all([this.#get<Detail>(''), this.#get<View>('/view'), me()])
      this.view = view
      this.who = who
      this.detail = detail
      this.error = null
    } catch (error) {
      if (this.detail === null) this.error = error
    }
    if (this.going) this.#timer = setTimeout(() => void this.load(), AGAIN_MS)
    else if (this.detail !== null) await this.#finished()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.player?.stop()
  }

  async note(body: Record<string, unknown>): Promise<boolean> {
    return this.#change(() => send('POST', this.#path('/notes'), body))
  }

  async takeBack(line: number): Promise<boolean> {
    return this.#change(() => send('DELETE', this.#path(`/notes/${line}`)))
  }

  /** right, wrong, or neither when it was said already. */
  async judgeAlert(n: number, label: 'right' | 'wrong'): Promise<boolean> {
    const said = this.verdict(n)
    if (said?.label === label) return this.takeBack(said.line)
    return this.note({ type: 'label', about: n, label, replaces: said?.line ?? null })
  }

  /** The last word on an alert. */
  verdict(n: number): Note | undefined {
    return this.notes.findLast((note) => note.type === 'label' && note.about === n)
  }

  async toggleReviewed(): Promise<boolean> {
    return this.note({ type: 'reviewed', label: this.detail?.reviewed ? 'no' : 'yes' })
  }

  async swap(): Promise<boolean> {
    const done = await this.#change(() => send('POST', this.#path('/swap')))
    if (done) await this.load()
    return done
  }

  /** From there on, as soon as there is something to hear. */
  listen(ms: number): void {
    this.moved = true
    if (this.player) this.player.listen(ms)
    else this.#wanted = ms
  }

  /** To the next or the previous moment or alert. */
  go(step: 1 | -1): void {
    if (!this.player) return
    const { at } = this.player
    const next = step > 0 ? this.stops.find((each) => each.ms > at + 500) : this.stops.findLast((each) => each.ms < at - 1500)
    if (!next) return
    this.player.seek(next.ms)
    if (next.n !== null) this.chosen = next.n
  }

  async #finished(): Promise<void> {
    this.peaks = this.detail!.written ? null : await this.#get<Peaks>('/peaks').catch(() => null)
    this.player?.stop()
    const length = Math.round(this.detail!.duration_s * 1000)
    const player = new Player(this.peaks ? this.#path('/audio') : null, length)
    player.silences = silent([...this.view!.turns, ...this.view!.transcript], length)
    this.player = player
    if (this.#wanted !== null) player.listen(this.#wanted)
    this.#wanted = null
    this.report = await this.#get<Report>('/report').catch(() => null)
  }

  async #change(act: () => Promise<unknown>): Promise<boolean> {
    this.trouble = ''
    try {
      await act()
      this.detail = await this.#get<Detail>('')
      return true
    } catch (error) {
      this.trouble = error instanceof Problem ? error.message : String(error)
      return false
    }
  }

  #path(tail: string): string {
    return `/calls/${encodeURIComponent(this.id)}${tail}`
  }

  #get<T>(tail: string): Promise<T> {
    return get<T>(this.#path(tail))
  }
}
