"""``devices``: the inputs of this machine that ``listen`` can record from."""

import json
from dataclasses import asdict

from rich.table import Table
from rich.text import Text

from api.commands.console import note, out
from pipeline.sources import line


def run(*, as_json: bool) -> int:
    found = line.devices()
    if as_json:
        print(json.dumps([asdict(device) for device in found]))
        return 0
    if not found:
        note("this machine has no sound input; connect one, or analyze a recording")
        return 0
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for heading in ("index", "name", "channels", "rate", ""):
        table.add_column(heading)
    for device in found:
        default = "default" if device.default else ""
        table.add_row(str(device.index), Text(device.name), str(device.channels), f"{device.rate} Hz", default)
    out.print(table)
    return 0
