"""What a run logged, by metric instead of by row: eight bytes a value, so that long runs fit."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from post_training_toolkit.engine.canonical import Canonicalizer
from post_training_toolkit.engine.door import Row
from post_training_toolkit.rules.profile import Profile

# Rows come in a handful of shapes; more than this means that names change at every step.
_MOST_SHAPES = 200

Numbers = npt.NDArray[np.float64]
Steps = npt.NDArray[np.int64]
_Shape = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """One metric over a run: ``values`` at ``steps``, as logged, NaN and infinities included.

    ``name`` is the canonical name, ``logged_as`` what the trainer called it; None for a metric that
    was derived from others.
    """

    name: str
    logged_as: str | None
    steps: Steps
    values: Numbers

    @property
    def finite(self) -> npt.NDArray[np.bool_]:
        """Which of the values are finite."""
        return np.isfinite(self.values)


@dataclass(slots=True)
class _Column:
    """The values of one metric, and the numbers of the rows that they stand in."""

    logged_as: str | None
    rows: array[int]
    values: array[float]


class MetricColumns:
    """Takes rows in one by one; the newest can be taken back, as a resume makes them void.

    A metric that has a canonical name is kept under that name only.

    >>> from post_training_toolkit.engine.door import admit
    >>> from post_training_toolkit.rules.profile import load_profile
    >>> columns = MetricColumns(load_profile("dpo"), {})
    >>> for step in (1, 2, 3):
    ...     columns.add(step, admit({"rewards/margins": step / 10}))
    >>> columns.drop_after(2)
    1
    >>> [series] = columns.series().values()
    >>> series.name, series.logged_as, series.steps.tolist(), series.values.tolist()
    ('reward_margin', 'rewards/margins', [1, 2], [0.1, 0.2])
    """

    def __init__(self, profile: Profile, configuration: Mapping[str, object]) -> None:
        self._canonical = Canonicalizer(profile, configuration).canonical
        self._canonical_name = profile.canonical_name
        self._steps = array("q")
        self._columns: dict[str, _Column] = {}
        self._shapes: dict[_Shape, list[tuple[str, _Column]]] = {}

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._steps)

    @property
    def newest_step(self) -> int:
        """The step of the newest row, 0 without any."""
        return self._steps[-1] if self._steps else 0

    def add(self, step: int, row: Row) -> None:
        """Take one row in."""
        number = len(self._steps)
        self._steps.append(step)
        named = self._canonical(row)
        # The row's own keys come first, so that their number tells them from what was added.
        shape: _Shape = (len(row.values), *named.values)
        for key, column in self._shapes.get(shape) or self._learn(shape, named, row):
            column.rows.append(number)
            column.values.append(named.values[key])
        for key, value in row.non_finite.items():
            column = self._column(self._name(key, row.non_finite), key)
            column.rows.append(number)
            column.values.append(value)

    def drop_after(self, step: int) -> int:
        """Take the newest rows back, down to the first of at most this step; return how many."""
        before = len(self)
        while self._steps and self._steps[-1] > step:
            self._steps.pop()
        for column in self._columns.values():
            while column.rows and column.rows[-1] >= len(self._steps):
                column.rows.pop()
                column.values.pop()
        return before - len(self)

    def series(self) -> dict[str, Series]:
        """Return every metric that has a value, in the order in which they were first logged.

        They share the memory of this object, which takes no more rows from then on.
        """
        found: dict[str, Series] = {}
        all_steps: Steps = np.frombuffer(self._steps, dtype=np.int64)
        rows, steps = array("I"), all_steps[:0]
        for name, column in self._columns.items():
            if not column.rows:
                continue
            # Most metrics stand in the same rows, and then share their steps.
            if rows != column.rows:
                rows = column.rows
                steps = all_steps[np.frombuffer(rows, dtype=np.uint32)]
            found[name] = Series(name, column.logged_as, steps, np.frombuffer(column.values))
        return found

    def _learn(self, shape: _Shape, named: Row, row: Row) -> list[tuple[str, _Column]]:
        """Return which key of a row goes into which column, for rows of these keys."""
        own = {key: self._name(key, row.values) for key in row.values}
        added = named.values.keys() - own.keys() - set(own.values())
        found = [(key, self._column(name, key)) for key, name in own.items()]
        found += [(key, self._column(key, None)) for key in named.values if key in added]
        if len(self._shapes) >= _MOST_SHAPES:
            self._shapes.clear()
        self._shapes[shape] = found
        return found

    def _name(self, key: str, logged: Mapping[str, float]) -> str:
        """Return the canonical name, unless the row has another metric of that name."""
        name = self._canonical_name(key)
        return key if name in logged else name

    def _column(self, name: str, logged_as: str | None) -> _Column:
        if name not in self._columns:
            self._columns[name] = _Column(logged_as, array("I"), array("d"))
        return self._columns[name]
