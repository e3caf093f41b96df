"""The part of the page on what generalises."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.scorecard.headline import headline, is_detected
from benchmarks.scorecard.left_out import LeftOut
from benchmarks.scorecard.markdown import NOTHING, markdown_table, part_of
from benchmarks.scorecard.refit import fitted_knobs
from benchmarks.scorecard.run_sets import JUDGING
from benchmarks.scorecard.trial import Trial, scores_of
from post_training_toolkit.rules.model import Rule

_EXPLAINED = """\
Rules are written by people who have seen faults; the question is what they would have found of a
fault that nobody had seen. Three answers, for each family of faults in turn:

1. **Runs not seen.** The thresholds were settled on the tuning half (and the second set). The
   judging half, with other seeds and other settings, was kept apart. The columns with the names
   of the sets compare them.
2. **Thresholds refitted without the family.** {fitted} thresholds of {rules} rules have numbers
   that were chosen on runs (`threshold_origin: empirical`; the first level from medium up; signs,
   bands and numbers that follow from a definition are left alone). Each was chosen anew on the
   tuning half without the family's runs: in the middle, on a logarithmic scale, between the
   loudest healthy run and the quietest run that shows what the rule detects. Where the other
   families show nothing for it, it stands a factor of 1.5 above the healthy runs, and where these
   show nothing either, it stays as it ships. Each was chosen with the other thresholds of its
   rule as they ship, and second levels were taken out. The column
   *fitted without it* is what these rules find in the family's runs of all sets, *fitted with it*
   what the same fit finds when it may see the family. *False alarms* are of the former, in the
   healthy runs of the judging half, where the rules as they ship have {false_shipped}.
   What this does not take away is the choice of metric, statistic and window, which a person made.
3. **The best rule taken away.** What is still detected without the rule that is right in most of
   the family's runs: whether the family hangs on one rule that was made for it."""


def generalisation(
    left_out: Sequence[LeftOut],
    trials: Sequence[Trial],
    rules: Sequence[Rule],
    set_names: Sequence[str],
) -> str:
    """Return the explanation and the table."""
    fitted = {rule.id: len(fitted_knobs(rule)) for rule in rules}
    unseen = [trial for trial in trials if trial.set_name == JUDGING]
    explained = _EXPLAINED.format(
        fitted=sum(fitted.values()),
        rules=sum(map(bool, fitted.values())),
        false_shipped=headline(scores_of(unseen)).false_in_healthy,
    )
    header = ["family", *set_names, "all", "fitted with it", "fitted without it"]
    header += ["false alarms", "best rule", "without that rule"]
    rows = [[each.family, *_cells(each, set_names)] for each in left_out]
    rows.append(["all families", *_sums(left_out, set_names)])
    return f"{explained}\n\n{markdown_table(header, rows)}"


def _cells(each: LeftOut, set_names: Sequence[str]) -> list[str]:
    count = len(each.trials)
    return [
        *(_detected([t for t in each.trials if t.set_name == name]) for name in set_names),
        _detected(each.trials),
        part_of(sum(map(is_detected, each.fitted_with)), count),
        part_of(sum(map(is_detected, each.fitted_without)), count),
        str(headline(each.healthy).false_in_healthy) if each.healthy else NOTHING,
        NOTHING if each.best_rule is None else f"`{each.best_rule}`",
        part_of(each.without_best, count),
    ]


def _sums(left_out: Sequence[LeftOut], set_names: Sequence[str]) -> list[str]:
    trials = [trial for each in left_out for trial in each.trials]
    return [
        *(_detected([t for t in trials if t.set_name == name]) for name in set_names),
        _detected(trials),
        part_of(sum(is_detected(r) for each in left_out for r in each.fitted_with), len(trials)),
        part_of(sum(is_detected(r) for each in left_out for r in each.fitted_without), len(trials)),
        NOTHING,
        NOTHING,
        part_of(sum(each.without_best for each in left_out), len(trials)),
    ]


def _detected(trials: Sequence[Trial]) -> str:
    return part_of(sum(map(is_detected, scores_of(trials))), len(trials))
