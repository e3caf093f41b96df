"""Holds the steps that rules for agents name against mistakes that people have marked.

The Who&When set (Zhang et al. 2025, arXiv:2505.00212) has failed runs of several agents, each with
the step of the mistake that decided it. For each rule the table says in how many runs it fired,
how often the step that it names first is the mistake or comes after it, and how often it is at most
two steps away; beside each stands what a step drawn at random would give.

    python benchmarks/who_and_when.py FOLDER
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from post_training_toolkit.agents import AgentRunLog
from post_training_toolkit.agents.analysis import AnalysisSettings, analyze
from post_training_toolkit.engine.text_table import table

_NEAR = 2
_ANY = "any rule"


@dataclass(frozen=True, slots=True)
class Mistake:
    """The step that people marked, in a run of so many steps."""

    step: int
    steps: int

    @property
    def random_after(self) -> float:
        """How often a random step is the mistake or comes after it."""
        return max(self.steps - self.step, 0) / self.steps

    @property
    def random_near(self) -> float:
        """How often a random step is at most two steps away."""
        low, high = max(self.step - _NEAR, 0), min(self.step + _NEAR, self.steps - 1)
        return max(high - low + 1, 0) / self.steps


def read_mistakes(folder: Path) -> dict[str, Mistake]:
    """Return the marked mistake of each file."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        data = json.loads(path.read_text())
        if "mistake_step" in data:
            found[str(path)] = Mistake(int(data["mistake_step"]), len(data["history"]))
    return found


def first_signals(log: AgentRunLog) -> dict[str, dict[str, int]]:
    """Return for each rule the first step that it names in each file."""
    source_of = {episode.id: episode.source for episode in log}
    analysis = analyze(log, settings=AnalysisSettings(examples=len(log)))
    signals: dict[str, dict[str, int]] = defaultdict(dict)
    for insight in analysis.insights:
        for example in insight.examples:
            if example.step is not None:
                source = source_of[example.episode]
                signals[insight.rule][source] = example.step
                first = signals[_ANY].get(source, example.step)
                signals[_ANY][source] = min(first, example.step)
    return signals


def rows(mistakes: dict[str, Mistake], signals: dict[str, dict[str, int]]) -> list[list[str]]:
    """Return a row of the table for each rule."""
    found = []
    for rule, steps in signals.items():
        runs = [(step, mistakes[source]) for source, step in steps.items() if source in mistakes]
        if not runs:
            continue
        after = [step >= mistake.step for step, mistake in runs]
        near = [abs(step - mistake.step) <= _NEAR for step, mistake in runs]
        found.append(
            [
                rule,
                f"{len(runs)} of {len(mistakes)}",
                _share(after),
                _share([mistake.random_after for _, mistake in runs]),
                _share(near),
                _share([mistake.random_near for _, mistake in runs]),
            ]
        )
    return found


def _share(values: list[bool] | list[float]) -> str:
    return f"{100 * sum(values) / len(values):.0f} %"


def main() -> None:
    """Print the table."""
    folder = Path(sys.argv[1])
    mistakes = read_mistakes(folder)
    signals = first_signals(AgentRunLog.read(folder, skip_bad=True))
    header = ["rule", "fired", "at or after", "random", f"within {_NEAR} steps", "random"]
    print("\n".join(table(header, rows(mistakes, signals))))


if __name__ == "__main__":
    main()
