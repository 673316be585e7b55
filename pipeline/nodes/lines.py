"""Lines: what is written enters as words, so that cues and advice need not know how a conversation was held."""

from pipeline.events import Word, Words
from pipeline.inputs import ChatLine
from pipeline.session import Tick
from pipeline.timebase import Span


class LinesNode:
    """Emits Words for each ChatLine: every word stands where the line was sent, and nobody doubts it."""

    def __init__(self) -> None:
        self._count = 0

    def step(self, tick: Tick) -> None:
        for entry in tick.inputs:
            if isinstance(entry.item, ChatLine):
                self._count += 1
                self._tell(tick, entry.item)

    def _tell(self, tick: Tick, line: ChatLine) -> None:
        here = Span(tick.start, tick.start)
        tick.emit(
            Words(
                span=here,
                at=tick.end,
                channel=line.channel,
                utterance=self._count,
                text=line.text,
                words=tuple(Word(text=word, span=here, probability=1.0) for word in line.text.split()),
                late=False,
            )
        )
