"""The text of a first rule and of its test, to be changed by its author."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

# Reads as a word in YAML wherever it stands; everything else is quoted.
_PLAIN_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_/.-]*")
# Stands for what a * matches in the test of a rule with one.
_EXAMPLE_NAME = "example"


@dataclass(frozen=True, slots=True)
class NewRule:
    """What an author says first about a rule; no ``trainer`` means every one."""

    identifier: str
    metric: str
    trainer: str | None = None

    def rule_text(self, schema: str) -> str:
        """Return a rule file that is valid as it is; ``schema`` is where its schema lies."""
        title = self.identifier.replace("_", " ").capitalize()
        trainers = f"[{self.trainer}]" if self.trainer else "[sft, dpo]"
        return _RULE.format(
            schema=schema,
            id=self.identifier,
            title=title,
            trainers=f"{'' if self.trainer else '# '}trainers: {trainers}",
            metric=_scalar(self.metric),
        )

    def test_text(self, schema: str, rule_file: str) -> str:
        """Return a test file that the rule passes, with one stream of each kind."""
        return _TESTS.format(
            schema=schema,
            rule_file=_scalar(rule_file),
            id=self.identifier,
            trainer=self.trainer or "sft",
            metric=_scalar(self.metric.replace("*", _EXAMPLE_NAME)),
        )


def _scalar(text: str) -> str:
    """Return text as YAML reads it back.

    >>> _scalar("rewards/margins"), _scalar("rewards/*/std")
    ('rewards/margins', '"rewards/*/std"')
    """
    # What JSON quotes YAML reads the same way.
    return (
        text
        if _PLAIN_WORD.fullmatch(text) and not _is_keyword(text)
        else json.dumps(text, ensure_ascii=False)
    )


def _is_keyword(text: str) -> bool:
    # Read as truth values or nothing, not as text.
    return text.lower() in {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


_RULE = """\
# yaml-language-server: $schema={schema}
version: 1
rules:
  # The id is stable for ever: insights, overrides and reports refer to it.
  - id: {id}
    title: {title}
    description: >-
      Why this is bad, and how the rule sees it.
    # Every trainer when left out.
    {trainers}
    # Not judged in the first tenth of the run.
    after: {{fraction: 0.1}}
    # As the trainer logs it, or its canonical name.
    metric: {metric}
    # Of the last ten logged observations; mean, median, std, max, slope and many more.
    statistic: mean
    window: 10
    # Twice the metric's own early level; a fixed number would be {{above: 2}}.
    threshold: {{above: 2, relative_to: baseline}}
    # Observations in a row, before it fires.
    for: 3
    # low, medium, high or critical.
    severity: medium
    # Failure modes that it shows; ptt-rules list --detects finds rules by them.
    detects: [{id}]
    message: "{{metric}} averages {{value:.3g}}, {{ratio:.1f}} times its early level"
    remediation:
      - Say what to change, by the name of the argument.
    # A source, if there is one, and what it supports:
    # - {{title: ..., authors: ..., year: 2024, url: ..., locator: Section 3, supports: mechanism}}
    citation: []
    # paper, documentation or derivation, if the number comes from there.
    threshold_origin: empirical
    false_alarms:
      - Name a situation in which it fires without a fault.
"""

_TESTS = """\
# yaml-language-server: $schema={schema}
version: 1
rule_files: [{rule_file}]
tests:
  # 1.0x30 is thirty times 1.0; 1.0~0.1x60 alternates around 1.0; _ was not logged.
  - name: a level three times the early one is told
    trainer: {trainer}
    series: {{{metric}: 1.0x30 3.0x30}}
    rules: [{id}]
    expect:
      - {{rule: {id}, step: 38, severity: medium}}
  - name: noise around the early level is no fault
    trainer: {trainer}
    series: {{{metric}: 1.0~0.1x60}}
    rules: [{id}]
    expect: []
"""
