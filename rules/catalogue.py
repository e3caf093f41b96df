"""The metric catalogue: which keys each trainer is known to log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from post_training_toolkit.rules.profile import EVAL_PREFIX, config_classes, load_profile

# The newest first: what a trainer logs is looked up in the newest release that has it.
_RELEASES = ("trl-1.16.0", "trl-1.12.0")
# What is logged beside the trainer, whichever it is.
_TOOLKIT = "toolkit"
# Traces of agents are judged by rules as runs of a trainer are; each episode is a row.
AGENTS = "agents"


@dataclass(frozen=True, slots=True)
class MetricEntry:
    """One logged key: its unit, its meaning, and when it appears if not always."""

    unit: str
    meaning: str
    when: str | None = None


def catalogued_trainers() -> frozenset[str]:
    """Return the trainers whose keys are catalogued."""
    return frozenset(trainer for release in _RELEASES for trainer in _load(release)["trainers"])


def rule_subjects() -> tuple[str, ...]:
    """Return all that a rule can be for: the trainers, and ``agents`` for traces of agents.

    >>> "agents" in rule_subjects(), "dpo" in rule_subjects()
    (True, True)
    """
    return tuple(sorted({*config_classes().values(), AGENTS}))


@cache
def catalogue(trainer: str) -> Mapping[str, MetricEntry]:
    """Return the keys that a trainer logs, without the eval_ twins, or the measures of agents.

    A ``*`` in a key stands for a part of the name. Raises ``KeyError`` for an unknown trainer.

    >>> catalogue("dpo")["rewards/margins"].unit
    'beta * nats per sequence'
    """
    if trainer == AGENTS:
        return {key: MetricEntry(**entry) for key, entry in _load(AGENTS)["measures"].items()}
    for release in _RELEASES:
        data = _load(release)
        if trainer in data["trainers"]:
            every_trainer = _load(_TOOLKIT)["every_trainer"] | data["every_trainer"]
            entries = {**every_trainer, **data["trainers"][trainer]}
            return {key: MetricEntry(**entry) for key, entry in entries.items()}
    raise KeyError(trainer)


def toolkit_metrics() -> frozenset[str]:
    """Return the keys that are not the trainer's but measured by this toolkit.

    >>> "memory/max" in toolkit_metrics()
    True
    """
    return frozenset(_load(_TOOLKIT)["every_trainer"])


def known_metrics(trainer: str) -> frozenset[str]:
    """Return every name a rule can use for this trainer: raw, canonical and derived, with eval_."""
    profile = load_profile(trainer)
    raw = set(catalogue(trainer))
    names = raw | {profile.canonical_name(key) for key in raw} | set(profile.derived)
    with_eval = {name if name.startswith(EVAL_PREFIX) else EVAL_PREFIX + name for name in names}
    return frozenset(names | with_eval)


@cache
def _load(name: str) -> dict[str, Any]:
    resource = files("post_training_toolkit.rules") / "catalogue" / f"{name}.yaml"
    data: dict[str, Any] = yaml.safe_load(resource.read_text(encoding="utf-8"))
    return data
