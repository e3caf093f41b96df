"""The prompts and texts that snapshots bring along."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from post_training_toolkit.ptt_trl.snapshots.prompt import Message, Prompt, PromptKind


@cache
def built_in_prompts() -> tuple[Prompt, ...]:
    """Return the built-in prompts: 16 harmful ones, 16 borderline ones, and 8 benign ones.

    >>> [each.id for each in built_in_prompts() if each.sampled]
    ['benign-01', 'benign-02', 'benign-03', 'benign-04']
    """
    return tuple(
        _prompt(f"{kind}-{number:02}", PromptKind(kind), entry)
        for kind, entries in _load("prompts.yaml").items()
        for number, entry in enumerate(entries, start=1)
    )


@cache
def probe_texts() -> tuple[str, ...]:
    """Return the texts that a model reads at every snapshot, of many kinds and four languages.

    >>> len(probe_texts())
    12
    """
    return tuple(_load("probe_texts.yaml"))


def _prompt(name: str, kind: PromptKind, entry: str | dict[str, Any]) -> Prompt:
    content, sampled = (entry, False) if isinstance(entry, str) else entry.values()
    return Prompt(name, kind, messages=(Message("user", content),), sampled=sampled)


def _load(name: str) -> Any:
    resource = files("post_training_toolkit.ptt_trl") / "snapshots" / name
    return yaml.safe_load(resource.read_text(encoding="utf-8"))
