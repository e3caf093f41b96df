"""Decides whether, and how, an insight stops the training, and says what came of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import IntEnum

from post_training_toolkit.engine.event import Event, InsightEscalated, InsightFired
from post_training_toolkit.ptt_trl.checkpoints import Checkpoints
from post_training_toolkit.rules.severity import Severity
from post_training_toolkit.rules.suggestion import did_you_mean

StopOn = str | Collection[str]


class TrainingStopped(Exception):  # noqa: N818 - it tells of no error
    """Ends the training of a trainer that ignores the stop flag, as PPOTrainer does.

    It is raised out of ``trainer.train()`` only with ``stop_on`` set, on every rank, after the
    checkpoint was saved and the files of the run were written. Its text says why.
    """


class StopDecision(IntEnum):
    """What every rank does after a log; integers, since they travel through a tensor."""

    CONTINUE = 0
    SAVE_AND_STOP = 1
    STOP_WITHOUT_SAVING = 2


@dataclass(frozen=True, slots=True)
class StopPolicy:
    """Stops at the first insight that is at least so severe, or of one of these rules."""

    severity: Severity | None = None
    rules: frozenset[str] = frozenset()

    def choose(self, events: Iterable[Event]) -> InsightFired | InsightEscalated | None:
        """Return the most severe insight that demands a stop, fired or risen to that severity."""
        demanding = [
            event
            for event in events
            if isinstance(event, InsightFired | InsightEscalated) and self._demands(event)
        ]
        return max(demanding, key=lambda event: event.severity.rank, default=None)

    def _demands(self, event: InsightFired | InsightEscalated) -> bool:
        if self.severity is not None:
            return event.severity.rank >= self.severity.rank
        return event.rule in self.rules

    def to_json(self) -> str | list[str]:
        """Return what the user asked for."""
        return sorted(self.rules) if self.severity is None else str(self.severity)


@dataclass(frozen=True, slots=True)
class StopOutcome:
    """How a stop went: what asked for it, and what can be gone back to.

    ``saved_checkpoint`` holds the state at the stop, ``last_good_checkpoint`` is the newest one
    from before the data that showed the trouble; None where there is none.
    """

    insight: str
    rule: str
    severity: str
    message: str
    fired_at_step: int
    ended_at_step: int
    weights_finite: bool
    saved_checkpoint: str | None
    last_good_checkpoint: str | None

    def __str__(self) -> str:
        """Say it in a few sentences."""
        text = (
            f"Stopped at step {self.ended_at_step} because stop_on asked for it: rule {self.rule} "
            f"({self.severity}) fired at step {self.fired_at_step}."
        )
        if self.saved_checkpoint:
            text += f" The state at the stop is in {self.saved_checkpoint}."
        elif not self.weights_finite:
            text += " Nothing was saved, because the weights are no longer finite."
        elif self.last_good_checkpoint:
            text += " Nothing was saved: save_total_limit would have deleted the last good one."
        if self.last_good_checkpoint:
            good = self.last_good_checkpoint
            return f"{text} The last checkpoint before the trouble is {good}."
        return f"{text} There is no checkpoint from before the trouble."


class StopSwitch:
    """Remembers which insight asked for the stop of this run, and what came of it.

    ``decision`` is what rank 0 asks for; all ranks must agree before anything happens.
    """

    def __init__(self, policy: StopPolicy | None, checkpoints: Checkpoints) -> None:
        self._policy = policy
        self._checkpoints = checkpoints
        self._by: InsightFired | InsightEscalated | None = None
        self._weights_finite = True
        self._saved_at: int | None = None
        self.decision = StopDecision.CONTINUE

    def consider(self, events: Iterable[Event]) -> None:
        """Ask for a stop if one of the events demands it; the first one that does counts."""
        if self._policy is None or self._by is not None:
            return
        self._by = self._policy.choose(events)
        if self._by is None:
            return
        good = self._checkpoints.last_sound(self._by.last_sound_step)
        deletes_the_good_one = good is not None and self._checkpoints.saving_would_delete(good)
        self.decision = (
            StopDecision.STOP_WITHOUT_SAVING if deletes_the_good_one else StopDecision.SAVE_AND_STOP
        )

    def note_weights_not_finite(self) -> None:
        """Take in that the weights are not worth saving."""
        self._weights_finite = False

    def note_checkpoint(self, step: int) -> None:
        """Take in that a checkpoint was saved; after the decision it is that of the stop."""
        self._checkpoints.steps.append(step)
        if self._by is not None:
            self._saved_at = step

    def outcome(self, step: int) -> StopOutcome | None:
        """Return how the stop went when the run ended at a step; None if nothing asked for one."""
        by = self._by
        if by is None:
            return None
        return StopOutcome(
            insight=by.insight,
            rule=by.rule,
            severity=by.severity,
            message=by.message,
            fired_at_step=by.step,
            ended_at_step=step,
            weights_finite=self._weights_finite,
            saved_checkpoint=self._name(self._saved_at),
            last_good_checkpoint=self._name(self._checkpoints.last_sound(by.last_sound_step)),
        )

    def _name(self, step: int | None) -> str | None:
        return None if step is None else str(self._checkpoints.path(step))


def parse_stop_on(stop_on: StopOn | None, rules: Collection[str]) -> StopPolicy | None:
    """Return the policy for a severity, or for ids out of ``rules``, those of the loaded rules.

    Raises ``ValueError`` with a suggestion for any other word.

    >>> parse_stop_on("hihg", [])
    Traceback (most recent call last):
    ...
    ValueError: stop_on cannot be 'hihg'; did you mean 'high'?
    >>> parse_stop_on(["margin_colapse"], ["margin_collapse"])
    Traceback (most recent call last):
    ...
    ValueError: stop_on names no rule 'margin_colapse'; did you mean 'margin_collapse'?
    """
    if stop_on is None:
        return None
    if isinstance(stop_on, str):
        if stop_on in set(Severity):
            return StopPolicy(Severity(stop_on))
        if stop_on in rules:
            raise ValueError(f"stop_on takes ids of rules in a list: stop_on=[{stop_on!r}]")
        guess = did_you_mean(stop_on, Severity)
        raise ValueError(f"stop_on cannot be {stop_on!r}{guess}")
    for name in stop_on:
        if name not in rules:
            raise ValueError(f"stop_on names no rule {name!r}{did_you_mean(name, rules)}")
    if not stop_on:
        raise ValueError("stop_on is an empty list; None never stops")
    return StopPolicy(rules=frozenset(stop_on))
