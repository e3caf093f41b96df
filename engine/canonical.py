"""Applies a producer's profile to a logged row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from post_training_toolkit.engine.door import Row
from post_training_toolkit.rules.profile import Profile

Value = TypeVar("Value")


def canonical_row(row: Row, profile: Profile, configuration: Mapping[str, object]) -> Row:
    """Add the canonical names of a row's keys, and the metrics derived from them.

    Raw keys stay, and win where a producer logs a canonical name itself.

    >>> from post_training_toolkit.engine.door import admit
    >>> from post_training_toolkit.rules.profile import load_profile
    >>> row = canonical_row(admit({"rewards/margins": 0.5}), load_profile("dpo"), {"beta": 0.1})
    >>> sorted(row.values.items())
    [('reward_margin', 0.5), ('reward_margin_nats', 5.0), ('rewards/margins', 0.5)]
    """
    values = _renamed(row.values, profile)
    return Row(
        values={**profile.derive(values, configuration), **values},
        non_finite=_renamed(row.non_finite, profile),
        missing=row.missing | {profile.canonical_name(key) for key in row.missing},
        texts=row.texts,
    )


def _renamed(found: Mapping[str, Value], profile: Profile) -> dict[str, Value]:
    renamed = dict(found)
    for key, value in found.items():
        renamed.setdefault(profile.canonical_name(key), value)
    return renamed
