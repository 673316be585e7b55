"""The sample calls are what their manifest and their truth say."""

from __future__ import annotations

import hashlib
import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import soundfile as sf

import sample_audio

NAMES = ("billing_dispute", "calm_order", "impatient_agent", "insulted_agent", "leaving_customer")
CHANNELS = ("agent", "customer")
Truth = dict[str, Any]
Pair = tuple[int, int]


def truth_of(name: str) -> Truth:
    loaded: Truth = json.loads(sample_audio.path(name).with_suffix(".truth.json").read_text(encoding="utf-8"))
    return loaded


def pairs(rows: list[dict[str, int]]) -> list[Pair]:
    return [(row["begin_ms"], row["end_ms"]) for row in rows]


def crossings(one: list[Pair], two: list[Pair]) -> list[Pair]:
    both = [(max(a, c), min(b, d)) for a, b in one for c, d in two]
    return sorted((a, b) for a, b in both if b > a)


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def truth(name: str) -> Truth:
    return truth_of(name)


def test_names_are_those_of_the_calls() -> None:
    assert tuple(sample_audio.names()) == NAMES


def test_an_unknown_call_is_refused() -> None:
    with pytest.raises(KeyError, match="no sample call"):
        sample_audio.path("none")


def test_the_manifest_has_the_hash_and_length_of_every_file() -> None:
    entries = json.loads((sample_audio.HERE / "manifest.json").read_text(encoding="utf-8"))["files"]
    assert [entry["file"] for entry in entries] == [f"{name}.flac" for name in NAMES]
    for entry in entries:
        file = sample_audio.HERE / entry["file"]
        assert hashlib.sha256(file.read_bytes()).hexdigest() == entry["sha256"]
        assert sf.info(file).duration == entry["seconds"]
        assert entry["licence"] == "Apache-2.0"
        assert len(entry["voice_licences"]) == len(set(entry["voices"].values()))


def test_the_format_is_that_of_a_telephone_call(name: str, truth: Truth) -> None:
    info = sf.info(sample_audio.path(name))
    assert (info.samplerate, info.channels, info.subtype, info.format) == (8000, 2, "PCM_16", "FLAC")
    assert round(info.duration * 1000) == truth["duration_ms"]
    assert 60 <= info.duration <= 150
    assert sample_audio.path(name).stat().st_size < 2_000_000


def test_only_mu_law_levels_occur_and_nothing_clips(name: str) -> None:
    audio, _ = sf.read(sample_audio.path(name), dtype="int16")
    assert len(np.unique(np.abs(audio))) <= 128
    assert int(np.max(np.abs(audio.astype(int)))) < 32124


def test_spans_are_ordered_and_inside_the_call(truth: Truth) -> None:
    rows = [*truth["lines"], *truth["overlaps"], *truth["silences"], *truth["states"]]
    rows += [row for who in CHANNELS for row in truth["speech"][who]]
    assert all(0 <= row["begin_ms"] < row["end_ms"] <= truth["duration_ms"] for row in rows)


def test_a_channel_never_overlaps_itself(truth: Truth) -> None:
    lists = [pairs(truth["speech"][who]) for who in CHANNELS]
    lists += [pairs([line for line in truth["lines"] if line["channel"] == who]) for who in CHANNELS]
    for spans in lists:
        assert all(one[1] <= two[0] for one, two in pairwise(spans))


def test_speech_lies_inside_the_lines(truth: Truth) -> None:
    for who in CHANNELS:
        lines = pairs([line for line in truth["lines"] if line["channel"] == who])
        for begin, end in pairs(truth["speech"][who]):
            assert any(a <= begin and end <= b for a, b in lines)
        assert {a for a, _ in lines} <= {a for a, _ in pairs(truth["speech"][who])}


def test_overlaps_follow_from_speech(truth: Truth) -> None:
    agent, customer = (pairs(truth["speech"][who]) for who in CHANNELS)
    long = [span for span in crossings(agent, customer) if span[1] - span[0] >= 250]
    assert long == pairs(truth["overlaps"])


def test_overlap_kinds_follow_the_rules(truth: Truth) -> None:
    for row in truth["overlaps"]:
        length = row["end_ms"] - row["begin_ms"]
        if row["kind"] == "backchannel":
            assert length <= 1000
            assert not row["cut"]
        elif row["kind"] == "interruption":
            assert length >= 1000 or row["cut"]
        else:
            assert not row["cut"]
            assert length < 1000


def test_silences_follow_from_speech(truth: Truth) -> None:
    spoken = sorted(span for who in CHANNELS for span in pairs(truth["speech"][who]))
    found, at = [], 0
    for begin, end in [*spoken, (truth["duration_ms"], truth["duration_ms"])]:
        if begin - at > 3000:
            found.append((at, begin))
        at = max(at, end)
    assert found == pairs(truth["silences"])


def test_wpm_is_words_over_own_speaking_time(truth: Truth) -> None:
    for who in CHANNELS:
        words = sum(line["words"] for line in truth["lines"] if line["channel"] == who)
        minutes = sum(end - begin for begin, end in pairs(truth["speech"][who])) / 60_000
        assert truth["wpm"][who] == pytest.approx(words / minutes, abs=0.05)


def test_words_count_the_text(truth: Truth) -> None:
    for line in truth["lines"]:
        assert line["words"] == len(line["text"].split()) - line["text"].endswith("-")


def test_speech_is_loud_and_the_rest_is_line_noise(name: str, truth: Truth) -> None:
    audio, rate = sf.read(sample_audio.path(name), dtype="float64")
    for column, who in enumerate(CHANNELS):
        heard = np.zeros(len(audio), dtype=bool)
        for begin, end in pairs(truth["speech"][who]):
            heard[begin * rate // 1000 : end * rate // 1000] = True
        loud, quiet = (10 * np.log10(np.mean(audio[mask, column] ** 2)) for mask in (heard, ~heard))
        assert loud > -32
        assert -62 < quiet < -52


def test_levels_are_as_acted(name: str, truth: Truth) -> None:
    audio, rate = sf.read(sample_audio.path(name), dtype="float64")
    base = []
    for line in truth["lines"]:
        if line["words"] < 4:
            continue
        part = audio[line["begin_ms"] * rate // 1000 : line["end_ms"] * rate // 1000, CHANNELS.index(line["channel"])]
        base.append(10 * np.log10(np.mean(part**2)) - line["level_db"])
    assert max(base) - min(base) < 1.5


def test_the_calm_call_has_only_backchannels() -> None:
    assert {row["kind"] for row in truth_of("calm_order")["overlaps"]} == {"backchannel"}


def test_the_dispute_escalates_and_calms() -> None:
    truth = truth_of("billing_dispute")
    own = [line for line in truth["lines"] if line["channel"] == "customer"]
    first = next(line["begin_ms"] for line in own if line["state"] != "calm")
    assert sum(min(b, first) - a for a, b in pairs(truth["speech"]["customer"]) if a < first) >= 15_000
    taken = [row for row in truth["overlaps"] if row["kind"] == "interruption"]
    assert 2 <= len(taken) <= 4
    assert {row["interrupter"] for row in taken} == {"agent"}
    assert any(row["cut"] for row in taken)
    assert any(row["end_ms"] - row["begin_ms"] >= 1000 for row in taken)
    peak, calm = (max(line["f0_median_hz"] for line in own if line["state"] == state) for state in ("angry", "calm"))
    assert peak > 1.25 * calm
    assert own[-1]["state"] == "calm"


def test_the_impatient_agent_leaves_a_long_silence() -> None:
    truth = truth_of("impatient_agent")
    assert any(end - begin > 5000 for begin, end in pairs(truth["silences"]))
    said = " ".join(line["text"].lower() for line in truth["lines"] if line["channel"] == "agent")
    assert "calm down" in said
    assert "that is not my fault" in said


@pytest.mark.parametrize("name", ["insulted_agent", "leaving_customer"])
def test_the_agents_who_do_well_cut_nobody_off_and_leave_nobody_waiting(name: str) -> None:
    truth = truth_of(name)
    assert truth["overlaps"] == truth["silences"] == []
    assert {line["state"] for line in truth["lines"] if line["channel"] == "agent"} == {"calm"}
    assert "angry" in {line["state"] for line in truth["lines"] if line["channel"] == "customer"}
    assert truth["lines"][-1]["state"] == "calm"
