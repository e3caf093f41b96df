"""Writes docs/scorecard.md and the figures that ship with the rules: ``make scorecard``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.scorecard.contender import contenders
from benchmarks.scorecard.left_out import leave_families_out
from benchmarks.scorecard.page import scorecard_page
from benchmarks.scorecard.rule_record import rule_figures
from benchmarks.scorecard.run_sets import JUDGING, find_run_sets
from benchmarks.scorecard.trial import BrokenRunsError, Trial, run_trials, scores_of
from post_training_toolkit.engine.backtest import rules_of
from post_training_toolkit.rules.figures import Measurement, figures_text
from post_training_toolkit.rules.model import Rule
from post_training_toolkit.rules.sources import default_sources

ROOT = Path(__file__).parents[2]
PAGE, FIGURES = ROOT / "docs" / "scorecard.md", ROOT / "rules" / "figures.json"


def main() -> None:
    """Score everything and write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    jobs: int = parser.parse_args().jobs
    sets = find_run_sets()
    if not sets:
        sys.exit("no labelled run in benchmarks/zoo/runs; make zoo records them")
    try:
        trials = run_trials(sets, contenders(), jobs)
    except BrokenRunsError as error:
        sys.exit(str(error))
    sources = default_sources()
    rules = rules_of(sources)
    left_out = leave_families_out(sources, trials, jobs)
    PAGE.write_text(scorecard_page(trials, rules, left_out), encoding="utf-8")
    FIGURES.write_text(figures_text(measurements(trials, rules)), encoding="utf-8")
    names = " and ".join(str(path.relative_to(ROOT)) for path in (PAGE, FIGURES))
    print(f"{names} written, {len(trials)} runs", file=sys.stderr)


def measurements(trials: Sequence[Trial], rules: Sequence[Rule]) -> tuple[Measurement, ...]:
    """Return what each rule did, apart on the runs that were seen while it was written.

    A rule for whose trainers there is no run is left out.
    """
    unseen = [trial for trial in trials if trial.set_name == JUDGING]
    seen = [trial for trial in trials if trial.set_name != JUDGING]
    titled = {
        f"{len(unseen)} runs kept apart while tuning": unseen,
        f"{len(seen)} runs used for tuning": seen,
    }
    return tuple(
        Measurement(title, {rule.id: rule_figures(rule, scores_of(own)) for rule in rules})
        for title, own in titled.items()
        if own
    )


if __name__ == "__main__":
    main()
