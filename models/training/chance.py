"""The only chance in training: numbers that follow from what they are for, so that a run can be repeated."""

import hashlib

import numpy as np


def seeded(*purpose: object) -> np.random.Generator:
    """A generator of its own for a purpose, such as (seed, "noise", digest of the clip).

    What one purpose draws does not depend on what was drawn for another: neither the order of the clips nor a resumed
    run changes a figure.
    """
    digest = hashlib.sha256("|".join(map(str, purpose)).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))
