/** One shared call: its sources, how loud they are, and the door it goes through. */
import { strings } from '../strings'
import type { Block } from './block'
import { PcmDoor, type Told } from './door'
import { ask, Mixer, obstacle, PARTIES, type Party } from './sources'

/** Peak under which a channel is silent: -60 dBFS. A microphone in a quiet room is a little louder, a muted one is not. */
const SILENT_PEAK = 0.001
/** Seconds of silence until that is told: a party listens for a while, and a held line is silent for longer. */
const SILENT_S = 8
const BLOCK_S = 0.1

/** peak: 0-1. silent_s: seconds since it was last heard. heard: at least once. */
export interface Level {
  shared: 'no' | 'yes' | 'gone'
  peak: number
  silent_s: number
  heard: boolean
}

const NONE: Level = { shared: 'no', peak: 0, silent_s: 0, heard: false }

export class Capture {
  levels = $state<Record<Party, Level>>({ agent: { ...NONE }, customer: { ...NONE } })
  told = $state.raw<Told | null>(null)
  paused = $state(false)
  /** What went wrong, in a line. */
  problem = $state(obstacle() ?? '')
  readonly able = obstacle() === null
  readonly ready = $derived(PARTIES.every((party) => this.levels[party].shared === 'yes'))
  readonly running = $derived(this.told !== null && this.told.state !== 'ended' && this.told.state !== 'failed')
  #seconds = $state(0)
  #door: PcmDoor | null = null
  readonly #mixer = new Mixer(
    (block) => this.#take(block),
    (party) => (this.levels[party].shared = 'gone'),
  )

  /** Milliseconds of sound since the start. */
  get ms(): number {
    return this.#seconds * 1000
  }

  /** Whether the person must look at this channel now. */
  alarming(party: Party): boolean {
    const level = this.levels[party]
    return level.shared === 'gone' || (this.running && !this.paused && level.silent_s >= SILENT_S)
  }

  async share(party: Party): Promise<void> {
    this.problem = ''
    try {
      await this.#mixer.add(party, await ask(party))
      this.levels[party] = { ...NONE, shared: 'yes' }
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error)
    }
  }

  start(agent_id: string, notice_given: string): void {
    this.#seconds = 0
    this.paused = false
    this.problem = ''
    for (const party of PARTIES) this.levels[party].silent_s = 0
    this.#door = new PcmDoor({ agent_id, notice_given }, (told) => this.#follow(told), strings.capture.lost)
    this.told = { state: 'connecting', call_id: '' }
  }

  stop(): void {
    this.#door?.stop()
  }

  /** Card data: the server is told, and nothing of it leaves this machine. */
  pause(): void {
    this.paused = !this.paused
    this.#door?.mark(this.paused ? 'pause' : 'resume')
  }

  /** Back to the sources, which stay shared. */
  next(): void {
    this.told = null
  }

  close(): void {
    this.stop()
    void this.#mixer.close()
  }

  #follow(told: Told): void {
    this.told = told
    if (told.state === 'failed') this.problem = told.message ?? ''
    if (!this.running) this.#door = null
  }

  #take({ samples, peaks }: Block): void {
    PARTIES.forEach((party, channel) => this.#measure(this.levels[party], peaks[channel]!))
    if (!this.#door) return
    if (this.paused) samples.fill(0)
    this.#door.send(samples)
    this.#seconds += BLOCK_S
  }

  #measure(level: Level, peak: number): void {
    level.peak = Math.max(peak, level.peak * 0.7)
    level.silent_s = peak < SILENT_PEAK ? level.silent_s + BLOCK_S : 0
    level.heard ||= peak >= SILENT_PEAK
  }
}
