"""Describes a run to the engine from what a trainer hands to its callbacks."""

from __future__ import annotations

import math
from importlib.metadata import version
from typing import Any

from transformers import TrainerState, TrainingArguments
from transformers.trainer_utils import IntervalStrategy

from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.ptt_trl.masking import MASK, is_secret_name, mask_text

# JSON readers agree on integers of 64 bits.
_LARGEST_INTEGER = 2**63


def describe_run(
    arguments: TrainingArguments, state: TrainerState, trainer: str | None
) -> RunDescription:
    """Return the trainer, its arguments as plain JSON values, and the planned length."""
    return RunDescription(
        trainer=trainer,
        configuration=plain_configuration(arguments),
        max_steps=state.max_steps if state.max_steps > 0 else None,
        logging_steps=_logging_steps(arguments, state),
        trl_version=version("trl"),
    )


def plain_configuration(arguments: TrainingArguments) -> dict[str, Any]:
    """Return the arguments as plain JSON values, with secrets masked at every level.

    What JSON cannot hold becomes text, so that live and replayed configuration are the same.
    """
    data: dict[str, Any] = arguments.to_dict()  # type: ignore[no-untyped-call]
    plain: dict[str, Any] = _plain({**data, "world_size": arguments.world_size})
    return plain


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {
                str(key): MASK if each and is_secret_name(str(key)) else _plain(each)
                for key, each in value.items()
            }
        case list() | tuple():
            return [_plain(each) for each in value]
        case str():
            return mask_text(value)
        case bool() | None:
            return value
        case int() if abs(value) < _LARGEST_INTEGER:
            return int(value)
        case float() if math.isfinite(value):
            return float(value)
        case _:
            return mask_text(str(value))


def _logging_steps(arguments: TrainingArguments, state: TrainerState) -> int | None:
    if arguments.logging_strategy != IntervalStrategy.STEPS or state.logging_steps is None:
        return None
    return max(math.ceil(state.logging_steps), 1)
