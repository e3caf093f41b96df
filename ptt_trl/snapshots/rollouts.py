"""Reads the completions that GRPO writes down itself: snapshots that cost no generation."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from post_training_toolkit.ptt_trl.snapshots.measures import (
    average,
    measure_reply,
    sample_diversity,
)
from post_training_toolkit.ptt_trl.snapshots.prompt import Prompt, PromptKind
from post_training_toolkit.ptt_trl.snapshots.snapshot import Refusal, Reply
from post_training_toolkit.ptt_trl.snapshots.text_units import text_units

METRIC_PREFIX = "rollout/"
_FOLDER = "completions"
# Means over more completions of one log would say the same.
_MOST_COMPLETIONS = 256
# How long completions are and how many are cut off is what trainers log themselves; the text alone
# does not say it.
_MEASURES = (
    "repetition",
    "looping_share",
    "empty_share",
    "trivial_share",
    "copied_share",
    "script_change_share",
)


class RolloutReader:
    """Reads what a trainer with ``log_completions`` has written, once it is on disk.

    The file of a log is written behind it, so that it is read at the next one, or at the end.
    """

    def __init__(self, output_dir: Path) -> None:
        self._folder = output_dir / _FOLDER
        self._logged_at: int | None = None

    def take_up(self, step: int) -> dict[str, float]:
        """Return measures of the completions of the log before this one; empty without any."""
        before, self._logged_at = self._logged_at, step
        if before is None or before == step:
            return {}
        return self.finish(before)

    def finish(self, step: int) -> dict[str, float]:
        """Return measures of the completions that were logged at a step; empty without any."""
        path = self._folder / f"completions_{step:05}.parquet"
        return rollout_row(path) if path.exists() else {}


def rollout_row(path: Path) -> dict[str, float]:
    """Return measures of a file of completions as metrics; raises ``OSError``, ``ValueError``."""
    prompts, replies = read_rollouts(path)
    measured = [measure_reply(prompts[each.prompt], each) for each in replies]
    numbers = average(measured)
    found = {name: numbers[name] for name in _MEASURES if name in numbers}
    groups = defaultdict(list)
    for reply, each in zip(replies, measured, strict=True):
        groups[reply.prompt].append(each.pairs)
    found |= sample_diversity(groups.values())
    return {f"{METRIC_PREFIX}{name}": value for name, value in found.items()}


def read_rollouts(path: Path) -> tuple[dict[str, Prompt], list[Reply]]:
    """Read prompts, by id, and completions; those of one prompt are numbered from 1.

    Columns ``prompt`` and ``completion`` hold text or messages, as TRL 1.16 writes them. At most
    256 completions are read. Raises ``OSError`` and ``ValueError``.
    """
    # It comes with datasets, and only runs that write such files need it.
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path, columns=["prompt", "completion"])
    rows = table.slice(0, _MOST_COMPLETIONS).to_pylist()
    names: dict[str, str] = {}
    prompts: dict[str, Prompt] = {}
    counts: dict[str, int] = defaultdict(int)
    replies = []
    for row in rows:
        asked, said = _text(row["prompt"]), _text(row["completion"])
        name = names.setdefault(asked, f"prompt-{len(names) + 1:03}")
        prompts[name] = Prompt(name, PromptKind.OTHER, text=asked, sampled=True)
        counts[name] += 1
        # How many tokens it had is not written.
        units = len(text_units(said))
        replies.append(Reply(name, counts[name], said, units, False, Refusal.NONE))
    return prompts, replies


def _text(content: Any) -> str:
    """Return text, or that of messages, whose content is text or a list of parts."""
    match content:
        case None:
            return ""
        case str():
            return content
        case list():
            return "\n".join(filter(None, map(_text, content)))
        case _:
            return _text(content.get("content") or content.get("text"))
