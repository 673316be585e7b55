"""Recordings: formats, pairs, and every file that cannot be used."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from pipeline.channel import MONO, TWO_CHANNEL, Channel
from pipeline.errors import BadInput
from pipeline.inputs import Frame, Loss
from pipeline.sources.recording import Recording, open_recording
from pipeline.timebase import RATE, TICK, Span


def tones(rate: int, seconds: float = 1.0, hz: tuple[float, ...] = (300.0, 700.0)) -> NDArray[np.float64]:
    """(n, channels); a tone for each channel."""
    at = np.arange(round(rate * seconds))[:, None] / rate
    return 0.4 * np.sin(2 * np.pi * np.array(hz) * at)


def audio(recording: Recording) -> tuple[NDArray[np.int16], list[Loss]]:
    items = list(recording.frames())
    frames = [item for item in items if isinstance(item, Frame)]
    assert [frame.start for frame in frames] == [TICK * index for index in range(len(frames))]
    return np.concatenate([f.pcm for f in frames], axis=1), [item for item in items if isinstance(item, Loss)]


def pitch(pcm: NDArray[np.int16]) -> float:
    """Hz of the strongest partial."""
    power = np.abs(np.fft.rfft(pcm.astype(float) * np.hanning(len(pcm))))
    return float(np.argmax(power)) * RATE / len(pcm)


def level(pcm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each channel, rms."""
    rms: NDArray[np.float64] = np.sqrt((pcm**2).mean(axis=0))
    return rms


FORMATS = [
    ("call.wav", None, "PCM_16", 8_000),
    ("call.wav", None, "PCM_24", 44_100),
    ("call.wav", None, "FLOAT", 16_000),
    ("call.wav", None, "ULAW", 8_000),
    ("call.wav", None, "ALAW", 8_000),
    ("call.flac", None, "PCM_16", 48_000),
    ("call.flac", None, "PCM_16", 11_025),
    ("call.ogg", "OGG", "VORBIS", 44_100),
    ("call.opus", "OGG", "OPUS", 48_000),
    ("call.opus", "OGG", "OPUS", 8_000),
    ("call.mp3", "MP3", "MPEG_LAYER_III", 44_100),
    ("call.mp3", "MP3", "MPEG_LAYER_III", 32_000),
]


@pytest.mark.parametrize(("name", "kind", "subtype", "rate"), FORMATS)
def test_formats(tmp_path: Path, name: str, kind: str | None, subtype: str, rate: int) -> None:
    path = tmp_path / name
    soundfile.write(path, tones(rate, 2.0), rate, subtype, format=kind)
    recording = open_recording([path])
    assert recording.channels == TWO_CHANNEL
    assert recording.rate == rate
    assert recording.seconds == pytest.approx(2.0, abs=0.1)
    pcm, lost = audio(recording)
    assert lost == []
    assert recording.warnings == []
    assert recording.heard == pytest.approx(2 * RATE, abs=0.1 * RATE)
    assert 0 <= pcm.shape[1] - recording.heard < TICK
    assert pitch(pcm[0, : 2 * RATE]) == pytest.approx(300, abs=2)
    assert pitch(pcm[1, : 2 * RATE]) == pytest.approx(700, abs=2)
    decoded, _ = soundfile.read(path)
    assert level(pcm.T[: 2 * RATE] / 32768) == pytest.approx(level(decoded), rel=0.005)


@pytest.mark.parametrize(("name", "kind"), [("call.mp3", "MP3"), ("call.ogg", "OGG"), ("call.flac", "FLAC")])
def test_blocks_are_what_the_whole_file_is(tmp_path: Path, name: str, kind: str) -> None:
    """soundfile seeks after each read, and an MP3 does not survive that."""
    soundfile.write(tmp_path / name, tones(RATE, 3.0), RATE, format=kind)
    decoded, _ = soundfile.read(tmp_path / name)
    pcm, _ = audio(open_recording([tmp_path / name]))
    assert np.abs(pcm[:, : len(decoded)].T - decoded * 32768).max() <= 1


def test_16_khz_pcm_is_exact_and_can_be_read_twice(tmp_path: Path) -> None:
    pcm = np.random.default_rng(0).integers(-32768, 32768, (RATE, 2), dtype=np.int16)
    soundfile.write(tmp_path / "call.wav", pcm, RATE)
    recording = open_recording([tmp_path / "call.wav"])
    for _ in range(2):
        assert np.array_equal(audio(recording)[0][:, :RATE], pcm.T)
        assert recording.heard == RATE


def test_the_agent_may_be_on_the_right(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "call.wav", tones(RATE), RATE)
    pcm, _ = audio(open_recording([tmp_path / "call.wav"], agent_channel="right"))
    assert pitch(pcm[0, :RATE]) == pytest.approx(700, abs=2)
    assert pitch(pcm[1, :RATE]) == pytest.approx(300, abs=2)


def test_one_mono_file_is_one_unknown_speaker(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "call.wav", tones(8_000, hz=(300,)), 8_000)
    recording = open_recording([tmp_path / "call.wav"])
    pcm, _ = audio(recording)
    assert recording.channels == MONO
    assert pcm.shape[0] == 1


@pytest.mark.parametrize("rates", [(11_025, 48_000), (8_000, 8_000), (16_000, 44_100)])
def test_a_pair_of_mono_files(tmp_path: Path, rates: tuple[int, int]) -> None:
    """Half a minute: long enough for blocks of unlike rates to get out of step if they could."""
    paths = [tmp_path / "agent.wav", tmp_path / "customer.wav"]
    for path, rate, hz in zip(paths, rates, (300.0, 700.0), strict=True):
        soundfile.write(path, tones(rate, 30.0, (hz,)), rate)
    recording = open_recording(paths)
    pcm, lost = audio(recording)
    assert recording.channels == TWO_CHANNEL
    assert (recording.rates, recording.rate) == (rates, max(rates))
    assert lost == []
    assert recording.heard == 30 * RATE
    assert [pitch(row[:RATE]) for row in pcm] == pytest.approx([300, 700], abs=2)


def test_the_shorter_file_of_a_pair_ends_in_a_loss(tmp_path: Path) -> None:
    paths = [tmp_path / "agent.wav", tmp_path / "customer.wav"]
    soundfile.write(paths[0], tones(RATE, 3.0, (300,)), RATE)
    soundfile.write(paths[1], tones(8_000, 1.0, (700,)), 8_000)
    recording = open_recording(paths)
    pcm, lost = audio(recording)
    assert recording.seconds == 3.0
    assert lost == [Loss(channel=Channel.CUSTOMER, span=Span(RATE, 3 * RATE), reason="missing")]
    assert not pcm[1, RATE + 400 :].any()


# --- files that cannot be used: one line, what is wrong and what to do ---


def refused(pattern: str, *paths: Path) -> None:
    with pytest.raises(BadInput) as caught:
        for _ in open_recording(paths).frames():
            pass
    assert "\n" not in str(caught.value)
    assert re.search(pattern, str(caught.value)), str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    refused(r"nope\.wav: no such file; check the name$", tmp_path / "nope.wav")


def test_a_folder(tmp_path: Path) -> None:
    refused("is a folder; give the audio file itself$", tmp_path)


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "call.wav").touch()
    refused(r"call\.wav: is empty \(0 bytes\); check", tmp_path / "call.wav")


@pytest.mark.parametrize("name", ["call.wav", "call.mp3", "call.raw", "call"])
def test_text(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("Dear customer, your call is important to us.\n" * 20)
    refused(rf"{name}: is not WAV, FLAC, Ogg or MP3 audio; convert it: ffmpeg", tmp_path / name)


def test_no_samples(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "call.wav", np.zeros((0, 2)), RATE)
    refused(r"call\.wav: holds no audio: 0 samples", tmp_path / "call.wav")


def test_three_channels(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "call.wav", np.zeros((100, 3)), RATE)
    refused(r"call\.wav: has 3 channels; give one or two: ffmpeg", tmp_path / "call.wav")


@pytest.mark.parametrize("rate", [96_000, 4_000])
def test_rates(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "call.wav", np.zeros((100, 2)), rate)
    refused(rf"call\.wav: a sample rate of {rate} Hz cannot be used", tmp_path / "call.wav")


def test_a_stereo_file_in_a_pair(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "call.wav", np.zeros((100, 2)), RATE)
    refused("a pair is two mono files", tmp_path / "call.wav", tmp_path / "call.wav")


@pytest.mark.parametrize("count", [0, 3])
def test_a_wrong_number_of_files(tmp_path: Path, count: int) -> None:
    soundfile.write(tmp_path / "call.wav", np.zeros((100, 1)), RATE)
    refused(f"expected one file, or two mono files of one call, got {count}", *[tmp_path / "call.wav"] * count)


@pytest.mark.parametrize("pair", [False, True])
def test_nan_is_named_by_file_and_time(tmp_path: Path, pair: bool) -> None:
    pcm = tones(RATE, 2.0)
    pcm[20_000, 1] = np.nan
    soundfile.write(tmp_path / "call.wav", pcm, RATE, "FLOAT")
    soundfile.write(tmp_path / "agent.wav", pcm[:, 0], RATE, "FLOAT")
    soundfile.write(tmp_path / "customer.wav", pcm[:, 1], RATE, "FLOAT")
    name = "customer" if pair else "call"
    paths = [tmp_path / "agent.wav", tmp_path / "customer.wav"] if pair else [tmp_path / "call.wav"]
    refused(rf"{name}\.wav: the customer channel has a sample that is no number at 1\.250 s", *paths)


@pytest.mark.parametrize("name", ["call.wav", "call.mp3"])
def test_a_cut_file_is_read_as_far_as_it_goes(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    soundfile.write(path, tones(RATE, 4.0), RATE)
    os.truncate(path, path.stat().st_size // 2)
    recording = open_recording([path])
    _, lost = audio(recording)
    assert lost == []
    assert recording.heard == pytest.approx(2 * RATE, abs=0.3 * RATE)
    (warning,) = recording.warnings
    assert re.search(r"ends at \d\.\d s although its header promises 4\.0 s; is the copy complete\?$", warning)


def test_a_wav_written_to_a_pipe_has_no_length_and_no_warning(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    soundfile.write(path, tones(RATE), RATE)
    content = bytearray(path.read_bytes())
    content[40:44] = b"\xff" * 4
    path.write_bytes(content)
    recording = open_recording([path])
    assert audio(recording)[0].shape[1] >= RATE
    assert recording.warnings == []


def test_a_damaged_flac(tmp_path: Path) -> None:
    path = tmp_path / "call.flac"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.1, 0.1, (4 * RATE, 2)), RATE)
    os.truncate(path, path.stat().st_size // 2)
    refused(r"call\.flac: is damaged, or changed while it was read \(.+\); copy it again$", path)


def test_a_flac_that_was_never_finished(tmp_path: Path) -> None:
    path = tmp_path / "call.flac"
    with soundfile.SoundFile(path, "w", RATE, 2) as writer:
        writer.write(np.zeros((RATE, 2)))
        writer.flush()
        refused("its header names no length, so it was never finished; convert it", path)


def test_a_file_that_vanishes(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    soundfile.write(path, tones(RATE), RATE)
    recording = open_recording([path])
    path.unlink()
    with pytest.raises(BadInput, match="no such file"):
        list(recording.frames())


def test_a_file_that_changes_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    soundfile.write(path, tones(RATE), RATE)
    recording = open_recording([path])
    soundfile.write(path, tones(RATE, 3.0), RATE)
    with pytest.raises(BadInput, match="changed after it was opened"):
        list(recording.frames())


@pytest.mark.parametrize("name", ["call.wav", "call.flac"])
def test_a_file_that_is_cut_while_it_is_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    soundfile.write(path, np.random.default_rng(0).uniform(-0.1, 0.1, (10 * RATE, 2)), RATE)
    frames = open_recording([path]).frames()
    next(frames)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(BadInput, match="changed while it was read"):
        list(frames)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    soundfile.write(path, tones(RATE), RATE)
    path.chmod(0)
    refused("cannot be read: Permission denied", path)
