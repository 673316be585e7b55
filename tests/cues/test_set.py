"""The labelled lines keep what their README says: schema, counts, unique texts, two unseen parts with every cue."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipeline.tokens import tokens

HERE = Path(__file__).parent
CUES = {
    "customer": "complaint repeat_contact not_heard urgency threat supervisor_request profanity insult sarcasm relief"
    " gratitude gives_name",
    "agent": "empathy paraphrase question defensive blame can_do refusal promise next_step follow_up resolution_check"
    " options sees_history offers_supervisor upsell wait_notice thanks apology goodwill feedback_invite",
}
Lines = list[dict[str, Any]]


def read(name: str) -> Lines:
    return [json.loads(line) for line in (HERE / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(params=sorted(CUES))
def role(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_line_has_the_schema(role: str) -> None:
    for line in read(role):
        assert set(line) == {"id", "role", "text", "labels", "hard", "part"}
        assert line["role"] == role
        assert line["id"][0] == role[0]
        assert set(line["labels"]) <= set(CUES[role].split()), line
        assert len(set(line["labels"])) == len(line["labels"])
        assert isinstance(line["hard"], bool)
        assert 1 <= len(line["text"].split()) <= 30, line
        assert line["text"] == line["text"].strip()


def test_no_two_lines_are_alike(role: str) -> None:
    lines = read(role)
    assert len({line["id"] for line in lines}) == len(lines)
    assert len({line["text"].lower() for line in lines}) == len(lines)


def test_there_are_enough_lines_of_each_kind(role: str) -> None:
    lines = read(role)
    counts = Counter(label for line in lines for label in line["labels"])
    assert len(lines) >= 330
    assert sum(not line["labels"] for line in lines) >= 0.33 * len(lines)
    assert sum(line["hard"] for line in lines) >= 60
    assert min(counts[cue] for cue in CUES[role].split()) >= 10


@pytest.mark.parametrize(("part", "lines_at_least", "each_at_least"), [("held", 320, 12), ("fresh", 330, 10)])
def test_an_unseen_part_has_enough_of_every_label_and_a_third_that_tempts(
    role: str, part: str, lines_at_least: int, each_at_least: int
) -> None:
    lines = [line for line in read(role) if line["part"] == part]
    counts = Counter(label for line in lines for label in line["labels"])
    assert len(lines) >= lines_at_least
    assert sum(line["hard"] for line in lines) >= len(lines) / 3
    assert min(counts[cue] for cue in CUES[role].split()) >= each_at_least


def test_there_is_no_part_that_the_readme_does_not_tell_of(role: str) -> None:
    assert {line["part"] for line in read(role)} == {"open", "spent", "held", "fresh"}


def test_a_quarter_of_the_fresh_part_is_written_as_a_recogniser_writes(role: str) -> None:
    texts = [line["text"] for line in read(role) if line["part"] == "fresh"]
    plain = [text for text in texts if text == text.lower() and not set(text) & set(",.;:?!")]
    assert len(plain) >= len(texts) / 4


def test_every_line_was_recognised(role: str) -> None:
    heard = read(f"{role}.recognised")
    assert [line["id"] for line in heard] == [line["id"] for line in read(role)]
    assert all(set(line) == {"id", "voice", "text"} for line in heard)


def test_no_line_to_learn_from_is_nearly_one_of_an_unseen_part(role: str) -> None:
    unseen = [_words(line) for line in read(role) if line["part"] in ("held", "fresh")]
    for line in read(f"{role}.tune"):
        words = _words(line)
        assert set(line["labels"]) <= set(CUES[role].split()), line
        assert all(len(words & other) < 0.7 * len(words | other) for other in unseen), line


def _words(line: dict[str, Any]) -> frozenset[str]:
    return frozenset(token.text for token in tokens(line["text"].split()) if not token.ends)
