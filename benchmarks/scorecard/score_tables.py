"""The tables of scores: altogether, by trainer, by failure mode, by rule, and what went wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.scorecard.contender import SHIPPED
from benchmarks.scorecard.headline import headline
from benchmarks.scorecard.markdown import NOTHING, markdown_table, number, part_of, share
from benchmarks.scorecard.rule_record import rule_figures
from benchmarks.scorecard.run_sets import JUDGING
from benchmarks.scorecard.trial import Trial, scores_of
from post_training_toolkit.engine.backtest_totals import mode_scores
from post_training_toolkit.engine.labelled_run import Match
from post_training_toolkit.rules.model import Rule


def headline_table(trials: Sequence[Trial]) -> str:
    """Return what everybody did on each set."""
    header = [
        "set",
        "who",
        "faulty / healthy runs",
        "detected",
        "median delay",
        "false alarms in healthy runs",
        "per 1000 healthy logged steps",
        "of them high",
        "false alarms per faulty run",
    ]
    rows = []
    for name in set_names(trials):
        own = [each for each in trials if each.set_name == name]
        for contender in own[0].scores:
            sums = headline(scores_of(own, contender))
            rows.append(
                [
                    name,
                    contender,
                    f"{sums.faulty} / {sums.healthy}",
                    share(sums.detected, sums.to_detect),
                    number(sums.delay),
                    str(sums.false_in_healthy),
                    number(sums.false_per_1000_healthy_steps, ".2f"),
                    str(sums.severe_in_healthy),
                    number(sums.false_per_faulty_run, ".2f"),
                ]
            )
    return markdown_table(header, rows, left=2)


def trainer_table(trials: Sequence[Trial]) -> str:
    """Return, for each trainer, what everybody detects and how often they cry wolf."""
    names = contender_names(trials)
    header = ["trainer", "runs", "healthy logged steps"]
    header += [f"detected: {name}" for name in names]
    header += [f"false alarms: {name}" for name in names]
    rows = []
    for trainer in sorted({str(trial.shipped.trainer) for trial in trials}):
        own = [trial for trial in trials if trial.shipped.trainer == trainer]
        sums = [headline(scores_of(own, name)) for name in names]
        rows.append(
            [
                trainer,
                str(len(own)),
                f"{sums[0].healthy_steps:,}",
                *(part_of(each.detected, each.to_detect) for each in sums),
                *(str(each.false_in_healthy + each.false_in_faulty) for each in sums),
            ]
        )
    return markdown_table(header, rows)


def mode_table(trials: Sequence[Trial], rules: Sequence[Rule]) -> str:
    """Return, for each failure mode, where it was expected, found, and how late."""
    names = contender_names(trials)
    judging = [trial for trial in trials if trial.set_name == JUDGING]
    header = ["failure mode", "expected in", "median delay", "found, judging half"]
    header += [f"found: {name}" for name in names]
    unseen = {each.mode: each for each in mode_scores(scores_of(judging), rules)}
    by_name = {
        name: {each.mode: each for each in mode_scores(scores_of(trials, name), rules)}
        for name in names
    }
    rows = []
    for mode, score in by_name[SHIPPED].items():
        own = unseen.get(mode)
        rows.append(
            [
                f"`{mode}`" + ("" if score.has_rule else " (no rule detects it)"),
                str(score.expected),
                number(score.delay),
                NOTHING if own is None else part_of(own.found, own.expected),
                *(part_of(by_name[name][mode].found, score.expected) for name in names),
            ]
        )
    return markdown_table(header, rows)


def rule_table(trials: Sequence[Trial], rules: Iterable[Rule]) -> str:
    """Return, for each rule, the runs in which it could be right, was, and was not."""
    names = set_names(trials)
    header = ["rule", "severity", *(f"right, {name}" for name in names)]
    header += ["median delay", "false alarms", "healthy logged steps"]
    rows = []
    for rule in sorted(rules, key=lambda each: each.id):
        by_set = [
            rule_figures(rule, scores_of(each for each in trials if each.set_name == name))
            for name in names
        ]
        together = rule_figures(rule, scores_of(trials))
        levels = dict.fromkeys((rule.severity, rule.highest_severity))
        rows.append(
            [
                f"[`{rule.id}`](rules/{rule.id}.md)",
                " to ".join(levels),
                *(part_of(each.right_runs, each.expecting_runs) for each in by_set),
                number(together.delay),
                str(together.false_alarms),
                f"{together.healthy_steps:,}",
            ]
        )
    return markdown_table(header, rows, left=2)


def missed_lines(trials: Iterable[Trial]) -> list[str]:
    """Return a line for each run in which something was missed."""
    return [
        f"- {trial.set_name}: {run.name} (fault `{run.labels.fault}`): "
        + (" or " if run.labels.match is Match.ANY else ", ").join(f"`{m}`" for m in run.missed)
        for trial in trials
        if (run := trial.shipped).missed
    ]


def false_alarm_lines(trials: Iterable[Trial]) -> list[str]:
    """Return a line for each false alarm from medium up."""
    return [
        f"- {trial.set_name}: {trial.shipped.name}, step {each.step}: `{each.rule}` "
        f"({each.severity}); {each.verdict.partition(': ')[2]}"
        for trial in trials
        for each in trial.shipped.insights
        if each.is_false_alarm
    ]


def set_names(trials: Iterable[Trial]) -> list[str]:
    """Return the names of the sets, in order."""
    return list(dict.fromkeys(trial.set_name for trial in trials))


def contender_names(trials: Sequence[Trial]) -> list[str]:
    """Return who took part, the shipped rules first."""
    return list(trials[0].scores)
