"""Charts with one line for each run, over each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from post_training_toolkit.engine.door import non_finite_word
from post_training_toolkit.ptt_trl.comparison.metric_comparison import PlacedSeries
from post_training_toolkit.ptt_trl.report.charts import thin_out
from post_training_toolkit.ptt_trl.report.fact import number, times

_MOST_CHARTS = 24
# All charts of a page together hold about so many points.
_ALL_POINTS = 9_000
_MOST_POINTS = 1_000
_FEWEST_POINTS = 60
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class RunLine:
    """A metric of one run as it is drawn; a value is a word, such as "NaN", if not finite.

    ``run`` is the place of the run among all, which is its colour in every chart.
    """

    name: str
    run: int
    steps: tuple[float, ...]
    values: tuple[float | str, ...]


@dataclass(frozen=True, slots=True)
class Overlay:
    """The chart of one metric; ``anchor`` is where links to it point."""

    anchor: str
    title: str
    lines: tuple[RunLine, ...]

    @property
    def summary(self) -> str:
        """What it shows, for those who do not see it."""
        return "; ".join(
            f"{each.name}: {times(len(each.values), 'point')}, first {_show(each.values[0])}, "
            f"last {_show(each.values[-1])}"
            for each in self.lines
        )


def overlays(
    metrics: Mapping[str, Sequence[PlacedSeries]], runs: Sequence[str]
) -> tuple[Overlay, ...]:
    """Return a chart of each metric that was logged more than once, the most telling ones."""
    drawn = [
        (name, placed)
        for name, placed in metrics.items()
        if any(len(each.places) > 1 for each in placed)
    ][:_MOST_CHARTS]
    lines = sum(len(placed) for _, placed in drawn) or 1
    points = min(max(_ALL_POINTS // lines, _FEWEST_POINTS), _MOST_POINTS)
    return tuple(
        Overlay(f"chart-{place}", name, tuple(_lines(placed, runs, points)))
        for place, (name, placed) in enumerate(drawn, start=1)
    )


def _lines(placed: Sequence[PlacedSeries], runs: Sequence[str], points: int) -> Iterator[RunLine]:
    for each in placed:
        kept = thin_out(each.series, points)
        values = each.series.values[kept].tolist()
        yield RunLine(
            name=each.run.name,
            run=runs.index(each.run.name),
            steps=tuple(round(place, 2) for place in each.places[kept].tolist()),
            values=tuple(
                float(f"{value:.{_DIGITS}g}") if finite else non_finite_word(value)
                for value, finite in zip(values, each.series.finite[kept], strict=True)
            ),
        )


def _show(value: float | str) -> str:
    return value if isinstance(value, str) else number(value)
