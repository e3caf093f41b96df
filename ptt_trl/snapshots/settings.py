"""What a user asks of snapshots."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

from post_training_toolkit.ptt_trl.snapshots.prompt import Prompt
from post_training_toolkit.ptt_trl.snapshots.prompt_file import read_prompts
from post_training_toolkit.ptt_trl.snapshots.prompt_set import built_in_prompts
from post_training_toolkit.ptt_trl.snapshots.refusal import RefusalClassifier, classify_by_phrases
from post_training_toolkit.ptt_trl.snapshots.snapshot import Generation

# Beside those at the start and at the end.
_SNAPSHOTS_OF_A_RUN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotSettings:
    """How snapshots of a run's behaviour are taken: at the start, at the end and in between.

    Args:
        every: optimizer steps between two snapshots; a tenth of the run by default.
        prompts: a file of prompts, beside the built-in ones. Formats: JSONL, JSON, YAML, CSV, and
            text with one prompt a line.
        built_in: ask the built-in prompts, too.
        generation: length, number and seed of the replies.
        classify: judges replies; by default phrases of refusals in English.

    Raises ``ValueError`` for settings that mean nothing, or no prompt at all, ``PromptFileError``
    with every located mistake in the file, and ``OSError``.
    """

    every: int | None = None
    prompts: str | Path | None = None
    built_in: bool = True
    generation: Generation = field(default_factory=Generation)
    classify: RefusalClassifier = classify_by_phrases

    def __post_init__(self) -> None:
        """Check what could otherwise only fail when the training has begun."""
        if self.every is not None and self.every < 1:
            raise ValueError(f"every must be at least 1 step, not {self.every}")
        if self.prompts is None and not self.built_in:
            raise ValueError("without the built-in prompts, name a file of prompts")

    def read_prompts(self) -> tuple[Prompt, ...]:
        """Return all prompts, the built-in ones first."""
        own = read_prompts(Path(self.prompts)) if self.prompts is not None else ()
        found = (*(built_in_prompts() if self.built_in else ()), *own)
        known = set()
        for prompt in found:
            if prompt.id in known:
                raise ValueError(f"{self.prompts}: {prompt.id} is the id of a built-in prompt")
            known.add(prompt.id)
        return found

    def steps_between(self, max_steps: int) -> int:
        """Return how many steps lie between two snapshots of a run of that length."""
        return self.every or max(ceil(max_steps / _SNAPSHOTS_OF_A_RUN), 1)


def snapshot_settings(given: bool | str | Path | SnapshotSettings) -> SnapshotSettings | None:
    """Return what a user has asked for, in short or in full; None for no snapshots.

    >>> snapshot_settings(False)
    """
    match given:
        case bool():
            return SnapshotSettings() if given else None
        case str() | Path():
            return SnapshotSettings(prompts=given)
        case _:
            return given
