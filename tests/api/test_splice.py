"""``splice``: what is put where, how loud, over which line, and what is said of bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from api.cli import run
from api.splicing import active_dbfs, fitted, splice
from tests.synth import Line, build

RATE = 8_000


def tone(seconds: float, level: float = -20.0, rate: int = RATE, hertz: float = 700.0) -> np.ndarray:
    """A sine of this RMS level in dBFS."""
    time = np.arange(round(seconds * rate)) / rate
    return np.sqrt(2) * 10 ** (level / 20) * np.sin(2 * np.pi * hertz * time)


@pytest.fixture
def call(tmp_path: Path) -> Path:
    lines = [Line("customer", 1 + 4 * i, 2.5, level_dbfs=-31) for i in range(5)]
    pcm, _ = build([*lines, Line("agent", 4, 0.5)], 24, telephone=True)
    path = tmp_path / "call.wav"
    soundfile.write(path, pcm[::2], RATE, subtype="ULAW")
    return path


@pytest.fixture
def index(tmp_path: Path) -> Path:
    rows = ["path,corpus,speaker,emotion"]
    for corpus, speaker, emotion, seconds in (
        ("a", "1", "anger", 2.0),
        ("a", "1", "anger", 1.0),
        ("a", "1", "happy", 1.5),
        ("a", "2", "anger", 1.0),
        ("b", "1", "anger", 1.0),
    ):
        name = f"{len(rows)}.wav"
        soundfile.write(tmp_path / name, tone(seconds, rate=16_000, hertz=500 + 50 * len(rows)), 16_000)
        rows.append(f"{name},{corpus},{speaker},{emotion}")
    path = tmp_path / "clips.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def spliced(call: Path, index: Path, *more: str, out: str = "out.wav") -> int:
    target = str(call.parent / out)
    return run(["splice", "--calm", str(call), "--angry", str(index), "--out", target, *more])


def test_active_level_leaves_pauses_out() -> None:
    speech = np.concatenate([tone(1, -20), np.zeros(3 * RATE), tone(1, -20), tone(1, -60)])
    assert active_dbfs(np.full(RATE, 1e-5)) is None
    assert active_dbfs(speech) == pytest.approx(-20, abs=0.4)
    assert active_dbfs(np.zeros(RATE)) is None


def test_a_clip_gets_the_level_that_is_asked_for_and_never_clips() -> None:
    assert active_dbfs(fitted(tone(2, -8), RATE, RATE, -31.0)) == pytest.approx(-31, abs=0.5)
    assert np.max(np.abs(fitted(tone(2), RATE, RATE, 10.0))) < 1


def test_clips_lie_one_after_the_other_and_nothing_else_changes() -> None:
    rng = np.random.default_rng(1)
    before = rng.uniform(-0.1, 0.1, (10 * RATE, 2))
    clips = [tone(1), tone(2)]
    after, stretches = splice(before, 1, clips, 3 * RATE, RATE // 2, -80.0)
    assert stretches == [(3 * RATE, 4 * RATE), (int(4.5 * RATE), int(6.5 * RATE))]
    assert np.array_equal(after[:, 0], before[:, 0])
    assert np.array_equal(after[: 3 * RATE, 1], before[: 3 * RATE, 1])
    assert np.array_equal(after[int(6.5 * RATE) :, 1], before[int(6.5 * RATE) :, 1])
    assert np.allclose(after[3 * RATE : 4 * RATE, 1], clips[0], atol=0.001)
    assert np.max(np.abs(after[4 * RATE : int(4.5 * RATE), 1])) < 0.001


def test_what_would_outlast_the_call_is_left_out() -> None:
    _, stretches = splice(np.zeros((4 * RATE, 2)), 1, [tone(2), tone(2), tone(0.5)], RATE, 0, -80.0)
    assert stretches == [(RATE, 3 * RATE)]


def test_the_call_comes_back_on_the_same_line_with_its_truth(call: Path, index: Path) -> None:
    assert spliced(call, index, "--at", "8", "--speaker", "a/1") == 0
    info = soundfile.info(call.parent / "out.wav")
    assert (info.samplerate, info.subtype, info.channels) == (RATE, "ULAW", 2)
    truth = json.loads((call.parent / "out.truth.json").read_text())
    assert [(each["begin_ms"], each["end_ms"]) for each in truth["states"]] == [(8000, 10000), (10400, 11400)]
    assert {(each["state"], each["speaker"], each["channel"]) for each in truth["states"]} == {
        ("anger", "a/1", "customer")
    }
    before, after = (soundfile.read(call.parent / name)[0] for name in (call.name, "out.wav"))
    customer = active_dbfs(before[:, 1])
    assert active_dbfs(after[8 * RATE : 10 * RATE, 1]) == pytest.approx(customer, abs=0.7)
    assert np.array_equal(before[:, 0], after[:, 0])


def test_the_customer_may_be_on_the_left(call: Path, index: Path) -> None:
    assert spliced(call, index, "--at", "8", "--speaker", "a/2", "--agent-channel", "right") == 0
    before, after = (soundfile.read(call.parent / name)[0] for name in (call.name, "out.wav"))
    assert np.array_equal(before[:, 1], after[:, 1])
    assert not np.array_equal(before[:, 0], after[:, 0])


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--at", "8"), "choose one with --speaker: a/1, a/2, b/1"),
        (("--at", "8", "--speaker", "1"), "has 2 such speakers"),
        (("--at", "8", "--speaker", "nobody"), "has no speaker 'nobody'"),
        (("--at", "8", "--speaker", "a/2", "--emotion", "happy"), "--emotion one of anger"),
        (("--at", "99", "--speaker", "a/1"), "lasts 24.0 s"),
        (("--at", "23.5", "--speaker", "a/1"), "too short for a clip"),
    ],
)
def test_bad_wishes(
    call: Path, index: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], says: str
) -> None:
    assert spliced(call, index, *more) == 2
    assert says in " ".join(capsys.readouterr().err.split())
    assert not (call.parent / "out.wav").exists()


def test_bad_files(call: Path, index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(says: str, *arguments: Path, out: str = "out.wav") -> None:
        assert spliced(*arguments, "--at", "8", "--speaker", "a/1", out=out) == 2
        assert says in " ".join(capsys.readouterr().err.split())

    refused("No such file", call, call.parent / "none.csv")
    index.write_text("path,emotion\n1.wav,anger\n")
    refused("no column corpus, speaker", call, index)
    index.write_text("path,corpus,speaker,emotion\n")
    refused("has no speaker", call, index)
    index.write_text("path,corpus,speaker,emotion\ngone.wav,a,1,anger\n")
    refused("there is no file", call, index)
    refused("end it with .wav", call, index, out="out.flac")
    mono = call.parent / "mono.wav"
    soundfile.write(mono, tone(20), RATE)
    index.write_text("path,corpus,speaker,emotion\n1.wav,a,1,anger\n")
    refused("one channel", mono, index)
    spliced(call, index, "--at", "8", "--speaker", "a/1")
    capsys.readouterr()
    refused("--force overwrites it", call, index)
