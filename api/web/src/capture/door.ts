/**
 * The sending side of /doors/pcm. What is sent is kept for as long as the server waits for a sender that comes back:
 * when the connection breaks, the call goes on from the sample up to which the server has it.
 */
import { socketAddress } from '../live'
import { CHANNELS, RATE } from './block'

export type State = 'connecting' | 'live' | 'resuming' | 'ended' | 'failed'
export type MarkKind = 'pause' | 'resume'

/** What the server is told when a call begins. */
export interface CallStart {
  agent_id: string
  notice_given: string
}

/** heard_s: seconds, once it has ended. message: one line, when it failed. */
export interface Told {
  state: State
  call_id: string
  heard_s?: number
  message?: string
}

type Kept = { position: number; samples: Int16Array<ArrayBuffer> } | { position: number; mark: MarkKind }
type Answer =
  | { type: 'started'; call_id: string; token: string; resume_within_s: number }
  | { type: 'resumed'; position: number }
  | { type: 'ended'; duration_s: number }
  | { type: 'error'; message: string }

/** Close codes after which there is no coming back: refused, our fault, the server goes down, full. */
const FINAL = new Set([1000, 1008, 1009, 1011, 1012])
const AGAIN_MS = 1_000

export class PcmDoor {
  #socket: WebSocket | null = null
  #kept: Kept[] = []
  #position = 0
  #told: Told = { state: 'connecting', call_id: '' }
  #token = ''
  /** What is kept, and for how long the server waits; it says so itself when the call has begun. */
  #within_ms = 30_000
  #lostAt: number | null = null
  #timer: number | undefined

  constructor(
    private readonly start: CallStart,
    private readonly tell: (told: Told) => void,
    private readonly lost: string,
  ) {
    this.#open()
  }

  /** Interleaved, agent first. */
  send(samples: Int16Array<ArrayBuffer>): void {
    this.#put({ position: this.#position, samples })
    this.#position += samples.length / CHANNELS
  }

  mark(mark: MarkKind): void {
    this.#put({ position: this.#position, mark })
  }

  stop(): void {
    if (this.#told.state === 'live') this.#say({ type: 'stop' })
    else this.#fail('')
  }

  get #over(): boolean {
    return this.#told.state === 'ended' || this.#told.state === 'failed'
  }

  #put(item: Kept): void {
    const oldest = this.#position - (RATE * this.#within_ms) / 1000
    while (this.#kept.length && this.#kept[0]!.position < oldest) this.#kept.shift()
    this.#kept.push(item)
    if (this.#told.state === 'live') this.#pass(item)
  }

  #pass(item: Kept): void {
    if ('samples' in item) this.#socket?.send(item.samples)
    else this.#say({ type: 'mark', kind: item.mark })
  }

  #say(message: object): void {
    this.#socket?.send(JSON.stringify(message))
  }

  #open(): void {
    const socket = (this.#socket = new WebSocket(socketAddress('/doors/pcm')))
    socket.onopen = () => this.#say(this.#greeting())
    socket.onmessage = (message: MessageEvent<string>) => this.#heard(JSON.parse(message.data) as Answer)
    socket.onclose = (close) => this.#socket === socket && this.#closed(close.code)
  }

  #greeting(): object {
    if (this.#token) return { type: 'resume', call_id: this.#told.call_id, token: this.#token }
    return { type: 'start', rate: RATE, format: 's16le', channels: ['agent', 'customer'], ...this.start }
  }

  #heard(answer: Answer): void {
    if (answer.type === 'started') {
      this.#token = answer.token
      this.#within_ms = answer.resume_within_s * 1000
      this.#go(answer.call_id, 0)
    } else if (answer.type === 'resumed') this.#go(this.#told.call_id, answer.position)
    else if (answer.type === 'ended') this.#become({ state: 'ended', call_id: this.#told.call_id, heard_s: answer.duration_s })
    else this.#fail(answer.message)
  }

  /** The server has everything before this position; what is no longer kept is missing. */
  #go(call_id: string, from: number): void {
    this.#lostAt = null
    const waiting = this.#kept.filter((item) => item.position >= from)
    const first = waiting[0]?.position ?? this.#position
    if (first > from) this.#say({ type: 'position', position: first })
    for (const item of waiting) this.#pass(item)
    this.#become({ state: 'live', call_id })
  }

  #closed(code: number): void {
    this.#socket = null
    if (this.#over) return
    this.#lostAt ??= performance.now()
    const late = performance.now() - this.#lostAt > this.#within_ms
    if (FINAL.has(code) || !this.#token || late) return this.#fail(this.lost)
    this.#become({ ...this.#told, state: 'resuming' })
    this.#timer = setTimeout(() => this.#open(), AGAIN_MS)
  }

  #fail(message: string): void {
    clearTimeout(this.#timer)
    this.#become({ state: message ? 'failed' : 'ended', call_id: this.#told.call_id, message })
    this.#socket?.close()
  }

  #become(told: Told): void {
    if (this.#over) return
    this.#told = told
    this.tell(told)
  }
}
