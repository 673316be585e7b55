"""Live capture on this machine. The only place that knows sounddevice, which is imported when used.

One stereo device carries both parties on one clock: prefer it. Two devices (the agent's microphone and what the
speakers play, a "monitor" or "loopback" input) have two clocks; the door then corrects the drift.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.channel import TWO_CHANNEL
from pipeline.door import HIGHEST, LOWEST, Door, check_rate
from pipeline.errors import BadInput
from pipeline.inputs import Frame, Loss
from pipeline.sources.spool import Block, Spool

PATIENCE_S = 5.0
"""Seconds without audio after which a device counts as gone."""


@dataclass(frozen=True, slots=True)
class Device:
    """An input. index: PortAudio's. channels: at most. rate: Hz it prefers. default: the system's choice."""

    index: int
    name: str
    channels: int
    rate: int
    default: bool


def devices() -> list[Device]:
    """All inputs of this machine. Raises BadInput without PortAudio."""
    sd = _sounddevice()
    default = sd.default.device[0]
    return [
        Device(index, found["name"], found["max_input_channels"], int(found["default_samplerate"]), index == default)
        for index, found in enumerate(sd.query_devices())
        if found["max_input_channels"] > 0
    ]


class Microphone:
    """One call as it is spoken. ``frames`` blocks, so run it in a thread; ``stop`` ends it from any other.

    device: name, part of a name or index; None is the system's default. It is the stereo input, or with
    ``loopback`` the agent's microphone. rate: Hz; None is what each device prefers. agent_channel: of the stereo
    input. Raises BadInput for devices that are not there or cannot do this.
    """

    channels = TWO_CHANNEL

    def __init__(
        self,
        device: str | int | None = None,
        loopback: str | int | None = None,
        rate: int | None = None,
        agent_channel: Literal["left", "right"] = "left",
    ) -> None:
        asked = [device] if loopback is None else [device, loopback]
        self.devices = tuple(_find(devices(), each) for each in asked)
        if loopback is None and self.devices[0].channels < 2:
            raise BadInput(
                f"{self.devices[0].name!r} has one channel; choose a stereo device, or add the loopback device "
                "that carries the customer"
            )
        self.rates = tuple(_rate(each, rate) for each in self.devices)
        self.heard = 0
        self._mirrored = agent_channel == "right"
        self._spool = Spool(self.rates)

    def frames(self) -> Iterator[Frame | Loss]:
        """Frames until ``stop``, then the rest. Raises BadInput when a device cannot be opened or goes away."""
        paired = len(self.devices) > 1
        door = Door(self.channels, self.rates if paired else self.rates[0], drift=paired)
        with ExitStack() as streams:
            for index in range(len(self.devices)):
                streams.enter_context(self._capture(index))
            while taken := self._spool.take(PATIENCE_S):
                if any(taken.lost):
                    yield from door.lose(taken.lost if paired else taken.lost * 2, "overflow")
                yield from self._push(door, taken.block)
        yield from door.finish()
        self.heard = door.heard

    def stop(self) -> None:
        """End the call: what was captured so far still comes."""
        self._spool.end()

    def _push(self, door: Door, block: Block) -> list[Frame | Loss]:
        if len(self.devices) > 1:
            return door.push_track(self.channels[block.device], block.pcm[:, 0], elapsed=block.elapsed)
        return door.push(block.pcm[:, ::-1] if self._mirrored else block.pcm)

    @contextmanager
    def _capture(self, index: int) -> Iterator[None]:
        """Record one device into the spool."""
        sd, device, spool = _sounddevice(), self.devices[index], self._spool

        def keep(pcm: Any, count: int, times: Any, status: Any) -> None:
            # Not the driver's own time of capture: through PulseAudio it was off by 40 ms, arrival by 9 ms.
            spool.put(index, pcm, time.monotonic())

        def gone() -> None:
            spool.end(f"the sound device {device.name!r} stopped; check that it is connected, then start again")

        try:
            stream = sd.InputStream(
                device=device.index,
                channels=2 if len(self.devices) == 1 else 1,
                samplerate=self.rates[index],
                dtype="int16",
                callback=keep,
                finished_callback=gone,
            )
            with closing(stream):
                stream.start()
                yield
                stream.stop()  # not after a fault: it would wait for a device that is gone; closing aborts
        except sd.PortAudioError as error:
            reason = str(error.args[0]).splitlines()[0]
            raise BadInput(f"cannot record from {device.name!r}: {reason}; try another device or rate") from error


def _sounddevice() -> Any:
    try:
        import sounddevice
    except OSError as error:
        raise BadInput(
            "recording needs the PortAudio library; install it: apt-get install libportaudio2 (Debian, Ubuntu), "
            "brew install portaudio (macOS)"
        ) from error
    return sounddevice


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
    which = "no input device" if asked is None else f"no one input device is named {asked!r}"
    raise BadInput(f"{which}; inputs here: {names}")


def _rate(device: Device, asked: int | None) -> int:
    return min(max(device.rate, LOWEST), HIGHEST) if asked is None else check_rate(asked)
