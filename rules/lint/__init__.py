"""Findings in rules that are valid but probably not what was meant."""

from post_training_toolkit.rules.lint.bundle import lint_bundle
from post_training_toolkit.rules.lint.checks import CODES

__all__ = ["CODES", "lint_bundle"]
