"""The measures of a whole log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from post_training_toolkit.agents.analysis.episode_summary import EpisodeSummary
from post_training_toolkit.agents.analysis.length_effect import (
    LengthEffect,
    effect_within,
    pooled_effect,
)
from post_training_toolkit.agents.analysis.pass_at_k import PassAtK, pass_at_k
from post_training_toolkit.agents.analysis.result import LabelQuality
from post_training_toolkit.agents.analysis.share import Share
from post_training_toolkit.agents.analysis.task_attempts import Attempts, label_conflicts

_FEWEST_JUDGED = 2


@dataclass(frozen=True, slots=True)
class LogMeasures:
    """What the episodes of a log show together."""

    labels: LabelQuality
    success: Share | None
    pass_at: tuple[PassAtK, ...]
    length_pooled: LengthEffect | None
    length_within: LengthEffect | None
    truncated: int
    duplicate_ids: int

    def row(self) -> dict[str, float]:
        """Return the measures by the names of the catalogue; what there is none of is left out."""
        labels, one_sided = self.labels, self.labels.one_sided
        episodes = labels.successes + labels.failures + labels.unjudged
        pooled, within = self.length_pooled, self.length_within
        values: dict[str, float | None] = {
            "log/episodes": episodes,
            "log/success_share": self.success.value if self.success else None,
            "log/unjudged_share": labels.unjudged / episodes,
            "log/truncated_share": self.truncated / episodes,
            "log/duplicate_ids": self.duplicate_ids,
            "log/label_conflicts": labels.conflicts,
            "log/tasks": one_sided.of if one_sided else 0,
            "log/one_sided_share": one_sided.value if one_sided else None,
            "log/reward_length_pooled": pooled.correlation if pooled else None,
            "log/reward_length_pooled_distance": pooled.distance if pooled else None,
            "log/reward_length_within": within.correlation if within else None,
            "log/reward_length_within_distance": within.distance if within else None,
        }
        return {name: float(value) for name, value in values.items() if value is not None}


def measure_log(
    episodes: Sequence[EpisodeSummary], attempts: Attempts, truncated: int
) -> LogMeasures:
    """Return the measures of a log; ``truncated`` of its records break off."""
    judged = [each.success for each in episodes if each.success is not None]
    counts = [_successes(tried) for tried in attempts.values()]
    several = [(n, c) for n, c in counts if n >= _FEWEST_JUDGED]
    one_sided = Share(sum(c in (0, n) for n, c in several), len(several)) if several else None
    scored = [_length_and_score(tried) for tried in attempts.values()]
    return LogMeasures(
        labels=LabelQuality(
            successes=sum(judged),
            failures=len(judged) - sum(judged),
            unjudged=len(episodes) - len(judged),
            conflicts=len(label_conflicts(episodes, attempts)),
            one_sided=one_sided,
        ),
        success=Share(sum(judged), len(judged)) if judged else None,
        pass_at=pass_at_k([each for each in counts if each[0]]) if several else (),
        length_pooled=pooled_effect(_length_and_score(episodes)),
        length_within=effect_within([pairs for pairs in scored if pairs]),
        truncated=truncated,
        duplicate_ids=len(episodes) - len({each.id for each in episodes}),
    )


def _successes(tried: Sequence[EpisodeSummary]) -> tuple[int, int]:
    judged = [each.success for each in tried if each.success is not None]
    return len(judged), sum(judged)


def _length_and_score(episodes: Sequence[EpisodeSummary]) -> list[tuple[float, float]]:
    return [(each.acts, each.score) for each in episodes if each.score is not None]
