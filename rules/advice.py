"""Remedies that show values of the run: text with arithmetic on its arguments in braces."""

from __future__ import annotations

import re
from collections.abc import Mapping

from post_training_toolkit.rules.expression import ExpressionError, parse_expression

# An expression, and behind a colon how its number is shown.
_BRACED = re.compile(r"\{([^{}:]*)(?::([^{}]*))?\}")
_FORMAT = re.compile(r"\.\d{1,2}[eg]|,?\.0f", re.ASCII)
_USUAL_FORMAT = ".4g"


class AdviceError(ValueError):
    """Advice that cannot be rendered; the text says what would be right."""


def check_advice(text: str) -> None:
    """Raise ``AdviceError`` unless every brace holds an expression that can be shown."""
    for expression, number_format in _BRACED.findall(text):
        try:
            parse_expression(expression)
        except ExpressionError as error:
            raise AdviceError(f"{{{expression}}} cannot be computed: {error}") from None
        if number_format and not _FORMAT.fullmatch(number_format):
            raise AdviceError(f"{number_format!r} is no number format; use one such as .3g")
    if re.search("[{}]", _BRACED.sub("", text)):
        raise AdviceError("a brace stands alone; an argument is shown by {beta} or {beta / 2:.2g}")


def render_advice(text: str, configuration: Mapping[str, object]) -> str:
    """Return checked advice with the values of a run; what is not known stays a formula.

    >>> render_advice("lower learning_rate to {learning_rate / 10:.1g}", {"learning_rate": 3e-4})
    'lower learning_rate to 3e-05'
    >>> render_advice("lower learning_rate to {learning_rate / 10:.1g}", {})
    'lower learning_rate to learning_rate / 10'
    """

    def shown(braced: re.Match[str]) -> str:
        expression, number_format = braced.groups()
        value = parse_expression(expression).evaluate(configuration)
        return expression if value is None else format(value, number_format or _USUAL_FORMAT)

    return _BRACED.sub(shown, text)
