"""ptt-rules list: the rules at a glance."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from post_training_toolkit.engine.cli.rule_files import load_rules
from post_training_toolkit.rules.catalogue import AGENTS, rule_subjects
from post_training_toolkit.rules.model import Rule
from post_training_toolkit.rules.severity import Severity
from post_training_toolkit.rules.suggestion import did_you_mean

_HEADER = ("id", "severity", "trainers", "status", "title")


@click.command("list")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option(
    "--trainer",
    type=click.Choice(rule_subjects()),
    help="Only rules that apply to this trainer, those for all trainers included.",
)
@click.option(
    "--severity",
    type=click.Choice([str(severity) for severity in Severity]),
    help="Only rules that can reach this severity.",
)
@click.option("--tag", help="Only rules with this tag.")
@click.option("--detects", help="Only rules that detect this failure mode.")
@click.option("--format", "format_name", type=click.Choice(["text", "json"]), default="text")
def list_rules(
    paths: tuple[Path, ...],
    trainer: str | None,
    severity: str | None,
    tag: str | None,
    detects: str | None,
    format_name: str,
) -> None:
    """List the shipped rules, or those at the given paths.

    With several filters a rule must pass all of them. 'medium, high' in the table is a rule with
    two levels.

    \b
    Examples:
      ptt-rules list --trainer dpo
      ptt-rules list --severity high --format json
      ptt-rules list my_rules.yaml --tag stability
    """  # noqa: D301 - click looks for the character itself
    rules, _ = load_rules(paths)
    _check_word("--tag", tag, rules, lambda rule: rule.tags)
    _check_word("--detects", detects, rules, lambda rule: rule.detects)
    shown = [
        rule
        for rule in rules
        if (trainer is None or _is_for(rule, trainer))
        and (severity is None or rule.highest_severity.rank >= Severity(severity).rank)
        and (tag is None or tag in rule.tags)
        and (detects is None or detects in rule.detects)
    ]
    if format_name == "json":
        click.echo(json.dumps([_as_json(rule) for rule in shown], indent=2, ensure_ascii=False))
    else:
        click.echo(_table([_HEADER, *map(_row, shown)]), nl=False)


def _check_word(
    option: str, word: str | None, rules: Iterable[Rule], words: Callable[[Rule], Iterable[str]]
) -> None:
    """End the command with a guess when no rule has the word, which is then a typing error."""
    known = {each for rule in rules for each in words(rule)}
    if word is not None and word not in known:
        raise click.BadParameter(
            f"no rule has {word!r}{did_you_mean(word, known)}", param_hint=option
        )


def _is_for(rule: Rule, trainer: str) -> bool:
    # What every trainer logs no episode of an agent has.
    return trainer in rule.gate.trainers or (not rule.gate.trainers and trainer != AGENTS)


def _row(rule: Rule) -> tuple[str, ...]:
    levels = dict.fromkeys((rule.severity, rule.highest_severity))
    trainers = ", ".join(sorted(rule.gate.trainers)) or "all"
    return rule.id, ", ".join(levels), trainers, rule.status, rule.title


def _as_json(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "title": rule.title,
        "severity": rule.severity,
        "highest_severity": rule.highest_severity,
        "trainers": sorted(rule.gate.trainers),
        "status": rule.status,
        "tags": rule.tags,
        "detects": rule.detects,
        "metrics": rule.metrics,
        "threshold_origin": rule.threshold_origin,
        "file": rule.source,
        "line": rule.line,
    }


def _table(rows: Sequence[Sequence[str]]) -> str:
    r"""Return rows in aligned columns.

    >>> _table([("id", "title"), ("a_rule", "A title")])
    'id      title\na_rule  A title\n'
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "".join(f"{line.rstrip()}\n" for line in lines)
