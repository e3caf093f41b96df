"""Draws the charts of a report as pictures, 1200 pixels wide."""

from __future__ import annotations

import math
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from post_training_toolkit.ptt_trl.atomic_write import write_atomically
from post_training_toolkit.ptt_trl.report.charts import Chart, Line, ShadedSpan
from post_training_toolkit.ptt_trl.report.content import Marks, Report
from post_training_toolkit.rules.printable import printable
from post_training_toolkit.rules.severity import Severity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

# What the legend tells of.
Named: TypeAlias = "dict[str, Line2D]"

_MARKS: dict[str, Any] = {"linestyle": "none"}
_INCHES = (12.0, 5.0)
_DOTS_PER_INCH = 100
# The colours of the page on white.
_SEVERITY_COLOURS = {
    Severity.CRITICAL: "#b3123f",
    Severity.HIGH: "#c2410c",
    Severity.MEDIUM: "#8a6100",
    Severity.LOW: "#2c6a9e",
}
_LINE_COLOURS = ("#1f5fbf", "#c2410c", "#0f766e", "#7c3aed")
_FAINT = "#5b6470"
_GOOD = "#187a3c"
_DEATH = "#b3123f"
# From here on a linear axis shows only the largest values.
_LOG_FROM = 1000
_FEW_POINTS = 40
# Labels of spans stand in so many rows; a letter takes about this share of the width.
_LABEL_ROWS = 4
_ROW_SHARE = 0.055
_LETTER_SHARE = 0.0085
# Axes are not laid out much beyond this without an overflow.
_LARGEST = 1e200
_MOST_DIGITS = 220
_ROOM = 0.08
_LONGEST_TEXT = 150


def draw_plots(report: Report, folder: Path) -> list[Path]:
    """Write one PNG for each chart of a report and return where they are.

    Only matplotlib's classes are used, not pyplot: the user's figures, back end and settings are
    left alone.
    """
    # It takes a while to import, and only the end of a run needs it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for chart in report.charts:
        figure = Figure(figsize=_INCHES, dpi=_DOTS_PER_INCH, facecolor="white")
        figure.set_layout_engine("none")
        _draw(figure, chart, report.marks)
        picture = BytesIO()
        # Unlike savefig this asks none of the user's settings for the size.
        FigureCanvasAgg(figure).print_png(picture)  # type: ignore[no-untyped-call]
        path = folder / f"{chart.file}.png"
        write_atomically(path, picture.getvalue())
        written.append(path)
    return written


def _draw(figure: Figure, chart: Chart, marks: Marks) -> None:
    from matplotlib.ticker import MaxNLocator

    axes = figure.add_axes((0.08, 0.11, 0.9, 0.76), facecolor="white")
    named: Named = {}
    for number, line in enumerate(chart.lines):
        _draw_line(axes, line, _LINE_COLOURS[number % len(_LINE_COLOURS)], named)
    # Marks and shades shall not move the limits.
    axes.set_xlim(axes.get_xlim())
    axes.autoscale(enable=False)
    _scale(axes, chart, _shade(axes, chart.spans))
    _mark(axes, chart, marks, named)
    axes.set_title(_legible(chart.title), loc="left", fontsize=15, pad=22, parse_math=False)
    axes.text(
        0,
        1.02,
        _legible(chart.caption),
        transform=axes.transAxes,
        color=_FAINT,
        parse_math=False,
    )
    axes.set_xlabel("step")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
    axes.grid(color="#d8dde3", linewidth=0.8)
    axes.set_axisbelow(True)
    if len(named) > 1:
        # Named by hand, since matplotlib leaves out names that begin with an underscore.
        legend = figure.legend(
            list(named.values()), list(named), loc="upper right", ncols=4, frameon=False
        )
        for text in legend.get_texts():
            text.set_parse_math(False)


def _draw_line(axes: Axes, line: Line, colour: str, named: Named) -> None:
    values = [_drawable(each) for each in line.values]
    named |= _points(axes, line.name, line.steps, values, color=colour, linewidth=1.6)
    dots = [place for place in range(len(values)) if _has_dot(values, place)]
    steps, heights = [line.steps[each] for each in dots], [values[each] for each in dots]
    axes.plot(steps, heights, color=colour, linestyle="none", marker="o", markersize=3)
    lost = [step for step, each in zip(line.steps, values, strict=True) if math.isnan(each)]
    if lost:
        style = {**_MARKS, "color": _DEATH, "marker": "x", "transform": axes.get_xaxis_transform()}
        named |= _points(axes, f"{line.name} not finite", lost, [0.03] * len(lost), **style)


def _has_dot(values: list[float], place: int) -> bool:
    """Return whether a value shows as a dot: among few, or where no line leads to it."""
    around = values[max(place - 1, 0) : place] + values[place + 1 : place + 2]
    return len(values) <= _FEW_POINTS or all(math.isnan(each) for each in around)


def _legible(text: str) -> str:
    r"""Return the text in letters that the font has.

    >>> print(_legible("reward/名"))
    reward/\u540d
    """
    return printable(text)[:_LONGEST_TEXT].encode("latin-1", "backslashreplace").decode("latin-1")


def _drawable(value: float | str) -> float:
    return math.nan if isinstance(value, str) else max(min(value, _LARGEST), -_LARGEST)


def _scale(axes: Axes, chart: Chart, labels: int) -> None:
    """Set the limits of the values, with room for rows of labels, and a log scale if need be."""
    above = _ROOM + labels * _ROW_SHARE / (1 - labels * _ROW_SHARE)
    drawn = (_drawable(each) for line in chart.lines for each in line.values)
    values = [each for each in drawn if math.isfinite(each)]
    if not values:
        axes.set_ylim(0, 1)
        axes.set_yticks([])
        return
    low, high = min(values), max(values)
    if low > 0 and high / _LOG_FROM >= low:
        low = max(low, 1 / _LARGEST)
        decades = math.log10(high) - math.log10(low)
        axes.set_ylim(
            10.0 ** max(math.log10(low) - decades * _ROOM, -_MOST_DIGITS),
            10.0 ** min(math.log10(high) + decades * above, _MOST_DIGITS),
        )
        axes.set_yscale("log")
        return
    height = high - low or abs(low) or 1
    axes.set_ylim(low - height * _ROOM, high + height * above)
    # Written out in full, no common factor stands in the way of the caption.
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.4g}")


def _shade(axes: Axes, spans: Sequence[ShadedSpan]) -> int:
    """Shade the spans and label them, in rows so that no label covers another; return how many."""
    left, right = axes.get_xlim()
    ends: list[float] = []
    for shaded in sorted(spans, key=lambda each: each.span.first):
        colour = _SEVERITY_COLOURS[shaded.severity]
        begin = shaded.span.first
        axes.axvspan(begin, shaded.until, color=colour, alpha=0.1, linewidth=1)
        axes.axvline(begin, color=colour, linewidth=1.2)
        label = _legible(f"{shaded.label} ({shaded.severity})")
        length = len(label) * _LETTER_SHARE
        start = min((begin - left) / (right - left) + 0.004, 1 - length)
        row = next((row for row, end in enumerate(ends) if end < start), len(ends))
        if row == _LABEL_ROWS:
            continue
        ends[row : row + 1] = [start + length]
        axes.text(
            start,
            0.98 - row * _ROW_SHARE,
            label,
            transform=axes.transAxes,
            color=colour,
            fontsize=11,
            fontweight="bold",
            verticalalignment="top",
            parse_math=False,
        )
    return len(ends)


def _mark(axes: Axes, chart: Chart, marks: Marks, named: Named) -> None:
    for step in marks.resumes:
        axes.axvline(step, color=_FAINT, linestyle="--", linewidth=1)
    if marks.death is not None:
        named["died"] = axes.axvline(marks.death, color=_DEATH, linewidth=2)
    if marks.checkpoints:
        low = [0.015] * len(marks.checkpoints)
        style = {**_MARKS, "color": _FAINT, "marker": "^", "transform": axes.get_xaxis_transform()}
        named |= _points(axes, "checkpoint", marks.checkpoints, low, **style)
    for best in chart.best:
        style = {**_MARKS, "color": _GOOD, "marker": "o", "fillstyle": "none", "markersize": 9}
        value = _drawable(best.value)
        named |= _points(axes, f"best {best.metric}", [best.step], [value], **style)


def _points(
    axes: Axes, name: str, steps: Sequence[int], values: Sequence[float], **style: Any
) -> Named:
    [drawn] = axes.plot(steps, values, **style)
    return {_legible(name): drawn}
