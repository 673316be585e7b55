/** What the audio thread hands over. */

/** Agent, then customer. */
export const CHANNELS = 2
export const RATE = 16_000

/** samples: interleaved, agent first. peaks: 0-1, of each channel. */
export interface Block {
  samples: Int16Array<ArrayBuffer>
  peaks: number[]
}
