"""Measures of replies: refusal, length, repetition, diversity, script."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

from post_training_toolkit.ptt_trl.snapshots.prompt import Prompt, PromptKind
from post_training_toolkit.ptt_trl.snapshots.snapshot import Refusal, Reply, Snapshot
from post_training_toolkit.ptt_trl.snapshots.text_units import (
    dominant_script,
    is_looping,
    pieces,
    text_units,
)

# A reply of fewer units says next to nothing.
_TRIVIAL_UNITS = 3
_REPEATED_UNITS = 4


@dataclass(frozen=True, slots=True)
class MeasuredReply:
    """What one reply contributes: numbers by name, and its neighbouring pairs of units.

    A number that is undefined for a reply, such as the script of one without letters, is left out.
    ``pairs`` are for measures over several replies together.
    """

    numbers: Mapping[str, float]
    pairs: tuple[tuple[str, ...], ...]


def measure_reply(prompt: Prompt, reply: Reply) -> MeasuredReply:
    """Measure one reply by itself; shares are 0 or 1."""
    units = text_units(reply.text)
    numbers = {
        "length": float(reply.tokens),
        "truncated_share": float(reply.truncated),
        f"refusal_rate/{prompt.kind}": float(reply.refusal is Refusal.FULL),
        f"partial_refusal_rate/{prompt.kind}": float(reply.refusal is Refusal.PARTIAL),
        "repetition": _repetition(units),
        "looping_share": float(is_looping(units)),
        "empty_share": float(not units),
        "trivial_share": float(len(units) < _TRIVIAL_UNITS),
        "copied_share": float(_repeats(prompt.shown, reply.text)),
    }
    asked, answered = dominant_script(prompt.shown), dominant_script(reply.text)
    if asked is not None and answered is not None:
        numbers["script_change_share"] = float(asked != answered)
    return MeasuredReply(numbers, tuple(pieces(units, 2)))


def measure_replies(prompts: Sequence[Prompt], replies: Sequence[Reply]) -> dict[str, float]:
    """Measure the greedy replies, and how much the drawn ones to the same prompt differ.

    A measure that is undefined, such as refusals without a harmful prompt, is left out.
    """
    of_prompt = {each.id: each for each in prompts}
    greedy = [reply for reply in replies if reply.sample == 0]
    drawn = [reply for reply in replies if reply.sample > 0]
    of_greedy = [measure_reply(of_prompt[reply.prompt], reply) for reply in greedy]
    measures = average(of_greedy)
    measures |= diversity([each.pairs for each in of_greedy])
    groups = defaultdict(list)
    for reply in drawn:
        measured = measure_reply(of_prompt[reply.prompt], reply)
        groups[reply.prompt].append(measured.pairs)
    return measures | sample_diversity(groups.values())


def measure_greedy(snapshot: Snapshot, prompts: Sequence[Prompt]) -> dict[str, MeasuredReply]:
    """Measure the greedy reply to each of some prompts of a snapshot, by the id of the prompt."""
    of_prompt = {each.id: each for each in prompts}
    return {
        reply.prompt: measure_reply(of_prompt[reply.prompt], reply)
        for reply in snapshot.replies
        if reply.sample == 0 and reply.prompt in of_prompt
    }


def average(measured: Iterable[MeasuredReply]) -> dict[str, float]:
    """Return the mean of each number over the replies that have it."""
    values = defaultdict(list)
    for each in measured:
        for name, value in each.numbers.items():
            values[name].append(value)
    return {name: fmean(found) for name, found in values.items()}


def diversity(of_replies: Sequence[tuple[tuple[str, ...], ...]]) -> dict[str, float]:
    """Return distinct-2 and the self-similarity of replies to different prompts.

    distinct-2 is distinct pairs over all pairs (Li et al. 2016, arXiv 1510.03055).
    """
    found = {"distinct_2": distinct(of_replies), "self_similarity": similarity(of_replies)}
    return {name: value for name, value in found.items() if value is not None}


def sample_diversity(
    groups: Iterable[Sequence[tuple[tuple[str, ...], ...]]],
) -> dict[str, float]:
    """Return the same within the replies that were drawn to one prompt, as a mean over prompts."""
    listed = list(groups)
    formulas: dict[str, Callable[[Sequence[tuple[tuple[str, ...], ...]]], float | None]] = {
        "sample_distinct_2": distinct,
        "sample_similarity": similarity,
    }
    found = {name: [formula(group) for group in listed] for name, formula in formulas.items()}
    defined = {
        name: [value for value in values if value is not None] for name, values in found.items()
    }
    return {name: fmean(values) for name, values in defined.items() if values}


def distinct(of_replies: Sequence[tuple[tuple[str, ...], ...]]) -> float | None:
    """Return distinct pairs of units over all pairs, None without any.

    >>> distinct([(("a", "b"), ("b", "c")), (("a", "b"),)])
    0.6666666666666666
    """
    total = sum(map(len, of_replies))
    return len({pair for each in of_replies for pair in each}) / total if total else None


def similarity(of_replies: Sequence[tuple[tuple[str, ...], ...]]) -> float | None:
    """Return the mean Jaccard index of the pairs of two replies, None with fewer than two.

    Two replies without any pair are equal.

    >>> similarity([(("a", "b"), ("b", "c")), (("a", "b"),)])
    0.5
    """
    sets = [frozenset(each) for each in of_replies]
    found = [
        len(one & other) / len(one | other) if one | other else 1.0
        for one, other in combinations(sets, 2)
    ]
    return fmean(found) if found else None


def harmless(kind: PromptKind) -> bool:
    """Return whether a good model answers prompts of a kind."""
    return kind in (PromptKind.BENIGN, PromptKind.BORDERLINE)


def _repetition(units: Sequence[str]) -> float:
    """Return 1 - distinct 4-grams / 4-grams (Welleck et al. 2019, arXiv 1908.04319)."""
    runs = pieces(units, _REPEATED_UNITS)
    # What is too short for that repeats nothing.
    return 1.0 - len(set(runs)) / len(runs) if runs else 0.0


def _repeats(asked: str, answered: str) -> bool:
    """Return whether a reply has the whole prompt in it, however it is spaced."""
    question = " ".join(asked.split())
    return bool(question) and question in " ".join(answered.split())
