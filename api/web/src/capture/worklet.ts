/** In the audio thread: two channels of floats become blocks of interleaved 16-bit samples, with each one's peak. */
import { CHANNELS, type Block } from './block'

/** Samples of a block: 0.1 s at 16 kHz. */
const LENGTH = 1600

declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void
declare abstract class AudioWorkletProcessor {
  readonly port: MessagePort
  abstract process(inputs: Float32Array[][]): boolean
}

class Blocks extends AudioWorkletProcessor {
  #samples = new Int16Array(LENGTH * CHANNELS)
  #peaks = [0, 0]
  #filled = 0

  /** A source that gives nothing is silence: the clock of both is one. */
  process([input]: Float32Array[][]): boolean {
    const length = input?.[0]?.length ?? 128
    for (let index = 0; index < length; index++) {
      for (let channel = 0; channel < CHANNELS; channel++) this.#put(channel, input?.[channel]?.[index] ?? 0)
      if (++this.#filled === LENGTH) this.#post()
    }
    return true
  }

  #put(channel: number, value: number): void {
    const kept = Math.max(-1, Math.min(1, value))
    this.#samples[this.#filled * CHANNELS + channel] = Math.round(kept * 32767)
    this.#peaks[channel] = Math.max(this.#peaks[channel]!, Math.abs(kept))
  }

  #post(): void {
    const block: Block = { samples: this.#samples, peaks: this.#peaks }
    this.port.postMessage(block, [this.#samples.buffer])
    this.#samples = new Int16Array(LENGTH * CHANNELS)
    this.#peaks = [0, 0]
    this.#filled = 0
  }
}

registerProcessor('blocks', Blocks)
