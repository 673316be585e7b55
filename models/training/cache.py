"""Numbers that were computed before: one small SQLite file, so that a run that was stopped goes on where it was."""

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.training.errors import TrainingError

BATCH = 64
"""Rows between two commits: what a killed run does again."""


class Cache:
    """Rows of float32 by a key of text. folder: made when it is absent; None keeps everything in memory."""

    def __init__(self, folder: Path | None) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._where = ":memory:" if folder is None else str(folder / "features.db")
        try:
            self._base = sqlite3.connect(self._where)
            self._base.execute("CREATE TABLE IF NOT EXISTS numbers (key TEXT PRIMARY KEY, row BLOB) WITHOUT ROWID")
        except sqlite3.DatabaseError as error:
            raise TrainingError(f"{self._where} is no cache of ours ({error}): delete it or name another") from error
        self._waiting = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._base.commit()
        self._base.close()

    def get(self, key: str) -> NDArray[np.float32] | None:
        """A row; empty where there was nothing to measure, None where nobody has looked yet."""
        found = self._base.execute("SELECT row FROM numbers WHERE key = ?", (key,)).fetchone()
        return None if found is None else np.frombuffer(found[0], np.float32)

    def put(self, key: str, row: NDArray[np.float32]) -> None:
        self._base.execute("INSERT OR REPLACE INTO numbers VALUES (?, ?)", (key, row.astype(np.float32).tobytes()))
        self._waiting += 1
        if self._waiting >= BATCH:
            self._base.commit()
            self._waiting = 0
