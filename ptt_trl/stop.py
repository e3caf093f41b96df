"""Decides whether, and how, an insight stops the training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import torch
import torch.distributed

from post_training_toolkit.engine.event import Event, InsightFired
from post_training_toolkit.rules.severity import Severity
from post_training_toolkit.rules.suggestion import did_you_mean


class StopDecision(IntEnum):
    """What every rank does after a log; integers, since they travel through a tensor."""

    CONTINUE = 0
    SAVE_AND_STOP = 1
    STOP_WITHOUT_SAVING = 2


@dataclass(frozen=True, slots=True)
class StopPolicy:
    """Stops at the first insight that is at least so severe."""

    severity: Severity

    def choose(self, events: Iterable[Event]) -> InsightFired | None:
        """Return the most severe insight that demands a stop."""
        demanding = [
            event
            for event in events
            if isinstance(event, InsightFired) and event.severity.rank >= self.severity.rank
        ]
        return max(demanding, key=lambda event: event.severity.rank, default=None)


def parse_stop_on(stop_on: str | None) -> StopPolicy | None:
    """Return the policy for ``stop_on``; raises ``ValueError`` with a suggestion.

    >>> parse_stop_on("hihg")
    Traceback (most recent call last):
    ...
    ValueError: stop_on cannot be 'hihg'; did you mean 'high'?
    """
    if stop_on is None:
        return None
    try:
        return StopPolicy(Severity(stop_on))
    except ValueError:
        raise ValueError(
            f"stop_on cannot be {stop_on!r}{did_you_mean(stop_on, Severity)}"
        ) from None


def agree(decision: StopDecision, device: torch.device) -> StopDecision:
    """Return rank 0's decision on every rank; every rank must call this at the same log.

    Only rank 0 diagnoses. A rank that stopped alone would leave the others waiting for ever.
    """
    if not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return decision
    shared = torch.tensor([int(decision)], device=device)
    torch.distributed.broadcast(shared, src=0)
    return StopDecision(int(shared.item()))


def describe_stop(outcome: Mapping[str, Any]) -> str:
    """Say in a few sentences why a run was stopped and what can be gone back to."""
    text = (
        f"Stopped at step {outcome['ended_at_step']} because stop_on asked for it: rule "
        f"{outcome['rule']} ({outcome['severity']}) fired at step {outcome['fired_at_step']}."
    )
    if outcome["saved_checkpoint"]:
        text += f" The state at the stop is in {outcome['saved_checkpoint']}."
    elif not outcome["weights_finite"]:
        text += " Nothing was saved, because the weights are no longer finite."
    if outcome["last_good_checkpoint"]:
        text += f" The last checkpoint before the trouble is {outcome['last_good_checkpoint']}."
    else:
        text += " There is no checkpoint from before the trouble."
    return text
