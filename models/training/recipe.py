"""How the scorers are trained. Why these numbers: ``models.affect``."""

from dataclasses import dataclass

from models.affect import Speed


@dataclass(frozen=True, slots=True)
class Recipe:
    """lines: that every clip is sent through, each a row. strength_s: seconds of a speaker's own speech that weigh as
    much as the population. clip: the most that one feature can depart from the usual, in its spread. fast_c, fused_c:
    inverse strength of the L2 penalty (scikit-learn's C, with the rows of a clip weighing 1 together, on average).
    encoder_unit: the spread of the encoder's values beside the features' 1: the smaller, the more they are held back.
    orders: random orders of each speaker's clips, each a row.
    """

    lines: tuple[str, ...] = ("mulaw",)
    strength_s: float = 8.0
    clip: float = 3.0
    fast_c: float = 0.01
    fused_c: float = 0.01
    encoder_unit: float = 0.2
    orders: int = 1

    def penalty(self, speed: Speed) -> float:
        """C of one speed for rows that weigh 1 each: several rows of a clip are no several witnesses."""
        return (self.fast_c if speed == "fast" else self.fused_c) / (len(self.lines) * self.orders)
