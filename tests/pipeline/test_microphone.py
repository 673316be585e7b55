"""The microphone: what can go wrong without a sound card, and real capture from PulseAudio's null sinks."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.channel import TWO_CHANNEL
from pipeline.errors import BadInput
from pipeline.inputs import Frame, Loss
from pipeline.sources.line import devices
from pipeline.sources.microphone import Microphone
from pipeline.sources.spool import Spool
from pipeline.timebase import RATE, TICK, Span
from tests.pipeline.pulse import null_sink

PATIENCE_S = 30.0

# --- the spool ---


def block(count: int, value: int = 0) -> NDArray[np.int16]:
    return np.full((count, 2), value, np.int16)


def test_the_spool_gives_blocks_in_order_then_ends() -> None:
    spool = Spool((RATE,))
    for value in range(3):
        spool.put(0, block(160, value), float(value))
    spool.end()
    spool.put(0, block(160, 9), 9.0)
    taken = [spool.take(0) for _ in range(3)]
    assert [(item.block.pcm[0, 0], item.block.elapsed, item.lost) for item in taken if item] == [
        (0, 0.0, (0,)),
        (1, 1.0, (0,)),
        (2, 2.0, (0,)),
    ]
    assert spool.take(0) is None


def test_the_spool_keeps_a_copy() -> None:
    spool, buffer = Spool((RATE,)), block(160, 7)
    spool.put(0, buffer, 0.0)
    buffer[:] = 0
    taken = spool.take(0)
    assert taken is not None
    assert taken.block.pcm[0, 0] == 7


def test_the_spool_drops_the_oldest_beyond_two_seconds_and_counts_it_for_each_device() -> None:
    spool = Spool((16_000, 8_000))
    for value in range(50):
        spool.put(0, block(1600, value), 0.0)
        spool.put(1, block(800, value), 0.0)
    taken = spool.take(0)
    assert taken is not None
    assert (taken.block.device, taken.block.pcm[0, 0], taken.lost) == (0, 30, (48_000, 24_000))
    following = spool.take(0)
    assert following is not None
    assert (following.block.device, following.block.pcm[0, 0], following.lost) == (1, 30, (0, 0))


def test_the_spool_says_when_nothing_came_and_when_it_is_over() -> None:
    spool = Spool((RATE,))
    assert spool.take(0) is None
    assert not spool.over
    spool.put(0, block(160), 0.0)
    spool.end()
    assert not spool.over
    assert spool.take(0) is not None
    assert spool.over


# --- a sound library of the test's own ---


class FakeError(Exception):
    pass


def entry(name: str, inputs: int, rate: float = 48_000.0) -> dict[str, Any]:
    return {"name": name, "max_input_channels": inputs, "default_samplerate": rate}


Play = Callable[["FakeStream"], None]


class FakeStream:
    play: Play

    def __init__(self, **options: Any) -> None:
        self.options = options

    def start(self) -> None:
        type(self).play(self)

    def stop(self) -> None:
        self.options["finished_callback"]()

    def close(self) -> None:
        self.options["finished_callback"]()

    def send(self, pcm: NDArray[np.int16]) -> None:
        self.options["callback"](pcm, len(pcm), None, None)


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch) -> Callable[[Play], None]:
    listing = [entry("Speakers", 0), entry("Headset", 1), entry("Line In", 2, 96_000.0), entry("Line Monitor", 1)]

    def install(play: Play) -> None:
        stream = type("Stream", (FakeStream,), {"play": staticmethod(play)})
        fake = SimpleNamespace(
            query_devices=lambda: listing,
            default=SimpleNamespace(device=(2, 0)),
            InputStream=stream,
            PortAudioError=FakeError,
            check_input_settings=lambda **_: None,
        )
        monkeypatch.setitem(sys.modules, "sounddevice", fake)

    install(lambda stream: None)
    return install


def test_without_portaudio_it_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    for attempt in (devices, Microphone):
        with pytest.raises(BadInput, match=r"apt-get install libportaudio2 .* brew install portaudio"):
            attempt()


def test_importing_it_needs_no_sound_library() -> None:
    code = "import sys, pipeline.sources.microphone; sys.exit('sounddevice' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=PATIENCE_S).returncode == 0


@pytest.mark.usefixtures("sound")
def test_devices_are_the_inputs() -> None:
    assert [(each.index, each.name, each.channels, each.rate, each.default) for each in devices()] == [
        (1, "Headset", 1, 48_000, False),
        (2, "Line In", 2, 96_000, True),
        (3, "Line Monitor", 1, 48_000, False),
    ]


@pytest.mark.usefixtures("sound")
@pytest.mark.parametrize("asked", [None, 2, "2", "Line In", "line in", "E IN"])
def test_a_device_is_found_by_index_name_or_part_of_it(asked: str | int | None) -> None:
    microphone = Microphone(asked)
    assert [each.name for each in microphone.devices] == ["Line In"]
    assert microphone.rates == (48_000,), "96 kHz is brought down to what the door takes"


@pytest.mark.usefixtures("sound")
@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("Trumpet", "no input device is named 'Trumpet'"),
        (0, "no input device is named 0"),
        ("99", "no input device is named '99'"),
        ("line", "2 input devices fit 'line'; write more of the name, or its index"),
    ],
)
def test_an_unknown_or_ambiguous_name_lists_the_inputs(asked: str | int, why: str) -> None:
    with pytest.raises(BadInput) as caught:
        Microphone(asked)
    assert str(caught.value) == f"{why}; inputs here: 1: Headset, 2: Line In, 3: Line Monitor"


@pytest.mark.usefixtures("sound")
def test_one_device_is_not_both_parties() -> None:
    with pytest.raises(BadInput, match="device and loopback are both 'Headset'; choose another loopback"):
        Microphone("Headset", "1")


@pytest.mark.usefixtures("sound")
def test_a_mono_device_alone_and_a_rate_out_of_range_are_refused() -> None:
    with pytest.raises(BadInput, match="'Headset' has one channel; choose a stereo device, or add the loopback"):
        Microphone("Headset")
    with pytest.raises(BadInput, match="a sample rate of 96000 Hz cannot be used"):
        Microphone("Line In", rate=96_000)


def test_a_reader_that_falls_behind_loses_the_oldest(sound: Callable[[Play], None]) -> None:
    microphone = Microphone("Line In", rate=RATE)

    def play(stream: FakeStream) -> None:
        for value in range(50):
            stream.send(block(1600, value))
        microphone.stop()

    sound(play)
    items = list(microphone.frames())
    assert items[:2] == [Loss(channel=each, span=Span(0, 48_000), reason="overflow") for each in TWO_CHANNEL]
    frames = [item for item in items if isinstance(item, Frame)]
    assert microphone.heard == 80_000
    assert len(frames) == -(-80_000 // TICK)
    assert frames[48_000 // TICK + 1].pcm[0, 0] == 30


def test_the_agent_may_be_on_the_right(sound: Callable[[Play], None]) -> None:
    microphone = Microphone("Line In", rate=RATE, agent_channel="right")

    def play(stream: FakeStream) -> None:
        stream.send(np.tile(np.array([[1, 2]], np.int16), (TICK, 1)))
        microphone.stop()

    sound(play)
    (frame,) = microphone.frames()
    assert isinstance(frame, Frame)
    assert frame.pcm[:, 0].tolist() == [2, 1]


def test_a_device_that_cannot_be_opened(sound: Callable[[Play], None]) -> None:
    def play(stream: FakeStream) -> None:
        raise FakeError("Invalid sample rate [PaErrorCode -9997]", -9997)

    sound(play)
    with pytest.raises(BadInput, match=r"^cannot record from 'Line In': Invalid sample rate .*; try another device"):
        list(Microphone("Line In").frames())


# --- for real ---

RECORD = """
import json, sys, threading
import numpy as np
from pipeline.errors import BadInput
from pipeline.inputs import Frame
from pipeline.sources.microphone import Microphone

options = json.loads(sys.argv[1])
frames, losses = [], []
try:
    microphone = Microphone(**options)
    threading.Thread(target=lambda: (sys.stdin.read(), microphone.stop()), daemon=True).start()
    for item in microphone.frames():
        if isinstance(item, Frame):
            if not frames:
                print("ready", flush=True)
            frames.append(item.pcm)
        else:
            losses.append(item)
except BadInput as error:
    sys.exit(f"BadInput: {error}")
np.save(sys.argv[2], np.concatenate(frames, axis=1))
print(json.dumps({"heard": microphone.heard, "losses": [[x.channel, x.span.start, x.span.end] for x in losses]}))
"""


class Recorder:
    """The capturing process. losses: (channel, start, end) each."""

    def __init__(self, env: dict[str, str], saved: Path, options: dict[str, Any]) -> None:
        self._saved = saved
        self.process = subprocess.Popen(
            [sys.executable, "-c", RECORD, json.dumps(options), str(saved)],
            env=env | {"PYTHONPATH": os.getcwd()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ready(self) -> None:
        assert self.process.stdout is not None
        if self.process.stdout.readline() != "ready\n":
            pytest.fail(f"nothing was recorded: {self.process.communicate(timeout=PATIENCE_S)[1][-1000:]}")

    def stop(self) -> tuple[NDArray[np.int16], dict[str, Any]]:
        out, err = self.process.communicate(timeout=PATIENCE_S)
        assert self.process.returncode == 0, err[-1000:]
        pcm: NDArray[np.int16] = np.load(self._saved)
        return pcm, json.loads(out.splitlines()[-1])


@contextmanager
def recording(env: dict[str, str], folder: Path, **options: Any) -> Iterator[Recorder]:
    recorder = Recorder(env, folder / "heard.npy", options)
    try:
        recorder.ready()
        yield recorder
    finally:
        if recorder.process.poll() is None:
            recorder.process.kill()
        recorder.process.communicate()


def play(env: dict[str, str], sink: str, left: NDArray[np.float64], right: NDArray[np.float64]) -> None:
    """Play to the end, in real time."""
    pcm = (np.stack([left, right], axis=1) * 32767).astype("<i2").tobytes()
    command = ["pacat", "--playback", "--raw", "--format=s16le", f"--rate={RATE}", "--channels=2", f"--device={sink}"]
    subprocess.run(command, env=env, input=pcm, check=True, timeout=PATIENCE_S)


def burst(hz: float, start: float, end: float, total: float = 1.5) -> NDArray[np.float64]:
    at = np.arange(round(total * RATE)) / RATE
    return 0.5 * np.sin(2 * np.pi * hz * at) * ((at >= start) & (at < end))


def heard(pcm: NDArray[np.int16]) -> tuple[float, float, float, float]:
    """Of one channel: seconds at which it becomes loud, seconds at which it was last loud, Hz, level (rms, 0-1)."""
    level = np.abs(pcm.astype(float)) / 32768
    loud = np.flatnonzero(level > 0.1)
    assert len(loud), "the channel is silent"
    inside = pcm[loud[0] : loud[-1]].astype(float) / 32768
    power = np.abs(np.fft.rfft(inside * np.hanning(len(inside))))
    hz = float(np.argmax(power)) * RATE / len(inside)
    return loud[0] / RATE, loud[-1] / RATE, hz, float(np.sqrt((inside**2).mean()))


@pytest.mark.parametrize("agent", ["left", "right"])
def test_a_stereo_device_brings_both_channels(tmp_path: Path, agent: str) -> None:
    with null_sink() as env, recording(env, tmp_path, device="pulse", rate=RATE, agent_channel=agent) as recorder:
        play(env, "call", burst(400, 0.1, 0.7), burst(1000, 0.5, 1.3))
        pcm, facts = recorder.stop()
    left, right = (heard(row) for row in (pcm if agent == "left" else pcm[::-1]))
    assert facts["losses"] == []
    assert 0 <= pcm.shape[1] - facts["heard"] < TICK
    assert left[2] == pytest.approx(400, abs=4)
    assert right[2] == pytest.approx(1000, abs=4)
    assert right[0] - left[0] == pytest.approx(0.4, abs=0.005)
    assert left[1] - left[0] == pytest.approx(0.6, abs=0.02)
    assert right[1] - right[0] == pytest.approx(0.8, abs=0.02)
    assert [left[3], right[3]] == pytest.approx([0.5 / np.sqrt(2)] * 2, rel=0.06)


def test_the_device_s_own_rate_is_resampled(tmp_path: Path) -> None:
    with null_sink(rate=44_100) as env, recording(env, tmp_path, device="call") as recorder:
        play(env, "call", burst(400, 0.1, 0.7), burst(1000, 0.1, 0.7))
        pcm, facts = recorder.stop()
    for row, hz in zip(pcm, (400, 1000), strict=True):
        start, end, found, _ = heard(row)
        assert found == pytest.approx(hz, abs=4)
        assert end - start == pytest.approx(0.6, abs=0.02)
    assert facts["losses"] == []


def test_two_devices_are_agent_and_customer(tmp_path: Path) -> None:
    with (
        null_sink("mine", "theirs") as env,
        recording(env, tmp_path, device="mine", loopback="theirs", rate=RATE) as recorder,
    ):
        play(env, "mine", burst(400, 0.1, 0.5, 0.6), burst(400, 0.1, 0.5, 0.6))
        play(env, "theirs", burst(1000, 0.1, 0.5, 0.6), burst(1000, 0.1, 0.5, 0.6))
        pcm, _ = recorder.stop()
    agent, customer = (heard(row) for row in pcm)
    assert agent[2] == pytest.approx(400, abs=5)
    assert customer[2] == pytest.approx(1000, abs=10)
    assert customer[0] > agent[1]
    for start, end, _, _ in (agent, customer):
        assert end - start == pytest.approx(0.4, abs=0.02)


def test_two_devices_that_hear_the_same_are_in_step(tmp_path: Path) -> None:
    with null_sink() as env, recording(env, tmp_path, device="call", loopback="pulse", rate=RATE) as recorder:
        play(env, "call", burst(400, 0.1, 1.3), burst(400, 0.1, 1.3))
        pcm, facts = recorder.stop()
    agent, customer = (heard(row) for row in pcm)
    # 9 ms apart on an idle machine; a busy one hands over the first blocks late, and 20 s mend that.
    assert agent[0] == pytest.approx(customer[0], abs=0.1)
    assert agent[1] == pytest.approx(customer[1], abs=0.1)
    assert [loss for loss in facts["losses"] if loss[1] > 0] == [], "only a later start of one device may be a loss"
