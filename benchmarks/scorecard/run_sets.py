"""The sets of labelled runs that the scorecard measures on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from post_training_toolkit.engine.labelled_run import find_labelled_runs

RUNS = Path(__file__).parents[1] / "zoo" / "runs"
TUNING, JUDGING, SECOND = "tuning", "judging", "second set"
# Names the folder of the second set, which is not in the repository.
VARIABLE = "PTT_ZOO"


@dataclass(frozen=True, slots=True)
class RunSet:
    """Runs that are summed up together, by what they are called in the tables."""

    name: str
    folders: tuple[Path, ...]


def find_run_sets() -> Sequence[RunSet]:
    """Return the sets that are there, the one that says most first."""
    places = [(JUDGING, RUNS / JUDGING), (TUNING, RUNS / TUNING)]
    if os.environ.get(VARIABLE):
        places.append((SECOND, Path(os.environ[VARIABLE])))
    sets = [RunSet(name, tuple(find_labelled_runs(folder))) for name, folder in places]
    return [each for each in sets if each.folders]
