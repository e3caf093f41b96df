"""Says in sentences which checkpoint to keep."""

from __future__ import annotations

from collections.abc import Iterator

from post_training_toolkit.ptt_trl.comparison.checkpoint_choice import (
    Candidate,
    CheckpointAdvice,
    Choice,
    Lead,
)
from post_training_toolkit.ptt_trl.report.fact import number, times
from post_training_toolkit.rules.profile import EVAL_PREFIX

_NOTHING = (
    "No run is known to have kept a checkpoint that could be chosen; the best step of each metric "
    "is in the table of metrics."
)


def advice_sentences(advice: CheckpointAdvice) -> Iterator[str]:
    """Yield the choice with its reason, then what was left out, and what makes it less sure."""
    if not any(choice.best for choice in advice.choices):
        yield _NOTHING
    if advice.not_across:
        yield (
            "The checkpoints of different runs cannot be ranked: "
            f"{'; '.join(advice.not_across)}. Within each run:"
        )
    for choice in advice.choices:
        yield from _choice(choice)
    for each in advice.left_out:
        steps = ", ".join(f"checkpoint-{step}" for step in each.steps)
        yield f"Left out of {each.run}: {steps}, since {each.why}."
    yield from advice.caveats


def _choice(choice: Choice) -> Iterator[str]:
    if choice.metric is None:
        yield f"{choice.runs[0]}: it logged nothing that could judge its checkpoints."
        return
    if choice.best is None:
        return
    kind = "highest" if choice.direction == "up" else "lowest"
    best = choice.best
    if choice.runner_up is None:
        yield (
            f"Keep checkpoint-{best.step} of {best.run}, the only one to choose from: "
            f"{choice.metric} {_level(best, choice)}."
        )
        return
    yield (
        f"Keep checkpoint-{best.step} of {best.run}: it has the {kind} {choice.metric}, "
        f"{_level(best, choice)}. {_runner_up(choice, choice.runner_up)}"
    )


def _runner_up(choice: Choice, other: Candidate) -> str:
    told = f"Runner-up: checkpoint-{other.step} of {other.run}, {number(other.level.value)}"
    match choice.lead:
        case Lead.NOISE:
            more = choice.as_good - 1
            others = f", and the same holds for {more} more" if more else ""
            return (
                f"{told}; no difference that counts, as it is within twice its standard error"
                f"{others}."
            )
        case Lead.UNKNOWN:
            return f"{told}; too little was logged to tell whether that is more than noise."
        case Lead.CLEAR | Lead.ALONE:
            return f"{told}; the difference is more than twice its standard error."


def _level(candidate: Candidate, choice: Choice) -> str:
    level = candidate.level
    if choice.metric is not None and choice.metric.startswith(EVAL_PREFIX):
        return f"{number(level.value)} in the evaluation at step {level.step}"
    return (
        f"{number(level.value)} (median of the {times(level.logs, 'log')} until step {level.step})"
    )
