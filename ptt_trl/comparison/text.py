"""Shows a comparison in a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from post_training_toolkit.engine.text_table import table
from post_training_toolkit.ptt_trl.comparison.advice_words import advice_sentences
from post_training_toolkit.ptt_trl.comparison.behaviour_comparison import BehaviourComparison
from post_training_toolkit.ptt_trl.comparison.run_comparison import RunComparison
from post_training_toolkit.ptt_trl.comparison.words import (
    alignment_sentence,
    configuration_sentence,
    configuration_table,
    incomparable_sentences,
    insight_table,
    metric_table,
    only_in_one,
    runs_table,
)
from post_training_toolkit.ptt_trl.report.fact import Table, times

_WIDTH = 100
# More are better read on a page.
_MOST_METRICS = 10


def render_text(comparison: RunComparison) -> str:
    """Return the comparison as lines of text, the checkpoint to keep first."""
    lines = "\n".join(_lines(comparison)) + "\n"
    # A value of a user may hold what would command a terminal.
    return "".join(each if each.isprintable() or each == "\n" else " " for each in lines)


def _lines(comparison: RunComparison) -> Iterator[str]:
    yield from _table(runs_table(comparison.runs))
    yield from _wrapped(comparison.remarks)
    yield from _heading("Checkpoint to keep")
    yield from _wrapped(advice_sentences(comparison.checkpoints))
    yield from _heading("Configuration")
    yield from _configuration(comparison)
    yield from _heading("Insights")
    yield from _wrapped([only_in_one(comparison.insights)])
    yield from _table(insight_table(comparison.insights, comparison.runs))
    yield from _heading("Metrics")
    shown = comparison.metrics[:_MOST_METRICS]
    if not shown:
        yield "The runs have no metric in common."
    else:
        yield from _wrapped([alignment_sentence(comparison)])
        yield from _table(metric_table(comparison, shown), left=2)
        yield from _wrapped(incomparable_sentences(shown))
    more = len(comparison.metrics) - len(shown)
    if more:
        yield f"... and {times(more, 'metric')} more; --format html or json has all of them"
    yield from _heading("Behaviour")
    yield from _behaviour(comparison.behaviour)


def _configuration(comparison: RunComparison) -> Iterator[str]:
    counting = [each for each in comparison.configuration if not each.is_name]
    names = [each.argument for each in comparison.configuration if each.is_name]
    yield configuration_sentence(comparison)
    yield from _table(configuration_table(counting, comparison.runs))
    if names:
        yield from _wrapped([f"Only places and names: {', '.join(names)}."])


def _behaviour(behaviour: BehaviourComparison) -> Iterator[str]:
    for each in behaviour.differences:
        yield f"{each.first} at step {each.first_step}, then {each.other} at step {each.other_step}"
        yield from _wrapped(each.sentences)
        yield from _table(each.table)
        yield f"All replies: {each.command}"
    yield from _wrapped(behaviour.missing)


def _heading(text: str) -> Sequence[str]:
    return ("", text, "-" * len(text))


def _table(content: Table | None, left: int = 1) -> list[str]:
    return [] if content is None else table(content.header, content.rows, left=left)


def _wrapped(sentences: Sequence[str] | Iterator[str]) -> Iterator[str]:
    for sentence in sentences:
        yield from textwrap.wrap(sentence, _WIDTH)
