"""A stored call derived afresh: what is asked again, what is kept, whose row is whose, and what a crash leaves."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.protocols import Samples, Transcript
from pipeline import graph, rederive, tape
from pipeline.archive import Archive
from pipeline.channel import MONO, TWO_CHANNEL, Channel
from pipeline.errors import BadInput, Conflict, EngineFault, StorageFault
from pipeline.events import Alert, CallEnded, CallStarted, Gap, Region, SpeechEnded, Words
from pipeline.graph import Engines
from pipeline.inputs import Command, Frame, Input, Loss, Mark
from pipeline.journal import CallFolder, read_entries, read_header
from pipeline.pool import EnginePool
from pipeline.rederive import Derived, exchanged, kept
from pipeline.replay import Recorder, verify
from pipeline.session import TAIL, CallInfo, Entry
from pipeline.settings import POLICIES, Policy, Settings
from pipeline.timebase import RATE, TICK, Span
from tests.fakes import AlertNode, FakeTranscriber, fake_engines, silence, speech, stereo, transcript
from tests.pipeline.drive import events, frames_of

A, C = Channel.AGENT, Channel.CUSTOMER
SWAPPED = (C, A)
STANDARD = Settings(policy=POLICIES["standard"])
CALL = stereo(
    [speech(1.5), silence(2.5), speech(1.0, seed=2), silence(1.0)], [silence(2.0), speech(1.3, seed=1), silence(2.7)]
)
END = len(CALL) - 100
"""The last tick is not all real."""


class Hearing(FakeTranscriber):
    """Says how long what it heard was: the same audio, the same words."""

    def hear(self, samples: Samples) -> Transcript:
        super().hear(samples)
        return transcript(f"that was {len(samples)} samples", len(samples))


@pytest.fixture
def engines() -> Engines:
    return fake_engines(Hearing())


@pytest.fixture
def pool(engines: Engines) -> Iterator[EnginePool]:
    assert engines.transcriber is not None
    pool = EnginePool(engines.transcriber)
    yield pool
    pool.close()


def stored(
    root: Path,
    engines: Engines,
    pool: EnginePool | None,
    *,
    pcm: NDArray[np.int16] = CALL,
    inputs: Sequence[tuple[float, Input]] = (),
    settings: Settings = STANDARD,
    channels: tuple[Channel, ...] = TWO_CHANNEL,
) -> CallFolder:
    """A recorded call; inputs are admitted at their second, and commands with them: so the ears are not ahead."""
    archive = Archive(root, 1.0)
    info = CallInfo(call_id="c", channels=channels, agent_id="7", notice_given="ivr", source="test", warnings=("w",))
    session = graph.build(info, settings, engines)
    call = archive.record(session, settings, engines.identities, started="2025-01-01T00:00:00+00:00")

    def source() -> Iterator[Frame]:
        waiting = sorted(inputs, key=lambda pair: pair[0])
        for frame in frames_of(pcm):
            while waiting and waiting[0][0] * RATE <= frame.start:
                call.admit(waiting.pop(0)[1])
            yield frame

    recorder = Recorder(call, pool.ask if pool else None, settings.words.nominal_delay_s, ahead=0.0)
    recorder.run(source(), lambda: min(END, len(pcm)), "hung up")
    return archive.folder("c")


def swap(folder: CallFolder, engines: Engines, pool: EnginePool | None, **options: Any) -> Derived:
    ask = pool.ask if pool else None
    return rederive.rederive(folder, engines, ask, channels=exchanged(folder), **options)


def entries(folder: CallFolder) -> list[Entry]:
    return list(read_entries(folder.journal))


def names(folder: CallFolder) -> set[str]:
    return {path.name for path in folder.path.iterdir()}


def said(folder: CallFolder) -> dict[tuple[Channel, int], str]:
    return {(each.channel, each.span.start): each.text for each in events(entries(folder), Words)}


def test_a_swap_is_the_same_call_with_the_other_names(tmp_path: Path, engines: Engines, pool: EnginePool) -> None:
    folder = stored(tmp_path, engines, pool)
    old, audio, before = read_header(folder.journal), folder.audio.read_bytes(), entries(folder)
    words = said(folder)
    assert len(words) == 3
    derived = swap(folder, engines, pool)
    new, after = read_header(folder.journal), entries(folder)
    assert new.call == replace(old.call, channels=SWAPPED)
    assert (new.settings, new.started, new.engines) == (old.settings, old.started, engines.identities)
    assert folder.audio.read_bytes() == audio
    assert events(after, CallStarted)[0].channels == SWAPPED
    assert said(folder) == {(channel.other, start): text for (channel, start), text in words.items()}
    spoken = [(each.channel.other, each.span) for each in events(before, SpeechEnded)]
    assert {(each.channel, each.span) for each in events(after, SpeechEnded)} == set(spoken)
    ended = events(after, CallEnded)[0]
    assert (ended.span, ended.reason) == (Span(0, END), "hung up")
    assert derived.view.state == "ended"
    assert derived.view.channels[C].talk_ms > derived.view.channels[A].talk_ms
    assert list(derived.view.channels) == [C, A]


def test_what_held_before_is_kept_and_nothing_else_is_left(tmp_path: Path, engines: Engines, pool: EnginePool) -> None:
    folder = stored(tmp_path, engines, pool)
    first = folder.journal.read_bytes()
    assert swap(folder, engines, pool).kept == folder.path / "journal.1.jsonl"
    second = folder.journal.read_bytes()
    assert second != first
    assert swap(folder, engines, pool).kept == folder.path / "journal.2.jsonl"
    assert [path.read_bytes() for path in kept(folder)] == [first, second]
    assert names(folder) == {"audio.flac", "journal.jsonl", "journal.1.jsonl", "journal.2.jsonl"}


def test_what_judged_the_agent_is_not_kept_where_the_policy_forbids_it(
    tmp_path: Path, engines: Engines, pool: EnginePool
) -> None:
    """The agent was taken for the customer and got scores of anger: the kept journal has the inputs alone."""
    workplace = Settings(policy=POLICIES["eu-workplace"])
    folder = stored(tmp_path, engines, pool, settings=workplace, inputs=[(2.0, Mark(kind="hold"))])
    first = folder.journal.read_bytes()
    derived = swap(folder, engines, pool)
    assert {entry.item.type for entry in read_entries(derived.kept)} == {"engine_result", "mark", "close"}
    swap(folder, engines, pool)
    assert folder.journal.read_bytes() == first


def test_twice_swapped_is_as_it_was(tmp_path: Path, engines: Engines, pool: EnginePool) -> None:
    mark = Mark(kind="mute", channel=A)
    loss = Loss(channel=C, span=Span(32000, 32512), reason="late")
    folder = stored(tmp_path, engines, pool, inputs=[(0.5, mark), (2.0, loss), (2.5, Mark(kind="unmute", channel=A))])
    first = folder.journal.read_bytes()
    swap(folder, engines, pool)
    assert folder.journal.read_bytes() != first
    swap(folder, engines, pool)
    assert folder.journal.read_bytes() == first


def test_ten_journals_are_in_the_order_of_their_numbers(tmp_path: Path, engines: Engines, pool: EnginePool) -> None:
    folder = stored(tmp_path, engines, pool)
    for number in (2, 9, 10):
        shutil.copyfile(folder.journal, folder.path / f"journal.{number}.jsonl")
    (folder.path / "journal.new.jsonl.jsonl").touch()
    assert [path.name for path in kept(folder)] == ["journal.2.jsonl", "journal.9.jsonl", "journal.10.jsonl"]
    swap(folder, engines, pool)
    assert swap(folder, engines, pool).kept.name == "journal.11.jsonl"


def test_it_replays(tmp_path: Path, engines: Engines, pool: EnginePool) -> None:
    inputs: list[tuple[float, Input]] = [(1.0, Mark(kind="hold")), (2.2, Mark(kind="resume"))]
    folder = stored(tmp_path, engines, pool, inputs=inputs)
    swap(folder, engines, pool)
    header = read_header(folder.journal)
    verdict = verify(graph.build(header.call, header.settings, engines), folder)
    assert verdict.finished
    assert verdict.difference is None
    assert verdict.events > 10


def test_a_loss_follows_its_row_and_a_mark_its_party(tmp_path: Path, engines: Engines, pool: EnginePool) -> None:
    loss, mute = Loss(channel=A, span=Span(32000, 32512), reason="late"), Mark(kind="mute", channel=A, by="pbx")
    folder = stored(tmp_path, engines, pool, inputs=[(1.0, mute), (2.0, loss)])
    before = {entry.item.type: entry.at for entry in entries(folder) if isinstance(entry.item, Loss | Mark)}
    swap(folder, engines, pool)
    after = entries(folder)
    assert events(after, Loss) == [replace(loss, channel=C)]
    assert events(after, Mark) == [mute]
    assert {entry.item.type: entry.at for entry in after if isinstance(entry.item, Loss | Mark)} == before
    assert events(after, Gap)[0].channel is C
    assert {each.channel for each in events(after, Region) if each.kind == "mute"} == {A}


def with_alert(monkeypatch: pytest.MonkeyPatch, at: dict[tuple[Channel, ...], int]) -> None:
    """Sessions raise one alert, at a sample that depends on their channels, behind some events of the real nodes."""
    build = graph.build

    def built(info: CallInfo, settings: Settings, engines: Engines) -> Any:
        session = build(info, settings, engines)
        session._mind = [*session._mind, AlertNode(at[info.channels])]
        return session

    monkeypatch.setattr(graph, "build", built)


def answered(folder: CallFolder) -> list[tuple[int, str]]:
    return [(alert.of, alert.reason) for alert in events(entries(folder), Alert) if alert.kind == "test" and alert.of]


def with_answer(root: Path, engines: Engines, pool: EnginePool) -> tuple[CallFolder, int]:
    """A call whose alert was dismissed, and the number of that alert: read from a first run."""
    probe = stored(root / "probe", engines, pool)
    n = next(entry.n for entry in entries(probe) if isinstance(entry.item, Alert) and entry.item.kind == "test")
    command = Command(kind="dismiss", alert=n, by="bob")
    return stored(root / "calls", engines, pool, inputs=[(3.9, command)]), n


def test_an_answer_follows_its_alert(
    tmp_path: Path, engines: Engines, pool: EnginePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_alert(monkeypatch, {TWO_CHANNEL: 3 * RATE, SWAPPED: 3 * RATE})
    folder, n = with_answer(tmp_path, engines, pool)
    assert answered(folder) == [(n, "dismiss by bob")]
    lines = folder.journal.read_text().splitlines(keepends=True)
    assert any('"type":"command"' in line for line in lines)
    swap(folder, engines, pool)
    raised = next(each.n for each in entries(folder) if isinstance(each.item, Alert) and each.item.kind == "test")
    assert answered(folder) == [(raised, "dismiss by bob")]
    assert [each.alert for each in events(entries(folder), Command)] == [raised]


def test_an_answer_without_its_alert_answers_no_other_and_is_not_lost(
    tmp_path: Path, engines: Engines, pool: EnginePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_alert(monkeypatch, {TWO_CHANNEL: 3 * RATE, SWAPPED: 3 * RATE - 5 * TICK})
    folder, _ = with_answer(tmp_path, engines, pool)
    first = folder.journal.read_bytes()
    swap(folder, engines, pool)
    assert answered(folder) == []
    assert events(entries(folder), Command) == []
    swap(folder, engines, pool)
    assert folder.journal.read_bytes() == first


def test_a_command_about_the_whole_call_stays(tmp_path: Path, engines: Engines, pool: EnginePool) -> None:
    claim = Command(kind="claim", by="mara")
    folder = stored(tmp_path, engines, pool, inputs=[(1.0, claim)])
    swap(folder, engines, pool)
    assert events(entries(folder), Command) == [claim]


def test_the_same_channels_are_derived_again_with_the_engines_of_today(
    tmp_path: Path, engines: Engines, pool: EnginePool
) -> None:
    folder = stored(tmp_path, engines, pool)
    other = fake_engines(FakeTranscriber(["hello there"] * 9))
    assert other.transcriber is not None
    today = EnginePool(other.transcriber)
    derived = rederive.rederive(folder, other, today.ask)
    today.close()
    assert set(said(folder).values()) == {"hello there"}
    assert list(derived.view.channels) == [A, C]
    first = read_header(derived.kept)
    assert read_header(folder.journal).call == first.call


def test_progress_is_told(tmp_path: Path, engines: Engines, pool: EnginePool) -> None:
    folder, told = stored(tmp_path, engines, pool), []
    swap(folder, engines, pool, stepped=told.append)
    assert told == list(range(TICK, tape.length(folder.audio) + TAIL * TICK + 1, TICK))


# what cannot be


def test_one_channel_cannot_be_swapped(tmp_path: Path, engines: Engines, pool: EnginePool) -> None:
    folder = stored(tmp_path, engines, pool, pcm=CALL[:, :1], channels=MONO)
    with pytest.raises(BadInput, match="c has one channel; only a call with an agent and a customer"):
        exchanged(folder)


def test_without_audio_nothing_can_be_derived(tmp_path: Path, engines: Engines, pool: EnginePool) -> None:
    folder = stored(tmp_path, engines, pool, settings=Settings(policy=POLICIES["measures-only"]))
    with pytest.raises(BadInput, match="no stored audio"):
        swap(folder, engines, pool)
    assert names(folder) == {"journal.jsonl"}


def test_words_are_not_lost_for_want_of_a_recogniser(tmp_path: Path, engines: Engines, pool: EnginePool) -> None:
    folder = stored(tmp_path, engines, pool)
    with pytest.raises(Conflict, match="no recogniser is loaded"):
        swap(folder, fake_engines(words=False), None)
    assert names(folder) == {"audio.flac", "journal.jsonl"}


def test_a_call_without_words_needs_no_recogniser(tmp_path: Path) -> None:
    deaf = fake_engines(words=False)
    folder = stored(tmp_path, deaf, None, settings=Settings(policy=Policy(name="mute", words=False)))
    assert swap(folder, deaf, None).view.channels[C].talk_ms > 0


def test_a_failing_engine_changes_nothing(tmp_path: Path, engines: Engines, pool: EnginePool) -> None:
    folder = stored(tmp_path, engines, pool)
    before = folder.journal.read_bytes()
    broken = EnginePool(FakeTranscriber(error=RuntimeError("weights on fire")))
    with pytest.raises(EngineFault, match="c stays as it was: words failed: RuntimeError: weights on fire"):
        swap(folder, engines, broken)
    broken.close()
    assert folder.journal.read_bytes() == before
    assert names(folder) == {"audio.flac", "journal.jsonl"}


def test_breaking_off_changes_nothing(tmp_path: Path, engines: Engines, pool: EnginePool) -> None:
    folder = stored(tmp_path, engines, pool)
    before = folder.journal.read_bytes()

    def stop(at: int) -> None:
        if at > RATE:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        swap(folder, engines, pool, stepped=stop)
    assert folder.journal.read_bytes() == before
    assert names(folder) == {"audio.flac", "journal.jsonl"}


# killed in the middle


def test_killed_while_deriving_the_old_journal_holds_and_the_next_swap_cleans_up(
    tmp_path: Path, engines: Engines, pool: EnginePool
) -> None:
    folder = stored(tmp_path, engines, pool)
    whole = folder.journal.read_bytes()
    (folder.path / "journal.new.jsonl").write_bytes(whole[: len(whole) // 2])
    (folder.path / "journal.part").write_bytes(whole[:10])
    assert folder.journal.read_bytes() == whole
    assert list(Archive(tmp_path, 1.0).ids()) == ["c"]
    swap(folder, engines, pool)
    assert names(folder) == {"audio.flac", "journal.jsonl", "journal.1.jsonl"}
    assert (folder.path / "journal.1.jsonl").read_bytes() == whole


def test_killed_before_the_new_journal_took_its_place_nothing_is_kept_twice(
    tmp_path: Path, engines: Engines, pool: EnginePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = stored(tmp_path, engines, pool)
    whole = folder.journal.read_bytes()

    def refuse(source: Path, target: Path) -> None:
        if target == folder.journal:
            raise OSError(28, "No space left on device")
        source.rename(target)

    with monkeypatch.context() as patch, pytest.raises(StorageFault, match="No space left"):
        patch.setattr("os.replace", refuse)
        swap(folder, engines, pool)
    assert folder.journal.read_bytes() == whole
    assert names(folder) == {"audio.flac", "journal.jsonl", "journal.1.jsonl"}
    assert swap(folder, engines, pool).kept.name == "journal.1.jsonl"
    assert names(folder) == {"audio.flac", "journal.jsonl", "journal.1.jsonl"}
    assert (folder.path / "journal.1.jsonl").read_bytes() == whole


def test_a_call_whose_writer_was_killed_gets_an_end(tmp_path: Path, engines: Engines, pool: EnginePool) -> None:
    folder = stored(tmp_path, engines, pool)
    lines = folder.journal.read_bytes().splitlines(keepends=True)
    closed = next(index for index, line in enumerate(lines) if b'"type":"close"' in line)
    folder.journal.write_bytes(b"".join([*lines[: closed - 2], lines[closed - 2][:9]]))
    swap(folder, engines, pool)
    ended = events(entries(folder), CallEnded)[0]
    assert (ended.reason, ended.span.end) == ("interrupted", tape.length(folder.audio))
    header = read_header(folder.journal)
    assert verify(graph.build(header.call, header.settings, engines), folder).difference is None
