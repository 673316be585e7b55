"""Where the audio of a call belongs: any chunk size, skew or gap → each sample at its place on one clock.

It does no input or output, has no clock and makes no sums: packets are put in their place, and what they bring is a
``Sound``, whose frames are made later (``framing``). What a door goes by is in ``pipeline.door``.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.channel import Channel
from pipeline.drift import Clock
from pipeline.errors import BadInput
from pipeline.framing import Framing, Piece, Sound, floats
from pipeline.inputs import Loss
from pipeline.resample import Floats
from pipeline.timebase import RATE, TICK, Span

Reason = Literal["late", "missing", "overflow"]

LOWEST, HIGHEST = 8_000, 48_000
"""Accepted sample rates in Hz."""

LONGEST_JUMP_S = 120
"""Seconds that a position may jump forward; more is another call, or a broken sender, and a flood of zeros."""


def check_rate(rate: int) -> int:
    """The rate in Hz itself. Raises BadInput outside 8-48 kHz."""
    if not LOWEST <= rate <= HIGHEST:
        raise BadInput(f"a sample rate of {rate} Hz cannot be used; give audio of 8000 to 48000 Hz")
    return rate


class Placing:
    """One call's audio. ``push`` all channels at once or ``push_track`` one; ``finish`` at the end.

    rate: Hz of the source, one for all channels or one each. skew_s: seconds one channel may lead.
    slack_s: seconds by which a position may be off and is no gap: many senders round to milliseconds.
    drift: the tracks come from devices with clocks of their own; needs ``elapsed`` with every ``push_track``.
    levels: float32 (256,), full scale 1.0: what a line's codes stand for; samples may be uint8 then.
    """

    def __init__(
        self,
        channels: tuple[Channel, ...],
        rate: int | tuple[int, ...],
        *,
        skew_s: float = 0.2,
        slack_s: float = 0.001,
        drift: bool = False,
        levels: Floats | None = None,
    ) -> None:
        rates = rate if isinstance(rate, tuple) else (rate,) * len(channels)
        self.channels = channels
        self._skew = round(skew_s * RATE)
        self._drift = drift
        kinds = (np.int16,) if levels is None else (np.int16, np.uint8)
        self._tracks = [
            _Track(channel, check_rate(hz), kinds, self._skew, int(slack_s * hz), drift and index > 0)
            for index, (channel, hz) in enumerate(zip(channels, rates, strict=True))
        ]
        self._framing = Framing(rates, levels)
        self._ticks = 0
        self._end: int | None = None

    @property
    def heard(self) -> int:
        """Samples at 16 kHz from the start of the call to the end of its audio; exact. What ``Close.end`` needs."""
        return max([track.reach for track in self._tracks]) if self._end is None else self._end

    @property
    def head(self) -> int:
        """Source samples from the start of the call to the end of its audio: where the next ones belong."""
        return max(track.head for track in self._tracks)

    def push(self, samples: NDArray[Any], *, position: int | None = None) -> Sound:
        """Interleaved audio of all channels.

        samples: int16 or float (full scale 1.0), shape (n, channels); (n,) will do for one channel.
        position: source samples from the start of the call to the first one; None: it follows what came before.
        Raises BadInput for samples that are no numbers and for a jump of more than two minutes.
        """
        self._check_open()
        columns = np.atleast_2d(samples.T)
        if len(columns) != len(self._tracks):
            raise ValueError(f"expected {len(self._tracks)} channels, got {len(columns)}")
        pcm = [track.check(column, position) for track, column in zip(self._tracks, columns, strict=True)]
        for track, column in zip(self._tracks, pcm, strict=True):
            track.accept(column, position)
        return self._sound()

    def push_track(
        self, channel: Channel, samples: NDArray[Any], *, position: int | None = None, elapsed: float | None = None
    ) -> Sound:
        """Audio of one channel.

        samples: int16 or float, shape (n,). position: as in ``push``; a packet longer than the skew bound needs
        one. elapsed: seconds on any steady clock at which the packet's last sample was there.
        Raises BadInput as ``push`` does.
        """
        self._check_open()
        track = self._track(channel)
        if position is None and len(self._tracks) > 1 and len(samples) * RATE > self._skew * track.rate:
            raise BadInput(
                f"a packet of one channel longer than {self._skew / RATE:g} s needs a position; send shorter"
            )
        if self._drift and (elapsed is None or position is not None):
            raise ValueError("clocks that drift have no position in the call: give elapsed, and lose() for gaps")
        pcm = track.check(samples, position)
        if position is None:
            position = self._arrival(track, len(pcm), elapsed)
        lead = 0.0 if elapsed is None else self._lead(track, len(pcm), elapsed)
        track.accept(pcm, position, lead)
        track.seen = elapsed
        self._level()
        return self._sound()

    def stalled(self, channel: Channel) -> bool:
        """Whether the channel has fallen behind by more than the bound: what comes is placed by its arrival."""
        return self._track(channel).stalled

    def lose(self, counts: tuple[int, ...], reason: Reason, *, more: bool = False) -> Sound:
        """Say how many of the next source samples of each channel will never come.

        more: what follows is likely lost as well; all of it is reported as one, when audio comes.
        """
        self._check_open()
        for track, count in zip(self._tracks, counts, strict=True):
            if count:
                track.lose(count, reason, more=more)
        self._level()
        return self._sound()

    def mark(self) -> Sound:
        """Report the gaps that are open as far as they go now; what follows of them is reported as others."""
        self._check_open()
        for track in self._tracks:
            track.mark()
        return self._sound(whole=True)

    def finish(self) -> Sound:
        """The rest: what the resamplers hold, the last frame padded with zeros, the losses still open."""
        self._check_open()
        for track in self._tracks:
            track.release()
        self._end = self.heard
        total = -(-self._end // TICK) * TICK
        for track in self._tracks:
            track.end(self._end, total)
        return self._sound(whole=True)

    def _check_open(self) -> None:
        if self._end is not None:
            raise RuntimeError("the door is closed")

    def _track(self, channel: Channel) -> "_Track":
        return self._tracks[self.channels.index(channel)]

    def _arrival(self, track: "_Track", count: int, elapsed: float | None) -> int | None:
        """Where audio without a position belongs, in source samples; None: behind what came before."""
        other = max((t for t in self._tracks if t is not track), key=lambda t: t.reach, default=None)
        if other is None or not other.started or (track.started and not track.stalled):
            return None
        if elapsed is not None and other.seen is not None:
            return round((other.reach / RATE + elapsed - other.seen) * track.rate) - count
        return track.source(other.reach) if track.stalled else None

    def _lead(self, track: "_Track", count: int, elapsed: float) -> float:
        """Seconds by which a track leads the reference, the first track, once ``count`` more samples are in."""
        reference = self._tracks[0]
        if track.clock is None or reference.seen is None or not track.started or track.stalled:
            return 0.0
        now = reference.head / reference.rate + elapsed - reference.seen
        lead = (track.head + track.clock.held + count) / track.rate - now
        return lead if abs(lead) * RATE < self._skew else 0.0

    def _level(self) -> None:
        """Fill whoever is behind the leader by more than the bound."""
        bound = self.heard - self._skew
        for track in self._tracks:
            if track.reach < bound:
                track.stalled = True
                track.fill(track.source(bound), "missing")

    def _sound(self, *, whole: bool = False) -> Sound:
        """What came since the last one."""
        pieces, losses = [track.pieces for track in self._tracks], [track.losses for track in self._tracks]
        for track in self._tracks:
            track.pieces, track.losses = [], []
        over = self._end is not None
        reached = -(-self.heard // TICK) if over else self.heard // TICK
        ticks, self._ticks = reached - self._ticks, reached
        return Sound(self._framing, pieces, [*chain(*losses)], ticks, whole, over)


class _Track:
    """One channel: its timeline in source samples.

    head: source samples on the timeline so far, audio and zeros. reach: the same on the clock of the call.
    stalled: it was filled because the other led. seen: ``elapsed`` of the last packet.
    """

    def __init__(self, channel: Channel, rate: int, kinds: Sequence[type], skew: int, slack: int, drift: bool) -> None:
        self.rate = rate
        self.head = 0
        self.reach = 0
        self.started = False
        self.stalled = False
        self.seen: float | None = None
        self.clock = Clock(rate) if drift else None
        self.losses: list[Loss] = []
        self.pieces: list[Piece] = []
        self._channel = channel
        self._kinds = kinds
        self._skew = skew
        self._slack = slack
        self._gap: tuple[int, Reason] | None = None

    def source(self, sample: int) -> int:
        """The first source sample at or after a sample of the call."""
        return -(-sample * self.rate // RATE)

    def check(self, samples: NDArray[Any], position: int | None) -> NDArray[Any]:
        """Samples as int16, codes, or float32 within full scale. Raises BadInput; nothing has changed then."""
        if position is not None and position - self.head > LONGEST_JUMP_S * self.rate:
            raise BadInput(
                f"the position of {self._channel} jumps by {(position - self.head) / self.rate:.0f} s, "
                f"more than {LONGEST_JUMP_S} s; positions count samples from the start of the call"
            )
        if samples.dtype in self._kinds:
            return samples
        if not np.issubdtype(samples.dtype, np.floating):
            raise ValueError(f"samples are int16 or float, not {samples.dtype}")
        bad = np.flatnonzero(~np.isfinite(samples))
        if len(bad):
            at = ((self.head if position is None else position) + int(bad[0])) / self.rate
            raise BadInput(f"the {self._channel} channel has a sample that is no number at {at:.3f} s; export it again")
        limited: Floats = np.clip(samples, -1.0, 1.0).astype(np.float32)
        return limited

    def accept(self, pcm: NDArray[Any], position: int | None, lead: float = 0.0) -> None:
        """Put audio at its place. lead: seconds by which this track leads its reference, for the drift."""
        position = self.head if position is None else position
        ahead = position - self.head
        if ahead > self._slack:
            self._skip(position)
        elif ahead < -self._slack:
            pcm = self._drop(pcm, -ahead)
        if len(pcm):
            self.started, self.stalled = True, False
            self._settle(self.reach)
            self._put(self.clock.correct(floats(pcm), lead) if self.clock else pcm)

    def fill(self, to: int, reason: Reason) -> None:
        """Zeros up to a source sample, to be reported when audio comes again."""
        self.release()
        if to > self.head:
            self._gap = self._gap or (self.head, reason)
            self._zeros(to)

    def lose(self, count: int, reason: Reason, *, more: bool = False) -> None:
        """Zeros for what is known to be gone; reported at once, together with a gap that was open, or with ``more``."""
        self.release()  # first: the loss begins behind what is held
        self.fill(self.head + count, reason)
        if self.seen is not None:
            self.seen += count / self.rate  # its time has passed
        if not more:
            self._settle(self.reach)

    def mark(self) -> None:
        """Report a gap that is open up to here."""
        self.release()
        self._settle(self.reach)

    def release(self) -> None:
        """Take what the drift correction still holds."""
        if self.clock and self.clock.held:
            self._put(self.clock.flush())

    def end(self, end: int, total: int) -> None:
        """The call ends at ``end``; give ``total`` samples in all. Both at 16 kHz."""
        if self._gap or end - self.reach > self._skew:
            self.fill(self.source(end), "missing")
            self._settle(end)
        self._zeros(self.source(total) + 1)

    def _call(self, sample: int) -> int:
        return (2 * sample * RATE + self.rate) // (2 * self.rate)

    def _skip(self, to: int) -> None:
        if not self.started and not self._gap and self._call(to) <= self._skew:
            self._zeros(to)
        else:
            self.fill(to, "missing")

    def _drop(self, pcm: NDArray[Any], late: int) -> NDArray[Any]:
        if self._gap and self._gap[1] == "missing":
            self._gap = (self._gap[0], "late")
        return pcm[late:]

    def _settle(self, end: int) -> None:
        """Report the gap that ends here."""
        if self._gap:
            start = self._call(self._gap[0])
            if start < end:
                self.losses.append(Loss(channel=self._channel, span=Span(start, end), reason=self._gap[1]))
        self._gap = None

    def _zeros(self, to: int) -> None:
        if to > self.head:
            self._keep(to - self.head, to - self.head)

    def _put(self, pcm: NDArray[Any]) -> None:
        if len(pcm):
            self._keep(pcm, len(pcm))

    def _keep(self, piece: Piece, count: int) -> None:
        self.head += count
        self.reach = self._call(self.head)
        self.pieces.append(piece)
