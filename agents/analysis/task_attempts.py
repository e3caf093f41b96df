"""The attempts at each task, set against each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import median

from post_training_toolkit.agents.analysis.episode_summary import EpisodeSummary

_FEWEST_ATTEMPTS = 3
# Of two acts and seven nobody needs to hear.
_LEAST_ACTS = 5

Attempts = dict[str, list[EpisodeSummary]]


def attempts_by_task(episodes: Sequence[EpisodeSummary]) -> Attempts:
    """Return the episodes of each task; those without a task are left out."""
    by_task: Attempts = defaultdict(list)
    for episode in episodes:
        if episode.task is not None:
            by_task[episode.task].append(episode)
    return dict(by_task)


def budget_ratios(attempts: Attempts) -> Iterator[tuple[EpisodeSummary, dict[str, float]]]:
    """Yield for each episode of a task with three attempts or more what it took over the median.

    The median is that of the same task: over all tasks, hard ones would seem to run away.
    """
    for episodes in attempts.values():
        if len(episodes) < _FEWEST_ATTEMPTS:
            continue
        medians = {
            "task/acts_ratio": max(median(each.acts for each in episodes), _LEAST_ACTS),
            "task/tokens_ratio": _median([each.tokens for each in episodes]),
            "task/cost_ratio": _median([each.cost for each in episodes]),
        }
        for episode in episodes:
            taken = zip(medians.items(), (episode.acts, episode.tokens, episode.cost), strict=True)
            yield (
                episode,
                {name: value / usual for (name, usual), value in taken if value and usual},
            )


def label_conflicts(episodes: Sequence[EpisodeSummary], attempts: Attempts) -> list[EpisodeSummary]:
    """Return the successes whose reward contradicts them.

    That is one with less reward than a failure at the same task, and one with none at all where
    other episodes have some.
    """
    some_reward = any(each.reward is not None and each.reward > 0 for each in episodes)
    best_failure = {
        task: max(
            (each.reward for each in tried if each.success is False and each.reward), default=0.0
        )
        for task, tried in attempts.items()
    }
    conflicts = []
    for each in episodes:
        if each.success is not True or each.reward is None or not some_reward:
            continue
        failed = best_failure.get(each.task, 0.0) if each.task is not None else 0.0
        if each.reward <= 0 or each.reward < failed:
            conflicts.append(each)
    return conflicts


def _median(values: list[int | None] | list[float | None]) -> float:
    known = [value for value in values if value is not None]
    return median(known) if len(known) >= _FEWEST_ATTEMPTS else 0.0
