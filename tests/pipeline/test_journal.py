"""What is written can be read: every input and event, every journal, every tape, also after a kill."""

from __future__ import annotations

import dataclasses
import errno
import json
import signal
import subprocess
import sys
import types
import typing
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from pipeline import events, inputs, tape
from pipeline.channel import TWO_CHANNEL
from pipeline.errors import BadInput, StorageFault
from pipeline.inputs import Frame
from pipeline.journal import Header, Journal, decode, encode, read_entries, read_header
from pipeline.session import CallInfo, Entry
from pipeline.settings import Settings
from pipeline.tape import Tape
from pipeline.timebase import TICK, Span
from tests.pipeline.drive import INFO, frames

spans = st.tuples(st.integers(0, 2**40), st.integers(0, 2**20)).map(lambda pair: Span(pair[0], pair[0] + pair[1]))


def strategy(hint: object) -> st.SearchStrategy[typing.Any]:
    """Hypothesis' own strategies, with spans that are ordered and floats that JSON can say."""
    st.register_type_strategy(Span, spans)
    st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
    return st.from_type(typing.cast(type, hint))


def members(union: object) -> tuple[type, ...]:
    assert isinstance(union, types.UnionType)
    return union.__args__


@pytest.mark.parametrize("kind", [*members(events.Event), *members(inputs.Input)], ids=lambda kind: kind.__name__)
def test_every_input_and_event_round_trips(kind: type) -> None:
    @given(strategy(kind), st.integers(0, 2**31))
    def check(item: typing.Any, n: int) -> None:
        entry = Entry(n, n * TICK, item)
        assert decode(encode(entry)) == entry

    check()


def test_every_event_says_what_and_when() -> None:
    for kind in members(events.Event):
        names = {field.name for field in dataclasses.fields(kind)}
        assert {"type", "span", "at"} <= names


def test_the_unions_are_whole() -> None:
    for module, union in ((events, events.Event), (inputs, inputs.Input)):
        defined = {
            value
            for value in vars(module).values()
            if dataclasses.is_dataclass(value) and value.__module__ == module.__name__ and hasattr(value, "type")
        }
        assert defined == set(members(union))


def journal(path: Path, count: int = 3) -> Path:
    written = Journal(path, Header(INFO, Settings(), started="2026-01-01T00:00:00+00:00"))
    written.write(Entry(n, 0, inputs.Mark(kind="hold")) for n in range(1, count + 1))
    written.close()
    return path


def test_the_header_carries_the_resolved_settings(tmp_path: Path) -> None:
    header = read_header(journal(tmp_path / "j"))
    assert header.settings == Settings()
    assert header.call == INFO


def test_line_numbers_are_entry_numbers(tmp_path: Path) -> None:
    lines = journal(tmp_path / "j").read_text().splitlines()
    assert [json.loads(line)["n"] for line in lines] == list(range(len(lines)))


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    path = journal(tmp_path / "j")
    path.write_bytes(path.read_bytes()[:-7])
    assert [entry.n for entry in read_entries(path)] == [1, 2]


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    path = journal(tmp_path / "j")
    path.write_text(path.read_text().replace('"n":2,"at":0,"in"', '"n":2,"at":0,"what"'))
    with pytest.raises(BadInput, match="line 2 is damaged"):
        list(read_entries(path))


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "j").write_text("hello\n")
    with pytest.raises(BadInput, match="does not begin with a journal header"):
        read_header(tmp_path / "j")
    with pytest.raises(BadInput, match="no journal at"):
        read_header(tmp_path / "k")


def test_a_journal_is_never_overwritten(tmp_path: Path) -> None:
    journal(tmp_path / "j")
    with pytest.raises(StorageFault, match="never overwritten"):
        journal(tmp_path / "j")


def test_a_full_disk_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    written = Journal.__new__(Journal)
    written.path = Path("/dev/full")
    with Path("/dev/full").open("wb", buffering=0) as full:
        written._file = full
        with pytest.raises(StorageFault, match="No space left on device; free some space"):
            written.write([Entry(1, 0, inputs.Mark(kind="hold"))])


def test_a_tape_gives_back_what_it_took(tmp_path: Path) -> None:
    taken = list(frames(2))
    written = Tape(tmp_path / "a.flac", 2)
    for frame in taken:
        written.write(frame)
    written.close()
    written.close()
    given_back = list(tape.frames(tmp_path / "a.flac"))
    assert [frame.start for frame in given_back] == [frame.start for frame in taken]
    assert all(np.array_equal(one.pcm, two.pcm) for one, two in zip(given_back, taken, strict=True))
    assert tape.length(tmp_path / "a.flac") == len(taken) * TICK


def test_a_tape_is_readable_at_every_moment(tmp_path: Path) -> None:
    """A kill may come after any frame: what the header promises is there."""
    path, copy = tmp_path / "a.flac", tmp_path / "copy.flac"
    noise = np.random.default_rng(3).normal(0, 3000, (2, 200 * TICK)).astype(np.int16)
    written = Tape(path, 2)
    for start in range(0, noise.shape[1], TICK):
        written.write(Frame(start, noise[:, start : start + TICK]))
        if start >= 32 * TICK:
            copy.write_bytes(path.read_bytes())
            kept = tape.read(copy).T
            assert start - 1.1 * 8192 <= kept.shape[1]
            assert np.array_equal(kept, noise[:, : kept.shape[1]])
    written.close()


def test_a_tape_on_a_full_disk_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = Tape(tmp_path / "a.flac", 2)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pipeline.tape.os.pwrite", full)
    with pytest.raises(StorageFault, match="No space left"):
        for frame in frames(2):
            written.write(frame)
    written.close()


FULL = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from pipeline.errors import StorageFault
from pipeline.tape import Tape
from tests.pipeline.drive import frames

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
tape = Tape(Path(sys.argv[1]), 2)
try:
    for frame in frames(20):
        tape.write(frame)
except StorageFault as error:
    print(error)
try:
    tape.close()
except StorageFault:
    pass
"""


def test_a_tape_that_could_not_go_on_is_readable_as_far_as_it_came(tmp_path: Path) -> None:
    path, root = tmp_path / "a.flac", str(Path(__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", FULL, str(path), root], capture_output=True, text=True, check=True)
    assert "cannot write" in done.stdout
    whole = np.concatenate([frame.pcm for frame in frames(20)], axis=1)
    kept = tape.read(path).T
    assert kept.shape[1] == tape.length(path) >= 8192
    assert np.array_equal(kept, whole[:, : kept.shape[1]])


def test_no_audio_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "a.flac").write_text("no audio")
    with pytest.raises(BadInput, match="cannot read the stored audio"):
        list(tape.frames(tmp_path / "a.flac"))


KILLED = """
import sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
from pipeline.channel import TWO_CHANNEL
from pipeline.graph import build
from pipeline.archive import Archive
from pipeline.session import CallInfo
from tests.pipeline.drive import STANDARD, engines, frames_of
from tests.synth import Line, build as synth

pcm, _ = synth([Line("agent", 1, 3), Line("customer", 4.5, 4), Line("agent", 6, 3)], 10)
archive = Archive(Path(sys.argv[1]), 1.0)
call = archive.record(build(CallInfo(call_id="killed", channels=TWO_CHANNEL), STANDARD, engines()), STANDARD)
for frame in frames_of(pcm):
    call.advance(frame)
print("heard", flush=True)
sys.stdin.read()
"""


def test_a_killed_call_is_readable_up_to_its_last_second(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path), root], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "heard\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    folder = tmp_path / "killed"
    heard = tape.length(folder / "audio.flac") / 16_000
    assert heard >= 9.0
    data, _ = soundfile.read(folder / "audio.flac")
    assert len(data) == tape.length(folder / "audio.flac")
    last = list(read_entries(folder / "journal.jsonl"))[-1]
    assert last.at / 16_000 >= 9.0


def test_the_header_of_a_call_without_channels_is_still_a_header() -> None:
    info = CallInfo(call_id="x", channels=TWO_CHANNEL, notice_given="spoken", unavailable={"words": "policy"})
    assert Header(info, Settings()).call.unavailable == {"words": "policy"}


assert Frame
