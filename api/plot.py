"""A call as one picture: who spoke when, overlaps, silences, scores and advice, all over one axis of time.

Kinds differ in colour (Okabe and Ito's palette, told apart with any colour vision), in hatch and in place, so that the
picture is also read in grey. Two drawings of the same call are the same bytes.
"""

import io
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil
from typing import Any, Literal, cast

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from api.commands.console import moment, one_line
from api.reading import Reading
from pipeline.channel import Channel
from pipeline.timebase import ms
from pipeline.view import AlertView, OverlapView, counted

Kind = Literal["png", "svg", "pdf"]

DPI = 150
WIDTH, LEFT, RIGHT, TOP, BOTTOM, GAP = 12.0, 1.1, 0.3, 0.98, 0.42, 0.16
"""Inches: of the picture, its margins, and between two panels."""
ACROSS = WIDTH - LEFT - RIGHT
"""Inches: the axis of time."""
LANE, SCORES, PACE, ADVICE, LEGEND = 0.3, 1.5, 0.8, 0.23, 0.2
"""Inches: one lane, the two curves' panels, one row of advice, one row of the legend."""
NARROW = 0.05
"""Inches under which no hatch can be seen."""
MOST_ROWS = 12
"""Rows of advice; what finds no place in them is a mark without words."""
KEYS = 7
"""Entries in a row of the legend."""
TICKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
MOST_TICKS = 14
DENSE = 600
"""Points of a score from which its line is thin."""
BREAK_MS = 20_000
"""A curve of pace is broken where nothing was measured for longer."""

INK, FAINT, DOTS, RULE = "#222222", "#666666", "#999999", "#e2e2e2"
PARTY = {Channel.AGENT: "#0072b2", Channel.CUSTOMER: "#e69f00", Channel.UNKNOWN: "#56b4e9"}


@dataclass(frozen=True, slots=True)
class Look:
    colour: str
    hatch: str = ""
    height: float = 0.8

    def fill(self, inches: float = 1.0) -> dict[str, Any]:
        """inches: its width; what is narrow has an edge of its own colour, to be seen at all and to keep its colour."""
        edge = self.colour if inches < NARROW or not self.hatch else INK
        return {
            "facecolor": self.colour,
            "edgecolor": edge,
            "hatch": self.hatch,
            "linewidth": 0.4 if edge == INK else 0.8,
        }


OVERLAPS = {
    "interruption": Look("#d55e00", "////"),
    "overlap": Look("#bbbbbb", height=0.55),
    "completion": Look("#cc79a7", "\\\\\\\\", 0.55),
    "dual_start": Look("#f0e442", "xxxx", 0.55),
    "backchannel": Look("#009e73", "....", 0.35),
}
SILENCE = Look("#9a9a9a", height=0.35)
REGIONS = {
    "hold": Look("#cccccc", "////"),
    "pause": Look("#333333"),
    "mute": Look("#dddddd", "\\\\\\\\"),
    "conference": Look("#56b4e9", "||||"),
    "music": Look("#cc79a7", "...."),
    "ringing": Look("#f0e442", "||||"),
    "tones": Look("#f0e442", "...."),
    "noise": Look("#bbbbbb", "xxxx"),
    "clipping": Look("#d55e00", "xxxx"),
    "ivr": Look("#56b4e9", "...."),
    "dual_mono": Look("#56b4e9", "////"),
    "busy": Look("#ffffff", "////"),
    "gap": Look("#ffffff", "xxxx"),
}
HALVES: dict[Channel | None, tuple[float, float]] = {Channel.AGENT: (-0.4, 0.0), Channel.CUSTOMER: (0.0, 0.4)}
NAMES = {"gap": "audio missing", "pause": "pause (redacted)", "ivr": "IVR", "busy": "server busy: voice not measured"}
MARKS = {"note": ("o", "#ffffff"), "coach": ("^", "#777777"), "critical": ("D", "#000000")}
"""By severity: shape and filling."""
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.6,
    "axes.labelcolor": FAINT,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "hatch.linewidth": 0.5,
    "svg.hashsalt": "calmline",
}
LEGENDARY: dict[str, Any] = {
    "frameon": False,
    "fontsize": 8,
    "handlelength": 1.8,
    "handleheight": 1.1,
    "columnspacing": 1.5,
    "borderaxespad": 0,
    "borderpad": 0,
}
PLAIN: dict[Kind, dict[str, Any]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


def draw(reading: Reading, kind: str) -> bytes:
    """The picture. kind: png, svg or pdf."""
    file = io.BytesIO()
    with rc_context(cast(Any, STYLE)), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure = _Picture(reading).figure
        figure.savefig(file, format=kind, dpi=DPI, metadata=PLAIN[cast(Kind, kind)])
    return file.getvalue()


@dataclass(frozen=True, slots=True)
class Lane:
    """name: at its left. draw: onto axes, about a height."""

    name: str
    draw: Callable[[Axes, float], None]


@dataclass(frozen=True, slots=True)
class Panel:
    """height: inches."""

    height: float
    fill: Callable[[Axes], None]


@dataclass(frozen=True, slots=True)
class Placed:
    """An alert in its row. text: False where it found no place. left: the words stand before the mark."""

    alert: AlertView
    row: int
    text: bool = True
    left: bool = False


@dataclass(slots=True)
class _Picture:
    reading: Reading
    figure: Figure = field(init=False)
    _used: dict[str, Patch | Line2D] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lanes, placed = self._lanes(), self._place()
        rows = 1 + max((each.row for each in placed), default=-1)
        panels = [Panel(LANE * len(lanes), lambda axes: self._speak(axes, lanes))]
        if self._curves():
            panels.append(Panel(SCORES, self._scores))
        if rows:
            panels.append(Panel(ADVICE * rows + 0.08, lambda axes: self._advise(axes, placed, rows)))
        if any(self.reading.view.pace.values()):
            panels.append(Panel(PACE, self._pace))
        self._compose(panels)

    @property
    def _end(self) -> int:
        return max(1000, self.reading.duration_ms)

    def _inches(self, length: int) -> float:
        """Of so many milliseconds."""
        return length * ACROSS / self._end

    def _compose(self, panels: Sequence[Panel]) -> None:
        """Panels one under the other, then a legend of what was used in them."""
        self.figure = Figure(facecolor="white")
        FigureCanvasAgg(self.figure)
        every = [self.figure.add_subplot() for _ in panels]
        for axes, panel in zip(every, panels, strict=True):
            self._time(axes, last=axes is every[-1])
            panel.fill(axes)
        rows = ceil(len(self._used) / KEYS)
        height = TOP + sum(panel.height + GAP for panel in panels) - GAP + BOTTOM + LEGEND * rows + 0.1
        self.figure.set_size_inches(WIDTH, height)
        at = height - TOP
        for axes, panel in zip(every, panels, strict=True):
            at -= panel.height
            axes.set_position((LEFT / WIDTH, at / height, ACROSS / WIDTH, panel.height / height))
            at -= GAP
        self._title(height)
        self._legend(height, rows)

    def _time(self, axes: Axes, *, last: bool) -> None:
        axes.set_xlim(0, self._end)
        axes.set_xticks(_ticks(self._end))
        axes.xaxis.set_major_formatter(lambda value, _: moment(round(value)))
        axes.tick_params(axis="x", labelbottom=last, length=3 if last else 0)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color=RULE, linewidth=0.6)
        axes.set_axisbelow(True)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        if last:
            axes.set_xlabel(self._caption(), fontsize=8, loc="right", labelpad=2)

    def _caption(self) -> str:
        sides = any(overlap.interrupter is not None for overlap in self.reading.view.overlaps)
        return ("both at once: on the side of the one who came in · " if sides else "") + "time in minutes:seconds"

    def _title(self, height: float) -> None:
        reading = self.reading
        facts = f"{moment(reading.duration_ms)} · policy {reading.header.settings.policy.name}"
        facts += f" · {_day(reading.header.started)}" if reading.header.started else ""
        facts += "" if reading.finished else " · not finished"
        self._text(0.22, height, reading.call_id, fontsize=14, fontweight="bold")
        self._text(0.48, height, facts, color=FAINT, fontsize=9)
        self._text(0.68, height, _summary(reading), fontsize=9)

    def _text(self, inches: float, height: float, words: str, **look: Any) -> None:
        """A line at so many inches from the top, made smaller until it fits."""
        text = self.figure.text(0.25 / WIDTH, 1 - inches / height, words, va="center", **look)
        wide = text.get_window_extent().width
        most = (WIDTH - 0.5) * self.figure.dpi
        if wide > most:
            text.set_fontsize(look["fontsize"] * most / wide)

    def _legend(self, height: float, rows: int) -> None:
        """Row by row, where matplotlib fills column by column."""
        names = list(self._used)
        cells = [row * KEYS + column for column in range(KEYS) for row in range(rows)]
        order = [names[cell] for cell in cells if cell < len(names)]
        if order:
            self.figure.legend(
                [self._used[name] for name in order],
                order,
                loc="lower left",
                bbox_to_anchor=(LEFT / WIDTH, 0.1 / height),
                ncols=min(KEYS, len(order)),
                **LEGENDARY,
            )

    # lanes

    def _lanes(self) -> list[Lane]:
        view = self.reading.view
        parties = [Lane(str(each), self._speech(each)) for each in Channel if each in self.reading.channels]
        if len(self.reading.header.call.channels) == 2 and "talk_over" not in view.unavailable:
            parties.insert(1, Lane("both at once", self._overlaps))
        if view.silences:
            parties.append(Lane("silence", self._silences))
        if view.regions or view.gaps:
            parties.append(Lane("line", self._regions))
        return parties

    def _speak(self, axes: Axes, lanes: list[Lane]) -> None:
        axes.set_ylim(len(lanes) - 0.5, -0.5)
        axes.set_yticks(range(len(lanes)), [lane.name for lane in lanes], color=INK)
        for height, lane in enumerate(lanes):
            lane.draw(axes, height)
        if not self.reading.speech:
            axes.text(0.5, 0.5, "no speech was heard", transform=axes.transAxes, ha="center", va="center", color=FAINT)

    def _speech(self, channel: Channel) -> Callable[[Axes, float], None]:
        spans = [(ms(e.span.start), ms(e.span.length)) for e in self.reading.speech if e.channel is channel]

        def fill(axes: Axes, at: float) -> None:
            axes.broken_barh(spans, (at - 0.36, 0.72), facecolor=PARTY[channel], linewidth=0)

        return fill

    def _overlaps(self, axes: Axes, at: float) -> None:
        """On the side of the one who came in; in the middle when that was neither or both."""
        for kind, look in OVERLAPS.items():
            for each in (each for each in self.reading.view.overlaps if each.kind == kind):
                low, high = _side(each, look)
                span = (each.begin_ms, each.end_ms - each.begin_ms)
                axes.broken_barh([span], (at + low, high - low), **look.fill(self._inches(span[1])))
                self._use(kind.replace("_", " "), Patch(**look.fill()))

    def _silences(self, axes: Axes, at: float) -> None:
        spans = [(each.begin_ms, each.end_ms - each.begin_ms) for each in self.reading.view.silences]
        axes.broken_barh(spans, (at - SILENCE.height / 2, SILENCE.height), **SILENCE.fill())
        self._use("silence over 3 s", Patch(**SILENCE.fill()))

    def _regions(self, axes: Axes, at: float) -> None:
        """Of the whole call, or of one party: then in that party's half."""
        view = self.reading.view
        stretches = [(each.kind, each.channel, each.begin_ms, each.end_ms) for each in view.regions]
        stretches += [(cast(Any, "gap"), each.channel, each.begin_ms, each.end_ms) for each in view.gaps]
        for kind, channel, begin, end in stretches:
            low, high = HALVES.get(channel, (-0.4, 0.4))
            look = REGIONS[kind]
            axes.broken_barh([(begin, end - begin)], (at + low, high - low), **look.fill(self._inches(end - begin)))
            self._use(NAMES.get(kind, kind.replace("_", " ")), Patch(**look.fill()))

    # curves

    def _curves(self) -> list[tuple[Channel, str, list[tuple[int, float]]]]:
        scores = self.reading.view.scores
        both = ((Channel.CUSTOMER, "anger", scores.anger), (Channel.AGENT, "tension", scores.tension))
        return [(who, name, [(p.ms, p.value) for p in curve]) for who, name, curve in both if curve]

    def _scores(self, axes: Axes) -> None:
        self._shade(axes)
        axes.set_ylim(0, 1)
        axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
        axes.set_ylabel("score")
        axes.axhline(0.5, color=RULE, linewidth=0.6, zorder=0)
        for who, name, points in self._curves():
            times, values = zip(*points, (self._end, points[-1][1]), strict=True)
            line = _line(who) | ({"linewidth": 1.0} if len(points) > DENSE else {})
            axes.plot(times, values, drawstyle="steps-post", **line)
            axes.fill_between(times, values, step="post", color=PARTY[who], alpha=0.14, linewidth=0)
            self._use(f"{name} ({who})", Line2D([], [], **line))
        for alert in counted(self.reading.view.alerts):
            axes.axvline(alert.raised_ms, color=DOTS, linewidth=0.8, linestyle=":", zorder=1)

    def _pace(self, axes: Axes) -> None:
        self._shade(axes)
        axes.set_ylabel("words/min")
        top, scored = 0.0, {who for who, *_ in self._curves()}
        for who, curve in self.reading.view.pace.items():
            points = [(point.ms, point.wpm) for point in curve]
            top = max([top, *(wpm for _, wpm in points)])
            times, values = _broken(points)
            axes.plot(times, values, **{**_line(who), "linewidth": 1.0})
            if curve and who not in scored:
                self._use(f"pace ({who})", Line2D([], [], **{**_line(who), "linewidth": 1.0}))
        axes.set_ylim(0, max(200, top * 1.1))
        axes.set_yticks([0, 100, 200])

    def _shade(self, axes: Axes) -> None:
        """Where nobody talks: silences, hold and pause."""
        view = self.reading.view
        idle = [(each.begin_ms, each.end_ms) for each in view.silences]
        idle += [(each.begin_ms, each.end_ms) for each in view.regions if each.kind in ("hold", "pause")]
        for begin, end in idle:
            axes.axvspan(begin, end, color="#f1f1f1", linewidth=0, zorder=0)

    # advice

    def _place(self) -> list[Placed]:
        """Each alert in the first row where its words and its bar find room. All in inches."""
        figure = Figure()
        FigureCanvasAgg(figure)
        ends, placed = [float("-inf")] * MOST_ROWS, []
        for alert in sorted(counted(self.reading.view.alerts), key=lambda each: each.raised_ms):
            at, bar = self._inches(alert.raised_ms), self._inches(self._until(alert))
            words = figure.text(0, 0, one_line(alert.advice), fontsize=8)
            wide = 0.15 + words.get_window_extent().width / figure.dpi
            left = at + wide > ACROSS
            start, end = (at - wide, max(bar, at)) if left else (at - 0.06, max(bar, at + wide))
            row = next((row for row, taken in enumerate(ends) if taken <= start), None)
            if row is None:
                placed.append(Placed(alert, MOST_ROWS - 1, text=False))
            else:
                ends[row] = end + 0.12
                placed.append(Placed(alert, row, left=left))
        return placed

    def _until(self, alert: AlertView) -> int:
        return min(self._end, self._end if alert.cleared_ms is None else alert.cleared_ms)

    def _advise(self, axes: Axes, placed: list[Placed], rows: int) -> None:
        axes.set_ylim(rows - 0.5, -0.65)
        axes.set_yticks([])
        axes.set_ylabel("advice", rotation=0, ha="right", va="center", color=INK)
        for each in placed:
            shape, filling = MARKS[each.alert.severity]
            look: dict[str, Any] = {
                "marker": shape,
                "markersize": 5,
                "markerfacecolor": filling,
                "markeredgecolor": INK,
            }
            begin, end = each.alert.raised_ms, self._until(each.alert)
            axes.plot([begin, end], [each.row + 0.32] * 2, color=FAINT, linewidth=1.4, solid_capstyle="butt")
            axes.plot([begin], [each.row], linestyle="", clip_on=False, markeredgewidth=0.7, **look)
            if each.text:
                shift, side = (-6, "right") if each.left else (6, "left")
                words = one_line(each.alert.advice)
                axes.annotate(
                    words, (begin, each.row), (shift, 0), textcoords="offset points", ha=side, va="center", fontsize=8
                )
            self._use(each.alert.severity, Line2D([], [], linestyle="", markeredgewidth=0.7, **look))

    def _use(self, name: str, key: Patch | Line2D) -> None:
        self._used.setdefault(name, key)


def _summary(reading: Reading) -> str:
    """The call in one line, and what it cannot tell."""
    view = reading.view
    parts = [
        f"{channel} {moment(party.talk_ms)} talk" + ("" if party.wpm is None else f" at {party.wpm:.0f} words/min")
        for channel, party in view.channels.items()
    ]
    if "talk_over" not in view.unavailable:
        cutting = sum(overlap.kind == "interruption" for overlap in view.overlaps)
        parts.append(f"{_many(len(view.overlaps), 'overlap')}, {_many(cutting, 'interruption')}")
    parts += [_many(len(view.silences), "silence") + " over 3 s", _many(len(counted(view.alerts)), "alert")]
    reasons: dict[str, list[str]] = {}
    for measure, reason in sorted(view.unavailable.items()):
        reasons.setdefault(one_line(reason), []).append(measure.replace("_", " "))
    parts += [f"no {', '.join(measures)} ({reason})" for reason, measures in reasons.items()]
    return " · ".join(parts)


def _day(started: str) -> str:
    """An ISO time as people write it, to the minute."""
    return started[:16].replace("T", " ") + (" UTC" if started.endswith("+00:00") else "")


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _line(who: Channel) -> dict[str, Any]:
    return {"color": PARTY[who], "linewidth": 1.7, "linestyle": "--" if who is Channel.AGENT else "-"}


def _side(overlap: OverlapView, look: Look) -> tuple[float, float]:
    """Lower and upper bound about the middle of its lane."""
    if overlap.interrupter is None:
        return -look.height / 2, look.height / 2
    return (-look.height / 2, 0.06) if overlap.interrupter is Channel.AGENT else (-0.06, look.height / 2)


def _broken(points: Iterable[tuple[int, float]]) -> tuple[list[float], list[float]]:
    """Times and values, with a hole where the next point is far."""
    points = list(points)
    whole: list[tuple[float, float]] = [*points[:1]]
    for before, after in pairwise(points):
        whole += [(before[0], float("nan"))] if after[0] - before[0] > BREAK_MS else []
        whole.append(after)
    return [time for time, _ in whole], [value for _, value in whole]


def _ticks(end: int) -> list[int]:
    """Milliseconds: round times, as many as are read at ease."""
    step = next((each for each in TICKS_S if end / 1000 / each <= MOST_TICKS), TICKS_S[-1]) * 1000
    return list(range(0, end + 1, step))
