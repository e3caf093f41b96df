"""Says what changed between two starts of the same run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from post_training_toolkit.ptt_trl.seam_comparison import SeamComparison

VERSION = 1
# What differs at every start and says nothing about the training.
_UNTOLD = frozenset({"resume_from_checkpoint", "logging_dir", "run_name", "local_rank"})
_IDENTITIES = ("reference_model", "tokenizer", "packages")
# Its fingerprint changes by training.
_MODEL = ("class", "name", "revision", "parameters", "trainable_parameters", "adapters")
_DATA = ("class", "rows", "columns", "sample_sha256")


def compare_starts(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return {what, before, now} for each argument and each identity that changed.

    ``before`` and ``now`` are the start metadata of two starts.

    >>> compare_starts({"configuration": {"beta": 0.1}}, {"configuration": {"beta": 0.2}})
    [{'what': 'configuration.beta', 'before': 0.1, 'now': 0.2}]
    """
    changes = _changes("configuration", before, now)
    changes = [each for each in changes if each["what"].partition(".")[2] not in _UNTOLD]
    for part in _IDENTITIES:
        changes += _changes(part, before, now)
    for part, names in (("model", _MODEL), ("dataset", _DATA)):
        identities = [{part: _only(start.get(part), names)} for start in (before, now)]
        changes += _changes(part, *identities)
    if before.get("rules_sha256") != now.get("rules_sha256"):
        changes += _changes("rules_sha256", before, now)
    return changes


def resume_record(
    step: int,
    changes: list[dict[str, Any]],
    void_rows: int,
    comparison: SeamComparison | None = None,
) -> dict[str, Any]:
    """Return what one resume is told by: its step, changes, void rows, and its curves."""
    return {
        "step": step,
        "changes": changes,
        "void_rows": void_rows,
        "curves": comparison.curves() if comparison is not None else [],
    }


def _only(identity: Any, names: tuple[str, ...]) -> Any:
    if not isinstance(identity, Mapping):
        return identity
    return {name: identity.get(name) for name in names}


def _changes(part: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what differs in a part of the metadata, key by key where both have keys."""
    old, new = before.get(part), now.get(part)
    if old == new:
        return []
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return [{"what": part, "before": old, "now": new}]
    return [
        {"what": f"{part}.{key}", "before": old.get(key), "now": new.get(key)}
        for key in dict.fromkeys([*old, *new])
        if old.get(key) != new.get(key)
    ]
