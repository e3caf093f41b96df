"""Applies a producer's profile to logged rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from post_training_toolkit.engine.door import Row
from post_training_toolkit.rules.profile import Derivation, Profile

# Rows come in a handful of shapes; more than this means that names change at every step.
_MAX_SHAPES = 200


@dataclass(frozen=True, slots=True)
class _Shape:
    """What is to be done to every row with the same keys.

    ``renames`` holds (raw key, canonical name), ``derivations`` what the keys allow.
    """

    renames: tuple[tuple[str, str], ...]
    derivations: tuple[Derivation, ...]


class Canonicalizer:
    """Adds the canonical names of a row's keys, and the metrics derived from them.

    Raw keys stay, and win where a producer logs a canonical name itself.

    >>> from post_training_toolkit.engine.door import admit
    >>> from post_training_toolkit.rules.profile import load_profile
    >>> canonicalizer = Canonicalizer(load_profile("dpo"), {"beta": 0.1})
    >>> sorted(canonicalizer.canonical(admit({"rewards/margins": 0.5})).values.items())
    [('reward_margin', 0.5), ('reward_margin_nats', 5.0), ('rewards/margins', 0.5)]
    """

    def __init__(self, profile: Profile, configuration: Mapping[str, object]) -> None:
        self._profile = profile
        self._configuration = configuration
        self._shapes: dict[tuple[str, ...], _Shape] = {}

    def canonical(self, row: Row) -> Row:
        """Return the row with canonical and derived metrics."""
        keys = tuple(row.values)
        shape = self._shapes.get(keys) or self._learn(keys)
        plain = not row.non_finite and not row.missing
        if plain and not shape.renames and not shape.derivations:
            return row
        values = dict(row.values)
        for raw, name in shape.renames:
            values[name] = values[raw]
        for derivation in shape.derivations:
            result = derivation.compute(values)
            if result is not None:
                values[derivation.name] = result
        if plain:
            return Row(values, row.non_finite, row.missing, row.texts)
        name_of = self._profile.canonical_name
        non_finite = {name_of(key): value for key, value in row.non_finite.items()}
        return Row(
            values,
            {**non_finite, **row.non_finite},
            row.missing | {name_of(key) for key in row.missing},
            row.texts,
        )

    def _learn(self, keys: tuple[str, ...]) -> _Shape:
        present = set(keys)
        renames: dict[str, str] = {}
        for key in keys:
            name = self._profile.canonical_name(key)
            if name not in present and name not in renames:
                renames[name] = key
        derivations = self._profile.derivations(present | renames.keys(), self._configuration)
        shape = _Shape(
            renames=tuple((raw, name) for name, raw in renames.items()),
            derivations=tuple(each for each in derivations if each.name not in present),
        )
        if len(self._shapes) >= _MAX_SHAPES:
            self._shapes.clear()
        self._shapes[keys] = shape
        return shape
