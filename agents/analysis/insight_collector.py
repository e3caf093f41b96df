"""Feeds rows to the rule engine and gathers in which episodes each rule fired."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from post_training_toolkit.agents.analysis.result import AgentInsight, Example
from post_training_toolkit.agents.analysis.share import Share
from post_training_toolkit.engine.detector import Detector
from post_training_toolkit.engine.door import admit
from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.catalogue import AGENTS
from post_training_toolkit.rules.model import Rule
from post_training_toolkit.rules.severity import Severity
from post_training_toolkit.rules.sources import PACK_PREFIX

_LOG = "log/"


@dataclass(slots=True)
class _Fired:
    detector: Detector
    severity: Severity
    message: str
    episodes: int = 0
    examples: list[Example] = field(default_factory=list)


class InsightCollector:
    """Shows the engine one row after the other; ``examples`` of each rule are kept."""

    def __init__(self, rules: Iterable[Rule], examples: int) -> None:
        rules = tuple(rules)
        self._own = {rule.id for rule in rules if not rule.source.startswith(PACK_PREFIX)}
        self._engine = Engine(rules, RunDescription(AGENTS))
        self._examples = examples
        self._rows = 0
        self._fired: dict[str, _Fired] = {}

    def take(
        self, values: Mapping[str, float], episode: str | None, steps: Mapping[str, int]
    ) -> None:
        """Show a row of an episode, or of the whole log where ``episode`` is None.

        ``steps`` holds the step of the episode that shows a measure.
        """
        row = self._rows = self._rows + 1
        self._engine.observe(row, admit(values))
        for detector in self._engine.holding(row):
            fired = self._fired.get(detector.name)
            if fired is not None and len(fired.examples) >= self._examples:
                fired.episodes += 1
                continue
            told = detector.tell(row)
            if fired is None:
                fired = _Fired(detector, told.severity, told.message)
                self._fired[detector.name] = fired
            fired.severity = max(fired.severity, told.severity, key=lambda each: each.rank)
            fired.episodes += 1
            if episode is not None:
                shown = (told.metric, *detector.metrics)
                step = next((steps[metric] for metric in shown if metric in steps), None)
                fired.examples.append(Example(episode, step, told.message))

    def insights(self) -> tuple[AgentInsight, ...]:
        """Return what fired, the worst first, then what concerns most episodes."""
        found = sorted(
            self._fired.items(), key=lambda item: (-item[1].severity.rank, -item[1].episodes)
        )
        return tuple(_insight(name, fired) for name, fired in found)

    def not_judged(self) -> tuple[str, ...]:
        """Return which rules of the user could not judge a single episode, and why."""
        return tuple(
            f"rule {each.rule}: {each.reason}"
            for each in self._engine.coverage()
            if each.rule.partition("[")[0] in self._own
        )


def _insight(name: str, fired: _Fired) -> AgentInsight:
    rule = fired.detector.rule
    whole_log = all(metric.startswith(_LOG) for metric in rule.metrics)
    return AgentInsight(
        rule=name,
        title=rule.title,
        severity=fired.severity,
        message=fired.message,
        episodes=None if whole_log else Share(fired.episodes, fired.detector.judged),
        examples=tuple(fired.examples),
        remediation=rule.remediation,
        citations=tuple(map(str, rule.citations)),
        threshold_origin=rule.threshold_origin,
    )
