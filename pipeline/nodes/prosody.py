"""Prosody: level, F0 and spectral balance of each block of speech, against the speaker's own baseline; and for the
scores, in the tick, the features of the last seconds of the speaker's own speech."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.descriptors import HOP
from models.loudness import level_dbfs
from models.protocols import PitchStream, PitchTrack, PitchTracker, Samples
from models.spectral import alpha_ratio_db
from pipeline.baseline import Baseline
from pipeline.channel import Channel
from pipeline.events import Prosody, SpeechEnded, SpeechStarted
from pipeline.session import Manner, Tick
from pipeline.settings import Voice
from pipeline.timebase import RATE, TICK, Span, samples, seconds
from pipeline.window import Window

CERTAIN = 0.9
"""swift-f0's own threshold of confidence for a voiced hop."""
LEAST_VOICED = 4
"""Hops (64 ms) of voice below which a block has no F0."""
BEFORE = 4
"""Ticks kept from before speech is known: its first ones are found only then."""
SHORTEST = samples(0.25)
"""A last block shorter than this is left out: too short for a level or a median."""


class ProsodyNode:
    """Emits one Prosody for each ``block_s`` of speech, and one for what is left at the end of a stretch.

    voiced: channels whose voice quality (F0, spectral balance) may be measured; the others give level alone.
    A block in which the channel was in doubt or blurred is left out: it neither moves a score nor a baseline. The
    features in the tick are those that ``models.voice`` describes, for voiced channels alone.
    While the server is strained nothing is measured, nor of the stretch of speech that runs when it no longer is.
    F0 estimates come 176 ms after the audio, so a block's F0 is that much older than its level.
    """

    def __init__(
        self, voiced: frozenset[Channel], channels: Sequence[Channel], settings: Voice, tracker: PitchTracker
    ) -> None:
        self._settings = settings
        self._block = samples(settings.block_s)
        self._tracker = tracker
        self._voices = {channel: _Voice(channel in voiced, settings) for channel in (*channels, Channel.UNKNOWN)}

    def step(self, tick: Tick) -> None:
        if tick.new_agent and Channel.AGENT in self._voices:
            self._voices[Channel.AGENT].forget()
        for row, channel in enumerate(tick.channels):
            self._follow(tick, channel, tick.samples[row])
        for entry in tick.events:
            if isinstance(entry.item, SpeechEnded):
                self._finish(tick, entry.item)

    def _follow(self, tick: Tick, channel: Channel, window: Samples) -> None:
        voice = self._voices[channel]
        voice.recent.append(window)
        if tick.events and any(isinstance(e.item, SpeechStarted) and e.item.channel is channel for e in tick.events):
            start = tick.activity[channel].start
            known = (tick.end - start) // TICK
            voice.begin(start, list(voice.recent)[-known:], self._tracker)
        elif voice.running and tick.activity[channel].speaking:
            voice.block.append(window)
        if tick.strained:
            voice.end()
        if not voice.running:
            return
        if tick.activity[channel].speaking:
            voice.doubted = voice.doubted or channel in tick.doubt | tick.blurred
        if tick.activity[channel].speaking and tick.activity[channel].last >= voice.start + self._block:
            self._measure(tick, channel, voice, self._block)

    def _finish(self, tick: Tick, ended: SpeechEnded) -> None:
        voice = self._voices[ended.channel]
        left = ended.span.end - voice.start
        if voice.running and left >= SHORTEST:
            self._measure(tick, ended.channel, voice, left, last=True)
        voice.end()

    def _measure(self, tick: Tick, channel: Channel, voice: "_Voice", count: int, *, last: bool = False) -> None:
        span = Span(voice.start, voice.start + count)
        audio, doubted = voice.take(count)
        track = voice.pitch(audio, last=last)
        features = None if track is None else voice.window.take(audio, track, doubted=doubted)
        balance = None if doubted else alpha_ratio_db(audio)
        if balance is None:
            return
        level, alpha = level_dbfs(audio), balance if voice.quality else None
        f0, spread, voiced = _pitch(track)
        moves = voice.compare(level, f0, alpha, span.seconds)
        number = tick.emit(
            Prosody(
                span=span,
                at=tick.end,
                channel=channel,
                level=round(level, 2),
                level_move=moves.level,
                f0=f0 if f0 is None else round(f0, 1),
                f0_move=moves.f0,
                f0_range=spread,
                voiced=round(voiced, 3),
                alpha_ratio=None if alpha is None else round(alpha, 2),
                alpha_move=moves.alpha,
                baseline_seconds=round(voice.level.seconds, 2),
            )
        )
        if features is not None:
            tick.manners[channel] = Manner(features, seconds(count), number)


@dataclass(frozen=True, slots=True)
class _Moves:
    """Against the baseline: dB, semitones, dB."""

    level: float | None
    f0: float | None
    alpha: float | None


class _Voice:
    """One speaker: the block being filled, the three baselines and the window of descriptors.

    Ranges of ordinary centres: speech level -40 to -16 dBFS (ITU-T P.56 levels around the nominal -26 dBov);
    F0 100-246 Hz (means of 119 and 207 Hz for men and women, +- 3 semitones; Traunmueller and Eriksson 1995);
    alpha ratio -18 to 0 dB (telephone band; ours, wide on purpose).
    """

    def __init__(self, quality: bool, settings: Voice) -> None:
        self.recent: deque[Samples] = deque(maxlen=BEFORE)
        self.block: list[Samples] = []
        self.start = 0
        self.running = False
        self.doubted = False
        self.quality = quality
        self._stream: PitchStream | None = None
        self._settings = settings
        prior, full = settings.prior_s, settings.baseline_s
        self.level = Baseline(-40.0, -16.0, prior, full)
        self.f0 = Baseline(_semitones(100.0), _semitones(246.0), prior, full)
        self.alpha = Baseline(-18.0, 0.0, prior, full)
        self.window = Window(round(settings.window_s * RATE / HOP))

    def begin(self, start: int, known: list[Samples], tracker: PitchTracker) -> None:
        self.start, self.block, self.doubted, self.running = start, known, False, True
        self._stream = tracker.stream() if self.quality else None
        self.window.begin()

    def take(self, count: int) -> tuple[Samples, bool]:
        """The next ``count`` samples of the stretch, whole ticks, and whether they are in doubt; what follows stays."""
        whole = count // TICK
        audio = np.concatenate(self.block[:whole])
        del self.block[:whole]
        self.start += whole * TICK
        doubted, self.doubted = self.doubted, False
        return audio, doubted

    def end(self) -> None:
        self.block, self._stream, self.doubted, self.running = [], None, False, False

    def forget(self) -> None:
        for baseline in (self.level, self.f0, self.alpha):
            baseline.reset()
        self.window.forget()

    def pitch(self, audio: Samples, *, last: bool) -> PitchTrack | None:
        if self._stream is None:
            return None
        return self._stream.finish(audio) if last else self._stream.track(audio)

    def compare(self, level: float, f0: float | None, alpha: float | None, seconds: float) -> _Moves:
        """Movement against the baselines as they were before this block; then, unless aroused, learn from it."""
        pitch = None if f0 is None else _semitones(f0)
        moves = _Moves(
            level=_move(level, self.level.centre),
            f0=_move(pitch, self.f0.centre),
            alpha=_move(alpha, self.alpha.centre),
        )
        if not self._aroused(moves):
            self.level.learn(level, seconds)
            if alpha is not None:
                self.alpha.learn(alpha, seconds)
            if pitch is not None:
                self.f0.learn(pitch, seconds)
        return moves

    def _aroused(self, moves: _Moves) -> bool:
        loud = moves.level is not None and moves.level >= self._settings.steady_db
        high = moves.f0 is not None and moves.f0 >= self._settings.steady_st
        return loud or high


def _pitch(track: PitchTrack | None) -> tuple[float | None, float | None, float]:
    """Median F0 (Hz), its range (semitones, 10th to 90th percentile), and the share of voiced hops."""
    if track is None:
        return None, None, 0.0
    voiced: NDArray[np.float32] = track.f0[track.confidence >= CERTAIN]
    share = len(voiced) / len(track.f0) if len(track.f0) else 0.0
    if len(voiced) < LEAST_VOICED:
        return None, None, share
    low, middle, high = np.percentile(voiced, (10, 50, 90))
    return float(middle), round(float(12 * np.log2(high / low)), 2), share


def _semitones(hertz: float) -> float:
    """Semitones above 1 Hz: a scale on which only differences mean anything."""
    return float(12 * np.log2(hertz))


def _move(value: float | None, centre: float | None) -> float | None:
    return None if value is None or centre is None else round(value - centre, 2)
