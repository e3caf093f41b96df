"""Message templates show numbers and text, and reach nothing else."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from post_training_toolkit.rules.message import MessageError, parse_message

PLACEHOLDERS = "difference, metric, ratio, reference, step, threshold, value, window"


@pytest.mark.parametrize(
    ("text", "values", "shown"),
    [
        ("no placeholder", {}, "no placeholder"),
        ("{value}", {"value": 0.123456}, "0.1235"),
        ("{value}", {"value": 20.0}, "20"),
        ("{value:.3g} at step {step}", {"value": 0.6931, "step": 40}, "0.693 at step 40"),
        ("{ratio:.1f} times", {"ratio": 3.25}, "3.2 times"),
        ("{value:.0%} of the pairs", {"value": 0.4567}, "46% of the pairs"),
        ("{value:+.2e}", {"value": 12345.0}, "+1.23e+04"),
        ("{value:,.0f}", {"value": 1234567.0}, "1,234,567"),
        ("{value:08.3f}", {"value": 1.5}, "0001.500"),
        # What is counted or named is shown as it is.
        ("{step:.3g}", {"step": 123456}, "123456"),
        ("{metric:.3g} {threshold}", {"metric": "loss", "threshold": "above 3"}, "loss above 3"),
        ("{metric}", {"metric": "{step} %s"}, "{step} %s"),
        # What does not exist.
        ("{ratio:.1f}", {"ratio": None}, "n/a"),
        ("{ratio:.1f} of {reference}", {}, "n/a of n/a"),
        ("{value:.2f}", {"value": math.nan}, "nan"),
        ("{value}", {"value": -math.inf}, "-inf"),
        ("{{value}} {{}} {value}", {"value": 1.0}, "{value} {} 1"),
    ],
)
def test_a_message_shows_its_values(
    text: str, values: dict[str, float | int | str | None], shown: str
) -> None:
    assert parse_message(text).render(values) == shown


def test_labels_are_placeholders_too() -> None:
    message = parse_message("{margin:.2f} and {value:.2f}", ["margin"])
    assert message.render({"margin": 0.5, "value": 0.25}) == "0.50 and 0.25"
    with pytest.raises(MessageError, match=r"unknown placeholder \{margin\}"):
        parse_message("{margin:.2f}", ["loss"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{vlaue}", "unknown placeholder {vlaue}; did you mean 'value'?"),
        ("{xyz}", f"unknown placeholder {{xyz}}; there are {PLACEHOLDERS}"),
        ("{}", f"unknown placeholder {{}}; there are {PLACEHOLDERS}"),
        ("{0}", f"unknown placeholder {{0}}; there are {PLACEHOLDERS}"),
        (
            "{value.__class__}",
            f"unknown placeholder {{value.__class__}}; there are {PLACEHOLDERS}",
        ),
        (
            "{value.__class__.__init__.__globals__}",
            f"unknown placeholder {{value.__class__.__init__.__globals__}}; "
            f"there are {PLACEHOLDERS}",
        ),
        ("{value[0]}", "unknown placeholder {value[0]}; did you mean 'value'?"),
        ("{value!r}", "{value!r} is not a number format; use one such as {value:.3g}"),
        ("{value!s:.3g}", "{value!s} is not a number format; use one such as {value:.3g}"),
        ("{value:d}", "{value:d} is not a number format; use one such as {value:.3g}"),
        ("{value:s}", "{value:s} is not a number format; use one such as {value:.3g}"),
        ("{value:x>9}", "{value:x>9} is not a number format; use one such as {value:.3g}"),
        (
            "{value:9999999}",
            "{value:9999999} is not a number format; use one such as {value:.3g}",
        ),
        (
            "{value:.999999999f}",
            "{value:.999999999f} is not a number format; use one such as {value:.3g}",
        ),
        ("{value:100}", "{value:100} is not a number format; use one such as {value:.3g}"),
        (
            "{value:{step}}",
            "{value:{step}} is not a number format; use one such as {value:.3g}",
        ),
        (
            "{value:.{step}f}",
            "{value:.{step}f} is not a number format; use one such as {value:.3g}",
        ),
        (
            "100 %} right",
            "Single '}' encountered in format string; write {{ and }} for literal braces",
        ),
        (
            "{value",
            "expected '}' before end of string; write {{ and }} for literal braces",
        ),
        (
            "a { b",
            "expected '}' before end of string; write {{ and }} for literal braces",
        ),
    ],
)
def test_a_template_that_asks_for_more_is_refused(text: str, message: str) -> None:
    with pytest.raises(MessageError) as raised:
        parse_message(text)
    assert str(raised.value) == message


templates = st.one_of(
    st.text(max_size=40),
    st.lists(
        st.one_of(
            st.sampled_from(
                ["{value", "{step", "{metric", "{x", ":", ".3g", "}", "{{", "}}", "!r"]
            ),
            st.text("{}:!.,+-# 0123456789eEfFgG%dnsxc_>[]", max_size=6),
            st.from_regex(
                r"\{value:[-+ ]?#?0?[0-9]{0,3},?(\.[0-9]{1,3})?[a-zA-Z%]?\}", fullmatch=True
            ),
        ),
        max_size=6,
    ).map("".join),
)
some_value = st.one_of(st.floats(), st.none(), st.text(max_size=5), st.integers(-(10**9), 10**9))


@settings(deadline=None, max_examples=300)
@given(templates, some_value)
def test_any_text_is_a_template_that_renders_or_an_error(
    text: str, value: float | int | str | None
) -> None:
    try:
        message = parse_message(text)
    except MessageError:
        return
    shown = message.render(dict.fromkeys(("value", "step", "metric"), value))
    # A number has at most 309 digits before its point and 99 behind it.
    assert len(shown) <= len(text) + 500 * text.count("{")
