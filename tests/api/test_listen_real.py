"""``calmline listen`` for real: a sound server of the test's own plays a sample call into a null sink."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import soundfile
import soxr

import sample_audio
from api.cli import run
from pipeline.view import View
from tests.pipeline.pulse import null_sink

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
