"""The reference page of the rule language, from its JSON Schema and the statistics' docstrings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from post_training_toolkit.engine.page import escape_markdown
from post_training_toolkit.rules.lint import CODES

if TYPE_CHECKING:
    from post_training_toolkit.engine.statistics.registry import StatisticDescription

Schema = Mapping[str, Any]

_INTRODUCTION = """\
Every key of a rule file, from the JSON Schema that `ptt-rules schema` prints. With this first line
an editor completes and checks as you type:

```yaml
# yaml-language-server: $schema=rules.schema.json
```"""
_CRASH_RULES = """\
A rule looks at metrics while the run goes on, or, with `crash` in place of a condition on metrics,
at the way in which the run died. A crash rule is judged once, when the run dies:

```yaml
version: 1
extends: [pack:default]
rules:
  - id: scoring_service_gone
    title: The scoring service did not answer
    crash:
      text: ["ScoringError: .{0,80}(refused|timed out)"]
      exit_reason: [exception]
    severity: high
    inhibits: [training_died]
    detects: [crash]
    message: "No scores after step {step}: {error}"
    remediation: [Start the service again and resume from the last checkpoint.]
    citation: []
    threshold_origin: empirical
```

Its unit tests say how the run dies: `died: {exit_reason: exception, text: "ScoringError: ..."}`."""
_TYPES = {
    "array": "list",
    "boolean": "true or false",
    "integer": "whole number",
    "null": "null",
    "number": "number",
    "object": "mapping",
    "string": "text",
}


def language_page(schema: Schema, statistics: Iterable[StatisticDescription]) -> str:
    """Return the page as Markdown."""
    blocks = ["# The rule language, version 1", _INTRODUCTION, "## A file"]
    blocks += _mapping_blocks(schema, schema["$defs"])
    for name in _reachable(schema):
        blocks += [f"## {name}", *_mapping_blocks(schema["$defs"][name], schema["$defs"])]
    blocks += ["## Crash rules", _CRASH_RULES, "## Statistics", _statistics_table(statistics)]
    blocks += [
        "## Findings of `ptt-rules validate`",
        "They do not make a file unusable; `--strict` makes the command fail on them.",
        _table(("code", "meaning"), [(f"`{code}`", text) for code, text in CODES.items()]),
    ]
    return "\n\n".join(blocks) + "\n"


def _reachable(schema: Schema) -> list[str]:
    """Return the definitions that need a section, in the order in which a reader meets them."""
    found: dict[str, None] = {}
    waiting = list(_references(schema.get("properties", {})))
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            found[name] = None
            waiting += _references(schema["$defs"][name])
    return list(found)


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        if isinstance(part.get("$ref"), str):
            yield _target(part["$ref"])
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def _mapping_blocks(definition: Schema, definitions: Mapping[str, Schema]) -> list[str]:
    """Return the description, the value if it is no mapping alone, and the table of keys."""
    blocks = []
    if "description" in definition:
        blocks.append(_cell(definition["description"]))
    if definition.get("type") != "object":
        blocks.append(f"Value: {_value(definition)}.")
    if "properties" in definition:
        required = definition.get("required", ())
        rows = [
            (
                f"`{key}`",
                _value(part),
                "yes" if key in required else "",
                _meaning(part, definitions),
            )
            for key, part in definition["properties"].items()
        ]
        blocks.append(_table(("key", "value", "required", "meaning"), rows))
        for key, part in definition["properties"].items():
            if "properties" in part:
                blocks += [f"### {key}", *_mapping_blocks(part, definitions)]
    return blocks


def _meaning(part: Schema, definitions: Mapping[str, Schema]) -> str:
    """Return what a key says of itself, else the first sentence about what it refers to."""
    if "description" in part or "$ref" not in part:
        return _cell(part.get("description", ""))
    described = str(definitions[_target(part["$ref"])].get("description", ""))
    first, stop, _ = described.partition(". ")
    return _cell(first + stop.strip())


def _value(part: Schema) -> str:
    """Say in words what a value may be."""
    if "$ref" in part:
        name = _target(part["$ref"])
        return f"[{name}](#{name})"
    if "const" in part:
        return f"`{json.dumps(part['const'])}`"
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"])
    if "if" in part:
        return _conditional(part)
    types = [part["type"]] if isinstance(part.get("type"), str) else part.get("type", [])
    if "items" in part:
        return f"list of {_value(part['items'])}{_limits(part)}"
    return " or ".join(_type_words(each, part) for each in types)


def _type_words(name: str, part: Schema) -> str:
    limited = name in ("integer", "number") or (name == "string" and "pattern" in part)
    return _TYPES[name] + (_limits(part) if limited else "")


def _conditional(part: Schema) -> str:
    """Say the value of a schema that allows text by an if, and other types beside it."""
    text = _value(part["then"]) if "enum" in part["then"] or "$ref" in part["then"] else "text"
    if "pattern" in part["then"]:
        text = f"text like `{_pattern(part['then'])}`"
    if "else" in part:
        return f"{_value(part['else'])}, or {text}"
    others = [_type_words(each, part) for each in part["type"] if each != "string"]
    return ", ".join(others) + f" or {text}"


def _limits(part: Schema) -> str:
    words = []
    for key, limit in (
        ("minimum", "at least"),
        ("exclusiveMinimum", "above"),
        ("maximum", "at most"),
        ("exclusiveMaximum", "below"),
    ):
        if key in part:
            words.append(f"{limit} {part[key]}")
    if "pattern" in part:
        words.append(f"like `{_pattern(part)}`")
    if part.get("minItems", 0) > 1:
        words.append(f"{part['minItems']} of them")
    return f" ({', '.join(words)})" if words else ""


def _pattern(part: Schema) -> str:
    # Python's $ also matches before a last line break, which the schema rules out at length.
    return str(part["pattern"]).replace("$(?!\\n)", "$").replace("\\Z", "$")


def _statistics_table(statistics: Iterable[StatisticDescription]) -> str:
    rows = []
    for each in statistics:
        window = "needed" if each.takes_window else "none"
        parameters = "; ".join(f"`{name}`: {text}" for name, text in each.parameters.items())
        whole_run = "yes" if each.whole_run else ""
        summary = " ".join(each.summary.split())
        rows.append((f"`{each.name}`", _cell(summary), window, whole_run, _cell(parameters)))
    header = ("statistic", "what it says", "window", "`window: run`", "parameters")
    return _table(header, rows)


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(_bars(cell) for cell in line)} |" for line in lines)


def _bars(cell: str) -> str:
    # A bar ends a cell even inside of code.
    return cell.replace("|", "\\|")


def _cell(text: str) -> str:
    return escape_markdown(text.replace("``", "`"))


def _target(reference: str) -> str:
    return reference.rpartition("/")[2]
