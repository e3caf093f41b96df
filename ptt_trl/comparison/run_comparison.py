"""Everything that a comparison of runs says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from post_training_toolkit.ptt_trl.comparison.alignment import Alignment
from post_training_toolkit.ptt_trl.comparison.behaviour_comparison import (
    BehaviourComparison,
    compare_behaviour,
)
from post_training_toolkit.ptt_trl.comparison.checkpoint_choice import CheckpointAdvice, advise
from post_training_toolkit.ptt_trl.comparison.configuration_difference import (
    ArgumentDifference,
    configuration_differences,
)
from post_training_toolkit.ptt_trl.comparison.insight_comparison import (
    InsightRow,
    compare_insights,
)
from post_training_toolkit.ptt_trl.comparison.metric_comparison import (
    MetricComparison,
    compare_metrics,
    placed_metrics,
)
from post_training_toolkit.ptt_trl.comparison.named_run import NamedRun, named_runs
from post_training_toolkit.ptt_trl.comparison.overlay import Overlay, overlays
from post_training_toolkit.ptt_trl.report.run_record import RunRecord


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """What tells one run from the others.

    ``packages`` are the versions of TRL and Transformers; they, ``model``, ``dataset`` and
    ``git`` are as in the start metadata, None where not known. ``rules_judged`` is None where it is
    not known how many rules judged the run.
    """

    name: str
    source: str
    status: str
    trainer: str | None
    steps: str
    checkpoints: tuple[int, ...]
    rules_judged: int | None
    packages: Mapping[str, str]
    model: Mapping[str, Any] | None
    dataset: Mapping[str, Any] | None
    git: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class RunComparison:
    """The whole; ``remarks`` are sentences on what could not be compared.

    ``configuration`` is of the ``arguments_known`` runs whose arguments are known.
    """

    runs: tuple[ComparedRun, ...]
    alignment: Alignment
    remarks: tuple[str, ...]
    checkpoints: CheckpointAdvice
    arguments_known: int
    configuration: tuple[ArgumentDifference, ...]
    insights: tuple[InsightRow, ...]
    metrics: tuple[MetricComparison, ...]
    behaviour: BehaviourComparison
    charts: tuple[Overlay, ...]


def compare_runs(
    records: Sequence[RunRecord],
    alignment: Alignment = Alignment.STEP,
    snapshots_at: int | None = None,
) -> RunComparison:
    """Compare two or more runs; the first is what the others are set against.

    Raises ``AlignmentError`` for a run that cannot be aligned so, and ``SnapshotFileError``.
    """
    runs = named_runs(records)
    metrics = placed_metrics(runs, alignment)
    return RunComparison(
        runs=tuple(map(_compared, runs)),
        alignment=alignment,
        remarks=tuple(_remarks(runs)),
        checkpoints=advise(runs),
        arguments_known=sum(bool(each.run.configuration) for each in records),
        configuration=configuration_differences(runs),
        insights=compare_insights(runs),
        metrics=tuple(compare_metrics(metrics)),
        behaviour=compare_behaviour(runs, snapshots_at),
        charts=overlays(metrics, [run.name for run in runs]),
    )


def _compared(run: NamedRun) -> ComparedRun:
    record, start = run.record, run.record.start
    packages = start.get("packages") or {}
    known = {each: packages[each] for each in ("trl", "transformers") if each in packages}
    if not known and record.run.trl_version is not None:
        known = {"trl": record.run.trl_version}
    return ComparedRun(
        name=run.name,
        source=str(record.source),
        status=run.report.status,
        trainer=record.run.trainer,
        steps=run.report.steps,
        checkpoints=tuple(sorted((record.final or {}).get("checkpoints", ()))),
        rules_judged=None if record.coverage is None else record.coverage.rules_judged,
        packages=known,
        model=start.get("model"),
        dataset=start.get("dataset"),
        git=start.get("git"),
    )


def _remarks(runs: Sequence[NamedRun]) -> Iterator[str]:
    for run in runs:
        if not run.record.run.configuration and run.record.recorded_as is None:
            yield f"The arguments of {run.name} are not known, and not compared."
        if run.record.is_alive:
            yield f"{run.name} is still running, and compared as far as it has come."
        for problem in run.record.problems:
            yield f"{run.name}: {problem}."
