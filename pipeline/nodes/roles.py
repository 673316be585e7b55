"""Roles: whether the channels were named the wrong way round. Flagged once for a person to look, never changed."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.events import Suspected, Words
from pipeline.roles import Evidence, Found, confidence
from pipeline.session import Entry, Tick
from pipeline.timebase import Span

PRIOR = 2.0
"""Nats against a swap before anybody spoke: most senders (seven of eight, say) name their channels rightly."""

THRESHOLD = 0.9
"""Confidence from which a swap is told: with the prior, evidence of 4.2 nats, which no single sign brings."""

UTTERANCES = 2
"""Utterances that must speak for a swap: what one sentence holds is one piece of evidence."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """nats: what this sign adds to a swap."""

    entry: Entry
    channel: Channel
    found: Found
    nats: float


class RolesNode:
    """Reads the words of two parties. Without words, or with one channel, it has nothing to say."""

    def __init__(self, channels: Sequence[Channel]) -> None:
        self._heard = {channel: Evidence() for channel in channels} if set(channels) == set(TWO_CHANNEL) else {}
        self._pieces: list[_Piece] = []
        self._told = False

    def step(self, tick: Tick) -> None:
        if self._told or not self._heard:
            return
        news = [each for each in tick.events if isinstance(each.item, Words) and each.item.channel in self._heard]
        for entry in news:
            self._hear(entry)
        if news:
            self._judge(tick)

    def _hear(self, entry: Entry) -> None:
        assert isinstance(entry.item, Words)
        channel = entry.item.channel
        sign = 1.0 if channel is Channel.CUSTOMER else -1.0
        self._pieces += [
            _Piece(entry, channel, found, sign * found.weight) for found in self._heard[channel].hear(entry.item.text)
        ]

    def _judge(self, tick: Tick) -> None:
        swapped = confidence(sum(piece.nats for piece in self._pieces) - PRIOR)
        speaking = [piece for piece in self._pieces if piece.nats > 0]
        entries = {piece.entry.n: piece.entry for piece in speaking}
        signs = {piece.found.sign for piece in speaking}
        if swapped < THRESHOLD or len(entries) < UTTERANCES or len(signs) < UTTERANCES:
            return
        self._told = True
        spans = [entry.item.span for entry in entries.values() if isinstance(entry.item, Words)]
        tick.emit(
            Suspected(
                span=Span(min(span.start for span in spans), max(span.end for span in spans)),
                at=tick.end,
                kind="swapped_roles",
                confidence=round(swapped, 3),
                because=_because(speaking),
                evidence=tuple(sorted(entries)),
            )
        )


def _because(pieces: list[_Piece]) -> str:
    """The two weightiest signs, in the order they were said."""
    weightiest = sorted(pieces, key=lambda piece: -piece.nats)[:2]
    first, second = (piece for piece in pieces if piece in weightiest)
    who = "" if second.channel is first.channel else f"the {second.channel} said "
    return f"the {first.channel} said \u201c{first.found.phrase}\u201d and {who}\u201c{second.found.phrase}\u201d"
