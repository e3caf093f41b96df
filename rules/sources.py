"""Where rule files come from: shipped packs and the user's own files."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from post_training_toolkit.rules.document import MAX_BYTES
from post_training_toolkit.rules.model import Source

PACK_PREFIX = "pack:"
DEFAULT_PACK = "pack:default"


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


def default_sources() -> tuple[Source, ...]:
    """Read what ``pack:default`` stands for: every pack, since rules choose their own trainers."""
    return tuple(read_pack(name) for name in pack_names())


def shipped_beside(own: Iterable[Source]) -> list[Source]:
    """Read the shipped packs, but for those that are among a user's own files.

    That is so where somebody checks the packs themselves by their path.
    """
    folder = files("post_training_toolkit.rules") / "packs"
    paths = {Path(source.name).resolve() for source in own if source.folder is not None}
    return [
        source
        for source in default_sources()
        if Path(str(folder / f"{source.name.removeprefix(PACK_PREFIX)}.yaml")).resolve()
        not in paths
    ]


def read_file(path: Path) -> Source:
    """Read a rule file of the user; raises ``OSError`` when that fails.

    Of a file that is too large to be one, only so much is read that the check of its size sees it.
    """
    with path.open("rb") as file:
        return Source(str(path), file.read(MAX_BYTES + 1), str(path.parent))


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
