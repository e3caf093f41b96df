"""The measured figures of the shipped rules, where they ship."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class RuleFigures:
    """What one rule did on a set of labelled runs, those of its trainers.

    ``expecting_runs`` are the runs with a failure mode that the rule detects; in ``right_runs`` of
    them it fired at or after the onset, in the median ``delay`` logged steps after it (None where
    it never did). ``false_alarms`` counts what the labels contradict, in healthy and faulty runs.
    ``healthy_steps`` are the logged steps of the healthy runs.
    """

    right_runs: int
    expecting_runs: int
    false_alarms: int
    healthy_steps: int
    delay: float | None

    def __str__(self) -> str:
        """Return one sentence without its full stop.

        >>> str(RuleFigures(0, 0, 1, 12000, None))
        'no run shows what it detects; 1 false alarm, 12,000 healthy logged steps seen'
        """
        false = {0: "no false alarm", 1: "1 false alarm"}
        return (
            f"{self._found}; {false.get(self.false_alarms, f'{self.false_alarms} false alarms')}, "
            f"{self.healthy_steps:,} healthy logged steps seen"
        )

    @property
    def _found(self) -> str:
        if not self.expecting_runs:
            return "no run shows what it detects"
        found = (
            f"right in {self.right_runs} of {self.expecting_runs} runs that show what it detects"
        )
        if self.delay is None:
            return found
        return f"{found}, {self.delay:g} logged steps after the onset (median)"


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured on one set of runs; ``title`` says on which."""

    title: str
    rules: Mapping[str, RuleFigures]


def figures_of(rule: str) -> Mapping[str, RuleFigures]:
    """Return what a shipped rule did on each set of runs, by the title of the set.

    Empty for a rule that was not measured.
    """
    return {each.title: each.rules[rule] for each in load_figures() if rule in each.rules}


@cache
def load_figures() -> tuple[Measurement, ...]:
    """Return the measurements of rules/figures.json, none while nothing was measured."""
    resource = files("post_training_toolkit.rules") / "figures.json"
    if not resource.is_file():
        return ()
    return tuple(
        Measurement(
            each["title"],
            {rule: RuleFigures(**figures) for rule, figures in each["rules"].items()},
        )
        for each in json.loads(resource.read_text(encoding="utf-8"))["measurements"]
    )


def figures_text(measurements: tuple[Measurement, ...]) -> str:
    """Return the text of rules/figures.json, which the scorecard writes."""
    document = {"measurements": [asdict(each) for each in measurements]}
    return json.dumps(document, indent=1, sort_keys=True) + "\n"
