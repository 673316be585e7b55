"""Many connections at real time through every door: how long opening takes, what is lost, is a call what it is alone.

    uv run python -m benchmarks.doors --calls 100 --minutes 10              turn-taking only ([measures] all off)
    uv run python -m benchmarks.doors --calls 20 --minutes 10 --words       everything on
    uv run python -m benchmarks.doors --calls 2 --minutes 1 --doors pcm,twilio [FILE...]

A real ``calmline serve --policy standard`` in a process and a folder of its own; the senders are in this one and must
keep real time themselves, or the run is void. Calls begin one after the other over ``--open`` seconds and take the
doors in turn, and the lines too: three of our sample calls and one with many overlaps (or the FILEs), 8 kHz, from the
start again where they end. Before, each line goes through each door alone, as fast as it is taken: that is the single
call that the others are held against.

- opened: from the first byte of a connection until the door said that it has the call (Twilio's never says so).
- lost: samples that were sent and are not in the call, and gaps in it.
- talk, overlaps: calls whose turns, and whose overlaps with their judgements, are those of the single call, sample by
  sample. words: utterances with the same text; late ones are told apart, and compared all the same.
- MB: of the server, minute by minute once all calls run.
"""

import argparse
import asyncio
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from websockets.asyncio.client import connect

import sample_audio
from benchmarks import senders
from benchmarks.calls import LAG_S, SAMPLES, lines_of
from benchmarks.load import Line
from benchmarks.senders import Manner, Sent, twilio_messages
from benchmarks.served import Server, Usage, served
from pipeline.events import CallEnded, Gap, Overlap, OverlapRevised, Rejected, Turn, Words
from pipeline.journal import read_entries
from pipeline.timebase import RATE

DOORS = ("pcm", "twilio", "audiohook")
CALL = "@call@"
"""Stands for the call's id in messages that are made once and sent for many calls."""
ALONE = ("words", "voice", "sounds", "echo")
"""What is not measured in a run of turn-taking only."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the journal of one call says. end: samples of audio. texts: by span. late: of these, how many."""

    end: int
    gaps: int
    turns: list[tuple[object, ...]]
    overlaps: list[tuple[object, ...]]
    texts: dict[tuple[object, ...], str]
    late: int


@dataclass(slots=True)
class Run:
    """sent: by call id. usage: one a second from when all calls had begun until the first one ended."""

    sent: dict[str, Sent] = field(default_factory=dict)
    usage: list[Usage] = field(default_factory=list)
    own: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """One connection: which door, which line, and the call's id."""

    door: str
    line: int
    call_id: str


def heard(folder: Path, call_id: str) -> Heard:
    """Raises LookupError while the call has no end yet."""
    items = [entry.item for entry in read_entries(folder / call_id / "journal.jsonl")]
    if not items or not isinstance(items[-1], CallEnded):
        raise LookupError(call_id)
    words = [item for item in items if isinstance(item, Words | Rejected)]
    return Heard(
        end=items[-1].span.end,
        gaps=sum(isinstance(item, Gap) for item in items),
        turns=[(item.channel, item.span, item.talk) for item in items if isinstance(item, Turn)],
        overlaps=[
            (item.span, item.kind, item.interrupter, item.cut)
            for item in items
            if isinstance(item, Overlap | OverlapRevised)
        ],
        texts={(item.channel, item.span.start, type(item)): item.text for item in words},
        late=sum(isinstance(item, Words) and item.late for item in words),
    )


class Player:
    """Sends the lines. Messages of media streams are made once a line, for making them costs more than sending."""

    def __init__(self, server: Server, lines: Sequence[Line]) -> None:
        self._address = f"ws://{server.address}/doors"
        self._lines = lines
        self._streams: dict[int, list[tuple[float, str]]] = {}

    async def play(self, plan: Plan, speed: float) -> Sent:
        match plan.door:
            case "pcm":
                line, url = self._lines[plan.line], f"{self._address}/pcm"
                return await senders.pcm(url, line, speed=speed, call_id=plan.call_id)
            case "twilio":
                return await self._stream(plan, speed)
            case "audiohook":
                url = f"{self._address}/audiohook"
                return await senders.audiohook(url, self._lines[plan.line], speed=speed, call_id=plan.call_id)
            case other:
                raise ValueError(f"no door {other}")

    async def _stream(self, plan: Plan, speed: float) -> Sent:
        """As ``senders.twilio``, from messages that are there already."""
        if plan.line not in self._streams:
            made = twilio_messages(self._lines[plan.line], CALL, Manner())
            self._streams[plan.line] = [(second, json.dumps(message)) for second, message in made]
        sent = Sent(plan.call_id)
        async with connect(f"{self._address}/twilio", proxy=None, compression=None, ping_interval=None) as socket:
            clock = senders._Clock(speed, sent.lags)
            for second, message in self._streams[plan.line]:
                await clock.until(second)
                await socket.send(message.replace(CALL, plan.call_id))
            await socket.wait_closed()
            sent.close = socket.close_code
        return sent


def measure(calls: int, lines: Sequence[Line], doors: Sequence[str], open_s: float, *, words: bool) -> None:
    seconds = len(lines[0].pcm) / lines[0].rate
    with served("--policy", "standard", environment=_settings(words=words)) as server:
        player = Player(server, lines)
        alone = asyncio.run(_alone(player, server, doors, len(lines)))
        plans = [Plan(doors[n % len(doors)], n // len(doors) % len(lines), f"call-{n}") for n in range(calls)]
        run = asyncio.run(_together(player, server, plans, open_s, seconds))
        print(*report(run, plans, alone, server, lines), sep="\n", flush=True)


def _settings(*, words: bool) -> dict[str, str]:
    off = {} if words else {f"CALMLINE_MEASURES__{name.upper()}": "false" for name in ALONE}
    doors = {f"CALMLINE_DOORS__{name}__UNSIGNED": "true" for name in ("TWILIO", "AUDIOHOOK")}
    return off | doors | {"CALMLINE_LIMITS__MESSAGES_PER_S": "100000"}


async def _alone(player: Player, server: Server, doors: Sequence[str], lines: int) -> dict[tuple[str, int], Heard]:
    """Each line through each door, one at a time."""
    found = {}
    for door in doors:
        for line in range(lines):
            plan = Plan(door, line, f"alone-{door}-{line}")
            await player.play(plan, math.inf)
            found[door, line] = await _kept(server.folder, plan.call_id)
    return found


async def _kept(folder: Path, call_id: str) -> Heard:
    """Once the call has its end: a media stream's sender is not told."""
    while True:
        try:
            return await asyncio.to_thread(heard, folder, call_id)
        except LookupError:
            await asyncio.sleep(0.2)


async def _together(player: Player, server: Server, plans: Sequence[Plan], open_s: float, seconds: float) -> Run:
    run = Run()
    watch = asyncio.create_task(_watched(server, run, open_s, seconds))
    begun, own = time.perf_counter(), time.process_time()

    async def one(number: int, plan: Plan) -> None:
        await asyncio.sleep(number * open_s / len(plans))
        run.sent[plan.call_id] = await player.play(plan, 1.0)

    async with asyncio.TaskGroup() as group:
        for number, plan in enumerate(plans):
            group.create_task(one(number, plan))
    run.own = (time.process_time() - own) / (time.perf_counter() - begun)
    await watch
    await asyncio.gather(*(_kept(server.folder, plan.call_id) for plan in plans))
    return run


async def _watched(server: Server, run: Run, open_s: float, seconds: float) -> None:
    await asyncio.sleep(open_s + 1.0)
    end = time.perf_counter() + max(1.0, seconds - open_s - 1.0)
    while time.perf_counter() < end:
        server.check()
        run.usage.append(server.usage())
        await asyncio.sleep(1.0)
    run.usage.append(server.usage())


def report(
    run: Run, plans: Sequence[Plan], alone: dict[tuple[str, int], Heard], server: Server, lines: Sequence[Line]
) -> Iterator[str]:
    calls = {plan: heard(server.folder, plan.call_id) for plan in plans}
    lags = np.concatenate([run.sent[plan.call_id].lags for plan in plans])
    late = float(np.percentile(lags, 99))
    spent = (run.usage[-1].cpu - run.usage[0].cpu) / (run.usage[-1].at - run.usage[0].at)
    doors = ", ".join(f"{count} {door}" for door, count in Counter(plan.door for plan in plans).items())
    yield f"{len(plans)} connections ({doors}), {len(lines[0].pcm) / lines[0].rate:.0f} s each"
    yield f"  server {spent:.2f} cores ({spent / len(plans):.4f} a connection), senders {run.own:.2f}"
    yield from _by_thread(run, len(plans))
    yield f"  senders behind real time p50 {np.median(lags):.3f} s, p99 {late:.3f} s"
    if late > LAG_S:
        yield f"  VOID: the senders, or the server that kept them waiting, did not keep real time ({LAG_S:g} s)"
    for door in dict.fromkeys(plan.door for plan in plans):
        opened = [s for p in plans if p.door == door and (s := run.sent[p.call_id].opened_s) is not None]
        if opened:
            half, most = np.percentile(opened, (50, 99))
            yield f"  {door}: opened p50 {half:.3f} s, p99 {most:.3f} s, most {max(opened):.3f} s"
    sent = {plan: round(len(lines[plan.line].pcm) * RATE / lines[plan.line].rate) for plan in plans}
    lost = sum(abs(calls[plan].end - sent[plan]) for plan in plans)
    gaps, closed = sum(each.gaps for each in calls.values()), Counter(each.close for each in run.sent.values())
    yield f"  lost {lost} samples, {gaps} gaps; closed with {', '.join(f'{code}: {n}' for code, n in closed.items())}"
    same = partial(_same, calls, alone)
    yield f"  as the single call: talk {same('turns')}, overlaps {same('overlaps')} of {len(plans)} calls"
    yield from _words(calls, alone)
    yield "  MB " + ", ".join(f"{each.resident / 1e6:.0f}" for each in run.usage[::60]) + " (a minute apart)"


def _by_thread(run: Run, calls: int) -> Iterator[str]:
    first, last = run.usage[0], run.usage[-1]
    for name, cpu in (last.threads - first.threads).most_common():
        cores = cpu / (last.at - first.at)
        yield f"    {name:16s} {cores:6.3f} cores  {cores / calls:7.4f} a connection"


def _same(calls: dict[Plan, Heard], alone: dict[tuple[str, int], Heard], what: str) -> int:
    return sum(getattr(each, what) == getattr(alone[plan.door, plan.line], what) for plan, each in calls.items())


def _words(calls: dict[Plan, Heard], alone: dict[tuple[str, int], Heard]) -> Iterator[str]:
    pairs = [(each.texts, alone[plan.door, plan.line].texts) for plan, each in calls.items()]
    count = sum(len(one) for _, one in pairs)
    if count:
        equal = sum(many.get(key) == text for many, one in pairs for key, text in one.items())
        more = sum(key not in one for many, one in pairs for key in many)
        late = sum(each.late for each in calls.values())
        yield f"  words: {equal} of {count} utterances have the same text, {more} more than alone; {late} late"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="*", metavar="FILE", help="two-channel recordings, agent left")
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--doors", default=",".join(DOORS), help=f"of {', '.join(DOORS)}")
    parser.add_argument("--open", type=float, default=20.0, metavar="S", help="seconds over which the calls begin")
    parser.add_argument("--words", action="store_true", help="measure everything, words included")
    options = parser.parse_args()
    doors = options.doors.split(",")
    if not set(doors) <= set(DOORS):
        sys.exit(f"--doors {options.doors}: known are {', '.join(DOORS)}")
    seconds = 60 * options.minutes
    if seconds <= options.open + 2:
        parser.error("--minutes must be longer than --open: all calls run at once for the rest")
    files = options.files or [sample_audio.path(name) for name in SAMPLES]
    lines = [line.turned(0.0, seconds) for line in lines_of(files, None)]
    measure(options.calls, lines, doors, options.open, words=options.words)


if __name__ == "__main__":
    main()
