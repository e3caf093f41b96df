"""What a validated rule is: frozen values that any engine can compile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from post_training_toolkit.rules.condition import (
    Condition,
    Threshold,
    WholeRun,
    Window,
    metrics_of,
)
from post_training_toolkit.rules.message import Message
from post_training_toolkit.rules.severity import Severity

ConfigurationValue = str | int | float | bool | None


class Status(StrEnum):
    """Maturity of a rule."""

    STABLE = "stable"
    EXPERIMENTAL = "experimental"
    DEPRECATED = "deprecated"


class LearningRatePhase(StrEnum):
    """What the logged learning rate does."""

    WARMUP = "warmup"
    CONSTANT = "constant"
    DECAY = "decay"


@dataclass(frozen=True, slots=True)
class Gate:
    """When a rule applies at all.

    Empty ``trainers`` and ``learning_rate_phases`` mean every one, an empty ``trl`` every version.
    ``after_at_most_steps`` bounds what ``after_fraction`` gives; ``until_steps`` and
    ``until_fraction`` are the last point at which the rule is judged; None is no bound.
    """

    trainers: frozenset[str] = frozenset()
    where: Mapping[str, tuple[ConfigurationValue, ...]] | None = None
    trl: str = ""
    learning_rate_phases: frozenset[LearningRatePhase] = frozenset()
    after_observations: int = 0
    after_steps: int = 0
    after_fraction: float = 0.0
    after_at_most_steps: int | None = None
    until_steps: int | None = None
    until_fraction: float | None = None


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
class Escalation:
    """The second level of a rule: its condition, how long it must hold, and the severity then."""

    severity: Severity
    condition: Condition
    required_observations: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One validated rule.

    ``required_observations`` is the ``for`` of the file: consecutive observations before it fires.
    ``inhibits`` and ``caused_by`` name rules; both say which insight is a consequence of which.
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
    cool_down: int = 0
    escalation: Escalation | None = None
    inhibits: tuple[str, ...] = ()
    caused_by: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    renamed_from: tuple[str, ...] = ()
    false_alarms: tuple[str, ...] = ()
    source: str = ""
    line: int = 1
    column: int = 1

    @property
    def highest_severity(self) -> Severity:
        """The severity that the rule can reach."""
        if self.escalation is None:
            return self.severity
        return max(self.severity, self.escalation.severity, key=lambda each: each.rank)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric that the rule reads, globs as they are written."""
        escalation = metrics_of(self.escalation.condition) if self.escalation else ()
        return tuple(dict.fromkeys((*metrics_of(self.condition), *escalation)))


@dataclass(frozen=True, slots=True)
class Override:
    """A project's change to a rule of a source it extends.

    ``label`` says to which condition of the rule ``threshold`` and ``window`` belong.
    """

    id: str
    reason: str
    disable: bool = False
    severity: Severity | None = None
    label: str | None = None
    threshold: Threshold | None = None
    window: Window | WholeRun | None = None
    required_observations: int | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """Rules by id, tag or severity; a rule matches when any of them fits."""

    ids: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    severities: frozenset[Severity] = frozenset()

    def matches(self, rule: Rule) -> bool:
        """Return whether the rule is among those that are meant."""
        return bool(
            self.ids & {rule.id, *rule.renamed_from}
            or self.tags & set(rule.tags)
            or rule.severity in self.severities
        )


@dataclass(frozen=True, slots=True)
class Rename:
    """An old id that a file still uses for a rule."""

    file: str
    line: int
    column: int
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class RuleBundle:
    """The rules of a run after extends and overrides, and the texts they came from.

    ``renames`` are the places that use an old id of a rule.
    """

    rules: tuple[Rule, ...]
    sources: tuple[Source, ...]
    renames: tuple[Rename, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A rule file as read: its display name, its bytes, and the folder that paths in it start at.

    ``folder`` is None for packs, which cannot extend files.
    """

    name: str
    text: bytes
    folder: str | None = None
