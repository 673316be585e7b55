"""``calmline demo``, ``serve`` and ``listen``: real processes where signals and ports matter."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import soundfile

import sample_audio
from api.cli import run
from api.commands import context, listen
from api.commands import demo as demo_command
from api.config import Server
from api.store import Store
from pipeline import tape
from pipeline.channel import TWO_CHANNEL
from pipeline.errors import BadInput
from pipeline.journal import read_entries
from pipeline.sources.recording import open_recording
from tests.fakes import FakeTranscriber, fake_engines


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def here(home, monkeypatch):
    monkeypatch.chdir(home)
    monkeypatch.setenv("CALMLINE_STORAGE__FOLDER", str(home / "stored" / "calls"))


def start(home, *arguments: str) -> "subprocess.Popen[str]":
    """The command in a process of its own."""
    environment = {**os.environ, "CALMLINE_STORAGE__FOLDER": str(home / "stored" / "calls")}
    command = [sys.executable, "-m", "api.cli", *arguments]
    return subprocess.Popen(
        command, cwd=home, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )


@pytest.fixture(scope="module")
def demo(home):
    """Exit code, stdout and stderr of one demo, and the folder of its call."""
    with start(home, "demo", "--once", "--speed", "20", "--port", "0") as process:
        out, err = process.communicate(timeout=120)
    (folder,) = (home / "stored" / "calls").glob("demo-*")
    return process.returncode, out, err, folder


def test_a_demo_shows_alerts_and_leaves_a_journal(demo):
    code, out, err, folder = demo
    assert code == 0, err
    assert err.startswith("calmline: loading the models…\n")
    assert "overlay: http://127.0.0.1:" in out
    assert "▲ raised   coach: Let them finish" in out
    assert "▽ cleared  coach: Let them finish" in out
    assert "talk share" in out
    assert out.endswith(f"journal: {folder / 'journal.jsonl'}\n")


def test_a_demo_is_heard_under_the_standard_policy_by_the_demo_agent(demo, here, capsys):
    assert run(["replay", demo[3].name, "--json"]) == 0
    view = json.loads(capsys.readouterr().out)
    assert (view["policy"], view["agent_id"], view["source"]) == ("standard", "demo", "door pcm")
    assert view["state"] == "ended"


def test_the_journal_of_a_demo_verifies(demo, here, capsys):
    assert run(["replay", demo[3].name, "--verify"]) == 0
    assert "no difference" in capsys.readouterr().out


def test_a_demo_is_interrupted_without_a_traceback(home):
    with start(home, "demo", "--port", "0") as process:
        assert process.stdout.readline().startswith("overlay: ")
        while not process.stdout.readline().startswith("00:"):
            pass
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "talk share" in out
    folder = out.splitlines()[-1].removeprefix("journal: ").removesuffix("/journal.jsonl")
    assert list(read_entries(Path(folder) / "journal.jsonl"))[-1].item.type == "call_ended"
    assert "server stopped" in out


def test_a_demo_that_was_heard_to_its_end_is_left_with_ctrl_c(home):
    with start(home, "demo", "--port", "0", "--speed", "50") as process:
        while "the server stays up" not in (line := process.stderr.readline()):
            assert line, "the demo ended by itself"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_demo_takes_no_other_port_than_the_one_asked_for(here, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert run(["demo", "--once", "--port", str(taken.getsockname()[1])]) == 2
    assert "address already in use" in capsys.readouterr().err.splitlines()[-1]


def test_a_demo_takes_another_port_than_the_usual_one():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = Server.model_construct(set(), port=taken.getsockname()[1])
        with demo_command._listener(server) as listener:
            assert listener.getsockname()[1] != taken.getsockname()[1]


def test_a_killed_demo_is_whole_up_to_its_last_second_and_comes_back_into_the_list(tmp_path, monkeypatch, capsys):
    calls = tmp_path / "stored" / "calls"
    with start(tmp_path, "demo", "--once", "--speed", "6", "--port", "0") as process:
        while "raised" not in (line := process.stdout.readline()):
            assert line, "the demo ended before its first alert"
        process.kill()
    (folder,) = calls.glob("demo-*")
    last = list(read_entries(folder / "journal.jsonl"))[-1]
    assert last.at / 16_000 > 30
    assert tape.length(folder / "audio.flac") / 16_000 > last.at / 16_000 - 1
    for file in calls.glob(".calls.db*"):
        file.unlink()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CALMLINE_STORAGE__FOLDER", str(calls))
    assert run(["reindex"]) == 0
    store = Store(Store.beside(calls))
    (row,), total = store.page(None, 10, 0)
    store.close()
    assert (total, row.id, row.state, row.alerts) == (1, folder.name, "interrupted", 1)
    assert run(["replay", folder.name, "--verify"]) == 0
    assert "was not finished" in capsys.readouterr().err


def test_there_is_no_demo_of_an_unknown_call(here, capsys):
    assert run(["demo", "--call", "none", "--once"]) == 2
    assert _only_line(capsys).startswith("calmline: no sample call 'none'; there are: billing_dispute")


def test_a_server_drains_on_sigterm(home):
    with start(home, "serve", "--port", "0") as process:
        lines = iter(process.stderr.readline, "")
        assert any("listening on http://127.0.0.1:" in line for line in lines)
        assert f"calls are kept in {home / 'stored' / 'calls'}" in next(lines)
        process.terminate()
        rest = list(lines)
    assert process.returncode == 0
    assert rest[-1] == "calmline: stopped\n"
    assert not any("Traceback" in line for line in rest)


def test_a_port_in_use_costs_one_line(here, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert run(["serve", "--port", str(taken.getsockname()[1])]) == 2
    assert _only_line(capsys).endswith("address already in use; choose another with --port (0 takes a free one)")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "no credentials are set"),
        (["--tls-cert", "cert.pem"], "give both --tls-cert and --tls-key"),
        (["--tls-cert", "cert.pem", "--tls-key", "key.pem"], "cannot use cert.pem with key.pem: No such file"),
        (["--port", "70000"], "less than or equal to 65535"),
        (["--policy", "none"], "unknown policy"),
    ],
)
def test_a_server_that_cannot_be_costs_one_line(arguments, said, here, capsys):
    assert run(["serve", *arguments]) == 2
    assert said in _only_line(capsys)


class FileMicrophone:
    """A device that hears the first seconds of a sample call, then goes quiet until it is stopped."""

    channels = TWO_CHANNEL
    fault: str | None = None

    def __init__(self, device, loopback, agent_channel, say) -> None:
        self.devices = (SimpleNamespace(name="a file"),)
        self.heard = 0

    def frames(self):
        source = open_recording([sample_audio.path("calm_order")])
        for count, item in enumerate(source.frames()):
            if count == 300:
                break
            self.heard += 512
            yield item
        if self.fault is not None:
            raise BadInput(self.fault)

    def stop(self) -> None:
        pass


@pytest.fixture
def microphone(monkeypatch):
    monkeypatch.setattr(listen, "Microphone", FileMicrophone)
    monkeypatch.setattr(context.graph, "load", lambda *_: fake_engines(FakeTranscriber(["good afternoon"] * 20)))


def test_a_call_is_followed_from_the_microphone(microphone, here, home, capsys):
    assert run(["listen", "--no-page", "--call-id", "heard", "--agent-id", "anna"]) == 0
    captured = capsys.readouterr()
    assert "good afternoon" in captured.out
    assert "heard · 00:09 · policy eu-workplace · hung up" in captured.out
    assert soundfile.info(home / "stored" / "calls" / "heard" / "audio.flac").frames == 300 * 512


def test_a_device_that_goes_away_ends_the_call_and_costs_one_line(microphone, here, home, monkeypatch, capsys):
    monkeypatch.setattr(FileMicrophone, "fault", "the sound device 'a file' stopped")
    assert run(["listen", "--no-page", "--call-id", "gone", "--policy", "standard"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "calmline: the sound device 'a file' stopped"
    assert '"call_ended"' in (home / "stored" / "calls" / "gone" / "journal.jsonl").read_text().splitlines()[-1]


def _only_line(capsys) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return line


@pytest.mark.parametrize(
    ("call_id", "why"), [("../x", "call id '../x': use up to 100 letters"), ("taken", "call taken is stored already")]
)
def test_listen_refuses_a_call_id_before_anything_is_loaded(here, monkeypatch, capsys, call_id, why):
    monkeypatch.setattr(listen, "load_engines", lambda *_: pytest.fail("nothing is loaded for it"))
    (Path(os.environ["CALMLINE_STORAGE__FOLDER"]) / "taken").mkdir(parents=True, exist_ok=True)
    assert run(["listen", "--call-id", call_id, "--no-page"]) == 2
    assert why in capsys.readouterr().err


def test_listen_takes_another_port_where_its_own_is_taken(here, monkeypatch, capsys):
    """What the refusal says can be done."""
    asked = []
    monkeypatch.setattr(listen, "Microphone", lambda *_, **__: None)
    monkeypatch.setattr(listen, "load_engines", lambda config: asked.append(config.server.port) or sys.exit(0))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert run(["listen", "--port", port]) == 2
    assert "choose another with --port (0 takes a free one)" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run(["listen", "--port", "0"])
    assert asked == [0]
