"""The detectors of a run: those there from the start and those that globs add."""

from __future__ import annotations

from collections.abc import Iterable

from post_training_toolkit.engine.compile import Compiler
from post_training_toolkit.engine.compile_threshold import NotApplicableError
from post_training_toolkit.engine.coverage import NotRun
from post_training_toolkit.engine.detector import Detector
from post_training_toolkit.engine.fan_out import MAX_CAPTURES, FanOut
from post_training_toolkit.rules.model import Rule


class Detectors:
    """Compiles the rules that apply to a run; ``active`` is in the order of the rules.

    ``not_run`` holds the rules that cannot run, or no longer.
    """

    def __init__(self, rules: Iterable[Rule], compiler: Compiler) -> None:
        self.active: list[Detector] = []
        self.not_run: list[NotRun] = []
        self._compiler = compiler
        self._order: dict[str, int] = {}
        self._fan_outs: list[FanOut] = []
        for rule in rules:
            if not compiler.applies(rule):
                continue
            self._order[rule.id] = len(self._order)
            if any("*" in metric for metric in rule.metrics):
                self._fan_outs.append(FanOut(rule))
            else:
                self._compile(rule, rule.id)

    def meet(self, metrics: Iterable[str]) -> None:
        """Make the detectors of globs that match metrics seen for the first time."""
        metrics = list(metrics)
        for fan_out in self._fan_outs:
            for capture, rule in fan_out.take(metrics):
                self._compile(rule, f"{rule.id}[{capture}]")
        # Stable, so that captures stay in the order of their appearance.
        self.active.sort(key=lambda detector: self._order[detector.rule.id])

    def take_out(self, detector: Detector, reason: str) -> None:
        """Stop using a detector."""
        self.active.remove(detector)
        self.not_run.append(NotRun(detector.name, reason))

    def unmatched(self) -> list[NotRun]:
        """Return the rules whose globs matched nothing, or too much."""
        notes = []
        for fan_out in self._fan_outs:
            patterns = " or ".join(fan_out.patterns)
            if not fan_out.captures:
                notes.append(NotRun(fan_out.rule.id, f"no metric like {patterns} was logged"))
            elif fan_out.has_left_out:
                reason = (
                    f"more than {MAX_CAPTURES} metrics like {patterns}; the others are not watched"
                )
                notes.append(NotRun(fan_out.rule.id, reason))
        return notes

    def _compile(self, rule: Rule, name: str) -> None:
        try:
            self.active.append(self._compiler.detector(rule, name))
        except NotApplicableError as reason:
            self.not_run.append(NotRun(name, str(reason)))
