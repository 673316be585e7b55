"""Music, ringing, tones, noise and clipping as regions, from audio made here; and that speech is none of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

import sample_audio
from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.events import Region, RegionKind, SpeechEnded
from pipeline.inputs import Input, Mark
from pipeline.nodes.ivr import IvrNode
from pipeline.nodes.sounds import SoundsNode
from pipeline.nodes.speech import SpeechNode
from pipeline.reducer import Reducer
from pipeline.session import Entry, Session, Tick
from pipeline.timebase import RATE
from tests.noises import RINGING, TONES, Floats, at, cadence, dtmf, g711, hum, mulaw, music, noise, tone
from tests.pipeline.drive import INFO, STANDARD, detector, events, frames_of, run
from tests.synth import Line, sample_line, say

LEAD = 1.0
"""Seconds of a quiet line before the sound."""
LINES: dict[str, Callable[[Floats], Floats]] = {"wide": lambda audio: audio, "telephone": mulaw}


class Doubts:
    """Which channels were in doubt, and which blurred, at which tick."""

    def __init__(self) -> None:
        self.seen: list[set[Channel]] = []
        self.blurred: list[set[Channel]] = []

    def step(self, tick: Tick) -> None:
        self.seen.append(set(tick.doubt))
        self.blurred.append(set(tick.blurred))


def call_of(agent: Floats, customer: Floats | None = None) -> NDArray[np.int16]:
    """Each after a second of a quiet line and before three: int16 (n, 2)."""
    voices = (agent, np.zeros(1) if customer is None else customer)
    count = max(len(voice) for voice in voices) + round((LEAD + 3) * RATE)
    both = np.random.default_rng(3).normal(0, 10 ** (-65 / 20), (count, 2))
    for column, voice in enumerate(voices):
        both[round(LEAD * RATE) : round(LEAD * RATE) + len(voice), column] += voice
    return np.rint(both.clip(-1, 1) * 32767).astype(np.int16)


def listen(
    pcm: NDArray[np.int16], inputs: tuple[tuple[float, Input], ...] = (), doubts: Doubts | None = None
) -> list[Entry]:
    nodes = [
        SpeechNode(TWO_CHANNEL, STANDARD.speech, detector()),
        SoundsNode(TWO_CHANNEL, STANDARD.sounds),
        IvrNode(TWO_CHANNEL, STANDARD.sounds),
        doubts or Doubts(),
    ]
    return run(Session(INFO, nodes), frames_of(pcm), inputs)


def closed(entries: list[Entry]) -> list[Region]:
    return [region for region in events(entries, Region) if not region.open]


def marked(entries: list[Entry], channel: Channel = Channel.AGENT) -> list[tuple[RegionKind, float, float]]:
    """Closed regions of a channel: kind, seconds from the end of the lead."""
    return [
        (region.kind, region.span.start / RATE - LEAD, region.span.end / RATE - LEAD)
        for region in closed(entries)
        if region.channel is channel
    ]


def alone(entries: list[Entry], kind: RegionKind, start: float, end: float, slack: float = 0.1) -> None:
    """One region of the agent's channel, with these bounds."""
    ((found, begin, finish),) = marked(entries)
    assert (found, begin, finish) == (kind, pytest.approx(start, abs=slack), pytest.approx(end, abs=slack))


@cache
def voice(name: str, column: int) -> Floats:
    """One party of a sample call."""
    audio, rate = soundfile.read(sample_audio.path(name), dtype="float64")
    return np.asarray(soxr.resample(audio[:, column], rate, RATE))


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("country", RINGING)
def test_ringing_is_one_region_from_the_first_ring_to_the_last(country: str, line: str) -> None:
    hz, pattern = RINGING[country]
    entries = listen(call_of(LINES[line](cadence(hz, pattern, 3))))
    # Silero takes the first fifth of a second of a modulated tone for a voice
    alone(entries, "ringing", 0.0, 3 * sum(pattern) - pattern[-1], slack=0.25 if country == "japan" else 0.1)


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("name", TONES)
def test_other_tones_are_tones(name: str, line: str) -> None:
    hz, pattern = TONES[name]
    entries = listen(call_of(LINES[line](cadence(hz, pattern, max(1, int(8 / sum(pattern)))))))
    found = marked(entries)
    assert {kind for kind, _, _ in found} == {"tones"}
    assert found[0][1:] == (pytest.approx(0.0, abs=0.3), pytest.approx(found[0][2]))
    assert found[0][2] >= pattern[0] - 0.1


@pytest.mark.parametrize("line", LINES)
def test_each_key_is_a_tone_and_is_not_named(line: str) -> None:
    entries = listen(call_of(LINES[line](dtmf(range(1, 10), on=0.1, off=1.4))))
    found = marked(entries)
    assert [kind for kind, _, _ in found] == ["tones"] * 9
    assert [start for _, start, _ in found] == pytest.approx([1.5 * place for place in range(9)], abs=0.07)
    assert events(entries, Region)[0].__slots__ == ("type", "span", "at", "kind", "channel", "open", "of")


def test_the_keys_of_a_number_are_one_region() -> None:
    alone(listen(call_of(dtmf([1, 2, 3, 9, 8, 7]))), "tones", 0.0, 1.1)


def test_one_ring_alone_is_a_tone() -> None:
    alone(listen(call_of(np.concatenate((tone((425,), 1.0), np.zeros(7 * RATE))))), "tones", 0.0, 1.0)


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize(("bpm", "drums"), [(60, False), (100, True), (160, True)])
@pytest.mark.parametrize("style", ["chords", "arpeggio", "melody"])
def test_music_is_one_region_told_after_two_seconds(style: str, bpm: int, drums: bool, line: str) -> None:
    entries = listen(call_of(LINES[line](music(6.0, bpm, style, drums))))
    alone(entries, "music", 0.0, 6.0, slack=0.8)
    assert events(entries, Region)[0].at <= (LEAD + 2.5) * RATE


@pytest.mark.parametrize("colour", ["white", "pink", "brown"])
def test_steady_noise_is_noise_in_two_seconds(colour: str) -> None:
    entries = listen(call_of(mulaw(noise(6.0, colour, dbfs=-28.0))))
    alone(entries, "noise", 0.0, 6.0)
    assert events(entries, Region)[0].at == pytest.approx((LEAD + 2.0) * RATE, abs=2048)


@pytest.mark.parametrize("mains", [50.0, 60.0])
def test_hum_is_noise_and_not_music(mains: float) -> None:
    assert {kind for kind, _, _ in marked(listen(call_of(hum(8.0, mains, dbfs=-28.0))))} == {"noise"}


def test_a_quiet_line_is_nothing() -> None:
    assert marked(listen(call_of(noise(6.0, dbfs=-52.0)))) == []


@pytest.mark.parametrize("name", ["billing_dispute", "calm_order", "impatient_agent"])
def test_sample_calls_have_no_regions(name: str) -> None:
    agent, customer = (mulaw(voice(name, column)) for column in (0, 1))
    assert closed(listen(call_of(agent, customer))) == []


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("f0", [90.0, 130.0, 180.0, 240.0])
def test_a_synthetic_voice_has_no_regions(f0: float, line: str) -> None:
    lines = [say(Line("agent", 0, 3.0, f0_hz=f0), seed=seed) for seed in range(4)]
    audio = np.concatenate([np.pad(each, (0, RATE // 2)) for each in lines])
    assert closed(listen(call_of(LINES[line](audio)))) == []


def test_babble_is_no_music_and_no_tone() -> None:
    """Six voices at once, none in front."""
    voices = [say(Line("agent", 0, 10.0, f0_hz=95.0 + 25 * each), seed=each) for each in range(6)]
    kinds = {kind for kind, _, _ in marked(listen(call_of(at(np.sum(voices, axis=0), -35.0))))}
    assert kinds <= {"noise"}


SOUNDS: dict[str, tuple[RegionKind, Callable[[], Floats]]] = {
    "music": ("music", lambda: music(12.0, 90, "arpeggio")),
    "ringing": ("ringing", lambda: cadence(*RINGING["us"], 2)),
    "busy": ("tones", lambda: cadence(*TONES["busy us"], 10)),
    "noise": ("noise", lambda: noise(10.0)),
}


@pytest.mark.parametrize("sound", SOUNDS)
@pytest.mark.parametrize("column", [0, 1])
def test_a_sound_under_the_others_speech_is_found_on_its_own_channel_alone(sound: str, column: int) -> None:
    kind, make = SOUNDS[sound]
    pair = [mulaw(make()), mulaw(voice("calm_order", 1 - column)[: 15 * RATE])]
    entries = listen(call_of(*(pair if column == 0 else pair[::-1])))
    quiet = listen(call_of(*([np.zeros(1), pair[1]] if column == 0 else [pair[1], np.zeros(1)])))
    assert {found for found, _, _ in marked(entries, TWO_CHANNEL[column])} == {kind}
    assert marked(entries, TWO_CHANNEL[1 - column]) == []
    assert events(entries, SpeechEnded) == events(quiet, SpeechEnded)


@pytest.mark.parametrize("line", LINES)
def test_hold_music_lies_between_the_words_around_it(line: str) -> None:
    said = [sample_line("calm_order", index) for index in (0, 2)]
    parts = (said[0], np.zeros(RATE), music(8.0), np.zeros(RATE), said[1])
    entries = listen(call_of(LINES[line](np.concatenate(parts))))
    (region,) = [region for region in closed(entries) if region.kind == "music"]
    spoken = [each.span for each in events(entries, SpeechEnded)]
    assert all(region.span.overlap(span) == 0 for span in spoken)
    assert region.span.seconds == pytest.approx(8.0, abs=0.8)


def test_a_person_in_front_of_music_keeps_the_words() -> None:
    """A radio 15 dB under the voice: what is marked lies in the pauses."""
    said = voice("calm_order", 0)[: 30 * RATE]
    doubts = Doubts()
    entries = listen(call_of(said + at(mulaw(music(30.0, 100, "melody")), -41.0)), doubts=doubts)
    taken = sum(
        region.span.overlap(speech.span)
        for region in closed(entries)
        if region.kind == "music"
        for speech in events(entries, SpeechEnded)
    )
    total = sum(speech.span.length for speech in events(entries, SpeechEnded))
    assert total > 8 * RATE
    assert taken < 0.05 * total


def sung(seconds: float, seed: int = 1) -> Floats:
    """A voice that steps through a scale."""
    rng = np.random.default_rng(seed)
    notes = [float(220 * 2 ** (rng.choice([0, 2, 4, 7, 9]) / 12)) for _ in range(round(seconds / 0.5))]
    return np.concatenate(
        [say(Line("agent", 0, 0.5, hz, 0.15, rate_syllables=2), seed=i) for i, hz in enumerate(notes)]
    )


def test_singing_in_music_does_not_end_it_and_puts_the_channel_in_doubt() -> None:
    song = music(15.0, 100, "chords")
    song[3 * RATE : 13 * RATE] += at(sung(10.0), -22.0)[: 10 * RATE]
    doubts = Doubts()
    entries = listen(call_of(song), doubts=doubts)
    assert events(entries, SpeechEnded), "the material must make the detector fire, or it shows nothing"
    ((_, start, end),) = [found for found in marked(entries) if found[0] == "music"]
    assert (start, end) == (pytest.approx(0.0, abs=0.2), pytest.approx(15.0, abs=1.0))
    inside = doubts.seen[round((LEAD + 2.5) * RATE / 512) : round((LEAD + 14) * RATE / 512)]
    assert all(channels == {Channel.AGENT} for channels in inside)


def test_speech_puts_nobody_in_doubt() -> None:
    doubts = Doubts()
    listen(call_of(voice("billing_dispute", 0), voice("billing_dispute", 1)), doubts=doubts)
    assert not any(doubts.seen)
    assert not any(doubts.blurred)


@pytest.mark.parametrize("line", LINES)
def test_clipped_speech_is_marked_and_blurred_while_it_is_spoken_and_still_that_partys(line: str) -> None:
    said = LINES[line](sample_line("billing_dispute", 1))
    said /= np.abs(said).max()
    parts = (0.5 * said, np.zeros(3 * RATE), 8 * said, np.zeros(3 * RATE))
    doubts = Doubts()
    cut = g711 if line == "telephone" else lambda audio: np.clip(audio, -1, 1)
    entries = listen(call_of(cut(np.concatenate(parts))), doubts=doubts)
    ((kind, start, end),) = marked(entries)
    begin = len(said) / RATE + 3
    assert kind == "clipping"
    assert begin - 0.1 <= start <= begin + 1.5
    assert begin + 0.6 * len(said) / RATE <= end <= begin + len(said) / RATE + 0.1
    assert not any(doubts.blurred[: round((LEAD + begin) * RATE / 512)])
    assert any(doubts.blurred)
    assert not any(doubts.seen)


def machine_then_ringing(talk: float = 0.0) -> tuple[Floats, Floats]:
    """A greeting, ringing, an agent's line; the customer speaks between greeting and ringing when told to."""
    greeting, agent = sample_line("calm_order", 0), sample_line("calm_order", 2)
    pause = np.zeros(round((talk + 1) * RATE))
    line = np.concatenate((greeting, pause, cadence(*RINGING["us"], 2), agent))
    said = voice("billing_dispute", 1)
    spoken = said[np.abs(said) > 0][: round(talk * RATE)] if talk else np.zeros(1)
    return line, np.concatenate((np.zeros(len(greeting) + RATE // 2), spoken))


def test_what_the_agents_channel_says_before_ringing_is_a_machine() -> None:
    line, _ = machine_then_ringing()
    entries = listen(call_of(line))
    opened, done = [region for region in events(entries, Region) if region.kind == "ivr"]
    (ringing,) = [region for region in closed(entries) if region.kind == "ringing"]
    assert (opened.open, done.open, opened.span, opened.channel) == (True, False, done.span, Channel.AGENT)
    assert (done.span.start, done.span.end) == (0, ringing.span.start)
    first, *_, last = events(entries, SpeechEnded)
    assert done.span.overlap(first.span) == first.span.length
    assert done.span.overlap(last.span) == 0


def test_a_second_ringing_takes_what_was_said_since_the_first() -> None:
    line, _ = machine_then_ringing()
    entries = listen(call_of(np.concatenate((line, np.zeros(RATE), cadence(*RINGING["us"], 2)))))
    one, two = [region for region in closed(entries) if region.kind == "ivr"]
    assert one.span.end == two.span.start
    assert all(
        one.span.overlap(each.span) + two.span.overlap(each.span) == each.span.length
        for each in events(entries, SpeechEnded)
    )


def test_after_a_conversation_ringing_makes_nobody_a_machine() -> None:
    greeting = sample_line("calm_order", 0)
    said = sample_line("billing_dispute", 1)
    wait = np.zeros(len(greeting) + RATE // 2)
    agent = np.concatenate((greeting, np.zeros(len(said) + RATE), cadence(*RINGING["us"], 2)))
    entries = listen(call_of(agent, np.concatenate((wait, said))))
    kinds = {region.kind for region in closed(entries)}
    assert kinds == {"ringing"}


def test_a_marked_hold_makes_nobody_a_machine() -> None:
    greeting = sample_line("calm_order", 0)
    hold = ((LEAD + len(greeting) / RATE + 0.5, Mark(kind="hold", channel=None)),)
    entries = listen(call_of(np.concatenate((greeting, np.zeros(RATE), music(6.0)))), inputs=hold)
    assert {region.kind for region in closed(entries)} == {"music"}


def test_every_region_is_closed_once_and_the_view_takes_it() -> None:
    parts = (
        dtmf([4]),
        np.zeros(2 * RATE),
        music(5.0),
        np.zeros(2 * RATE),
        noise(5.0),
        np.zeros(RATE),
        tone((425,), 9.0),
    )
    pcm = call_of(np.concatenate(parts))[: -4 * RATE]  # ends within the tone
    entries = listen(pcm)
    regions = {entry.n: entry.item for entry in entries if isinstance(entry.item, Region)}
    opened = [n for n, region in regions.items() if region.open]
    assert sorted(opened) == sorted(region.of or 0 for region in regions.values() if not region.open)
    for region in regions.values():
        if region.of is not None:
            first = regions[region.of]
            assert (first.kind, first.channel, first.span.start) == (region.kind, region.channel, region.span.start)
            assert region.span.end < len(pcm) + 512
    reducer = Reducer()
    for entry in entries:
        reducer.apply(entry)
    assert [region.kind for region in reducer.view.regions] == ["tones", "music", "noise", "tones"]
    assert not any(region.open for region in reducer.view.regions)


def test_events_do_not_depend_on_what_comes_after() -> None:
    pcm = call_of(np.concatenate((music(5.0), noise(4.0), cadence(*RINGING["uk"], 2))))
    cut = 9 * RATE // 512 * 512
    changed = pcm.copy()
    changed[cut:] = call_of(music(9.0, 140, "melody"))[: len(pcm) - cut][: len(pcm)].repeat(2, axis=0)[: len(pcm) - cut]
    before, after = (
        [e for e in listen(each) if e.at < cut and not isinstance(e.item, Mark)] for each in (pcm, changed)
    )
    assert before == after
    assert any(isinstance(entry.item, Region) for entry in before)


def test_noise_right_after_ringing_is_noise() -> None:
    found = marked(listen(call_of(np.concatenate((cadence(*RINGING["uk"], 2), noise(4.0))))))
    assert sorted(kind for kind, _, _ in found) == ["noise", "ringing"]
