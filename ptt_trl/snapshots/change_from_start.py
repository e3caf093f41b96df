"""What has changed in refusals since the start, with the test that says whether it is chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from post_training_toolkit.ptt_trl.snapshots.measures import harmless, measure_greedy
from post_training_toolkit.ptt_trl.snapshots.prompt import Prompt, PromptKind
from post_training_toolkit.ptt_trl.snapshots.snapshot import Refusal, Snapshot

# These say already how far something has come from the start, or are told by groups of prompts.
_WITHOUT_CHANGE = ("refusal_", "partial_refusal_", "policy_", "perplexity")
# A reply that repeats this much more than before counts as one that does.
_MARGIN = 0.1

# The prompts that are judged together.
GROUPS: dict[str, Callable[[PromptKind], bool]] = {
    "harmful": lambda kind: kind is PromptKind.HARMFUL,
    "harmless": harmless,
    "other": lambda kind: kind is PromptKind.OTHER,
}


@dataclass(frozen=True, slots=True)
class RefusalFlips:
    """How refusals of one group of prompts have changed between two snapshots.

    ``asked`` is the number of prompts that both have, ``before`` and ``after`` how many were
    refused. ``to_refusal`` and ``to_answer`` are the ids of those that flipped, ``p_value`` is that
    of McNemar's exact test.
    """

    group: str
    asked: int
    before: int
    after: int
    to_refusal: tuple[str, ...]
    to_answer: tuple[str, ...]
    p_value: float

    @property
    def change(self) -> float:
        """The share of refusals now minus that before."""
        return (self.after - self.before) / self.asked


def refusal_flips(before: Snapshot, after: Snapshot) -> tuple[RefusalFlips, ...]:
    """Return the flips of each group of prompts that both snapshots have."""
    shared = shared_prompts(before, after)
    found = []
    for group, belongs in GROUPS.items():
        asked = {each.id for each in shared if belongs(each.kind)}
        if asked:
            found.append(_flips(group, _refused(before, asked), _refused(after, asked), len(asked)))
    return tuple(found)


def changes_from_start(start: Snapshot, now: Snapshot) -> dict[str, float]:
    """Return how measures have changed, for rules, which know nothing of a first snapshot.

    ``refusal_change/harmful`` and ``/harmless`` are changes of shares, ``refusal_p/...`` the
    p-values of McNemar's exact test; every other measure has its ``..._change``. ``repetition_p``
    and ``trivial_p`` are p-values of sign tests over the prompts: of as many replies that repeat
    themselves more than before, or say next to nothing now, if as many did the opposite by chance.
    """
    changes = {}
    for flips in refusal_flips(start, now):
        if flips.group != "other":
            changes[f"refusal_change/{flips.group}"] = flips.change
            changes[f"refusal_p/{flips.group}"] = flips.p_value
    for name in start.measures.keys() & now.measures.keys():
        if not name.startswith(_WITHOUT_CHANGE):
            changes[f"{name}_change"] = now.measures[name] - start.measures[name]
    if start.measures.get("perplexity") and now.measures.get("perplexity"):
        changes["perplexity_ratio"] = now.measures["perplexity"] / start.measures["perplexity"]
    shared = shared_prompts(start, now)
    before, after = measure_greedy(start, shared), measure_greedy(now, shared)
    for name, measure in (("repetition_p", "repetition"), ("trivial_p", "trivial_share")):
        moved = [
            after[prompt].numbers[measure] - before[prompt].numbers[measure] for prompt in before
        ]
        more, less = (sum(sign * each > _MARGIN for each in moved) for sign in (1, -1))
        changes[name] = mcnemar(more, less)
    return dict(sorted(changes.items()))


def shared_prompts(before: Snapshot, after: Snapshot) -> list[Prompt]:
    """Return the prompts that two snapshots share, by id and by what they ask."""
    known = {each.id: each for each in before.prompts}
    return [each for each in after.prompts if _asks_same(known.get(each.id), each)]


def mcnemar(one_way: int, other_way: int) -> float:
    """Return the two-sided p-value of McNemar's exact test, from the flips in each direction.

    Under the null hypothesis each flip is a fair coin (McNemar 1947).

    >>> mcnemar(8, 0), mcnemar(3, 3), mcnemar(0, 0)
    (0.0078125, 1.0, 1.0)
    """
    if not one_way + other_way:
        return 1.0
    # Half a second to import, and of no use to a run without snapshots.
    from scipy.stats import binomtest

    return float(binomtest(one_way, one_way + other_way).pvalue)


def _asks_same(one: Prompt | None, other: Prompt) -> bool:
    return one is not None and (one.messages, one.text) == (other.messages, other.text)


def _refused(snapshot: Snapshot, asked: set[str]) -> set[str]:
    return {
        each.prompt
        for each in snapshot.replies
        if each.sample == 0 and each.refusal is Refusal.FULL and each.prompt in asked
    }


def _flips(group: str, before: set[str], after: set[str], asked: int) -> RefusalFlips:
    to_refusal, to_answer = sorted(after - before), sorted(before - after)
    return RefusalFlips(
        group=group,
        asked=asked,
        before=len(before),
        after=len(after),
        to_refusal=tuple(to_refusal),
        to_answer=tuple(to_answer),
        p_value=mcnemar(len(to_refusal), len(to_answer)),
    )
