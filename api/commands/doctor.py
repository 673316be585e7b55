"""``doctor``: is this machine ready? Each check says what it found and, where something is wrong, what to do."""

import json
import os
import platform
import shutil
import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from rich.table import Table
from rich.text import Text

from api.commands.console import err, one_line, out
from api.config import Config
from models import checkpoints
from models.errors import ModelError
from pipeline.archive import Archive
from pipeline.errors import CalmlineError

State = Literal["ok", "warn", "fail"]
_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}
_SIGNS = {"ok": "✓", "warn": "!", "fail": "✗"}

LOW_GB = 2.0
"""Free space under which a warning is due: an hour of a call takes about 0.1 GB."""


@dataclass(frozen=True, slots=True)
class Finding:
    """remedy: what to do; empty when all is well."""

    check: str
    state: State
    detail: str
    remedy: str = ""


def run(config: Config, *, as_json: bool) -> int:
    """1 when anything failed."""
    with err.status("looking…"):
        findings = [_guarded(name, check, config) for name, check in CHECKS.items()]
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings]))
    else:
        _table(findings)
    return int(any(finding.state == "fail" for finding in findings))


def _guarded(name: str, check: Callable[[Config], Finding], config: Config) -> Finding:
    """Whatever a check runs into is a finding, so that the others are still made."""
    try:
        return check(config)
    except (CalmlineError, ModelError) as error:
        detail, _, remedy = one_line(str(error)).partition("; ")  # what is wrong; what to do
        return Finding(name, "fail", detail, remedy)
    except Exception as error:  # noqa: BLE001 - a broken installation fails in any way it likes
        return Finding(name, "fail", f"{type(error).__name__}: {one_line(str(error))}", "reinstall calmline")


def _table(findings: list[Finding]) -> None:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for finding in findings:
        style = _STYLES[finding.state]
        text = Text(finding.detail)
        if finding.remedy:
            text.append(f"\n→ {finding.remedy}", style=style)
        table.add_row(Text(f"{_SIGNS[finding.state]} {finding.state}", style=style), finding.check, text)
    out.print(table)


def _python(config: Config) -> Finding:
    return Finding("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _settings(config: Config) -> Finding:
    return Finding("settings", "ok", f"calls in {config.calls_folder}, models in {config.model_cache}")


def _recogniser(config: Config) -> Finding:
    words = config.settings.words
    if not config.settings.policy.words:
        return Finding("recogniser", "ok", f"not used: policy {config.settings.policy.name}")
    folder = checkpoints.resolve(words.model, config.model_cache)
    pins = checkpoints.pins(folder)
    if pins is None:
        remedy = f"if it is meant to be so, nothing; else calmline models pull {words.model}"
        return Finding("recogniser", "warn", f"{words.model} in {folder}: no hashes are known for it", remedy)
    checkpoints.verify(folder, pins)
    return Finding("recogniser", "ok", f"{words.model}, SHA-256 of every file verified")


def _detector(config: Config) -> Finding:
    from models.silero import SileroDetector

    identity = SileroDetector().identity
    return Finding("speech detector", "ok", f"{identity.name} {identity.version}")


def _pitch(config: Config) -> Finding:
    from models.pitch import SwiftF0Tracker

    identity = SwiftF0Tracker().identity
    return Finding("pitch tracker", "ok", f"{identity.name} {identity.version}")


def _scorer(config: Config) -> Finding:
    from pipeline.graph import load_affect

    name, words = config.settings.scores.model, config.settings.words.model
    affect = load_affect(config.settings)
    if affect is None:
        return Finding("scores", "ok", f"not used: policy {config.settings.policy.name}")
    detail = f"{name}, SHA-256 verified"
    detail += ": trained on acted speech, not for commercial use" if name == "acted" else ""
    if affect.encoder_name not in (None, words):
        remedy = f"set words.model to {affect.encoder_name}, or train a set for {words}: calmline train"
        return Finding("scores", "warn", f"{detail}; without the encoder of {words}, which it does not know", remedy)
    return Finding("scores", "ok", detail)


def _sound(config: Config) -> Finding:
    from pipeline.sources import line

    try:
        found = line.devices()
    except CalmlineError as error:
        return Finding("sound input", "warn", "PortAudio is missing; only `calmline listen` needs it", str(error))
    if not found:
        return Finding("sound input", "warn", "no input device; only `calmline listen` needs one", "connect one")
    stereo = sum(device.channels >= 2 for device in found)
    return Finding("sound input", "ok", f"{len(found)} devices, {stereo} of them stereo")


def _port(config: Config) -> Finding:
    server = config.server
    address = f"{server.host}:{server.port}"
    try:
        with socket.create_server((server.host, server.port)):
            return Finding("port", "ok", f"{address} is free")
    except OSError as error:
        remedy = "stop what listens there (another calmline?), or set server.port"
        reason = os.strerror(error.errno) if error.errno else str(error)
        return Finding("port", "warn", f"{address}: {reason}", remedy)


def _folder(config: Config) -> Finding:
    folder = config.calls_folder
    there = _there(folder)
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return Finding("calls folder", "ok", f"{folder} can be written")
    remedy = f"chown or chmod {there}, or set storage.folder"
    return Finding("calls folder", "fail", f"{there} cannot be written", remedy)


def _room(config: Config) -> Finding:
    folder, limit = config.calls_folder, config.settings.storage.max_gb
    used = Archive(folder, limit).size() / 1e9 if folder.is_dir() else 0.0
    free = shutil.disk_usage(_there(folder)).free / 1e9
    detail = f"calls take {used:.2f} of {limit:g} GB (storage.max_gb); {free:.1f} GB are free on the disk"
    if used >= limit:
        return Finding("disk space", "fail", detail, "delete calls (calmline delete) or raise storage.max_gb")
    if free < LOW_GB or used > 0.9 * limit:
        return Finding("disk space", "warn", detail, "free some space or delete calls (calmline delete)")
    return Finding("disk space", "ok", detail)


def _there(folder: Path) -> Path:
    """The folder, or as much of its path as exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _credentials(config: Config) -> Finding:
    from api.security import check_exposure, check_tokens, is_loopback

    server = config.server
    check_exposure(server)
    check_tokens(server)
    count = len(server.supervisor_tokens) + len(server.agent_tokens) + len(server.door_tokens)
    if not is_loopback(server.host) and not server.tls_cert:
        remedy = "set server.tls_cert and server.tls_key, or let a proxy speak https"
        return Finding("credentials", "warn", f"{server.host}: {count} tokens, but no TLS: they can be read", remedy)
    return Finding("credentials", "ok", f"{server.host}: {count} tokens" if count else f"{server.host}: none needed")


def _doors(config: Config) -> Finding:
    """Of phone systems. Raises BadInput for one that cannot be used, as ``serve`` does."""
    from api.security import check_doors

    doors, states = config.doors, []
    check_doors(config.server, doors)
    twilio, audiohook = doors.twilio, doors.audiohook
    known = [
        ("twilio", "auth_tokens", bool(twilio.auth_tokens), twilio.public_url),
        ("audiohook", "keys", bool(audiohook.keys), audiohook.public_url),
    ]
    for name, secrets, opened, address in known:
        unsigned = name in doors.unsigned
        if address and not (opened or unsigned):
            remedy = f"set doors.{name}.{secrets}, or take doors.{name}.public_url away"
            return Finding("doors", "warn", f"{name} has a public_url and no {secrets}: it is closed", remedy)
        states.append(f"{name} {'believes anybody here' if unsigned else 'signed' if opened else 'closed'}")
    return Finding("doors", "ok", ", ".join(states))


def _policy(config: Config) -> Finding:
    policy = config.settings.policy
    withheld = [
        name
        for name, computed in {
            "agent tension": policy.agent_affect,
            "customer anger": policy.customer_affect,
            "words": policy.words,
            "recording": policy.recording,
        }.items()
        if not computed
    ]
    return Finding(
        "policy", "ok", f"{policy.name}: " + (f"no {', no '.join(withheld)}" if withheld else "all measures")
    )


def _pages(config: Config) -> Finding:
    page = Path(__file__).parents[1] / "static" / "overlay.html"
    if page.is_file():
        return Finding("pages", "ok", "built")
    remedy = "in a source tree: npm ci && npm run build in api/web; else reinstall calmline"
    return Finding("pages", "warn", "the overlay page is not built; everything but the pages works", remedy)


CHECKS: dict[str, Callable[[Config], Finding]] = {
    "python": _python,
    "settings": _settings,
    "recogniser": _recogniser,
    "speech detector": _detector,
    "pitch tracker": _pitch,
    "scores": _scorer,
    "sound input": _sound,
    "port": _port,
    "calls folder": _folder,
    "disk space": _room,
    "credentials": _credentials,
    "doors": _doors,
    "policy": _policy,
    "pages": _pages,
}
