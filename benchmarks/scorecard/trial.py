"""One labelled run, scored for everybody who takes part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.scorecard.contender import SHIPPED, Contender
from benchmarks.scorecard.run_sets import RunSet
from post_training_toolkit.engine.backtest import BrokenRun, in_processes
from post_training_toolkit.engine.backtest_score import ScoredRun
from post_training_toolkit.engine.cli.progress import with_progress


@dataclass(frozen=True, slots=True)
class Trial:
    """A run of a set, with its scores by the name of the contender."""

    set_name: str
    folder: Path
    scores: Mapping[str, ScoredRun]

    @property
    def shipped(self) -> ScoredRun:
        """The score of the shipped rules."""
        return self.scores[SHIPPED]


class BrokenRunsError(ValueError):
    """Runs that cannot be scored; the text has a line for each that says where and why."""


def run_trials(
    sets: Iterable[RunSet], contenders: Sequence[Contender], jobs: int
) -> Sequence[Trial]:
    """Score every run for every contender; raises ``BrokenRunsError``."""
    places = [(each.name, folder) for each in sets for folder in each.folders]
    folders = [folder for _, folder in places]
    results = in_processes(partial(_score, contenders), folders, jobs)
    trials, broken = [], []
    for (set_name, folder), scores in zip(
        places, with_progress(results, len(folders), "scoring"), strict=True
    ):
        whole = {name: each for name, each in scores.items() if isinstance(each, ScoredRun)}
        broken += [each.problem for each in scores.values() if isinstance(each, BrokenRun)]
        trials.append(Trial(set_name, folder, whole))
    if broken:
        raise BrokenRunsError("\n".join(dict.fromkeys(broken)))
    return trials


def scores_of(trials: Iterable[Trial], contender: str = SHIPPED) -> list[ScoredRun]:
    """Return what a contender scored in each trial."""
    return [trial.scores[contender] for trial in trials]


def _score(contenders: Sequence[Contender], folder: Path) -> dict[str, ScoredRun | BrokenRun]:
    found: dict[str, ScoredRun | BrokenRun] = {}
    for contender in contenders:
        found[contender.name] = contender.score(folder)
        if isinstance(found[contender.name], BrokenRun):
            break
    return found
