"""What an analysis of agent runs found: plain values, which pages are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from post_training_toolkit.agents.analysis.distribution import Distribution
from post_training_toolkit.agents.analysis.length_effect import LengthEffect
from post_training_toolkit.agents.analysis.pass_at_k import PassAtK
from post_training_toolkit.agents.analysis.share import Share
from post_training_toolkit.rules.severity import Severity


@dataclass(frozen=True, slots=True)
class Example:
    """An episode in which a rule fired; ``step`` is where that shows, None for no single step."""

    episode: str
    step: int | None
    message: str


@dataclass(frozen=True, slots=True)
class AgentInsight:
    """A rule that fired.

    ``episodes`` says in how many of the episodes that it could judge; None for a rule about the
    whole log. ``examples`` are the first of them.
    """

    rule: str
    title: str
    severity: Severity
    message: str
    episodes: Share | None
    examples: tuple[Example, ...]
    remediation: tuple[str, ...]
    citations: tuple[str, ...]
    threshold_origin: str


@dataclass(frozen=True, slots=True)
class ToolUse:
    """How a tool fared; ``malformed`` counts calls that its schema does not allow."""

    name: str
    calls: int
    errors: int
    malformed: int


@dataclass(frozen=True, slots=True)
class Spread:
    """A quantity over all episodes that have it, over successes, and over failures."""

    every: Distribution
    successes: Distribution | None
    failures: Distribution | None


@dataclass(frozen=True, slots=True)
class LabelQuality:
    """What the labels are worth; ``one_sided`` tells tasks whose attempts all end alike."""

    successes: int
    failures: int
    unjudged: int
    conflicts: int
    one_sided: Share | None


@dataclass(frozen=True, slots=True)
class Analysis:
    """What the episodes of a log show; ``print`` shows it as text.

    ``repeated_calls`` counts episodes with a call or a cycle of calls made three times or more,
    ``malformed_calls`` those with a call that cannot be parsed, of a tool that is not on offer, or
    with arguments that its schema does not allow; both None for no episodes. ``type_source`` says
    what ``success_by_type`` goes by. ``not_measured`` says what could not be measured, and why.
    """

    episodes: int
    insights: tuple[AgentInsight, ...]
    repeated_calls: Share | None
    malformed_calls: Share | None
    success: Share | None
    success_by_type: Mapping[str, Share]
    type_source: str
    spreads: Mapping[str, Spread]
    tools: tuple[ToolUse, ...]
    pass_at: tuple[PassAtK, ...]
    end_reasons: Mapping[str, int]
    length_pooled: LengthEffect | None
    length_within: LengthEffect | None
    labels: LabelQuality
    not_measured: tuple[str, ...]

    def __str__(self) -> str:
        return self.to_text()

    def to_text(self) -> str:
        """Return the analysis as text for a terminal."""
        from post_training_toolkit.agents.analysis.page import analysis_text

        return analysis_text(self)

    def to_markdown(self) -> str:
        """Return the analysis as Markdown."""
        from post_training_toolkit.agents.analysis.page import analysis_markdown

        return analysis_markdown(self)

    def to_json(self) -> dict[str, Any]:
        """Return the analysis as JSON holds it, by the schema ``agent_analysis``."""
        from post_training_toolkit.agents.analysis.document import analysis_document

        return analysis_document(self)
