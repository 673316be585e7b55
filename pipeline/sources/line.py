"""One input of this machine while it is recorded from: opened, lost, found again. Knows sounddevice."""

import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from pipeline.errors import BadInput
from pipeline.placing import HIGHEST, LOWEST, check_rate
from pipeline.sources.overrun import Overruns
from pipeline.sources.spool import Spool

PATIENCE_S = 5.0
"""Seconds without audio after which a device counts as gone."""
PROBE_S = 10.0
"""Seconds that a look at the machine's devices may take."""
COMMON = (48_000, 44_100, 32_000, 16_000, 8_000)
"""Rates in Hz tried where a device does not take the one it was to have."""


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
    sd = sounddevice()
    default = sd.default.device[0]
    return [
        Device(index, found["name"], found["max_input_channels"], int(found["default_samplerate"]), index == default)
        for index, found in enumerate(sd.query_devices())
        if found["max_input_channels"] > 0
    ]


def sounddevice() -> Any:
    """The library. Raises BadInput without PortAudio."""
    try:
        import sounddevice
    except OSError as error:
        raise BadInput(
            "recording needs the PortAudio library; install it: apt-get install libportaudio2 (Debian, Ubuntu), "
            "brew install portaudio (macOS)"
        ) from error
    return sounddevice


def workable(device: Device, asked: int | None, channels: int) -> int:
    """A rate in Hz that the device takes: the one that was asked for, else what it prefers, else a common one.

    Raises BadInput when it takes none, or for a rate that the door does not take.
    """
    sd = sounddevice()
    preferred = min(max(device.rate, LOWEST), HIGHEST) if asked is None else check_rate(asked)
    reason = ""
    for rate in dict.fromkeys((preferred, *COMMON)):
        try:
            sd.check_input_settings(device=device.index, channels=channels, dtype="int16", samplerate=rate)
            return rate
        except (sd.PortAudioError, ValueError) as error:
            reason = reason or _reason(error)
    raise _unusable(device, reason)


def look_again() -> None:
    """Have PortAudio find the devices that there are now; every open stream ends."""
    sd = sounddevice()
    sd._terminate()
    sd._initialize()


def is_there(name: str) -> bool:
    """Whether the machine has an input of that name now. Asks in a process of its own: here the list is an old one."""
    code = "import sounddevice as s; [print(d['name']) for d in s.query_devices() if d['max_input_channels'] > 0]"
    with suppress(subprocess.SubprocessError, OSError):
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=PROBE_S, check=False)
        return name in told.stdout.decode(errors="replace").splitlines()
    return False


class Line:
    """A device being recorded into the spool, as number ``index``. rate: Hz.

    All moments are seconds on the steady clock. seen: its last block came, or it was opened. gone: since when it gives
    no audio, None while it does. away: it is not open. fresh: no block came since it was opened.
    """

    def __init__(self, index: int, device: Device, rate: int, channels: int, spool: Spool) -> None:
        self.device = device
        self.rate = rate
        self.seen = 0.0
        self.gone: float | None = None
        self.away = False
        self.fresh = True
        self._index = index
        self._channels = channels
        self._spool = spool
        self._stream: Any = None
        self._finished = False

    @property
    def lost(self) -> bool:
        """Whether it stopped, or has been silent for too long, since it was opened."""
        return not self.away and (self._finished or time.monotonic() - self.seen > PATIENCE_S)

    def open(self) -> None:
        """Raises BadInput when it cannot be recorded from."""
        sd, overruns = sounddevice(), Overruns(self.rate)

        def keep(pcm: Any, count: int, times: Any, status: Any) -> None:
            # Not the driver's own time of capture: through PulseAudio it was off by 40 ms, arrival by 9 ms.
            now = time.monotonic()
            missed = overruns.took(len(pcm), now, overrun=bool(status and status.input_overflow))
            self.seen = now
            self._spool.put(self._index, pcm, now, missed)

        def finished() -> None:
            self._finished = True

        self._finished, self.fresh, self.seen = False, True, time.monotonic()
        try:
            self._stream = sd.InputStream(
                device=self.device.index,
                channels=self._channels,
                samplerate=self.rate,
                dtype="int16",
                callback=keep,
                finished_callback=finished,
            )
            self._stream.start()
        except (sd.PortAudioError, ValueError) as error:
            self.close()
            raise _unusable(self.device, _reason(error)) from error
        self.away = False

    def close(self) -> None:
        """Let go of it. A device that is gone is not waited for."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with suppress(sounddevice().PortAudioError):
                stream.close()

    def find(self, found: Sequence[Device]) -> bool:
        """Take the number that a device of this name has now; False when there is none."""
        for device in found:
            if device.name == self.device.name:
                self.device = replace(device, rate=self.device.rate)
                return True
        return False


def _reason(error: Exception) -> str:
    return str(error.args[0] if error.args else error).splitlines()[0]


def _unusable(device: Device, reason: str) -> BadInput:
    return BadInput(f"cannot record from {device.name!r}: {reason}; try another device or rate")
