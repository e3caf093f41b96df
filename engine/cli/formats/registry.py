"""The formats by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from post_training_toolkit.engine.cli.formats.github import format_github
from post_training_toolkit.engine.cli.formats.json import format_json
from post_training_toolkit.engine.cli.formats.junit import format_junit
from post_training_toolkit.engine.cli.formats.sarif import format_sarif
from post_training_toolkit.engine.cli.formats.text import format_text
from post_training_toolkit.engine.cli.validation import Validation

# Each returns what goes to stdout, whole lines; nothing when there is nothing to say.
FORMATS: Mapping[str, Callable[[Validation], str]] = MappingProxyType(
    {
        "text": format_text,
        "json": format_json,
        "junit": format_junit,
        "github": format_github,
        "sarif": format_sarif,
    }
)
