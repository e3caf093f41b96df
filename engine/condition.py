"""Conditions at run time: comparisons joined by all, any and not."""

from __future__ import annotations

from collections.abc import Iterator

from post_training_toolkit.engine.check import Check
from post_training_toolkit.engine.door import Row


class AllChecks:
    """False as soon as one part is, else unknown if one is, else true."""

    def __init__(self, parts: tuple[CompiledCondition, ...]) -> None:
        self.parts = parts

    def evaluate(self, step: int, row: Row) -> bool | None:
        """Judge every part, so that each keeps its own state up to date."""
        outcomes = [part.evaluate(step, row) for part in self.parts]
        return False if False in outcomes else None if None in outcomes else True


class AnyCheck:
    """True as soon as one part is, else unknown if every part is, else false.

    A part that is unknown because its metric is never logged does not keep the others from saying
    no, so that one rule can watch metrics that only some trainers have.
    """

    def __init__(self, parts: tuple[CompiledCondition, ...]) -> None:
        self.parts = parts

    def evaluate(self, step: int, row: Row) -> bool | None:
        """Judge every part, so that each keeps its own state up to date."""
        outcomes = [part.evaluate(step, row) for part in self.parts]
        return True if True in outcomes else False if False in outcomes else None


class NotCheck:
    """The opposite of its part; unknown stays unknown."""

    def __init__(self, part: CompiledCondition) -> None:
        self.parts = (part,)

    def evaluate(self, step: int, row: Row) -> bool | None:
        """Judge the part and turn the answer round."""
        outcome = self.parts[0].evaluate(step, row)
        return None if outcome is None else not outcome


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
