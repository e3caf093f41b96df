"""Reads a labelled run: a recorded run beside a run.yaml that says what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from post_training_toolkit.engine.metrics_file import read_metrics
from post_training_toolkit.engine.readers.description import (
    DescribedRecording,
    GivenDescription,
    describe,
)
from post_training_toolkit.engine.readers.recording import Recording
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.engine.run_files import METRICS
from post_training_toolkit.rules.document import Document, read_document
from post_training_toolkit.rules.profile import config_classes
from post_training_toolkit.rules.suggestion import did_you_mean, guess

LABELS = "run.yaml"
_LOGS = ("log.jsonl", "log.jsonl.gz", METRICS)
# What the trainers take where a run does not say; rules that count examples need them.
_USUAL = {"gradient_accumulation_steps": 1, "world_size": 1, "logging_steps": 1, "fp16": False}
_NEEDED = ("trainer", "fault", "onset_step", "expected")
_OPTIONAL = ("hyperparameters", "match", "acceptable", "trl")


class LabelledRunError(ValueError):
    """A folder that is no labelled run; the text says where and why."""


class Match(StrEnum):
    """Whether every expected failure mode must be raised, or any one of them is enough."""

    ALL = "all"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Labels:
    """What is known to be wrong with a run.

    ``fault`` is None for a healthy run. ``onset_step`` is the first logged step at which the fault
    is in force, 0 for one that is there from the start.
    """

    fault: str | None
    onset_step: int = 0
    expected: tuple[str, ...] = ()
    match: Match = Match.ALL
    acceptable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelledRun:
    """A recorded run and its labels; ``given`` is what the labels say of the run itself."""

    name: str
    log: Path
    labels: Labels
    given: GivenDescription

    def read(self) -> DescribedRecording:
        """Read the log; raises ``LabelledRunError`` where it is broken."""
        recording = describe(Recording(read_metrics(self.log), RunDescription()), self.given)
        if recording.broken is not None:
            raise LabelledRunError(recording.broken)
        return recording


def find_labelled_runs(folder: Path) -> list[Path]:
    """Return the folders directly below, or the folder itself, that have labels; by name."""
    if (folder / LABELS).exists():
        return [folder]
    return sorted(path.parent for path in folder.glob(f"*/{LABELS}"))


def read_labelled_run(folder: Path) -> LabelledRun:
    """Read the labels of a run and find its log; raises ``LabelledRunError``."""
    path = folder / LABELS
    try:
        document = read_document(str(path), path.read_bytes())
    except OSError as error:
        raise LabelledRunError(f"cannot read {path}: {error.strerror}") from None
    if document.problems or not isinstance(document.data, dict):
        problem = next(iter(document.problems), f"{path}:1:1: expected keys and values")
        raise LabelledRunError(str(problem))
    reader = _LabelReader(document, document.data)
    labels, given = reader.labels(), reader.given()
    log = next((folder / name for name in _LOGS if (folder / name).exists()), None)
    if log is None:
        raise LabelledRunError(f"{folder} is no labelled run: it has no {', '.join(_LOGS)}")
    return LabelledRun(folder.name, log, labels, given)


@dataclass(frozen=True, slots=True)
class _LabelReader:
    """Checks the entries of one run.yaml; the first that is wrong raises ``LabelledRunError``."""

    document: Document
    data: Mapping[str, Any]

    def labels(self) -> Labels:
        self._check_keys()
        expected, acceptable = self._names("expected"), self._names("acceptable")
        match = self.data.get("match", Match.ALL)
        if match not in tuple(Match):
            raise self._error("match", f"{match!r} is neither all nor any")
        fault = self._text("fault")
        if fault is None:
            if expected:
                raise self._error("expected", "a healthy run (fault: null) can expect nothing")
            return Labels(None, acceptable=acceptable)
        onset = self.data["onset_step"]
        if isinstance(onset, bool) or not isinstance(onset, int) or onset < 0:
            raise self._error("onset_step", f"{onset!r} is no step; a fault begins at 0 or later")
        return Labels(fault, onset, expected, Match(match), acceptable)

    def given(self) -> GivenDescription:
        trainer = self._text("trainer")
        known = set(config_classes().values())
        if trainer is not None and trainer not in known:
            raise self._error("trainer", f"no trainer {trainer!r}{did_you_mean(trainer, known)}")
        arguments = self.data.get("hyperparameters", {})
        if not isinstance(arguments, Mapping):
            raise self._error("hyperparameters", "expected the trainer's arguments by name")
        version = self.data.get("trl")
        return GivenDescription(
            trainer,
            {**_USUAL, **arguments},
            trl_version=None if version is None else str(version),
        )

    def _check_keys(self) -> None:
        for key in _NEEDED:
            if key not in self.data:
                raise self._error("", f"no key {key!r}{guess(key, self.data)}")
        known = {*_NEEDED, *_OPTIONAL}
        for key in self.data:
            # A run may say more about itself; only what looks like a key that is absent is a slip.
            if key not in known and (near := guess(key, known - set(self.data))):
                raise self._error(key, f"unknown key {key!r}{near}")

    def _text(self, key: str) -> str | None:
        value = self.data[key]
        if value is not None and not isinstance(value, str):
            raise self._error(key, f"{value!r} is no name; expected a word or null")
        return value

    def _names(self, key: str) -> tuple[str, ...]:
        value = self.data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self._error(key, "expected a list of failure modes, [] for none")
        return tuple(value)

    def _error(self, key: str, message: str) -> LabelledRunError:
        return LabelledRunError(str(self.document.problem((key,), message)))
