"""How often something was found rightly, found wrongly, or missed."""

from dataclasses import dataclass


@dataclass(slots=True)
class Count:
    """hits: found and there. false: found and not there. missed: there and not found."""

    hits: int = 0
    false: int = 0
    missed: int = 0

    @property
    def precision(self) -> float | None:
        """None where nothing was found."""
        return self.hits / (self.hits + self.false) if self.hits + self.false else None

    @property
    def recall(self) -> float | None:
        """None where there was nothing to find."""
        return self.hits / (self.hits + self.missed) if self.hits + self.missed else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of both, 2 TP / (2 TP + FP + FN); None where nothing was there and nothing found."""
        whole = 2 * self.hits + self.false + self.missed
        return 2 * self.hits / whole if whole else None

    def add(self, other: "Count") -> None:
        self.hits += other.hits
        self.false += other.false
        self.missed += other.missed
