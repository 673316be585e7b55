/** A soft sound with something new: off until somebody wants it. */

/** Hz of two notes, and seconds each rings. */
const NOTES = [523.25, 659.25]
const RING_S = 0.35
const LEVEL = 0.08

export class Chime {
  on = $state(false)
  #audio: AudioContext | null = null
  #rung = 0

  /** key: under which this browser keeps whether it is on. */
  constructor(private readonly key: string) {
    this.on = kept(key)
  }

  /** Rings once when it is switched on, so that one knows what to listen for. */
  toggle(): void {
    this.on = !this.on
    keep(this.key, this.on)
    if (this.on) this.#play()
  }

  /** With advice, once for each. */
  ring(advice: number): void {
    if (this.#rung !== advice) this.sound()
    this.#rung = advice
  }

  sound(): void {
    if (this.on) this.#play()
  }

  /** Browsers give no sound to a page that nobody has touched yet. */
  #play(): void {
    if (!navigator.userActivation.hasBeenActive) return
    const audio = (this.#audio ??= new AudioContext())
    void audio.resume()
    NOTES.forEach((hertz, index) => note(audio, hertz, audio.currentTime + index * (RING_S / 2)))
  }
}

function note(audio: AudioContext, hertz: number, at: number): void {
  const [tone, level] = [audio.createOscillator(), audio.createGain()]
  tone.frequency.value = hertz
  level.gain.setValueAtTime(0, at)
  level.gain.linearRampToValueAtTime(LEVEL, at + 0.02)
  level.gain.exponentialRampToValueAtTime(0.0001, at + RING_S)
  tone.connect(level).connect(audio.destination)
  tone.start(at)
  tone.stop(at + RING_S)
}

function kept(key: string): boolean {
  try {
    return localStorage.getItem(key) === 'on'
  } catch {
    return false
  }
}

function keep(key: string, on: boolean): void {
  try {
    localStorage.setItem(key, on ? 'on' : 'off')
  } catch {
    // A browser that keeps nothing: the choice holds for this page.
  }
}
