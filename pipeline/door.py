"""The door: any rate, chunk size, skew or gap → exact int16 frames. The only code that knows arrival sizes.

It does no input or output and has no clock: audio is pushed, frames and losses are returned, and time is the
audio received. Zeros stand for audio that never came; they are put in *before* the resampler, so positions are
whole source samples, never drift, and a gap shifts nothing behind it.

Rules of keeping channels together, with the skew bound (200 ms) in mind:

- A track's first packet is placed by its position, or by arrival: at what the other track has reached.
- A channel that falls behind by more than the bound is filled with zeros up to the bound, so that frames keep
  flowing for the other one. What arrives late for the filled part is dropped.
- The stretch of zeros is reported once, as one ``Loss``, when it ends. Frames do not wait for it: its span may
  lie before the frame that it precedes.
- A position that jumps forward is a loss; one that jumps backward is late audio, dropped up to what is there.
- Tracks may begin and end up to the bound apart: that is how calls are set up and torn down, not a loss.
"""

from typing import Any

from numpy.typing import NDArray

from pipeline.channel import Channel
from pipeline.inputs import Frame, Loss
from pipeline.placing import Placing, Reason


class Door:
    """One call's audio, placed and made into frames at once: for whoever has a thread of its own.

    Parameters, methods and what they raise as in ``Placing``. Returned lists are in the order of admission: a Loss
    stands before the frame in which it starts, or, where that frame had to go before the loss was known, before the
    next one.
    """

    def __init__(
        self,
        channels: tuple[Channel, ...],
        rate: int | tuple[int, ...],
        *,
        skew_s: float = 0.2,
        slack_s: float = 0.001,
        drift: bool = False,
    ) -> None:
        self.channels = channels
        self._placing = Placing(channels, rate, skew_s=skew_s, slack_s=slack_s, drift=drift)

    @property
    def heard(self) -> int:
        return self._placing.heard

    @property
    def head(self) -> int:
        return self._placing.head

    def push(self, samples: NDArray[Any], *, position: int | None = None) -> list[Frame | Loss]:
        return self._placing.push(samples, position=position).frames()

    def push_track(
        self, channel: Channel, samples: NDArray[Any], *, position: int | None = None, elapsed: float | None = None
    ) -> list[Frame | Loss]:
        return self._placing.push_track(channel, samples, position=position, elapsed=elapsed).frames()

    def stalled(self, channel: Channel) -> bool:
        return self._placing.stalled(channel)

    def lose(self, counts: tuple[int, ...], reason: Reason, *, more: bool = False) -> list[Frame | Loss]:
        return self._placing.lose(counts, reason, more=more).frames()

    def mark(self) -> list[Frame | Loss]:
        return self._placing.mark().frames()

    def finish(self) -> list[Frame | Loss]:
        return self._placing.finish().frames()
