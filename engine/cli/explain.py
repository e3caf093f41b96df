"""ptt-rules explain: one rule in words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from post_training_toolkit.engine.cli.rule_files import load_rules, read_rule_files
from post_training_toolkit.rules.model import Rule
from post_training_toolkit.rules.relations import current_ids, root_causes
from post_training_toolkit.rules.suggestion import guess


@click.command()
@click.argument("identifier", metavar="ID")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
def explain(identifier: str, paths: tuple[Path, ...]) -> None:
    """Explain a rule: what it watches, when, for how long, why, and what to do.

    ID is a shipped rule, or a rule of the files and folders at PATH. An id that the rule had before
    works too.

    \b
    Examples:
      ptt-rules explain loss_spike
      ptt-rules explain answers_lose_confidence my_rules.yaml
    """  # noqa: D301 - click looks for the character itself
    from post_training_toolkit.engine.page import page_as_text
    from post_training_toolkit.engine.promises import promises_by_rule, shipped_tests
    from post_training_toolkit.engine.rule_page import rule_page
    from post_training_toolkit.rules.figures import figures_of

    _, bundle = load_rules(paths)
    rule = _find(identifier, bundle.rules)
    tests = promises_by_rule([*shipped_tests(), *(read_rule_files(paths).tests if paths else ())])
    causes = sorted(root_causes(bundle.rules).get(rule.id, ()))
    page = rule_page(rule, causes, tests.get(rule.id, ()), figures_of(rule.id))
    click.echo(page_as_text(page), nl=False)


def _find(identifier: str, rules: Sequence[Rule]) -> Rule:
    ids = current_ids(rules)
    if identifier not in ids:
        everything = "; see ptt-rules list"
        hint = guess(identifier, ids) or everything
        raise click.BadParameter(f"there is no rule {identifier!r}{hint}", param_hint="ID")
    return next(rule for rule in rules if rule.id == ids[identifier])
