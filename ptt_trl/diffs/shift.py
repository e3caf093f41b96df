"""How far each measure has shifted between two snapshots, and whether that may be chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from post_training_toolkit.ptt_trl.snapshots.measures import (
    MeasuredReply,
    average,
    diversity,
    measure_greedy,
    measure_reply,
    sample_diversity,
)
from post_training_toolkit.ptt_trl.snapshots.prompt import Prompt
from post_training_toolkit.ptt_trl.snapshots.snapshot import Snapshot

# Of the model rather than of its replies.
_OF_MODEL = ("perplexity", "policy_drift", "policy_cosine")
_RESAMPLES = 2000
_SEED = 0


@dataclass(frozen=True, slots=True)
class Shift:
    """One measure before and after.

    ``low`` and ``high`` are the 95 % interval of the change, from a bootstrap over the ``asked``
    prompts that have the measure both times; None for measures that are no mean over replies.
    """

    measure: str
    before: float
    after: float
    low: float | None
    high: float | None
    asked: int

    @property
    def change(self) -> float:
        """What was added from before to after."""
        return self.after - self.before

    @property
    def relative(self) -> float:
        """The size of the change as a part of the larger of both values, 0 if both are 0."""
        largest = max(abs(self.before), abs(self.after))
        return abs(self.change) / largest if largest else 0.0

    @property
    def may_be_chance(self) -> bool:
        """Whether the interval of the change includes none at all."""
        return self.low is not None and self.high is not None and self.low <= 0 <= self.high


def shifts_between(before: Snapshot, after: Snapshot, shared: Sequence[Prompt]) -> list[Shift]:
    """Return the shift of every measure over shared prompts, the largest first.

    Those that may be chance come last; within both groups they are ordered by ``relative``.
    """
    ours, theirs = measure_greedy(before, shared), measure_greedy(after, shared)
    found = [*_of_replies(ours, theirs), *_pooled(before, after, shared, ours, theirs)]
    found += [
        Shift(name, before.measures[name], after.measures[name], None, None, 0)
        for name in _OF_MODEL
        if name in before.measures and name in after.measures
    ]
    return sorted(found, key=lambda each: (each.may_be_chance, -each.relative, each.measure))


def _of_replies(
    before: Mapping[str, MeasuredReply], after: Mapping[str, MeasuredReply]
) -> list[Shift]:
    names = [*average(before.values()), *average(after.values())]
    found = []
    for name in dict.fromkeys(names):
        pairs = [
            (before[prompt].numbers[name], after[prompt].numbers[name])
            for prompt in before.keys() & after.keys()
            if name in before[prompt].numbers and name in after[prompt].numbers
        ]
        if pairs:
            low, high = _interval([then - first for first, then in pairs])
            first, then = (fmean(values) for values in zip(*pairs, strict=True))
            found.append(Shift(name, first, then, low, high, len(pairs)))
    return found


def _interval(changes: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean, from resampled prompts (Efron 1979)."""
    generator = np.random.default_rng(_SEED)
    # Sorted, since the order of prompts shall not count.
    given = np.sort(np.asarray(changes))
    means = generator.choice(given, size=(_RESAMPLES, len(given))).mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def _pooled(
    before: Snapshot,
    after: Snapshot,
    shared: Sequence[Prompt],
    ours: Mapping[str, MeasuredReply],
    theirs: Mapping[str, MeasuredReply],
) -> list[Shift]:
    measured = {
        len(ours): [diversity([each.pairs for each in of.values()]) for of in (ours, theirs)],
        sum(each.sampled for each in shared): [_drawn(of, shared) for of in (before, after)],
    }
    return [
        Shift(name, first[name], then[name], None, None, asked)
        for asked, (first, then) in measured.items()
        for name in first.keys() & then.keys()
    ]


def _drawn(snapshot: Snapshot, shared: Sequence[Prompt]) -> dict[str, float]:
    groups = [
        [measure_reply(prompt, reply).pairs for reply in snapshot.replies_to(prompt.id)[1:]]
        for prompt in shared
        if prompt.sampled
    ]
    return sample_diversity(group for group in groups if group)
