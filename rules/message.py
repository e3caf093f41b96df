"""Message templates: text with placeholders that can format numbers and nothing else."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from post_training_toolkit.rules.suggestion import did_you_mean

BUILT_IN_PLACEHOLDERS = (
    "value",
    "threshold",
    "reference",
    "ratio",
    "difference",
    "metric",
    "step",
    "window",
)
_NUMBER_FORMAT = re.compile(r"[-+ ]?#?0?\d{0,2}(,)?(\.\d{1,2})?[eEfFgG%]?", re.ASCII)
# What a placeholder shows when its number does not exist, for example a ratio without reference.
_ABSENT = "n/a"


class MessageError(ValueError):
    """A template that cannot be rendered; the text says which placeholder is wrong."""


@dataclass(frozen=True, slots=True)
class Message:
    """A checked template: literal text and (placeholder, number format) in turn."""

    text: str
    _parts: tuple[tuple[str, str | None, str], ...]

    def render(self, values: Mapping[str, float | int | str | None]) -> str:
        """Fill in the placeholders; a value that does not exist shows as "n/a".

        >>> parse_message("loss {value:.3g} at step {step}").render({"value": 0.6931, "step": 40})
        'loss 0.693 at step 40'
        """
        rendered = []
        for literal, name, number_format in self._parts:
            rendered.append(literal)
            if name is not None:
                rendered.append(_show(values.get(name), number_format))
        return "".join(rendered)


def parse_message(text: str, labels: Iterable[str] = ()) -> Message:
    """Check a template against the built-in placeholders and the labels of the rule's conditions.

    Raises ``MessageError``.
    """
    known = {*BUILT_IN_PLACEHOLDERS, *labels}
    try:
        parsed = list(string.Formatter().parse(text))
    except ValueError as error:
        raise MessageError(f"{error}; write {{{{ and }}}} for literal braces") from None
    parts = []
    for literal, name, number_format, conversion in parsed:
        if name is not None and name not in known:
            raise MessageError(f"unknown placeholder {{{name}}}{did_you_mean(name, known)}")
        if conversion is not None or not _NUMBER_FORMAT.fullmatch(number_format or ""):
            shown = f"!{conversion}" if conversion is not None else f":{number_format}"
            raise MessageError(
                f"{{{name}{shown}}} is not a number format; use one such as {{{name}:.3g}}"
            )
        parts.append((literal, name, number_format or ""))
    return Message(text, tuple(parts))


def _show(value: float | int | str | None, number_format: str) -> str:
    if value is None:
        return _ABSENT
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    return format(value, number_format or ".4g")
