"""The commands around the calls: help, schema, stored calls, devices, models, doctor."""

import json
import re
import socket

import jsonschema
import pytest
import typer

import sample_audio
from api import cli
from api.cli import run
from api.commands import stored
from api.commands.console import moment
from models import checkpoints
from models.errors import ModelError
from pipeline.archive import Archive
from pipeline.channel import TWO_CHANNEL
from pipeline.graph import build
from pipeline.journal import EVENT, encode
from pipeline.session import CallInfo, Entry
from pipeline.settings import Settings
from pipeline.sources import line
from pipeline.sources.line import Device
from tests.fakes import FakeTranscriber, fake_engines


@pytest.fixture(autouse=True)
def calls(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CALMLINE_STORAGE__FOLDER", str(tmp_path / "stored" / "calls"))
    monkeypatch.setenv("CALMLINE_SERVER__MODEL_CACHE", str(tmp_path / "models"))
    return tmp_path / "stored" / "calls"


@pytest.fixture
def archive(calls):
    """Two stored calls, one and two."""
    archive, engines = Archive(calls, 1.0), fake_engines(FakeTranscriber([]))
    for call_id in ("one", "two"):
        session = build(CallInfo(call_id=call_id, channels=TWO_CHANNEL), Settings(), engines)
        call = archive.record(session, Settings(), engines.identities)
        call.advance(session.silence())
        call.close("test")
        call.end()
    return archive


def _commands(group, path=()):
    for name, command in getattr(group, "commands", {}).items():
        yield from _commands(command, (*path, name)) if hasattr(command, "commands") else [(*path, name)]


COMMANDS = list(_commands(typer.main.get_command(cli.app)))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(command, capsys):
    assert run([*command, "--help"]) == 0
    text = capsys.readouterr().out
    assert re.search(rf"Example: calmline {' '.join(command)}\b", text)
    assert max(map(len, text.splitlines())) <= 80


def test_help_names_every_command_on_one_line(capsys):
    assert run(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for command in COMMANDS:
        assert any(re.match(rf"│ {command[0]} .*\w.* │$", line) for line in lines)


def test_the_version_is_told(capsys):
    assert run(["--version"]) == 0
    assert re.fullmatch(r"calmline \d\S*\n", capsys.readouterr().out)


def test_help_loads_no_engine_and_no_server():
    import subprocess
    import sys

    script = "import sys; from api.cli import run; run(['--help']); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "fastapi", "onnxruntime", "faster_whisper", "sqlalchemy", "pydantic"} & set(loaded)


@pytest.mark.parametrize("subject", ["view", "events", "settings"])
def test_each_schema_is_a_schema(subject, capsys):
    assert run(["schema", subject]) == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(capsys.readouterr().out))


def test_the_events_schema_fits_a_journal(archive, capsys):
    assert run(["schema", "events"]) == 0
    validator = jsonschema.Draft202012Validator(json.loads(capsys.readouterr().out))
    lines = archive.folder("one").journal.read_text().splitlines()[1:]
    events = [entry["ev"] for entry in map(json.loads, lines) if "ev" in entry]
    assert events
    for event in events:
        validator.validate(event)
        assert encode(Entry(1, 0, EVENT.validate_python(event)))


def test_calls_are_listed_anew(archive, calls, capsys):
    assert run(["reindex"]) == 0
    assert capsys.readouterr().out == f"2 calls listed from {calls}\n"


def test_stored_calls_are_shown_newest_first(archive, capsys):
    assert run(["calls"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["id", "started", "(UTC)", "duration", "state", "agent", "alerts", "peak", "anger"]
    assert [row.split()[0] for row in rows] == ["two", "one"]
    assert rows[0].split()[-5:] == ["00:00", "ended", "-", "0", "-"]


def test_stored_calls_are_shown_as_json(archive, capsys):
    assert run(["calls", "--json", "--limit", "1"]) == 0
    (call,) = json.loads(capsys.readouterr().out)
    assert (call["id"], call["state"], call["peak_anger"]) == ("two", "ended", None)


def test_more_calls_than_shown_are_told(archive, capsys):
    assert run(["calls", "--limit", "1"]) == 0
    assert capsys.readouterr().err == "calmline: 1 of 2 calls; --limit 2 shows all\n"


def test_without_calls_there_is_a_hint_and_nothing_is_made(calls, capsys):
    assert run(["calls"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "calmline demo" in captured.err
    assert not calls.exists()


def test_a_call_that_is_named_like_the_list_does_no_harm(archive, calls, capsys):
    (calls / "one").rename(calls / "calls.db-journal")
    assert run(["reindex"]) == 0
    assert run(["calls", "--json"]) == 0
    assert {call["id"] for call in json.loads(capsys.readouterr().out.splitlines()[1])} == {"calls.db-journal", "two"}


@pytest.mark.parametrize("name", ["CALMLINE_SPEACH__ONSET", "CALMLINE_SPEECH_ONSET", "CALMLINE_POLCY"])
def test_a_variable_that_names_no_section_is_refused(name, monkeypatch, capsys):
    monkeypatch.setenv(name, "0.6")
    assert run(["calls"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"calmline: unknown variable {name}: ")


def test_no_flag_shows_a_type(capsys):
    for command in COMMANDS:
        assert run([*command, "--help"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert not [line for line in lines if "<bool>" in line and "--help" not in line]


def test_defaults_are_shown(capsys):
    assert run(["serve", "--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"[default: ({value})]" in text for value in ("127.0.0.1", "8765", "eu-workplace"))


def test_help_names_every_sample_call(capsys):
    assert run(["demo", "--help"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in sample_audio.names())


def test_a_call_is_deleted_with_its_folder(archive, calls, capsys):
    assert run(["delete", "one", "--yes"]) == 0
    assert [path.parent.name for path in calls.glob("*/journal.jsonl")] == ["two"]
    assert run(["replay", "one"]) == 2
    assert f"no stored call one in {calls}; calmline calls lists" in capsys.readouterr().err


def test_a_wrong_id_deletes_nothing(archive, calls, capsys):
    assert run(["delete", "one", "none", "--yes"]) == 2
    assert f"no stored call none in {calls}; calmline calls lists" in capsys.readouterr().err
    assert len(list(calls.glob("*/journal.jsonl"))) == 2


def test_without_anybody_to_ask_nothing_is_deleted(archive, calls, capsys):
    assert run(["delete", "one"]) == 2
    assert "add --yes" in capsys.readouterr().err
    assert len(list(calls.glob("*/journal.jsonl"))) == 2


@pytest.mark.parametrize(("answer", "left"), [(True, ["two"]), (False, ["one", "two"])])
def test_somebody_is_asked_before_a_call_is_deleted(answer, left, archive, calls, monkeypatch):
    monkeypatch.setattr(stored.typer, "confirm", lambda *_, **__: answer)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(stored.typer, "get_text_stream", lambda _: type("Tty", (), {"isatty": lambda self: True})())
    assert run(["delete", "one"]) == (0 if answer else 2)
    assert sorted(path.parent.name for path in calls.glob("*/journal.jsonl")) == left


def test_a_folder_that_is_no_call_cannot_be_replayed(tmp_path, capsys):
    assert run(["replay", str(tmp_path)]) == 2
    assert "holds no journal.jsonl" in capsys.readouterr().err


def test_a_damaged_line_is_named(archive, capsys):
    journal = archive.folder("one").journal
    head, *lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join([head, "no json\n", *lines[1:]]))
    assert run(["replay", "one"]) == 2
    assert "line 1 is damaged" in capsys.readouterr().err


def test_devices_are_listed(monkeypatch, capsys):
    monkeypatch.setattr(line, "devices", lambda: [Device(3, "USB [headset]", 2, 48_000, True)])
    assert run(["devices"]) == 0
    assert "USB [headset]" in capsys.readouterr().out
    assert run(["devices", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {"index": 3, "name": "USB [headset]", "channels": 2, "rate": 48_000, "default": True}
    ]


def test_models_are_listed(capsys):
    assert run(["models", "list"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"tiny\.en +verified +embedded +in use", out)
    assert "small.en" in out


def test_a_model_that_cannot_be_downloaded_costs_one_clear_line(monkeypatch, capsys):
    def offline(name, folder):
        raise ModelError(f"could not download the model {name}: no network")

    monkeypatch.setattr(checkpoints, "_download", offline)
    assert run(["models", "pull", "base.en"]) == 3
    assert capsys.readouterr().err.splitlines()[-1] == "calmline: could not download the model base.en: no network"


def test_an_unknown_model_is_a_mistake_of_the_user(capsys):
    assert run(["models", "pull", "none"]) == 2
    assert "none is no known model" in capsys.readouterr().err
    assert run(["models", "verify", "none"]) == 2


def test_a_damaged_model_is_found(tmp_path, capsys):
    (tmp_path / "models" / "base.en").mkdir(parents=True)
    (tmp_path / "models" / "base.en" / "model.bin").write_bytes(b"weights")
    (tmp_path / "models" / "base.en" / "sha256.json").write_text(json.dumps({"model.bin": "0" * 64}))
    assert run(["models", "verify"]) == 3
    captured = capsys.readouterr()
    assert re.search(r"tiny\.en +verified\nbase\.en +damaged", captured.out)
    assert "calmline models pull base.en" in captured.err


def _doctor(capsys) -> tuple[int, dict[str, dict[str, str]]]:
    code = run(["doctor", "--json"])
    return code, {finding["check"]: finding for finding in json.loads(capsys.readouterr().out)}


def test_a_machine_that_is_ready(monkeypatch, capsys):
    monkeypatch.setenv("CALMLINE_SERVER__PORT", "0")
    code, findings = _doctor(capsys)
    assert code == 0
    assert {"python", "recogniser", "port", "calls folder", "disk space", "credentials", "policy", "pages"} <= set(
        findings
    )
    assert findings["recogniser"]["state"] == "ok"
    assert findings["policy"]["detail"] == "eu-workplace: no agent tension"


def test_a_machine_that_is_not_ready(archive, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CALMLINE_SERVER__HOST", "0.0.0.0")
    monkeypatch.setenv("CALMLINE_SERVER__PORT", "0")
    monkeypatch.setenv("CALMLINE_WORDS__MODEL", "base.en")
    monkeypatch.setenv("CALMLINE_STORAGE__MAX_GB", "0.0000001")
    code, findings = _doctor(capsys)
    assert code == 1
    failed = {name for name, finding in findings.items() if finding["state"] == "fail"}
    assert failed == {"recogniser", "credentials", "disk space"}
    assert "calmline models pull base.en" in findings["recogniser"]["detail"]
    assert findings["credentials"]["remedy"].startswith("set server.supervisor_tokens")


HALF = [
    ("TWILIO__AUTH_TOKENS", '["12345"]', "fail", "public_url is empty", "set it to the very address in <Stream>"),
    ("TWILIO__PUBLIC_URL", "wss://x.example/doors/twilio", "warn", "no auth_tokens", "set doors.twilio.auth_tokens,"),
    ("AUDIOHOOK__PUBLIC_URL", "wss://x.example/a", "warn", "no keys: it is closed", "set doors.audiohook.keys,"),
    ("AUDIOHOOK__KEYS", '{"key": "not base64!"}', "fail", "doors.audiohook.keys", "expected API key"),
]


@pytest.mark.parametrize(("name", "value", "state", "detail", "remedy"), HALF, ids=[row[0] for row in HALF])
def test_a_door_that_is_half_configured(name, value, state, detail, remedy, monkeypatch, capsys):
    monkeypatch.setenv(f"CALMLINE_DOORS__{name}", value)
    code, findings = _doctor(capsys)
    found = findings["doors"]
    assert (code, found["state"]) == (int(state == "fail"), state)
    assert detail in found["detail"]
    assert found["remedy"].startswith(remedy)


def test_doors_that_are_ready_are_named(monkeypatch, capsys):
    monkeypatch.setenv("CALMLINE_DOORS__TWILIO__AUTH_TOKENS", '["12345"]')
    monkeypatch.setenv("CALMLINE_DOORS__TWILIO__PUBLIC_URL", "wss://x.example/doors/twilio")
    assert _doctor(capsys)[1]["doors"]["detail"] == "twilio signed, audiohook closed"


def test_a_port_in_use_is_a_warning(monkeypatch, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("CALMLINE_SERVER__PORT", str(taken.getsockname()[1]))
        code, findings = _doctor(capsys)
    assert code == 0
    assert findings["port"]["state"] == "warn"
    assert "in use" in findings["port"]["detail"]


def test_doctor_speaks_to_people_too(capsys):
    assert run(["doctor"]) == 0
    assert "✓ ok" in capsys.readouterr().out


def test_a_time_is_the_second_that_has_begun_as_on_the_pages() -> None:
    assert [moment(ms) for ms in (0, 999, 1_000, 118_900, 3_725_999)] == ["00:00", "00:00", "00:01", "01:58", "62:05"]
