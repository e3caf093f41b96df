"""Whether a number means the same in two runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from post_training_toolkit.ptt_trl.comparison.named_run import NamedRun
from post_training_toolkit.rules.profile import EVAL_PREFIX

# A reward of TRL's online trainers is a sum over these functions, which it names in the logs.
_REWARD_FUNCTION = re.compile(r"rewards/(?P<name>.+)/mean")
# Arguments that set the scale of a metric, whatever the model does.
_SCALES = {
    "loss": (
        "loss_type",
        "beta",
        "label_smoothing",
        "loss_weights",
        "rpo_alpha",
        "simpo_gamma",
        "cpo_alpha",
    ),
    "reward_margin": ("loss_type", "beta"),
    "reward": ("reward_weights",),
    "rlhf_reward": ("kl_coef",),
}
_DATA_IDENTITY = ("name", "rows", "sample_sha256")


def incomparable(runs: Sequence[NamedRun]) -> Iterator[str]:
    """Yield why no metric can say which of the runs is better, nothing if one may."""
    trainers = list(_different_trainers(runs))
    if trainers:
        yield from trainers
        return
    losses = {run.name: run.record.run.configuration.get("loss_type") for run in runs}
    if not _equal(losses):
        yield f"their loss_type differs ({_listed(losses)})"
    yield from _different_rewards(runs)


def metric_incomparable(metric: str, runs: Sequence[NamedRun]) -> Iterator[str]:
    """Yield why this metric cannot say which of the runs is better, nothing if it may."""
    yield from _different_trainers(runs)
    plain = metric.removeprefix(EVAL_PREFIX)
    if plain == "reward":
        yield from _different_rewards(runs)
    for argument in _SCALES.get(plain, ()):
        values = {run.name: run.record.run.configuration.get(argument) for run in runs}
        if not _equal(values):
            yield f"{argument}, on which its scale depends, differs ({_listed(values)})"
    if not metric.startswith(EVAL_PREFIX) and not _equal(_data(runs)):
        yield "it is of the training data, which differ"


def different_data(runs: Sequence[NamedRun]) -> bool:
    """Return whether the runs are known to have been trained on different data."""
    return not _equal(_data(runs))


def _different_trainers(runs: Sequence[NamedRun]) -> Iterator[str]:
    trainers = {run.name: run.record.run.trainer for run in runs}
    if not _equal(trainers) or None in trainers.values():
        yield f"their trainers are not known to be the same ({_listed(trainers)})"


def _different_rewards(runs: Sequence[NamedRun]) -> Iterator[str]:
    functions = {run.name: _reward_functions(run) for run in runs}
    if not _equal(functions):
        yield f"their reward functions differ ({_listed(functions)})"


def _data(runs: Sequence[NamedRun]) -> dict[str, Any]:
    """Return what is known of the training data of each run."""
    known = {run.name: run.record.start.get("dataset") for run in runs}
    return {
        name: [data.get(each) for each in _DATA_IDENTITY] for name, data in known.items() if data
    }


def _reward_functions(run: NamedRun) -> list[str]:
    logged = (each.logged_as or "" for each in run.series.values())
    return sorted({match["name"] for each in logged if (match := _REWARD_FUNCTION.fullmatch(each))})


def _equal(values: Mapping[str, Any]) -> bool:
    found = list(values.values())
    return all(each == found[0] for each in found[1:])


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {_word(value)}" for name, value in values.items())


def _word(value: Any) -> str:
    if isinstance(value, list):
        return " + ".join(map(str, value)) or "none"
    return "not known" if value is None else str(value)
