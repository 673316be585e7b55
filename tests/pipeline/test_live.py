"""The live driver with a virtual line: late and failing engines, commands, pauses, overflow, and verified replay."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.protocols import Identity, Samples, TimedWord, Transcript
from pipeline import tape
from pipeline.archive import Archive
from pipeline.call import Call
from pipeline.channel import TWO_CHANNEL
from pipeline.drafts import Draft
from pipeline.errors import Conflict, NotFound, StorageFault
from pipeline.events import Alert, CallEnded, Fault, Overlap, Prosody, Region, Rejected, Words
from pipeline.graph import build
from pipeline.hush import GUARD, Hush
from pipeline.inputs import Command, EngineResult, Frame, Mark
from pipeline.journal import encode, read_entries
from pipeline.live import BATCH, UNHEARD, LiveCall, Switchboard
from pipeline.pool import EnginePool
from pipeline.replay import Recorder, verify
from pipeline.session import TAIL, CallInfo, Entry
from pipeline.strain import Shed, Strain
from pipeline.timebase import RATE, TICK
from tests.pipeline.drive import STANDARD, engines, events, frames_of, record, spoken
from tests.synth import Line
from tests.synth import build as synth

DISPUTE = [Line("agent", 1, 3), Line("customer", 4.5, 5, f0_hz=200), Line("agent", 6.5, 4), Line("customer", 11, 1.5)]
PCM = synth(DISPUTE, 14)[0]


class Gated:
    """Answers only when its gate is open; raises while ``broken``."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.broken = False
        self.foreign = 0.0

    @property
    def identity(self) -> Identity:
        return Identity("gated", "0", "")

    workers = 1

    def context(self, length: int) -> int:
        return 30 * RATE

    def transcribe(self, batch: Sequence[Samples], *, draft: bool = False) -> list[Transcript]:
        return [self.hear(samples) for samples in batch]

    def hear(self, samples: Samples) -> Transcript:
        self.gate.wait(30)
        if self.broken:
            raise MemoryError("no room")
        words = (TimedWord(0, len(samples), "hello", 0.9),)
        return Transcript("hello", words, "en", 0.0, -0.3, 1.0, self.foreign)


class Ears:
    """An audience that remembers, and that can be waited for."""

    def __init__(self) -> None:
        self.entries: dict[str, list[Entry]] = {}
        self.drafts: dict[str, list[Draft]] = {}
        self.news = asyncio.Event()

    def started(self, live: LiveCall) -> None:
        self.entries[live.call_id] = []

    def heard(self, live: LiveCall, entries: list[Entry]) -> None:
        self.entries[live.call_id] += entries
        self.news.set()

    def drafted(self, live: LiveCall, draft: Draft) -> None:
        self.drafts.setdefault(live.call_id, []).append(draft)
        self.news.set()

    def ended(self, live: LiveCall) -> None:
        self.news.set()

    async def until(self, call_id: str, kind: type[Any]) -> Any:
        while not (found := events(self.entries.get(call_id, []), kind)):
            self.news.clear()
            await asyncio.wait_for(self.news.wait(), 20)
        return found[0]

    def number(self, call_id: str, kind: type[Any]) -> int:
        return next(entry.n for entry in self.entries[call_id] if isinstance(entry.item, kind))


class Room:
    """A switchboard on a folder, with a gated recogniser."""

    def __init__(self, root: Path, whisper: Gated) -> None:
        self.archive = Archive(root, 1.0)
        self.whisper = whisper
        self.engines = replace(engines(), transcriber=self.whisper)
        self.pool = EnginePool(self.whisper)
        self.ears = Ears()
        self.board = Switchboard(self.prepare, self.pool, self.ears)

    def prepare(self, info: CallInfo) -> Call:
        session = build(info, STANDARD, self.engines)
        return self.archive.record(session, STANDARD, self.engines.identities, live=True)

    def verified(self, call_id: str) -> Any:
        folder = self.archive.folder(call_id)
        header_info = CallInfo(call_id=call_id, channels=TWO_CHANNEL)
        return verify(build(header_info, STANDARD, self.engines), folder)


@asynccontextmanager
async def room(root: Path, whisper: Gated | None = None) -> AsyncIterator[Room]:
    made = Room(root, whisper or Gated())
    try:
        yield made
    finally:
        made.whisper.gate.set()
        await made.board.drain()
        made.pool.close()


def info(call_id: str = "one") -> CallInfo:
    return CallInfo(call_id=call_id, channels=TWO_CHANNEL)


async def speak(live: LiveCall, pcm: Any = PCM) -> None:
    for frame in frames_of(pcm):
        await live.feed([frame])


def live_test(body: Callable[[Room], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    def test(tmp_path: Path) -> None:
        async def main() -> None:
            async with room(tmp_path) as made:
                await body(made)

        asyncio.run(main())

    test.__name__, test.__doc__ = body.__name__, body.__doc__
    return test


@live_test
async def test_a_late_engine_and_an_acknowledged_alert_replay_to_the_same_events(made: Room) -> None:
    async with made.board.open(info()) as live:
        await speak(live)
        alert = await made.ears.until("one", Alert)
        number = made.ears.number("one", Alert)
        live.admit(Command(kind="acknowledge", alert=number, by="anna"))
        for frame in frames_of(np.zeros((5 * RATE, 2), np.int16)):
            await live.feed([replace(frame, start=frame.start + -(-len(PCM) // 512) * 512)])
        made.whisper.gate.set()
    assert alert.state == "raised"
    entries = made.ears.entries["one"]
    states = [each.state for each in events(entries, Alert)]
    assert states[:2] == ["raised", "acknowledged"]
    assert any(words.late for words in events(entries, Words))
    verdict = made.verified("one")
    assert verdict.difference is None
    assert verdict.finished
    assert verdict.events == len(entries)


async def heard_lines(made: Room) -> list[str]:
    """One whole call; the lines of its journal."""
    made.whisper.gate.set()
    async with made.board.open(info()) as live:
        await speak(live)
    return made.archive.folder("one").journal.read_text().splitlines()


def difference_in(made: Room, lines: list[str]) -> Any:
    """What ``verify`` finds once the journal says this instead."""
    made.archive.folder("one").journal.write_text("\n".join(lines) + "\n")
    return made.verified("one").difference


@live_test
async def test_an_altered_or_missing_event_is_found_and_named(made: Room) -> None:
    lines = await heard_lines(made)
    place = next(i for i, line in enumerate(lines) if '"prosody"' in line)
    altered = lines[place].replace('"level":-', '"level":-1')
    assert difference_in(made, [*lines[:place], altered, *lines[place + 1 :]]).n == place
    assert difference_in(made, lines[:place] + lines[place + 1 :]) is not None
    assert difference_in(made, [*lines[:-2], lines[-1]]) is not None
    assert difference_in(made, lines) is None


@live_test
async def test_an_event_after_a_fault_of_the_recogniser_is_still_compared(made: Room) -> None:
    made.whisper.broken = True
    lines = await heard_lines(made)
    fault = next(i for i, line in enumerate(lines) if '"fault","span"' in line)
    place = next(i for i, line in enumerate(lines) if i > fault and '"ev"' in line)
    lines[place] = lines[place].replace('"at":', '"at":1')
    assert difference_in(made, lines).n == place


@live_test
async def test_a_failing_engine_is_a_fault_and_the_call_goes_on(made: Room) -> None:
    made.whisper.broken = True
    made.whisper.gate.set()
    async with made.board.open(info()) as live:
        await speak(live)
    entries = made.ears.entries["one"]
    assert {(fault.part, fault.fatal) for fault in events(entries, Fault)} == {("words", False)}
    assert events(entries, CallEnded)[0].reason == "end of audio"
    assert events(entries, Alert)


@live_test
async def test_a_disk_that_refuses_ends_one_call_and_no_other(made: Room) -> None:
    made.whisper.gate.set()

    def full(*_: object) -> None:
        raise StorageFault("the disk is full")

    async with made.board.open(info("good")) as good:
        with pytest.raises(Conflict):
            async with made.board.open(info("bad")) as bad:
                bad._call._journal._put = full  # type: ignore[union-attr, method-assign]
                while True:
                    await speak(bad)
        await speak(good)
    fault = events(made.ears.entries["bad"], Fault)[0]
    assert (fault.part, fault.fatal) == ("storage", True)
    assert made.ears.entries["good"][-1].item.type == "call_ended"
    assert made.verified("good").difference is None


@live_test
async def test_two_calls_with_one_id_leave_the_first_alone(made: Room) -> None:
    made.whisper.gate.set()
    async with made.board.open(info()) as live:
        with pytest.raises(Conflict, match="in progress already"):
            async with made.board.open(info()):
                pass
        await speak(live)
    with pytest.raises(Conflict, match="stored already"):
        async with made.board.open(info()):
            pass
    assert made.verified("one").difference is None


@live_test
async def test_a_lost_connection_keeps_what_was_heard(made: Room) -> None:
    made.whisper.gate.set()
    with pytest.raises(ConnectionError):
        async with made.board.open(info()) as live:
            await speak(live)
            raise ConnectionError
    entries = made.ears.entries["one"]
    assert events(entries, CallEnded)[0].reason == "connection lost"
    assert events(entries, Words)
    assert list(read_entries(made.archive.folder("one").journal)) == entries


@live_test
async def test_nothing_is_heard_while_card_data_is_spoken(made: Room) -> None:
    made.whisper.gate.set()
    async with made.board.open(info()) as live:
        await live.feed([Mark(kind="pause")])
        await speak(live)
        assert live.snapshot()
    entries = made.ears.entries["one"]
    assert not tape.read(made.archive.folder("one").audio).any()
    assert [(region.kind, region.open) for region in events(entries, Region)] == [("pause", True), ("pause", False)]
    assert not events(entries, Words)
    assert made.verified("one").difference is None


@live_test
async def test_a_pause_from_outside_withholds_what_waits(made: Room) -> None:
    made.whisper.gate.set()
    tone = np.full((2, 512), 5000, np.int16)
    async with made.board.open(info()) as live:
        with live._lock:  # the lane stands still, so that frames wait
            await live.feed([Frame(n * 512, tone) for n in range(40)])
            await live.mark(Mark(kind="pause"))
        await live.feed([Frame(n * 512, tone) for n in range(40, 80)])
    assert not tape.read(made.archive.folder("one").audio).any()


@live_test
async def test_a_pause_keeps_its_place_and_a_resume_is_on_the_safe_side(made: Room) -> None:
    """A sender's pause leaves alone what it sent before; a resume waits for what a door may hold back."""
    made.whisper.gate.set()
    tone = np.full((2, 512), 5000, np.int16)
    async with made.board.open(info()) as live:
        await live.feed([Frame(n * 512, tone) for n in range(40)])
        await live.feed([Mark(kind="pause")])
        await live.feed([Frame(n * 512, tone) for n in range(40, 80)])
        await live.feed([Mark(kind="resume")])
        await live.feed([Frame(n * 512, tone) for n in range(80, 160)])
    loud = tape.read(made.archive.folder("one").audio)[:, 0] != 0
    assert loud[: 40 * 512].all()
    assert not loud[40 * 512 : 80 * 512 + GUARD].any()
    assert loud[80 * 512 + GUARD + 512 :].all()
    assert made.verified("one").difference is None


def test_a_pause_from_outside_counts_from_its_announcement() -> None:
    hush, frame = Hush(), Frame(0, np.ones((2, 512), np.int16))
    pause, resume = Mark(kind="pause"), Mark(kind="resume")
    assert hush.pass_on(frame).pcm.all()
    hush.announce(pause, 0)
    assert not hush.pass_on(frame).pcm.any()
    hush.obey(pause, 512)
    assert not hush.pass_on(frame).pcm.any()
    hush.obey(resume, 1024)
    assert not hush.pass_on(Frame(1024, frame.pcm)).pcm.any()
    assert hush.pass_on(Frame(1024 + GUARD, frame.pcm)).pcm.all()


def test_a_resume_from_outside_waits_for_what_was_spoken_before_it() -> None:
    hush, ones = Hush(), np.ones((2, 512), np.int16)
    pause, resume = Mark(kind="pause"), Mark(kind="resume")
    hush.announce(pause, 0)
    hush.obey(pause, 0)
    hush.announce(resume, 512 * 100)
    hush.obey(resume, 512 * 20)
    assert not hush.pass_on(Frame(512 * 99, ones)).pcm.any()
    assert hush.pass_on(Frame(512 * 100 + GUARD, ones)).pcm.all()


@live_test
async def test_a_server_that_lags_does_not_let_a_resume_overtake(made: Room) -> None:
    made.whisper.gate.set()
    tone = np.full((2, 512), 5000, np.int16)
    async with made.board.open(info()) as live:
        await live.feed([Frame(0, tone)])
        live._began -= 2.0  # two seconds were spoken that have not come yet
        await live.mark(Mark(kind="pause"))
        await live.mark(Mark(kind="resume"))
        await live.feed([Frame(n * 512, tone) for n in range(1, 160)])
    loud = tape.read(made.archive.folder("one").audio)[:, 0] != 0
    assert not loud[512 : 2 * RATE].any()
    assert loud[3 * RATE :].all()


@live_test
async def test_a_pause_is_never_refused(made: Room) -> None:
    made.whisper.gate.set()
    async with made.board.open(info()) as live:
        for _ in range(UNHEARD):
            live.admit(Command(kind="acknowledge", alert=1))
        await live.mark(Mark(kind="pause"))
        await live.feed([Mark(kind="hold")])
        with pytest.raises(Conflict, match="wait for its next audio"):
            await live.mark(Mark(kind="hold"))
        await speak(live)
    assert not tape.read(made.archive.folder("one").audio).any()


def test_a_second_pause_from_outside_outlives_the_first_ones_resume() -> None:
    hush, frame = Hush(), Frame(512 * 40, np.ones((2, 512), np.int16))
    first, second, resume = Mark(kind="pause"), Mark(kind="pause"), Mark(kind="resume")
    hush.announce(first, 0)
    hush.obey(first, 512)
    hush.announce(second, 0)
    hush.obey(resume, 1024)
    assert not hush.pass_on(frame).pcm.any()


@live_test
async def test_too_many_commands_without_audio_are_refused(made: Room) -> None:
    made.whisper.gate.set()
    async with made.board.open(info()) as live:
        for _ in range(UNHEARD):
            live.admit(Command(kind="acknowledge", alert=1))
        with pytest.raises(Conflict, match="wait for its next audio"):
            await live.mark(Mark(kind="hold"))
        await speak(live)
        live.admit(Command(kind="acknowledge", alert=1))


def test_words_that_never_come_are_told_as_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.live.PATIENCE", 0.05)

    async def main() -> None:
        async with room(tmp_path) as made:
            async with made.board.open(info()) as live:
                await speak(live)
            entries = made.ears.entries["one"]
            faults = events(entries, Fault)
            assert {(fault.part, fault.fatal) for fault in faults} == {("words", False)}
            assert all("no answer within" in fault.message for fault in faults)
            assert len({fault.span for fault in faults}) == len(faults) >= 2
            assert made.verified("one").difference is None

    asyncio.run(main())


@live_test
async def test_a_closed_call_takes_no_more(made: Room) -> None:
    made.whisper.gate.set()
    async with made.board.open(info()) as live:
        await live.close("hung up")
        with pytest.raises(Conflict, match="has ended"):
            live.admit(Command(kind="acknowledge", alert=1))
        with pytest.raises(Conflict, match="has ended"):
            await live.feed([Frame(0, np.zeros((2, 512), np.int16))])
    with pytest.raises(NotFound):
        made.board.get("one")


@live_test
async def test_draining_ends_calls_with_their_last_words_and_takes_no_more(made: Room) -> None:
    async with made.board.open(info()) as live:
        await speak(live)
        drained = asyncio.create_task(made.board.drain())
        made.whisper.gate.set()
        await drained
        with pytest.raises(Conflict, match="going down"):
            async with made.board.open(info("two")):
                pass
    entries = made.ears.entries["one"]
    assert events(entries, CallEnded)[0].reason == "server stopped"
    assert events(entries, Words)


@live_test
async def test_the_tail_of_a_call_is_stepped_in_turns_like_its_audio(made: Room) -> None:
    """Many calls may end at once; no turn of the lane steps more than a batch of any."""
    made.whisper.gate.set()
    lane, turns = made.board._lane, []
    run = lane.run

    async def counted(work: Any) -> Any:
        result = await run(work)
        turns.append(len(result))
        return result

    lane.run = counted  # type: ignore[method-assign]
    async with made.board.open(info()) as live:
        await live.feed(frames_of(PCM[:TICK]))
    assert max(turns) <= BATCH
    assert sum(turns) == 1 + TAIL + 1
    assert made.verified("one").difference is None


@live_test
async def test_an_engine_that_hangs_holds_no_frame_back(made: Room) -> None:
    """Talk-over is told and the call goes on while nobody gets a word."""
    async with made.board.open(info()) as live:
        await speak(live)
        overlap = await made.ears.until("one", Overlap)
        alert = await made.ears.until("one", Alert)
        while live._call.session.heard < len(PCM):
            await asyncio.sleep(0)
        assert not made.whisper.gate.is_set()
        assert made.pool.waiting >= 2
        made.whisper.gate.set()
    assert (overlap.at - overlap.span.end, alert.state) == (0, "raised")
    assert made.verified("one").difference is None


@live_test
async def test_drafts_are_shown_and_kept_nowhere(made: Room) -> None:
    made.whisper.gate.set()
    async with made.board.open(info()) as live:
        await speak(live)
    drafts, entries = made.ears.drafts["one"], made.ears.entries["one"]
    assert {draft.channel for draft in drafts} == set(TWO_CHANNEL)
    assert any(draft.stable == "hello" for draft in drafts)
    header, *lines = made.archive.folder("one").journal.read_text().splitlines()
    assert "draft_s" in header
    assert not [line for line in lines if "draft" in line or "stable" in line]
    for channel in TWO_CHANNEL:
        last = [draft for draft in drafts if draft.channel is channel][-1]
        assert (last.stable, last.rest) == ("", "")  # taken back: its words are in a line
    assert {words.utterance for words in events(entries, Words)} == set(range(1, len(events(entries, Words)) + 1))


@live_test
async def test_no_draft_is_shown_of_a_speaker_whose_language_is_withheld(made: Room) -> None:
    made.whisper.gate.set()
    made.whisper.foreign = 5.0
    async with made.board.open(info()) as live:
        await speak(live, np.concatenate([PCM, PCM, PCM]))
        await made.ears.until("one", Rejected)
    entries, drafts = made.ears.entries["one"], made.ears.drafts["one"]
    for channel in TWO_CHANNEL:
        refused = [each for each in events(entries, Rejected) if each.channel is channel]
        assert {each.reason for each in refused} == {"unsupported_language"}
        after = [draft for draft in drafts if draft.channel is channel and draft.start > refused[0].at]
        assert not [draft for draft in after if draft.stable or draft.rest]


@live_test
async def test_nothing_of_a_call_that_ended_stays_with_the_recogniser(made: Room) -> None:
    made.whisper.gate.set()
    for call_id in ("one", "two"):
        async with made.board.open(info(call_id)) as live:
            await speak(live)
    assert made.pool._scheduler._drafts == {}
    assert made.pool.waiting == 0


class Scripted(Strain):
    """Feels turns of 0.6 s each: late ones while ``slow``, then easy ones. No clock."""

    slow = True

    def feel(self, waited: float, now: float) -> Shed:
        return super().feel(0.6 if self.slow else 0.05, 1000.0 + 0.6 * self.turns)


@live_test
async def test_a_lane_that_is_late_leaves_the_voice_out_says_so_recovers_and_loses_no_word(made: Room) -> None:
    strain = made.board._lane.strain = Scripted()
    made.whisper.gate.set()
    shed: list[Shed] = []
    async with made.board.open(info()) as live:
        for number in range(4):
            strain.slow = number < 1
            for frame in frames_of(PCM):
                await live.feed([replace(frame, start=frame.start + number * -(-len(PCM) // TICK) * TICK)])
                shed.append(strain.shed)
    assert max(shed) >= Shed.VOICE
    assert shed[-1] < Shed.VOICE
    assert made.board.strain.shed is Shed.NOTHING
    assert made.pool.tally().left_out["busy"] > 0
    entries = made.ears.entries["one"]
    busy = [each for each in events(entries, Region) if each.kind == "busy"]
    assert [each.open for each in busy] == [True, False]
    assert busy[1].span.seconds > 1
    assert not [each for each in events(entries, Prosody) if busy[0].at < each.at <= busy[1].span.end]
    asked = [each.utterance for each in events(entries, EngineResult)]
    assert sorted(asked) == list(range(1, len(asked) + 1))
    assert not events(entries, Fault)
    verdict = made.verified("one")
    assert verdict.difference is None
    assert verdict.finished
    assert verdict.events == len(entries)


class Naming(Gated):
    """Says which audio it heard."""

    workers = 2

    def hear(self, samples: Samples) -> Transcript:
        name = sha256(np.rint(samples * 32768.0).astype(np.int16).tobytes()).hexdigest()
        words = (TimedWord(0, len(samples), name, 0.9),)
        return Transcript(name, words, "en", 0.0, -0.3, 1.0)


def test_what_calls_say_at_once_does_not_cross(tmp_path: Path) -> None:
    """Each call gets the words that it gets alone."""
    calls = {
        f"call-{n}": synth(
            [Line("agent", 0.5, 1.5 + 0.2 * n), Line("customer", 3 - 0.2 * n, 2, f0_hz=180 + 10 * n)], 6
        )[0]
        for n in range(5)
    }

    async def main() -> None:
        async with room(tmp_path, Naming()) as made:

            async def one(call_id: str) -> None:
                async with made.board.open(info(call_id)) as live:
                    await speak(live, calls[call_id])

            await asyncio.gather(*map(one, calls))
            for call_id, pcm in calls.items():
                got = {words.span: words.text for words in events(made.ears.entries[call_id], Words)}
                alone = record(
                    build(info(), STANDARD, made.engines),
                    frames_of(pcm),
                    lambda utterance: spoken(utterance, made.whisper.hear(utterance.pcm / np.float32(32768.0)).text),
                )
                assert got == {words.span: words.text for words in events(alone, Words)}
                assert len(got) >= 2

    asyncio.run(main())


def test_a_recorded_run_replays_to_the_same_events(tmp_path: Path) -> None:
    whisper = Gated()
    whisper.gate.set()
    loaded, archive, pool = replace(engines(), transcriber=whisper), Archive(tmp_path, 1.0), EnginePool(whisper)
    call = archive.record(build(info(), STANDARD, loaded), STANDARD, loaded.identities)
    view = Recorder(call, pool.ask, 1.0).run(frames_of(PCM), lambda: len(PCM))
    pool.close()
    assert view.state == "ended"
    assert view.duration_s == 14.0
    verdict = verify(build(info(), STANDARD, loaded), archive.folder("one"))
    assert verdict.difference is None
    assert verdict.finished


def test_two_recorded_runs_agree(tmp_path: Path) -> None:
    lines = []
    for number in range(2):
        whisper = Gated()
        whisper.gate.set()
        loaded, pool = replace(engines(), transcriber=whisper), EnginePool(whisper)
        archive = Archive(tmp_path / str(number), 1.0)
        call = archive.record(build(info(), STANDARD, loaded), STANDARD)
        Recorder(call, pool.ask, 1.0).run(frames_of(PCM), lambda: len(PCM))
        pool.close()
        lines.append([encode(entry) for entry in read_entries(archive.folder("one").journal)])
    assert lines[0] == lines[1]


def test_the_archive_refuses_beyond_its_limit(tmp_path: Path) -> None:
    archive = Archive(tmp_path, 1e-6)
    archive.record(build(info(), STANDARD, engines()), STANDARD).release()
    with pytest.raises(StorageFault, match=r"storage.max_gb = 1e-06; delete calls"):
        archive.record(build(info("two"), STANDARD, engines()), STANDARD)


def test_ids_that_cannot_name_a_folder_are_refused(tmp_path: Path) -> None:
    from pipeline.errors import BadInput

    for bad in ("", "../etc", "a/b", ".hidden", "x" * 200, "a b"):
        with pytest.raises(BadInput, match="call id"):
            Archive(tmp_path, 1.0).folder(bad)
    with pytest.raises(NotFound):
        Archive(tmp_path, 1.0).folder("absent")
