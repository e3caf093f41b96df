"""Snapshots on disk: ``snapshots/step-000120.json`` in a run directory."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import jsonschema
import orjson

from post_training_toolkit.ptt_trl.atomic_write import write_atomically
from post_training_toolkit.ptt_trl.snapshots.prompt import Message, Prompt, PromptKind
from post_training_toolkit.ptt_trl.snapshots.snapshot import (
    Generation,
    Moment,
    Refusal,
    Reply,
    Snapshot,
)
from post_training_toolkit.schemas import load_schema

SNAPSHOTS = "snapshots"
# What measures have before their names as metrics of a run.
METRIC_PREFIX = "snapshot/"
_VERSION = 1


class SnapshotFileError(ValueError):
    """A file that is no snapshot."""


def snapshot_path(folder: Path, step: int) -> Path:
    """Return where the snapshot of a step stands in a run directory.

    >>> snapshot_path(Path("run"), 120).as_posix()
    'run/snapshots/step-000120.json'
    """
    return folder / SNAPSHOTS / f"step-{step:06}.json"


def snapshot_paths(folder: Path) -> list[Path]:
    """Return the snapshots of a run directory, in the order of their steps."""
    return sorted((folder / SNAPSHOTS).glob("step-*.json"), key=snapshot_step)


def snapshot_step(path: Path) -> int:
    """Return the step that the name of a snapshot's file says.

    >>> snapshot_step(Path("run/snapshots/step-000120.json"))
    120
    """
    return int(path.stem.removeprefix("step-"))


def write_snapshot(path: Path, snapshot: Snapshot) -> None:
    """Write a snapshot, and the folder that it stands in; raises ``OSError``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    content = {"version": _VERSION, **asdict(snapshot)}
    # What a tokenizer decodes may hold halves of surrogate pairs, which are no text.
    write_atomically(path, orjson.dumps(encodable(content), option=options))


def read_snapshot(path: Path) -> Snapshot:
    """Read a snapshot; raises ``SnapshotFileError`` with a sentence, and ``OSError``."""
    try:
        content = orjson.loads(path.read_bytes())
        jsonschema.validate(content, load_schema("snapshot"))
    except orjson.JSONDecodeError as error:
        raise SnapshotFileError(
            f"{path}:{error.lineno}:{error.colno}: this is no JSON: {error.msg}"
        ) from None
    except jsonschema.ValidationError as error:
        problem = f"{error.json_path}: {error.message}"
        raise SnapshotFileError(f"{path}: this is no snapshot: {problem}") from None
    del content["version"]
    return Snapshot(
        **{
            **content,
            "moment": Moment(content["moment"]),
            "generation": Generation(**content["generation"]),
            "prompts": tuple(_prompt(each) for each in content["prompts"]),
            "replies": tuple(
                Reply(**{**each, "refusal": Refusal(each["refusal"])})
                for each in content["replies"]
            ),
        }
    )


def _prompt(content: dict[str, Any]) -> Prompt:
    messages = tuple(Message(**each) for each in content["messages"])
    return Prompt(**{**content, "kind": PromptKind(content["kind"]), "messages": messages})


def encodable(content: Any) -> Any:
    """Return plain data as JSON holds it: without halves of surrogate pairs, which are no text."""
    match content:
        case dict():
            return {key: encodable(each) for key, each in content.items()}
        case list() | tuple():
            return [encodable(each) for each in content]
        case str():
            return content.encode("utf-8", "replace").decode("utf-8")
        case _:
            return content
