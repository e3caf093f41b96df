"""What the trainer logged, before other callbacks took from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers import TrainerState

_OF_THE_STATE = frozenset({"step", "epoch"})


def whole_row(state: TrainerState, logs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row that is being logged, with what an earlier callback has taken out of it.

    All callbacks are given one and the same dictionary; transformers' ``PrinterCallback`` removes
    ``total_flos`` from it. The trainer's history holds the row as it was.

    >>> state = TrainerState(log_history=[{"loss": 1.0, "total_flos": 5.0, "step": 3}])
    >>> whole_row(state, {"loss": 1.0})
    {'loss': 1.0, 'total_flos': 5.0}
    """
    newest = state.log_history[-1] if state.log_history else {}
    if not newest.keys() >= logs.keys():
        # Not the row that is being logged.
        return dict(logs)
    taken = newest.keys() - logs.keys() - _OF_THE_STATE
    return {**logs, **{key: value for key, value in newest.items() if key in taken}}
