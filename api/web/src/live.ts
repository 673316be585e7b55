/** The WebSocket to the server: opens again by itself, keeps no view. */

/** lost: was open or could not be opened, and is being tried again. */
export type Link = 'connecting' | 'open' | 'lost' | 'forbidden'

/** Frame: what the server sends. */
export interface Listener<Frame> {
  link(link: Link): void
  frame(frame: Frame): void
}

/** What a server closes an open socket with. */
const FORBIDDEN = new Set([4401, 4403, 1008])
const FIRST_MS = 500
const LONGEST_MS = 10_000

/** Said: what the page sends. */
export class Live<Frame, Said> {
  #socket: WebSocket | null = null
  #timer: number | undefined
  #failures = 0

  constructor(
    private readonly address: string,
    private readonly listener: Listener<Frame>,
    /** Whether the server would not have us: it is asked, since a browser does not tell why a socket did not open. */
    private readonly barred: () => Promise<boolean>,
  ) {}

  /** Opens the connection and keeps it open; the returned function ends it for good. */
  start(): () => void {
    const soon = () => this.#soon()
    const gone = () => this.#socket?.close()
    const seen = () => document.visibilityState === 'visible' && this.#soon()
    addEventListener('online', soon)
    addEventListener('offline', gone)
    addEventListener('focus', soon)
    document.addEventListener('visibilitychange', seen)
    this.listener.link('connecting')
    this.#open()
    return () => {
      removeEventListener('online', soon)
      removeEventListener('offline', gone)
      removeEventListener('focus', soon)
      document.removeEventListener('visibilitychange', seen)
      clearTimeout(this.#timer)
      const socket = this.#socket
      this.#socket = null
      socket?.close()
    }
  }

  /** False when there is no connection: nothing is kept for later, since advice is of the moment. */
  say(said: Said): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false
    this.#socket.send(JSON.stringify(said))
    return true
  }

  #open(): void {
    clearTimeout(this.#timer)
    const socket = new WebSocket(this.address)
    this.#socket = socket
    let opened = false
    socket.onopen = () => {
      opened = true
      this.listener.link('open')
    }
    socket.onmessage = (message) => this.#heard(message)
    socket.onclose = (close) => this.#socket === socket && this.#closed(close.code, opened)
  }

  #heard(message: MessageEvent<string>): void {
    this.#failures = 0
    this.listener.frame(JSON.parse(message.data) as Frame)
  }

  #closed(code: number, opened: boolean): void {
    this.#socket = null
    if (FORBIDDEN.has(code)) return this.#forbidden()
    this.listener.link('lost')
    const wait = Math.min(FIRST_MS * 2 ** this.#failures++, LONGEST_MS)
    this.#timer = setTimeout(() => this.#open(), wait * (0.75 + Math.random() / 2))
    if (!opened) void this.barred().then((barred) => barred && this.#forbidden())
  }

  #forbidden(): void {
    if (this.#socket?.readyState === WebSocket.OPEN) return
    clearTimeout(this.#timer)
    const socket = this.#socket
    this.#socket = null
    socket?.close()
    this.listener.link('forbidden')
  }

  /** The person or the network came back: do not wait for the next turn. */
  #soon(): void {
    if (this.#socket === null) this.#open()
  }
}

/** Address of an agent's live call on the page's own origin. */
export function agentAddress(agent: string): string {
  return socketAddress(`/live/agent/${encodeURIComponent(agent)}`)
}

/** Address of a socket on the page's own origin. */
export function socketAddress(path: string): string {
  return `${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}${path}`
}
