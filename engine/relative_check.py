"""Compares a statistic of one metric, set against a reference, with limits."""

from __future__ import annotations

from post_training_toolkit.engine.check import Check
from post_training_toolkit.engine.door import Row
from post_training_toolkit.engine.history import History
from post_training_toolkit.engine.limits import Limits
from post_training_toolkit.engine.statistics.running_best import RunningBest
from post_training_toolkit.engine.value_check import ExactStatistic
from post_training_toolkit.rules.condition import Relation


class RelativeCheck(Check):
    """Compares value / reference, or value - reference, with limits.

    It is not judged while the reference is smaller than ``reference_at_least`` in absolute value,
    and as a ratio not while it is zero or negative. A ``RunningBest`` follows this check's own
    statistic, so nothing else feeds it.
    """

    def __init__(
        self,
        metric: str,
        label: str | None,
        limits: Limits,
        window: int | None,
        statistic: ExactStatistic,
        history: History,
        looks_back: int,
        *,
        relation: Relation,
        reference: ExactStatistic | RunningBest,
        reference_at_least: float,
    ) -> None:
        super().__init__(metric, label, limits, window)
        self._statistic = statistic
        self._history = history
        self._looks_back = looks_back
        self._is_ratio = relation is Relation.RATIO
        self._reference = reference
        self._at_least = reference_at_least

    def evaluate(self, step: int, row: Row) -> bool | None:
        """Judge the statistic against its reference as they stand after a row."""
        value = self._statistic.get()
        reference = self._reference
        if isinstance(reference, RunningBest):
            self._follow(reference, value)
        self._compare(value, reference.get())
        if self._is_uncertain():
            self.settle()
        return self.met

    def last_sound_step(self) -> int:
        """Return the newest step from before the window."""
        return self._history.step_before(self.metric, self._looks_back)

    def settle(self) -> None:
        """Replace the fast values by those that the definitions give, and judge these."""
        reference = self._reference
        against = reference.get() if isinstance(reference, RunningBest) else reference.recompute()
        self._compare(self._statistic.recompute(), against)

    def _compare(self, value: float | None, reference: float | None) -> None:
        self.value, self.reference = value, reference
        self.ratio = self.difference = self.met = None
        if value is None or reference is None or abs(reference) < self._at_least:
            return
        if not self._is_ratio:
            self.difference = value - reference
            self.met = self.limits.are_broken_by(self.difference)
        elif reference > 0.0:
            self.ratio = value / reference
            self.met = self.limits.are_broken_by(self.ratio)

    def _is_uncertain(self) -> bool:
        """Return whether the errors of the fast values could change the answer."""
        value, reference = self.value, self.reference
        if value is None or reference is None:
            return False
        error = 0.0 if self._statistic.exact else self._statistic.error_bound()
        side = self._reference
        doubt = 0.0 if isinstance(side, RunningBest) or side.exact else side.error_bound()
        if error == 0.0 == doubt:
            return False
        if abs(abs(reference) - self._at_least) <= doubt:
            return True
        if not self._is_ratio:
            return self.limits.lie_within(error + doubt, value - reference)
        if reference <= doubt:
            return reference > -doubt
        ratio = value / reference
        return self.limits.lie_within((error + abs(ratio) * doubt) / (reference - doubt), ratio)

    def _follow(self, best: RunningBest, value: float | None) -> None:
        if value is None:
            return
        if not self._statistic.exact:
            # Only a value that may beat the best is worth its definition.
            error, so_far = self._statistic.error_bound(), best.get()
            if so_far is None or best.beaten_by(value + error) or best.beaten_by(value - error):
                value = self._statistic.recompute()
        if value is not None:
            best.update(value)
