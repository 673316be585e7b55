"""Sound devices that go away, come back, drift and overrun, on a machine with a clock of its own."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.errors import BadInput
from pipeline.inputs import Frame, Loss
from pipeline.sources import line, microphone
from pipeline.sources.line import workable
from pipeline.sources.microphone import AWAY_S, Microphone
from pipeline.sources.overrun import Overruns
from pipeline.sources.spool import Spool
from pipeline.timebase import RATE

STEP_S = 0.02
"""Seconds of a block."""


class FakeError(Exception):
    pass


class Stream:
    """Delivers what its device hears, block by block, as the machine's time goes on."""

    def __init__(self, machine: "Machine", **options: Any) -> None:
        self.machine = machine
        self.options = options
        self.device: Card = machine.cards[options["device"]]
        self.position = 0.0
        self.torn = False

    def start(self) -> None:
        if not self.device.there or self.options["samplerate"] not in self.device.rates:
            raise FakeError("Invalid device [PaErrorCode -9996]")
        self.position = self.machine.now
        self.machine.streams.append(self)

    def close(self) -> None:
        if self in self.machine.streams:
            self.machine.streams.remove(self)
            self.options["finished_callback"]()

    def step(self) -> None:
        """One block, once the device's own clock has counted its samples."""
        rate, clock = self.options["samplerate"], 1 + self.device.ppm * 1e-6
        count = round(STEP_S * rate)
        after = self.position + count / rate / clock
        if after + self.device.delay > self.machine.now:
            return
        times = self.position + np.arange(count) / rate / clock
        self.position = after
        if self.device.skips > 0:
            self.device.skips -= 1
            self.torn = True
            return
        pcm = np.repeat(self.device.sound(times)[:, None], self.options["channels"], axis=1)
        status = SimpleNamespace(input_overflow=self.torn)
        self.torn = False
        self.options["callback"](pcm, count, None, status)


def pulses(times: NDArray[np.float64]) -> NDArray[np.int16]:
    """A pulse of 4 ms at every whole second: of the world's time, whatever the device's clock says."""
    return np.where(times % 1.0 < 0.004, 20_000, 0).astype(np.int16)


class Card:
    """A sound device. ppm: its clock against the world's. delay: seconds until a block is handed over.

    skips: blocks that it loses next.
    """

    def __init__(self, name: str, channels: int = 2, *, ppm: float = 0.0, rates: tuple[int, ...] = (48_000,)) -> None:
        self.name = name
        self.channels = channels
        self.ppm = ppm
        self.rates = rates
        self.delay = 0.01
        self.there = True
        self.skips = 0
        self.sound = pulses


class Machine:
    """Time goes on while somebody waits for audio. at: what happens when."""

    def __init__(self, *cards: Card) -> None:
        self.cards = list(cards)
        self.streams: list[Stream] = []
        self.now = 1000.0
        self.restarts = 0
        self.at: list[tuple[float, Callable[[], None]]] = []
        self.PortAudioError = FakeError
        self.default = SimpleNamespace(device=(0, 0))
        self.InputStream = partial(Stream, self)

    def step(self) -> None:
        self.now += STEP_S / 2
        while self.at and self.at[0][0] <= self.now - 1000.0:
            self.at.pop(0)[1]()
        for stream in list(self.streams):
            if stream.device.there:
                stream.step()

    # what sounddevice has

    def query_devices(self) -> list[dict[str, Any]]:
        return [
            {"name": card.name, "max_input_channels": card.channels, "default_samplerate": float(card.rates[0])}
            for card in self.cards
        ]

    def check_input_settings(self, *, device: int, samplerate: int, **_: Any) -> None:
        if samplerate not in self.cards[device].rates:
            raise FakeError("Invalid sample rate [PaErrorCode -9997]")

    def _terminate(self) -> None:
        self.restarts += 1
        for stream in list(self.streams):
            stream.close()

    def _initialize(self) -> None:
        self.cards.sort(key=lambda card: not card.there)  # numbers change

    def leaves(self, card: Card, *, quietly: bool = False) -> Callable[[], None]:
        """Unplugged. quietly: the stream is not told, it is only silent."""

        def leave() -> None:
            card.there = False
            for stream in [] if quietly else [each for each in self.streams if each.device is card]:
                stream.close()

        return leave

    def returns(self, card: Card) -> Callable[[], None]:
        return lambda: setattr(card, "there", True)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Machine]:
    def make(*cards: Card) -> Machine:
        made, take = Machine(*cards), Spool.take

        def waited(spool: Spool, timeout: float) -> Any:
            until = made.now + timeout
            while made.now < until and not spool._blocks and not spool._ended:
                made.step()
            return take(spool, 0)

        monkeypatch.setitem(sys.modules, "sounddevice", made)
        monkeypatch.setattr(Spool, "take", waited)
        for module in (line, microphone):
            monkeypatch.setattr(module.time, "monotonic", lambda: made.now)
        monkeypatch.setattr(microphone, "is_there", lambda name: any(c.there for c in made.cards if c.name == name))
        return made

    return make


class Heard:
    """pcm: int16 (2, n). losses: of each channel, in seconds. said: what the terminal was told, and when."""

    def __init__(self, machine: Machine, seconds: float, **options: Any) -> None:
        self.said: list[tuple[float, str]] = []
        self.seen: list[tuple[float, float]] = []
        self.source = Microphone(say=lambda text: self.said.append((machine.now - 1000.0, text)), **options)
        machine.at.append((seconds, self.source.stop))
        machine.at.sort(key=lambda each: each[0])
        frames, self.losses = [], list[Loss]()
        for item in self._items():
            if isinstance(item, Frame):
                frames.append(item.pcm)
                self.seen.append((machine.now - 1000.0, item.end / RATE))
            else:
                self.losses.append(item)
        self.pcm = np.concatenate(frames, axis=1)[:, : self.source.heard]

    def _items(self) -> Iterator[Frame | Loss]:
        yield from self.source.frames()

    def pulses(self, channel: int) -> NDArray[np.float64]:
        """Seconds at which pulses begin."""
        loud = np.abs(self.pcm[channel].astype(int)) > 8000
        starts = np.flatnonzero(loud & ~np.concatenate([[False], loud[:-1]]))
        return starts[np.concatenate([[True], np.diff(starts) > RATE // 10])] / RATE if len(starts) else starts

    def gaps(self, channel: str) -> list[tuple[float, float, str]]:
        return [
            (loss.span.start / RATE, loss.span.end / RATE, loss.reason)
            for loss in self.losses
            if loss.channel == channel
        ]


def whole(gaps: list[tuple[float, float, str]]) -> tuple[float, float]:
    """Where gaps that touch begin and end."""
    for (_, end, _), (start, _, _) in pairwise(gaps):
        assert start == pytest.approx(end, abs=0.001)
    return gaps[0][0], gaps[-1][1]


# one device


@pytest.mark.parametrize("quietly", [False, True], ids=["told", "silent"])
def test_a_device_that_goes_away_and_returns_leaves_a_gap_and_the_clock_is_right(
    machine: Callable[..., Machine], quietly: bool
) -> None:
    card = Card("Headset")
    room = machine(card)
    room.at = [(10.5, room.leaves(card, quietly=quietly)), (40.3, room.returns(card))]
    heard = Heard(room, 60.0)
    assert heard.source.heard / RATE == pytest.approx(60.0, abs=0.1)
    for channel in (0, 1):
        found = heard.pulses(channel)
        drift = found - np.round(found - found[0]) - found[0]
        assert np.abs(drift).max() < 0.01, "behind the gap everything is where it was spoken"
        assert not any(11 < at < 40 for at in found)
        assert found[-1] > 58
    start, end = whole(heard.gaps("agent"))
    assert start == pytest.approx(10.5, abs=0.1)
    assert end == pytest.approx(40.3, abs=1.5)
    assert heard.gaps("agent") == heard.gaps("customer")
    (gone_at, gone), (back_at, back) = heard.said
    assert gone == "the sound device 'Headset' is gone; waiting for it, with silence in its place"
    assert back.startswith("the sound device 'Headset' is back after ")
    assert gone_at == pytest.approx(10.5, abs=5.5 if quietly else 0.5)
    assert back_at == pytest.approx(40.3, abs=1.5)


def test_time_goes_on_while_a_device_is_away_and_the_gap_is_shown_before_it_is_over(
    machine: Callable[..., Machine],
) -> None:
    card = Card("Headset")
    room = machine(card)
    room.at = [(5.0, room.leaves(card)), (60.0, room.returns(card))]
    heard = Heard(room, 70.0)
    late = [now - reached for now, reached in heard.seen if 7 < now < 60]
    assert max(late) < 1.5, "half a second is left open, and a look takes a quarter"
    first = heard.gaps("agent")[0]
    assert first[1] - first[0] == pytest.approx(1.0, abs=0.8), "the first part of the gap is told alone, at once"
    assert len(heard.gaps("agent")) == 2


def test_a_device_may_go_away_again_and_again(machine: Callable[..., Machine]) -> None:
    card = Card("Headset")
    room = machine(card)
    for n in range(5):
        room.at += [(10 * n + 3.0, room.leaves(card)), (10 * n + 6.0, room.returns(card))]
    heard = Heard(room, 55.0)
    assert heard.source.heard / RATE == pytest.approx(55.0, abs=0.1)
    found = heard.pulses(0)
    assert np.abs(found - np.round(found - found[0]) - found[0]).max() < 0.01
    assert len(heard.said) == 10


def test_a_call_may_end_while_its_device_is_away(machine: Callable[..., Machine]) -> None:
    card = Card("Headset")
    room = machine(card)
    room.at = [(5.0, room.leaves(card))]
    heard = Heard(room, 12.0)
    assert heard.source.heard / RATE == pytest.approx(11.4, abs=0.5)
    assert whole(heard.gaps("customer"))[0] == pytest.approx(5.0, abs=0.1)


def test_a_device_that_stays_away_ends_the_call_with_a_line(machine: Callable[..., Machine]) -> None:
    card = Card("Headset")
    room = machine(card)
    room.at = [(2.0, room.leaves(card))]
    with pytest.raises(BadInput, match=rf"^the sound device 'Headset' was away for {AWAY_S:g} s; the call is over$"):
        Heard(room, 10 * AWAY_S)
    assert room.now - 1000 == pytest.approx(AWAY_S + 2, abs=2)


def test_a_device_is_found_again_under_another_number(machine: Callable[..., Machine]) -> None:
    other, card = Card("Other"), Card("Headset")
    room = machine(other, card)
    room.at = [(3.0, room.leaves(other, quietly=True)), (4.0, room.leaves(card)), (6.0, room.returns(card))]
    heard = Heard(room, 12.0, device="Headset")
    assert heard.said[-1][1].startswith("the sound device 'Headset' is back")
    assert room.cards.index(card) == 0


# two devices


def pair(**customer: float) -> tuple[Card, Card]:
    return Card("Mic", 1, ppm=-100.0), Card("Monitor", 1, **{"ppm": 100.0} | customer)


def apart(heard: Heard, after: float) -> NDArray[np.float64]:
    """Seconds by which the customer's pulses come behind the agent's, from a moment on."""
    mine, theirs = heard.pulses(0), heard.pulses(1)
    mine = mine[mine > after]
    nearest = theirs[np.abs(theirs[None, :] - mine[:, None]).argmin(axis=1)]
    return nearest - mine


def test_two_clocks_that_drift_stay_within_half_a_tick(machine: Callable[..., Machine]) -> None:
    """200 ppm; blocks are handed over to 10 ms, so that nobody can know the drift better at first."""
    room = machine(*pair())
    heard = Heard(room, 220.0, device="Mic", loopback="Monitor")
    assert heard.losses == []
    assert np.abs(apart(heard, 30.0)).max() < 0.016
    assert len(apart(heard, 30.0)) > 185


def test_without_the_correction_they_would_not(
    machine: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.placing.Clock.correct", lambda clock, pcm, lead: pcm)
    heard = Heard(machine(*pair()), 220.0, device="Mic", loopback="Monitor")
    assert np.abs(apart(heard, 210.0)).min() > 0.025


@pytest.mark.parametrize("which", [0, 1], ids=["agent's", "customer's"])
def test_one_of_two_devices_goes_away_and_the_other_is_heard_on(machine: Callable[..., Machine], which: int) -> None:
    cards = pair()
    room = machine(*cards)
    room.at = [(20.5, room.leaves(cards[which])), (50.3, room.returns(cards[which]))]
    heard = Heard(room, 120.0, device="Mic", loopback="Monitor")
    assert heard.source.heard / RATE == pytest.approx(120.0, abs=0.2)
    alone, gone = heard.pulses(1 - which), heard.pulses(which)
    assert len(alone) >= 117, "but for what a restart of the library costs"
    assert not any(21.1 < at < 50 for at in gone)
    assert gone[-1] > 118
    assert np.abs(apart(heard, 80.0)).max() < 0.016
    name = ("agent", "customer")[which]
    assert whole(heard.gaps(name))[0] == pytest.approx(20.5, abs=0.3)
    assert [text.split(" is ")[1][:4] for _, text in heard.said] == ["gone", "back"]
    assert room.restarts <= 1, "the one that is there is not disturbed before the other one is plugged in again"


def test_both_devices_go_away_and_return_one_after_the_other(machine: Callable[..., Machine]) -> None:
    mic, monitor = pair()
    room = machine(mic, monitor)
    room.at = [
        (20.5, room.leaves(mic)),
        (22.5, room.leaves(monitor)),
        (40.2, room.returns(monitor)),
        (47.7, room.returns(mic)),
    ]
    heard = Heard(room, 120.0, device="Mic", loopback="Monitor")
    assert heard.source.heard / RATE == pytest.approx(120.0, abs=0.3)
    assert np.abs(apart(heard, 80.0)).max() < 0.016
    found = heard.pulses(1)
    found = found[found > 60]
    assert np.abs(found - np.round(found - found[0]) - found[0]).max() < 0.01
    assert len(heard.said) == 4


# overruns and rates


def test_an_overrun_is_a_gap_as_long_as_what_was_lost(machine: Callable[..., Machine]) -> None:
    card = Card("Headset")
    room = machine(card)
    room.at = [(at, lambda: setattr(card, "skips", 25)) for at in (10.5, 20.5, 30.5)]
    heard = Heard(room, 40.0)
    gaps = heard.gaps("agent")
    assert [reason for _, _, reason in gaps] == ["overflow"] * 3
    for (start, end, _), expected in zip(gaps, (10.5, 20.5, 30.5), strict=True):
        assert start == pytest.approx(expected, abs=0.05)
        assert end - start == pytest.approx(25 * STEP_S, abs=0.02)
    found = heard.pulses(0)
    assert np.abs(found - np.round(found - found[0]) - found[0]).max() < 0.03
    assert heard.source.heard / RATE == pytest.approx(40.0, abs=0.05)


def test_an_overrun_of_one_device_moves_the_other_one_not(machine: Callable[..., Machine]) -> None:
    cards = pair()
    room = machine(*cards)
    room.at = [(30.5, lambda: setattr(cards[1], "skips", 5))]
    heard = Heard(room, 90.0, device="Mic", loopback="Monitor")
    assert heard.gaps("agent") == []
    ((start, end, reason),) = heard.gaps("customer")
    assert (round(end - start, 1), reason) == (0.1, "overflow")
    assert np.abs(apart(heard, 60.0)).max() < 0.016


def test_what_is_lost_is_told_from_what_is_late() -> None:
    overruns, now = Overruns(16_000), 0.0
    for n in range(200):
        now = 0.02 * (n + 1)
        assert overruns.took(320, now + 0.01 * (n % 3), overrun=False) == 0
    lost = overruns.took(320, now + 0.02 + 0.5, overrun=True)
    assert lost == pytest.approx(8_000, abs=16)
    assert overruns.took(320, now + 0.04 + 0.5, overrun=False) == 0
    assert overruns.took(320, now + 0.06 + 0.5, overrun=True) == 16, "an overrun that cannot be measured is seen"


@pytest.mark.parametrize(
    ("rates", "expected"), [((48_000,), 48_000), ((44_100,), 44_100), ((96_000, 44_100), 44_100), ((8_000,), 8_000)]
)
def test_a_device_is_recorded_at_a_rate_that_it_takes(
    machine: Callable[..., Machine], rates: tuple[int, ...], expected: int
) -> None:
    card = Card("Headset", rates=rates)
    heard = Heard(machine(card), 5.0)
    assert heard.source.rates == (expected,)
    assert heard.source.heard / RATE == pytest.approx(5.0, abs=0.1)
    assert np.diff(heard.pulses(0)) == pytest.approx(1.0, abs=0.002)
    assert heard.losses == []


def test_a_rate_that_was_asked_for_and_cannot_be_is_replaced(machine: Callable[..., Machine]) -> None:
    machine(Card("Headset", rates=(44_100,)))
    assert Microphone(rate=16_000).rates == (44_100,)


def test_a_device_that_takes_no_rate_is_refused_at_once(machine: Callable[..., Machine]) -> None:
    machine(Card("Headset", rates=(192_000,)))
    with pytest.raises(BadInput, match=r"cannot record from 'Headset': Invalid sample rate .* try another device"):
        workable(line.devices()[0], None, 2)


def test_a_device_that_cannot_be_asked_for_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("python", 10)

    monkeypatch.setattr(subprocess, "run", slow)
    assert line.is_there("Headset") is False
