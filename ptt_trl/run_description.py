"""Describes a run to the engine from what a trainer hands to its callbacks."""

from __future__ import annotations

import math
from typing import Any

import orjson
from transformers import TrainerState, TrainingArguments
from transformers.trainer_utils import IntervalStrategy

from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.ptt_trl.trainer_detection import detect_trainer


def describe_run(arguments: TrainingArguments, state: TrainerState) -> RunDescription:
    """Return the trainer, its arguments as plain JSON values, and the planned length."""
    return RunDescription(
        trainer=detect_trainer(arguments),
        configuration=plain_configuration(arguments),
        max_steps=state.max_steps if state.max_steps > 0 else None,
        logging_steps=_logging_steps(arguments, state),
    )


def plain_configuration(arguments: TrainingArguments) -> dict[str, Any]:
    """Return the arguments as they read back from JSON; secrets are masked by transformers."""
    data = {
        **arguments.to_dict(),  # type: ignore[no-untyped-call]
        "world_size": arguments.world_size,
    }
    # The way through JSON makes live and replayed configuration the same values.
    plain: dict[str, Any] = orjson.loads(
        orjson.dumps(data, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS)
    )
    return plain


def _logging_steps(arguments: TrainingArguments, state: TrainerState) -> int | None:
    if arguments.logging_strategy != IntervalStrategy.STEPS or state.logging_steps is None:
        return None
    return max(math.ceil(state.logging_steps), 1)
