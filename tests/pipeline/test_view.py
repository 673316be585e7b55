"""The reducer: what is folded, what is bounded, and that the schema tells the truth."""

from __future__ import annotations

import json

import jsonschema

from pipeline.channel import MONO, TWO_CHANNEL, Channel
from pipeline.events import Alert, CallStarted, Gap, Overlap, OverlapRevised, Prosody, SpeechEnded, Word, Words
from pipeline.graph import build
from pipeline.reducer import LINES, POINTS, Reducer
from pipeline.session import CallInfo, Entry
from pipeline.timebase import RATE, Span
from pipeline.view import VIEW, View, schema
from tests.pipeline.drive import STANDARD, engines, frames_of, heard, run
from tests.synth import Line
from tests.synth import build as synth

NAMES = {
    "call_id", "duration_s", "channels", "overlaps", "silences", "transcript", "scores", "alerts", "regions", "gaps",
    "faults",
}  # fmt: skip
STARTED = CallStarted(
    span=Span(0, 0),
    at=0,
    call_id="x",
    channels=TWO_CHANNEL,
    agent_id="7",
    notice_given="",
    source="",
    policy="standard",
    unavailable={},
)


def folded(*events: object, live: bool = False) -> View:
    reducer = Reducer(live=live)
    for n, event in enumerate([STARTED, *events], start=1):
        reducer.apply(Entry(n, 0, event))  # type: ignore[arg-type]
    return reducer.view


def words(second: int, channel: Channel = Channel.AGENT) -> Words:
    span = Span(second * RATE, (second + 1) * RATE)
    word = Word(text="hello", span=span, probability=0.9)
    return Words(span=span, at=span.end, channel=channel, utterance=1, text="hello", words=(word,), late=False)


def test_a_view_of_a_real_call_validates_against_its_schema() -> None:
    pcm, _ = synth([Line("agent", 1, 3), Line("customer", 3.3, 4, f0_hz=200), Line("agent", 5, 2)], 9)
    reducer = Reducer()
    for entry in heard(pcm):
        reducer.apply(entry)
    shown = json.loads(VIEW.dump_json(reducer.view))
    jsonschema.validate(shown, schema())
    assert shown.keys() >= NAMES
    assert shown["channels"].keys() == {"agent", "customer"}
    assert {"talk_ms", "wpm"} <= shown["channels"]["agent"].keys()
    assert {"begin_ms", "end_ms", "kind", "interrupter", "cut"} <= shown["overlaps"][0].keys()
    assert {"ms", "value", "coverage", "parts"} <= shown["scores"]["anger"][0].keys()


def test_late_words_take_their_place() -> None:
    shown = folded(words(5), words(9), words(2, Channel.CUSTOMER), words(7))
    assert [line.begin_ms for line in shown.transcript] == [2000, 5000, 7000, 9000]


def test_wpm_is_words_over_own_talk() -> None:
    ended = SpeechEnded(span=Span(0, 6 * RATE), at=6 * RATE, channel=Channel.AGENT)
    assert folded(words(1), words(2), words(3), ended).channels[Channel.AGENT].wpm == 30.0
    assert folded(ended).channels[Channel.AGENT].wpm is None


def test_an_interruption_counts_until_it_is_taken_back() -> None:
    span = Span(RATE, 2 * RATE)
    overlap = Overlap(span=span, at=span.end, kind="overlap", interrupter=Channel.AGENT)

    def revised(kind: str, because: str) -> OverlapRevised:
        return OverlapRevised(
            span=span, at=span.end, of=2, kind=kind, interrupter=Channel.AGENT, cut=False, because=because  # type: ignore[arg-type]
        )  # fmt: skip

    up = folded(overlap, revised("interruption", "length"))
    assert (up.channels[Channel.AGENT].interruptions, up.channels[Channel.AGENT].interrupted_ms) == (1, 1000)
    assert up.overlap is not None
    down = folded(overlap, revised("interruption", "length"), revised("backchannel", "ended"))
    assert (down.channels[Channel.AGENT].interruptions, down.channels[Channel.AGENT].interrupted_ms) == (0, 0)
    assert down.overlap is None


def alert(n_of: int | None, state: str, kind: str = "talk_over") -> Alert:
    return Alert(
        span=Span(0, RATE), at=RATE, kind=kind, state=state, severity="coach", reason="r", advice="Wait", detail="",
        practice=1, evidence=(1,), of=n_of,
    )  # type: ignore[arg-type] # fmt: skip


def test_advice_is_the_latest_alert_that_stands() -> None:
    assert folded(alert(None, "raised")).advice is not None
    assert folded(alert(None, "raised"), alert(2, "acknowledged")).advice is None
    both = folded(alert(None, "raised"), alert(None, "raised", "slow_answer"), alert(3, "cleared"))
    assert both.advice is not None
    assert both.advice.kind == "talk_over"


def test_a_live_view_is_bounded_and_a_report_is_whole() -> None:
    lines = [words(second) for second in range(200)]
    curve = [
        Prosody(
            span=Span(i * RATE, (i + 1) * RATE), at=(i + 1) * RATE, channel=Channel.AGENT, level=-20, level_move=0,
            f0=None, f0_move=None, f0_range=None, voiced=0, alpha_ratio=0, alpha_move=None, baseline_seconds=1,
        )
        for i in range(2000)
    ]  # fmt: skip
    live, whole = folded(*lines, *curve, live=True), folded(*lines, *curve)
    assert len(live.transcript) == LINES
    assert live.transcript[-1].begin_ms == whole.transcript[-1].begin_ms
    assert len(live.prosody[Channel.AGENT]) <= POINTS
    assert live.prosody[Channel.AGENT][-1].ms == whole.prosody[Channel.AGENT][-1].ms
    assert (len(whole.transcript), len(whole.prosody[Channel.AGENT])) == (200, 2000)
    assert live.channels[Channel.AGENT].words == 200


def test_a_gap_is_shown() -> None:
    gap = Gap(span=Span(0, RATE), at=RATE, channel=Channel.CUSTOMER, reason="missing")
    shown = folded(gap).gaps[0]
    assert (shown.begin_ms, shown.end_ms, shown.channel) == (0, 1000, Channel.CUSTOMER)


def test_a_mono_call_has_one_unknown_speaker_and_says_what_it_cannot_have() -> None:
    pcm, _ = synth([Line("agent", 1, 3)], 5)
    info = CallInfo(call_id="mono", channels=MONO)
    reducer = Reducer()
    for entry in run(build(info, STANDARD, engines()), frames_of(pcm[:, :1])):
        reducer.apply(entry)
    view = reducer.view
    assert list(view.channels) == [Channel.UNKNOWN]
    assert view.unavailable.keys() == {"talk_over", "anger", "tension"}
    assert view.channels[Channel.UNKNOWN].talk_ms > 2500
    assert (view.overlaps, view.scores.anger, view.scores.tension) == ([], [], [])
