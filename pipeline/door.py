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

from typing import Any, Literal

import numpy as np
import soxr
from numpy.typing import NDArray

from pipeline.channel import Channel
from pipeline.errors import BadInput
from pipeline.inputs import Frame, Loss
from pipeline.resample import Floats, resampler
from pipeline.timebase import RATE, TICK, Span

Reason = Literal["late", "missing", "overflow"]

LOWEST, HIGHEST = 8_000, 48_000
"""Accepted sample rates in Hz."""

LONGEST_JUMP_S = 120
"""Seconds that a position may jump forward; more is another call, or a broken sender, and a flood of zeros."""

_DRIFT_LIMIT = 0.005
"""Largest correction of a clock, as a share of its rate. Crystals differ by 0.0002; 0.005 is 0.09 semitones."""
_DRIFT_AVERAGE_S = 5.0
"""Seconds over which a track's lead is averaged: packets arrive up to tens of ms early or late."""
_DRIFT_REMEDY_S = 20.0
"""Seconds in which a lead is worked off. Four times the average, so that the loop is critically damped."""


def check_rate(rate: int) -> int:
    """The rate in Hz itself. Raises BadInput outside 8-48 kHz."""
    if not LOWEST <= rate <= HIGHEST:
        raise BadInput(f"a sample rate of {rate} Hz cannot be used; give audio of 8000 to 48000 Hz")
    return rate


class Door:
    """One call's audio. ``push`` all channels at once or ``push_track`` one; ``finish`` at the end.

    rate: Hz of the source, one for all channels or one each. skew_s: seconds one channel may lead.
    slack_s: seconds by which a position may be off and is no gap: many senders round to milliseconds.
    drift: the tracks come from devices with clocks of their own; needs ``elapsed`` with every ``push_track``.

    Returned lists are in the order of admission: a Loss stands before the frame in which it starts, or,
    where that frame had to go before the loss was known, before the next one.
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
        rates = rate if isinstance(rate, tuple) else (rate,) * len(channels)
        self.channels = channels
        self._skew = round(skew_s * RATE)
        self._drift = drift
        self._tracks = [
            _Track(channel, check_rate(hz), self._skew, int(slack_s * hz), drift and index > 0)
            for index, (channel, hz) in enumerate(zip(channels, rates, strict=True))
        ]
        self._losses: list[Loss] = []
        self._position = 0
        self._end: int | None = None

    @property
    def heard(self) -> int:
        """Samples at 16 kHz from the start of the call to the end of its audio; exact. What ``Close.end`` needs."""
        return max(track.reach for track in self._tracks) if self._end is None else self._end

    @property
    def head(self) -> int:
        """Source samples from the start of the call to the end of its audio: where the next ones belong."""
        return max(track.head for track in self._tracks)

    def push(self, samples: NDArray[Any], *, position: int | None = None) -> list[Frame | Loss]:
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
        return self._drain()

    def push_track(
        self, channel: Channel, samples: NDArray[Any], *, position: int | None = None, elapsed: float | None = None
    ) -> list[Frame | Loss]:
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
        return self._drain()

    def stalled(self, channel: Channel) -> bool:
        """Whether the channel has fallen behind by more than the bound: what comes is placed by its arrival."""
        return self._track(channel).stalled

    def lose(self, counts: tuple[int, ...], reason: Reason, *, more: bool = False) -> list[Frame | Loss]:
        """Say how many of the next source samples of each channel will never come.

        more: what follows is likely lost as well; all of it is reported as one, when audio comes.
        """
        self._check_open()
        for track, count in zip(self._tracks, counts, strict=True):
            if count:
                track.lose(count, reason, more=more)
        self._level()
        return self._drain()

    def mark(self) -> list[Frame | Loss]:
        """Report the gaps that are open as far as they go now; what follows of them is reported as others."""
        self._check_open()
        for track in self._tracks:
            track.mark()
        return self._drain() + self._reported()

    def finish(self) -> list[Frame | Loss]:
        """The rest: what the resamplers hold, the last frame padded with zeros, the losses still open."""
        self._check_open()
        for track in self._tracks:
            track.release()
        self._end = self.heard
        total = -(-self._end // TICK) * TICK
        for track in self._tracks:
            track.end(self._end, total)
        return self._drain() + self._reported()

    def _reported(self) -> list[Frame | Loss]:
        """The losses for which no further frame has to come."""
        losses: list[Frame | Loss] = [*self._losses]
        self._losses.clear()
        return losses

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

    def _drain(self) -> list[Frame | Loss]:
        for track in self._tracks:
            self._losses += track.losses
            track.losses.clear()
        self._losses.sort(key=lambda loss: loss.span.start)
        items: list[Frame | Loss] = []
        for frame in self._frames():
            while self._losses and self._losses[0].span.start < frame.end:
                items.append(self._losses.pop(0))
            items.append(frame)
        return items

    def _frames(self) -> list[Frame]:
        count = min(track.ready for track in self._tracks) // TICK
        if count == 0:
            return []
        pcm = np.stack([track.take(count * TICK) for track in self._tracks])
        blocks = np.ascontiguousarray(pcm.reshape(len(pcm), count, TICK).transpose(1, 0, 2))
        start = self._position
        self._position += count * TICK
        return [Frame(start + index * TICK, block) for index, block in enumerate(blocks)]


class _Track:
    """One channel: its timeline in source samples, and its frames-to-be at 16 kHz.

    head: source samples on the timeline so far, audio and zeros. stalled: it was filled because the other led.
    seen: ``elapsed`` of the last packet.
    """

    def __init__(self, channel: Channel, rate: int, skew: int, slack: int, drift: bool) -> None:
        self.rate = rate
        self.head = 0
        self.started = False
        self.stalled = False
        self.seen: float | None = None
        self.clock = _Clock(rate) if drift else None
        self.losses: list[Loss] = []
        self._channel = channel
        self._skew = skew
        self._slack = slack
        self._gap: tuple[int, Reason] | None = None
        self._resampler = resampler(rate)
        self._out: list[NDArray[np.int16]] = []
        self.ready = 0

    @property
    def reach(self) -> int:
        """``head`` on the clock of the call."""
        return self._call(self.head)

    def source(self, sample: int) -> int:
        """The first source sample at or after a sample of the call."""
        return -(-sample * self.rate // RATE)

    def check(self, samples: NDArray[Any], position: int | None) -> Floats:
        """Samples as float32, full scale 1.0. Raises BadInput; nothing has changed then."""
        if position is not None and position - self.head > LONGEST_JUMP_S * self.rate:
            raise BadInput(
                f"the position of {self._channel} jumps by {(position - self.head) / self.rate:.0f} s, "
                f"more than {LONGEST_JUMP_S} s; positions count samples from the start of the call"
            )
        if samples.dtype == np.int16:
            scaled: Floats = np.multiply(samples, np.float32(1 / 32768), dtype=np.float32)
            return scaled
        if not np.issubdtype(samples.dtype, np.floating):
            raise ValueError(f"samples are int16 or float, not {samples.dtype}")
        bad = np.flatnonzero(~np.isfinite(samples))
        if len(bad):
            at = ((self.head if position is None else position) + int(bad[0])) / self.rate
            raise BadInput(f"the {self._channel} channel has a sample that is no number at {at:.3f} s; export it again")
        floats: Floats = np.clip(samples, -1.0, 1.0).astype(np.float32)
        return floats

    def accept(self, pcm: Floats, position: int | None, lead: float = 0.0) -> None:
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
            self._put(self.clock.correct(pcm, lead) if self.clock else pcm)

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
        self._keep(self._resampler.flush())

    def take(self, count: int) -> NDArray[np.int16]:
        """The next samples at 16 kHz; there must be as many as ``ready`` says."""
        whole = np.concatenate(self._out)
        self._out = [whole[count:].copy()]
        self.ready -= count
        return whole[:count]

    def _call(self, sample: int) -> int:
        return (2 * sample * RATE + self.rate) // (2 * self.rate)

    def _skip(self, to: int) -> None:
        if not self.started and not self._gap and self._call(to) <= self._skew:
            self._zeros(to)
        else:
            self.fill(to, "missing")

    def _drop(self, pcm: Floats, late: int) -> Floats:
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
        """A second at a time, so that an hour's gap needs no hour's floats."""
        while self.head < to:
            self._put(np.zeros(min(to - self.head, self.rate), np.float32))

    def _put(self, pcm: Floats) -> None:
        self.head += len(pcm)
        self._keep(self._resampler.feed(pcm))

    def _keep(self, pcm: NDArray[np.int16]) -> None:
        self._out.append(pcm)
        self.ready += len(pcm)


class _Clock:
    """Stretches a track by parts per million so that it keeps step with the reference track.

    Each packet says by how much its track leads. The lead, averaged over 5 s, sets the ratio of a variable-rate
    resampler so that it is gone in 20 s. At a constant difference of clocks this leaves difference x 20 s:
    4 ms at 200 ppm. Corrected samples are at the nominal rate, so nothing behind this class knows of drift.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._stream = soxr.ResampleStream(rate * (1 + _DRIFT_LIMIT), rate, 1, dtype="float32", quality="HQ", vr=True)
        self._lead = 0.0
        self.held = 0.0
        """Corrected samples that soxr holds back: it looks 240 samples ahead."""

    def correct(self, pcm: Floats, lead: float) -> Floats:
        """pcm, stretched. lead: seconds."""
        self._lead += (lead - self._lead) * min(1.0, len(pcm) / self._rate / _DRIFT_AVERAGE_S)
        ratio = 1 + min(max(self._lead / _DRIFT_REMEDY_S, -_DRIFT_LIMIT), _DRIFT_LIMIT)
        self._stream.set_io_ratio(self._rate * ratio, self._rate)
        out: Floats = self._stream.resample_chunk(pcm)
        self.held += len(pcm) / ratio - len(out)
        return out

    def flush(self) -> Floats:
        """What is held; the next packet starts afresh."""
        out: Floats = self._stream.resample_chunk(np.zeros(0, np.float32), last=True)
        self._stream.clear()
        self.held = 0.0
        return out
