"""``calmline cues``: the cues against their examples, and figures on labelled utterances."""

import json
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api import cli
from api.commands import console
from pipeline.channel import Channel
from pipeline.errors import BadInput
from pipeline.labelled import Labelled, read, score
from pipeline.learning import save
from pipeline.learnt import load_learnt
from pipeline.settings import Cues

KNOWN = frozenset(("threat", "gratitude"))


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> StringIO:
    monkeypatch.chdir(tmp_path)
    out = StringIO()
    monkeypatch.setattr(console.out, "_file", out)  # "file" would come back as what stdout was here
    return out


def lines(path: Path, entries: Sequence[Mapping[str, Any]]) -> str:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return str(path)


def said(text: str, *labels: str, **more: object) -> dict[str, object]:
    return {"role": "customer", "text": text, "labels": list(labels), **more}


def test_check_passes_on_what_is_shipped(printed: StringIO) -> None:
    assert cli.run(["cues", "check", "--json"]) == 0
    found = json.loads(printed.getvalue())
    assert found["wrong"] == []
    assert found["cues"] >= 32


def test_check_names_an_example_that_is_not_found(printed: StringIO, tmp_path: Path) -> None:
    ours = tmp_path / "ours.toml"
    ours.write_text('[[cue]]\nname = "outage"\nrole = "customer"\nphrases = ["no signal"]\nexamples = ["dead line"]')
    assert cli.run(["cues", "check", str(ours)]) == 1
    assert "outage: example not found: dead line" in printed.getvalue()


def test_check_says_what_is_wrong_with_a_file(
    printed: StringIO, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["cues", "check", str(tmp_path / "none.toml")]) == 2
    assert "none.toml: cannot be read as cues" in " ".join(capsys.readouterr().err.split())


def test_figures_of_a_labelled_file(printed: StringIO, tmp_path: Path) -> None:
    entries = [
        said("You will hear from my lawyer.", "threat"),
        said("It is Tuesday.", "threat"),
        said("I can't thank you enough.", hard=True),
        said("The postcode is one two three."),
    ]
    assert cli.run(["cues", "test", lines(tmp_path / "set.jsonl", entries), "--json"]) == 0
    found = json.loads(printed.getvalue())
    assert found["cues"]["threat"] == {
        "hits": 1, "false": 0, "missed": 1, "precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3)
    }  # fmt: skip
    assert (found["macro_f1"], found["hard"], found["hard_false"]) == (pytest.approx(2 / 3), 1, 1)
    assert (found["plain"], found["plain_false"]) == (1, 0)


def test_only_one_part_and_what_was_recognised(printed: StringIO, tmp_path: Path) -> None:
    entries = [said("x", "threat", id="1", part="open"), said("x", "gratitude", id="2", part="unseen")]
    heard = [{"id": "1", "text": "nothing"}, {"id": "2", "text": "Thank you so much."}]
    file, texts = lines(tmp_path / "set.jsonl", entries), lines(tmp_path / "heard.jsonl", heard)
    assert cli.run(["cues", "test", file, "--part", "unseen", "--texts", texts, "--json"]) == 0
    assert json.loads(printed.getvalue())["macro_f1"] == 1.0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"set.jsonl:2: no JSON"),
        ('{"role": "customer", "labels": []}', r"set.jsonl:2: text: Field required"),
        ('{"role": "boss", "text": "a", "labels": []}', r"set.jsonl:2: role: "),
        ('{"role": "customer", "text": "a", "labels": ["threads"]}', r"set.jsonl:2: unknown label 'threads'"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(json.dumps(said("fine")) + "\n" + line + "\n")
    with pytest.raises(BadInput, match=message):
        read(path, KNOWN)


def test_an_empty_file_is_no_set(tmp_path: Path) -> None:
    (tmp_path / "set.jsonl").touch()
    with pytest.raises(BadInput, match="holds no utterance"):
        read(tmp_path / "set.jsonl", KNOWN)


def test_the_mean_is_over_what_is_labelled() -> None:
    labelled = [Labelled(role=Channel.CUSTOMER, text="a", labels=frozenset({"threat"}))]
    result = score(labelled, lambda role, text: frozenset({"threat", "gratitude"}))
    assert result.macro_f1 == 1.0
    assert result.cues["gratitude"].precision == 0.0


def test_train_writes_weights_that_the_finder_reads(printed: StringIO, tmp_path: Path) -> None:
    file = lines(tmp_path / "set.jsonl", [said("You will hear from my lawyer.", "threat"), said("It is Tuesday.")])
    assert cli.run(["cues", "train", file, "--out", str(tmp_path / "ours.npz")]) == 0
    assert printed.getvalue().startswith("learnt from 2 utterances")
    assert load_learnt(Cues(weights=str(tmp_path / "ours.npz")))[Channel.CUSTOMER].names == ("threat",)


def test_train_says_where_it_cannot_write(tmp_path: Path) -> None:
    learnt = {"format": np.array(1)}
    with pytest.raises(BadInput, match=r"missing/ours\.npz: cannot be written: No such file"):
        save(learnt, tmp_path / "missing" / "ours.npz")
