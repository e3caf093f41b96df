"""A comparison as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson

from post_training_toolkit.ptt_trl.comparison.advice_words import advice_sentences
from post_training_toolkit.ptt_trl.comparison.run_comparison import RunComparison
from post_training_toolkit.ptt_trl.snapshots.snapshot_file import encodable

_VERSION = 1
# Of a page only: the numbers are in the files of the runs, the words made of what is here.
_DRAWN = ("charts",)
_SAID = ("headline", "flip_sentences", "table")


def to_json(comparison: RunComparison) -> str:
    """Return a comparison as JSON, in the form of ``schemas/run_comparison.schema.json``."""
    content: dict[str, Any] = {"version": _VERSION, **asdict(comparison)}
    for name in _DRAWN:
        del content[name]
    content["checkpoints"]["sentences"] = list(advice_sentences(comparison.checkpoints))
    for difference in content["behaviour"]["differences"]:
        for name in _SAID:
            del difference[name]
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(encodable(content), option=options).decode()
