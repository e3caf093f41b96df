"""The insights of several runs side by side, one row for each rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from post_training_toolkit.ptt_trl.comparison.named_run import NamedRun
from post_training_toolkit.ptt_trl.report.finding import Finding
from post_training_toolkit.rules.severity import Severity


@dataclass(frozen=True, slots=True)
class RunInsight:
    """What one rule found in one run: its worst severity, and the first step of its episodes.

    ``ongoing`` says whether it had not gone away at the end, ``follows_from`` which rule found the
    root cause, None if this one did.
    """

    severity: Severity
    first_step: int
    episodes: int
    ongoing: bool
    follows_from: str | None


@dataclass(frozen=True, slots=True)
class InsightRow:
    """One rule with what it found, by the names of the runs in which it found something.

    In runs of ``not_judged`` the rule could not judge. ``consequences`` are of rules that found a
    consequence of this in every run they fired in.
    """

    rule: str
    title: str
    runs: Mapping[str, RunInsight]
    not_judged: tuple[str, ...]
    consequences: tuple[InsightRow, ...] = ()


def compare_insights(runs: Sequence[NamedRun]) -> tuple[InsightRow, ...]:
    """Return the rules that found a root cause in any run: those of one run only come first.

    Behind that the worst comes first, then the earliest.
    """
    found: dict[str, dict[str, RunInsight]] = {}
    titles: dict[str, str] = {}
    for run in runs:
        for finding, root in _all(run.report.findings):
            told = _insight(finding, root)
            before = found.setdefault(finding.rule, {}).get(run.name)
            titles[finding.rule] = finding.title
            found[finding.rule][run.name] = told if before is None else _both(before, told)
    roots = [
        rule
        for rule, by_run in found.items()
        if any(each.follows_from is None for each in by_run.values())
    ]

    def row(rule: str, consequences: Sequence[InsightRow] = ()) -> InsightRow:
        silent = tuple(_not_judged(rule, runs))
        return InsightRow(rule, titles[rule], found[rule], silent, tuple(consequences))

    rows = []
    for rule in roots:
        below = [each for each in found if each not in roots and _root_of(found[each]) == rule]
        rows.append(row(rule, sorted(map(row, below), key=_order)))
    return tuple(sorted(rows, key=_order))


def _not_judged(rule: str, runs: Sequence[NamedRun]) -> Iterator[str]:
    for run in runs:
        coverage = run.record.coverage
        if coverage is not None and rule in {each.rule for each in coverage.not_run}:
            yield run.name


def _all(findings: Sequence[Finding]) -> Iterator[tuple[Finding, str | None]]:
    for finding in findings:
        yield finding, None
        for consequence in finding.consequences:
            yield consequence, finding.rule


def _insight(finding: Finding, root: str | None) -> RunInsight:
    return RunInsight(
        severity=finding.severity,
        first_step=min(each.first for each in finding.spans),
        episodes=len(finding.spans),
        ongoing=any(each.ongoing for each in finding.spans),
        follows_from=root,
    )


def _both(one: RunInsight, other: RunInsight) -> RunInsight:
    """Return two findings of one rule as one: episodes may have different root causes."""
    return RunInsight(
        severity=max(one.severity, other.severity, key=lambda each: each.rank),
        first_step=min(one.first_step, other.first_step),
        episodes=one.episodes + other.episodes,
        ongoing=one.ongoing or other.ongoing,
        follows_from=one.follows_from and other.follows_from,
    )


def _root_of(by_run: Mapping[str, RunInsight]) -> str | None:
    return next(iter(by_run.values())).follows_from


def _order(row: InsightRow) -> tuple[bool, int, int, str]:
    told = row.runs.values()
    worst = max(each.severity.rank for each in told)
    return (len(row.runs) > 1, -worst, min(each.first_step for each in told), row.rule)
