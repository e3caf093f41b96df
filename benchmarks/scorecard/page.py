"""The page docs/scorecard.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.scorecard.generalisation import generalisation
from benchmarks.scorecard.left_out import LeftOut
from benchmarks.scorecard.peer_notes import peer_notes
from benchmarks.scorecard.run_sets import JUDGING, SECOND, TUNING, VARIABLE
from benchmarks.scorecard.score_tables import (
    false_alarm_lines,
    headline_table,
    missed_lines,
    mode_table,
    rule_table,
    set_names,
    trainer_table,
)
from benchmarks.scorecard.trial import Trial
from post_training_toolkit.rules.model import Rule

_MARK = "<!-- Written by make scorecard; run it again instead of editing. -->"
_SETS = {
    JUDGING: "`benchmarks/zoo/runs/judging`: other seeds, models and settings. Rules were changed "
    "once with a view of a first recording of it, which was then made anew with new seeds.",
    TUNING: "`benchmarks/zoo/runs/tuning`: the runs on which thresholds were chosen.",
    SECOND: f"the runs in the folder that `{VARIABLE}` names, recorded apart from ours; they are "
    "not in the repository. Thresholds were chosen with a view of them too.",
}
_SCORING = """\
Every run is a real run of a TRL trainer on a tiny language model, healthy or with a fault put in on
purpose, and labelled with the failure modes that its stream shows. A run counts as detected when
the failure modes expected there are raised at or after the onset of the fault (all of them, or one
where its label says that one is enough). An insight from medium up that the labels do not allow is
a false alarm, in a faulty run too, and also before the onset. Delays are medians, in logged steps
from the onset. `ptt-rules backtest FOLDER` scores any folder of labelled runs in the same way."""
_NAIVE = """\
The naive rules are twelve that one writes in ten minutes: a fixed number for each metric that
everybody watches (`benchmarks/scorecard/naive_rules.yaml`)."""


def scorecard_page(
    trials: Sequence[Trial], rules: Sequence[Rule], left_out: Sequence[LeftOut]
) -> str:
    """Return the whole page as Markdown."""
    return "\n\n".join([_MARK, *_blocks(trials, rules, left_out)]) + "\n"


def _blocks(
    trials: Sequence[Trial], rules: Sequence[Rule], left_out: Sequence[LeftOut]
) -> Iterator[str]:
    names = set_names(trials)
    yield "# Scorecard"
    yield _SCORING
    yield "\n".join(f"- **{name}**: {_SETS[name]}" for name in names)
    yield headline_table(trials)
    yield _NAIVE
    yield "## By trainer"
    yield "All sets together; false alarms in healthy and faulty runs."
    yield trainer_table(trials)
    yield "## By failure mode"
    yield (
        "All sets together, but for the column of the judging half. Where a label allows one of "
        "several modes, those not raised are not missed, so that fewer are found than expected."
    )
    yield mode_table(trials, rules)
    yield "## What is missed"
    yield "\n".join(missed_lines(trials)) or "Nothing."
    yield "## False alarms"
    yield "\n".join(false_alarm_lines(trials)) or "None."
    yield "## What generalises"
    yield generalisation(left_out, trials, rules, names) if left_out else "There is no tuning half."
    yield "## By rule"
    yield (
        "*Right*: in how many runs it fired rightly, of those that show a failure mode which it "
        "detects; another rule may have spoken for it in the others. False alarms are of all sets, "
        "and here insights of low severity count too. Healthy logged steps are those of its "
        "trainers."
    )
    yield rule_table(trials, rules)
    yield "## Other tools"
    yield peer_notes()
