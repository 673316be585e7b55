"""Live capture on this machine, from one stereo device or from two.

One stereo device carries both parties on one clock: prefer it. Two devices (the agent's microphone and what the
speakers play, a "monitor" or "loopback" input) have two clocks; the door then corrects the drift.

A device that goes away is waited for. Time goes on meanwhile: what is missing is silence, marked as a gap.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Literal

from pipeline.channel import TWO_CHANNEL
from pipeline.door import Door
from pipeline.errors import BadInput
from pipeline.inputs import Frame, Loss
from pipeline.sources.line import Device, Line, devices, is_there, look_again, workable
from pipeline.sources.spool import Block, Spool

LOOK_S = 0.25
"""Seconds between two looks at devices that give nothing."""
MARGIN_S = 0.5
"""Seconds before now that are left open while a device is away: its first blocks may be on their way."""
MARK_S = 1.0
"""Seconds after which a gap is shown, before it is over."""
RETRY_S = 1.0
"""Seconds between two attempts to open a device again."""
PROBE_EVERY_S = 5.0
"""Seconds between two looks for one of two devices, whether it can be found by starting the sound library anew only."""
AWAY_S = 600.0
"""Seconds after which a device that is gone ends the call."""


class Microphone:
    """One call as it is spoken. ``frames`` blocks, so run it in a thread; ``stop`` ends it from any other.

    device: name, part of a name or index; None is the system's default. It is the stereo input, or with
    ``loopback`` the agent's microphone. rate: Hz; None is what each device prefers. agent_channel: of the stereo
    input. say: told, in a line, when a device goes away and when it is back. Raises BadInput for devices that are not
    there or cannot do this.
    """

    channels = TWO_CHANNEL

    def __init__(
        self,
        device: str | int | None = None,
        loopback: str | int | None = None,
        rate: int | None = None,
        agent_channel: Literal["left", "right"] = "left",
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        asked = [device] if loopback is None else [device, loopback]
        self.devices = tuple(_find(devices(), each) for each in asked)
        if len(set(self.devices)) < len(self.devices):
            raise BadInput(
                f"device and loopback are both {self.devices[0].name!r}; choose another loopback, with the customer, "
                "or leave it out where the device carries both"
            )
        if loopback is None and self.devices[0].channels < 2:
            raise BadInput(
                f"{self.devices[0].name!r} has one channel; choose a stereo device, or add the loopback device "
                "that carries the customer"
            )
        self._paired = len(self.devices) > 1
        channels = 1 if self._paired else 2
        self.rates = tuple(workable(each, rate, channels) for each in self.devices)
        self.heard = 0
        self._say = say
        self._mirrored = agent_channel == "right"
        self._spool = Spool(self.rates)
        self._lines = [
            Line(index, each, self.rates[index], channels, self._spool) for index, each in enumerate(self.devices)
        ]
        self._reached = [0.0] * len(self._lines)
        """Per device, the moment up to which its track has audio or silence; 0 before its first block."""
        self._tried = self._probed = 0.0
        self._marked = False

    def frames(self) -> Iterator[Frame | Loss]:
        """Frames until ``stop``, then the rest.

        Raises BadInput when a device cannot be opened, or is away for longer than AWAY_S.
        """
        door = Door(self.channels, self.rates if self._paired else self.rates[0], drift=self._paired)
        try:
            for line in self._lines:
                line.open()
            while not self._spool.over:
                taken = self._spool.take(LOOK_S)
                if taken is not None:
                    if any(taken.lost):
                        yield from door.lose(taken.lost if self._paired else taken.lost * 2, "overflow")
                    yield from self._push(door, taken.block)
                yield from self._wait_for_lost(door)
        finally:
            for line in self._lines:
                line.close()
        yield from door.finish()
        self.heard = door.heard

    def stop(self) -> None:
        """End the call: what was captured so far still comes."""
        self._spool.end()

    def _push(self, door: Door, block: Block) -> Iterator[Frame | Loss]:
        if self._lines[block.device].fresh:
            self._is_back(self._lines[block.device])
            yield from self._lose(door, block.device, self._missed(door, block), "missing")
        yield from self._lose(door, block.device, block.missed, "overflow")
        self._reached[block.device] = block.elapsed
        if self._paired:
            channel = self.channels[block.device]
            yield from door.push_track(channel, block.pcm[:, 0], elapsed=block.elapsed)
        else:
            yield from door.push(block.pcm[:, ::-1] if self._mirrored else block.pcm)

    def _is_back(self, line: Line) -> None:
        line.fresh = False
        if line.gone is not None:
            self._say(f"the sound device {line.device.name!r} is back after {time.monotonic() - line.gone:.0f} s")
            line.gone = None

    def _missed(self, door: Door, block: Block) -> int:
        """Samples between what a device gave before it went away and its first block since."""
        reached = self._reached[block.device]
        if not reached or (self._paired and door.stalled(self.channels[block.device])):
            return 0  # the other one went on: the door knows the place by the arrival
        return max(0, round((block.elapsed - reached) * self.rates[block.device]) - len(block.pcm))

    def _lose(self, door: Door, device: int, count: int, reason: Literal["missing", "overflow"]) -> list[Frame | Loss]:
        """count: samples of one device."""
        counts = tuple(count if index == device else 0 for index in range(len(self._lines)))
        return door.lose(counts if self._paired else counts * 2, reason) if count else []

    def _wait_for_lost(self, door: Door) -> Iterator[Frame | Loss]:
        """Say which devices went away, try to open them again, and let time pass where all are away."""
        now = time.monotonic()
        for line in self._lines:
            if line.lost:
                self._is_gone(line, now)
        gone = [line for line in self._lines if line.gone is not None]
        if not gone:
            return
        for line in gone:
            if line.gone is not None and now - line.gone > AWAY_S:
                raise BadInput(f"the sound device {line.device.name!r} was away for {AWAY_S:g} s; the call is over")
        if len(gone) == len(self._lines) and all(self._reached):
            yield from self._silence(door, now - MARGIN_S)
        if not self._marked and all(line.gone is not None and now - line.gone > MARK_S for line in gone):
            self._marked = True
            yield from door.mark()
        if now - self._tried >= RETRY_S:
            self._tried = now
            self._open_again([line for line in gone if line.away])

    def _is_gone(self, line: Line, now: float) -> None:
        line.close()
        line.away = True
        if line.gone is None:
            line.gone, self._marked = now, False
            self._say(f"the sound device {line.device.name!r} is gone; waiting for it, with silence in its place")

    def _silence(self, door: Door, upto: float) -> Iterator[Frame | Loss]:
        """Nobody gives audio, so nobody else moves the time."""
        reached = max(self._reached)
        if upto > reached:
            counts = tuple(round((upto - reached) * rate) for rate in self.rates)
            self._reached = [upto] * len(self._lines)
            yield from door.lose(counts if self._paired else counts * 2, "missing", more=True)

    def _open_again(self, away: list[Line]) -> None:
        if not away:
            return
        found = [line.device for line in away]
        if len(away) == len(self._lines) or self._worth_a_restart(away[0]):
            for line in self._lines:
                line.close()
            look_again()
            found, away = devices(), self._lines
        for line in away:
            with suppress(BadInput):  # not yet
                if line.find(found):
                    line.open()

    def _worth_a_restart(self, line: Line) -> bool:
        """Whether one of two devices is plugged in again, but known to a sound library that starts now only."""
        if self._tried - self._probed < PROBE_EVERY_S:
            return False
        self._probed = self._tried
        return is_there(line.device.name)


def _find(found: list[Device], asked: str | int | None) -> Device:
    """By index, by name, else by the only name that contains what was asked, in any case of letters."""
    if asked is None:
        matches = [device for device in found if device.default] or found[:1]
    elif isinstance(asked, int) or asked.isdecimal():
        matches = [device for device in found if device.index == int(asked)]
    else:
        matches = [device for device in found if device.name == asked] or [
            device for device in found if asked.casefold() in device.name.casefold()
        ]
    if len(matches) == 1:
        return matches[0]
    names = ", ".join(f"{device.index}: {device.name}" for device in found) or "none"
    which = "" if asked is None else f" is named {asked!r}"
    many = f"{len(matches)} input devices fit {asked!r}; write more of the name, or its index"
    raise BadInput(f"{many if matches else f'no input device{which}'}; inputs here: {names}")
