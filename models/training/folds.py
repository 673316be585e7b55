"""Who is learnt from and who is kept for the test: never the same speaker, for the headline never the same corpus."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.training.chance import seeded
from models.training.errors import TrainingError
from models.training.table import Index, Names, Table

Protocol = Literal["loco", "speaker"]
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Fold:
    """name: of the corpus that is tested, or the number of the fold. tested: the speakers, as ``Clip.who``."""

    name: str
    tested: frozenset[str]

    def test(self, table: Table) -> Index:
        """The rows of a table that are tested."""
        return np.flatnonzero(np.isin(table.who, sorted(self.tested)))

    def train(self, table: Table) -> Index:
        """The rows of a table that are learnt from."""
        return np.flatnonzero(~np.isin(table.who, sorted(self.tested)))


def folds(table: Table, protocol: Protocol, seed: int = 0) -> list[Fold]:
    """loco: each corpus in turn is left out. speaker: groups of speakers are, a fifth of each corpus at a time.

    Raises TrainingError where there is nothing to leave out.
    """
    groups = table.corpus if protocol == "loco" else _fifths(table, seed)
    names = sorted(set(groups.tolist()))
    if len(names) < 2:
        needs = "two corpora; --protocol speaker works on one" if protocol == "loco" else "two speakers"
        raise TrainingError(f"to leave one out there must be at least {needs}")
    return [Fold(name, frozenset(table.who[groups == name].tolist())) for name in names]


def inner(table: Table, seed: int = 0) -> list[Fold]:
    """The training side once more, for its own choices: by corpus where there are several, else by speaker."""
    several = len(set(table.corpus.tolist())) > 1
    return folds(table, "loco" if several else "speaker", seed)


def _fifths(table: Table, seed: int) -> Names:
    """The fold of each row: the speakers of each corpus dealt out in a random order."""
    place: dict[str, int] = {}
    for corpus in sorted(set(table.corpus.tolist())):
        speakers = sorted(set(table.who[table.corpus == corpus].tolist()))
        dealt = seeded(seed, "speakers", corpus).permutation(len(speakers))
        place |= {speakers[int(which)]: (turn + len(place)) % FOLDS for turn, which in enumerate(dealt)}
    return np.array([f"fold {place[who] + 1}" for who in table.who.tolist()])


def some_speakers(table: Table, share: float, seed: int) -> Index:
    """The rows of a random share (0-1) of the speakers of each corpus: for a learning curve.

    Two at least, for without one to leave out there is no calibration.
    """
    kept: set[str] = set()
    for corpus in sorted(set(table.corpus.tolist())):
        speakers = sorted(set(table.who[table.corpus == corpus].tolist()))
        count = max(2, round(share * len(speakers)))
        kept |= {speakers[int(which)] for which in seeded(seed, "curve", corpus).permutation(len(speakers))[:count]}
    return np.flatnonzero(np.isin(table.who, sorted(kept)))
