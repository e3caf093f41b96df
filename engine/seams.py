"""Makes one run of a metrics file that a run was resumed into."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from post_training_toolkit.engine.metrics_file import LoggedRow, MetricsEntry, Milestone


@dataclass(frozen=True, slots=True)
class ConsolidatedRun:
    """The entries that count, in order, and a sentence for every seam among them."""

    entries: tuple[MetricsEntry, ...]
    notes: tuple[str, ...]


def consolidate(entries: Iterable[MetricsEntry]) -> ConsolidatedRun:
    """Drop what a later start has made void: rows after its checkpoint, and earlier ends.

    What is logged between an end and the next start, such as a last evaluation, is no part of the
    training and is dropped too.

    A run that is resumed from the checkpoint of step 50 after it had come to step 70 logs the steps
    51 to 70 twice; the later ones count, since the weights come from them. A step that goes back
    without a new start is read in the same way.

    >>> from post_training_toolkit.engine.door import admit
    >>> rows = [LoggedRow(step, None, admit({"loss": 1.0})) for step in (10, 20, 30, 20)]
    >>> [entry.step for entry in consolidate(rows).entries]
    [10, 20]
    """
    kept: list[MetricsEntry] = []
    notes: list[str] = []
    for entry in entries:
        match entry:
            case Milestone(event="train_begin", step=step) if kept:
                void = _drop_after(kept, step)
                notes.append(f"the run was resumed at step {step}{_void_rows(void)}")
            case LoggedRow(step=step) if _newest_step(kept) > step:
                void = _drop_after(kept, step - 1)
                notes.append(f"the logged steps go back to {step}{_void_rows(void)}")
                kept.append(entry)
            case LoggedRow() if kept and _is_end(kept[-1]):
                pass
            case _:
                kept.append(entry)
    return ConsolidatedRun(tuple(kept), tuple(notes))


def up_to(entries: Iterable[MetricsEntry], step: int) -> list[MetricsEntry]:
    """Return what had been logged when the checkpoint of a step was written."""
    kept = list(consolidate(entries).entries)
    _drop_after(kept, step)
    return kept


def _drop_after(kept: list[MetricsEntry], step: int) -> int:
    """Drop later rows and every end from the tail; return how many rows that were."""
    void = 0
    while kept:
        newest = kept[-1]
        if isinstance(newest, LoggedRow):
            if newest.step <= step:
                break
            void += 1
        elif newest.event == "train_begin":
            break
        kept.pop()
    return void


def _is_end(entry: MetricsEntry) -> bool:
    return isinstance(entry, Milestone) and entry.event != "train_begin"


def _newest_step(kept: list[MetricsEntry]) -> int:
    return next((entry.step for entry in reversed(kept) if isinstance(entry, LoggedRow)), 0)


def _void_rows(void: int) -> str:
    if not void:
        return ""
    return f"; {void} row{'' if void == 1 else 's'} logged after it before no longer count"
