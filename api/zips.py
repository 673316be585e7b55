"""Many files as one: a ZIP archive that is sent while it is made, so that no more than one file is ever held."""

import zipfile
from collections.abc import Iterable, Iterator


class _Outlet:
    """What a ZipFile writes to; cannot go back, so sizes stand behind each file."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def write(self, data: bytes) -> int:
        self._kept += data
        return len(data)

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        taken, self._kept = bytes(self._kept), bytearray()
        return taken


def stream(files: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    """files: names and what is in them, asked for one by one."""
    outlet = _Outlet()
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]
        for name, data in files:
            archive.writestr(name, data)
            yield outlet.take()
    yield outlet.take()
