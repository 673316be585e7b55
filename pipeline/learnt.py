"""What labelled lines teach about cues: how near an utterance is to those that show a cue, and to those that do not.

Kernel ridge regression (Saunders et al., 1998) with one weight a line and cue. Nearness is that in meaning
(``models.sentences``, its fourth of six layers), exp(-2 (1 - cosine)), and twice the share of common ``features``:
words in a row, sounds and spellings. ``pipeline.learning`` makes the weights.
"""

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline import meaning
from pipeline.channel import Channel
from pipeline.errors import BadInput
from pipeline.phonetic import key
from pipeline.settings import Cues
from pipeline.tokens import Token

Floats = NDArray[np.float32]
SHIPPED = "cues/en.npz"
BUCKETS = 1 << 15
"""Values that features are spread over by their CRC-32; two in one do little harm among thirty thousand."""
WIDTH, SHARE = 2.0, 2.0
"""How fast nearness in meaning falls, and how much common features count: best of nine pairs on the part ``spent``."""
FORMAT = 2


@dataclass(frozen=True, slots=True)
class Learnt:
    """Of one role. names: k cues. vectors: (n, 384), the lines' meaning. weights: (n, k), of each line for each cue.

    middle: (384,), the lines' mean, from which meaning is counted. words: (BUCKETS, k), of each feature. bias: (k,).
    """

    names: tuple[str, ...]
    middle: Floats
    vectors: Floats
    weights: Floats
    words: Floats
    bias: Floats

    def weigh(self, said: Sequence[Token]) -> dict[str, float]:
        """Every cue's score: about -1 (as lines without the cue) to 1 (as those with it). Raises EngineFault.

        said: one utterance, with its marks.
        """
        if not any(not token.ends for token in said):
            return {}
        vector = from_middle(meanings([said]), self.middle)[0]
        near = np.exp(WIDTH * (self.vectors @ vector - 1.0)) @ self.weights
        shared = buckets(said)
        scores = near + self.bias + SHARE * self.words[shared].sum(axis=0) / np.sqrt(len(shared))
        return dict(zip(self.names, scores.tolist(), strict=True))

    def strongest(self, name: str, said: Sequence[Token]) -> tuple[int, int]:
        """First and last token of the run whose words speak most for a cue: the largest sum above the mean (Kadane)."""
        found = _places(said)
        row = self.words[[bucket for bucket, _, _ in found], self.names.index(name)]
        each = np.zeros(len(said))
        for value, (_, first, last) in zip(row, found, strict=True):
            each[first : last + 1] += value / (last - first + 1)
        return _run(each - max(0.0, float(each.mean())))


def meanings(lines: Sequence[Sequence[Token]]) -> Floats:
    """float32 (n, 384): of utterances, before ``from_middle``. Raises EngineFault.

    Of the fourth layer of six: the last one's, made for nearness of whole sentences, has lost more of how a thing was
    put. On the parts ``open`` and ``spent`` it was the best of the last four and of two layers that were retrained.
    """
    return meaning.halfway([text_of(said) for said in lines])


def from_middle(vectors: Floats, middle: Floats) -> Floats:
    """float32 (n, 384), each of length 1: as lines are compared. All lines lie close together, far from zero."""
    away = vectors - middle
    directions: Floats = away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6)
    return directions


def text_of(said: Sequence[Token]) -> str:
    """As the meaning of an utterance is asked for: contractions written out, hesitations left out."""
    return " ".join(token.text for token in said)


def buckets(said: Sequence[Token]) -> NDArray[np.int64]:
    """Where the features of an utterance lie, each once, in order."""
    return np.unique([bucket for bucket, _, _ in _places(said)]).astype(np.int64)


def _places(said: Sequence[Token]) -> list[tuple[int, int, int]]:
    return [(zlib.crc32(name.encode()) % BUCKETS, first, last) for name, first, last in features(said)]


def features(said: Sequence[Token]) -> Iterator[tuple[str, int, int]]:
    """Every feature, with the first and last token it comes from.

    w: one to three words in a row, the start among them, a name as @n. g: two words with one between. k: the sounds of
    one or two words. c: three or four letters of a word.
    """
    words = ["<s>", *("@n" if token.named else token.text for token in said)]
    for size in (1, 2, 3):
        for at in range(len(words) - size + 1):
            yield "w:" + " ".join(words[at : at + size]), max(0, at - 1), max(0, at + size - 2)
    for at in range(len(words) - 2):
        yield f"g:{words[at]} _ {words[at + 2]}", max(0, at - 1), at + 1
    yield from _sounds(said)


def _sounds(said: Sequence[Token]) -> Iterator[tuple[str, int, int]]:
    heard = [(at, token.text, key(token.text)) for at, token in enumerate(said) if not token.ends]
    for at, _, sound in heard:
        yield "k:" + sound, at, at
    for (at, _, sound), (then, _, after) in pairwise(heard):
        yield f"k:{sound} {after}", at, then
    for at, text, _ in heard:
        framed = f"^{text}$"
        for size in (3, 4):
            for start in range(len(framed) - size + 1):
                yield "c:" + framed[start : start + size], at, at


def _run(each: NDArray[np.float64]) -> tuple[int, int]:
    """First and last index of the run with the largest sum."""
    best, first, last, start, held = -np.inf, 0, 0, 0, 0.0
    for at, value in enumerate(each.tolist()):
        if held <= 0:
            start, held = at, 0.0
        held += value
        if held > best:
            best, first, last = held, start, at
    return first, last


def load_learnt(settings: Cues) -> dict[Channel, Learnt]:
    """The weights of each role. Raises BadInput when they are none."""
    try:
        with np.load(io.BytesIO(content(settings)), allow_pickle=False) as stored:
            return _read(stored)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise BadInput(f"{_name(settings)}: no weights of `calmline cues train`: {error}") from None


def content(settings: Cues) -> bytes:
    """The deployment's file, else the shipped one. Raises BadInput when it cannot be read."""
    try:
        return (Path(settings.weights).expanduser() if settings.weights else files("pipeline") / SHIPPED).read_bytes()
    except OSError as error:
        raise BadInput(f"{_name(settings)}: cannot be read: {error.strerror or error}") from None


def _name(settings: Cues) -> str:
    return settings.weights or f"pipeline/{SHIPPED}"


def _read(stored: Mapping[str, NDArray[np.generic]]) -> dict[Channel, Learnt]:
    """Raises KeyError or ValueError."""
    if int(stored["format"].item()) != FORMAT:
        raise ValueError(f"format {stored['format']} is not {FORMAT}: train them anew")
    return {role: _role(stored, role) for role in Channel if f"{role}.names" in stored}


def _role(stored: Mapping[str, NDArray[np.generic]], role: Channel) -> Learnt:
    names = tuple(str(name) for name in stored[f"{role}.names"])
    middle, vectors, weights, words, bias = (
        np.ascontiguousarray(stored[f"{role}.{name}"], np.float32)
        for name in ("middle", "vectors", "weights", "words", "bias")
    )
    if words.shape != (BUCKETS, len(names)) or weights.shape != (len(vectors), len(names)):
        raise ValueError("its parts do not fit each other")
    return Learnt(names, middle, vectors, weights, words, bias)
