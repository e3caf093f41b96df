"""Runs a recorded run through the engine again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from post_training_toolkit.engine.engine import Engine
from post_training_toolkit.engine.event import Event
from post_training_toolkit.engine.metrics_file import (
    LoggedRow,
    MetricsEntry,
    Milestone,
    read_metrics,
)
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.engine.run_files import (
    DEFAULT_FOLDER,
    METADATA_START,
    METRICS,
    RULES,
    newest,
)
from post_training_toolkit.engine.seams import consolidate, up_to
from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.model import RuleBundle
from post_training_toolkit.rules.sources import expand_path, read_file


class RunDirectoryError(ValueError):
    """A folder that is not a run directory; the text says what is wrong with it."""


def replay(entries: Iterable[MetricsEntry], engine: Engine) -> Iterator[Event]:
    """Yield the events that a live run with these entries gave.

    Open episodes close at ``train_end``, as live; a run that died has none and leaves them open.
    What was logged after the end, such as a last evaluation, is not judged. Of what was logged
    twice because the run was resumed, the later counts.
    """
    for entry in consolidate(entries).entries:
        match entry:
            case LoggedRow(step=step, row=row):
                yield from engine.observe(step, row)
            case Milestone(event="exception", step=step, death=death):
                yield from engine.die(step, death)
            case Milestone(event="train_end", step=step):
                yield from engine.finish(step)


def rebuild(entries: Iterable[MetricsEntry], engine: Engine, step: int) -> list[Event]:
    """Bring a new engine to where it stood when the checkpoint of a step was written.

    Return the events up to there; the engine then takes the rows of the resumed run.
    """
    return list(replay(up_to(entries, step), engine))


def replay_run_directory(folder: Path) -> Iterator[Event]:
    """Yield the events of a run directory, from its metrics, configuration and rules.

    Raises ``RunDirectoryError`` when one of them is missing, ``MetricsFileError`` for a broken
    metrics line and ``InvalidRulesError`` for broken rules.
    """
    require_run_directory(folder)
    bundle = read_recorded_rules(folder)
    engine = Engine(bundle.rules, read_run_description(folder))
    yield from replay(read_metrics(folder / METRICS), engine)


def require_run_directory(folder: Path) -> None:
    """Raise ``RunDirectoryError`` for a folder that lacks what a replay needs."""
    for name in (METADATA_START, METRICS, RULES):
        if not (folder / name).exists():
            inside = folder / DEFAULT_FOLDER
            guess = f"; did you mean {inside}?" if (inside / METADATA_START).exists() else ""
            raise RunDirectoryError(f"{folder} is no run directory: it has no {name}{guess}")


def read_run_description(folder: Path) -> RunDescription:
    """Read what was known of a run when it was started last; raises ``RunDirectoryError``."""
    path = newest(folder, METADATA_START)
    try:
        metadata: dict[str, Any] = orjson.loads(path.read_bytes())
        return RunDescription(
            trainer=metadata["trainer"],
            configuration=metadata["configuration"],
            max_steps=metadata["max_steps"],
            logging_steps=metadata["logging_steps"],
            trl_version=(metadata.get("packages") or {}).get("trl"),
        )
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise RunDirectoryError(f"{path} is no start metadata ({reason})") from None


def read_recorded_rules(folder: Path) -> RuleBundle:
    """Read the rules as they were at the last start; everything they extend is among them."""
    try:
        paths = expand_path(newest(folder, RULES))
    except FileNotFoundError as error:
        raise RunDirectoryError(f"{folder} is no run directory: {error}") from None
    sources = [read_file(path) for path in paths]
    return load_bundle(sources, follow_extends=False)
