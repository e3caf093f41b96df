"""ptt-rules docs: one Markdown page for each rule, an index, and the reference of the language."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from post_training_toolkit.engine.cli.exit_codes import CLEAN, FINDINGS
from post_training_toolkit.engine.cli.rule_files import load_rules, read_rule_files
from post_training_toolkit.rules.model import Rule, RuleBundle

_MARK = "<!-- Written by ptt-rules docs; change the rules or the schema instead. -->\n"


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder to write to; made if it is not there.",
)
@click.option(
    "--check", is_flag=True, help="Write nothing; exit 1 when a page on disk is out of date."
)
def docs(paths: tuple[Path, ...], output: Path, check: bool) -> None:
    """Write the pages of the shipped rules, or of those at the given paths.

    DIR/rules/ID.md explains each rule, DIR/rules/index.md lists them, DIR/language.md is the
    reference of the rule language. Pages of rules that are gone are removed; other files in DIR are
    left alone.

    \b
    Examples:
      ptt-rules docs --output docs
      ptt-rules docs --output docs --check      in CI: are the pages up to date?
      ptt-rules docs my_rules.yaml --output site
    """  # noqa: D301 - click looks for the character itself
    rules, bundle = load_rules(paths)
    pages = {output / name: _MARK + text for name, text in _pages(rules, bundle, paths)}
    gone = [path for path in sorted(output.glob("rules/*.md")) if path not in pages and _ours(path)]
    changed = [path for path, text in pages.items() if _read(path) != text]
    if check:
        for path in changed:
            click.echo(f"{path}: {'out of date' if path.exists() else 'missing'}")
        for path in gone:
            click.echo(f"{path}: no such rule any more")
        sys.exit(FINDINGS if changed or gone else CLEAN)
    _write({path: pages[path] for path in changed})
    for path in gone:
        path.unlink()
    click.echo(f"{len(pages)} pages in {output}, {len(changed)} written", err=True)


def _pages(
    rules: list[Rule], bundle: RuleBundle, paths: tuple[Path, ...]
) -> Iterator[tuple[str, str]]:
    """Yield each page's name below the output folder and its text."""
    from post_training_toolkit.engine.language_page import language_page
    from post_training_toolkit.engine.page import page_as_markdown
    from post_training_toolkit.engine.promises import promises_by_rule, shipped_tests
    from post_training_toolkit.engine.rule_page import rule_page
    from post_training_toolkit.engine.statistics.registry import describe_statistics
    from post_training_toolkit.rules.figures import figures_of
    from post_training_toolkit.rules.relations import root_causes
    from post_training_toolkit.schemas import load_schema

    tests = promises_by_rule([*shipped_tests(), *(read_rule_files(paths).tests if paths else ())])
    causes = root_causes(bundle.rules)
    for rule in rules:
        own_causes, figures = sorted(causes.get(rule.id, ())), figures_of(rule.id)
        page = rule_page(rule, own_causes, tests.get(rule.id, ()), figures)
        yield f"rules/{rule.id}.md", page_as_markdown(page)
    yield "rules/index.md", _index(rules)
    yield "language.md", language_page(load_schema("rules"), describe_statistics())


def _index(rules: list[Rule]) -> str:
    from post_training_toolkit.engine.page import escape_markdown

    lines = ["# Rules", "", "| rule | trainers | severity | says |", "|---|---|---|---|"]
    for rule in sorted(rules, key=lambda each: each.id):
        trainers = ", ".join(sorted(rule.gate.trainers)) or "all"
        levels = " to ".join(dict.fromkeys((rule.severity, rule.highest_severity)))
        title = escape_markdown(rule.title).replace("|", "\\|")
        lines.append(f"| [{rule.id}]({rule.id}.md) | {trainers} | {levels} | {title} |")
    return "\n".join(lines) + "\n"


def _ours(path: Path) -> bool:
    text = _read(path)
    return text is not None and text.startswith(_MARK)


def _read(path: Path) -> str | None:
    # A page that somebody saved in another encoding is out of date, and not ours.
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None


def _write(pages: Mapping[Path, str]) -> None:
    for path, text in pages.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise click.UsageError(f"cannot write {path}: {error.strerror}") from None
