/** What the list of calls shows: its filters live in the address, so that a search can be kept, sent and gone back to. */
import { get, query, send } from '../ui/api'

export interface Line {
  id: string
  agent_id: string
  team: string
  queue: string
  started: string
  duration_s: number
  state: 'live' | 'analysing' | 'ended' | 'interrupted'
  alerts: number
  interruptions: number
  longest_silence_ms: number
  peak_anger: number | null
  source: string
  reviewed: boolean
  comments: number
  written: boolean
  excerpt: string | null
}

export interface Choices {
  agents: string[]
  teams: string[]
  queues: string[]
  cues: string[]
  alerts: string[]
}

export type Filters = Record<string, string>
export interface Search {
  name: string
  filters: Filters
}

export const PAGE = 50
const NAMES = [
  'q', 'period', 'from', 'to', 'agent_id', 'team', 'queue', 'min_anger', 'min_interruptions', 'min_silence_s', 'cue', 'alert',
  'reviewed', 'min_alerts', 'sort',
] as const
const DAYS: Record<string, number> = { today: 0, week: 6, month: 29 }
const WAIT_MS = 200
/** What the server can look for has at least one of these. */
const WORD = /[\p{L}\p{N}_]/u

export class List {
  filters = $state<Filters>({})
  offset = $state(0)
  calls = $state.raw<Line[] | null>(null)
  total = $state(0)
  error = $state<unknown>(null)
  busy = $state(false)
  choices = $state.raw<Choices | null>(null)
  searches = $state.raw<Search[]>([])
  #asked: AbortController | null = null
  #timer: number | undefined

  constructor() {
    this.read()
  }

  /** Whether anything is filtered. */
  get narrowed(): boolean {
    return Object.keys(this.filters).some((name) => name !== 'sort')
  }

  /** Something is typed, and no word of it yet: a quotation mark that is about to begin a phrase. */
  get wordless(): boolean {
    return !!this.filters.q && !WORD.test(this.filters.q)
  }

  /** Filters as the server has them: a period becomes its first day, in this browser's time of day. */
  get asked(): Filters {
    const { period, from, to, ...others } = this.filters
    const { q, ...wordless } = others
    const rest = this.wordless ? wordless : others
    if (period && period in DAYS) return { ...rest, from: daysAgo(DAYS[period]!) }
    return { ...rest, ...(from ? { from: dayStart(from, 0) } : {}), ...(to ? { to: dayStart(to, 1) } : {}) }
  }

  set(name: string, value: string): void {
    const next = { ...this.filters }
    if (value) next[name] = value
    else delete next[name]
    this.use(next)
  }

  use(filters: Filters): void {
    this.filters = filters
    this.offset = 0
    this.#changed()
  }

  turn(pages: number): void {
    this.offset = Math.max(0, this.offset + pages * PAGE)
    this.#changed()
  }

  /** From the address, also when one goes back in the history. */
  read(): void {
    const given = new URLSearchParams(location.search)
    this.filters = Object.fromEntries(NAMES.flatMap((name) => (given.get(name) ? [[name, given.get(name)!]] : [])))
    this.offset = Math.max(0, Number(given.get('offset')) || 0)
  }

  async load(): Promise<void> {
    this.#asked?.abort()
    const asked = (this.#asked = new AbortController())
    this.busy = true
    try {
      const path = `/calls${query({ ...this.asked, limit: PAGE, offset: this.offset })}`
      const found = await get<{ calls: Line[]; total: number }>(path, asked.signal)
      this.calls = found.calls
      this.total = found.total
      this.error = null
    } catch (error) {
      if (asked.signal.aborted) return
      this.error = error
    }
    this.busy = false
  }

  /** What is beside the list: without it the list works all the same. */
  async beside(): Promise<void> {
    this.choices = await get<Choices>('/filters').catch(() => null)
    this.searches = (await get<{ searches: Search[] }>('/searches').catch(() => ({ searches: [] }))).searches
  }

  async keep(name: string): Promise<void> {
    await send('PUT', `/searches/${encodeURIComponent(name)}`, { filters: this.filters })
    await this.beside()
  }

  async forget(name: string): Promise<void> {
    await send('DELETE', `/searches/${encodeURIComponent(name)}`)
    await this.beside()
  }

  #changed(): void {
    history.replaceState(null, '', `${location.pathname}${query({ ...this.filters, offset: this.offset || null })}`)
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.load(), WAIT_MS)
  }
}

function daysAgo(days: number): string {
  const day = new Date()
  day.setHours(0, 0, 0, 0)
  day.setDate(day.getDate() - days)
  return day.toISOString()
}

function dayStart(text: string, later: number): string {
  const day = new Date(`${text}T00:00:00`)
  if (Number.isNaN(day.getTime())) return text
  day.setDate(day.getDate() + later)
  return day.toISOString()
}
