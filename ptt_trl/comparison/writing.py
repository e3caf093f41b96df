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
_SAID = ("sentences", "table")


def to_json(comparison: RunComparison) -> str:
    """Return a comparison as JSON, in the form of ``schemas/run_comparison.schema.json``."""
    content: dict[str, Any] = {"version": _VERSION, **asdict(comparison)}
    for name in _DRAWN:
        del content[name]
    content["checkpoints"]["sentences"] = list(advice_sentences(comparison.checkpoints))
    compared = comparison.behaviour.differences
    for found, told in zip(compared, content["behaviour"]["differences"], strict=True):
        for name in _SAID:
            del told[name]
        for flips, written in zip(found.flips, told["flips"], strict=True):
            written["change"] = flips.change
        for shift, written in zip(found.shifts, told["shifts"], strict=True):
            written |= {"change": shift.change, "may_be_chance": shift.may_be_chance}
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(encodable(content), option=options).decode()
