"""Remedies can show what the run was given, and what would be better."""

from __future__ import annotations

import pytest

from post_training_toolkit.engine.compile import Compiler
from post_training_toolkit.engine.run import RunDescription
from post_training_toolkit.rules.advice import AdviceError, check_advice, render_advice
from post_training_toolkit.rules.bundle import load_bundle
from post_training_toolkit.rules.sources import default_sources


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("beta is {beta}, try 0.05", "beta is 0.001, try 0.05"),
        ("try {2 * max_length}", "try 256"),
        ("try {learning_rate / 10:.1g}", "try 2e-05"),
        ("no braces", "no braces"),
        ("try {unknown + 1}", "try unknown + 1"),
    ],
)
def test_braces_are_computed_from_the_configuration(text: str, shown: str) -> None:
    check_advice(text)
    configuration = {"beta": 0.001, "max_length": 128, "learning_rate": 2e-4}
    assert render_advice(text, configuration) == shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("try {beta +}", "cannot be computed"),
        ("try {beta:>40}", "is no number format; use one such as .3g"),
        ("a {lonely brace", "a brace stands alone"),
        ("{open('x')}", "cannot be computed"),
    ],
)
def test_what_cannot_be_computed_is_an_error(text: str, message: str) -> None:
    with pytest.raises(AdviceError, match=message):
        check_advice(text)


def test_the_advice_of_a_shipped_rule_names_the_arguments_of_the_run() -> None:
    rules = {rule.id: rule for rule in load_bundle(default_sources()).rules}
    compiler = Compiler(RunDescription("dpo", {"beta": 0.001, "loss_type": ["sigmoid"]}))
    detector = compiler.detector(rules["dpo_loss_random"], "dpo_loss_random")
    assert any("beta, which is 0.001; 0.05 to 0.1" in text for text in detector.rule.remediation)
