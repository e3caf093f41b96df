"""Scores the insights of one labelled run against its labels.

The rules of scoring:

- An insight raises the failure modes that its rule ``detects``. It is right if it fired at or after
  the onset of the fault and at least one of its modes is expected or acceptable. Otherwise it is a
  false alarm: everything in a healthy run, everything before the onset, and every insight of which
  no mode fits. A consequence folded under a root cause is scored like any other insight.
- An expected mode is found if a right insight raises it. With ``match: all`` each mode that nobody
  raised is missed. With ``match: any`` one of them is enough; if none was raised, the run counts
  as one miss, and each of its modes is shown as missed.
- Only insights from medium up count, by the highest severity that they reached. Those that stayed
  low are judged in the same way and reported apart: they find nothing and are no false alarms.
- The delay of a mode is the number of logged steps from the onset up to the first right insight
  that raises it; 0 where it fired at the onset itself.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from post_training_toolkit.engine.event import Episode
from post_training_toolkit.engine.labelled_run import Labels, Match
from post_training_toolkit.rules.severity import Severity


class Verdict(StrEnum):
    """What an insight is worth, and if nothing why not."""

    RIGHT = "right"
    HEALTHY = "false alarm: the run is healthy"
    TOO_EARLY = "false alarm: before the onset"
    UNFITTING = "false alarm: nothing of that kind is wrong"


@dataclass(frozen=True, slots=True)
class ScoredInsight:
    """One insight of a run; ``last_step`` is where it is last known to have held."""

    insight: str
    rule: str
    detects: tuple[str, ...]
    severity: Severity
    step: int
    last_step: int
    caused_by: str | None
    verdict: Verdict

    @property
    def counts(self) -> bool:
        """Whether it is severe enough to be counted."""
        return self.severity.rank >= Severity.MEDIUM.rank

    @property
    def is_right(self) -> bool:
        """Whether the labels agree with it."""
        return self.verdict is Verdict.RIGHT

    @property
    def is_false_alarm(self) -> bool:
        """Whether it is a false alarm that counts."""
        return self.counts and not self.is_right


@dataclass(frozen=True, slots=True)
class ScoredRun:
    """A labelled run with what was found in it.

    ``logged_steps`` are the distinct steps with a row. ``delays`` holds every expected mode that
    was found with its delay in logged steps, ``missed`` those that were not.
    """

    name: str
    trainer: str | None
    labels: Labels
    logged_steps: tuple[int, ...]
    insights: tuple[ScoredInsight, ...]
    delays: dict[str, int]
    missed: tuple[str, ...]
    failed_rules: tuple[str, ...] = ()

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong with the run."""
        return self.labels.fault is None

    @property
    def misses(self) -> int:
        """How many of the things to be found were not."""
        return len(self.missed) if self.labels.match is Match.ALL else min(len(self.missed), 1)

    @property
    def finds(self) -> int:
        """How many of the things to be found were found; ``match: any`` makes one thing of all."""
        return len(self.delays) if self.labels.match is Match.ALL else min(len(self.delays), 1)


def score_run(
    name: str,
    trainer: str | None,
    labels: Labels,
    logged_steps: Iterable[int],
    episodes: Iterable[Episode],
    failed_rules: Iterable[str] = (),
) -> ScoredRun:
    """Judge every insight of a run by its labels."""
    steps = tuple(sorted(set(logged_steps)))
    insights = tuple(
        sorted(
            (_scored(episode, labels) for episode in episodes),
            key=lambda each: (each.step, each.insight),
        )
    )
    right = [each for each in insights if each.counts and each.is_right]
    delays = {}
    for mode in labels.expected:
        first = next((each.step for each in right if mode in each.detects), None)
        if first is not None:
            delays[mode] = _logged_between(steps, labels.onset_step, first)
    missed = tuple(mode for mode in labels.expected if mode not in delays)
    if labels.match is Match.ANY and delays:
        missed = ()
    return ScoredRun(
        name, trainer, labels, steps, insights, delays, missed, tuple(sorted(failed_rules))
    )


def delay_of(run: ScoredRun, insight: ScoredInsight) -> int:
    """Return how many logged steps after the onset an insight fired."""
    return _logged_between(run.logged_steps, run.labels.onset_step, insight.step)


def _scored(episode: Episode, labels: Labels) -> ScoredInsight:
    fired = episode.fired
    return ScoredInsight(
        insight=fired.insight,
        rule=fired.rule,
        detects=fired.detects,
        severity=episode.severity,
        step=fired.step,
        last_step=episode.last_step,
        caused_by=episode.caused_by,
        verdict=_verdict(fired.detects, fired.step, labels),
    )


def _verdict(detects: Sequence[str], step: int, labels: Labels) -> Verdict:
    if labels.fault is None:
        return Verdict.HEALTHY
    if step < labels.onset_step:
        return Verdict.TOO_EARLY
    if not {*labels.expected, *labels.acceptable} & set(detects):
        return Verdict.UNFITTING
    return Verdict.RIGHT


def _logged_between(steps: Sequence[int], first: int, last: int) -> int:
    """Return how many of the steps lie from the first up to before the last.

    >>> _logged_between((1, 2, 3, 4), 2, 4)
    2
    """
    return max(bisect_left(steps, last) - bisect_left(steps, first), 0)
