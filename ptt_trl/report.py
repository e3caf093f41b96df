"""Renders the report of a run from its files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import orjson

from post_training_toolkit.engine.canonical import Canonicalizer
from post_training_toolkit.engine.event import Episode, episodes
from post_training_toolkit.engine.insights_file import read_insights
from post_training_toolkit.engine.metrics_file import LoggedRow, MetricsEntry, read_metrics
from post_training_toolkit.engine.run_files import (
    INSIGHTS,
    METADATA_FINAL,
    METADATA_START,
    METRICS,
    newest,
)
from post_training_toolkit.engine.seams import consolidate
from post_training_toolkit.ptt_trl.best_step import BestStep, best_steps
from post_training_toolkit.ptt_trl.run_directory import RESUME_VALIDATION
from post_training_toolkit.ptt_trl.stop import StopOutcome
from post_training_toolkit.rules.catalogue import toolkit_metrics
from post_training_toolkit.rules.profile import load_profile

# Bookkeeping that says nothing about how the training went.
_NOT_SHOWN = frozenset({"epoch", "num_tokens", "total_flos"})


@dataclass(slots=True)
class MetricSummary:
    """How one logged metric went: finite values only, and how many were not finite."""

    name: str
    first: float
    last: float
    lowest: float
    highest: float
    logs: int = 1
    non_finite: int = 0

    def add(self, value: float) -> None:
        """Take one more value in."""
        self.last = value
        self.lowest = min(self.lowest, value)
        self.highest = max(self.highest, value)
        self.logs += 1


def render_report(run_dir: Path) -> str:
    """Return the report of a run as Markdown, from its metadata, metrics and insights files."""
    environment = jinja2.Environment(  # noqa: S701 - Markdown, not HTML
        loader=jinja2.PackageLoader("post_training_toolkit.ptt_trl"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    start: dict[str, Any] = orjson.loads(newest(run_dir, METADATA_START).read_bytes())
    final: dict[str, Any] = orjson.loads(newest(run_dir, METADATA_FINAL).read_bytes())
    entries = consolidate(read_metrics(run_dir / METRICS)).entries
    found = episodes(read_insights(run_dir / INSIGHTS))
    roots = [each for each in found if each.caused_by is None]
    return environment.get_template("run_report.md.jinja").render(
        start=start,
        final=final,
        stop=StopOutcome(**final["stop"]) if final["stop"] else None,
        episodes=roots,
        consequences=_consequences(found, roots),
        # One set of advice per rule, however many episodes it had.
        actions={each.fired.rule: each.fired.remediation for each in roots},
        best=_best_steps(entries, start, final),
        metrics=summarise_metrics(entries),
        resumes=_resumes(run_dir),
        files=sorted(
            str(path.relative_to(run_dir))
            for path in run_dir.rglob("*")
            if path.is_file() and not path.name.startswith(".")
        ),
    )


def _best_steps(
    entries: Iterable[MetricsEntry], start: dict[str, Any], final: dict[str, Any]
) -> list[BestStep]:
    profile = load_profile(start["trainer"])
    canonical = Canonicalizer(profile, start["configuration"]).canonical
    rows = [(each.step, canonical(each.row)) for each in entries if isinstance(each, LoggedRow)]
    return best_steps(rows, profile.directions, final["checkpoints"])


def _resumes(run_dir: Path) -> list[dict[str, Any]]:
    path = run_dir / RESUME_VALIDATION
    resumes: list[dict[str, Any]] = (
        orjson.loads(path.read_bytes())["resumes"] if path.exists() else []
    )
    return resumes


def _consequences(found: Iterable[Episode], roots: Iterable[Episode]) -> dict[str, list[Episode]]:
    """Return the episodes that follow from each root cause, those of consequences included."""
    found = list(found)
    cause_of = {each.fired.insight: each.caused_by for each in found}
    consequences: dict[str, list[Episode]] = {each.fired.insight: [] for each in roots}
    for episode in found:
        root = episode.caused_by
        while root is not None and root not in consequences:
            root = cause_of.get(root)
        if root is not None:
            consequences[root].append(episode)
    return consequences


def summarise_metrics(entries: Iterable[MetricsEntry]) -> list[MetricSummary]:
    """Return one summary for each metric that was logged more than once, in logged order.

    The trainer's own come first.
    """
    summaries: dict[str, MetricSummary] = {}
    non_finite: dict[str, int] = {}
    for entry in entries:
        if not isinstance(entry, LoggedRow):
            continue
        for name, value in entry.row.values.items():
            if name in summaries:
                summaries[name].add(value)
            elif name not in _NOT_SHOWN:
                summaries[name] = MetricSummary(name, value, value, value, value)
        for name in entry.row.non_finite:
            non_finite[name] = non_finite.get(name, 0) + 1
    for name, summary in summaries.items():
        summary.non_finite = non_finite.get(name, 0)
    found = [each for each in summaries.values() if each.logs + each.non_finite > 1]
    return sorted(found, key=lambda each: each.name in toolkit_metrics())
