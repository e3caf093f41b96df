"""The page that explains one rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from post_training_toolkit.engine.page import Item, Page, Section
from post_training_toolkit.engine.promises import Promise
from post_training_toolkit.engine.rule_words import condition_items, gate_items
from post_training_toolkit.rules.crash import CrashCondition
from post_training_toolkit.rules.figures import RuleFigures
from post_training_toolkit.rules.model import Escalation, Rule, Status

_SUPPORTS = {"mechanism": "why", "threshold": "the number", "remedy": "what to do"}
_ORIGINS = {
    "paper": "a paper prints it",
    "documentation": "a documentation states it",
    "derivation": "it is derived from the definitions",
    "empirical": "it was chosen on runs, and nobody printed it",
}


def rule_page(
    rule: Rule,
    causes: Iterable[str],
    tests: Iterable[Promise],
    figures: Mapping[str, RuleFigures],
) -> Page:
    """Return all there is to know about a rule.

    ``causes`` are the ids of the rules under which its insights are folded, ``figures`` what it did
    on sets of labelled runs, by the title of the set.
    """
    sections = (
        Section("Says", (rule.message.text,)),
        Section("Holds when", items=tuple(condition_items(rule.condition))),
        Section("Is judged", items=tuple(gate_items(rule.gate))),
        Section("Fires, and for how long", items=tuple(_time_items(rule))),
        Section("Why", _why(rule), tuple(_citation_items(rule))),
        Section("What to do", items=tuple(map(Item, rule.remediation))),
        _listed("Known false alarms", rule.false_alarms, "None is known."),
        *_relations(rule, tuple(causes)),
        _listed("Unit tests", map(_test_words, tests), "None was found."),
        _measured(rule, figures),
        Section("Belongs to", items=tuple(_about(rule))),
    )
    return Page(f"{rule.id}: {rule.title}", rule.description, sections)


def _time_items(rule: Rule) -> Iterator[Item]:
    severity = f"as {rule.severity}"
    if isinstance(rule.condition, CrashCondition):
        yield Item(f"fires {severity} when the run dies, and stays open")
        return
    if rule.required_observations == 1:
        yield Item(f"fires {severity} at the first observation at which it holds")
    else:
        rows = rule.required_observations
        yield Item(f"fires {severity} when it has held for {rows} observations in a row")
    if rule.escalation is not None:
        yield from _escalation_items(rule.escalation)
    yield Item(f"is resolved after {rule.keep_firing_for} observations in a row without trouble")
    if rule.cool_down:
        yield Item(f"does not begin anew within {rule.cool_down} observations after that")


def _escalation_items(escalation: Escalation) -> Iterator[Item]:
    rows = escalation.required_observations
    many = "once" if rows == 1 else f"for {rows} observations in a row"
    yield Item(f"rises to {escalation.severity} when this holds {many}:")
    yield from condition_items(escalation.condition, depth=1)


def _why(rule: Rule) -> tuple[str, ...]:
    sources = "Sources:" if rule.citations else "No source is cited."
    if isinstance(rule.condition, CrashCondition):
        return (f"Recognised by what libraries and the system say, and by no number. {sources}",)
    return (f"Where the number comes from: {_ORIGINS[rule.threshold_origin]}. {sources}",)


def _citation_items(rule: Rule) -> Iterator[Item]:
    for citation in rule.citations:
        yield Item(f"for {_SUPPORTS[citation.supports]}: {citation}")


def _relations(rule: Rule, causes: tuple[str, ...]) -> Iterator[Section]:
    items = []
    if causes:
        items.append(Item(f"its insights are folded under those of {_code(causes)}"))
    if rule.inhibits:
        items.append(Item(f"it folds the insights of {_code(rule.inhibits)}"))
    if items:
        yield Section("Causes and consequences", items=tuple(items))


def _measured(rule: Rule, figures: Mapping[str, RuleFigures]) -> Section:
    if isinstance(rule.condition, CrashCondition):
        return Section("Measured", ("Not on labelled runs: they do not record how they died.",))
    if not figures:
        return Section("Measured", ("Not measured yet.",))
    items = tuple(Item(f"{title}: {each}") for title, each in figures.items())
    return Section("Measured", ("As shipped, on labelled runs of its trainers:",), items)


def _about(rule: Rule) -> Iterator[Item]:
    yield Item(f"detects {_code(rule.detects)}")
    if rule.tags:
        yield Item(f"tags {_code(rule.tags)}")
    if rule.status is not Status.STABLE:
        yield Item(f"status {rule.status}")
    if rule.renamed_from:
        yield Item(f"was called {_code(rule.renamed_from)} before")
    yield Item(f"written in `{rule.source}`")


def _listed(heading: str, texts: Iterable[str], empty: str) -> Section:
    items = tuple(map(Item, texts))
    return Section(heading, () if items else (empty,), items)


def _test_words(test: Promise) -> str:
    steps = ", ".join(map(str, test.fires_at))
    return f"{test.name} (fires at step {steps})" if steps else f"{test.name} (stays silent)"


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
