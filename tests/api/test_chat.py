"""``calmline analyze`` on chats: report, JSON, journal and replay as of any call; a bad one leaves the others."""

import json
from pathlib import Path

import pytest

from api.cli import run
from api.commands import context
from tests.pipeline.drive import engines

LINES = [
    ("agent", "14:00:00", "Hello, how can I help?"),
    ("customer", "14:00:20", "This is the third time I am writing about the same charge."),
    ("agent", "14:00:50", "Unfortunately that is our policy."),
    ("customer", "14:01:20", "I want to speak to your supervisor."),
    ("agent", "14:02:00", "Of course, she will write to you today."),
]


@pytest.fixture
def chat(tmp_path, monkeypatch):
    """A transcript in a folder of its own; the calls are kept beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CALMLINE_STORAGE__FOLDER", str(tmp_path / "calls"))
    monkeypatch.setattr(context.graph, "load", lambda *_: engines())
    path = tmp_path / "chat.jsonl"
    rows = [{"role": role, "time": time, "text": text} for role, time, text in LINES]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_chat_is_reported_like_a_call(chat, capsys):
    assert run(["analyze", str(chat), "--call-id", "c"]) == 0
    text = capsys.readouterr().out
    assert "chat.jsonl · c · 02:00" in text
    assert "end of chat" in text
    assert "Offer a supervisor" in text
    assert "00:20  customer   This is the third time" in text
    assert "no anger: a written conversation has no voice" in text
    assert "lines       3          2" in text
    for measured in ("talk time", "interruptions", "silence", "non-talk", "minute"):
        assert measured not in text


def test_json_has_every_line_and_no_measure_of_sound(chat, capsys):
    assert run(["analyze", str(chat), "--json", "--no-store", "--policy", "standard"]) == 0
    captured = capsys.readouterr()
    view = json.loads(captured.out)
    assert [(line["channel"], line["text"]) for line in view["transcript"]] == [(role, text) for role, _, text in LINES]
    assert [line["begin_ms"] // 100 for line in view["transcript"]] == [0, 200, 500, 800, 1200]
    assert view["attribution"] == "written"
    assert {cue["name"] for cue in view["cues"]} >= {"repeat_contact", "refusal", "supervisor_request"}
    assert view["scores"] == {"anger": [], "tension": []}
    assert "no speech" not in captured.err
    assert not Path("calls").exists()


def test_it_is_kept_without_audio_and_replays_exactly(chat, capsys):
    assert run(["analyze", str(chat), "--json", "--call-id", "c", "--notice-given", "banner"]) == 0
    analysed = capsys.readouterr().out
    assert [path.name for path in Path("calls/c").iterdir()] == ["journal.jsonl"]
    assert run(["replay", "c", "--json"]) == 0
    assert capsys.readouterr().out == analysed
    assert run(["replay", "c", "--verify", "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["difference"] is None
    assert verdict["finished"]
    assert verdict["events"] > 10


def test_a_changed_line_of_its_journal_is_found(chat, capsys):
    assert run(["analyze", str(chat), "--call-id", "c"]) == 0
    journal = Path("calls/c/journal.jsonl")
    journal.write_text(journal.read_text().replace('"name":"supervisor_request"', '"name":"relief"', 1))
    assert run(["replay", "c", "--verify"]) == 1


def test_a_chat_that_was_not_finished_replays_as_far_as_it_goes(chat, capsys):
    assert run(["analyze", str(chat), "--call-id", "c"]) == 0
    journal = Path("calls/c/journal.jsonl")
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:8]))
    capsys.readouterr()
    assert run(["replay", "c", "--verify", "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert (verdict["finished"], verdict["events"], verdict["difference"]) == (False, 7, None)


def test_the_same_in_csv_gives_the_same_events(chat, capsys):
    Path("chat.csv").write_text("time,role,text\n" + "".join(f'{time},{role},"{text}"\n' for role, time, text in LINES))
    for file in ("chat.jsonl", "chat.csv"):
        assert run(["analyze", file, "--call-id", file]) == 0
    one, other = (
        Path("calls", file, "journal.jsonl").read_text().splitlines()[3:] for file in ("chat.jsonl", "chat.csv")
    )
    assert one == other


def test_a_bad_line_is_told_and_the_other_chat_is_done(chat, capsys):
    Path("bad.jsonl").write_text('{"role": "robot", "time": 0, "text": "hi"}\n')
    assert run(["analyze", "bad.jsonl", str(chat), "--json"]) == 2
    captured = capsys.readouterr()
    assert 'bad.jsonl, line 1: role "robot" is neither agent nor customer' in captured.err
    assert len(captured.out.splitlines()) == 1


def test_a_policy_without_words_says_so(chat, capsys, monkeypatch):
    Path("calmline.toml").write_text("policy = {name = 'mute', words = false}\n")
    assert run(["analyze", str(chat), "--call-id", "c"]) == 2
    assert "policy mute keeps no words" in capsys.readouterr().err
    assert not Path("calls/c").exists()


def test_there_is_nothing_to_swap(chat, capsys):
    assert run(["analyze", str(chat), "--call-id", "c"]) == 0
    assert run(["swap", "c"]) == 2
    assert "c is a chat: each line names its writer" in capsys.readouterr().err
