/** The sound of a call, and where one is in it; a call without sound has a place all the same. */

const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 2] as const
/** Silence shorter than this is breath, and stays. */
const BREATH_MS = 1_200
/** What is left of a skipped silence, so that turns do not run into each other. */
const LEFT_MS = 250

export interface Span {
  begin_ms: number
  end_ms: number
}

export class Player {
  /** Milliseconds since the start of the call. */
  at = $state(0)
  playing = $state(false)
  speed = $state(1)
  skipping = $state(false)
  trouble = $state(false)
  silences: Span[] = []
  readonly speeds = SPEEDS
  readonly media: HTMLAudioElement | null
  #frame = 0

  constructor(
    address: string | null,
    readonly length: number,
  ) {
    this.media = address === null ? null : new Audio()
    if (this.media === null) return
    this.media.preload = 'metadata'
    this.media.src = address!
    this.media.onplay = () => this.#run()
    this.media.onpause = this.media.onended = () => (this.playing = false)
    this.media.onseeked = () => this.#look()
    this.media.onerror = () => (this.trouble = true)
  }

  seek(ms: number): void {
    this.at = Math.max(0, Math.min(ms, this.length))
    if (this.media !== null) this.media.currentTime = this.at / 1000
  }

  /** From here on. */
  listen(ms: number): void {
    this.seek(ms)
    void this.media?.play().catch(() => undefined)
  }

  toggle(): void {
    if (this.media === null) return
    if (this.media.paused) void this.media.play().catch(() => undefined)
    else this.media.pause()
  }

  faster(steps: number): void {
    const at = SPEEDS.indexOf(this.speed as (typeof SPEEDS)[number])
    this.setSpeed(SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, at + steps))]!)
  }

  setSpeed(speed: number): void {
    this.speed = speed
    if (this.media !== null) this.media.playbackRate = speed
  }

  stop(): void {
    cancelAnimationFrame(this.#frame)
    this.media?.pause()
    this.media?.removeAttribute('src')
  }

  #run(): void {
    this.playing = true
    cancelAnimationFrame(this.#frame)
    const step = (): void => {
      this.#look()
      if (this.playing) this.#frame = requestAnimationFrame(step)
    }
    step()
  }

  #look(): void {
    if (this.media === null || this.media.seeking) return
    this.at = this.media.currentTime * 1000
    if (!this.skipping || !this.playing) return
    const inside = this.silences.find((each) => each.begin_ms + LEFT_MS < this.at && this.at < each.end_ms - LEFT_MS)
    if (inside) this.seek(inside.end_ms - LEFT_MS)
  }
}

/** Where nobody speaks for longer than a breath. spoken: in any order. */
export function silent(spoken: Span[], length: number): Span[] {
  const found: Span[] = []
  let until = 0
  for (const each of [...spoken].sort((one, two) => one.begin_ms - two.begin_ms)) {
    if (each.begin_ms - until >= BREATH_MS) found.push({ begin_ms: until, end_ms: each.begin_ms })
    until = Math.max(until, each.end_ms)
  }
  if (length - until >= BREATH_MS) found.push({ begin_ms: until, end_ms: length })
  return found
}
