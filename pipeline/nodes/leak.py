"""Echo and bleed: takes one party's voice out of the other's channel before anything is heard in it."""

import math
from collections import deque
from collections.abc import Sequence
from typing import Literal

import numpy as np

from models.leak import BLOCK, REACH, WINDOW, Canceller, Finder, Finding, Floats, Judge, Past, same
from models.protocols import Samples
from pipeline.channel import Channel
from pipeline.events import Leak, Region
from pipeline.inputs import Close
from pipeline.session import Tick
from pipeline.settings import Leak as Settings
from pipeline.timebase import RATE, TICK, Span, samples, ticks

HISTORY = 64
"""Ticks of the past (2 s) that a new estimate learns from at once."""
PASSES = 3
"""How often it hears them."""
TRIED = 8
"""The latest ticks (256 ms), which it hears once: they say whether it can foretell what it has not heard."""
SETTLES = ticks(1.0)
"""Ticks of the source speaking in which a trusted estimate still leaves much: the channel stays in doubt."""
KEPT = (HISTORY + 1) * TICK + WINDOW
RAMP: Samples = np.linspace(0, 1, 64, dtype=np.float32)
"""4 ms between silence and voice."""
UNHEARD = 10 ** (-70 / 10)
"""Power of a predicted leak that nothing hears."""
AUDIBLE = 10 ** (-68 / 10)
"""Power of the victim's loudest tick from which a leak is looked for: 8 dB under what may be heard as speech."""
LOUDER = 1.25
"""Power of a source over the victim's in which a leak is learnt: a leak is weaker than its voice."""
EASES = 10 ** (3.0 * BLOCK / RATE / 10)
"""What is thought possible of a leak rises by 3 dB in a second of its source's speech: lines and rooms change."""
RESIDUE = 10 ** (-28 / 10)
"""Power of what is left, over the source's a moment ago, under which it is what the estimate could not foretell."""
FADES = 0.8
"""How fast that moment is forgotten: 1 dB a tick, 12 dB in 0.4 s."""
HEARD_DB = 0.3
"""Decibels by which an estimate lowers the victim as long as there is a leak, even one in noise."""
STRONGEST_DB = -3.0
"""Gain from which it is no leak but the other way round, or one sound."""


class LeakNode:
    """Takes leaks out of ``tick.samples``, puts a channel in doubt while it is not yet known how, and tells one
    sound on both channels (dual mono), which becomes one unknown channel.

    Samples are untouched until a leak has been found in the call and while its source is silent. told_apart: both
    rows come from one channel, so an echo between them means nothing; where both hold the mixture of two voices, no
    feeling may be read from it.
    """

    def __init__(self, channels: Sequence[Channel], settings: Settings, *, told_apart: bool = False) -> None:
        self._listens = len(channels) == 2 and not told_apart
        self._told_apart = told_apart
        self._raw = Past(2, KEPT)
        self._clean = self._raw  # one, until something is taken out
        self._ways = [_Way(settings, channels, source) for source in (0, 1)] if self._listens else []
        self._twins = _Twins(settings)
        self._tick = 0

    def step(self, tick: Tick) -> None:
        if self._told_apart and np.array_equal(*tick.samples):
            tick.blurred.update(tick.channels)
        if not self._listens:
            return
        if self._twins.hold(tick):
            return
        self._raw.push(tick.samples)
        if self._clean is not self._raw:
            self._clean.push(tick.samples)
        self._tick += 1
        look = self._tick % (BLOCK // TICK) == 0
        if not look and all(way.idle for way in self._ways):
            return
        # the stronger voice first: then the other channel is free of it when it is a source itself
        ways = sorted(self._ways, key=lambda way: -_power(tick.samples[way.source]))
        for way in ways:
            if look:
                way.look(tick, self._clean, self._raw)
            row = way.clean(tick, self._clean, self._raw)
            if row is not None:
                self._replace(tick, way.victim, row)

    def _replace(self, tick: Tick, victim: int, row: Samples) -> None:
        if self._clean is self._raw:
            self._clean = self._raw.copy()
        self._clean.last(victim, TICK)[:] = row
        tick.samples[victim] = row


class _Way:
    """A leak from one row (the source) into the other (the victim), if there is one.

    Sources are heard as cleaned, victims as they came. most: power over the source's that a leak can have at most,
    for the victim was no louder while the source spoke without a pause.
    """

    def __init__(self, settings: Settings, channels: Sequence[Channel], source: int) -> None:
        self.source, self.victim = source, 1 - source
        self._settings = settings
        self._channel = channels[self.victim]
        self._speaks = _power_of(settings.source_dbfs)
        self._finder = Finder(samples(settings.longest_s))
        self._estimate: _Estimate | None = None
        self._told: Leak | None = None
        self._most = 1.0
        self._loud = 0.0
        self._rest = 0
        self._silent = False

    @property
    def idle(self) -> bool:
        """No leak is known, so there is nothing to take out."""
        return self._estimate is None

    def look(self, tick: Tick, clean: Past, raw: Past) -> None:
        """Every 128 ms: is the source in the victim, and where?"""
        loud, soft = _loudest(clean.last(self.source, BLOCK)), _loudest(raw.last(self.victim, BLOCK))
        if loud >= self._speaks:
            self._bound(soft, float(_powers(clean.last(self.source, WINDOW), BLOCK).min()))
        if self._most * loud < AUDIBLE:
            if self._estimate is not None and self._estimate.trial:
                self._end(tick, self._estimate, rest_s=0.0)
            return
        if loud < self._speaks or soft < AUDIBLE or loud < 2 * soft:
            return
        self._finder.hear(clean.last(self.source, WINDOW), raw.last(self.victim, BLOCK))
        self._rest = max(0, self._rest - BLOCK)
        if self._estimate is not None:
            self._compare(tick, clean, raw, self._estimate, self._likely())
        elif not self._rest and (found := self._likely()) is not None:
            self._begin(tick, clean, raw, found)

    def _likely(self) -> Finding | None:
        """What may be a leak; two blocks are little to go by."""
        settings, blocks = self._settings, self._finder.blocks
        early = 1.4 if blocks < 3 else 1.0
        found = self._finder.find(early * settings.strength) if blocks >= 2 else None
        if found is None or found.contrast < early * settings.contrast or found.breadth < settings.breadth:
            return None
        return found

    def _bound(self, soft: float, steady: float) -> None:
        """soft: power of the victim's loudest tick. steady: of the source's softest 128 ms of half a second."""
        if steady >= self._speaks:
            self._most = min(self._most * EASES, soft / steady)

    def clean(self, tick: Tick, clean: Past, raw: Past) -> Samples | None:
        """The victim's row without the leak; None where it stays as it is."""
        estimate = self._estimate
        if estimate is None:
            return None
        residual, powers = self._hear(clean, raw, estimate.canceller, 0)
        if powers[0] >= self._speaks:
            self._weigh(tick, estimate, powers)
        if self._estimate is None:
            return None
        speaks = max(powers[0], _power(tick.samples[self.source])) >= self._speaks
        if speaks and self._told is not None and estimate.proven < SETTLES:
            tick.doubt.add(self._channel)
        if estimate.trial:
            return None
        return self._pass(estimate, powers, residual)

    def _pass(self, estimate: "_Estimate", powers: Floats, residual: Floats) -> Samples | None:
        """The residual, silence where it is leak alone, and 4 ms of slope between the two."""
        self._loud = max(powers[0], FADES * self._loud)
        own = estimate.judge.own(powers[2], powers[3]) and powers[3] >= RESIDUE * self._loud
        was, self._silent = self._silent, not own and powers[2] >= UNHEARD
        if powers[2] < UNHEARD and not was:
            return None
        row = residual.astype(np.float32)
        if self._silent:
            row[len(RAMP) :] = 0
            row[: len(RAMP)] *= 0 if was else RAMP[::-1]
        elif was:
            row[: len(RAMP)] *= RAMP
        return row

    def _hear(self, clean: Past, raw: Past, canceller: Canceller, ago: int) -> tuple[Floats, Floats]:
        """One step: the residual, and the powers of source, victim, prediction and residual."""
        source, victim = clean.last(self.source, REACH, canceller.delay + ago), raw.last(self.victim, TICK, ago)
        predicted = canceller.predict(source)
        residual = victim - predicted
        powers = np.array([_power(source), _power(victim), _power(predicted), _power(residual)])
        if powers[0] > LOUDER * powers[1]:
            canceller.learn(residual)
        return residual, powers

    def _begin(self, tick: Tick, clean: Past, raw: Past, found: Finding) -> None:
        """Learn from the past at once; what is the latest of it says whether that went well."""
        loud, soft = _loudest(clean.last(self.source, BLOCK, found.lag)), _loudest(raw.last(self.victim, BLOCK))
        canceller = Canceller(found.lag, min(max(soft / max(loud, UNHEARD), 1e-4), 0.5))
        for _ in range(PASSES):
            for ago in range(HISTORY, TRIED, -1):
                self._hear(clean, raw, canceller, ago * TICK)
        heard = np.zeros(4)
        for ago in range(TRIED, 0, -1):
            powers = self._hear(clean, raw, canceller, ago * TICK)[1]
            heard += powers * (powers[0] > LOUDER * powers[1])
        self._estimate = _Estimate(canceller, found.lag, tick.start, heard)
        self._prove(tick, self._estimate)

    def _weigh(self, tick: Tick, estimate: "_Estimate", powers: Floats) -> None:
        """A tick in which the source spoke."""
        if powers[0] <= LOUDER * powers[1]:
            return
        estimate.weigh(powers)
        estimate.proven += not estimate.trial
        if estimate.trial:
            self._prove(tick, estimate)
        limit = self._settings.trial_s if estimate.trial else self._settings.gone_s
        if estimate.missed >= ticks(limit):
            self._end(tick, estimate, rest_s=self._settings.gone_s)

    def _prove(self, tick: Tick, estimate: "_Estimate") -> None:
        if estimate.lowered_db() >= self._settings.proof_db and estimate.gain_db() <= STRONGEST_DB:
            estimate.trial, estimate.missed = False, 0
            self._tell(tick, estimate, "removed")

    def _compare(self, tick: Tick, clean: Past, raw: Past, estimate: "_Estimate", found: Finding | None) -> None:
        """Hold the estimate against a new finding, None when the channels seem unrelated."""
        if found is None:
            estimate.unlike += 1
            if estimate.trial and estimate.unlike >= 3:
                self._end(tick, estimate, rest_s=0.0)
            return
        estimate.unlike = 0
        if not estimate.canceller.delay <= found.lag < estimate.canceller.delay + REACH:
            estimate.moved += 1
            if estimate.moved >= 3:
                self._begin(tick, clean, raw, found)
            return
        estimate.moved, estimate.lag = 0, found.lag
        told = self._told
        if told is None:
            self._tell(tick, estimate, "suspected")
        elif not estimate.trial and _differs(told, estimate):
            self._tell(tick, estimate, "removed")

    def _tell(self, tick: Tick, estimate: "_Estimate", state: Literal["suspected", "removed", "gone"]) -> None:
        self._told = Leak(
            span=Span(estimate.began, tick.end),
            at=tick.end,
            channel=self._channel,
            delay=estimate.lag,
            gain=round(estimate.gain_db(), 1),
            state=state,
        )
        tick.emit(self._told)

    def _end(self, tick: Tick, estimate: "_Estimate", rest_s: float) -> None:
        """Nothing of the source is heard; for ``rest_s`` of its speech no leak is looked for."""
        if self._told is not None:
            self._tell(tick, estimate, "gone")
        self._estimate, self._told, self._silent = None, None, False
        self._rest = samples(rest_s)
        self._finder.forget()


class _Estimate:
    """One path under trial or in use. proven: ticks of the source speaking since the estimate was trusted.

    missed: ticks of the source speaking since it last lowered the victim.
    heard: fading sums of the powers of source, victim, prediction and residual. moved: findings elsewhere in a row.
    unlike: looks in a row that found nothing.
    """

    def __init__(self, canceller: Canceller, lag: int, began: int, heard: Floats) -> None:
        self.canceller, self.lag, self.began = canceller, lag, began
        self.trial = True
        self.proven = self.missed = self.moved = self.unlike = 0
        self._heard = heard
        self.judge = Judge(_db(heard[3], heard[2]))

    def weigh(self, powers: Floats) -> None:
        self._heard = 0.95 * self._heard + powers
        self.judge.learn(powers[2], powers[3])
        self.missed = 0 if not self.trial and self.lowered_db() > HEARD_DB else self.missed + 1

    def lowered_db(self) -> float:
        return _db(self._heard[1], self._heard[3])

    def gain_db(self) -> float:
        """Of the leak, as far as it was foretold."""
        return _db(max(self._heard[1] - self._heard[3], self._heard[2]), self._heard[0])


class _Twins:
    """Whether both rows are one sound: so it has been for ``twin_s`` of the last sounds, or no longer is.

    recent: of the last ticks with sound, whether both were one, and the level in dBFS. alike: in how many they were.
    """

    SURE = 0.9
    """Of the ticks in ``twin_s``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sounds = _power_of(settings.source_dbfs)
        self._need = ticks(settings.twin_s)
        self._recent: deque[tuple[bool, float]] = deque(maxlen=self._need)
        self._alike = 0
        self._alike_since: int | None = None
        self._opened: tuple[int, int] | None = None

    def hold(self, tick: Tick) -> bool:
        """Whether this tick is one sound on both channels; then its channel is unknown and its row one."""
        self._hear(tick)
        close = next((e.item for e in tick.inputs if isinstance(e.item, Close)), None)
        if self._opened is not None and (close is not None or self._are(False)):
            self._shut(tick, tick.start if close is None else close.end)
        if self._opened is None and close is None and not tick.closing and self._are(True) and self._moves():
            self._open(tick)
        if self._opened is None:
            if self._alike_since is not None:
                tick.doubt.update(tick.channels)
            return False
        tick.channels, tick.samples = (Channel.UNKNOWN,), tick.samples[:1]
        return True

    def _hear(self, tick: Tick) -> None:
        first, second = tick.samples
        power = max(_power(first), _power(second))
        if power < self._sounds:
            return
        alike = same(first, second)
        if alike and self._alike_since is None:
            self._alike_since = tick.start
        oldest = len(self._recent) == self._need and self._recent[0][0]
        self._recent.append((alike, 10 * math.log10(power)))
        self._alike += alike - oldest
        if not self._alike:
            self._alike_since = None

    def _are(self, alike: bool) -> bool:
        """Whether nearly all of the last ticks with sound were one sound, or nearly none."""
        count = self._alike if alike else len(self._recent) - self._alike
        return len(self._recent) == self._need and count >= self.SURE * self._need

    def _moves(self) -> bool:
        return _spread([level for _, level in self._recent]) >= self._settings.twin_spread_db

    def _open(self, tick: Tick) -> None:
        start = tick.start if self._alike_since is None else self._alike_since
        region = Region(span=Span(start, tick.end), at=tick.end, kind="dual_mono", channel=None, open=True)
        self._opened = (tick.emit(region), start)

    def _shut(self, tick: Tick, end: int) -> None:
        assert self._opened is not None
        n, start = self._opened
        span = Span(start, max(start, end))
        tick.emit(Region(span=span, at=tick.end, kind="dual_mono", channel=None, open=False, of=n))
        self._opened, self._alike_since = None, None


def _differs(told: Leak, estimate: _Estimate) -> bool:
    """Notably: by 4 dB or 5 ms."""
    return abs(told.gain - estimate.gain_db()) >= 4 or abs(told.delay - estimate.lag) >= samples(0.005)


def _db(power: float, over: float) -> float:
    return 10 * float(np.log10((power + 1e-15) / (over + 1e-15)))


def _power(block: Samples | Floats) -> float:
    return float(np.dot(block, block)) / len(block)


def _power_of(dbfs: float) -> float:
    return float(10 ** (dbfs / 10))


def _loudest(block: Samples) -> float:
    """Power of the loudest tick."""
    return float(_powers(block, TICK).max())


def _powers(stretch: Samples, length: int) -> Floats:
    """Power of each ``length`` samples."""
    rows = stretch.reshape(-1, length).astype(np.float64)
    return np.asarray(np.einsum("ij,ij->i", rows, rows)) / length


def _spread(levels: Sequence[float]) -> float:
    low, high = np.percentile(levels, [25, 75])
    return float(high - low)
