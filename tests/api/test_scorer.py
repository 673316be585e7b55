"""Which set of weights judges voices: what is said of it at start-up and by doctor, and what goes wrong with it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from api.commands import doctor
from api.commands.context import say_scorer
from api.config import load
from pipeline.errors import EngineFault
from pipeline.graph import WEIGHTS, load_affect
from pipeline.graph import load as load_engines
from pipeline.settings import Scores
from tests.fakes import fake_engines
from tests.pipeline.affect import toned


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_one_line_says_what_was_not_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    say_scorer(load(), fake_engines())
    told = capsys.readouterr().err.strip()
    assert told.count("\n") == 0
    assert f"the set {Scores().model}" in told
    assert "not for commercial use" in told


def test_nothing_is_said_of_what_was_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    say_scorer(load(scores={"model": "formula"}), fake_engines())
    assert capsys.readouterr().err == ""


def test_doctor_tells_the_set() -> None:
    found = doctor.CHECKS["scores"](load(scores={"model": "formula"}))
    assert (found.state, found.detail) == ("ok", "formula, SHA-256 verified")
    nobody = doctor.CHECKS["scores"](load(policy="measures-only"))
    assert "not used" in nobody.detail


def test_doctor_warns_of_a_set_that_was_trained_on_another_recogniser(tmp_path: Path) -> None:
    toned(tmp_path / "set")
    found = doctor.CHECKS["scores"](load(scores={"model": str(tmp_path / "set")}))
    assert found.state == "warn"
    assert "words.model to fake" in found.remedy


def test_a_set_that_is_damaged_or_missing_is_an_engine_fault(tmp_path: Path) -> None:
    for name in ("weights.npz", "model.json"):
        shutil.copy(WEIGHTS / "formula" / name, tmp_path / name)
    config = load(scores={"model": str(tmp_path)}, policy="standard")
    assert load_affect(config.settings) is not None
    (tmp_path / "weights.npz").write_bytes(b"nothing")
    with pytest.raises(EngineFault, match=r"weights\.npz"):
        load_engines(config.settings, tmp_path)
    config = load(scores={"model": str(tmp_path / "none")})
    with pytest.raises(EngineFault, match="none"):
        load_engines(config.settings, tmp_path)
