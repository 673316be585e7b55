"""A ``calmline serve`` in a process of its own, watched from outside through /proc; for benchmarks, on Linux.

    uv run python -m benchmarks.served serve ...      is ``calmline serve ...`` with thread names that /proc shows

Nothing of the server is changed: what this launcher adds is the names alone, so that an account of CPU time by thread
says whose it is.
"""

import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
START_WITHIN_S, STOP_WITHIN_S = 60.0, 120.0


@dataclass(frozen=True, slots=True)
class Usage:
    """Of a process and all below it, at one moment. cpu: seconds so far. threads: the same by thread name.

    resident: bytes.
    """

    at: float
    cpu: float
    resident: int
    threads: Counter[str] = field(default_factory=Counter)


class Server:
    """A running server. folder: where its calls are. address: host and port."""

    def __init__(self, process: "subprocess.Popen[bytes]", folder: Path, address: str) -> None:
        self.folder = folder
        self.address = address
        self._process = process

    def usage(self) -> Usage:
        pids = list(_tree(self._process.pid))
        cpu, resident = sum(map(_cpu, pids)), sum(map(_resident, pids))
        return Usage(time.perf_counter(), cpu, resident, sum(map(_threads, pids), Counter()))

    def metrics(self) -> dict[str, float]:
        """What /metrics says, a sample a line, labels included in its name."""
        with urllib.request.urlopen(f"http://{self.address}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}

    def check(self) -> None:
        """Raises RuntimeError when it is no longer running."""
        if self._process.poll() is not None:
            raise RuntimeError(f"the server ended with code {self._process.returncode}")


@contextmanager
def served(*arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server of its own folder and port, ready; the block left, it ends its calls and its folder goes.

    environment: further variables (``CALMLINE_SECTION__KEY``) for it.
    """
    with TemporaryDirectory(prefix="calmline-bench-") as name:
        home = Path(name)
        port = _free_port()
        command = [sys.executable, "-m", "benchmarks.served", "serve", "--port", str(port), *arguments]
        own = {"CALMLINE_STORAGE__FOLDER": str(home / "calls"), "CALMLINE_LIMITS__CALLS": "1000"}
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(
                command, env={**os.environ, **own, **(environment or {})}, stdout=log, stderr=log
            )
        server = Server(process, home / "calls", f"127.0.0.1:{port}")
        try:
            _await_ready(server)
            yield server
        except BaseException:
            print(f"the server said: {(home / 'log').read_text()[-3000:]}", file=sys.stderr)
            raise
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_WITHIN_S)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _await_ready(server: Server) -> None:
    end = time.monotonic() + START_WITHIN_S
    while time.monotonic() < end:
        server.check()
        with suppress(OSError):
            urllib.request.urlopen(f"http://{server.address}/health").close()
            return
        time.sleep(0.1)
    raise RuntimeError(f"the server was not ready within {START_WITHIN_S:g} s")


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _tree(int(child))


def _cpu(pid: int) -> float:
    """Seconds of a process: own and of children that have ended."""
    return sum(map(int, _stat(Path(f"/proc/{pid}"))[11:15])) * _TICK_S


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def _threads(pid: int) -> Counter[str]:
    """CPU seconds by name; numbers at its end are left out, so that a pool is one line."""
    found: Counter[str] = Counter()
    for task in Path(f"/proc/{pid}/task").iterdir():
        name = "event loop" if task.name == str(pid) else (task / "comm").read_text().strip()
        found[re.sub(r"[_-]?\d+$", "", name)] += sum(map(int, _stat(task)[11:13])) * _TICK_S
    return found


def _stat(path: Path) -> list[str]:
    """Fields of a stat file behind the name, which may hold spaces."""
    return (path / "stat").read_text().rsplit(")", 1)[1].split()


def _name_threads() -> None:
    """Give every Python thread its name in /proc, and those that libraries start by themselves the name ``native``.

    A thread has its parent's name until it is given one: the main thread's, which /proc knows by its number.
    """
    begun = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        begun(thread)
        with suppress(OSError):  # it may be over already
            Path(f"/proc/self/task/{thread.native_id}/comm").write_text(thread.name[:15])

    threading.Thread.start = start  # type: ignore[method-assign]
    Path("/proc/self/comm").write_text("native")


def main() -> None:
    _name_threads()
    from api.cli import main as calmline

    calmline()


if __name__ == "__main__":
    main()
