"""Folds events into a view: one reducer for overlay, review, CLI and export.

``Reducer()`` keeps everything (a full report); ``Reducer(live=True)`` is bounded: the last lines, decimated curves.
"""

from bisect import insort
from collections import defaultdict
from typing import Any, assert_never, cast

from pipeline import events as ev
from pipeline.channel import Channel
from pipeline.journal import is_event
from pipeline.nontalk import NonTalk
from pipeline.session import Entry
from pipeline.timebase import RATE, Span, ms, seconds
from pipeline.view import (
    AlertView,
    ChannelView,
    CueView,
    FaultView,
    GapView,
    LeakView,
    LineView,
    OverlapView,
    PaceView,
    ProsodyView,
    RegionView,
    ScoreView,
    StretchView,
    SuspectedView,
    TurnView,
    View,
    WordView,
)

LINES = 50
"""Transcript lines, overlaps, regions and alerts kept in a live view."""
BUSY = "not measured: the server is busy"
ONE_SOUND = "both channels carry one sound: the speaker is unknown"
POINTS = 240
"""Points of a curve kept in a live view before every other one is dropped."""


class Reducer:
    """Folds entries into ``view``. Apply them in order; inputs are passed over."""

    def __init__(self, *, live: bool = False) -> None:
        self.view = View()
        self._live = live
        self._stretches: dict[int, StretchView | RegionView] = {}
        self._overlaps: dict[int, OverlapView] = {}
        self._alerts: dict[int, AlertView] = {}
        self._answers: dict[Channel, list[int]] = defaultdict(list)
        self._non_talk = NonTalk()

    def apply(self, entry: Entry) -> None:
        if not is_event(entry):
            return
        event = cast(ev.Event, entry.item)
        self.view.n = entry.n
        self.heard(event.at)
        self._fold(entry.n, event)

    def heard(self, position: int) -> None:
        """Audio up to this sample has been heard, whether or not anything came of it."""
        self.view.now_ms = max(self.view.now_ms, ms(position))
        if self.view.state == "live":
            self.view.duration_s = round(seconds(self.view.now_ms * RATE // 1000), 3)

    def _fold(self, n: int, event: ev.Event) -> None:
        view = self.view
        match event:
            case ev.CallStarted():
                self._start(event)
            case ev.SpeechStarted():
                view.channels[event.channel].speaking = True
            case ev.SpeechEnded():
                self._spoke(event)
            case ev.Turn():
                self._turn(event)
            case ev.Overlap() | ev.OverlapRevised():
                self._overlap(n, event)
            case ev.Silence():
                self._silence(n, event)
            case ev.Region():
                self._region(n, event)
            case ev.Leak():
                self._leak(event)
            case ev.Suspected():
                self._add(view.suspected, _suspected(n, event))
            case ev.Words():
                self._words(n, event)
            case ev.Rejected():
                self._rejected(event)
            case ev.Pace():
                self._pace(event)
            case ev.Prosody():
                self._prosody(event)
            case ev.Cue():
                self._add(view.cues, _cue(n, event))
            case ev.Score():
                curve = view.scores.anger if event.kind == "anger" else view.scores.tension
                self._point(curve, _score(n, event))
            case ev.Alert():
                self._alert(n, event)
            case ev.Snoozed():
                view.snoozed_until_ms = ms(event.until) if event.until > event.at else None
            case ev.Gap():
                span = _span(event.span)
                self._add(view.gaps, GapView(channel=event.channel, reason=event.reason, **span))
            case ev.Fault():
                fault = FaultView(ms=ms(event.at), part=event.part, message=event.message, fatal=event.fatal)
                self._add(view.faults, fault)
            case ev.Claimed():
                view.claimed_by = event.by
            case ev.Released():
                view.claimed_by = None
            case ev.Outcome():
                pass
            case ev.CallEnded():
                self._end(event)
            case _:
                assert_never(event)

    def _start(self, event: ev.CallStarted) -> None:
        view = self.view
        view.call_id, view.agent_id, view.policy = event.call_id, event.agent_id, event.policy
        view.source, view.notice_given, view.state = event.source, event.notice_given, "live"
        view.unavailable, view.warnings = dict(event.unavailable), list(event.warnings)
        view.attribution = event.attribution
        view.queue, view.team, view.direction = event.queue, event.team, event.direction
        view.fields = dict(event.fields)
        for channel in event.channels:
            self._know(channel)

    def _know(self, channel: Channel) -> None:
        self.view.channels.setdefault(channel, ChannelView())
        self.view.prosody.setdefault(channel, [])
        self.view.pace.setdefault(channel, [])

    def _end(self, event: ev.CallEnded) -> None:
        view = self.view
        view.state, view.ended_because = "ended", event.reason
        view.duration_s, view.now_ms = round(event.span.seconds, 3), ms(event.span.end)
        view.overlap = view.advice = view.snoozed_until_ms = None
        self._share()
        for channel in view.channels.values():
            channel.speaking = False

    def _spoke(self, event: ev.SpeechEnded) -> None:
        channel = self.view.channels[event.channel]
        channel.speaking = False
        channel.talk_ms += ms(event.span.length)
        _rate(channel)
        self._share()

    def _share(self) -> None:
        """Talk time over the duration of the call, the field's definition."""
        for each in self.view.channels.values():
            each.talk_share = round(each.talk_ms / max(1, self.view.now_ms), 3)

    def _turn(self, event: ev.Turn) -> None:
        channel = self.view.channels[event.channel]
        channel.turns += 1
        channel.monologue_ms = max(channel.monologue_ms, ms(event.span.length))
        if event.fto is not None and event.fto > 0:
            answers = self._answers[event.channel]
            insort(answers, ms(event.fto))
            channel.response_ms = answers[len(answers) // 2]
        self._add(self.view.turns, _turn(event))

    def _words(self, n: int, event: ev.Words) -> None:
        channel = self.view.channels[event.channel]
        channel.words += len(event.words)
        _rate(channel)
        words = [WordView(text=w.text, probability=w.probability, **_span(w.span)) for w in event.words]
        line = LineView(n=n, channel=event.channel, text=event.text, late=event.late, words=words, **_span(event.span))
        lines = self.view.transcript
        place = next((i for i in range(len(lines), 0, -1) if lines[i - 1].begin_ms <= line.begin_ms), 0)
        lines.insert(place, line)
        self._bound(lines)

    def _rejected(self, event: ev.Rejected) -> None:
        view = self.view
        view.rejected += 1
        view.refused[event.reason] = view.refused.get(event.reason, 0) + 1
        if event.reason == "unsupported_language":
            view.channels[event.channel].foreign += 1

    def _overlap(self, n: int, event: ev.Overlap | ev.OverlapRevised) -> None:
        view = self.view
        values = {"kind": event.kind, "interrupter": event.interrupter, "cut": event.cut, **_span(event.span)}
        if isinstance(event, ev.Overlap):
            item = self._overlaps[n] = OverlapView(n=n, **values)
            view.overlap = item
            self._add(view.overlaps, item)
            return
        item = self._overlaps[event.of]
        self._count(item, -1)
        item.begin_ms, item.end_ms = values["begin_ms"], values["end_ms"]
        item.kind, item.interrupter, item.cut = event.kind, event.interrupter, event.cut
        self._count(item, 1)
        if event.because in ("ended", "cut") and view.overlap is item:
            view.overlap = None

    def _count(self, item: OverlapView, sign: int) -> None:
        if item.interrupter is None:
            return
        channel = self.view.channels[item.interrupter]
        if item.kind == "interruption":
            channel.interruptions += sign
            channel.interrupted_ms += sign * (item.end_ms - item.begin_ms)
        elif item.kind == "backchannel":
            channel.backchannels += sign

    def _silence(self, n: int, event: ev.Silence) -> None:
        if event.of is None:
            item = StretchView(open=event.open, **_span(event.span))
            self._stretches[n] = item
            self._add(self.view.silences, item)
        else:
            self._shut_silence(event)

    def _shut_silence(self, event: ev.Silence) -> None:
        """A voice's first soft moment, found later, may show that it was not long enough after all."""
        item = cast(StretchView, self._stretches[cast(int, event.of)])
        least = item.end_ms - item.begin_ms
        self._shut(event)
        if ms(event.span.length) >= least:
            self._non_talk.silence(event.span)
            self._tell_non_talk(event.at)
        else:
            self.view.silences[:] = [each for each in self.view.silences if each is not item]

    def _region(self, n: int, event: ev.Region) -> None:
        if event.of is None:
            item = RegionView(kind=event.kind, channel=event.channel, open=event.open, **_span(event.span))
            self._stretches[n] = item
            self._add(self.view.regions, item)
            if event.kind == "dual_mono":
                self._know(Channel.UNKNOWN)
                self.view.unavailable |= dict.fromkeys(("talk_over", "anger", "tension"), ONE_SOUND)
        else:
            self._shut(event)
        if event.kind == "busy":
            self._busy(event.open)
        self._non_talk.region(event.of or n, event.kind, event.span, open=event.open)
        self._tell_non_talk(event.at)

    def _busy(self, begins: bool) -> None:
        """While it lasts no score is shown; what nobody had before stays so for its own reason."""
        missing = self.view.unavailable
        if begins:
            self.view.unavailable = dict.fromkeys(("anger", "tension"), BUSY) | missing
        else:
            self.view.unavailable = {what: why for what, why in missing.items() if why != BUSY}

    def _tell_non_talk(self, now: int) -> None:
        self.view.hold_ms, self.view.non_talk_ms = ms(self._non_talk.hold(now)), ms(self._non_talk.total(now))

    def _shut(self, event: ev.Silence | ev.Region) -> None:
        item = self._stretches[cast(int, event.of)]
        item.begin_ms, item.end_ms, item.open = ms(event.span.start), ms(event.span.end), event.open

    def _leak(self, event: ev.Leak) -> None:
        """One line a channel: its latest estimate."""
        item = LeakView(
            channel=event.channel,
            begin_ms=ms(event.span.start),
            delay_ms=ms(event.delay),
            gain_db=event.gain,
            state=event.state,
        )
        leaks = self.view.leaks
        leaks[:] = [each for each in leaks if each.channel is not event.channel] + [item]

    def _pace(self, event: ev.Pace) -> None:
        self.view.channels[event.channel].articulation_rate = event.articulation_rate
        point = PaceView(
            ms=ms(event.span.end),
            wpm=event.talk_speed,
            articulation_rate=event.articulation_rate,
            relative=event.relative,
        )
        self._point(self.view.pace[event.channel], point)

    def _prosody(self, event: ev.Prosody) -> None:
        point = ProsodyView(ms=ms(event.span.end), level_db=event.level_move, f0_st=event.f0_move, f0_hz=event.f0)
        self._point(self.view.prosody[event.channel], point)

    def _alert(self, n: int, event: ev.Alert) -> None:
        view = self.view
        if event.of is None:
            item = self._alerts[n] = _alert(n, event)
            self._add(view.alerts, item)
        else:
            item = self._alerts[event.of]
            item.state = event.state
            if event.state == "cleared":
                item.cleared_ms, item.cleared_because = ms(event.at), event.reason
        view.advice = next((each for each in reversed(view.alerts) if each.state == "raised"), None)

    def _add(self, items: list[Any], item: Any) -> None:
        items.append(item)
        self._bound(items)

    def _bound(self, items: list[Any]) -> None:
        if self._live and len(items) > LINES:
            del items[0]

    def _point(self, curve: list[Any], point: Any) -> None:
        curve.append(point)
        if self._live and len(curve) > POINTS:
            del curve[:-1:2]


def _rate(channel: ChannelView) -> None:
    if channel.words and channel.talk_ms:
        channel.wpm = round(channel.words * 60_000 / channel.talk_ms, 1)


def _span(span: Span) -> dict[str, Any]:
    return {"begin_ms": ms(span.start), "end_ms": ms(span.end)}


def _turn(event: ev.Turn) -> TurnView:
    fto = None if event.fto is None else ms(event.fto)
    return TurnView(channel=event.channel, talk_ms=ms(event.talk), fto_ms=fto, **_span(event.span))


def _cue(n: int, event: ev.Cue) -> CueView:
    return CueView(n=n, channel=event.channel, name=event.name, phrase=event.phrase, **_span(event.span))


def _suspected(n: int, event: ev.Suspected) -> SuspectedView:
    return SuspectedView(n=n, ms=ms(event.at), kind=event.kind, confidence=event.confidence, because=event.because)


def _score(n: int, event: ev.Score) -> ScoreView:
    return ScoreView(
        n=n,
        ms=ms(event.span.end),
        value=event.value,
        coverage=event.coverage,
        parts=dict(event.parts),
        measures=dict(event.measures),
    )


def _alert(n: int, event: ev.Alert) -> AlertView:
    return AlertView(
        n=n,
        kind=event.kind,
        state=event.state,
        severity=event.severity,
        raised_ms=ms(event.at),
        cleared_ms=None,
        advice=event.advice,
        detail=event.detail,
        practice=event.practice,
        reason=event.reason,
        cleared_because=None,
        evidence=list(event.evidence),
        to=list(event.to),
    )
