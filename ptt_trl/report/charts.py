"""Chooses what is drawn of a run, and thins it out so that no spike is lost."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from post_training_toolkit.engine.door import non_finite_word
from post_training_toolkit.ptt_trl.report.best_step import BestStep
from post_training_toolkit.ptt_trl.report.fact import number, times
from post_training_toolkit.ptt_trl.report.finding import Finding, Span
from post_training_toolkit.ptt_trl.report.run_record import RunRecord
from post_training_toolkit.ptt_trl.report.series import Series, Steps
from post_training_toolkit.rules.catalogue import catalogue, catalogued_trainers, toolkit_metrics
from post_training_toolkit.rules.profile import EVAL_PREFIX, Profile, load_profile
from post_training_toolkit.rules.severity import Severity

# All charts of a report together hold about so many points, and one of them at most so many.
_ALL_POINTS = 9_000
_MOST_POINTS = 1_000
_FEWEST_POINTS = 150
_MOST_CHARTS = 24
# A run of which little is known shows so much of what it logged.
_ENOUGH_CHARTS = 6
_MOST_SPANS = 60
_LONGEST_NAME = 80
# Bookkeeping, and what another chart has already.
_NOT_DRAWN = frozenset({"epoch", "num_tokens", "total_flos", "exception"})
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Line:
    """One metric as it is drawn: a value is a word, such as "NaN", where it was not finite."""

    name: str
    steps: tuple[int, ...]
    values: tuple[float | str, ...]
    logs: int


@dataclass(frozen=True, slots=True)
class ShadedSpan:
    """The steps at which an insight held, to shade ``until`` one, and where the insight is told."""

    span: Span
    until: int
    severity: Severity
    label: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Best:
    """Where a line of a chart was best."""

    metric: str
    step: int
    value: float


@dataclass(frozen=True, slots=True)
class Chart:
    """A small picture of one metric, or of few that belong together.

    ``file`` is its name among files, ``caption`` says unit and meaning where they are known.
    """

    file: str
    title: str
    caption: str
    lines: tuple[Line, ...]
    spans: tuple[ShadedSpan, ...]
    best: tuple[Best, ...]

    @property
    def anchor(self) -> str:
        """Where links to it point to."""
        return f"chart-{self.file}"

    @property
    def summary(self) -> str:
        """What it shows, for those who do not see it."""
        shaded = ", ".join(dict.fromkeys(each.label for each in self.spans))
        lines = (
            f"{each.name}: {times(each.logs, 'value')}, first {_show(each.values[0])}, "
            f"last {_show(each.values[-1])}"
            for each in self.lines
        )
        return "; ".join([*lines, f"shaded for {shaded}" if shaded else "no insights"])


def choose_charts(
    record: RunRecord, found: Sequence[Finding], best: Sequence[BestStep]
) -> tuple[Chart, ...]:
    """Return the charts of a report: those of the trainer's profile, then those of the findings."""
    profile = load_profile(record.run.trainer)
    every = [each for finding in found for each in (finding, *finding.consequences)]
    groups = list(_groups(record, profile, every))[:_MOST_CHARTS]
    drawn = sum(len(group) for group in groups) or 1
    points = min(max(_ALL_POINTS // drawn, _FEWEST_POINTS), _MOST_POINTS)
    files: set[str] = set()
    return tuple(
        Chart(
            file=_file_name(group, files),
            title=" and ".join(each.name for each in group),
            caption=_caption(group, record.run.trainer),
            lines=tuple(_line(each, points) for each in group),
            spans=tuple(_spans(group, every, profile, record.log.last_step))[:_MOST_SPANS],
            best=tuple(_best(group, best)),
        )
        for group in groups
    )


def thin_out(series: Series, points: int) -> Steps:
    """Return which of the values to draw: of each stretch the lowest, the highest, one not finite.

    The first and the last are always among them.

    >>> values = np.sin(np.arange(10_000) / 500)
    >>> values[1234] = 9
    >>> series = Series("loss", "loss", np.arange(10_000), values)
    >>> kept = thin_out(series, 100)
    >>> len(kept) <= 102, 1234 in kept
    (True, True)
    """
    count = len(series.values)
    if count <= points:
        return np.arange(count)
    edges = np.linspace(0, count, max(points // 2, 1) + 1, dtype=np.int64)
    kept = {0, count - 1}
    for begin, end in pairwise(edges.tolist()):
        values, finite = series.values[begin:end], series.finite[begin:end]
        if not finite.all():
            kept.add(begin + int(np.argmin(finite)))
        if finite.any():
            kept.add(begin + int(np.argmin(np.where(finite, values, np.inf))))
            kept.add(begin + int(np.argmax(np.where(finite, values, -np.inf))))
    return np.array(sorted(kept), dtype=np.int64)


def _groups(
    record: RunRecord, profile: Profile, found: Iterable[Finding]
) -> Iterator[tuple[Series, ...]]:
    """Yield what shares a chart; a metric without a second value is drawn only if it is known."""
    series = record.log.series
    shown: set[str] = set()
    wanted = [*profile.plots, *((_stored(each, series, profile),) for each in _metrics(found))]
    for place, names in enumerate(wanted):
        fewest = 1 if place < len(profile.plots) else 2
        group = [name for name in _with_evaluation(names) if name in series and name not in shown]
        group = [name for name in group if len(series[name].values) >= fewest]
        if group:
            shown.update(group)
            yield tuple(series[name] for name in group)
    others = (
        each
        for name, each in series.items()
        if name not in shown | toolkit_metrics() | _NOT_DRAWN and len(each.values) > 1
    )
    for _, each in zip(range(_ENOUGH_CHARTS - len(shown)), others, strict=False):
        yield (each,)


def _metrics(found: Iterable[Finding]) -> Iterator[str]:
    for finding in found:
        yield from (each for each in finding.metrics if each not in _NOT_DRAWN)


def _with_evaluation(names: Sequence[str]) -> tuple[str, ...]:
    """Return the metrics, and of a single one that of the evaluation beside it."""
    if len(names) == 1 and not names[0].startswith(EVAL_PREFIX):
        return (names[0], EVAL_PREFIX + names[0])
    return tuple(names)


def _stored(metric: str, series: Mapping[str, Series], profile: Profile) -> str:
    """Return the name under which a metric of a rule is kept: a rule may use the trainer's."""
    return metric if metric in series else profile.canonical_name(metric)


def _line(series: Series, points: int) -> Line:
    kept = thin_out(series, points)
    values = series.values[kept].tolist()
    return Line(
        name=series.name,
        steps=tuple(series.steps[kept].tolist()),
        values=tuple(
            float(f"{value:.{_DIGITS}g}") if finite else non_finite_word(value)
            for value, finite in zip(values, series.finite[kept], strict=True)
        ),
        logs=len(series.values),
    )


def _spans(
    group: Sequence[Series], found: Iterable[Finding], profile: Profile, last_step: int
) -> Iterator[ShadedSpan]:
    names = {each.name for each in group}
    for finding in found:
        if names & {profile.canonical_name(each) for each in finding.metrics}:
            for span in finding.spans:
                until = max(last_step, span.last) if span.ongoing else span.last
                yield ShadedSpan(span, until, finding.severity, finding.rule, finding.anchor)


def _best(group: Sequence[Series], best: Iterable[BestStep]) -> Iterator[Best]:
    names = {each.name for each in group}
    for each in best:
        if each.metric in names:
            yield Best(each.metric, each.step, float(f"{each.value:.{_DIGITS}g}"))


def _caption(group: Sequence[Series], trainer: str | None) -> str:
    """Return unit and meaning of the first metric, if the catalogue has them."""
    first = group[0]
    entries = catalogue(trainer) if trainer in catalogued_trainers() else {}
    entry = entries.get(first.logged_as or "")
    if entry is None:
        return ""
    logged = f"logged as {first.logged_as}; " if first.logged_as != first.name else ""
    return f"{logged}{entry.unit}: {entry.meaning}"


def _file_name(group: Sequence[Series], taken: set[str]) -> str:
    r"""Return a name that every file system takes, and no other chart has.

    >>> _file_name([Series("rewards/a b", None, np.array([]), np.array([]))], set())
    'rewards_a_b'
    """
    text = "-".join(each.name for each in group if not each.name.startswith(EVAL_PREFIX))
    text = text or group[0].name
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", text).strip("._-")[:_LONGEST_NAME] or "metric"
    name, copies = plain, 1
    while name.lower() in taken:
        copies += 1
        name = f"{plain}-{copies}"
    taken.add(name.lower())
    return name


def _show(value: float | str) -> str:
    return value if isinstance(value, str) else number(value)
