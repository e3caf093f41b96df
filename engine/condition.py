"""Conditions at run time: comparisons joined by all, any and not."""

from __future__ import annotations

from collections.abc import Iterator

from post_training_toolkit.engine.check import Check
from post_training_toolkit.engine.door import Row


class AllChecks:
    """False as soon as one part is, else unknown if one is, else true."""

    def __init__(self, parts: tuple[CompiledCondition, ...]) -> None:
        self.parts = parts
        self.met: bool | None = None

    def evaluate(self, step: int, row: Row) -> bool | None:
        """Judge every part, so that each keeps its own state up to date."""
        outcomes = [part.evaluate(step, row) for part in self.parts]
        self.met = False if False in outcomes else None if None in outcomes else True
        return self.met


class AnyCheck:
    """True as soon as one part is, else unknown if every part is, else false.

    A part that is unknown because its metric is never logged does not keep the others from saying
    no, so that one rule can watch metrics that only some trainers have.
    """

    def __init__(self, parts: tuple[CompiledCondition, ...]) -> None:
        self.parts = parts
        self.met: bool | None = None

    def evaluate(self, step: int, row: Row) -> bool | None:
        """Judge every part, so that each keeps its own state up to date."""
        outcomes = [part.evaluate(step, row) for part in self.parts]
        self.met = True if True in outcomes else False if False in outcomes else None
        return self.met


class NotCheck:
    """The opposite of its part; unknown stays unknown."""

    def __init__(self, part: CompiledCondition) -> None:
        self.parts = (part,)
        self.met: bool | None = None

    def evaluate(self, step: int, row: Row) -> bool | None:
        """Judge the part and turn the answer round."""
        outcome = self.parts[0].evaluate(step, row)
        self.met = None if outcome is None else not outcome
        return self.met


CompiledCondition = Check | AllChecks | AnyCheck | NotCheck


def checks_in(condition: CompiledCondition) -> Iterator[Check]:
    """Yield the comparisons in a condition, in the order of the rule."""
    if isinstance(condition, Check):
        yield condition
    else:
        for part in condition.parts:
            yield from checks_in(part)


def affirmed_checks(condition: CompiledCondition) -> Iterator[Check]:
    """Yield the comparisons that speak for trouble when they hold: those under no ``not``."""
    if isinstance(condition, Check):
        yield condition
    elif not isinstance(condition, NotCheck):
        for part in condition.parts:
            yield from affirmed_checks(part)


def holding_checks(condition: CompiledCondition) -> Iterator[Check]:
    """Yield the comparisons by which a condition holds: those that do, in parts that do.

    One that holds in a part which does not hold as a whole says nothing.
    """
    if not condition.met or isinstance(condition, NotCheck):
        return
    if isinstance(condition, Check):
        yield condition
    else:
        for part in condition.parts:
            yield from holding_checks(part)
