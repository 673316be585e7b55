"""One session's audio, pauses and gaps on their way to its call."""

import asyncio

import numpy as np

from api.doors.audiohook_session import Ending, Happening, Lost, Opening, Paused, Troubled, choose
from api.doors.audiohook_wire import Audio, Wire
from api.doors.leaving import Leaving
from api.doors.line import Line, without
from api.doors.mulaw import RATE
from api.doors.settings import AudioHook
from api.doors.told import metadata
from api.doors.transcripts import Offsets
from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.errors import BadInput
from pipeline.session import CallInfo
from pipeline.timebase import RATE as CLOCK

SLACK_S = 120.0
"""Seconds that announced gaps may be longer, together, than the connection is old: more is no pause of this call."""
_SLICE = 60 * RATE


class Intake:
    """offsets: told of every gap."""

    def __init__(self, wire: Wire, line: Line, settings: AudioHook, offsets: Offsets) -> None:
        self._wire = wire
        self._line = line
        self._offsets = offsets
        self._columns = columns(wire.session.channels, settings)
        self._begun = asyncio.get_running_loop().time()
        self._lost_s = 0.0

    async def listen(self, leaving: Leaving) -> str:
        """Until the client closes; why. Raises BadInput, Refused, WebSocketDisconnect, Conflict after the end.

        A server that goes away asks it to come again elsewhere.
        """
        parting = asyncio.create_task(self._part(leaving))
        try:
            while True:
                happened = await self._wire.hear()
                if isinstance(happened, Ending):
                    return "server stopped" if leaving.begun.is_set() else "end of audio"
                await self._obey(happened)
        finally:
            parting.cancel()

    async def _part(self, leaving: Leaving) -> None:
        await leaving.begun.wait()
        self._wire.session.reconnect()
        await self._wire.flush()

    async def _obey(self, happened: Happening | Audio) -> None:
        match happened:
            case Paused():
                await self._line.mark("pause")
            case Lost():
                await self._lose(happened.seconds)
                if happened.resumed:
                    await self._line.mark("resume")
            case Troubled():
                self._line.trouble(happened.code)
            case np.ndarray():
                await self._audio(happened)
            case _:
                pass

    async def _audio(self, pcm: Audio) -> None:
        self._line.received(pcm.size)
        both = np.zeros((len(pcm), len(TWO_CHANNEL)), np.int16)
        both[:, self._columns] = pcm
        await self._line.feed(self._line.door.push(both))

    async def _lose(self, gap_s: float) -> None:
        """Silence for what was not streamed, a minute at a time. Raises BadInput for more than can have passed."""
        self._lost_s += gap_s
        if self._lost_s > asyncio.get_running_loop().time() - self._begun + SLACK_S:
            raise BadInput(f"a gap of {gap_s:.0f} s is longer than the connection is old")
        left = round(gap_s * RATE)
        self._offsets.lost(self._line.door.heard, left * CLOCK // RATE)
        while left:
            part = min(left, _SLICE)
            await self._line.feed(self._line.door.lose((part,) * len(TWO_CHANNEL), "missing"))
            left -= part


def columns(channels: tuple[str, ...], settings: AudioHook) -> list[int]:
    """Where each channel of the wire stands in a call."""
    parties = [Channel.CUSTOMER if side == settings.customer else Channel.AGENT for side in channels]
    return [TWO_CHANNEL.index(party) for party in parties]


def call_info(settings: AudioHook, opening: Opening) -> CallInfo:
    about, warnings = metadata(settings, opening.about)
    info = about.call(opening.open.conversation, TWO_CHANNEL, source="door audiohook", warnings=warnings)
    media = choose(opening.open.media)
    sent = columns(media.channels, settings) if media else []
    missing = [party for index, party in enumerate(TWO_CHANNEL) if index not in sent]
    return without(info, missing[0]) if len(missing) == 1 else info
