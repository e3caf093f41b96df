"""Reads YAML text into plain data that remembers where each part stood."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.constructor import ConstructorError, SafeConstructor
from yaml.events import CollectionEndEvent, CollectionStartEvent
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError
from yaml.resolver import BaseResolver

from post_training_toolkit.rules.problem import Problem

# libyaml's parser is ten times faster; the pure one is the same language.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# A shipped pack has under 2,000 nodes. The limits stop alias bombs and endless nesting.
MAX_BYTES = 1_000_000
_MAX_NODES = 50_000
_MAX_DEPTH = 50
# No number is longer; reading one of a million digits in base 60 takes minutes.
_MAX_DIGITS = 400
_NUMBER_TAGS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_COLLECTION_TAGS = (BaseResolver.DEFAULT_MAPPING_TAG, BaseResolver.DEFAULT_SEQUENCE_TAG)
_NULL_TAG = "tag:yaml.org,2002:null"

Path = tuple[str | int, ...]


@dataclass(slots=True)
class Document:
    """Plain data of a YAML file and the position of every key and item in it.

    ``data`` is None when the text could not be read; ``problems`` then says why. ``key_positions``
    maps the path of a mapping entry to the position of its key, ``positions`` every path to the
    position of its value; both count from 1.
    """

    name: str
    data: Any = None
    positions: dict[Path, tuple[int, int]] = field(default_factory=dict)
    key_positions: dict[Path, tuple[int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def rule_at(self, path: Path) -> str | None:
        """Return the id of the rule or override that a path lies in, if it has a readable one."""
        if len(path) < 2 or not isinstance(path[1], int) or path[0] not in ("rules", "overrides"):
            return None
        entries = self.data.get(path[0])
        entry = entries[path[1]] if isinstance(entries, list) else None
        name = entry.get("id") if isinstance(entry, dict) else None
        return name if isinstance(name, str) else None

    def problem(self, path: Path, message: str, *, at_key: bool = False) -> Problem:
        """Make a problem located at a path, or at the nearest enclosing part that has a place."""
        positions = self.key_positions if at_key else self.positions
        place = positions.get(path)
        shorter = path
        while place is None and shorter:
            shorter = shorter[:-1]
            place = self.positions.get(shorter)
        line, column = place or (1, 1)
        return Problem(self.name, line, column, self.rule_at(path), message)


def read_document(name: str, text: bytes) -> Document:
    r"""Read YAML safely: no tags that build objects, no duplicate keys, bounded size and depth.

    >>> document = read_document("x.yaml", b"rules:\n  - id: a\n")
    >>> document.data, document.positions["rules", 0, "id"]
    ({'rules': [{'id': 'a'}]}, (2, 9))
    """
    document = Document(name)
    if len(text) > MAX_BYTES:
        message = f"the file is too large; a rule file has at most {MAX_BYTES:,} bytes"
        document.problems.append(Problem(name, 1, 1, None, message))
        return document
    try:
        deep = _first_too_deep(text)
        node = None if deep else yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        what = " ".join(part for part in (error.context, error.problem) if part)
        document.problems.append(Problem(name, line, column, None, f"not valid YAML: {what}"))
    except ReaderError as error:
        place = _place_of_byte(text, error.position)
        message = f"not readable as YAML text: {error.reason}"
        document.problems.append(Problem(name, *place, None, message))
    else:
        if deep:
            message = f"more than {_MAX_DEPTH} levels; a rule file has far fewer"
            document.problems.append(Problem(name, *deep, None, message))
        else:
            _Conversion(document).run(node)
    return document


def _first_too_deep(text: bytes) -> tuple[int, int] | None:
    """Return where nesting passes the limit; libyaml's composer would overflow the C stack."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                return _place(event)
        elif isinstance(event, CollectionEndEvent):
            depth -= 1
    return None


class _TooLargeError(Exception):
    """The document holds more nodes or levels than a rule file may."""


class _Conversion:
    """Turns YAML nodes into plain data while noting positions and duplicate keys."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._constructor = SafeConstructor()
        self._nodes = 0

    def run(self, node: Node | None) -> None:
        if node is None or node.tag == _NULL_TAG:
            self._document.problems.append(
                Problem(
                    self._document.name, 1, 1, None, "the file is empty; start it with version: 1"
                )
            )
            return
        try:
            self._document.data = self._convert(node, ())
        except _TooLargeError as error:
            self._document.problems.append(
                Problem(self._document.name, *_place(node), None, str(error))
            )

    def _convert(self, node: Node, path: Path) -> Any:
        self._nodes += 1
        if self._nodes > _MAX_NODES or len(path) > _MAX_DEPTH:
            raise _TooLargeError(
                f"more than {_MAX_NODES:,} values or {_MAX_DEPTH} levels, aliases expanded; "
                "a rule file has far fewer"
            )
        self._document.positions[path] = _place(node)
        if not isinstance(node, ScalarNode) and node.tag not in _COLLECTION_TAGS:
            self._report(node, f"tag {node.tag!r} has no meaning in a rule file")
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self._convert(item, (*path, i)) for i, item in enumerate(node.value)]
        assert isinstance(node, ScalarNode)  # noqa: S101 - the three kinds of node there are
        return self._scalar(node)

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, ScalarNode) else None
            if not isinstance(key, str):
                self._report(key_node, "a key must be a plain word")
                continue
            if key in result:
                line = self._document.key_positions[(*path, key)][0]
                self._report(key_node, f"key {key!r} appears twice, first in line {line}")
                continue
            self._document.key_positions[(*path, key)] = _place(key_node)
            result[key] = self._convert(value_node, (*path, key))
        return result

    def _scalar(self, node: ScalarNode) -> Any:
        if node.tag in _NUMBER_TAGS and len(node.value) > _MAX_DIGITS:
            self._report(node, "not a plain value: the number is too large")
            return None
        try:
            value = self._constructor.construct_object(node)
        except ConstructorError as error:
            self._report(node, f"not a plain value: {error.problem}")
            return None
        except (ArithmeticError, AttributeError, LookupError, ValueError) as error:
            # '!!bool abc', '!!timestamp abc' and the like fail inside PyYAML in many ways.
            what = error if isinstance(error, ValueError) else f"it does not fit {node.tag!r}"
            self._report(node, f"not a plain value: {what}")
            return None
        if isinstance(value, int) and abs(value) > sys.float_info.max:
            self._report(node, "not a plain value: the number is too large")
            return None
        # Dates and binary data have no meaning in a rule; their text may.
        return value if isinstance(value, (str, int, float, bool, type(None))) else node.value

    def _report(self, node: Node, message: str) -> None:
        self._document.problems.append(Problem(self._document.name, *_place(node), None, message))


def _place(part: Node | CollectionStartEvent) -> tuple[int, int]:
    # The stubs allow for events without a mark; a loader always sets one.
    mark: Any = part.start_mark
    return mark.line + 1, mark.column + 1


def _place_of_byte(text: bytes, offset: int) -> tuple[int, int]:
    before = text[:offset].decode("utf-8", "ignore")
    return before.count("\n") + 1, len(before) - before.rfind("\n")
