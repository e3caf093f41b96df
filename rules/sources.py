"""Where rule files come from: shipped packs and the user's own files."""

from __future__ import annotations

import os
import reprlib
import stat
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from post_training_toolkit.rules.document import MAX_BYTES
from post_training_toolkit.rules.model import Source

PACK_PREFIX = "pack:"
DEFAULT_PACK = "pack:default"
_AGENTS_PACK = "agents"
_PROJECT_MARKS = (".git", "pyproject.toml")
# Longer entries are cut in messages.
_SHOWN_LENGTH = 100


def pack_names() -> tuple[str, ...]:
    """Return the names of the shipped packs, without the prefix.

    >>> "dpo" in pack_names()
    True
    """
    folder = files("post_training_toolkit.rules") / "packs"
    return tuple(
        sorted(
            entry.name.removesuffix(".yaml") for entry in folder.iterdir() if _is_yaml(entry.name)
        )
    )


def read_pack(name: str) -> Source:
    """Read one shipped pack; raises ``FileNotFoundError`` for an unknown name."""
    resource = files("post_training_toolkit.rules") / "packs" / f"{name}.yaml"
    return Source(f"{PACK_PREFIX}{name}", resource.read_bytes())


def shipped_sources() -> tuple[Source, ...]:
    """Read every pack."""
    return tuple(read_pack(name) for name in pack_names())


def default_sources() -> tuple[Source, ...]:
    """Read what ``pack:default`` stands for: every pack for trainings, of any trainer.

    Rules choose their own trainers; those for agents have nothing to say of a training.
    """
    return tuple(read_pack(name) for name in pack_names() if name != _AGENTS_PACK)


def default_beside(own: Iterable[Source]) -> list[Source]:
    """Read the packs for trainings, but for those that are among a user's own files."""
    return _beside(default_sources(), own)


def shipped_beside(own: Iterable[Source]) -> list[Source]:
    """Read every pack, but for those that are among a user's own files.

    That is so where somebody checks the packs themselves by their path.
    """
    return _beside(shipped_sources(), own)


def _beside(shipped: Iterable[Source], own: Iterable[Source]) -> list[Source]:
    known = {identity(source) for source in own}
    return [source for source in shipped if identity(source) not in known]


def identity(source: Source) -> str:
    """Return what two sources share if they are one file, be it named as a pack or by its path."""
    if source.folder is not None:
        return str(Path(source.name).resolve())
    if not source.name.startswith(PACK_PREFIX):
        return source.name
    packs = files("post_training_toolkit.rules") / "packs"
    return str(Path(f"{packs}/{source.name.removeprefix(PACK_PREFIX)}.yaml").resolve())


def read_file(path: Path) -> Source:
    """Read a rule file of the user; raises ``OSError`` when that fails.

    Of a file that is too large to be one, only so much is read that the check of its size sees it.
    """
    with path.open("rb") as file:
        return Source(str(path), file.read(MAX_BYTES + 1), str(path.parent))


def resolve_extended_path(entry: str, folder: str) -> Path:
    """Return the file that an entry of ``extends`` names, as seen from the folder of its file.

    It must lie below the root of the project, links followed, so that checking rules of unknown
    origin reads nothing else of the machine. The root is the nearest folder above that holds .git
    or pyproject.toml, or else the folder of the file. Raises ``LookupError`` with a sentence.
    """
    root = _project_root(folder)
    try:
        # Path.resolve raises RuntimeError for a loop of links; this leaves the loop to fail below.
        real = Path(os.path.realpath(Path(folder) / entry))
    except ValueError:
        # A null byte or half of a surrogate pair.
        raise LookupError(f"cannot read {_shortened(entry)}: no file can have this name") from None
    if not real.is_relative_to(root):
        raise LookupError(
            f"{_shortened(entry)} lies outside the project folder {root}; extend files inside it"
        )
    try:
        mode = real.stat().st_mode
    except OSError as error:
        raise LookupError(f"cannot read {_shortened(entry)}: {error.strerror}") from None
    # A pipe would wait for ever, a device may never end.
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "no ordinary file"
        raise LookupError(f"cannot read {_shortened(entry)}: it is {what}; name a rule file")
    return Path(folder) / entry


def _project_root(folder: str) -> Path:
    start = Path(os.path.realpath(folder))
    for each in (start, *start.parents):
        if any((each / mark).exists() for mark in _PROJECT_MARKS):
            return each
    return start


def _shortened(entry: str) -> str:
    return reprlib.repr(entry) if len(entry) > _SHOWN_LENGTH else repr(entry)


def expand_path(path: Path) -> list[Path]:
    """Return the rule files at a path: the file itself, or the YAML files below a folder.

    Raises ``FileNotFoundError`` when there is nothing, so that a typing error in CI is not a pass.
    """
    if path.is_dir():
        found = sorted(each for each in path.rglob("*") if each.is_file() and _is_yaml(each.name))
        if not found:
            raise FileNotFoundError(f"no .yaml file in folder {path}")
        return found
    if not path.exists():
        raise FileNotFoundError(f"no file or folder {path}")
    return [path]


def _is_yaml(name: str) -> bool:
    return name.endswith((".yaml", ".yml"))
