"""Builds conditions from schema-checked data and finds the mistakes a schema cannot see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from post_training_toolkit.rules.condition import (
    SIGNALS,
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    MetricCondition,
    Not,
    Reference,
    ReferenceStatistic,
    Relation,
    StatisticChoice,
    Threshold,
    WholeRun,
    Window,
)
from post_training_toolkit.rules.document import Document, Path
from post_training_toolkit.rules.expression import Expression, ExpressionError, parse_expression

_CONDITION_KEYS = ("metric", "all", "any", "not")
_METRIC_KEYS = ("statistic", "window", "threshold", "label")
_COMPARISONS = tuple(comparison.value for comparison in Comparison)
_NUMERIC_COMPARISONS = tuple(each.value for each in Comparison if each not in SIGNALS)
_INTERVALS = (Comparison.BETWEEN, Comparison.OUTSIDE)
_RELATIONS = tuple(relation.value for relation in Relation)

# Look at the newest observations by definition.
_WINDOWLESS = frozenset({"last", "change", "age"})
_RIVER_PREFIX = "river."
# The parameters that each statistic may have beside its name; all others take none.
_PARAMETERS: Mapping[str, frozenset[str]] = {
    "quantile": frozenset({"q"}),
    "fraction": frozenset({*_NUMERIC_COMPARISONS, "tolerance"}),
    "correlation": frozenset({"with", "levels"}),
    "page_hinkley": frozenset({"direction", "delta", "threshold"}),
    "adwin": frozenset({"direction", "delta"}),
}
_REQUIRED_PARAMETER = {"quantile": "q", "correlation": "with"}
_ONE_OBSERVATION = Window(1, 1)
# Have a meaning over the whole run; river's own statistics have one too.
_WHOLE_RUN = frozenset({"mean", "std", "min", "max", "range", "median", "quantile"})
# Say nothing, or nothing that can be trusted, over fewer observations.
_SMALLEST_WINDOW: Mapping[str, int] = {
    "std": 2,
    "slope": 2,
    "correlation": 2,
    "page_hinkley": 10,
    "adwin": 10,
    "trend": 16,
}

# Take the place of what was reported, so that checking can go on; without a value, so that nothing
# follows from them.
_UNKNOWN = parse_expression("unknown")
STAND_IN = Threshold(Comparison.ABOVE, (_UNKNOWN,))


class ConditionBuilder:
    """Builds the conditions of one document; mistakes go to ``document.problems``.

    A part with a mistake is reported and replaced by a stand-in so that the rest is still checked.
    """

    def __init__(self, document: Document) -> None:
        self._document = document

    def condition(self, data: dict[str, Any], path: Path) -> Condition:
        """Build the condition that a mapping holds: one of metric, all, any, not."""
        kinds = [key for key in _CONDITION_KEYS if key in data]
        if len(kinds) != 1:
            found = f"not {' and '.join(kinds)} together" if kinds else "none is there"
            self.report(path, f"needs exactly one of metric, all, any, not; {found}")
            return AllOf(())
        if kinds != ["metric"]:
            for key in _METRIC_KEYS:
                if key in data:
                    message = f"{key!r} goes into the conditions below {kinds[0]!r}"
                    self.report((*path, key), message, at_key=True)
        match kinds[0]:
            case "metric":
                return self._metric_condition(data, path)
            case "all":
                return AllOf(self._parts(data["all"], (*path, "all")))
            case "any":
                return AnyOf(self._parts(data["any"], (*path, "any")))
            case _:
                return Not(self.condition(data["not"], (*path, "not")))

    def threshold(self, data: dict[str, Any], path: Path) -> Threshold:
        """Build a threshold: one comparison, and what the value is set against first."""
        comparison = self._comparison(data, _COMPARISONS, path)
        if comparison is None:
            return STAND_IN
        self._check_extras(data, comparison, path)
        relation = next((key for key in _RELATIONS if key in data), None)
        reference = self._reference(data[relation], (*path, relation)) if relation else None
        return Threshold(
            comparison=comparison,
            bounds=self._bounds(data, comparison, path),
            tolerance=self._optional_expression(data, "tolerance", path),
            reference=reference,
            relation=Relation(relation) if relation else Relation.RATIO,
            reference_at_least=self._optional_expression(data, "reference_at_least", path),
        )

    def window(self, data: int | str | dict[str, Any], path: Path) -> Window | WholeRun:
        """Build a window: a number of observations, a share of the run, or the whole run."""
        if isinstance(data, str):
            return WholeRun(data)
        if isinstance(data, int):
            return Window(data, data)
        if data["at_least"] > data["at_most"]:
            self.report(path, "'at_least' must not be above 'at_most'")
        return Window(data["at_least"], data["at_most"], data["fraction"])

    def report(self, path: Path, message: str, *, at_key: bool = False) -> None:
        """Note a mistake at a path of the document."""
        self._document.problems.append(self._document.problem(path, message, at_key=at_key))

    def _parts(self, data: list[dict[str, Any]], path: Path) -> tuple[Condition, ...]:
        return tuple(self.condition(part, (*path, index)) for index, part in enumerate(data))

    def _metric_condition(self, data: dict[str, Any], path: Path) -> MetricCondition:
        if "threshold" not in data:
            self.report(path, "key 'threshold' is missing: say when the statistic is bad")
            threshold = STAND_IN
        else:
            threshold = self.threshold(data["threshold"], (*path, "threshold"))
        if threshold.comparison in SIGNALS:
            for key in ("statistic", "window"):
                if key in data:
                    message = (
                        f"'{threshold.comparison}' looks at the newest value; leave {key!r} out"
                    )
                    self.report((*path, key), message, at_key=True)
        statistic = self._statistic(data, path)
        if statistic.name == "age" and threshold.reference is not None:
            self.report((*path, "threshold"), "'age' counts steps and is compared with a number")
        self._check_glob(data["metric"], (*path, "metric"))
        return MetricCondition(data["metric"], statistic, threshold, data.get("label"))

    def _check_glob(self, metric: str, path: Path) -> None:
        if metric.count("*") > 1:
            self.report(path, f"{metric!r} has more than one *; one is allowed")

    def _statistic(self, data: dict[str, Any], path: Path) -> StatisticChoice:
        given = data.get("statistic", "last")
        here = (*path, "statistic")
        parameters = dict(given) if isinstance(given, dict) else {"name": given}
        name = parameters.pop("name")
        self._check_parameters(name, parameters, here)
        holds = None
        if name == "fraction":
            comparison = self._comparison(parameters, _NUMERIC_COMPARISONS, here)
            if comparison is not None:
                bounds = self._bounds(parameters, comparison, here)
                tolerance = self._optional_expression(parameters, "tolerance", here)
                holds = Threshold(comparison, bounds, tolerance)
            parameters = {}
        other = parameters.pop("with", None)
        if other is not None:
            self._check_glob(other, (*here, "with"))
        return StatisticChoice(
            name,
            self._statistic_window(name, data, path),
            parameters.pop("arguments", {}) if name.startswith(_RIVER_PREFIX) else parameters,
            holds,
            other,
        )

    def _check_parameters(self, name: str, parameters: dict[str, Any], path: Path) -> None:
        allowed = _PARAMETERS.get(name, frozenset())
        if name.startswith(_RIVER_PREFIX):
            allowed = frozenset({"arguments"})
        for key in parameters:
            if key not in allowed:
                takes = f"takes {', '.join(sorted(allowed))}" if allowed else "takes no parameters"
                self.report((*path, key), f"{name!r} has no {key!r}; it {takes}", at_key=True)
        required = _REQUIRED_PARAMETER.get(name)
        if required is not None and required not in parameters:
            example = "{name: quantile, q: 0.9}"
            if name == "correlation":
                example = "{name: correlation, with: entropy}"
            self.report(path, f"{name!r} needs {required!r}; write such as {example}")

    def _statistic_window(self, name: str, data: dict[str, Any], path: Path) -> Window | WholeRun:
        if name in _WINDOWLESS:
            if "window" in data:
                message = f"{name!r} takes no window; leave it out or choose another statistic"
                self.report((*path, "window"), message, at_key=True)
            return _ONE_OBSERVATION
        if "window" not in data:
            if not name.startswith(_RIVER_PREFIX):
                self.report(path, f"key 'window' is missing: {name!r} needs one")
            return WholeRun.RUN
        window = self.window(data["window"], (*path, "window"))
        self._check_window(name, window, (*path, "window"))
        return window

    def _check_window(self, name: str, window: Window | WholeRun, path: Path) -> None:
        if isinstance(window, WholeRun):
            if name not in _WHOLE_RUN and not name.startswith(_RIVER_PREFIX):
                known = ", ".join(sorted(_WHOLE_RUN))
                message = f"{name!r} has no meaning over the whole run; there are {known}"
                self.report(path, message)
            return
        smallest = _SMALLEST_WINDOW.get(name, 1)
        if window.at_least < smallest:
            message = f"{name!r} needs a window of at least {smallest}, not {window.at_least}"
            self.report(path, message)

    def _comparison(
        self, data: Mapping[str, Any], known: tuple[str, ...], path: Path
    ) -> Comparison | None:
        kinds = [key for key in known if key in data]
        if len(kinds) == 1:
            return Comparison(kinds[0])
        found = f"not {' and '.join(kinds)} together" if kinds else "none is there"
        self.report(path, f"needs exactly one of {', '.join(known)}; {found}")
        return None

    def _check_extras(self, data: dict[str, Any], comparison: Comparison, path: Path) -> None:
        if "tolerance" in data and comparison is not Comparison.EQUALS:
            self.report((*path, "tolerance"), "'tolerance' belongs to 'equals'", at_key=True)
        relations = [key for key in _RELATIONS if key in data]
        if "reference_at_least" in data and not relations:
            message = f"'reference_at_least' belongs to {' or '.join(map(repr, _RELATIONS))}"
            self.report((*path, "reference_at_least"), message, at_key=True)
        if len(relations) > 1:
            message = f"{' and '.join(map(repr, relations))} exclude each other"
            self.report((*path, relations[1]), message, at_key=True)
        directed = (Comparison.ABOVE, Comparison.BELOW)
        for relation in relations:
            here = (*path, relation)
            if comparison in SIGNALS:
                message = f"'{comparison}' compares nothing; leave {relation!r} out"
                self.report(here, message, at_key=True)
            if data[relation] == Reference.RUNNING_BEST and comparison not in directed:
                self.report(here, "'running_best' needs above or below, which say what is better")

    def _bounds(
        self, data: Mapping[str, Any], comparison: Comparison, path: Path
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
            self.report(here, message)
        return (low, high)

    def _reference(self, data: str | dict[str, Any], path: Path) -> Reference | ReferenceStatistic:
        if isinstance(data, str):
            return Reference(data)
        if data.get("metric") is not None:
            self._check_glob(data["metric"], (*path, "metric"))
        statistic = self._statistic(data, path)
        if statistic.name in ("age", "correlation"):
            self.report((*path, "statistic"), f"{statistic.name!r} cannot be a reference")
        return ReferenceStatistic(statistic, data.get("metric"))

    def _optional_expression(
        self, data: Mapping[str, Any], key: str, path: Path
    ) -> Expression | None:
        return self._expression(data[key], (*path, key)) if key in data else None

    def _expression(self, source: str | float, path: Path) -> Expression:
        try:
            return parse_expression(source)
        except ExpressionError as error:
            self.report(path, str(error))
            return _UNKNOWN
