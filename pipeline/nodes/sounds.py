"""Sounds that are no conversation: music, ringing, tones, noise, clipping, each marked as a region of its channel.

A region never takes a party's own words: where the detector hears a person the stretch ends. Clipping alone covers
speech (it is about its sound), and music may, while the voice is no louder than the music (a singer's).
Which digit a tone stands for is worked out nowhere.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from models.protocols import Samples
from models.sounds import QUIET_DBFS, Ceiling, Clip, Sound, SoundStream, hear_all
from pipeline.channel import Channel
from pipeline.events import Region, RegionKind
from pipeline.inputs import Close
from pipeline.session import Activity, Tick
from pipeline.settings import Sounds
from pipeline.timebase import TICK, Span, samples, ticks
from pipeline.together import Question, answered


class SoundsNode:
    """Emits Region events of each channel; puts in doubt what is music or dialled, blurs what is clipped."""

    def __init__(self, channels: Sequence[Channel], settings: Sounds) -> None:
        self._ears = {channel: _Ear(channel, settings) for channel in (*channels, Channel.UNKNOWN)}
        self._closed = False
        self._asked: Question | None = None

    def ask(self, tick: Tick) -> Question | None:
        """Where who steps it stops here, many calls are heard in one go; else ``step`` hears by itself."""
        if not (self._closed or tick.closing):
            self._asked = Question(hear_all, [self._ears[channel].stream for channel in tick.channels], tick.samples)
        return self._asked

    def step(self, tick: Tick) -> None:
        close = next((entry.item for entry in tick.inputs if isinstance(entry.item, Close)), None)
        if close is not None:
            self._closed = True
            for ear in self._ears.values():
                ear.close(tick, close.end)
        elif not self._closed:
            question, self._asked = self._asked or self.ask(tick), None
            assert question is not None
            for row, sound in enumerate(answered(question)):
                self._ears[tick.channels[row]].step(tick, tick.samples[row], sound)


class _Ear:
    """One channel."""

    def __init__(self, channel: Channel, settings: Sounds) -> None:
        self._channel = channel
        self.stream = SoundStream()
        self._music = _Music(channel, settings)
        self._tones = _Tones(channel)
        self._noise = _Noise(channel, settings)
        self._clipping = _Clipping(channel, settings)
        self._keys = _Keys()

    def step(self, tick: Tick, window: Samples, sound: Sound) -> None:
        activity = tick.activity[self._channel]
        self._music.step(tick, sound, activity)
        self._tones.step(tick, sound, activity, music=self._music.open)
        self._noise.step(tick, sound, activity, other=self._music.likely or self._tones.heard)
        self._clipping.step(tick, window, sound, activity)
        if self._keys.dialled(sound, tick.end) or self._music.open:
            tick.doubt.add(self._channel)
        if self._clipping.open:
            tick.blurred.add(self._channel)

    def close(self, tick: Tick, end: int) -> None:
        for part in (self._music, self._tones, self._noise, self._clipping):
            part.close(tick, end)


class _Stretch:
    """A region of one channel, told when it is known and again when it is over."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._kind: RegionKind | None = None
        self._n = 0
        self.start = 0

    @property
    def kind(self) -> RegionKind | None:
        """What is open, None when nothing is."""
        return self._kind

    def open(self, tick: Tick, kind: RegionKind, start: int) -> None:
        self._kind, self.start = kind, start
        span = Span(start, tick.end)
        self._n = tick.emit(Region(span=span, at=tick.end, kind=kind, channel=self._channel, open=True))

    def shut(self, tick: Tick, end: int) -> None:
        """Does nothing when nothing is open."""
        if self._kind is None:
            return
        span = Span(self.start, max(self.start, end))
        region = Region(span=span, at=tick.end, kind=self._kind, channel=self._channel, open=False, of=self._n)
        tick.emit(region)
        self._kind = None


class _Seen(NamedTuple):
    """One loud tick. counts: it is no tone, so it says something for or against music."""

    start: int
    tonal: float
    like: float
    counts: bool


class _Music:
    """Lines that stand still and, unlike a hum, are others a second later, through most of ``music_s``.

    Running speech keeps under the bound even where it is taken for none, so the evidence goes on under a voice. A
    voice well over the music, or one without music behind it, is a person: the region ends where that voice began.
    """

    FAST = ticks(0.3)
    """Ticks of a voice before it is held against the music's level."""
    FAR = 2.0
    """Times ``front_db`` over the music at which a voice is a person's whatever stands in it."""
    EVERY = 4
    """Ticks between two looks at seconds of evidence."""
    SLOW = ticks(0.6)
    """Ticks of a voice before its own steadiness says that no music is behind it."""
    LATELY = ticks(3.0)
    """Ticks of a voice that are held against the music."""
    ALONE = 0.25
    """Mean share of standing power under which a voice is a person's: running speech has 0.05, singing over 0.3."""
    OVER = 0.2
    """Mean share of standing power under which music is over: the 99th percentile of speech over 2 s."""
    STANDING = 0.3
    """Share of standing power from which a tick is music."""
    HUM = 0.93
    """Likeness to a second ago from which a steady sound does not change: hum. Music has 0.5 (median)."""
    PAUSE = ticks(1.5)
    """Quiet ticks that end music; a rest in it is shorter."""
    ENDED = ticks(4.0)
    """Ticks over which music without lines (drums, a fade) is still the same music."""

    def __init__(self, channel: Channel, settings: Sounds) -> None:
        self._settings = settings
        self._stretch = _Stretch(channel)
        self._seen: deque[_Seen | None] = deque(maxlen=max(self.ENDED, ticks(settings.music_s)))
        self._loud_since = 0
        self._quiet = self.PAUSE
        self._level: float | None = None
        self._last = 0
        self._voice: deque[tuple[float, float]] = deque(maxlen=self.LATELY)
        self.likely = False

    @property
    def open(self) -> bool:
        return self._stretch.kind is not None

    def step(self, tick: Tick, sound: Sound, activity: Activity) -> None:
        self._hear(tick, sound, activity)
        if self.open:
            self._follow(tick, activity)
        else:
            self._await(tick, activity)

    def close(self, tick: Tick, end: int) -> None:
        self._stretch.shut(tick, min(end, self._last))

    def _hear(self, tick: Tick, sound: Sound, activity: Activity) -> None:
        quiet = sound.level < QUIET_DBFS
        self._quiet = self._quiet + 1 if quiet else 0
        if self._quiet >= ticks(0.5):
            self._loud_since, self._level = tick.end, None
        self._seen.append(None if quiet else _Seen(tick.start, sound.tonal, sound.like, sound.held < _Tones.LEAST))
        if sound.tonal >= self.STANDING:
            self._last = tick.end
        if not activity.speaking:
            self._voice.clear()
            self._loud_since = max(self._loud_since, activity.last)
            if not quiet:
                level = sound.level if self._level is None else self._level
                self._level = level + 0.05 * (sound.level - level)
        elif activity.probability >= 0.5:
            self._voice.append((sound.level, sound.tonal))

    def _evidence(self, count: int) -> list[_Seen]:
        return [seen for seen in list(self._seen)[-count:] if seen is not None and seen.counts]

    def _sounds(self, count: int) -> bool:
        """Whether the last ticks are music: enough of them loud, standing, and changing with time."""
        if len(self._seen) < count:
            return False
        evidence = self._evidence(count)
        if len(evidence) < 0.4 * count:
            return False
        return _mean([seen.tonal for seen in evidence]) >= self._settings.tonal and not self._hums(evidence)

    def _hums(self, evidence: list[_Seen]) -> bool:
        known = [seen.like for seen in evidence if seen.like > 0.0]
        return bool(known) and _mean(known) >= self.HUM

    def _await(self, tick: Tick, activity: Activity) -> None:
        if tick.start // TICK % self.EVERY or self._quiet >= self.PAUSE:
            self.likely = self.likely and not activity.speaking
            return
        count = ticks(self._settings.music_s)
        self.likely = not activity.speaking and self._sounds(count // 2)
        if not self._sounds(count) or self._fronted():
            return
        start = self._began(tick, count)
        if tick.end - start >= samples(self._settings.music_s):
            self._stretch.open(tick, "music", start)
            self.likely = True

    def _began(self, tick: Tick, count: int) -> int:
        """Where it became loud, or, in something that was loud already, where it first stood."""
        if self._loud_since >= tick.end - (count + ticks(1.0)) * TICK:
            return self._loud_since
        first = next(seen.start for seen in self._evidence(count) if seen.tonal >= self.STANDING)
        return max(self._loud_since, first - ticks(0.256) * TICK)

    def _follow(self, tick: Tick, activity: Activity) -> None:
        if activity.speaking and self._fronted():
            self._end(tick, min(self._last, activity.start))
            return
        if self._quiet < self.PAUSE and tick.start // TICK % self.EVERY:
            return
        evidence = self._evidence(self.ENDED)
        gone = not evidence or _mean([seen.tonal for seen in evidence]) < self.OVER
        if self._quiet >= self.PAUSE or gone:
            self._end(tick, self._last)

    def _fronted(self) -> bool:
        """A person speaks: louder than the music, or without any behind the voice."""
        voice = self._voice
        if len(voice) >= self.FAST and self._level is not None:
            front = _mean([level for level, _ in voice]) - self._level
            bound = self._settings.front_db
            if front >= self.FAR * bound:
                return True
            if front >= bound and _mean([tonal for _, tonal in voice]) < self._settings.tonal:
                return True
        return len(voice) >= self.SLOW and _mean([tonal for _, tonal in voice]) < self.ALONE

    def _end(self, tick: Tick, end: int) -> None:
        self._stretch.shut(tick, end)
        self._seen.clear()
        self._loud_since = tick.end
        self.likely = False


@dataclass(slots=True)
class _Burst:
    """One unbroken tone. levels: dBFS of its ticks. low: every line lay where ringing has them. key: of a keypad."""

    start: int
    end: int
    levels: list[float]
    low: bool = True
    key: bool = False

    @property
    def length(self) -> int:
        return self.end - self.start


class _Tones:
    """One or two lines and nothing else. Bursts close to each other are one stretch.

    Ringing is told from other tones by its lines (350-500 Hz) and its cadence: one or two bursts of 0.35-2.6 s, a pause
    of 1.5-5.5 s, and again (the countries' tones listed with ITU-T E.180 lie in there). So bursts that may be
    ringing are kept until the next ring has begun, or did not come.
    """

    LEAST = 4
    """Ticks in a row that are one tone."""
    KEY = 2
    """Ticks in a row that are one key of the keypad, which may be pressed for 70 ms."""
    SHORT = samples(0.35)
    """Samples under which a tone must be level (``FLAT_DB``), or a voice's last moment is one."""
    FLAT_DB = 3.0
    VOICE = 0.35
    """Probability of speech from which nothing is a tone; tones have less (`benchmarks.sounds`)."""
    LONG = samples(0.75)
    """Samples after which a tone is told although it goes on, however it ends: few notes are so pure for so long."""
    RING_HZ = (350.0, 500.0)
    RING = (samples(0.35), samples(2.6))
    PAUSE = (samples(1.5), samples(5.5))
    TOGETHER = samples(1.0)
    """Longest pause inside a group: the digits of a number, the two parts of a British ring, a busy tone."""
    FALL_DB = 15.0
    """Fall in level that ends a burst: the window still holds the tone when it is over."""

    def __init__(self, channel: Channel) -> None:
        self._stretch = _Stretch(channel)
        self._bursts: list[_Burst] = []
        self._on = False
        self._may_ring = True
        self._loud_since: int | None = None

    @property
    def heard(self) -> bool:
        """A tone sounds in this tick."""
        return self._on

    def step(self, tick: Tick, sound: Sound, activity: Activity, *, music: bool) -> None:
        if sound.level < QUIET_DBFS:
            self._loud_since = None
        elif self._loud_since is None:
            self._loud_since = tick.start
        if activity.speaking or music:
            self._finish(tick)
            return
        tone = activity.probability < self.VOICE and (sound.held >= self.LEAST or sound.pair >= self.KEY)
        if self._on:
            self._continue(tick, sound, tone=tone)
        elif tone and self._loud_since is not None:
            self._begin(tick, sound, self._loud_since)
        elif self._bursts and tick.end - self._bursts[-1].end > self._patience():
            self._finish(tick)

    def close(self, tick: Tick, end: int) -> None:
        for burst in self._bursts:
            burst.end = max(burst.start, min(burst.end, end))
        self._finish(tick)

    def _patience(self) -> int:
        """Samples to wait for a next burst."""
        return self.PAUSE[1] if self._may_ring else self.TOGETHER

    def _begin(self, tick: Tick, sound: Sound, loud_since: int) -> None:
        first = tick.end - self.LEAST * TICK
        start = loud_since if first - loud_since <= self.LEAST * TICK else first
        if self._bursts:
            pause = start - self._bursts[-1].end
            if self.TOGETHER < pause < self.PAUSE[0]:
                self._finish(tick)
        self._bursts.append(_Burst(start, tick.end, []))
        self._continue(tick, sound, tone=True)

    def _continue(self, tick: Tick, sound: Sound, *, tone: bool) -> None:
        burst = self._bursts[-1]
        fallen = sound.level < max(QUIET_DBFS, max(burst.levels, default=QUIET_DBFS) - self.FALL_DB)
        self._on = tone and not fallen
        if self._on:
            burst.end = tick.end
            burst.levels = [*burst.levels[-ticks(1.0) :], sound.level]
            burst.low = burst.low and all(self.RING_HZ[0] <= hz <= self.RING_HZ[1] for hz in sound.lines)
            burst.key = burst.key or sound.pair >= self.KEY
        elif not self._whole(burst, fallen=fallen):
            self._bursts.pop()
            return
        self._judge(tick, burst)

    def _whole(self, burst: _Burst, *, fallen: bool) -> bool:
        """Whether what has ended was a tone, not a note that went over into the next nor the end of a word."""
        if burst.key or burst.length >= self.LONG:
            return True
        inner = burst.levels[:-1]
        flat = bool(inner) and max(inner) - min(inner) <= self.FLAT_DB
        return fallen and (flat or burst.length >= self.SHORT)

    def _judge(self, tick: Tick, burst: _Burst) -> None:
        self._may_ring = self._may_ring and self._ringlike(burst)
        if self._stretch.kind == "ringing" and not self._may_ring:
            self._stretch.shut(tick, self._bursts[-2].end)
            self._bursts = [burst]
        if self._stretch.kind is None and self._may_ring:
            if any(pause >= self.PAUSE[0] for pause in self._pauses()):
                self._stretch.open(tick, "ringing", self._bursts[0].start)
        elif self._stretch.kind is None and (not self._on or burst.length >= self.LONG):
            self._stretch.open(tick, "tones", self._bursts[0].start)
        if self._stretch.kind is not None:
            del self._bursts[:-3]

    def _ringlike(self, burst: _Burst) -> bool:
        """Of ringing's lines and length, and no third of its group."""
        whole = self._on or burst.length >= self.RING[0]
        third = len(self._bursts) > 2 and max(self._pauses()[-2:]) <= self.TOGETHER
        return burst.low and whole and burst.length <= self.RING[1] and not third

    def _pauses(self) -> list[int]:
        return [after.start - before.end for before, after in pairwise(self._bursts)]

    def _finish(self, tick: Tick) -> None:
        """Nothing more comes. What was kept as a first ring was a tone."""
        if self._on and not self._whole(self._bursts[-1], fallen=False):
            self._bursts.pop()
        if self._bursts and self._stretch.kind is None:
            self._stretch.open(tick, "tones", self._bursts[0].start)
        if self._bursts:
            self._stretch.shut(tick, self._bursts[-1].end)
        self._bursts, self._on, self._may_ring = [], False, True


class _Keys:
    """Keys of a keypad, one after the other. Silero takes a long number, dialled fast, for a voice after a second
    of it, and then it is no region; it is nobody's manner of speaking all the same."""

    TOGETHER = samples(1.0)
    """Longest pause between two keys. One alone may be a voice (1 of the 12,500 loud ticks of the sample calls)."""

    def __init__(self) -> None:
        self._last = -self.TOGETHER
        self._dialled = False

    def dialled(self, sound: Sound, now: int) -> bool:
        """Whether two keys or more were pressed, the last one within ``TOGETHER`` of now, in samples."""
        recent = now - self._last <= self.TOGETHER
        if sound.pair == _Tones.KEY:
            self._dialled, self._last = recent, now
            return recent
        return self._dialled and recent


class _Noise:
    """A sound that never falls under ``noise_dbfs``: not speech (which pauses), not music, not a tone."""

    DIP = 3
    """Ticks in a row under the level that are a pause: about 0.1 s."""

    def __init__(self, channel: Channel, settings: Sounds) -> None:
        self._settings = settings
        self._stretch = _Stretch(channel)
        self._since: int | None = None
        self._last = 0
        self._under = 0

    def step(self, tick: Tick, sound: Sound, activity: Activity, *, other: bool) -> None:
        loud = sound.level >= self._settings.noise_dbfs
        self._since = tick.start if self._since is None else self._since
        self._under = 0 if loud else self._under + 1
        if activity.speaking or other:
            self._stretch.shut(tick, min(self._last, activity.start if activity.speaking else self._last))
            self._since = tick.end
        elif self._under >= self.DIP:
            self._stretch.shut(tick, self._last)
            self._since = tick.end
        else:
            self._since = max(self._since, activity.last) if self._stretch.kind is None else self._since
            if self._stretch.kind is None and tick.end - self._since >= samples(self._settings.noise_s):
                self._stretch.open(tick, "noise", self._since)
        if loud:
            self._last = tick.end

    def close(self, tick: Tick, end: int) -> None:
        self._stretch.shut(tick, min(end, self._last))


class _Clipping:
    """Speech cut off at a ceiling, wherever that lies; a pause of two seconds ends the stretch."""

    LEAST = ticks(0.5)
    """Ticks of speech before a share is believed."""
    RELEASE = 0.4
    """Share of ``clipped`` under which it is over."""
    CEILING = 0.25
    """Lowest magnitude (-12 dBFS) that can be a rail: a line after the clipping may have taken away so much."""
    PAUSE = samples(2.0)

    def __init__(self, channel: Channel, settings: Sounds) -> None:
        self._settings = settings
        self._stretch = _Stretch(channel)
        self._ceiling = Ceiling()
        self._touched: deque[int] = deque(maxlen=ticks(1.0))
        self._heard = 0
        self._last = 0

    @property
    def open(self) -> bool:
        return self._stretch.kind is not None

    def step(self, tick: Tick, window: Samples, sound: Sound, activity: Activity) -> None:
        if tick.end - self._last > self.PAUSE:
            self._stretch.shut(tick, self._last)
        if not activity.speaking or activity.probability < 0.5 or sound.level < QUIET_DBFS:
            return
        clip = self._ceiling.step(window)
        self._heard += 1
        release = self.RELEASE * self._settings.clipped
        if clip.here >= release:
            self._touched.append(tick.start)
            self._last = tick.end
        if self.open and clip.share < release:
            self._stretch.shut(tick, self._last)
        elif not self.open and self._heard >= self.LEAST and self._at_rail(clip):
            self._stretch.open(tick, "clipping", self._began(tick))

    def close(self, tick: Tick, end: int) -> None:
        self._stretch.shut(tick, min(end, self._last))

    def _at_rail(self, clip: Clip) -> bool:
        return clip.ceiling >= self.CEILING and min(clip.share, clip.here) >= self._settings.clipped

    def _began(self, tick: Tick) -> int:
        """First clipped tick of the last seconds."""
        recent = [start for start in self._touched if start >= tick.end - self.PAUSE]
        return recent[0] if recent else tick.start


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
