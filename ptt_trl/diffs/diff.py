"""What has changed in a model's behaviour between two snapshots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from post_training_toolkit.ptt_trl.diffs.shift import Shift, shifts_between
from post_training_toolkit.ptt_trl.diffs.text_diff import Segment, compare_texts
from post_training_toolkit.ptt_trl.snapshots.change_from_start import (
    RefusalFlips,
    refusal_flips,
    shared_prompts,
)
from post_training_toolkit.ptt_trl.snapshots.prompt import Prompt, PromptKind
from post_training_toolkit.ptt_trl.snapshots.snapshot import Moment, Refusal, Reply, Snapshot


@dataclass(frozen=True, slots=True)
class Side:
    """One of two snapshots: what a user calls it, and where in a run it was taken."""

    name: str
    step: int | None
    moment: Moment
    time: float
    model: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReplyChange:
    """The greedy replies to one prompt, before and after."""

    prompt: str
    kind: PromptKind
    asked: str
    before: Reply
    after: Reply
    segments: tuple[Segment, ...]
    similarity: float

    @property
    def flipped(self) -> bool:
        """Whether a refusal came or went."""
        return (self.before.refusal is Refusal.FULL) != (self.after.refusal is Refusal.FULL)

    @property
    def same(self) -> bool:
        """Whether both replies are the same to the letter."""
        return self.before.text == self.after.text


@dataclass(frozen=True, slots=True)
class SnapshotDiff:
    """Everything that has changed.

    ``changes`` hold every prompt that both snapshots have, flipped refusals first, then the least
    similar replies. ``remarks`` are sentences on what makes the comparison less than it seems.
    """

    before: Side
    after: Side
    remarks: tuple[str, ...]
    flips: tuple[RefusalFlips, ...]
    shifts: tuple[Shift, ...]
    changes: tuple[ReplyChange, ...]

    @property
    def unchanged(self) -> int:
        """How many replies are the same to the letter."""
        return sum(each.same for each in self.changes)


def compare_snapshots(
    before: Snapshot, after: Snapshot, names: tuple[str, str] | None = None
) -> SnapshotDiff:
    """Compare two snapshots prompt by prompt; ``names`` are what a user calls them.

    Prompts belong together if id and content are the same.
    """
    shared = shared_prompts(before, after)
    first, then = names or (_default_name(before), _default_name(after))
    changes = sorted(_changes(before, after, shared), key=_urgency)
    return SnapshotDiff(
        before=_side(before, first),
        after=_side(after, then),
        remarks=tuple(_remarks(before, after, shared)),
        flips=refusal_flips(before, after),
        shifts=tuple(shifts_between(before, after, shared)),
        changes=tuple(changes),
    )


def _changes(before: Snapshot, after: Snapshot, shared: Sequence[Prompt]) -> Iterator[ReplyChange]:
    ours = {each.prompt: each for each in before.replies if each.sample == 0}
    theirs = {each.prompt: each for each in after.replies if each.sample == 0}
    for prompt in shared:
        first, then = ours[prompt.id], theirs[prompt.id]
        diff = compare_texts(first.text, then.text)
        yield ReplyChange(
            prompt=prompt.id,
            kind=prompt.kind,
            asked=prompt.shown,
            before=first,
            after=then,
            segments=diff.segments,
            similarity=diff.similarity,
        )


def _urgency(change: ReplyChange) -> tuple[bool, float, str]:
    return (not change.flipped, change.similarity, change.prompt)


def _remarks(before: Snapshot, after: Snapshot, shared: Sequence[Prompt]) -> Iterator[str]:
    if not shared:
        yield "The snapshots share no prompt: nothing can be compared but measures of the model."
    for snapshot, where in ((before, "before"), (after, "after")):
        missing = len(snapshot.prompts) - len(shared)
        if missing and shared:
            noun = "prompt is" if missing == 1 else "prompts are"
            yield f"{missing} {noun} only in the snapshot {where}, and left out."
    first, then = asdict(before.generation), asdict(after.generation)
    for name in first:
        if name != "batch_size" and first[name] != then[name]:
            yield f"{name} was {first[name]} before and is {then[name]} after."


def _side(snapshot: Snapshot, name: str) -> Side:
    return Side(name, snapshot.step, snapshot.moment, snapshot.time, snapshot.model)


def _default_name(snapshot: Snapshot) -> str:
    return "snapshot" if snapshot.step is None else f"step {snapshot.step}"
