/** Words being spoken, and when they are over. */
import type { Draft, View } from './view'

const SAMPLES_PER_MS = 16
/** An utterance is over long before: a draft that hears nothing more for so long was left behind. */
const STALE_MS = 15_000

/** The drafts after another one: one a party, in the order in which they began. */
export function withDraft(drafts: readonly Draft[], draft: Draft): Draft[] {
  const others = drafts.filter((each) => each.channel !== draft.channel)
  const shown = draft.stable || draft.rest ? [...others, draft] : others
  return shown.sort((one, two) => one.start - two.start)
}

/** Those that the view has no final line of yet. */
export function stillRunning(drafts: readonly Draft[], view: View): Draft[] {
  if (view.state !== 'live') return []
  return drafts.filter((draft) => {
    const began = draft.start / SAMPLES_PER_MS
    const final = view.transcript.some(
      (line) => line.channel === draft.channel && (line.begin_ms + line.end_ms) / 2 > began,
    )
    return !final && view.now_ms - draft.at / SAMPLES_PER_MS < STALE_MS
  })
}
