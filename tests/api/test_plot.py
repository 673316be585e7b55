"""The picture of a call: what is in it, its command, and that it is the same each time."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.image
import pytest

from api import plot
from api.cli import run
from api.plot import MOST_ROWS, _Picture, draw
from api.reading import Reading
from pipeline.archive import Archive
from pipeline.channel import TWO_CHANNEL, Channel
from pipeline.graph import build
from pipeline.journal import Header
from pipeline.session import CallInfo
from pipeline.settings import POLICIES, Settings
from pipeline.view import AlertView, ChannelView, OverlapView, RegionView, ScoreView, View
from tests.api.readings import empty, mono, sample
from tests.fakes import FakeTranscriber, fake_engines


def words(reading: Reading) -> list[str]:
    """Every text in the picture, the legend's and the axes' too."""
    from matplotlib.text import Text

    figure = _Picture(reading).figure
    return [text.get_text() for text in figure.findobj(Text) if text.get_visible() and text.get_text()]  # type: ignore[attr-defined]


def alert(
    at_ms: int, text: str = "Let them finish", because: str | None = "over", severity: Any = "coach"
) -> AlertView:
    return AlertView(
        n=1,
        kind="k",
        state="cleared",
        severity=severity,
        raised_ms=at_ms,
        cleared_ms=at_ms + 30_000,
        advice=text,
        detail="",
        practice=1,
        reason="",
        cleared_because=because,
        evidence=[],
    )


def long(**values: Any) -> Reading:
    """An hour with nothing in it but these fields of its view."""
    view = View(call_id="long", state="ended", now_ms=3_600_000, duration_s=3600.0)
    view.channels = {channel: ChannelView() for channel in TWO_CHANNEL}
    for name, value in values.items():
        setattr(view, name, value)
    settings = Settings(policy=POLICIES["standard"])
    return Reading(Header(CallInfo(call_id="long", channels=TWO_CHANNEL), settings), view)


def test_a_call_tells_who_what_and_when() -> None:
    found = words(sample("billing_dispute"))
    assert "billing_dispute" in found
    assert "01:58 · policy standard · 2026-01-02 03:04 UTC" in found
    assert {"agent", "both at once", "customer", "advice", "anger (customer)", "tension (agent)"} <= set(found)
    assert {"interruption", "backchannel", "coach"} <= set(found)
    assert {each.advice for each in sample("billing_dispute").view.alerts} <= set(found)
    (summary,) = [text for text in found if text.startswith("agent 00:5")]
    assert "3 interruptions" in summary
    assert f"{len(sample('billing_dispute').view.alerts)} alerts" in summary


def test_what_a_call_cannot_have_is_said_and_not_drawn() -> None:
    found = words(mono())
    assert "unknown" in found
    assert not {"both at once", "score", "advice"} & set(found)
    assert any("no anger, talk over, tension (one channel: the speaker is unknown)" in text for text in found)


def test_no_two_words_lie_on_each_other() -> None:
    for reading in (sample("billing_dispute"), sample("impatient_agent"), crowded(40), empty()):
        figure = _Picture(reading).figure
        figure.canvas.draw()
        from matplotlib.text import Text

        boxes = [
            text.get_window_extent()
            for text in figure.findobj(Text)
            if text.get_visible() and text.get_text().strip()  # type: ignore[attr-defined]
        ]
        boxes = [box for box in boxes if box.width and box.height and box.x1 > 0]
        apart = [(a, b) for i, a in enumerate(boxes) for b in boxes[i + 1 :] if a.overlaps(b) and a.bounds != b.bounds]
        assert not [pair for pair in apart if min(pair[0].height, pair[1].height) > 0 and _deep(*pair) > 1.0]
        edge = figure.bbox
        assert all(box.x0 >= 0 and box.x1 <= edge.x1 and box.y0 >= 0 and box.y1 <= edge.y1 for box in boxes)


def _deep(one: Any, other: Any) -> float:
    """Pixels by which two boxes lie over each other."""
    across = min(one.x1, other.x1) - max(one.x0, other.x0)
    return float(min(across, min(one.y1, other.y1) - max(one.y0, other.y0)))


def crowded(count: int) -> Reading:
    texts = ("Let them finish", "Don't defend. Acknowledge, then act", "It costs $5, not $6")
    return long(alerts=[alert(3_595_000 * n // count, texts[n % 3]) for n in range(count)])


def test_alerts_that_find_no_place_are_marks_without_words() -> None:
    placed = _Picture(crowded(600))._place()
    assert len(placed) == 600
    assert max(each.row for each in placed) == MOST_ROWS - 1
    assert 0 < sum(each.text for each in placed) < 600
    assert all(each.text for each in _Picture(crowded(40))._place())


def test_a_price_in_advice_is_no_formula() -> None:
    assert "It costs $5, not $6" in words(crowded(3))
    assert draw(crowded(3), "png")


def test_an_alert_that_was_revised_is_not_drawn() -> None:
    found = words(long(alerts=[alert(1000, "Never mind", "revised"), alert(90_000, "Let them finish")]))
    assert "Never mind" not in found
    assert "Let them finish" in found
    assert any("1 alert" in text and "alerts" not in text for text in found)


@pytest.mark.parametrize("kind", list(plot.REGIONS))
def test_every_kind_of_region_has_a_look_of_its_own(kind: Any) -> None:
    looks = {(look.colour, look.hatch) for look in plot.REGIONS.values()}
    assert len(looks) == len(plot.REGIONS)
    region = RegionView(kind=kind, channel=Channel.AGENT, begin_ms=0, end_ms=60_000)
    found = words(long(regions=[region]))
    assert plot.NAMES.get(kind, kind.replace("_", " ")) in found


def test_every_kind_the_events_know_can_be_drawn() -> None:
    from typing import get_args

    from pipeline import events as ev

    assert set(get_args(ev.RegionKind)) <= set(plot.REGIONS)
    assert set(get_args(ev.OverlapKind)) == set(plot.OVERLAPS)
    assert set(get_args(ev.Severity)) == set(plot.MARKS)


def test_kinds_of_overlap_differ_in_grey_too() -> None:
    assert len({look.hatch for look in plot.OVERLAPS.values()}) == len(plot.OVERLAPS)


@pytest.mark.parametrize(
    ("seconds", "ticks"),
    [(1, [0, 1]), (95, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]), (3600, list(range(0, 3601, 300)))],
)
def test_time_has_round_ticks(seconds: int, ticks: list[int]) -> None:
    assert plot._ticks(seconds * 1000) == [tick * 1000 for tick in ticks]


def test_a_short_overlap_of_a_long_call_is_seen() -> None:
    """Half a second of an hour is a tenth of a dot wide."""

    def overlapped(begin: int) -> Any:
        overlap = {"n": 1, "kind": "interruption", "interrupter": Channel.CUSTOMER, "cut": True}
        return long(overlaps=[OverlapView(begin_ms=begin, end_ms=begin + 500, **overlap)])  # type: ignore[arg-type]

    one, other = (pixels(draw(overlapped(at), "png")) for at in (900_000, 2_700_000))
    assert (abs(one - other).max(axis=2) > 0.3).sum() >= 30


def test_a_long_curve_is_drawn() -> None:
    curve = [ScoreView(n=n, ms=n * 1000, value=n % 50 / 50, coverage=1.0, parts={}) for n in range(3600)]
    reading = long()
    reading.view.scores.anger = curve
    assert pixels(draw(reading, "png")).shape[1] == plot.WIDTH * plot.DPI


def pixels(png: bytes) -> Any:
    return matplotlib.image.imread(io.BytesIO(png), format="png")


def test_a_call_without_anything_has_a_picture() -> None:
    assert "no speech was heard" in words(empty())
    bare = Reading(replace(empty().header), View())
    assert any("not finished" in text for text in words(bare))
    assert pixels(draw(bare, "png")).shape[1] == plot.WIDTH * plot.DPI


@pytest.mark.parametrize(("kind", "begins"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_two_drawings_are_the_same(kind: str, begins: bytes) -> None:
    first = draw(sample("impatient_agent"), kind)
    assert first.startswith(begins)
    assert first == draw(sample("impatient_agent"), kind)


def test_no_window_system_is_asked() -> None:
    import subprocess
    import sys

    script = "import sys, api.plot; print('matplotlib.pyplot' in sys.modules, 'tkinter' in sys.modules)"
    asked = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert asked.split() == ["False", "False"]


# the command


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CALMLINE_STORAGE__FOLDER", str(tmp_path / "stored"))
    archive, engines = Archive(tmp_path / "stored", 1.0), fake_engines(FakeTranscriber([]))
    session = build(CallInfo(call_id="one", channels=TWO_CHANNEL), Settings(), engines)
    call = archive.record(session, Settings(), engines.identities)
    call.advance(session.silence())
    call.close("test")
    call.end()
    return archive


@pytest.mark.parametrize("name", ["call.png", "call.svg", "call.PDF"])
def test_a_stored_call_is_drawn(name: str, stored: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plot", "one", "-o", name]) == 0
    assert (tmp_path / name).stat().st_size > 1000
    assert capsys.readouterr().err.endswith(f"calmline: one drawn in {name}\n")


def test_without_a_name_it_has_the_calls(stored: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plot", "one"]) == 0
    assert (tmp_path / "one.png").exists()
    before = (tmp_path / "one.png").stat().st_mtime_ns
    assert run(["plot", "one"]) == 2
    assert "one.png exists already; --force overwrites it" in capsys.readouterr().err
    assert (tmp_path / "one.png").stat().st_mtime_ns == before
    assert run(["plot", "one", "--force"]) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["one", "-o", "call.gif"], "call.gif names no kind of picture; end it with .png, .svg or .pdf"),
        (["one", "-o", "call"], "names no kind of picture"),
        (["none"], "no stored call none"),
        (["call.wav"], "no stored call call.wav"),
    ],
)
def test_what_is_wrong_costs_one_line(
    arguments: list[str], said: str, stored: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "call.wav").write_bytes(b"RIFF")
    assert run(["plot", *arguments]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("calmline:")]
    assert said in line
    assert not list(tmp_path.glob("*.png"))
