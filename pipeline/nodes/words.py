"""Words: judges what the recogniser answers, and refuses what nobody said."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from pipeline import guards
from pipeline import settings as s
from pipeline.channel import MONO, Channel
from pipeline.events import Fault, Region, Rejected, RejectReason, Word, Words
from pipeline.inputs import EngineResult
from pipeline.music import Music
from pipeline.session import Tick
from pipeline.timebase import samples
from pipeline.tongue import Tongue
from pipeline.voiced import Voiced


class WordsNode:
    """Emits Words or Rejected for each answer, both where only some of its words were said, or a Fault where the
    recogniser failed.

    What lies in music for the most part is refused: the music may have been told only after the asking. Where both
    channels turn out to carry one sound, what was asked for before is one unknown speaker's, and heard once.
    Of another language than the recogniser's nothing is told but that it was one.
    """

    def __init__(self, channels: Sequence[Channel], settings: s.Words) -> None:
        self._settings = settings
        self._music = {channel: Music() for channel in (*channels, Channel.UNKNOWN)}
        self._voiced: defaultdict[Channel, Voiced] = defaultdict(Voiced)
        self._tongues: defaultdict[Channel, Tongue] = defaultdict(lambda: Tongue(settings.foreign))
        self._two = tuple(channels) if len(channels) == 2 else ()

    def step(self, tick: Tick) -> None:
        for channel, activity in tick.activity.items():
            self._voiced[channel].take(tick.start, speech=activity.probability >= self._settings.voiced)
        for entry in tick.events:
            if isinstance(entry.item, Region) and entry.item.kind == "music" and entry.item.channel is not None:
                self._music[entry.item.channel].take(entry.item)
        if tick.new_agent:
            self._tongues.pop(Channel.AGENT, None)
        for entry in tick.inputs:
            if isinstance(entry.item, EngineResult):
                self._judge(tick, entry.item)

    def _judge(self, tick: Tick, result: EngineResult) -> None:
        if result.fault is not None:
            tick.emit(Fault(span=result.span, at=tick.end, part="words", message=result.fault, fatal=False))
            return
        said, unsaid = guards.said(result, self._voiced[result.channel])
        reason = self._refusal(said, unsaid)
        if reason is None and tick.channels == MONO and result.channel in self._two:
            if result.channel is self._two[1]:
                reason = "doubled"
            said = replace(said, channel=Channel.UNKNOWN)
        if reason is not None:
            text = "" if self._tongues[said.channel].sure else result.text
            tick.emit(_rejected(tick, said, text, reason))
            return
        if unsaid:
            tick.emit(_rejected(tick, said, unsaid, "no_speech"))
        tick.emit(_words(tick, said, late=tick.end - result.span.end > samples(self._settings.late_s)))

    def _refusal(self, said: EngineResult, unsaid: str) -> RejectReason | None:
        if self._music[said.channel].covers(said.span) and said.words:
            return "not_speech"
        reason: RejectReason | None = guards.refusal(said, self._settings, self._voiced[said.channel])
        if reason in ("empty", "no_speech"):
            return "no_speech" if unsaid else reason
        return "unsupported_language" if self._tongues[said.channel].take(said.foreign) else reason


def _rejected(tick: Tick, result: EngineResult, text: str, reason: RejectReason) -> Rejected:
    return Rejected(
        span=result.span,
        at=tick.end,
        channel=result.channel,
        utterance=result.utterance,
        text=text,
        reason=reason,
    )


def _words(tick: Tick, result: EngineResult, *, late: bool) -> Words:
    return Words(
        span=result.span,
        at=tick.end,
        channel=result.channel,
        utterance=result.utterance,
        text=result.text,
        words=tuple(Word(text=w.text, span=w.span, probability=w.probability) for w in result.words),
        late=late,
        emotion=result.emotion,
    )
