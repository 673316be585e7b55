"""``calmline score-turns``: a sample call against its truth, with the real fast lane, and truth files that are none."""

import json

import numpy as np
import pytest
import soundfile

import sample_audio
from api.cli import run
from api.commands import truth_file
from pipeline.channel import Channel
from pipeline.timebase import samples

CALL = sample_audio.path("impatient_agent")
TRUTH = CALL.with_suffix(".truth.json")
MINUTE = samples(60)


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CALMLINE_STORAGE__FOLDER", str(tmp_path / "calls"))


def test_a_sample_call_is_scored(capsys):
    assert run(["score-turns", str(CALL), str(TRUTH), "--no-words", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["agent_channel"], result["words"]) == ("left", False)
    every = result["all"]
    assert every["interruptions"]["hits"] + every["interruptions"]["missed"] == 3
    assert every["interruptions"]["f1"] == 1
    assert every["interrupter"]["share"] == 1
    assert 0 < every["bounds_ms"]["p50"] < 100
    assert every["talk"]["agent"]["true_ms"] == pytest.approx(37_850, abs=300)
    assert result["clear"]["doubtful"] >= 0


def test_the_report_is_for_people(capsys):
    assert run(["score-turns", str(CALL), str(TRUTH), "--no-words"]) == 0
    out = capsys.readouterr().out
    assert "impatient_agent.flac · agent left · without words" in out
    assert "interrupter named rightly" in out
    assert "talk time of customer" in out
    assert max(map(len, out.splitlines())) < 160


def test_with_the_sides_exchanged_nobody_is_blamed_rightly(capsys):
    arguments = ["score-turns", str(CALL), str(TRUTH), "--no-words", "--json", "--agent-channel", "right"]
    assert run(arguments) == 0
    every = json.loads(capsys.readouterr().out)["all"]
    assert every["interrupter"] == {"right": 0, "of": 3, "share": 0}


def spans(*pairs):
    return [{"begin_ms": begin, "end_ms": end} for begin, end in pairs]


def write(tmp_path, **changes):
    table = {"speech": {"agent": spans((0, 8000)), "customer": spans((3000, 5000))}} | changes
    path = tmp_path / "truth.json"
    path.write_text(json.dumps({key: value for key, value in table.items() if value is not None}))
    return path


def test_kinds_that_are_not_told_follow_from_the_speech(tmp_path):
    (known,) = truth_file.read(write(tmp_path), MINUTE, 0.1).overlaps
    assert (known.kind, known.interrupter) == ("interruption", Channel.CUSTOMER)


def test_kinds_that_are_told_are_the_truth(tmp_path):
    told = [{"begin_ms": 3000, "end_ms": 5000, "kind": "completion", "interrupter": "customer", "cut": False}]
    (known,) = truth_file.read(write(tmp_path, overlaps=told), MINUTE, 0.1).overlaps
    assert (known.kind, known.shown, known.clear) == ("completion", True, True)


def test_the_file_says_where_the_agent_is(tmp_path):
    assert truth_file.agent_channel(write(tmp_path, agent_channel="right")) == "right"
    assert truth_file.agent_channel(write(tmp_path)) is None


OVERLAP = {"begin_ms": 3000, "end_ms": 5000, "kind": "overlap", "interrupter": "agent", "cut": False}
BAD = [
    pytest.param({"speech": None}, "'speech' is missing", id="no speech"),
    pytest.param({"speech": {"agent": []}}, "'customer' is missing", id="one party"),
    pytest.param({"speech": {"agent": [{"begin_ms": 1}], "customer": []}}, "'end_ms' is missing", id="no end"),
    pytest.param({"speech": {"agent": spans((5, 2)), "customer": []}}, "5 to 2 ms is no stretch", id="backwards"),
    pytest.param({"speech": {"agent": spans((-5, 2)), "customer": []}}, "-5 to 2 ms is no stretch", id="negative"),
    pytest.param({"speech": {"agent": spans((0, 93_900)), "customer": []}}, "after the audio", id="after the end"),
    pytest.param({"speech": {"agent": spans(("a", 2)), "customer": []}}, "must be numbers, not 'a'", id="text"),
    pytest.param({"speech": {"agent": [7], "customer": []}}, "where they do not belong", id="numbers for spans"),
    pytest.param({"speech": []}, "where they do not belong", id="a list"),
    pytest.param({"overlaps": [OVERLAP | {"kind": "quarrel"}]}, "'quarrel' is no kind of overlap", id="kind"),
    pytest.param({"overlaps": [OVERLAP | {"interrupter": "left"}]}, "'left' interrupts nobody", id="interrupter"),
    pytest.param({"agent_channel": "top"}, "agent_channel is 'top'", id="side"),
]


@pytest.mark.parametrize(("changes", "said"), BAD)
def test_a_bad_truth_file_gets_one_line(tmp_path, capsys, changes, said):
    path = write(tmp_path, **changes)
    assert run(["score-turns", str(CALL), str(path), "--no-words"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert str(path) in line


@pytest.mark.parametrize(("text", "said"), [("{", "is not JSON"), ("[]", "holds no JSON object")])
def test_a_file_that_is_no_table_gets_one_line(tmp_path, capsys, text, said):
    path = tmp_path / "truth.json"
    path.write_text(text)
    assert run(["score-turns", str(CALL), str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_truth_file_that_is_not_there(capsys):
    assert run(["score-turns", str(CALL), "nowhere.json"]) == 2
    assert capsys.readouterr().err == "calmline: nowhere.json: no such file; check the name\n"


def test_a_mono_recording_is_refused(tmp_path, capsys):
    soundfile.write(tmp_path / "mono.wav", np.zeros(16_000), 16_000)
    assert run(["score-turns", "mono.wav", str(TRUTH)]) == 2
    assert "has one channel" in capsys.readouterr().err
