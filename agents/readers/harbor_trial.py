"""Finds what Harbor's verifier said of a trajectory, in the ``result.json`` of its trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from post_training_toolkit.agents.message import JsonObject
from post_training_toolkit.agents.problem import TraceProblem
from post_training_toolkit.agents.readers.otel_genai import number
from post_training_toolkit.agents.readers.records import parse_text
from post_training_toolkit.agents.readers.span_attributes import look_up


@dataclass(frozen=True, slots=True)
class Trial:
    """What is known of one attempt at a task of Harbor.

    ``success`` is True for a reward of 1, which is what Harbor calls passing, and False for 0 or
    less. It is None between them, where Harbor counts no pass either way, and without a verdict of
    the verifier. ``error`` is the type of the exception that ended the attempt.
    """

    task: str | None = None
    name: str | None = None
    success: bool | None = None
    reward: float | None = None
    error: str | None = None
    metadata: JsonObject = field(default_factory=dict)


def find_trial(trajectory: Path) -> Trial | TraceProblem | None:
    """Return the trial that a trajectory belongs to, None where there is no result of one.

    A trial keeps its trajectory beside the result, in ``agent/``, or in ``steps/<name>/agent/``,
    where each step has a verdict of its own.
    """
    folders = trajectory.resolve().parents
    places: list[tuple[Path, str | None]] = [(folder, None) for folder in folders[:2]]
    if len(folders) > 3 and folders[2].name == "steps":
        places.append((folders[3], folders[1].name))
    for folder, step in places:
        result = folder / "result.json"
        if not result.is_file():
            continue
        try:
            logged = parse_text(result.read_bytes())
        except ValueError as error:
            return TraceProblem(str(result), None, f"no JSON: {error}")
        # A folder of trials has a result too, which is of none of them.
        if isinstance(logged, Mapping) and "task_name" in logged:
            return _trial(logged, step)
    return None


def _trial(result: Mapping[str, Any], step: str | None) -> Trial:
    verdict = result if step is None else _step_result(result, step)
    logged = look_up(verdict, "verifier_result.rewards")
    rewards = dict(logged) if isinstance(logged, Mapping) else {}
    # One reward may have any name; before there could be several, it stood alone.
    main = "reward" if "reward" in rewards or len(rewards) != 1 else next(iter(rewards))
    reward = number(rewards, main)
    if reward is None:
        reward = number(verdict, "verifier_result.reward")
    task = _text(result.get("task_name"))
    return Trial(
        task=task if step is None else f"{task}/{step}",
        name=_text(result.get("trial_name")),
        success=None if reward is None else _passed(reward),
        reward=reward,
        error=_text(look_up(verdict, "exception_info.exception_type")),
        metadata={"rewards": rewards} if rewards else {},
    )


def _step_result(result: Mapping[str, Any], step: str) -> Mapping[str, Any]:
    logged = result.get("step_results")
    steps = logged if isinstance(logged, list) else []
    named = (each for each in steps if isinstance(each, Mapping) and each.get("step_name") == step)
    return next(named, {})


def _passed(reward: float) -> bool | None:
    if reward >= 1:
        return True
    return False if reward <= 0 else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
