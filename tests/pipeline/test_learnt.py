"""What labelled lines teach: the same each time, told with the words that said most, outweighed by nothing stated."""

from pathlib import Path

import numpy as np
import pytest

from models import sentences
from models.errors import ModelError
from pipeline import learning
from pipeline.channel import Channel
from pipeline.cuebook import load_cues
from pipeline.cues import Finder, Found
from pipeline.errors import BadInput
from pipeline.labelled import Labelled
from pipeline.learnt import features, from_middle, load_learnt
from pipeline.settings import Cues
from pipeline.tokens import tokens

A, C = Channel.AGENT, Channel.CUSTOMER
LINES = (
    ("I will take you to court over this.", "threat"),
    ("My lawyer is going to write to you.", "threat"),
    ("You leave me no choice but to sue.", "threat"),
    ("Thank you, that was kind.", "gratitude"),
    ("Thanks a lot for your help.", "gratitude"),
    ("I am so grateful to you.", "gratitude"),
    ("My lawyer lives next door.", ""),
    ("The court is behind the station.", ""),
    ("It is Tuesday today.", ""),
)


@pytest.fixture(scope="module")
def lines() -> list[Labelled]:
    return [Labelled(role=C, text=text, labels=frozenset((name,) if name else ())) for text, name in LINES]


@pytest.fixture(scope="module")
def weights(lines: list[Labelled], tmp_path_factory: pytest.TempPathFactory) -> Cues:
    path = tmp_path_factory.mktemp("learnt") / "ours.npz"
    learning.save(learning.train(lines), path)
    return Cues(weights=str(path))


def said(text: str, settings: Cues, role: Channel = C) -> list[Found]:
    return Finder(load_cues(settings), settings).find(role, text.split())


def test_the_lines_that_were_learnt_are_known(weights: Cues) -> None:
    learnt = load_learnt(weights)[C]
    for text, name in LINES:
        scores = learnt.weigh(tokens(text.split()))
        assert {cue for cue, score in scores.items() if score > 0} == ({name} - {""}), (text, scores)


def test_the_same_lines_give_the_same_weights(lines: list[Labelled]) -> None:
    one, other = learning.train(lines), learning.train(lines)
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_what_no_phrase_shows_is_found_with_the_words_that_said_most() -> None:
    text = "Well the thing is, I feel like nobody there wants to hear me."
    (found,) = said(text, Cues())
    assert (found.name, found.how) == ("not_heard", "lines")
    assert "not_heard" not in {each.name for each in said(text, Cues(meaning=False))}
    assert 0 <= found.first <= found.last <= 12


def test_a_phrase_that_tempts_is_outweighed() -> None:
    tempting = "I'm going to leave the key with the neighbour."
    assert "threat" not in {found.name for found in said(tempting, Cues())}


def test_a_phrase_of_the_deployment_is_outweighed_by_nothing(tmp_path: Path) -> None:
    ours = tmp_path / "ours.toml"
    ours.write_text('[[cue]]\nname = "threat"\nphrases = ["key with the neighbour"]')
    text = "I'm going to leave the key with the neighbour."
    assert "threat" in {found.name for found in said(text, Cues(files=(str(ours),)))}


def test_a_role_that_nothing_was_learnt_of_keeps_its_phrases(weights: Cues) -> None:
    assert "apology" in {found.name for found in said("I'm so sorry about that.", weights, A)}


def test_features_know_where_they_come_from() -> None:
    found = {name: (first, last) for name, first, last in features(tokens(["you", "never", "Listen"]))}
    assert found["w:<s> you"] == (0, 0)
    assert found["w:never @n"] == (1, 2)
    assert found["g:you _ @n"] == (0, 2)
    assert found["c:^nev"] == (1, 1)


def test_nothing_said_is_no_cue() -> None:
    assert said("", Cues()) == []
    assert said("Um, uh.", Cues()) == []


def test_other_files_are_no_weights(tmp_path: Path) -> None:
    path = tmp_path / "ours.npz"
    with pytest.raises(BadInput, match=r"ours\.npz: cannot be read: No such file"):
        load_cues(Cues(weights=str(path)))
    path.write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(BadInput, match=r"ours\.npz: no weights of `calmline cues train`"):
        load_learnt(Cues(weights=str(path)))
    np.savez(path, format=np.array(0))
    with pytest.raises(BadInput, match="format 0 is not 2: train them anew"):
        load_learnt(Cues(weights=str(path)))


def test_lines_without_a_label_teach_nothing() -> None:
    with pytest.raises(BadInput, match="nothing to learn"):
        learning.train([Labelled(role=C, text="It is Tuesday.", labels=frozenset())])


def test_other_weights_are_another_book(weights: Cues) -> None:
    assert load_cues(weights).sha256 != load_cues().sha256
    assert load_cues(Cues(meaning=False)).sha256 != load_cues().sha256


def test_the_network_is_known_by_its_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sentences.PINS, sentences.VOCABULARY, "0" * 64)
    with pytest.raises(ModelError, match="is not the file that is known"):
        sentences._file(*sentences.VOCABULARY)
    with pytest.raises(ModelError, match="reinstall the package no-such-package"):
        sentences._file("no-such-package", "a")


def test_a_meaning_depends_on_no_other_text() -> None:
    texts = ["Nobody listens to me.", "It is Tuesday.", "a " * 600]
    together = sentences.vectors(texts)
    assert together.shape == (3, sentences.SIZE)
    assert np.allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-5)
    assert np.array_equal(together[1], sentences.vectors(texts[1:2])[0])
    assert sentences.vectors([]).shape == (0, sentences.SIZE)


def test_half_way_the_network_knows_something_else_and_its_end_stays_as_it_was() -> None:
    """Each from the file alone, whose bytes the addition must leave as they are."""
    import onnxruntime  # type: ignore[import-untyped,unused-ignore]

    text = "Nobody listens to me."
    plain = onnxruntime.InferenceSession(sentences._file(*sentences.NETWORK), providers=["CPUExecutionProvider"])
    pieces = np.array([sentences._loaded()[1].encode(text).ids], np.int64)
    ones, zeros = np.ones_like(pieces), np.zeros_like(pieces)
    states = plain.run(None, {"input_ids": pieces, "attention_mask": ones, "token_type_ids": zeros})
    mean = states[0][0].mean(axis=0)
    assert np.allclose(sentences.vectors([text])[0], mean / np.linalg.norm(mean), atol=1e-5)
    half = sentences.halfway([text, "It is Tuesday."])
    assert half.shape == (2, sentences.SIZE)
    assert np.array_equal(half[0], sentences.halfway([text])[0])
    assert not np.allclose(half[0], mean, atol=0.1)
    assert sentences.halfway([]).shape == (0, sentences.SIZE)


def test_what_lies_in_the_middle_of_all_lines_has_no_direction_and_no_fault() -> None:
    middle = np.full(sentences.SIZE, 0.5, np.float32)
    found = from_middle(np.stack([middle, middle * 3]), middle)
    assert not found[0].any()
    assert np.linalg.norm(found[1]) == pytest.approx(1.0)
