"""Searches that people keep: one JSON file beside the calls, each person's own."""

import json
import os
from pathlib import Path
from threading import Lock

from pydantic import TypeAdapter, ValidationError

from api.policy import Who
from pipeline.errors import Conflict, NotFound, StorageFault

FILE = ".searches.json"
"""No call id begins with a dot."""
MOST = 50
"""Searches one person may keep."""

Kept = dict[str, dict[str, str]]
"""Name of a search to its filters, as the address of the list has them."""
_ALL: TypeAdapter[dict[str, Kept]] = TypeAdapter(dict[str, Kept])


class Searches:
    """folder: of the calls. Methods block."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._lock = Lock()

    def of(self, who: Who) -> Kept:
        """By name, in the order in which they were kept."""
        return self._read().get(_key(who), {})

    def keep(self, who: Who, name: str, filters: dict[str, str]) -> None:
        """Under a name; an older one of that name goes. Raises Conflict when there are too many."""
        with self._lock:
            everybody = self._read()
            own = everybody.setdefault(_key(who), {})
            if name not in own and len(own) >= MOST:
                raise Conflict(f"{MOST} searches are kept already; delete one first")
            own[name] = filters
            self._write(everybody)

    def forget(self, who: Who, name: str) -> None:
        """Raises NotFound."""
        with self._lock:
            everybody = self._read()
            if everybody.get(_key(who), {}).pop(name, None) is None:
                raise NotFound(f"no search of yours is called {name!r}")
            self._write(everybody)

    def _read(self) -> dict[str, Kept]:
        try:
            return _ALL.validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValidationError) as error:
            raise StorageFault(f"cannot read {self._path}; mend it or delete it: {type(error).__name__}") from error

    def _write(self, everybody: dict[str, Kept]) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new = self._path.with_suffix(".new")
            new.write_text(json.dumps(everybody, ensure_ascii=False, indent=1), encoding="utf-8")
            os.replace(new, self._path)
        except OSError as error:
            raise StorageFault(f"cannot write {self._path}: {error.strerror or error}") from error


def _key(who: Who) -> str:
    return f"{who.role}:{who.name}"
