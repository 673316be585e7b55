/** The two sounds of a call: this machine's microphone and another tab's. */
import { strings } from '../strings'
import { CHANNELS, RATE, type Block } from './block'
import workletUrl from './worklet?worker&url'

export type Party = 'agent' | 'customer'
export const PARTIES: readonly Party[] = ['agent', 'customer']

/**
 * Echo is taken out, for a tab heard by loudspeaker would be in the microphone too. Nothing else is: gain control and
 * noise suppression would change how a voice sounds, and that is what is measured.
 */
const MICROPHONE: MediaTrackConstraints = { channelCount: 1, echoCancellation: true, autoGainControl: false, noiseSuppression: false }

/** Why this browser cannot do it; null when it can. */
export function obstacle(): string | null {
  if (!isSecureContext) return strings.capture.insecure
  return 'getDisplayMedia' in (navigator.mediaDevices ?? {}) && 'AudioWorkletNode' in window ? null : strings.capture.unable
}

/** Asks for a source. Raises Error with a line for people. */
export async function ask(party: Party): Promise<MediaStream> {
  try {
    return party === 'agent' ? await navigator.mediaDevices.getUserMedia({ audio: MICROPHONE }) : await tab()
  } catch (error) {
    if (!(error instanceof DOMException)) throw error
    throw new Error(error.name === 'NotFoundError' ? strings.capture.noDevice : strings.capture.denied)
  }
}

/** A browser shares a tab's sound only with its picture: that is let go at once. */
async function tab(): Promise<MediaStream> {
  const stream = await navigator.mediaDevices.getDisplayMedia({ video: true, audio: { echoCancellation: false, autoGainControl: false, noiseSuppression: false } })
  for (const picture of stream.getVideoTracks()) picture.stop()
  if (!stream.getAudioTracks().length) throw new Error(strings.capture.noSound)
  return stream
}

/** Both sources on one clock, 16 kHz, in blocks of 0.1 s. */
export class Mixer {
  #context: AudioContext | null = null
  #merger: ChannelMergerNode | null = null
  readonly #inputs = new Map<Party, { stream: MediaStream; node: AudioNode }>()

  /** block: hears every block. gone: the person, or the device, ended a source. */
  constructor(
    private readonly block: (block: Block) => void,
    private readonly gone: (party: Party) => void,
  ) {}

  /** Takes a source in, in the place of the one before. */
  async add(party: Party, stream: MediaStream): Promise<void> {
    const context = await this.#open()
    this.#drop(party)
    const node = new GainNode(context, { channelCount: 1, channelCountMode: 'explicit' })
    context.createMediaStreamSource(stream).connect(node).connect(this.#merger!, 0, PARTIES.indexOf(party))
    this.#inputs.set(party, { stream, node })
    for (const track of stream.getAudioTracks()) track.addEventListener('ended', () => this.#inputs.get(party)?.stream === stream && this.gone(party))
  }

  async close(): Promise<void> {
    for (const party of PARTIES) this.#drop(party)
    const context = this.#context
    this.#context = this.#merger = null
    await context?.close()
  }

  async #open(): Promise<AudioContext> {
    if (this.#context) return this.#context
    const context = (this.#context = new AudioContext({ sampleRate: RATE }))
    await context.audioWorklet.addModule(workletUrl)
    this.#merger = new ChannelMergerNode(context, { numberOfInputs: CHANNELS })
    const blocks = new AudioWorkletNode(context, 'blocks', { channelCount: CHANNELS, channelCountMode: 'explicit', numberOfOutputs: 0 })
    blocks.port.onmessage = (message: MessageEvent<Block>) => this.block(message.data)
    this.#merger.connect(blocks)
    await context.resume()
    return context
  }

  #drop(party: Party): void {
    const input = this.#inputs.get(party)
    this.#inputs.delete(party)
    input?.node.disconnect()
    for (const track of input?.stream.getTracks() ?? []) track.stop()
  }
}
