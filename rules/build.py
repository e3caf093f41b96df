"""Builds rules from schema-checked data and finds the mistakes a schema cannot see."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import Any, TypeVar

from post_training_toolkit.rules.document import Document, Path
from post_training_toolkit.rules.expression import Expression, ExpressionError, parse_expression
from post_training_toolkit.rules.message import Message, MessageError, parse_message
from post_training_toolkit.rules.model import (
    SIGNALS,
    AllOf,
    AnyOf,
    Citation,
    Comparison,
    Condition,
    Gate,
    MetricCondition,
    Not,
    Override,
    Reference,
    Rule,
    StatisticChoice,
    Status,
    Threshold,
    Window,
    metric_conditions,
)
from post_training_toolkit.rules.severity import Severity

_CONDITION_KEYS = ("metric", "all", "any", "not")
_METRIC_KEYS = ("statistic", "window", "threshold", "label")
_COMPARISONS = tuple(comparison.value for comparison in Comparison)
_INTERVALS = (Comparison.BETWEEN, Comparison.OUTSIDE)
# 'last' looks at one observation by definition.
_WINDOWLESS = "last"

# Take the place of what was reported, so that checking can go on; without a value, so that nothing
# follows from them.
_UNKNOWN = parse_expression("unknown")
_STAND_IN = Threshold(Comparison.ABOVE, (_UNKNOWN,))

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

    def rules(self) -> list[tuple[Path, Rule]]:
        """Return the rules of the document that have no mistake, each with its path."""
        return self._each("rules", self._rule)

    def overrides(self) -> list[tuple[Path, Override]]:
        """Return the overrides of the document that have no mistake, each with its path."""
        return self._each("overrides", self._override)

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

    def _report(self, path: Path, message: str, *, at_key: bool = False) -> None:
        self._document.problems.append(self._document.problem(path, message, at_key=at_key))

    def _rule(self, data: dict[str, Any], path: Path) -> Rule:
        condition = self._condition(data, path)
        self._check_origin(data, path)
        line, column = self._document.positions[path]
        return Rule(
            id=data["id"],
            title=data["title"],
            description=data.get("description", ""),
            status=Status(data.get("status", Status.STABLE)),
            gate=self._gate(data),
            condition=condition,
            required_observations=data.get("for", 1),
            keep_firing_for=data.get("keep_firing_for", 5),
            severity=Severity(data["severity"]),
            message=self._message(data["message"], condition, path),
            remediation=tuple(data["remediation"]),
            citations=tuple(Citation(**entry) for entry in data["citation"]),
            threshold_origin=data["threshold_origin"],
            detects=tuple(data["detects"]),
            false_alarms=tuple(data.get("false_alarms", ())),
            source=self._document.name,
            line=line,
            column=column,
        )

    def _check_origin(self, data: dict[str, Any], path: Path) -> None:
        origin = data["threshold_origin"]
        backed = any(entry["supports"] == "threshold" for entry in data["citation"])
        if origin in ("paper", "documentation") and not backed:
            message = (
                f"'{origin}' needs a citation that supports the threshold; "
                "without one say 'derivation' or 'empirical'"
            )
            self._report((*path, "threshold_origin"), message)

    def _override(self, data: dict[str, Any], path: Path) -> Override:
        changes = [key for key in ("disable", "severity", "threshold", "window") if key in data]
        if not changes:
            self._report(path, "changes nothing; give disable, severity, threshold or window")
        if "disable" in data and len(changes) > 1:
            self._report(path, "'disable: true' leaves nothing else to change")
        threshold = data.get("threshold")
        return Override(
            id=data["id"],
            reason=data["reason"],
            disable="disable" in data,
            severity=Severity(data["severity"]) if "severity" in data else None,
            threshold=self._threshold(threshold, (*path, "threshold")) if threshold else None,
            window=self._window(data["window"], (*path, "window")) if "window" in data else None,
        )

    def _gate(self, data: dict[str, Any]) -> Gate:
        after = data.get("after", {})
        where = data.get("where")
        return Gate(
            trainers=frozenset(data.get("trainers", ())),
            where={name: tuple(values) for name, values in where.items()} if where else None,
            after_observations=after.get("observations", 0),
            after_steps=after.get("steps", 0),
            after_fraction=after.get("fraction", 0.0),
        )

    def _message(self, text: str, condition: Condition, path: Path) -> Message:
        labels = [part.label for part in metric_conditions(condition) if part.label]
        try:
            return parse_message(text, labels)
        except MessageError as error:
            self._report((*path, "message"), str(error))
            return parse_message("")

    def _condition(self, data: dict[str, Any], path: Path) -> Condition:
        kinds = [key for key in _CONDITION_KEYS if key in data]
        if len(kinds) != 1:
            found = f"not {' and '.join(kinds)} together" if kinds else "none is there"
            self._report(path, f"needs exactly one of metric, all, any, not; {found}")
            return AllOf(())
        if kinds != ["metric"]:
            for key in _METRIC_KEYS:
                if key in data:
                    message = f"{key!r} goes into the conditions below {kinds[0]!r}"
                    self._report((*path, key), message, at_key=True)
        match kinds[0]:
            case "metric":
                return self._metric_condition(data, path)
            case "all":
                return AllOf(self._parts(data["all"], (*path, "all")))
            case "any":
                return AnyOf(self._parts(data["any"], (*path, "any")))
            case _:
                return Not(self._condition(data["not"], (*path, "not")))

    def _parts(self, data: list[dict[str, Any]], path: Path) -> tuple[Condition, ...]:
        return tuple(self._condition(part, (*path, index)) for index, part in enumerate(data))

    def _metric_condition(self, data: dict[str, Any], path: Path) -> MetricCondition:
        if "threshold" not in data:
            self._report(path, "key 'threshold' is missing: say when the statistic is bad")
            threshold = _STAND_IN
        else:
            threshold = self._threshold(data["threshold"], (*path, "threshold"))
        if threshold.comparison in SIGNALS:
            for key in ("statistic", "window"):
                if key in data:
                    message = (
                        f"'{threshold.comparison}' looks at the newest value; leave {key!r} out"
                    )
                    self._report((*path, key), message, at_key=True)
        return MetricCondition(
            metric=data["metric"],
            statistic=self._statistic(data, path),
            threshold=threshold,
            label=data.get("label"),
        )

    def _statistic(self, data: dict[str, Any], path: Path) -> StatisticChoice:
        name = data.get("statistic", _WINDOWLESS)
        if name == _WINDOWLESS:
            if "window" in data:
                message = "'last' takes no window; leave it out or choose another statistic"
                self._report((*path, "window"), message, at_key=True)
            return StatisticChoice(name, Window(1, 1))
        if "window" not in data:
            self._report(path, f"key 'window' is missing: {name!r} needs one")
            return StatisticChoice(name, Window(1, 1))
        return StatisticChoice(name, self._window(data["window"], (*path, "window")))

    def _window(self, data: int | dict[str, Any], path: Path) -> Window:
        if isinstance(data, int):
            return Window(data, data)
        if data["at_least"] > data["at_most"]:
            self._report(path, "'at_least' must not be above 'at_most'")
        return Window(data["at_least"], data["at_most"], data["fraction"])

    def _threshold(self, data: dict[str, Any], path: Path) -> Threshold:
        kinds = [key for key in _COMPARISONS if key in data]
        if len(kinds) != 1:
            found = f"not {' and '.join(kinds)} together" if kinds else "none is there"
            self._report(path, f"needs exactly one of {', '.join(_COMPARISONS)}; {found}")
            return _STAND_IN
        comparison = Comparison(kinds[0])
        self._check_extras(data, comparison, path)
        return Threshold(
            comparison=comparison,
            bounds=self._bounds(data, comparison, path),
            tolerance=self._optional_expression(data, "tolerance", path),
            relative_to=self._reference(data.get("relative_to"), (*path, "relative_to")),
            reference_at_least=self._optional_expression(data, "reference_at_least", path),
        )

    def _check_extras(self, data: dict[str, Any], comparison: Comparison, path: Path) -> None:
        if "tolerance" in data and comparison is not Comparison.EQUALS:
            self._report((*path, "tolerance"), "'tolerance' belongs to 'equals'", at_key=True)
        if "reference_at_least" in data and "relative_to" not in data:
            message = "'reference_at_least' belongs to 'relative_to'"
            self._report((*path, "reference_at_least"), message, at_key=True)
        if "relative_to" in data and comparison in SIGNALS:
            message = f"'{comparison}' compares nothing; leave 'relative_to' out"
            self._report((*path, "relative_to"), message, at_key=True)
        directed = (Comparison.ABOVE, Comparison.BELOW)
        if data.get("relative_to") == Reference.RUNNING_BEST and comparison not in directed:
            message = "'running_best' needs above or below, which say what is better"
            self._report((*path, "relative_to"), message)

    def _bounds(
        self, data: dict[str, Any], comparison: Comparison, path: Path
    ) -> tuple[Expression, ...]:
        if comparison in SIGNALS:
            return ()
        here = (*path, comparison.value)
        if comparison not in _INTERVALS:
            return (self._expression(data[comparison.value], here),)
        low, high = (
            self._expression(bound, (*here, index))
            for index, bound in enumerate(data[comparison.value])
        )
        low_value, high_value = low.evaluate({}), high.evaluate({})
        if low_value is not None and high_value is not None and low_value >= high_value:
            message = f"the first bound {low.text} must be below the second {high.text}"
            self._report(here, message)
        return (low, high)

    def _reference(
        self, data: str | dict[str, Any] | None, path: Path
    ) -> Reference | StatisticChoice | None:
        if data is None:
            return None
        return Reference(data) if isinstance(data, str) else self._statistic(data, path)

    def _optional_expression(self, data: dict[str, Any], key: str, path: Path) -> Expression | None:
        return self._expression(data[key], (*path, key)) if key in data else None

    def _expression(self, source: str | float, path: Path) -> Expression:
        try:
            return parse_expression(source)
        except ExpressionError as error:
            self._report(path, str(error))
            return _UNKNOWN
