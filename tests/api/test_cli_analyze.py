"""``calmline analyze`` with the real engines, loaded once: a good call, bad files, faults of engines and disks."""

import errno
import json
import os
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import count
from threading import Event

import jsonschema
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

import sample_audio
from api.cli import run
from api.commands import analyze, context
from pipeline import graph
from pipeline.inputs import Frame
from pipeline.journal import Journal, _refused
from pipeline.pool import EnginePool
from pipeline.replay import Recorder
from pipeline.settings import Scores, Settings
from pipeline.sources.recording import Recording
from pipeline.timebase import TICK

CALM = str(sample_audio.path("calm_order"))


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    return graph.load(Settings(scores=Scores(model="formula")), tmp_path_factory.mktemp("models"))


@pytest.fixture
def loaded(engines, monkeypatch):
    """Every command of the test takes the engines that are there."""
    monkeypatch.setattr(context.graph, "load", lambda *_: engines)


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """The calls' folder of this test alone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CALMLINE_STORAGE__FOLDER", str(tmp_path / "stored" / "calls"))
    monkeypatch.setenv("CALMLINE_SCORES__MODEL", "formula")  # chosen, so that no line is said of it
    return tmp_path / "stored" / "calls"


@pytest.fixture(scope="module")
def report(engines, tmp_path_factory):
    """Exit code, JSON, stderr and folder of one analysis."""
    home, out, err = tmp_path_factory.mktemp("home"), StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(home)
        patch.setenv("CALMLINE_STORAGE__FOLDER", str(home / "calls"))
        patch.setenv("CALMLINE_SCORES__MODEL", "formula")
        patch.setattr(context.graph, "load", lambda *_: engines)
        code = run(["analyze", CALM, "--json", "--call-id", "calm", "--agent-id", "anna"])
    return code, json.loads(out.getvalue()), err.getvalue(), home / "calls" / "calm"


def write(path, pcm: NDArray[np.float32], rate: int = 16_000, subtype: str = "PCM_16") -> str:
    soundfile.write(path, pcm, rate, subtype=subtype)
    return str(path)


def test_a_calm_call_is_reported(report):
    code, view, err, _ = report
    assert code == 0
    assert (view["call_id"], view["agent_id"], view["state"]) == ("calm", "anna", "ended")
    assert len(view["transcript"]) > 10
    assert "tension is withheld" in err
    assert len(err.splitlines()) == 1


def test_the_json_is_what_the_schema_says(report, capsys):
    assert run(["schema", "view"]) == 0
    jsonschema.Draft202012Validator(json.loads(capsys.readouterr().out)).validate(report[1])


def test_the_journal_of_an_analysis_replays(report, capsys):
    assert run(["replay", str(report[3]), "--verify", "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["finished"]
    assert verdict["difference"] is None
    assert verdict["events"] > 100
    assert verdict["engines_changed"] == []


def test_a_stored_call_is_shown_as_the_analysis_was(report, capsys):
    assert run(["replay", str(report[3]), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == report[1]
    assert run(["replay", str(report[3])]) == 0
    text = capsys.readouterr().out
    assert "talk share" in text
    assert "customer   " in text


def test_a_killed_call_is_verified_as_far_as_it_goes_by_other_engines_that_are_named(report, tmp_path, capsys):
    killed = _copy(report[3], tmp_path / "killed")
    head, *lines = (killed / "journal.jsonl").read_text().splitlines(keepends=True)
    header = json.loads(head)
    header["engines"][0]["version"] = "0.0"
    (killed / "journal.jsonl").write_text("".join([json.dumps(header) + "\n", *lines[:40], lines[40][:20]]))
    assert run(["replay", str(killed), "--verify"]) == 0
    captured = capsys.readouterr()
    assert "the call was made with 0.0" in captured.err
    assert "was not finished" in captured.err
    assert captured.out == "killed: 40 journal entries compared, no difference\n"


def test_a_changed_event_is_found_and_both_lines_are_shown(report, tmp_path, capsys):
    changed = _copy(report[3], tmp_path / "changed")
    lines = (changed / "journal.jsonl").read_text().splitlines(keepends=True)
    number = next(n for n, line in enumerate(lines) if '"type":"turn"' in line)
    entry = json.loads(lines[number])
    entry["ev"]["talk"] += 1
    lines[number] = json.dumps(entry, separators=(",", ":")) + "\n"
    (changed / "journal.jsonl").write_text("".join(lines))
    assert run(["replay", str(changed), "--verify"]) == 1
    captured = capsys.readouterr()
    assert f"differs at line {number} " in captured.err
    assert captured.out.splitlines()[0] == "expected  " + lines[number].strip()
    assert captured.out.splitlines()[1].startswith('found     {"n":')


def _copy(folder, to):
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    return to


def test_a_second_call_of_one_id_leaves_the_first_alone(loaded, calls, tmp_path, capsys):
    silence = write(tmp_path / "silence.wav", np.zeros((8000, 2)))
    assert run(["analyze", silence, "--call-id", "one"]) == 0
    before = (calls / "one" / "journal.jsonl").read_bytes()
    capsys.readouterr()
    assert run(["analyze", silence, "--call-id", "one"]) == 2
    assert _only_line(capsys) == "calmline: call one is stored already; use another --call-id, or calmline delete one"
    assert (calls / "one" / "journal.jsonl").read_bytes() == before


def test_silence_is_a_call_without_words(loaded, calls, tmp_path, capsys):
    silence = write(tmp_path / "silence.wav", np.zeros((32_000, 2)))
    assert run(["analyze", silence, "--json", "--no-store", "--policy", "standard"]) == 0
    captured = capsys.readouterr()
    view = json.loads(captured.out)
    assert view["transcript"] == []
    assert view["channels"]["agent"]["talk_share"] == 0
    assert "no speech was found" in captured.err
    assert not calls.exists()


def test_a_truncated_recording_says_so_in_its_view(loaded, calls, tmp_path, capsys):
    file = tmp_path / "cut.wav"
    write(file, np.zeros((32_000, 2)))
    file.write_bytes(file.read_bytes()[:64_044])
    assert run(["analyze", "cut.wav", "--json", "--call-id", "cut"]) == 0
    (warning,) = json.loads(capsys.readouterr().out)["warnings"]
    assert warning.startswith("cut.wav: ends at 1.0 s although its header promises 2.0 s")
    assert run(["calls", "--json"]) == 0
    (call,) = json.loads(capsys.readouterr().out)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(call["started"])) < timedelta(minutes=1)


def test_a_file_that_changes_meanwhile_is_named_once(loaded, calls, tmp_path, monkeypatch, capsys):
    file, bench = write(tmp_path / "v.wav", np.zeros((32_000, 2))), analyze.open_bench

    def change(*arguments):
        write(tmp_path / "v.wav", np.zeros((16_000, 2)))
        return bench(*arguments)

    monkeypatch.setattr(analyze, "open_bench", change)
    assert run(["analyze", file, "--policy", "standard"]) == 2
    assert _only_line(capsys) == (
        f"calmline: {file}: the file changed after it was opened; start again once nothing writes to it"
    )


def test_what_was_not_measured_is_not_nought(loaded, calls, tmp_path, capsys):
    mono = write(tmp_path / "mono.wav", np.zeros(64_000))
    assert run(["analyze", mono, "--no-store"]) == 0
    assert "overlaps - · 1 silence over 3 s" in capsys.readouterr().out


def test_a_pair_of_mono_files_is_one_call(loaded, calls, tmp_path, capsys):
    files = [write(tmp_path / f"{name}.wav", np.zeros(8000)) for name in ("a", "c")]
    assert run(["analyze", "--pair", *files, "--json"]) == 0
    view = json.loads(capsys.readouterr().out)
    assert list(view["channels"]) == ["agent", "customer"]
    assert view["source"] == "a.wav + c.wav"


def test_the_agents_side_can_be_the_right_one(loaded, calls, tmp_path, capsys):
    speech = soundfile.read(CALM, frames=40_000)[0]
    file = write(tmp_path / "mirrored.wav", speech[:, ::-1], soundfile.info(CALM).samplerate)
    assert run(["analyze", file, "--agent-channel", "right", "--json", "--no-store"]) == 0
    channels = json.loads(capsys.readouterr().out)["channels"]
    assert channels["agent"]["talk_ms"] > 1000
    assert channels["customer"]["talk_ms"] == 0


def test_a_bad_file_does_not_stop_the_others(loaded, calls, tmp_path, capsys):
    good = write(tmp_path / "good.wav", np.zeros((8000, 2)))
    assert run(["analyze", str(tmp_path / "missing.wav"), good, good, "--json"]) == 2
    captured = capsys.readouterr()
    assert len([json.loads(line) for line in captured.out.splitlines()]) == 2
    assert "missing.wav: no such file" in captured.err
    assert len(list(calls.glob("*/journal.jsonl"))) == 2


def empty(folder):
    (folder / "x.wav").touch()


def text(folder):
    (folder / "x.wav").write_text("Dear customer, please hold the line.\n" * 20)


def three_channels(folder):
    write(folder / "x.wav", np.zeros((8000, 3)))


def too_many_samples(folder):
    write(folder / "x.wav", np.zeros((8000, 2)), 96_000)


def no_numbers(folder):
    pcm = np.zeros((32_000, 2), np.float32)
    pcm[20_000, 0] = np.nan
    write(folder / "x.wav", pcm, subtype="FLOAT")


def missing(folder):
    pass


@pytest.mark.parametrize("make", [empty, text, three_channels, too_many_samples, no_numbers, missing])
def test_a_file_that_cannot_be_used_costs_one_line(make, loaded, calls, tmp_path, capsys):
    make(tmp_path)
    assert run(["analyze", "x.wav"]) == 2
    assert _only_line(capsys).startswith("calmline: x.wav: ")
    assert not calls.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["analyze"], "Missing argument"),
        (["analyze", "--pair", "x.wav"], "--pair takes two"),
        (["analyze", "x.wav", "y.wav", "--call-id", "one"], "--call-id names one call"),
        (["analyze", "x.wav", "--policy", "none"], "unknown policy 'none'"),
        (["analyze", "x.wav", "--agent-channel", "up"], "is not one of 'left', 'right'"),
        (["--config", "none.toml", "analyze", "x.wav"], "no settings file none.toml"),
    ],
)
def test_what_is_mistyped_costs_one_line(arguments, said, calls, capsys):
    assert run(arguments) == 2
    assert said in _only_line(capsys)


def test_a_folder_that_cannot_be_is_a_storage_fault(loaded, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CALMLINE_STORAGE__FOLDER", str(tmp_path / "silence.wav" / "calls"))
    monkeypatch.setenv("CALMLINE_SCORES__MODEL", "formula")
    silence = write(tmp_path / "silence.wav", np.zeros((8000, 2)))
    assert run(["analyze", silence, "--policy", "standard"]) == 4
    assert "Not a directory" in _only_line(capsys)


def test_an_unknown_settings_key_is_named(calls, tmp_path, capsys):
    (tmp_path / "calmline.toml").write_text("[speech]\nonsett = 0.5\n")
    assert run(["analyze", "x.wav"]) == 2
    assert "unknown settings key speech.onsett" in _only_line(capsys)


def test_a_damaged_model_is_an_engine_fault(calls, tmp_path, monkeypatch, capsys):
    silence = write(tmp_path / "silence.wav", np.zeros((8000, 2)))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.bin").write_bytes(b"weights")
    (tmp_path / "model" / "sha256.json").write_text(json.dumps({"model.bin": "0" * 64}))
    monkeypatch.setenv("CALMLINE_WORDS__MODEL", str(tmp_path / "model"))
    assert run(["analyze", silence, "--policy", "standard"]) == 3
    assert "it is damaged or was replaced" in _only_line(capsys)


def test_a_fault_while_words_are_recognised_is_an_engine_fault(loaded, calls, tmp_path, engines, monkeypatch, capsys):
    def fail(*_, **__):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(engines.transcriber, "transcribe", fail)
    file = write(tmp_path / "x.wav", soundfile.read(CALM, frames=48_000)[0], soundfile.info(CALM).samplerate)
    assert run(["analyze", file, "--policy", "standard", "--no-store"]) == 3
    captured = capsys.readouterr()
    assert "out of memory" in captured.err
    assert "talk share" in captured.out


def test_a_full_disk_is_a_storage_fault(loaded, calls, tmp_path, monkeypatch, capsys):
    put, silence = Journal._put, write(tmp_path / "silence.wav", np.zeros((8000, 2)))

    def full(self, data):
        if self._file.tell():
            raise _refused(self.path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        put(self, data)

    monkeypatch.setattr(Journal, "_put", full)
    assert run(["analyze", silence, "--policy", "standard"]) == 4
    assert "No space left on device" in _only_line(capsys)


def test_ctrl_c_ends_the_stored_call(loaded, calls, tmp_path, monkeypatch, capsys):
    silence = write(tmp_path / "silence.wav", np.zeros((8000, 2)))

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Recorder, "run", interrupt)
    assert run(["analyze", silence, "--call-id", "one"]) == 130
    assert '"call_ended"' in (calls / "one" / "journal.jsonl").read_text().splitlines()[-1]


def test_ctrl_c_ends_a_call_that_is_analysed_beside_another(loaded, calls, tmp_path, monkeypatch, capsys):
    """The first one is told when the interrupt comes; the second one would never end by itself."""
    files = [write(tmp_path / name, np.zeros((8000, 2))) for name in ("a.wav", "b.wav")]
    frames, examined = Recording.frames, []

    def endless(self):
        yield from frames(self)
        if self._files[0].path.name == "b.wav" and "b.wav" in examined:
            yield from (Frame(8192 + n * TICK, np.zeros((2, TICK), np.int16)) for n in count())
        examined.append(self._files[0].path.name)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Recording, "frames", endless)
    monkeypatch.setattr(analyze, "_told", interrupt)
    assert run(["analyze", *files, "--policy", "measures-only"]) == 130
    ends = [path.read_text().splitlines()[-1] for path in calls.glob("*/journal.jsonl")]
    assert len(ends) == 2
    assert all('"call_ended"' in line for line in ends)
    assert sum('"reason":"fault"' in line for line in ends) == 1


def test_recordings_are_told_in_the_order_given(loaded, calls, tmp_path, monkeypatch, capsys):
    """Also where a later one is done first."""
    long, short = (write(tmp_path / f"{name}.wav", np.zeros((8000, 2))) for name in ("long", "short"))
    analysed, done = analyze._analysed, Event()

    def held(job, lane, **options):
        view = analysed(job, lane, **options)
        if job.title == "long.wav":
            assert done.wait(60)
        done.set()
        return view

    monkeypatch.setattr(analyze, "_analysed", held)
    assert run(["analyze", long, short, "--json", "--no-store", "--policy", "measures-only"]) == 0
    assert [json.loads(line)["source"] for line in capsys.readouterr().out.splitlines()] == ["long.wav", "short.wav"]


def test_a_recording_asks_in_bulk_and_by_its_call(loaded, calls, tmp_path, engines, monkeypatch, capsys):
    asked, ask = [], EnginePool.ask

    def noted(self, utterance, call="", bulk=False):
        asked.append((call, bulk))
        return ask(self, utterance, call, bulk)

    monkeypatch.setattr(EnginePool, "ask", noted)
    file = write(tmp_path / "x.wav", soundfile.read(CALM, frames=48_000)[0], soundfile.info(CALM).samplerate)
    assert run(["analyze", file, "--policy", "standard", "--call-id", "one"]) == 0
    assert set(asked) == {("one", True)}


def _only_line(capsys) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return line
