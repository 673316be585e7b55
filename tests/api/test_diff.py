"""``calmline replay --settings FILE --diff``: alerts that appear, vanish and move, in a call or many."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from api.cli import run
from pipeline import graph
from pipeline.archive import Archive
from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.graph import Engines, build
from pipeline.inputs import ChatLine, Command
from pipeline.session import CallInfo
from pipeline.settings import POLICIES, Settings
from pipeline.timebase import RATE
from pipeline.tuning import Raised, changed
from tests.fakes import fake_engines, silence, speech, stereo
from tests.pipeline.drive import frames_of

STANDARD = Settings(policy=POLICIES["standard"])
LINES = (
    (0, Channel.CUSTOMER, "You are not listening to me."),
    (8, Channel.CUSTOMER, "I want to speak to your supervisor."),
    (16, Channel.AGENT, "Unfortunately that is our policy."),
)
OVER = stereo([silence(2), speech(3.5)], [speech(4, seed=1), silence(1.5)])
"""The agent speaks over the customer for two seconds."""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A chat and a call with an interruption."""
    folder = tmp_path / "calls"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CALMLINE_STORAGE__FOLDER", str(folder))
    engines = fake_engines()
    monkeypatch.setattr(graph, "load", lambda *_: engines)
    archive = Archive(folder, 1.0)
    _chat(archive, engines)
    _spoken(archive, engines)
    return folder


def _chat(archive: Archive, engines: Engines, call_id: str = "chat", command: bool = False) -> None:
    info = CallInfo(call_id=call_id, channels=TWO_CHANNEL, attribution="written")
    call = archive.record(build(info, STANDARD, engines), STANDARD, engines.identities)
    waiting = list(LINES)
    while call.session.position < 30 * RATE:
        while waiting and waiting[0][0] * RATE <= call.session.position:
            _, channel, text = waiting.pop(0)
            call.admit(ChatLine(channel=channel, text=text))
        step = call.advance(call.session.silence())
        raised = [entry.n for entry in step.entries if entry.item.type == "alert"]
        if command and raised:
            call.admit(Command(kind="dismiss", alert=raised[0]))
            command = False
    call.close("test")
    call.end()


def _spoken(archive: Archive, engines: Engines, policy: str = "standard", call_id: str = "spoken") -> None:
    settings = Settings(policy=POLICIES[policy])
    info = CallInfo(call_id=call_id, channels=TWO_CHANNEL)
    call = archive.record(build(info, settings, engines), settings, engines.identities)
    for frame in frames_of(OVER):
        call.advance(frame)
    call.close("test")
    call.end()


def settings(text: str) -> str:
    Path("new.toml").write_text(text)
    return "new.toml"


def diff(call: str, toml: str, capsys: pytest.CaptureFixture[str], code: int = 0) -> Any:
    capsys.readouterr()
    assert run(["replay", call, "--settings", settings(toml), "--diff", "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_the_same_settings_change_nothing(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for call in ("chat", "spoken"):
        (found,) = diff(call, "[alerts]\ngap_s = 20.0", capsys)
        assert found["before"] == found["after"] == found["kept"] > 0
        assert found["changes"] == []
    assert run(["replay", "chat", "--settings", settings(""), "--diff"]) == 0
    assert "nothing changes" in capsys.readouterr().out


def test_a_longer_bound_for_interruptions_drops_their_alert(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (found,) = diff("spoken", "[turns]\ninterruption_s = 5.0\ncut_s = 2.0", capsys)
    (change,) = found["changes"]
    assert (change["what"], change["before"]["kind"], change["after"]) == ("vanishes", "talk_over", None)


def test_a_tighter_budget_shows_what_would_go(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One alert a minute: the first one stays, whatever came later goes."""
    (found,) = diff("chat", "[alerts]\nper_minute = 1", capsys)
    assert (found["after"], found["kept"]) == (1, 1)
    assert {change["what"] for change in found["changes"]} == {"vanishes"}
    assert found["before"] == 1 + len(found["changes"])


def test_one_call_is_told_in_lines(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run(["replay", "spoken", "--settings", settings("[turns]\ninterruption_s = 5.0\ncut_s = 2.0"), "--diff"]) == 0
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("spoken: 1 alerts now, 0 with these settings")
    assert lines[1].startswith("- vanishes  00:0")
    assert "coach: Let them finish" in lines[1]


def test_a_folder_of_calls_is_a_table(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run(["replay", str(calls), "--settings", settings("[turns]\ninterruption_s = 5.0\ncut_s = 2.0"), "--diff"]) == 0
    )
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["spoken", "1", "0", "0", "0", "1", "0"] in rows
    assert rows[rows.index([]) - 1][:2] == ["2", "calls"]
    assert ["talk_over", "0", "1", "0"] in rows


def test_one_bad_call_leaves_the_others(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (calls / "spoken" / "audio.flac").unlink()
    (found,) = diff(str(calls), "[alerts]\nper_minute = 1", capsys, code=2)
    assert found["call_id"] == "chat"
    run(["replay", str(calls), "--settings", "new.toml", "--diff"])
    assert "spoken has no stored audio" in capsys.readouterr().err


def test_what_people_answered_counts_on_neither_side(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _chat(Archive(calls, 1.0), fake_engines(), "answered", command=True)
    assert '"dismiss"' in (calls / "answered" / "journal.jsonl").read_text()
    (answered,) = diff("answered", "[alerts]\nrepeat_s = 0.0", capsys)
    (plain,) = diff("chat", "[alerts]\nrepeat_s = 0.0", capsys)
    assert answered == plain | {"call_id": "answered"}


def test_nothing_is_written(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in calls.rglob("*") if path.is_file()}
    diff("spoken", "[turns]\ninterruption_s = 5.0", capsys)
    assert {path: path.read_bytes() for path in calls.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("[alerts]\ngap = 1", "new.toml, alerts.gap: Extra inputs"),
        ("[alerts]\ngap_s = -1", "new.toml, alerts.gap_s: Input should be greater"),
        ("[nothing]\na = 1", "new.toml, nothing: Extra inputs"),
        ("[alerts", "new.toml is no TOML"),
        ("policy = 'none'", "unknown policy 'none'"),
        ("[speech]\nonset = 0.7", "[speech] decides what was heard in spoken and cannot be tried"),
        ("[scores]\nmodel = 'other'", f"scores.model: spoken was heard with the set {STANDARD.scores.model}"),
        ("[policy]\nwords = false", "policy: whether spoken has words was decided"),
    ],
)
def test_settings_that_cannot_be_tried(calls: Path, toml: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", "spoken", "--settings", settings(toml), "--diff"]) == 2
    assert told in capsys.readouterr().err


def test_the_folder_and_the_server_of_a_settings_file_do_not_matter(
    calls: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (found,) = diff("spoken", "[server]\nport = 9000\n[storage]\nmax_gb = 3", capsys)
    assert found["changes"] == []


@pytest.mark.parametrize(
    "options", [["--diff"], ["--settings", "new.toml"], ["--settings", "new.toml", "--diff", "--verify"]]
)
def test_the_two_options_go_together(calls: Path, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    settings("")
    assert run(["replay", "spoken", *options]) == 2
    assert "--settings FILE and --diff go together" in capsys.readouterr().err


def test_a_missing_file_or_call(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", "spoken", "--settings", "none.toml", "--diff"]) == 2
    assert "cannot read the settings none.toml" in capsys.readouterr().err
    assert run(["replay", "nobody", "--settings", settings(""), "--diff"]) == 2
    assert "no stored call nobody" in capsys.readouterr().err


# laying two lists of alerts side by side


def alert(ms: int, kind: str = "complaint") -> Raised:
    return Raised(kind, "note", "Do it", ms, "why")


def test_alerts_of_a_kind_belong_together_by_their_nearness() -> None:
    changes, kept = changed([alert(1000), alert(20_000)], [alert(2000), alert(20_010)])
    assert kept == 1
    assert [(change.what, change.before, change.after) for change in changes] == [("moves", alert(1000), alert(2000))]


def test_alerts_of_other_kinds_or_far_apart_do_not() -> None:
    changes, kept = changed([alert(1000), alert(5000, "refusal")], [alert(40_000), alert(5000, "promise")])
    assert kept == 0
    assert sorted(change.what for change in changes) == ["appears", "appears", "vanishes", "vanishes"]


def test_each_alert_is_used_once() -> None:
    changes, kept = changed([alert(1000)], [alert(1000), alert(1010)])
    assert kept == 1
    assert [change.what for change in changes] == ["appears"]
