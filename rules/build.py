"""Builds rules from schema-checked data and finds the mistakes a schema cannot see."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import Any, TypeVar

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from post_training_toolkit.rules.adjust import AdjustmentError, adjust_condition
from post_training_toolkit.rules.advice import AdviceError, check_advice
from post_training_toolkit.rules.build_condition import ConditionBuilder
from post_training_toolkit.rules.build_crash import build_crash
from post_training_toolkit.rules.condition import Condition, metric_conditions
from post_training_toolkit.rules.crash import CrashCondition
from post_training_toolkit.rules.document import Document, Path
from post_training_toolkit.rules.message import (
    BUILT_IN_PLACEHOLDERS,
    Message,
    MessageError,
    parse_message,
)
from post_training_toolkit.rules.model import (
    Citation,
    Escalation,
    Gate,
    LearningRatePhase,
    Override,
    Rule,
    Selection,
    Status,
)
from post_training_toolkit.rules.severity import Severity

_CONDITION_KEYS = frozenset({"metric", "all", "any", "not"})
_SELECTION_KEYS = ("ids", "tags", "severities")
_OVERRIDE_KEYS = ("disable", "severity", "threshold", "window", "for")

Built = TypeVar("Built")


class RuleBuilder:
    """Builds the rules and overrides of one document; mistakes go to ``document.problems``.

    A part with a mistake is reported and replaced by a stand-in so that the rest is still checked;
    an entry during whose building anything was reported is then dropped. Entries in ``broken``
    already failed the schema and are skipped.
    """

    def __init__(self, document: Document, broken: Set[Path]) -> None:
        self._document = document
        self._broken = broken
        self._conditions = ConditionBuilder(document)
        self._report = self._conditions.report

    def rules(self) -> list[tuple[Path, Rule]]:
        """Return the rules of the document that have no mistake, each with its path."""
        return self._each("rules", self._rule)

    def overrides(self) -> list[tuple[Path, Override]]:
        """Return the overrides of the document that have no mistake, each with its path."""
        return self._each("overrides", self._override)

    def selection(self, key: str) -> Selection | None:
        """Return what the file selects or ignores, None if it says nothing or has it wrong."""
        data = self._document.data.get(key)
        if data is None or (key,) in self._broken:
            return None
        if not set(_SELECTION_KEYS) & data.keys():
            self._report((key,), f"picks no rule; give one of {', '.join(_SELECTION_KEYS)}")
        return Selection(
            ids=frozenset(data.get("ids", ())),
            tags=frozenset(data.get("tags", ())),
            severities=frozenset(map(Severity, data.get("severities", ()))),
        )

    def _each(
        self, key: str, build: Callable[[dict[str, Any], Path], Built]
    ) -> list[tuple[Path, Built]]:
        if (key,) in self._broken:
            return []
        built: list[tuple[Path, Built]] = []
        for index, entry in enumerate(self._document.data.get(key, [])):
            path = (key, index)
            if path in self._broken:
                continue
            problems_before = len(self._document.problems)
            result = build(entry, path)
            if len(self._document.problems) == problems_before:
                built.append((path, result))
        return built

    def _rule(self, data: dict[str, Any], path: Path) -> Rule:
        condition = self._condition(data, path)
        self._check_labels(condition, path)
        self._check_origin(data, path)
        line, column = self._document.positions[path]
        return Rule(
            id=data["id"],
            title=data["title"],
            description=data.get("description", ""),
            status=Status(data.get("status", Status.STABLE)),
            gate=self._gate(data, path),
            condition=condition,
            required_observations=data.get("for", 1),
            keep_firing_for=data.get("keep_firing_for", 5),
            cool_down=data.get("cool_down", 0),
            severity=Severity(data["severity"]),
            escalation=self._escalation(data, condition, path) if "escalation" in data else None,
            inhibits=tuple(data.get("inhibits", ())),
            caused_by=tuple(data.get("caused_by", ())),
            tags=tuple(data.get("tags", ())),
            renamed_from=tuple(data.get("renamed_from", ())),
            message=self._message(data["message"], condition, path),
            remediation=self._remediation(data["remediation"], path),
            citations=tuple(Citation(**entry) for entry in data["citation"]),
            threshold_origin=data["threshold_origin"],
            detects=tuple(data["detects"]),
            false_alarms=tuple(data.get("false_alarms", ())),
            source=self._document.name,
            line=line,
            column=column,
        )

    def _condition(self, data: dict[str, Any], path: Path) -> Condition:
        if "crash" in data:
            return build_crash(data, path, self._report)
        return self._conditions.condition(data, path)

    def _check_origin(self, data: dict[str, Any], path: Path) -> None:
        origin = data["threshold_origin"]
        backed = any(entry["supports"] == "threshold" for entry in data["citation"])
        if origin in ("paper", "documentation") and not backed:
            message = (
                f"'{origin}' needs a citation that supports the threshold; "
                "without one say 'derivation' or 'empirical'"
            )
            self._report((*path, "threshold_origin"), message)

    def _check_labels(self, condition: Condition, path: Path) -> None:
        labels = [part.label for part in metric_conditions(condition) if part.label]
        for label in labels:
            if label in BUILT_IN_PLACEHOLDERS:
                message = f"label {label!r} has a meaning of its own in messages; choose another"
                self._report(path, message)
            elif labels.count(label) > 1:
                self._report(path, f"label {label!r} names more than one condition")

    def _escalation(self, data: dict[str, Any], base: Condition, path: Path) -> Escalation:
        entry, here = data["escalation"], (*path, "escalation")
        severity = Severity(entry["severity"])
        if severity.rank <= Severity(data["severity"]).rank:
            message = f"'{severity}' must be more severe than the rule's '{data['severity']}'"
            self._report((*here, "severity"), message)
        return Escalation(
            severity=severity,
            condition=self._escalated_condition(entry, base, here),
            required_observations=entry.get("for", data.get("for", 1)),
        )

    def _escalated_condition(self, entry: dict[str, Any], base: Condition, path: Path) -> Condition:
        if _CONDITION_KEYS & entry.keys():
            if "label" in entry:
                message = "'label' picks a condition of the rule; this is one of its own"
                self._report((*path, "label"), message, at_key=True)
            return self._conditions.condition(entry, path)
        if "threshold" not in entry:
            self._report(
                path, "needs a threshold, or a condition of its own: metric, all, any, not"
            )
            return base
        threshold = self._conditions.threshold(entry["threshold"], (*path, "threshold"))
        window = None
        if "window" in entry:
            window = self._conditions.window(entry["window"], (*path, "window"))
        if "statistic" in entry:
            message = "another statistic needs 'metric' beside it"
            self._report((*path, "statistic"), message, at_key=True)
        try:
            return adjust_condition(base, entry.get("label"), threshold, window)
        except AdjustmentError as error:
            self._report(path, f"the rule {error}")
            return base

    def _override(self, data: dict[str, Any], path: Path) -> Override:
        changes = [key for key in _OVERRIDE_KEYS if key in data]
        if not changes:
            self._report(path, f"changes nothing; give one of {', '.join(_OVERRIDE_KEYS)}")
        if "disable" in data and len(changes) > 1:
            self._report(path, "'disable: true' leaves nothing else to change")
        if "label" in data and not {"threshold", "window"} & data.keys():
            message = "'label' belongs to 'threshold' or 'window'"
            self._report((*path, "label"), message, at_key=True)
        build = self._conditions
        threshold, window = data.get("threshold"), data.get("window")
        return Override(
            id=data["id"],
            reason=data["reason"],
            disable="disable" in data,
            severity=Severity(data["severity"]) if "severity" in data else None,
            label=data.get("label"),
            threshold=build.threshold(threshold, (*path, "threshold")) if threshold else None,
            window=build.window(window, (*path, "window")) if window else None,
            required_observations=data.get("for"),
        )

    def _gate(self, data: dict[str, Any], path: Path) -> Gate:
        after, until = data.get("after", {}), data.get("until", {})
        where = data.get("where")
        if "at_most_steps" in after and "fraction" not in after:
            message = "'at_most_steps' bounds 'fraction', which is missing"
            self._report((*path, "after", "at_most_steps"), message, at_key=True)
        for key in ("steps", "fraction"):
            if key in after and key in until and after[key] >= until[key]:
                self._report((*path, "until", key), f"'until' must lie behind 'after' {after[key]}")
        try:
            SpecifierSet(data.get("trl", ""))
        except InvalidSpecifier:
            message = f"{data['trl']!r} is no range of versions; write such as '>=1.12,<2'"
            self._report((*path, "trl"), message)
        return Gate(
            trainers=frozenset(data.get("trainers", ())),
            where={name: tuple(values) for name, values in where.items()} if where else None,
            trl=data.get("trl", ""),
            learning_rate_phases=frozenset(
                map(LearningRatePhase, data.get("learning_rate_phase", ()))
            ),
            after_observations=after.get("observations", 0),
            after_steps=after.get("steps", 0),
            after_fraction=after.get("fraction", 0.0),
            after_at_most_steps=after.get("at_most_steps"),
            until_steps=until.get("steps"),
            until_fraction=until.get("fraction"),
        )

    def _remediation(self, texts: list[str], path: Path) -> tuple[str, ...]:
        for index, text in enumerate(texts):
            try:
                check_advice(text)
            except AdviceError as error:
                self._report((*path, "remediation", index), str(error))
        return tuple(texts)

    def _message(self, text: str, condition: Condition, path: Path) -> Message:
        labels = [part.label for part in metric_conditions(condition) if part.label]
        if isinstance(condition, CrashCondition):
            labels.append("error")
        try:
            return parse_message(text, labels)
        except MessageError as error:
            self._report((*path, "message"), str(error))
            return parse_message("")
