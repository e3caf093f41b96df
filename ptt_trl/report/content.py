"""What a report says, in the order in which it says it, as text without any markup."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from post_training_toolkit.ptt_trl.report.behaviour import Behaviour, behaviour_of
from post_training_toolkit.ptt_trl.report.best_step import BestStep, best_steps
from post_training_toolkit.ptt_trl.report.charts import Chart, choose_charts
from post_training_toolkit.ptt_trl.report.fact import Fact, Table, number, times
from post_training_toolkit.ptt_trl.report.finding import Finding, findings
from post_training_toolkit.ptt_trl.report.run_facts import (
    cost,
    postmortem_facts,
    resume_facts,
    run_facts,
)
from post_training_toolkit.ptt_trl.report.run_record import RunRecord
from post_training_toolkit.ptt_trl.report.series import Series
from post_training_toolkit.ptt_trl.snapshots.snapshot_file import METRIC_PREFIX
from post_training_toolkit.ptt_trl.stop import StopOutcome
from post_training_toolkit.rules.catalogue import toolkit_metrics
from post_training_toolkit.rules.profile import load_profile

# Bookkeeping that says nothing about how the training went.
_NOT_SHOWN = frozenset({"epoch", "num_tokens", "total_flos"})
# A table of more is no table for people; metrics.jsonl has them all.
_MOST_METRICS = 300
_NOT_FINISHED = (
    "This run has not finished in its files, and no process writes to them any more. "
    "ptt postmortem says how it died, as far as that can still be told."
)


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do, and the numbers of the findings that it is for."""

    text: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Marks:
    """What is marked in every chart: steps of checkpoints and resumes, and where the run died."""

    checkpoints: tuple[int, ...]
    resumes: tuple[int, ...]
    death: int | None
    last_step: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that both reports show; empty or None for what a run does not have."""

    trainer: str
    status: str
    steps: str
    logged_rows: str
    notes: tuple[str, ...]
    findings: tuple[Finding, ...]
    no_findings: str
    actions: tuple[Action, ...]
    postmortem: tuple[Fact, ...]
    traceback: str | None
    behaviour: Behaviour | None
    best: Table | None
    metrics: Table | None
    judged: str
    not_run: tuple[Fact, ...]
    facts: tuple[Fact, ...]
    resumes: tuple[tuple[str, tuple[str, ...]], ...]
    cost: str | None
    failures: tuple[str, ...]
    problems: tuple[str, ...]
    charts: tuple[Chart, ...]
    marks: Marks


def compose(record: RunRecord) -> Report:
    """Return the report of a run."""
    died = _died(record)
    found = findings(record.episodes, died=died)
    best = _best_steps(record)
    postmortem = record.postmortem or {}
    final = record.final or {}
    planned = final.get("max_steps") or record.run.max_steps
    last_step = _last_step(record)
    return Report(
        trainer=(record.run.trainer or "unknown").upper() if record.run.trainer else "unknown",
        status=_status(record),
        steps=f"{last_step}{f' of {planned}' if planned else ''}",
        logged_rows=str(final.get("logged_rows", record.log.rows)),
        notes=tuple(_notes(record)),
        findings=found,
        no_findings=_no_findings(record),
        actions=tuple(actions(found)),
        postmortem=tuple(postmortem_facts(postmortem)) if postmortem else (),
        traceback=_traceback(postmortem),
        behaviour=behaviour_of(record),
        best=_best_table(best),
        metrics=_metrics_table(record.log.series),
        judged=_judged(record),
        not_run=tuple(
            Fact(each.rule, each.reason)
            for each in (record.coverage.not_run if record.coverage is not None else ())
        ),
        facts=tuple(run_facts(record)),
        resumes=tuple(resume_facts(record)),
        cost=cost(record),
        failures=tuple(
            f"{each['part']}: {each['error']} ({each['count']} times)"
            for each in final.get("failures", ())
        ),
        problems=record.problems,
        charts=choose_charts(record, found, best),
        marks=Marks(
            checkpoints=tuple(final.get("checkpoints", ())),
            resumes=record.log.seams,
            death=last_step if died else None,
            last_step=last_step,
        ),
    )


def _died(record: RunRecord) -> bool:
    end = record.log.end
    return (
        (record.final or {}).get("status") == "crashed"
        or (end is not None and end.event == "exception")
        or (record.postmortem is not None and record.final is None)
    )


def _status(record: RunRecord) -> str:
    status = (record.final or {}).get("status")
    death = record.log.end.death if record.log.end is not None else None
    recorded = None if death is None else death.exit_reason
    how: str | None = (record.postmortem or {}).get("exit_reason", recorded)
    if status is None:
        status = "crashed" if _died(record) else _unfinished(record)
    if how is None or status == "completed":
        return str(status).capitalize()
    signal = (record.postmortem or {}).get("signal")
    words = how.replace("_", " ").replace("oom", "OOM") + (f", {signal}" if signal else "")
    return f"{status.capitalize()} ({words})"


def _unfinished(record: RunRecord) -> str:
    if record.is_alive:
        return "still running"
    if record.recorded_as is None:
        return "not finished"
    return "completed" if record.log.end is not None else f"recorded as {record.recorded_as}"


def _last_step(record: RunRecord) -> int:
    known = (record.final or {}).get("last_step"), (record.postmortem or {}).get("last_step")
    return max(record.log.last_step, *(each for each in known if isinstance(each, int)), 0)


def _notes(record: RunRecord) -> Iterator[str]:
    stop = (record.final or {}).get("stop")
    if stop:
        yield str(StopOutcome(**stop))
    if record.recorded_as is None and record.final is None:
        if record.is_alive:
            yield "This run is still going on; the report shows it as far as it has come."
        elif record.postmortem is None:
            yield _NOT_FINISHED


def _no_findings(record: RunRecord) -> str:
    coverage = record.coverage
    if coverage is not None and not coverage.rules_judged:
        return "None, but no rule could judge this run."
    if coverage is None:
        return "None."
    judged = times(coverage.rules_judged, "rule")
    return f"None: {judged} judged this run and found nothing wrong."


def _judged(record: RunRecord) -> str:
    coverage = record.coverage
    if coverage is None:
        return "Which rules judged this run is not known."
    judged = f"{times(coverage.rules_judged, 'rule')} judged this run."
    if coverage.not_run:
        return f"{judged} These could not:"
    return f"{judged} Every rule for this trainer could judge this run."


def actions(found: Iterable[Finding]) -> Iterator[Action]:
    """Yield what to do, worst first; what several findings advise is said once."""
    advised: dict[str, list[Finding]] = {}
    for finding in found:
        for text in finding.remediation:
            advised.setdefault(text, []).append(finding)
    for text, given_by in advised.items():
        yield Action(text, tuple(given_by))


def _traceback(postmortem: Mapping[str, Any]) -> str | None:
    """Return the traceback of this rank, behind that of the rank that failed first."""
    own, first = postmortem.get("traceback"), postmortem.get("first_failing_rank")
    if first is None or first["rank"] == postmortem["rank"]:
        return str(own).rstrip() if own else None
    told = f"rank {first['rank']}:\n{first['traceback'].rstrip()}"
    return f"{told}\n\nrank {postmortem['rank']}:\n{str(own).rstrip()}" if own else told


def _best_steps(record: RunRecord) -> list[BestStep]:
    directions = load_profile(record.run.trainer).directions
    checkpoints = (record.final or {}).get("checkpoints", ())
    return best_steps(record.log.series, directions, checkpoints)


def _best_table(best: Sequence[BestStep]) -> Table | None:
    if not best:
        return None
    header = (
        "metric",
        "better",
        "best",
        "at step",
        "at the end",
        "lost since",
        "median of",
        "checkpoint",
    )
    return Table(header, tuple(_best_row(each) for each in best))


def _best_row(best: BestStep) -> tuple[str, ...]:
    return (
        best.metric,
        best.direction,
        number(best.value),
        str(best.step),
        number(best.last),
        f"{best.lost:.2g}" if best.lost else "nothing",
        times(best.logs, "log"),
        "none" if best.checkpoint is None else f"checkpoint-{best.checkpoint}",
    )


def _metrics_table(series: Mapping[str, Series]) -> Table | None:
    """Return one row for each metric that was logged more than once; the trainer's own first."""
    shown = [
        each
        for each in series.values()
        if len(each.values) > 1
        and each.logged_as is not None
        and each.name not in _NOT_SHOWN
        # There is a section of their own for these.
        and not each.name.startswith(METRIC_PREFIX)
    ]
    shown.sort(key=lambda each: each.logged_as in toolkit_metrics())
    rows = [_metric_row(each) for each in shown[:_MOST_METRICS]]
    header = ("metric", "first", "last", "lowest", "highest", "logs")
    if len(shown) > len(rows):
        rows.append((f"and {times(len(shown) - len(rows), 'metric')} more", *[""] * 5))
    return Table(header, tuple(rows)) if rows else None


def _metric_row(series: Series) -> tuple[str, ...]:
    finite = series.values[series.finite]
    name = series.name
    if series.logged_as not in (None, name):
        name = f"{series.logged_as} ({name})"
    bad = len(series.values) - len(finite)
    logs = f"{len(finite)}{f' (+{bad} not finite)' if bad else ''}"
    if not len(finite):
        return (name, "none", "none", "none", "none", logs)
    told = (finite[0], finite[-1], np.min(finite), np.max(finite))
    return (name, *(number(float(each)) for each in told), logs)
