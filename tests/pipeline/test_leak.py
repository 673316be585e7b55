"""Leaks built at known delay and gain, heard by the real fast lane; and the sounds that are no leak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import soundfile as sf
import soxr
from numpy.typing import NDArray

import sample_audio
from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.events import Leak, OverlapRevised, Region, SpeechEnded
from pipeline.inputs import Close
from pipeline.nodes.leak import LeakNode
from pipeline.session import Entry, Session, Tick
from pipeline.timebase import TICK
from tests.pipeline.drive import INFO, STANDARD, events, frames_of, heard, run
from tests.synth import Line
from tests.synth import build as synth

Floats = NDArray[np.float64]
Pcm = NDArray[np.int16]
AGENT, CUSTOMER = 0, 1


@cache
def calm() -> Floats:
    """The first 34 s of a sample call, (n, 2): the agent begins, the customer at 7.6 s, one backchannel at 11.6 s."""
    audio, rate = sf.read(sample_audio.path("calm_order"), dtype="float64")
    return np.asarray(soxr.resample(audio, rate, 16_000))[: 34 * 16_000]


def pcm_of(audio: Floats) -> Pcm:
    return np.clip(np.rint(audio * 32767), -32768, 32767).astype(np.int16)


def leaky(audio: Floats, source: int, gain_db: float, delay_s: float, path: Floats | None = None) -> Floats:
    """The source's row added to the other one, through a path, `delay_s` late."""
    sound = audio[:, source] if path is None else np.convolve(audio[:, source], path)[: len(audio)]
    late = round(delay_s * 16_000)
    out = audio.copy()
    out[late:, 1 - source] += 10 ** (gain_db / 20) * sound[: len(audio) - late]
    return out


def room() -> Floats:
    """A direct sound and a tail as strong as that, 60 dB down after 75 ms."""
    tail = np.random.default_rng(5).standard_normal(1200) * 10 ** (-3 * np.arange(1200) / 1200)
    tail[0] = 0
    path = tail / np.sqrt(np.sum(tail**2))
    path[0] = 1
    return np.asarray(path / np.sqrt(2))


def mu_law(audio: Floats) -> Floats:
    """Through G.711's curve, 8 bits, at the same rate."""
    squeezed = np.sign(audio) * np.log1p(255 * np.abs(audio)) / np.log(256)
    coarse = np.rint(squeezed * 127) / 127
    return np.asarray(np.sign(coarse) * np.expm1(np.abs(coarse) * np.log(256)) / 255)


class Tape:
    """Keeps what the node before it left of each tick."""

    def __init__(self) -> None:
        self.ticks: list[Tick] = []

    def step(self, tick: Tick) -> None:
        self.ticks.append(tick)


def cleaned(pcm: Pcm, **known: Any) -> tuple[list[Tick], list[Entry]]:
    tape = Tape()
    session = Session(INFO, [LeakNode(TWO_CHANNEL, STANDARD.leak, **known), tape])
    entries = run(session, frames_of(pcm))
    return tape.ticks, entries


def unchanged(ticks: Sequence[Tick]) -> bool:
    return all(np.array_equal(t.samples, t.frame.pcm.astype(np.float32) / 32768) for t in ticks)


def untouched(ticks: Sequence[Tick]) -> bool:
    return unchanged(ticks) and not any(t.doubt for t in ticks)


def judged(entries: Sequence[Entry]) -> list[OverlapRevised]:
    return list({revised.of: revised for revised in events(entries, OverlapRevised)}.values())


def doubled(entries: Sequence[Entry], channel: Channel, before_s: float, after_s: float) -> float:
    """Seconds of speech in a channel between two moments."""
    spans = [e.span for e in events(entries, SpeechEnded) if e.channel == channel]
    return sum(max(0, min(s.end, before_s * 16_000) - max(s.start, after_s * 16_000)) for s in spans) / 16_000


CONDITIONS = {
    "-6 dB at once": (-6, 0.0, None),
    "-12 dB after 80 ms": (-12, 0.08, None),
    "-12 dB after 20 ms in a room": (-12, 0.02, room()),
    "-20 dB after 300 ms": (-20, 0.3, None),
    "-40 dB after 150 ms": (-40, 0.15, None),
}


@pytest.mark.parametrize("name", CONDITIONS)
@pytest.mark.parametrize("sources", [(AGENT,), (CUSTOMER,), (AGENT, CUSTOMER)], ids=["agent", "customer", "both"])
def test_a_leak_is_no_talk_over(name: str, sources: tuple[int, ...]) -> None:
    gain, delay, path = CONDITIONS[name]
    call = calm()
    for source in sources:
        call = call + leaky(calm(), source, gain, delay, path) - calm()
    entries = heard(pcm_of(call))
    assert not [each for each in judged(entries) if each.kind == "interruption"]
    if AGENT in sources:  # it is alone from 17.5 to 24 s
        assert doubled(entries, Channel.CUSTOMER, 23.5, 17.5) == 0
    if CUSTOMER in sources:
        assert doubled(entries, Channel.AGENT, 30, 25) == 0


def test_delay_and_gain_are_told_within_half_a_second_of_speech() -> None:
    _, entries = cleaned(pcm_of(leaky(calm(), AGENT, -12, 0.08)))
    told = events(entries, Leak)
    assert [(each.state, each.channel) for each in told[:1]] == [("removed", Channel.CUSTOMER)]
    assert told[0].at < 1.0 * 16_000
    assert all(abs(each.delay - 1280) <= 16 for each in told)
    assert told[-1].gain == pytest.approx(-12, abs=5)


def test_leak_alone_becomes_silence_and_the_source_stays() -> None:
    ticks, _ = cleaned(pcm_of(leaky(calm(), AGENT, -12, 0.08)))
    alone = [tick for tick in ticks if 18.0 * 16_000 <= tick.start < 23.5 * 16_000]
    left = np.mean([np.square(tick.samples[CUSTOMER]).mean() for tick in alone])
    came = np.mean([np.square(tick.frame.pcm[CUSTOMER] / 32768).mean() for tick in alone])
    assert 10 * np.log10(left / came) < -20
    assert all(np.array_equal(t.samples[AGENT], t.frame.pcm[AGENT].astype(np.float32) / 32768) for t in ticks)


@pytest.mark.parametrize("wire", [None, mu_law], ids=["linear", "mu-law"])
def test_an_own_voice_over_a_leak_survives(wire: Any) -> None:
    lines = [Line("agent", 0.5, 11.0, f0_hz=120), Line("customer", 6.0, 3.0, f0_hz=200)]
    pcm, truth = synth(lines, 13, telephone=True, noise_dbfs=-50)
    call = leaky(pcm / 32767, AGENT, -10, 0.06)
    entries = heard(pcm_of(call if wire is None else wire(call)))
    found = [each for each in judged(entries) if each.kind == "interruption"]
    assert [each.interrupter for each in found] == [Channel.CUSTOMER]
    (true,) = truth.overlaps
    assert abs(found[0].span.start - true.start) < 0.15 * 16_000
    assert abs(found[0].span.end - true.end) < 0.3 * 16_000


@pytest.mark.parametrize("softer_db", [0, 20])
def test_talk_over_without_a_leak_is_untouched(softer_db: float) -> None:
    lines = [
        Line("agent", 0.5, 6.0, f0_hz=150, level_dbfs=-22),
        Line("customer", 3.0, 7.0, f0_hz=151, level_dbfs=-22 - softer_db),
        Line("agent", 11.0, 4.0, f0_hz=150, level_dbfs=-22),
    ]
    ticks, entries = cleaned(synth(lines, 16)[0])
    assert untouched(ticks)
    assert not events(entries, Leak)


@pytest.mark.parametrize("name", ["billing_dispute", "calm_order", "impatient_agent"])
def test_a_clean_call_is_untouched(name: str) -> None:
    audio, rate = sf.read(sample_audio.path(name), dtype="float64")
    ticks, entries = cleaned(pcm_of(soxr.resample(audio, rate, 16_000)))
    assert untouched(ticks)
    assert not events(entries, Leak)
    assert not events(entries, Region)


def tones(*hz: float, seconds: float = 12.0) -> Floats:
    time = np.arange(round(seconds * 16_000)) / 16_000
    return np.asarray(sum(0.05 * np.sin(2 * np.pi * each * time) for each in hz) * (time % 3 < 2))


@pytest.mark.parametrize("gain", [1.0, 0.4], ids=["equal", "softer"])
@pytest.mark.parametrize("hz", [(440, 480), (400, 450), (50, 100, 150, 200)], ids=["ring US", "ring UK", "hum"])
def test_one_tone_on_both_channels_is_neither_a_leak_nor_dual_mono(hz: tuple[float, ...], gain: float) -> None:
    sound = tones(*hz)
    noise = np.random.default_rng(2).normal(0, 1e-3, (len(sound), 2))
    ticks, entries = cleaned(pcm_of(np.stack([sound, gain * sound], axis=1) + noise))
    assert unchanged(ticks)
    assert not events(entries, Leak)
    assert not events(entries, Region)


def test_two_noises_are_unrelated() -> None:
    ticks, entries = cleaned(pcm_of(np.random.default_rng(4).normal(0, [0.05, 0.02], (8 * 16_000, 2))))
    assert untouched(ticks)
    assert not events(entries, Leak)


def test_a_leak_that_stops_is_gone_and_one_that_moves_is_told_again() -> None:
    lines = [Line("agent", start, 2.8, f0_hz=120) for start in range(1, 40, 3)]
    call = synth(lines, 42)[0] / 32767
    out = leaky(call, AGENT, -12, 0.05)
    moved, clean = leaky(call, AGENT, -12, 0.2), call
    out[10 * 16_000 :] = moved[10 * 16_000 :]
    out[20 * 16_000 :] = clean[20 * 16_000 :]
    told = [(e.state, round(e.delay / 160)) for e in events(cleaned(pcm_of(out))[1], Leak)]
    assert ("removed", 5) in told
    assert ("removed", 20) in told
    assert told[-1][0] == "gone"


def test_events_do_not_depend_on_what_comes_later() -> None:
    pcm = pcm_of(leaky(calm(), AGENT, -20, 0.1))
    early, late = (events(cleaned(part)[1], Leak) for part in (pcm[: 20 * 16_000], pcm))
    assert early
    assert [e for e in late if e.at <= 19 * 16_000] == [e for e in early if e.at <= 19 * 16_000]


def test_dual_mono_becomes_one_unknown_channel_within_a_second_and_a_half_of_speech() -> None:
    mono = calm().sum(axis=1)
    ticks, entries = cleaned(pcm_of(np.stack([mono, 0.8 * np.roll(mono, 5)], axis=1)))
    opened, closed = events(entries, Region)
    assert (opened.kind, opened.channel, opened.open) == ("dual_mono", None, True)
    assert opened.at - 0.5 * 16_000 <= 1.5 * 16_000
    held = [tick for tick in ticks if opened.at <= tick.end <= closed.at]
    assert all(tick.channels == (Channel.UNKNOWN,) and tick.samples.shape == (1, TICK) for tick in held[:-1])
    (close,) = [entry for entry in entries if isinstance(entry.item, Close)]
    assert not closed.open
    assert closed.of == next(entry.n for entry in entries if entry.item is opened)
    assert closed.span.end == close.at


def test_dual_mono_ends_for_good_when_the_channels_differ() -> None:
    mono = calm().sum(axis=1)
    pcm = pcm_of(np.concatenate((np.stack([mono, mono], axis=1), calm())))
    ticks, entries = cleaned(pcm)
    assert [region.open for region in events(entries, Region)] == [True, False]
    assert 34 * 16_000 < events(entries, Region)[1].at < 37 * 16_000
    assert ticks[-1].channels == TWO_CHANNEL


@pytest.mark.parametrize(
    "pcm",
    [pcm_of(leaky(calm(), AGENT, -6, 0.05)), pcm_of(np.stack([calm().sum(axis=1)] * 2, axis=1))],
    ids=["leak", "dual mono"],
)
def test_rows_told_apart_from_one_channel_are_left_alone(pcm: Pcm) -> None:
    ticks, entries = cleaned(pcm, told_apart=True)
    assert untouched(ticks)
    assert not events(entries, Leak)
    assert not events(entries, Region)


def test_one_channel_is_left_alone() -> None:
    tape, info = Tape(), replace(INFO, channels=(Channel.UNKNOWN,))
    run(Session(info, [LeakNode(info.channels, STANDARD.leak), tape]), frames_of(pcm_of(calm()[:32_000, :1])))
    assert untouched(tape.ticks)
