"""Which rules could not run, and why."""

from __future__ import annotations

from dataclasses import dataclass

from post_training_toolkit.engine.crash_check import CrashCheck
from post_training_toolkit.engine.detector import Detector


@dataclass(frozen=True, slots=True)
class NotRun:
    """A rule for this trainer that never judged anything, with the reason as a sentence part."""

    rule: str
    reason: str


def reason_not_judged(detector: Detector, logged: frozenset[str]) -> str | None:
    """Say why a detector could not have fired, or return None if it could."""
    if isinstance(detector.condition, CrashCheck):
        # As long as a run lives there is no death to judge, and nothing is missed.
        unknown = detector.observations > 0 and not detector.judged
        return "how the run died was not recorded" if unknown else None
    needed = detector.rule.required_observations
    if detector.judged >= needed:
        return None
    if detector.judged:
        return f"judged {detector.judged} of the {needed} observations in a row that it needs"
    absent = [metric for metric in detector.metrics if metric not in logged]
    if detector.observations == 0 and not absent:
        return f"{_join(list(detector.metrics))} never logged as a finite number"
    if detector.observations == 0 or len(absent) == len(detector.metrics):
        return f"{_join(absent)} never logged"
    if absent:
        return f"{_join(absent)} never logged, which the rule needs beside what was"
    unjudged = [check.metric for check in detector.checks if check.lacks_reference]
    if unjudged:
        return f"{_join(unjudged)} never set against a reference large enough to judge by"
    seen = detector.observations
    plural = "" if seen == 1 else "s"
    return f"{seen} observation{plural} did not fill its windows and its waiting time"


def _join(metrics: list[str]) -> str:
    verb = "was" if len(metrics) == 1 else "were"
    return f"{', '.join(metrics)} {verb}"
