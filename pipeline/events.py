"""Everything that comes out of a session: a closed union, so that a ``match`` ends in ``assert_never``.

``span`` is the audio an event describes, ``at`` the sample at which it became known, so ``at - span.end``
is its latency. An event's number is its line in the journal; fields named ``of`` hold such a number.
"""

from dataclasses import dataclass, field
from typing import Literal

from pipeline.channel import Channel
from pipeline.timebase import Span

Direction = Literal["", "inbound", "outbound"]
"""Who called: the customer, the agent; empty where nobody said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStarted:
    """unavailable: measure (talk_over, anger, tension, words, sounds, echo) to the reason why this call cannot have it.

    warnings: what is wrong with the source, one line each. attribution: how it is known who speaks.
    queue, team, direction, fields: what the phone system says of the call.
    """

    type: Literal["call_started"] = "call_started"
    span: Span
    at: int
    call_id: str
    channels: tuple[Channel, ...]
    agent_id: str
    notice_given: str
    source: str
    policy: str
    unavailable: dict[str, str]
    warnings: tuple[str, ...] = ()
    attribution: Literal["channels", "diarised", "written"] = "channels"
    queue: str = ""
    team: str = ""
    direction: Direction = ""
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechStarted:
    """span is empty and stands at the first sample of speech."""

    type: Literal["speech_started"] = "speech_started"
    span: Span
    at: int
    channel: Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechEnded:
    """span is the whole stretch of speech (an inter-pausal unit)."""

    type: Literal["speech_ended"] = "speech_ended"
    span: Span
    at: int
    channel: Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One party's contribution until the other takes the floor or both fall silent for more than 3 s.

    talk: samples of speech inside the span. fto: floor-transfer offset in samples, the start of this
    turn minus the end of the other party's turn (> 0 gap, < 0 overlap); None when nothing came before.
    """

    type: Literal["turn"] = "turn"
    span: Span
    at: int
    channel: Channel
    talk: int
    fto: int | None


OverlapKind = Literal["overlap", "interruption", "backchannel", "dual_start", "completion"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Both speak at once: neutral when it is first known, 0.5 s after it began.

    interrupter: the later starter, None when both started together. cut: the incumbent stopped and
    the interrupter went on.
    """

    type: Literal["overlap"] = "overlap"
    span: Span
    at: int
    kind: OverlapKind
    interrupter: Channel | None
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlapRevised:
    """The present judgement on overlap ``of``; the last one holds. because: what made it known."""

    type: Literal["overlap_revised"] = "overlap_revised"
    span: Span
    at: int
    of: int
    kind: OverlapKind
    interrupter: Channel | None
    cut: bool
    because: Literal["length", "cut", "ended", "words"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Both silent for more than 3 s. open: it still goes on. of: the event that opened it."""

    type: Literal["silence"] = "silence"
    span: Span
    at: int
    open: bool
    of: int | None = None


RegionKind = Literal[
    "hold", "mute", "pause", "conference", "music", "ringing", "tones", "noise", "clipping", "ivr", "dual_mono", "busy"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A stretch that is not conversation, or (busy) in which the server left the voice and the scores
    out. channel: None for the whole call. open, of: as in Silence.
    """

    type: Literal["region"] = "region"
    span: Span
    at: int
    kind: RegionKind
    channel: Channel | None
    open: bool
    of: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """One party's voice heard in the other's channel (echo, bleed, crosstalk).

    channel: where it is heard. delay: samples after the voice itself. gain: dB, leaked power over the voice's own.
    suspected: the channels correlate, talk-over and affect are withheld. removed: the estimate has
    converged, the leak is taken out. gone: no longer heard.
    """

    type: Literal["leak"] = "leak"
    span: Span
    at: int
    channel: Channel
    delay: int
    gain: float
    state: Literal["suspected", "removed", "gone"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspected:
    """Something about the call is probably wrong and a person should look; nothing was changed by itself.

    confidence: 0-1. because: one line for people. evidence: event numbers.
    """

    type: Literal["suspected"] = "suspected"
    span: Span
    at: int
    kind: Literal["swapped_roles"]
    confidence: float
    because: str
    evidence: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """probability: 0-1."""

    text: str
    span: Span
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What one utterance said. late: admitted later than the set bound after it ended.

    Of a line that was written, all spans are empty and stand where it was sent: nobody heard its words one by one.
    """

    type: Literal["words"] = "words"
    span: Span
    at: int
    channel: Channel
    utterance: int
    text: str
    words: tuple[Word, ...]
    late: bool
    emotion: tuple[float, ...] = ()


RejectReason = Literal[
    "no_speech", "repetition", "empty", "too_fast", "unsupported_language", "policy", "not_speech", "doubled"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Text that was refused, with the reason; it counts nowhere."""

    type: Literal["rejected"] = "rejected"
    span: Span
    at: int
    channel: Channel
    utterance: int
    text: str
    reason: RejectReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Pace over the speaker's last stretch of own speech.

    talk_speed: words per minute of own speech. articulation_rate: syllables per second of words alone,
    pauses left out. relative: talk_speed over the speaker's own baseline (1 = as usual), None before one exists.
    """

    type: Literal["pace"] = "pace"
    span: Span
    at: int
    channel: Channel
    talk_speed: float
    articulation_rate: float
    words: int
    relative: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prosody:
    """Voice of one speaker over one block of speech; a value is None where it could not be measured.

    level: dBFS (RMS). level_move: dB against the speaker's own baseline. f0: Hz, median of voiced hops.
    f0_move: semitones against own baseline. f0_range: semitones, 10th to 90th percentile. voiced: share of hops, 0-1.
    alpha_ratio: dB, 1-3.4 kHz over 0.3-1 kHz. alpha_move: dB against own baseline.
    baseline_seconds: seconds of own speech the baseline rests on.
    """

    type: Literal["prosody"] = "prosody"
    span: Span
    at: int
    channel: Channel
    level: float
    level_move: float | None
    f0: float | None
    f0_move: float | None
    f0_range: float | None
    voiced: float
    alpha_ratio: float | None
    alpha_move: float | None
    baseline_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """Something said that matters. phrase: the words that matched. of: the Words event."""

    type: Literal["cue"] = "cue"
    span: Span
    at: int
    channel: Channel
    name: str
    phrase: str
    of: int


ScoreKind = Literal["anger", "tension"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """value: 0-1, the sum of parts; "usual" among them is what a voice without any evidence has.

    coverage: 0-1, share of the evidence that was available. evidence: numbers of the events it was computed from.
    measures: what the parts rest on, as people know it: level (dB) and pitch (semitones) against the speaker's usual,
    pace (1 = as usual), and how often something counted: interruptions made, cut_off, each cue by name.
    arousal: 0-1, how moved the voice sounds whatever the feeling; None where it was not heard.
    """

    type: Literal["score"] = "score"
    span: Span
    at: int
    kind: ScoreKind
    channel: Channel
    value: float
    coverage: float
    parts: dict[str, float]
    evidence: tuple[int, ...]
    measures: dict[str, float] = field(default_factory=dict)
    arousal: float | None = None


AlertState = Literal["raised", "acknowledged", "cleared"]
Severity = Literal["note", "coach", "critical"]
Party = Literal["agent", "supervisor"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One step of an alert's life. of: the event that raised it (None in that event itself).

    advice: at most six words, read by the agent. detail: one sentence more. practice: number in the playbook.
    reason: why this step was taken. evidence: event numbers. to: whom it calls.
    """

    type: Literal["alert"] = "alert"
    span: Span
    at: int
    kind: str
    state: AlertState
    severity: Severity
    reason: str
    advice: str
    detail: str
    practice: int
    evidence: tuple[int, ...]
    of: int | None = None
    to: tuple[Party, ...] = ("agent",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A supervisor looks after the call from here on. taken_from: who did until now; empty when nobody."""

    type: Literal["claimed"] = "claimed"
    span: Span
    at: int
    by: str
    taken_from: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """The supervisor who looked after the call has let it go."""

    type: Literal["released"] = "released"
    span: Span
    at: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Snoozed:
    """Somebody wants no advice for a while, critical advice excepted. span: empty, where it took effect.

    until: the sample at which the quiet is over; that of ``span`` when it is over at once. by: who asked.
    """

    type: Literal["snoozed"] = "snoozed"
    span: Span
    at: int
    until: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How the call ended for its parties (resolved, escalated, lost), when somebody or something says so."""

    type: Literal["outcome"] = "outcome"
    span: Span
    at: int
    name: str
    evidence: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Audio that never came, filled with zeros."""

    type: Literal["gap"] = "gap"
    span: Span
    at: int
    channel: Channel
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something failed. part: which engine or node. fatal: the call ends with it."""

    type: Literal["fault"] = "fault"
    span: Span
    at: int
    part: str
    message: str
    fatal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded:
    """span is the whole call."""

    type: Literal["call_ended"] = "call_ended"
    span: Span
    at: int
    reason: str


Event = (
    CallStarted
    | SpeechStarted
    | SpeechEnded
    | Turn
    | Overlap
    | OverlapRevised
    | Silence
    | Region
    | Leak
    | Suspected
    | Words
    | Rejected
    | Pace
    | Prosody
    | Cue
    | Score
    | Alert
    | Claimed
    | Released
    | Snoozed
    | Outcome
    | Gap
    | Fault
    | CallEnded
)
