"""Pages of headed paragraphs and lists, as text for a terminal and as Markdown."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass

_WIDTH = 100
# A code span, or a character that Markdown would take for markup outside of one.
_MARKUP = re.compile(r"(`[^`]*`)|([*<\[\]\\])")


@dataclass(frozen=True, slots=True)
class Item:
    """A line of a list; ``depth`` 0 is the outermost."""

    text: str
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, paragraphs and a list; code stands between backticks."""

    heading: str
    paragraphs: tuple[str, ...] = ()
    items: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """A title, a first paragraph and sections."""

    title: str
    lead: str
    sections: tuple[Section, ...]


def page_as_text(page: Page) -> str:
    """Return the page for a terminal, 100 columns wide.

    >>> print(page_as_text(Page("a_rule: Bad", "", (Section("Watches", ("The loss.",)),))), end="")
    a_rule: Bad
    <BLANKLINE>
    Watches
      The loss.
    """
    blocks = [_wrap(page.title)]
    if page.lead:
        blocks.append(_wrap(page.lead))
    for section in page.sections:
        lines = [_wrap(paragraph, "  ") for paragraph in section.paragraphs]
        lines += [
            _wrap(item.text, "  " * (item.depth + 1) + "- ", "  " * (item.depth + 2))
            for item in section.items
        ]
        blocks.append("\n".join([section.heading, *lines]))
    return "\n\n".join(blocks) + "\n"


def page_as_markdown(page: Page) -> str:
    r"""Return the page as Markdown.

    >>> print(page_as_markdown(Page("A", "2 * 3", (Section("B", (), (Item("c", 1),)),))), end="")
    # A
    <BLANKLINE>
    2 \* 3
    <BLANKLINE>
    ## B
    <BLANKLINE>
      - c
    """
    blocks = [f"# {escape_markdown(page.title)}"]
    if page.lead:
        blocks.append(escape_markdown(page.lead))
    for section in page.sections:
        blocks.append(f"## {escape_markdown(section.heading)}")
        blocks += map(escape_markdown, section.paragraphs)
        if section.items:
            blocks.append(
                "\n".join(
                    f"{'  ' * item.depth}- {escape_markdown(item.text)}" for item in section.items
                )
            )
    return "\n\n".join(blocks) + "\n"


def escape_markdown(text: str) -> str:
    r"""Escape what Markdown would take for markup, except in code.

    >>> print(escape_markdown("`a*b` is 2 * <b>"))
    `a*b` is 2 \* \<b>
    """
    return _MARKUP.sub(lambda match: match[1] or f"\\{match[2]}", text)


def _wrap(text: str, first: str = "", rest: str | None = None) -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=first if rest is None else rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
