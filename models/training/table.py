"""The numbers of many clips on one line, with their labels: what is learnt from and measured on."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.protocols import Samples
from models.training import audio
from models.training.cache import Cache
from models.training.corpus import Clip
from models.training.errors import TrainingError
from models.training.lines import Lines
from models.training.measure import Measure, Row

Names = NDArray[np.str_]
Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Table:
    """Clips of one line. features: float32 (n, d). pooled: float32 (n, 2 D). seconds: float64 (n,) of audio."""

    clips: tuple[Clip, ...]
    features: Row
    pooled: Row
    seconds: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.clips)

    @cached_property
    def corpus(self) -> Names:
        return np.array([clip.corpus for clip in self.clips])

    @cached_property
    def who(self) -> Names:
        return np.array([clip.who for clip in self.clips])

    @cached_property
    def emotion(self) -> Names:
        return np.array([clip.emotion for clip in self.clips])

    @cached_property
    def sex(self) -> Names:
        return np.array([clip.sex for clip in self.clips])

    def take(self, rows: Index) -> "Table":
        clips = tuple(self.clips[row] for row in rows)
        return Table(clips, self.features[rows], self.pooled[rows], self.seconds[rows])


@dataclass(frozen=True, slots=True)
class Collector:
    """Measures clips, or finds what was measured. voice, encoder: ``models.training.measure``."""

    lines: Lines
    cache: Cache
    voice: Measure
    encoder: Measure

    def table(self, clips: Sequence[Clip], line: str, step: Callable[[], object] = lambda: None) -> Table:
        """Clips in which enough is said, in their order. step: called after each clip. Raises TrainingError."""
        found = list(self._rows(clips, line, step))
        if not found:
            raise TrainingError("in none of the clips is there half a second of speech: are they what the table says?")
        kept, features, pooled, seconds = zip(*found, strict=True)
        return Table(kept, np.stack(features), np.stack(pooled), np.array(seconds, np.float64))

    def _rows(
        self, clips: Iterable[Clip], line: str, step: Callable[[], object]
    ) -> Iterator[tuple[Clip, Row, Row, float]]:
        for clip in clips:
            features, pooled, seconds = self._of(clip, line)
            if features.size:
                yield clip, features, pooled, float(seconds[0])
            step()

    def _of(self, clip: Clip, line: str) -> tuple[Row, Row, Row]:
        """What was measured of a clip: features (none if too little is said), pooled encoder output, seconds."""
        measures = {f"{clip.key}/{self.lines.key(line)}/{m.key}": m for m in (self.voice, self.encoder, _Length())}
        rows = {key: row for key in measures if (row := self.cache.get(key)) is not None}
        missing = [key for key in measures if key not in rows]
        if missing:
            samples = self.lines.send(line, audio.load(clip.file, clip.piece), clip.key)
            for key in missing:
                rows[key] = measures[key](samples)
                self.cache.put(key, rows[key])
        features, pooled, seconds = (rows[key] for key in measures)
        return features, pooled, seconds


class _Length:
    key = "seconds"

    def __call__(self, samples: Samples) -> Row:
        return np.array([len(samples) / audio.RATE], np.float32)


def joined(tables: Sequence[Table]) -> Table:
    """The rows of all, one table after the other."""
    clips = tuple(clip for table in tables for clip in table.clips)
    return Table(
        clips, *(np.concatenate([getattr(t, each) for t in tables]) for each in ("features", "pooled", "seconds"))
    )
