"""A machine before the agent: what the agent's channel says before ringing or music, while nobody has answered yet.

Where a call is handed from a voice menu to a queue or an agent, ringing or hold music is heard on the agent's
channel; what was said there before came from the menu. The sound alone tells no more: a menu that passes the call on
in silence, or that the customer talks to, is not found. An agent who greets and at once puts the customer on hold looks
the same as a menu, unless the phone system marks the hold.
"""

from collections.abc import Sequence

from pipeline.channel import Channel
from pipeline.events import Region, SpeechEnded, SpeechStarted
from pipeline.inputs import Mark
from pipeline.session import Tick
from pipeline.settings import Sounds
from pipeline.timebase import Span, samples

LEAST = samples(0.5)
"""Samples of speech from which it was a machine's: less is a detector's blip at the beginning of music."""


class IvrNode:
    """Emits a Region "ivr" of the agent's channel, opened and closed at once: it is known when it is over.

    Its span runs from the call's start, or the end of the last such region, to where the sound began. A hold mark, or
    ``exchange_s`` of the customer's own talk, shows that the conversation has begun; from then on nothing is marked.
    """

    def __init__(self, channels: Sequence[Channel], settings: Sounds) -> None:
        self._may = Channel.AGENT in channels and Channel.CUSTOMER in channels
        self._enough = samples(settings.exchange_s)
        self._talk = 0
        self._from = 0
        self._spoke: int | None = None
        self._said = 0

    def step(self, tick: Tick) -> None:
        if not self._may:
            return
        if any(isinstance(entry.item, Mark) and entry.item.kind == "hold" for entry in tick.inputs):
            self._may = False
        for entry in list(tick.events):
            match entry.item:
                case SpeechStarted(channel=Channel.AGENT, span=span) if self._spoke is None:
                    self._spoke = span.start
                case SpeechEnded(channel=Channel.CUSTOMER, span=span):
                    self._talk += span.length
                case SpeechEnded(channel=Channel.AGENT, span=span):
                    self._said += span.length
                case Region(channel=Channel.AGENT, kind="ringing" | "music", open=True, span=span):
                    self._mark(tick, span.start)
                case _:
                    pass

    def _mark(self, tick: Tick, sound: int) -> None:
        """A sound was established that began at this sample."""
        customer = tick.activity[Channel.CUSTOMER]
        now = customer.last - customer.start if customer.speaking else 0
        if self._talk + now >= self._enough:
            self._may = False
        elif self._spoke is not None and self._spoke < sound and self._said >= LEAST:
            span = Span(self._from, sound)
            n = tick.emit(Region(span=span, at=tick.end, kind="ivr", channel=Channel.AGENT, open=True))
            tick.emit(Region(span=span, at=tick.end, kind="ivr", channel=Channel.AGENT, open=False, of=n))
            self._from, self._spoke, self._said = sound, None, 0
