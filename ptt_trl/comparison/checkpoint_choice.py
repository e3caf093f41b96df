"""Which checkpoint to keep, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from post_training_toolkit.ptt_trl.comparison.comparability import (
    different_data,
    incomparable,
    metric_incomparable,
)
from post_training_toolkit.ptt_trl.comparison.level import Level, differ, level_at
from post_training_toolkit.ptt_trl.comparison.named_run import NamedRun
from post_training_toolkit.rules.profile import EVAL_PREFIX, Direction, load_profile
from post_training_toolkit.rules.severity import Severity


class Lead(StrEnum):
    """How the best checkpoint stands to the next one."""

    CLEAR = "clear"
    NOISE = "no difference that counts"
    UNKNOWN = "too little was logged to tell noise"
    ALONE = "there is no other"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A checkpoint with the level of the metric that was logged last until its step."""

    run: str
    step: int
    level: Level


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Checkpoints of a run that are no candidates, and why."""

    run: str
    steps: tuple[int, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The checkpoint to keep among those of ``runs``; None if there is none to choose from.

    ``metric`` is what it is judged by, None if nothing that can judge was logged. ``runner_up`` is
    the next best one of any of the runs; ``as_good`` counts the others, it included, that do not
    differ from the best by more than noise.
    """

    runs: tuple[str, ...]
    metric: str | None
    direction: Direction | None
    best: Candidate | None
    runner_up: Candidate | None
    lead: Lead
    as_good: int


@dataclass(frozen=True, slots=True)
class CheckpointAdvice:
    """One choice among all runs or, where ``not_across`` says why not, one within each.

    ``caveats`` are sentences on what makes the choice less than it seems.
    """

    choices: tuple[Choice, ...]
    not_across: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    caveats: tuple[str, ...]


def advise(runs: Sequence[NamedRun]) -> CheckpointAdvice:
    """Choose the checkpoint to keep among all runs, or within each if they cannot be compared."""
    left_out = [each for run in runs if (each := _troubled(run)) is not None]
    with_some = [run for run in runs if _sound(run)]
    reasons = list(incomparable(with_some)) if len(with_some) > 1 else []
    metric = None
    if len(with_some) > 1 and not reasons:
        metric, reasons = _shared_metric(with_some)
    across = len(with_some) > 1 and metric is not None
    groups = [with_some] if across else [[run] for run in with_some]
    judged = [(group, metric or _metric_of(group[0])) for group in groups]
    for group, by in judged:
        left_out += [each for run in group if (each := _unmeasured(run, by)) is not None]
    caveats = []
    if across and different_data(with_some):
        caveats.append(
            "The training data of the runs differ: this holds if both were evaluated on the same "
            "examples."
        )
    return CheckpointAdvice(
        choices=tuple(_choose(group, by) for group, by in judged),
        not_across=() if across else tuple(reasons),
        left_out=tuple(left_out),
        caveats=tuple(caveats),
    )


def _kept(run: NamedRun) -> list[int]:
    return sorted((run.record.final or {}).get("checkpoints", ()))


def _trouble(run: NamedRun) -> tuple[int, str] | None:
    """Return the first step of the first bad insight that never went away, and its rule."""
    found = (
        (each.fired.first_step, each.fired.rule)
        for each in run.record.episodes
        if each.ongoing and each.severity.rank >= Severity.HIGH.rank
    )
    return min(found, default=None)


def _sound(run: NamedRun) -> list[int]:
    trouble = _trouble(run)
    return [each for each in _kept(run) if trouble is None or each < trouble[0]]


def _troubled(run: NamedRun) -> LeftOut | None:
    trouble, sound = _trouble(run), _sound(run)
    steps = tuple(each for each in _kept(run) if each not in sound)
    if trouble is None or not steps:
        return None
    return LeftOut(run.name, steps, f"{trouble[1]} held from step {trouble[0]} and never went away")


def _unmeasured(run: NamedRun, metric: str | None) -> LeftOut | None:
    if metric is None:
        return None
    series = run.series[metric]
    steps = tuple(each for each in _sound(run) if level_at(series, each) is None)
    why = f"no finite {metric} was the last to be logged until then"
    return LeftOut(run.name, steps, why) if steps else None


def _metrics_of(run: NamedRun) -> Iterator[str]:
    """Yield the metrics that may judge a run: evaluations first, the most telling first."""
    directions = load_profile(run.record.run.trainer).directions
    for name in (*(EVAL_PREFIX + each for each in directions), *directions):
        if name in run.series:
            yield name


def _metric_of(run: NamedRun) -> str | None:
    return next(_metrics_of(run), None)


def _shared_metric(runs: Sequence[NamedRun]) -> tuple[str | None, list[str]]:
    """Return the first metric that means the same in all runs, or why none does."""
    shared = [name for name in _metrics_of(runs[0]) if all(name in run.series for run in runs[1:])]
    reasons = ["they log no metric in common that says what is better"] if not shared else []
    for name in shared:
        why = list(metric_incomparable(name, runs))
        if not why:
            return name, []
        reasons.append(f"{name}: {'; '.join(why)}")
    return None, reasons


def _choose(runs: Sequence[NamedRun], metric: str | None) -> Choice:
    names = tuple(run.name for run in runs)
    if metric is None:
        return Choice(names, None, None, None, None, Lead.ALONE, 0)
    directions = load_profile(runs[0].record.run.trainer).directions
    direction = directions[metric.removeprefix(EVAL_PREFIX)]
    sign = 1 if direction == "up" else -1
    candidates = [
        Candidate(run.name, step, level)
        for run in runs
        for step in _sound(run)
        if (level := level_at(run.series[metric], step)) is not None
    ]
    # Of equal ones the earlier has moved less from where it began, or is of the run named first.
    ranked = sorted(candidates, key=lambda each: (-sign * each.level.value, each.step))
    best, runner_up = (*ranked[:2], None, None)[:2]
    lead = _lead(best, runner_up)
    as_good = sum(_lead(best, each) is Lead.NOISE for each in ranked[1:])
    return Choice(names, metric, direction, best, runner_up, lead, as_good)


def _lead(best: Candidate | None, runner_up: Candidate | None) -> Lead:
    if best is None or runner_up is None:
        return Lead.ALONE
    match differ(best.level, runner_up.level):
        case None:
            return Lead.UNKNOWN
        case True:
            return Lead.CLEAR
        case False:
            return Lead.NOISE
