"""What is usual for one person: the running mean of what their own speech was like so far."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Usual:
    """Blind (it knows no label) and causal: whoever asks for ``mean`` gets that of what was learnt before.

    width: how many values. full: seconds of own speech after which it stands: somebody who grows angry slowly must not
    take it along. A value that is NaN is not learnt; one never learnt is NaN in the mean.
    """

    def __init__(self, width: int, full: float) -> None:
        self._full = full
        self._sums = np.zeros(width)
        self._weights = np.zeros(width)
        self.seconds = 0.0

    @property
    def mean(self) -> Floats | None:
        """float32 (width,); None before anything was learnt."""
        if self.seconds == 0.0:
            return None
        known = self._weights > 0
        return np.where(known, self._sums / np.where(known, self._weights, 1.0), np.nan).astype(np.float32)

    def learn(self, values: Floats, seconds: float) -> None:
        """Take in so many seconds of own speech; passed over once it stands."""
        if self.seconds >= self._full or seconds <= 0.0:
            return
        known = np.isfinite(values)
        self._sums += np.where(known, values, 0.0) * seconds
        self._weights += known * seconds
        self.seconds += seconds
