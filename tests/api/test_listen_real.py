"""``calmline listen`` for real: a sound server of the test's own plays a sample call into a null sink."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import soundfile
import soxr

import sample_audio
from api.cli import run
from pipeline.events import SpeechEnded
from pipeline.journal import read_entries
from pipeline.timebase import ms
from pipeline.view import View
from tests.pipeline.pulse import again, null_sink, server_pid

SECONDS = 24
PATIENCE_S = 120


def spoken() -> bytes:
    """The first seconds of the calm order, 16 kHz stereo."""
    audio, rate = soundfile.read(sample_audio.path("calm_order"), frames=SECONDS * 8000, dtype="float32")
    pcm = soxr.resample(audio, rate, 16_000)
    return (pcm * 32767).astype("<i2").tobytes()


def listen(folder: Path) -> tuple[int, str]:
    """Exit code and what ``listen`` printed while the call was played to it."""
    command = [sys.executable, "-m", "api.cli", "listen", "--device", "pulse", "--call-id", "heard", "--no-page"]
    with null_sink() as env:
        env = {**env, "CALMLINE_STORAGE__FOLDER": str(folder)}
        listener = subprocess.Popen(
            [*command, "--seconds", str(SECONDS + 3)],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        assert listener.stderr is not None
        while "listening to" not in (line := listener.stderr.readline()):
            assert line, "listen ended before it listened"
        player = ["pacat", "--playback", "--raw", "--format=s16le", "--rate=16000", "--channels=2", "--device=call"]
        subprocess.run(player, env=env, input=spoken(), check=True, timeout=PATIENCE_S)
        out, _ = listener.communicate(timeout=PATIENCE_S)
        return listener.returncode, out


def test_a_call_played_to_a_sound_device_is_heard_transcribed_and_verified(tmp_path: Path, capsys, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    code, out = listen(tmp_path)
    assert code == 0, out
    monkeypatch.setenv("CALMLINE_STORAGE__FOLDER", str(tmp_path))
    assert run(["replay", "heard", "--json"]) == 0
    view: View = json.loads(capsys.readouterr().out)
    text = dict.fromkeys(("agent", "customer"), "")
    for line in view["transcript"]:  # type: ignore[index]
        text[line["channel"]] += " " + line["text"].lower()
    assert "lovely idea" in text["agent"]
    assert "birthday" in text["customer"]
    assert view["gaps"] == []  # type: ignore[index]
    assert [overlap["kind"] for overlap in view["overlaps"]] == ["backchannel"]  # type: ignore[index]
    assert run(["replay", "heard", "--verify"]) == 0


def test_a_device_that_goes_away_and_returns_is_told_and_heard_again(tmp_path: Path, capsys, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """The sound server is ended in the middle of a call, and started again."""
    command = [sys.executable, "-m", "api.cli", "listen", "--device", "pulse", "--call-id", "heard", "--no-page"]
    player = ["pacat", "--playback", "--raw", "--format=s16le", "--rate=16000", "--channels=2", "--device=call"]
    played = spoken()[: 6 * 64_000]
    with null_sink() as env:
        env = {**env, "CALMLINE_STORAGE__FOLDER": str(tmp_path), "CALMLINE_POLICY__WORDS": "false"}
        with subprocess.Popen(
            command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as listener:
            try:
                until(listener, "listening to")
                subprocess.run(player, env=env, input=played, check=True, timeout=PATIENCE_S)
                os.kill(server_pid(env), signal.SIGTERM)
                until(listener, "the sound device 'pulse' is gone; waiting for it")
                with again(env):
                    until(listener, "the sound device 'pulse' is back after")
                    subprocess.run(player, env=env, input=played, check=True, timeout=PATIENCE_S)
                    listener.send_signal(signal.SIGINT)
                    _, err = listener.communicate(timeout=PATIENCE_S)
            finally:
                listener.kill()
    assert listener.returncode == 0, err
    assert "Traceback" not in err
    monkeypatch.setenv("CALMLINE_STORAGE__FOLDER", str(tmp_path))
    assert run(["replay", "heard", "--json"]) == 0
    view = json.loads(capsys.readouterr().out)
    gaps = [gap for gap in view["gaps"] if gap["channel"] == "agent" and gap["end_ms"] - gap["begin_ms"] > 100]
    assert gaps, "the gap is in the view"
    begin, end = gaps[0]["begin_ms"], gaps[-1]["end_ms"]
    entries = read_entries(tmp_path / "heard" / "journal.jsonl")
    talks = [ms(entry.item.span.start) for entry in entries if isinstance(entry.item, SpeechEnded)]
    assert min(talks) < begin, "heard before it"
    assert max(talks) > end, "and behind it"
    assert not any(begin < at < end for at in talks)
    assert run(["replay", "heard", "--verify"]) == 0


def until(process: subprocess.Popen[str], text: str) -> None:
    assert process.stderr is not None
    while text not in (line := process.stderr.readline()):
        assert line, f"it ended before it said {text!r}"
