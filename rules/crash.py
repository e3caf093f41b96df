"""What a crash rule asks of the way in which a run died."""

from __future__ import annotations

from dataclasses import dataclass

# How a run ends is a metric like any other: 1 where it died, 0 where it came to its end.
EXCEPTION = "exception"


@dataclass(frozen=True, slots=True)
class CrashCondition:
    """Facts about a death; every one that is given must hold, with any of its values.

    ``text`` holds regular expressions, of which one must be found in the text of the death.
    """

    text: tuple[str, ...] = ()
    exit_reasons: tuple[str, ...] = ()
    signals: tuple[str, ...] = ()
    exit_codes: tuple[int, ...] = ()

    def implies(self, other: CrashCondition) -> bool:
        """Return whether the other condition surely holds of every death of which this one does.

        >>> CrashCondition(("a",), ("killed",)).implies(CrashCondition(("b", "a")))
        True
        """
        facts = (
            (set[object](self.text), set[object](other.text)),
            (set[object](self.exit_reasons), set[object](other.exit_reasons)),
            (set[object](self.signals), set[object](other.signals)),
            (set[object](self.exit_codes), set[object](other.exit_codes)),
        )
        return all(not theirs or (bool(mine) and mine <= theirs) for mine, theirs in facts)
