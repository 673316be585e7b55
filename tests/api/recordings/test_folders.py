"""``analyze DIR`` and ``watch DIR``: each recording once, whole, whatever happens meanwhile."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from api.cli import run
from api.commands import context, folder, watch, works
from api.recordings.arrivals import Arrivals
from api.recordings.folder import recordings
from api.recordings.ledger import NAME
from pipeline.call import Call
from pipeline.journal import read_header
from pipeline.replay import Recorder
from tests.fakes import FakeTranscriber, fake_engines, silence, speech, stereo

LONG_AGO = 1_000_000_000


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Fake engines, and a folder of its own; nobody really waits."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CALMLINE_STORAGE__FOLDER", str(tmp_path / "calls"))
    monkeypatch.setenv("CALMLINE_SCORES__MODEL", "formula")
    monkeypatch.setattr(context.graph, "load", lambda *_: fake_engines())
    (tmp_path / "in").mkdir()
    return tmp_path


def call(seed: int = 0, channels: int = 2) -> NDArray[np.int16]:
    made = stereo([speech(0.5, seed=seed), silence(0.5)], [silence(0.6), speech(0.4, seed=seed + 100)])
    return made if channels == 2 else made[:, 0]


def put(name: str, pcm: NDArray[np.int16] | None = None, *, aged: bool = True) -> Path:
    """A recording in the folder, whole for long."""
    path = Path("in") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, call() if pcm is None else pcm, 16_000)
    if aged:
        os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def stored() -> dict[str, Any]:
    """Headers of the stored calls by id."""
    return {path.parent.name: read_header(path) for path in sorted(Path("calls").glob("*/journal.jsonl"))}


def analysed(capsys: Any, *options: str) -> tuple[int, list[str], list[str]]:
    """Exit code, lines of stdout, lines of stderr."""
    code = run(["analyze", "in", "--policy", "standard", *options])
    told = capsys.readouterr()
    return code, told.out.splitlines(), told.err.splitlines()


def summary(err: list[str]) -> str:
    (line,) = [line for line in err if " analysed, " in line]
    return line.removeprefix("calmline: ")


def test_every_recording_of_a_folder_is_one_call_and_a_line(capsys: Any) -> None:
    put("a.wav", call(1))
    put("2026/jan/b.flac", call(2))
    for name in ("notes.txt", ".hidden.wav", "c.wav.part"):
        (Path("in") / name).write_bytes(b"x")
    code, out, err = analysed(capsys)
    assert code == 0
    assert sorted(line.split(" · ")[0] for line in out) == ["2026/jan/b.flac", "a.wav"]
    assert all("00:01" in line and "file-" in line for line in out)
    assert summary(err) == "2 analysed, 0 done already, 0 failed"
    assert {header.call.source for header in stored().values()} == {"a.wav", "b.flac"}
    assert run(["calls", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2


def test_a_pipe_or_a_link_to_nothing_is_no_recording() -> None:
    put("a.wav", call(1))
    os.mkfifo("in/pipe.wav")
    Path("in/link.wav").symlink_to("nothing")
    Path("in/same.wav").symlink_to("a.wav")
    assert [path.name for path in recordings(Path("in"))] == ["a.wav", "same.wav"]


def test_a_name_does_not_steer_the_terminal(capsys: Any) -> None:
    put("a\x1b[31mred.wav", call(1))
    put("b\x1b[31mred.wav").write_bytes(b"")
    _, out, err = analysed(capsys)
    assert "\x1b" not in "".join(out + err)
    assert "a [31mred.wav" in out[0]


def test_what_is_done_is_not_done_again_whatever_it_is_called(capsys: Any) -> None:
    put("a.wav", call(1))
    assert analysed(capsys)[0] == 0
    before = stored()
    code, out, err = analysed(capsys)
    assert (code, out, summary(err)) == (0, [], "0 analysed, 1 done already, 0 failed")
    Path("in/a.wav").rename("in/renamed.wav")
    put("copy.wav", call(1))
    put("new.wav", call(2))
    code, out, err = analysed(capsys)
    assert summary(err) == "1 analysed, 2 done already, 0 failed"
    assert len(stored()) == 2
    assert before.keys() < stored().keys()


def test_two_copies_at_work_at_once_are_one_call(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    both, digest = Barrier(2, timeout=30), works.digest

    def together(files: Any) -> str:
        both.wait()
        return digest(files)

    monkeypatch.setattr(works, "digest", together)
    put("a.wav", call(1))
    put("b.wav", call(1))
    code, out, err = analysed(capsys)
    assert (code, len(out), summary(err)) == (0, 1, "1 analysed, 1 done already, 0 failed")
    assert len(stored()) == 1


def test_a_file_that_was_done_is_not_even_read(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    put("a.wav")
    assert analysed(capsys)[0] == 0
    monkeypatch.setattr("api.commands.works.digest", lambda _: pytest.fail("was read"))
    assert summary(analysed(capsys)[2]) == "0 analysed, 1 done already, 0 failed"


def test_a_call_that_was_deleted_is_analysed_again(capsys: Any) -> None:
    put("a.wav")
    analysed(capsys)
    (call_id,) = stored()
    assert run(["delete", call_id, "--yes"]) == 0
    assert summary(analysed(capsys)[2]) == "1 analysed, 0 done already, 0 failed"


def test_names_say_whose_call_it_is_and_when(capsys: Any) -> None:
    put("2026-01-05_7_billing_4711.wav")
    code, _, _ = analysed(
        capsys, "--name", "{date}_{agent_id}_{queue}_{call_id}", "--team", "north", "--field", "site=a"
    )
    assert code == 0
    ((call_id, header),) = stored().items()
    about = header.call
    assert (call_id, about.agent_id, about.queue, about.team, about.fields) == (
        "4711",
        "7",
        "billing",
        "north",
        {"site": "a"},
    )
    assert header.started.startswith("2026-01-0")


def test_two_files_named_so_are_one_call(capsys: Any) -> None:
    put("a-agent.wav", call()[:, 0])
    put("a-customer.wav", call()[:, 1])
    put("b_tx.wav", call(5)[:, 0])
    code, out, err = analysed(capsys)
    assert code == 0
    assert summary(err) == "2 analysed, 0 done already, 0 failed"
    assert [line.split(" · ")[0] for line in out if "customer" in line] == ["a-agent.wav + a-customer.wav"]
    pair = next(header.call for header in stored().values() if "customer" in header.call.source)
    assert pair.channels == ("agent", "customer")


def test_what_fails_is_told_at_once_and_at_the_end_and_the_others_are_done(capsys: Any) -> None:
    put("good_agent.wav", call()[:, 0])
    put("good_customer.wav", call()[:, 1])
    put("lonely_agent.wav", call(1)[:, 0])
    put("stereo_agent.wav", call(2))
    put("odd.wav")
    bad = Path("in/bad_customer.wav")
    bad.write_bytes(b"no audio at all")
    os.utime(bad, (LONG_AGO, LONG_AGO))
    broken = put("broken_agent.wav", call(3))
    broken.write_bytes(b"RIFF")
    os.utime(broken, (LONG_AGO, LONG_AGO))
    code, out, err = analysed(capsys, "--name", "{call_id}_{side}")
    assert code == 2
    assert sorted(line.split(" · ")[0] for line in out) == ["good_agent.wav + good_customer.wav", "stereo_agent.wav"]
    assert summary(err) == "2 analysed, 0 done already, 4 failed"
    expected = {
        "calmline: lonely_agent.wav: the customer's side of this call is missing",
        "calmline: bad_customer.wav: the agent's side of this call is missing",
        "calmline: broken_agent.wav: the customer's side of this call is missing",
        "calmline: odd.wav: its name does not fit '{call_id}_{side}'",
    }
    assert set(err[-4:]) == expected
    assert all(err.count(line) == 2 for line in expected)


def test_a_file_that_cannot_be_read_is_tried_by_every_run(capsys: Any) -> None:
    path = Path("in/a.wav")
    path.write_bytes(b"no audio at all")
    os.utime(path, (LONG_AGO, LONG_AGO))
    for _ in range(2):
        code, _, err = analysed(capsys)
        assert code == 2
        assert "calmline: a.wav: is not WAV, FLAC, Ogg or MP3 audio; convert it: ffmpeg -i IN OUT.wav" in err
    assert stored() == {}
    put("a.wav")
    assert analysed(capsys)[0] == 0


def test_an_engine_that_fails_is_a_failure_and_the_next_run_mends_it(
    capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("a.wav")
    monkeypatch.setattr(
        context.graph, "load", lambda *_: fake_engines(FakeTranscriber(error=RuntimeError("no memory")))
    )
    code, _, err = analysed(capsys)
    assert code == 3
    assert any("no memory" in line for line in err)
    monkeypatch.setattr(context.graph, "load", lambda *_: fake_engines())
    code, _, err = analysed(capsys)
    assert (code, summary(err)) == (0, "1 analysed, 0 done already, 0 failed")
    assert len(stored()) == 1


# interruption


def test_after_ctrl_c_the_next_run_does_what_is_left(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(6):
        put(f"{n}.wav", call(n))
    show, told = folder.Folder._show, 0

    def interrupted(*arguments: Any) -> None:
        nonlocal told
        show(*arguments)
        told += 1
        if told == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(folder.Folder, "_show", interrupted)
        code, out, err = analysed(capsys)
    assert (code, len(out)) == (130, 2)
    assert "the same command goes on where this one was" in " ".join(err)
    code, out, err = analysed(capsys)
    assert code == 0
    done = [int(word) for word in summary(err).split() if word.isdecimal()]
    assert done[0] + done[1] == 6
    assert done[1] >= 2
    assert len(stored()) == 6
    assert all(verified(call_id, capsys) for call_id in stored())


def verified(call_id: str, capsys: Any) -> bool:
    """Whether the stored call is whole: its events come out of its audio again."""
    assert run(["replay", call_id, "--verify", "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)
    return bool(verdict["finished"] and verdict["difference"] is None)


def test_half_a_call_of_a_killed_run_is_made_anew(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    put("a.wav")

    class Killed(BaseException):
        pass

    def kill(self: Recorder, source: Iterator[Any], *_: Any) -> None:
        for _ in range(10):
            self._call.advance(next(source))  # type: ignore[arg-type]
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "run", kill)
        patch.setattr(Call, "fail", lambda call, *_: call.release())  # the process is gone: no end is written
        with pytest.raises(Killed):
            analysed(capsys)
    (half,) = Path("calls").glob("*/journal.jsonl")
    assert "call_ended" not in half.read_text()
    capsys.readouterr()
    code, _, err = analysed(capsys)
    assert (code, summary(err)) == (0, "1 analysed, 0 done already, 0 failed")
    assert "call_ended" in half.read_text()


def test_a_call_of_that_name_that_is_not_ours_is_never_touched(capsys: Any) -> None:
    """It may be live in a server right now."""
    put("a1.wav")
    assert run(["analyze", str(put("../other.wav", call(9))), "--call-id", "a1", "--policy", "standard"]) == 0
    journal = Path("calls/a1/journal.jsonl")
    journal.write_text("\n".join(journal.read_text().splitlines()[:5]) + "\n")
    before = journal.read_bytes()
    capsys.readouterr()
    code, _, err = analysed(capsys, "--name", "{call_id}")
    assert code == 2
    assert "calmline: a1.wav: call a1 is stored already and has no end; if it is not live: calmline delete a1" in err
    assert journal.read_bytes() == before


def test_without_its_ledger_a_stored_call_is_known_by_its_id(capsys: Any) -> None:
    put("a.wav")
    analysed(capsys)
    (Path("calls") / NAME).unlink()
    assert summary(analysed(capsys)[2]) == "0 analysed, 1 done already, 0 failed"


def test_a_torn_line_of_the_ledger_is_passed_over(capsys: Any) -> None:
    put("a.wav")
    analysed(capsys)
    ledger = Path("calls") / NAME
    ledger.write_bytes(ledger.read_bytes() + b'{"digest":"ab')
    assert summary(analysed(capsys)[2]) == "0 analysed, 1 done already, 0 failed"


def test_two_runs_at_once_are_refused(capsys: Any) -> None:
    from filelock import FileLock

    put("a.wav")
    Path("calls").mkdir()
    with FileLock("calls/.recordings.lock"):
        code, _, err = analysed(capsys)
    assert code == 2
    assert err[-1].startswith("calmline: another calmline analyze or watch works on a folder already")


def test_a_full_disk_stops_all(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(4):
        put(f"{n}.wav", call(n))
    monkeypatch.setenv("CALMLINE_STORAGE__MAX_GB", "0.00001")
    code, out, err = analysed(capsys)
    assert code == 4
    assert len(out) < 4
    assert "storage.max_gb" in err[-1]


def test_nothing_stored_nothing_remembered(capsys: Any) -> None:
    put("a.wav")
    for _ in range(2):
        code, out, _ = analysed(capsys, "--no-store", "--json")
        assert (code, len(out)) == (0, 1)
        assert json.loads(out[0])["source"] == "a.wav"
    assert not Path("calls").exists()


def test_stored_calls_in_the_folder_are_no_recordings(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALMLINE_STORAGE__FOLDER", "in/calls")
    put("a.wav")
    assert analysed(capsys)[0] == 0
    assert summary(analysed(capsys)[2]) == "0 analysed, 1 done already, 0 failed"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["analyze", "in", "x.wav"], "a folder is given without files"),
        (["analyze", "in", "--pair"], "a folder is given without files"),
        (["analyze", "in", "--call-id", "a"], "a folder is given without files"),
        (["analyze", "x.wav", "--name", "{date}"], "--name says what the names in a folder mean"),
        (["analyze", "in", "--name", "(?P<x"], "is no pattern"),
        (["analyze", "in", "--sides", "tx"], "give two words, the agent's first"),
        (["analyze", "in", "--sides", "tx,TX"], "give two words"),
        (["analyze", "in", "--field", "ticket"], "write it as NAME=TEXT"),
        (["analyze", "in", "--field", "1=x"], "--fields"),
        (["analyze", "in", "--agent-id", "7" * 101], "--agent-id: "),
        (["watch", "nowhere"], "nowhere is no folder"),
    ],
)
def test_what_is_mistyped_costs_one_line(arguments: list[str], problem: str, capsys: Any) -> None:
    assert run(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert problem in line


def test_an_empty_folder_is_told(capsys: Any) -> None:
    code, out, err = analysed(capsys)
    assert (code, out) == (0, [])
    assert "holds no recordings" in err[0]


# files that are still being written


class Time:
    """A clock for arrivals that goes on when somebody rests; then something may happen."""

    def __init__(self, happens: Callable[[float], None] = lambda _: None) -> None:
        self.now = LONG_AGO + 1000.0
        self.happens = happens

    def rest(self, seconds: float) -> None:
        self.now += seconds
        self.happens(self.now - LONG_AGO - 1000.0)

    def arrivals(self, **options: float) -> Arrivals:
        return Arrivals(**options, now=lambda: self.now, rest=self.rest)


def touch(path: Path, at: float) -> None:
    os.utime(path, (at, at))


def test_a_file_is_whole_once_it_was_still_for_two_seconds() -> None:
    time = Time()
    arrivals, path = time.arrivals(), put("a.wav")
    touch(path, time.now)
    arrivals.notice(path)
    assert arrivals.whole() == []
    time.rest(1.5)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1000])
    touch(path, time.now)
    assert arrivals.whole() == []
    time.rest(1.5)
    assert arrivals.whole() == [], "it changed meanwhile"
    time.rest(0.5)
    assert arrivals.whole() == [], "it is still, but holds less than its header promises"
    path.write_bytes(whole)
    touch(path, time.now)
    time.rest(2.0)
    arrivals.whole()
    time.rest(2.0)
    assert arrivals.whole() == [path]
    assert len(arrivals) == 0


def test_a_file_that_stays_short_or_unreadable_is_given_on_after_a_minute() -> None:
    time = Time()
    arrivals, short, none = time.arrivals(), put("short.wav"), Path("in/none.wav")
    short.write_bytes(short.read_bytes()[:-1000])
    none.write_bytes(b"")
    for path in (short, none):
        touch(path, time.now)
        arrivals.notice(path)
    for _ in range(59):
        time.rest(1.0)
        assert arrivals.whole() == []
    time.rest(1.0)
    assert arrivals.whole() == [none, short]


def test_a_file_that_goes_away_is_forgotten() -> None:
    arrivals, path = Time().arrivals(), put("a.wav", aged=False)
    arrivals.notice(path)
    path.unlink()
    assert (arrivals.whole(), len(arrivals)) == ([], 0)


def test_analyze_waits_for_what_is_being_written_and_tells_what_never_ends(
    capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless, growing = put("endless.wav", call(1)), put("growing.wav", call(2))
    whole = growing.read_bytes()
    growing.write_bytes(whole[:5000])

    def write(passed: float) -> None:
        touch(endless, time.now)
        if passed < 5:
            growing.write_bytes(whole[: 5000 + 100 * int(passed)])
            touch(growing, time.now)
        elif passed < 6:
            growing.write_bytes(whole)
            touch(growing, time.now)

    time = Time(write)
    for path in (endless, growing):
        touch(path, time.now)
    monkeypatch.setattr(folder, "Arrivals", time.arrivals)
    code, out, err = analysed(capsys)
    assert code == 2
    assert [line.split(" · ")[0] for line in out] == ["growing.wav"]
    assert "endless.wav: is still being written; run this again when it is whole" in err[-1]
    assert next(iter(stored().values())).call.warnings == ()


# watch


Step = Callable[[], list[Path]]


class Watched:
    """In place of watchfiles.watch: each step changes the folder and says what changed; then a minute passes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *steps: Step) -> None:
        self.time = Time()
        self.steps = steps
        self.options: dict[str, Any] = {}
        watched = self

        class Held(folder.Folder):
            def __enter__(self) -> "Held":
                watched.work = super().__enter__().work
                return self

        monkeypatch.setattr(watch, "Folder", Held)
        monkeypatch.setattr(watch.watchfiles, "watch", self._watch)
        monkeypatch.setattr(watch.time, "monotonic", lambda: self.time.now)
        monkeypatch.setattr(watch, "Arrivals", self.time.arrivals)

    def _watch(self, root: Path, **options: Any) -> Iterator[set[tuple[int, str]]]:
        self.options = options
        for step in self.steps:
            paths = [str(Path(path).absolute()) for path in step()]
            yield {(1, path) for path in paths if options["watch_filter"](1, path)}
            for _ in range(120):
                self.time.rest(0.5)
                wait(self.work._running)
                yield set()

    def run(self, capsys: Any, *options: str) -> tuple[int, list[str], list[str]]:
        code = run(["watch", "in", "--policy", "standard", *options])
        told = capsys.readouterr()
        return code, [line.split(" · ")[0] for line in told.out.splitlines()], told.err.splitlines()


def putting(name: str, pcm: NDArray[np.int16] | None = None) -> Step:
    return lambda: [put(name, pcm)]


def test_what_lies_there_and_what_comes_is_analysed_once(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    put("before.wav", call(1))
    steps = [list, putting("new.wav", call(2)), putting("sub/.part/x.wav"), lambda: [Path("in/new.wav")]]
    watched = Watched(monkeypatch, *steps)
    code, out, err = watched.run(capsys)
    assert (code, out) == (0, ["before.wav", "new.wav"])
    assert len(stored()) == 2
    assert "2 analysed" in err[-1]
    assert Watched(monkeypatch, list).run(capsys)[1] == [], "and by no later run"


def test_a_half_written_file_waits_until_it_is_whole(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put("growing.wav", call(3))
    whole = path.read_bytes()

    def write(passed: float) -> None:
        path.write_bytes(whole[: min(len(whole), 5000 + round(100 * passed))])
        touch(path, watched.time.now)

    def grow() -> list[Path]:
        watched.time.happens = write
        write(0)
        return [path]

    def still() -> list[Path]:
        watched.time.happens = lambda _: None
        assert stored() == {}, "it grew all the time"
        path.write_bytes(whole)
        return [path]

    watched = Watched(monkeypatch, grow, still)
    code, out, _ = watched.run(capsys)
    assert (code, out) == (0, ["growing.wav"])
    assert next(iter(stored().values())).call.warnings == ()


def test_the_second_side_of_a_call_may_come_later(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def late() -> list[Path]:
        assert stored() == {}
        return [put("a-customer.wav", call()[:, 1])]

    code, out, err = Watched(monkeypatch, putting("a-agent.wav", call()[:, 0]), late).run(capsys)
    assert (code, out) == (0, ["a-agent.wav + a-customer.wav"])
    assert not any("missing" in line for line in err)


def test_a_side_that_stays_alone_is_told_once_and_waited_for_on(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing: list[Step] = [list for _ in range(15)]
    steps = [putting("a-agent.wav", call()[:, 0]), *nothing, putting("a-customer.wav", call()[:, 1])]
    code, out, err = Watched(monkeypatch, *steps).run(capsys)
    assert (code, out) == (2, ["a-agent.wav + a-customer.wav"])
    told = [line for line in err if "the customer's side of this call is missing" in line]
    assert len(told) == 2, "once, and once at the end"


def test_bad_files_are_told_once_however_often_the_folder_is_looked_at(
    capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("in/bad_7.wav").write_bytes(b"no audio at all")
    put("odd.wav")
    nothing: list[Step] = [list for _ in range(12)]
    watched = Watched(monkeypatch, *nothing, putting("bad_7.wav"))
    code, out, err = watched.run(capsys, "--name", "{queue}_{agent_id}")
    assert (code, out) == (2, ["bad_7.wav"]), "mended, it is analysed"
    assert len([line for line in err if "odd.wav" in line]) == 2
    assert len([line for line in err if "bad_7.wav" in line]) == 2


def test_a_pattern_without_side_refuses_the_files_of_one_party(capsys: Any) -> None:
    for party in ("agent", "customer"):
        put(f"7-{party}.wav", call(channels=1))
    put("8-agent.wav", call(8))  # both parties after all
    assert run(["analyze", "in", "--name", "{ticket}"]) == 2
    err = capsys.readouterr().err
    why = "its name is that of one party's file, and --name has no {side}; add it to the pattern"
    for party in ("agent", "customer"):
        assert f"7-{party}.wav: {why}" in err
    assert "1 analysed, 0 done already, 2 failed" in err
    assert run(["analyze", "in", "--name", "{ticket}-{side}"]) == 0
    assert "1 analysed, 1 done already, 0 failed" in capsys.readouterr().err


def test_options_reach_the_watcher(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch, putting("7.wav"))
    code = run(["watch", "in", "--poll", "--json", "--name", "{agent_id}", "--queue", "sales", "--policy", "standard"])
    (view,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (code, view["agent_id"], view["queue"]) == (0, "7", "sales")
    assert watched.options["force_polling"] is True


def test_a_signal_ends_the_watch_and_the_next_run_goes_on(tmp_path: Path) -> None:
    """For real: a process, the system's own news of changes, a file that is moved in, SIGTERM."""
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3]), "CALMLINE_POLICY__WORDS": "false"}
    command = [sys.executable, "-m", "api.cli", "watch", "in"]
    made = put("../made.wav", call(1))
    with subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stderr is not None
            assert process.stdout is not None
            while "watching" not in (line := process.stderr.readline()):
                assert line, "it ended before it watched"
            made.rename("in/a.wav")
            assert process.stdout.readline().startswith("a.wav · 00:01")
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0, err
    assert "1 analysed, 0 done already, 0 failed" in err
    assert "Traceback" not in err
