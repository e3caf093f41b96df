"""Workflow commands of GitHub Actions, which annotate the lines of a pull request."""

from __future__ import annotations

from post_training_toolkit.engine.cli.formats.location import relative_path, sentence
from post_training_toolkit.engine.cli.validation import Validation
from post_training_toolkit.rules.problem import Problem


def format_github(validation: Validation) -> str:
    """Return an ``::error`` for each error and a ``::warning`` for each finding."""
    commands = [_command("error", error) for error in validation.errors]
    commands += [_command("warning", finding) for finding in validation.findings]
    return "".join(f"{command}\n" for command in commands)


def _command(level: str, problem: Problem) -> str:
    properties = {"line": str(problem.line), "col": str(problem.column), "title": problem.code}
    file = relative_path(problem.file)
    # A shipped pack is no file of the repository; its name then leads the message.
    message = sentence(problem) if file is not None else f"{problem.file}: {sentence(problem)}"
    if file is not None:
        properties = {"file": file, **properties}
    shown = ",".join(f"{name}={escape_property(value)}" for name, value in properties.items())
    return f"::{level} {shown}::{escape_data(message)}"


def escape_data(text: str) -> str:
    r"""Escape a message as the runner of GitHub reads it back.

    >>> escape_data("100% of\nthem")
    '100%25 of%0Athem'
    """
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    """Escape a property, in which colons and commas would end it.

    >>> escape_property("C:/rules, ours.yaml")
    'C%3A/rules%2C ours.yaml'
    """
    return escape_data(text).replace(":", "%3A").replace(",", "%2C")
