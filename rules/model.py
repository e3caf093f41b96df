"""What a validated rule is: frozen values that any engine can compile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from post_training_toolkit.rules.expression import Expression
from post_training_toolkit.rules.message import Message
from post_training_toolkit.rules.severity import Severity

ConfigurationValue = str | int | float | bool | None


class Comparison(StrEnum):
    """How a threshold compares; the value is the key in the rule file."""

    ABOVE = "above"
    BELOW = "below"
    BETWEEN = "between"
    OUTSIDE = "outside"
    EQUALS = "equals"
    NON_FINITE = "non_finite"
    MISSING = "missing"


# Ask whether the newest value is there at all, and compare nothing.
SIGNALS = (Comparison.NON_FINITE, Comparison.MISSING)


class Status(StrEnum):
    """Maturity of a rule."""

    STABLE = "stable"
    EXPERIMENTAL = "experimental"
    DEPRECATED = "deprecated"


@dataclass(frozen=True, slots=True)
class Window:
    """How many logged observations a statistic looks at.

    With ``fraction`` None the size is ``at_least``; otherwise it is that share of the planned
    logs, kept within the bounds.
    """

    at_least: int
    at_most: int
    fraction: float | None = None

    def size(self, planned_logs: int | None) -> int:
        """Return the number of observations for a run of so many planned logs.

        >>> Window(at_least=5, at_most=50, fraction=0.1).size(200)
        20
        >>> Window(at_least=5, at_most=50, fraction=0.1).size(None)
        5
        """
        if self.fraction is None or planned_logs is None:
            return self.at_least
        return min(max(round(self.fraction * planned_logs), self.at_least), self.at_most)


@dataclass(frozen=True, slots=True)
class StatisticChoice:
    """A statistic by name and its window."""

    name: str
    window: Window


class Reference(StrEnum):
    """What a relative threshold divides by, when it is not another statistic."""

    BASELINE = "baseline"
    RUNNING_BEST = "running_best"


@dataclass(frozen=True, slots=True)
class Threshold:
    """When a value is bad.

    ``bounds`` holds two expressions for between and outside, one for above, below and equals,
    none for non_finite and missing. With ``relative_to`` the ratio value / reference is compared.
    """

    comparison: Comparison
    bounds: tuple[Expression, ...] = ()
    tolerance: Expression | None = None
    relative_to: Reference | StatisticChoice | None = None
    reference_at_least: Expression | None = None


@dataclass(frozen=True, slots=True)
class MetricCondition:
    """One comparison of one metric's statistic with a threshold."""

    metric: str
    statistic: StatisticChoice
    threshold: Threshold
    label: str | None = None


@dataclass(frozen=True, slots=True)
class AllOf:
    """True when every part is true."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True when at least one part is true."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True when the part is false."""

    part: Condition


Condition = MetricCondition | AllOf | AnyOf | Not


def metric_conditions(condition: Condition) -> Iterator[MetricCondition]:
    """Yield the comparisons in a condition, in the order of the file."""
    match condition:
        case MetricCondition():
            yield condition
        case AllOf(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from metric_conditions(part)
        case Not(part=part):
            yield from metric_conditions(part)


@dataclass(frozen=True, slots=True)
class Gate:
    """When a rule applies at all. Empty ``trainers`` means every trainer."""

    trainers: frozenset[str] = frozenset()
    where: Mapping[str, tuple[ConfigurationValue, ...]] | None = None
    after_observations: int = 0
    after_steps: int = 0
    after_fraction: float = 0.0


@dataclass(frozen=True, slots=True)
class Citation:
    """A source and what it supports: the mechanism, the threshold or the remedy."""

    title: str
    supports: str
    authors: str | None = None
    year: int | None = None
    arxiv: str | None = None
    doi: str | None = None
    url: str | None = None
    locator: str | None = None

    def __str__(self) -> str:
        """Return one line a reader can look up.

        >>> str(Citation("A Title", "mechanism", "Ann Author", 2024, "2401.00001", locator="Eq. 7"))
        'Ann Author (2024), "A Title", Eq. 7, arXiv:2401.00001'
        """
        author = self.authors or ""
        if self.year is not None:
            author = f"{author} ({self.year})".strip()
        link = f"arXiv:{self.arxiv}" if self.arxiv else f"doi:{self.doi}" if self.doi else self.url
        parts = (author, f'"{self.title}"', self.locator, link)
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Rule:
    """One validated rule.

    ``required_observations`` is the ``for`` of the file: consecutive observations before it fires.
    ``line`` and ``column`` say where in ``source`` it stands.
    """

    id: str
    title: str
    condition: Condition
    severity: Severity
    message: Message
    remediation: tuple[str, ...]
    citations: tuple[Citation, ...]
    threshold_origin: str
    detects: tuple[str, ...]
    gate: Gate = Gate()
    description: str = ""
    status: Status = Status.STABLE
    required_observations: int = 1
    keep_firing_for: int = 5
    false_alarms: tuple[str, ...] = ()
    source: str = ""
    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True)
class Override:
    """A project's change to a rule of a source it extends."""

    id: str
    reason: str
    disable: bool = False
    severity: Severity | None = None
    threshold: Threshold | None = None
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class RuleBundle:
    """The rules of a run after extends and overrides, and the texts they came from."""

    rules: tuple[Rule, ...]
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A rule file as read: its display name, its bytes, and the folder that paths in it start at.

    ``folder`` is None for packs, which cannot extend files.
    """

    name: str
    text: bytes
    folder: str | None = None
