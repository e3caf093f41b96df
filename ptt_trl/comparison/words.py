"""Says a comparison in words and tables: the same ones for a terminal and for a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from post_training_toolkit.ptt_trl.comparison.alignment import Alignment
from post_training_toolkit.ptt_trl.comparison.configuration_difference import ArgumentDifference
from post_training_toolkit.ptt_trl.comparison.insight_comparison import InsightRow, RunInsight
from post_training_toolkit.ptt_trl.comparison.metric_comparison import (
    MetricComparison,
    RunMetric,
)
from post_training_toolkit.ptt_trl.comparison.run_comparison import ComparedRun, RunComparison
from post_training_toolkit.ptt_trl.report.fact import Table, number, times

_SHA_LENGTH = 12
_MOST_TEXT = 60
_ABSENT = "-"


def runs_table(runs: Sequence[ComparedRun]) -> Table:
    """Return what tells the runs apart, one column for each."""
    facts = {
        "status": [run.status for run in runs],
        "trainer": [run.trainer or "not known" for run in runs],
        "steps": [run.steps for run in runs],
        "checkpoints kept": [", ".join(map(str, run.checkpoints)) or "none known" for run in runs],
        "trl": [run.packages.get("trl", _ABSENT) for run in runs],
        "transformers": [run.packages.get("transformers", _ABSENT) for run in runs],
        "model": [_model(run.model) for run in runs],
        "data": [_data(run.dataset) for run in runs],
        "git commit": [_commit(run.git) for run in runs],
        "rules judged": [number(run.rules_judged) for run in runs],
    }
    rows = tuple(
        (label, *map(_cut, cells)) for label, cells in facts.items() if set(cells) != {_ABSENT}
    )
    return Table(("", *(run.name for run in runs)), rows)


def configuration_table(
    differences: Iterable[ArgumentDifference], runs: Sequence[ComparedRun]
) -> Table | None:
    """Return the arguments that differ, one column for each run; None without any."""
    names = [run.name for run in runs]
    rows = tuple(
        (each.argument, *(_value(each.values, name) for name in names)) for each in differences
    )
    return Table(("argument", *names), rows) if rows else None


def insight_table(rows: Iterable[InsightRow], runs: Sequence[ComparedRun]) -> Table | None:
    """Return what each rule found, one column for each run; None if none found anything."""
    names = [run.name for run in runs]
    told = tuple(line for row in rows for line in _insight_rows(row, names))
    return Table(("rule", *names), told) if told else None


def metric_table(comparison: RunComparison, metrics: Iterable[MetricComparison]) -> Table | None:
    """Return a row for each run of each metric; None without any metric in common."""
    rows = tuple(row for metric in metrics for row in _metric_rows(metric, comparison.alignment))
    header = (
        "metric",
        "run",
        "at the end",
        "best",
        f"at {comparison.alignment.unit}",
        "difference",
        "verdict",
    )
    return Table(header, rows) if rows else None


def only_in_one(rows: Sequence[InsightRow]) -> str:
    """Return in one sentence how the insights of the runs agree."""
    if not rows:
        return "No rule found anything wrong in any run."
    single = sum(len(each.runs) == 1 for each in rows)
    return f"{times(len(rows), 'rule')} found a root cause; {single} in one run only."


def alignment_sentence(comparison: RunComparison) -> str:
    """Say what was compared where, and what the verdicts mean."""
    by = {
        Alignment.STEP: "step",
        Alignment.TOKENS: "number of tokens",
        Alignment.FRACTION: "share of the planned steps",
    }[comparison.alignment]
    first = comparison.runs[0].name
    return (
        f"Aligned by {by}, over the range that all runs reached. A difference is the median of a "
        f"run minus {first} (or the first run that logs the metric); it counts if three quarters "
        "of the values agree on its sign and a sign test is below 0.05. One run of each does not "
        "show what another seed would do."
    )


def incomparable_sentences(metrics: Iterable[MetricComparison]) -> Iterator[str]:
    """Yield of each run by which metrics it cannot be better or worse than the first, and why."""
    found: dict[tuple[str, str], list[str]] = {}
    for metric in metrics:
        for name, told in metric.runs.items():
            if told.difference is not None and told.difference.incomparable is not None:
                found.setdefault((name, told.difference.incomparable), []).append(metric.metric)
    for (name, reason), names in found.items():
        yield f"{name} is neither better nor worse by {', '.join(names)}: {reason}."


def configuration_sentence(comparison: RunComparison) -> str:
    """Say how many arguments differ."""
    if comparison.arguments_known < 2:
        return "The arguments of fewer than two runs are known, so none can be compared."
    counting = sum(not each.is_name for each in comparison.configuration)
    if not counting:
        return "No argument differs, apart from places and names."
    verb = "differs" if counting == 1 else "differ"
    return f"{times(counting, 'argument')} {verb}, apart from places and names."


def shown(value: Any) -> str:
    """Return a value of a configuration as JSON, cut if it is long."""
    return _cut(orjson.dumps(value).decode())


def _value(values: Mapping[str, Any], name: str) -> str:
    return shown(values[name]) if name in values else "(not an argument)"


def _insight_rows(
    row: InsightRow, names: Sequence[str], mark: str = ""
) -> Iterator[tuple[str, ...]]:
    yield (mark + row.rule, *(_insight_cell(row, name) for name in names))
    for consequence in row.consequences:
        yield from _insight_rows(consequence, names, "↳ ")


def _insight_cell(row: InsightRow, name: str) -> str:
    if name in row.runs:
        return _insight(row.runs[name])
    return "could not judge" if name in row.not_judged else _ABSENT


def _insight(insight: RunInsight) -> str:
    text = f"{insight.severity}, from step {insight.first_step}"
    if insight.ongoing:
        text += " to the end"
    if insight.episodes > 1:
        text += f", {times(insight.episodes, 'time')}"
    return text + (f", follows from {insight.follows_from}" if insight.follows_from else "")


def _metric_rows(metric: MetricComparison, alignment: Alignment) -> Iterator[tuple[str, ...]]:
    label = metric.metric
    if metric.direction is not None:
        label += f" ({'higher' if metric.direction == 'up' else 'lower'} is better)"
    for place, (name, told) in enumerate(metric.runs.items()):
        yield (
            label if place == 0 else "",
            name,
            "not finite" if told.end is None else number(told.end),
            _ABSENT if told.best is None else number(told.best),
            _ABSENT if told.best_place is None else place_text(told.best_place, alignment),
            *_difference(told),
        )


def place_text(place: float, alignment: Alignment) -> str:
    """Return a place as a table shows it.

    >>> place_text(1200.0, Alignment.TOKENS), place_text(33.333, Alignment.FRACTION)
    ('1200', '33.3')
    """
    return f"{place:.1f}" if alignment is Alignment.FRACTION else f"{place:.0f}"


def _difference(told: RunMetric) -> tuple[str, str]:
    difference = told.difference
    if difference is None:
        return _ABSENT, _ABSENT
    if difference.median is None:
        return "none", str(difference.verdict)
    if difference.median == 0:
        return f"0 (of {difference.places})", str(difference.verdict)
    agreeing = f"{difference.agreeing} of {difference.places}"
    return f"{difference.median:+.4g} ({agreeing})", str(difference.verdict)


def _model(model: Mapping[str, Any] | None) -> str:
    if not model:
        return _ABSENT
    parts = [model.get("name") or model.get("class"), _short(model.get("fingerprint"))]
    return " ".join(str(each) for each in parts if each)


def _data(data: Mapping[str, Any] | None) -> str:
    if not data:
        return _ABSENT
    rows = data.get("rows")
    parts = [
        data.get("name") or data.get("class"),
        None if rows is None else times(rows, "row"),
        _short(data.get("sample_sha256")),
    ]
    return " ".join(str(each) for each in parts if each)


def _commit(git: Mapping[str, Any] | None) -> str:
    if not git:
        return _ABSENT
    changed = " with uncommitted changes" if git.get("uncommitted_changes") else ""
    return f"{_short(git['commit'])}{changed}"


def _short(sha: str | None) -> str | None:
    return None if sha is None else sha[:_SHA_LENGTH]


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 3]}..."
