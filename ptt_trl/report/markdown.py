"""Writes a report as Markdown."""

from __future__ import annotations

import re

import jinja2

from post_training_toolkit.ptt_trl.report.content import Report
from post_training_toolkit.rules.printable import printable

# What Markdown would take for markup. An underscore or a tilde is none within a word.
_MARKUP = re.compile(r"[\\`*\[\]<>|]|(?<![^\W_])[_~]|[_~](?![^\W_])|&(?=#?\w+;)")


def render_markdown(report: Report) -> str:
    """Return the report as Markdown, as GitHub and notebooks show it."""
    environment = jinja2.Environment(  # noqa: S701 - escaped by the filters, as Markdown needs it
        loader=jinja2.PackageLoader("post_training_toolkit.ptt_trl"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(text=as_text, code=as_code, block=as_block)
    return environment.get_template("run_report.md.jinja").render(report=report)


def as_text(text: object) -> str:
    r"""Escape what Markdown, or HTML within it, would take for markup; one line.

    >>> print(as_text("a|b <b> `c` x*y max_grad_norm\n_z_"))
    a\|b \<b\> \`c\` x\*y max_grad_norm \_z\_
    """
    return _MARKUP.sub(r"\\\g<0>", _line(text))


def as_code(text: object) -> str:
    r"""Return the text as code that stays one piece, backticks within it or not, in tables too.

    >>> print(as_code("loss"), as_code("a`b|c"))
    `loss` `` a`b\|c ``
    """
    line = _line(text).replace("|", "\\|")
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    if not longest:
        return f"`{line}`"
    fence = "`" * (longest + 1)
    return f"{fence} {line} {fence}"


def as_block(text: str) -> str:
    """Return a text of several lines as a block of code, whatever fences are within it."""
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 3)
    lines = [printable(line) for line in text.splitlines()]
    return "\n".join([f"{fence}text", *lines, fence])


def _line(text: object) -> str:
    return printable(" ".join(str(text).split()))
