"""A sound server of the test's own: PulseAudio with null sinks, whose monitors PortAudio records from.

Nothing of the machine's own sound is touched: HOME and the runtime folder are private, and only the process
started here is ended.
"""

import os
import selectors
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

TOOLS = ("pulseaudio", "pacat", "pactl")
PATIENCE_S = 20.0
"""Seconds that the server may take to start or to stop; it takes well under one."""

_ASOUNDRC = """
pcm.!default {{ type pulse }}
ctl.!default {{ type pulse }}
{sources}
"""

_SOURCE = 'pcm.{name} {{ type pulse device "{name}.monitor" hint {{ show on description "{name}" }} }}\n'


def needs_pulse() -> None:
    """Skip the test where PulseAudio is not installed; fail it in CI, where it must be."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if not missing:
        return
    reason = f"{', '.join(missing)} not installed (apt-get install pulseaudio libasound2-plugins libportaudio2)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def null_sink(*names: str, rate: int = 16_000) -> Iterator[dict[str, str]]:
    """Two-channel null sinks, ``call`` by default; yields the environment for players and recorders.

    ``pacat --playback --device=NAME`` plays to a sink. For PortAudio, ``pulse`` and ``default`` record the first
    sink's monitor, and each sink's monitor is also a device named as the sink. PortAudio reads all this when it
    starts, so record in a process of its own.
    """
    needs_pulse()
    sinks = names or ("call",)
    with tempfile.TemporaryDirectory(prefix="pulse-") as folder:
        env = _environment(Path(folder), sinks)
        with _server(env, sinks, rate):
            yield env


def server_pid(env: dict[str, str]) -> int:
    """The server's process, for tests that take the device away."""
    return int((Path(env["XDG_RUNTIME_DIR"]) / "pulse" / "pid").read_text())


@contextmanager
def again(env: dict[str, str], *names: str, rate: int = 16_000) -> Iterator[None]:
    """The same server once more, after it was ended: its devices are back."""
    with _server(env, names or ("call",), rate):
        yield


def _environment(folder: Path, sinks: tuple[str, ...]) -> dict[str, str]:
    runtime = folder / "run"
    runtime.mkdir(mode=0o700)
    (folder / ".asoundrc").write_text(_ASOUNDRC.format(sources="".join(_SOURCE.format(name=name) for name in sinks)))
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PULSE_", "XDG_", "DBUS_"))}
    private = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(runtime), "PULSE_SOURCE": f"{sinks[0]}.monitor"}
    return kept | private


@contextmanager
def _server(env: dict[str, str], sinks: tuple[str, ...], rate: int) -> Iterator[None]:
    loads = [f"--load=module-null-sink sink_name={name} rate={rate} channels=2" for name in sinks]
    command = ["pulseaudio", "--daemonize=no", "--exit-idle-time=-1", "-n", "--log-target=stderr", "--log-level=info"]
    command += ["--disallow-exit=no", "--load=module-native-protocol-unix", *loads]
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE) as server:
        try:
            _await(server, b"Daemon startup complete")
            yield
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.communicate(timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                server.kill()
                server.communicate()


def _await(server: subprocess.Popen[bytes], line: bytes) -> None:
    """Read the server's log until it has started."""
    assert server.stderr is not None
    log = b""
    with selectors.DefaultSelector() as selector:
        selector.register(server.stderr, selectors.EVENT_READ)
        while line not in log:
            if not selector.select(PATIENCE_S) or not (more := os.read(server.stderr.fileno(), 65536)):
                raise RuntimeError(f"pulseaudio did not start: {log.decode(errors='replace')[-2000:]}")
            log += more
