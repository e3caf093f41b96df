"""The measured figures of the shipped rules, where they ship."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured: ``measured_on`` says on which runs, ``rules`` holds figures by rule id.

    The figures of a rule are pairs of words and a value, in the order in which they are shown.
    """

    measured_on: str
    rules: Mapping[str, Mapping[str, float | str]]


@cache
def load_figures() -> Figures | None:
    """Return the figures of rules/figures.json, None while nothing was measured.

    The file is written by the scorecard:
    ``{"measured_on": "57 runs", "rules": {"loss_spike": {"false alarms": 0}}}``.
    """
    resource = files("post_training_toolkit.rules") / "figures.json"
    if not resource.is_file():
        return None
    data = json.loads(resource.read_text(encoding="utf-8"))
    return Figures(data["measured_on"], data["rules"])
