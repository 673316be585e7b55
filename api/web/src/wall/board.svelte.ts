/** What the wallboard knows: every live call, and the one that is followed. */
import { Chime } from '../chime.svelte'
import { stillRunning, withDraft } from '../drafts'
import { Live, socketAddress, type Link } from '../live'
import { Problem, send } from '../ui/api'
import { barred } from '../ui/me'
import type { Draft, View } from '../view'
import { byNeed, type Frame, type Glance, type Said } from './glance'

export class Board {
  link = $state<Link>('connecting')
  /** By id; null until the server has spoken. */
  calls = $state.raw<ReadonlyMap<string, Glance> | null>(null)
  team = $state('')
  queue = $state('')
  /** Id of the call that is followed. */
  followed = $state<string | null>(null)
  view = $state.raw<View | null>(null)
  drafts = $state.raw<Draft[]>([])
  over = $state(false)
  /** What a claim was refused with, and whether it can be forced. */
  refusal = $state.raw<Problem | null>(null)
  /** Read aloud: a call that has begun to wait for a supervisor. */
  news = $state.raw<Glance | null>(null)
  readonly alarm = new Chime('calmline.alarm')
  readonly #live = new Live<Frame, Said>(
    socketAddress('/live/wall'),
    { link: (link) => this.#linked(link), frame: (frame) => this.#take(frame) },
    async () => (await barred((who) => who.role === 'supervisor')) !== null,
  )
  #rung = new Set<string>()
  #fresh = true

  readonly teams = $derived(names(this.calls, 'team'))
  readonly queues = $derived(names(this.calls, 'queue'))
  readonly shown = $derived(
    [...(this.calls?.values() ?? [])]
      .filter((call) => (!this.team || call.team === this.team) && (!this.queue || call.queue === this.queue))
      .sort(byNeed),
  )
  readonly glance = $derived(this.followed === null ? null : (this.calls?.get(this.followed) ?? null))

  start(): () => void {
    return this.#live.start()
  }

  follow(call_id: string | null): void {
    this.followed = call_id
    this.view = this.refusal = null
    this.drafts = []
    this.over = false
    this.#live.say({ type: 'follow', call_id })
  }

  /** force: from whoever has it. */
  async claim(call_id: string, force = false): Promise<void> {
    await this.#ask('POST', `/calls/${encodeURIComponent(call_id)}/claim${force ? '?force=true' : ''}`)
  }

  async release(call_id: string): Promise<void> {
    await this.#ask('DELETE', `/calls/${encodeURIComponent(call_id)}/claim`)
  }

  async #ask(method: string, path: string): Promise<void> {
    this.refusal = null
    try {
      await send(method, path)
    } catch (error) {
      if (error instanceof Problem) this.refusal = error
      else throw error
    }
  }

  #linked(link: Link): void {
    this.link = link
    this.#fresh = true // the first frame of a connection has every call
    if (link === 'open' && this.followed !== null && !this.over) this.#live.say({ type: 'follow', call_id: this.followed })
  }

  #take(frame: Frame): void {
    if (frame.type === 'wall') this.#change(frame.calls, frame.gone)
    else if (frame.type === 'view' && frame.view.call_id === this.followed) {
      this.view = frame.view
      this.drafts = stillRunning(this.drafts, frame.view)
    } else if (frame.type === 'draft') this.drafts = withDraft(this.drafts, frame.draft)
    else if (frame.type === 'over' && frame.call_id === this.followed) {
      this.over = true
      this.drafts = []
    }
  }

  #change(calls: Glance[], gone: string[]): void {
    const first = this.calls === null
    const next = new Map(this.#fresh ? [] : this.calls)
    this.#fresh = false
    for (const id of gone) next.delete(id)
    for (const call of calls) {
      if (call.need === 'waiting' && this.calls?.get(call.call_id)?.need !== 'waiting') this.news = call
      next.set(call.call_id, call)
    }
    this.calls = next
    this.#ring(calls, first)
  }

  /** Once for each alert; what stood when the page was opened makes no noise. */
  #ring(calls: Glance[], first: boolean): void {
    const unheard = calls.filter((call) => call.critical !== null && !this.#rung.has(`${call.call_id} ${call.critical}`))
    for (const call of unheard) this.#rung.add(`${call.call_id} ${call.critical}`)
    if (unheard.length && !first) this.alarm.sound()
  }
}

function names(calls: ReadonlyMap<string, Glance> | null, field: 'team' | 'queue'): string[] {
  return [...new Set([...(calls?.values() ?? [])].map((call) => call[field]))].filter(Boolean).sort()
}
