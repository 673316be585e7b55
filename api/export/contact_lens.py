"""A call in the JSON shape of Amazon Connect's Contact Lens. The mapping is told in docs/api.md.

Nothing is invented: what this call cannot have (by policy, or because nobody knows who speaks) has no key.
"""

import json
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log10
from typing import Any

from api.reading import Reading
from pipeline.channel import Channel
from pipeline.events import Prosody, RegionKind
from pipeline.timebase import ms
from pipeline.view import LineView, ScoreView, View, counted

Json = dict[str, Any]
Stretch = tuple[int, int]
"""From, to: milliseconds."""

WORST = -5.0
"""Score of sentiment at anger (or tension) 1.0; at 0 it is 0. Calmline hears no joy, so no score is above 0."""
NEGATIVE = 0.4
"""Mean anger (tension) from which a line is NEGATIVE: where the playbook begins to advise about it."""
USUAL, PER_DB = 50.0, 2.5
"""Loudness score of a voice at its own baseline, and points for each dB above: 0 to 100 are -20 to +20 dB."""
QUARTERS = 4


def dump(reading: Reading) -> bytes:
    """UTF-8 JSON with a line end."""
    return (json.dumps(document(reading), indent=2, ensure_ascii=False) + "\n").encode()


def document(reading: Reading) -> Json:
    """The whole document."""
    moods = _moods(reading.view)
    whole: Json = {
        "ConversationCharacteristics": _characteristics(reading, moods),
        "Participants": [{"ParticipantId": each.value, "ParticipantRole": _role(each)} for each in reading.channels],
        "Categories": _categories(reading),
    }
    if "words" not in reading.view.unavailable:
        voices = {channel: _Voice(reading.prosody, channel) for channel in reading.channels}
        whole["Transcript"] = [
            _line(line, moods.get(line.channel), voices[line.channel]) for line in reading.view.transcript
        ]
    return whole


def _role(channel: Channel) -> str:
    """AGENT, CUSTOMER; UNKNOWN for the one speaker of a mono recording, who is neither."""
    return channel.value.upper()


def _characteristics(reading: Reading, moods: "dict[Channel, _Mood]") -> Json:
    view = reading.view
    told: Json = {
        "TotalConversationDurationMillis": reading.duration_ms,
        "TalkTime": _talk_time(reading),
        "NonTalkTime": _non_talk_time(view),
    }
    speed = {_role(c): {"AverageWordsPerMinute": round(p.wpm)} for c, p in view.channels.items() if p.wpm is not None}
    if speed:
        told["TalkSpeed"] = {"DetailsByParticipant": speed}
    if "talk_over" not in view.unavailable:
        told["Interruptions"] = _interruptions(reading)
    if sentiment := _sentiment(reading.duration_ms, moods):
        told["Sentiment"] = sentiment
    return told


def _talk_time(reading: Reading) -> Json:
    talk = {_role(channel): party.talk_ms for channel, party in reading.view.channels.items()}
    details = {role: {"TotalTimeMillis": total} for role, total in talk.items()}
    return {"TotalTimeMillis": sum(talk.values()), "DetailsByParticipant": details}


def _non_talk_time(view: View) -> Json:
    """The stretches that make the view's non_talk_ms: hold and silences of both over 3 s, but for what was redacted."""
    idle = [(each.begin_ms, each.end_ms) for each in view.silences if not each.open]
    stretches = _without(_joined([*idle, *_regions(view, "hold")]), _regions(view, "pause"))
    return {"TotalTimeMillis": _total(stretches), "Instances": [_instance(each) for each in stretches]}


def _regions(view: View, kind: RegionKind) -> list[Stretch]:
    """Of the whole call; one that is open goes on until now."""
    found = [each for each in view.regions if each.kind == kind and each.channel is None]
    return [(each.begin_ms, view.now_ms if each.open else each.end_ms) for each in found]


def _interruptions(reading: Reading) -> Json:
    made: dict[Channel, list[Stretch]] = {channel: [] for channel in reading.header.call.channels}
    for overlap in reading.view.overlaps:
        if overlap.kind == "interruption" and overlap.interrupter is not None:
            made[overlap.interrupter].append((overlap.begin_ms, overlap.end_ms))
    every = [each for stretches in made.values() for each in stretches]
    return {
        "InterruptionsByInterrupter": {_role(who): [_instance(each) for each in made[who]] for who in made},
        "TotalCount": len(every),
        "TotalTimeMillis": _total(every),
    }


def _sentiment(duration: int, moods: "dict[Channel, _Mood]") -> Json:
    """Empty where nobody has a score."""
    overall = {_role(c): score for c, mood in moods.items() if (score := mood.score(0, duration)) is not None}
    if not overall:
        return {}
    edges = [duration * quarter // QUARTERS for quarter in range(QUARTERS + 1)]
    quarters = {
        _role(channel): [
            {**_offsets(begin, end), "Score": score}
            for begin, end in pairwise(edges)
            if (score := mood.score(begin, end)) is not None
        ]
        for channel, mood in moods.items()
        if _role(channel) in overall
    }
    return {"OverallSentiment": overall, "SentimentByPeriod": {"QUARTER": quarters}}


def _categories(reading: Reading) -> Json:
    """Alerts and cues."""
    points: dict[str, list[Stretch]] = {}
    for alert in counted(reading.view.alerts):
        end = reading.duration_ms if alert.cleared_ms is None else min(alert.cleared_ms, reading.duration_ms)
        points.setdefault(f"alert.{alert.kind}", []).append((min(alert.raised_ms, end), end))
    for cue in reading.view.cues:
        points.setdefault(f"cue.{cue.name}", []).append((cue.begin_ms, cue.end_ms))
    return {
        "MatchedCategories": sorted(points),
        "MatchedDetails": {
            name: {"PointsOfInterest": [_offsets(*each) for each in points[name]]} for name in sorted(points)
        },
    }


def _line(line: LineView, mood: "_Mood | None", voice: "_Voice") -> Json:
    told: Json = {
        "Id": str(line.n),
        "ParticipantId": line.channel.value,
        **_offsets(line.begin_ms, line.end_ms),
        "Content": line.text,
    }
    mean = None if mood is None else mood.mean(line.begin_ms, line.end_ms)
    if mean is not None:
        told["Sentiment"] = "NEGATIVE" if mean >= NEGATIVE else "NEUTRAL"
    told["LoudnessScore"] = [
        voice.loudness(second, min(second + 1000, line.end_ms)) for second in range(line.begin_ms, line.end_ms, 1000)
    ]
    return told


@dataclass(frozen=True, slots=True)
class _Mood:
    """One score over time. A score is told when it changes, so it holds until the next one."""

    curve: Sequence[ScoreView]
    end: int

    def mean(self, begin: int, end: int) -> float | None:
        """Weighted by time, over the part of [begin, end) that has a score; None where none has."""
        total = weight = 0.0
        first = max(0, bisect_right(self.curve, begin, key=lambda point: point.ms) - 1)
        for index in range(first, len(self.curve)):
            point = self.curve[index]
            until = self.curve[index + 1].ms if index + 1 < len(self.curve) else self.end
            if point.ms >= end:
                break
            length = max(0, min(until, end) - max(point.ms, begin))
            total, weight = total + point.value * length, weight + length
        return total / weight if weight else None

    def score(self, begin: int, end: int) -> float | None:
        """-5 to 0, one decimal."""
        mean = self.mean(begin, end)
        return None if mean is None else round(WORST * mean, 1) + 0.0  # no -0.0


def _moods(view: View) -> dict[Channel, _Mood]:
    """Of the channels that have a score at all."""
    curves = {Channel.AGENT: view.scores.tension, Channel.CUSTOMER: view.scores.anger}
    return {channel: _Mood(curve, view.now_ms) for channel, curve in curves.items() if curve}


class _Voice:
    """The measured blocks of one speaker."""

    def __init__(self, prosody: Iterable[Prosody], channel: Channel) -> None:
        found = [each for each in prosody if each.channel is channel and each.level_move is not None]
        self._blocks = sorted((ms(each.span.start), ms(each.span.end), each.level_move or 0.0) for each in found)

    def loudness(self, begin: int, end: int) -> float | None:
        """Mean power of [begin, end) against the speaker's own baseline, as a score; None where not measured."""
        power = weight = 0.0
        for start, stop, move in self._blocks[self._first(begin) :]:
            if start >= end:
                break
            length = max(0, min(stop, end) - max(start, begin))
            power, weight = power + length * 10 ** (move / 10), weight + length
        if not weight:
            return None
        return round(min(100.0, max(0.0, USUAL + PER_DB * 10 * log10(power / weight))), 1)

    def _first(self, begin: int) -> int:
        """Index of the first block that ends after a moment: one speaker's blocks never overlap."""
        return bisect_right(self._blocks, begin, key=lambda block: block[1])


def _instance(stretch: Stretch) -> Json:
    return {**_offsets(*stretch), "DurationMillis": stretch[1] - stretch[0]}


def _offsets(begin: int, end: int) -> Json:
    return {"BeginOffsetMillis": begin, "EndOffsetMillis": end}


def _total(stretches: Iterable[Stretch]) -> int:
    return sum(end - begin for begin, end in stretches)


def _joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """In order, those that touch as one."""
    joined: list[Stretch] = []
    for begin, end in sorted(stretches):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    return joined


def _without(stretches: list[Stretch], cut: Iterable[Stretch]) -> list[Stretch]:
    """What is left of them outside others."""
    for begin, end in cut:
        pieces = [((a, min(b, begin)), (max(a, end), b)) for a, b in stretches]
        stretches = [piece for pair in pieces for piece in pair if piece[0] < piece[1]]
    return stretches
