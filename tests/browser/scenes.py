"""Views of one believable call, for tests and screenshots."""

from dataclasses import replace
from typing import Literal

from pipeline.channel import Channel
from pipeline.view import (
    AlertView,
    ChannelView,
    FaultView,
    GapView,
    LineView,
    OverlapView,
    PaceView,
    ScoresView,
    ScoreView,
    View,
)

SAID = [
    (Channel.AGENT, "Thank you for calling, my name is Dana. How can I help you today?"),
    (Channel.CUSTOMER, "Yes, hello. My order was supposed to arrive last Tuesday and it is still not here."),
    (Channel.AGENT, "Oh, that is annoying. Do you have the order number for me?"),
    (Channel.CUSTOMER, "I already gave it to your colleague, this is the third time I am calling about this!"),
    (Channel.AGENT, "Right, but I would need it again to look"),
    (Channel.CUSTOMER, "You are not listening to me. Every time I call I have to start from the very beginning."),
]


def scene(*, advice: AlertView | None = None, overlap: OverlapView | None = None, lines: int = len(SAID)) -> View:
    """A call at 4:07 in which the customer speaks, with both scores."""
    return View(
        call_id="call-1",
        agent_id="dana",
        policy="standard",
        state="live",
        n=90,
        now_ms=247_000,
        duration_s=247.0,
        channels={
            Channel.AGENT: ChannelView(talk_ms=80_000, interruptions=2),
            Channel.CUSTOMER: ChannelView(talk_ms=120_000, speaking=True),
        },
        advice=advice,
        alerts=[advice] if advice else [],
        overlap=overlap,
        transcript=[line(10 + i, channel, text) for i, (channel, text) in enumerate(SAID[:lines])],
        scores=ScoresView(
            anger=[score(70, 0.4), score(71, 0.72)],
            tension=[score(72, 0.38)],
        ),
    )


def line(n: int, channel: Channel, text: str) -> LineView:
    begin = n * 4_000
    return LineView(n=n, channel=channel, begin_ms=begin, end_ms=begin + 3_500, text=text, late=False, words=[])


def score(n: int, value: float, coverage: float = 0.9) -> ScoreView:
    return ScoreView(n=n, ms=n * 1_000, value=value, coverage=coverage, parts={"voice": value})


def advice(
    n: int = 80,
    words: str = "Let them finish",
    detail: str = "You spoke while they were speaking. Wait for their last word, then one second more.",
    severity: Literal["note", "coach", "critical"] = "coach",
    raised_ms: int = 245_000,
) -> AlertView:
    return AlertView(
        n=n,
        kind="interruption",
        state="raised",
        severity=severity,
        raised_ms=raised_ms,
        cleared_ms=None,
        advice=words,
        detail=detail,
        practice=1,
        reason="two interruptions in 60 s",
        cleared_because=None,
        evidence=[60, 64],
    )


def overlap(n: int = 85, interrupter: Channel | None = Channel.AGENT) -> OverlapView:
    return OverlapView(n=n, begin_ms=245_500, end_ms=246_200, kind="overlap", interrupter=interrupter, cut=False)


def calm() -> View:
    """Nothing to say, little evidence for the customer's score, none yet for the agent's."""
    view = scene(lines=2)
    view.scores = ScoresView(anger=[score(30, 0.2, coverage=0.3)], tension=[])
    return view


def snoozed() -> View:
    """The agent wants no advice for now."""
    view = scene()
    view.snoozed_until_ms = 547_000
    return view


def rushing() -> View:
    """The agent speaks faster than usual."""
    view = scene(advice=advice(97, "Slow down", severity="note"))
    view.pace = {Channel.AGENT: [PaceView(ms=246_000, wpm=212.0, articulation_rate=6.1, relative=1.42)]}
    return view


def fresh() -> View:
    """The first second: no words, no scores."""
    view = scene(lines=0)
    view.scores, view.now_ms = ScoresView(), 1_000
    return view


def eu_workplace() -> View:
    """A policy that infers no employee's emotion."""
    view = scene(
        advice=advice(
            words="Slow down",
            severity="note",
            detail="You speak faster than you usually do. Shorter sentences, and a pause after each.",
        )
    )
    view.policy, view.unavailable = "eu-workplace", {"tension": "policy eu-workplace"}
    view.scores.tension = []
    return view


def crowded() -> View:
    """Everything at once, each at its longest."""
    words = "Acknowledge frustration, then explain what happens"
    view = scene(
        advice=advice(
            81, words, "Say what they must be feeling, in your own words, before anything else at all.", "critical"
        ),
        overlap=overlap(interrupter=Channel.AGENT),
    )
    view.overlap = replace(overlap(), kind="completion", interrupter=Channel.CUSTOMER)
    view.channels[Channel.AGENT].speaking = True
    view.now_ms = 3_847_000
    view.gaps = [GapView(channel=Channel.CUSTOMER, begin_ms=1_000, end_ms=1_400, reason="network")] * 12
    view.faults = [FaultView(ms=9_000, part="words", message="the recogniser did not answer", fatal=False)] * 2
    view.scores = ScoresView(anger=[score(71, 1.0)], tension=[score(72, 0.6, coverage=0.2)])
    return view


def ended() -> View:
    view = scene()
    view.state, view.ended_because, view.duration_s, view.now_ms = "ended", "hangup", 761.0, 761_000
    view.alerts = [
        advice(40, "Ask one clarifying question", severity="note", raised_ms=95_000),
        advice(80, "Let them finish", raised_ms=245_000),
        advice(91, "Offer a supervisor", severity="critical", raised_ms=544_000),
    ]
    for channel in view.channels.values():
        channel.speaking = False
    return view
