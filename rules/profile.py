"""Reads a producer's logs in canonical terms: metric names, derived metrics, configuration."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

from post_training_toolkit.rules.expression import Expression, parse_expression

EVAL_PREFIX = "eval_"

Direction = Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class Derivation:
    """How one derived metric is computed from a row.

    ``metrics`` maps the names of the expression to metrics, ``constants`` to numbers of the
    configuration; together they cover it.
    """

    name: str
    expression: Expression
    metrics: Mapping[str, str]
    constants: Mapping[str, float]

    def compute(self, values: Mapping[str, float]) -> float | None:
        """Return the metric for a row's canonical values, None where it is undefined."""
        numbers = dict(self.constants)
        for name, metric in self.metrics.items():
            numbers[name] = values[metric]
        return self.expression.compute(numbers)


@dataclass(frozen=True, slots=True)
class Profile:
    """How the logs of one trainer are read.

    ``canonical`` maps raw keys to canonical metrics, ``derived`` a metric to the expression that
    gives it from other metrics and the configuration. ``directions`` says of metrics whether more
    or less of them is better, most telling first; a metric that is neither has none. A trainer that
    ``logs_every_step`` does so whatever the argument logging_steps says. One that ``ignores_stop``
    trains on when its callbacks ask for an end. ``plots`` holds the metrics that a report draws,
    most telling first; those in one tuple share a plot.
    """

    trainer: str | None
    canonical: Mapping[str, str]
    derived: Mapping[str, Expression]
    directions: Mapping[str, Direction]
    _configuration: Mapping[str, Any]
    plots: tuple[tuple[str, ...], ...] = ()
    logs_every_step: bool = False
    ignores_stop: bool = False

    def canonical_name(self, key: str) -> str:
        """Return the canonical name of a raw key, or the key itself.

        >>> load_profile("dpo").canonical_name("eval_rewards/margins")
        'eval_reward_margin'
        """
        if key.startswith(EVAL_PREFIX):
            inner = key.removeprefix(EVAL_PREFIX)
            return EVAL_PREFIX + self.canonical.get(inner, inner)
        return self.canonical.get(key, key)

    def derivations(
        self, metrics: Set[str], configuration: Mapping[str, object]
    ) -> list[Derivation]:
        """Return the derived metrics that these canonical metrics allow, evaluation twins included.

        >>> profile = load_profile("dpo")
        >>> [margin] = profile.derivations({"reward_margin"}, {"beta": 0.1})
        >>> margin.name, margin.compute({"reward_margin": 0.5})
        ('reward_margin_nats', 5.0)
        """
        found = []
        for name, expression in self.derived.items():
            for prefix in ("", EVAL_PREFIX):
                # A metric shadows an argument of the same name.
                sources = {each: prefix + each for each in expression.names}
                logged = {each: metric for each, metric in sources.items() if metric in metrics}
                constants = {each: configuration.get(each) for each in sources.keys() - logged}
                numbers = {
                    each: float(value)
                    for each, value in constants.items()
                    if isinstance(value, (int, float))
                    and not isinstance(value, bool)
                    and abs(value) <= sys.float_info.max
                }
                if logged and len(numbers) == len(constants):
                    found.append(Derivation(prefix + name, expression, logged, numbers))
        return found

    def derive_configuration(self, configuration: Mapping[str, object]) -> dict[str, float]:
        """Return the configuration values that follow from the trainer's arguments.

        >>> profile = load_profile("dpo")
        >>> profile.derive_configuration({"loss_type": ["ipo"], "beta": 0.1})
        {'initial_loss': 25.0}
        """
        derived = {}
        for name, entry in self._configuration.items():
            expression = _choose(entry, configuration)
            result = expression.evaluate(configuration) if expression is not None else None
            if result is not None:
                derived[name] = result
        return derived


def _choose(
    entry: Expression | tuple[str, Mapping[str, Expression]], configuration: Mapping[str, object]
) -> Expression | None:
    """Return the expression that applies: the only one, or the one for an argument's value."""
    if isinstance(entry, Expression):
        return entry
    argument, by_value = entry
    value = configuration.get(argument)
    if isinstance(value, (list, tuple)):
        # Several loss types at once have no fixed start; see the weights.
        value = value[0] if len(value) == 1 else None
    return by_value.get(value) if isinstance(value, str) else None


@cache
def load_profile(trainer: str | None) -> Profile:
    """Return the profile of a TRL trainer; an unknown trainer gets what all have in common."""
    data = _load()
    common = data["every_trainer"]
    own = data["trainers"].get(trainer, {})
    configuration = {**common.get("configuration", {}), **own.get("configuration", {})}
    return Profile(
        trainer=trainer,
        canonical={**common.get("canonical", {}), **own.get("canonical", {})},
        derived={
            name: parse_expression(text)
            for name, text in {**common.get("derived", {}), **own.get("derived", {})}.items()
        },
        directions=own.get("directions", common["directions"]),
        _configuration={name: _parse(entry) for name, entry in configuration.items()},
        plots=tuple(
            dict.fromkeys(
                tuple(each) if isinstance(each, list) else (each,)
                for each in (*own.get("plots", ()), *common["plots"])
            )
        ),
        logs_every_step=own.get("logs_every_step", False),
        ignores_stop=own.get("ignores_stop", False),
    )


def config_classes() -> Mapping[str, str]:
    """Return the trainer that each TRL config class stands for.

    >>> config_classes()["DPOConfig"]
    'dpo'
    """
    classes: dict[str, str] = _load()["config_classes"]
    return classes


def _parse(entry: Any) -> Expression | tuple[str, dict[str, Expression]]:
    if isinstance(entry, dict):
        values = {name: parse_expression(text) for name, text in entry["values"].items()}
        return entry["by"], values
    return parse_expression(entry)


@cache
def _load() -> dict[str, Any]:
    resource = files("post_training_toolkit.rules") / "profiles" / "trl.yaml"
    data: dict[str, Any] = yaml.safe_load(resource.read_text(encoding="utf-8"))
    return data
