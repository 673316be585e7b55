"""The cache: what was put is found by the next run, and a file that is none is refused."""

import numpy as np
import pytest

from models.training.cache import Cache
from models.training.errors import TrainingError


def test_rows_outlive_the_run_that_put_them(tmp_path):
    with Cache(tmp_path / "new") as cache:
        cache.put("a", np.array([1.5, -2.0], np.float32))
        cache.put("nothing", np.zeros(0, np.float32))
    with Cache(tmp_path / "new") as cache:
        row, nothing = cache.get("a"), cache.get("nothing")
        assert cache.get("b") is None
    assert row is not None
    assert row.tolist() == [1.5, -2.0]
    assert nothing is not None
    assert nothing.size == 0


def test_a_killed_run_loses_a_batch_at_most(tmp_path):
    killed = Cache(tmp_path)
    for number in range(100):
        killed.put(str(number), np.array([number], np.float32))
    with Cache(tmp_path) as cache:
        assert cache.get("63") is not None
    killed._base.close()


def test_a_file_that_is_no_cache_is_told(tmp_path):
    (tmp_path / "features.db").write_bytes(b"something else" * 100)
    with pytest.raises(TrainingError, match=r"features\.db is no cache of ours .* delete it or name another"):
        Cache(tmp_path)
